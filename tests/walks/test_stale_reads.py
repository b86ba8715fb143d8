"""Random programs with random edits on a cloud whose GETs show the state of up to 5 seconds ago."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.walks.cloud import SharedWorld, caches_preserved
from tests.walks.edits import walk
from tests.walks.walking import Failure, Walker, format_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.walks.programs import Program

SEEDS = int(os.environ.get("WALKS_SEEDS", "20")) // 4
FIRST = int(os.environ.get("WALKS_FIRST", "0"))
SECONDS, LATER = 5.0, 8.0


@pytest.fixture(scope="module")
def world() -> Iterator[SharedWorld]:
    """A cloud with unmanaged objects."""
    with caches_preserved(), SharedWorld("openstack") as created:
        yield created


class StaleWalker(Walker):
    """Runs the commands with stale reads, and checks their results with current ones.

    An even seed chooses the ages at random, an odd one always the oldest state.
    """

    def __init__(self, world: SharedWorld, seed: int) -> None:
        super().__init__(world, seed)
        chance = random.Random(seed)  # noqa: S311  (chance, not a secret)
        self._is_stale = False
        world.cloud.set_stale(lambda: (SECONDS if seed % 2 else chance.uniform(0.0, SECONDS)) * self._is_stale)

    def steps(self, program: Program) -> Iterator[tuple[str, Callable[[], list[str]]]]:
        """Yield the operations: an `up` in the seconds after the last one, and the checks later."""
        yield "preview", lambda: self._stale(lambda: self._preview(program))
        yield "up", lambda: self._stale(lambda: self._up(program))
        yield "cloud after up", lambda: self._cloud(program)
        yield "preview after up", lambda: self._pending_changes(program)

    def last_steps(self) -> Iterator[tuple[str, Callable[[], list[str]]]]:
        """Yield the operations after the last program."""
        yield "destroy", lambda: self._stale(self._destroy)
        yield "cloud after destroy", lambda: self._cloud(())

    def _stale(self, command: Callable[[], list[str]]) -> list[str]:
        self._is_stale = True
        try:
            return command()
        finally:
            self._is_stale = False


def find_failure(world: SharedWorld, seed: int) -> Failure | None:
    """Run a walk; return the first failure, None if all checks pass."""
    walker, programs = StaleWalker(world, seed), walk(seed).programs
    for at, program in enumerate(programs):
        for when, step in walker.steps(program):
            if problems := step():
                return Failure(at, when, "; ".join(problems))
        if seed % 3 == 0:
            world.pass_time(LATER)  # otherwise the next `up` follows immediately
    for when, step in walker.last_steps():
        if problems := step():
            return Failure(len(programs) - 1, when, "; ".join(problems))
    return None


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_cloud_converges_to_program(world: SharedWorld, seed: int) -> None:
    """After every `up` the cloud has exactly the declared objects, and a destroy deletes everything."""
    if failure := find_failure(world, seed):
        pytest.fail(format_failure(walk(seed), failure, seed), pytrace=False)
