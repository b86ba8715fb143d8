"""Addresses: what they consist of, and how they are written: one way by the cloud, several ways by programs."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator
from typing_extensions import TypedDict

_MAC = re.compile(r"[0-9a-f]{12}")
_BETWEEN = re.compile(r"[:.-]")
_IPV6 = 6


def canonical_ip(text: str) -> str:
    """An address, or a range with its prefix, as Neutron tells it; anything else as it is."""
    try:
        return str(ipaddress.ip_interface(text) if "/" in text else ipaddress.ip_address(text))
    except ValueError:
        return text


def canonical_mac(text: str) -> str:
    """A MAC address as Neutron tells it, in small letters with colons; anything else as it is."""
    digits = _BETWEEN.sub("", text.lower())
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2)) if _MAC.fullmatch(digits) else text


def is_automatic(address: str, mac: str) -> bool:
    """Whether it is the IPv6 address that a NIC of this MAC address gives itself (EUI-64).

    Neutron adds it to every port of a network with a subnet of the mode `slaac` or `dhcpv6-stateless`.
    """
    try:
        octets, checked = bytes.fromhex(canonical_mac(mac).replace(":", "")), ipaddress.ip_address(address)
    except ValueError:
        return False
    own = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]]) if octets else b""
    return checked.version == _IPV6 and checked.packed[-len(own) :] == own


IpAddress: TypeAlias = Annotated[str, AfterValidator(canonical_ip)]
MacAddress: TypeAlias = Annotated[str, AfterValidator(canonical_mac)]


class FixedIp(TypedDict):
    """An address that a port has."""

    subnet_id: str
    """Subnet the address is from."""
    ip_address: str
    """The address."""
