"""Subnets, routers and floating IPs on an Open Telekom Cloud, where the table of fields is not enough."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.cloud.connection import Connection
from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.emulator.dialects import changed_rules
from ecs_pulumi.resources import idempotent_create
from tests.fields.assertions import assert_complete, assert_no_changes
from tests.fields.cloud_fixtures import CloudFixtures, run_emulator
from tests.support.landscape import emulated
from tests.support.steps import SAME, Failed, Refused, Step, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecs_pulumi.emulator import Emulator
    from tests.support.steps import Resource

    New = Callable[..., Resource]


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulated Open Telekom Cloud; its parameter is the rule `unknown_attributes`."""
    with run_emulator("otc", rules={"unknown_attributes": getattr(request, "param", "refuse")}) as running:
        yield running


@pytest.fixture
def fixtures(cloud: Emulator) -> Iterator[CloudFixtures]:
    """The objects of this cloud."""
    with CloudFixtures(emulated(cloud)) as created:
        yield created


@pytest.fixture
def subnet(new: New, fixtures: CloudFixtures) -> Resource:
    """A subnet that does not exist yet."""
    del fixtures
    return new("Subnet")


def in_network(fixtures: CloudFixtures, **inputs: Any) -> dict[str, Any]:
    """Return the inputs of a subnet in a network without other subnets."""
    return {"network_id": fixtures.bare_network, "cidr": "10.91.0.0/24", **inputs}


@pytest.mark.parametrize("cloud", ["refuse", "drop"], indirect=True)
@pytest.mark.parametrize("change", [{"gateway_ip": "10.91.0.252"}, {"no_gateway": True}])
def test_gateway_that_never_changes(
    subnet: Resource, fixtures: CloudFixtures, warnings: list[str], change: dict[str, Any]
) -> None:
    """A preview warns; the update fails with a line that says what can be done, and changes nothing."""
    program = in_network(fixtures, gateway_ip="10.91.0.1")
    subnet.up(**program)
    changed = {**in_network(fixtures), **change}
    subnet.preview(**changed)
    assert any(f"{next(iter(change))}: this cloud may not change the gateway" in line for line in warnings)
    with pytest.raises(
        Failed, match=r"gateway_ip: this cloud does not change it: .*former gateway 10.91.0.1"
    ) as failure:
        subnet.up(**changed)
    # A new subnet would have a gateway as well.
    assert ("replace_on_changes" in str(failure.value)) is ("gateway_ip" in change)
    subnet.up(**program)
    assert_no_changes(subnet, program)


