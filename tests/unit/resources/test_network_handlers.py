"""What the handlers of the network service do around their requests: refusals, hints, warnings and the state."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors, network, routers
from ecs_pulumi.cloud.differences import Differences
from ecs_pulumi.cloud.own_writes import OwnWrites
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic.fields import CheckInputs
from ecs_pulumi.dynamic.handler import Provenance
from ecs_pulumi.resources import (
    idempotent_create,
    interface_attachment,
    missing_attributes,
    neutron,
    port,
    preflight,
    router,
    router_interface,
    router_route,
    security_group,
    security_group_rule,
)
from ecs_pulumi.resources.handler import EcsHandler
from ecs_pulumi.resources.network import HANDLER as NETWORK
from ecs_pulumi.resources.network import NetworkInputs
from ecs_pulumi.resources.neutron import NeutronHandler
from ecs_pulumi.resources.router import RouterInputs
from ecs_pulumi.resources.router_route import RouterRouteInputs
from ecs_pulumi.resources.security_group_rule import SecurityGroupRuleInputs
from ecs_pulumi.resources.subnet import HANDLER as SUBNET
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context


class Operation:
    """An operation, and what it shows and records.

    Attributes:
        region: The region of its cloud.
        provenance: Where all objects come from.
    """

    def __init__(self, verb: str = "create", **differences: object) -> None:
        self.clock = FakeClock()
        self.lines: list[str] = []
        self.notices: list[str] = []
        self.warnings: list[str] = []
        self.ids: list[str] = []
        self.provenance = Provenance.FOREIGN
        known: Any = SimpleNamespace(**differences) if differences else Differences(set)
        self.region: Any = SimpleNamespace(name="eu", differences=known, project_id="p", network=None)
        writes = OwnWrites(self.clock)
        self.clock.time += 60
        clients = SimpleNamespace(
            region=self.region,
            network=SimpleNamespace(clock=self.clock),
            connection=SimpleNamespace(clock=self.clock),
            deadline=Deadline(self.clock, 600),
            writes=writes,
        )
        self.context = cast(
            "Context",
            SimpleNamespace(
                verb=verb,
                kind="It",
                resource="it",
                cloud=clients,
                inputs={},
                prior={},
                report_status=self.lines.append,
                notify=self.notices.append,
                warn=self.warnings.append,
                record_id=self.ids.append,
                clear_id=lambda: self.ids.append(""),
                claim=lambda _: None,
                provenance=lambda *_: self.provenance,
            ),
        )


@pytest.mark.parametrize(
    ("enable_snat", "undocumented", "is_named"),
    [(True, True, True), (True, False, False), (False, True, False), (None, True, False)],
)
def test_router_create_refused_with_snat(
    monkeypatch: pytest.MonkeyPatch, *, enable_snat: bool | None, undocumented: bool, is_named: bool
) -> None:
    """A cloud whose refusals say nothing may take `enable_snat` only for a router with an interface: a hint says so."""
    operation = Operation(has_undocumented_refusals=undocumented)
    refused = errors.BadRequest(400, "Bad request.")

    def create(*_: object) -> None:
        raise refused

    monkeypatch.setattr(NeutronHandler, "create", create)
    monkeypatch.setattr(router, "_with_network_id", lambda _, desired: desired)
    with pytest.raises(errors.BadRequest) as caught:
        router.HANDLER.create(operation.context, RouterInputs(enable_snat=enable_snat))
    assert ("enable_snat: this cloud translates addresses only for a router" in str(caught.value)) is is_named


NOT_CONNECTED = errors.BadRequest(400, "… is not connected …", body_type="InvalidRoutes")


@pytest.mark.parametrize(
    ("error", "is_awaited"),
    [
        (NOT_CONNECTED, True),
        (errors.BadRequest(400, "… is not connected …", body_type="Other"), False),
        (errors.BadRequest(400, "too many", body_type="InvalidRoutes"), False),
        (errors.Conflict(409, "… is not connected …", body_type="InvalidRoutes"), False),
    ],
)
@pytest.mark.parametrize("has_route", [True, False])
def test_router_route_create_waits_for_an_interface(
    monkeypatch: pytest.MonkeyPatch, error: errors.ApiError, *, is_awaited: bool, has_route: bool
) -> None:
    """A route whose next hop is not connected yet waits, with a status line; any other refusal is the error.

    After an error, the state contains the route only if the router has it.
    """
    operation, sent = Operation(), list[object]()

    def change(*_: object) -> None:
        sent.append(1)
        if len(sent) < 5:
            raise error

    monkeypatch.setattr(router_route, "change_route", change)
    monkeypatch.setattr(router_route.HANDLER, "is_gone", lambda *_: True)
    monkeypatch.setattr(router_route.HANDLER, "read", lambda *_: {} if has_route else None)
    desired = RouterRouteInputs(router_id="r", destination="10.1.0.0/24", nexthop="10.0.0.9")
    route = {"router_id": "r", "destination": "10.1.0.0/24", "nexthop": "10.0.0.9"}
    id_ = "r/10.1.0.0/24/10.0.0.9"
    if is_awaited:
        assert router_route.HANDLER.create(operation.context, desired) == route
        assert (len(sent), operation.ids) == (5, [id_])
        what = "waiting for an interface of the router r in the network of 10.0.0.9"
        assert {line.partition(",")[0] for line in operation.lines} == {what}
        return
    with pytest.raises(type(error)):
        router_route.HANDLER.create(operation.context, desired)
    assert len(sent) == 1
    assert operation.ids == ([id_] if has_route else [id_, ""])


@pytest.mark.parametrize(
    ("provenance", "is_gone", "created", "is_refused"),
    [
        (Provenance.FOREIGN, False, False, True),
        (Provenance.PREDECESSOR, False, False, True),
        (Provenance.RENAMED, False, False, False),
        (Provenance.INTERRUPTED, False, False, False),
        (Provenance.FOREIGN, True, False, False),
        (Provenance.FOREIGN, False, True, False),
    ],
)
def test_router_route_create_of_a_route_that_exists(
    monkeypatch: pytest.MonkeyPatch, provenance: Provenance, *, is_gone: bool, created: bool, is_refused: bool
) -> None:
    """The API would add it again without an error: only one of this stack is taken over."""
    operation, sent = Operation(), list[object]()
    operation.provenance = provenance
    monkeypatch.setattr(router_route, "change_route", lambda *_: sent.append(1))
    monkeypatch.setattr(router_route.HANDLER, "is_gone", lambda *_: is_gone)
    monkeypatch.setattr(idempotent_create, "_created", {"r"} if created else set())
    desired = RouterRouteInputs(router_id="r", destination="10.1.0.0/24", nexthop="10.0.0.9")
    if is_refused:
        with pytest.raises(errors.OperationFailed, match="the router has such a route already"):
            router_route.HANDLER.create(operation.context, desired)
    else:
        router_route.HANDLER.create(operation.context, desired)
    assert bool(sent) is not is_refused


OF_ROUTER = {
    "id": "p",
    "device_id": "r",
    "device_owner": "network:router_interface",
    "network_id": "n",
    "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.1"}],
}


@pytest.mark.parametrize(
    ("inputs", "prior", "created", "is_refused"),
    [
        ({"router_id": "r", "subnet_id": "s"}, {}, "", True),
        ({"router_id": "r", "port_id": "p"}, {}, "", True),
        ({"router_id": "r", "subnet_id": "t"}, {}, "", False),
        ({"router_id": "r", "port_id": "q"}, {}, "", False),
        ({"subnet_id": "s"}, {}, "", False),
        ({"router_id": "r"}, {}, "", False),
        ({"router_id": "r", "subnet_id": "s"}, {}, "r", False),
        ({"router_id": "r", "subnet_id": "s"}, {"router_id": "r", "subnet_id": "s"}, "", False),
        ({"router_id": "r", "subnet_id": "s"}, {"router_id": "q", "subnet_id": "s"}, "", True),
    ],
)
def test_router_interface_existing_in_the_preview(
    monkeypatch: pytest.MonkeyPatch, inputs: dict[str, str], prior: dict[str, str], created: str, *, is_refused: bool
) -> None:
    """An interface that the router has already is refused, unless it is this resource's or the router is new."""
    operation, asked = Operation(), list[str]()

    def ports_of(id_: str) -> list[dict[str, Any]]:
        asked.append(id_)
        return [{**OF_ROUTER, "id": "other", "device_owner": "network:dhcp"}, OF_ROUTER]

    monkeypatch.setattr(router_interface, "catalog", lambda _: SimpleNamespace(ports_of=ports_of))
    monkeypatch.setattr(idempotent_create, "_created", {created})
    found = list(router_interface.HANDLER._existing(operation.context, CheckInputs(inputs, prior)))
    place = "port_id" if "port_id" in inputs else "subnet_id"
    assert [each.property for each in found] == ([place] if is_refused else [])
    is_known = len(inputs) == 2 and not created and inputs != prior
    assert asked == (["r"] if is_known else [])


