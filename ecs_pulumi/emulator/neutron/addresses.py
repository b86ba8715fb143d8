"""Addresses: networks as Neutron reads them, the pools of a subnet, and which address is free. Knows no state."""

from __future__ import annotations

import ipaddress
import random
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from ecs_pulumi.emulator.errors import HttpError

from .refusals import conflict, invalid_input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network

Pool = dict[str, str]
"""`{"start": address, "end": address}`, both included."""

IPV4 = 4
SLAAC_PREFIX = 64
TRIES, WINDOW = 8, 1023
"""How often, and how deep into a pool, an address is looked for by chance."""
MAC = re.compile(r"([0-9a-f]{2}[:-]){5}[0-9a-f]{2}", re.IGNORECASE)


def parse_prefix(text: str) -> Prefix:
    """A network, forgiving host bits, missing octets and leading zeros as the real service does.

    Raises:
        ValueError: it is none.
    """
    address, slash, length = text.partition("/")
    if ":" not in address:
        octets = [str(int(octet)) for octet in address.split(".")]
        address = ".".join(octets + ["0"] * (IPV4 - len(octets)))
    return ipaddress.ip_network(address + slash + length, strict=False)


def check_dhcp(prefix: Prefix) -> None:
    """Refuse a network in which DHCP could serve nobody."""
    if prefix.version == IPV4:
        for wrong, word in (
            (prefix.is_multicast, "Multicast IP subnet"),
            (prefix.is_loopback, "Loopback IP subnet"),
            (int(prefix.network_address) == 0, f"First IP '{prefix.network_address}' of network"),
        ):
            if wrong:
                raise invalid_input(f"{word} is not supported if enable_dhcp is True.")
    if prefix.prefixlen > prefix.max_prefixlen - 2:
        raise invalid_input("Subnet has a prefix length that is incompatible with DHCP service enabled")


def default_gateway(prefix: Prefix) -> str:
    """The gateway where none is asked for: the first host, or the router's own address in IPv6."""
    return str(prefix.network_address + (1 if prefix.version == IPV4 else 0))


def usable(prefix: Prefix) -> tuple[int, int]:
    """The first and the last address that a pool may hold, as numbers."""
    first, last = int(prefix.network_address), int(prefix.broadcast_address)
    if first == last:
        return first, last
    return first + 1, last - (1 if prefix.version == IPV4 else 0)


def contains(prefix: Prefix, text: str) -> bool:
    """Whether an interface may have the address: inside, and neither the network's nor the broadcast one."""
    address = ipaddress.ip_address(text)
    if address.version != prefix.version:
        return False
    first, last = usable(prefix)
    # The network's own address is the router's in IPv6, and like any gateway it may be asked for.
    return first <= int(address) <= last or (prefix.version != IPV4 and address == prefix.network_address)


def holds(block: Prefix, prefix: Prefix) -> bool:
    """Whether all of `prefix` lies in `block`."""
    return (
        block.version == prefix.version
        and int(block.network_address) <= int(prefix.network_address)
        and int(prefix.broadcast_address) <= int(block.broadcast_address)
    )


def default_pools(prefix: Prefix, gateway: str | None) -> list[Pool]:
    """All usable addresses but the gateway."""
    first, last = usable(prefix)
    around = [(first, last)]
    if gateway and ipaddress.ip_address(gateway).version == prefix.version:
        hole = int(ipaddress.ip_address(gateway))
        if first <= hole <= last:
            around = [(first, hole - 1), (hole + 1, last)]
    return [
        {"start": _spelled(prefix.version, start), "end": _spelled(prefix.version, end)}
        for start, end in around
        if start <= end
    ]


def _spelled(version: int, number: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == IPV4 else ipaddress.IPv6Address(number))


def _version(pool: Pool) -> int:
    return ipaddress.ip_address(pool["start"]).version


def _bounds(pool: Pool) -> tuple[int, int]:
    return int(ipaddress.ip_address(pool["start"])), int(ipaddress.ip_address(pool["end"]))


def _named(pool: Pool) -> str:
    return f"{pool['start']}-{pool['end']}"


def check_pools(pools: list[Pool], prefix: Prefix) -> list[Pool]:
    """The pools in order of address; refuses what is upside down, outside or overlapping."""
    first, last = usable(prefix)
    for pool in pools:
        start, end = _bounds(pool)
        if {_version(pool), ipaddress.ip_address(pool["end"]).version} != {prefix.version}:
            message = f"The allocation pool {_named(pool)} is not valid."
            raise HttpError(400, message, kind="InvalidAllocationPool")
        if end < start:
            raise HttpError(400, f"The allocation pool {pool} is not valid.", kind="InvalidAllocationPool")
        if start < first or end > last:
            message = f"The allocation pool {_named(pool)} spans beyond the subnet cidr {prefix}."
            raise HttpError(400, message, kind="OutOfBoundsAllocationPool")
    ordered = sorted(pools, key=_bounds)
    for one, other in pairwise(ordered):
        if _bounds(other)[0] <= _bounds(one)[1]:
            message = f"Found overlapping allocation pools: {_named(one)} {_named(other)} for subnet {prefix}."
            raise conflict("OverlappingAllocationPools", message)
    return ordered


def check_gateway_in_pools(gateway: str, pools: list[Pool]) -> None:
    """Refuse a gateway that a port could be given."""
    address = ipaddress.ip_address(gateway)
    for pool in pools:
        start, end = _bounds(pool)
        if _version(pool) == address.version and start <= int(address) <= end:
            message = f"Gateway ip {gateway} conflicts with allocation pool {_named(pool)}."
            raise conflict("GatewayConflictWithAllocationPools", message)


def interface_identifier(prefix: Prefix, mac: str) -> str:
    """The address that an interface gives itself in a SLAAC subnet (EUI-64)."""
    octets = [int(octet, 16) for octet in re.split("[:-]", mac)]
    octets[0] ^= 0x02
    suffix = int.from_bytes(bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]]), "big")
    return str(prefix.network_address + suffix)


def free_address(pools: list[Pool], taken: Callable[[str], bool]) -> str | None:
    """An address of the pools that is not taken, by chance like the real service's; None if there is none.

    A few blind tries come first, so that a large subnet costs no walk through it.
    """
    ranges = [(_version(pool), *_bounds(pool)) for pool in pools]
    for version, start, end in ranges:
        for last in (min(end, start + WINDOW), end):
            for _ in range(TRIES):
                number = random.randint(start, last)  # noqa: S311  # no secret
                if not taken(_spelled(version, number)):
                    return _spelled(version, number)
    for version, start, end in ranges:
        for number in range(start, end + 1):
            if not taken(_spelled(version, number)):
                return _spelled(version, number)
    return None


def free_prefix(prefixes: list[Prefix], used: list[Prefix], length: int) -> Prefix | None:
    """The first free network of this length, from the smallest free block that holds one."""
    blocks = list(prefixes)
    for taken in used:
        blocks = [rest for block in blocks for rest in _without(block, taken)]
    fitting = [block for block in blocks if block.prefixlen <= length]
    if not fitting:
        return None
    best = min(fitting, key=lambda block: (-block.prefixlen, int(block.network_address)))
    return ipaddress.ip_network(f"{best.network_address}/{length}")


def _without(block: Prefix, taken: Prefix) -> Iterator[Prefix]:
    if not block.overlaps(taken):
        yield block
    elif not holds(taken, block):
        yield from block.address_exclude(taken)  # type: ignore[arg-type]  # of one version, as they overlap
