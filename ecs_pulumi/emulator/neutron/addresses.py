"""IP prefixes, allocation pools and the selection of free addresses, independent of the state."""

from __future__ import annotations

import ipaddress
import random
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError

from .refusals import conflict, invalid_input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

Pool = dict[str, str]
"""`{"start": address, "end": address}`, both inclusive."""

IPV4 = 4
SLAAC_PREFIX = 64
ATTEMPTS, WINDOW = 8, 1023
"""The number of random attempts per series, and the offset up to which the first series searches a pool."""
MAC = re.compile(r"([0-9a-f]{2}[:-]){5}[0-9a-f]{2}", re.IGNORECASE)


def parse(text: Any) -> Interface:
    """Parse an address with or without the length of a prefix.

    Raises:
        ValueError: it is not the text of an address. Unlike `ipaddress`, numbers and IPv6 zones are not accepted.
    """
    if not isinstance(text, str) or "%" in text:
        raise ValueError(text)
    return ipaddress.ip_interface(text)


def parse_address(text: Any) -> Address:
    """Parse an address; see `parse`."""
    if "/" in str(text):
        raise ValueError(text)
    return parse(text).ip


def parse_prefix(text: str) -> Prefix:
    """Parse a prefix. Like the real service, accept host bits, missing octets and leading zeros.

    Raises:
        ValueError: the text is not a prefix.
    """
    address, slash, length = text.partition("/")
    if "%" in address:
        raise ValueError(text)
    if ":" not in address:
        octets = [str(int(octet)) for octet in address.split(".")]
        address = ".".join(octets + ["0"] * (IPV4 - len(octets)))
    return ipaddress.ip_network(address + slash + length, strict=False)


def check_dhcp(prefix: Prefix) -> None:
    """Reject a prefix that cannot be used with DHCP."""
    if prefix.version == IPV4:
        for invalid, word in (
            (prefix.is_multicast, "Multicast IP subnet"),
            (prefix.is_loopback, "Loopback IP subnet"),
            (int(prefix.network_address) == 0, f"First IP '{prefix.network_address}' of network"),
        ):
            if invalid:
                raise invalid_input(f"{word} is not supported if enable_dhcp is True.")
    if prefix.prefixlen > prefix.max_prefixlen - 2:
        raise invalid_input("Subnet has a prefix length that is incompatible with DHCP service enabled")


def default_gateway(prefix: Prefix) -> str:
    """Return the default gateway: the first host address, or the network address (the router's) in IPv6."""
    return str(prefix.network_address + (1 if prefix.version == IPV4 else 0))


def usable_range(prefix: Prefix) -> tuple[int, int]:
    """Return the first and the last address that a pool may contain, as numbers."""
    first, last = int(prefix.network_address), int(prefix.broadcast_address)
    if first == last:
        return first, last
    return first + 1, last - (1 if prefix.version == IPV4 else 0)


def contains_address(prefix: Prefix, text: str) -> bool:
    """Return whether an interface may have the address: in the prefix, and not its network or broadcast address."""
    address = ipaddress.ip_address(text)
    if address.version != prefix.version:
        return False
    first, last = usable_range(prefix)
    # In IPv6, the network address belongs to the router. Like any gateway address, a port may request it.
    return first <= int(address) <= last or (prefix.version != IPV4 and address == prefix.network_address)


def contains_prefix(block: Prefix, prefix: Prefix) -> bool:
    """Return whether `block` contains all of `prefix`."""
    return (
        block.version == prefix.version
        and int(block.network_address) <= int(prefix.network_address)
        and int(prefix.broadcast_address) <= int(block.broadcast_address)
    )


def default_pools(prefix: Prefix, gateway: str | None) -> list[Pool]:
    """Return pools with all usable addresses except the gateway."""
    first, last = usable_range(prefix)
    ranges = [(first, last)]
    if gateway and ipaddress.ip_address(gateway).version == prefix.version:
        excluded = int(ipaddress.ip_address(gateway))
        if first <= excluded <= last:
            ranges = [(first, excluded - 1), (excluded + 1, last)]
    return [
        {"start": _format_address(prefix.version, start), "end": _format_address(prefix.version, end)}
        for start, end in ranges
        if start <= end
    ]


