"""Neutron: responses and errors, on the emulator and on a real OpenStack alike."""

from __future__ import annotations

import ipaddress
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.emulator.plain import MISSING_ID

if TYPE_CHECKING:
    from tests.api.emulator.plain import PlainClient, Response

STANDARD_FIELDS = {"id", "tenant_id", "project_id", "created_at", "updated_at", "revision_number", "tags"}
NETWORK_FIELDS = STANDARD_FIELDS | {
    *("name", "description", "admin_state_up", "mtu", "status", "subnets", "shared", "router:external"),
    *("availability_zone_hints", "availability_zones", "ipv4_address_scope", "ipv6_address_scope"),
    "port_security_enabled",
}
SUBNET_FIELDS = STANDARD_FIELDS | {
    *("name", "description", "network_id", "ip_version", "subnetpool_id", "enable_dhcp", "ipv6_ra_mode"),
    *("ipv6_address_mode", "gateway_ip", "cidr", "allocation_pools", "host_routes", "dns_nameservers"),
    "service_types",
}
PORT_FIELDS = STANDARD_FIELDS | {
    *("name", "description", "network_id", "mac_address", "admin_state_up", "status", "device_id"),
    *("device_owner", "fixed_ips", "allowed_address_pairs", "extra_dhcp_opts", "security_groups"),
    *("binding:vnic_type", "port_security_enabled"),
}
RULE_FIELDS = (STANDARD_FIELDS - {"tags"}) | {
    *("security_group_id", "ethertype", "direction", "protocol", "port_range_min", "port_range_max"),
    *("remote_ip_prefix", "remote_address_group_id", "normalized_cidr", "remote_group_id", "description"),
}
RULE = "rule:create_network"
HTTP = {"port_range_min": 80, "port_range_max": 80}
BAD, INVALID = "HTTPBadRequest", "InvalidInput"
INVALID_INPUT = "Invalid input for operation: "


@pytest.fixture
def network(api: PlainClient) -> dict[str, Any]:
    """A network for the test."""
    return api.create("/networks", name=f"{api.prefix}-net")


@pytest.fixture
def subnet(api: PlainClient, network: dict[str, Any]) -> dict[str, Any]:
    """The subnet 10.77.1.0/24 of `network`."""
    return api.create("/subnets", network_id=network["id"], ip_version=4, cidr="10.77.1.0/24")


def test_versions(api: PlainClient) -> None:
    """The root lists v2.0. `/v2.0` without a trailing slash returns 404, `/v2.0/` lists the core collections."""
    root = api.network_url.removesuffix("/v2.0")
    listed = api.send("GET", root + "/")
    assert listed.status == 200
    assert [version["id"] for version in listed.body["versions"]] == ["v2.0"]
    assert api.network("GET", "").error == "404 HTTPNotFound: The resource could not be found."
    core = api.network("GET", "/").body["resources"]
    assert [each["collection"] for each in core] == ["networks", "subnets", "subnetpools", "ports"]


def test_unknown_routes(api: PlainClient) -> None:
    """An unknown collection returns 404, an unsupported method 405, an invalid token 401."""
    assert api.network("GET", "/no-such").error.startswith("404 HTTPNotFound: ")
    assert api.network("POST", f"/ports/{MISSING_ID}", {}).error.startswith("405 HTTPMethodNotAllowed: ")
    response = api.send("GET", api.network_url + "/networks", **{"X-Auth-Token": "no-such"})
    assert response.status == 401
    assert response.body["error"]["message"] == "The request you have made requires authentication."


def test_network_lifecycle(api: PlainClient) -> None:
    """A new network has all fields, updates increase its revision number, and after its delete it returns 404."""
    created = api.create("/networks", name=f"{api.prefix}-a", description="d", admin_state_up=False, mtu=1400)
    assert set(created) == NETWORK_FIELDS | {"is_default"}
    assert (created["status"], created["mtu"], created["admin_state_up"]) == ("ACTIVE", 1400, False)
    assert created["revision_number"] == 1
    path = f"/networks/{created['id']}"
    changed = api.network("PUT", path, {"network": {"admin_state_up": True, "mtu": 0}}).body["network"]
    assert set(changed) == NETWORK_FIELDS
    assert (changed["mtu"], changed["admin_state_up"], changed["revision_number"]) == (1450, True, 2)
    assert api.network("PUT", path, {"network": {}}).body["network"]["revision_number"] == 2
    assert api.network("DELETE", path).status == 204
    not_found = f"404 NetworkNotFound: Network {created['id']} could not be found."
    assert api.network("GET", path).error == not_found
    assert api.network("DELETE", path).error == not_found
    assert api.network("PUT", path, {"network": {"name": "x"}}).error == not_found


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"colour": "red"}, "400 HTTPBadRequest: Unrecognized attribute(s) 'colour'"),
        ({"id": "x"}, "400 HTTPBadRequest: Attribute 'id' not allowed in POST"),
        ({"tags": ["a"]}, "400 HTTPBadRequest: Attribute 'tags' not allowed in POST"),
        ({"name": None}, "400 HTTPBadRequest: Invalid input for name. Reason: 'None' is not a valid string."),
        ({"name": 5}, "400 HTTPBadRequest: Invalid input for name. Reason: '5' is not a valid string."),
        ({"mtu": "x"}, "400 InvalidInput: Invalid input for operation: 'x' is not an integer."),
        ({"mtu": 9000}, "400 InvalidInput: Invalid input for operation: Requested MTU is too big, maximum is 1450."),
        (
            {"admin_state_up": "xx"},
            "400 InvalidInput: Invalid input for operation: 'xx' cannot be converted to boolean.",
        ),
        (
            {"availability_zone_hints": ["no-such"]},
            "404 AvailabilityZoneNotFound: AvailabilityZone no-such could not be found.",
        ),
        *(
            (
                {name: value},
                f"403 PolicyNotAuthorized: ({RULE} and {RULE}:{name}) is disallowed by policy",
            )
            for name, value in (
                ("shared", True),
                ("router:external", True),
                ("is_default", True),
                ("provider:network_type", "vxlan"),
                ("provider:segmentation_id", 5),
            )
        ),
        (
            {"project_id": "0" * 32},
            (
                "400 HTTPBadRequest: Specifying 'project_id' or 'tenant_id' other than the "
                "authenticated project in request requires admin or advsvc privileges"
            ),
        ),
    ],
    ids=str,
)
def test_create_network_rejects_invalid_attributes(api: PlainClient, attributes: dict[str, Any], error: str) -> None:
    """An invalid create request returns the error of the real service."""
    assert api.network("POST", "/networks", {"network": attributes}).error == error


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Unable to find 'network' in request body"),
        ({"net": {}}, "Unable to find 'network' in request body"),
        ([], "Body contains invalid data"),
        ({"network": []}, "Object 'network' contains invalid data"),
    ],
    ids=str,
)
def test_create_network_rejects_malformed_body(api: PlainClient, body: Any, message: str) -> None:
    """A body without a valid `network` returns 400."""
    assert api.network("POST", "/networks", body).error == f"400 HTTPBadRequest: {message}"


