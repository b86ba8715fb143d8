"""Special cases of servers."""

from __future__ import annotations

import base64
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic import provider, rpc_bridge
from ecs_pulumi.dynamic.ownership import OWNERSHIP
from ecs_pulumi.resources import idempotent_create
from ecs_pulumi.resources.clients import connection
from ecs_pulumi.resources.server import nics
from tests.fields.assertions import assert_no_changes, assert_updates_in_place
from tests.fields.cloud_fixtures import CloudFixtures, emulator
from tests.support.steps import SAME, UNKNOWN, Failed, Refused, Step, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.steps import Resource

    New = Callable[..., Resource]

POWER_STATES = ("active", "shutoff", "paused", "suspended", "shelved_offloaded")
LOCAL = {"source_type": "image", "destination_type": "local", "boot_index": 0, "delete_on_termination": True}


def thorough(value: object) -> Any:
    """Return a parameter for which a real cloud does the same as for another one of the test."""
    return pytest.param(value, marks=pytest.mark.thorough)


def boot_disk(**more: Any) -> dict[str, Any]:
    """Return a block device to boot from, created from the image of the server."""
    disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "delete_on_termination": True}
    return {**disk, "volume_size": 1, **more}


@pytest.fixture(scope="module")
def shared_server(fixtures: CloudFixtures) -> Iterator[Resource]:
    """A server that several tests update."""
    server = fixtures.resource("Server")
    yield server
    server.destroy()


@pytest.fixture
def web(shared_server: Resource, fixtures: CloudFixtures) -> Resource:
    """The shared server in its initial state; recreate it if a previous test left it in another status."""
    if shared_server.state:
        shared_server.refresh()
        if shared_server.outputs["status"] not in ("ACTIVE", "SHUTOFF", "PAUSED"):
            shared_server.destroy()
    shared_server.up(**fixtures.server_inputs, power_state="active", metadata={})
    shared_server.up(**fixtures.server_inputs)
    return shared_server