def _format_address(version: int, number: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == IPV4 else ipaddress.IPv6Address(number))


def _version(pool: Pool) -> int:
    return ipaddress.ip_address(pool["start"]).version


def _bounds(pool: Pool) -> tuple[int, int]:
    return int(ipaddress.ip_address(pool["start"])), int(ipaddress.ip_address(pool["end"]))


def _format_pool(pool: Pool) -> str:
    return f"{pool['start']}-{pool['end']}"


def check_pools(pools: list[Pool], prefix: Prefix) -> list[Pool]:
    """Return the pools sorted by address; reject pools that are reversed, out of bounds or overlapping."""
    first, last = usable_range(prefix)
    for pool in pools:
        start, end = _bounds(pool)
        if {_version(pool), ipaddress.ip_address(pool["end"]).version} != {prefix.version}:
            message = f"The allocation pool {_format_pool(pool)} is not valid."
            raise HttpError(400, message, kind="InvalidAllocationPool")
        if end < start:
            raise HttpError(400, f"The allocation pool {pool} is not valid.", kind="InvalidAllocationPool")
        if start < first or end > last:
            message = f"The allocation pool {_format_pool(pool)} spans beyond the subnet cidr {prefix}."
            raise HttpError(400, message, kind="OutOfBoundsAllocationPool")
    ordered = sorted(pools, key=_bounds)
    for one, other in pairwise(ordered):
        if _bounds(other)[0] <= _bounds(one)[1]:
            message = (
                f"Found overlapping allocation pools: {_format_pool(one)} {_format_pool(other)} for subnet {prefix}."
            )
            raise conflict("OverlappingAllocationPools", message)
    return ordered


def check_gateway_in_pools(gateway: str, pools: list[Pool]) -> None:
    """Reject a gateway that is inside an allocation pool."""
    address = ipaddress.ip_address(gateway)
    for pool in pools:
        start, end = _bounds(pool)
        if _version(pool) == address.version and start <= int(address) <= end:
            message = f"Gateway ip {gateway} conflicts with allocation pool {_format_pool(pool)}."
            raise conflict("GatewayConflictWithAllocationPools", message)


def interface_identifier(prefix: Prefix, mac: str) -> str:
    """Return the address that an interface with this MAC address configures in a SLAAC subnet (EUI-64)."""
    octets = [int(octet, 16) for octet in re.split("[:-]", mac)]
    octets[0] ^= 0x02
    suffix = int.from_bytes(bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]]), "big")
    return str(prefix.network_address + suffix)


def free_address(pools: list[Pool], is_taken: Callable[[str], bool]) -> str | None:
    """Return a free address of the pools, selected at random as in the real service; None if there is none.

    A few random attempts come first, so that finding an address in a large subnet does not scan its pools.
    """
    ranges = [(_version(pool), *_bounds(pool)) for pool in pools]
    for version, start, end in ranges:
        for last in (min(end, start + WINDOW), end):
            for _ in range(ATTEMPTS):
                number = random.randint(start, last)  # noqa: S311  # no secret
                if not is_taken(_format_address(version, number)):
                    return _format_address(version, number)
    for version, start, end in ranges:
        for number in range(start, end + 1):
            if not is_taken(_format_address(version, number)):
                return _format_address(version, number)
    return None


def free_prefix(prefixes: list[Prefix], used: list[Prefix], length: int) -> Prefix | None:
    """Return the first free prefix of this length, from the smallest free block that is large enough."""
    blocks = list(prefixes)
    for allocated in used:
        blocks = [rest for block in blocks for rest in _subtract(block, allocated)]
    fitting = [block for block in blocks if block.prefixlen <= length]
    if not fitting:
        return None
    best = min(fitting, key=lambda block: (-block.prefixlen, int(block.network_address)))
    return ipaddress.ip_network(f"{best.network_address}/{length}")


def _subtract(block: Prefix, allocated: Prefix) -> Iterator[Prefix]:
    if not block.overlaps(allocated):
        yield block
    elif not contains_prefix(allocated, block):
        yield from block.address_exclude(allocated)  # type: ignore[arg-type]  # overlapping, so of the same version
