"""Giving addresses to ports: what is taken is remembered by subnet and address, so that asking costs one look."""

from __future__ import annotations

import ipaddress
import random
from typing import TYPE_CHECKING, NoReturn

from ecs_pulumi.emulator.errors import HttpError

from .addresses import contains, free_address, interface_identifier
from .refusals import conflict, invalid_input

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

Fixed = dict[str, str]
"""`{"subnet_id": …, "ip_address": …}`."""

AUTOMATIC_MODES = ("slaac", "dhcpv6-stateless")
IPV4 = 4


def automatic(subnet: Document) -> bool:
    """Whether interfaces give themselves their addresses in the subnet."""
    return subnet["ipv6_address_mode"] in AUTOMATIC_MODES


def free_mac(ctx: Context, network_id: str) -> str:
    """A MAC address that the network does not have yet."""
    while True:
        tail = ":".join(f"{random.randint(0, 255):02x}" for _ in range(3))  # noqa: S311  # no secret
        mac = f"fa:16:3e:{tail}"
        if ctx.get("mac", f"{network_id}/{mac}") is None:
            return mac


def claim_mac(ctx: Context, network_id: str, mac: str) -> None:
    """Remember that the network has this MAC address; 409 if it had."""
    if ctx.get("mac", f"{network_id}/{mac}"):
        message = f"Unable to complete operation for network {network_id}. The mac address {mac} is in use."
        raise conflict("MacAddressInUse", message)
    ctx.put("mac", {"id": f"{network_id}/{mac}"})


def release_mac(ctx: Context, network_id: str, mac: str) -> None:
    """Forget it."""
    ctx.remove("mac", f"{network_id}/{mac}")


def claim(ctx: Context, network_id: str, fixed: Fixed) -> None:
    """Remember that a port of the network has this address."""
    ctx.put("address", {"id": f"{fixed['subnet_id']}/{fixed['ip_address']}", "network_id": network_id, **fixed})


def release(ctx: Context, fixed: Fixed) -> None:
    """Forget it."""
    ctx.remove("address", f"{fixed['subnet_id']}/{fixed['ip_address']}")


def taken(ctx: Context, subnet_id: str, address: str) -> bool:
    """Whether a port has this address."""
    return ctx.get("address", f"{subnet_id}/{address}") is not None


def allocate(
    ctx: Context, port: Document, wanted: list[Fixed] | None, former: list[Fixed] | None = None
) -> list[Fixed]:
    """Claim addresses for a port.

    Args:
        ctx: the moment.
        port: with `id`, `network_id`, `mac_address` and `device_owner`.
        wanted: by subnet, by address or both; None leaves it to the cloud: one of each IP version.
        former: what the port had, and keeps where it is wanted; the rest is released.

    Returns:
        The addresses in the order in which Neutron shows them.
    """
    former = former or []
    subnets = ctx.find("subnet", network_id=port["network_id"])
    for fixed in former:
        release(ctx, fixed)
    given = _by_version(ctx, port, subnets) if wanted is None else _as_wanted(ctx, port, subnets, wanted, former)
    own = {fixed["subnet_id"] for fixed in given}
    for subnet in subnets:
        if automatic(subnet) and subnet["id"] not in own:
            fixed = _automatic(subnet, port)
            claim(ctx, port["network_id"], fixed)
            given.append(fixed)
    return sorted(given, key=lambda fixed: (fixed["ip_address"], fixed["subnet_id"]))


def give_automatic_addresses(ctx: Context, subnet: Document) -> None:
    """Let the ports that are there already have their address of a new subnet."""
    if automatic(subnet):
        for port in ctx.find("port", network_id=subnet["network_id"]):
            fixed = _automatic(subnet, port)
            claim(ctx, port["network_id"], fixed)
            port["fixed_ips"].append(fixed)
            ctx.put("port", port)