def test_server_waits_for_the_subnet_of_its_network(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server refers to a network of the same run, whose subnet is created only after the server is requested."""
    network, subnet, server = new("Network"), new("Subnet"), new("Server")
    network.up()
    lines: list[str] = []

    def report(line: str) -> None:
        if "waiting for a subnet" in line and line not in lines:
            subnet.up(network_id=network.id, cidr="10.98.0.0/24")
        lines.append(line)

    monkeypatch.setattr(provider, "StatusLine", lambda _: report)
    server.up(**{**fixtures.server_inputs, "networks": [{"network_id": network.id}]})
    assert f"waiting for a subnet of the network {network.id}" in lines
    assert server.outputs["access_ip_v4"].startswith("10.98.0.")


@pytest.mark.thorough
def test_server_does_not_wait_for_a_subnet_that_nobody_declares(new: New, fixtures: CloudFixtures) -> None:
    """A network that exists without a subnet fails at once."""
    network = fixtures.cloud.network.create_network(name="bare")
    try:
        with pytest.raises(Failed, match="requires a subnet"):
            new("Server").up(**{**fixtures.server_inputs, "networks": [{"network_id": network.id}]})
    finally:
        fixtures.cloud.network.delete_network(network)


def test_nics_keep_the_order_of_networks(new: New, fixtures: CloudFixtures) -> None:
    """Eight NICs by network, by address and by port are attached in the order of the program."""
    one, two = fixtures.network, fixtures.other_network
    ports = [new("Port") for _ in range(4)]
    for number, port in enumerate(ports):
        network = (one, two)[number % 2]
        port.up(network_id=network, fixed_ips=[{"ip_address": f"10.90.{number % 2 + 1}.{100 + number}"}])
    networks: list[dict[str, Any]] = [
        {"network_id": one},
        {"port_id": ports[0].id},
        {"network_id": two, "fixed_ip": "10.90.2.110"},
        {"port_id": ports[1].id},
        {"network_id": one, "fixed_ip": "10.90.1.99"},
        {"port_id": ports[2].id},
        {"network_id": two},
        {"port_id": ports[3].id},
    ]
    server = new("Server")
    program = {**fixtures.server_inputs, "networks": networks}
    server.up(**program)
    assert_no_changes(server, program)
    names = [fixtures.cloud.network.get_network(network).name for network in (one, two)]
    in_one, in_two = ([item["addr"] for item in server.outputs["addresses"][name]] for name in names)
    # The address of one NIC of each network is computed.
    assert in_one[1:] == ["10.90.1.100", "10.90.1.99", "10.90.1.102"]
    assert (in_two[:2], in_two[3:]) == (["10.90.2.110", "10.90.2.101"], ["10.90.2.103"])


def test_networks_change_in_place(new: New, fixtures: CloudFixtures) -> None:
    """A changed list attaches and detaches NICs of the same server; a detached Port is not deleted."""
    port = new("Port")
    port.up(network_id=fixtures.other_network)
    server = new("Server")
    one, by_port = {"network_id": fixtures.network}, {"port_id": port.id}
    fixed = {"network_id": fixtures.other_network, "fixed_ip": "10.90.2.120"}
    server.up(**fixtures.server_inputs | {"networks": [one]})
    for networks in ([one, by_port], [by_port], [by_port, fixed], [fixed, by_port, one], [one], []):
        assert_updates_in_place(server, "networks", fixtures.server_inputs | {"networks": networks})
        nics = list(fixtures.cloud.compute.server_interfaces(server.id))
        assert len(nics) == len(networks)
        assert (port.id in {nic.port_id for nic in nics}) is (by_port in networks)
        assert fixtures.cloud.network.get_port(port.id).device_id == (server.id if by_port in networks else "")


def test_interface_attachments_are_no_drift_of_networks(new: New, fixtures: CloudFixtures) -> None:
    """The NIC of an InterfaceAttachment is no drift of `networks`, and stays attached when `networks` changes."""
    server, nic = new("Server"), new("InterfaceAttachment")
    program = dict(fixtures.server_inputs)
    server.up(**program)
    nic.up(server_id=server.id, network_id=fixtures.other_network)
    assert_no_changes(server, program)
    assert_updates_in_place(
        server, "networks", program | {"networks": [*program["networks"], {"network_id": fixtures.network}]}
    )
    assert nic.outputs["port_id"] in {item.port_id for item in fixtures.cloud.compute.server_interfaces(server.id)}
    assert_updates_in_place(server, "networks", program)
    assert nic.outputs["port_id"] in {item.port_id for item in fixtures.cloud.compute.server_interfaces(server.id)}


def test_nic_detached_outside_of_pulumi_is_reattached(new: New, fixtures: CloudFixtures) -> None:
    """A detached NIC is drift of `networks`, even if another one was attached; the next `up` attaches it again."""
    port, server, attachment = new("Port"), new("Server"), new("InterfaceAttachment")
    port.up(network_id=fixtures.other_network)
    program = fixtures.server_inputs | {"networks": [{"network_id": fixtures.network}, {"port_id": port.id}]}
    server.up(**program)
    attachment.up(server_id=server.id, network_id=fixtures.other_network)
    fixtures.cloud.compute.delete_server_interface(port.id, server=server.id)
    fixtures.wait_for(lambda: not fixtures.cloud.network.get_port(port.id).device_id)
    # Nova updates the addresses of the server a moment later.
    fixtures.wait_for(lambda: len(addresses_of(fixtures, server)) == 2)
    server.refresh()
    assert server.state is not None
    assert server.state.inputs["networks"] == [{"network_id": fixtures.network}]
    assert_updates_in_place(server, "networks", program)
    assert fixtures.cloud.network.get_port(port.id).device_id == server.id
    assert {port.id, attachment.outputs["port_id"]} < nics_of(fixtures, server)


def addresses_of(fixtures: CloudFixtures, server: Resource) -> list[str]:
    """Return the addresses of the server as Nova returns them."""
    addresses = fixtures.cloud.compute.get_server(server.id).addresses
    return [item["addr"] for items in addresses.values() for item in items]


def nics_of(fixtures: CloudFixtures, server: Resource) -> set[str]:
    """Return the port ids of the NICs of the server."""
    return {nic.port_id for nic in fixtures.cloud.compute.server_interfaces(server.id)}


def test_outputs_match_the_remote_server(new: New, fixtures: CloudFixtures) -> None:
    """The outputs equal the remote object; outputs for administrators have a value for administrators."""
    network, four, six, server = new("Network"), new("Subnet"), new("Subnet"), new("Server")
    network.up()
    four.up(network_id=network.id, cidr="10.97.0.0/24")
    six.up(network_id=network.id, cidr="2001:db8:97::/64", ip_version=6)
    blank = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "delete_on_termination": True}
    server.up(**fixtures.server_inputs | {"networks": [{"network_id": network.id}], "block_devices": [blank]})
    outputs, remote = server.outputs, fixtures.admin.compute.get_server(server.id)
    assert (outputs["status"], outputs["vm_state"], outputs.get("task_state")) == ("ACTIVE", "active", None)
    compute = fixtures.cloud.compute
    assert outputs["flavor_id"] == compute.find_flavor(fixtures.landscape.small, ignore_missing=False).id
    assert (
        outputs["image_id"]
        == remote.image.id
        == fixtures.cloud.image.find_image(fixtures.landscape.image, ignore_missing=False).id
    )
    (addresses,) = outputs["addresses"].values()
    (port,) = fixtures.cloud.network.ports(device_id=server.id)
    assert {(item["addr"], item["mac"], item["type"]) for item in addresses} == {
        (item["ip_address"], port.mac_address, "fixed") for item in port.fixed_ips
    }
    assert {item["version"]: item["addr"] for item in addresses} == {
        4: outputs["access_ip_v4"],
        6: outputs["access_ip_v6"],
    }
    assert outputs["access_ip_v4"].startswith("10.97.0.")
    assert outputs["volumes_attached"] == [{"id": remote.attached_volumes[0].id, "delete_on_termination": True}]
    assert (outputs["created"], outputs["launched_at"], outputs["locked"]) == (
        remote.created_at,
        remote.launched_at,
        False,
    )
    assert outputs["host_id"] == compute.get_server(server.id).host_id
    for_admins = fixtures.resource("Server", admin=True).get(server.id).outputs
    assert (for_admins["instance_name"], for_admins["hostname"]) == (remote.instance_name, remote.hostname)
    compute.lock_server(server.id)
    server.refresh()
    compute.unlock_server(server.id)
    assert server.outputs["locked"] is True


def test_networks_none(new: New, fixtures: CloudFixtures) -> None:
    """`networks="none"` creates a server without NICs; NICs can be added later."""
    server = new("Server")
    program = fixtures.server_inputs | {"networks": "none"}
    server.up(**program)
    assert_no_changes(server, program)
    assert server.outputs["addresses"] == {}
    assert_updates_in_place(server, "networks", fixtures.server_inputs)
    assert len(server.outputs["addresses"]) == 1
    assert_updates_in_place(server, "networks", program)
    assert server.outputs["addresses"] == {}


def test_networks_auto_with_several_networks_is_rejected(new: New, fixtures: CloudFixtures) -> None:
    """The check rejects `networks="auto"` if the project has several networks, and lists them."""
    assert fixtures.network != fixtures.other_network
    server = new("Server")
    with pytest.raises(Refused, match="does not choose among the"):
        server.up(**fixtures.server_inputs | {"networks": "auto"})
    assert server.state is None


def test_networks_auto_uses_the_only_network() -> None:
    """`auto` uses the only network of the project; a later list keeps the NICs that match it."""
    with emulator("openstack") as landscape, CloudFixtures(landscape) as fixtures:
        server = fixtures.resource("Server")
        program = {"flavor": landscape.small, "image": landscape.image, "networks": "auto"}
        server.up(**program)
        assert_no_changes(server, program)
        assert len(server.outputs["addresses"]) == 1
        nics_before = nics_of(fixtures, server)
        assert_updates_in_place(server, "networks", program | {"networks": [{"network_id": landscape.network}]})
        assert nics_of(fixtures, server) == nics_before
        assert_updates_in_place(server, "networks", program | {"networks": []})
        assert nics_of(fixtures, server) == set()
        server.destroy()


@pytest.mark.parametrize("networks", [{}, {"networks": "auto"}])
def test_nics_that_nova_made_are_an_output(networks: dict[str, Any]) -> None:
    """A server without a list of networks has its NICs in `nics`, and a refresh of it sends no request for them."""
    with emulator("openstack") as landscape, CloudFixtures(landscape) as fixtures:
        server = fixtures.resource("Server")
        server.up(flavor=landscape.small, image=landscape.image, **networks)
        (interface,) = fixtures.cloud.compute.server_interfaces(server.id)
        (nic,) = server.outputs["nics"]
        assert (nic["port_id"], nic["network_id"], nic["mac_address"]) == (
            interface.port_id,
            interface.net_id,
            interface.mac_addr,
        )
        assert nic["fixed_ips"] == interface.fixed_ips
        sent = connection(fixtures.config.get).requests
        before = sent.copy()
        server.refresh()
        assert [path for _, path in sent - before if "/network/" in path] == []
        assert sum((sent - before).values()) > 0
        assert server.outputs["nics"] == [nic]
        server.destroy()


@pytest.mark.parametrize("prior", ["list", "none"])
def test_networks_changed_to_auto_keep_the_nics(prior: str) -> None:
    """`auto` instead of a list or `none` keeps the NICs of the server, and leaves no diff."""
    with emulator("openstack") as landscape, CloudFixtures(landscape) as fixtures:
        server = fixtures.resource("Server")
        program = {"flavor": landscape.small, "image": landscape.image}
        server.up(**program, networks=[{"network_id": landscape.network}] if prior == "list" else "none")
        nics_before = nics_of(fixtures, server)
        assert_updates_in_place(server, "networks", program | {"networks": "auto"})
        assert nics_of(fixtures, server) == nics_before
        server.destroy()


def test_omitted_networks_are_not_managed(new: New, fixtures: CloudFixtures) -> None:
    """After an update without `networks`, a later list does not detach the NICs that an earlier list declared."""
    server = new("Server")
    without_networks = {name: value for name, value in fixtures.server_inputs.items() if name != "networks"}
    server.up(**without_networks, networks=[{"network_id": fixtures.network}])
    nics_before = nics_of(fixtures, server)
    server.up(**without_networks, metadata={"a": "1"})
    assert server.outputs.get("networks") is None
    program = without_networks | {"metadata": {"a": "1"}, "networks": [{"network_id": fixtures.other_network}]}
    assert_updates_in_place(server, "networks", program)
    assert nics_before < nics_of(fixtures, server)


def test_port_address_change_updates_server_outputs(new: New, fixtures: CloudFixtures) -> None:
    """An address change of a port updates the outputs of the port at once, and those of the server on refresh."""
    port, server = new("Port"), new("Server")
    first, second = ({"network_id": fixtures.network, "fixed_ips": [{"ip_address": f"10.90.1.{n}"}]} for n in (77, 78))
    port.up(**first)
    program = fixtures.server_inputs | {"networks": [{"port_id": port.id}]}
    server.up(**program)
    port.up(**second)
    assert port.outputs["ip_address"] == "10.90.1.78"
    # Neutron sends its notification to Nova some seconds later.
    fixtures.wait_for(lambda: "10.90.1.78" in str(fixtures.cloud.compute.get_server(server.id).addresses))
    assert_no_changes(server, program)
    assert server.outputs["access_ip_v4"] == "10.90.1.78"


def test_networks_change_attaches_and_detaches_the_right_nics(new: New, fixtures: CloudFixtures) -> None:
    """With several NICs in one network, exactly the added NICs are attached and the removed ones detached."""
    port, server = new("Port"), new("Server")
    port.up(network_id=fixtures.network)
    any_port, by_port = {"network_id": fixtures.network}, {"port_id": port.id}
    fixed = {"network_id": fixtures.network, "fixed_ip": "10.90.1.77"}
    server.up(**fixtures.server_inputs | {"networks": [by_port]})
    for networks in (
        [any_port, by_port],
        [any_port],
        [by_port],
        [fixed],
        [any_port, fixed],
        [fixed, any_port, by_port],
        [any_port, by_port],
    ):
        nics_before = nics_of(fixtures, server)
        assert_updates_in_place(server, "networks", fixtures.server_inputs | {"networks": networks})
        nics = nics_of(fixtures, server)
        assert len(nics) == len(networks)
        assert (port.id in nics) is (by_port in networks)
        addresses = {
            item["ip_address"] for nic in fixtures.cloud.network.ports(device_id=server.id) for item in nic.fixed_ips
        }
        assert ("10.90.1.77" in addresses) is (fixed in networks)
        replaced = 1 if networks in ([by_port], [fixed]) else 0
        assert len(nics_before & nics) >= min(len(nics_before), len(nics)) - replaced


def test_empty_networks_create_no_nic(new: New, fixtures: CloudFixtures) -> None:
    """An empty list creates a server without NICs, not with the default of the cloud."""
    server = new("Server")
    program = fixtures.server_inputs | {"networks": []}
    server.up(**program)
    assert_no_changes(server, program)
    assert nics_of(fixtures, server) == set()


@pytest.mark.parametrize("version", [None, "2.1"], ids=["new", "old"])
def test_empty_networks_in_project_with_one_network(version: str | None) -> None:
    """An empty list creates no NIC even if the API attaches the only network by default and has no value for none."""
    config = {"ecs:apiVersions": json.dumps({"compute": version})} if version else {}
    with emulator("openstack") as landscape, CloudFixtures(landscape) as fixtures:
        server = fixtures.resource("Server", config=config)
        disk = boot_disk(volume_size=40)
        program = {"flavor": landscape.small, "image": landscape.image, "networks": [], "block_devices": [disk]}
        server.up(**program)
        assert_no_changes(server, program)
        assert nics_of(fixtures, server) == set()
        server.destroy()


def test_networks_none_removes_unmanaged_nics(new: New, fixtures: CloudFixtures) -> None:
    """Changing unset `networks` to `none` detaches the NICs that the cloud attached, but no InterfaceAttachment."""
    server, bound = new("Server"), new("InterfaceAttachment")
    server.up(**fixtures.server_inputs)
    bound.up(server_id=server.id, network_id=fixtures.other_network)
    without_networks = {name: value for name, value in fixtures.server_inputs.items() if name != "networks"}
    adopted = new("Server")
    adopted.up(**without_networks, adopt=server.id)
    adopted.up(**without_networks, networks="none")
    assert_no_changes(adopted, without_networks | {"networks": "none"})
    assert nics_of(fixtures, server) == {bound.outputs["port_id"]}
    server.forget()


@pytest.mark.parametrize("no_networks", ["none", thorough([])], ids=["none", "empty"])
def test_adopt_with_no_networks_detaches_nics(new: New, fixtures: CloudFixtures, no_networks: Any) -> None:
    """Adopting a server with `networks` empty or `none` detaches its NICs in the same `up`."""
    unmanaged, server = new("Server"), new("Server")
    unmanaged.up(**fixtures.server_inputs)
    program = fixtures.server_inputs | {"networks": no_networks, "adopt": unmanaged.id}
    server.up(**program)
    unmanaged.forget()
    assert nics_of(fixtures, server) == set()
    assert_no_changes(server, program)


@pytest.mark.parametrize("prior", ["auto", None])
def test_described_port_of_interface_attachment_stays_attached(prior: str | None) -> None:
    """`networks="none"` does not detach the port of an InterfaceAttachment, whatever its description is."""
    with emulator("openstack") as landscape, CloudFixtures(landscape) as fixtures:
        server, port, bound = (
            fixtures.resource("Server"),
            fixtures.resource("Port"),
            fixtures.resource("InterfaceAttachment"),
        )
        program = {"flavor": landscape.small, "image": landscape.image}
        server.up(**program, **({"networks": prior} if prior else {}))
        port.up(network_id=landscape.network, description="the database's NIC")
        bound.up(server_id=server.id, port_id=port.id)
        server.up(**program, networks="none")
        assert nics_of(fixtures, server) == {port.id}
        bound.destroy()
        server.destroy()
        port.destroy()


def test_port_of_interface_attachment_does_not_match_network_id(new: New, fixtures: CloudFixtures) -> None:
    """A Port of an InterfaceAttachment is not matched with an item of `networks` that has the same network."""
    server, ports, bound = new("Server"), [new("Port") for _ in range(3)], []
    program = fixtures.server_inputs | {"networks": [{"network_id": fixtures.network}]}
    server.up(**program)
    (own_nic,) = nics_of(fixtures, server)
    for number, port in enumerate(ports):
        port.name = f"port-{number}"
        port.up(network_id=fixtures.network)
        bound.append(new("InterfaceAttachment"))
        bound[-1].up(server_id=server.id, port_id=port.id)
    attached = {port.id for port in ports}
    assert_updates_in_place(server, "networks", program | {"networks": [{"network_id": fixtures.other_network}]})
    assert attached < nics_of(fixtures, server)
    assert own_nic not in nics_of(fixtures, server)
    assert_updates_in_place(server, "networks", program)
    (own_nic,) = nics_of(fixtures, server) - attached
    fixtures.cloud.compute.delete_server_interface(own_nic, server=server.id)
    fixtures.wait_for(lambda: len(addresses_of(fixtures, server)) == len(attached))
    server.refresh()
    assert server.preview(**program) == updates("networks")
    for attachment in bound:
        attachment.destroy()


@pytest.mark.parametrize("prior", [thorough([]), None], ids=["empty", "other network"])
def test_described_port_does_not_match_network_id(new: New, fixtures: CloudFixtures, prior: Any) -> None:
    """A Port with a description instead of an owner marker is not matched with an item of `networks` either."""
    server, port, bound = new("Server"), new("Port"), new("InterfaceAttachment")
    program = dict(fixtures.server_inputs)
    server.up(**program | {"networks": [{"network_id": fixtures.other_network}] if prior is None else prior})
    nics_before = nics_of(fixtures, server)
    port.up(network_id=fixtures.network, description="the database's NIC", name="")
    bound.up(server_id=server.id, port_id=port.id)
    assert_updates_in_place(server, "networks", program)
    (created,) = nics_of(fixtures, server) - {port.id}
    assert created not in nics_before
    assert [nic["port_id"] for nic in server.outputs["nics"]] == [created]
    assert_updates_in_place(server, "networks", program | {"networks": []})
    assert nics_of(fixtures, server) == {port.id}
    bound.destroy()


def test_nics_output(new: New, fixtures: CloudFixtures) -> None:
    """`nics` has the ports of `networks` in their order, with their addresses, and no ports of InterfaceAttachments."""
    server, port, other, bound = new("Server"), new("Port"), new("Port"), new("InterfaceAttachment")
    port.up(network_id=fixtures.other_network)
    other.name = "other"
    other.up(network_id=fixtures.network)
    by_port, any_port = {"port_id": port.id}, {"network_id": fixtures.network}
    program = fixtures.server_inputs | {"networks": [by_port, any_port]}
    server.up(**program)
    bound.up(server_id=server.id, port_id=other.id)
    first, second = server.outputs["nics"]
    assert first["port_id"] == port.id
    assert second["port_id"] not in {port.id, other.id}
    remote = fixtures.cloud.network.get_port(second["port_id"])
    assert second == {
        "port_id": remote.id,
        "network_id": fixtures.network,
        "mac_address": remote.mac_address,
        "fixed_ips": remote.fixed_ips,
    }
    assert_updates_in_place(server, "networks", program | {"networks": [any_port, by_port]})
    assert server.outputs["nics"] == [second, first]
    fixtures.cloud.network.update_port(port.id, fixed_ips=[{"ip_address": "10.90.2.33"}])
    fixtures.wait_for(lambda: "10.90.2.33" in addresses_of(fixtures, server))
    server.refresh()
    assert [item["ip_address"] for item in server.outputs["nics"][1]["fixed_ips"]] == ["10.90.2.33"]
    bound.destroy()


def test_server_delete_deletes_ports_of_interface_attachments(new: New, fixtures: CloudFixtures) -> None:
    """A server delete deletes the port of an InterfaceAttachment with `deleted_with`; a Port is kept."""
    server, port = new("Server"), new("Port")
    created, bound = (fixtures.resource("InterfaceAttachment") for _ in range(2))
    server.up(**fixtures.server_inputs)
    port.up(network_id=fixtures.network)
    created.up(server_id=server.id, network_id=fixtures.other_network)
    bound.up(server_id=server.id, port_id=port.id)
    server.destroy()
    assert fixtures.cloud.network.find_port(created.outputs["port_id"]) is None
    assert fixtures.cloud.network.get_port(port.id).device_id == ""


@pytest.mark.thorough
@pytest.mark.parametrize("desired", ["network", "port"])
def test_server_with_port_is_deleted_before_replacement(new: New, fixtures: CloudFixtures, desired: str) -> None:
    """A server that uses a Port is deleted before its replacement is created, because the port may be used again."""
    server, port = new("Server"), new("Port")
    port.up(network_id=fixtures.network)
    nics = {"network": {"network_id": fixtures.network}, "port": {"port_id": port.id}}
    server.up(**fixtures.server_inputs | {"networks": [nics["port"]]})
    step = server.preview(**fixtures.server_inputs | {"networks": [nics[desired]], "config_drive": True})
    assert (step.op, step.delete_first) == ("replace", True)


def test_adopt_attaches_missing_nics(new: New, fixtures: CloudFixtures) -> None:
    """Adopting a server attaches the NICs that it lacks, and keeps its other NICs."""
    unmanaged, server = new("Server"), new("Server")
    unmanaged.up(**fixtures.server_inputs)
    nics_before = nics_of(fixtures, unmanaged)
    program = fixtures.server_inputs | {"networks": [{"network_id": fixtures.other_network}], "adopt": unmanaged.id}
    server.up(**program)
    unmanaged.forget()
    assert_no_changes(server, program)
    nics = nics_of(fixtures, server)
    assert (len(nics), nics_before < nics) == (2, True)


def test_nic_tag_change_replaces_the_nic() -> None:
    """Another tag replaces the NIC, because tags are set on attach; removing the tag changes nothing."""
    with emulator("openstack") as landscape, CloudFixtures(landscape) as fixtures:
        server = fixtures.resource("Server")
        nic = {"network_id": fixtures.network}
        server.up(**fixtures.server_inputs | {"networks": [nic | {"tag": "front"}, nic | {"tag": "back"}]})
        first = nics_of(fixtures, server)
        assert_updates_in_place(
            server, "networks", fixtures.server_inputs | {"networks": [nic | {"tag": "back"}, nic | {"tag": "front"}]}
        )
        assert nics_of(fixtures, server) == first
        assert_updates_in_place(
            server, "networks", fixtures.server_inputs | {"networks": [nic | {"tag": "side"}, nic | {"tag": "front"}]}
        )
        assert len(nics_of(fixtures, server) & first) == 1
        assert_no_changes(server, fixtures.server_inputs | {"networks": [nic, nic]})
        server.destroy()


def test_metadata_keys_are_deleted(web: Resource, fixtures: CloudFixtures) -> None:
    """A key that the program removes is deleted; a key that another client adds is drift."""
    program = dict(fixtures.server_inputs)
    for metadata in ({"a": "1", "b": "2"}, {"b": "2"}, {"b": "3", "c": ""}, {}):
        assert_updates_in_place(web, "metadata", program | {"metadata": metadata})
        assert _own_metadata(fixtures, web) == metadata
    # Another cloud reserves some of these names.
    by_hand = {"by": "hand", "__mine": "1", "metering.stack": "2", "os_type": "3"}
    fixtures.cloud.compute.set_server_metadata(web.id, **by_hand)
    assert_no_changes(web, program)
    assert_updates_in_place(web, "metadata", program | {"metadata": {}})
    assert _own_metadata(fixtures, web) == {}


def _own_metadata(fixtures: CloudFixtures, resource: Resource) -> dict[str, str]:
    """Return the metadata of the server without the owner marker."""
    metadata = fixtures.cloud.compute.get_server(resource.id).metadata
    return {key: value for key, value in metadata.items() if key != "managed-by-pulumi"}


def power_state_circuit() -> list[str]:
    """Return a sequence of power states that has each transition between two states once."""
    remaining = {state: [other for other in POWER_STATES if other != state] for state in POWER_STATES}
    # Hierholzer's algorithm for an Eulerian circuit, starting and ending at `active`.
    stack, circuit = ["active"], []
    while stack:
        if remaining[stack[-1]]:
            stack.append(remaining[stack[-1]].pop())
        else:
            circuit.append(stack.pop())
    return circuit[::-1]


@pytest.mark.thorough
def test_power_state_transitions(new: New, fixtures: CloudFixtures) -> None:
    """The same server can change from every power state to every other, and none shows drift in the next preview."""
    server = new("Server")
    program = fixtures.server_inputs | {"block_devices": [boot_disk()]}
    states = power_state_circuit()
    assert len(states) == 21
    server.up(**program, power_state=states[0])
    id_ = server.id
    for state in states[1:]:
        assert server.preview(**program, power_state=state) == updates("power_state")
        server.up(**program, power_state=state)
        assert (server.id, server.outputs["power_state"]) == (id_, state)
        assert server.preview(**program, power_state=state) == SAME
    assert_no_changes(server, program | {"power_state": "active"})


TOGGLES: dict[str, Callable[[CloudFixtures], Sequence[Any]]] = {
    "name": lambda _: ("fields-one", "fields-two"),
    "metadata": lambda _: ({"a": "1"}, {"a": "2"}),
    "tags": lambda _: (["one"], ["two"]),
    "networks": lambda fixtures: ([{"network_id": fixtures.network}], [{"network_id": fixtures.other_network}]),
    "security_groups": lambda fixtures: (["default"], [fixtures.group_names[0]]),
    "flavor": lambda fixtures: (fixtures.landscape.small, fixtures.landscape.medium),
    "image": lambda fixtures: fixtures.images[:2],
}
"""Fields that change in place, and two values of each."""


@pytest.mark.parametrize("target", ["same", thorough("active"), thorough("unmanaged")])
@pytest.mark.parametrize("state", POWER_STATES)
def test_changes_in_every_power_state(new: New, fixtures: CloudFixtures, state: str, target: str) -> None:
    """Every field and every pair of fields can change in every power state, and the server ends in the desired state.

    Nova rejects some changes of a server that is paused, suspended or shelved: the provider activates the server for
    them, and restores the power state afterwards.
    """
    server = new("Server")
    values = {name: toggle(fixtures) for name, toggle in TOGGLES.items()}
    selected = dict.fromkeys(values, 0)
    base = fixtures.server_inputs | {"image_policy": "rebuild"}

    def program(power: str | None) -> dict[str, Any]:
        inputs = {name: pair[selected[name]] for name, pair in values.items()}
        return base | inputs | ({"power_state": power} if power else {})

    desired = {"same": state, "active": "active", "unmanaged": None}[target]
    pairs = itertools.combinations(values, 2) if target == "same" else [tuple(values)]
    # On a real cloud, where each change takes seconds, only change all fields at once.
    changes = [tuple(values)] if fixtures.live else [*((name,) for name in values), *pairs]
    id_ = None
    for names in changes:
        server.up(**program(state))
        for name in names:
            selected[name] = 1 - selected[name]
        server.up(**program(desired))
        assert server.preview(**program(desired)) == SAME, names
        assert server.outputs["power_state"] == (desired or state), names
        assert id_ in (None, server.id)
        id_ = server.id
    assert_no_changes(server, program(desired))


@pytest.mark.parametrize("state", ["shutoff", *map(thorough, ("paused", "suspended", "shelved_offloaded"))])
def test_password_change_of_inactive_server(new: New, fixtures: CloudFixtures, state: str) -> None:
    """The provider activates the server to set the password, and restores its power state."""
    server = new("Server")
    program = fixtures.server_inputs | {"power_state": state, "admin_pass": "Quite-5ecret"}
    server.up(**program)
    assert_updates_in_place(server, "admin_pass", program | {"admin_pass": "Even-m0re-secret"})
    assert server.outputs["power_state"] == state
    assert "changePassword" in [action.action for action in fixtures.cloud.compute.server_actions(server.id)]


@pytest.mark.thorough
@pytest.mark.parametrize("state", POWER_STATES)
def test_initial_power_state(new: New, fixtures: CloudFixtures, state: str) -> None:
    """A new server ends in the desired power state."""
    server = new("Server")
    program = fixtures.server_inputs | {"block_devices": [boot_disk()], "power_state": state}
    server.up(**program)
    assert server.outputs["power_state"] == state
    assert_no_changes(server, program)


def test_unset_power_state_is_not_managed(web: Resource, fixtures: CloudFixtures) -> None:
    """A server without `power_state` that is stopped outside of Pulumi stays stopped when other fields change."""
    fixtures.cloud.compute.stop_server(web.id)
    fixtures.wait_until_stable(web.id, "SHUTOFF")
    assert_no_changes(web, fixtures.server_inputs)
    assert_updates_in_place(web, "metadata", fixtures.server_inputs | {"metadata": {"a": "1"}})
    assert web.outputs["status"] == "SHUTOFF"


def test_boot_from_volume_created_from_image(new: New, fixtures: CloudFixtures) -> None:
    """The cloud creates the boot volume from the image, and deletes it with the server."""
    server = new("Server")
    program = fixtures.server_inputs | {
        "block_devices": [boot_disk(volume_type=fixtures.landscape.volume_types[0], volume_size=2)]
    }
    server.up(**program)
    assert_no_changes(server, program)
    (disk,) = server.outputs["volumes_attached"]
    volume = fixtures.cloud.block_storage.get_volume(disk["id"])
    assert (volume.size, volume.volume_type) == (2, fixtures.landscape.volume_types[0])
    server.destroy()
    fixtures.wait_for(lambda: fixtures.cloud.block_storage.find_volume(disk["id"]) is None)


def test_boot_from_existing_volume(new: New, fixtures: CloudFixtures) -> None:
    """The existing volume is attached, and becomes available when the server is deleted."""
    volume, server = new("Volume"), new("Server")
    volume.up(size=1, image=fixtures.landscape.image)
    disk = {"source_type": "volume", "uuid": volume.id, "boot_index": 0}
    program = fixtures.server_inputs | {"block_devices": [disk]}
    del program["image"]
    server.up(**program)
    assert_no_changes(server, program)
    assert [item["id"] for item in server.outputs["volumes_attached"]] == [volume.id]
    # The replacement uses the same volume.
    step = server.preview(**program, config_drive=True)
    assert (step.op, step.delete_first) == ("replace", True)
    server.destroy()
    fixtures.wait_for(lambda: fixtures.cloud.block_storage.get_volume(volume.id).status == "available")


@pytest.mark.parametrize("known_by", ["create", thorough("diff")])
def test_delete_on_termination_of_managed_volume_is_rejected(
    new: New, fixtures: CloudFixtures, known_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check rejects a Volume that the cloud would delete with the server; an unknown volume id shows a warning."""
    volume, server, messages = new("Volume"), new("Server"), []
    volume.up(size=1, image=fixtures.landscape.image)
    if known_by == "diff":
        monkeypatch.setattr(idempotent_create, "_created", set())
        # In a real run one process serves both resources, so it keeps the ownership.
        monkeypatch.setattr(OWNERSHIP, "clear", lambda: None)
        volume.preview(size=1, image=fixtures.landscape.image)
    disk = {"source_type": "volume", "uuid": volume.id, "boot_index": 0, "delete_on_termination": True}
    program = fixtures.server_inputs | {"block_devices": [disk]}
    with pytest.raises(Refused, match="would delete the program's Volume"):
        server.preview(**program)
    monkeypatch.setattr(rpc_bridge, "log", lambda _, line, **__: messages.append(line))
    server.preview(**program | {"block_devices": [disk | {"uuid": UNKNOWN}]})
    assert any("the cloud deletes the volume with the server" in line for line in messages)
    server.up(**program | {"block_devices": [disk | {"delete_on_termination": False}]})


def test_boot_from_multiattach_volume(new: New, fixtures: CloudFixtures) -> None:
    """A server can boot from a multiattach volume, for which Nova requires compute microversion 2.60."""
    volume, server = new("Volume"), new("Server")
    volume.up(size=1, image=fixtures.landscape.image, volume_type=fixtures.multiattach_type)
    disk = {"source_type": "volume", "uuid": volume.id, "boot_index": 0}
    program = fixtures.server_inputs | {"block_devices": [disk]}
    server.up(**program)
    assert_no_changes(server, program)


def test_second_disk_from_snapshot(new: New, fixtures: CloudFixtures) -> None:
    """A second disk can be created from a snapshot."""
    server = new("Server")
    disk = {"source_type": "snapshot", "uuid": fixtures.snapshots[0], "boot_index": -1, "delete_on_termination": True}
    program = fixtures.server_inputs | {"block_devices": [boot_disk(), disk]}
    server.up(**program)
    assert_no_changes(server, program)
    disks = [item["id"] for item in server.outputs["volumes_attached"]]
    assert fixtures.snapshots[0] in {fixtures.cloud.block_storage.get_volume(id_).snapshot_id for id_ in disks}


def test_blank_second_disk(new: New, fixtures: CloudFixtures) -> None:
    """A server can have a blank volume in addition to a local root disk."""
    server = new("Server")
    blank = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "delete_on_termination": True}
    program = fixtures.server_inputs | {"block_devices": [{**blank, "boot_index": -1}]}
    server.up(**program)
    assert_no_changes(server, program)
    assert server.outputs["image_id"]
    (disk,) = server.outputs["volumes_attached"]
    assert fixtures.cloud.block_storage.get_volume(disk["id"]).size == 1


