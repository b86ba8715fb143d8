"""What a preview says about a program that the cloud would refuse later, and how little it asks the cloud for that.

Each case is also the proof that nothing is refused which this cloud takes: what is only strange is told, not refused.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.dynamic import ConfigureRequest
from pulumi.output import UNKNOWN

from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.dynamic.provider import Provider
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import common, idempotent_create
from tests.support.steps import Refused, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.landscape import Landscape


class Run:
    """The previews of one run: they share what they learn of the cloud, as the resources of a program do."""

    def __init__(self, landscape: Landscape) -> None:
        self.settings = {**landscape.settings, **landscape.secrets}
        self.told: list[str] = []
        self.warned: list[str] = []
        self.call = rpc_bridge.RequestContext()
        self.resource = ""
        """What the program calls the next one that has no name in the cloud."""

    def __call__(self, kind: str, before: dict[str, Any] | None = None, /, **said: Any) -> list[str]:
        """What is wrong with a resource, each with its property.

        Args:
            kind: Its kind.
            before: Its inputs of the last `up`.
            said: What the program says now.
        """
        self.call = rpc_bridge.RequestContext(urn=f"urn:pulumi:dev::shop::{kind}::{said.get('name', self.resource)}")
        provider = Provider(kind)
        provider.configure(ConfigureRequest(config=SimpleNamespace(get=self.settings.get)))  # type: ignore[arg-type]
        checked = provider.check(before or {}, {**(before or {}), **said})
        named = [(failure.property, failure.reason) for failure in checked.failures]
        return [f"{name}: {reason}" if name else reason for name, reason in named]


class Ground:
    """What the programs name.

    Attributes:
        network: The id of a network.
        subnet: The id of its subnet, 10.66.0.0/24, which gives out 10.66.0.10 to 10.66.0.50.
        taken: The id of the port that has 10.66.0.20.
    """

    def __init__(self, network: str, subnet: str, taken: str) -> None:
        self.network, self.subnet, self.taken = network, subnet, taken


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud like the real one."""
    with Emulator(speed=200, dialect="openstack") as running:
        yield running


