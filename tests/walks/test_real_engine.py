"""Some of the random programs through the real engine, where resources are worked on at the same time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator
from tests.conftest import SPEED
from tests.walks.edits import Walk, walk
from tests.walks.real import RealStack
from tests.walks.walking import Broken, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject

COUNT = int(os.environ.get("WALKS_REAL", "2"))
FIRST = int(os.environ.get("WALKS_FIRST", "500"))
EDITS = int(os.environ.get("WALKS_EDITS", "3"))


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud that offers microversions."""
    with Emulator(speed=SPEED, dialect="openstack") as running:
        yield running


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_the_real_engine_brings_the_cloud_to_the_program(project: MakeProject, cloud: Emulator, seed: int) -> None:
    """After every `up` the cloud holds what the program declares and nothing else, and the next preview is empty."""
    whole = walk(seed)
    going = Walk(whole.programs[: EDITS + 1], whole.edits[:EDITS])
    stack = RealStack(project("import pulumi\n"), cloud)
    for at, program in enumerate(going.programs):
        stack.write(program)
        try:
            stack.project.up()
            # In turn, as the state is to do with and without a refresh.
            wrong = stack.differences(program) or stack.not_at_rest(*["--refresh"] * (at % 2))
        except AssertionError as failed:
            wrong = [str(failed)]
        if wrong:
            pytest.fail(told(going, Broken(at, "up", "; ".join(wrong)), seed), pytrace=False)
    stack.project.destroy()
    assert stack.differences(()) == []