@pytest.mark.parametrize(("id_", "body", "locked"), [("r/p", {"port_id": "p"}, 0), ("r/p/s", {"subnet_id": "s"}, 1)])
def test_router_interface_delete(monkeypatch: pytest.MonkeyPatch, id_: str, body: dict[str, str], locked: int) -> None:
    """An IPv6 subnet is removed by its id, and not at the same time as another one of the port."""
    operation, sent, locks = Operation("delete"), list[Any](), list[str]()

    def lock(_context: object, router_id: str) -> Any:
        locks.append(router_id)
        return nullcontext()

    monkeypatch.setattr(router_interface, "router_lock", lock)
    monkeypatch.setattr(
        routers, "remove_interface", lambda _api, router_id, sent_body: sent.append((router_id, sent_body))
    )
    router_interface.HANDLER.delete(operation.context, id_, {})
    assert sent == [("r", body)]
    assert locks == ["r"] * locked


@pytest.mark.parametrize("is_gone", [True, False])
def test_router_interface_delete_of_a_missing_interface(monkeypatch: pytest.MonkeyPatch, *, is_gone: bool) -> None:
    """A 404 is no error if the port shows that the interface is gone."""
    operation = Operation("delete")

    def remove(*_: object) -> None:
        raise errors.NotFound(404, "no router")

    monkeypatch.setattr(routers, "remove_interface", remove)
    monkeypatch.setattr(router_interface.HANDLER, "is_gone", lambda *found: is_gone and found[1:] == ("r/p", "r", "p"))
    if is_gone:
        router_interface.HANDLER.delete(operation.context, "r/p", {})
    else:
        with pytest.raises(errors.OperationFailed, match="the router still has the interface: no router"):
            router_interface.HANDLER.delete(operation.context, "r/p", {})


