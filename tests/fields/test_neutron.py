"""Special cases of networks, subnets and ports."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.fields.assertions import assert_no_changes, assert_updates_in_place
from tests.support.steps import SAME, Failed, Refused, updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]


def test_port_fixed_ips_change_in_place(new: New, fixtures: CloudFixtures) -> None:
    """Changes between none, one and two addresses keep the port and arrive in the cloud."""
    port = new("Port")
    base = {"network_id": fixtures.network}
    one, two = {"subnet_id": fixtures.subnet}, {"subnet_id": fixtures.subnet, "ip_address": "10.90.1.80"}
    port.up(**base, fixed_ips=[])
    assert_no_changes(port, {**base, "fixed_ips": []})
    for desired in ([one], [], [one, two], []):
        assert_updates_in_place(port, "fixed_ips", {**base, "fixed_ips": desired})
        assert len(port.outputs["all_fixed_ips"]) == len(desired)
        assert len(fixtures.cloud.network.get_port(port.id).fixed_ips) == len(desired)
        assert bool(port.outputs.get("ip_address")) == bool(desired)


def test_items_of_sets_keep_their_order(new: New, fixtures: CloudFixtures) -> None:
    """An item that another client adds to a set follows the program's items in the state, which keep their form."""
    port, cloud = new("Port"), fixtures.cloud.network
    pairs = [{"ip_address": f"10.90.1.{number}"} for number in (68, 61, 65)]
    groups = [group["id"] for group in cloud.security_groups(project_id=fixtures.project_id)][:1]
    program = {"network_id": fixtures.network, "allowed_address_pairs": pairs, "security_group_ids": groups}
    port.up(**program, tags=["b", "c", "a"])
    cloud.update_port(port.id, allowed_address_pairs=[{"ip_address": "10.90.1.60"}, *pairs])
    cloud.set_tags(cloud.get_port(port.id), ["0", "a", "b", "c"])
    port.refresh()
    assert port.state is not None
    assert [each["ip_address"][-2:] for each in port.state.inputs["allowed_address_pairs"]] == ["68", "61", "65", "60"]
    assert port.state.inputs["allowed_address_pairs"][:3] == pairs
    assert port.state.inputs["tags"] == ["b", "c", "a", "0"]
    assert port.preview(**program, tags=["b", "c", "a"]) == updates("allowed_address_pairs", "tags")


@pytest.mark.parametrize("mode", ["slaac", "dhcpv6-stateless"])
def test_automatic_ipv6_addresses_are_no_drift(new: New, fixtures: CloudFixtures, mode: str) -> None:
    """With SLAAC or stateless DHCPv6 a port has an address that the program does not list; this is no drift."""
    network, four, six, port = new("Network"), new("Subnet"), new("Subnet"), new("Port")
    network.up()
    four.up(network_id=network.id, cidr="10.98.0.0/24")
    six.name = "six"
    six.up(
        network_id=network.id,
        cidr="2001:db8:98::/64",
        ip_version=6,
        ipv6_address_mode=mode,
        ipv6_ra_mode=mode,
    )
    base = {"network_id": network.id}
    one, two = {"ip_address": "10.98.0.10"}, {"subnet_id": four.id, "ip_address": "10.98.0.20"}
    port.up(**base, fixed_ips=[{"subnet_id": four.id}])
    assert_no_changes(port, {**base, "fixed_ips": [{"subnet_id": four.id}]})
    assert len(port.outputs["all_fixed_ips"]) == 2
    assert_updates_in_place(port, "fixed_ips", {**base, "fixed_ips": [{"subnet_id": six.id}, {"subnet_id": four.id}]})
    for desired in ([one], [one, two], [two], []):
        assert_updates_in_place(port, "fixed_ips", {**base, "fixed_ips": desired})
        assert len(port.outputs["all_fixed_ips"]) == len(desired) + 1
    # An address that is added outside of Pulumi is drift.
    fixtures.cloud.network.update_port(port.id, fixed_ips=[{"ip_address": "10.98.0.30"}])
    port.refresh()
    assert_updates_in_place(port, "fixed_ips", {**base, "fixed_ips": []})


