"""Attributes that some clouds do not have on Neutron's objects: they refuse them, or drop them without an error.

Requests contain them until an answer shows, for a region and a kind, that it is in vain. A label, such as a
description, is then left out, because the object works without it. Every other attribute changes how the object works,
so it is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.per_region import PerRegion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

LABELS = ("description", "tags")
"""The inputs without which an object works."""

_warned: PerRegion[set[tuple[str, str, str]]] = PerRegion(lambda _: set())
"""The kinds, resources and labels of the warnings that this process has shown."""


def words_for(kind: str) -> str:
    """Return the words for one object of a kind, such as `a floating IP`."""
    return f"a {kind.replace('floatingip', 'floating IP').replace('_', ' ')}"


def has_learned_missing(region: Region, kind: str, attribute: str) -> bool:
    """Whether an answer has shown that the objects of this kind, such as `port`, do not have the attribute."""
    return region.differences.knows(Fact.NO_ATTRIBUTE, kind, attribute)


def keeps_no_description(region: Region, kind: str, remote: Mapping[str, Any]) -> bool:
    """Whether an object without a description may have been created with one, because the cloud keeps none.

    An Open Telekom Cloud may drop the description of a request, except that of a security group, and show an empty
    one. It is too late to learn that from the first response if that is lost.
    """
    may_drop = region.differences.may_drop_attributes and not kind.startswith("security_group")
    is_empty = not remote.get("description")
    return "description" not in remote or (is_empty and (may_drop or has_learned_missing(region, kind, "description")))


def learn_from(region: Region, kind: str, remote: Mapping[str, Any]) -> None:
    """Learn which labels an object has that was read or listed."""
    for label in LABELS:
        if label not in remote:
            note(region, kind, label)


def note(region: Region, kind: str, attribute: str) -> None:
    """Note that the objects of this kind do not have the attribute."""
    region.differences.note(Fact.NO_ATTRIBUTE, kind, attribute)


def send(
    context: Context,
    kind: str,
    body: RemoteObject,
    request: Callable[[RemoteObject], RemoteObject],
    properties: Mapping[str, str] | None = None,
) -> RemoteObject:
    """Send the attributes of an object in a request that creates or updates it, without the labels it cannot have.

    Args:
        context: The operation.
        kind: The API's name of one object, such as `port`.
        body: The attributes.
        request: Sends them.
        properties: What the program sets these attributes by, by the API's name, if that is not an input of this name.

    Raises:
        OperationFailed: The cloud does not have another attribute; the message names its input.
    """
    region, properties = context.cloud.region, properties or {}

    def is_label(name: str) -> bool:
        return properties.get(name, name) in LABELS

    body = {
        name: value for name, value in body.items() if not (is_label(name) and has_learned_missing(region, kind, name))
    }
    try:
        remote = request(body)
    except errors.BadRequest as error:
        refused = [name for name in errors.unknown_attributes(error) if name in body]
        if not refused:
            raise
        if others := [name for name in refused if not is_label(name)]:
            raise not_offered(error, others, properties) from error
        for label in refused:
            note(region, kind, label)
        return send(context, kind, body, request, properties)
    if body.get("description") and not remote.get("description"):
        note(region, kind, "description")
    return remote


def not_offered(error: errors.EcsError, attributes: list[str], properties: Mapping[str, str]) -> errors.OperationFailed:
    """Return the error for attributes that the cloud does not accept in a request."""
    inputs = errors.join_names([properties.get(each, each) for each in attributes])
    return errors.OperationFailed(f"{inputs}: this cloud does not accept it; remove it from the program", str(error))


def warn_if_missing(context: Context, kind: str, label: str) -> None:
    """Warn, once for each resource, if the cloud does not keep a label that the program sets."""
    region, warning = context.cloud.region, (kind, context.resource, label)
    added, value = context.added.get(label), context.inputs.get(label)
    if added and isinstance(value, list) and all(item in added for item in value):
        if has_learned_missing(region, kind, label):
            what = f"this cloud stores no {label} of {words_for(kind)}"
            rpc_bridge.warn_once(f"ecs:defaultTags has no effect on resources of kind {context.kind}: {what}")
    elif has_learned_missing(region, kind, label) and warning not in _warned(region):
        _warned(region).add(warning)
        context.warn(
            f"{label}: not kept, because this cloud stores no {label} of {words_for(kind)}; "
            "the object is complete without it"
        )


def look_up_missing(region: Region, kind: str, attribute: str) -> bool:
    """Whether the objects of this kind do not have the attribute. May read one of them, for a preview."""
    if has_learned_missing(region, kind, attribute):
        return True
    # What an account sees of an attribute with a prefix, such as `binding:profile`, depends on its rights.
    if not region.differences.may_drop_attributes or ":" in attribute:
        return False
    remote = catalog(region).sample(kind)
    if remote is None:
        return False
    learn_from(region, kind, remote)
    return attribute not in remote
