"""Equal rules in different spellings, and the checks of a rule."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_pulumi.resources.security_rules import check_rule, covers, rule_body, rule_key
from tests.support.steps import UNKNOWN

TCP = {"direction": "ingress", "protocol": "tcp"}
SSH = {**TCP, "port_range_min": 22}
SIX = {"direction": "ingress", "ethertype": "IPv6"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SSH, {**SSH, "protocol": "6"}),
        (SSH, {**SSH, "protocol": "TCP", "port_range_max": 22}),
        (TCP, {**TCP, "port_range_min": 1, "port_range_max": 65535}),
        ({"direction": "egress"}, {"direction": "egress", "protocol": "any", "remote_ip_prefix": "0.0.0.0/0"}),
        (SIX, {**SIX, "remote_ip_prefix": "::/0"}),
        ({**TCP, "remote_ip_prefix": "10.0.0.5"}, {**TCP, "remote_ip_prefix": "10.0.0.5/32"}),
        ({**SIX, "remote_ip_prefix": "2001:DB8:0::/64"}, {**SIX, "remote_ip_prefix": "2001:db8::/64"}),
        ({**SIX, "protocol": "icmp"}, {**SIX, "protocol": "ipv6-icmp"}),
        ({**SIX, "protocol": "icmpv6"}, {**SIX, "protocol": "58"}),
        ({**SIX, "protocol": 1}, {**SIX, "protocol": "icmp"}),
        ({**TCP, "remote_group_id": "self"}, {**TCP, "remote_group_id": "own"}),
        (TCP, {**TCP, "description": "other", "ethertype": "IPv4"}),
    ],
    ids=str,
)
def test_spellings_of_a_rule_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Protocols by name and number, single ports, ranges of addresses and the own group have one form."""
    assert rule_key(one, {"own", "self"}) == rule_key(other, {"own", "self"}) != None  # noqa: E711


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SSH, {**SSH, "port_range_max": 23}),
        (SSH, {**SSH, "direction": "egress"}),
        (TCP, {**TCP, "ethertype": "IPv6"}),
        (TCP, {**TCP, "remote_ip_prefix": "10.0.0.0/8"}),
        (
            {**TCP, "protocol": "icmp", "port_range_min": 8},
            {**TCP, "protocol": "icmp", "port_range_min": 8, "port_range_max": 0},
        ),
    ],
    ids=str,
)
def test_different_rules_are_not_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Rules that let different packets pass differ."""
    assert rule_key(one) != rule_key(other)


ANY = {"direction": "ingress"}
TEN = {**SSH, "remote_ip_prefix": "10.0.0.0/8"}
ICMP = {**ANY, "protocol": "icmp"}
PING = {**ICMP, "port_range_min": 8}


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (ANY, {**ANY, "ethertype": "IPv4", "protocol": "any", "remote_ip_prefix": "0.0.0.0/0"}),
        (ANY, ICMP),
        (ANY, {**TEN, "remote_ip_prefix": None, "remote_group_id": "g"}),
        (TCP, SSH),
        (TCP, {**SSH, "protocol": "6"}),
        ({**SSH, "port_range_max": 80}, {**SSH, "port_range_max": 23}),
        (SSH, TEN),
        ({**TCP, "remote_ip_prefix": "10.0.0.0/8"}, {**TEN, "remote_ip_prefix": "10.1.2.0/24"}),
        ({**TCP, "remote_group_id": "own"}, {**SSH, "remote_group_id": "self"}),
        (ICMP, PING),
        (PING, {**PING, "port_range_max": 0}),
        ({**SIX, "remote_ip_prefix": "2001:db8::/32"}, {**SIX, "remote_ip_prefix": "2001:db8:1::/48"}),
    ],
    ids=str,
)
def test_rule_covers_a_narrower_one(wide: dict[str, Any], narrow: dict[str, Any]) -> None:
    """A rule covers those whose packets it lets pass as well, but not the other way round."""
    own = {"own", "self"}
    assert covers(wide, narrow, own)
    assert covers(narrow, narrow, own)
    assert covers(narrow, wide, own) is (rule_key(narrow, own) == rule_key(wide, own))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ANY, {"direction": "egress"}),
        (ANY, SIX),
        (TCP, {**SSH, "protocol": "udp"}),
        ({**SSH, "port_range_max": 80}, {**SSH, "port_range_min": 79, "port_range_max": 81}),
        (TEN, {**SSH, "remote_ip_prefix": "11.0.0.0/8"}),
        (TEN, {**SSH, "remote_group_id": "g"}),
        ({**SSH, "remote_group_id": "g"}, {**SSH, "remote_group_id": "h"}),
        ({**SSH, "remote_group_id": "g"}, {**SSH, "remote_address_group_id": "g"}),
        ({**PING, "port_range_max": 0}, {**PING, "port_range_max": 1}),
        (ANY, {**SSH, "remote_group_id": UNKNOWN}),
        ({**SSH, "remote_group_id": UNKNOWN}, SSH),
    ],
    ids=lambda rule: str(rule).replace(repr(UNKNOWN), "unknown"),  # its address differs between processes
)
def test_rule_covers_no_other_packets(one: dict[str, Any], other: dict[str, Any]) -> None:
    """A rule with another protocol, range or other side covers none; an unknown one is not certain to."""
    assert not covers(one, other)
    assert not covers(other, one)


def test_rule_with_unknown_value_equals_no_rule() -> None:
    """In a preview a rule may refer to a group that does not exist yet."""
    assert rule_key({**TCP, "remote_group_id": UNKNOWN}) is None
    assert list(check_rule({**TCP, "remote_group_id": UNKNOWN, "port_range_min": UNKNOWN})) == []


def test_request_of_a_rule() -> None:
    """The request has both ends of a single port, the id of the own group, and no protocol for `any`."""
    assert rule_body({**SSH, "remote_group_id": "self"}, "own") == {
        **SSH,
        "port_range_max": 22,
        "remote_group_id": "own",
        "security_group_id": "own",
    }
    assert "protocol" not in rule_body({**TCP, "protocol": "any"}, "own")


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (
            {**TCP, "protocol": "tpc"},
            'protocol: neither a protocol\'s name nor its number, got "tpc"; did you mean tcp or sctp?',
        ),
        ({**TCP, "protocol": "256"}, 'protocol: neither a protocol\'s name nor its number, got "256"'),
        ({**TCP, "protocol": "ipv6-icmp"}, 'protocol: ipv6-icmp is a protocol of IPv6; set `ethertype` to "IPv6"'),
        (
            {"direction": "ingress", "port_range_min": 22},
            (
                "port_range_min: a rule without a protocol has no ports; ports exist for tcp, udp, sctp, dccp, "
                "udplite, types and codes for icmp"
            ),
        ),
        (
            {**SSH, "protocol": "esp"},
            (
                "port_range_min: a rule of protocol esp has no ports; ports exist for tcp, udp, sctp, dccp, udplite, "
                "types and codes for icmp"
            ),
        ),
        ({**SSH, "port_range_max": 21}, "port_range_max: less than `port_range_min`: 21 < 22"),
        ({**SSH, "port_range_max": 70000}, "port_range_max: a port is a number from 1 to 65535, got 70000"),
        ({**TCP, "port_range_min": 0}, "port_range_min: a port is a number from 1 to 65535, got 0"),
        ({**TCP, "port_range_max": 22}, "port_range_min: required together with `port_range_max`"),
        (
            {**TCP, "protocol": "icmp", "port_range_min": 256},
            "port_range_min: the type of ICMP is a number from 0 to 255, got 256",
        ),
        (
            {**TCP, "protocol": "icmp", "port_range_max": 0},
            "port_range_min: required: the code of ICMP (`port_range_max`) needs its type",
        ),
        (
            {**TCP, "remote_ip_prefix": "10.0.0.5/24"},
            'remote_ip_prefix: has host bits set, got "10.0.0.5/24"; did you mean "10.0.0.0/24"?',
        ),
        (
            {**TCP, "remote_ip_prefix": "2001:db8::/64"},
            ('remote_ip_prefix: an IPv6 range in a rule for IPv4, got "2001:db8::/64"; set `ethertype` to "IPv6"'),
        ),
        (
            {**TCP, "remote_ip_prefix": "office"},
            'remote_ip_prefix: not a range of addresses such as "10.0.10.0/24", got "office"',
        ),
        (
            {**TCP, "remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "self"},
            (
                "remote_group_id: give only one of `remote_ip_prefix`, `remote_group_id`, `remote_address_group_id`; "
                "`remote_ip_prefix` is set as well"
            ),
        ),
    ],
    ids=str,
)
def test_invalid_rule(rule: dict[str, Any], problem: str) -> None:
    """Each contradiction is one problem of one property."""
    assert [f"{name}: {reason}" for name, reason in check_rule(rule)] == [problem]


@pytest.mark.parametrize(
    "rule",
    [
        SSH,
        {**TCP, "protocol": "icmp", "port_range_min": 8, "port_range_max": 0},
        {**SIX, "protocol": "icmp", "port_range_min": 128},
        {**TCP, "protocol": "112"},
        {**TCP, "remote_ip_prefix": "10.0.0.5"},
        {**SIX, "remote_ip_prefix": "::/0"},
    ],
    ids=str,
)
def test_valid_rule(rule: dict[str, Any]) -> None:
    """A rule that the API accepts has no problem."""
    assert list(check_rule(rule)) == []