def test_port_keeps_its_address_when_others_change(new: New, fixtures: CloudFixtures) -> None:
    """An item with only a subnet keeps its current address when other items are added or removed."""
    port = new("Port")
    base = {"network_id": fixtures.network}
    some, fixed = {"subnet_id": fixtures.subnet}, {"ip_address": "10.90.1.81"}
    port.up(**base, fixed_ips=[some])
    kept = port.outputs["ip_address"]
    assert_updates_in_place(port, "fixed_ips", {**base, "fixed_ips": [fixed, some]})
    assert {item["ip_address"] for item in port.outputs["all_fixed_ips"]} == {kept, "10.90.1.81"}
    assert_updates_in_place(port, "fixed_ips", {**base, "fixed_ips": [{"ip_address": kept}]})
    assert port.outputs["ip_address"] == kept


def test_fixed_ip_with_address_is_matched_first(new: New, fixtures: CloudFixtures) -> None:
    """An item with an address is matched with that address before an earlier item with only a subnet."""
    port = new("Port")
    base = {"network_id": fixtures.network}
    some, fixed = {"subnet_id": fixtures.subnet}, {"ip_address": "10.90.1.84"}
    port.up(**base, fixed_ips=[fixed])
    assert_updates_in_place(port, "fixed_ips", {**base, "fixed_ips": [some, fixed]})
    assert len(port.outputs["all_fixed_ips"]) == 2


def test_equivalent_address_notations_are_no_change(new: New, fixtures: CloudFixtures) -> None:
    """Case, separators and leading zeros of MAC and IP addresses cause neither an update nor a replacement."""
    network, subnet, port = new("Network"), new("Subnet"), new("Port")
    network.up()
    ranges = {
        "network_id": network.id,
        "cidr": "2001:DB8:98:0::/64",
        "ip_version": 6,
        "allocation_pools": [{"start": "2001:DB8:98::0100", "end": "2001:db8:98::200"}],
        "host_routes": [{"destination": "2001:DB8:99:0::/64", "nexthop": "2001:DB8:98::02"}],
        "dns_nameservers": ["2001:DB8:98:0::53"],
    }
    subnet.up(**ranges)
    assert_no_changes(subnet, ranges)
    assert subnet.outputs["cidr"] == ranges["cidr"]
    subnet.outputs.update(gateway_ip="2001:DB8:98:0::1", dns_nameservers=["2001:db8:98::53"])
    assert subnet.preview(**ranges, gateway_ip="2001:db8:98::1") == SAME
    program = {
        "network_id": network.id,
        "mac_address": "FA-16-3E-00-98-0A",
        "fixed_ips": [{"ip_address": "2001:DB8:98:0::5"}],
        "allowed_address_pairs": [
            {"ip_address": "2001:DB8:98:0::6", "mac_address": "FA:16:3E:00:98:0B"},
            {"ip_address": "2001:DB8:98:0:1::/80"},
        ],
    }
    port.up(**program)
    assert_no_changes(port, program)
    assert fixtures.cloud.network.get_port(port.id).mac_address == "fa:16:3e:00:98:0a"
    lower_case = {**program, "mac_address": "fa:16:3e:00:98:0a", "fixed_ips": [{"ip_address": "2001:db8:98::5"}]}
    assert_no_changes(port, lower_case)
    # Some versions of Neutron return addresses in the notation of the request.
    pairs = [{**pair, "ip_address": pair["ip_address"].upper()} for pair in port.outputs["allowed_address_pairs"]]
    port.outputs.update(mac_address="FA:16:3E:00:98:0A", allowed_address_pairs=pairs)
    assert port.preview(**lower_case) == SAME


def test_adopt_of_port_with_other_address_notation(new: New, fixtures: CloudFixtures) -> None:
    """Adopting a port whose addresses another client wrote in upper case does not update the port."""
    pairs = [{"ip_address": "2001:DB8:97::0:6", "mac_address": "FA:16:3E:00:97:0B"}]
    remote = fixtures.cloud.network.create_port(
        network_id=fixtures.network, mac_address="FA:16:3E:00:97:0A", allowed_address_pairs=pairs
    )
    port = new("Port")
    inputs = {"network_id": fixtures.network, "mac_address": remote.mac_address}
    port.up(**inputs, allowed_address_pairs=remote.allowed_address_pairs, adopt=remote.id)
    assert fixtures.cloud.network.get_port(remote.id).revision_number == remote.revision_number