def test_update_network_rejects_read_only_attributes(api: PlainClient, network: dict[str, Any]) -> None:
    """An update of a read-only attribute names the attribute in the error (`project_id` as `tenant_id`)."""
    attributes: dict[str, Any] = {"status": "DOWN", "subnets": [], "project_id": api.project_id, "tags": []}
    for name, value in attributes.items():
        reported_name = "tenant_id" if name == "project_id" else name
        response = api.network("PUT", f"/networks/{network['id']}", {"network": {name: value}})
        assert response.error == f"400 HTTPBadRequest: Cannot update read-only attribute {reported_name}"


def test_subnet_defaults(api: PlainClient, subnet: dict[str, Any]) -> None:
    """The gateway is the first address, the allocation pool contains the others, and the network lists the subnet."""
    assert set(subnet) == SUBNET_FIELDS
    assert subnet["gateway_ip"] == "10.77.1.1"
    assert subnet["allocation_pools"] == [{"start": "10.77.1.2", "end": "10.77.1.254"}]
    assert subnet["enable_dhcp"] is True
    network = api.network("GET", f"/networks/{subnet['network_id']}").body["network"]
    assert network["subnets"] == [subnet["id"]]
    assert network["revision_number"] == 2


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"cidr": "10.77.0.5/24"}, {"cidr": "10.77.0.0/24", "gateway_ip": "10.77.0.1"}),
        ({"cidr": "10.77/16"}, {"cidr": "10.77.0.0/16"}),
        (
            {"cidr": "10.77.5.0/30"},
            {"allocation_pools": [{"start": "10.77.5.2", "end": "10.77.5.2"}]},
        ),
        (
            {"cidr": "10.77.0.0/24", "gateway_ip": "10.77.0.254"},
            {"allocation_pools": [{"start": "10.77.0.1", "end": "10.77.0.253"}]},
        ),
        (
            {"cidr": "10.77.0.0/24", "gateway_ip": None},
            {"gateway_ip": None, "allocation_pools": [{"start": "10.77.0.1", "end": "10.77.0.254"}]},
        ),
        (
            {"cidr": "10.77.0.0/24", "gateway_ip": "10.99.0.1"},
            {"allocation_pools": [{"start": "10.77.0.1", "end": "10.77.0.254"}]},
        ),
        ({"cidr": "10.77.0.0/24", "dns_nameservers": ["9.9.9.9", "1.1.1.1"]}, {}),
        (
            {
                "cidr": "2001:DB8:7:0:0::/64",
                "ip_version": 6,
                "ipv6_ra_mode": "slaac",
                "ipv6_address_mode": "slaac",
            },
            {
                "cidr": "2001:db8:7::/64",
                "gateway_ip": "2001:db8:7::",
                "allocation_pools": [{"start": "2001:db8:7::1", "end": "2001:db8:7:0:ffff:ffff:ffff:ffff"}],
            },
        ),
    ],
    ids=str,
)
def test_create_subnet_normalizes_attributes(
    api: PlainClient, network: dict[str, Any], attributes: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Host bits of the CIDR are removed; gateway and allocation pools default to values that fit each other."""
    created = api.create("/subnets", network_id=network["id"], **{"ip_version": 4, **attributes})
    expected_fields = {name: value for name, value in attributes.items() if name != "cidr"} | expected
    assert {name: created[name] for name in expected_fields} == expected_fields


POOL = "The allocation pool "


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({}, "400 BadRequest: Bad subnets request: a subnetpool must be specified in the absence of a cidr."),
        (
            {"cidr": "10.77.0.0/99"},
            "400 InvalidInput: Invalid input for operation: 10.77.0.0/99 is not in a CIDR format.",
        ),
        ({"cidr": "x"}, "400 InvalidInput: Invalid input for operation: x is not in a CIDR format."),
        (
            {"cidr": "10.77.0.0/24", "ip_version": 6},
            "400 InvalidInput: Invalid input for operation: cidr '10.77.0.0/24' does not match the ip_version '6'.",
        ),
        (
            {"cidr": "10.77.0.0/24", "ip_version": 5},
            "400 HTTPBadRequest: Invalid input for ip_version. Reason: 5 is not in valid_values.",
        ),
        (
            {"cidr": "10.77.0.0/31"},
            (
                "400 InvalidInput: Invalid input for operation: Subnet has a prefix "
                "length that is incompatible with DHCP service enabled."
            ),
        ),
        (
            {"cidr": "10.77.0.0/24", "prefixlen": 24},
            "400 BadRequest: Bad subnets request: cidr and prefixlen must not be supplied together.",
        ),
        (
            {"cidr": "10.77.0.0/24", "network_id": "x"},
            "400 HTTPBadRequest: Invalid input for network_id. Reason: 'x' is not a valid UUID.",
        ),
        (
            {"cidr": "10.77.0.0/24", "network_id": MISSING_ID},
            f"404 NetworkNotFound: Network {MISSING_ID} could not be found.",
        ),
        (
            {"prefixlen": 24, "subnetpool_id": MISSING_ID},
            f"404 SubnetPoolNotFound: Subnet pool {MISSING_ID} could not be found.",
        ),
        (
            {"cidr": "10.77.0.0/24", "gateway_ip": "10.77.0.0"},
            "400 InvalidInput: Invalid input for operation: Gateway is not valid on subnet.",
        ),
        (
            {"cidr": "10.77.0.0/24", "gateway_ip": "x"},
            "400 HTTPBadRequest: Invalid input for gateway_ip. Reason: 'x' is not a valid IP address.",
        ),
        (
            {"cidr": "10.77.0.0/24", "gateway_ip": "2001:db8::1"},
            (
                "400 InvalidInput: Invalid input for operation: gateway_ip '2001:db8::1' "
                "does not match the ip_version '4'."
            ),
        ),
        (
            {"cidr": "10.77.0.0/24", "allocation_pools": [{"start": "10.77.0.1", "end": "10.77.0.20"}]},
            (
                "409 GatewayConflictWithAllocationPools: Gateway ip 10.77.0.1 conflicts with "
                "allocation pool 10.77.0.1-10.77.0.20."
            ),
        ),
        (
            {"cidr": "10.77.0.0/24", "allocation_pools": [{"start": "10.77.0.20", "end": "10.77.0.10"}]},
            (
                "400 InvalidAllocationPool: The allocation pool {'start': '10.77.0.20', 'end': "
                "'10.77.0.10'} is not valid."
            ),
        ),
        (
            {"cidr": "10.77.0.0/24", "allocation_pools": [{"start": "10.77.0.2", "end": "10.77.0.255"}]},
            (
                "400 OutOfBoundsAllocationPool: The allocation pool 10.77.0.2-10.77.0.255 spans "
                "beyond the subnet cidr 10.77.0.0/24."
            ),
        ),
        (
            {
                "cidr": "10.77.0.0/24",
                "allocation_pools": [
                    {"start": "10.77.0.10", "end": "10.77.0.20"},
                    {"start": "10.77.0.15", "end": "10.77.0.30"},
                ],
            },
            (
                "409 OverlappingAllocationPools: Found overlapping allocation pools: "
                "10.77.0.10-10.77.0.20 10.77.0.15-10.77.0.30 for subnet 10.77.0.0/24."
            ),
        ),
        (
            {"cidr": "10.77.0.0/24", "dns_nameservers": ["1.1.1.1", "1.1.1.1"]},
            "400 HTTPBadRequest: Invalid input for dns_nameservers. Reason: Duplicate nameserver '1.1.1.1'.",
        ),
        (
            {"cidr": "10.77.0.0/24", "dns_nameservers": [f"1.1.1.{last}" for last in range(1, 7)]},
            (
                "400 DNSNameServersExhausted: Unable to complete operation for new subnet. "
                "The number of DNS nameservers exceeds the limit 5."
            ),
        ),
        (
            {
                "cidr": "10.77.0.0/24",
                "host_routes": [{"destination": "10.9.0.1/24", "nexthop": "10.77.0.9"}],
            },
            (
                "400 HTTPBadRequest: Invalid input for host_routes. Reason: '10.9.0.1/24' is "
                "not a recognized CIDR, '10.9.0.0/24' is recommended."
            ),
        ),
        (
            {"cidr": "10.77.0.0/24", "service_types": ["zz"]},
            "400 InvalidSubnetServiceType: Subnet service type zz does not correspond to a valid device owner.",
        ),
        (
            {"cidr": "10.77.0.0/24", "ipv6_ra_mode": "slaac"},
            "400 InvalidInput: Invalid input for operation: ipv6_ra_mode is not valid when ip_version is 4.",
        ),
        (
            {
                "cidr": "2001:db8:7::/80",
                "ip_version": 6,
                "ipv6_ra_mode": "slaac",
                "ipv6_address_mode": "slaac",
            },
            (
                "400 InvalidInput: Invalid input for operation: Invalid CIDR 2001:db8:7::/80 "
                "for IPv6 address mode. OpenStack uses the EUI-64 address format, which "
                "requires the prefix to be /64."
            ),
        ),
    ],
    ids=str,
)
def test_create_subnet_rejects_invalid_attributes(
    api: PlainClient, network: dict[str, Any], attributes: dict[str, Any], error: str
) -> None:
    """An invalid create request returns the error of the real service."""
    body = {"network_id": network["id"], "ip_version": 4, **attributes}
    assert api.network("POST", "/subnets", {"subnet": body}).error == error


def test_overlapping_subnets(api: PlainClient, subnet: dict[str, Any]) -> None:
    """Subnets of one network must not overlap; subnets of different networks may."""
    attributes = {"network_id": subnet["network_id"], "ip_version": 4, "cidr": "10.77.1.128/25"}
    message = (
        f"{INVALID_INPUT}Requested subnet with cidr: 10.77.1.128/25 for network: {subnet['network_id']} overlaps with"
        " another subnet."
    )
    assert api.network("POST", "/subnets", {"subnet": attributes}).error == f"400 InvalidInput: {message}"
    other = api.create("/networks", name=f"{api.prefix}-other")
    api.create("/subnets", **attributes | {"network_id": other["id"]})


def test_update_subnet(api: PlainClient, subnet: dict[str, Any]) -> None:
    """Gateway, pools, DNS servers and routes can be changed in place and cleared; the CIDR cannot be changed."""
    path = f"/subnets/{subnet['id']}"

    def put(**attributes: Any) -> dict[str, Any]:
        response = api.network("PUT", path, {"subnet": attributes})
        assert response.status == 200, response.body
        found: dict[str, Any] = response.body["subnet"]
        return found

    assert put(gateway_ip=None)["gateway_ip"] is None
    pools = [{"start": "10.77.1.50", "end": "10.77.1.60"}]
    assert put(allocation_pools=pools)["allocation_pools"] == pools
    assert put(dns_nameservers=["9.9.9.9", "1.1.1.1"])["dns_nameservers"] == ["9.9.9.9", "1.1.1.1"]
    assert put(dns_nameservers=[])["dns_nameservers"] == []
    routes = [
        {"destination": "10.8.0.0/24", "nexthop": "10.77.1.9"},
        {"destination": "10.9.0.0/24", "nexthop": "10.77.1.9"},
    ]
    assert put(host_routes=routes[::-1])["host_routes"] == routes
    assert put(host_routes=[], enable_dhcp=False, name="n", description="d")["host_routes"] == []
    conflict = api.network("PUT", path, {"subnet": {"gateway_ip": "10.77.1.55"}}).error
    assert conflict == (
        "409 GatewayConflictWithAllocationPools: Gateway ip 10.77.1.55 conflicts with "
        "allocation pool 10.77.1.50-10.77.1.60."
    )
    fixed = api.network("PUT", path, {"subnet": {"cidr": "10.78.0.0/24"}}).error
    assert fixed == "400 HTTPBadRequest: Cannot update read-only attribute cidr"


def test_subnet_pools(api: PlainClient, network: dict[str, Any]) -> None:
    """A subnet pool allocates the next free prefix of the requested length, and cannot be deleted while in use."""
    pool = api.create("/subnetpools", name=f"{api.prefix}-pool", prefixes=["10.76.0.0/16"])
    assert (pool["min_prefixlen"], pool["max_prefixlen"], pool["ip_version"]) == ("8", "32", 4)
    pool_attributes = {"network_id": network["id"], "ip_version": 4, "subnetpool_id": pool["id"]}
    cidrs = [api.create("/subnets", **pool_attributes, prefixlen=length)["cidr"] for length in (24, 24, 17)]
    assert cidrs == ["10.76.0.0/24", "10.76.1.0/24", "10.76.128.0/17"]
    assert api.network("POST", "/subnets", {"subnet": pool_attributes | {"prefixlen": 16}}).error == (
        "500 SubnetAllocationError: Failed to allocate subnet: Insufficient prefix space to allocate subnet size /16."
    )
    assert api.network("POST", "/subnets", {"subnet": pool_attributes | {"prefixlen": 7}}).error == (
        "400 MinPrefixSubnetAllocationError: Unable to allocate subnet with prefix "
        "length 7, minimum allowed prefix is 8."
    )
    assert (
        api.network("DELETE", f"/subnetpools/{pool['id']}").error
        == "400 SubnetPoolDeleteError: Unable to delete subnet pool: Subnet pool has existing allocations."
    )


def test_port_defaults(api: PlainClient, subnet: dict[str, Any]) -> None:
    """A new port has an address, a MAC address and the default group, and is DOWN without a device."""
    port = api.create("/ports", network_id=subnet["network_id"])
    assert set(port) == PORT_FIELDS
    assert (port["status"], port["device_id"], port["device_owner"]) == ("DOWN", "", "")
    assert port["mac_address"].startswith("fa:16:3e:")
    assert [fixed["subnet_id"] for fixed in port["fixed_ips"]] == [subnet["id"]]
    groups = api.network("GET", "/security-groups?name=default").body["security_groups"]
    assert port["security_groups"] == [groups[0]["id"]]
    assert set(api.network("GET", f"/ports/{port['id']}").body["port"]) == PORT_FIELDS


def test_port_fixed_ips(api: PlainClient, network: dict[str, Any], subnet: dict[str, Any]) -> None:
    """Fixed IPs can be requested by subnet, by address, several or none. An update keeps addresses that still match."""
    # The pool excludes the addresses below, so that they are not allocated to another port.
    pools = [{"start": "10.77.2.100", "end": "10.77.2.254"}]
    second = api.create("/subnets", network_id=network["id"], ip_version=4, cidr="10.77.2.0/24", allocation_pools=pools)

    def addresses(port: dict[str, Any]) -> list[str]:
        return [fixed["ip_address"] for fixed in port["fixed_ips"]]

    assert addresses(api.create("/ports", network_id=network["id"], fixed_ips=[])) == []
    both = [{"subnet_id": subnet["id"]}, {"subnet_id": second["id"]}]
    assert len(addresses(api.create("/ports", network_id=network["id"], fixed_ips=both))) == 2
    port = api.create("/ports", network_id=network["id"], fixed_ips=[{"ip_address": "10.77.2.50"}])
    assert port["fixed_ips"] == [{"subnet_id": second["id"], "ip_address": "10.77.2.50"}]
    path = f"/ports/{port['id']}"
    fixed_ips: list[dict[str, str]]
    for fixed_ips, expected in (
        ([{"subnet_id": second["id"]}], ["10.77.2.50"]),
        ([{"ip_address": "10.77.2.51"}, {"ip_address": "10.77.2.50"}], ["10.77.2.50", "10.77.2.51"]),
        ([], []),
        ([{"ip_address": "10.77.2.9"}], ["10.77.2.9"]),
    ):
        response = api.network("PUT", path, {"port": {"fixed_ips": fixed_ips}})
        assert addresses(response.body["port"]) == expected


def test_port_of_network_with_several_subnets(api: PlainClient, network: dict[str, Any]) -> None:
    """A port without requested addresses gets one from the IPv4 subnet with the smallest id, whichever is older."""
    ranges = [f"10.77.{number}.0/24" for number in range(4)]
    subnets = [api.create("/subnets", network_id=network["id"], ip_version=4, cidr=cidr)["id"] for cidr in ranges]
    (fixed,) = api.create("/ports", network_id=network["id"])["fixed_ips"]
    assert fixed["subnet_id"] == min(subnets)


@pytest.mark.parametrize(
    ("fixed", "error"),
    [
        (
            {"ip_address": "10.99.0.5"},
            (
                "400 InvalidIpForNetwork: IP address 10.99.0.5 is not a valid IP for "
                "any of the subnets on the specified network."
            ),
        ),
        (
            {"subnet_id": "{subnet}", "ip_address": "10.99.0.5"},
            "400 InvalidIpForSubnet: IP address 10.99.0.5 is not a valid IP for the specified subnet.",
        ),
        (
            {"subnet_id": "{subnet}", "ip_address": "10.77.1.255"},
            "400 InvalidIpForSubnet: IP address 10.77.1.255 is not a valid IP for the specified subnet.",
        ),
        (
            {"subnet_id": MISSING_ID},
            f"404 SubnetNotFound: Subnet {MISSING_ID} could not be found.",
        ),
        (
            {"subnet_id": "x"},
            "400 HTTPBadRequest: Invalid input for fixed_ips. Reason: 'x' is not a valid UUID.",
        ),
        (
            {"ip_address": "x"},
            "400 HTTPBadRequest: Invalid input for fixed_ips. Reason: 'x' is not a valid IP address.",
        ),
        ({}, "400 InvalidInput: Invalid input for operation: IP allocation requires subnet_id or ip_address."),
    ],
    ids=str,
)
def test_create_port_rejects_invalid_fixed_ips(
    api: PlainClient, subnet: dict[str, Any], fixed: dict[str, str], error: str
) -> None:
    """An address that does not fit the network returns the error of the real service."""
    fixed_ip = {key: value.replace("{subnet}", subnet["id"]) for key, value in fixed.items()}
    body = {"network_id": subnet["network_id"], "fixed_ips": [fixed_ip]}
    assert api.network("POST", "/ports", {"port": body}).error == error


def test_addresses_in_use_are_rejected(api: PlainClient, network: dict[str, Any], subnet: dict[str, Any]) -> None:
    """An address is allocated once and is free again after its port is deleted; a subnet can run out of addresses."""
    mac = "fa:16:3e:00:00:99"
    attributes = {
        "network_id": network["id"],
        "mac_address": mac,
        "fixed_ips": [{"ip_address": "10.77.1.7"}],
    }
    port = api.create("/ports", **attributes)
    assert api.network("POST", "/ports", {"port": attributes}).error == (
        "409 MacAddressInUse: Unable to complete operation for network "
        f"{network['id']}. The mac address {mac} is in use."
    )
    del attributes["mac_address"]
    assert (
        api.network("POST", "/ports", {"port": attributes}).error
        == f"409 IpAddressAlreadyAllocated: IP address 10.77.1.7 already allocated in subnet {subnet['id']}"
    )
    assert api.network("DELETE", f"/ports/{port['id']}").status == 204
    api.create("/ports", **attributes, mac_address=mac)
    small = api.create("/networks", name=f"{api.prefix}-small")
    api.create("/subnets", network_id=small["id"], ip_version=4, cidr="10.77.9.0/30")
    api.create("/ports", network_id=small["id"])
    assert (
        api.network("POST", "/ports", {"port": {"network_id": small["id"]}}).error
        == f"409 IpAddressGenerationFailure: No more IP addresses available on network {small['id']}."
    )


def test_slaac_addresses(api: PlainClient, network: dict[str, Any]) -> None:
    """In a SLAAC subnet every port has the address derived from its MAC address, including older ports."""
    port = api.create("/ports", network_id=network["id"], mac_address="fa:16:3e:01:02:03")
    mode = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    subnet = api.create("/subnets", network_id=network["id"], ip_version=6, cidr="2001:db8:7::/64", **mode)
    fixed_ips = api.network("GET", f"/ports/{port['id']}").body["port"]["fixed_ips"]
    address = str(ipaddress.ip_address("2001:db8:7:0:f816:3eff:fe01:203"))
    assert fixed_ips == [{"subnet_id": subnet["id"], "ip_address": address}]


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        (
            {"mac_address": "xx"},
            "400 HTTPBadRequest: Invalid input for mac_address. Reason: 'xx' is not a valid MAC address.",
        ),
        (
            {"security_groups": [MISSING_ID]},
            f"404 SecurityGroupNotFound: Security group {MISSING_ID} does not exist",
        ),
        (
            {"security_groups": ["default"]},
            "400 HTTPBadRequest: Invalid input for security_groups. Reason: 'default' is not a valid UUID.",
        ),
        (
            {"port_security_enabled": False, "allowed_address_pairs": [{"ip_address": "1.2.3.4"}]},
            (
                "409 AddressPairAndPortSecurityRequired: Port Security must be enabled in "
                "order to have allowed address pairs on a port."
            ),
        ),
        (
            {"allowed_address_pairs": [{"mac_address": "fa:16:3e:11:11:11"}]},
            "400 AllowedAddressPairsMissingIP: AllowedAddressPair must contain ip_address",
        ),
        (
            {"allowed_address_pairs": [{"ip_address": "1.2.3.4"}] * 2},
            (
                "400 DuplicateAddressPairInRequest: Request contains duplicate address pair: "
                "mac_address None ip_address 1.2.3.4."
            ),
        ),
        (
            {"extra_dhcp_opts": [{"opt_name": "b"}]},
            "400 InvalidInput: Invalid input for operation: No valid key specs matched for: {'opt_name': 'b'}.",
        ),
        (
            {"binding:vnic_type": "foo"},
            "400 HTTPBadRequest: Invalid input for binding:vnic_type. Reason: foo is not in valid_values.",
        ),
        (
            {"binding:host_id": "h"},
            "403 PolicyNotAuthorized: (rule:create_port and rule:create_port:binding:host_id) is disallowed by policy",
        ),
        (
            {"binding:profile": {}},
            "403 PolicyNotAuthorized: (rule:create_port and rule:create_port:binding:profile) is disallowed by policy",
        ),
        ({"network_id": MISSING_ID}, f"404 NetworkNotFound: Network {MISSING_ID} could not be found."),
    ],
    ids=str,
)
def test_create_port_rejects_invalid_attributes(
    api: PlainClient, network: dict[str, Any], attributes: dict[str, Any], error: str
) -> None:
    """An invalid create request returns the error of the real service."""
    response = api.network("POST", "/ports", {"port": {"network_id": network["id"], **attributes}})
    assert response.error == error


def test_update_port(api: PlainClient, network: dict[str, Any]) -> None:
    """Groups, address pairs and DHCP options change in place. Options are merged by name; null removes one."""
    port = api.create("/ports", network_id=network["id"], security_groups=[])
    path = f"/ports/{port['id']}"
    assert port["security_groups"] == []

    def put(**attributes: Any) -> dict[str, Any]:
        response = api.network("PUT", path, {"port": attributes})
        assert response.status == 200, response.body
        found: dict[str, Any] = response.body["port"]
        return found

    pairs = put(allowed_address_pairs=[{"ip_address": "1.2.3.4"}])["allowed_address_pairs"]
    assert pairs == [{"mac_address": port["mac_address"], "ip_address": "1.2.3.4"}]
    assert put(allowed_address_pairs=[])["allowed_address_pairs"] == []
    one = {"opt_name": "a", "opt_value": "1", "ip_version": 4}
    other = {"opt_name": "b", "opt_value": "2", "ip_version": 4}
    assert put(extra_dhcp_opts=[one])["extra_dhcp_opts"] == [one]
    assert put(extra_dhcp_opts=[other])["extra_dhcp_opts"] == [one, other]
    remaining = put(extra_dhcp_opts=[{"opt_name": "a", "opt_value": None}])
    assert remaining["extra_dhcp_opts"] == [other]
    group = api.create("/security-groups", name=f"{api.prefix}-group")["id"]
    assert put(security_groups=[group])["security_groups"] == [group]
    in_use = api.network("DELETE", f"/security-groups/{group}").error
    assert in_use == f"409 SecurityGroupInUse: Security Group {group} in use."
    assert api.network("PUT", path, {"port": {"port_security_enabled": False}}).error == (
        "409 PortSecurityPortHasSecurityGroup: Port has security group associated. "
        "Cannot disable port security or IP address until security group is "
        "removed."
    )
    bare = put(security_groups=[], port_security_enabled=False)
    assert (bare["security_groups"], bare["port_security_enabled"]) == ([], False)


def test_delete_rejects_network_and_subnet_in_use(
    api: PlainClient, network: dict[str, Any], subnet: dict[str, Any]
) -> None:
    """A network with ports and a subnet with allocated addresses cannot be deleted; a network deletes its subnets."""
    port = api.create("/ports", network_id=network["id"])
    assert api.network("DELETE", f"/networks/{network['id']}").error == (
        f"409 NetworkInUse: Unable to complete operation on network {network['id']}. "
        "There are one or more ports still in use on the network, id for "
        f"these ports is: {port['id']}."
    )
    assert api.network("DELETE", f"/subnets/{subnet['id']}").error == (
        f"409 SubnetInUse: Unable to complete operation on subnet {subnet['id']}: "
        "One or more ports have an IP allocation from this subnet."
    )
    assert api.network("DELETE", f"/ports/{port['id']}").status == 204
    assert api.network("DELETE", f"/networks/{network['id']}").status == 204
    assert api.network("GET", f"/subnets/{subnet['id']}").error.startswith("404 SubnetNotFound: ")


def test_tags(api: PlainClient, network: dict[str, Any]) -> None:
    """Tags can be replaced and added; every change is one revision."""
    path = f"/networks/{network['id']}/tags"
    assert api.network("PUT", path, {"tags": ["b", "a"]}).body == {"tags": ["b", "a"]}
    assert api.network("PUT", path + "/c").status == 201
    current = api.network("GET", f"/networks/{network['id']}?fields=tags&fields=revision_number").body
    assert current == {"network": {"tags": ["a", "b", "c"], "revision_number": 3}}
    for body, message in (
        ({"tags": "x"}, "'x' is not a list."),
        ({"tags": ["a", "a"]}, "Duplicate items in the list: 'a'."),
        ({"tags": [5]}, "'5' is not a valid string."),
        ({}, "Invalid tags body."),
    ):
        assert api.network("PUT", path, body).error == f"400 InvalidInput: Invalid input for operation: {message}"
    missing = api.network("PUT", f"/networks/{MISSING_ID}/tags", {"tags": []}).error
    assert missing == f"404 TagResourceNotFound: Resource networks {MISSING_ID} could not be found."


def test_list_filters(api: PlainClient, network: dict[str, Any], subnet: dict[str, Any]) -> None:
    """Lists can be filtered by every attribute (several values are alternatives), by tags and by fixed IPs."""
    one = api.create("/ports", network_id=network["id"], name="one", fixed_ips=[{"ip_address": "10.77.1.5"}])
    fixed = [{"ip_address": "10.77.1.6"}]
    two = api.create(
        "/ports", network_id=network["id"], name="two", device_id="dev", fixed_ips=fixed, admin_state_up=False
    )
    api.network("PUT", f"/ports/{one['id']}/tags", {"tags": ["x", "y"]})
    api.network("PUT", f"/ports/{two['id']}/tags", {"tags": ["y", "z"]})

    def list_names(query: str) -> set[str]:
        response = api.network("GET", f"/ports?network_id={network['id']}&fields=name&{query}")
        assert response.status == 200, response.body
        return {port["name"] for port in response.body["ports"]}

    for query, expected in (
        ("name=one", {"one"}),
        ("name=one&name=two", {"one", "two"}),
        (f"id={one['id']}&id={two['id']}", {"one", "two"}),
        ("device_id=dev", {"two"}),
        ("device_id=", {"one"}),
        ("admin_state_up=false", {"two"}),
        ("status=ACTIVE", set()),
        ("fixed_ips=ip_address=10.77.1.5", {"one"}),
        (f"fixed_ips=subnet_id={subnet['id']}&fixed_ips=ip_address=10.77.1.5", {"one"}),
        (f"fixed_ips=subnet_id={MISSING_ID}", set()),
        (f"security_groups={one['security_groups'][0]}", {"one", "two"}),
        ("tags=x", {"one"}),
        ("tags=x,y", {"one"}),
        ("tags=y", {"one", "two"}),
        ("tags-any=x,z", {"one", "two"}),
        ("not-tags=x", {"two"}),
        ("not-tags-any=x,z", set()),
    ):
        assert list_names(query) == expected, query
    unknown = api.network("GET", "/ports?colour=red").error
    assert unknown == "400 HTTPBadRequest: ['colour'] is invalid attribute for filtering"
    malformed = api.network("GET", "/ports?fixed_ips=foo").error
    assert malformed == "400 InvalidInput: Invalid input for operation: 'foo' is not of the form <key>=[value]."


def test_list_paging(api: PlainClient, network: dict[str, Any]) -> None:
    """The link to the next page keeps the filters."""
    created = {api.create("/ports", network_id=network["id"])["id"] for _ in range(3)}
    first = api.network("GET", f"/ports?network_id={network['id']}&fields=id&limit=2").body
    link = next(link["href"] for link in first["ports_links"] if link["rel"] == "next")
    second = api.send("GET", link).body
    assert (len(first["ports"]), len(second["ports"])) == (2, 1)
    assert {port["id"] for port in first["ports"] + second["ports"]} == created
    for query, error in (
        ("limit=x", "400 BadRequest: Bad limit request: Limit must be an integer 0 or greater and not 'x'."),
        ("limit=1&marker=no-such", "404 PortNotFound: Port no-such could not be found."),
    ):
        assert api.network("GET", f"/ports?{query}").error == error


def test_security_groups(api: PlainClient) -> None:
    """A new group allows all egress traffic, duplicate rules are rejected, and the default group is protected."""
    group = api.create("/security-groups", name=f"{api.prefix}-web")
    assert {(rule["direction"], rule["ethertype"]) for rule in group["security_group_rules"]} == {
        ("egress", "IPv4"),
        ("egress", "IPv6"),
    }
    attributes = {
        "security_group_id": group["id"],
        "direction": "ingress",
        "protocol": "tcp",
        "port_range_min": 80,
        "port_range_max": 80,
        "remote_ip_prefix": "10.0.0.5/24",
    }
    rule = api.network("POST", "/security-group-rules", {"security_group_rule": attributes}).body["security_group_rule"]
    assert set(rule) == RULE_FIELDS
    assert (rule["remote_ip_prefix"], rule["normalized_cidr"]) == ("10.0.0.5/24", "10.0.0.0/24")
    for change, error in (
        (
            {},
            f"409 SecurityGroupRuleExists: Security group rule already exists. Rule id is {rule['id']}.",
        ),
        (
            {"port_range_max": 79},
            "400 SecurityGroupInvalidPortRange: For TCP/UDP protocols, port_range_min must be <= port_range_max",
        ),
        (
            {"protocol": None},
            "400 SecurityGroupProtocolRequiredWithPorts: Must also specify protocol if port range is given.",
        ),
        (
            {"direction": "in"},
            "400 HTTPBadRequest: Invalid input for direction. Reason: in is not in valid_values.",
        ),
        (
            {"security_group_id": MISSING_ID},
            f"404 SecurityGroupNotFound: Security group {MISSING_ID} does not exist",
        ),
        (
            {"remote_ip_prefix": "x"},
            "400 InvalidCIDR: Invalid CIDR x given as IP prefix.",
        ),
    ):
        response = api.network("POST", "/security-group-rules", {"security_group_rule": attributes | change})
        assert response.error == error
    assert api.network("DELETE", f"/security-group-rules/{rule['id']}").status == 204
    default = api.network("GET", "/security-groups?name=default").body["security_groups"][0]
    assert len(default["security_group_rules"]) == 4
    assert (
        api.network("POST", "/security-groups", {"security_group": {"name": "default"}}).error
        == "409 SecurityGroupDefaultAlreadyExists: Default security group already exists."
    )
    assert (
        api.network("PUT", f"/security-groups/{default['id']}", {"security_group": {"name": "x"}}).error
        == "409 SecurityGroupCannotUpdateDefault: Updating default security group not allowed."
    )


@pytest.fixture
def group(api: PlainClient) -> dict[str, Any]:
    """A security group for the test."""
    return api.create("/security-groups", name=f"{api.prefix}-group")


def post_rules(api: PlainClient, *rules: dict[str, Any]) -> Response:
    """Create several rules with one request."""
    return api.network("POST", "/security-group-rules", {"security_group_rules": list(rules)})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"protocol": "tcp", **HTTP}, {"protocol": "6", **HTTP}),
        ({"protocol": "tcp", **HTTP}, {"protocol": 6, **HTTP}),
        ({"protocol": "tcp"}, {"protocol": "TCP", "port_range_min": 1, "port_range_max": 65535}),
        ({}, {"remote_ip_prefix": "0.0.0.0/0"}),
        ({"remote_ip_prefix": "10.0.0.5"}, {"remote_ip_prefix": "10.0.0.5/32"}),
        ({"ethertype": "IPv6", "protocol": "icmp"}, {"ethertype": "ipv6", "protocol": "58"}),
        ({"ethertype": "IPv6", "protocol": "icmpv6"}, {"ethertype": "IPv6", "protocol": "1"}),
        ({"ethertype": "IPv6"}, {"ethertype": "IPv6", "remote_ip_prefix": "::/0"}),
        ({"description": "one"}, {"description": "other"}),
    ],
    ids=str,
)
def test_equal_rules_conflict(
    api: PlainClient, group: dict[str, Any], one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Rules that differ only in their spelling or description are equal; the error contains the id of the rule."""
    base = {"security_group_id": group["id"], "direction": "ingress"}
    id_ = api.create("/security-group-rules", **base, **one)["id"]
    response = api.network("POST", "/security-group-rules", {"security_group_rule": base | other})
    assert response.error == f"409 SecurityGroupRuleExists: Security group rule already exists. Rule id is {id_}."


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        (
            {"protocol": "gre", **HTTP},
            "400 SecurityGroupInvalidProtocolForPort: Ports cannot be specified for protocol",
        ),
        ({"protocol": "tcp", "port_range_min": 80}, "400 SecurityGroupInvalidPortRange: For TCP/UDP protocols, port"),
        ({"protocol": "tcp", "port_range_max": 70000}, "400 SecurityGroupInvalidPortValue: Invalid value for port 700"),
        (
            {"protocol": "icmp", "port_range_min": 300},
            "400 SecurityGroupInvalidIcmpValue: Invalid value for ICMP type (port_range_min) 300. It must be 0 to 255.",
        ),
        (
            {"protocol": "icmp", "port_range_max": 0},
            (
                "400 SecurityGroupMissingIcmpType: ICMP code (port-range-max) 0 is provided but ICMP type "
                "(port-range-min) is missing."
            ),
        ),
        (
            {"protocol": "ipv6-icmp"},
            "400 SecurityGroupEthertypeConflictWithProtocol: Invalid ethertype IPv4 for protocol ipv6-icmp.",
        ),
        (
            {"remote_ip_prefix": "2001:db8::/64"},
            "400 SecurityGroupRuleParameterConflict: Conflicting value ethertype IPv4 for CIDR 2001:db8::/64",
        ),
        (
            {"ethertype": "IPX"},
            (
                "400 SecurityGroupRuleInvalidEtherType: Security group rule for ethertype 'IPX' not supported. "
                "Allowed values are ['IPv4', 'IPv6']."
            ),
        ),
        ({"protocol": "256"}, "400 SecurityGroupRuleInvalidProtocol: Security group rule protocol 256 not supported."),
        ({"remote_group_id": MISSING_ID}, f"404 SecurityGroupNotFound: Security group {MISSING_ID} does not exist"),
        (
            {"remote_address_group_id": MISSING_ID},
            f"404 AddressGroupNotFound: Address group {MISSING_ID} could not be found.",
        ),
    ],
    ids=str,
)
def test_rule_rejects_invalid_attributes(
    api: PlainClient, group: dict[str, Any], attributes: dict[str, Any], error: str
) -> None:
    """An invalid rule returns the error of the real service."""
    body = {"security_group_id": group["id"], "direction": "ingress", **attributes}
    assert api.network("POST", "/security-group-rules", {"security_group_rule": body}).error.startswith(error)


