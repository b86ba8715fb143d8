"""How Neutron's objects live: networks, subnets and ports differ in their fields only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.kind import Provenance, is_automatic, signed_for
from ecs_pulumi.resources.common import (
    EcsKind,
    I,
    Live,
    Op,
    differing,
    found_or_failed,
    mark,
    unless_in_use,
)
from ecs_pulumi.resources.leftovers import marked_objects
from ecs_pulumi.resources.once import create_once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ecs_pulumi.cloud.collection import Collection


class NeutronKind(EcsKind[I]):
    """Create, read, update and delete from the facts on the fields."""

    signs_names = True  # a description of the program's leaves no place for a mark
    singular: ClassVar[str]
    """What the API calls one of them, `network` say."""
    api_names: ClassVar[Mapping[str, str]] = {}
    """What the API calls an input, where it calls it otherwise."""

    def leftovers(self, op: Op, wanted: I) -> list[tuple[str, str]]:
        """Those with the marker; with a description of the program's, those whose name is signed for this resource.

        With a name of the program's as well, those that the state proves to be this resource's.
        """
        found = with_marker(op, self.singular, mark(op))
        if getattr(wanted, "description", None):
            found += self._described(op, wanted)
        return [(each["id"], each["name"]) for each in found]

    def _described(self, op: Op, wanted: Any) -> list[Live]:
        name = wanted.name or ""
        if not mark(op):
            return []
        if is_automatic(name, op.resource):
            return with_marker(op, self.singular, "", lambda live: signed_for(live["name"], op.signer) == op.resource)
        listed = network.list_all(op.cloud.network, self.singular, name=name, description=wanted.description)
        return [each for each in listed if op.provenance(each["id"], each["name"]) is Provenance.INTERRUPTED]

    def create(self, op: Op, wanted: I) -> Live:
        """Create with one request, and one more for tags."""
        body = self._body({name: value for name, value in fields.plain(wanted).items() if self._is_sent(name)}, {})
        body.update(fields.plain(getattr(wanted, "value_specs", None)) or {})
        body.setdefault("description", mark(op))
        if not body["description"]:
            del body["description"]
        api = op.cloud.network
        live = create_once(
            op,
            api,
            send=lambda: network.create(api, self.singular, body),
            candidates=lambda: network.list_all(api, self.singular, name=body["name"]),
            marked=body.get("description"),
        )
        op.created(live["id"])
        return self._tag(op, live, getattr(wanted, "tags", None))

    def read(self, op: Op, id_: str) -> Live | None:
        """From the list that serves every refresh of this kind."""
        return self._objects(op).read(id_)

    def fetch(self, op: Op, id_: str) -> Live | None:
        """The object as it is this moment."""
        try:
            return network.get(op.cloud.network, self.singular, id_)
        except errors.NotFound:
            return None

    def update(self, op: Op, id_: str, wanted: I, old: Mapping[str, Any]) -> Live:  # noqa: ARG002
        """Send what differs, in one request, and one more for tags."""
        live = found_or_failed(self.fetch(op, id_), self.name, id_)
        changes = differing(self, op, wanted, live)
        body = self._body({name: value for name, value in changes.items() if self._is_sent(name)}, live)
        if body:
            live = network.update(op.cloud.network, self.singular, id_, body)
        return self._tag(op, live, getattr(wanted, "tags", None))

    def delete(self, op: Op, id_: str, old: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Delete; something that still uses it is given a moment to go, then named."""
        unless_in_use(
            op,
            lambda: network.delete(op.cloud.network, self.singular, id_),
            lambda: self._users(op, id_),
        )

    def observe(self, op: Op, live: Live) -> dict[str, Any]:
        """Every input and output that the API tells, under our names."""
        seen: dict[str, Any] = {"region": op.cloud.region.name}
        for model in (self.inputs, self.outputs):
            for name in fields.facts(model):
                attribute = self._attribute(name)
                if attribute in live:
                    seen[name] = live[attribute]
        seen["project_id"] = live.get("project_id", live.get("tenant_id"))
        return seen

    def _users(self, op: Op, id_: str) -> list[str]:  # noqa: ARG002
        return []

    @property
    def collection(self) -> str:
        """What the API calls many of them."""
        return f"{self.singular}s"

    def _objects(self, op: Op) -> Collection:
        objects: Collection = getattr(op.cloud.region, self.collection)
        return objects

    def _attribute(self, name: str) -> str:
        return self.api_names.get(name, name)

    def _is_sent(self, name: str) -> bool:
        facts = fields.facts(self.inputs)[name]
        return not facts.has(fields.Local) and name not in ("region", "tags", "value_specs")

    def _body(self, values: Mapping[str, Any], live: Live) -> Live:  # noqa: ARG002
        """The request's attributes for these inputs; `live` is empty in a create."""
        return {
            self._attribute(name): None if value == "" and name == "qos_policy_id" else value
            for name, value in values.items()
        }

    def _tag(self, op: Op, live: Live, wanted: list[str] | None) -> Live:
        if wanted is None or set(wanted) == set(live.get("tags", ())):
            return live
        network.replace_tags(op.cloud.network, self.collection, live["id"], sorted(set(wanted)))
        return {**live, "tags": sorted(set(wanted))}


def with_marker(op: Op, singular: str, marker: str, is_own: Callable[[Live], bool] | None = None) -> list[Live]:
    """The objects with this description, or of which something else says so, that exist since before this run.

    Args:
        op: The operation.
        singular: What the API calls one of them.
        marker: The description; empty where it is another one, and then there are none without `is_own`.
        is_own: What says so instead.
    """
    api, project_id = op.cloud.network, op.cloud.region.project_id
    if not marker and is_own is None:
        return []

    def list_all() -> list[Live]:
        return network.list_all(api, singular, tenant_id=project_id)

    return marked_objects(op.cloud.region, singular).of(
        narrow=(lambda: network.list_all(api, singular, description=marker)) if marker else list_all,
        list_all=list_all,
        is_own=is_own or (lambda live: live.get("description") == marker),
    )


def users_of(op: Op, **filters: str) -> list[str]:
    """The ports that hold on to a network or subnet, in words."""
    return [
        f"port {port['id']}" + (f" ({port['device_owner']} {port['device_id']})" if port.get("device_id") else "")
        for port in network.list_all(op.cloud.network, "port", **filters)
    ]