def take_automatic_addresses(ctx: Context, subnet: Document) -> None:
    """Take them away with the subnet."""
    for port in ctx.find("port", network_id=subnet["network_id"]):
        for fixed in [each for each in port["fixed_ips"] if each["subnet_id"] == subnet["id"]]:
            release(ctx, fixed)
            port["fixed_ips"].remove(fixed)
            ctx.put("port", port)


def _automatic(subnet: Document, port: Document) -> Fixed:
    prefix = ipaddress.ip_network(subnet["cidr"])
    return {"subnet_id": subnet["id"], "ip_address": interface_identifier(prefix, port["mac_address"])}


def _by_version(ctx: Context, port: Document, subnets: list[Document]) -> list[Fixed]:
    given = []
    for version in (4, 6):
        of_version = [subnet for subnet in subnets if subnet["ip_version"] == version and not automatic(subnet)]
        fitting = [
            subnet
            for subnet in of_version
            if not subnet["service_types"] or port["device_owner"] in subnet["service_types"]
        ]
        if not of_version:
            continue
        fixed = next((one for subnet in fitting if (one := _any_of(ctx, subnet))), None)
        fixed = fixed or _none_left(port)
        claim(ctx, port["network_id"], fixed)
        given.append(fixed)
    return given


def _any_of(ctx: Context, subnet: Document) -> Fixed | None:
    address = free_address(subnet["allocation_pools"], lambda candidate: taken(ctx, subnet["id"], candidate))
    return {"subnet_id": subnet["id"], "ip_address": address} if address else None


def _none_left(port: Document) -> NoReturn:
    message = f"No more IP addresses available on network {port['network_id']}."
    raise conflict("IpAddressGenerationFailure", message)


def _as_wanted(
    ctx: Context, port: Document, subnets: list[Document], wanted: list[Fixed], former: list[Fixed]
) -> list[Fixed]:
    if wanted and not subnets:
        raise invalid_input("IP allocation requires subnets for network")
    # An address that is named goes first, and is then not given to somebody who only named the subnet.
    given = []
    spare = list(former)
    for fixed in sorted(wanted, key=lambda each: "ip_address" not in each):
        subnet = _subnet_of(ctx, port, subnets, fixed)
        if "ip_address" in fixed:
            one = _named(ctx, subnet, fixed["ip_address"])
            spare = [each for each in spare if each != one]
        elif automatic(subnet):
            one = _automatic(subnet, port)
        else:
            one = _kept(spare, subnet) or _any_of(ctx, subnet) or _none_left(port)
        claim(ctx, port["network_id"], one)
        given.append(one)
    return given


def _kept(spare: list[Fixed], subnet: Document) -> Fixed | None:
    for place in reversed(range(len(spare))):
        if spare[place]["subnet_id"] == subnet["id"]:
            return spare.pop(place)
    return None


def _named(ctx: Context, subnet: Document, address: str) -> Fixed:
    if automatic(subnet):
        message = (
            f"IPv6 address {address} cannot be directly assigned to a port on subnet {subnet['id']}"
            " as the subnet is configured for automatic addresses"
        )
        raise HttpError(400, message, kind="AllocationOnAutoAddressSubnet")
    if taken(ctx, subnet["id"], address):
        message = f"IP address {address} already allocated in subnet {subnet['id']}"
        raise conflict("IpAddressAlreadyAllocated", message)
    return {"subnet_id": subnet["id"], "ip_address": address}


def _subnet_of(ctx: Context, port: Document, subnets: list[Document], fixed: Fixed) -> Document:
    """The subnet that an address is wanted of, by its id or by the address."""
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
        if address and not contains(ipaddress.ip_network(subnet["cidr"]), address):
            message = f"IP address {address} is not a valid IP for the specified subnet."
            raise HttpError(400, message, kind="InvalidIpForSubnet")
        return subnet
    if address is None:
        raise invalid_input("IP allocation requires subnet_id or ip_address")
    for subnet in subnets:
        if contains(ipaddress.ip_network(subnet["cidr"]), address):
            return subnet
    message = f"IP address {address} is not a valid IP for any of the subnets on the specified network."
    raise HttpError(400, message, kind="InvalidIpForNetwork")