def test_rule_has_one_remote(api: PlainClient, group: dict[str, Any]) -> None:
    """A rule refers to a range of addresses, a group, or an address group."""
    rule = {"security_group_id": group["id"], "direction": "ingress", "remote_ip_prefix": "10.0.0.0/8"}
    error = api.network(
        "POST", "/security-group-rules", {"security_group_rule": {**rule, "remote_group_id": group["id"]}}
    ).error
    assert error == (
        "400 SecurityGroupMultipleRemoteEntites: Only one of remote_ip_prefix or remote_group_id or "
        "remote_address_group_id may be provided."
    )


def test_rules_are_created_in_bulk(api: PlainClient, group: dict[str, Any]) -> None:
    """One request creates several rules, or none of them."""
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"}
    ports = [{**rule, "port_range_min": port, "port_range_max": port} for port in (1, 2, 3)]
    created = post_rules(api, *ports[:2])
    assert created.status == 201
    assert [each["port_range_min"] for each in created.body["security_group_rules"]] == [1, 2]
    exists = post_rules(api, ports[2], ports[1]).error
    id_ = created.body["security_group_rules"][1]["id"]
    assert exists == f"409 SecurityGroupRuleExists: Security group rule already exists. Rule id is {id_}."
    assert post_rules(api).error == "400 HTTPBadRequest: Resources required"
    assert post_rules(api, ports[2], {**rule, "protocol": "nope"}).status == 400
    remote = api.network("GET", f"/security-groups/{group['id']}").body["security_group"]
    assert len(remote["security_group_rules"]) == 4
    assert remote["revision_number"] > group["revision_number"]
    listed = api.network("GET", f"/security-group-rules?security_group_id={group['id']}&direction=ingress").body
    assert {each["id"] for each in listed["security_group_rules"]} == {
        each["id"] for each in created.body["security_group_rules"]
    }


