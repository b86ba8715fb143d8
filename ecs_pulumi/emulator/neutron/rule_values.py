"""The values of security group rules: readers of the attributes, and their canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import number

from .addresses import parse

if TYPE_CHECKING:
    from ecs_pulumi.emulator.store import Document

NUMBERS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
"""The protocols with a name."""
ICMP, IPV6_ICMP = 1, 58
LAST_NUMBER, LAST_PORT = 255, 65535
ANY_ADDRESS = ("0.0.0.0/0", "::/0", None)
PORT_PROTOCOLS = ("dccp", "sctp", "tcp", "udp", "udplite")
IPV6_ONLY = ("ipv6-encap", "ipv6-frag", "ipv6-icmp", "icmpv6", "ipv6-nonxt", "ipv6-opts", "ipv6-route")
REMOTES = ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")


def ethertype(_name: str, value: Any) -> str:
    """Accept `IPv4` and `IPv6` in any case."""
    for known in ("IPv4", "IPv6"):
        if str(value).lower() == known.lower():
            return known
    message = f"Security group rule for ethertype '{value}' not supported. Allowed values are ['IPv4', 'IPv6']."
    raise HttpError(400, message, kind="SecurityGroupRuleInvalidEtherType")


def protocol(_name: str, value: Any) -> str | None:
    """Accept the name or the number of a protocol; None stands for any protocol."""
    if value is None:
        return None
    word = str(value).lower()
    if word in NUMBERS or number(word, LAST_NUMBER) is not None:
        return word
    message = (
        f"Security group rule protocol {value} not supported. Only protocol values"
        f" {[None, *NUMBERS]} and integer representations [0 to 255] are supported."
    )
    raise HttpError(400, message, kind="SecurityGroupRuleInvalidProtocol")


def port_value(_name: str, value: Any) -> int | None:
    """Accept a number from 0 to 65535, or None."""
    if value is None:
        return None
    port = number(str(value), LAST_PORT)
    if port is not None:
        return port
    raise HttpError(400, f"Invalid value for port {value}", kind="SecurityGroupInvalidPortValue")


def ip_prefix(_name: str, value: Any) -> str | None:
    """Accept an address or a range of addresses, which may have host bits."""
    if not value:
        return None
    try:
        return str(parse(value))
    except ValueError:
        raise HttpError(400, f"Invalid CIDR {value} given as IP prefix.", kind="InvalidCIDR") from None


def number_of(name_or_number: str) -> int:
    """Return the number of a protocol."""
    return NUMBERS[name_or_number] if name_or_number in NUMBERS else int(name_or_number)


def normalize(rule: Document) -> None:
    """Replace the ICMP of IPv4 in a rule for IPv6, and a range of all ports, as the real service does."""
    if rule["ethertype"] == "IPv6":
        replaced = {"icmp": "ipv6-icmp", "icmpv6": "ipv6-icmp", str(ICMP): str(IPV6_ICMP)}
        rule["protocol"] = replaced.get(rule["protocol"], rule["protocol"])
    if (rule["port_range_min"], rule["port_range_max"]) == (1, LAST_PORT):
        rule["port_range_min"] = rule["port_range_max"] = None


def check(rule: Document) -> None:
    """Reject with 400 a rule whose attributes contradict each other."""
    _check_ports(rule)
    prefix = rule["remote_ip_prefix"]
    if prefix and f"IPv{parse(prefix).version}" != rule["ethertype"]:
        message = f"Conflicting value ethertype {rule['ethertype']} for CIDR {prefix}"
        raise HttpError(400, message, kind="SecurityGroupRuleParameterConflict")
    ipv6_only = (*IPV6_ONLY, *(str(NUMBERS[name]) for name in IPV6_ONLY))
    if rule["ethertype"] == "IPv4" and rule["protocol"] in ipv6_only:
        message = f"Invalid ethertype {rule['ethertype']} for protocol {rule['protocol']}."
        raise HttpError(400, message, kind="SecurityGroupEthertypeConflictWithProtocol")
    if sum(bool(rule[name]) for name in REMOTES) > 1:
        message = "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided."
        raise HttpError(400, message, kind="SecurityGroupMultipleRemoteEntites")


def _check_ports(rule: Document) -> None:
    low, high = rule["port_range_min"], rule["port_range_max"]
    if low is None and high is None:
        return
    if rule["protocol"] is None:
        message = "Must also specify protocol if port range is given."
        raise HttpError(400, message, kind="SecurityGroupProtocolRequiredWithPorts")
    number = number_of(rule["protocol"])
    if number in (NUMBERS[name] for name in PORT_PROTOCOLS):
        if 0 in (low, high):
            raise HttpError(400, "Invalid value for port 0", kind="SecurityGroupInvalidPortValue")
        if low is None or high is None or low > high:
            message = "For TCP/UDP protocols, port_range_min must be <= port_range_max"
            raise HttpError(400, message, kind="SecurityGroupInvalidPortRange")
    elif number in (ICMP, IPV6_ICMP):
        _check_icmp(low, high)
    else:
        names = ", ".join(name.upper() for name in PORT_PROTOCOLS)
        message = f"Ports cannot be specified for protocol {number}. Ports are only supported for {names}."
        raise HttpError(400, message, kind="SecurityGroupInvalidProtocolForPort")


def _check_icmp(type_: int | None, code: int | None) -> None:
    for value, field, name in ((type_, "type", "port_range_min"), (code, "code", "port_range_max")):
        if value is not None and value > LAST_NUMBER:
            message = f"Invalid value for ICMP {field} ({name}) {value}. It must be 0 to 255."
            raise HttpError(400, message, kind="SecurityGroupInvalidIcmpValue")
    if type_ is None:
        message = f"ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) is missing."
        raise HttpError(400, message, kind="SecurityGroupMissingIcmpType")


def key_of(rule: Document) -> tuple[Any, ...]:
    """Return the attributes in which the rules of a group must differ, in a form in which equal rules are equal."""
    prefix, name = rule["remote_ip_prefix"], rule["protocol"]
    return (
        rule["direction"],
        rule["ethertype"],
        None if name is None else number_of(name),
        rule["port_range_min"],
        rule["port_range_max"],
        None if prefix in ANY_ADDRESS else prefix,
        rule["remote_group_id"],
        rule["remote_address_group_id"],
    )