@pytest.mark.parametrize(
    ("body_type", "seconds"), [("SecurityGroupInUse", 60), (None, 60), ("SecurityGroupCannotRemoveDefault", 0)]
)
def test_security_group_delete_that_is_refused(
    monkeypatch: pytest.MonkeyPatch, body_type: str | None, seconds: float
) -> None:
    """Only a group in use is awaited; another conflict is the error at once, in the words of the API."""
    operation = Operation("delete")

    def delete(*_: object) -> None:
        raise errors.Conflict(409, "No.", body_type=body_type)

    monkeypatch.setattr(network, "delete", delete)
    monkeypatch.setattr(network, "list_all", lambda *_, **__: [])
    start = operation.clock.time
    with pytest.raises(errors.EcsError) as caught:
        security_group.HANDLER.delete(operation.context, "g", {"name": "web"})
    waited = operation.clock.time - start
    assert waited == 0 if not seconds else waited > seconds / 2
    assert ("the group cannot be deleted: No" in str(caught.value)) is (seconds == 0)
    assert ("a port that this account cannot see" in str(caught.value)) is (seconds > 0)


def test_security_group_delete_of_the_default_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept, with a notice."""
    operation = Operation("delete")
    monkeypatch.setattr(network, "delete", None)
    security_group.HANDLER.delete(operation.context, "g", {"name": "default"})
    assert operation.notices == ["not deleted: every project has a group `default`; its rules stay as they are"]


SSH = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22}


@pytest.mark.parametrize(
    ("new", "changed", "notices"),
    [
        ([{**SSH, "description": "b"}], ["rules"], ["rules: 1 rule is removed and added again, which is how their"]),
        (
            [{**SSH, "description": "b"}, {**SSH, "protocol": "udp", "description": "b"}],
            ["rules"],
            ["rules: 2 rules are removed and added again, which is how their"],
        ),
        ([{**SSH, "description": "a"}], ["rules"], ["rules: remove ingress udp 22; this cuts the connections that no"]),
        ([{**SSH, "description": "b"}], ["name"], []),
    ],
)
def test_security_group_report_plan(new: list[Any], changed: list[str], notices: list[str]) -> None:
    """The preview shows which rules are removed, and which change their description."""
    operation = Operation("diff")
    present = [{**SSH, "id": "r", "description": "a"}, {**SSH, "protocol": "udp", "id": "u", "description": "a"}]
    if "rules are" in " ".join(notices) or "1 rule" in " ".join(notices):
        present = present[: len(new)]
    operation.context.prior = {"rules": present}
    security_group.HANDLER.report_plan(operation.context, {"rules": new}, changed)
    assert [text[: len(start)] for text, start in zip(operation.notices, notices, strict=True)] == notices


@pytest.mark.parametrize(("description", "labels"), [("mine", ["description"]), ("", []), (None, [])])
def test_security_group_rule_create_warns_of_a_description(
    monkeypatch: pytest.MonkeyPatch, description: str | None, labels: list[str]
) -> None:
    """A cloud may not keep the description that the program sets."""
    operation, shown = Operation(), list[str]()
    monkeypatch.setattr(security_group_rule, "owner_marker", lambda _: "marker")
    monkeypatch.setattr(security_group_rule, "create_or_find", lambda *_: {"id": "r"})
    monkeypatch.setattr(missing_attributes, "warn_if_missing", lambda _context, _kind, label: shown.append(label))
    desired = SecurityGroupRuleInputs(security_group_id="g", **SSH, description=description)
    security_group_rule.HANDLER.create(operation.context, desired)
    assert (operation.ids, shown) == (["r"], labels)


@pytest.mark.parametrize(
    ("changed", "restricts", "warned"),
    [(["name", "fixed_ips"], True, True), (["fixed_ips"], False, False), (["name"], True, False)],
)
def test_port_preflight_update(changed: list[str], *, restricts: bool, warned: bool) -> None:
    """A change that Open Telekom Cloud makes to no existing port is a warning there."""
    operation = Operation("diff", restricts_ports=restricts)
    port.HANDLER.preflight_update(operation.context, "p", {}, changed)
    assert [line.split(":")[0] for line in operation.warnings] == (["fixed_ips"] if warned else [])


@pytest.mark.parametrize(
    ("marker", "description", "lacks", "searches"),
    [
        ("marker", None, False, ["marker"]),
        ("marker", "mine", False, ["marker", "description"]),
        # A cloud without descriptions finds the object by its name in the first search.
        ("marker", "mine", True, ["marker"]),
        ("", "mine", False, []),
    ],
)
def test_searches_for_own_orphans(
    monkeypatch: pytest.MonkeyPatch, marker: str, description: str | None, searches: list[str], *, lacks: bool
) -> None:
    """The owner marker is searched for, and the description of the program if the cloud keeps it: each list once."""
    operation, done = Operation(), list[str]()

    def search(name: str) -> list[dict[str, str]]:
        done.append(name)
        return [{"id": name, "name": "it"}, {"id": "both", "name": "it"}]

    monkeypatch.setattr(neutron, "owner_marker", lambda _: marker)
    monkeypatch.setattr(neutron, "with_marker", lambda *_: search("marker"))
    monkeypatch.setattr(NeutronHandler, "_with_own_description", lambda *_: search("description"))
    monkeypatch.setattr(
        missing_attributes, "has_learned_missing", lambda *found: lacks and found[1:] == ("network", "description")
    )
    found = NETWORK.find_own_orphans(operation.context, NetworkInputs(description=description))
    assert done == searches
    assert found == list(dict.fromkeys((id_, "it") for name in searches for id_ in (name, "both")))


def test_ignored_attribute_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attribute that the response lacks is an error now, and a problem in the next preview."""
    operation, noted = Operation(may_drop_attributes=True), list[Any]()
    monkeypatch.setattr(missing_attributes, "note", lambda _region, *found: noted.append(found))
    monkeypatch.setattr(missing_attributes, "has_learned_missing", lambda *_: False)
    with pytest.raises(
        errors.OperationFailed, match=r"this cloud ignored mtu \(it has no such attribute of a network\)"
    ):
        NETWORK._check_response(operation.context, {"mtu": 1400, "name": "it"}, {"id": "n", "name": "it"})
    assert noted == [("network", "mtu")]
    with pytest.raises(errors.OperationFailed, match=r"this cloud ignored name \(it is \"other\"\): remove it"):
        NETWORK._check_response(operation.context, {"name": "it"}, {"id": "n", "name": "other"})
    NETWORK._check_response(operation.context, {"name": "it", "mtu": 5}, {"id": "n", "name": "it", "mtu": 5})
    assert len(noted) == 1


