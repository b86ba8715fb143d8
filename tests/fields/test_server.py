"""Where servers need care."""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic import host
from ecs_pulumi.dynamic.ownership import OWNERSHIP
from ecs_pulumi.resources import once, server_nics
from tests.fields.ground import Ground, emulator
from tests.support.steps import SAME, UNKNOWN, Failed, Refused, Step, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ecs_pulumi.emulator.dialects import DialectName
    from tests.support.steps import Resource

    New = Callable[..., Resource]

POWER_STATES = ("active", "shutoff", "paused", "suspended", "shelved_offloaded")
LOCAL = {"source_type": "image", "destination_type": "local", "boot_index": 0, "delete_on_termination": True}


def settled(it: Resource, program: dict[str, Any]) -> None:
    """There is nothing to do, also after a refresh."""
    assert it.preview(**program) == SAME
    it.refresh()
    assert it.preview(**program) == SAME


def becomes(it: Resource, field: str, program: dict[str, Any]) -> None:
    """The field changes in place, and nothing is left to do, also after a refresh."""
    before = it.id
    assert it.preview(**program) == updates(field)
    it.up(**program)
    assert it.id == before
    settled(it, program)


def boot_disk(**more: Any) -> dict[str, Any]:
    """A disk to boot from, filled with the server's image."""
    disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "delete_on_termination": True}
    return {**disk, "volume_size": 1, **more}


@pytest.fixture(scope="module")
def lasting(ground: Ground) -> Iterator[Resource]:
    """A running server that several cases change."""
    server = ground.resource("Server")
    yield server
    server.destroy()


@pytest.fixture
def web(lasting: Resource, ground: Ground) -> Resource:
    """That server, running and as small as it began; another one where a case left it unwell."""
    if lasting.state:
        lasting.refresh()
        if lasting.outputs["status"] not in ("ACTIVE", "SHUTOFF", "PAUSED"):
            lasting.destroy()
    lasting.up(**ground.server_inputs, power_state="active", metadata={})
    lasting.up(**ground.server_inputs)
    return lasting


def test_eight_nics_in_order(new: New, ground: Ground) -> None:
    """Eight NICs over two networks, by network, by address and by port: all there, in the program's order."""
    one, two = ground.network, ground.other_network
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
    program = {**ground.server_inputs, "networks": networks}
    server.up(**program)
    settled(server, program)
    names = [ground.cloud.network.get_network(network).name for network in (one, two)]
    in_one, in_two = ([item["addr"] for item in server.outputs["addresses"][name]] for name in names)
    # One NIC of each network takes what address it is given.
    assert in_one[1:] == ["10.90.1.100", "10.90.1.99", "10.90.1.102"]
    assert (in_two[:2], in_two[3:]) == (["10.90.2.110", "10.90.2.101"], ["10.90.2.103"])


def test_nics_come_and_go(new: New, ground: Ground) -> None:
    """A changed list attaches and detaches on the same server; a port that was declared outlives its NIC."""
    port = new("Port")
    port.up(network_id=ground.other_network)
    server = new("Server")
    one, mine = {"network_id": ground.network}, {"port_id": port.id}
    fixed = {"network_id": ground.other_network, "fixed_ip": "10.90.2.120"}
    server.up(**ground.server_inputs | {"networks": [one]})
    for networks in ([one, mine], [mine], [mine, fixed], [fixed, mine, one], [one], []):
        becomes(server, "networks", ground.server_inputs | {"networks": networks})
        nics = list(ground.cloud.compute.server_interfaces(server.id))
        assert len(nics) == len(networks)
        assert (port.id in {nic.port_id for nic in nics}) is (mine in networks)
        assert ground.cloud.network.get_port(port.id).device_id == (server.id if mine in networks else "")


def test_a_nic_of_others_stays(new: New, ground: Ground) -> None:
    """A NIC that an InterfaceAttachment bound is no drift of the server's list, and stays when the list changes."""
    server, nic = new("Server"), new("InterfaceAttachment")
    program = dict(ground.server_inputs)
    server.up(**program)
    nic.up(server_id=server.id, network_id=ground.other_network)
    settled(server, program)
    becomes(server, "networks", program | {"networks": [*program["networks"], {"network_id": ground.network}]})
    assert nic.outputs["port_id"] in {item.port_id for item in ground.cloud.compute.server_interfaces(server.id)}
    becomes(server, "networks", program)
    assert nic.outputs["port_id"] in {item.port_id for item in ground.cloud.compute.server_interfaces(server.id)}


def test_a_nic_taken_out_by_hand(new: New, ground: Ground) -> None:
    """It shows as drift of the list, also where somebody else has put another in; the next `up` puts it back."""
    port, server, others = new("Port"), new("Server"), new("InterfaceAttachment")
    port.up(network_id=ground.other_network)
    program = ground.server_inputs | {"networks": [{"network_id": ground.network}, {"port_id": port.id}]}
    server.up(**program)
    others.up(server_id=server.id, network_id=ground.other_network)
    ground.cloud.compute.delete_server_interface(port.id, server=server.id)
    ground.until(lambda: not ground.cloud.network.get_port(port.id).device_id)
    # Nova's list of addresses follows a moment later.
    ground.until(lambda: len(addresses_of(ground, server)) == 2)
    server.refresh()
    assert server.state is not None
    assert server.state.inputs["networks"] == [{"network_id": ground.network}]
    becomes(server, "networks", program)
    assert ground.cloud.network.get_port(port.id).device_id == server.id
    assert {port.id, others.outputs["port_id"]} < nics_of(ground, server)


def addresses_of(ground: Ground, server: Resource) -> list[str]:
    """The addresses that Nova tells."""
    told = ground.cloud.compute.get_server(server.id).addresses
    return [item["addr"] for items in told.values() for item in items]


def nics_of(ground: Ground, server: Resource) -> set[str]:
    """The ports of its NICs."""
    return {nic.port_id for nic in ground.cloud.compute.server_interfaces(server.id)}


