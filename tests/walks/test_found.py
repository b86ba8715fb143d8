"""Edits of programs that once left the cloud in another state than the program declares."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import ManualClock
from tests.support.messages import recorded
from tests.walks.cloud import SharedWorld, caches_preserved
from tests.walks.engine import Stack
from tests.walks.model import ByHand, Stage, Walk
from tests.walks.programs import Declaration, Program, Ref, changed, ordered, without
from tests.walks.walking import find_failure, format_failure

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def world() -> Iterator[SharedWorld]:
    """A cloud with unmanaged objects."""
    with caches_preserved(), SharedWorld("openstack") as created:
        yield created


def declared(**resources: tuple[str, dict[str, Any]]) -> Program:
    """Return a program with these resources: kind and inputs by name."""
    return ordered(Declaration(kind, name, inputs) for name, (kind, inputs) in resources.items())


def check(world: SharedWorld, *stages: Program | Stage, cascades: bool = False) -> None:
    """Apply the programs one after the other, and destroy the stack; the cloud has to match each of them.

    Args:
        world: The cloud.
        stages: The programs, or stages with more options.
        cascades: See `Walk`.
    """
    walk = Walk(tuple(each if isinstance(each, Stage) else Stage(each) for each in stages), cascades)
    if failure := find_failure(walk, world, 0):
        pytest.fail(format_failure(walk, failure, 0), pytrace=False)


ROUTED = declared(
    net1=("Network", {}),
    sub1=("Subnet", {"network_id": Ref("net1"), "cidr": "10.20.0.0/24"}),
    port1=("Port", {"network_id": Ref("net1"), "fixed_ips": [{"subnet_id": Ref("sub1")}]}),
    rtr1=("Router", {"external_network": "public"}),
    rif1=("RouterInterface", {"router_id": Ref("rtr1"), "subnet_id": Ref("sub1")}),
)
"""A port that a router connects to the external network."""


def test_port_moves_between_floating_ip_and_association(world: SharedWorld) -> None:
    """The port of a floating IP moves to an association and back; the former owner does not release it."""
    port, address = Ref("port1"), {"external_network": "public"}
    free = (*ROUTED, Declaration("FloatingIp", "fip1", address))
    own = changed(free, "fip1", {"port_id": port})
    association = Declaration("FloatingIpAssociation", "fas1", {"floating_ip_id": Ref("fip1"), "port_id": port})
    check(world, ordered(own), ordered((*free, association)), ordered(own))


def test_interface_is_deleted_before_its_users(world: SharedWorld) -> None:
    """An engine that deletes one resource at a time may delete an interface before its floating IP and its route."""
    users = (
        Declaration("FloatingIp", "fip1", {"external_network": "public", "port_id": Ref("port1")}),
        Declaration(
            *("RouterRoute", "rrt1"),
            {"router_id": Ref("rtr1"), "destination": "192.168.1.0/24", "nexthop": "10.20.0.99"},
        ),
    )
    check(world, ordered((*ROUTED, *users)))
    check(world, ordered((*ROUTED, *users)), without(ROUTED, "rif1"))


def numbered(*rules: Any) -> Program:
    """Return a program with a rule for each port, or for each pair of a port and a description."""
    program = declared(sg1=("SecurityGroup", {}))
    for number, (port, *description) in enumerate((each if isinstance(each, tuple) else (each,)) for each in rules):
        inputs: dict[str, Any] = {"direction": "ingress", "protocol": "tcp", "port_range_min": port}
        inputs |= {"security_group_id": Ref("sg1"), "port_range_max": port}
        inputs |= {"description": description[0]} if description else {}
        program = (*program, Declaration("SecurityGroupRule", f"rule{number}", inputs))
    return program


@pytest.mark.parametrize(
    "programs",
    [
        pytest.param([(22, 80), (443, 22, 80), (22, 80)], id="insert-and-remove"),
        pytest.param([(22, 80), (80, 22), (22, 80)], id="swap"),
        pytest.param([((22, "a"), (80, "b")), ((443, "c"), (22, "a"), (80, "b")), ((22, "a"),)], id="described"),
        pytest.param([((22, "0"), (80, "1")), ((443, "0"), (22, "1"), (80, "2"))], id="other-description"),
    ],
)
def test_numbered_rules_shift(world: SharedWorld, programs: list[tuple[Any, ...]]) -> None:
    """A rule whose name changes is used by its new resource, and the delete of the former one keeps it."""
    check(world, *(numbered(*rules) for rules in programs))


def test_name_of_a_rule_that_moved_into_its_group_is_free(world: SharedWorld) -> None:
    """A rule that now belongs to its group is no orphan of the resource that created it."""
    groups = declared(sg1=("SecurityGroup", {}), sg2=("SecurityGroup", {}))
    rule = {"direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80}
    first, second = (
        Declaration("SecurityGroupRule", "rule1", {"security_group_id": Ref(name), **rule}) for name in ("sg1", "sg2")
    )
    moved = changed(groups, "sg1", {"rules": [rule]})
    check(world, (*groups, first), moved, (*moved, second))


def test_parts_of_a_router_move_between_resources(world: SharedWorld) -> None:
    """Resources that are named by an index take over interfaces and routes from each other."""
    router = declared(
        rtr1=("Router", {}),
        **{f"net{index}": ("Network", {}) for index in range(3)},
        **{f"sub{i}": ("Subnet", {"network_id": Ref(f"net{i}"), "cidr": f"10.2{i}.0.0/24"}) for i in range(3)},
    )
    interface = Declaration("RouterInterface", "rif9", {"router_id": Ref("rtr1"), "subnet_id": Ref("sub2")})

    def program(*order: int) -> Program:
        parts = []
        for place, number in enumerate(order):
            subnet, route = Ref(f"sub{number % 2}"), {"destination": f"192.168.{number}.0/24", "nexthop": "10.22.0.9"}
            if place <= 1:
                parts.append(
                    Declaration("RouterInterface", f"rif{place}", {"router_id": Ref("rtr1"), "subnet_id": subnet})
                )
            parts.append(Declaration("RouterRoute", f"rrt{place}", {"router_id": Ref("rtr1"), **route}))
        return ordered((*router, interface, *parts))

    check(world, program(0, 1), program(1, 0), program(2, 1, 0), program(1, 2))


def test_renamed_interface_of_a_subnet_that_is_replaced_by_one_of_the_same_range(world: SharedWorld) -> None:
    """The create removes the interface that it replaces, also if the state has that one under its former name."""
    subnet = {"cidr": "10.20.0.0/24"}
    inputs = {"router_id": Ref("rtr1"), "subnet_id": Ref("sub1")}
    before = declared(
        net1=("Network", {}),
        sub1=("Subnet", {"network_id": Ref("net1"), **subnet}),
        rtr1=("Router", {}),
        rif1=("RouterInterface", inputs),
    )
    after = declared(net2=("Network", {}), sub1=("Subnet", {"network_id": Ref("net2"), **subnet}), rtr1=("Router", {}))
    check(world, before, ordered((*after, Declaration("RouterInterface", "rif2", inputs, alias="rif1"))))


ATTACHED = declared(
    net1=("Network", {}),
    sub1=("Subnet", {"network_id": Ref("net1"), "cidr": "10.20.0.0/24"}),
    port1=("Port", {"network_id": Ref("net1"), "fixed_ips": [{"subnet_id": Ref("sub1")}]}),
    srv1=("Server", {"flavor": "s1.small", "image": "cirros-peer", "networks": [{"network_id": Ref("net1")}]}),
)
"""A server, and a port that it does not use."""


def test_port_in_list_and_attachment(world: SharedWorld) -> None:
    """An `up --target` attaches a port that the server's list still has; the server then keeps it for its new owner."""
    listed = changed(ATTACHED, "srv1", {"networks": [{"network_id": Ref("net1")}, {"port_id": Ref("port1")}]})
    nic = Declaration("InterfaceAttachment", "nic1", {"server_id": Ref("srv1"), "port_id": Ref("port1")})
    moved = ordered((*ATTACHED, nic))
    check(world, listed, Stage(moved, targets=("nic1",)), moved, ATTACHED)


