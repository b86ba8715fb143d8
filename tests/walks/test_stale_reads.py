"""Random programs with random edits on a cloud whose GETs show the state of up to 5 seconds ago."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.walks.cloud import SharedWorld, caches_preserved
from tests.walks.generator import walk
from tests.walks.walking import Walker, format_failure, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.walks.model import Stage

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

    def __init__(self, world: SharedWorld, seed: int, *, cascades: bool = False) -> None:
        super().__init__(world, seed, cascades=cascades)
        chance = random.Random(seed)  # noqa: S311  (chance, not a secret)
        self._is_stale = False
        world.cloud.set_stale(lambda: (SECONDS if seed % 2 else chance.uniform(0.0, SECONDS)) * self._is_stale)

    def _preview(self, stage: Stage) -> list[str]:
        return self._stale(lambda: super(StaleWalker, self)._preview(stage))

    def _up(self, stage: Stage) -> list[str]:
        return self._stale(lambda: super(StaleWalker, self)._up(stage))

    def _destroy(self) -> list[str]:
        return self._stale(super()._destroy)

    def _stale(self, command: Callable[[], list[str]]) -> list[str]:
        self._is_stale = True
        try:
            return command()
        finally:
            self._is_stale = False


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_cloud_converges_to_program(world: SharedWorld, seed: int) -> None:
    """After every `up` the cloud has exactly the declared objects, and a destroy deletes everything."""
    candidate = walk(seed)
    # Otherwise the next `up` follows immediately.
    between = (lambda: world.pass_time(LATER)) if seed % 3 == 0 else (lambda: None)
    if failure := run(StaleWalker(world, seed, cascades=candidate.cascades), candidate, between):
        pytest.fail(format_failure(candidate, failure, seed), pytrace=False)
