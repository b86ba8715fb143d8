"""The fields of Network, Subnet and Port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fields.rows.row import Row, put, tag

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures


def _other_project(fixtures: CloudFixtures) -> str:
    return fixtures.other_project_id


def _missing_zones(fixtures: CloudFixtures) -> str | None:
    return None if list(fixtures.cloud.network.availability_zones()) else "Neutron has no availability zones here"


def _zones(fixtures: CloudFixtures) -> list[str]:
    return sorted({zone.name for zone in fixtures.cloud.network.availability_zones()})[:1]


NETWORK = {
    "name": Row("fields-one", "fields-two", out_of_band_change=put(name="fields-by-hand")),
    "description": Row("one", "two", clear="", out_of_band_change=put(description="by hand")),
    "admin_state_up": Row(False, True, out_of_band_change=put(admin_state_up=True)),
    "shared": Row(True, False, admin=True, out_of_band_change=put(shared=False)),
    "external": Row(True, False, admin=True, refusal="router:external", out_of_band_change=put(router__external=False)),
    "port_security_enabled": Row(False, True, out_of_band_change=put(port_security_enabled=True)),
    "mtu": Row(1400, 1300, out_of_band_change=put(mtu=1200)),
    "dns_domain": Row(
        "one.example.org.",
        "two.example.org.",
        extension="dns-integration",
        out_of_band_change=put(dns_domain="by.example.org."),
    ),
    "qos_policy_id": Row(
        lambda g: g.policies[0],
        lambda g: g.policies[1],
        clear="",
        extension="qos",
        out_of_band_change=put(qos_policy_id=None),
    ),
    "tags": Row(["a", "b"], ["c", "b"], out_of_band_change=tag),
    "transparent_vlan": Row(True, False, extension="vlan-transparent", refusal="vlan_transparent"),
    "availability_zone_hints": Row(_zones, [], lacks=_missing_zones),
    "provider_network_type": Row("vxlan", "local", admin=True, refusal="provider:network_type"),
    "provider_physical_network": Row(
        lambda g: g.unique_name("phys")[-12:],
        lambda g: g.unique_name("phys")[-12:],
        base={"provider_network_type": "flat"},
        admin=True,
        refusal="provider:physical_network",
    ),
    "provider_segmentation_id": Row(
        3901, 3902, base={"provider_network_type": "vxlan"}, admin=True, refusal="provider:segmentation_id"
    ),
    "project_id": Row(
        lambda g: g.project_id, lambda g: g.other_project_id, admin=True, denied=_other_project, refusal="project"
    ),
    "value_specs": Row({"mtu": 1400}, {"mtu": 1300}),
}


def _subnet(**inputs: Any) -> Any:
    return lambda g: {"network_id": g.bare_network, "cidr": "10.91.0.0/24", **inputs}


def _six(**inputs: Any) -> Any:
    return lambda g: {"network_id": g.bare_network, "cidr": "2001:db8:91::/64", "ip_version": 6, **inputs}


def _pooled(**inputs: Any) -> Any:
    return lambda g: {"network_id": g.other_bare_network, "subnet_pool_id": g.pools[0], **inputs}


_POOL = {"start": "10.91.0.10", "end": "10.91.0.99"}
_ROUTE = {"destination": "10.0.0.0/8", "nexthop": "10.91.0.2"}
_OTHER_ROUTE = {"destination": "172.16.0.0/12", "nexthop": "10.91.0.3"}

SUBNET = {
    "network_id": Row(lambda g: g.bare_network, lambda g: g.other_bare_network, base={"cidr": "10.91.0.0/24"}),
    "cidr": Row("10.91.0.0/24", "10.91.1.0/24", base=_subnet(), required=True),
    "subnet_pool_id": Row(
        lambda g: g.pools[0],
        lambda g: g.pools[1],
        base=lambda g: {"network_id": g.other_bare_network},
        delete_first=True,
        required=True,
    ),
    "prefix_length": Row(26, 27, base=_pooled()),
    "ip_version": Row(4, 6, base=_subnet(), then={"cidr": "2001:db8:91::/64"}),
    "name": Row("fields-one", "fields-two", base=_subnet(), out_of_band_change=put(name="fields-by-hand")),
    "description": Row("one", "two", base=_subnet(), clear="", out_of_band_change=put(description="by hand")),
    "gateway_ip": Row(
        "10.91.0.1",
        "10.91.0.254",
        base=_subnet(allocation_pools=[_POOL]),
        out_of_band_change=put(gateway_ip="10.91.0.253"),
    ),
    "no_gateway": Row(
        True, False, base=_subnet(), out_of_band_change=put(gateway_ip="10.91.0.1", allocation_pools=[_POOL])
    ),
    "enable_dhcp": Row(False, True, base=_subnet(), out_of_band_change=put(enable_dhcp=True)),
    "dns_nameservers": Row(
        ["8.8.8.8", "8.8.4.4"],
        ["8.8.4.4", "8.8.8.8"],
        base=_subnet(),
        out_of_band_change=put(dns_nameservers=["9.9.9.9"]),
    ),
    "allocation_pools": Row(
        [_POOL],
        [_POOL, {"start": "10.91.0.120", "end": "10.91.0.130"}],
        base=_subnet(),
        out_of_band_change=put(allocation_pools=[{"start": "10.91.0.20", "end": "10.91.0.30"}]),
    ),
    "host_routes": Row(
        [_ROUTE], [_OTHER_ROUTE, _ROUTE], base=_subnet(), out_of_band_change=put(host_routes=[_OTHER_ROUTE])
    ),
    "ipv6_address_mode": Row("slaac", "dhcpv6-stateful", base=_six(), delete_first=True),
    "ipv6_ra_mode": Row("slaac", "dhcpv6-stateful", base=_six(), delete_first=True),
    "service_types": Row(
        ["compute:nova"],
        ["compute:nova", "network:floatingip"],
        base=_subnet(),
        out_of_band_change=put(service_types=["network:floatingip"]),
    ),
    "dns_publish_fixed_ip": Row(
        True,
        False,
        base=_subnet(),
        extension="subnet-dns-publish-fixed-ip",
        out_of_band_change=put(dns_publish_fixed_ip=False),
    ),
    "segment_id": Row(lambda g: g.segment, once="a network has one segment", base=_subnet(), extension="segment"),
    "tags": Row(["a", "b"], ["c", "b"], base=_subnet(), out_of_band_change=tag),
    "project_id": Row(
        lambda g: g.project_id,
        lambda g: g.other_project_id,
        base=_subnet(),
        admin=True,
        delete_first=True,
        denied=_other_project,
        refusal="project",
    ),
    "value_specs": Row(
        {"dns_nameservers": ["9.9.9.9"]}, {"dns_nameservers": ["8.8.8.8"]}, base=_subnet(), delete_first=True
    ),
}


def _port(**inputs: Any) -> Any:
    # Create the subnet first, because a port without one gets no address.
    return lambda g: {"network_id": g.subnet and g.network, **inputs}


PORT = {
    "network_id": Row(lambda g: g.subnet and g.network, lambda g: g.other_network),
    "name": Row("fields-one", "fields-two", base=_port(), out_of_band_change=put(name="fields-by-hand")),
    "description": Row("one", "two", base=_port(), clear="", out_of_band_change=put(description="by hand")),
    "admin_state_up": Row(False, True, base=_port(), out_of_band_change=put(admin_state_up=True)),
    "fixed_ips": Row(
        lambda g: [{"subnet_id": g.subnet, "ip_address": "10.90.1.50"}],
        lambda g: [{"subnet_id": g.subnet}, {"ip_address": "10.90.1.51"}],
        base=_port(),
        out_of_band_change=put(fixed_ips=lambda g: [{"subnet_id": g.subnet, "ip_address": "10.90.1.52"}]),
    ),
    "security_group_ids": Row(
        lambda g: g.groups,
        lambda g: g.groups[1:],
        base=_port(),
        out_of_band_change=put(security_groups=lambda g: g.groups[:1]),
    ),
    "allowed_address_pairs": Row(
        [{"ip_address": "10.90.1.60", "mac_address": "fa:16:3e:00:90:01"}],
        [{"ip_address": "10.90.1.61"}, {"ip_address": "10.90.1.60", "mac_address": "fa:16:3e:00:90:01"}],
        base=_port(),
        out_of_band_change=put(allowed_address_pairs=[{"ip_address": "10.90.1.62"}]),
    ),
    "extra_dhcp_options": Row(
        [{"name": "mtu", "value": "1400", "ip_version": 4}],
        [
            {"name": "bootfile-name", "value": "pxelinux.0", "ip_version": 4},
            {"name": "mtu", "value": "1300", "ip_version": 4},
        ],
        base=_port(),
        out_of_band_change=put(extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1200", "ip_version": 4}]),
    ),
    "mac_address": Row("fa:16:3e:00:90:10", "fa:16:3e:00:90:11", base=_port(), delete_first=True),
    "port_security_enabled": Row(
        False, True, base=_port(security_group_ids=[]), out_of_band_change=put(port_security_enabled=True)
    ),
    "device_owner": Row("fields:one", "fields:two", base=_port()),
    "dns_name": Row(
        "one", "two", base=_port(), clear="", extension="dns-integration", out_of_band_change=put(dns_name="by-hand")
    ),
    "binding_host_id": Row(
        "host-one",
        "host-two",
        base=_port(),
        clear="",
        admin=True,
        refusal="binding:host_id",
        out_of_band_change=put(binding__host_id="by-hand"),
    ),
    "binding_profile": Row(
        {"a": "1", "b": "2"},
        {"b": "3"},
        base=_port(),
        admin=True,
        refusal="binding:profile",
        out_of_band_change=put(binding__profile={"by": "hand"}),
    ),
    "binding_vnic_type": Row("direct", "normal", base=_port(), out_of_band_change=put(binding__vnic_type="normal")),
    "qos_policy_id": Row(
        lambda g: g.policies[0],
        lambda g: g.policies[1],
        base=_port(),
        clear="",
        extension="qos",
        out_of_band_change=put(qos_policy_id=None),
    ),
    "tags": Row(["a", "b"], ["c", "b"], base=_port(), out_of_band_change=tag),
    "project_id": Row(
        lambda g: g.project_id,
        lambda g: g.other_project_id,
        base=_port(),
        admin=True,
        denied=_other_project,
        refusal="project",
    ),
    "value_specs": Row({"device_id": "fields-one"}, {"device_id": "fields-two"}, base=_port()),
}
