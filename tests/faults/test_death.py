"""The provider's process dies before or after each request of every operation, and the engine with it or without it.

What the engine then has is what it had before. Whatever was made and is not in there has to be found by
`python -m ecs_pulumi.orphans`. Where the engine died as well, its state proves what was under way, and the next `up`
continues with that.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.orphans import delete, find_orphans
from ecs_pulumi.stack import Stack
from tests.faults.conftest import CELLS
from tests.faults.scenes import SCENES, Scene
from tests.faults.trial import attempt, clears, goes_on, perform, rehearsed, staged
from tests.faults.world import BACKEND
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from tests.faults.world import EmulatedWorld
    from tests.support.steps import Resource


UNPROVEN = ("KeyPair-import", "Network-create-named-and-described")
"""Scenes of objects about which nothing says whose they are, but the state where the engine dies as well."""


class Death(BaseException):
    """The end of the process: nobody in it can do anything about it."""


class Mortal:
    """Lets a world's wire take one request too many: from then on nothing is sent any more."""

    def __init__(self, world: EmulatedWorld, at: int, *, after: bool, patch: pytest.MonkeyPatch) -> None:
        self._left = at
        self._after = after
        self._send = world.wire.send
        patch.setattr(world.wire, "send", self.send)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Carry one request, or die before it or after it."""
        self._left -= 1
        if self._left < 0:
            if self._left == -1 and self._after:
                self._send(request, **options)
            raise Death
        return self._send(request, **options)


def killed(scene: Scene, world: EmulatedWorld, at: int, *, after: bool, engine: bool) -> Iterator[str]:
    """Let the process die in the scene, and say what is wrong afterwards.

    Args:
        scene: What it is doing.
        world: Where.
        at: The number of the request.
        after: Whether that request still takes effect.
        engine: Whether the engine dies as well, which leaves a note in the state of what it was creating.
    """
    it = _dead(scene, world, at, after=after)
    world.connect()
    stack = _stack(it, world, engine=engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecs_pulumi.orphans.backend_fingerprint", lambda: BACKEND)
        found = find_orphans(stack)
    if found and not engine and scene.id not in UNPROVEN:
        # The state proves nothing: the next `up` names it, whatever else it is in the way of.
        refusal = attempt(scene, it, world)
        if not refusal or "ecs_pulumi.orphans" not in refusal:
            yield f"does not say what an earlier run left: {refusal}"
        world.connect()
    if left := delete(stack, found):
        yield f"not deleted: {left}"
    world.connect()
    if engine or scene.id not in UNPROVEN:
        yield from clears(scene, it, world, "the process died")
        yield from goes_on(scene, it, world, "the process died")
    elif scene.kind == "KeyPair" and (refusal := attempt(scene, it, world)) and 'adopt="known"' not in refusal:
        yield f"does not say how to import it: {refusal}"
    if engine and scene.before is None:
        it = _dead(scene, world, at, after=after)
        it.interrupted = [it.begun] if it.begun else []
        world.connect()
        yield from goes_on(scene, it, world, "engine and process died")


def _dead(scene: Scene, world: EmulatedWorld, at: int, *, after: bool) -> Resource:
    """The resource as the state has it once its process has died."""
    it = staged(scene, world)
    with pytest.MonkeyPatch.context() as patch:
        Mortal(world, at, after=after, patch=patch)
        try:
            perform(scene, it, world)
        except Death:
            pass
        else:
            raise AssertionError("it did not die")
    return it


def _stack(it: Resource, world: EmulatedWorld, *, engine: bool) -> Stack:
    """The stack as its state has it."""
    known = [{"urn": it.urn, "id": it.state.id}] if it.state else []
    base = [{"urn": "", "id": id_} for id_ in world.base.values()]
    begun = [{"urn": it.urn, "type": it.urn.split("::")[2], "inputs": it.begun}] if engine and it.begun else []
    return Stack(steps.PROJECT, steps.STACK, [*known, *base], world.config, begun)


def _ends() -> Iterator[Any]:
    """Every scene with every way to die in it."""
    for scene in SCENES:
        # Only a create leaves a note in the state.
        for after, engine in itertools.product((False, True), (False, True) if scene.before is None else (True,)):
            name = f"{scene.id}-{'after' if after else 'before'}-{'engine' if engine else 'provider'}"
            yield pytest.param(scene, after, engine, id=name)


@pytest.mark.parametrize(("scene", "after", "engine"), list(_ends()))
def test_nothing_is_lost_with_the_process(
    scene: Scene,
    after: bool,  # noqa: FBT001
    engine: bool,  # noqa: FBT001
    request: pytest.FixtureRequest,
    record_property: Any,
) -> None:
    """At whichever request it dies: what was made is found, the next `up` converges, `destroy` clears at any time."""
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    asked = rehearsed(scene, world).requests
    wrong: list[str] = []
    for at, each in enumerate(asked):
        wrong += [f"{at} {each}: {said}" for said in killed(scene, world, at, after=after, engine=engine)]
    record_property(CELLS, len(asked))
    assert not wrong, "\n" + "\n".join(wrong)