def test_what_the_cloud_tells(new: New, ground: Ground) -> None:
    """Every output is what another client sees; what only administrators are told, they are told."""
    network, four, six, server = new("Network"), new("Subnet"), new("Subnet"), new("Server")
    network.up()
    four.up(network_id=network.id, cidr="10.97.0.0/24")
    six.up(network_id=network.id, cidr="2001:db8:97::/64", ip_version=6)
    blank = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "delete_on_termination": True}
    server.up(**ground.server_inputs | {"networks": [{"network_id": network.id}], "block_devices": [blank]})
    told, seen = server.outputs, ground.admin.compute.get_server(server.id)
    assert (told["status"], told["vm_state"], told.get("task_state")) == ("ACTIVE", "active", None)
    compute = ground.cloud.compute
    assert told["flavor_id"] == compute.find_flavor(ground.landscape.small, ignore_missing=False).id
    assert (
        told["image_id"]
        == seen.image.id
        == ground.cloud.image.find_image(ground.landscape.image, ignore_missing=False).id
    )
    (addresses,) = told["addresses"].values()
    (port,) = ground.cloud.network.ports(device_id=server.id)
    assert {(item["addr"], item["mac"], item["type"]) for item in addresses} == {
        (item["ip_address"], port.mac_address, "fixed") for item in port.fixed_ips
    }
    assert {item["version"]: item["addr"] for item in addresses} == {4: told["access_ip_v4"], 6: told["access_ip_v6"]}
    assert told["access_ip_v4"].startswith("10.97.0.")
    assert told["volumes_attached"] == [{"id": seen.attached_volumes[0].id, "delete_on_termination": True}]
    assert (told["created"], told["launched_at"], told["locked"]) == (seen.created_at, seen.launched_at, False)
    assert told["host_id"] == compute.get_server(server.id).host_id
    for_admins = ground.resource("Server", admin=True).get(server.id).outputs
    assert (for_admins["instance_name"], for_admins["hostname"]) == (seen.instance_name, seen.hostname)
    compute.lock_server(server.id)
    server.refresh()
    compute.unlock_server(server.id)
    assert server.outputs["locked"] is True


def test_no_networks(new: New, ground: Ground) -> None:
    """`none` is a server without a NIC, which can get one later."""
    server = new("Server")
    program = ground.server_inputs | {"networks": "none"}
    server.up(**program)
    settled(server, program)
    assert server.outputs["addresses"] == {}
    becomes(server, "networks", ground.server_inputs)
    assert len(server.outputs["addresses"]) == 1
    becomes(server, "networks", program)
    assert server.outputs["addresses"] == {}


def test_several_networks_to_choose_from(new: New, ground: Ground) -> None:
    """`auto` where the project has several networks is refused in the preview, which names them."""
    assert ground.network != ground.other_network
    server = new("Server")
    with pytest.raises(Refused, match="does not choose among the"):
        server.up(**ground.server_inputs | {"networks": "auto"})
    assert server.state is None


def test_the_only_network() -> None:
    """`auto` takes the project's only network; a list says later which NICs there shall be, and keeps what fits."""
    with emulator("openstack") as landscape, Ground(landscape) as ground:
        server = ground.resource("Server")
        program = {"flavor": landscape.small, "image": landscape.image, "networks": "auto"}
        server.up(**program)
        settled(server, program)
        assert len(server.outputs["addresses"]) == 1
        before = nics_of(ground, server)
        becomes(server, "networks", program | {"networks": [{"network_id": landscape.network}]})
        assert nics_of(ground, server) == before
        becomes(server, "networks", program | {"networks": []})
        assert nics_of(ground, server) == set()
        server.destroy()


def test_an_address_that_a_port_changes(new: New, ground: Ground) -> None:
    """The port's own output follows at once, and the server's with the next refresh after Nova knows of it."""
    port, server = new("Port"), new("Server")
    first, second = ({"network_id": ground.network, "fixed_ips": [{"ip_address": f"10.90.1.{n}"}]} for n in (77, 78))
    port.up(**first)
    program = ground.server_inputs | {"networks": [{"port_id": port.id}]}
    server.up(**program)
    port.up(**second)
    assert port.outputs["ip_address"] == "10.90.1.78"
    # Neutron notifies Nova some seconds later.
    ground.until(lambda: "10.90.1.78" in str(ground.cloud.compute.get_server(server.id).addresses))
    settled(server, program)
    assert server.outputs["access_ip_v4"] == "10.90.1.78"


def test_a_nic_is_never_taken_for_another(new: New, ground: Ground) -> None:
    """Of several in one network, the one that the list adds is attached, and the one that it drops is detached."""
    port, server = new("Port"), new("Server")
    port.up(network_id=ground.network)
    anyone, mine = {"network_id": ground.network}, {"port_id": port.id}
    fixed = {"network_id": ground.network, "fixed_ip": "10.90.1.77"}
    server.up(**ground.server_inputs | {"networks": [mine]})
    for networks in ([anyone, mine], [anyone], [mine], [fixed], [anyone, fixed], [fixed, anyone, mine], [anyone, mine]):
        before = nics_of(ground, server)
        becomes(server, "networks", ground.server_inputs | {"networks": networks})
        after = nics_of(ground, server)
        assert len(after) == len(networks)
        assert (port.id in after) is (mine in networks)
        held = {item["ip_address"] for nic in ground.cloud.network.ports(device_id=server.id) for item in nic.fixed_ips}
        assert ("10.90.1.77" in held) is (fixed in networks)
        assert len(before & after) >= min(len(before), len(after)) - (1 if networks in ([mine], [fixed]) else 0)


def test_an_empty_list_of_networks(new: New, ground: Ground) -> None:
    """It is no NIC from the beginning, and not what the cloud would choose."""
    server = new("Server")
    program = ground.server_inputs | {"networks": []}
    server.up(**program)
    settled(server, program)
    assert nics_of(ground, server) == set()


@pytest.mark.parametrize("dialect", ["openstack", "otc"])
def test_an_empty_list_where_there_is_one_network(dialect: DialectName) -> None:
    """Also where the cloud would put the server into the project's only network, and has no word for none."""
    with emulator(dialect) as landscape, Ground(landscape) as ground:
        server = ground.resource("Server")
        disk = boot_disk(volume_size=40)
        program = {"flavor": landscape.small, "image": landscape.image, "networks": [], "block_devices": [disk]}
        server.up(**program)
        settled(server, program)
        assert nics_of(ground, server) == set()
        server.destroy()


def test_networks_that_nobody_spoke_of(new: New, ground: Ground) -> None:
    """`none` for a server whose networks the program left alone takes out what the cloud has put in."""
    server, bound = new("Server"), new("InterfaceAttachment")
    server.up(**ground.server_inputs)
    bound.up(server_id=server.id, network_id=ground.other_network)
    left_alone = {name: value for name, value in ground.server_inputs.items() if name != "networks"}
    adopted = new("Server")
    adopted.up(**left_alone, adopt=server.id)
    adopted.up(**left_alone, networks="none")
    settled(adopted, left_alone | {"networks": "none"})
    assert nics_of(ground, server) == {bound.outputs["port_id"]}
    server.forget()


@pytest.mark.parametrize("nothing", ["none", []])
def test_a_server_that_is_taken_over_loses_its_nics(new: New, ground: Ground, nothing: Any) -> None:
    """Where the program says that it has none, those that the cloud has put in go at once."""
    theirs, server = new("Server"), new("Server")
    theirs.up(**ground.server_inputs)
    program = ground.server_inputs | {"networks": nothing, "adopt": theirs.id}
    server.up(**program)
    theirs.forget()
    assert nics_of(ground, server) == set()
    settled(server, program)


