"""Which errors, warnings and notices a preview reports before the cloud would, and how many requests it sends.

The tests also check that a preview refuses nothing that the cloud accepts: unusual values are only a notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pulumi.output import UNKNOWN

from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.dynamic.handler import Provenance
from ecs_pulumi.dynamic.provider import Provider
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import clients, idempotent_create
from tests.support.steps import Failed, Refused, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.landscape import Landscape
    from tests.support.previews import Run


class CloudFixtures:
    """Objects that the programs refer to.

    Attributes:
        network: The id of a network.
        subnet: The id of its subnet, 10.66.0.0/24, with the allocation pool 10.66.0.10 to 10.66.0.50.
        port: The id of a port with the address 10.66.0.20.
    """

    def __init__(self, network: str, subnet: str, port: str) -> None:
        self.network, self.subnet, self.port = network, subnet, port


class RoutedFixtures:
    """Routers that the programs refer to.

    Attributes:
        router: The id of a router that is connected to the subnet of the network.
        other_router: The id of a router without interfaces.
        wide_subnet: The id of a subnet 10.66.0.0/16 that is not connected.
    """

    def __init__(self, router: str, other_router: str, wide_subnet: str) -> None:
        self.router, self.other_router, self.wide_subnet = router, other_router, wide_subnet


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated OpenStack cloud."""
    with Emulator(speed=200, dialect="openstack") as running:
        yield running


@pytest.fixture
def fixtures(landscape: Landscape) -> Iterator[CloudFixtures]:
    """A network with a subnet and a port, created by another client."""
    with landscape.connect() as other:
        neutron: Any = other.network
        network = neutron.create_network(name="preflight").id
        pools = [{"start": "10.66.0.10", "end": "10.66.0.50"}]
        subnet = neutron.create_subnet(
            name="preflight", network_id=network, ip_version=4, cidr="10.66.0.0/24", allocation_pools=pools
        ).id
        fixed_ips = [{"subnet_id": subnet, "ip_address": "10.66.0.20"}]
        port = neutron.create_port(name="holder", network_id=network, fixed_ips=fixed_ips).id
        yield CloudFixtures(network, subnet, port)
        for each in neutron.ports(network_id=network):
            neutron.delete_port(each)
        neutron.delete_network(network)


def test_unknown_names_are_refused_with_suggestions(run: Run, landscape: Landscape, fixtures: CloudFixtures) -> None:
    """The error lists similar names, or some of the existing names if none is similar."""
    wrong = landscape.small[:-2] + landscape.small[-1]
    (problem,) = run("Server", flavor=wrong, image=landscape.image, networks="none")
    assert problem.startswith(f'flavor: there is no flavor "{wrong}"; did you mean {landscape.small} or ')
    assert problem.count(" or ") == 2

    server = {"flavor": landscape.small, "image": landscape.image, "networks": "none"}
    nowhere = "00000000-0000-4000-8000-00000000dead"
    (problem,) = run("Server", **server, security_groups=[nowhere])
    assert problem.startswith(f'security_groups: there is no security group "{nowhere}"; available: ')
    (problem,) = run("Server", **server, key_name="nobody's")
    assert 'key_name: there is no key pair "nobody\'s"' in problem
    (problem,) = run("Server", **server, availability_zone="mars")
    assert problem.endswith(f"available: {', '.join(landscape.zones)}")
    (problem,) = run("Server", flavor=landscape.small, image=landscape.image[:-1], networks="none")
    assert f"did you mean {landscape.image}" in problem
    assert run("Server", **server | {"networks": [{"network_id": "preflight"}]}) == [
        f'networks[0]: there is no network with the id "preflight"; the one of that name has the id {fixtures.network}'
    ]
    disk = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "volume_type": "SDS"}
    (problem,) = run("Server", **server, block_devices=[disk])
    assert problem.startswith('block_devices[0]: there is no volume type "SDS"; did you mean SSD')
    assert run("InterfaceAttachment", server_id=UNKNOWN, port_id=fixtures.network) == [
        f'port_id: there is no port with the id "{fixtures.network}"'
    ]


