"""Special cases of routers, their interfaces and routes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.dynamic import provider, rpc_bridge, run
from ecs_pulumi.resources import idempotent_create
from tests.fields.assertions import assert_complete, assert_no_changes
from tests.support import steps
from tests.support.steps import SAME, UNKNOWN, Failed, Refused, Step, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]
    Several = Callable[[CloudFixtures, str], list[Resource]]

PARALLEL = 10


@pytest.fixture
def at_status(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], list[str]]:
    """Perform an action when a status line contains a text; return the status lines."""

    def expect(text: str, action: Callable[[], object]) -> list[str]:
        lines: list[str] = []

        def report(line: str) -> None:
            is_first = text in line and not any(text in each for each in lines)
            lines.append(line)
            if is_first:
                action()

        monkeypatch.setattr(provider, "StatusLine", lambda _: report)
        return lines

    return expect


@pytest.fixture
def connected(new: New, fixtures: CloudFixtures) -> tuple[Resource, Resource, str]:
    """A router with a gateway and an interface, and the id of a port in its subnet."""
    network, subnet, router, interface, port = map(new, ("Network", "Subnet", "Router", "RouterInterface", "Port"))
    network.up()
    subnet.up(network_id=network.id, cidr="10.95.0.0/24")
    router.up(external_network="public")
    interface.up(router_id=router.id, subnet_id=subnet.id)
    port.up(network_id=network.id)
    del fixtures
    return router, interface, port.id


def test_preview_shows_what_is_interrupted(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the gateway, or stopping the router, interrupts the connections through it."""
    router, shown = new("Router"), []
    router.up()
    monkeypatch.setattr(rpc_bridge, "log", lambda _, text, **__: shown.extend([text] if "interrupts" in text else []))
    router.preview(external_network="public")
    assert shown == [], "the router had no gateway before"
    router.up(external_network="public")
    (address,) = router.outputs["external_ips"]
    shown.clear()
    router.preview(external_network="public", description="mine")
    assert shown == []
    router.preview(external_network="")
    router.preview(external_network=fixtures.other_external_network, enable_snat=not router.outputs["enable_snat"])
    router.preview(external_network="", admin_state_up=False)
    gateway = f"the connections through the gateway {address} are interrupted"
    assert shown == [
        f"{gateway} [interrupts: external_network]",
        f"{gateway} [interrupts: external_network, enable_snat]",
        "the connections through the router are interrupted [interrupts: external_network, admin_state_up]",
    ]


@pytest.mark.parametrize("kind", ["Router", "FloatingIp"])
def test_external_network_by_id(new: New, fixtures: CloudFixtures, kind: str) -> None:
    """The external network is given by id or by name; the other spelling changes nothing."""
    resource, network_id = new(kind), fixtures.external_subnet.network_id
    resource.up(external_network=network_id)
    assert resource.outputs["external_network"] == resource.outputs["external_network_id"] == network_id
    assert resource.outputs["external_network_name"] == "public"
    assert_no_changes(resource, {"external_network": network_id})
    assert resource.preview(external_network="public") == SAME
    resource.refresh()
    assert resource.up(external_network="public") == SAME
    assert_no_changes(resource, {"external_network": "public"})
    assert resource.preview(external_network=network_id) == SAME


@pytest.mark.parametrize("kind", ["Router", "FloatingIp"])
def test_renamed_external_network(new: New, fixtures: CloudFixtures, kind: str) -> None:
    """After an administrator renamed the external network, its prior and its present name change nothing."""
    admin, resource = fixtures.admin.network, new(kind)
    outside = admin.create_network(name=fixtures.unique_name("outside"), **{"router:external": True})
    try:
        admin.create_subnet(network_id=outside.id, ip_version=4, cidr="198.51.104.0/24", enable_dhcp=False)
        resource.up(external_network=outside.name)
        renamed = fixtures.unique_name("renamed")
        admin.update_network(outside.id, name=renamed)
        resource.refresh()
        assert resource.preview(external_network=renamed) == SAME
        assert resource.up(external_network=outside.name, description="mine") == updates("description")
        assert resource.up(external_network=renamed, description="mine") == SAME
    finally:
        resource.destroy()
        admin.delete_network(outside.id)


