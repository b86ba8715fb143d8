"""Random programs, edited and edited again: after every `up` the cloud is what the program says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.walks.cloud import OthersWorld, memory_kept
from tests.walks.edits import walk
from tests.walks.walking import broken, shortened, told

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = int(os.environ.get("WALKS_SEEDS", "20"))
FIRST = int(os.environ.get("WALKS_FIRST", "0"))
CHUNK = 5


@pytest.fixture(scope="module")
def world() -> Iterator[OthersWorld]:
    """A cloud in which others have things as well."""
    with memory_kept(), OthersWorld("openstack") as made:
        yield made


@pytest.mark.parametrize("start", range(FIRST, FIRST + SEEDS, CHUNK))
def test_the_cloud_follows_the_program(world: OthersWorld, start: int) -> None:
    """After every `up` it holds what the program declares and nothing else, and the next preview is empty.

    Also after a refresh. No object of somebody else's is touched, an `up` replaces and deletes only what its preview
    announces, and `destroy` leaves nothing. A failure shows the shortest walk that has it.
    """
    for seed in range(start, min(start + CHUNK, FIRST + SEEDS)):
        going = walk(seed)
        if found := broken(going, world, seed):
            pytest.fail(told(*shortened(going, world, seed, found), seed), pytrace=False)
