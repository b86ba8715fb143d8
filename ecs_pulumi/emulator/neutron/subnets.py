"""Subnets: the address ranges of a network and their allocation pools."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import addressing, otc
from .addresses import (
    IPV4,
    SLAAC_PREFIX,
    Prefix,
    check_dhcp,
    check_gateway_in_pools,
    check_pools,
    default_gateway,
    default_pools,
    parse_prefix,
)
from .attributes import UNSET
from .collection import (
    check_quota,
    get_owned,
    get_visible,
    new_document,
    register_reads,
    render,
    touch,
)
from .refusals import bad_resource, conflict, invalid_input
from .resources import NETWORK, SUBNET
from .segments import check_segment
from .service import extensions, service
from .subnet_pools import check_in_pool, prefix_from_pool

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

MAX_NAMESERVERS = 5
MAX_ROUTES = 20
OWNERS = ("network:", "compute:", "baremetal:", "neutron:", "trunk:", "manila:", "Octavia")
"""The valid prefixes of service types."""


@service.post("/subnets")
def create_subnet(call: Call) -> Reply:
    """`POST /subnets`."""
    values = SUBNET.read_create(call, extensions(call))
    check_quota(call, "subnet", values["project_id"])
    prefix = _requested_prefix(values)
    network = get_visible(call, NETWORK, values["network_id"])
    otc.check_subnet(call, network, values)
    if prefix is not None:
        otc.check_prefix(call, network, prefix)
    if prefix is None:
        prefix = otc.ipv6_prefix(call, values) or prefix_from_pool(call, values)
    elif values["subnetpool_id"] not in (UNSET, None):
        check_in_pool(call, values["subnetpool_id"], prefix)
    doc = make_subnet(call, network, prefix, values)
    return Reply(201, {"subnet": render(call, SUBNET, doc)})


def make_subnet(ctx: Context, network: Document, prefix: Prefix, values: Document) -> Document:
    """Create a subnet from the values, and select those that are UNSET."""
    values |= {
        "ip_version": int(values["ip_version"]),
        "cidr": str(prefix),
        "subnetpool_id": None if values["subnetpool_id"] is UNSET else values["subnetpool_id"],
        "_shared": network["shared"],
    }
    for mode in ("ipv6_ra_mode", "ipv6_address_mode"):
        values[mode] = None if values[mode] is UNSET else values[mode]
    if values["gateway_ip"] is UNSET:
        values["gateway_ip"] = default_gateway(prefix)
    check_segment(ctx, values)
    _check(values, prefix)
    _check_modes(values, prefix)
    for other in ctx.find("subnet", network_id=network["id"]):
        if other["subnetpool_id"] != values["subnetpool_id"] and other["ip_version"] == values["ip_version"]:
            message = "Subnets hosted on the same network must be allocated from the same subnet pool."
            raise HttpError(400, message, kind="NetworkSubnetPoolAffinityError")
        if ipaddress.ip_network(other["cidr"]).overlaps(prefix):
            message = f"Requested subnet with cidr: {prefix} for network: {network['id']} overlaps with another subnet"
            raise invalid_input(message)
    if values["allocation_pools"] in (UNSET, []):
        values["allocation_pools"] = otc.usable_pools(ctx, prefix, default_pools(prefix, values["gateway_ip"]))
    else:
        values["allocation_pools"] = check_pools(values["allocation_pools"], prefix)
        if values["gateway_ip"]:
            check_gateway_in_pools(values["gateway_ip"], values["allocation_pools"])
    del values["prefixlen"]
    doc = ctx.put("subnet", new_document(ctx, values, revision=0))
    network["subnets"].append(doc["id"])
    touch(ctx, "network", network)
    addressing.add_automatic_addresses(ctx, doc)
    return doc


register_reads(SUBNET)


@service.put("/subnets/{subnet_id}")
def update_subnet(call: Call, subnet_id: str) -> Document:
    """`PUT /subnets/{id}`."""
    values = SUBNET.read_update(call, extensions(call))
    doc = get_owned(call, SUBNET, subnet_id, "update")
    otc.check_up(call, values, "enable_dhcp")
    if call.is_otc:
        values.pop("host_routes", None)
    prefix = ipaddress.ip_network(doc["cidr"])
    updated = doc | values
    _check(updated, prefix)
    if "allocation_pools" in values:
        updated["allocation_pools"] = check_pools(values["allocation_pools"], prefix)
    if updated["gateway_ip"] and updated["gateway_ip"] != doc["gateway_ip"]:
        _check_gateway_unused(call, doc)
    if updated["gateway_ip"] and ("gateway_ip" in values or "allocation_pools" in values):
        check_gateway_in_pools(updated["gateway_ip"], updated["allocation_pools"])
    if updated != doc:
        doc = touch(call, "subnet", updated)
        network = call.get("network", doc["network_id"])
        if network:
            touch(call, "network", network)
    return {"subnet": render(call, SUBNET, doc)}


@service.delete("/subnets/{subnet_id}")
def delete_subnet(call: Call, subnet_id: str) -> None:
    """`DELETE /subnets/{id}`: 409 if a port has an address of the subnet, unless its addresses are automatic."""
    doc = get_owned(call, SUBNET, subnet_id, "delete")
    if addressing.is_automatic(doc) and router_port(call, doc) is None:
        addressing.remove_automatic_addresses(call, doc)
    elif call.count("address", network_id=doc["network_id"], subnet_id=subnet_id):
        message = (
            f"Unable to complete operation on subnet {subnet_id}: One or more ports have an IP"
            " allocation from this subnet."
        )
        raise conflict("SubnetInUse", message)
    call.remove("subnet", subnet_id)
    network = call.get("network", doc["network_id"])
    if network:
        network["subnets"].remove(subnet_id)
        touch(call, "network", network)


def router_port(ctx: Context, subnet: Document, address: str | None = None) -> Document | None:
    """Return a port that connects the subnet to a router, with this address if one is given."""
    for port in ctx.find("port", network_id=subnet["network_id"], device_owner=addressing.ROUTER_INTERFACE):
        for fixed in port["fixed_ips"]:
            if fixed["subnet_id"] == subnet["id"] and address in (None, fixed["ip_address"]):
                return port
    return None


def _check_gateway_unused(call: Call, subnet: Document) -> None:
    gateway = subnet["gateway_ip"]
    port = router_port(call, subnet, gateway) if gateway else None
    if port:
        message = f"Current gateway ip {gateway} already in use by port {port['id']}. Unable to update."
        raise conflict("GatewayIpInUse", message)


def _requested_prefix(values: Document) -> Prefix | None:
    """Return the requested prefix, or None if the prefix is to be allocated from a pool."""
    if values["cidr"] is UNSET:
        return None
    if values["prefixlen"] is not UNSET:
        raise bad_resource("subnets", "cidr and prefixlen must not be supplied together")
    try:
        prefix = parse_prefix(values["cidr"])
    except ValueError:
        raise invalid_input(f"{values['cidr']} is not in a CIDR format") from None
    _check_version("cidr", prefix, values["ip_version"])
    if values["enable_dhcp"]:
        check_dhcp(prefix)
    return prefix


def _check_version(name: str, value: Any, version: Any) -> None:
    address = value if isinstance(value, Prefix) else ipaddress.ip_network(value, strict=False)
    if address.version != int(version):
        raise invalid_input(f"{name} '{value}' does not match the ip_version '{version}'")


def _check(values: Document, prefix: Prefix) -> None:
    """Check the rules that apply to both created and updated subnets."""
    version = values["ip_version"]
    if values["enable_dhcp"]:
        check_dhcp(prefix)
    if values["gateway_ip"]:
        _check_version("gateway_ip", values["gateway_ip"], version)
        edges = (prefix.network_address, prefix.broadcast_address) if version == IPV4 else ()
        if ipaddress.ip_address(values["gateway_ip"]) in edges and prefix.prefixlen < prefix.max_prefixlen - 1:
            raise invalid_input("Gateway is not valid on subnet")
    subject = values.get("id", "new subnet")
    if len(values["dns_nameservers"]) > MAX_NAMESERVERS:
        message = (
            f"Unable to complete operation for {subject}. The number of DNS nameservers exceeds"
            f" the limit {MAX_NAMESERVERS}."
        )
        raise HttpError(400, message, kind="DNSNameServersExhausted")
    for server in values["dns_nameservers"]:
        _check_version("dns_nameserver", server, version)
    if len(values["host_routes"]) > MAX_ROUTES:
        message = (
            f"Unable to complete operation for {subject}. The number of host routes exceeds the limit {MAX_ROUTES}."
        )
        raise HttpError(400, message, kind="HostRoutesExhausted")
    for route in values["host_routes"]:
        for name in ("destination", "nexthop"):
            _check_version(name, route[name], version)
    for owner in values["service_types"]:
        if not str(owner).startswith(OWNERS):
            message = f"Subnet service type {owner} does not correspond to a valid device owner."
            raise HttpError(400, message, kind="InvalidSubnetServiceType")


def _check_modes(values: Document, prefix: Prefix) -> None:
    """Check that the two IPv6 modes are consistent with each other, with DHCP and with the prefix length."""
    router, address = values["ipv6_ra_mode"], values["ipv6_address_mode"]
    for name in ("ipv6_ra_mode", "ipv6_address_mode"):
        if values[name] and prefix.version == IPV4:
            raise invalid_input(f"{name} is not valid when ip_version is 4")
    if (router or address) and not values["enable_dhcp"]:
        raise invalid_input("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
    if router and address and router != address:
        message = (
            f"ipv6_ra_mode set to '{router}' with ipv6_address_mode set to '{address}' is not valid."
            " If both attributes are set, they must be the same value"
        )
        raise invalid_input(message)
    if {router, address} & {"slaac", "dhcpv6-stateless"} and prefix.prefixlen != SLAAC_PREFIX:
        message = (
            f"Invalid CIDR {prefix} for IPv6 address mode. OpenStack uses the EUI-64 address format,"
            " which requires the prefix to be /64"
        )
        raise invalid_input(message)
