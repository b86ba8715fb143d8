"""Where networks, subnets and ports need care."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.steps import SAME, Refused, updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.ground import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]


def becomes(it: Resource, field: str, program: dict[str, Any]) -> None:
    """The field changes in place, and nothing is left to do, also after a refresh."""
    before = it.id
    assert it.preview(**program) == updates(field)
    it.up(**program)
    assert it.id == before
    settled(it, program)


def settled(it: Resource, program: dict[str, Any]) -> None:
    """There is nothing to do, also after a refresh."""
    assert it.preview(**program) == SAME
    it.refresh()
    assert it.preview(**program) == SAME


def test_port_addresses(new: New, ground: CloudFixtures) -> None:
    """A port has no address, one, none, two, none: always the same port, and the cloud has what the program says."""
    port = new("Port")
    base = {"network_id": ground.network}
    one, two = {"subnet_id": ground.subnet}, {"subnet_id": ground.subnet, "ip_address": "10.90.1.80"}
    port.up(**base, fixed_ips=[])
    settled(port, {**base, "fixed_ips": []})
    for wanted in ([one], [], [one, two], []):
        becomes(port, "fixed_ips", {**base, "fixed_ips": wanted})
        assert len(port.outputs["all_fixed_ips"]) == len(wanted)
        assert len(ground.cloud.network.get_port(port.id).fixed_ips) == len(wanted)
        assert bool(port.outputs.get("ip_address")) == bool(wanted)


@pytest.mark.parametrize("mode", ["slaac", "dhcpv6-stateless"])
def test_addresses_that_the_network_adds(new: New, ground: CloudFixtures, mode: str) -> None:
    """Where NICs give themselves IPv6 addresses, a port has one that no program asks for: that is no difference."""
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
    settled(port, {**base, "fixed_ips": [{"subnet_id": four.id}]})
    assert len(port.outputs["all_fixed_ips"]) == 2
    becomes(port, "fixed_ips", {**base, "fixed_ips": [{"subnet_id": six.id}, {"subnet_id": four.id}]})
    for wanted in ([one], [one, two], [two], []):
        becomes(port, "fixed_ips", {**base, "fixed_ips": wanted})
        assert len(port.outputs["all_fixed_ips"]) == len(wanted) + 1
    # One that somebody adds by hand still is.
    ground.cloud.network.update_port(port.id, fixed_ips=[{"ip_address": "10.98.0.30"}])
    port.refresh()
    becomes(port, "fixed_ips", {**base, "fixed_ips": []})


def test_port_keeps_its_address(new: New, ground: CloudFixtures) -> None:
    """A wish for some address of a subnet keeps the one that the port has when another is added or taken away."""
    port = new("Port")
    base = {"network_id": ground.network}
    some, fixed = {"subnet_id": ground.subnet}, {"ip_address": "10.90.1.81"}
    port.up(**base, fixed_ips=[some])
    kept = port.outputs["ip_address"]
    becomes(port, "fixed_ips", {**base, "fixed_ips": [fixed, some]})
    assert {item["ip_address"] for item in port.outputs["all_fixed_ips"]} == {kept, "10.90.1.81"}
    becomes(port, "fixed_ips", {**base, "fixed_ips": [{"ip_address": kept}]})
    assert port.outputs["ip_address"] == kept


def test_port_keeps_what_only_one_wish_can_have(new: New, ground: CloudFixtures) -> None:
    """A wish for this very address has it, and not the vague one that was said first."""
    port = new("Port")
    base = {"network_id": ground.network}
    some, fixed = {"subnet_id": ground.subnet}, {"ip_address": "10.90.1.84"}
    port.up(**base, fixed_ips=[fixed])
    becomes(port, "fixed_ips", {**base, "fixed_ips": [some, fixed]})
    assert len(port.outputs["all_fixed_ips"]) == 2


def test_addresses_are_the_same_however_they_are_written(new: New, ground: CloudFixtures) -> None:
    """Large letters, dashes and zeros make no other mac and no other address, and so no other port."""
    network, subnet, port = new("Network"), new("Subnet"), new("Port")
    network.up()
    ranges = {
        "network_id": network.id,
        "cidr": "2001:DB8:98:0::/64",
        "ip_version": 6,
        "allocation_pools": [{"start": "2001:DB8:98::0100", "end": "2001:db8:98::200"}],
        "host_routes": [{"destination": "2001:DB8:99:0::/64", "nexthop": "2001:DB8:98::02"}],
    }
    subnet.up(**ranges)
    settled(subnet, ranges)
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
    settled(port, program)
    assert ground.cloud.network.get_port(port.id).mac_address == "fa:16:3e:00:98:0a"
    again = {**program, "mac_address": "fa:16:3e:00:98:0a", "fixed_ips": [{"ip_address": "2001:db8:98::5"}]}
    settled(port, again)
    # Clouds of another age tell some addresses as they were said.
    pairs = [{**pair, "ip_address": pair["ip_address"].upper()} for pair in port.outputs["allowed_address_pairs"]]
    port.outputs.update(mac_address="FA:16:3E:00:98:0A", allowed_address_pairs=pairs)
    assert port.preview(**again) == SAME


def test_taking_over_a_port_of_any_spelling(new: New, ground: CloudFixtures) -> None:
    """What another client wrote in capitals is not written again."""
    pairs = [{"ip_address": "2001:DB8:97::0:6", "mac_address": "FA:16:3E:00:97:0B"}]
    theirs = ground.cloud.network.create_port(
        network_id=ground.network, mac_address="FA:16:3E:00:97:0A", allowed_address_pairs=pairs
    )
    port = new("Port")
    said = {"network_id": ground.network, "mac_address": theirs.mac_address}
    port.up(**said, allowed_address_pairs=theirs.allowed_address_pairs, adopt=theirs.id)
    assert ground.cloud.network.get_port(theirs.id).revision_number == theirs.revision_number


def test_a_tag_said_twice(new: New) -> None:
    """It is said once."""
    network = new("Network")
    network.up(tags=["dev", "web", "dev"])
    settled(network, {"tags": ["dev", "web", "dev"]})
    assert sorted(network.outputs["tags"]) == ["dev", "web"]


def test_a_subnet_of_one_address(new: New, ground: CloudFixtures) -> None:
    """Its implied gateway lies beyond it; whether that can be had is for the cloud to say."""
    subnet, network = new("Subnet"), new("Network")
    assert subnet.preview(network_id=ground.network, cidr="10.77.0.5/32", no_gateway=False).op == "create"
    network.up()
    program = {"network_id": network.id, "cidr": "10.77.0.5/32", "enable_dhcp": False}
    subnet.up(**program, no_gateway=True)
    subnet.up(**program, no_gateway=False)
    assert subnet.outputs["gateway_ip"] == "10.77.0.6"


def test_port_security_groups(new: New, ground: CloudFixtures) -> None:
    """A port has one security group, two, one, none, and drift of them shows."""
    port = new("Port")
    base = {"network_id": ground.network}
    one, two = ground.groups
    port.up(**base, security_group_ids=[one])
    for wanted in ([one, two], [two], []):
        becomes(port, "security_group_ids", {**base, "security_group_ids": wanted})
        assert sorted(ground.cloud.network.get_port(port.id).security_group_ids) == sorted(wanted)
    ground.cloud.network.update_port(port.id, security_groups=[one])
    port.refresh()
    assert port.preview(**base, security_group_ids=[]) == updates("security_group_ids")


def test_port_security_groups_default(new: New, ground: CloudFixtures) -> None:
    """Unsaid, a port has the project's default group, and that is no drift."""
    port = new("Port")
    port.up(network_id=ground.network)
    assert len(port.outputs["security_group_ids"]) == 1
    settled(port, {"network_id": ground.network})