def test_duplicate_tags_are_merged(new: New) -> None:
    """A tag that the program lists twice is set once and causes no drift."""
    network = new("Network")
    network.up(tags=["dev", "web", "dev"])
    assert_no_changes(network, {"tags": ["dev", "web", "dev"]})
    assert sorted(network.outputs["tags"]) == ["dev", "web"]


def test_subnet_with_one_address(new: New, fixtures: CloudFixtures) -> None:
    """The check accepts the implied gateway of a /32 subnet, which is outside of the subnet; the cloud validates it."""
    subnet, network = new("Subnet"), new("Network")
    assert subnet.preview(network_id=fixtures.network, cidr="10.77.0.5/32", no_gateway=False).op == "create"
    network.up()
    program = {"network_id": network.id, "cidr": "10.77.0.5/32", "enable_dhcp": False}
    subnet.up(**program, no_gateway=True)
    subnet.up(**program, no_gateway=False)
    assert subnet.outputs["gateway_ip"] == "10.77.0.6"


def test_port_security_groups_change_in_place(new: New, fixtures: CloudFixtures) -> None:
    """Security groups of a port can be added and removed, and a refresh detects drift."""
    port = new("Port")
    base = {"network_id": fixtures.network}
    one, two = fixtures.groups
    port.up(**base, security_group_ids=[one])
    for desired in ([one, two], [two], []):
        assert_updates_in_place(port, "security_group_ids", {**base, "security_group_ids": desired})
        assert sorted(fixtures.cloud.network.get_port(port.id).security_group_ids) == sorted(desired)
    fixtures.cloud.network.update_port(port.id, security_groups=[one])
    port.refresh()
    assert port.preview(**base, security_group_ids=[]) == updates("security_group_ids")


def test_port_default_security_group_is_no_drift(new: New, fixtures: CloudFixtures) -> None:
    """A port without `security_group_ids` gets the default group of the project; this is no drift."""
    port = new("Port")
    port.up(network_id=fixtures.network)
    assert len(port.outputs["security_group_ids"]) == 1
    assert_no_changes(port, {"network_id": fixtures.network})


def test_port_allowed_address_pairs(new: New, fixtures: CloudFixtures) -> None:
    """An address pair without a MAC address gets that of the port; this is no drift."""
    port = new("Port")
    base = {"network_id": fixtures.network}
    bare, full = {"ip_address": "10.90.1.82"}, {"ip_address": "10.90.1.83", "mac_address": "fa:16:3e:00:90:83"}
    port.up(**base, allowed_address_pairs=[bare])
    assert_no_changes(port, {**base, "allowed_address_pairs": [bare]})
    for desired in ([bare, full], [full], [{**full, "mac_address": "fa:16:3e:00:90:84"}], []):
        assert_updates_in_place(port, "allowed_address_pairs", {**base, "allowed_address_pairs": desired})


def test_port_dhcp_options_are_matched_by_name(new: New, fixtures: CloudFixtures) -> None:
    """DHCP options are added, changed and removed by name and IP version."""
    port = new("Port")
    base = {"network_id": fixtures.network}
    mtu, boot = {"name": "mtu", "value": "1400"}, {"name": "bootfile-name", "value": "one"}
    six = {"name": "bootfile-name", "value": "six", "ip_version": 6}
    port.up(**base, extra_dhcp_options=[mtu])
    edited = {**boot, "value": "two"}
    several: list[list[dict[str, Any]]] = [[mtu, boot], [mtu, edited], [mtu, edited, six], [six], []]
    for desired in several:
        assert_updates_in_place(port, "extra_dhcp_options", {**base, "extra_dhcp_options": desired})
        remote = {
            (item["opt_name"], item["opt_value"]) for item in fixtures.cloud.network.get_port(port.id).extra_dhcp_opts
        }
        assert remote == {(item["name"], item["value"]) for item in desired}