@pytest.mark.parametrize("before", ["auto", None])
def test_a_port_of_any_description_stays(before: str | None) -> None:
    """What an InterfaceAttachment has bound is not the server's to let go, whatever the port's owner wrote on it."""
    with emulator("openstack") as landscape, Ground(landscape) as own:
        server, port, bound = own.resource("Server"), own.resource("Port"), own.resource("InterfaceAttachment")
        program = {"flavor": landscape.small, "image": landscape.image}
        server.up(**program, **({"networks": before} if before else {}))
        port.up(network_id=landscape.network, description="the database's NIC")
        bound.up(server_id=server.id, port_id=port.id)
        server.up(**program, networks="none")
        assert nics_of(own, server) == {port.id}
        bound.destroy()
        server.destroy()
        port.destroy()


def test_a_declared_port_is_no_nic_by_network(new: New, ground: Ground) -> None:
    """A Port in the same network, bound by an InterfaceAttachment, never stands for the server's own NIC."""
    server, ports, bound = new("Server"), [new("Port") for _ in range(3)], []
    program = ground.server_inputs | {"networks": [{"network_id": ground.network}]}
    server.up(**program)
    (own,) = nics_of(ground, server)
    for number, port in enumerate(ports):
        port.name = f"port-{number}"
        port.up(network_id=ground.network)
        bound.append(new("InterfaceAttachment"))
        bound[-1].up(server_id=server.id, port_id=port.id)
    theirs = {port.id for port in ports}
    becomes(server, "networks", program | {"networks": [{"network_id": ground.other_network}]})
    assert theirs < nics_of(ground, server)
    assert own not in nics_of(ground, server)
    becomes(server, "networks", program)
    (own,) = nics_of(ground, server) - theirs
    ground.cloud.compute.delete_server_interface(own, server=server.id)
    ground.until(lambda: len(addresses_of(ground, server)) == len(theirs))
    server.refresh()
    assert server.preview(**program) == updates("networks")
    for attachment in bound:
        attachment.destroy()


@pytest.mark.parametrize("before", [[], None])
def test_a_described_port_is_no_nic_by_network(new: New, ground: Ground, before: Any) -> None:
    """A Port that says in its description what it is for, and nothing of Pulumi, is not the server's own NIC either."""
    server, port, bound = new("Server"), new("Port"), new("InterfaceAttachment")
    program = dict(ground.server_inputs)
    server.up(**program | {"networks": [{"network_id": ground.other_network}] if before is None else before})
    own = nics_of(ground, server)
    port.up(network_id=ground.network, description="the database's NIC", name="")
    bound.up(server_id=server.id, port_id=port.id)
    becomes(server, "networks", program)
    (made,) = nics_of(ground, server) - {port.id}
    assert made not in own
    assert [nic["port_id"] for nic in server.outputs["nics"]] == [made]
    becomes(server, "networks", program | {"networks": []})
    assert nics_of(ground, server) == {port.id}
    bound.destroy()


def test_the_nics_of_a_server(new: New, ground: Ground) -> None:
    """`nics` has the ports of `networks` in their order, with their addresses, and none that others have attached."""
    server, port, other, bound = new("Server"), new("Port"), new("Port"), new("InterfaceAttachment")
    port.up(network_id=ground.other_network)
    other.name = "other"
    other.up(network_id=ground.network)
    mine, anyone = {"port_id": port.id}, {"network_id": ground.network}
    program = ground.server_inputs | {"networks": [mine, anyone]}
    server.up(**program)
    bound.up(server_id=server.id, port_id=other.id)
    first, second = server.outputs["nics"]
    assert first["port_id"] == port.id
    assert second["port_id"] not in {port.id, other.id}
    seen = ground.cloud.network.get_port(second["port_id"])
    assert second == {
        "port_id": seen.id,
        "network_id": ground.network,
        "mac_address": seen.mac_address,
        "fixed_ips": seen.fixed_ips,
    }
    becomes(server, "networks", program | {"networks": [anyone, mine]})
    assert server.outputs["nics"] == [second, first]
    ground.cloud.network.update_port(port.id, fixed_ips=[{"ip_address": "10.90.2.33"}])
    ground.until(lambda: "10.90.2.33" in addresses_of(ground, server))
    server.refresh()
    assert [item["ip_address"] for item in server.outputs["nics"][1]["fixed_ips"]] == ["10.90.2.33"]
    bound.destroy()


def test_a_nic_that_goes_with_its_server(new: New, ground: Ground) -> None:
    """The port of an attachment that nobody deletes, as with `deleted_with`, goes with the server; a Port stays."""
    server, port = new("Server"), new("Port")
    made, bound = (ground.resource("InterfaceAttachment") for _ in range(2))
    server.up(**ground.server_inputs)
    port.up(network_id=ground.network)
    made.up(server_id=server.id, network_id=ground.other_network)
    bound.up(server_id=server.id, port_id=port.id)
    server.destroy()
    assert ground.cloud.network.find_port(made.outputs["port_id"]) is None
    assert ground.cloud.network.get_port(port.id).device_id == ""


@pytest.mark.parametrize("after", ["network", "port"])
def test_a_replaced_server_gives_back_what_it_holds_first(new: New, ground: Ground, after: str) -> None:
    """The port of the old one may be for an InterfaceAttachment of the new one: the old one goes before that."""
    server, port = new("Server"), new("Port")
    port.up(network_id=ground.network)
    nics = {"network": {"network_id": ground.network}, "port": {"port_id": port.id}}
    server.up(**ground.server_inputs | {"networks": [nics["port"]]})
    step = server.preview(**ground.server_inputs | {"networks": [nics[after]], "config_drive": True})
    assert (step.op, step.delete_first) == ("replace", True)


def test_a_server_that_is_taken_over_gets_its_nics(new: New, ground: Ground) -> None:
    """Those that the program lists and it does not have are attached; what it has besides stays."""
    theirs, server = new("Server"), new("Server")
    theirs.up(**ground.server_inputs)
    before = nics_of(ground, theirs)
    program = ground.server_inputs | {"networks": [{"network_id": ground.other_network}], "adopt": theirs.id}
    server.up(**program)
    theirs.forget()
    settled(server, program)
    after = nics_of(ground, server)
    assert (len(after), before < after) == (2, True)


def test_the_tag_of_a_nic() -> None:
    """It is given when the NIC is attached, so that another tag is another NIC; leaving it out changes nothing."""
    with emulator("openstack") as landscape, Ground(landscape) as own:
        server = own.resource("Server")
        nic = {"network_id": own.network}
        server.up(**own.server_inputs | {"networks": [nic | {"tag": "front"}, nic | {"tag": "back"}]})
        first = nics_of(own, server)
        becomes(server, "networks", own.server_inputs | {"networks": [nic | {"tag": "back"}, nic | {"tag": "front"}]})
        assert nics_of(own, server) == first
        becomes(server, "networks", own.server_inputs | {"networks": [nic | {"tag": "side"}, nic | {"tag": "front"}]})
        assert len(nics_of(own, server) & first) == 1
        settled(server, own.server_inputs | {"networks": [nic, nic]})
        server.destroy()