@pytest.fixture
def run(landscape: Landscape, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that knows nothing of the cloud yet."""
    for name in [name for name in os.environ if name.startswith("OS_") and name not in landscape.env]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(common, "_connections", {})
    made = Run(landscape)
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: made.call)

    def report(_urn: str, text: str, *, severity: str = "info", **_: object) -> None:
        (made.warned if severity == "warning" else made.told).append(text)

    monkeypatch.setattr(rpc_bridge, "log", report)
    return made


@pytest.fixture
def ground(landscape: Landscape) -> Iterator[Ground]:
    """A network with a subnet and a port, made by another client."""
    with landscape.connect() as other:
        neutron: Any = other.network
        network = neutron.create_network(name="preflight").id
        pools = [{"start": "10.66.0.10", "end": "10.66.0.50"}]
        subnet = neutron.create_subnet(
            name="preflight", network_id=network, ip_version=4, cidr="10.66.0.0/24", allocation_pools=pools
        ).id
        wish = [{"subnet_id": subnet, "ip_address": "10.66.0.20"}]
        taken = neutron.create_port(name="holder", network_id=network, fixed_ips=wish).id
        yield Ground(network, subnet, taken)
        for port in neutron.ports(network_id=network):
            neutron.delete_port(port)
        neutron.delete_network(network)


def test_names_that_do_not_exist(run: Run, landscape: Landscape, ground: Ground) -> None:
    """Each is refused with what comes nearest; where nothing does, with some of what there is."""
    wrong = landscape.small[:-2] + landscape.small[-1]
    (said,) = run("Server", flavor=wrong, image=landscape.image, networks="none")
    assert said.startswith(f'flavor: there is no flavor "{wrong}"; did you mean {landscape.small} or ')
    assert said.count(" or ") == 2

    server = {"flavor": landscape.small, "image": landscape.image, "networks": "none"}
    nowhere = "00000000-0000-4000-8000-00000000dead"
    (said,) = run("Server", **server, security_groups=[nowhere])
    assert said.startswith(f'security_groups: there is no security group "{nowhere}"; there is ')
    (said,) = run("Server", **server, key_name="nobody's")
    assert 'key_name: there is no key pair "nobody\'s"' in said
    (said,) = run("Server", **server, availability_zone="mars")
    assert said.endswith(f"there is {', '.join(landscape.zones)}")
    (said,) = run("Server", flavor=landscape.small, image=landscape.image[:-1], networks="none")
    assert f"did you mean {landscape.image}" in said
    assert run("Server", **server | {"networks": [{"network_id": "preflight"}]}) == [
        f'networks[0]: there is no network with the id "preflight"; the one of that name has the id {ground.network}'
    ]
    disk = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "volume_type": "SDS"}
    (said,) = run("Server", **server, block_devices=[disk])
    assert said.startswith('block_devices[0]: there is no volume type "SDS"; did you mean SSD')
    assert run("InterfaceAttachment", server_id=UNKNOWN, port_id=ground.network) == [
        f'port_id: there is no port with the id "{ground.network}"'
    ]


def test_what_stands_beside_the_unknown(run: Run, landscape: Landscape, ground: Ground) -> None:
    """An unknown item hides no other one, and each is named by its place in the program."""
    server = {"flavor": landscape.small, "image": landscape.image, "networks": "none"}
    nowhere = "00000000-0000-4000-8000-00000000dead"
    nics = [UNKNOWN, {"network_id": nowhere}]
    assert run("Server", **server | {"networks": nics}) == [f'networks[1]: there is no network with the id "{nowhere}"']
    taken = [UNKNOWN, {"network_id": ground.network, "fixed_ip": "10.66.0.20"}]
    assert run("Server", **server | {"networks": taken}) == ["networks[1]: 10.66.0.20 is taken by the port holder"]
    (said,) = run("Server", **server, security_groups=[UNKNOWN, nowhere])
    assert said.startswith(f'security_groups: there is no security group "{nowhere}"')
    (said,) = run("Port", network_id=ground.network, security_group_ids=[UNKNOWN, nowhere])
    assert said.startswith(f'security_group_ids: there is no security group "{nowhere}"')
    wishes = [UNKNOWN, {"subnet_id": ground.subnet, "ip_address": "10.67.0.5"}]
    (said,) = run("Port", network_id=ground.network, fixed_ips=wishes)
    assert said.startswith("fixed_ips[1]: 10.67.0.5 lies outside its subnet")
    disks = [UNKNOWN, {"source_type": "blank", "volume_size": 1, "destination_type": "volume", "volume_type": "SDS"}]
    (said,) = run("Server", **server, block_devices=disks)
    assert said.startswith('block_devices[1]: there is no volume type "SDS"')


def test_what_is_too_small(run: Run, landscape: Landscape) -> None:
    """A disk too small for its image is refused, wherever the image is put on it."""
    with landscape.connect() as other:
        image = max(other.image.images(), key=lambda each: int(each.min_disk))
    least = f"at least {image.min_disk} GiB"
    disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 1}
    (said,) = run("Server", flavor=landscape.small, image=image.name, block_devices=[disk])
    assert "block_devices: " in said
    assert least in said
    (said,) = run("Server", flavor=landscape.small, block_devices=[{**disk, "uuid": image.id}])
    assert least in said
    (said,) = run("Volume", size=1, image=image.name)
    assert "size: " in said
    assert least in said


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("10.67.0.5", "lies outside"),
        ("10.66.0.0", "has 10.66.0.1 to 10.66.0.254"),
        ("10.66.0.255", "has 10.66.0.1 to 10.66.0.254"),
        ("10.66.0.20", "is taken by the port holder"),
    ],
)
def test_addresses_that_cannot_be_had(run: Run, landscape: Landscape, ground: Ground, address: str, said: str) -> None:
    """Refused alike at a port with its subnet, at one without, and at a NIC; and the cloud refuses them, too."""
    server = {"flavor": landscape.small, "image": landscape.image}
    wishes = ({"subnet_id": ground.subnet, "ip_address": address}, {"ip_address": address})
    for wish in wishes:
        (problem,) = run("Port", network_id=ground.network, fixed_ips=[wish])
        assert problem.startswith(f"fixed_ips[0]: {address} ")
        assert said in problem
    (problem,) = run("Server", **server, networks=[{"network_id": ground.network, "fixed_ip": address}])
    assert said in problem
    (problem,) = run("InterfaceAttachment", server_id=UNKNOWN, network_id=ground.network, fixed_ips=[wishes[1]])
    assert said in problem
    with landscape.connect() as other, pytest.raises(Exception, match=r"(?i)not a valid IP|already allocated"):
        other.network.create_port(network_id=ground.network, fixed_ips=[wishes[0]])


def test_addresses_that_are_strange(run: Run, landscape: Landscape, ground: Ground) -> None:
    """The router's address and one outside the pools are told and let through: the cloud takes them."""
    for address, said in (("10.66.0.1", "the subnet's router"), ("10.66.0.99", "allocation pools: 10.66.0.10 to")):
        wish = {"subnet_id": ground.subnet, "ip_address": address}
        assert run("Port", network_id=ground.network, fixed_ips=[wish]) == []
        assert said in run.told[-1]
        with landscape.connect() as other:
            other.network.create_port(network_id=ground.network, fixed_ips=[wish])


def test_whose_an_address_is(run: Run, ground: Ground) -> None:
    """A port may name the address that it has, and no two name one; what is not known yet, or made first, is let be."""
    before = {"network_id": ground.network, "name": "holder", "fixed_ips": [{"subnet_id": ground.subnet}]}
    wish = {"subnet_id": ground.subnet, "ip_address": "10.66.0.20"}
    assert run("Port", before, fixed_ips=[wish]) == []
    for name, said in (("a", []), ("b", ["fixed_ips[0]: 10.66.0.30 is what Port a asks for, too"])):
        wish = {"subnet_id": ground.subnet, "ip_address": "10.66.0.30"}
        assert run("Port", network_id=ground.network, name=name, fixed_ips=[wish]) == said
    assert run("Port", network_id=ground.network, fixed_ips=[{"subnet_id": UNKNOWN, "ip_address": "10.99.0.1"}]) == []
    assert run("Port", network_id=UNKNOWN, fixed_ips=[{"ip_address": "10.99.0.1"}]) == []
    assert run("Subnet", network_id=ground.network, cidr="10.99.0.0/24") == []
    assert run("Port", network_id=ground.network, fixed_ips=[{"ip_address": "10.99.0.1"}]) == []


def test_ranges_that_overlap(run: Run, landscape: Landscape, ground: Ground) -> None:
    """A subnet cannot have what another of its network has, whether that exists or the program declares it."""
    assert run("Subnet", network_id=ground.network, cidr="10.66.0.0/25") == [
        "cidr: overlaps 10.66.0.0/24, the range of the subnet preflight"
    ]
    assert run("Subnet", network_id=ground.network, cidr="10.7.0.0/24") == []
    assert run("Subnet", network_id=ground.network, cidr="10.7.0.128/25") == [
        "cidr: overlaps 10.7.0.0/24, the range of another subnet here"
    ]
    before = {"name": "swapped", "network_id": ground.network, "cidr": "10.8.0.0/24"}
    assert run("Subnet", before, cidr="10.66.0.0/24") == []
    (warned,) = run.warned
    assert "cidr: overlaps 10.66.0.0/24, the range of the subnet preflight; the update fails unless" in warned
    own = {"name": "shrunk", "network_id": ground.network, "cidr": "10.66.0.0/24"}
    assert run("Subnet", own, cidr="10.66.0.0/25") == []
    with landscape.connect() as other, pytest.raises(Exception, match="overlaps with another subnet"):
        other.network.create_subnet(network_id=ground.network, ip_version=4, cidr="10.66.0.0/25")


def test_a_security_group_that_another_provider_makes(run: Run, landscape: Landscape, ground: Ground) -> None:
    """One that is named is a warning only, as it may come first; one made since the groups were listed is found."""
    server = {"flavor": landscape.small, "image": landscape.image, "networks": "none"}
    assert run("Server", **server, security_groups=["defualt"]) == []
    assert run.warned == [
        (
            'security_groups: there is no security group "defualt"; did you mean default? '
            "The update fails unless the program creates it before the server."
        )
    ]
    run.warned.clear()
    with landscape.connect() as others:
        made = others.network.create_security_group(name="preflight-made")
        try:
            assert run("Port", network_id=ground.network, security_group_ids=[made.id]) == []
            assert run("Server", **server, security_groups=["preflight-made"]) == []
        finally:
            others.network.delete_security_group(made)
    assert run.warned == []


def test_a_security_group_is_named_by_its_id_where_neutron_takes_nothing_else(run: Run, ground: Ground) -> None:
    """A name in `security_group_ids` is refused with the id that it stands for."""
    (said,) = run("Port", network_id=ground.network, security_group_ids=["default"])
    assert said.startswith('security_group_ids: "default" is a name; the security group of that name has the id ')
    (said,) = run("Port", network_id=ground.network, security_group_ids=["defualt"])
    assert said == 'security_group_ids: there is no security group "defualt"; did you mean default?'


def test_a_flavor_without_a_disk(run: Run, cloud: Emulator) -> None:
    """A server that boots from an image onto it is a warning: some clouds refuse it, and others make a volume."""
    with cloud.state() as ctx:
        ctx.put("flavor", {**(ctx.get("flavor", "101") or {}), "id": "100", "name": "s1.diskless", "disk": 0})
    server = {"flavor": "s1.diskless", "image": "cirros-peer"}
    assert run("Server", **server) == []
    (warning,) = run.warned
    assert warning.startswith("flavor: s1.diskless has no disk; ")
    assert "add a block device with boot_index 0 and destination_type volume" in warning
    run.warned.clear()
    boot = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 5}
    assert run("Server", **server, block_devices=[boot]) == []
    assert run("Server", **server, block_devices=[UNKNOWN]) == []
    assert run.warned == []