def test_port_order_of_sets_is_no_diff(new: New, fixtures: CloudFixtures) -> None:
    """The order of items is no diff in any of the sets of a port."""
    port = new("Port")
    sets: dict[str, list[Any]] = {
        "fixed_ips": [{"ip_address": "10.90.1.85"}, {"ip_address": "10.90.1.86"}, {"subnet_id": fixtures.subnet}],
        "security_group_ids": fixtures.groups,
        "allowed_address_pairs": [{"ip_address": "10.90.1.87"}, {"ip_address": "10.90.1.88"}],
        "extra_dhcp_options": [{"name": "mtu", "value": "1400"}, {"name": "domain-name", "value": "example.org"}],
        "tags": ["b", "a"],
    }
    port.up(network_id=fixtures.network, **sets)
    for name, items in sets.items():
        for order in itertools.permutations(items):
            assert port.preview(network_id=fixtures.network, **{**sets, name: list(order)}) == SAME


def test_subnet_order_of_allocation_pools_is_no_diff(new: New, fixtures: CloudFixtures) -> None:
    """Another order of the allocation pools is no diff; another pool is."""
    subnet = new("Subnet")
    base = {"network_id": fixtures.bare_network, "cidr": "10.96.0.0/24"}
    pools = [{"start": f"10.96.0.{low}", "end": f"10.96.0.{low + 5}"} for low in (50, 10, 90)]
    subnet.up(**base, allocation_pools=pools)
    for order in itertools.permutations(pools):
        assert_no_changes(subnet, {**base, "allocation_pools": list(order)})
    assert_updates_in_place(subnet, "allocation_pools", {**base, "allocation_pools": pools[1:]})


def test_subnet_without_allocation_pools(new: New, fixtures: CloudFixtures) -> None:
    """An empty list of pools is no range at all, in a new subnet as after an update."""
    subnet, base = new("Subnet"), {"network_id": fixtures.bare_network, "cidr": "10.96.0.0/24"}
    subnet.up(**base, allocation_pools=[])
    assert subnet.outputs["allocation_pools"] == []
    assert_no_changes(subnet, {**base, "allocation_pools": []})
    pool = {"start": "10.96.0.10", "end": "10.96.0.20"}
    assert_updates_in_place(subnet, "allocation_pools", {**base, "allocation_pools": [pool]})
    assert_updates_in_place(subnet, "allocation_pools", {**base, "allocation_pools": []})
    assert subnet.outputs["allocation_pools"] == []


def test_subnet_dns_nameservers_are_ordered_and_can_be_cleared(new: New, fixtures: CloudFixtures) -> None:
    """Another order is a change, an empty list clears the servers, and an unset field keeps them."""
    subnet = new("Subnet")
    base = {"network_id": fixtures.bare_network, "cidr": "10.96.0.0/24"}
    subnet.up(**base, dns_nameservers=["8.8.8.8", "8.8.4.4"])
    assert_updates_in_place(subnet, "dns_nameservers", {**base, "dns_nameservers": ["8.8.4.4", "8.8.8.8"]})
    assert_no_changes(subnet, base)
    assert fixtures.cloud.network.get_subnet(subnet.id).dns_nameservers == ["8.8.4.4", "8.8.8.8"]
    subnet.up(**base, dns_nameservers=["8.8.4.4", "8.8.8.8"])
    assert_updates_in_place(subnet, "dns_nameservers", {**base, "dns_nameservers": []})
    assert fixtures.cloud.network.get_subnet(subnet.id).dns_nameservers == []


def test_subnet_gateway_and_no_gateway(new: New, fixtures: CloudFixtures) -> None:
    """The computed gateway is no drift; `no_gateway` removes the gateway, and `gateway_ip` sets another one."""
    subnet = new("Subnet")
    base = {"network_id": fixtures.bare_network, "cidr": "10.96.0.0/24"}
    subnet.up(**base)
    assert subnet.outputs["gateway_ip"] == "10.96.0.1"
    assert_no_changes(subnet, {**base, "no_gateway": False})
    assert_updates_in_place(subnet, "no_gateway", {**base, "no_gateway": True})
    assert subnet.outputs.get("gateway_ip") is None
    # Setting `gateway_ip` and unsetting `no_gateway` sets the gateway again.
    assert subnet.preview(**base, gateway_ip="10.96.0.1") == updates("gateway_ip", "no_gateway")
    subnet.up(**base, gateway_ip="10.96.0.1")
    assert fixtures.cloud.network.get_subnet(subnet.id).gateway_ip == "10.96.0.1"
    assert_updates_in_place(subnet, "gateway_ip", {**base, "gateway_ip": "10.96.0.254"})
    assert fixtures.cloud.network.get_subnet(subnet.id).gateway_ip == "10.96.0.254"


