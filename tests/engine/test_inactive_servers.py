"""Attachments of a server that is paused, suspended or shelved."""

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
PAUSE_ACTIONS = {"PAUSED": "pause_server", "SUSPENDED": "suspend_server", "SHELVED_OFFLOADED": "shelve_server"}


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A fast OpenStack cloud, which refuses attachments of a suspended server as OpenStack does."""
    with Emulator(dialect="openstack", speed=100) as running:
        yield running


class Stack:
    """A server with a disk and two NICs, which is then paused, suspended or shelved out of band."""

    def __init__(self, project: Project, landscape: Landscape) -> None:
        self.project = project
        self.landscape = landscape
        self.cloud: Connection = landscape.connect()
        project.up()
        self.created = {part for each in project.state().values() for part in each["id"].split("/")}
        self.server = project.state()["Server web"]["id"]

    def pause(self, status: str) -> None:
        """Bring the server to this status out of band."""
        compute = self.cloud.compute
        getattr(compute, PAUSE_ACTIONS[status])(self.server)
        compute.wait_for_server(compute.get_server(self.server), status=status, interval=1)

    def remaining(self) -> set[str]:
        """Return the ids of the created objects that still exist."""
        return self.landscape.objects() & self.created


@pytest.fixture
def stack(project: MakeProject, landscape: Landscape) -> Iterator[Stack]:
    """Create the stack."""
    config = {"story:flavor": landscape.small, "story:image": landscape.image}
    created = Stack(project(BASE + SERVER + ATTACHED, config=config), landscape)
    yield created
    created.cloud.close()


@pytest.mark.parametrize(
    "status",
    [*(pytest.param(status, marks=pytest.mark.thorough) for status in ("PAUSED", "SUSPENDED")), "SHELVED_OFFLOADED"],
)
def test_destroy_of_suspended_server_with_attachments(stack: Stack, status: str) -> None:
    """`destroy` succeeds, and the server does not run: its deletion releases what cannot be detached.

    With `--refresh`, the engine first requests a diff of each resource, although it deletes them all.
    """
    stack.pause(status)
    assert "runs for this change" not in stack.project.destroy("--refresh").text
    assert stack.remaining() == set()


@pytest.mark.parametrize("status", ["SUSPENDED", "SHELVED_OFFLOADED"])
def test_up_removes_suspended_server_with_attachments(stack: Stack, status: str, cloud: Emulator) -> None:
    """An `up` succeeds if the program no longer declares the server and its attachments."""
    stack.pause(status)
    stack.project.write(BASE)
    stack.project.up()
    kinds = {name.split()[0] for name in stack.project.state()}
    assert kinds.isdisjoint({"Server", "VolumeAttachment", "InterfaceAttachment"})
    assert stack.project.preview().changes == {}
    assert stack.server not in stack.landscape.objects()
    stack.project.destroy()
    assert stack.remaining() == set()


@pytest.mark.thorough
@pytest.mark.parametrize("status", ["SUSPENDED"])
def test_suspended_server_is_resumed_for_attachment_changes(stack: Stack, status: str) -> None:
    """The server is resumed to detach and to attach, and is suspended again afterwards."""
    stack.pause(status)
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
def test_declared_suspended_server_is_resumed_for_attachment_changes(
    project: MakeProject, landscape: Landscape, power_state: str
) -> None:
    """A server with `power_state` suspended is resumed to attach and to detach, already in the first `up`."""
    config = {"story:flavor": landscape.small, "story:image": landscape.image, "story:power": power_state}
    it = project(BASE + SERVER + ATTACHED, config=config)
    it.up()
    with landscape.connect() as cloud:
        created = it.state()
        server = created["Server web"]["id"]
        assert power_state.upper() in cloud.compute.get_server(server).status
        assert cloud.block_storage.get_volume(created["Volume disk"]["id"]).status == "in-use"
        assert len(list(cloud.network.ports(device_id=server))) == 3
        assert it.preview("--refresh").changes == {}
        it.write(BASE + SERVER)
        it.up()
        assert power_state.upper() in cloud.compute.get_server(server).status
        assert cloud.block_storage.get_volume(created["Volume disk"]["id"]).status == "available"
        assert len(list(cloud.network.ports(device_id=server))) == 1
    assert it.preview("--refresh").changes == {}
    it.destroy()
    assert landscape.objects() & {part for each in created.values() for part in each["id"].split("/")} == set()


def test_error_if_shelved_server_cannot_be_unshelved(stack: Stack, cloud: Emulator) -> None:
    """The error says that the server has to run. Concurrent operations do not repeat the unshelve request."""
    stack.pause("SHELVED_OFFLOADED")
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


def test_targeted_destroy_of_attachment_keeps_server_suspended(stack: Stack, cloud: Emulator) -> None:
    """With `--target` the attachment is deleted, and the server is suspended again."""
    stack.pause("SUSPENDED")
    target = stack.project.state()["VolumeAttachment attached"]["urn"]
    stack.project.destroy("--target", target)
    assert stack.cloud.block_storage.get_volume(stack.project.state()["Volume disk"]["id"]).status == "available"
    assert stack.cloud.compute.get_server(stack.server).status == "SUSPENDED"


def test_retained_suspended_server_releases_its_attachments(stack: Stack, cloud: Emulator) -> None:
    """A server kept by `retain_on_delete` is not deleted, so it is resumed to detach its volume."""
    stack.project.config("story:retain", "true")
    stack.project.up()
    stack.pause("SUSPENDED")
    stack.project.write(BASE)
    stack.project.up()
    assert stack.cloud.block_storage.get_volume(stack.project.state()["Volume disk"]["id"]).status == "available"
    assert stack.cloud.compute.get_server(stack.server).status == "SUSPENDED"