def test_several_local_disks(new: New, fixtures: CloudFixtures) -> None:
    """A server can have local root, ephemeral and swap disks, with a flavor that allows them."""
    flavor = fixtures.flavor_with_local_disks
    server = new("Server")
    blank = {"source_type": "blank", "destination_type": "local", "boot_index": -1, "delete_on_termination": True}
    program = fixtures.server_inputs | {
        "flavor": flavor,
        "block_devices": [
            LOCAL,
            {**blank, "volume_size": 1, "guest_format": "ext4"},
            {**blank, "volume_size": 1, "guest_format": "swap"},
        ],
    }
    server.up(**program)
    assert_no_changes(server, program)


def test_access_network_selects_the_access_address(new: New, fixtures: CloudFixtures) -> None:
    """`access_network` is changed without touching the NICs, also those that Nova made."""
    server = new("Server")
    nics = [{"network_id": fixtures.network}, {"network_id": fixtures.other_network}]
    assert fixtures.subnet
    program = fixtures.server_inputs | {"networks": [nics[0], {**nics[1], "access_network": True}]}
    server.up(**program)
    assert_no_changes(server, program)
    ports = server.outputs["nics"]
    assert server.outputs["access_ip_v4"] == ports[1]["fixed_ips"][0]["ip_address"]
    program = fixtures.server_inputs | {"networks": [{**nics[0], "access_network": True}, nics[1]]}
    assert server.preview(**program) == updates("networks")
    server.up(**program)
    assert_no_changes(server, program)
    assert server.outputs["nics"] == ports
    assert server.outputs["access_ip_v4"] == ports[0]["fixed_ips"][0]["ip_address"]
    both = [{**nic, "access_network": True} for nic in nics]
    with pytest.raises(Refused, match="only one NIC can have `access_network`"):
        server.preview(**fixtures.server_inputs | {"networks": both})


