"""What goes wrong in a cloud, on the way to it or at the keyboard, and how each of it ends well."""

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
        adopt=config.get("adopt"),
        opts=pulumi.ResourceOptions(custom_timeouts=timeouts),
    )
"""
KEY = """
    key = ecs.KeyPair("key")
"""
MORE = """
    disk = ecs.Volume("disk", size=1)
    ecs.VolumeAttachment("attached", server_id=server.id, volume_id=disk.id)
    ecs.InterfaceAttachment("bound", server_id=server.id, port_id=ports[1].id)
"""


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud that takes its time, so that there is something to disturb."""
    with Emulator(speed=4) as running:
        yield running


PATIENCE = 55
"""Seconds in which a small stack is destroyed where nothing is in the way; what is in use is waited for for 60."""


def reasons(failed: Result) -> list[str]:
    """Why resources failed: one line each, under the engine's own heading."""
    told = [error.strip() for error in failed.errors if re.search(r"(check|create|update|delete) \w+ \S+: ", error)]
    assert all(len(error.splitlines()) <= 2 for error in told), told
    return [error.splitlines()[-1].strip(" \t*") for error in told]


class Shop:
    """A project on a cloud, with the ways to see that nothing is lost, nothing doubled and nothing left."""

    def __init__(self, project: Project, landscape: Landscape, before: set[str]) -> None:
        self.project = project
        self._landscape = landscape
        self._before = before

    def made(self) -> set[str]:
        """The ids of what is in the cloud since the beginning."""
        return self._landscape.objects() - self._before

    def lost(self) -> set[str]:
        """The ids of what the state does not know; disks and NICs that came with a server are known by it."""
        return self.made() - self.known()

    def known(self) -> set[str]:
        """The ids in the state."""
        states = self.project.state().values()
        disks = {disk["id"] for each in states for disk in each["outputs"].get("volumes_attached") or ()}
        return {each["id"] for each in states} | disks

    def at_rest(self) -> None:
        """Assert that all is as the program says, and that every object is known."""
        assert self.project.preview().changes == {}
        assert self.lost() == set()

    def destroyed(self) -> None:
        """Destroy, and assert that nothing is left."""
        self.project.destroy()
        assert self.made() == set()


class MakeShop(Protocol):
    """Makes a project on the case's cloud."""

    def __call__(self, program: str, **config: str) -> Shop:
        """Make it; `config` are settings of its stack."""


@pytest.fixture
def shop(project: MakeProject, landscape: Landscape) -> MakeShop:
    """Make a project and remember what there was before."""

    def make(program: str, **config: str) -> Shop:
        settings = {"flavor": landscape.small, "image": landscape.image, **config}
        made = project(program, config={f"story:{name}": value for name, value in settings.items()})
        return Shop(made, landscape, landscape.objects())

    return make


def test_a_build_that_fails_is_told_with_novas_own_reason(shop: MakeShop, cloud: Emulator) -> None:
    """The error says what Nova recorded as the fault; the state has the server, and `destroy` takes it away.

    On a real cloud test_story.py has the like.
    """
    it = shop(HEAD + SERVER, name="peer-fail-spawn")
    (reason,) = reasons(it.project.up(fails=True))
    assert re.search(r"create Server web: server [0-9a-f-]{36} is in ERROR: \w+", reason)
    assert it.lost() == set()
    preview = it.project.preview()
    assert preview.changes["Server web"] == "replace"
    assert re.search(r"replace: the server never became active: \w+", preview.text)
    assert "deletes its root disk" not in preview.text
    it.destroyed()


def test_an_attachment_that_the_hypervisor_refuses_is_told_at_once(shop: MakeShop) -> None:
    """The volume is back without a word from Nova: no wait until the timeout, and the next `up` attaches it."""
    it = shop(HEAD + SERVER + MORE, name="peer-fail-attach", ports="2")
    (reason,) = reasons(it.project.up(fails=True))
    assert "create VolumeAttachment attached" in reason
    assert "did not take the volume" in reason
    assert it.lost() == set()

    it.project.config("name", "healthy")
    changes = it.project.up().changes
    assert (changes["Server web"], changes["VolumeAttachment attached"]) == ("update", "create")
    it.at_rest()
    it.destroyed()


def test_a_resize_that_ends_in_error_keeps_the_truth_in_the_state(shop: MakeShop, landscape: Landscape) -> None:
    """The state has the flavor that the server has, and `destroy` works though no detach is let through."""
    it = shop(HEAD + SERVER + MORE, name="peer-fail-resize", ports="2")
    it.project.up()
    it.project.config("flavor", landscape.medium)
    (reason,) = reasons(it.project.up(fails=True))
    assert re.search(r"update Server web: server [0-9a-f-]{36} is in ERROR: \w+", reason)
    outputs = it.project.state()["Server web"]["outputs"]
    assert (outputs["flavor"], outputs["status"]) == (landscape.small, "ERROR")
    it.destroyed()


def test_an_interrupted_resize_is_finished_by_the_next_up(shop: MakeShop, landscape: Landscape) -> None:
    """Ctrl-C twice while the server waits for a word: the next `up` says it, and the server runs again."""
    it = shop(HEAD + SERVER)
    it.project.up()
    it.project.config("flavor", landscape.medium)
    up = Run(it.project)
    up.until("Server web", "RESIZE")
    up.interrupt_twice()
    it.project.up()
    outputs = it.project.state()["Server web"]["outputs"]
    assert (outputs["flavor"], outputs["status"]) == (landscape.medium, "ACTIVE")
    it.at_rest()

    it.project.config("flavor", landscape.large)
    up = Run(it.project)
    up.until("Server web", "RESIZE")
    up.interrupt_twice()
    it.destroyed()