def test_unknown_items_do_not_hide_problems_of_other_items(
    run: Run, landscape: Landscape, fixtures: CloudFixtures
) -> None:
    """The other items of a list are checked, and problems give their index in the program."""
    server = {"flavor": landscape.small, "image": landscape.image, "networks": "none"}
    nowhere = "00000000-0000-4000-8000-00000000dead"
    nics = [UNKNOWN, {"network_id": nowhere}]
    assert run("Server", **server | {"networks": nics}) == [f'networks[1]: there is no network with the id "{nowhere}"']
    used = [UNKNOWN, {"network_id": fixtures.network, "fixed_ip": "10.66.0.20"}]
    assert run("Server", **server | {"networks": used}) == [
        "networks[1]: 10.66.0.20 is already used by the port holder"
    ]
    (problem,) = run("Server", **server, security_groups=[UNKNOWN, nowhere])
    assert problem.startswith(f'security_groups: there is no security group "{nowhere}"')
    (problem,) = run("Port", network_id=fixtures.network, security_group_ids=[UNKNOWN, nowhere])
    assert problem.startswith(f'security_group_ids: there is no security group "{nowhere}"')
    fixed_ips = [UNKNOWN, {"subnet_id": fixtures.subnet, "ip_address": "10.67.0.5"}]
    (problem,) = run("Port", network_id=fixtures.network, fixed_ips=fixed_ips)
    assert problem.startswith("fixed_ips[1]: 10.67.0.5 lies outside its subnet")
    disks = [UNKNOWN, {"source_type": "blank", "volume_size": 1, "destination_type": "volume", "volume_type": "SDS"}]
    (problem,) = run("Server", **server, block_devices=disks)
    assert problem.startswith('block_devices[1]: there is no volume type "SDS"')


def test_disk_too_small_for_image_is_refused(run: Run, landscape: Landscape) -> None:
    """This holds for block devices with and without `uuid`, and for volumes."""
    with landscape.connect() as other:
        image = max(other.image.images(), key=lambda each: int(each.min_disk))
    minimum = f"at least {image.min_disk} GiB"
    disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 1}
    (problem,) = run("Server", flavor=landscape.small, image=image.name, block_devices=[disk])
    assert "block_devices: " in problem
    assert minimum in problem
    (problem,) = run("Server", flavor=landscape.small, block_devices=[{**disk, "uuid": image.id}])
    assert minimum in problem
    (problem,) = run("Volume", size=1, image=image.name)
    assert "size: " in problem
    assert minimum in problem


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("10.67.0.5", "lies outside"),
        ("10.66.0.0", "is not available to ports; 10.66.0.0/24 has 10.66.0.1 to 10.66.0.254"),
        ("10.66.0.255", "is not available to ports; 10.66.0.0/24 has 10.66.0.1 to 10.66.0.254"),
        ("10.66.0.20", "is already used by the port holder"),
    ],
)
def test_unavailable_addresses_are_refused(
    run: Run, landscape: Landscape, fixtures: CloudFixtures, address: str, reason: str
) -> None:
    """Ports with and without `subnet_id`, servers and attachments report the address; the cloud refuses it as well."""
    server = {"flavor": landscape.small, "image": landscape.image}
    fixed_ips = ({"subnet_id": fixtures.subnet, "ip_address": address}, {"ip_address": address})
    for fixed_ip in fixed_ips:
        (problem,) = run("Port", network_id=fixtures.network, fixed_ips=[fixed_ip])
        assert problem.startswith(f"fixed_ips[0]: {address} ")
        assert reason in problem
    (problem,) = run("Server", **server, networks=[{"network_id": fixtures.network, "fixed_ip": address}])
    assert reason in problem
    (problem,) = run("InterfaceAttachment", server_id=UNKNOWN, network_id=fixtures.network, fixed_ips=[fixed_ips[1]])
    assert reason in problem
    with landscape.connect() as other, pytest.raises(Exception, match=r"(?i)not a valid IP|already allocated"):
        other.network.create_port(network_id=fixtures.network, fixed_ips=[fixed_ips[0]])


def test_unusual_addresses_are_a_notice(run: Run, landscape: Landscape, fixtures: CloudFixtures) -> None:
    """The router's address, and an address outside the allocation pools, get a notice: the cloud accepts them."""
    for address, text in (("10.66.0.1", "the subnet's router"), ("10.66.0.99", "allocation pools: 10.66.0.10 to")):
        fixed_ip = {"subnet_id": fixtures.subnet, "ip_address": address}
        assert run("Port", network_id=fixtures.network, fixed_ips=[fixed_ip]) == []
        assert text in run.notices[-1]
        with landscape.connect() as other:
            other.network.create_port(network_id=fixtures.network, fixed_ips=[fixed_ip])