def test_block_device_that_several_servers_share(new: New, fixtures: CloudFixtures) -> None:
    """`multiattach` boots a server with a volume that another server uses already."""
    volume, first, second = new("Volume"), new("Server"), new("Server")
    volume.up(size=1, volume_type=fixtures.multiattach_type)
    disk = {"source_type": "volume", "destination_type": "volume", "uuid": volume.id, "multiattach": True}
    program = fixtures.server_inputs | {"block_devices": [disk]}
    for each in (first, second):
        each.up(**program)
        assert_no_changes(each, program)


def test_scheduler_hints(new: New, fixtures: CloudFixtures) -> None:
    """Scheduler hints are sent with the create and are no drift; other hints replace the server."""
    server = new("Server")
    hints = {
        "group": fixtures.server_groups[0],
        "different_host": [fixtures.server],
        "query": '[">=", "$free_ram_mb", 1]',
        "build_near_host_ip": "127.0.0.1",
        "cidr": "/24",
    }
    program = fixtures.server_inputs | {"scheduler_hints": hints}
    server.up(**program)
    assert_no_changes(server, program)
    assert fixtures.cloud.compute.get_server_group(fixtures.server_groups[0]).member_ids == [server.id]
    changed = fixtures.server_inputs | {"scheduler_hints": {"same_host": [fixtures.server]}}
    assert server.preview(**changed) == Step("replace", frozenset({"scheduler_hints"}))
    server.up(**changed)
    assert_no_changes(server, changed)
    assert fixtures.cloud.compute.get_server_group(fixtures.server_groups[0]).member_ids == []


