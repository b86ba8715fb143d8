"""How Neutron's objects live: networks, subnets and ports differ in their fields only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.kind import Provenance, is_auto_name, owner_from_name
from ecs_pulumi.resources.common import (
    Context,
    EcsHandler,
    I,
    RemoteObject,
    delete_when_unused,
    diff_remote,
    owner_marker,
    require_exists,
)
from ecs_pulumi.resources.idempotent_create import create_or_find
from ecs_pulumi.resources.orphan_search import marked_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ecs_pulumi.cloud.collection import Collection


class NeutronHandler(EcsHandler[I]):
    """Create, read, update and delete from the facts on the fields."""

    encodes_owner_in_name = True  # a description of the program's leaves no place for a mark
    singular: ClassVar[str]
    """What the API calls one of them, `network` say."""
    attribute_map: ClassVar[Mapping[str, str]] = {}
    """What the API calls an input, where it calls it otherwise."""

    def find_own_orphans(self, context: Context, desired: I) -> list[tuple[str, str]]:
        """Those with the marker; with a description of the program's, those whose name is signed for this resource.

        With a name of the program's as well, those that the state proves to be this resource's.
        """
        found = with_marker(context, self.singular, owner_marker(context))
        if getattr(desired, "description", None):
            found += self._described(context, desired)
        return [(each["id"], each["name"]) for each in found]

    def _described(self, context: Context, desired: Any) -> list[RemoteObject]:
        name = desired.name or ""
        if not owner_marker(context):
            return []
        if is_auto_name(name, context.resource):
            return with_marker(
                context,
                self.singular,
                "",
                lambda remote: owner_from_name(remote["name"], context.signer) == context.resource,
            )
        listed = network.list_all(context.cloud.network, self.singular, name=name, description=desired.description)
        return [each for each in listed if context.provenance(each["id"], each["name"]) is Provenance.INTERRUPTED]

    def create(self, context: Context, desired: I) -> RemoteObject:
        """Create with one request, and one more for tags."""
        body = self._body({name: value for name, value in fields.to_plain(desired).items() if self._is_sent(name)}, {})
        body.update(fields.to_plain(getattr(desired, "value_specs", None)) or {})
        body.setdefault("description", owner_marker(context))
        if not body["description"]:
            del body["description"]
        api = context.cloud.network
        remote = create_or_find(
            context,
            api,
            send=lambda: network.create(api, self.singular, body),
            candidates=lambda: network.list_all(api, self.singular, name=body["name"]),
            marked=body.get("description"),
        )
        context.record_id(remote["id"])
        return self._tag(context, remote, getattr(desired, "tags", None))

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """From the list that serves every refresh of this kind."""
        return self._objects(context).read(id_)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """The object as it is this moment."""
        try:
            return network.get(context.cloud.network, self.singular, id_)
        except errors.NotFound:
            return None

    def update(self, context: Context, id_: str, desired: I, prior: Mapping[str, Any]) -> RemoteObject:  # noqa: ARG002
        """Send what differs, in one request, and one more for tags."""
        remote = require_exists(self.read(context, id_), self.name, id_)
        changes = diff_remote(self, context, desired, remote)
        body = self._body({name: value for name, value in changes.items() if self._is_sent(name)}, remote)
        if body:
            remote = network.update(context.cloud.network, self.singular, id_, body)
        return self._tag(context, remote, getattr(desired, "tags", None))

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Delete; something that still uses it is given a moment to go, then named."""
        delete_when_unused(
            context,
            lambda: network.delete(context.cloud.network, self.singular, id_),
            lambda: self._users(context, id_),
        )

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Every input and output that the API tells, under our names."""
        seen: dict[str, Any] = {"region": context.cloud.region.name}
        for model in (self.inputs, self.outputs):
            for name in fields.fields_of(model):
                attribute = self._attribute(name)
                if attribute in remote:
                    seen[name] = remote[attribute]
        seen["project_id"] = remote.get("project_id", remote.get("tenant_id"))
        return seen

    def _users(self, context: Context, id_: str) -> list[str]:  # noqa: ARG002
        return []

    @property
    def collection(self) -> str:
        """What the API calls many of them."""
        return f"{self.singular}s"

    def _objects(self, context: Context) -> Collection:
        objects: Collection = getattr(context.cloud.region, self.collection)
        return objects

    def _attribute(self, name: str) -> str:
        return self.attribute_map.get(name, name)

    def _is_sent(self, name: str) -> bool:
        facts = fields.fields_of(self.inputs)[name]
        return not facts.has(fields.ProviderOnly) and name not in ("region", "tags", "value_specs")

    def _body(self, values: Mapping[str, Any], remote: RemoteObject) -> RemoteObject:  # noqa: ARG002
        """The request's attributes for these inputs; `remote` is empty in a create."""
        return {
            self._attribute(name): None if value == "" and name == "qos_policy_id" else value
            for name, value in values.items()
        }

    def _tag(self, context: Context, remote: RemoteObject, desired: list[str] | None) -> RemoteObject:
        if desired is None or set(desired) == set(remote.get("tags", ())):
            return remote
        network.replace_tags(context.cloud.network, self.collection, remote["id"], sorted(set(desired)))
        return {**remote, "tags": sorted(set(desired))}


def with_marker(
    context: Context, singular: str, marker: str, is_own: Callable[[RemoteObject], bool] | None = None
) -> list[RemoteObject]:
    """The objects with this description, or of which something else says so, that exist since before this run.

    Args:
        context: The operation.
        singular: What the API calls one of them.
        marker: The description; empty where it is another one, and then there are none without `is_own`.
        is_own: What says so instead.
    """
    api, project_id = context.cloud.network, context.cloud.region.project_id
    if not marker and is_own is None:
        return []

    def list_all() -> list[RemoteObject]:
        return network.list_all(api, singular, tenant_id=project_id)

    return marked_objects(context.cloud.region, singular).of(
        narrow=(lambda: network.list_all(api, singular, description=marker)) if marker else list_all,
        list_all=list_all,
        is_own=is_own or (lambda remote: remote.get("description") == marker),
    )


def dependent_ports(context: Context, **filters: str) -> list[str]:
    """The ports that hold on to a network or subnet, in words."""
    return [
        f"port {port['id']}" + (f" ({port['device_owner']} {port['device_id']})" if port.get("device_id") else "")
        for port in network.list_all(context.cloud.network, "port", **filters)
    ]