@pytest.mark.parametrize(("prior", "checked"), [({}, True), ({"server_id": "s", "network_id": "n"}, False)])
def test_interface_attachment_preflight_of_addresses(
    monkeypatch: pytest.MonkeyPatch, prior: dict[str, Any], *, checked: bool
) -> None:
    """The addresses of a NIC that exists are in use by its own port: only those of a new one are checked."""
    operation, asked = Operation("check"), list[object]()

    def addresses(*_: object) -> list[Any]:
        asked.append(1)
        return []

    names = SimpleNamespace(server=None, neutron=None)
    monkeypatch.setattr(EcsHandler, "preflight", lambda *_: [])
    monkeypatch.setattr(interface_attachment, "catalog", lambda _: names)
    monkeypatch.setattr(preflight, "check_exists", lambda *_: [])
    monkeypatch.setattr(preflight, "addresses", addresses)
    inputs = {"server_id": "s", "network_id": "n", "fixed_ips": [{"ip_address": "10.0.0.5"}]}
    assert list(interface_attachment.HANDLER.preflight(operation.context, CheckInputs(inputs, prior))) == []
    assert bool(asked) is checked


def test_ports_that_keep_an_object_from_being_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the delete lists the ports of the subnet, the network or the group only, and who has them.

    A port that was created for a NIC may be removed from a server that the same run deletes.
    """
    operation, queries = Operation("delete"), list[Any]()
    marker = "Managed by Pulumi: shop/dev/nic (port of the NIC)"
    of_a_nic = {"id": "r", "device_owner": "compute:nova", "device_id": "t", "description": marker}

    def list_all(_api: object, kind: str, **query: str) -> list[dict[str, str]]:
        assert kind == "port"
        queries.append(query)
        return [{"id": "p", "device_owner": "compute:nova", "device_id": "s"}, {"id": "q", "device_id": ""}, of_a_nic]

    monkeypatch.setattr(network, "list_all", list_all)
    expected = {"port p (compute:nova s)": [], "port q": [], "port r (compute:nova t)": [("Server", "t")]}
    for handler in (SUBNET, NETWORK, security_group.HANDLER):
        users = handler._dependents(operation.context, "x")
        assert {str(user): user.owners for user in users} == expected
    assert queries == [{"fixed_ips": "subnet_id=x"}, {"network_id": "x"}, {"security_groups": "x"}]


def test_router_routes_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each route of each router is an object of its own."""
    operation = Operation("read")
    routes = [{"destination": "10.1.0.0/24", "nexthop": "a"}, {"destination": "10.2.0.0/24", "nexthop": "b"}]
    monkeypatch.setattr(
        network, "list_all", lambda *_, **__: [{"id": "r", "routes": routes}, {"id": "q", "routes": None}]
    )
    found = list(router_route.HANDLER.list_all(operation.context))
    assert found == [{"router_id": "r", **route} for route in routes]
    assert [router_route.HANDLER.id_of(each) for each in found] == ["r/10.1.0.0/24/a", "r/10.2.0.0/24/b"]