def test_several_networks_to_choose_from(run: Run, landscape: Landscape, ground: Ground) -> None:
    """Where the cloud cannot choose, a server without networks is refused; it is not once it exists."""
    server = {"flavor": landscape.small, "image": landscape.image, "name": "web"}
    with landscape.connect() as other:
        mine = list(other.network.networks(project_id=other.current_project_id))
        second = other.network.create_network(name="preflight-second")
        try:
            refused: tuple[dict[str, Any], ...] = ({}, {"networks": "auto"})
            for said in refused:
                (problem,) = run("Server", **server, **said)
                assert problem.startswith(f"networks: the cloud does not choose among the {len(mine) + 1} networks")
                assert "preflight-second" in problem
            for networks in ("none", [], [{"network_id": ground.network}], UNKNOWN):
                assert run("Server", **server, networks=networks) == []
            assert run("Server", server, metadata={"a": "b"}) == []
        finally:
            other.network.delete_network(second)


def test_networks_that_cannot_be_listed(run: Run, cloud: Emulator, landscape: Landscape) -> None:
    """They are no reason to refuse a server."""
    cloud.fault(method="GET", path="*/networks", status=403)
    assert run("Server", flavor=landscape.small, image=landscape.image) == []


def test_what_may_not_be_looked_at_may_be_attached(
    run: Run, cloud: Emulator, landscape: Landscape, ground: Ground
) -> None:
    """An account that is not shown a port or a volume may still use it."""
    with landscape.connect() as other:
        volume = other.block_storage.create_volume(name="hidden", size=1).id
    for path in ("*/ports/*", "*/volumes/*"):
        cloud.fault(method="GET", path=path, status=403)
    run.resource = "hidden"
    assert run("VolumeAttachment", server_id=UNKNOWN, volume_id=volume) == []
    assert run("InterfaceAttachment", server_id=UNKNOWN, port_id=ground.taken) == []
    nics = [{"port_id": ground.taken}]
    assert run("Server", flavor="s1.small", image="cirros-peer", networks=nics) == []