def test_address_of_another_port_is_refused(run: Run, fixtures: CloudFixtures) -> None:
    """A port may keep its own address, and two ports may not share one. Planned subnets count as existing."""
    prior = {"network_id": fixtures.network, "name": "holder", "fixed_ips": [{"subnet_id": fixtures.subnet}]}
    fixed_ip = {"subnet_id": fixtures.subnet, "ip_address": "10.66.0.20"}
    assert run("Port", prior, fixed_ips=[fixed_ip]) == []
    for name, problems in (("a", []), ("b", ["fixed_ips[0]: 10.66.0.30 is also requested by Port a"])):
        fixed_ip = {"subnet_id": fixtures.subnet, "ip_address": "10.66.0.30"}
        assert run("Port", network_id=fixtures.network, name=name, fixed_ips=[fixed_ip]) == problems
    assert run("Port", network_id=fixtures.network, fixed_ips=[{"subnet_id": UNKNOWN, "ip_address": "10.99.0.1"}]) == []
    assert run("Port", network_id=UNKNOWN, fixed_ips=[{"ip_address": "10.99.0.1"}]) == []
    assert run("Subnet", network_id=fixtures.network, cidr="10.99.0.0/24") == []
    assert run("Port", network_id=fixtures.network, fixed_ips=[{"ip_address": "10.99.0.1"}]) == []


@pytest.mark.parametrize("provenance", [Provenance.FOREIGN, Provenance.RENAMED], ids=["another", "of this stack"])
def test_mac_address_of_another_port_is_named(
    run: Run,
    landscape: Landscape,
    fixtures: CloudFixtures,
    monkeypatch: pytest.MonkeyPatch,
    provenance: Provenance,
) -> None:
    """The MAC address of another port is refused; of one of this stack, which may lose it first, it is a warning."""
    with landscape.connect() as other:
        mac = other.network.get_port(fixtures.port).mac_address
    monkeypatch.setattr(Provider, "_provenance", lambda *_: provenance)
    prior = {"network_id": fixtures.network, "name": "it", "mac_address": "fa:16:3e:00:00:01"}
    problems = run("Port", prior, mac_address=mac.upper())
    found = problems if provenance is Provenance.FOREIGN else run.warnings
    assert len(found) == 1
    assert found[0].startswith(f"mac_address: {mac} is already used by the port holder")
    assert run("Port", {**prior, "mac_address": mac}, mac_address=mac) == []
    assert len(run.warnings) == (0 if problems else 1)


def test_overlapping_subnets_are_refused(run: Run, landscape: Landscape, fixtures: CloudFixtures) -> None:
    """A subnet may not overlap another subnet of its network, whether that exists or the program declares it."""
    assert run("Subnet", network_id=fixtures.network, cidr="10.66.0.0/25") == [
        "cidr: overlaps 10.66.0.0/24, the range of the subnet preflight"
    ]
    assert run("Subnet", network_id=fixtures.network, cidr="10.7.0.0/24") == []
    assert run("Subnet", network_id=fixtures.network, cidr="10.7.0.128/25") == [
        "cidr: overlaps 10.7.0.0/24, the range of another subnet of this program"
    ]
    prior = {"name": "swapped", "network_id": fixtures.network, "cidr": "10.8.0.0/24"}
    assert run("Subnet", prior, cidr="10.66.0.0/24") == []
    (warning,) = run.warnings
    assert "cidr: overlaps 10.66.0.0/24, the range of the subnet preflight; the update fails unless" in warning
    own = {"name": "shrunk", "network_id": fixtures.network, "cidr": "10.66.0.0/24"}
    assert run("Subnet", own, cidr="10.66.0.0/25") == []
    with landscape.connect() as other, pytest.raises(Exception, match="overlaps with another subnet"):
        other.network.create_subnet(network_id=fixtures.network, ip_version=4, cidr="10.66.0.0/25")


def test_unknown_security_group_name_is_a_warning(run: Run, landscape: Landscape, fixtures: CloudFixtures) -> None:
    """The program may create the group with another provider. A group created since the list was read is found."""
    server = {"flavor": landscape.small, "image": landscape.image, "networks": "none"}
    assert run("Server", **server, security_groups=["defualt"]) == []
    assert run.warnings == [
        (
            'security_groups: there is no security group "defualt"; did you mean default? '
            "The update fails unless the program creates it before the server."
        )
    ]
    run.warnings.clear()
    with landscape.connect() as other:
        group = other.network.create_security_group(name="preflight-group")
        try:
            assert run("Port", network_id=fixtures.network, security_group_ids=[group.id]) == []
            assert run("Server", **server, security_groups=["preflight-group"]) == []
        finally:
            other.network.delete_security_group(group)
    assert run.warnings == []


