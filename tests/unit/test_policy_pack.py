"""examples/policy, the policy pack: which inputs its rules report. The engine runs it in tests/engine/test_docs.py."""

from __future__ import annotations

import runpy
from typing import Any

import pytest
from pulumi_policy import PolicyCustomTimeouts, PolicyResourceOptions, ResourceValidationArgs
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from tools.workspace import CHECKOUT

PACK = runpy.run_path(str(CHECKOUT / "examples" / "policy" / "__main__.py"))
UNKNOWN = UNKNOWN_STRING_VALUE
SSH = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22.0}


def reported(policy: str, kind: str, props: dict[str, Any], *, protect: bool = False) -> list[str]:
    """Return what a policy reports of a resource, whose unknown values are as in a preview."""
    options = PolicyResourceOptions(protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    args = ResourceValidationArgs(
        f"pulumi-python:dynamic/ecs:{kind}",
        unknown_checking_proxy(props),
        "urn",
        "name",
        options,
        None,
        {"types": ["LUKS", "SSD-LUKS"]},
    )
    found: list[str] = []
    (it,) = (each for each in PACK["POLICIES"] if each.name == policy)
    it.validate(args, lambda message, _: found.append(message))
    return found


@pytest.mark.parametrize(
    ("rule", "public"),
    [
        ({}, True),
        ({"remote_ip_prefix": None, "remote_group_id": None}, True),
        ({"remote_ip_prefix": "0.0.0.0/0"}, True),
        ({"remote_ip_prefix": "::/0", "ethertype": "IPv6"}, True),
        ({"remote_ip_prefix": "128.0.0.0/1"}, True),
        ({"remote_ip_prefix": "2000::/3", "ethertype": "IPv6"}, True),
        ({"remote_ip_prefix": "10.0.0.0/8"}, False),
        ({"remote_ip_prefix": "2001:db8::/32", "ethertype": "IPv6"}, False),
        ({"remote_ip_prefix": "198.51.100.7"}, False),
        ({"remote_group_id": "self"}, False),
        ({"remote_group_id": UNKNOWN}, False),
        ({"remote_address_group_id": UNKNOWN}, False),
        ({"direction": "egress"}, False),
        ({"protocol": "udp"}, False),
        ({"protocol": "icmp", "port_range_min": 8.0}, False),
        ({"protocol": "6"}, True),
        ({"protocol": "TCP"}, True),
        ({"protocol": None, "port_range_min": None}, True),
        ({"protocol": "any", "port_range_min": None}, True),
        ({"port_range_min": None}, True),
        ({"port_range_min": 1.0, "port_range_max": 65535.0}, True),
        ({"port_range_min": 20.0, "port_range_max": 22.0}, True),
        ({"port_range_min": 20.0, "port_range_max": 21.0}, False),
        ({"port_range_min": 23.0, "port_range_max": None}, False),
    ],
)
def test_public_ssh(rule: dict[str, Any], *, public: bool) -> None:
    """A rule is reported if it lets anyone reach port 22, in a group or as a resource of its own."""
    rule = SSH | rule
    of_group = reported("no-public-ssh", "SecurityGroup", {"rules": [{"direction": "egress"}, rule]})
    alone = reported("no-public-ssh", "SecurityGroupRule", {"security_group_id": UNKNOWN, **rule})
    assert (len(of_group), len(alone)) == (public, public)
    assert all(message.startswith("rules[1] accepts SSH from everywhere; ") for message in of_group)


def test_prefix_that_is_unknown_in_the_preview() -> None:
    """Pulumi reports that the policy could not run yet, and runs it during the update."""
    with pytest.raises(UnknownValueError):
        reported("no-public-ssh", "SecurityGroupRule", {**SSH, "remote_ip_prefix": UNKNOWN})


def test_other_resources() -> None:
    """A policy says nothing of another kind, nor of a group that keeps its default rules."""
    assert reported("no-public-ssh", "SecurityGroup", {"name": "web"}) == []
    for policy in PACK["POLICIES"]:
        assert reported(policy.name, "Network", {"rules": [SSH], "volume_type": "SSD"}) == []


def test_encrypted_volumes() -> None:
    """The type of a volume, and of a disk that a server creates, must be one of those of the policy's settings."""
    assert reported("encrypted-volumes", "Volume", {"volume_type": "LUKS"}) == []
    expected = "volume_type is SSD; use one of LUKS, SSD-LUKS"
    assert reported("encrypted-volumes", "Volume", {"volume_type": "SSD"}) == [expected]
    assert reported("encrypted-volumes", "Volume", {}) == ["volume_type is not set; use one of LUKS, SSD-LUKS"]
    disks = [
        {"source_type": "image", "destination_type": "volume", "volume_type": "SSD-LUKS"},
        {"source_type": "image", "destination_type": "volume", "volume_type": "SSD"},
        {"source_type": "volume", "destination_type": "volume", "uuid": UNKNOWN},
        {"source_type": "blank", "destination_type": "local"},
    ]
    assert reported("encrypted-volumes", "Server", {"block_devices": disks}) == [f"block_devices[1]: {expected}"]
    assert reported("encrypted-volumes", "Server", {"flavor": "s1"}) == []


def test_protected_volumes() -> None:
    """A volume is to be protected; the policy only warns."""
    assert reported("protected-volumes", "Volume", {}, protect=True) == []
    assert reported("protected-volumes", "Volume", {}) == ["set protect=True in the options of the volume"]
