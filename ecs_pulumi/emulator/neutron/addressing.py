"""The allocation of addresses to ports.

Allocated addresses are stored as documents by subnet and address, so that a check is a single look-up.
"""

from __future__ import annotations

import ipaddress
import random
from typing import TYPE_CHECKING, NoReturn

from ecs_pulumi.emulator.errors import HttpError

from . import otc
from .addresses import contains_address, free_address, interface_identifier
from .refusals import conflict, invalid_input

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

Fixed = dict[str, str]
"""`{"subnet_id": …, "ip_address": …}`."""

AUTOMATIC_MODES = ("slaac", "dhcpv6-stateless")
ROUTER_INTERFACE = "network:router_interface"
IPV4 = 4


def is_automatic(subnet: Document) -> bool:
    """Return whether interfaces in the subnet configure their own addresses."""
    return subnet["ipv6_address_mode"] in AUTOMATIC_MODES


def free_mac(ctx: Context, network_id: str) -> str:
    """Return a MAC address that is not used in the network."""
    while True:
        tail = ":".join(f"{random.randint(0, 255):02x}" for _ in range(3))  # noqa: S311  # no secret
        mac = f"fa:16:3e:{tail}"
        if ctx.get("mac", f"{network_id}/{mac}") is None:
            return mac


def claim_mac(ctx: Context, network_id: str, mac: str) -> None:
    """Record that the MAC address is used in the network; 409 if it is in use already."""
    if ctx.get("mac", f"{network_id}/{mac}"):
        message = f"Unable to complete operation for network {network_id}. The mac address {mac} is in use."
        raise conflict("MacAddressInUse", message)
    ctx.put("mac", {"id": f"{network_id}/{mac}"})


def release_mac(ctx: Context, network_id: str, mac: str) -> None:
    """Record that the MAC address is no longer used in the network."""
    ctx.remove("mac", f"{network_id}/{mac}")


def claim(ctx: Context, network_id: str, fixed: Fixed) -> None:
    """Record that a port of the network has this address."""
    ctx.put("address", {"id": f"{fixed['subnet_id']}/{fixed['ip_address']}", "network_id": network_id, **fixed})


def release(ctx: Context, fixed: Fixed) -> None:
    """Record that no port has this address."""
    ctx.remove("address", f"{fixed['subnet_id']}/{fixed['ip_address']}")


def is_taken(ctx: Context, subnet_id: str, address: str) -> bool:
    """Return whether a port has this address."""
    return ctx.get("address", f"{subnet_id}/{address}") is not None


def allocate(
    ctx: Context, port: Document, requested: list[Fixed] | None, prior: list[Fixed] | None = None
) -> list[Fixed]:
    """Allocate addresses to a port.

    Args:
        ctx: the context.
        port: the port, with `id`, `network_id`, `mac_address` and `device_owner`.
        requested: the requested addresses, by subnet, by address or both; None selects one address per IP version.
        prior: the prior addresses of the port. Those that match a request are kept, the others are released.

    Returns:
        The addresses in the order in which Neutron returns them.
    """
    prior = prior or []
    subnets = ctx.find("subnet", network_id=port["network_id"])
    for fixed in prior:
        release(ctx, fixed)
    allocated = (
        _allocate_per_version(ctx, port, subnets)
        if requested is None
        else _allocate_requested(ctx, port, subnets, requested, prior)
    )
    covered = {fixed["subnet_id"] for fixed in allocated}
    for subnet in subnets:
        if is_automatic(subnet) and subnet["id"] not in covered and port["device_owner"] != ROUTER_INTERFACE:
            fixed = _automatic_fixed_ip(subnet, port)
            claim(ctx, port["network_id"], fixed)
            allocated.append(fixed)
    return sorted(allocated, key=lambda fixed: (fixed["ip_address"], fixed["subnet_id"]))


def add_automatic_addresses(ctx: Context, subnet: Document) -> None:
    """Add an address of a new subnet to the existing ports, if the subnet has automatic addresses."""
    if is_automatic(subnet):
        for port in ctx.find("port", network_id=subnet["network_id"]):
            if port["device_owner"] == ROUTER_INTERFACE:
                continue
            fixed = _automatic_fixed_ip(subnet, port)
            claim(ctx, port["network_id"], fixed)
            port["fixed_ips"].append(fixed)
            ctx.put("port", port)


def remove_automatic_addresses(ctx: Context, subnet: Document) -> None:
    """Remove the addresses of a subnet from all ports."""
    for port in ctx.find("port", network_id=subnet["network_id"]):
        for fixed in [each for each in port["fixed_ips"] if each["subnet_id"] == subnet["id"]]:
            release(ctx, fixed)
            port["fixed_ips"].remove(fixed)
            ctx.put("port", port)