def test_server_may_name_a_security_group_of_the_program(run: Run, landscape: Landscape) -> None:
    """There is no warning of a group that does not exist yet if the program declares it."""
    assert run("SecurityGroup", name="declared") == []
    server = {"flavor": landscape.small, "image": landscape.image, "networks": "none"}
    assert run("Server", **server, security_groups=["declared"]) == []
    assert run.warnings == []


def test_security_group_ids_refuses_names(run: Run, fixtures: CloudFixtures) -> None:
    """The error gives the id of the security group with that name."""
    (problem,) = run("Port", network_id=fixtures.network, security_group_ids=["default"])
    assert problem.startswith('security_group_ids: "default" is a name; the security group of that name has the id ')
    (problem,) = run("Port", network_id=fixtures.network, security_group_ids=["defualt"])
    assert problem == 'security_group_ids: there is no security group "defualt"; did you mean default?'


def test_server_without_networks_is_refused_if_there_are_several(
    run: Run, landscape: Landscape, fixtures: CloudFixtures
) -> None:
    """The cloud does not choose among several networks. An existing server is not checked."""
    server = {"flavor": landscape.small, "image": landscape.image, "name": "web"}
    with landscape.connect() as other:
        own = list(other.network.networks(project_id=other.current_project_id))
        second = other.network.create_network(name="preflight-second")
        try:
            refused: tuple[dict[str, Any], ...] = ({}, {"networks": "auto"})
            for inputs in refused:
                (problem,) = run("Server", **server, **inputs)
                assert problem.startswith(f"networks: the cloud does not choose among the {len(own) + 1} networks")
                assert "preflight-second" in problem
            for networks in ("none", [], [{"network_id": fixtures.network}], UNKNOWN):
                assert run("Server", **server, networks=networks) == []
            assert run("Server", server, metadata={"a": "b"}) == []
        finally:
            other.network.delete_network(second)


def test_server_is_accepted_if_networks_cannot_be_listed(run: Run, cloud: Emulator, landscape: Landscape) -> None:
    """Without the list, the preview leaves the check to the cloud."""
    cloud.fault(method="GET", path="*/networks", status=403)
    assert run("Server", flavor=landscape.small, image=landscape.image) == []


def test_attachments_are_accepted_if_reads_are_forbidden(
    run: Run, cloud: Emulator, landscape: Landscape, fixtures: CloudFixtures
) -> None:
    """An account that may not read a port or a volume may still use it."""
    with landscape.connect() as other:
        volume = other.block_storage.create_volume(name="hidden", size=1).id
    for path in ("*/ports/*", "*/volumes/*"):
        cloud.fault(method="GET", path=path, status=403)
    run.resource = "hidden"
    assert run("VolumeAttachment", server_id=UNKNOWN, volume_id=volume) == []
    assert run("InterfaceAttachment", server_id=UNKNOWN, port_id=fixtures.port) == []
    nics = [{"port_id": fixtures.port}]
    assert run("Server", flavor="s1.small", image="cirros-peer", networks=nics) == []


def test_objects_created_in_this_run_are_not_requested(run: Run, cloud: Emulator, fixtures: CloudFixtures) -> None:
    """Nothing else can use a port that this run has created."""
    run.resource = "created"
    idempotent_create._created.add(fixtures.port)
    cloud.requests.clear()
    try:
        assert run("InterfaceAttachment", server_id=UNKNOWN, port_id=fixtures.port) == []
    finally:
        idempotent_create._created.discard(fixtures.port)
    assert [each.path for each in cloud.requests if each.path.endswith(fixtures.port)] == []


def test_references_to_missing_objects_are_refused(run: Run, landscape: Landscape, fixtures: CloudFixtures) -> None:
    """A server, volume, snapshot or port that does not exist is reported, whichever input refers to it."""
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
    server = {"flavor": landscape.small, "image": landscape.image, "networks": [{"network_id": fixtures.network}]}
    for source in ("volume", "snapshot"):
        disk = {"source_type": source, "uuid": nowhere, "boot_index": 1}
        assert run("Server", **server, block_devices=[disk]) == [
            f'block_devices[0]: there is no {source} with the id "{nowhere}"'
        ]
    for name, kind in (("snapshot_id", "snapshot"), ("source_volume_id", "volume")):
        assert run("Volume", size=1, **{name: nowhere}) == [f'{name}: there is no {kind} with the id "{nowhere}"']


