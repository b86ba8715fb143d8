"""Special cases of floating IPs and their associations."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import network
from ecs_pulumi.dynamic import rpc_bridge, state
from ecs_pulumi.dynamic.state import StackState
from ecs_pulumi.resources import association
from tests.fields.assertions import assert_no_changes
from tests.fields.test_routers import at_status
from tests.support import steps
from tests.support.steps import SAME, UNKNOWN, Failed, Refused, updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]
    AtStatus = Callable[[str, Callable[[], object]], list[str]]

__all__ = ["at_status"]
OUTSIDE = {"external_network": "public"}


@pytest.fixture
def island(new: New) -> tuple[Resource, Resource]:
    """A subnet named `sub`, which no router connects, and a port in it."""
    network, subnet, port = map(new, ("Network", "Subnet", "Port"))
    network.up()
    subnet.up(network_id=network.id, cidr="10.97.0.0/24", name="sub")
    port.up(network_id=network.id)
    return subnet, port


def other_inputs(kind: str, fixtures: CloudFixtures) -> dict[str, Any]:
    """Return the inputs of a floating IP or an association besides the port."""
    return dict(OUTSIDE) if kind == "FloatingIp" else {"floating_ip_id": fixtures.floating_ips[0]}


def in_state(resource: Resource, **inputs: Any) -> dict[str, Any]:
    """Return the entry of a resource in the state of the stack, as the engine exports it."""
    kind = f"pulumi-python:dynamic/ecs:{resource.kind}"
    return {"type": kind, "urn": resource.urn, "id": resource.id, "inputs": inputs}


@pytest.mark.parametrize("kind", ["FloatingIp", "FloatingIpAssociation"])
def test_association_waits_for_the_router(
    new: New, fixtures: CloudFixtures, island: tuple[Resource, Resource], at_status: AtStatus, kind: str
) -> None:
    """A floating IP whose router interface is created later waits for it, and is not allocated twice."""
    subnet, port = island
    router, interface = new("Router"), new("RouterInterface")
    router.up(**OUTSIDE)
    line = "waiting for a router between sub and public"
    lines = at_status(line, lambda: interface.up(router_id=router.id, subnet_id=subnet.id))
    inputs = other_inputs(kind, fixtures)
    count = len(list(fixtures.cloud.network.ips()))
    resource = new(kind)
    resource.up(**inputs, port_id=port.id)
    assert line in lines
    assert resource.outputs["port_id"] == port.id
    assert fixtures.cloud.network.get_ip(resource.id).port_id == port.id
    if not fixtures.live:  # where other tests create floating IPs at the same time
        assert len(list(fixtures.cloud.network.ips())) == count + (kind == "FloatingIp")
    assert_no_changes(resource, {**inputs, "port_id": port.id})
    resource.destroy()


@pytest.mark.parametrize("kind", ["FloatingIp", "FloatingIpAssociation"])
def test_association_without_a_router_fails_at_the_deadline(
    new: New,
    fixtures: CloudFixtures,
    island: tuple[Resource, Resource],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """The error names subnet and network; the next `up` continues with the same floating IP."""
    monkeypatch.setattr(steps, "TIMEOUT", 10.0)
    subnet, port = island
    resource, inputs = new(kind), {**other_inputs(kind, fixtures), "port_id": port.id}
    message = "no router connects the subnet sub to the external network public"
    with pytest.raises(Failed, match=message):
        resource.up(**inputs)
    if kind == "FloatingIpAssociation":
        assert resource.state is None
    else:
        first = resource.id
        with pytest.raises(Failed, match=message):
            resource.up(**inputs)
        assert resource.id == first
    monkeypatch.undo()
    router, interface = new("Router"), new("RouterInterface")
    router.up(**OUTSIDE)
    interface.up(router_id=router.id, subnet_id=subnet.id)
    resource.up(**inputs)
    assert fixtures.cloud.network.get_ip(resource.id).port_id == port.id
    resource.destroy()


def test_unmanaged_association(new: New, fixtures: CloudFixtures) -> None:
    """A floating IP that never had a port in the program leaves its association to others."""
    floating_ip, other = new("FloatingIp"), new("FloatingIpAssociation")
    floating_ip.up(**OUTSIDE)
    other.up(floating_ip_id=floating_ip.id, port_id=fixtures.published_ports[0])
    floating_ip.refresh()
    assert floating_ip.preview(**OUTSIDE) == SAME
    assert floating_ip.outputs["port_id"] == fixtures.published_ports[0]
    floating_ip.up(**OUTSIDE, description="mine")
    assert fixtures.cloud.network.get_ip(floating_ip.id).port_id == fixtures.published_ports[0]
    other.destroy()
    assert fixtures.cloud.network.get_ip(floating_ip.id).port_id is None


def test_other_changes_keep_the_association(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the description keeps the address of the port, and does not undo a move of another program."""
    floating_ip, api, (first, second) = new("FloatingIp"), fixtures.cloud.network, fixtures.published_ports
    floating_ip.up(**OUTSIDE)
    port = fixtures.port_with_two_addresses
    api.update_ip(floating_ip.id, port_id=port, fixed_ip_address="10.90.5.12")
    floating_ip.up(**OUTSIDE, description="one")
    remote = api.get_ip(floating_ip.id)
    assert (remote.port_id, remote.fixed_ip_address, remote.description) == (port, "10.90.5.12", "one")
    api.update_ip(floating_ip.id, port_id=first)

    def get_and_move(*arguments: Any) -> Any:
        remote = get(*arguments)
        api.update_ip(floating_ip.id, port_id=second)
        return remote

    get = network.get
    monkeypatch.setattr(network, "get", get_and_move)
    floating_ip.up(**OUTSIDE, description="two")
    monkeypatch.undo()
    assert (api.get_ip(floating_ip.id).port_id, api.get_ip(floating_ip.id).description) == (second, "two")