def test_port_address_pairs(new: New, ground: CloudFixtures) -> None:
    """An address pair with a mac keeps it; one without takes the port's, which is no drift."""
    port = new("Port")
    base = {"network_id": ground.network}
    bare, full = {"ip_address": "10.90.1.82"}, {"ip_address": "10.90.1.83", "mac_address": "fa:16:3e:00:90:83"}
    port.up(**base, allowed_address_pairs=[bare])
    settled(port, {**base, "allowed_address_pairs": [bare]})
    for wanted in ([bare, full], [full], [{**full, "mac_address": "fa:16:3e:00:90:84"}], []):
        becomes(port, "allowed_address_pairs", {**base, "allowed_address_pairs": wanted})


def test_port_dhcp_options_by_name(new: New, ground: CloudFixtures) -> None:
    """An option is added, edited and taken away by its name; those of the same name for IPv6 stay their own."""
    port = new("Port")
    base = {"network_id": ground.network}
    mtu, boot = {"name": "mtu", "value": "1400"}, {"name": "bootfile-name", "value": "one"}
    six = {"name": "bootfile-name", "value": "six", "ip_version": 6}
    port.up(**base, extra_dhcp_options=[mtu])
    edited = {**boot, "value": "two"}
    several: list[list[dict[str, Any]]] = [[mtu, boot], [mtu, edited], [mtu, edited, six], [six], []]
    for wanted in several:
        becomes(port, "extra_dhcp_options", {**base, "extra_dhcp_options": wanted})
        has = {(item["opt_name"], item["opt_value"]) for item in ground.cloud.network.get_port(port.id).extra_dhcp_opts}
        assert has == {(item["name"], item["value"]) for item in wanted}