def _automatic_fixed_ip(subnet: Document, port: Document) -> Fixed:
    prefix = ipaddress.ip_network(subnet["cidr"])
    return {"subnet_id": subnet["id"], "ip_address": interface_identifier(prefix, port["mac_address"])}


def _allocate_per_version(ctx: Context, port: Document, subnets: list[Document]) -> list[Fixed]:
    allocated = []
    for version in (4, 6):
        of_version = [subnet for subnet in subnets if subnet["ip_version"] == version and not is_automatic(subnet)]
        of_version.sort(key=lambda subnet: str(subnet["id"]))  # Neutron begins with the smallest id
        eligible = [
            subnet
            for subnet in of_version
            if not subnet["service_types"] or port["device_owner"] in subnet["service_types"]
        ]
        if not of_version:
            continue
        fixed = next((one for subnet in eligible if (one := _free_fixed_ip(ctx, subnet))), None)
        fixed = fixed or _raise_no_address_left(port)
        claim(ctx, port["network_id"], fixed)
        allocated.append(fixed)
    return allocated


def _free_fixed_ip(ctx: Context, subnet: Document) -> Fixed | None:
    address = free_address(subnet["allocation_pools"], lambda candidate: is_taken(ctx, subnet["id"], candidate))
    return {"subnet_id": subnet["id"], "ip_address": address} if address else None


def _raise_no_address_left(port: Document) -> NoReturn:
    message = f"No more IP addresses available on network {port['network_id']}."
    raise conflict("IpAddressGenerationFailure", message)


def _allocate_requested(
    ctx: Context, port: Document, subnets: list[Document], requested: list[Fixed], prior: list[Fixed]
) -> list[Fixed]:
    if requested and not subnets:
        raise invalid_input("IP allocation requires subnets for network")
    # Allocate the explicit addresses first, so that a request by subnet alone does not receive one of them.
    allocated = []
    reusable = list(prior)
    for fixed in sorted(requested, key=lambda each: "ip_address" not in each):
        subnet = _subnet_of(ctx, port, subnets, fixed)
        if "ip_address" in fixed:
            one = _explicit_fixed_ip(ctx, port, subnet, fixed["ip_address"])
            reusable = [each for each in reusable if each != one]
        elif is_automatic(subnet):
            one = _automatic_fixed_ip(subnet, port)
        else:
            one = _take_reusable(reusable, subnet) or _free_fixed_ip(ctx, subnet) or _raise_no_address_left(port)
        claim(ctx, port["network_id"], one)
        allocated.append(one)
    return allocated


def _take_reusable(reusable: list[Fixed], subnet: Document) -> Fixed | None:
    for index in reversed(range(len(reusable))):
        if reusable[index]["subnet_id"] == subnet["id"]:
            return reusable.pop(index)
    return None


def _explicit_fixed_ip(ctx: Context, port: Document, subnet: Document, address: str) -> Fixed:
    if is_automatic(subnet) and port["device_owner"] != ROUTER_INTERFACE:
        message = (
            f"IPv6 address {address} cannot be directly assigned to a port on subnet {subnet['id']}"
            " as the subnet is configured for automatic addresses"
        )
        raise HttpError(400, message, kind="AllocationOnAutoAddressSubnet")
    otc.check_address(ctx, subnet, address)
    if is_taken(ctx, subnet["id"], address):
        message = f"IP address {address} already allocated in subnet {subnet['id']}"
        raise conflict("IpAddressAlreadyAllocated", message)
    return {"subnet_id": subnet["id"], "ip_address": address}


def _subnet_of(ctx: Context, port: Document, subnets: list[Document], fixed: Fixed) -> Document:
    """Return the subnet of a requested address: the one with `subnet_id`, or the one that contains the address."""
    address = fixed.get("ip_address")
    if "subnet_id" in fixed:
        subnet = ctx.get("subnet", fixed["subnet_id"])
        if subnet is None:
            message = f"Subnet {fixed['subnet_id']} could not be found."
            raise HttpError(404, message, kind="SubnetNotFound")
        if subnet["network_id"] != port["network_id"]:
            message = (
                f"Failed to create port on network {port['network_id']}, because fixed_ips included"
                f" invalid subnet {subnet['id']}"
            )
            raise invalid_input(message)
        if address and not contains_address(ipaddress.ip_network(subnet["cidr"]), address):
            message = f"IP address {address} is not a valid IP for the specified subnet."
            raise HttpError(400, message, kind="InvalidIpForSubnet")
        return subnet
    if address is None:
        raise invalid_input("IP allocation requires subnet_id or ip_address")
    for subnet in subnets:
        if contains_address(ipaddress.ip_network(subnet["cidr"]), address):
            return subnet
    message = f"IP address {address} is not a valid IP for any of the subnets on the specified network."
    raise HttpError(400, message, kind="InvalidIpForNetwork")