def test_released_port_is_no_longer_managed(new: New, fixtures: CloudFixtures) -> None:
    """A program that no longer sets the port releases it once; an association of another resource is no drift."""
    floating_ip, port = new("FloatingIp"), fixtures.published_ports[0]
    floating_ip.up(**OUTSIDE, port_id=port)
    assert floating_ip.preview(**OUTSIDE) == updates("port_id")
    floating_ip.up(**OUTSIDE)
    assert fixtures.cloud.network.get_ip(floating_ip.id).port_id is None
    assert floating_ip.up(**OUTSIDE) == SAME
    fixtures.cloud.network.update_ip(floating_ip.id, port_id=port)
    floating_ip.refresh()
    assert floating_ip.preview(**OUTSIDE) == SAME


def test_released_port_may_belong_to_an_association(new: New, fixtures: CloudFixtures) -> None:
    """After a floating IP's port has moved to an association, a refresh and an `up` do not release it."""
    floating_ip, other, port = new("FloatingIp"), new("FloatingIpAssociation"), fixtures.published_ports[0]
    floating_ip.up(**OUTSIDE, port_id=port)
    floating_ip.up(**OUTSIDE)
    other.up(floating_ip_id=floating_ip.id, port_id=port)
    floating_ip.refresh()
    assert floating_ip.up(**OUTSIDE) == SAME
    assert fixtures.cloud.network.get_ip(floating_ip.id).port_id == port


def test_two_floating_ips_exchange_their_ports(new: New, fixtures: CloudFixtures) -> None:
    """Two floating IPs that take each other's port in one update do not block each other."""
    pair, ports = [new("FloatingIp"), new("FloatingIp")], fixtures.published_ports
    pair[1].name = "other"
    for floating_ip, port in zip(pair, ports, strict=True):
        floating_ip.up(**OUTSIDE, port_id=port)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda at: pair[at].up(**OUTSIDE, port_id=ports[1 - at]), (0, 1)))
    assert [fixtures.cloud.network.get_ip(each.id).port_id for each in pair] == ports[::-1]


def test_floating_ips_exchange_their_ports_one_after_the_other(new: New, fixtures: CloudFixtures) -> None:
    """The first of two floating IPs that take each other's port does not wait for the second one."""
    pair, ports = [new("FloatingIp"), new("FloatingIp")], fixtures.published_ports
    pair[1].name = "other"
    for floating_ip, port in zip(pair, ports, strict=True):
        floating_ip.up(**OUTSIDE, port_id=port)
    # The engine compares the second one before the first one is updated.
    pair[1].preview(**OUTSIDE, port_id=ports[0])
    pair[0].up(**OUTSIDE, port_id=ports[1])
    assert [fixtures.cloud.network.get_ip(each.id).port_id for each in pair] == [ports[1], None]
    pair[1].up(**OUTSIDE, port_id=ports[0])
    assert [fixtures.cloud.network.get_ip(each.id).port_id for each in pair] == ports[::-1]