CONNECTED = {"cidr": "10.96.0.0/24"}


def connected(new: New, fixtures: CloudFixtures) -> list[Resource]:
    """Return a subnet with the gateway 10.96.0.1, a router, and the interface that connects them."""
    subnet, router, interface = new("Subnet"), new("Router"), new("RouterInterface")
    subnet.up(network_id=fixtures.bare_network, **CONNECTED, gateway_ip="10.96.0.1")
    router.up()
    interface.up(router_id=router.id, subnet_id=subnet.id)
    return [subnet, router, interface]


def test_subnet_gateway_behind_a_router(new: New, fixtures: CloudFixtures, warnings: list[str]) -> None:
    """The gateway of a connected subnet cannot change: preview and error name it, the router, and what to do."""
    subnet, router, interface = connected(new, fixtures)
    warnings.clear()
    base = {"network_id": fixtures.bare_network, **CONNECTED}
    subnet.preview(**base, gateway_ip="10.96.0.1", dns_nameservers=["9.9.9.9"])
    assert warnings == []
    subnet.preview(**base, gateway_ip="10.96.0.254")
    reason = f"gateway_ip: the update fails, because the router {router.id} has the address of the former"
    assert any(line.startswith(reason) for line in warnings)
    with pytest.raises(Failed, match=r"gateway_ip: a router has the address .*remove its RouterInterface .*HTTP 409"):
        subnet.up(**base, gateway_ip="10.96.0.254")
    subnet.up(**base, gateway_ip="10.96.0.1")
    interface.destroy()
    warnings.clear()
    subnet.up(**base, gateway_ip="10.96.0.254")
    assert warnings == []


def test_subnet_loses_its_gateway_behind_a_router(new: New, fixtures: CloudFixtures, warnings: list[str]) -> None:
    """The gateway of a connected subnet can be removed."""
    subnet, *_ = connected(new, fixtures)
    warnings.clear()
    base = {"network_id": fixtures.bare_network, **CONNECTED}
    subnet.up(**base, no_gateway=True)
    assert warnings == []
    assert subnet.outputs.get("gateway_ip") is None


def test_subnet_no_gateway_false_restores_the_implied_gateway(new: New, fixtures: CloudFixtures) -> None:
    """`no_gateway=False` sets the first address as the gateway, and removes it from the allocation pool."""
    subnet = new("Subnet")
    base = {"network_id": fixtures.bare_network, "cidr": "10.96.0.0/24"}
    subnet.up(**base, no_gateway=True)
    assert subnet.outputs["allocation_pools"] == [{"start": "10.96.0.1", "end": "10.96.0.254"}]
    assert_updates_in_place(subnet, "no_gateway", {**base, "no_gateway": False})
    assert subnet.outputs["gateway_ip"] == "10.96.0.1"
    assert subnet.outputs["allocation_pools"] == [{"start": "10.96.0.2", "end": "10.96.0.254"}]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"cidr": "10.96.0.0/24", "gateway_ip": "10.96.0.1", "no_gateway": True}, "give only one of `gateway_ip`"),
        (
            {
                "cidr": "10.96.0.0/24",
                "no_gateway": False,
                "allocation_pools": [{"start": "10.96.0.1", "end": "10.96.0.9"}],
            },
            "10.96.0.1 lies in an allocation pool",
        ),
        ({"cidr": "10.96.0.0/24", "subnet_pool_id": "any"}, "give only one of `cidr` or `subnet_pool_id`"),
    ],
)
def test_subnet_rejects_contradictory_inputs(
    new: New, fixtures: CloudFixtures, inputs: dict[str, Any], reason: str
) -> None:
    """The check rejects contradictory inputs, and the error names them."""
    with pytest.raises(Refused, match=reason):
        new("Subnet").preview(network_id=fixtures.bare_network, **inputs)


def test_subnet_from_subnet_pool(new: New, fixtures: CloudFixtures) -> None:
    """The cloud allocates a range of the requested size from the pool; the computed `cidr` is no drift."""
    subnet = new("Subnet")
    program = {"network_id": fixtures.other_bare_network, "subnet_pool_id": fixtures.pools[0], "prefix_length": 27}
    subnet.up(**program)
    assert subnet.outputs["cidr"].startswith("10.93.")
    assert subnet.outputs["cidr"].endswith("/27")
    assert_no_changes(subnet, program)


