"""Random programs with random edits: after every `up` the cloud matches the program."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.walks.cloud import SharedWorld, caches_preserved
from tests.walks.generator import walk
from tests.walks.walking import find_failure, format_failure, minimize

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = int(os.environ.get("WALKS_SEEDS", "20"))
FIRST = int(os.environ.get("WALKS_FIRST", "0"))
CHUNK = 5


@pytest.fixture(scope="module")
def world() -> Iterator[SharedWorld]:
    """A cloud with unmanaged objects."""
    with caches_preserved(), SharedWorld("openstack") as created:
        yield created


@pytest.mark.parametrize("start", range(FIRST, FIRST + SEEDS, CHUNK))
def test_cloud_converges_to_program(world: SharedWorld, start: int) -> None:
    """After every `up` the cloud has exactly the declared objects, and the next preview shows no changes.

    The same holds after a refresh. No unmanaged object changes, an `up` replaces and deletes only objects that its
    preview shows, and a destroy deletes everything. A failure shows a minimal walk that reproduces it.
    """
    for seed in range(start, min(start + CHUNK, FIRST + SEEDS)):
        candidate = walk(seed)
        if failure := find_failure(candidate, world, seed):
            pytest.fail(format_failure(*minimize(candidate, world, seed, failure), seed), pytrace=False)