@pytest.mark.parametrize("kind", ["FloatingIp", "FloatingIpAssociation"])
def test_failed_move_keeps_the_port(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A move to a port that has a floating IP of others fails, and changes neither of the two."""
    monkeypatch.setattr("ecs_pulumi.resources.same_run._SECONDS", 6.0)
    api, (first, second) = fixtures.cloud.network, fixtures.published_ports
    other = api.create_ip(floating_network_id=fixtures.external_subnet.network_id, port_id=second)
    resource, inputs = new(kind), other_inputs(kind, fixtures)
    try:
        resource.up(**inputs, port_id=first)
        with pytest.raises(Failed, match=f"The port has the floating IP {other.floating_ip_address}"):
            resource.up(**inputs, port_id=second)
        assert [api.get_ip(id_).port_id for id_ in (resource.id, other.id)] == [first, second]
        assert resource.outputs["port_id"] == first
    finally:
        api.delete_ip(other.id)
        resource.destroy()


def test_association_is_read_only_by_its_own_port(new: New, fixtures: CloudFixtures) -> None:
    """Deleting an association whose floating IP has another port by now releases nothing."""
    other, (first, second) = new("FloatingIpAssociation"), fixtures.published_ports
    other.up(floating_ip_id=fixtures.floating_ips[0], port_id=first)
    fixtures.cloud.network.update_ip(other.id, port_id=second)
    other.destroy()
    assert fixtures.cloud.network.get_ip(fixtures.floating_ips[0]).port_id == second
    fixtures.cloud.network.update_ip(fixtures.floating_ips[0], port_id=None)


def test_first_subnet_with_a_free_address(new: New, fixtures: CloudFixtures) -> None:
    """The address is from the first subnet that has a free one."""
    admin, clear = fixtures.admin.network, steps.clear_caches
    outside = admin.create_network(name=fixtures.unique_name("small"), **{"router:external": True})
    pools = [[{"start": f"198.51.{number}.10", "end": f"198.51.{number}.10"}] for number in (101, 102)]
    subnets = [
        admin.create_subnet(
            network_id=outside.id,
            ip_version=4,
            cidr=f"198.51.{101 + at}.0/24",
            allocation_pools=pool,
            enable_dhcp=False,
            gateway_ip=None,
        ).id
        for at, pool in enumerate(pools)
    ]
    clear()
    pair = [new("FloatingIp"), new("FloatingIp"), new("FloatingIp")]
    try:
        for floating_ip in pair[:2]:
            floating_ip.up(external_network=outside.name, subnet_ids=subnets)
        assert [each.outputs["address"] for each in pair[:2]] == ["198.51.101.10", "198.51.102.10"]
        with pytest.raises(Failed, match="No more IP addresses"):
            pair[2].up(external_network=outside.name, subnet_ids=subnets)
        assert pair[2].state is None
    finally:
        for each in pair:
            each.destroy()
        admin.delete_network(outside.id)


@pytest.mark.parametrize("kind", ["FloatingIp", "FloatingIpAssociation"])
def test_port_of_a_removed_resource_is_released(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A floating IP takes the port of one that the program removed, which the engine deletes only afterwards."""
    port = fixtures.published_ports[0]
    first, second = new("FloatingIp"), new("FloatingIp")
    first.up(**OUTSIDE, port_id=port)
    second.name = "second"
    second.up(**OUTSIDE)
    monkeypatch.setattr(state, "read", lambda *_: StackState([in_state(first, port_id=port)]))
    taker = new(kind)
    taker.name = "taker"
    if kind == "FloatingIp":
        taker.up(**OUTSIDE, port_id=port)
    else:
        taker.up(floating_ip_id=second.id, port_id=port)
    assert fixtures.cloud.network.get_ip(taker.id).port_id == port
    assert fixtures.cloud.network.get_ip(first.id).port_id is None
    taker.destroy()


def test_port_with_another_floating_ip(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the floating IP of the port."""
    monkeypatch.setattr("ecs_pulumi.resources.same_run._SECONDS", 5.0)
    first, second = new("FloatingIp"), new("FloatingIp")
    inputs = {**OUTSIDE, "port_id": fixtures.published_ports[0]}
    first.up(**inputs)
    second.name = "second"
    named = f"The port has the floating IP {first.outputs['address']} ({first.id}). Release"
    with pytest.raises(Failed, match=re.escape(named)):
        second.up(**inputs)
    second.destroy()


def test_error_names_the_addresses_of_the_port(new: New, fixtures: CloudFixtures) -> None:
    """A port without an IPv4 address, and one with several, are errors that say what to do."""
    port = new("Port")
    port.up(network_id=fixtures.published_network, fixed_ips=[])
    for inputs, hint in (
        ({"port_id": port.id}, "let its `fixed_ips` refer to the subnet"),
        ({"port_id": fixtures.port_with_two_addresses}, "Set `fixed_ip` to an address of the port: 10.90.5.11, 10.9"),
        ({"port_id": fixtures.port_with_two_addresses, "fixed_ip": "10.90.5.13"}, "Set `fixed_ip` to an address"),
    ):
        floating_ip = new("FloatingIp")
        with pytest.raises(Failed, match=hint):
            floating_ip.up(**OUTSIDE, **inputs)
        assert floating_ip.state is None
        with pytest.raises(Failed, match=hint):
            new("FloatingIpAssociation").up(floating_ip_id=fixtures.floating_ips[0], **inputs)


def test_requested_address_that_is_taken(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview and the error name the floating IP that has the address."""
    first = fixtures.resource("FloatingIp", admin=True)
    second = fixtures.resource("FloatingIp", admin=True)
    second.name = "second"
    address = fixtures.external_address(60)
    try:
        first.up(**OUTSIDE, address=address)
        with pytest.raises(Refused, match=f'set adopt="{first.id}" to import it'):
            second.preview(**OUTSIDE, address=address)
        with pytest.raises(Refused, match="lies outside the subnets of its network"):
            second.preview(**OUTSIDE, address="192.0.2.7")
        monkeypatch.setattr("ecs_pulumi.resources.floating_ip._check_address", lambda *_: ())
        with pytest.raises(Failed, match=f'set adopt="{first.id}"'):
            second.up(**OUTSIDE, address=address)
    finally:
        first.destroy()


def test_preview_warns_about_the_port(
    new: New, fixtures: CloudFixtures, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preview warns of a port with another floating IP, and of an address that the port does not have."""
    monkeypatch.setattr(association, "created_in_this_run", lambda _: False)
    other, floating_ip, (port, _) = new("FloatingIp"), new("FloatingIp"), fixtures.published_ports
    other.up(**OUTSIDE, port_id=port)
    two = fixtures.port_with_two_addresses
    bare = new("Port")
    bare.up(network_id=fixtures.published_network, fixed_ips=[], name="bare")
    floating_ip.name = "other"
    for inputs, text in (
        ({"port_id": port}, f"has the floating IP {other.outputs['address']} ({other.id})"),
        ({"port_id": two}, "has several addresses: 10.90.5.11, 10.90.5.12; set one of them"),
        ({"port_id": two, "fixed_ip": "10.90.5.13"}, "has no address 10.90.5.13, but 10.90.5.11, 10.90.5.12"),
        ({"port_id": bare.id}, "port_id: the port bare has no IPv4 address; unless"),
    ):
        warnings.clear()
        floating_ip.preview(**OUTSIDE, **inputs)
        (warning,) = warnings
        assert text in warning
    warnings.clear()
    floating_ip.preview(**OUTSIDE, port_id=two, fixed_ip="10.90.5.12")
    # The program can release a floating IP of the same stack.
    monkeypatch.setattr(state, "read", lambda *_: StackState([in_state(other, port_id=port)]))
    floating_ip.preview(**OUTSIDE, port_id=port)
    assert warnings == []


def test_preview_shows_from_which_port_an_association_takes_the_floating_ip(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new association of a floating IP that leads to another port is a notice; none if it leads to the same port."""
    lines: list[str] = []
    monkeypatch.setattr(rpc_bridge, "log", lambda _, text, **__: lines.extend([text] if "disconnects" in text else []))
    api, (first, second), resource = fixtures.cloud.network, fixtures.published_ports, new("FloatingIpAssociation")
    other = api.create_ip(floating_network_id=fixtures.external_subnet.network_id, port_id=first)
    try:
        resource.preview(floating_ip_id=other.id, port_id=first)
        assert lines == []
        resource.preview(floating_ip_id=other.id, port_id=second)
        resource.preview(floating_ip_id=other.id, port_id=UNKNOWN)
        assert lines == [
            f"leads {other.floating_ip_address} to {target}; the port {first} is no longer reachable at it "
            "[disconnects: port_id]"
            for target in (f"the port {second}", "a port that is not known yet")
        ]
    finally:
        api.delete_ip(other.id)


def test_association_has_one_resource(new: New, fixtures: CloudFixtures) -> None:
    """An association of a floating IP whose resource sets `port_id` is refused; its delete releases nothing."""
    floating_ip, other, port = new("FloatingIp"), new("FloatingIpAssociation"), fixtures.published_ports[0]
    floating_ip.up(**OUTSIDE)
    other.up(floating_ip_id=floating_ip.id, port_id=port)
    floating_ip.up(**OUTSIDE, port_id=port)
    # The engine deletes what the program no longer declares after the updates.
    assert other.state is not None
    other._delete(other.state)
    assert fixtures.cloud.network.get_ip(floating_ip.id).port_id == port
    with pytest.raises(Failed, match=f"FloatingIpAssociation {floating_ip.id} is managed by FloatingIp"):
        other._create({"floating_ip_id": floating_ip.id, "port_id": port})


def test_preview_rejects_invalid_inputs(new: New, fixtures: CloudFixtures) -> None:
    """The preview reports an external network, subnet or port that does not exist, and an address without a port."""
    missing = "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"
    for inputs, name, reason in (
        ({"external_network": "pubic"}, "external_network", "did you mean public"),
        ({"external_network": "demo-net"}, "external_network", "no external network"),
        (OUTSIDE | {"port_id": missing}, "port_id", "there is no port"),
        (OUTSIDE | {"fixed_ip": "10.0.0.1"}, "fixed_ip", "only with `port_id`"),
    ):
        with pytest.raises(Refused) as refused:
            new("FloatingIp").preview(**inputs)
        assert reason in refused.value.reasons[name]
    with pytest.raises(Refused, match="the external network public has no subnet"):
        new("FloatingIp").preview(**OUTSIDE, subnet_ids=[missing])
    with pytest.raises(Refused, match="there is no floatingip"):
        new("FloatingIpAssociation").preview(floating_ip_id=missing, port_id=fixtures.published_ports[0])


def test_preview_checks_the_port_only_if_the_association_changes(
    new: New,
    fixtures: CloudFixtures,
    island: tuple[Resource, Resource],
    warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The preview checks the port if it or its address changes, and if all that it compares is known."""
    monkeypatch.setattr(association, "created_in_this_run", lambda _: False)
    floating_ip, two = new("FloatingIp"), fixtures.port_with_two_addresses
    floating_ip.up(**OUTSIDE, port_id=two, fixed_ip="10.90.5.11")
    new("FloatingIp").preview(**OUTSIDE, port_id=two, fixed_ip=UNKNOWN)
    new("FloatingIp").preview(external_network=UNKNOWN, port_id=island[1].id)
    assert warnings == []
    floating_ip.preview(**OUTSIDE, port_id=two, fixed_ip="10.90.5.13")
    assert "fixed_ip: the port" in warnings.pop()
    with monkeypatch.context() as patch:
        floating_ip.preview(**OUTSIDE, port_id=island[1].id)
        assert "port_id: no router connects the subnet sub" in warnings.pop()
        # What an earlier step of the same run has created may not be complete yet.
        patch.setattr(association, "created_in_this_run", lambda id_: id_ == island[1].id)
        floating_ip.preview(**OUTSIDE, port_id=island[1].id)
        assert warnings == []
    # What the port lacks is not the concern of an update of something else.
    monkeypatch.setattr(association, "ipv4_addresses", lambda _: [])
    floating_ip.preview(**OUTSIDE, port_id=two, fixed_ip="10.90.5.11", description="other")
    assert warnings == []


@pytest.mark.parametrize("kind", ["FloatingIp", "FloatingIpAssociation"])
def test_preview_warns_of_a_port_without_a_router(
    new: New,
    fixtures: CloudFixtures,
    island: tuple[Resource, Resource],
    warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """A port whose subnet no router connects is a warning; none for a port that a router connects."""
    inputs = other_inputs(kind, fixtures)
    # Objects of this process are not checked.
    monkeypatch.setattr(association, "created_in_this_run", lambda _: False)
    monkeypatch.setattr("ecs_pulumi.resources.floating_ip_association.created_in_this_run", lambda _: False)
    new(kind).preview(**inputs, port_id=fixtures.published_ports[0])
    assert warnings == []
    new(kind).preview(**inputs, port_id=island[1].id)
    (warning,) = warnings
    assert "port_id: no router connects the subnet sub to the external network public yet" in warning
