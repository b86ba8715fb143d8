"""Stale reads: every operation of every kind while each GET shows the state of some seconds ago.

A client cannot tell such a read from a current one. The provider must not conclude from it that its own last write had
no effect, nor that an object is gone which the state contains. A refresh may take over values from before the last
update; the next `up` then finds the remote object as it has to be.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.repetitions import EVERY_CELL, OTHER_SEED, STALE, count
from tests.faults.scenes import NAMED, SCENES, Scene
from tests.faults.test_death import run_until_killed
from tests.faults.trial import attempt, check_error_message, check_no_orphans, difference, rehearse, stage
from tests.faults.wire import FAULTS
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.world import EmulatedWorld
    from tests.support.steps import Resource

SECONDS = 5.0
LATER = 10.0
SEEDS = tuple(range(1, 11 if EVERY_CELL else 2))
LEFT = {} if EVERY_CELL else {OTHER_SEED: 9}
"""The cells of the other seeds, for the operation with the first seed."""
LOST = next(fault for fault in FAULTS if fault.name == "dropped-after")


def ages(name: str) -> Callable[[], float]:
    """Return a function that chooses the age of each read: always the oldest, or at random with a seed."""
    if name == "oldest":
        return lambda: SECONDS
    return partial(random.Random(int(name.removeprefix("seed-"))).uniform, 0.0, SECONDS)  # noqa: S311


AGES = ("oldest", *(f"seed-{seed}" for seed in SEEDS))


class StaleReads:
    """Stale reads of a world, which a check can suspend."""

    def __init__(self, world: EmulatedWorld, age: str) -> None:
        choose = ages(age)
        self.active = True
        world.cloud.set_stale(lambda: choose() if self.active else 0.0)


def check_afterwards(scene: Scene, resource: Resource, world: EmulatedWorld, stale: StaleReads) -> Iterator[str]:
    """Check the cloud and the state, a refresh and a destroy, each in a new process, and yield the problems."""
    stale.active = False
    if scene.after and (step := resource.preview(**scene.after(world))) != steps.SAME:
        yield f"the next preview shows {step}"
    stale.active = True
    if scene.after:
        yield from _refresh(scene, resource, world)
    stale.active = False
    if scene.after:
        world.pass_time(LATER)
    if (actual := world.contents()) != (expected := rehearse(scene, world).contents):
        yield difference(expected, actual)
    if scene.after and (step := resource.preview(**scene.after(world))) != steps.SAME:
        yield f"after a refresh, the next preview shows {step}"
    stale.active = True
    world.connect()
    try:
        resource.destroy()
    except steps.Failed as error:
        yield f"destroy failed: {error}"
    if remaining := world.ids() - rehearse(scene, world).ids:
        yield f"destroy did not delete {remaining}"


def _refresh(scene: Scene, resource: Resource, world: EmulatedWorld) -> Iterator[str]:
    """Refresh in a new process, and run `up` in another one."""
    assert scene.after
    world.connect()
    resource.refresh()
    if not resource.state:
        yield "the refresh removed the object from the state"
        return
    id_ = resource.id
    world.connect()
    resource.up(**scene.after(world))
    if resource.id != id_:
        yield "the refresh lets the next `up` replace the object"


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.id)
def test_stale_reads(scene: Scene, age: str, request: pytest.FixtureRequest, record_property: Any) -> None:
    """The operation succeeds, a refresh keeps the object, and a destroy right after the `up` deletes everything."""
    count(record_property, STALE, scene.kind, left=LEFT if age == "seed-1" else None)
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    resource = stage(scene, world)
    stale = StaleReads(world, age)
    failure = attempt(scene, resource, world)
    assert not failure
    assert not list(check_afterwards(scene, resource, world, stale))


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("scene", [scene for scene in SCENES if scene.before], ids=lambda scene: scene.id)
def test_stale_reads_after_create(scene: Scene, age: str, request: pytest.FixtureRequest, record_property: Any) -> None:
    """The same holds if another process has created the object immediately before."""
    count(record_property, STALE, scene.kind, left=LEFT if age == "seed-1" else None)
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    assert scene.before
    rehearse(scene, world)
    world.restore(world.start)
    stale = StaleReads(world, age)
    world.connect()
    resource = world.resource(scene.kind, scene.resource)
    resource.up(**scene.before(world))
    world.connect()
    failure = attempt(scene, resource, world)
    assert not failure
    assert not list(check_afterwards(scene, resource, world, stale))


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.id)
def test_lost_response_and_stale_reads(scene: Scene, request: pytest.FixtureRequest, record_property: Any) -> None:
    """If in addition the response to a request is lost, the operation or the next `up` converges without duplicates."""
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    cells = [(at, each) for at, each in enumerate(rehearse(scene, world).requests) if each.changes]
    count(record_property, STALE, scene.kind, len(cells))
    problems = [f"{at} {each}: {problem}" for at, each in cells for problem in _run_lost(scene, world, at)]
    assert not problems, "\n" + "\n".join(problems)


def _run_lost(scene: Scene, world: EmulatedWorld, at: int) -> Iterator[str]:
    resource = stage(scene, world)
    stale, target = StaleReads(world, "oldest"), rehearse(scene, world).requests[at]
    before = sum(each.is_like(target) for each in rehearse(scene, world).requests[:at])
    seen = 0

    def hit(recorded: Any, _: int) -> bool:
        nonlocal seen
        seen += recorded.is_like(target)
        return bool(recorded.is_like(target) and seen == before + 1)

    world.wire.inject(LOST, hit)
    failure = attempt(scene, resource, world)
    if not world.wire.fault_count:
        yield "the fault did not happen"
    world.wire.inject()
    if failure and scene.id in NAMED:
        return
    if failure:
        yield from check_error_message(failure, resource, LOST.messages)
        yield from check_no_orphans(scene, resource, world, failure)
        world.connect()
        if again := attempt(scene, resource, world):
            yield f"the next run failed: {again}"
            return
    yield from check_afterwards(scene, resource, world, stale)


@pytest.mark.parametrize("scene", [scene for scene in SCENES if not scene.before], ids=lambda scene: scene.id)
def test_killed_create_and_stale_reads(scene: Scene, request: pytest.FixtureRequest, record_property: Any) -> None:
    """If engine and provider are killed during a create, an `up` immediately afterwards creates no second object."""
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    cells = [(at, each) for at, each in enumerate(rehearse(scene, world).requests) if each.changes]
    count(record_property, STALE, scene.kind, len(cells))
    problems = [f"{at} {each}: {problem}" for at, each in cells for problem in _run_killed(scene, world, at)]
    assert not problems, "\n" + "\n".join(problems)


def _run_killed(scene: Scene, world: EmulatedWorld, at: int) -> Iterator[str]:
    resource = stage(scene, world)
    stale = StaleReads(world, "oldest")
    run_until_killed(scene, resource, world, at)
    resource.interrupted = [resource.pending_create] if resource.pending_create else []
    world.connect()
    if failure := attempt(scene, resource, world):
        if scene.id not in NAMED:
            yield f"the next run failed: {failure}"
        return
    yield from check_afterwards(scene, resource, world, stale)