def test_metadata_keys_really_deleted(web: Resource, ground: Ground) -> None:
    """A key that the program drops is gone from the cloud; one that others add is drift."""
    program = dict(ground.server_inputs)
    for metadata in ({"a": "1", "b": "2"}, {"b": "2"}, {"b": "3", "c": ""}, {}):
        becomes(web, "metadata", program | {"metadata": metadata})
        assert _own_metadata(ground, web) == metadata
    ground.cloud.compute.set_server_metadata(web.id, by="hand")
    settled(web, program)
    becomes(web, "metadata", program | {"metadata": {}})
    assert _own_metadata(ground, web) == {}


def _own_metadata(ground: Ground, it: Resource) -> dict[str, str]:
    """What is not the owner marker."""
    found = ground.cloud.compute.get_server(it.id).metadata
    return {key: value for key, value in found.items() if key != "managed-by-pulumi"}


def walk() -> list[str]:
    """Every way from one power state to another, each once."""
    left = {here: [there for there in POWER_STATES if there != here] for here in POWER_STATES}
    # Hierholzer's way through all of them, from `active` back to it.
    stack, found = ["active"], []
    while stack:
        if left[stack[-1]]:
            stack.append(left[stack[-1]].pop())
        else:
            found.append(stack.pop())
    return found[::-1]


@pytest.mark.thorough
def test_power_states(new: New, ground: Ground) -> None:
    """Every power state is reached from every other on the same server, and none is drift of the next preview."""
    server = new("Server")
    program = ground.server_inputs | {"block_devices": [boot_disk()]}
    way = walk()
    assert len(way) == 21
    server.up(**program, power_state=way[0])
    id_ = server.id
    for state in way[1:]:
        assert server.preview(**program, power_state=state) == updates("power_state")
        server.up(**program, power_state=state)
        assert (server.id, server.outputs["power_state"]) == (id_, state)
        assert server.preview(**program, power_state=state) == SAME
    settled(server, program | {"power_state": "active"})


TOGGLES: dict[str, Callable[[Ground], Sequence[Any]]] = {
    "name": lambda _: ("fields-one", "fields-two"),
    "metadata": lambda _: ({"a": "1"}, {"a": "2"}),
    "tags": lambda _: (["one"], ["two"]),
    "networks": lambda ground: ([{"network_id": ground.network}], [{"network_id": ground.other_network}]),
    "security_groups": lambda ground: (["default"], [ground.group_names[0]]),
    "flavor": lambda ground: (ground.landscape.small, ground.landscape.medium),
    "image": lambda ground: ground.images[:2],
}
"""What can be changed in place, and two values of it."""


@pytest.mark.parametrize("then", ["stays", "wakes", "is left alone"])
@pytest.mark.parametrize("state", POWER_STATES)
def test_changes_in_every_power_state(new: New, ground: Ground, state: str, then: str) -> None:
    """Every change, and every pair of them, is made whatever the server does, which does afterwards what it should.

    Nova refuses some changes of a server that is paused, suspended or shelved: it is woken for them, and put back.
    """
    server = new("Server")
    values = {name: toggle(ground) for name, toggle in TOGGLES.items()}
    at = dict.fromkeys(values, 0)
    base = ground.server_inputs | {"image_policy": "rebuild"}

    def program(power: str | None) -> dict[str, Any]:
        said = {name: both[at[name]] for name, both in values.items()}
        return base | said | ({"power_state": power} if power else {})

    after = {"stays": state, "wakes": "active", "is left alone": None}[then]
    pairs = itertools.combinations(values, 2) if then == "stays" else [tuple(values)]
    # What Nova refuses in which state was seen on a real cloud, where each change takes seconds.
    changes = [tuple(values)] if ground.live else [*((name,) for name in values), *pairs]
    id_ = None
    for names in changes:
        server.up(**program(state))
        for name in names:
            at[name] = 1 - at[name]
        server.up(**program(after))
        assert server.preview(**program(after)) == SAME, names
        assert server.outputs["power_state"] == (after or state), names
        assert id_ in (None, server.id)
        id_ = server.id
    settled(server, program(after))


@pytest.mark.parametrize("state", ["paused", "suspended", "shelved_offloaded"])
def test_a_password_of_a_sleeping_server(new: New, ground: Ground, state: str) -> None:
    """It is woken for a new password, and put back."""
    server = new("Server")
    program = ground.server_inputs | {"power_state": state, "admin_pass": "Quite-5ecret"}
    server.up(**program)
    becomes(server, "admin_pass", program | {"admin_pass": "Even-m0re-secret"})
    assert server.outputs["power_state"] == state
    assert "changePassword" in [action.action for action in ground.cloud.compute.server_actions(server.id)]


@pytest.mark.parametrize("state", POWER_STATES)
def test_initial_power_state(new: New, ground: Ground, state: str) -> None:
    """A server is in the wanted power state from the first `up` on."""
    server = new("Server")
    program = ground.server_inputs | {"block_devices": [boot_disk()], "power_state": state}
    server.up(**program)
    assert server.outputs["power_state"] == state
    settled(server, program)


def test_unmanaged_power_state_is_left_alone(web: Resource, ground: Ground) -> None:
    """Who says nothing of the power state may stop the server by hand; a change of something else leaves it so."""
    ground.cloud.compute.stop_server(web.id)
    ground.rested(web.id, "SHUTOFF")
    settled(web, ground.server_inputs)
    becomes(web, "metadata", ground.server_inputs | {"metadata": {"a": "1"}})
    assert web.outputs["status"] == "SHUTOFF"


def test_disk_from_image(new: New, ground: Ground) -> None:
    """Booted from an image in a volume: the volume is the server's and goes with it."""
    server = new("Server")
    program = ground.server_inputs | {
        "block_devices": [boot_disk(volume_type=ground.landscape.volume_types[0], volume_size=2)]
    }
    server.up(**program)
    settled(server, program)
    (disk,) = server.outputs["volumes_attached"]
    volume = ground.cloud.block_storage.get_volume(disk["id"])
    assert (volume.size, volume.volume_type) == (2, ground.landscape.volume_types[0])
    server.destroy()
    ground.until(lambda: ground.cloud.block_storage.find_volume(disk["id"]) is None)


def test_disk_from_volume(new: New, ground: Ground) -> None:
    """Booted from a volume that exists: it is attached, and free again when the server is gone."""
    volume, server = new("Volume"), new("Server")
    volume.up(size=1, image=ground.landscape.image)
    disk = {"source_type": "volume", "uuid": volume.id, "boot_index": 0}
    program = ground.server_inputs | {"block_devices": [disk]}
    del program["image"]
    server.up(**program)
    settled(server, program)
    assert [item["id"] for item in server.outputs["volumes_attached"]] == [volume.id]
    # A replacement needs the same volume.
    step = server.preview(**program, config_drive=True)
    assert (step.op, step.delete_first) == ("replace", True)
    server.destroy()
    ground.until(lambda: ground.cloud.block_storage.get_volume(volume.id).status == "available")