@pytest.mark.parametrize(
    ("group", "is_split", "reason"),
    [
        ({"id": "g"}, True, "the group is the project's default"),
        ({"id": "g"}, False, "it belongs to its security group"),
        (None, True, "it belongs to its security group"),
    ],
)
def test_security_group_rule_that_adopt_leaves_out(
    monkeypatch: pytest.MonkeyPatch, group: dict[str, str] | None, reason: str, *, is_split: bool
) -> None:
    """A rule is a resource only if groups refer to each other, and only if its group can be one."""
    existing: Any = SimpleNamespace(
        of=lambda kind: {"g": group} if group and kind == "SecurityGroup" else {},
        ineligible_reason=lambda *found: (
            "the group is the project's default" if found == ("SecurityGroup", "g") else None
        ),
    )
    monkeypatch.setattr(security_group_rule, "has_rule_resources", lambda *_: is_split)
    assert security_group_rule.HANDLER.ineligible_reason(existing, {"security_group_id": "g"}) == reason


@pytest.mark.parametrize(
    ("remote", "prefix"),
    [
        ({"remote_ip_prefix": "10.0.0.5/24", "normalized_cidr": "10.0.0.0/24"}, "10.0.0.0/24"),
        ({"remote_ip_prefix": "10.0.0.0/24"}, "10.0.0.0/24"),
        ({"remote_ip_prefix": None, "normalized_cidr": None}, None),
    ],
)
def test_range_of_an_imported_security_group_rule(
    monkeypatch: pytest.MonkeyPatch, remote: dict[str, Any], prefix: str | None
) -> None:
    """It has no host bits, which the checks reject."""
    imported = SimpleNamespace(inputs={"remote_ip_prefix": remote["remote_ip_prefix"]})
    monkeypatch.setattr(EcsHandler, "import_resource", lambda *_: imported)
    security_group_rule.HANDLER.import_resource(cast("Any", None), remote, {})
    assert imported.inputs == {"remote_ip_prefix": prefix}
