"""The fields of networks, subnets, ports and security groups that are different on an Open Telekom Cloud."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.fields.rows.neutron import PORT, SUBNET
from tests.fields.rows.otc.outcomes import ANY_ID, DESCRIPTION, TAGS, NotChanged, NotOffered, OtcRow
from tests.fields.rows.row import Row

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures


def _ipv6(fixtures: CloudFixtures) -> dict[str, Any]:
    return {"network_id": fixtures.network_with_subnet, "ip_version": 6}


def _port(fixtures: CloudFixtures) -> dict[str, Any]:
    return {"network_id": fixtures.subnet and fixtures.network}


def _second_port(fixtures: CloudFixtures) -> dict[str, Any]:
    # A preview learns from another port which attributes they have.
    return {"network_id": fixtures.ports and fixtures.network}


NETWORK_ON_OTC: dict[str, OtcRow] = {
    "description": DESCRIPTION,
    "tags": TAGS,
    "admin_state_up": NotOffered("admin_state_up"),
    "mtu": NotOffered("mtu"),
    "dns_domain": NotOffered("dns_domain"),
    "qos_policy_id": NotOffered("qos_policy_id", ANY_ID),
    "transparent_vlan": NotOffered("transparent_vlan"),
    "availability_zone_hints": NotOffered("availability_zone_hints", ["eu-de-01"]),
    "value_specs": Row({"port_security_enabled": True}, {"port_security_enabled": False}),
}

SUBNET_ON_OTC: dict[str, OtcRow] = {
    "cidr": replace(SUBNET["cidr"], delete_first=True),
    # The cloud chooses the range of an IPv6 subnet.
    "ip_version": replace(SUBNET["ip_version"], then={"cidr": None}),
    "ipv6_address_mode": Row("dhcpv6-stateful", base=_ipv6, once="the cloud has only one mode"),
    "ipv6_ra_mode": Row("dhcpv6-stateful", base=_ipv6, once="the cloud has only one mode"),
    "prefix_length": NotOffered("prefix_length"),
    "gateway_ip": NotChanged("gateway_ip: this cloud does not change it"),
    "no_gateway": NotOffered("no_gateway"),
    "enable_dhcp": NotOffered("enable_dhcp"),
    "host_routes": NotOffered("host_routes", is_ignored=True),
    "service_types": NotOffered("service_types"),
    "dns_publish_fixed_ip": NotOffered("dns_publish_fixed_ip"),
    "segment_id": NotOffered("segment_id", ANY_ID),
    "description": DESCRIPTION,
    "tags": TAGS,
}

PORT_ON_OTC: dict[str, OtcRow] = {
    "description": DESCRIPTION,
    "tags": TAGS,
    "admin_state_up": NotChanged("admin_state_up"),
    "fixed_ips": NotChanged("fixed_ips", second=[{"ip_address": "10.90.1.51"}]),
    "security_group_ids": replace(PORT["security_group_ids"], never_empty="a port needs a security group"),
    "mac_address": NotOffered("mac_address"),
    "device_owner": Row("neutron:VIP_PORT", once="the cloud allows no other value", base=_port),
    "dns_name": NotOffered("dns_name", base=_second_port),
    "qos_policy_id": NotOffered("qos_policy_id", ANY_ID, base=_second_port),
    "value_specs": Row({"port_security_enabled": True}, {"port_security_enabled": False}, base=_port),
}

SECURITY_GROUP_ON_OTC: dict[str, OtcRow] = {
    "tags": TAGS,
    "stateful": NotOffered("stateful"),
    "value_specs": Row({"description": "one"}, {"description": "two"}),
}