def test_attachment_of_existing_volume_is_accepted(run: Run, landscape: Landscape) -> None:
    """A reference to an existing volume is no problem."""
    with landscape.connect() as other:
        volume = other.block_storage.create_volume(name="preflight", size=1)
        try:
            assert run("VolumeAttachment", server_id=UNKNOWN, volume_id=volume.id) == []
        finally:
            other.block_storage.delete_volume(volume)


def test_attached_nic_keeps_its_addresses(run: Run, fixtures: CloudFixtures) -> None:
    """The addresses of a NIC that exists are in use by its own port; those of a new one are checked."""
    run.resource = "nic"
    inputs = {"server_id": UNKNOWN, "network_id": fixtures.network, "fixed_ips": [{"ip_address": "10.66.0.20"}]}
    assert run("InterfaceAttachment", **inputs) == ["fixed_ips[0]: 10.66.0.20 is already used by the port holder"]
    assert run("InterfaceAttachment", {**inputs, "fixed_ips": []}, **inputs) == []


def test_attachment_of_object_in_use_is_a_warning(run: Run, landscape: Landscape, fixtures: CloudFixtures) -> None:
    """A volume or port in use by another server gets a warning; one in use by the same server gets none."""
    run.resource = "held"
    with landscape.connect() as other:
        nics = [{"port": fixtures.port}]
        flavor, image = other.compute.find_flavor(landscape.small), other.image.find_image(landscape.image)
        server = other.compute.create_server(name="holder", flavor_id=flavor.id, image_id=image.id, networks=nics)
        other.compute.wait_for_server(server, interval=1)
        volume = other.block_storage.create_volume(name="held", size=1)
        other.block_storage.wait_for_status(volume, "available", interval=1)
        other.compute.create_volume_attachment(server, volume_id=volume.id)
        other.block_storage.wait_for_status(volume, "in-use", interval=1)
        try:
            inputs = {"flavor": landscape.small, "image": landscape.image, "networks": [{"port_id": fixtures.port}]}
            for kind, program in (
                ("VolumeAttachment", {"server_id": UNKNOWN, "volume_id": volume.id}),
                ("InterfaceAttachment", {"server_id": UNKNOWN, "port_id": fixtures.port}),
                ("Server", inputs),
            ):
                run.warnings.clear()
                assert run(kind, **program) == []
                (warning,) = run.warnings
                assert f" {server.id}; the update fails unless it is detached first" in warning
            run.warnings.clear()
            own = {"server_id": server.id}
            assert run("VolumeAttachment", **own, volume_id=volume.id) == []
            assert run("InterfaceAttachment", **own, port_id=fixtures.port) == []
            assert run("Server", inputs, name="another") == []
            networks = [{"network_id": fixtures.network}, {"port_id": fixtures.port}]
            assert run("Server", inputs, networks=networks) == []
            assert run.warnings == []
        finally:
            other.compute.delete_server(server)
            other.compute.wait_for_delete(server, interval=1)
            other.block_storage.delete_volume(volume)


def test_import_checks_changed_inputs(run: Run, fixtures: CloudFixtures) -> None:
    """For an imported object, only the inputs that change it are checked."""
    port = {"adopt": fixtures.port, "network_id": fixtures.network}
    assert run("Port", **port, fixed_ips=[{"ip_address": "10.66.0.20"}]) == []
    assert run("Port", **port, fixed_ips=[{"ip_address": "10.66.0.31"}]) == []
    (problem,) = run("Port", **port, fixed_ips=[{"ip_address": "10.67.0.5"}])
    assert problem.startswith("fixed_ips[0]: 10.67.0.5 lies outside the subnets of its network")
    nowhere = "00000000-0000-4000-8000-00000000dead"
    (problem,) = run("Port", **port, security_group_ids=[nowhere])
    assert problem.startswith(f'security_group_ids: there is no security group "{nowhere}"')


def test_imported_port_keeps_its_address(run: Run, fixtures: CloudFixtures) -> None:
    """The address of an imported port is not refused as used, even if the program sets no `name`."""
    prior = {"network_id": fixtures.network, "adopt": fixtures.port}
    fixed_ips = [{"ip_address": "10.66.0.20"}, {"ip_address": "10.66.0.31"}]
    assert run("Port", prior, fixed_ips=fixed_ips) == []


