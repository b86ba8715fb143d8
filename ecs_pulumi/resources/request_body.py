"""The inputs that a request sends: all that are set in a create, those that differ in an update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.dynamic import fields

if TYPE_CHECKING:
    from ecs_pulumi.dynamic.handler import ResourceHandler
    from ecs_pulumi.resources.clients import Clients, Context
    from ecs_pulumi.resources.remote import RemoteObject


def create_body(desired: fields.Inputs, *names: str, **renamed: str) -> dict[str, Any]:
    """Return the body of a create request, with those of these inputs that the program sets.

    Args:
        desired: The inputs.
        names: Inputs that have the same name in the API.
        renamed: Inputs that have another name in the API, as `input="api:name"`.
    """
    body = {name: fields.to_plain(getattr(desired, name)) for name in names}
    body |= {api: fields.to_plain(getattr(desired, name)) for name, api in renamed.items()}
    return {name: value for name, value in body.items() if value is not None}


def diff_remote(
    handler: ResourceHandler[Clients, Any, RemoteObject], context: Context, desired: fields.Inputs, remote: RemoteObject
) -> dict[str, Any]:
    """Return the managed inputs that differ from the remote object, with their desired values."""
    values, outputs = fields.to_plain(desired), handler.to_outputs(context, remote)
    return handler.ownership_updates(context, remote) | {
        name: value
        for name, value in values.items()
        if name in outputs and not handler.is_equal(name, value, outputs) and not _is_provider_only(handler, name)
    }


def _is_provider_only(handler: ResourceHandler[Any, Any, Any], name: str) -> bool:
    return fields.fields_of(handler.inputs)[name].has(fields.ProviderOnly)