def test_delete_of_group_deletes_rules_that_refer_to_it(api: PlainClient, group: dict[str, Any]) -> None:
    """A rule whose remote group is deleted is deleted as well."""
    other = api.create("/security-groups", name=f"{api.prefix}-other")
    rule = api.create(
        "/security-group-rules", security_group_id=group["id"], direction="ingress", remote_group_id=other["id"]
    )
    assert api.network("DELETE", f"/security-groups/{other['id']}").status == 204
    missing = api.network("GET", f"/security-group-rules/{rule['id']}").error
    assert missing == f"404 SecurityGroupRuleNotFound: Security group rule {rule['id']} does not exist"


def test_stateful_group(api: PlainClient, network: dict[str, Any], group: dict[str, Any]) -> None:
    """A group in use stays stateful or stateless, and a port has groups of one sort."""
    stateless = api.create("/security-groups", name=f"{api.prefix}-stateless", stateful=False)
    assert (group["stateful"], stateless["stateful"]) == (True, False)
    both = {"network_id": network["id"], "security_groups": [group["id"], stateless["id"]]}
    assert api.network("POST", "/ports", {"port": both}).error == (
        "409 SecurityGroupConflict: Error Cannot apply both stateful and stateless security groups on the same port at "
        "the same time while attempting the operation."
    )
    api.create("/ports", network_id=network["id"], security_groups=[group["id"]])
    path, change = f"/security-groups/{group['id']}", {"security_group": {"stateful": False}}
    assert api.network("PUT", path, change).error == f"409 SecurityGroupInUse: Security Group {group['id']} in use."
    path = f"/security-groups/{stateless['id']}"
    assert api.network("PUT", path, {"security_group": {"stateful": True}}).body["security_group"]["stateful"] is True