def test_quota_exceeded_by_several_resources(run: Run, cloud: Emulator) -> None:
    """The needs of all resources are added up. The error gives the quota, its limit, the use and the need."""
    cloud.set_quota(cores=5, volumes=1)
    server = {"flavor": "s1.medium", "image": "cirros-peer"}
    volumes = [run("Volume", size=1, name=name) for name in ("a", "b")]
    assert [run("Server", **server, name=name) for name in ("a", "b")] == [[], []]
    assert run("Server", **server, name="c") == [
        "flavor: quota exceeded for cores: limit 5, in use 0, this program needs 6"
    ]
    assert volumes == [
        [],
        ["size: quota exceeded for volumes: limit 1, in use 0, this program needs 2"],
    ]


def test_quota_of_server_groups(run: Run, cloud: Emulator) -> None:
    """A preview reports that the project may not have another server group."""
    cloud.set_quota(server_groups=1)
    assert [run("ServerGroup", policy="affinity", name=name) for name in ("a", "b")] == [
        [],
        ["policy: quota exceeded for server_groups: limit 1, in use 0, this program needs 2"],
    ]


def test_quota_of_security_groups(run: Run, cloud: Emulator, landscape: Landscape, fixtures: CloudFixtures) -> None:
    """Groups are added up, and so are rules: those of groups, which have two at first, and those of their own."""
    with landscape.connect() as other:
        (group,) = other.network.get_port(fixtures.port).security_group_ids
    cloud.set_quota(security_group=2, security_group_rule=7)
    ssh = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22}
    web, udp = ({**ssh, "port_range_min": 80}, {**ssh, "protocol": "udp"})
    assert run("SecurityGroup", name="a", rules=[ssh, web]) == []
    run.resource = "ssh"
    assert run("SecurityGroupRule", security_group_id=group, **ssh) == []
    assert run("SecurityGroup", name="b", rules=[ssh, web, udp]) == [
        "name: quota exceeded for security_groups: limit 2, in use 1, this program needs 2",
        "rules: quota exceeded for security_group_rules: limit 7, in use 4, this program needs 6",
    ]
    # An update counts what it adds.
    prior = {"name": "c", "rules": [ssh]}
    assert run("SecurityGroup", prior, rules=[]) == []


def test_quota_of_rules_that_become_managed(run: Run, cloud: Emulator, landscape: Landscape) -> None:
    """If a program begins to set the rules of a group, those that the group has are not counted twice."""
    with landscape.connect() as other:
        other.network.create_security_group(name="c")
    cloud.set_quota(security_group_rule=6)
    rules = [{"direction": "ingress", "protocol": "tcp", "port_range_min": number} for number in (1, 2, 3)]
    run.resource = "c"
    assert run("SecurityGroup", {"name": "c"}, rules=rules[:2]) == []
    assert run("SecurityGroup", {"name": "c"}, rules=rules) == [
        "rules: quota exceeded for security_group_rules: limit 6, in use 6, this resource needs 1"
    ]


def test_quota_of_floating_ips(run: Run, cloud: Emulator) -> None:
    """The floating IPs of a program are added up, although they have no names."""
    cloud.set_quota(floatingip=1)
    problems = []
    for run.resource in ("a", "b"):
        problems.append(run("FloatingIp", external_network="public"))
    reason = "quota exceeded for floatingips: limit 1, in use 0, this program needs 2"
    assert problems == [[], [f"external_network: {reason}"]]


def test_floating_ip_of_a_port_without_a_router(run: Run, fixtures: CloudFixtures) -> None:
    """A port whose subnet no router connects is a warning, unless the program connects it or may connect it."""
    run.resource = "front"
    inputs = {"external_network": "public", "port_id": fixtures.port}
    assert run("FloatingIp", **inputs) == []
    (warning,) = run.warnings
    assert warning.startswith("port_id: no router connects the subnet ")
    run.warnings.clear()
    assert run("FloatingIp", {"external_network": "public", "port_id": fixtures.port}, description="kept") == []
    assert run("FloatingIp", {**inputs, "external_network": "another"}, external_network="public") == []
    (warning,) = run.warnings
    assert " to the external network public yet; unless this program connects them, the update waits " in warning
    run.warnings.clear()
    assert run("RouterInterface", router_id=UNKNOWN, subnet_id=fixtures.subnet) == []
    assert run("FloatingIp", **inputs) == []
    assert run.warnings == []