def test_port_order_is_no_diff(new: New, ground: CloudFixtures) -> None:
    """The order of a set is never a diff, in any of a port's sets."""
    port = new("Port")
    sets: dict[str, list[Any]] = {
        "fixed_ips": [{"ip_address": "10.90.1.85"}, {"ip_address": "10.90.1.86"}, {"subnet_id": ground.subnet}],
        "security_group_ids": ground.groups,
        "allowed_address_pairs": [{"ip_address": "10.90.1.87"}, {"ip_address": "10.90.1.88"}],
        "extra_dhcp_options": [{"name": "mtu", "value": "1400"}, {"name": "domain-name", "value": "example.org"}],
        "tags": ["b", "a"],
    }
    port.up(network_id=ground.network, **sets)
    for name, items in sets.items():
        for order in itertools.permutations(items):
            assert port.preview(network_id=ground.network, **{**sets, name: list(order)}) == SAME


def test_subnet_pools_in_any_order(new: New, ground: CloudFixtures) -> None:
    """Several pools are a set: another order is no diff, another pool is."""
    subnet = new("Subnet")
    base = {"network_id": ground.bare_network, "cidr": "10.96.0.0/24"}
    pools = [{"start": f"10.96.0.{low}", "end": f"10.96.0.{low + 5}"} for low in (50, 10, 90)]
    subnet.up(**base, allocation_pools=pools)
    for order in itertools.permutations(pools):
        settled(subnet, {**base, "allocation_pools": list(order)})
    becomes(subnet, "allocation_pools", {**base, "allocation_pools": pools[1:]})


def test_subnet_dns_servers_really_cleared(new: New, ground: CloudFixtures) -> None:
    """Their order counts; an empty list clears them in the cloud; unsaid they stay as they are."""
    subnet = new("Subnet")
    base = {"network_id": ground.bare_network, "cidr": "10.96.0.0/24"}
    subnet.up(**base, dns_nameservers=["8.8.8.8", "8.8.4.4"])
    becomes(subnet, "dns_nameservers", {**base, "dns_nameservers": ["8.8.4.4", "8.8.8.8"]})
    settled(subnet, base)
    assert ground.cloud.network.get_subnet(subnet.id).dns_nameservers == ["8.8.4.4", "8.8.8.8"]
    subnet.up(**base, dns_nameservers=["8.8.4.4", "8.8.8.8"])
    becomes(subnet, "dns_nameservers", {**base, "dns_nameservers": []})
    assert ground.cloud.network.get_subnet(subnet.id).dns_nameservers == []


def test_subnet_gateway(new: New, ground: CloudFixtures) -> None:
    """Unsaid, the first address is the gateway and no drift; `no_gateway` takes it away, and false gives it back."""
    subnet = new("Subnet")
    base = {"network_id": ground.bare_network, "cidr": "10.96.0.0/24"}
    subnet.up(**base)
    assert subnet.outputs["gateway_ip"] == "10.96.0.1"
    settled(subnet, {**base, "no_gateway": False})
    becomes(subnet, "no_gateway", {**base, "no_gateway": True})
    assert subnet.outputs.get("gateway_ip") is None
    # An address is a gateway again, though nobody says anything of `no_gateway` any more.
    assert subnet.preview(**base, gateway_ip="10.96.0.1") == updates("gateway_ip", "no_gateway")
    subnet.up(**base, gateway_ip="10.96.0.1")
    assert ground.cloud.network.get_subnet(subnet.id).gateway_ip == "10.96.0.1"
    becomes(subnet, "gateway_ip", {**base, "gateway_ip": "10.96.0.254"})
    assert ground.cloud.network.get_subnet(subnet.id).gateway_ip == "10.96.0.254"


def test_subnet_without_a_gateway_gets_the_implied_one(new: New, ground: CloudFixtures) -> None:
    """A subnet made without a gateway has its first address in the pool; taking `no_gateway` back makes room for it."""
    subnet = new("Subnet")
    base = {"network_id": ground.bare_network, "cidr": "10.96.0.0/24"}
    subnet.up(**base, no_gateway=True)
    assert subnet.outputs["allocation_pools"] == [{"start": "10.96.0.1", "end": "10.96.0.254"}]
    becomes(subnet, "no_gateway", {**base, "no_gateway": False})
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
def test_subnet_contradictions(new: New, ground: CloudFixtures, inputs: dict[str, Any], reason: str) -> None:
    """What contradicts itself is refused in the preview, by its name."""
    with pytest.raises(Refused, match=reason):
        new("Subnet").preview(network_id=ground.bare_network, **inputs)


