"""The cells of the fault matrix that only repeat another cell, and why.

A run tests all other cells. With `FAULTS_ALL=1`, which `make thorough` sets, it tests these as well.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from tests.faults.scenes import SCENES, Scene
from tests.faults.trial import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from tests.faults.wire import Fault, Request
    from tests.faults.world import EmulatedWorld

Recorder: TypeAlias = "Callable[[str, object], None]"
Cells: TypeAlias = "list[tuple[int, Request]]"
"""Requests of a scene with their indexes."""

EVERY_CELL = os.environ.get("FAULTS_ALL") == "1"
CLIENT = "ecs_pulumi.cloud."

SAME_LINES = "the same lines of the provider send the same read after the same changes in another cell"
ABSORBED = "the client repeats a read after a fault that occurs once, whichever operation sends it"
NO_EFFECT = "a read has no effect, so that another fault is the same for it"
SAME_CLIENT = "the client recognizes the failure of a proxy, whichever operation sends the request"
UNCHANGED = "a kill at a read leaves the same objects as the kill before the next change"
OTHER_SEED = "another seed chooses the ages of stale reads anew"
REASONS = (SAME_LINES, ABSORBED, NO_EFFECT, SAME_CLIENT, UNCHANGED, OTHER_SEED)
GONE = "a 404 for the object of the operation is no fault: the object is deleted"
"""Why a cell is not tested by `make thorough` either."""

FAULTS, PROXY, KILLS = "faults", "proxy", "kills"
STALLS, OUTCOMES, STALE, CLOCKS, STACKS = "stalls", "outcomes", "stale reads", "clocks", "two stacks"
CLASSES = (FAULTS, PROXY, KILLS, STALLS, OUTCOMES, STALE, CLOCKS, STACKS)
"""The classes of faults, for the size of the matrix."""
CELLS = "cells"


@dataclass(frozen=True)
class Firsts:
    """The requests of all scenes of one kind in one dialect that no earlier request repeats.

    Attributes:
        lines: The first request of each code path after the same changes.
        client: The first request of each code path within the client.
    """

    lines: frozenset[tuple[Scene, int]]
    client: frozenset[tuple[Scene, int]]


@cache
def _firsts(kind: str, world: EmulatedWorld) -> Firsts:
    lines: dict[Hashable, tuple[Scene, int]] = {}
    client: dict[Hashable, tuple[Scene, int]] = {}
    for scene in SCENES:
        if (scene.kind, scene.dialect) != (kind, world.name):
            continue
        changes: tuple[str, ...] = ()
        for at, request in enumerate(rehearse(scene, world).requests):
            lines.setdefault((str(request), changes, request.sent_by), (scene, at))
            within = tuple(line for line in request.sent_by if line.module.startswith(CLIENT))
            client.setdefault((str(request), within), (scene, at))
            if request.changes:
                changes += (str(request),)
    return Firsts(frozenset(lines.values()), frozenset(client.values()))


def is_absorbed(request: Request, fault: Fault, *, persistent: bool) -> bool:
    """Whether the client repeats the request after the fault, so that the operation does not notice it."""
    return not request.changes and not persistent and not fault.refuses


def of_fault(scene: Scene, world: EmulatedWorld, at: int, fault: Fault, *, persistent: bool) -> str:
    """Return why the cell repeats another one; empty if it does not. A request that changes something never does."""
    request, firsts = rehearse(scene, world).requests[at], _firsts(scene.kind, world)
    if request.changes:
        return ""
    if fault.same_for_reads:
        return NO_EFFECT
    if (scene, at) not in firsts.lines:
        return SAME_LINES
    if is_absorbed(request, fault, persistent=persistent) and (scene, at) not in firsts.client:
        return ABSORBED
    return ""


def of_proxy_fault(scene: Scene, world: EmulatedWorld, at: int) -> str:
    """Return why the cell with a fault of a proxy repeats another one; empty if it does not."""
    return "" if (scene, at) in _firsts(scene.kind, world).client else SAME_CLIENT


def of_kill(scene: Scene, world: EmulatedWorld, at: int, *, after: bool) -> str:
    """Return why the cell with a kill repeats another one; empty if it does not."""
    requests = rehearse(scene, world).requests
    # The first and the last kill show that the matrix covers the whole operation, also if it only reads.
    edge = len(requests) - 1 if after else 0
    return "" if requests[at].changes or at == edge else UNCHANGED


def count(
    record_property: Recorder, fault_class: str, kind: str, tested: int = 1, left: Mapping[str, int] | None = None
) -> None:
    """Count cells for the summary of the run.

    Args:
        record_property: The fixture of the test.
        fault_class: One of `CLASSES`.
        kind: The kind of the resource.
        tested: The number of cells that the test runs.
        left: The number of cells that it leaves out, by reason.
    """
    record_property(CELLS, [fault_class, kind, tested, dict(left or {})])


def select(cells: Cells, reason: Callable[[int], str], record_property: Recorder, fault_class: str, kind: str) -> Cells:
    """Return the cells to test, and count them and those that are left out for the summary of the run."""
    reasons = {at: found for at, _ in cells if (found := reason(at)) and (found == GONE or not EVERY_CELL)}
    count(record_property, fault_class, kind, len(cells) - len(reasons), Counter(reasons.values()))
    return [(at, request) for at, request in cells if at not in reasons]