def test_server_with_the_port_of_an_attachment_is_deleted_by_hand(world: SharedWorld) -> None:
    """The port that an attachment created outlives a server that another client deletes, and is no orphan."""
    nic = Declaration("InterfaceAttachment", "nic1", {"server_id": Ref("srv1"), "network_id": Ref("net1")})
    program = ordered((*ATTACHED, nic))
    check(world, program, Stage(program, by_hand=ByHand("delete", "srv1")))


@pytest.mark.parametrize("cascades", [False, True])
def test_attachments_that_are_deleted_with_their_server(world: SharedWorld, cascades: bool) -> None:  # noqa: FBT001
    """A volume and a port can be deleted before their server, and an attachment can move or be replaced with it."""
    program = ordered(
        (
            *ATTACHED,
            Declaration("Volume", "vol1", {"size": 1}),
            *(
                Declaration(kind, name, {"server_id": Ref("srv1"), **inputs}, deleted_with="server_id")
                for kind, name, inputs in (
                    ("VolumeAttachment", "vat1", {"volume_id": Ref("vol1")}),
                    ("InterfaceAttachment", "nic1", {"port_id": Ref("port1")}),
                    ("InterfaceAttachment", "nic2", {"network_id": Ref("net1")}),
                )
            ),
        )
    )
    replaced = changed(program, "srv1", {"image": "debian-peer"})
    other = Declaration("Server", "srv2", dict(ATTACHED[-1].inputs))
    moved = changed(changed((*replaced, other), "vat1", {"server_id": Ref("srv2")}), "nic1", {"server_id": Ref("srv2")})
    check(world, program, replaced, moved, without(moved, "srv1"), moved, cascades=cascades)