def test_address_group_in_use(api: PlainClient, group: dict[str, Any]) -> None:
    """An address group to which a rule refers cannot be deleted."""
    addresses = api.create("/address-groups", name=f"{api.prefix}-addresses", addresses=["10.1.0.0/16", "10.2.0.5/32"])
    assert sorted(addresses["addresses"]) == ["10.1.0.0/16", "10.2.0.5/32"]
    rule = api.create(
        "/security-group-rules",
        security_group_id=group["id"],
        direction="ingress",
        remote_address_group_id=addresses["id"],
    )
    path = f"/address-groups/{addresses['id']}"
    assert api.network("DELETE", path).error == (
        f"409 AddressGroupInUse: Address group {addresses['id']} is in use on one or more security group rules."
    )
    assert api.network("DELETE", f"/security-group-rules/{rule['id']}").status == 204
    assert api.network("DELETE", path).status == 204


def test_quota_limits_and_usage(api: PlainClient) -> None:
    """A project can read its own limits and usage, and not those of other projects."""
    details = api.network("GET", f"/quotas/{api.project_id}/details").body["quota"]
    assert {name: details[name]["limit"] for name in ("network", "subnet", "port", "security_group")} == {
        "network": 100,
        "subnet": 100,
        "port": 500,
        "security_group": 10,
    }
    assert set(details["network"]) == {"limit", "used", "reserved"}
    assert api.network("GET", f"/quotas/{uuid.uuid4().hex}/details").error == (
        "403 AdminRequired: User does not have admin privileges: "
        "Only admin is authorized to access quotas for another project."
    )


def test_create_security_group_over_quota(api: PlainClient) -> None:
    """Exceeding the limit returns 409."""
    for number in range(11):
        response = api.network("POST", "/security-groups", {"security_group": {"name": f"{api.prefix}-{number}"}})
        if response.status != 201:
            break
    assert response.error == "409 OverQuota: Quota exceeded for resources: ['security_group']."


def test_external_network_is_read_only(api: PlainClient) -> None:
    """Every project sees an external network without subnets and provider attributes; only its owner can change it."""
    external = api.network("GET", "/networks?router:external=true").body["networks"]
    assert external
    assert set(external[0]) == NETWORK_FIELDS | {"is_default"}
    path = f"/networks/{external[0]['id']}"
    for method, body, rule in (
        ("PUT", {"network": {"name": "x"}}, "update_network"),
        ("DELETE", None, "delete_network"),
    ):
        assert api.network(method, path, body).error == f"403 PolicyNotAuthorized: rule:{rule} is disallowed by policy"
    for subnet_id in external[0]["subnets"]:
        assert api.network("GET", f"/subnets/{subnet_id}").status == 404
