"""A server that is paused, suspended or shelved, and what is attached to it: nothing sticks, nothing stays unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openstack.connection import Connection

    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape
    from tests.support.project import Project

BASE = """
    import pulumi
    import ecs_pulumi as ecs

    config = pulumi.Config()
    network = ecs.Network("net")
    subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.13.0/24")
    port = ecs.Port("port", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    disk = ecs.Volume("disk", size=1)
"""
SERVER = """
    server = ecs.Server(
        "web",
        flavor=config.require("flavor"),
        image=config.require("image"),
        networks=[{"network_id": network.id}],
        power_state=config.get("power"),
        opts=pulumi.ResourceOptions(depends_on=[subnet], retain_on_delete=config.get_bool("retain")),
    )
"""
ATTACHED = """
    ecs.VolumeAttachment("attached", server_id=server.id, volume_id=disk.id)
    ecs.InterfaceAttachment("bound", server_id=server.id, port_id=port.id)
    ecs.InterfaceAttachment("made", server_id=server.id, network_id=network.id)
"""
SLEEP = {"PAUSED": "pause_server", "SUSPENDED": "suspend_server", "SHELVED_OFFLOADED": "shelve_server"}


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A quick cloud like OpenStack, which refuses what a sleeping server does not do."""
    with Emulator(dialect="openstack", speed=100) as running:
        yield running


class Stack:
    """A server with a disk and two NICs attached, that somebody has put to sleep."""

    def __init__(self, project: Project, landscape: Landscape) -> None:
        self.project = project
        self.landscape = landscape
        self.cloud: Connection = landscape.connect()
        project.up()
        self.made = {part for each in project.state().values() for part in each["id"].split("/")}
        self.server = project.state()["Server web"]["id"]

    def sleep(self, status: str) -> None:
        """Put the server to sleep by hand."""
        compute = self.cloud.compute
        getattr(compute, SLEEP[status])(self.server)
        compute.wait_for_server(compute.get_server(self.server), status=status, interval=1)

    def left(self) -> set[str]:
        """What is in the cloud of all that was made."""
        return self.landscape.objects() & self.made


@pytest.fixture
def stack(project: MakeProject, landscape: Landscape) -> Iterator[Stack]:
    """Make it."""
    config = {"story:flavor": landscape.small, "story:image": landscape.image}
    made = Stack(project(BASE + SERVER + ATTACHED, config=config), landscape)
    yield made
    made.cloud.close()


@pytest.mark.parametrize(
    "status",
    [*(pytest.param(status, marks=pytest.mark.thorough) for status in ("PAUSED", "SUSPENDED")), "SHELVED_OFFLOADED"],
)
def test_a_sleeping_server_is_destroyed_with_what_it_holds(stack: Stack, status: str) -> None:
    """`destroy` needs no help: what the server does not let go is freed when the server is deleted."""
    stack.sleep(status)
    stack.project.destroy()
    assert stack.left() == set()


@pytest.mark.parametrize("status", ["SUSPENDED", "SHELVED_OFFLOADED"])
def test_a_sleeping_server_is_removed_with_what_it_holds(stack: Stack, status: str, cloud: Emulator) -> None:
    """The same where the program drops server and attachments in one `up`."""
    stack.sleep(status)
    stack.project.write(BASE)
    stack.project.up()
    kinds = {name.split()[0] for name in stack.project.state()}
    assert kinds.isdisjoint({"Server", "VolumeAttachment", "InterfaceAttachment"})
    assert stack.project.preview().changes == {}
    assert stack.server not in stack.landscape.objects()
    stack.project.destroy()
    assert stack.left() == set()


@pytest.mark.thorough
@pytest.mark.parametrize("status", ["SUSPENDED"])
def test_a_sleeping_server_that_stays_is_woken_for_its_attachments(stack: Stack, status: str) -> None:
    """To lose them, and to get them back; it sleeps again afterwards, as somebody has put it to sleep."""
    stack.sleep(status)
    stack.project.write(BASE + SERVER)
    removed = stack.project.up()
    assert (
        f"the server {stack.server} is {status}: it runs for this change and is {status} again afterwards"
        in removed.text
    )
    volume = stack.project.state()["Volume disk"]["id"]
    assert stack.cloud.block_storage.get_volume(volume).status == "available"
    assert len(list(stack.cloud.network.ports(device_id=stack.server))) == 1
    assert stack.cloud.compute.get_server(stack.server).status == status

    stack.project.write(BASE + SERVER + ATTACHED)
    stack.project.up()
    assert len(list(stack.cloud.network.ports(device_id=stack.server))) == 3
    assert stack.cloud.compute.get_server(stack.server).status == status
    assert stack.project.preview("--refresh").changes == {}
    stack.project.destroy()
    assert not {stack.server, volume} & stack.landscape.objects()


@pytest.mark.parametrize("power_state", ["suspended"])
def test_a_server_that_is_declared_asleep_is_woken_for_its_attachments(
    project: MakeProject, landscape: Landscape, power_state: str
) -> None:
    """From the first `up` on, for what is attached and for what is removed; it sleeps again afterwards."""
    config = {"story:flavor": landscape.small, "story:image": landscape.image, "story:power": power_state}
    it = project(BASE + SERVER + ATTACHED, config=config)
    it.up()
    with landscape.connect() as cloud:
        made = it.state()
        server = made["Server web"]["id"]
        assert power_state.upper() in cloud.compute.get_server(server).status
        assert cloud.block_storage.get_volume(made["Volume disk"]["id"]).status == "in-use"
        assert len(list(cloud.network.ports(device_id=server))) == 3
        assert it.preview("--refresh").changes == {}
        it.write(BASE + SERVER)
        it.up()
        assert power_state.upper() in cloud.compute.get_server(server).status
        assert cloud.block_storage.get_volume(made["Volume disk"]["id"]).status == "available"
        assert len(list(cloud.network.ports(device_id=server))) == 1
    assert it.preview("--refresh").changes == {}
    it.destroy()
    assert landscape.objects() & {part for each in made.values() for part in each["id"].split("/")} == set()


def test_a_shelved_server_that_cannot_run_is_the_reason(stack: Stack, cloud: Emulator) -> None:
    """The line says that the server has to run; those that wait for it do not ask for it again."""
    stack.sleep("SHELVED_OFFLOADED")
    stack.project.write(BASE + SERVER)
    cloud.requests.clear()
    cloud.fault(
        method="POST", path="*/action", status=400, body={"badRequest": {"message": "No valid host was found."}}
    )
    failed = stack.project.up(fails=True)
    reasons = [error for error in failed.errors if "delete " in error]
    assert reasons
    reason = f"the server {stack.server} is SHELVED_OFFLOADED, and has to run for this change: No valid host was found"
    assert all(reason in each for each in reasons), reasons
    assert sum(each.path.endswith("/action") for each in cloud.requests) < len(reasons) + 1
    cloud.clear_faults()
    stack.project.up()
    assert stack.project.preview("--refresh").changes == {}


def test_a_destroy_of_an_attachment_alone_is_none_of_the_server(stack: Stack, cloud: Emulator) -> None:
    """`--target` leaves the server where it is, and asleep."""
    stack.sleep("SUSPENDED")
    target = stack.project.state()["VolumeAttachment attached"]["urn"]
    stack.project.destroy("--target", target)
    assert stack.cloud.block_storage.get_volume(stack.project.state()["Volume disk"]["id"]).status == "available"
    assert stack.cloud.compute.get_server(stack.server).status == "SUSPENDED"


def test_a_retained_server_keeps_nothing_of_the_program(stack: Stack, cloud: Emulator) -> None:
    """What `retain_on_delete` keeps in the cloud frees nothing by its own delete, so that it is woken."""
    stack.project.config("story:retain", "true")
    stack.project.up()
    stack.sleep("SUSPENDED")
    stack.project.write(BASE)
    stack.project.up()
    assert stack.cloud.block_storage.get_volume(stack.project.state()["Volume disk"]["id"]).status == "available"
    assert stack.cloud.compute.get_server(stack.server).status == "SUSPENDED"
