"""How addresses are written: the cloud tells them in one way, and programs say them in several."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

_MAC = re.compile(r"[0-9a-f]{12}")
_BETWEEN = re.compile(r"[:.-]")


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


IpAddress: TypeAlias = Annotated[str, AfterValidator(canonical_ip)]
MacAddress: TypeAlias = Annotated[str, AfterValidator(canonical_mac)]