@pytest.fixture
def routed(landscape: Landscape, fixtures: CloudFixtures) -> Iterator[RoutedFixtures]:
    """A router that is connected to the subnet of `fixtures`, and objects that are not connected."""
    with landscape.connect() as other:
        neutron: Any = other.network
        routers = [neutron.create_router(name="preflight").id for _ in range(2)]
        neutron.add_interface_to_router(routers[0], subnet=fixtures.subnet)
        network = neutron.create_network(name="preflight-wide").id
        wide = neutron.create_subnet(name="wide", network_id=network, ip_version=4, cidr="10.66.0.0/16").id
        yield RoutedFixtures(routers[0], routers[1], wide)
        neutron.remove_interface_from_router(routers[0], subnet=fixtures.subnet)
        neutron.delete_network(network)
        for each in routers:
            neutron.delete_router(each)


def test_subnets_of_a_router_that_overlap(run: Run, fixtures: CloudFixtures, routed: RoutedFixtures) -> None:
    """A router connects no overlapping subnets; what the update may remove first is only a warning."""
    run.resource = "b"
    assert run("RouterInterface", router_id=routed.router, subnet_id=routed.wide_subnet) == []
    (warning,) = run.warnings
    assert warning.startswith("subnet_id: the range 10.66.0.0/16 of wide overlaps with 10.66.0.0/24 of preflight; the")
    run.warnings.clear()
    assert run("RouterInterface", router_id=routed.other_router, subnet_id=fixtures.subnet) == []
    (warning,) = run.warnings
    assert f"is in use by network:router_interface {routed.router}; the update fails unless that is removed" in warning
    run.warnings.clear()
    run.resource = "a"
    (problem,) = run("RouterInterface", router_id=routed.other_router, subnet_id=routed.wide_subnet)
    assert problem.startswith("subnet_id: the range 10.66.0.0/16 of wide overlaps with 10.66.0.0/24 of preflight, ")
    assert problem.endswith("which RouterInterface b connects to the same router")
    assert run.warnings == []


def test_next_hop_that_the_router_does_not_reach(run: Run, routed: RoutedFixtures) -> None:
    """A next hop outside the subnets of the router is a warning; an address of the router is an error."""
    run.resource = "vpn"
    route = {"router_id": routed.router, "destination": "192.168.9.0/24"}
    assert run("RouterRoute", **route, nexthop="10.66.0.20") == []
    assert run("RouterRoute", **route, nexthop="10.66.0.1") == ["nexthop: 10.66.0.1 is an address of the router itself"]
    assert run.warnings == []
    assert run("RouterRoute", **route, nexthop="10.67.0.9") == []
    (warning,) = run.warnings
    assert warning.startswith("nexthop: no subnet of the router preflight contains 10.67.0.9; unless this")
    run.warnings.clear()
    assert run("RouterInterface", router_id=UNKNOWN, subnet_id=UNKNOWN) == []
    assert run("RouterRoute", **route, nexthop="10.67.0.9") == []
    assert run.warnings == []


def test_quota_of_routers(run: Run, cloud: Emulator) -> None:
    """The routers of a program are added up."""
    cloud.set_quota(router=1)
    problems = [run("Router", name=name) for name in ("a", "b")]
    assert problems == [[], ["name: quota exceeded for routers: limit 1, in use 0, this program needs 2"]]


@pytest.mark.parametrize("confirmed_by_state", [True, False], ids=["confirmed", "unconfirmed"])
def test_orphan_that_uses_up_the_quota(
    landscape: Landscape,
    cloud: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    confirmed_by_state: bool,  # noqa: FBT001
) -> None:
    """If an orphan uses up the quota, the create continues with it, or the error names it."""
    disk = Resource("Volume", {**landscape.settings, **landscape.secrets}, name="disk")
    disk.backend = "0a1b2c3d"
    disk.up(size=1)
    assert disk.state
    orphan = disk.state
    disk.forget()
    disk.interrupted = [orphan.inputs] if confirmed_by_state else []
    monkeypatch.setattr(clients, "_connections", {})
    monkeypatch.setattr(idempotent_create, "_created", set())
    cloud.set_quota(volumes=1)
    if confirmed_by_state:
        disk.up(size=1)
        assert disk.id == orphan.id
    else:
        with pytest.raises(Refused, match=f"{orphan.id}.* already exists: an earlier run created .*ecs-pulumi orphans"):
            disk.up(size=1)


