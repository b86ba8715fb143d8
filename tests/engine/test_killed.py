"""Processes that are killed during an `up`, and a state that cannot be written."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from ecs_pulumi.emulator import Emulator
from tests.support.command import printed
from tests.support.interrupted import Run, is_provider, orphans
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape

PROGRAM = """
    import pulumi
    import ecs_pulumi as ecs

    ecs.KeyPair("key", name="known", public_key=pulumi.Config().require("key"))
    ecs.Volume("disk", size=10)
"""
DISK = """
    import ecs_pulumi as ecs

    ecs.Volume("disk", size=10)
"""
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"
CONFIG = {"story:key": PUBLIC_KEY}
TIMEOUT = 60


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud in which the creation of a volume takes some seconds."""
    with Emulator(speed=0.16) as running:
        yield running


def until_requested(cloud: Emulator, path: str) -> None:
    """Wait until the cloud has accepted a create request; it refuses a volume without a zone first."""
    end = time.monotonic() + TIMEOUT
    while not any((each.method, each.status) == ("POST", 202) and each.path.endswith(path) for each in cloud.requests):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_provider_ends_after_killed_engine(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """If only the engine is killed, the provider ends soon, since no state could record its results."""
    up = Run(project(DISK))
    until_requested(cloud, "/volumes")
    (provider,) = filter(is_provider, up.processes())
    up.kill(lambda process: process.name() == "pulumi")
    ended, _ = psutil.wait_procs([provider], timeout=TIMEOUT)
    assert ended
    up.end()


def test_state_that_cannot_be_written(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """If the state cannot be written, the `up` fails, and the earlier state proves which objects were being created."""
    it = project(PROGRAM, config=CONFIG)
    before = landscape.objects()
    up = Run(it)
    until_requested(cloud, "/volumes")
    stacks = it.folder / "state" / ".pulumi" / "stacks"
    moved = stacks.rename(stacks.with_name("moved"))
    stacks.touch()
    assert up.end() != 0, up.output
    stacks.unlink()
    moved.rename(stacks)
    it.run("cancel", "--yes")
    _, found = orphans(it)
    assert "disk" in {each["resource"] for each in found}
    status, _ = orphans(it, "--yes", "--delete", *(each["id"] for each in found))
    assert status == 0
    it.up()
    assert it.preview().changes == {}
    it.destroy()
    assert landscape.objects() == before


def test_commands_of_the_troubleshooting_page(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """The commands of the page, in their order, repair a stack after a killed `up`."""
    page = (CHECKOUT / "docs" / "how-to" / "failures.md").read_text()
    it = project(DISK)
    before = landscape.objects()
    up = Run(it)
    until_requested(cloud, "/volumes")
    up.kill()
    up.end()
    output = {}
    for command in "".join(re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)).splitlines():
        output[command] = printed(("bash", "-c", command), folder=it.folder, env=it.env)
    assert "pending operations" in output["pulumi up --yes"]
    assert "an interrupted run" in output["pulumi up --yes"]
    assert "No orphans of story/test found" in output["ecs-pulumi orphans"]
    assert landscape.objects() - before == {each["id"] for each in it.state().values()}
    repeated = it.up()
    assert repeated.changes == {}
    assert "pending operations" not in repeated.text
    it.destroy()
