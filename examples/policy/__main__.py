"""A policy pack: no SSH from everywhere, volumes of an encrypted type, and protected volumes."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TYPE = "pulumi-python:dynamic/ecs:"
SSH = 22
NARROWEST_PUBLIC = {"IPv4": 7, "IPv6": 31}
"""A range of addresses counts as everywhere if its prefix is not longer than this."""
ANY_PROTOCOL, TCP = ("", "any", "ip", "0"), ("tcp", "6")


def no_public_ssh(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Report each rule that accepts SSH from everywhere."""
    rules: dict[str, Mapping[str, Any]] = {}
    if args.resource_type == f"{TYPE}SecurityGroup":
        rules = {f"rules[{index}]": rule for index, rule in enumerate(args.props.get("rules") or ())}
    elif args.resource_type == f"{TYPE}SecurityGroupRule":
        rules = {"the rule": args.props}
    for which, rule in rules.items():
        if rule["direction"] == "ingress" and includes_ssh(rule) and is_public(rule):
            report(f"{which} accepts SSH from everywhere; set remote_ip_prefix or remote_group_id", None)


def includes_ssh(rule: Mapping[str, Any]) -> bool:
    """Whether a rule lets packets to port 22 pass. A rule without ports is for all of them."""
    protocol = str(rule.get("protocol") or "").lower()
    if protocol not in TCP:
        return protocol in ANY_PROTOCOL
    low, high = rule.get("port_range_min"), rule.get("port_range_max")
    return not low or low <= SSH <= (high or low)


def is_public(rule: Mapping[str, Any]) -> bool:
    """Whether a rule is for everyone. A remote group that is not known yet is one all the same."""
    if is_set(rule, "remote_group_id") or is_set(rule, "remote_address_group_id"):
        return False
    prefix = rule.get("remote_ip_prefix")
    if not prefix:
        return True
    network = ipaddress.ip_network(prefix, strict=False)
    return network.prefixlen <= NARROWEST_PUBLIC[f"IPv{network.version}"]


def is_set(values: Mapping[str, Any], name: str) -> bool:
    """Whether a property has a value, even one that is known only after the preview."""
    try:
        return bool(values.get(name))
    except UnknownValueError:
        return True


def encrypted_volumes(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Report each volume, and each disk of a server, whose type is not one of the encrypted ones."""
    encrypted = args.get_config()["types"]
    for where, volume_type in volume_types(args):
        if volume_type not in encrypted:
            report(f"{where}volume_type is {volume_type or 'not set'}; use one of {', '.join(encrypted)}", None)


def volume_types(args: ResourceValidationArgs) -> Iterator[tuple[str, str | None]]:
    """Yield the type of each volume that the resource creates, with its place in the inputs."""
    if args.resource_type == f"{TYPE}Volume":
        yield "", args.props.get("volume_type")
    elif args.resource_type == f"{TYPE}Server":
        for index, disk in enumerate(args.props.get("block_devices") or ()):
            # A disk from a volume has a type already, and a local one has none.
            if disk.get("destination_type") != "local" and disk["source_type"] != "volume":
                yield f"block_devices[{index}]: ", disk.get("volume_type")


def protected_volumes(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Report a volume that the next change may delete with its data."""
    if args.resource_type == f"{TYPE}Volume" and not args.opts.protect:
        report("set protect=True in the options of the volume", None)


POLICIES: list[Policy] = [
    ResourceValidationPolicy(
        "no-public-ssh", "SSH is not reachable from everywhere.", no_public_ssh, EnforcementLevel.MANDATORY
    ),
    ResourceValidationPolicy(
        "encrypted-volumes",
        "Volumes have an encrypted type.",
        encrypted_volumes,
        EnforcementLevel.MANDATORY,
        PolicyConfigSchema({"types": {"type": "array", "items": {"type": "string"}, "default": ["LUKS"]}}),
    ),
    ResourceValidationPolicy(
        "protected-volumes", "Volumes are protected.", protected_volumes, EnforcementLevel.ADVISORY
    ),
]

if __name__ == "__main__":
    PolicyPack("ecs", POLICIES)