@pytest.mark.parametrize("kind", ["Router", "FloatingIp"])
def test_preview_accepts_external_network_of_the_program(new: New, fixtures: CloudFixtures, kind: str) -> None:
    """A preview accepts the name of an external network that the same program declares."""
    name, outside = fixtures.unique_name("outside"), new("Network")
    outside.preview(name=name, external=True)
    # Part of the same command, which keeps what the network has recorded.
    step, _ = new(kind)._plan({"external_network": name})
    assert step.op == "create"


def test_preview_rejects_wrong_external_network(new: New, fixtures: CloudFixtures) -> None:
    """A network that does not exist, or is not external, is reported with the most similar names."""
    del fixtures
    for name, hint in (("pubic", "did you mean public"), ("demo-net", "available: ")):
        with pytest.raises(Refused, match=f'there is no external network "{name}"; {hint}') as refused:
            new("Router").preview(external_network=name)
        assert set(refused.value.reasons) == {"external_network"}
    with pytest.raises(Refused, match="only with `external_network`"):
        new("Router").preview(enable_snat=True)


def test_preview_rejects_both_or_none_of_the_alternatives(new: New, fixtures: CloudFixtures) -> None:
    """The preview of an interface requires either a subnet or a port."""
    interface, router = new("RouterInterface"), fixtures.routers[0]
    for inputs in ({}, {"subnet_id": fixtures.subnet, "port_id": fixtures.ports[0]}):
        with pytest.raises(Refused, match="port_id"):
            interface.preview(router_id=router, **inputs)


