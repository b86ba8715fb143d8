"""A scene that is played with something going wrong in it, and what has to hold afterwards, whatever it was."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.scenes import PASSWORD, USER_DATA, Scene
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tests.faults.wire import Request
    from tests.faults.world import EmulatedWorld, Moment

HIDDEN = (PASSWORD, USER_DATA, "PRIVATE KEY", "gAAAA")


@dataclass
class Rehearsal:
    """What a scene is when nothing goes wrong.

    Attributes:
        cloud: The cloud before.
        state: What the engine's state knows before.
        ids: What there is before that the resource is not.
        requests: What the operation asks of the API.
        truth: What there is afterwards.
    """

    cloud: Moment
    state: steps.State | None
    ids: set[str]
    requests: list[Request]
    truth: list[str]


_rehearsed: dict[Scene, Rehearsal] = {}


def rehearsed(scene: Scene, world: EmulatedWorld) -> Rehearsal:
    """Run the scene undisturbed, once for all tests."""
    if scene not in _rehearsed:
        world.restore(world.start)
        world.connect()
        it = world.resource(scene.kind)
        ids = world.ids()
        if scene.before:
            it.up(**scene.before(world))
        cloud, state = world.keep(), copy.deepcopy(it.state)
        world.connect(warm=not scene.cold)
        world.wire.expect()
        perform(scene, it, world)
        requests = list(world.wire.seen)
        _rehearsed[scene] = Rehearsal(cloud, state, ids, requests, world.truth())
    return _rehearsed[scene]


def perform(scene: Scene, it: steps.Resource, world: EmulatedWorld) -> None:
    """Do what the scene is about."""
    if scene.refreshes:
        it.refresh()
    elif scene.after:
        it.up(**scene.after(world))
    elif it.state:
        it.destroy()


def staged(scene: Scene, world: EmulatedWorld) -> steps.Resource:
    """Put the world back to where the scene begins."""
    rehearsal = rehearsed(scene, world)
    world.restore(rehearsal.cloud)
    world.connect(warm=not scene.cold)
    it = world.resource(scene.kind)
    it.state = copy.deepcopy(rehearsal.state)
    return it


def attempt(scene: Scene, it: steps.Resource, world: EmulatedWorld) -> str | None:
    """Do what the scene is about; how the user is told that it failed, None where it did not."""
    try:
        perform(scene, it, world)
    except steps.Refused as error:
        return f"check {error}"
    except steps.Failed as error:
        return str(error)
    return None


def nothing_unknown(scene: Scene, it: steps.Resource, world: EmulatedWorld, failure: str) -> Iterator[str]:
    """Whether the state knows all that there is."""
    known = {it.state.id, *it.state.id.split("/")} | world.owned(it.state.id) if it.state else set()
    if strangers := world.ids() - rehearsed(scene, world).ids - known:
        yield f"not in the state: {strangers}, after: {failure}"


def check_error_message(failure: str, it: steps.Resource, said: Collection[str]) -> Iterator[str]:
    """Whether a failure is one line with reason and id, and without a secret."""
    if "\n" in failure or "Traceback" in failure or "a defect of" in failure:
        yield f"not one line for a user: {failure}"
    if not any(words in failure for words in said):
        yield f"no reason: {failure}"
    if it.state and it.state.id not in failure and not failure.startswith("check "):
        yield f"no id: {failure}"
    if hidden := [secret for secret in HIDDEN if secret in failure]:
        yield f"tells {hidden}: {failure}"


def clears(scene: Scene, it: steps.Resource, world: EmulatedWorld, failure: str) -> Iterator[str]:
    """Whether a `destroy` instead of another `up` leaves nothing; the world is put back afterwards."""
    moment, state = world.keep(), copy.deepcopy(it.state)
    try:
        it.destroy()
        if left := world.ids() - rehearsed(scene, world).ids:
            yield f"destroy at once left {left}, after: {failure}"
    except steps.Failed as error:
        yield f"destroy at once failed: {error}, after: {failure}"
    world.restore(moment)
    world.connect()
    it.state = state


def goes_on(scene: Scene, it: steps.Resource, world: EmulatedWorld, failure: str | None) -> Iterator[str]:
    """Whether the next runs bring about what the program says, and nothing else."""
    rehearsal = rehearsed(scene, world)
    try:
        if failure is not None:
            if scene.refreshes and it.state is None:
                yield f"a refresh that failed forgot what is there: {failure}"
            perform(scene, it, world)
        if (now := world.truth()) != rehearsal.truth:
            yield f"{_difference(rehearsal.truth, now)}, after: {failure}"
        if scene.after and (step := it.preview(**scene.after(world))) != steps.SAME:
            yield f"is not at rest: {step}, after: {failure}"
        it.destroy()
        if left := world.ids() - rehearsal.ids:
            yield f"destroy left {left}, after: {failure}"
    except (steps.Failed, steps.Refused) as error:
        yield f"the next run failed: {error}, after: {failure}"


def _difference(wanted: list[str], there: list[str]) -> str:
    missing = [item for item in wanted if item not in there]
    surplus = [item for item in there if item not in wanted]
    if not missing and not surplus:
        surplus = [item for item in set(there) if there.count(item) != wanted.count(item)]
    return f"missing {missing}, there is {surplus}"
