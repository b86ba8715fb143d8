"""Which interface of a router connects the port of a floating IP, or the next hop of a route, in a program."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.walks.programs import Ref, find, of_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.walks.programs import Declaration, Program

PUBLIC = "public"
"""The name of the external network."""


class Connection(NamedTuple):
    """The interface that connects a subnet to a router.

    Attributes:
        router: The name of the router.
        gateway: Its external network.
        network: The network of the subnet.
        subnet: The subnet.
        cidr: Its range of addresses.
        port: The port of the interface, with what requires its replacement; empty if the interface has the address of
            the subnet's gateway.
    """

    router: str
    gateway: str
    network: str
    subnet: str
    cidr: str
    port: tuple[str, ...]


def connection(program: Program, interface: Declaration) -> Connection:
    """Return what an interface connects."""
    router = find(program, interface.inputs["router_id"].name)
    port: tuple[str, ...] = ()
    if "port_id" in interface.inputs:
        declared = find(program, interface.inputs["port_id"].name)
        port = (declared.name, str(declared.inputs.get("mac_address")))
        subnet = find(program, declared.inputs["fixed_ips"][0]["subnet_id"].name)
    else:
        subnet = find(program, interface.inputs["subnet_id"].name)
    gateway = router.inputs.get("external_network") or ""
    network = subnet.inputs["network_id"].name
    return Connection(router.name, gateway, network, subnet.name, subnet.inputs["cidr"], port)


def connections(program: Program) -> dict[str, Connection]:
    """Return what each interface connects, by the name of the interface."""
    return {each.name: connection(program, each) for each in of_kind(program, "RouterInterface")}


def port_of(program: Program, value: Ref) -> tuple[str, str] | None:
    """Return the port of an input `port_id`, and its subnet; None if it is not known which subnet Nova selects.

    The port of a NIC by network has the name of its server.
    """
    if not value.path:
        return value.name, find(program, value.name).inputs["fixed_ips"][0]["subnet_id"].name
    nics = find(program, value.name).inputs["networks"]
    nic = nics[value.path[0]]
    if "port_id" in nic:
        return port_of(program, nic["port_id"])
    found = [each.name for each in of_kind(program, "Subnet") if each.inputs["network_id"] == nic["network_id"]]
    return (value.name, found[0]) if len(found) == 1 else None


def needed(program: Program, each: Declaration) -> Connection | None:
    """Return the connection that a floating IP, an association or a route needs; None if the program has none."""
    known = connections(program).values()
    if each.kind == "RouterRoute":
        return next((one for one in known if one.router == each.inputs["router_id"].name and _is_in(each, one)), None)
    port = port_of(program, each.inputs["port_id"])
    return next((one for one in known if port and one.subnet == port[1] and one.gateway), None)


def users(program: Program) -> list[Declaration]:
    """Return the resources that need an interface of a router."""
    return [
        each
        for each in of_kind(program, "FloatingIp", "FloatingIpAssociation", "RouterRoute")
        if each.kind == "RouterRoute" or "port_id" in each.inputs
    ]


def published(program: Program) -> Iterator[tuple[tuple[str, str] | None, Declaration]]:
    """Yield the port of each floating IP and association."""
    for each in of_kind(program, "FloatingIp", "FloatingIpAssociation"):
        if "port_id" in each.inputs:
            yield port_of(program, each.inputs["port_id"]), each


def publishable(program: Program) -> list[Ref]:
    """Return the ports that a router connects to the external network and that have no floating IP."""
    used = {port for port, _ in published(program)}
    reached = {one.subnet for one in connections(program).values() if one.gateway}
    interfaces = {name for one in connections(program).values() for name in one.port[:1]}
    found = [Ref(each.name) for each in of_kind(program, "Port") if each.name not in interfaces]
    found += [Ref(each.name, "nics", (0, "port_id")) for each in of_kind(program, "Server")]
    return [ref for ref in found if (port := port_of(program, ref)) and port[1] in reached and port not in used]


def is_valid(program: Program) -> bool:
    """Whether every floating IP and route has its connection, and every port and floating IP one user at most."""
    if any(needed(program, each) is None for each in users(program)):
        return False
    interfaces, ports = connections(program), [port for port, _ in published(program)]
    subnets = [one.subnet for one in interfaces.values()]
    associated = [each.inputs["floating_ip_id"].name for each in of_kind(program, "FloatingIpAssociation")]
    own = [each.name for each in of_kind(program, "FloatingIp") if "port_id" in each.inputs]
    if any(len(items) != len(set(items)) for items in (subnets, ports, associated + own)):
        return False
    managed = {each.name for each in of_kind(program, "SecurityGroup") if "rules" in each.inputs}
    return not any(each.inputs["security_group_id"].name in managed for each in of_kind(program, "SecurityGroupRule"))


def _is_in(route: Declaration, one: Connection) -> bool:
    return ipaddress.ip_address(route.inputs["nexthop"]) in ipaddress.ip_network(one.cidr)


def is_kept(before: Program, after: Program) -> bool:
    """Whether the connections of floating IPs and routes outlive the `up`, or are deleted at its end with their users.

    Neutron removes no interface and no gateway that a floating IP or a route needs. What the engine replaces before it
    reaches the user of the interface can therefore not be replaced.
    """
    prior_interfaces, interfaces = connections(before), connections(after)
    routers = {each.name: each.inputs.get("external_network") or "" for each in of_kind(after, "Router")}
    for user in users(before):
        needs = needed(before, user)
        name = next((name for name, one in prior_interfaces.items() if one == needs), "")
        if needs is None or interfaces.get(name) == needs:
            continue
        is_deleted = name not in interfaces and routers.get(needs.router, needs.gateway) == needs.gateway
        if not is_deleted:
            return False
    return True


def rule_values(rule: Any) -> tuple[Any, ...]:
    """Return the values by which the rules of the programs differ."""
    remote = rule.get("remote_group_id")
    return (rule["direction"], rule.get("port_range_min"), remote.name if isinstance(remote, Ref) else remote)
