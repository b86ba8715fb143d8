"""Run scenes with a failure, and check the conditions that have to hold after every failure."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.scenes import PASSWORD, USER_DATA, Scene
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tests.faults.wire import Request
    from tests.faults.world import EmulatedWorld, Snapshot

HIDDEN = (PASSWORD, USER_DATA, "PRIVATE KEY", "gAAAA")


@dataclass
class Rehearsal:
    """The recording of a scene without failures.

    Attributes:
        cloud: The snapshot of the cloud before the operation.
        state: The entry of the resource in the state before the operation.
        ids: The ids of the objects that do not belong to the resource.
        requests: The requests of the operation.
        contents: The contents of the cloud after the operation.
    """

    cloud: Snapshot
    state: steps.State | None
    ids: set[str]
    requests: list[Request]
    contents: list[str]


_rehearsals: dict[tuple[Scene, EmulatedWorld], Rehearsal] = {}


def rehearse(scene: Scene, world: EmulatedWorld) -> Rehearsal:
    """Run the scene without a failure, once for all tests."""
    if (scene, world) not in _rehearsals:
        world.restore(world.start)
        world.connect()
        resource = world.resource(scene.kind, scene.resource)
        ids = world.ids()
        if scene.before:
            resource.up(**scene.before(world))
        cloud, state = world.snapshot(), copy.deepcopy(resource.state)
        world.connect(warm=not scene.cold)
        world.wire.inject()
        perform(scene, resource, world)
        requests = list(world.wire.requests)
        _rehearsals[scene, world] = Rehearsal(cloud, state, ids, requests, world.contents())
    return _rehearsals[scene, world]


def perform(scene: Scene, resource: steps.Resource, world: EmulatedWorld) -> None:
    """Run the operation of the scene."""
    if scene.refreshes:
        resource.refresh()
    elif scene.after:
        resource.up(**scene.after(world))
    elif resource.state:
        resource.destroy()


def stage(scene: Scene, world: EmulatedWorld) -> steps.Resource:
    """Restore the initial state of the scene in cloud and state."""
    rehearsal = rehearse(scene, world)
    world.restore(rehearsal.cloud)
    world.connect(warm=not scene.cold)
    resource = world.resource(scene.kind, scene.resource)
    resource.state = copy.deepcopy(rehearsal.state)
    return resource


def attempt(scene: Scene, resource: steps.Resource, world: EmulatedWorld) -> str | None:
    """Run the operation of the scene; return its error message, or None if it succeeds."""
    try:
        perform(scene, resource, world)
    except steps.Refused as error:
        return f"check {error}"
    except steps.Failed as error:
        return str(error)
    return None


def check_no_orphans(scene: Scene, resource: steps.Resource, world: EmulatedWorld, failure: str) -> Iterator[str]:
    """Check that the state contains all objects of the resource."""
    managed = (
        {resource.state.id, *resource.state.id.split("/")} | world.owned_by_server(resource.state.id)
        if resource.state
        else set()
    )
    if orphans := world.ids() - rehearse(scene, world).ids - managed:
        yield f"not in the state: {orphans}, after: {failure}"


def check_error_message(failure: str, resource: steps.Resource, messages: Collection[str]) -> Iterator[str]:
    """Check that an error message is one line with reason and id, and without secrets."""
    if "\n" in failure or "Traceback" in failure or "internal error in" in failure:
        yield f"not one line for a user: {failure}"
    if not any(words in failure for words in messages):
        yield f"no reason: {failure}"
    if resource.state and resource.state.id not in failure and not failure.startswith("check "):
        yield f"no id: {failure}"
    if hidden := [secret for secret in HIDDEN if secret in failure]:
        yield f"contains {hidden}: {failure}"


def check_destroy(scene: Scene, resource: steps.Resource, world: EmulatedWorld, failure: str) -> Iterator[str]:
    """Check that a destroy without another `up` deletes all objects; restore the world afterwards."""
    before, state = world.snapshot(), copy.deepcopy(resource.state)
    try:
        resource.destroy()
        if remaining := world.ids() - rehearse(scene, world).ids:
            yield f"destroy did not delete {remaining}, after: {failure}"
    except steps.Failed as error:
        yield f"destroy failed: {error}, after: {failure}"
    world.restore(before)
    world.connect()
    resource.state = state


def check_convergence(
    scene: Scene, resource: steps.Resource, world: EmulatedWorld, failure: str | None
) -> Iterator[str]:
    """Check that the next run converges to the program, and that a destroy deletes all objects."""
    rehearsal = rehearse(scene, world)
    try:
        if failure is not None:
            if scene.refreshes and resource.state is None:
                yield f"a failed refresh removed the resource from the state: {failure}"
            perform(scene, resource, world)
        if (actual := world.contents()) != rehearsal.contents:
            yield f"{difference(rehearsal.contents, actual)}, after: {failure}"
        if scene.after and (step := resource.preview(**scene.after(world))) != steps.SAME:
            yield f"the next preview shows {step}, after: {failure}"
        resource.destroy()
        if remaining := world.ids() - rehearsal.ids:
            yield f"destroy did not delete {remaining}, after: {failure}"
    except (steps.Failed, steps.Refused) as error:
        yield f"the next run failed: {error}, after: {failure}"


def difference(expected: list[str], actual: list[str]) -> str:
    """Describe how the contents of the cloud differ from the expected ones."""
    missing = [item for item in expected if item not in actual]
    surplus = [item for item in actual if item not in expected]
    if not missing and not surplus:
        surplus = [item for item in set(actual) if actual.count(item) != expected.count(item)]
    return f"missing {missing}, unexpected {surplus}"
