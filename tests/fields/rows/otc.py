"""What is different in the table of fields on an Open Telekom Cloud, by kind and field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.fields.rows.neutron import PORT
from tests.fields.rows.row import NONE, Row


@dataclass(frozen=True)
class NotOffered:
    """A field that the cloud refuses: preview or `up` fails with one line, and no object is left.

    Attributes:
        reason: A pattern of the error message.
        value: The value that is refused; the first value of the row if not given.
        base: The other inputs, if they are different from those of the row.
    """

    reason: str
    value: Any = NONE
    base: Any = None


@dataclass(frozen=True)
class NotKept:
    """A field without which the object is useful: a warning names it, and no preview shows a change of it.

    Attributes:
        warning: A pattern of the warning.
        value: The value that is not kept; the first value of the row if not given.
        base: The other inputs, if they are different from those of the row.
    """

    warning: str
    value: Any = NONE
    base: Any = None


@dataclass(frozen=True)
class NotChanged:
    """A field that only a create can set: an update fails with one line, and the object keeps the first value.

    Attributes:
        reason: A pattern of the error message.
        value: The value that a create sets; the first value of the row if not given.
        second: The value to which it cannot be changed; the second value of the row if not given.
    """

    reason: str
    value: Any = NONE
    second: Any = NONE


OtcRow = Row | NotOffered | NotKept | NotChanged

_ID = "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"


def _port(**inputs: Any) -> Any:
    return lambda g: {"network_id": g.subnet and g.network, **inputs}


OTC: dict[str, dict[str, OtcRow]] = {
    "Network": {
        "description": NotKept("description: not kept"),
        "tags": NotKept("tags: not kept"),
        "admin_state_up": NotOffered("admin_state_up"),
        "mtu": NotOffered("mtu"),
        "dns_domain": NotOffered("dns_domain"),
        "qos_policy_id": NotOffered("qos_policy_id", _ID),
        "transparent_vlan": NotOffered("transparent_vlan"),
        "availability_zone_hints": NotOffered("availability_zone_hints", ["eu-de-01"]),
        "value_specs": Row({"port_security_enabled": True}, {"port_security_enabled": False}),
    },
    "SecurityGroup": {
        "tags": NotKept("tags: not kept"),
        "stateful": NotOffered("stateful"),
        "value_specs": Row({"description": "one"}, {"description": "two"}),
    },
    "Port": {
        "description": NotKept("description: not kept"),
        "tags": NotKept("tags: not kept"),
        "admin_state_up": NotChanged("admin_state_up"),
        "fixed_ips": NotChanged("fixed_ips", second=[{"ip_address": "10.90.1.51"}]),
        "security_group_ids": replace(PORT["security_group_ids"], never_empty="a port needs a security group"),
        "mac_address": NotOffered("mac_address"),
        "device_owner": Row("neutron:VIP_PORT", once="the cloud allows no other value", base=_port()),
        # Another port shows in preview which attributes no port has.
        "dns_name": NotOffered("dns_name", base=lambda g: {"network_id": g.ports and g.network}),
        "qos_policy_id": NotOffered("qos_policy_id", _ID, base=lambda g: {"network_id": g.ports and g.network}),
        "value_specs": Row({"port_security_enabled": True}, {"port_security_enabled": False}, base=_port()),
    },
    "InterfaceAttachment": {"tag": NotOffered("tag")},
    "SecurityGroupRule": {},
}
"""The kinds whose fields are tested on an Open Telekom Cloud, and the rows of the fields that differ there."""