def test_quota_counts_ports_created_for_nics(run: Run, cloud: Emulator, fixtures: CloudFixtures) -> None:
    """A NIC by `network_id`, even if that is unknown, needs a port of the quota. A NIC by `port_id` needs none."""
    cloud.set_quota(port=4)
    by_network, bound = {"network_id": UNKNOWN}, {"port_id": fixtures.port}
    server = {"flavor": "s1.small", "image": "cirros-peer", "networks": [by_network, by_network, bound]}
    assert run("Server", **server, name="web") == []
    for run.resource, nic in (("bound", bound), ("created", by_network)):
        assert run("InterfaceAttachment", server_id=UNKNOWN, **nic) == []
    run.resource = "more"
    assert run("InterfaceAttachment", server_id=UNKNOWN, **by_network) == [
        "network_id: quota exceeded for ports: limit 4, in use 1, this program needs 4"
    ]


def test_replacement_needs_no_additional_quota(run: Run, cloud: Emulator, fixtures: CloudFixtures) -> None:
    """The replaced object releases what its replacement needs, even if the quota is used up."""
    cloud.set_quota(port=1, instances=0, cores=0, ram=0)
    nic = {"network_id": fixtures.network, "fixed_ip": "10.66.0.21"}
    server = {"flavor": "s1.small", "image": "cirros-peer", "networks": [nic], "name": "web"}
    assert run("Server", server, name="web", config_drive=True) == []
    assert run("Server", **server, config_drive=True) == []
    attachment = {"server_id": UNKNOWN, "network_id": fixtures.network}
    assert run("InterfaceAttachment", attachment, fixed_ips=[{"ip_address": "10.66.0.22"}]) == []
    assert run("InterfaceAttachment", **attachment, fixed_ips=[{"ip_address": "10.66.0.22"}]) == []


def test_replacement_does_not_count_for_other_resources(run: Run, cloud: Emulator) -> None:
    """A quota with room for one more router has room for a new one beside a replaced one."""
    cloud.set_quota(router=1)
    run("Router", {"name": "old"}, name="old", description="x")
    assert run("Router", name="old", project_id=UNKNOWN) == []
    assert run("Router", name="new") == []
    assert run("Router", name="newer") == ["name: quota exceeded for routers: limit 1, in use 0, this program needs 2"]


def test_replacement_that_is_created_first_needs_quota(
    landscape: Landscape, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quota without room for a replacement beside the replaced object is a warning, unless that is deleted first."""
    settings, warnings = {**landscape.settings, **landscape.secrets}, list[str]()
    group = Resource("SecurityGroup", settings)
    group.up()
    program = {"security_group_id": group.id, "direction": "ingress"}
    tcp, udp = (Resource("SecurityGroupRule", settings, protocol) for protocol in ("tcp", "udp"))
    for rule in (tcp, udp):
        rule.up(**program, protocol=rule.name)
    cloud.set_quota(security_group_rule=8)
    monkeypatch.setattr(rpc_bridge, "log", lambda _, text, **__: warnings.append(text))
    udp.up(**program, protocol="udp", description="mine")
    assert not any("quota exceeded for" in line for line in warnings)
    with pytest.raises(Failed, match="Quota exceeded"):
        tcp.up(**program, protocol="tcp", port_range_min=22)
    (warning,) = (line for line in warnings if "quota exceeded for" in line)
    assert warning == (
        "security_group_id: quota exceeded for security_group_rules: limit 8, in use 8, this resource needs 1 beside "
        "the one that it replaces; the update fails unless its options have delete_before_replace=True"
    )


def test_each_list_is_requested_once(run: Run, cloud: Emulator, fixtures: CloudFixtures) -> None:
    """A preview requests each list once, regardless of the number of resources."""
    cloud.requests.clear()
    for number in range(5):
        fixed_ip = {"subnet_id": fixtures.subnet, "ip_address": f"10.66.0.{30 + number}"}
        assert run("Port", network_id=fixtures.network, fixed_ips=[fixed_ip], security_group_ids=[]) == []
        nics = [{"network_id": fixtures.network, "fixed_ip": f"10.66.0.{40 + number}"}]
        server = {"flavor": "s1.small", "image": "cirros-peer", "networks": nics, "availability_zone": "nova"}
        assert run("Server", **server, name=f"web{number}") == []
    paths = [request.path.rsplit("/", 1)[-1] for request in cloud.requests if request.method == "GET"]
    assert sorted(paths) == sorted(set(paths))