def test_port_moves_to_a_server_whose_update_comes_first(world: SharedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server waits for a port that the program moves to it until the update of the other server releases it."""
    first, port = changed(ATTACHED, "srv1", {"name": "one"}), {"port_id": Ref("port1")}
    other = Declaration("Server", "srv2", {**ATTACHED[-1].inputs, "networks": [{"network_id": Ref("net1")}, port]})
    world.restore(world.start)
    stack = Stack(world.config, random.Random(0), world.start_process)  # noqa: S311  (chance, not a secret)
    stack.up(ordered((*first, other)))
    ids = {name: record.id for name, record in stack.records_by_name.items()}
    advance = ManualClock.advance

    def release(clock: ManualClock, seconds: float) -> None:
        """Detach the port while the first update waits, as the update of the other server does at the same time."""
        monkeypatch.setattr(ManualClock, "advance", advance)
        world.client.detach(ids["srv2"], ids["port1"])
        clock.advance(seconds)

    monkeypatch.setattr(ManualClock, "advance", release)
    nics = [{"network_id": Ref("net1")}]
    after = ordered((*changed(first, "srv1", {"networks": [*nics, port]}), replace(other, inputs=ATTACHED[-1].inputs)))
    assert stack.up(after)["Server srv1"] == "update"
    assert world.differences(after, ids, {}) == []
    assert set(stack.preview(after).values()) == {"same"}


def test_volume_with_an_empty_description(world: SharedWorld) -> None:
    """A create keeps an empty description, as an update does, and does not write the owner marker into it."""
    program = declared(vol1=("Volume", {"size": 1, "description": ""}))
    check(world, program, changed(program, "vol1", {"image": "cirros-peer"}))


@pytest.mark.parametrize("power_state", ["active", "shelved_offloaded"])
@pytest.mark.parametrize("depends", [True, False])
def test_volume_with_an_attachment_that_is_deleted_with_the_server(
    world: SharedWorld, power_state: str, *, depends: bool
) -> None:
    """The volume is detached from a server that is deleted only after it; Cinder shows a shelved server's as reserved.

    That is the order of an engine that deletes one resource at a time, and of every engine if the volume depends on the
    server.
    """
    server = Declaration("Server", "srv1", {**ATTACHED[-1].inputs, "power_state": power_state})
    zone = {"availability_zone": Ref("srv1", "availability_zone")} if depends else {}
    attachment = Declaration(
        *("VolumeAttachment", "vat1"),
        {"server_id": Ref("srv1"), "volume_id": Ref("vol1")},
        deleted_with="server_id",
    )
    check(world, ordered((*ATTACHED[:-1], Declaration("Volume", "vol1", {"size": 1, **zone}), server, attachment)))


def test_subnet_with_a_nic_that_is_deleted_with_its_server(world: SharedWorld) -> None:
    """The NIC is removed from a server that is deleted only after the subnet, on which only the NIC depends."""
    subnet = Declaration("Subnet", "sub2", {"network_id": Ref("net1"), "cidr": "10.21.0.0/24"})
    inputs = {"server_id": Ref("srv1"), "network_id": Ref("net1"), "fixed_ips": [{"ip_address": "10.21.0.50"}]}
    nic = Declaration("InterfaceAttachment", "nic1", inputs, deleted_with="server_id")
    server = Declaration("Server", "srv1", {**ATTACHED[-1].inputs, "networks": [{"port_id": Ref("port1")}]})
    check(world, ordered((*ATTACHED[:-1], subnet, server, nic)))


@pytest.mark.parametrize("kind", ["Server", "FloatingIp"])
def test_renamed_user_of_a_port_that_is_replaced(world: SharedWorld, kind: str) -> None:
    """The engine compares the dependents of a port under their former names before it compares the renamed one."""
    server = changed(ATTACHED, "srv1", {"networks": [{"port_id": Ref("port1")}, {"network_id": Ref("net1")}]})
    address = Declaration("FloatingIp", "fip1", {"external_network": "public", "port_id": Ref("port1")})
    users, former, name = (server, "srv1", "srv2") if kind == "Server" else ((*ROUTED, address), "fip1", "fip2")
    before, after = (changed(users, "port1", {"mac_address": f"fa:16:3e:77:00:1{last}"}) for last in range(2))
    check(
        world, before, tuple(replace(each, name=name, alias=former) if each.name == former else each for each in after)
    )


def test_renamed_subnet_that_is_replaced(world: SharedWorld) -> None:
    """The interface and the NICs in a subnet are replaced before the subnet is deleted, also if it has an alias."""
    networks = declared(net1=("Network", {}), net2=("Network", {}), rtr1=("Router", {}))

    def program(network: str, subnet: str, cidr: str, alias: str = "") -> Program:
        inputs = {"network_id": Ref(network), "cidr": cidr}
        users = (
            Declaration("RouterInterface", "rif1", {"router_id": Ref("rtr1"), "subnet_id": Ref(subnet)}),
            Declaration("Server", "srv1", {**ATTACHED[-1].inputs, "networks": [{"network_id": Ref(network)}]}),
        )
        return ordered((*networks, Declaration("Subnet", subnet, inputs, alias=alias), *users))

    check(world, program("net1", "sub1", "10.20.0.0/24"), program("net2", "sub2", "10.21.0.0/24", "sub1"))


def test_inactive_server_is_stopped_by_hand(world: SharedWorld) -> None:
    """A server stays paused when the program no longer sets `power_state`; another client cannot stop it then."""
    paused = changed(ATTACHED, "srv1", {"power_state": "paused"})
    check(world, paused, ATTACHED, Stage(ATTACHED, by_hand=ByHand("stop", "srv1")))


def test_removed_interface_takes_the_port_with_it(world: SharedWorld) -> None:
    """An `up` warns that the cloud has deleted a port with its interface, and one with a refresh creates it anew."""
    kept = ROUTED[:-1]
    world.restore(world.start)
    stack = Stack(world.config, random.Random(0), world.start_process)  # noqa: S311  (chance, not a secret)
    stack.up((*kept, replace(ROUTED[-1], inputs={"router_id": Ref("rtr1"), "port_id": Ref("port1")})))
    lost = stack.records_by_name["port1"].id
    with recorded("warning") as warnings:
        stack.up(kept)
    (warning,) = warnings
    assert warning.startswith(f"the cloud has deleted the port {lost} of the program with its interface; ")
    assert warning.endswith("[port-loss]")
    stack.refresh()
    assert stack.up(kept)["Port port1"] == "create"
    with recorded("warning") as warnings:
        stack.destroy()
    assert warnings == []