def test_subnet_host_routes(new: New, fixtures: CloudFixtures) -> None:
    """Host routes can be added, changed and removed; their order is no diff."""
    subnet = new("Subnet")
    base = {"network_id": fixtures.bare_network, "cidr": "10.96.0.0/24"}
    routes = [{"destination": f"10.{number}.0.0/16", "nexthop": f"10.96.0.{number}"} for number in (5, 6, 7)]
    subnet.up(**base, host_routes=routes)
    assert_no_changes(subnet, {**base, "host_routes": routes[::-1]})
    for desired in (routes[:1], [{**routes[0], "nexthop": "10.96.0.9"}, routes[2]], []):
        assert_updates_in_place(subnet, "host_routes", {**base, "host_routes": desired})
        remote = fixtures.cloud.network.get_subnet(subnet.id).host_routes
        assert {route["destination"] for route in remote} == {route["destination"] for route in desired}


def test_network_unset_port_security_is_not_false(new: New) -> None:
    """An unset `port_security_enabled` uses the default of the cloud; unsetting it after false leaves it false."""
    network = new("Network")
    network.up()
    assert network.outputs["port_security_enabled"] is True
    assert_no_changes(network, {})
    assert_updates_in_place(network, "port_security_enabled", {"port_security_enabled": False})
    assert_no_changes(network, {})
    assert network.outputs["port_security_enabled"] is False


def test_network_admin_state_changes_in_place(new: New) -> None:
    """`admin_state_up` changes in place in both directions, and false is not unset."""
    network = new("Network")
    network.up(admin_state_up=True)
    for desired in (False, True, False):
        assert_updates_in_place(network, "admin_state_up", {"admin_state_up": desired})
        assert network.outputs["admin_state_up"] is desired


def test_network_description_replaces_owner_marker(new: New, fixtures: CloudFixtures) -> None:
    """A description of the program replaces the owner marker; an empty description stays empty."""
    network = new("Network")
    network.up()
    assert network.outputs["description"].startswith("Managed by Pulumi: ")
    assert_updates_in_place(network, "description", {"description": "mine"})
    assert_updates_in_place(network, "description", {"description": ""})
    assert fixtures.cloud.network.get_network(network.id).description == ""


def test_network_with_segmentation_id_is_deleted_before_replacement(new: New) -> None:
    """Two networks cannot share a segment, so the prior network is deleted before its replacement is created."""
    network = new("Network", admin=True)
    segment = {"provider_network_type": "vxlan", "provider_segmentation_id": 3905}
    network.up(**segment)
    step = network.preview(**segment, value_specs={"mtu": 1300})
    assert (step.op, step.delete_first) == ("replace", True)
    network.up(**segment, value_specs={"mtu": 1300})
    assert network.outputs["mtu"] == 1300
    assert_no_changes(network, {**segment, "value_specs": {"mtu": 1300}})
    step = network.preview(**{**segment, "provider_segmentation_id": 3906})
    assert (step.op, step.delete_first) == ("replace", False)


def test_interface_attachment_detached_outside_of_pulumi(new: New, fixtures: CloudFixtures) -> None:
    """A detached NIC is attached again with its address; a destroy deletes its port even if it is detached."""
    nic = new("InterfaceAttachment")
    program = {"server_id": fixtures.server, "network_id": fixtures.network}
    nic.up(**program)
    id_, port_id, addresses = nic.id, nic.outputs["port_id"], nic.outputs["fixed_ips"]
    for then in ("reattach", "destroy"):
        fixtures.cloud.compute.delete_server_interface(port_id, server=fixtures.server)
        fixtures.wait_for(lambda: not fixtures.cloud.network.get_port(port_id).device_id)
        if then == "destroy":
            break
        nic.refresh()
        assert nic.outputs["port_state"] == "DETACHED"
        assert nic.preview(**program) == updates()
        nic.up(**program)
        assert (nic.id, nic.outputs["fixed_ips"]) == (id_, addresses)
        assert_no_changes(nic, program)
    nic.destroy()
    assert fixtures.cloud.network.find_port(port_id) is None
