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


@pytest.mark.parametrize("status", SLEEP)
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


def test_a_sleeping_server_that_stays_keeps_its_attachments_in_the_state(stack: Stack) -> None:
    """The removal of an attachment fails with what to do; once the server is awake, the next `up` ends it."""
    stack.sleep("SUSPENDED")
    stack.project.write(BASE + SERVER)
    failed = stack.project.up(fails=True)
    told = [error for error in failed.errors if "delete " in error]
    assert len(told) == 3
    advice = f"The server stays and is SUSPENDED: wake it with `openstack server resume {stack.server}`"
    assert all(advice in error for error in told), told
    assert {"VolumeAttachment attached", "InterfaceAttachment bound"} <= stack.project.state().keys()

    stack.project.config("story:power", "active")
    stack.project.up("--refresh")
    assert stack.project.preview().changes == {}
    assert "VolumeAttachment attached" not in stack.project.state()
    assert stack.cloud.block_storage.get_volume(stack.project.state()["Volume disk"]["id"]).status == "available"
    stack.project.destroy()
    assert stack.left() == set()


def test_a_destroy_of_an_attachment_alone_is_none_of_the_server(stack: Stack, cloud: Emulator) -> None:
    """`--target` leaves the server where it is, and `retain_on_delete` as well: nothing is dropped from the state."""
    stack.sleep("SUSPENDED")
    target = stack.project.state()["VolumeAttachment attached"]["urn"]
    failed = stack.project.destroy("--target", target, fails=True)
    assert "The server stays and is SUSPENDED" in failed.text
    assert "VolumeAttachment attached" in stack.project.state()


def test_a_retained_server_keeps_its_attachments_in_the_state(stack: Stack, cloud: Emulator) -> None:
    """What `retain_on_delete` keeps in the cloud frees nothing."""
    stack.project.config("story:retain", "true")
    stack.project.up()
    stack.sleep("SUSPENDED")
    failed = stack.project.destroy(fails=True)
    assert "The server stays and is SUSPENDED" in failed.text
    assert "VolumeAttachment attached" in stack.project.state()