def test_what_this_run_has_made_is_not_looked_at(run: Run, cloud: Emulator, ground: Ground) -> None:
    """Nobody else can have attached it yet."""
    run.resource = "made"
    idempotent_create._created.add(ground.taken)
    cloud.requests.clear()
    try:
        assert run("InterfaceAttachment", server_id=UNKNOWN, port_id=ground.taken) == []
    finally:
        idempotent_create._created.discard(ground.taken)
    assert [each.path for each in cloud.requests if each.path.endswith(ground.taken)] == []


def test_attachments_of_what_does_not_exist(run: Run, landscape: Landscape, ground: Ground) -> None:
    """A server, a volume, a snapshot or a port that is not there is named, whatever refers to it."""
    nowhere = "00000000-0000-4000-8000-00000000dead"
    volume = {"server_id": nowhere, "volume_id": nowhere}
    assert run("VolumeAttachment", **volume) == [
        f'server_id: there is no server with the id "{nowhere}"',
        f'volume_id: there is no volume with the id "{nowhere}"',
    ]
    assert run("VolumeAttachment", server_id=UNKNOWN, volume_id="data") == [
        'volume_id: there is no volume with the id "data"; give its id, not its name'
    ]
    assert run("VolumeAttachment", volume) == []
    nic = {"server_id": nowhere, "port_id": nowhere}
    assert run("InterfaceAttachment", **nic) == [
        f'server_id: there is no server with the id "{nowhere}"',
        f'port_id: there is no port with the id "{nowhere}"',
    ]
    server = {"flavor": landscape.small, "image": landscape.image, "networks": [{"network_id": ground.network}]}
    for source in ("volume", "snapshot"):
        disk = {"source_type": source, "uuid": nowhere, "boot_index": 1}
        assert run("Server", **server, block_devices=[disk]) == [
            f'block_devices[0]: there is no {source} with the id "{nowhere}"'
        ]
    for name, kind in (("snapshot_id", "snapshot"), ("source_volume_id", "volume")):
        assert run("Volume", size=1, **{name: nowhere}) == [f'{name}: there is no {kind} with the id "{nowhere}"']