@pytest.mark.parametrize("known_by", ["create", "diff"])
def test_a_volume_of_the_program_does_not_go_with_a_server(
    new: New, ground: Ground, known_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Volume that the cloud would delete with the server is refused; one that is not known yet is warned of."""
    volume, server, told = new("Volume"), new("Server"), []
    volume.up(size=1, image=ground.landscape.image)
    if known_by == "diff":
        monkeypatch.setattr(once, "_made_here", set())
        # One process serves the whole run.
        monkeypatch.setattr(OWNERSHIP, "clear", lambda: None)
        volume.preview(size=1, image=ground.landscape.image)
    disk = {"source_type": "volume", "uuid": volume.id, "boot_index": 0, "delete_on_termination": True}
    program = ground.server_inputs | {"block_devices": [disk]}
    with pytest.raises(Refused, match="would delete the program's Volume"):
        server.preview(**program)
    monkeypatch.setattr(host, "report", lambda _, line, **__: told.append(line))
    server.preview(**program | {"block_devices": [disk | {"uuid": UNKNOWN}]})
    assert any("the cloud deletes the volume with the server" in line for line in told)
    server.up(**program | {"block_devices": [disk | {"delete_on_termination": False}]})


def test_booting_from_a_volume_for_several(new: New, ground: Ground) -> None:
    """Nova wants to be asked with compute 2.60 for a server with a multiattach volume."""
    volume, server = new("Volume"), new("Server")
    volume.up(size=1, image=ground.landscape.image, volume_type=ground.multiattach_type)
    disk = {"source_type": "volume", "uuid": volume.id, "boot_index": 0}
    program = ground.server_inputs | {"block_devices": [disk]}
    server.up(**program)
    settled(server, program)


def test_disk_from_snapshot(new: New, ground: Ground) -> None:
    """A second disk filled from a snapshot."""
    server = new("Server")
    disk = {"source_type": "snapshot", "uuid": ground.snapshots[0], "boot_index": -1, "delete_on_termination": True}
    program = ground.server_inputs | {"block_devices": [boot_disk(), disk]}
    server.up(**program)
    settled(server, program)
    disks = [item["id"] for item in server.outputs["volumes_attached"]]
    assert ground.snapshots[0] in {ground.cloud.block_storage.get_volume(id_).snapshot_id for id_ in disks}


def test_blank_second_disk(new: New, ground: Ground) -> None:
    """A blank disk beside a local root disk."""
    server = new("Server")
    blank = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "delete_on_termination": True}
    program = ground.server_inputs | {"block_devices": [{**blank, "boot_index": -1}]}
    server.up(**program)
    settled(server, program)
    assert server.outputs["image_id"]
    (disk,) = server.outputs["volumes_attached"]
    assert ground.cloud.block_storage.get_volume(disk["id"]).size == 1


def test_several_local_disks(new: New, ground: Ground) -> None:
    """A local root disk, a local blank one, and swap, in a flavor that has room for them."""
    flavor = ground.roomy_flavor
    server = new("Server")
    blank = {"source_type": "blank", "destination_type": "local", "boot_index": -1, "delete_on_termination": True}
    program = ground.server_inputs | {
        "flavor": flavor,
        "block_devices": [
            LOCAL,
            {**blank, "volume_size": 1, "guest_format": "ext4"},
            {**blank, "volume_size": 1, "guest_format": "swap"},
        ],
    }
    server.up(**program)
    settled(server, program)


def test_hints(new: New, ground: Ground) -> None:
    """Hints go to the scheduler and are no drift; a group has the server that was put into it."""
    server = new("Server")
    hints = {
        "group": ground.server_groups[0],
        "different_host": [ground.server],
        "query": '[">=", "$free_ram_mb", 1]',
        "build_near_host_ip": "127.0.0.1",
        "cidr": "/24",
    }
    program = ground.server_inputs | {"scheduler_hints": hints}
    server.up(**program)
    settled(server, program)
    assert ground.cloud.compute.get_server_group(ground.server_groups[0]).member_ids == [server.id]
    beside = ground.server_inputs | {"scheduler_hints": {"same_host": [ground.server]}}
    assert server.preview(**beside) == Step("replace", frozenset({"scheduler_hints"}))
    server.up(**beside)
    settled(server, beside)
    assert ground.cloud.compute.get_server_group(ground.server_groups[0]).member_ids == []


@pytest.mark.parametrize("text", ["#!/bin/sh\necho hello", base64.b64encode(b"#!/bin/sh\necho hello").decode()])
def test_user_data(new: New, ground: Ground, text: str) -> None:
    """Plain text and base64 arrive alike, and are no drift."""
    server = new("Server")
    program = ground.server_inputs | {"user_data": text}
    server.up(**program)
    settled(server, program)
    seen = ground.admin.compute.get(f"/servers/{server.id}", microversion="2.3").json()["server"]
    assert base64.b64decode(seen["OS-EXT-SRV-ATTR:user_data"]) == b"#!/bin/sh\necho hello"


def test_rebuild(new: New, ground: Ground) -> None:
    """With `image_policy` = `rebuild` another image and other files are put into the same server."""
    server = new("Server")
    files = [{"path": "/etc/motd", "contents": "one"}]
    program = ground.server_inputs | {"image_policy": "rebuild", "personality": files}
    server.up(**program)
    becomes(server, "image", program | {"image": ground.images[1]})
    assert ground.cloud.compute.get_server(server.id).image.id == server.outputs["image_id"]
    assert server.outputs["status"] == "ACTIVE"
    other = [{"path": "/etc/motd", "contents": "two"}]
    becomes(server, "personality", program | {"image": ground.images[1], "personality": other})


def test_files_that_are_no_longer_said_rebuild_nothing(new: New, ground: Ground) -> None:
    """To leave `personality` out is no change, so another change in the same update does not overwrite the disk."""
    server = new("Server")
    program = ground.server_inputs | {"image_policy": "rebuild"}
    server.up(**program, personality=[{"path": "/etc/motd", "contents": "one"}])
    assert server.preview(**program) == SAME
    changed = program | {"metadata": {"a": "b"}}
    server.up(**changed)
    settled(server, changed)
    assert "rebuild" not in [action.action for action in ground.cloud.compute.server_actions(server.id)]


def test_a_rebuild_does_not_reach_a_volume(new: New, ground: Ground) -> None:
    """A server that boots from a volume is replaced for another image, also where the program prefers a rebuild."""
    server = new("Server")
    program = ground.server_inputs | {"image_policy": "rebuild", "block_devices": [boot_disk(volume_size=4)]}
    server.up(**program)
    assert server.preview(**program | {"image": ground.images[1]}) == Step("replace", frozenset({"image"}))


def test_taking_over_rebuilds_nothing(new: New, ground: Ground) -> None:
    """The files of a server that is taken over are nobody's knowledge: they are no reason to overwrite its disk."""
    theirs, server = new("Server"), new("Server")
    theirs.up(**ground.server_inputs)
    files = [{"path": "/etc/motd", "contents": "one"}]
    program = ground.server_inputs | {"image_policy": "rebuild", "personality": files, "metadata": {"a": "b"}}
    server.up(**program, adopt=theirs.id)
    theirs.forget()
    settled(server, program | {"adopt": server.id})
    assert [action.action for action in ground.cloud.compute.server_actions(server.id)] == ["create"]
    other = [{"path": "/etc/motd", "contents": "two"}]
    becomes(server, "personality", program | {"adopt": server.id, "personality": other})
    assert "rebuild" in [action.action for action in ground.cloud.compute.server_actions(server.id)]


def test_the_password_of_what_is_taken_over(new: New, ground: Ground) -> None:
    """The one that the program says is put down and not set, whatever else is changed; a later one is set."""
    theirs, server = new("Server"), new("Server")
    theirs.up(**ground.server_inputs)
    program = ground.server_inputs | {"admin_pass": "Quite-5ecret", "adopt": theirs.id, "metadata": {"a": "b"}}
    server.up(**program)
    theirs.forget()
    settled(server, program)
    assert server.outputs["admin_pass"] == "Quite-5ecret"
    assert [action.action for action in ground.cloud.compute.server_actions(server.id)] == ["create"]
    becomes(server, "admin_pass", program | {"admin_pass": "Even-m0re-secret"})
    assert "changePassword" in [action.action for action in ground.cloud.compute.server_actions(server.id)]


def test_groups_that_were_cleared_come_back(new: New, ground: Ground) -> None:
    """A server without a group tells of none, and gets those that the program names then."""
    server = new("Server")
    program = ground.server_inputs | {"security_groups": []}
    server.up(**program)
    settled(server, program)
    becomes(server, "security_groups", program | {"security_groups": ["default"]})
    assert [group["name"] for group in ground.cloud.compute.get_server(server.id).security_groups] == ["default"]


@pytest.mark.parametrize("more", [[], ["default"]])
def test_a_nic_that_comes_later_has_the_groups_too(new: New, ground: Ground, more: list[str]) -> None:
    """Nova gives it the default group alone; it gets those that the program names."""
    server = new("Server")
    program = ground.server_inputs | {"security_groups": [ground.group_names[0], *more]}
    server.up(**program | {"networks": [{"network_id": ground.network}]})
    server.up(**program | {"networks": [{"network_id": ground.network}, {"network_id": ground.other_network}]})
    assert [len(groups) for groups in groups_of(ground, server)] == [1 + len(more)] * 2
    assert all(ground.groups[0] in groups for groups in groups_of(ground, server))
    settled(server, program | {"networks": [{"network_id": ground.network}, {"network_id": ground.other_network}]})


def test_groups_where_nics_differ(new: New, ground: Ground) -> None:
    """A group that one NIC has lost is a difference also where another has one too many, and both are mended."""
    server = new("Server")
    networks = [{"network_id": ground.network}, {"network_id": ground.other_network}]
    program = ground.server_inputs | {"networks": networks, "security_groups": [ground.group_names[0]]}
    server.up(**program)
    one, other = nics_of(ground, server)
    ground.cloud.network.update_port(one, security_groups=[])
    ground.cloud.network.update_port(other, security_groups=ground.groups)
    server.refresh()
    becomes(server, "security_groups", program)
    assert groups_of(ground, server) == [ground.groups[:1]] * 2


def test_groups_of_a_declared_port(new: New, ground: Ground) -> None:
    """A server's groups are for the NICs that Nova makes: those of a Port stay, whichever way it is bound."""
    ports, server, bound = [new("Port"), new("Port")], new("Server"), new("InterfaceAttachment")
    declared = {"network_id": ground.other_network, "security_group_ids": [ground.groups[1]]}
    for number, port in enumerate(ports):
        port.name = f"port-{number}"
        port.up(**declared)
    program = ground.server_inputs | {
        "networks": [{"network_id": ground.network}, {"port_id": ports[0].id}],
        "security_groups": [ground.group_names[0]],
    }
    server.up(**program)
    settled(server, program)
    bound.up(server_id=server.id, port_id=ports[1].id)
    settled(server, program)
    becomes(server, "security_groups", program | {"security_groups": ["default"]})
    for port in ports:
        settled(port, declared)
    bound.destroy()


def test_a_group_that_another_nic_has_already(new: New, ground: Ground) -> None:
    """Nova tells it of the server before its own NIC has it; that is no reason to leave it out there."""
    port, server = new("Port"), new("Server")
    port.up(network_id=ground.other_network)
    program = ground.server_inputs | {
        "networks": [{"network_id": ground.network}, {"port_id": port.id}],
        "security_groups": [ground.group_names[0]],
    }
    server.up(**program)
    more = program | {"security_groups": [ground.group_names[0], "default"]}
    becomes(server, "security_groups", more)
    assert sorted(map(len, groups_of(ground, server))) == [1, 2]
    taken = new("Server")
    server.up(**program)
    taken.up(**more, adopt=server.id)
    server.forget()
    assert sorted(map(len, groups_of(ground, taken))) == [1, 2]
    settled(taken, more)


def test_groups_that_a_failure_left_out_are_set_by_the_next_up(
    new: New, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attached NIC whose groups could not be set is not taken for done."""
    server = new("Server")
    program = ground.server_inputs | {"security_groups": [ground.group_names[0], "default"]}
    server.up(**program)
    program |= {"networks": [{"network_id": ground.network}, {"network_id": ground.other_network}]}
    with monkeypatch.context() as broken:
        broken.setattr(server_nics, "regroup", _fails)
        with pytest.raises(Failed, match="not there"):
            server.up(**program)
    server.up(**program)
    assert [len(groups) for groups in groups_of(ground, server)] == [2, 2]
    settled(server, program)


def _fails(*_: object) -> None:
    raise errors.Failed("update port", "Neutron is not there")


@pytest.mark.parametrize("nothing", ["none", []])
def test_groups_of_a_server_without_nics_of_its_own(new: New, ground: Ground, nothing: Any) -> None:
    """They are for none: a Port that is bound to it keeps its own, whatever is written on it."""
    server, port, bound = new("Server"), new("Port"), new("InterfaceAttachment")
    program = ground.server_inputs | {"networks": nothing, "security_groups": [ground.group_names[0]]}
    server.up(**program)
    declared = {"network_id": ground.network, "security_group_ids": [ground.groups[1]], "description": "of the base"}
    port.up(**declared)
    bound.up(server_id=server.id, port_id=port.id)
    settled(server, program)
    settled(port, declared)
    bound.destroy()


def test_a_group_by_its_id_and_its_name(new: New, ground: Ground) -> None:
    """Said twice it is no difference."""
    server = new("Server")
    program = ground.server_inputs | {"security_groups": [ground.groups[0], ground.group_names[0]]}
    server.up(**program)
    settled(server, program)


def groups_of(ground: Ground, server: Resource) -> list[list[str]]:
    """The groups of each of its NICs."""
    return [port.security_group_ids for port in ground.cloud.network.ports(device_id=server.id)]


@pytest.mark.parametrize("name", ["fields+web", "fields(web", "fields[web", "fields web.*"])
def test_a_lost_create_is_found_by_any_name(name: str) -> None:
    """Nova reads the name to look for as a regular expression; one that looks like it is found all the same."""
    lost = {"method": "POST", "path": "*/servers", "drop": "after", "times": 1}
    with emulator("openstack", **lost) as landscape, Ground(landscape) as ground:
        program = ground.server_inputs | {"name": name}
        server = ground.resource("Server")
        server.up(**program)
        assert [each.id for each in ground.cloud.compute.servers()] == [server.id]
        server.destroy()


def test_rebuild_keeps_the_power_state(new: New, ground: Ground) -> None:
    """A stopped server that is rebuilt stays stopped."""
    server = new("Server")
    program = ground.server_inputs | {"image_policy": "rebuild", "power_state": "shutoff"}
    server.up(**program)
    becomes(server, "image", program | {"image": ground.images[1]})
    assert server.outputs["status"] == "SHUTOFF"


def test_resize_while_stopped(web: Resource, ground: Ground) -> None:
    """A stopped server is resized and stays stopped, said or not."""
    web.up(**ground.server_inputs, power_state="shutoff")
    bigger = ground.server_inputs | {"flavor": ground.landscape.medium, "power_state": "shutoff"}
    becomes(web, "flavor", bigger)
    assert (web.outputs["status"], web.outputs["flavor"]) == ("SHUTOFF", ground.landscape.medium)


def test_resize_of_a_running_server(web: Resource, ground: Ground) -> None:
    """A running server is stopped for it, and runs again afterwards."""
    becomes(web, "flavor", ground.server_inputs | {"flavor": ground.landscape.medium})
    assert web.outputs["status"] == "ACTIVE"
    assert [action.action for action in ground.cloud.compute.server_actions(web.id)][:4] == [
        "start",
        "confirmResize",
        "resize",
        "stop",
    ]


def test_resize_without_stopping(web: Resource, ground: Ground) -> None:
    """With `stop_before_resize` = false it runs all the way, where the cloud can."""
    program = ground.server_inputs | {"stop_before_resize": False}
    web.up(**program)
    becomes(web, "flavor", program | {"flavor": ground.landscape.medium})
    assert web.outputs["status"] == "ACTIVE"
    assert [action.action for action in ground.cloud.compute.server_actions(web.id)][:2] == ["confirmResize", "resize"]


def test_resize_of_a_paused_server(web: Resource, ground: Ground) -> None:
    """A paused server is resized and paused again."""
    program = ground.server_inputs | {"power_state": "paused"}
    web.up(**program)
    becomes(web, "flavor", program | {"flavor": ground.landscape.medium})
    assert web.outputs["status"] == "PAUSED"


def test_the_same_flavor_by_id(web: Resource, ground: Ground) -> None:
    """A flavor's id instead of its name is no change."""
    assert web.preview(**ground.server_inputs | {"flavor": web.outputs["flavor_id"]}) == SAME
    settled(web, ground.server_inputs | {"flavor": web.outputs["flavor_id"]})


def test_the_same_size_under_another_name(new: New, ground: Ground) -> None:
    """Another flavor of the same size is a resize; the same flavor that has got another name is none."""
    size = {"ram": 64, "vcpus": 1, "disk": 1}
    one, two = (ground.new_flavor(**size) for _ in range(2))
    server = new("Server")
    server.up(**ground.server_inputs | {"flavor": one.name})
    becomes(server, "flavor", ground.server_inputs | {"flavor": two.name})
    assert server.outputs["flavor_id"] == two.id
    renamed = ground.rename_flavor(two)
    becomes(server, "flavor", ground.server_inputs | {"flavor": renamed.name})
    assert [action.action for action in ground.cloud.compute.server_actions(server.id)].count("resize") == 1


def test_a_flavor_over_the_quota(web: Resource, ground: Ground) -> None:
    """A size that the project may not have is refused in the preview, and the server is not stopped for it."""
    flavor = ground.new_flavor(ram=64, vcpus=10_000, disk=1)
    with pytest.raises(Refused, match="the quota for cores does not hold it"):
        web.preview(**ground.server_inputs | {"flavor": flavor.name})
    settled(web, ground.server_inputs)
    assert web.outputs["status"] == "ACTIVE"


def test_a_flavor_that_does_not_fit(web: Resource, ground: Ground) -> None:
    """A resize that finds no host says why, and leaves the server running in its former flavor."""
    with pytest.raises(Failed, match="the cloud did not resize to fields-flavor"):
        web.up(**ground.server_inputs | {"flavor": ground.homeless_flavor})
    web.refresh()
    assert (web.outputs["flavor"], web.outputs["status"]) == (ground.landscape.small, "ACTIVE")
    assert web.preview(**ground.server_inputs | {"flavor": ground.homeless_flavor}) == updates("flavor")
    settled(web, ground.server_inputs)


def test_resize_left_waiting_is_reverted(web: Resource, ground: Ground) -> None:
    """A server that waits in VERIFY_RESIZE goes back when the program says its former flavor, and on when the other."""
    compute = ground.cloud.compute
    medium = compute.find_flavor(ground.landscape.medium, ignore_missing=False).id
    for wanted in (ground.landscape.small, ground.landscape.medium):
        compute.resize_server(web.id, medium)
        ground.rested(web.id, "VERIFY_RESIZE")
        web.refresh()
        assert web.preview(**ground.server_inputs | {"flavor": wanted}).op == "update"
        web.up(**ground.server_inputs | {"flavor": wanted})
        assert (web.outputs["flavor"], web.outputs["status"]) == (wanted, "ACTIVE")
        settled(web, ground.server_inputs | {"flavor": wanted})


def test_a_password_that_could_not_be_set(web: Resource, ground: Ground) -> None:
    """A stopped server takes no password; what failed is not recorded as done, and is done once the server runs."""
    web.up(**ground.server_inputs, admin_pass="Quite-5ecret", power_state="shutoff")
    with pytest.raises(Failed, match="changePassword"):
        web.up(**ground.server_inputs, admin_pass="Even-m0re-secret", power_state="shutoff")
    assert web.outputs["admin_pass"] == "Quite-5ecret"
    program = ground.server_inputs | {"admin_pass": "Even-m0re-secret", "power_state": "active"}
    assert web.preview(**program) == updates("admin_pass", "power_state")
    web.up(**program)
    assert web.outputs["admin_pass"] == "Even-m0re-secret"
    assert "changePassword" in [action.action for action in ground.cloud.compute.server_actions(web.id)][:1]
    settled(web, program)


def test_rescued(web: Resource, ground: Ground) -> None:
    """A server that somebody rescues is read as it is; what can be changed is changed, and it can be deleted."""
    ground.cloud.compute.rescue_server(web.id)
    ground.rested(web.id, "RESCUE")
    settled(web, ground.server_inputs)
    assert web.outputs["status"] == "RESCUE"
    becomes(web, "name", ground.server_inputs | {"name": "fields-rescued"})
    with pytest.raises(Failed, match="the server is in RESCUE"):
        web.up(**ground.server_inputs, power_state="paused")
    web.destroy()


def test_locked(web: Resource, ground: Ground) -> None:
    """A lock is read, stands in the way of a change in the cloud's own words, and is no drift."""
    ground.cloud.compute.lock_server(web.id)
    settled(web, ground.server_inputs)
    assert web.outputs["locked"] is True
    try:
        with pytest.raises(Failed, match="locked"):
            web.up(**ground.server_inputs, power_state="shutoff")
        with pytest.raises(Failed, match="locked"):
            web.destroy()
    finally:
        ground.cloud.compute.unlock_server(web.id)
    web.up(**ground.server_inputs)
    settled(web, ground.server_inputs)


def test_in_error(web: Resource, ground: Ground) -> None:
    """A server that ran and is in ERROR is not thrown away: it is read, kept, and can be deleted."""
    ground.admin.compute.reset_server_state(web.id, "error")
    web.refresh()
    assert web.outputs["status"] == "ERROR"
    settled(web, ground.server_inputs)
    assert web.preview(**ground.server_inputs, power_state="shutoff") == updates("power_state")
    with pytest.raises(Failed, match=r"is in ERROR: .* hard reboot"):
        web.up(**ground.server_inputs, power_state="shutoff")
    web.destroy()


def test_shelved_by_hand(new: New, ground: Ground) -> None:
    """A shelved server is read as it is; unmanaged it stays so, and a wanted power state wakes it."""
    server = new("Server")
    program = ground.server_inputs | {"block_devices": [boot_disk()]}
    server.up(**program)
    ground.cloud.compute.shelve_server(server.id)
    ground.until(lambda: ground.cloud.compute.get_server(server.id).status in ("SHELVED", "SHELVED_OFFLOADED"))
    ground.rested(server.id)
    settled(server, program)
    becomes(server, "power_state", program | {"power_state": "active"})


def test_a_flavor_that_is_no_more(new: New, ground: Ground) -> None:
    """A server outlives its flavor without a diff, and can be resized to another."""
    flavor = ground.new_flavor(ram=64, vcpus=1, disk=1)
    server = new("Server")
    program = ground.server_inputs | {"flavor": flavor.name}
    server.up(**program)
    ground.admin.compute.delete_flavor(flavor.id)
    settled(server, program)
    becomes(server, "metadata", program | {"metadata": {"a": "1"}})
    becomes(server, "flavor", program | {"flavor": ground.landscape.medium, "metadata": {"a": "1"}})


def test_one_that_never_ran(new: New, ground: Ground) -> None:
    """A server that no host takes is kept with Nova's reason, and the next `up` replaces it."""
    server = new("Server")
    with pytest.raises(Failed, match="No valid host"):
        server.up(**ground.server_inputs | {"flavor": ground.homeless_flavor})
    assert server.outputs["status"] == "ERROR"
    assert "No valid host" in server.outputs["fault"]
    lost = server.id
    assert server.preview(**ground.server_inputs) == Step("replace", frozenset({"status"}), delete_first=True)
    server.up(**ground.server_inputs)
    assert server.id != lost
    assert ground.cloud.compute.find_server(lost) is None
    settled(server, ground.server_inputs)


def test_ways_to_go(new: New, ground: Ground) -> None:
    """`stop_before_delete` shuts it down before, `force_delete` asks for it past every deferral; else neither."""
    ways: list[tuple[dict[str, bool], list[str]]] = [
        ({}, ["delete", "create"]),
        ({"stop_before_delete": True}, ["delete", "stop", "create"]),
        ({"force_delete": True}, ["delete", "create"]),
    ]
    for said, actions in ways:
        server = new("Server")
        server.up(**ground.server_inputs, **said)
        id_ = server.id
        server.destroy()
        # From then on the history outlives the server.
        answer = ground.admin.compute.get(f"/servers/{id_}/os-instance-actions", microversion="2.21")
        assert [item["action"] for item in answer.json()["instanceActions"]] == actions


def test_a_deferred_delete(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud that keeps deleted servers for a while has done its part, and says so; `force_delete` is not deferred."""
    with emulator("openstack", outcome="defer-delete") as landscape, Ground(landscape) as own:
        told: list[str] = []
        monkeypatch.setattr(host, "report", lambda _, line, **__: told.append(line))
        kept, taken, forced = (own.resource("Server") for _ in range(3))
        for server in (kept, taken):
            server.up(**own.server_inputs)
        id_ = kept.id
        kept.destroy()
        assert own.cloud.compute.get_server(id_).status == "SOFT_DELETED"
        assert any("force_delete=True deletes at once" in line for line in told)
        # One that somebody else deletes so is gone, too.
        own.cloud.compute.delete_server(taken.id)
        own.rested(taken.id, "SOFT_DELETED")
        deleted = taken.id
        taken.refresh()
        assert taken.state is None
        forced.up(**own.server_inputs, force_delete=True)
        last = forced.id
        forced.destroy()
        assert own.cloud.compute.find_server(last) is None
        for each in (id_, deleted):
            own.cloud.compute.delete_server(each, force=True)
        own.until(lambda: not list(own.cloud.compute.servers()))


def test_an_automatic_name(new: New, ground: Ground) -> None:
    """Unsaid, the name is the resource's with a suffix, stays for life, and is another one for a replacement."""
    server = new("Server")
    server.up(**ground.server_inputs)
    name = server.outputs["name"]
    assert name.startswith("fields-server-")
    settled(server, ground.server_inputs)
    program = ground.server_inputs | {"config_drive": True}
    assert server.preview(**program) == Step("replace", frozenset({"config_drive"}))
    server.up(**program)
    assert server.outputs["name"] != name
    settled(server, program)


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
def test_contradictions(new: New, ground: Ground, inputs: dict[str, Any], reason: str) -> None:
    """What cannot be is refused in the preview, by its name."""
    with pytest.raises(Refused, match=reason):
        new("Server").preview(**ground.server_inputs | inputs)


def test_a_nic_with_a_port_of_the_program_is_another_one_than_one_that_brings_its_own(new: New, ground: Ground) -> None:
    """An InterfaceAttachment that changes between `port_id` and `network_id` is replaced, in both directions."""
    server, port, bound = new("Server"), new("Port"), new("InterfaceAttachment")
    server.up(**ground.server_inputs)
    port.up(network_id=ground.network)
    by_port = {"server_id": server.id, "port_id": port.id}
    by_network = {"server_id": server.id, "network_id": ground.network}
    bound.up(**by_port)
    assert bound.up(**by_network).op == "replace"
    assert not bound.id.endswith(port.id)
    assert bound.preview(**by_network) == SAME
    assert bound.up(**by_port).op == "replace"
    assert bound.id.endswith(port.id)
    bound.destroy()
