"""Rules of security groups: their checks, and the form in which two spellings of one rule are equal."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator

from ecs_pulumi.dynamic.fields import close_matches, format_value, is_unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator

SELF = "self"
"""The `remote_group_id` of a rule that refers to its own group."""
RULES_OF = "rules of SecurityGroup"
"""The kind under which a SecurityGroup with `rules` holds all rules of its group."""
NEW_RULE_OF = "a rule of SecurityGroup"
"""The kind under which a SecurityGroupRule that is to be created holds a place in its group."""
SAME_RULE = "the rule"
"""The kind under which a SecurityGroupRule holds what no other rule of its group may describe."""
REMOTES = ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")
PORTS = ("port_range_min", "port_range_max")
RULE_FIELDS = ("direction", "ethertype", "protocol", *PORTS, *REMOTES)
"""The fields in which the rules of a group must differ."""

_NUMBERS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
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
"""The protocols that Neutron knows by name."""
_NAMES: dict[Any, str] = {number: name for name, number in _NUMBERS.items()}
_ANY = "any"
_ICMP, _ICMPV6 = 1, 58
_WITH_PORTS = {"tcp": 6, "udp": 17, "sctp": 132, "dccp": 33, "udplite": 136}
_IPV6_ONLY = frozenset(number for name, number in _NUMBERS.items() if name.startswith("ipv6-"))
_LAST_NUMBER, _LAST_PORT = 255, 65535
_ALL_ADDRESSES = ("0.0.0.0/0", "::/0")


def _ethertype(value: Any) -> Any:
    known = {"ipv4": "IPv4", "ipv6": "IPv6"}
    return known.get(value.lower(), value) if isinstance(value, str) else value


Ethertype: TypeAlias = Annotated[Literal["IPv4", "IPv6"], BeforeValidator(_ethertype)]
"""The IP version of a rule, in any case."""
Direction: TypeAlias = Literal["ingress", "egress"]


def rule_key(rule: Mapping[str, Any], own: Collection[str] = ()) -> tuple[Hashable, ...] | None:
    """Return the form of a rule in which all spellings of it are equal; None if a value is unknown or it is no rule.

    Args:
        rule: A rule of a program, or one that the API returned. In a preview it may be unknown as a whole.
        own: The ids of the group of the rule, which are equal to `self`.
    """
    if not isinstance(rule, Mapping) or any(is_unknown(rule.get(name)) for name in RULE_FIELDS):
        return None
    ethertype = rule.get("ethertype") or "IPv4"
    protocol = canonical_protocol(rule.get("protocol"), ethertype)
    group = rule.get("remote_group_id") or None
    key = (
        rule.get("direction"),
        ethertype,
        protocol,
        *_ports(rule, protocol),
        canonical_prefix(rule.get("remote_ip_prefix")),
        SELF if isinstance(group, str) and group in own else group,
        rule.get("remote_address_group_id") or None,
    )
    return None if any(isinstance(part, (list, Mapping)) for part in key) else key


def canonical_protocol(value: Any, ethertype: str) -> Any:
    """Return the number of a protocol; None for any protocol, and any other value unchanged."""
    number = _number(value)
    return _ICMPV6 if number == _ICMP and ethertype == "IPv6" else number


def canonical_prefix(value: Any) -> Any:
    """Return a range of addresses without host bits; None for all addresses, and any other value unchanged."""
    try:
        prefix = str(ipaddress.ip_network(value, strict=False)) if value else None
    except ValueError:
        return value
    return None if prefix in _ALL_ADDRESSES else prefix


def covers(rule: Mapping[str, Any], other: Mapping[str, Any], own: Collection[str] = ()) -> bool:
    """Whether a rule lets all packets pass that another one lets pass. True only if certain.

    Args:
        rule: A rule as in `rule_key`.
        other: The other rule.
        own: The ids of the group of both rules.
    """
    one, narrow = rule_key(rule, own), rule_key(other, own)
    if one is None or narrow is None:
        return False
    direction, ethertype, protocol, low, high, prefix, *groups = one
    has_all_packets = protocol is None or (protocol == narrow[2] and _has_range((low, high), narrow[3:5], protocol))
    has_all_addresses = (prefix, *groups) in ((None, None, None), narrow[5:]) or _has_prefix(prefix, narrow[5])
    return (direction, ethertype) == narrow[:2] and has_all_packets and has_all_addresses


def is_equal_field(name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
    """Whether an existing rule may be the desired one, of which this is one field; an empty value is none.

    Only both bounds together show whether a rule for all ports is the desired one (`is_equal_rule`).
    """
    if name in PORTS and _is_for_all_ports(prior):
        return desired in ("", 1 if name == "port_range_min" else _LAST_PORT)
    return rule_key({**prior, name: desired}) == rule_key(prior)


def is_equal_rule(desired: Mapping[str, Any], prior: Mapping[str, Any]) -> bool:
    """Whether an existing rule is the desired one. Fields that the program does not set are not compared."""
    # The API stores no range for all ports; the state may have one.
    omitted = PORTS if _is_for_all_ports(prior) else ()
    known = {name: value for name, value in prior.items() if name not in omitted}
    known |= {name: desired[name] for name in RULE_FIELDS if desired.get(name) is not None}
    return rule_key(known) == rule_key(prior)


def _is_for_all_ports(rule: Mapping[str, Any]) -> bool:
    protocol = _number(rule.get("protocol"))
    return protocol in _WITH_PORTS.values() and _ports(rule, protocol) == (None, None)


def rule_body(rule: Mapping[str, Any], group_id: str) -> dict[str, Any]:
    """Return the attributes of the request that creates a rule in a group."""
    body = {name: rule[name] for name in (*RULE_FIELDS, "description") if rule.get(name) not in (None, "")}
    protocol = str(body.get("protocol", _ANY)).lower()
    body["protocol"] = protocol
    if protocol == _ANY:
        del body["protocol"]
    if body.get("remote_group_id") == SELF:
        body["remote_group_id"] = group_id
    if _number(protocol) in _WITH_PORTS.values() and "port_range_min" in body:
        body.setdefault("port_range_max", body["port_range_min"])
    return body | {"security_group_id": group_id}


def check_rule(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the properties of a rule that are invalid or contradict each other, each with the reason."""
    rule = {name: value for name, value in rule.items() if is_unknown(value) or value not in (None, "")}
    known = {name: value for name, value in rule.items() if not is_unknown(value)}
    yield from _check_protocol(known)
    if not is_unknown(rule.get("protocol")):
        yield from _check_ports(rule, known)
    if "remote_ip_prefix" in known:
        yield from _check_prefix(known)
    remotes = [name for name in REMOTES if name in rule]
    for name in remotes[1:]:
        yield name, f"give only one of {', '.join(f'`{each}`' for each in REMOTES)}; `{remotes[0]}` is set as well"


