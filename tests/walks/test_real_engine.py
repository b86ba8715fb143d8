"""Random programs through the real engine, which runs operations concurrently."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator
from tests.conftest import SPEED
from tests.walks.edits import Walk, walk
from tests.walks.real import RealStack
from tests.walks.walking import Failure, format_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject

COUNT = int(os.environ.get("WALKS_REAL", "2"))
FIRST = int(os.environ.get("WALKS_FIRST", "500"))
EDITS = int(os.environ.get("WALKS_EDITS", "3"))


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud with microversions."""
    with Emulator(speed=SPEED, dialect="openstack") as running:
        yield running


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_cloud_converges_to_program_with_real_engine(project: MakeProject, cloud: Emulator, seed: int) -> None:
    """After every `up` the cloud has exactly the declared objects, and the next preview shows no changes."""
    whole = walk(seed)
    short = Walk(whole.programs[: EDITS + 1], whole.edits[:EDITS])
    stack = RealStack(project("import pulumi\n"), cloud)
    for at, program in enumerate(short.programs):
        stack.write(program)
        try:
            stack.project.up()
            # Refresh before every second preview only, to test both.
            problems = stack.differences(program) or stack.pending_changes(*["--refresh"] * (at % 2))
        except AssertionError as failed:
            problems = [str(failed)]
        if problems:
            pytest.fail(format_failure(short, Failure(at, "up", "; ".join(problems)), seed), pytrace=False)
    stack.project.destroy()
    assert stack.differences(()) == []
