"""Random programs through the real engine, which runs operations concurrently."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator
from tests.conftest import SPEED
from tests.support.landscape import client
from tests.walks.by_hand import Client
from tests.walks.cloud import NOTIFICATION_SECONDS, Documents, SharedWorld, caches_preserved, documents
from tests.walks.generator import walk
from tests.walks.model import Walk
from tests.walks.real import RealStack
from tests.walks.walking import Failure, Walker, format_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.walks.model import Stage

COUNT = int(os.environ.get("WALKS_REAL", "2"))
FIRST = int(os.environ.get("WALKS_FIRST", "500"))
EDITS = int(os.environ.get("WALKS_EDITS", "3"))


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud with microversions."""
    with Emulator(speed=SPEED, dialect="openstack") as running:
        yield running


@pytest.fixture(scope="module")
def world() -> Iterator[SharedWorld]:
    """The cloud of the engine in this process."""
    with caches_preserved(), SharedWorld("openstack") as created:
        yield created


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_cloud_converges_to_program_with_real_engine(
    project: MakeProject, cloud: Emulator, world: SharedWorld, seed: int
) -> None:
    """After every `up` the cloud has exactly the declared objects, and the next preview shows no changes.

    Every `up` has the steps that the engine in this process has as well.
    """
    short = Walk(walk(seed).stages[: EDITS + 1])

    def settle() -> None:
        time.sleep(NOTIFICATION_SECONDS / cloud.cloud.speed)

    def contents() -> Documents:
        settle()
        with cloud.state() as state:
            return documents(state)

    stack = RealStack(project("import pulumi\n"), Client(client(cloud.settings), settle), contents)
    shadow = Walker(world, seed, cascades=stack.cascades, refreshes=False)

    def fail(at: int, problems: list[str]) -> None:
        pytest.fail(format_failure(short, Failure(at, "up", "; ".join(problems)), seed), pytrace=False)

    for at, stage in enumerate(short.stages):
        try:
            # Refresh before every second preview only, to test both.
            problems = list(stack.apply(stage, *["--refresh"] * (at % 2)))
        except AssertionError as failed:
            problems = [str(failed)]
        if problems := problems or _other_steps(stack, shadow, stage):
            fail(at, problems)
    if problems := list(stack.destroy()):
        fail(len(short.stages) - 1, problems)


def _other_steps(stack: RealStack, shadow: Walker, stage: Stage) -> list[str]:
    """Return the differences between the steps of the two engines."""
    for when, step in shadow.steps(stage):
        if problems := step():
            return [f"{when} in this process: {problem}" for problem in problems]
    made = {name: step for name, step in shadow.made.items() if step != "same"} if not stage.is_refused else {}
    return [] if made == stack.made else [f"the steps are {stack.made}, in this process {made}"]
