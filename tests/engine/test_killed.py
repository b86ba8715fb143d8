"""What dies in the middle of an `up`, and how little of it is lost."""

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
    ecs.Volume("disk", size=1)
"""
DISK = """
    import ecs_pulumi as ecs

    ecs.Volume("disk", size=1)
"""
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"
CONFIG = {"story:key": PUBLIC_KEY}
LONGEST = 60


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud in which a volume takes some seconds."""
    with Emulator(speed=0.16) as running:
        yield running


def until_asked(cloud: Emulator, path: str) -> None:
    """Wait until the cloud has taken a create request."""
    end = time.monotonic() + LONGEST
    while not any(each.method == "POST" and each.path.endswith(path) for each in cloud.requests):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_provider_that_is_killed_loses_nothing(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """The engine says that it is gone and stops; the next `up` names what it had created, and creates nothing twice."""
    it = project(DISK)
    before = landscape.objects()
    up = Run(it)
    until_asked(cloud, "/volumes")
    up.kill(is_provider)
    assert up.end() != 0, up.said
    assert "Volume disk" not in it.state()

    _, (lost,) = orphans(it)
    assert (lost["kind"], lost["resource"]) == ("Volume", "disk")
    assert f"({lost['id']}) exists" in it.up(fails=True).text
    _, found = orphans(it, "--delete", lost["id"], "--yes")
    assert [(each["id"], each["deleted"]) for each in found] == [(lost["id"], True)]
    it.up()
    assert landscape.objects() - before == {each["id"] for each in it.state().values()}
    assert it.preview().changes == {}
    it.destroy()
    assert landscape.objects() == before


def test_a_provider_ends_soon_after_its_engine(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """Where the engine alone is killed nothing goes on working for a state that will not have it."""
    up = Run(project(DISK))
    until_asked(cloud, "/volumes")
    (provider,) = filter(is_provider, up.processes())
    up.kill(lambda process: process.name() == "pulumi")
    gone, _ = psutil.wait_procs([provider], timeout=LONGEST)
    assert gone
    up.end()


def test_a_full_disk_under_the_state_loses_nothing(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """Where the state cannot be written the `up` fails; what was under way is found by what was written before."""
    it = project(PROGRAM, config=CONFIG)
    before = landscape.objects()
    up = Run(it)
    until_asked(cloud, "/volumes")
    stacks = it.folder / "state" / ".pulumi" / "stacks"
    aside = stacks.rename(stacks.with_name("aside"))
    stacks.touch()
    assert up.end() != 0, up.said
    stacks.unlink()
    aside.rename(stacks)
    it.run("cancel", "--yes")
    _, found = orphans(it)
    assert "disk" in {each["resource"] for each in found}
    status, _ = orphans(it, "--yes", "--delete", *(each["id"] for each in found))
    assert status == 0
    it.up()
    assert it.preview().changes == {}
    it.destroy()
    assert landscape.objects() == before


def test_the_page_on_failures_does_what_it_says(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """Its commands, as they stand there and in their order, bring a killed stack back; its claims have tests."""
    page = (CHECKOUT / "docs" / "how-to" / "failures.md").read_text()
    tests = "\n".join(file.read_text() for file in (CHECKOUT / "tests").rglob("test_*.py"))
    claims = re.findall(r"`(test_\w+)`", page)
    assert [claim for claim in claims if f"def {claim}(" not in tests] == []
    assert len(claims) > 20

    it = project(DISK)
    before = landscape.objects()
    up = Run(it)
    until_asked(cloud, "/volumes")
    up.kill()
    up.end()
    said = {}
    for command in "".join(re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)).splitlines():
        said[command] = printed(("bash", "-c", command), folder=it.folder, env=it.env)
    assert "pending operations" in said["pulumi up --yes"]
    assert "an interrupted run" in said["pulumi up --yes"]
    assert "No orphans of story/test found" in said["python -m ecs_pulumi.orphans"]
    assert landscape.objects() - before == {each["id"] for each in it.state().values()}
    quiet = it.up()
    assert quiet.changes == {}
    assert "pending operations" not in quiet.text
    it.destroy()
