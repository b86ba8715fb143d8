"""The attribute tables of the resources: networks, subnets, ports, …, and the readers of their values."""

from __future__ import annotations

from typing import Any

from ecs_pulumi.emulator.errors import HttpError

from .addresses import MAC, Prefix, parse, parse_address
from .attributes import (
    READ_ONLY,
    Attribute,
    Resource,
    Verb,
    boolean,
    identifier,
    integer,
    items,
    mapping,
    one_of,
    optional,
    text,
)
from .refusals import bad_request, conflict, duplicates, invalid_attribute, invalid_input
from .rule_values import ethertype, ip_prefix, port_value, protocol

VNIC_TYPES = (
    *("normal", "direct", "macvtap", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic"),
    *("remote-managed", "vdpa", "accelerator-direct", "accelerator-direct-physical"),
)
NUMA_POLICIES = ("required", "preferred", "legacy")
IPV6_MODES = ("dhcpv6-stateful", "dhcpv6-stateless", "slaac")
NO_MAC = "00:00:00:00:00:00"


def address(name: str, value: Any) -> str:
    """Accept an IP address; return its short form."""
    try:
        return str(parse_address(value))
    except ValueError:
        raise invalid_attribute(name, f"'{value}' is not a valid IP address") from None


def mac_address(name: str, value: Any) -> str:
    """Accept the MAC address of an interface."""
    if not isinstance(value, str) or not MAC.fullmatch(value) or value == NO_MAC:
        raise invalid_attribute(name, f"'{value}' is not a valid MAC address")
    return value


def _check_keys(name: str, value: Any, *keys: str) -> dict[str, Any]:
    if set(value) != set(keys):
        message = f"Validation of dictionary's keys failed. Expected keys: {set(keys)} Provided keys: {set(value)}"
        raise invalid_attribute(name, message)
    return dict(value)


def pools(name: str, value: Any) -> list[dict[str, str]]:
    """Accept allocation pools."""
    if not isinstance(value, list):
        raise invalid_attribute(name, f"Invalid data format for IP pool: '{value}'")
    read = []
    for pool in value:
        if not isinstance(pool, dict):
            message = f"Invalid input. '{pool}' must be a dictionary with keys: ['start', 'end']"
            raise invalid_attribute(name, message)
        read.append({key: address(name, end) for key, end in _check_keys(name, pool, "start", "end").items()})
    return read


def nameservers(name: str, value: Any) -> list[str]:
    """Accept DNS servers without repetitions; keep their order."""
    if value is not None and not isinstance(value, list):
        raise invalid_attribute(name, f"Invalid data format for nameserver: '{value}'")
    for server in value or ():
        try:
            parse_address(server)
        except ValueError:
            message = f"'{server}' is not a valid nameserver. '{server}' is not a valid IP address"
            raise invalid_attribute(name, message) from None
    repeated = duplicates(value or [])
    if repeated:
        raise invalid_attribute(name, f"Duplicate nameserver {repeated}")
    return list(value or ())


def prefix(name: str, value: Any) -> str:
    """Accept a prefix without host bits."""
    try:
        network = parse(value).network
    except ValueError:
        raise invalid_attribute(name, f"'{value}' is not a valid CIDR") from None
    if str(value).lower() != str(network):
        raise invalid_attribute(name, f"'{value}' is not a recognized CIDR, '{network}' is recommended")
    return str(network)


def routes(name: str, value: Any) -> list[dict[str, str]]:
    """Accept host routes; return them in the order of the real service."""
    read: list[dict[str, str]] = []
    for route in items(name, value):
        if not isinstance(route, dict):
            message = f"Invalid input. '{route}' must be a dictionary with keys: ['destination', 'nexthop']"
            raise invalid_attribute(name, message)
        _check_keys(name, route, "nexthop", "destination")
        known = {
            "destination": prefix(name, route["destination"]),
            "nexthop": address(name, route["nexthop"]),
        }
        if known in read:
            raise invalid_attribute(name, f"Duplicate hostroute '{known}'")
        read.append(known)
    return sorted(read, key=lambda route: (route["destination"], route["nexthop"]))


def cidr(_name: str, value: Any) -> str:
    """Accept any value as a string; the subnet parses it. Null is a 500 error, as in the real service."""
    if value is None:
        message = "Request Failed: internal server error while processing your request."
        raise HttpError(500, message, kind="HTTPInternalServerError")
    return str(value)


def fixed_ips(name: str, value: Any) -> list[dict[str, str]]:
    """Accept requested addresses: by subnet, by address, or both."""
    if not isinstance(value, list):
        raise invalid_attribute(name, f"Invalid data format for fixed IP: '{value}'")
    read = []
    for fixed in value:
        if not isinstance(fixed, dict):
            raise invalid_attribute(name, f"Invalid data format for fixed IP: '{fixed}'")
        known = {}
        if "ip_address" in fixed:
            known["ip_address"] = address(name, fixed["ip_address"])
        if "subnet_id" in fixed:
            known["subnet_id"] = identifier(name, fixed["subnet_id"])
        read.append(known)
    repeated = duplicates([fixed["ip_address"] for fixed in read if "ip_address" in fixed])
    if repeated:
        raise invalid_attribute(name, f"Duplicate IP address {repeated}")
    return read


def identifiers(name: str, value: Any) -> list[str]:
    """Accept UUIDs without repetitions; None means an empty list."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid_attribute(name, f"'{value}' is not a list")
    repeated = duplicates(value)
    if repeated:
        raise invalid_attribute(name, f"Duplicate items in the list: {repeated}")
    return [identifier(name, item) for item in value]


def address_pairs(_name: str, value: Any) -> list[dict[str, str]]:
    """Accept allowed address pairs. Pairs without a MAC address get that of the port later."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_request("Allowed address pairs must be a list.")
    read: list[dict[str, str]] = []
    for pair in value:
        known = _address_pair(pair)
        if known in read:
            pair_text = f"mac_address {known.get('mac_address')} ip_address {known['ip_address']}"
            message = f"Request contains duplicate address pair: {pair_text}."
            raise HttpError(400, message, kind="DuplicateAddressPairInRequest")
        read.append(known)
    return read


def _address_pair(pair: Any) -> dict[str, str]:
    if not isinstance(pair, dict):
        raise bad_request(f"'{pair}' is not a dictionary")
    unknown = [key for key in pair if key not in ("mac_address", "ip_address")]
    if "ip_address" not in pair:
        message = "AllowedAddressPair must contain ip_address"
        raise HttpError(400, message, kind="AllowedAddressPairsMissingIP")
    if unknown:
        raise bad_request(f"Unrecognized attribute(s) '{', '.join(unknown)}'")
    if "mac_address" in pair and not MAC.fullmatch(str(pair["mac_address"])):
        raise bad_request(f"'{pair['mac_address']}' is not a valid MAC address")
    try:
        parse(pair["ip_address"])
    except ValueError:
        raise bad_request(f"'{pair['ip_address']}' is not a valid IP address") from None
    return dict(pair)


def dhcp_options(_name: str, value: Any) -> list[dict[str, Any]]:
    """Accept DHCP options; an option with a null value is to be removed."""
    read = []
    for option in items(_name, value):
        known = {"ip_version": 4, **option} if isinstance(option, dict) else {}
        if (
            not isinstance(option, dict)
            or not isinstance(option.get("opt_name"), str)
            or not option["opt_name"].strip()
            or "opt_value" not in option
            or str(known["ip_version"]) not in ("4", "6")
        ):
            raise invalid_input(f"No valid key specs matched for: {option}")
        known["ip_version"] = int(known["ip_version"])
        read.append({key: known[key] for key in ("opt_name", "opt_value", "ip_version")})
    return read


def prefixes(name: str, value: Any) -> list[str]:
    """Accept the prefixes of a subnet pool."""
    if not isinstance(value, list) or not value:
        raise invalid_attribute(name, f"'{value}' is not a list of prefixes")
    read: list[Prefix] = []
    for text_ in value:
        try:
            read.append(parse(text_).network)
        except ValueError:
            raise invalid_attribute(name, f"'{text_}' is not a valid IP subnet") from None
    return [str(network) for network in read]


def group_name(name: str, value: Any) -> str:
    """Accept the name of a security group; `default` is reserved."""
    if text(name, value).lower() == "default":
        raise conflict("SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
    return str(value)


GATEWAY_KEYS = ("network_id", "enable_snat", "external_fixed_ips")


def gateway_info(name: str, value: Any) -> dict[str, Any] | None:
    """Accept the external gateway of a router; without a network, the router has none."""
    if not value:
        return None
    if not isinstance(value, dict):
        raise invalid_attribute(name, f"'{value}' is not a dictionary")
    if "network_id" not in value:
        message = (
            "Validation of dictionary's keys failed."
            f" Expected keys: {{'network_id'}} Provided keys: {set(value) or '{}'}"
        )
        raise invalid_attribute(name, message)
    unexpected = [key for key in value if key not in GATEWAY_KEYS]
    if unexpected:
        raise invalid_attribute(name, f"Unexpected keys supplied: {', '.join(unexpected)}")
    read: dict[str, Any] = {"network_id": identifier(name, value["network_id"])}
    if "enable_snat" in value:
        read["enable_snat"] = boolean(name, value["enable_snat"])
    if "external_fixed_ips" in value:
        read["external_fixed_ips"] = fixed_ips(name, value["external_fixed_ips"])
    return read


ADMIN: tuple[Verb, ...] = ("create", "update")
CREATE: tuple[Verb, ...] = ("create",)

NETWORK = Resource(
    "network",
    {
        "name": Attribute(text, ""),
        "subnets": READ_ONLY,
        "admin_state_up": Attribute(boolean, default=True),
        "status": READ_ONLY,
        "shared": Attribute(boolean, default=False, admin=ADMIN),
        "router:external": Attribute(boolean, default=False, admin=ADMIN),
        "provider:network_type": Attribute(text, admin=ADMIN, admin_view_only=True),
        "provider:physical_network": Attribute(optional(text), admin=ADMIN, admin_view_only=True),
        "provider:segmentation_id": Attribute(optional(integer), admin=ADMIN, admin_view_only=True),
        "mtu": Attribute(integer, 0),
        "port_security_enabled": Attribute(boolean, default=True),
        "is_default": Attribute(boolean, default=False, admin=ADMIN),
        "availability_zone_hints": Attribute(items, [], on=CREATE),
        "availability_zones": READ_ONLY,
        "ipv4_address_scope": READ_ONLY,
        "ipv6_address_scope": READ_ONLY,
    },
    "Network {} could not be found.",
    "NetworkNotFound",
    extensions={
        "dns-integration": {"dns_domain": Attribute(text, "")},
        "qos": {"qos_policy_id": Attribute(optional(identifier), None)},
        "vlan-transparent": {"vlan_transparent": Attribute(boolean, default=None, on=CREATE)},
    },
)

SUBNET = Resource(
    "subnet",
    {
        "network_id": Attribute(identifier, required=True, on=CREATE),
        "name": Attribute(text, ""),
        "ip_version": Attribute(one_of(4, 6, "4", "6"), required=True, on=CREATE),
        "subnetpool_id": Attribute(optional(identifier), on=CREATE),
        "prefixlen": Attribute(integer, on=CREATE, filters=False),
        "cidr": Attribute(cidr, on=CREATE),
        "gateway_ip": Attribute(optional(address)),
        "allocation_pools": Attribute(pools, filters=False),
        "dns_nameservers": Attribute(nameservers, [], filters=False),
        "host_routes": Attribute(routes, [], filters=False),
        "enable_dhcp": Attribute(boolean, default=True),
        "ipv6_ra_mode": Attribute(one_of(*IPV6_MODES), on=CREATE),
        "ipv6_address_mode": Attribute(one_of(*IPV6_MODES), on=CREATE),
        "service_types": Attribute(items, [], filters=False),
    },
    "Subnet {} could not be found.",
    "SubnetNotFound",
    extensions={
        "subnet-dns-publish-fixed-ip": {"dns_publish_fixed_ip": Attribute(boolean, default=False)},
        "segment": {"segment_id": Attribute(optional(identifier), None, on=CREATE)},
    },
)

SUBNET_POOL = Resource(
    "subnetpool",
    {
        "name": Attribute(text, required=True),
        "prefixes": Attribute(prefixes, required=True, filters=False),
        "default_quota": Attribute(optional(integer), None),
        "default_prefixlen": Attribute(integer),
        "min_prefixlen": Attribute(integer),
        "max_prefixlen": Attribute(integer),
        "ip_version": READ_ONLY,
        "shared": Attribute(boolean, default=False, on=CREATE, admin=CREATE),
        "is_default": Attribute(boolean, default=False, admin=ADMIN),
        "address_scope_id": Attribute(optional(identifier), None),
    },
    "Subnet pool {} could not be found.",
    "SubnetPoolNotFound",
)

PORT = Resource(
    "port",
    {
        "network_id": Attribute(identifier, required=True, on=CREATE),
        "name": Attribute(text, ""),
        "admin_state_up": Attribute(boolean, default=True),
        "status": READ_ONLY,
        "mac_address": Attribute(optional(mac_address), admin=("update",)),
        "fixed_ips": Attribute(fixed_ips),
        "device_id": Attribute(text, ""),
        "device_owner": Attribute(text, ""),
        "security_groups": Attribute(identifiers),
        "port_security_enabled": Attribute(boolean),
        "allowed_address_pairs": Attribute(address_pairs, [], filters=False),
        "extra_dhcp_opts": Attribute(dhcp_options, [], filters=False),
        "binding:vnic_type": Attribute(one_of(*VNIC_TYPES), "normal"),
        "binding:profile": Attribute(optional(mapping), admin=ADMIN, admin_view_only=True, filters=False),
        "binding:host_id": Attribute(text, admin=ADMIN, admin_view_only=True),
        "binding:vif_type": Attribute(on=(), admin_view_only=True, filters=False),
        "binding:vif_details": Attribute(on=(), admin_view_only=True, filters=False),
        "device_profile": Attribute(optional(text), None, on=CREATE, admin_view_only=True),
        "numa_affinity_policy": Attribute(one_of(None, *NUMA_POLICIES), None, admin_view_only=True),
        "tags": Attribute(items, [], on=CREATE),
    },
    "Port {} could not be found.",
    "PortNotFound",
    extensions={
        "dns-integration": {
            "dns_name": Attribute(text, ""),
            "dns_assignment": Attribute(on=(), filters=False),
        },
        "qos": {"qos_policy_id": Attribute(optional(identifier), None)},
    },
)

SECURITY_GROUP = Resource(
    "security_group",
    {
        "name": Attribute(group_name, ""),
        "stateful": Attribute(boolean, default=True),
        "shared": READ_ONLY,
        "security_group_rules": Attribute(on=(), filters=False),
    },
    "Security group {} does not exist",
    "SecurityGroupNotFound",
)

SECURITY_GROUP_RULE = Resource(
    "security_group_rule",
    {
        "security_group_id": Attribute(required=True, on=CREATE),
        "direction": Attribute(one_of("ingress", "egress"), required=True, on=CREATE),
        "ethertype": Attribute(ethertype, "IPv4", on=CREATE),
        "protocol": Attribute(protocol, None, on=CREATE),
        "port_range_min": Attribute(port_value, None, on=CREATE),
        "port_range_max": Attribute(port_value, None, on=CREATE),
        "remote_ip_prefix": Attribute(ip_prefix, None, on=CREATE),
        "remote_group_id": Attribute(default=None, on=CREATE),
        "remote_address_group_id": Attribute(default=None, on=CREATE),
        "normalized_cidr": READ_ONLY,
    },
    "Security group rule {} does not exist",
    "SecurityGroupRuleNotFound",
)

ADDRESS_GROUP = Resource(
    "address_group",
    {
        "name": Attribute(text, ""),
        "addresses": Attribute(prefixes, [], on=CREATE, filters=False),
    },
    "Address group {} could not be found.",
    "AddressGroupNotFound",
)

QOS_POLICY = Resource(
    "policy",
    {
        "name": Attribute(text, required=True),
        "shared": Attribute(boolean, default=False),
        "is_default": Attribute(boolean, default=False),
        "rules": READ_ONLY,
    },
    "QoS policy {} could not be found.",
    "QosPolicyNotFound",
)

SEGMENT = Resource(
    "segment",
    {
        "name": READ_ONLY,
        "network_id": READ_ONLY,
        "network_type": READ_ONLY,
        "physical_network": READ_ONLY,
        "segmentation_id": READ_ONLY,
    },
    "Segment {} could not be found.",
    "SegmentNotFound",
)

ROUTER = Resource(
    "router",
    {
        "name": Attribute(text, ""),
        "admin_state_up": Attribute(boolean, default=True),
        "status": READ_ONLY,
        "external_gateway_info": Attribute(gateway_info, None, filters=False),
        "routes": Attribute(routes, [], on=("update",), filters=False),
        "availability_zone_hints": Attribute(items, [], on=CREATE),
        "availability_zones": READ_ONLY,
    },
    "Router {} could not be found",
    "RouterNotFound",
    extensions={
        "dvr": {"distributed": Attribute(boolean, admin=ADMIN, admin_view_only=True)},
        "l3-ha": {"ha": Attribute(boolean, admin=ADMIN, admin_view_only=True)},
        "l3-flavors": {"flavor_id": Attribute(optional(identifier), None, on=CREATE)},
    },
)

FLOATING_IP = Resource(
    "floatingip",
    {
        "floating_network_id": Attribute(identifier, required=True, on=CREATE),
        "floating_ip_address": Attribute(optional(address), None, on=CREATE),
        "subnet_id": Attribute(optional(identifier), None, on=CREATE, filters=False),
        "port_id": Attribute(optional(identifier), None),
        "fixed_ip_address": Attribute(optional(address), None),
        "router_id": READ_ONLY,
        "status": READ_ONLY,
        "port_details": Attribute(on=(), filters=False),
    },
    "Floating IP {} could not be found",
    "FloatingIPNotFound",
    extensions={
        "dns-integration": {
            "dns_name": Attribute(text, "", on=CREATE),
            "dns_domain": Attribute(text, "", on=CREATE),
        },
        "qos": {"qos_policy_id": Attribute(optional(identifier), None)},
    },
)

TAGGED = {each.path: each for each in (NETWORK, SUBNET, PORT, SUBNET_POOL, SECURITY_GROUP, ROUTER, FLOATING_IP)}
"""The resources with tags, by their paths."""