def test_replacement_of_subnet_in_a_process_without_requests(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nothing but the create shows that a network has one subnet, its error says what to do."""
    subnet = new("Subnet", config={"ecs:preflight": "false"})
    subnet.up(**in_network(fixtures))
    monkeypatch.setattr(Connection, "known_region", lambda *_: None)
    with pytest.raises(Failed, match=r"cannot exist beside the subnet .*: set delete_before_replace=True"):
        subnet.up(**in_network(fixtures, cidr="10.92.0.0/24"))
    assert fixtures.cloud.network.get_subnet(subnet.id).cidr == "10.91.0.0/24"


@pytest.mark.parametrize("cloud", ["refuse", "drop"], indirect=True)
def test_gateway_of_subnet_with_ports(new: New, subnet: Resource, fixtures: CloudFixtures, warnings: list[str]) -> None:
    """Preview and update name the ports that keep the subnet from being replaced, and advise no replacement."""
    program, port = in_network(fixtures, gateway_ip="10.91.0.1"), new("Port")
    subnet.up(**program)
    port.up(network_id=fixtures.bare_network)
    blocked = (
        f"return to the former gateway 10.91.0.1: a new subnet is no way, because this one is in use by port {port.id}"
    )
    subnet.preview(**program | {"gateway_ip": "10.91.0.252"})
    assert any(blocked in line for line in warnings)
    with pytest.raises(Failed, match=blocked):
        subnet.up(**program | {"gateway_ip": "10.91.0.252"})
    subnet.up(**program)
    warnings.clear()
    assert subnet.preview(**program | {"cidr": "10.92.0.0/24", "gateway_ip": "10.92.0.1"}).delete_first
    assert any(f"but is in use by port {port.id}" in line for line in warnings)
    port.destroy()


@pytest.mark.parametrize("cloud", ["refuse", "drop"], indirect=True)
@pytest.mark.parametrize("name", ["fixed_ips", "admin_state_up"])
def test_port_that_never_changes(new: New, fixtures: CloudFixtures, name: str) -> None:
    """An update that the cloud refuses or ignores fails with the option that replaces the port."""
    port = new("Port")
    program = {"network_id": fixtures.network, "fixed_ips": [{"subnet_id": fixtures.subnet}]}
    port.up(**program)
    address = [{"subnet_id": fixtures.subnet, "ip_address": "10.90.1.55"}]
    changed = program | {"fixed_ips": address, "admin_state_up": False}
    with pytest.raises(Failed, match=rf"only with the port: `--replace '{port.urn}'`") as failed:
        port.up(**program | {name: changed[name]})
    assert name in str(failed.value)
    assert " characters" not in str(failed.value)


def test_second_subnet_of_network(
    new: New, fixtures: CloudFixtures, subnet: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview reports a second subnet of a network; without preflight checks, the error says the same."""
    subnet.up(**in_network(fixtures))
    # A run does not check what it has created itself.
    monkeypatch.setattr(idempotent_create, "_created", set())
    second = in_network(fixtures, cidr="10.92.0.0/24")
    other = new("Subnet")
    other.name = "other"
    with pytest.raises(Refused, match="network_id: a network has one subnet of each IP version on this cloud"):
        other.preview(**second)
    unchecked = new("Subnet", config={"ecs:preflight": "false"})
    unchecked.name = "other"
    with pytest.raises(Failed, match="network_id: a network has one subnet of each IP version on this cloud"):
        unchecked.up(**second)


@pytest.mark.parametrize(
    ("inputs", "name"),
    [({"cidr": "10.91.0.0/30"}, "cidr"), ({"cidr": "8.8.8.0/24"}, "cidr"), ({"enable_dhcp": False}, "enable_dhcp")],
    ids=["small", "public", "no-dhcp"],
)
def test_refused_subnet(subnet: Resource, fixtures: CloudFixtures, inputs: dict[str, Any], name: str) -> None:
    """The refusal of a subnet names its property."""
    with pytest.raises(Failed, match=rf" {name}: this cloud does not accept "):
        subnet.up(**in_network(fixtures, **inputs))


def test_refused_update_of_subnet(subnet: Resource, fixtures: CloudFixtures) -> None:
    """The refusal of an update names the property as well."""
    subnet.up(**in_network(fixtures))
    with pytest.raises(Failed, match="enable_dhcp: this cloud does not accept false"):
        subnet.up(**in_network(fixtures, enable_dhcp=False))


@pytest.mark.parametrize("preflight", ["true", "false"])
def test_subnet_is_deleted_before_its_replacement(new: New, fixtures: CloudFixtures, preflight: str) -> None:
    """A network has one subnet, so a preview shows that a replacement deletes first; not so in another network."""
    subnet = new("Subnet", config={"ecs:preflight": preflight})
    subnet.up(**in_network(fixtures))
    other = in_network(fixtures, cidr="10.92.0.0/24")
    assert subnet.preview(**other) == Step("replace", frozenset({"cidr"}), delete_first=True)
    subnet.up(**other)
    moved = other | {"network_id": fixtures.other_bare_network}
    assert subnet.preview(**moved) == Step("replace", frozenset({"network_id"}))


def test_ipv6_subnet_has_no_range(new: New, fixtures: CloudFixtures) -> None:
    """The cloud chooses the range of an IPv6 subnet; one that the program sets is refused by the cloud."""
    program = {"network_id": fixtures.network_with_subnet, "ip_version": 6}
    subnet = new("Subnet")
    subnet.up(**program)
    assert subnet.outputs["cidr"].endswith("/64")
    assert_complete(subnet, program)
    subnet.destroy()
    with pytest.raises(Failed, match="cidr must not be supplied for IPv6"):
        subnet.up(**program, cidr="2001:db8:91::/64")


def test_ipv6_subnet_waits_for_ipv4(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """An IPv6 subnet that comes first waits until its network has an IPv4 subnet, up to the deadline."""
    four, six, program = new("Subnet"), new("Subnet"), {"network_id": fixtures.bare_network, "ip_version": 6}
    four.name = "four"
    send, attempts = network.create, []

    def create(*arguments: Any) -> Any:
        attempts.append(arguments)
        if len(attempts) == 3:
            fixtures.cloud.network.create_subnet(network_id=fixtures.bare_network, ip_version=4, cidr="10.91.0.0/24")
        return send(*arguments)

    monkeypatch.setattr(network, "create", create)
    six.up(**program)
    assert len(attempts) == 3
    assert six.outputs["cidr"]
    with pytest.raises(Failed, match="has no IPv4 subnet"):
        four.up(network_id=fixtures.other_bare_network, ip_version=6)
    six.destroy()
    for each in list(fixtures.cloud.network.subnets(network_id=fixtures.bare_network)):
        fixtures.cloud.network.delete_subnet(each)


def test_ipv4_subnet_right_after_refusal(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """An IPv6 subnet is requested again if the IPv4 subnet was created between the refusal and the look for it."""
    six, program = new("Subnet"), {"network_id": fixtures.bare_network, "ip_version": 6}
    send, attempts = network.create, []

    def create(*arguments: Any) -> Any:
        attempts.append(arguments)
        try:
            return send(*arguments)
        except errors.BadRequest:
            fixtures.cloud.network.create_subnet(network_id=fixtures.bare_network, ip_version=4, cidr="10.91.0.0/24")
            raise

    monkeypatch.setattr(network, "create", create)
    six.up(**program)
    assert len(attempts) == 2
    six.destroy()
    for each in list(fixtures.cloud.network.subnets(network_id=fixtures.bare_network)):
        fixtures.cloud.network.delete_subnet(each)


def test_words_for_kinds(new: New, fixtures: CloudFixtures, warnings: list[str]) -> None:
    """Messages about what an object cannot have name its kind in words."""
    address, router, program = (
        new("FloatingIp"),
        new("Router"),
        {"external_network": fixtures.landscape.external_network},
    )
    address.up(**program, tags=["blue"])
    assert "tags: not kept, because this cloud stores no tags of a floating IP; the object is complete without it" in (
        warnings
    )
    router.up(**program)
    with pytest.raises(Refused, match="distributed: this cloud has no such attribute of a router; remove it from the"):
        router.preview(**program, distributed=True)


def test_external_network_is_found_where_other_filters_are_ignored(new: New, fixtures: CloudFixtures) -> None:
    """A name that no network has is reported, and does not make the others ambiguous."""
    address = new("FloatingIp")
    for name in ("no-such-net", "no-such-net"):
        with pytest.raises(Refused, match='there is no external network "no-such-net"; available: admin_external_net'):
            address.up(external_network=name)
    address.up(external_network=fixtures.landscape.external_network)
    assert_complete(address, {"external_network": fixtures.landscape.external_network})


def test_router_without_translation(new: New, fixtures: CloudFixtures) -> None:
    """A gateway that does not translate is no change; translation is possible in a second `up`, after an interface."""
    router, interface = new("Router"), new("RouterInterface")
    program = {"external_network": fixtures.landscape.external_network}
    with pytest.raises(Failed, match="enable_snat: this cloud translates addresses only for a router that has an int"):
        router.up(**program, enable_snat=True)
    assert router.state is None
    router.up(**program)
    assert router.outputs["enable_snat"] is False
    assert_complete(router, program)
    interface.up(router_id=router.id, subnet_id=fixtures.subnet)
    translating = {**program, "enable_snat": True}
    assert router.up(**translating) == updates("enable_snat")
    assert_complete(router, translating)
    assert router.preview(**program) == SAME
    interface.destroy()


def test_router_keeps_the_gateway_that_it_has_by_itself(new: New, fixtures: CloudFixtures) -> None:
    """A router without `external_network` leads outside nevertheless, without a diff; it cannot be removed."""
    router = new("Router")
    router.up()
    assert router.outputs["external_network"] == fixtures.landscape.external_network
    assert_complete(router, {})
    with pytest.raises(Failed, match="this cloud ignored external_network"):
        router.up(external_network="")
    router.up()
    assert_no_changes(router, {})


@pytest.mark.parametrize("cloud", ["refuse", "drop"], indirect=True)
def test_address_that_the_cloud_derives_from_the_port(new: New, fixtures: CloudFixtures) -> None:
    """An update without the address of the port leads to its only one; another desired address is an error."""
    first, second = fixtures.published_ports
    addresses = {port: fixtures.cloud.network.get_port(port).fixed_ips[0]["ip_address"] for port in (first, second)}
    association = new("FloatingIpAssociation")
    program = {"floating_ip_id": fixtures.floating_ips[0], "port_id": first, "fixed_ip": addresses[first]}
    association.up(**program)
    assert association.outputs["fixed_ip"] == addresses[first]
    assert_complete(association, program)
    moved = {**program, "port_id": second, "fixed_ip": addresses[second]}
    association.up(**moved)
    assert_complete(association, moved)
    with pytest.raises(Failed, match=rf"fixed_ip: this cloud ignored it, and chose {addresses[first]}"):
        association.up(**{**program, "fixed_ip": addresses[second]})


def test_lists_without_rights_are_no_deletion(new: New, fixtures: CloudFixtures, cloud: Emulator) -> None:
    """A refresh of an account that lost its rights fails, and keeps what the empty lists no longer contain."""
    resources = {kind: new(kind) for kind in ("Network", "Subnet", "Port", "Router", "RouterInterface", "FloatingIp")}
    resources["Network"].up()
    network_id = {"network_id": resources["Network"].id}
    resources["Subnet"].up(**network_id, cidr="10.91.0.0/24")
    resources["Port"].up(**network_id)
    resources["Router"].up()
    interface = {"router_id": resources["Router"].id, "subnet_id": resources["Subnet"].id}
    resources["RouterInterface"].up(**interface)
    resources["FloatingIp"].up(external_network=fixtures.landscape.external_network)
    dialect = cloud.cloud.dialect
    cloud.cloud.dialect = dataclasses.replace(dialect, rules=changed_rules(dialect.rules, {"network_rights": "none"}))
    for resource in resources.values():
        before = resource.state
        with pytest.raises(Failed, match="disallowed by policy"):
            resource.refresh()
        assert resource.state == before
    with pytest.raises((Refused, Failed), match="there is none, or the account has no right to list them"):
        new("FloatingIp").up(external_network=fixtures.landscape.external_network)
    cloud.cloud.dialect = dialect
    for resource in resources.values():
        resource.refresh()
        assert resource.state is not None


def test_default_tags_that_are_not_kept(new: New, fixtures: CloudFixtures, warnings: list[str]) -> None:
    """Default tags that the cloud does not keep cost one warning for the kind, and no change without end."""
    config = {"ecs:defaultTags": "dev"}
    first, second = new("FloatingIp", config=config), new("FloatingIp", config=config)
    program = {"external_network": fixtures.landscape.external_network}
    rpc_bridge._warned.clear()
    first.up(**program)
    second.up(**program)
    assert_complete(first, program)
    found = [each for each in warnings if "ags" in each]
    reason = "this cloud stores no tags of a floating IP"
    assert found == [f"ecs:defaultTags has no effect on resources of kind FloatingIp: {reason}"]
    first.up(**program, tags=["mine"])
    assert any(each.startswith("tags: not kept") for each in warnings)