@pytest.mark.parametrize("text", ["#!/bin/sh\necho hello", base64.b64encode(b"#!/bin/sh\necho hello").decode()])
def test_user_data(new: New, fixtures: CloudFixtures, text: str) -> None:
    """Plain text and base64 produce the same user data, and are no drift."""
    server = new("Server")
    program = fixtures.server_inputs | {"user_data": text}
    server.up(**program)
    assert_no_changes(server, program)
    remote = fixtures.admin.compute.get(f"/servers/{server.id}", microversion="2.3").json()["server"]
    assert base64.b64decode(remote["OS-EXT-SRV-ATTR:user_data"]) == b"#!/bin/sh\necho hello"


def test_rebuild_changes_image_and_personality(new: New, fixtures: CloudFixtures) -> None:
    """With `image_policy="rebuild"` another image or other files rebuild the same server."""
    server = new("Server")
    files = [{"path": "/etc/motd", "contents": "one"}]
    program = fixtures.server_inputs | {"image_policy": "rebuild", "personality": files}
    server.up(**program)
    assert_updates_in_place(server, "image", program | {"image": fixtures.images[1]})
    assert fixtures.cloud.compute.get_server(server.id).image.id == server.outputs["image_id"]
    assert server.outputs["status"] == "ACTIVE"
    other = [{"path": "/etc/motd", "contents": "two"}]
    assert_updates_in_place(server, "personality", program | {"image": fixtures.images[1], "personality": other})


def test_omitted_personality_does_not_rebuild(new: New, fixtures: CloudFixtures) -> None:
    """Omitting `personality` is no change, so another change in the same update does not overwrite the disk."""
    server = new("Server")
    program = fixtures.server_inputs | {"image_policy": "rebuild"}
    server.up(**program, personality=[{"path": "/etc/motd", "contents": "one"}])
    assert server.preview(**program) == SAME
    changed = program | {"metadata": {"a": "b"}}
    server.up(**changed)
    assert_no_changes(server, changed)
    assert "rebuild" not in [action.action for action in fixtures.cloud.compute.server_actions(server.id)]


def test_rebuild_policy_replaces_server_with_boot_volume(new: New, fixtures: CloudFixtures) -> None:
    """Another image replaces a server that boots from a volume, even with `image_policy="rebuild"`."""
    server = new("Server")
    program = fixtures.server_inputs | {"image_policy": "rebuild", "block_devices": [boot_disk(volume_size=4)]}
    server.up(**program)
    assert server.preview(**program | {"image": fixtures.images[1]}) == Step("replace", frozenset({"image"}))


@pytest.mark.parametrize("has_image", [True, thorough(value=False)])
def test_personality_replaces_server_with_boot_volume(new: New, fixtures: CloudFixtures, *, has_image: bool) -> None:
    """Other files replace a server that boots from a volume, even with `image_policy="rebuild"`."""
    server, program = new("Server"), fixtures.server_inputs | {"image_policy": "rebuild"}
    image = None if has_image else fixtures.cloud.image.find_image(program.pop("image"), ignore_missing=False).id
    disk = boot_disk(**({"uuid": image} if image else {}))
    one, two = ([{"path": "/etc/motd", "contents": text}] for text in ("one", "two"))
    server.up(**program, block_devices=[disk], personality=one)
    step = server.preview(**program, block_devices=[disk], personality=two)
    assert step == Step("replace", frozenset({"personality"}))