def describe_rule(rule: Mapping[str, Any]) -> str:
    """Describe a rule in a few words, for example `ingress tcp 22 from 10.0.0.0/8`."""
    low, high = rule.get("port_range_min"), rule.get("port_range_max")
    ports = "" if low is None else f"{low}" if high in (None, low) else f"{low}-{high}"
    remote = next((str(rule[name]) for name in REMOTES if rule.get(name)), "")
    arrow = {"egress": "to", "ingress": "from"}.get(str(rule.get("direction")), "from")
    parts = (rule.get("direction"), rule.get("protocol") or rule.get("ethertype") or "IPv4", ports)
    return " ".join(str(part) for part in parts if part) + (f" {arrow} {remote}" if remote else "")


def rule_place(group_id: Any, rule: Mapping[str, Any]) -> str | None:
    """Return a text that all spellings of a rule in a group share; None if a value of it is unknown."""
    key = rule_key(rule)
    if key is None or not isinstance(group_id, str):
        return None
    direction, ethertype, protocol, *others = key
    known = (direction, ethertype, _NAMES.get(protocol, protocol), *others)
    return " ".join(str(each) for each in known if each is not None) + f" of {group_id}"


def _number(value: Any) -> Any:
    if value is None or value == "":
        return None
    word = str(value).lower()
    if word == _ANY:
        return None
    return int(word) if re.fullmatch("[0-9]{1,9}", word) else _NUMBERS.get(word, word)