def test_what_is_attached_exists(run: Run, landscape: Landscape) -> None:
    """A volume that is there is no problem, and costs one request."""
    with landscape.connect() as other:
        volume = other.block_storage.create_volume(name="preflight", size=1)
        try:
            assert run("VolumeAttachment", server_id=UNKNOWN, volume_id=volume.id) == []
        finally:
            other.block_storage.delete_volume(volume)


def test_what_another_server_has(run: Run, landscape: Landscape, ground: Ground) -> None:
    """A volume and a port that one server has at a time are a warning for another one, and none for their own."""
    run.resource = "held"
    with landscape.connect() as other:
        nics = [{"port": ground.taken}]
        flavor, image = other.compute.find_flavor(landscape.small), other.image.find_image(landscape.image)
        server = other.compute.create_server(name="holder", flavor_id=flavor.id, image_id=image.id, networks=nics)
        other.compute.wait_for_server(server, interval=1)
        volume = other.block_storage.create_volume(name="held", size=1)
        other.block_storage.wait_for_status(volume, "available", interval=1)
        other.compute.create_volume_attachment(server, volume_id=volume.id)
        other.block_storage.wait_for_status(volume, "in-use", interval=1)
        try:
            inputs = {"flavor": landscape.small, "image": landscape.image, "networks": [{"port_id": ground.taken}]}
            for kind, said in (
                ("VolumeAttachment", {"server_id": UNKNOWN, "volume_id": volume.id}),
                ("InterfaceAttachment", {"server_id": UNKNOWN, "port_id": ground.taken}),
                ("Server", inputs),
            ):
                run.warned.clear()
                assert run(kind, **said) == []
                (warned,) = run.warned
                assert f" {server.id}, and the update fails unless it is detached there first" in warned
            run.warned.clear()
            own = {"server_id": server.id}
            assert run("VolumeAttachment", **own, volume_id=volume.id) == []
            assert run("InterfaceAttachment", **own, port_id=ground.taken) == []
            assert run("Server", inputs, name="another") == []
            assert run.warned == []
        finally:
            other.compute.delete_server(server)
            other.compute.wait_for_delete(server, interval=1)
            other.block_storage.delete_volume(volume)


def test_what_an_import_changes_is_checked(run: Run, ground: Ground) -> None:
    """An imported object is checked where the program changes it, and nowhere else."""
    port = {"adopt": ground.taken, "network_id": ground.network}
    assert run("Port", **port, fixed_ips=[{"ip_address": "10.66.0.20"}]) == []
    assert run("Port", **port, fixed_ips=[{"ip_address": "10.66.0.31"}]) == []
    (said,) = run("Port", **port, fixed_ips=[{"ip_address": "10.67.0.5"}])
    assert said.startswith("fixed_ips[0]: 10.67.0.5 lies outside the subnets of its network")
    nowhere = "00000000-0000-4000-8000-00000000dead"
    (said,) = run("Port", **port, security_group_ids=[nowhere])
    assert said.startswith(f'security_group_ids: there is no security group "{nowhere}"')


def test_the_address_of_a_port_that_is_taken_over(run: Run, ground: Ground) -> None:
    """It is the port's own, also where the program has no name for it."""
    before = {"network_id": ground.network, "adopt": ground.taken}
    wishes = [{"ip_address": "10.66.0.20"}, {"ip_address": "10.66.0.31"}]
    assert run("Port", before, fixed_ips=wishes) == []


