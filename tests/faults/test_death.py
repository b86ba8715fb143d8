"""The provider process is killed before or after each request of every operation, with or without the engine.

The state is then the same as before the operation. `ecs-pulumi orphans` has to find every object that was
created and is not in the state. If the engine was killed as well, the state contains the pending operations, and the
next `up` continues them.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.orphans import delete, find_orphans
from ecs_pulumi.stack import Stack
from tests.faults.repetitions import KILLS, of_kill, select
from tests.faults.scenes import NAMED, SCENES, Scene
from tests.faults.trial import attempt, check_convergence, check_destroy, perform, rehearse, stage
from tests.faults.world import BACKEND
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from tests.faults.world import EmulatedWorld
    from tests.support.steps import Resource


WITHOUT_OWNER_MARKER = (
    *("KeyPair-import", "Network-create-named-and-described", "ServerGroup-create-named"),
    *("SecurityGroup-create-named-and-described", "SecurityGroupRule-create-described"),
    *("FloatingIp-create-described", "RouterInterface-create", "RouterInterface-create-by-port"),
    *("RouterRoute-create", "RouterRoute-create-otc", "RouterInterface-create-otc", "FloatingIp-create-otc"),
)
"""Scenes whose objects have no owner marker; only a pending operation of the state identifies them."""
IMPORTED = ("KeyPair", "RouterInterface", "RouterRoute")
"""Kinds whose objects are unique: without a pending operation, the next `up` says how to import what it finds."""
RELATIONS = ("RouterInterface", "RouterRoute", "FloatingIpAssociation", "VolumeAttachment")
"""Kinds that only relate two objects, so that nothing carries an owner marker.

What the killed run added is no double. Only a pending operation of the state identifies it for
`ecs-pulumi orphans`, and a destroy of either object names it.
"""


class ProcessKilled(BaseException):
    """The process is killed; a BaseException, so that the provider does not handle it."""


class KillSwitch:
    """Kills the process at one request of the wire of a world; later requests are not sent either."""

    def __init__(self, world: EmulatedWorld, at: int, *, after: bool, patch: pytest.MonkeyPatch) -> None:
        self._remaining = at
        self._after = after
        self._send = world.wire.send
        patch.setattr(world.wire, "send", self.send)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send one request, or raise ProcessKilled before or after it."""
        self._remaining -= 1
        if self._remaining < 0:
            if self._remaining == -1 and self._after:
                self._send(request, **options)
            raise ProcessKilled
        return self._send(request, **options)


def run_killed(scene: Scene, world: EmulatedWorld, at: int, *, after: bool, engine: bool) -> Iterator[str]:
    """Kill the process during the scene, and yield the problems that remain.

    Args:
        scene: The scene.
        world: The world.
        at: The index of the request.
        after: Whether the request takes effect before the kill.
        engine: Whether the engine is killed as well, so that a pending create stays in the state.
    """
    resource = _killed_resource(scene, world, at, after=after)
    resource.interrupted = [resource.pending_create] if engine and resource.pending_create else []
    world.connect()
    stack = _stack(resource, world, engine=engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecs_pulumi.orphans.backend_fingerprint", lambda: BACKEND)
        orphans = find_orphans(stack)
    if scene.id in NAMED:
        if engine and world.ids() != rehearse(scene, world).ids:
            error = attempt(scene, resource, world)
            if not error or 'adopt="' not in error:
                yield f"does not say how to import it: {error}"
        return
    if orphans and not engine and scene.id not in WITHOUT_OWNER_MARKER:
        # The state has no pending operation, so the next `up` has to report the orphan.
        error = attempt(scene, resource, world)
        if not error or "ecs-pulumi orphans" not in error:
            yield f"does not report the orphan of the killed run: {error}"
        world.connect()
    if not_deleted := delete(stack, orphans):
        yield f"not deleted: {not_deleted}"
    world.connect()
    if engine or scene.id not in WITHOUT_OWNER_MARKER:
        if engine or scene.kind not in RELATIONS:
            yield from check_destroy(scene, resource, world, "the process was killed")
        yield from check_convergence(scene, resource, world, "the process was killed")
    elif scene.kind in IMPORTED and (error := attempt(scene, resource, world)) and 'adopt="' not in error:
        yield f"does not say how to import it: {error}"
    if engine and scene.before is None:
        resource = _killed_resource(scene, world, at, after=after)
        resource.interrupted = [resource.pending_create] if resource.pending_create else []
        world.connect()
        yield from check_convergence(scene, resource, world, "engine and process were killed")


def _killed_resource(scene: Scene, world: EmulatedWorld, at: int, *, after: bool) -> Resource:
    """Kill the process during the scene, and return the resource with its state afterwards."""
    resource = stage(scene, world)
    run_until_killed(scene, resource, world, at, after=after)
    return resource


def run_until_killed(scene: Scene, resource: Resource, world: EmulatedWorld, at: int, *, after: bool = True) -> None:
    """Run the scene until the process is killed before or after a request."""
    with pytest.MonkeyPatch.context() as patch:
        KillSwitch(world, at, after=after, patch=patch)
        try:
            perform(scene, resource, world)
        except ProcessKilled:
            pass
        else:
            raise AssertionError("the process was not killed")


def _stack(resource: Resource, world: EmulatedWorld, *, engine: bool) -> Stack:
    """Return the stack as the state describes it."""
    managed = [{"urn": resource.urn, "id": resource.state.id}] if resource.state else []
    base = [{"urn": "", "id": id_} for id_ in world.base.values()]
    pending = (
        [{"urn": resource.urn, "type": resource.urn.split("::")[2], "inputs": resource.pending_create}]
        if engine and resource.pending_create
        else []
    )
    return Stack(steps.PROJECT, steps.STACK, [*managed, *base], world.config, pending)


def _cases() -> Iterator[Any]:
    """Yield every scene with every combination of a kill before or after a request, with or without the engine."""
    for scene in SCENES:
        # Only a create leaves a pending operation in the state.
        for after, engine in itertools.product((False, True), (False, True) if scene.before is None else (True,)):
            name = f"{scene.id}-{'after' if after else 'before'}-{'engine' if engine else 'provider'}"
            yield pytest.param(scene, after, engine, id=name)


@pytest.mark.parametrize(("scene", "after", "engine"), list(_cases()))
def test_killed_process_leaves_no_undetected_orphan(
    scene: Scene,
    after: bool,  # noqa: FBT001
    engine: bool,  # noqa: FBT001
    request: pytest.FixtureRequest,
    record_property: Any,
) -> None:
    """After a kill at any request, orphans are found, the next `up` converges, and a destroy deletes everything."""
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    requests = list(enumerate(rehearse(scene, world).requests))
    problems: list[str] = []
    for at, each in select(requests, partial(of_kill, scene, world, after=after), record_property, KILLS, scene.kind):
        problems += [f"{at} {each}: {problem}" for problem in run_killed(scene, world, at, after=after, engine=engine)]
    assert not problems, "\n" + "\n".join(problems)
