"""Failures of the cloud and interrupted runs, and how the stack recovers from them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Protocol

import pytest

from ecs_pulumi.emulator import Emulator
from tests.support.interrupted import Run, orphans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape
    from tests.support.project import Project, Result

HEAD = """
    import pulumi
    import ecs_pulumi as ecs

    config = pulumi.Config()
    network = ecs.Network("net")
    subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.13.0/24")
    ports = [
        ecs.Port(f"port{number}", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
        for number in range(config.get_int("ports") or 1)
    ]
"""
SERVER = """
    timeouts = pulumi.CustomTimeouts(create=config.get("patience"))
    server = ecs.Server(
        "web",
        name=config.get("name"),
        flavor=config.require("flavor"),
        image=config.require("image"),
        networks=[{"port_id": ports[0].id}],
        block_devices=[
            {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 40}
            | {"delete_on_termination": True}
        ],
        opts=pulumi.ResourceOptions(custom_timeouts=timeouts),
    )
"""
MORE = """
    disk = ecs.Volume("disk", size=10)
    ecs.VolumeAttachment("attached", server_id=server.id, volume_id=disk.id)
    ecs.InterfaceAttachment("bound", server_id=server.id, port_id=ports[1].id)
"""


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A slow cloud, so that runs can be interrupted."""
    with Emulator(speed=4) as running:
        yield running


DESTROY_TIMEOUT = 55
"""Seconds within which a small stack is destroyed; with a conflict, the provider would retry for 60 seconds."""


def reasons(failed: Result) -> list[str]:
    """Return the reason why each resource failed, without the heading of the engine."""
    messages = [error.strip() for error in failed.errors if re.search(r"(check|create|update|delete) \w+ \S+: ", error)]
    assert all(len(error.splitlines()) <= 2 for error in messages), messages
    return [error.splitlines()[-1].strip(" \t*") for error in messages]


class Shop:
    """A project on a cloud, with checks for orphans and leftovers."""

    def __init__(self, project: Project, landscape: Landscape, before: set[str]) -> None:
        self.project = project
        self._landscape = landscape
        self._before = before

    def created(self) -> set[str]:
        """Return the ids of the objects that were created since the start of the test."""
        return self._landscape.objects() - self._before

    def orphans(self) -> set[str]:
        """Return the ids of created objects that are not in the state."""
        return self.created() - self.known()

    def known(self) -> set[str]:
        """Return the ids in the state, including the disks of servers."""
        states = self.project.state().values()
        disks = {disk["id"] for each in states for disk in each["outputs"].get("volumes_attached") or ()}
        return {each["id"] for each in states} | disks

    def check_stable(self) -> None:
        """Check that the next preview is empty, and that there are no orphans."""
        assert self.project.preview().changes == {}
        assert self.orphans() == set()

    def destroy(self) -> None:
        """Destroy the stack, and check that no object is left."""
        self.project.destroy()
        assert self.created() == set()


class MakeShop(Protocol):
    """Creates a project on the cloud of the test."""

    def __call__(self, program: str, **config: str) -> Shop:
        """Create the project; `config` contains settings of its stack."""


@pytest.fixture
def shop(project: MakeProject, landscape: Landscape) -> MakeShop:
    """Create projects, and record the objects that existed before."""

    def make(program: str, **config: str) -> Shop:
        settings = {"flavor": landscape.small, "image": landscape.image, **config}
        created = project(program, config={f"story:{name}": value for name, value in settings.items()})
        return Shop(created, landscape, landscape.objects())

    return make


@pytest.mark.thorough
def test_attachment_refused_by_hypervisor_fails_at_once(shop: MakeShop) -> None:
    """Nova releases the volume without an error: the `up` fails before the timeout, and the next `up` attaches it."""
    it = shop(HEAD + SERVER + MORE, name="peer-fail-attach", ports="2")
    (reason,) = reasons(it.project.up(fails=True))
    assert "create VolumeAttachment attached" in reason
    assert "failed to attach the volume" in reason
    assert it.orphans() == set()

    it.project.config("name", "healthy")
    changes = it.project.up().changes
    assert (changes["Server web"], changes["VolumeAttachment attached"]) == ("update", "create")
    it.check_stable()
    it.destroy()


@pytest.mark.thorough
def test_resize_that_ends_in_error_keeps_flavor_in_state(shop: MakeShop, landscape: Landscape) -> None:
    """The state contains the real flavor of the server, and `destroy` works although Nova refuses to detach."""
    it = shop(HEAD + SERVER + MORE, name="peer-fail-resize", ports="2")
    it.project.up()
    it.project.config("flavor", landscape.medium)
    (reason,) = reasons(it.project.up(fails=True))
    assert re.search(r"update Server web: server [0-9a-f-]{36} is in ERROR: \w+", reason)
    outputs = it.project.state()["Server web"]["outputs"]
    assert (outputs["flavor"], outputs["status"]) == (landscape.small, "ERROR")
    it.destroy()


def test_next_up_finishes_interrupted_resize(shop: MakeShop, landscape: Landscape) -> None:
    """After Ctrl-C twice in VERIFY_RESIZE, the next `up` confirms the resize and starts the server."""
    it = shop(HEAD + SERVER)
    it.project.up()
    it.project.config("flavor", landscape.medium)
    up = Run(it.project)
    up.until("Server web", "RESIZE")
    up.interrupt_twice()
    it.project.up()
    outputs = it.project.state()["Server web"]["outputs"]
    assert (outputs["flavor"], outputs["status"]) == (landscape.medium, "ACTIVE")
    it.check_stable()

    it.project.config("flavor", landscape.large)
    up = Run(it.project)
    up.until("Server web", "RESIZE")
    up.interrupt_twice()
    it.destroy()


@pytest.mark.thorough
def test_interrupt_records_ports_being_created(shop: MakeShop) -> None:
    """After Ctrl-C once, begun operations finish and are in the state, no others begin, and `destroy` is fast."""
    it = shop(HEAD, ports="6")
    up = Run(it.project)
    up.until("Port port", "creating")
    up.interrupt()
    assert up.end() != 0
    assert it.orphans() == set()
    started = time.monotonic()
    it.destroy()
    assert time.monotonic() - started < DESTROY_TIMEOUT


@pytest.mark.thorough
def test_orphans_finds_ports_of_killed_run(shop: MakeShop) -> None:
    """After Ctrl-C twice, `orphans` finds and deletes the unrecorded ports, and `destroy` has no conflict."""
    it = shop(HEAD, ports="6")
    up = Run(it.project)
    up.until("Port port", "creating")
    up.interrupt_twice()
    _, found = orphans(it.project)
    assert {each["id"] for each in found} == it.orphans()
    status, found = orphans(it.project, "--delete", "--yes")
    assert (status, it.orphans()) == (0, set())
    it.destroy()


@pytest.mark.thorough
def test_up_continues_interrupted_attachments(shop: MakeShop) -> None:
    """After Ctrl-C twice while a disk and a NIC are attached, the next `up` finds both attached."""
    it = shop(HEAD + SERVER, ports="2")
    it.project.up()
    it.project.write(HEAD + SERVER + MORE)
    up = Run(it.project)
    up.until("VolumeAttachment attached", "creating")
    up.interrupt_twice()
    it.project.up()
    it.check_stable()
    it.destroy()


@pytest.mark.thorough
def test_interrupt_records_server_being_created(shop: MakeShop) -> None:
    """After Ctrl-C once during the build, the build finishes, and the next `up` changes nothing."""
    it = shop(HEAD + SERVER)
    up = Run(it.project)
    up.until("Server web", "BUILD")
    up.interrupt()
    up.end()
    server = it.project.state()["Server web"]
    assert server["outputs"]["status"] == "ACTIVE"
    assert it.project.up().changes == {}
    assert it.project.state()["Server web"]["id"] == server["id"]
    it.check_stable()
    it.destroy()


def test_server_that_is_still_building_after_timeout(shop: MakeShop) -> None:
    """If a build exceeds its timeout, `destroy` deletes the server, and the next `up` waits for the same server."""
    it = shop(HEAD + SERVER, name="peer-slow-spawn", patience="2s")
    (reason,) = reasons(it.project.up(fails=True))
    assert "Gave up waiting for server" in reason
    assert it.project.state()["Server web"]["outputs"]["status"] == "BUILD"
    it.destroy()

    it.project.up(fails=True)
    building = it.project.state()["Server web"]["id"]
    it.project.up()
    server = it.project.state()["Server web"]
    assert (server["id"], server["outputs"]["status"]) == (building, "ACTIVE")
    it.check_stable()
    it.destroy()


def test_next_up_deletes_old_object_of_replacement(shop: MakeShop, cloud: Emulator) -> None:
    """If a replacement cannot delete the old disk, the disk stays in the state, and the next `up` deletes it."""
    it = shop(HEAD + "    disk = ecs.Volume('disk', size=10, image=config.get('content'))\n")
    it.project.up()
    old = it.project.state()["Volume disk"]["id"]
    cloud.fault(method="DELETE", path="*/volumes/*", status=403)
    it.project.config("content", "Standard_Debian_12_latest")
    (reason, _) = it.project.up(fails=True).errors
    assert reason.startswith(f"delete Volume disk ({old}): Forbidden (HTTP 403, ")
    assert old in it.created()

    cloud.cloud.faults.clear()
    it.project.up()
    assert old not in it.created()
    it.check_stable()
    it.destroy()