def test_what_the_quota_does_not_hold(run: Run, cloud: Emulator) -> None:
    """What the program asks for adds up; where a limit is crossed, one line names it and what is used and asked."""
    cloud.set_quota(cores=5, volumes=1)
    server = {"flavor": "s1.medium", "image": "cirros-peer"}
    volumes = [run("Volume", size=1, name=name) for name in ("a", "b")]
    assert [run("Server", **server, name=name) for name in ("a", "b")] == [[], []]
    assert run("Server", **server, name="c") == [
        "flavor: the quota for cores does not hold it: limit 5, used 0, the program asks for 6 up to here"
    ]
    assert volumes == [
        [],
        ["size: the quota for volumes does not hold it: limit 1, used 0, the program asks for 2 up to here"],
    ]


@pytest.mark.parametrize("proven", [True, False], ids=["proven", "unproven"])
def test_what_a_killed_run_left_takes_no_second_place(
    landscape: Landscape,
    cloud: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    confirmed_by_state: bool,  # noqa: FBT001
) -> None:
    """A quota that the volume of a killed run has used up: the create goes on with it, or names it."""
    disk = Resource("Volume", {**landscape.settings, **landscape.secrets}, name="disk")
    disk.backend = "0a1b2c3d"
    disk.up(size=1)
    assert disk.state
    left = disk.state
    disk.forget()
    disk.interrupted = [left.inputs] if confirmed_by_state else []
    monkeypatch.setattr(common, "_connections", {})
    monkeypatch.setattr(idempotent_create, "_created", set())
    cloud.set_quota(volumes=1)
    if confirmed_by_state:
        disk.up(size=1)
        assert disk.id == left.id
    else:
        with pytest.raises(Refused, match=f"{left.id}.* exists, which an earlier run created .*ecs_pulumi.orphans"):
            disk.up(size=1)


def test_ports_that_nics_make_count(run: Run, cloud: Emulator, ground: Ground) -> None:
    """A NIC by network, of a server or attached later, known or not, takes a port of the quota; a bound one none."""
    cloud.set_quota(port=4)
    by_network, bound = {"network_id": UNKNOWN}, {"port_id": ground.taken}
    server = {"flavor": "s1.small", "image": "cirros-peer", "networks": [by_network, by_network, bound]}
    assert run("Server", **server, name="web") == []
    for run.resource, nic in (("bound", bound), ("made", by_network)):
        assert run("InterfaceAttachment", server_id=UNKNOWN, **nic) == []
    run.resource = "more"
    assert run("InterfaceAttachment", server_id=UNKNOWN, **by_network) == [
        "network_id: the quota for ports does not hold it: limit 4, used 1, the program asks for 4 up to here"
    ]


def test_a_replacement_asks_for_nothing_more(run: Run, cloud: Emulator, ground: Ground) -> None:
    """What goes first gives back what its successor takes, also where the quota is used up."""
    cloud.set_quota(port=1, instances=0, cores=0, ram=0)
    nic = {"network_id": ground.network, "fixed_ip": "10.66.0.21"}
    server = {"flavor": "s1.small", "image": "cirros-peer", "networks": [nic], "name": "web"}
    assert run("Server", server, name="web", config_drive=True) == []
    assert run("Server", **server, config_drive=True) == []
    bound = {"server_id": UNKNOWN, "network_id": ground.network}
    assert run("InterfaceAttachment", bound, fixed_ips=[{"ip_address": "10.66.0.22"}]) == []
    assert run("InterfaceAttachment", **bound, fixed_ips=[{"ip_address": "10.66.0.22"}]) == []


def test_what_it_costs(run: Run, cloud: Emulator, ground: Ground) -> None:
    """One list of each kind of thing, however many resources ask."""
    cloud.requests.clear()
    for number in range(5):
        wish = {"subnet_id": ground.subnet, "ip_address": f"10.66.0.{30 + number}"}
        assert run("Port", network_id=ground.network, fixed_ips=[wish], security_group_ids=[]) == []
        nics = [{"network_id": ground.network, "fixed_ip": f"10.66.0.{40 + number}"}]
        server = {"flavor": "s1.small", "image": "cirros-peer", "networks": nics, "availability_zone": "nova"}
        assert run("Server", **server, name=f"web{number}") == []
    paths = [request.path.rsplit("/", 1)[-1] for request in cloud.requests if request.method == "GET"]
    assert sorted(paths) == sorted(set(paths))