def test_personality_replaces_server_without_image(new: New, fixtures: CloudFixtures) -> None:
    """Other files replace a server whose program sets no image to rebuild from, although its root disk is local."""
    server, program = new("Server"), fixtures.server_inputs | {"image_policy": "rebuild"}
    image = fixtures.cloud.image.find_image(program.pop("image"), ignore_missing=False).id
    one, two = ([{"path": "/etc/motd", "contents": text}] for text in ("one", "two"))
    server.up(**program, block_devices=[LOCAL | {"uuid": image}], personality=one)
    step = server.preview(**program, block_devices=[LOCAL | {"uuid": image}], personality=two)
    assert step == Step("replace", frozenset({"personality"}))


@pytest.mark.parametrize("state", [thorough("suspended"), "shelved_offloaded"])
def test_power_state_is_restored_after_killed_update(new: New, fixtures: CloudFixtures, state: str) -> None:
    """A server that a killed update made active for a change returns to its power state with the next `up`."""
    server = new("Server")
    server.up(**fixtures.server_inputs, power_state=state)
    server.up(**fixtures.server_inputs)
    (fixtures.cloud.compute.resume_server if state == "suspended" else fixtures.cloud.compute.unshelve_server)(
        server.id
    )
    fixtures.wait_until_stable(server.id, "ACTIVE")
    program = fixtures.server_inputs | {"networks": [{"network_id": fixtures.other_network}]}
    server.up(**program)
    assert server.outputs["power_state"] == state
    assert_no_changes(server, program)


def test_adopt_does_not_rebuild(new: New, fixtures: CloudFixtures) -> None:
    """Adopting a server with `personality` does not rebuild it, because its current files are unknown."""
    unmanaged, server = new("Server"), new("Server")
    unmanaged.up(**fixtures.server_inputs)
    files = [{"path": "/etc/motd", "contents": "one"}]
    program = fixtures.server_inputs | {"image_policy": "rebuild", "personality": files, "metadata": {"a": "b"}}
    server.up(**program, adopt=unmanaged.id)
    unmanaged.forget()
    assert_no_changes(server, program | {"adopt": server.id})
    assert [action.action for action in fixtures.cloud.compute.server_actions(server.id)] == ["create"]
    other = [{"path": "/etc/motd", "contents": "two"}]
    assert_updates_in_place(server, "personality", program | {"adopt": server.id, "personality": other})
    assert "rebuild" in [action.action for action in fixtures.cloud.compute.server_actions(server.id)]


def test_adopt_does_not_set_password(new: New, fixtures: CloudFixtures) -> None:
    """Adopting a server records `admin_pass` without setting it; a later change sets the password."""
    unmanaged, server = new("Server"), new("Server")
    unmanaged.up(**fixtures.server_inputs)
    program = fixtures.server_inputs | {"admin_pass": "Quite-5ecret", "adopt": unmanaged.id, "metadata": {"a": "b"}}
    server.up(**program)
    unmanaged.forget()
    assert_no_changes(server, program)
    assert server.outputs["admin_pass"] == "Quite-5ecret"
    assert [action.action for action in fixtures.cloud.compute.server_actions(server.id)] == ["create"]
    assert_updates_in_place(server, "admin_pass", program | {"admin_pass": "Even-m0re-secret"})
    assert "changePassword" in [action.action for action in fixtures.cloud.compute.server_actions(server.id)]


def test_security_groups_can_be_added_after_clearing(new: New, fixtures: CloudFixtures) -> None:
    """A server with empty `security_groups` has no groups, and gets groups that the program adds later."""
    server = new("Server")
    program = fixtures.server_inputs | {"security_groups": []}
    server.up(**program)
    assert_no_changes(server, program)
    assert_updates_in_place(server, "security_groups", program | {"security_groups": ["default"]})
    assert [group["name"] for group in fixtures.cloud.compute.get_server(server.id).security_groups] == ["default"]


@pytest.mark.parametrize("more", [thorough([]), ["default"]])
def test_security_groups_apply_to_added_nics(new: New, fixtures: CloudFixtures, more: list[str]) -> None:
    """An added NIC gets the groups of the server, although Nova attaches it with the default group."""
    server = new("Server")
    program = fixtures.server_inputs | {"security_groups": [fixtures.group_names[0], *more]}
    server.up(**program | {"networks": [{"network_id": fixtures.network}]})
    server.up(**program | {"networks": [{"network_id": fixtures.network}, {"network_id": fixtures.other_network}]})
    assert [len(groups) for groups in groups_of(fixtures, server)] == [1 + len(more)] * 2
    assert all(fixtures.groups[0] in groups for groups in groups_of(fixtures, server))
    assert_no_changes(
        server, program | {"networks": [{"network_id": fixtures.network}, {"network_id": fixtures.other_network}]}
    )


def test_security_group_drift_of_single_nics(new: New, fixtures: CloudFixtures) -> None:
    """A missing group of one NIC and an additional group of another are drift; the next `up` corrects both."""
    server = new("Server")
    networks = [{"network_id": fixtures.network}, {"network_id": fixtures.other_network}]
    program = fixtures.server_inputs | {"networks": networks, "security_groups": [fixtures.group_names[0]]}
    server.up(**program)
    one, other = nics_of(fixtures, server)
    fixtures.cloud.network.update_port(one, security_groups=[])
    fixtures.cloud.network.update_port(other, security_groups=fixtures.groups)
    server.refresh()
    assert_updates_in_place(server, "security_groups", program)
    assert groups_of(fixtures, server) == [fixtures.groups[:1]] * 2


def test_security_groups_do_not_apply_to_ports(new: New, fixtures: CloudFixtures) -> None:
    """The groups of a server apply to NICs by network; a Port keeps its groups, in `networks` or in an attachment."""
    ports, server, bound = [new("Port"), new("Port")], new("Server"), new("InterfaceAttachment")
    declared = {"network_id": fixtures.other_network, "security_group_ids": [fixtures.groups[1]]}
    for number, port in enumerate(ports):
        port.name = f"port-{number}"
        port.up(**declared)
    program = fixtures.server_inputs | {
        "networks": [{"network_id": fixtures.network}, {"port_id": ports[0].id}],
        "security_groups": [fixtures.group_names[0]],
    }
    server.up(**program)
    assert_no_changes(server, program)
    bound.up(server_id=server.id, port_id=ports[1].id)
    assert_no_changes(server, program)
    assert_updates_in_place(server, "security_groups", program | {"security_groups": ["default"]})
    for port in ports:
        assert_no_changes(port, declared)
    bound.destroy()


def test_security_group_that_a_port_has_already(new: New, fixtures: CloudFixtures) -> None:
    """A group that a Port has already is still added to the other NICs, though Nova lists it for the server."""
    port, server = new("Port"), new("Server")
    port.up(network_id=fixtures.other_network)
    program = fixtures.server_inputs | {
        "networks": [{"network_id": fixtures.network}, {"port_id": port.id}],
        "security_groups": [fixtures.group_names[0]],
    }
    server.up(**program)
    more = program | {"security_groups": [fixtures.group_names[0], "default"]}
    assert_updates_in_place(server, "security_groups", more)
    assert sorted(map(len, groups_of(fixtures, server))) == [1, 2]
    adopted = new("Server")
    server.up(**program)
    adopted.up(**more, adopt=server.id)
    server.forget()
    assert sorted(map(len, groups_of(fixtures, adopted))) == [1, 2]
    assert_no_changes(adopted, more)