def _has_range(ports: tuple[Any, Any], others: tuple[Any, ...], protocol: Any) -> bool:
    """Whether a range of ports, or a type and a code of ICMP, contains another one."""
    if ports in ((None, None), others):
        return True
    if protocol in _WITH_PORTS.values():
        return None not in (*ports, *others) and bool(ports[0] <= others[0] <= others[1] <= ports[1])
    return ports == (others[0], None)


def _has_prefix(prefix: Any, other: Any) -> bool:
    """Whether a range of addresses contains another one; None is no range."""
    try:
        wide: Any = ipaddress.ip_network(prefix)
        return bool(wide.supernet_of(ipaddress.ip_network(other)))
    except (ValueError, TypeError):
        return False


def _ports(rule: Mapping[str, Any], protocol: Any) -> tuple[Any, Any]:
    low, high = (None if rule.get(name) == "" else rule.get(name) for name in PORTS)
    if protocol in _WITH_PORTS.values() and high is None:
        high = low
    return (None, None) if (low, high) == (1, _LAST_PORT) else (low, high)


def _check_protocol(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "protocol" not in known:
        return
    number = _number(known["protocol"])
    if isinstance(number, str) or (number is not None and number > _LAST_NUMBER):
        similar = close_matches(str(number), _NUMBERS)
        hint = f"; did you mean {' or '.join(similar)}?" if similar else ""
        yield "protocol", f"neither a protocol's name nor its number, got {format_value(known['protocol'])}{hint}"
    elif number in _IPV6_ONLY and known.get("ethertype", "IPv4") == "IPv4":
        yield "protocol", f'{known["protocol"]} is a protocol of IPv6; set `ethertype` to "IPv6"'


def _check_ports(rule: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = [name for name in PORTS if name in rule]
    if not given:
        return
    number = _number(known.get("protocol"))
    if number in _WITH_PORTS.values():
        yield from _check_port_range(rule, known)
    elif number in (_ICMP, _ICMPV6):
        for name, what in (("port_range_min", "type"), ("port_range_max", "code")):
            if name in known and not 0 <= known[name] <= _LAST_NUMBER:
                yield name, f"the {what} of ICMP is a number from 0 to {_LAST_NUMBER}, got {format_value(known[name])}"
        if "port_range_min" not in rule:
            yield "port_range_min", "required: the code of ICMP (`port_range_max`) needs its type"
    else:
        names = ", ".join(_WITH_PORTS)
        protocol = f"of protocol {known['protocol']}" if isinstance(number, int) else "of an unknown protocol"
        has = "without a protocol" if number is None else protocol
        yield given[0], f"a rule {has} has no ports; ports exist for {names}, types and codes for icmp"


def _check_port_range(rule: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    is_valid = True
    for name in PORTS:
        if name in known and not 0 < known[name] <= _LAST_PORT:
            is_valid = False
            yield name, f"a port is a number from 1 to {_LAST_PORT}, got {format_value(known[name])}"
    if "port_range_min" not in rule:
        yield "port_range_min", "required together with `port_range_max`"
    elif is_valid and known.keys() >= {"port_range_min", "port_range_max"}:
        low, high = known["port_range_min"], known["port_range_max"]
        if low > high:
            yield "port_range_max", f"less than `port_range_min`: {high} < {low}"


def _check_prefix(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    text, ethertype = known["remote_ip_prefix"], known.get("ethertype", "IPv4")
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        yield "remote_ip_prefix", f'not a range of addresses such as "10.0.10.0/24", got {format_value(text)}'
        return
    version = f"IPv{interface.version}"
    if version != ethertype:
        reason = (
            f'an {version} range in a rule for {ethertype}, got {format_value(text)}; set `ethertype` to "{version}"'
        )
        yield "remote_ip_prefix", reason
    if interface.ip != interface.network.network_address:
        yield "remote_ip_prefix", f'has host bits set, got {format_value(text)}; did you mean "{interface.network}"?'