def test_subnet_from_a_pool(new: New, ground: CloudFixtures) -> None:
    """The cloud takes the range from the pool, of the size that is asked for, and its choice is no drift."""
    subnet = new("Subnet")
    program = {"network_id": ground.other_bare_network, "subnet_pool_id": ground.pools[0], "prefix_length": 27}
    subnet.up(**program)
    assert subnet.outputs["cidr"].startswith("10.93.")
    assert subnet.outputs["cidr"].endswith("/27")
    settled(subnet, program)


def test_subnet_host_routes(new: New, ground: CloudFixtures) -> None:
    """Routes are a set: added, changed, taken away, in any order."""
    subnet = new("Subnet")
    base = {"network_id": ground.bare_network, "cidr": "10.96.0.0/24"}
    routes = [{"destination": f"10.{number}.0.0/16", "nexthop": f"10.96.0.{number}"} for number in (5, 6, 7)]
    subnet.up(**base, host_routes=routes)
    settled(subnet, {**base, "host_routes": routes[::-1]})
    for wanted in (routes[:1], [{**routes[0], "nexthop": "10.96.0.9"}, routes[2]], []):
        becomes(subnet, "host_routes", {**base, "host_routes": wanted})
        found = ground.cloud.network.get_subnet(subnet.id).host_routes
        assert {route["destination"] for route in found} == {route["destination"] for route in wanted}


def test_network_port_security_omitted_is_not_false(new: New) -> None:
    """Unsaid, the cloud's default stands; after false, taking the word back leaves it false."""
    network = new("Network")
    network.up()
    assert network.outputs["port_security_enabled"] is True
    settled(network, {})
    becomes(network, "port_security_enabled", {"port_security_enabled": False})
    settled(network, {})
    assert network.outputs["port_security_enabled"] is False


def test_network_admin_state_toggled(new: New) -> None:
    """It goes down and up again, in place; false is not unset."""
    network = new("Network")
    network.up(admin_state_up=True)
    for wanted in (False, True, False):
        becomes(network, "admin_state_up", {"admin_state_up": wanted})
        assert network.outputs["admin_state_up"] is wanted


def test_network_marker_gives_way(new: New, ground: CloudFixtures) -> None:
    """A description of one's own replaces the marker that an object without one carries, and clearing stays cleared."""
    network = new("Network")
    network.up()
    assert network.outputs["description"].startswith("Managed by Pulumi: ")
    becomes(network, "description", {"description": "mine"})
    becomes(network, "description", {"description": ""})
    assert ground.cloud.network.get_network(network.id).description == ""


def test_network_on_a_segment_of_its_own(new: New) -> None:
    """Two networks cannot share a segment: the old one goes before its replacement comes."""
    network = new("Network", admin=True)
    segment = {"provider_network_type": "vxlan", "provider_segmentation_id": 3905}
    network.up(**segment)
    step = network.preview(**segment, value_specs={"mtu": 1300})
    assert (step.op, step.delete_first) == ("replace", True)
    network.up(**segment, value_specs={"mtu": 1300})
    assert network.outputs["mtu"] == 1300
    settled(network, {**segment, "value_specs": {"mtu": 1300}})
    step = network.preview(**{**segment, "provider_segmentation_id": 3906})
    assert (step.op, step.delete_first) == ("replace", False)


def test_a_nic_taken_out_by_hand(new: New, ground: CloudFixtures) -> None:
    """A NIC with a port of its own that somebody detached is put back with its address, and goes with its port."""
    nic = new("InterfaceAttachment")
    program = {"server_id": ground.server, "network_id": ground.network}
    nic.up(**program)
    id_, port_id, addresses = nic.id, nic.outputs["port_id"], nic.outputs["fixed_ips"]
    for end in ("put back", "destroyed"):
        ground.cloud.compute.delete_server_interface(port_id, server=ground.server)
        ground.until(lambda: not ground.cloud.network.get_port(port_id).device_id)
        if end == "destroyed":
            break
        nic.refresh()
        assert nic.outputs["port_state"] == "DETACHED"
        assert nic.preview(**program) == updates()
        nic.up(**program)
        assert (nic.id, nic.outputs["fixed_ips"]) == (id_, addresses)
        settled(nic, program)
    nic.destroy()
    assert ground.cloud.network.find_port(port_id) is None