def test_security_groups_are_set_after_failed_update(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an update attaches a NIC and fails to set its groups, the next `up` sets them."""
    server = new("Server")
    program = fixtures.server_inputs | {"security_groups": [fixtures.group_names[0], "default"]}
    server.up(**program)
    program |= {"networks": [{"network_id": fixtures.network}, {"network_id": fixtures.other_network}]}
    with monkeypatch.context() as broken:
        broken.setattr(nics, "change_security_groups", _raise)
        with pytest.raises(Failed, match="not there"):
            server.up(**program)
    server.up(**program)
    assert [len(groups) for groups in groups_of(fixtures, server)] == [2, 2]
    assert_no_changes(server, program)


def _raise(*_: object) -> None:
    raise errors.OperationFailed("update port", "Neutron is not there")


@pytest.mark.parametrize("no_networks", ["none", thorough([])], ids=["none", "empty"])
def test_security_groups_of_server_without_nics(new: New, fixtures: CloudFixtures, no_networks: Any) -> None:
    """The groups of a server without NICs do not apply to an attached Port, whatever its description is."""
    server, port, bound = new("Server"), new("Port"), new("InterfaceAttachment")
    program = fixtures.server_inputs | {"networks": no_networks, "security_groups": [fixtures.group_names[0]]}
    server.up(**program)
    declared = {
        "network_id": fixtures.network,
        "security_group_ids": [fixtures.groups[1]],
        "description": "of the base",
    }
    port.up(**declared)
    bound.up(server_id=server.id, port_id=port.id)
    assert_no_changes(server, program)
    assert_no_changes(port, declared)
    bound.destroy()


def test_security_group_by_id_and_name(new: New, fixtures: CloudFixtures) -> None:
    """Listing the same group by id and by name causes no drift."""
    server = new("Server")
    program = fixtures.server_inputs | {"security_groups": [fixtures.groups[0], fixtures.group_names[0]]}
    server.up(**program)
    assert_no_changes(server, program)


def groups_of(fixtures: CloudFixtures, server: Resource) -> list[list[str]]:
    """Return the security group ids of each NIC of the server."""
    return [port.security_group_ids for port in fixtures.cloud.network.ports(device_id=server.id)]


@pytest.mark.parametrize("name", ["fields+web", "fields(web", "fields[web", "fields web.*"])
def test_create_finds_server_by_name_after_response_lost(name: str) -> None:
    """The server is found by a name with regular expression characters, though Nova filters by regular expression."""
    fault: dict[str, Any] = {"method": "POST", "path": "*/servers", "drop": "after", "times": 1}
    with emulator("openstack", **fault) as landscape, CloudFixtures(landscape) as fixtures:
        program = fixtures.server_inputs | {"name": name}
        server = fixtures.resource("Server")
        server.up(**program)
        assert [each.id for each in fixtures.cloud.compute.servers()] == [server.id]
        server.destroy()


def test_rebuild_keeps_the_power_state(new: New, fixtures: CloudFixtures) -> None:
    """A rebuild of a stopped server leaves it stopped."""
    server = new("Server")
    program = fixtures.server_inputs | {"image_policy": "rebuild", "power_state": "shutoff"}
    server.up(**program)
    assert_updates_in_place(server, "image", program | {"image": fixtures.images[1]})
    assert server.outputs["status"] == "SHUTOFF"


def test_resize_while_stopped(web: Resource, fixtures: CloudFixtures) -> None:
    """A resize of a stopped server leaves it stopped."""
    web.up(**fixtures.server_inputs, power_state="shutoff")
    bigger = fixtures.server_inputs | {"flavor": fixtures.landscape.medium, "power_state": "shutoff"}
    assert_updates_in_place(web, "flavor", bigger)
    assert (web.outputs["status"], web.outputs["flavor"]) == ("SHUTOFF", fixtures.landscape.medium)


def test_resize_of_a_running_server(web: Resource, fixtures: CloudFixtures) -> None:
    """The provider stops a running server for the resize, and starts it afterwards."""
    assert_updates_in_place(web, "flavor", fixtures.server_inputs | {"flavor": fixtures.landscape.medium})
    assert web.outputs["status"] == "ACTIVE"
    assert [action.action for action in fixtures.cloud.compute.server_actions(web.id)][:4] == [
        "start",
        "confirmResize",
        "resize",
        "stop",
    ]


def test_resize_without_stopping(web: Resource, fixtures: CloudFixtures) -> None:
    """With `stop_before_resize=False` the provider does not stop the server."""
    program = fixtures.server_inputs | {"stop_before_resize": False}
    web.up(**program)
    assert_updates_in_place(web, "flavor", program | {"flavor": fixtures.landscape.medium})
    assert web.outputs["status"] == "ACTIVE"
    assert [action.action for action in fixtures.cloud.compute.server_actions(web.id)][:2] == [
        "confirmResize",
        "resize",
    ]


def test_resize_of_a_paused_server(web: Resource, fixtures: CloudFixtures) -> None:
    """The server is paused after the resize."""
    program = fixtures.server_inputs | {"power_state": "paused"}
    web.up(**program)
    assert_updates_in_place(web, "flavor", program | {"flavor": fixtures.landscape.medium})
    assert web.outputs["status"] == "PAUSED"


@pytest.mark.parametrize("ignored", ["power_state", thorough('["power_state"]'), thorough("*")])
def test_interrupted_resize_with_ignored_power_state(new: New, fixtures: CloudFixtures, ignored: str) -> None:
    """A server that an interrupted resize left stopped is started again, even if `power_state` is ignored."""
    server = new("Server")
    server.up(**fixtures.server_inputs)
    fixtures.cloud.compute.stop_server(server.id)
    fixtures.wait_until_stable(server.id, "SHUTOFF")
    assert server.state is not None
    server.state.outputs |= {"pending_action": "start", "status": "SHUTOFF", "power_state": "shutoff"}
    server.ignore_changes = (ignored,)
    server.up(**fixtures.server_inputs)
    assert server.outputs["status"] == "ACTIVE"
    assert_no_changes(server, fixtures.server_inputs)


def test_flavor_by_id_is_no_change(web: Resource, fixtures: CloudFixtures) -> None:
    """The id of the flavor instead of its name is no change."""
    assert web.preview(**fixtures.server_inputs | {"flavor": web.outputs["flavor_id"]}) == SAME
    assert_no_changes(web, fixtures.server_inputs | {"flavor": web.outputs["flavor_id"]})


def test_renamed_flavor_is_no_resize(new: New, fixtures: CloudFixtures) -> None:
    """Another flavor of the same size is a resize; another name of the same flavor is not."""
    size = {"ram": 64, "vcpus": 1, "disk": 1}
    one, two = (fixtures.new_flavor(**size) for _ in range(2))
    server = new("Server")
    server.up(**fixtures.server_inputs | {"flavor": one.name})
    assert_updates_in_place(server, "flavor", fixtures.server_inputs | {"flavor": two.name})
    assert server.outputs["flavor_id"] == two.id
    renamed = fixtures.rename_flavor(two)
    assert_updates_in_place(server, "flavor", fixtures.server_inputs | {"flavor": renamed.name})
    assert [action.action for action in fixtures.cloud.compute.server_actions(server.id)].count("resize") == 1


def test_resize_over_quota_is_rejected(web: Resource, fixtures: CloudFixtures) -> None:
    """The check rejects a flavor that exceeds the quota, and the server keeps running."""
    flavor = fixtures.new_flavor(ram=64, vcpus=10_000, disk=1)
    with pytest.raises(Refused, match="quota exceeded for cores"):
        web.preview(**fixtures.server_inputs | {"flavor": flavor.name})
    assert_no_changes(web, fixtures.server_inputs)
    assert web.outputs["status"] == "ACTIVE"


def test_resize_without_valid_host(web: Resource, fixtures: CloudFixtures) -> None:
    """A resize without a valid host fails with the reason, and the server keeps its flavor and runs."""
    with pytest.raises(Failed, match="the cloud did not resize to fields-flavor"):
        web.up(**fixtures.server_inputs | {"flavor": fixtures.unschedulable_flavor})
    web.refresh()
    assert (web.outputs["flavor"], web.outputs["status"]) == (fixtures.landscape.small, "ACTIVE")
    assert web.preview(**fixtures.server_inputs | {"flavor": fixtures.unschedulable_flavor}) == updates("flavor")
    assert_no_changes(web, fixtures.server_inputs)


def test_pending_resize_is_reverted_or_confirmed(web: Resource, fixtures: CloudFixtures) -> None:
    """An update of a server in VERIFY_RESIZE reverts or confirms the resize, depending on the desired flavor."""
    compute = fixtures.cloud.compute
    medium = compute.find_flavor(fixtures.landscape.medium, ignore_missing=False).id
    for desired in (fixtures.landscape.small, fixtures.landscape.medium):
        compute.resize_server(web.id, medium)
        fixtures.wait_until_stable(web.id, "VERIFY_RESIZE")
        web.refresh()
        assert web.preview(**fixtures.server_inputs | {"flavor": desired}).op == "update"
        web.up(**fixtures.server_inputs | {"flavor": desired})
        assert (web.outputs["flavor"], web.outputs["status"]) == (desired, "ACTIVE")
        assert_no_changes(web, fixtures.server_inputs | {"flavor": desired})


def test_failed_password_change_is_retried(web: Resource, fixtures: CloudFixtures) -> None:
    """A failed password change keeps the prior password in the state; the next `up` sets it."""
    web.up(**fixtures.server_inputs, admin_pass="Quite-5ecret")
    program = fixtures.server_inputs | {"admin_pass": "Even-m0re-secret"}
    fixtures.cloud.compute.lock_server(web.id)
    try:
        with pytest.raises(Failed, match="invalid state for 'changePassword'"):
            web.up(**program)
    finally:
        fixtures.cloud.compute.unlock_server(web.id)
    assert web.outputs["admin_pass"] == "Quite-5ecret"
    assert web.preview(**program).op == "update"
    web.up(**program)
    assert web.outputs["admin_pass"] == "Even-m0re-secret"
    assert "changePassword" in [action.action for action in fixtures.cloud.compute.server_actions(web.id)][:1]
    assert_no_changes(web, program)


def test_failed_return_to_power_state_is_warned_of_and_repeated(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a failed update cannot suspend the server again, a warning says so, and the next `up` suspends it."""
    server = new("Server")
    server.up(**fixtures.server_inputs, admin_pass="Quite-5ecret", power_state="suspended")
    program = fixtures.server_inputs | {"admin_pass": "Even-m0re-secret"}
    send, warnings = compute.action, []

    def fail(api: Any, id_: str, action: str, body: Any = None) -> Any:
        if action in ("changePassword", "suspend"):
            raise errors.OperationFailed(action, "refused by the test")
        return send(api, id_, action, body)

    def log(_urn: str, line: str, *, severity: str = "info", ephemeral: bool = False) -> None:
        if severity == "warning" and not ephemeral:
            warnings.append(line)

    with monkeypatch.context() as patch:
        patch.setattr(compute, "action", fail)
        patch.setattr(rpc_bridge, "log", log)
        with pytest.raises(Failed, match="changePassword"):
            server.up(**program)
    (warning,) = warnings
    assert "could not be returned to the power state suspended (suspend: refused by the test)" in warning
    assert (server.outputs["status"], server.outputs["pending_action"]) == ("ACTIVE", "suspend")
    server.refresh()
    server.up(**program)
    assert server.outputs["power_state"] == "suspended"
    assert_no_changes(server, program)


def test_server_in_rescue(web: Resource, fixtures: CloudFixtures) -> None:
    """A rescued server is no drift, can be updated except for its power state, and can be deleted."""
    fixtures.cloud.compute.rescue_server(web.id)
    fixtures.wait_until_stable(web.id, "RESCUE")
    assert_no_changes(web, fixtures.server_inputs)
    assert web.outputs["status"] == "RESCUE"
    assert_updates_in_place(web, "name", fixtures.server_inputs | {"name": "fields-rescued"})
    with pytest.raises(Failed, match="the server is in RESCUE"):
        web.up(**fixtures.server_inputs, power_state="paused")
    web.destroy()


def test_locked_server(web: Resource, fixtures: CloudFixtures) -> None:
    """A lock is an output and no drift; updates and deletes fail with the error of the cloud."""
    fixtures.cloud.compute.lock_server(web.id)
    assert_no_changes(web, fixtures.server_inputs)
    assert web.outputs["locked"] is True
    try:
        with pytest.raises(Failed, match="locked"):
            web.up(**fixtures.server_inputs, power_state="shutoff")
        with pytest.raises(Failed, match="locked"):
            web.destroy()
    finally:
        fixtures.cloud.compute.unlock_server(web.id)
    web.up(**fixtures.server_inputs)
    assert_no_changes(web, fixtures.server_inputs)


def test_server_in_error(web: Resource, fixtures: CloudFixtures) -> None:
    """A server that was active and is in ERROR is not replaced; an update fails, and a delete succeeds."""
    fixtures.admin.compute.reset_server_state(web.id, "error")
    web.refresh()
    assert web.outputs["status"] == "ERROR"
    assert_no_changes(web, fixtures.server_inputs)
    assert web.preview(**fixtures.server_inputs, power_state="shutoff") == updates("power_state")
    with pytest.raises(Failed, match=r"is in ERROR: .* hard reboot"):
        web.up(**fixtures.server_inputs, power_state="shutoff")
    web.destroy()


def test_server_shelved_outside_of_pulumi(new: New, fixtures: CloudFixtures) -> None:
    """A shelved server without `power_state` is no drift; setting `power_state` unshelves it."""
    server = new("Server")
    program = fixtures.server_inputs | {"block_devices": [boot_disk()]}
    server.up(**program)
    fixtures.cloud.compute.shelve_server(server.id)
    fixtures.wait_for(lambda: fixtures.cloud.compute.get_server(server.id).status in ("SHELVED", "SHELVED_OFFLOADED"))
    fixtures.wait_until_stable(server.id)
    assert_no_changes(server, program)
    assert_updates_in_place(server, "power_state", program | {"power_state": "active"})


def test_server_with_deleted_flavor(new: New, fixtures: CloudFixtures) -> None:
    """Deleting the flavor of a server causes no diff, and the server can be resized to another flavor."""
    flavor = fixtures.new_flavor(ram=64, vcpus=1, disk=1)
    server = new("Server")
    program = fixtures.server_inputs | {"flavor": flavor.name}
    server.up(**program)
    fixtures.admin.compute.delete_flavor(flavor.id)
    assert_no_changes(server, program)
    assert_updates_in_place(server, "metadata", program | {"metadata": {"a": "1"}})
    assert_updates_in_place(server, "flavor", program | {"flavor": fixtures.landscape.medium, "metadata": {"a": "1"}})


def test_server_that_never_became_active_is_replaced(new: New, fixtures: CloudFixtures) -> None:
    """A server without a valid host is recorded with the fault of Nova, and the next `up` replaces it."""
    server = new("Server")
    with pytest.raises(Failed, match="No valid host"):
        server.up(**fixtures.server_inputs | {"flavor": fixtures.unschedulable_flavor})
    assert server.outputs["status"] == "ERROR"
    assert "No valid host" in server.outputs["fault"]
    failed = server.id
    assert server.preview(**fixtures.server_inputs) == Step("replace", frozenset({"status"}), delete_first=True)
    server.up(**fixtures.server_inputs)
    assert server.id != failed
    assert fixtures.cloud.compute.find_server(failed) is None
    assert_no_changes(server, fixtures.server_inputs)


def test_delete_options(new: New, fixtures: CloudFixtures) -> None:
    """`stop_before_delete` stops the server before the delete; `force_delete` deletes it without deferral."""
    cases: list[tuple[dict[str, bool], list[str]]] = [
        ({}, ["delete", "create"]),
        ({"stop_before_delete": True}, ["delete", "stop", "create"]),
        ({"force_delete": True}, ["delete", "create"]),
    ]
    for options, actions in cases:
        server = new("Server")
        server.up(**fixtures.server_inputs, **options)
        id_ = server.id
        server.destroy()
        # Since microversion 2.21 the history of a deleted server is available.
        answer = fixtures.admin.compute.get(f"/servers/{id_}/os-instance-actions", microversion="2.21")
        assert [item["action"] for item in answer.json()["instanceActions"]] == actions


def test_deferred_delete(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deferred delete succeeds and shows a notice; a delete with `force_delete` is not deferred."""
    with emulator("openstack", outcome="defer-delete") as landscape, CloudFixtures(landscape) as fixtures:
        messages: list[str] = []
        monkeypatch.setattr(rpc_bridge, "log", lambda _, line, **__: messages.append(line))
        kept, other, forced = (fixtures.resource("Server") for _ in range(3))
        for server in (kept, other):
            server.up(**fixtures.server_inputs)
        id_ = kept.id
        kept.destroy()
        assert fixtures.cloud.compute.get_server(id_).status == "SOFT_DELETED"
        assert any("force_delete=True deletes at once" in line for line in messages)
        # A server that another client deletes with deferral is treated as deleted, too.
        fixtures.cloud.compute.delete_server(other.id)
        fixtures.wait_until_stable(other.id, "SOFT_DELETED")
        deleted = other.id
        other.refresh()
        assert other.state is None
        forced.up(**fixtures.server_inputs, force_delete=True)
        last = forced.id
        forced.destroy()
        assert fixtures.cloud.compute.find_server(last) is None
        for each in (id_, deleted):
            fixtures.cloud.compute.delete_server(each, force=True)
        fixtures.wait_for(lambda: not list(fixtures.cloud.compute.servers()))


def test_auto_name(new: New, fixtures: CloudFixtures) -> None:
    """An unset name is the resource name with a suffix; an update keeps it, and a replacement gets a new one."""
    server = new("Server")
    server.up(**fixtures.server_inputs)
    name = server.outputs["name"]
    assert name.startswith("fields-server-")
    assert_no_changes(server, fixtures.server_inputs)
    program = fixtures.server_inputs | {"config_drive": True}
    assert server.preview(**program) == Step("replace", frozenset({"config_drive"}))
    server.up(**program)
    assert server.outputs["name"] != name
    assert_no_changes(server, program)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"networks": [{"network_id": "a", "port_id": "b"}]}, "give either `network_id` or `port_id`"),
        ({"networks": [{"port_id": "b", "fixed_ip": "10.0.0.1"}]}, "a port has its own addresses"),
        ({"block_devices": [{"source_type": "volume", "boot_index": 0}]}, "needs `uuid`"),
        ({"block_devices": [{"source_type": "blank", "destination_type": "volume"}]}, "needs `volume_size`"),
        ({"power_state": "rebooting"}, "power_state"),
    ],
)
def test_contradictory_inputs_are_rejected(
    new: New, fixtures: CloudFixtures, inputs: dict[str, Any], reason: str
) -> None:
    """The check rejects contradictory inputs, and the error names them."""
    with pytest.raises(Refused, match=reason):
        new("Server").preview(**fixtures.server_inputs | inputs)


def test_interface_attachment_is_replaced_if_port_or_network_changes(new: New, fixtures: CloudFixtures) -> None:
    """A change between `port_id` and `network_id` replaces an InterfaceAttachment, in both directions."""
    server, port, bound = new("Server"), new("Port"), new("InterfaceAttachment")
    server.up(**fixtures.server_inputs)
    port.up(network_id=fixtures.network)
    by_port = {"server_id": server.id, "port_id": port.id}
    by_network = {"server_id": server.id, "network_id": fixtures.network}
    bound.up(**by_port)
    assert bound.up(**by_network).op == "replace"
    assert not bound.id.endswith(port.id)
    assert bound.preview(**by_network) == SAME
    assert bound.up(**by_port).op == "replace"
    assert bound.id.endswith(port.id)
    bound.destroy()