def test_subnet_gets_a_gateway_in_the_same_update(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subnet without a gateway is a warning, because the update may add one, after which the warning ends."""
    network, subnet, router, interface = map(new, ("Network", "Subnet", "Router", "RouterInterface"))
    network.up()
    program = {"network_id": network.id, "cidr": "10.96.0.0/24"}
    subnet.up(**program, no_gateway=True)
    router.up()
    # A run does not check what it has created itself.
    monkeypatch.setattr(idempotent_create, "_created", set())
    warnings: list[str] = []
    collect_warnings(monkeypatch, warnings)
    inputs = {"router_id": router.id, "subnet_id": subnet.id}
    assert interface.preview(**inputs).op == "create"
    (warning,) = warnings
    assert "has no gateway; the update fails unless the subnet gets one first" in warning
    warnings.clear()
    with pytest.MonkeyPatch.context() as patch:
        # All resources of one run share its caches.
        patch.setattr(steps, "clear_caches", lambda: None)
        subnet.up(**program, gateway_ip="10.96.0.1")
        assert interface.up(**inputs).op == "create"
    assert warnings == []
    assert interface.outputs["ip_address"] == "10.96.0.1"
    del fixtures


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (
            {"destination": "192.168.90.1/24"},
            'has host bits set, got "192.168.90.1/24"; did you mean "192.168.90.0/24"',
        ),
        ({"destination": "10.0.0.5"}, 'has no prefix length, got "10.0.0.5"; did you mean "10.0.0.5/32"?'),
        ({"destination": "office"}, "not a range of addresses"),
        ({"nexthop": "gateway"}, "not an address"),
        ({"nexthop": "2001:db8::1"}, "not of the IP version of the destination"),
    ],
    ids=str,
)
def test_preview_rejects_invalid_route(new: New, fixtures: CloudFixtures, inputs: dict[str, str], reason: str) -> None:
    """The preview of a route reports an invalid range or address."""
    valid = {"router_id": fixtures.routers[0], "destination": "192.168.90.0/24", "nexthop": "10.90.3.10"}
    with pytest.raises(Refused) as refused:
        new("RouterRoute").preview(**{**valid, **inputs})
    (name,) = inputs
    assert reason in refused.value.reasons[name]


def collect_warnings(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    """Add the warnings that are shown from now on to a list."""

    def log(_urn: str, text: str, severity: str = "info", **_: object) -> None:
        lines.extend([text] if severity == "warning" else [])

    monkeypatch.setattr(rpc_bridge, "log", log)


def in_parallel(resources: list[Resource], action: Callable[[int], object]) -> None:
    """Perform an action for each resource at the same time."""
    with ThreadPoolExecutor(len(resources)) as pool:
        list(pool.map(action, range(len(resources))))


@pytest.fixture
def several() -> Iterator[Callable[[CloudFixtures, str], list[Resource]]]:
    """Return ten new resources of a kind; destroy them after the test."""
    created: list[Resource] = []

    def resources(fixtures: CloudFixtures, kind: str) -> list[Resource]:
        found = [fixtures.resource(kind) for _ in range(PARALLEL)]
        for number, each in enumerate(found):
            each.name += str(number)
        created.extend(found)
        return found

    yield resources
    for each in reversed(created):
        each.destroy()


def test_parallel_routes_lose_nothing(fixtures: CloudFixtures, several: Several) -> None:
    """Ten routes of one router that are added and removed at the same time do not overwrite each other."""
    check_parallel_routes(fixtures, several)


def test_parallel_routes_without_atomic_requests(otc_fixtures: CloudFixtures, several: Several) -> None:
    """The same holds for a cloud that only replaces all routes of a router."""
    check_parallel_routes(otc_fixtures, several)


def check_parallel_routes(fixtures: CloudFixtures, several: Several) -> None:
    """Add and remove ten routes of one router at the same time."""
    router, routes = fixtures.connected_routers[0], several(fixtures, "RouterRoute")

    def add(number: int) -> None:
        routes[number].up(router_id=router, destination=f"172.20.{number}.0/24", nexthop="10.90.3.20")

    in_parallel(routes, add)
    assert len(fixtures.cloud.network.get_router(router).routes) == PARALLEL
    in_parallel(routes, lambda number: routes[number].destroy())
    assert fixtures.cloud.network.get_router(router).routes == []


def test_parallel_interfaces_lose_nothing(fixtures: CloudFixtures, several: Several) -> None:
    """Ten interfaces of one router are added and removed at the same time."""
    router, networks, subnets = fixtures.routers[1], several(fixtures, "Network"), several(fixtures, "Subnet")
    interfaces, ports = several(fixtures, "RouterInterface"), fixtures.cloud.network.ports
    before = {port.id for port in ports(device_id=router)}
    for number in range(PARALLEL):
        networks[number].up()
        subnets[number].up(network_id=networks[number].id, cidr=f"10.97.{number}.0/24")
    in_parallel(interfaces, lambda number: interfaces[number].up(router_id=router, subnet_id=subnets[number].id))
    assert {each.outputs["ip_address"] for each in interfaces} == {f"10.97.{number}.1" for number in range(PARALLEL)}
    in_parallel(interfaces, lambda number: interfaces[number].destroy())
    assert {port.id for port in ports(device_id=router)} == before


def test_ipv6_subnets_share_a_port(new: New, fixtures: CloudFixtures) -> None:
    """The IPv6 subnets of one network share a port of the router; each interface is created and removed alone."""
    router, network, old = new("Router"), new("Network"), new("Subnet")
    router.up()
    network.up()
    old.up(network_id=network.id, cidr="10.98.0.0/24")
    subnets, interfaces = [new("Subnet") for _ in range(2)], [new("RouterInterface") for _ in range(3)]
    for number, each in enumerate(subnets):
        each.up(network_id=network.id, ip_version=6, cidr=f"2001:db8:{number}::/64")
    programs = [{"router_id": router.id, "subnet_id": each.id} for each in (*subnets, old)]
    first, second, ipv4 = interfaces
    # Neutron adds two ports if the router has none yet and both requests arrive at the same time.
    first.up(**programs[0])
    in_parallel([second, ipv4], lambda number: interfaces[number + 1].up(**programs[number + 1]))
    port = first.outputs["port_id"]
    assert [each.id for each in interfaces] == [
        f"{router.id}/{port}/{subnets[0].id}",
        f"{router.id}/{port}/{subnets[1].id}",
        f"{router.id}/{ipv4.outputs['port_id']}",
    ]
    for each, program in zip(interfaces, programs, strict=True):
        assert_complete(each, program)
        imported = new("RouterInterface")
        imported.up(**program, adopt=each.id)
        assert imported.outputs == {**each.outputs, "adopt": each.id}
        imported.forget()
    by_port = new("RouterInterface")
    by_port.up(**programs[1], adopt=f"{router.id}/{port}")
    assert by_port.outputs["ip_address"] == second.outputs["ip_address"]
    by_port.forget()
    first.destroy()
    assert [each["subnet_id"] for each in fixtures.cloud.network.get_port(port).fixed_ips] == [subnets[1].id]
    second.refresh()
    assert second.outputs["ip_address"] == "2001:db8:1::"
    assert second.preview(**programs[1]) == SAME
    kept = second.state
    second.destroy()
    assert fixtures.cloud.network.find_port(port) is None
    second.state = kept
    second.refresh()
    assert second.state is None


def test_route_waits_for_interface(new: New, fixtures: CloudFixtures, at_status: Any) -> None:
    """A route whose next hop is not connected yet waits for the interface, and says so."""
    router, route, interface = new("Router"), new("RouterRoute"), new("RouterInterface")
    subnet, network = new("Subnet"), new("Network")
    network.up()
    subnet.up(network_id=network.id, cidr="10.94.0.0/24")
    router.up()
    interface_inputs = {"router_id": router.id, "subnet_id": subnet.id}
    del fixtures

    def connect() -> None:
        interface.up(**interface_inputs)

    text = f"waiting for an interface of the router {router.id} in the network of 10.94.0.9"
    at_status(text, connect)
    route.up(router_id=router.id, destination="172.21.0.0/24", nexthop="10.94.0.9")
    assert route.id == f"{router.id}/172.21.0.0/24/10.94.0.9"
    route.destroy()
    for each in (interface, router, subnet, network):
        each.destroy()


@pytest.mark.parametrize("reference", ["subnet_id", "port_id"])
def test_import_of_interface_in_use(
    connected: tuple[Resource, Resource, str], new: New, fixtures: CloudFixtures, warnings: list[str], reference: str
) -> None:
    """The import of an interface says nothing of a replacement, whichever input names it."""
    router, interface, port = connected
    api = fixtures.cloud.network
    floating_ip = api.create_ip(floating_network_id=fixtures.external_subnet.network_id, port_id=port)
    inputs, id_ = {"router_id": router.id, reference: interface.outputs[reference]}, interface.id
    interface.forget()
    imported = new("RouterInterface")
    imported.up(**inputs, adopt=id_)
    assert warnings == []
    assert imported.preview(**inputs) == SAME
    api.delete_ip(floating_ip.id)


def test_interface_waits_for_floating_ip(
    connected: tuple[Resource, Resource, str], fixtures: CloudFixtures, at_status: Any
) -> None:
    """The removal of an interface waits for the floating IPs that need it, and names them."""
    _, interface, port = connected
    api = fixtures.cloud.network
    floating_ip = api.create_ip(floating_network_id=fixtures.external_subnet.network_id, port_id=port)
    lines = at_status(f"the floating IP {floating_ip.floating_ip_address}", lambda: api.delete_ip(floating_ip.id))
    interface.destroy()
    assert f"waiting until it is no longer in use by the floating IP {floating_ip.floating_ip_address}" in lines


def test_interface_moves_to_another_subnet(
    connected: tuple[Resource, Resource, str], new: New, fixtures: CloudFixtures, at_status: Any
) -> None:
    """The new subnet is connected first, so that a floating IP can move before the old interface is removed."""
    router, interface, port = connected
    network, subnet, target = new("Network"), new("Subnet"), new("Port")
    network.up()
    subnet.up(network_id=network.id, cidr="10.93.0.0/24")
    target.up(network_id=network.id)
    api = fixtures.cloud.network
    floating_ip = api.create_ip(floating_network_id=fixtures.external_subnet.network_id, port_id=port)
    lines = at_status("the floating IP", lambda: api.update_ip(floating_ip.id, port_id=target.id))
    step = interface.up(router_id=router.id, subnet_id=subnet.id)
    assert step == Step("replace", frozenset({"subnet_id"}), delete_first=False)
    assert any(floating_ip.floating_ip_address in line for line in lines)
    api.delete_ip(floating_ip.id)
    interface.destroy()


def test_interface_moves_to_a_subnet_of_the_same_range(
    connected: tuple[Resource, Resource, str], new: New, fixtures: CloudFixtures
) -> None:
    """A router takes no overlapping ranges, so the create removes the interface that it replaces."""
    router, interface, _ = connected
    network, subnet = new("Network"), new("Subnet")
    network.up()
    subnet.up(network_id=network.id, cidr="10.95.0.0/25")
    replaced = interface.outputs["port_id"]
    interface.up(router_id=router.id, subnet_id=subnet.id)
    assert interface.log == ["create", "delete"]
    assert [port.id for port in fixtures.cloud.network.ports(device_id=router.id, fixed_ips=f"subnet_id={subnet.id}")]
    assert fixtures.cloud.network.find_port(replaced) is None
    interface.destroy()


def test_preview_names_the_users_of_a_replaced_interface(
    connected: tuple[Resource, Resource, str], new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subnet changes its router only after the floating IPs are released; the preview names them."""
    _, interface, port = connected
    other, api = new("Router"), fixtures.cloud.network
    other.up()
    warnings: list[str] = []
    collect_warnings(monkeypatch, warnings)
    moved = {"router_id": other.id, "subnet_id": interface.outputs["subnet_id"]}
    assert interface.preview(**moved).delete_first
    assert warnings == []
    floating_ip = api.create_ip(floating_network_id=fixtures.external_subnet.network_id, port_id=port)
    interface.preview(**moved)
    (warning,) = warnings
    assert warning.startswith("the interface is deleted before its replacement is created, but is in use by ")
    assert f"the floating IP {floating_ip.floating_ip_address}; " in warning
    api.delete_ip(floating_ip.id)


def test_preview_rejects_a_replacement_that_keeps_the_port(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cloud deletes a port with its interface, so the interface on another router needs another port."""
    network, subnet, router, other, port, interface = map(
        new, ("Network", "Subnet", "Router", "Router", "Port", "RouterInterface")
    )
    for each in (network, router, other):
        each.up()
    subnet.up(network_id=network.id, cidr="10.92.0.0/24")
    port.up(network_id=network.id)
    interface.up(router_id=router.id, port_id=port.id)
    with pytest.raises(Refused, match=r"the cloud deletes the port .*; replace the Port as well"):
        interface.preview(router_id=other.id, port_id=port.id)
    warnings: list[str] = []
    collect_warnings(monkeypatch, warnings)
    assert interface.preview(router_id=UNKNOWN, port_id=port.id).op == "replace"
    (warning,) = warnings
    assert "replace the Port as well if `router_id` changes" in warning
    warnings.clear()
    assert interface.preview(router_id=other.id, port_id=UNKNOWN).delete_first
    assert warnings == []
    interface.destroy()
    port.forget()
    del fixtures


@pytest.mark.parametrize("kind", ["RouterInterface", "RouterRoute"])
def test_foreign_part_of_a_router_is_not_taken_over(
    new: New, fixtures: CloudFixtures, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Preview and update refuse an interface or a route that exists already, and say how to import it."""
    monkeypatch.setattr(idempotent_create, "_created", set())
    api, router = fixtures.cloud.network, fixtures.connected_routers[0]
    if kind == "RouterRoute":
        inputs = {"router_id": router, "destination": "172.23.0.0/24", "nexthop": "10.90.3.30"}
        id_ = "/".join(inputs.values())
        api.update_router(router, routes=[{name: inputs[name] for name in ("destination", "nexthop")}])
    else:
        port = next(api.ports(device_id=router, device_owner="network:router_interface"))
        inputs, id_ = {"router_id": router, "subnet_id": port.fixed_ips[0]["subnet_id"]}, f"{router}/{port.id}"
    message = f'already: it is not in the state of this stack; import it with adopt="{id_}", or remove it first'
    with pytest.raises(Refused, match=message):
        new(kind).preview(**inputs)
    unchecked = new(kind, config={"ecs:preflight": "false"})
    with pytest.raises(Failed, match=message):
        unchecked.up(**inputs)
    assert unchecked.state is None
    imported = new(kind)
    imported.up(**inputs, adopt=id_)
    assert imported.preview(**inputs, adopt=id_) == SAME
    # The engine asks no provider for the order of a forced replacement.
    with pytest.raises(Failed, match="is the one to be replaced: set delete_before_replace=True"):
        imported._create(imported._check({}, inputs))
    if kind == "RouterInterface":
        imported.forget()


def test_interface_releases_what_the_run_deletes(
    connected: tuple[Resource, Resource, str], fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interface does not wait for a route or a floating IP that the engine deletes only after the interface."""
    router, interface, port = connected
    api = fixtures.cloud.network
    floating_ip = api.create_ip(floating_network_id=fixtures.external_subnet.network_id, port_id=port)
    api.update_router(router.id, routes=[{"destination": "172.22.0.0/24", "nexthop": "10.95.0.9"}])
    expected = {"FloatingIp": floating_ip.id, "RouterRoute": f"{router.id}/172.22.0.0/24/10.95.0.9"}
    monkeypatch.setattr(run, "also_deletes", lambda _, kind, id_, **__: expected.get(kind) == id_)
    interface.destroy()
    assert api.get_router(router.id).routes == []
    assert api.get_ip(floating_ip.id).port_id is None
    api.delete_ip(floating_ip.id)


def test_router_waits_for_interface(
    connected: tuple[Resource, Resource, str],
    fixtures: CloudFixtures,
    at_status: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The deletion of a router waits for its interfaces, and names them; then it lists them in an error."""
    router, interface, _ = connected
    with monkeypatch.context() as impatient:
        impatient.setattr(steps, "TIMEOUT", 3.0)
        with pytest.raises(Failed, match=r"still in use by the interface 10\.95\.0\.1 in the network"):
            router.destroy()
    lines = at_status("10.95.0.1", interface.destroy)
    router.destroy()
    assert any("waiting until it is no longer in use by the interface 10.95.0.1" in line for line in lines)
    assert fixtures.cloud.network.find_router(router.name) is None


@pytest.mark.parametrize("external_network", ["", "other"])
def test_gateway_that_a_floating_ip_needs(
    connected: tuple[Resource, Resource, str],
    fixtures: CloudFixtures,
    at_status: Any,
    monkeypatch: pytest.MonkeyPatch,
    external_network: str,
) -> None:
    """The preview of a router that leaves its external network names the floating IPs, and so does the error.

    The update waits, because the same run may release them.
    """
    router, _, port = connected
    lines: list[str] = []
    monkeypatch.setattr(rpc_bridge, "log", lambda _, text, **__: lines.append(text))
    monkeypatch.setattr("ecs_pulumi.resources.same_run._SECONDS", 2.0)
    api, inputs = fixtures.cloud.network, {"external_network": external_network and fixtures.other_external_network}
    floating_ip = api.create_ip(floating_network_id=fixtures.external_subnet.network_id, port_id=port)
    named = f"the floating IPs {floating_ip.floating_ip_address}"
    router.preview(**inputs)
    assert any(line.startswith(f"external_network: {named} need the gateway; unless they are") for line in lines)
    with pytest.raises(Failed, match=f"{named} need the gateway. First release them"):
        router.up(**inputs)
    line = f"waiting until {named} no longer need the gateway"
    lines = at_status(line, lambda: api.update_ip(floating_ip.id, port_id=None))
    router.up(**inputs)
    assert line in lines
    assert router.outputs["external_network"] == inputs["external_network"]
    api.delete_ip(floating_ip.id)


def test_other_external_network_although_snat_is_restricted(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an administrator has turned SNAT off, a user still moves the router to another external network."""
    lines: list[str] = []
    monkeypatch.setattr(rpc_bridge, "log", lambda _, text, **__: lines.append(text))
    router, network_id = new("Router"), fixtures.external_subnet.network_id
    router.up(external_network="public")
    fixtures.admin.network.update_router(
        router.id, external_gateway_info={"network_id": network_id, "enable_snat": False}
    )
    router.refresh()
    router.up(external_network=fixtures.other_external_network)
    assert router.outputs["external_network"] == fixtures.other_external_network
    assert any("only an administrator can keep it off" in line for line in lines)


def test_interface_that_was_removed_out_of_band(
    connected: tuple[Resource, Resource, str], fixtures: CloudFixtures
) -> None:
    """A refresh removes an interface that was removed outside of Pulumi, and deleting it is a success."""
    router, interface, _ = connected
    fixtures.cloud.network.remove_interface_from_router(router.id, port=interface.outputs["port_id"])
    kept = interface.state
    interface.refresh()
    assert interface.state is None
    interface.state = kept
    interface.destroy()


def test_other_changes_keep_the_gateway(new: New, fixtures: CloudFixtures) -> None:
    """An administrator's choice of `enable_snat` and of the addresses survives an update of other properties."""
    router = new("Router", admin=True)
    gateway = {
        "external_network": "public",
        "enable_snat": False,
        "external_fixed_ips": [{"ip_address": fixtures.external_address(60)}],
    }
    router.up(**gateway)
    router.up(**gateway, name="fields-renamed")
    router.up(**gateway | {"external_fixed_ips": [{"ip_address": fixtures.external_address(61)}]})
    assert router.outputs["enable_snat"] is False
    assert router.outputs["external_ips"] == [fixtures.external_address(61)]
    with pytest.raises(Failed, match="external_fixed_ips"):
        new("Router").up(**gateway)
