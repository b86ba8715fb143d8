"""The attributes that the Open Telekom Cloud documents, and what its Neutron does with all others.

Source: the API reference of its Virtual Private Cloud, "Native OpenStack Neutron APIs v2.0". No document tells what
becomes of the others, so a rule decides: `Rules.unknown_attributes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .refusals import bad_request

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call

    from .attributes import Verb

_PORT = frozenset(
    {
        *("name", "security_groups", "allowed_address_pairs", "extra_dhcp_opts", "port_security_enabled"),
        *("binding:profile", "binding:vnic_type", "binding:host_id"),
    }
)
_OF_PROJECT = frozenset({"tenant_id", "project_id"})
SETTABLE: dict[str, dict[Verb, frozenset[str]]] = {
    "network": {
        "create": _OF_PROJECT | {"name", "admin_state_up", "shared", "provider:network_type", "port_security_enabled"},
        "update": frozenset({"name", "admin_state_up", "port_security_enabled"}),
    },
    "subnet": {
        "create": _OF_PROJECT
        | {
            *("name", "network_id", "ip_version", "cidr", "gateway_ip", "allocation_pools", "dns_nameservers"),
            *("enable_dhcp", "host_routes", "ipv6_address_mode", "ipv6_ra_mode", "subnetpool_id"),
            "use_default_subnetpool_id",
        },
        "update": frozenset({"name", "allocation_pools", "dns_nameservers", "enable_dhcp", "host_routes"}),
    },
    "port": {
        "create": _OF_PROJECT | _PORT | {"network_id", "admin_state_up", "fixed_ips", "device_owner"},
        "update": _PORT,
    },
    "router": {
        "create": _OF_PROJECT | {"name", "admin_state_up", "external_gateway_info"},
        "update": frozenset({"name", "external_gateway_info", "routes"}),
    },
    "floatingip": {
        "create": _OF_PROJECT | {"floating_network_id", "port_id", "fixed_ip_address", "floating_ip_address"},
        "update": frozenset({"port_id"}),
    },
    "security_group": {
        "create": _OF_PROJECT | {"name", "description"},
        "update": frozenset({"name", "description"}),
    },
    "security_group_rule": {
        "create": _OF_PROJECT
        | {
            *("security_group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max"),
            *("remote_ip_prefix", "remote_group_id", "remote_address_group_id", "description"),
        },
        "update": frozenset(),
    },
}
"""The attributes of requests, by the name of the resource."""
_ABSENT = frozenset(
    {
        *("tags", "mtu", "qos_policy_id", "is_default", "service_types", "segment_id", "prefixlen", "stateful"),
        *("revision_number", "vlan_transparent", "flavor_id", "dns_publish_fixed_ip", "device_profile"),
        *("numa_affinity_policy", "ipv4_address_scope", "ipv6_address_scope", "normalized_cidr"),
    }
)
_FOR_USERS = frozenset({"binding:profile"})
"""The attributes that the documents name for all users, and OpenStack's policy for administrators only."""


def is_for_users(call: Call, attribute: str) -> bool:
    """Whether users may set and see an attribute that OpenStack reserves for administrators."""
    return call.is_otc and attribute in _FOR_USERS


def absent(call: Call, name: str) -> frozenset[str]:
    """Return the attributes that no answer and no filter of a list contains.

    Args:
        call: The request. An administrator of the cloud sees them.
        name: The name of the resource.
    """
    if call.rules.unknown_attributes == "keep" or call.is_admin:
        return frozenset()
    return _ABSENT if name.startswith("security_group") else _ABSENT | {"description"}


def settable(call: Call, name: str, verb: Verb, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a request that the documents name.

    Raises:
        HttpError: The request contains others, and the cloud refuses them.
    """
    rule = call.rules.unknown_attributes
    if rule == "keep" or call.is_admin or name not in SETTABLE:
        return fields
    documented = SETTABLE[name][verb]
    unknown = [each for each in fields if each not in documented]
    if unknown and rule == "refuse":
        raise bad_request(f"Unrecognized attribute(s) '{', '.join(unknown)}'")
    return {each: value for each, value in fields.items() if each in documented}


def filters(call: Call, name: str) -> dict[str, list[str]]:
    """Return the query of a list without the filters that the documents do not name.

    Raises:
        HttpError: The query has such a filter, and the cloud refuses it.
    """
    hidden = absent(call, name)
    unknown = [each for each in call.query if each in hidden or (hidden and "tags" in each)]
    if unknown and call.rules.unknown_attributes == "refuse":
        raise bad_request(f"{unknown} is invalid attribute for filtering")
    return {each: values for each, values in call.query.items() if each not in unknown}