def test_a_gateways_502_does_not_end_a_resize(shop: MakeShop, landscape: Landscape, cloud: Emulator) -> None:
    """Lost while polling and lost at the confirmation: the resize ends as if nothing had been."""
    it = shop(HEAD + SERVER)
    it.project.up()
    cloud.fault(method="GET", path="*/servers/*", status=502, skip=2, times=1)
    cloud.fault(method="POST", path="*/action", status=502, skip=2, times=1)
    it.project.config("flavor", landscape.medium)
    it.project.up()
    outputs = it.project.state()["Server web"]["outputs"]
    assert (outputs["flavor"], outputs["status"]) == (landscape.medium, "ACTIVE")
    assert cloud.cloud.faults.list() == [], "both have happened"
    it.at_rest()


def test_ports_that_were_being_created_are_not_lost(shop: MakeShop) -> None:
    """Ctrl-C once: what was begun is finished and in the state, nothing else is begun, and `destroy` is quick."""
    it = shop(HEAD, ports="6")
    up = Run(it.project)
    up.until("Port port", "creating")
    up.interrupt()
    assert up.end() != 0
    assert it.lost() == set()
    began = time.monotonic()
    it.destroyed()
    assert time.monotonic() - began < PATIENCE


def test_ports_that_a_killed_run_made_are_found(shop: MakeShop) -> None:
    """Ctrl-C twice: what the state does not know is found, taken away in one go, and `destroy` has no conflict."""
    it = shop(HEAD, ports="6")
    up = Run(it.project)
    up.until("Port port", "creating")
    up.interrupt_twice()
    _, found = orphans(it.project)
    assert {each["id"] for each in found} == it.lost()
    status, found = orphans(it.project, "--delete", "--yes")
    assert (status, it.lost()) == (0, set())
    it.destroyed()


def test_attachments_that_were_being_made_are_taken_over(shop: MakeShop) -> None:
    """Ctrl-C twice while disk and NIC are attached: the next `up` finds both as wanted, and does nothing twice."""
    it = shop(HEAD + SERVER, ports="2")
    it.project.up()
    it.project.write(HEAD + SERVER + MORE)
    up = Run(it.project)
    up.until("VolumeAttachment attached", "creating")
    up.interrupt_twice()
    it.project.up()
    it.at_rest()
    it.destroyed()


def test_a_server_that_was_being_created_is_kept(shop: MakeShop) -> None:
    """Ctrl-C once during the build: the server finishes, is in the state, and the next `up` leaves it alone."""
    it = shop(HEAD + SERVER)
    up = Run(it.project)
    up.until("Server web", "BUILD")
    up.interrupt()
    up.end()
    server = it.project.state()["Server web"]
    assert server["outputs"]["status"] == "ACTIVE"
    assert it.project.up().changes == {}
    assert it.project.state()["Server web"]["id"] == server["id"]
    it.at_rest()
    it.destroyed()


def test_a_server_that_is_still_building_can_be_destroyed_or_awaited(shop: MakeShop) -> None:
    """A build that outlasts its deadline is no reason to build again, nor does it hold up a `destroy`."""
    it = shop(HEAD + SERVER, name="peer-slow-spawn", patience="2s")
    (reason,) = reasons(it.project.up(fails=True))
    assert "Gave up waiting for server" in reason
    assert it.project.state()["Server web"]["outputs"]["status"] == "BUILD"
    it.destroyed()

    it.project.up(fails=True)
    building = it.project.state()["Server web"]["id"]
    it.project.up()
    server = it.project.state()["Server web"]
    assert (server["id"], server["outputs"]["status"]) == (building, "ACTIVE")
    it.at_rest()
    it.destroyed()


def test_a_killed_create_is_found_and_its_successor_is_no_double(shop: MakeShop, cloud: Emulator) -> None:
    """SIGKILL in the middle of everything: key pair and server are found; taken over, the stack goes on as one.

    On a real cloud test_orphans.py has the like.
    """
    it = shop(HEAD + KEY + SERVER)
    up = Run(it.project)
    up.until("Server web", "BUILD")
    up.killed()
    _, found = orphans(it.project)
    (server,) = [each["id"] for each in found if each["kind"] == "Server"]
    it.project.config("adopt", server)
    it.project.up()
    assert it.project.state()["Server web"]["id"] == server
    it.at_rest()
    it.destroyed()


def test_one_502_while_polling_is_nothing(shop: MakeShop, cloud: Emulator) -> None:
    """A failed look says nothing about the server: the next one is waited for."""
    it = shop(HEAD + SERVER)
    cloud.fault(method="GET", path="*/servers/*", status=502, skip=1, times=1)
    it.project.up()
    assert cloud.cloud.faults.list() == [], "it has happened"
    it.at_rest()


def test_what_a_replacement_could_not_delete_goes_with_the_next_up(shop: MakeShop, cloud: Emulator) -> None:
    """The new disk stands, the old one is still known: nothing is lost, and nobody has to remember it."""
    it = shop(HEAD + "    disk = ecs.Volume('disk', size=10, image=config.get('content'))\n")
    it.project.up()
    old = it.project.state()["Volume disk"]["id"]
    cloud.fault(method="DELETE", path="*/volumes/*", status=403)
    it.project.config("content", "Standard_Debian_12_latest")
    (reason, _) = it.project.up(fails=True).errors
    assert reason.startswith(f"delete Volume disk ({old}): Forbidden (HTTP 403, ")
    assert old in it.made()

    cloud.cloud.faults.clear()
    it.project.up()
    assert old not in it.made()
    it.at_rest()
    it.destroyed()
