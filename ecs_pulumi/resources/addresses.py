"""IP addresses, ranges of them, and MAC addresses: their types, and their canonical spelling."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from ecs_pulumi.dynamic.fields import ComparedAs, Nested

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Range: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_POINT_TO_POINT = 2
"""A range of this many addresses, or fewer, has neither a network address nor a broadcast address."""
_BROADCAST_VERSION = 4
"""The IP version that has broadcast addresses."""
_MAC = re.compile(r"[0-9a-f]{12}")
_SEPARATORS = re.compile(r"[:.-]")
_IPV6 = 6


def canonical_ip(text: str) -> str:
    """Return an address, or an address with a prefix length, in Neutron's spelling; any other text unchanged."""
    try:
        return str(ipaddress.ip_interface(text) if "/" in text else ipaddress.ip_address(text))
    except ValueError:
        return text


def canonical_mac(text: str) -> str:
    """Return a MAC address in lower case with colons, as Neutron spells it; any other text unchanged."""
    digits = _SEPARATORS.sub("", text.lower())
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2)) if _MAC.fullmatch(digits) else text


def ip_range(cidr: str) -> Range:
    """Parse the cidr of a subnet."""
    return ipaddress.ip_network(cidr, strict=False)


def port_address_range(network: Range) -> tuple[Address, Address]:
    """Return the first and last address that ports can use, without the network and broadcast addresses."""
    is_point_to_point = network.num_addresses <= _POINT_TO_POINT
    return network[0 if is_point_to_point else 1], network[
        -1 if is_point_to_point or network.version != _BROADCAST_VERSION else -2
    ]


def is_automatic(address: str, mac: str) -> bool:
    """Whether this is the IPv6 address that a NIC derives from its MAC address (EUI-64).

    Neutron adds it to every port of a network with a subnet of the mode `slaac` or `dhcpv6-stateless`.
    """
    try:
        octets, parsed = bytes.fromhex(canonical_mac(mac).replace(":", "")), ipaddress.ip_address(address)
    except ValueError:
        return False
    interface_id = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]]) if octets else b""
    return parsed.version == _IPV6 and parsed.packed[-len(interface_id) :] == interface_id


IpAddress: TypeAlias = Annotated[str, ComparedAs(canonical_ip), AfterValidator(canonical_ip)]
"""An address, with or without a prefix length. Requests and the state contain it in its canonical spelling."""
MacAddress: TypeAlias = Annotated[str, ComparedAs(canonical_mac), AfterValidator(canonical_mac)]
"""A MAC address. Requests and the state contain it in its canonical spelling."""
IpAddressAsWritten: TypeAlias = Annotated[str, ComparedAs(canonical_ip)]
"""An address, with or without a prefix length. Requests and the state contain it as the program spells it."""


class PortAssignedIp(Nested):
    """An address of a port."""

    subnet_id: str = Field(description="Subnet of the address.")
    ip_address: str = Field(description="The address.")
