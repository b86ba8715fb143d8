"""Random programs with random edits: after every `up` the cloud matches the program."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.walks.cloud import SharedWorld, caches_preserved
from tests.walks.generator import random_walk, walk
from tests.walks.walking import find_failure, format_failure, minimize

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from tests.walks.model import Walk

SEEDS = int(os.environ.get("WALKS_SEEDS", "20"))
DRAWN = int(os.environ.get("WALKS_DRAWN", "10"))
FIRST = int(os.environ.get("WALKS_FIRST", "0"))
CHUNK = 5


@pytest.fixture(scope="module")
def world() -> Iterator[SharedWorld]:
    """A cloud with unmanaged objects."""
    with caches_preserved(), SharedWorld("openstack") as created:
        yield created


def check(candidate: Walk, world: SharedWorld, seed: int) -> None:
    """Run a walk, and fail with a minimal one that reproduces its failure."""
    if failure := find_failure(candidate, world, seed):
        pytest.fail(format_failure(*minimize(candidate, world, seed, failure), seed), pytrace=False)


@pytest.mark.parametrize("start", range(FIRST, FIRST + SEEDS, CHUNK))
def test_cloud_converges_to_program(world: SharedWorld, start: int) -> None:
    """After every `up` the cloud has exactly the declared objects, and the next preview shows no changes.

    The same holds after a refresh. No unmanaged object changes, an `up` replaces and deletes only objects that its
    preview shows, and a destroy deletes everything that is not retained. A failure shows a minimal walk that reproduces
    it.
    """
    for seed in range(start, min(start + CHUNK, FIRST + SEEDS)):
        check(walk(seed), world, seed)


@pytest.mark.parametrize("start", range(FIRST, FIRST + DRAWN, CHUNK))
def test_cloud_converges_to_program_of_hypothesis(world: SharedWorld, start: int) -> None:
    """The same holds if hypothesis draws the walks, which prefers equal, first and last choices."""

    # The walks themselves are shortened, not the choices that led to them: another choice changes all that follow.
    @seeded(start)
    @settings(
        max_examples=CHUNK,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def run(chance: random.Random) -> None:
        check(random_walk(chance), world, start)

    run()
