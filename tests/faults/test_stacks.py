"""Two stacks in one project of the cloud: another one creates the same, during an operation of the first one.

The other stack has a resource of the same kind with the same name and inputs. Both get an object of their own, or,
where only one can exist, one of them fails with an error. Nothing that a stack does touches what the other one has.
Only what relates two objects, such as an attachment, belongs to both stacks if both programs declare it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.repetitions import STACKS, count
from tests.faults.scenes import SCENES, Scene
from tests.faults.trial import attempt, difference, rehearse, stage
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.world import EmulatedWorld
    from tests.support.steps import Resource

OTHER = "other"
SHARED = ("adopt", "create-by-port")
"""Scenes in which both stacks would manage one object because the programs say so: the object, or a port that ends with
the interface that it becomes."""
RELATIONS = ("FloatingIpAssociation", "InterfaceAttachment", "RouterRoute", "VolumeAttachment")
"""Kinds that relate two objects: the API does not tell whether a relation existed before the request."""
INTERLEAVED = [scene for scene in SCENES if scene.name not in SHARED]


class OtherStack:
    """Creates its resource before one request of the first stack."""

    def __init__(self, scene: Scene, world: EmulatedWorld, at: int) -> None:
        self._scene, self._world, self._remaining = scene, world, at
        self.failure: str | None = None
        self.resource: Resource = world.resource(scene.kind, scene.resource)
        self.resource.stack = OTHER
        self._send = world.wire.send

    def send(self, request: Any, **options: Any) -> Any:
        """Send a request of the first stack."""
        self._remaining -= 1
        if self._remaining == -1:
            with self._world.other_process():
                self.failure = self.up()
        return self._send(request, **options)

    def up(self) -> str | None:
        """Create the object; return the error message if that fails."""
        program = self._scene.after or self._scene.before
        assert program
        try:
            self.resource.up(**program(self._world))
        except steps.Refused as error:
            return f"check {error}"
        except steps.Failed as error:
            return str(error)
        return None


def run_interleaved(scene: Scene, world: EmulatedWorld, at: int) -> Iterator[str]:
    """Run the scene while another stack creates the same before a request, and yield the problems."""
    resource = stage(scene, world)
    with pytest.MonkeyPatch.context() as patch:
        other = OtherStack(scene, world, at)
        patch.setattr(world.wire, "send", other.send)
        failure = attempt(scene, resource, world)
    both = f"first: {failure}, other: {other.failure}"
    if failure and other.failure:
        yield f"both failed: {both}"
    yield from (f"not for a user: {text}" for text in (failure, other.failure) if text and not _is_for_user(text))
    world.connect()
    if failure:
        # Without the other stack, the next `up` of the first one succeeds.
        yield from _destroy(other.resource, both)
        world.connect()
        if again := attempt(scene, resource, world):
            yield f"the next run failed: {again}, after {both}"
    elif other.resource.state:
        if other.failure is None and (step := _preview(scene, other.resource, world)) != steps.SAME:
            yield f"the other stack shows {step}, after {both}"
        yield from _destroy(other.resource, both)
    if scene.kind in RELATIONS and resource.state:
        _restore(scene, resource, world)
    if (actual := world.contents()) != (expected := rehearse(scene, world).contents):
        yield f"{difference(expected, actual)}, after {both}"
    world.connect()
    if scene.after and (step := _preview(scene, resource, world)) != steps.SAME:
        yield f"the next preview shows {step}, after {both}"
    yield from _destroy(resource, both)
    if remaining := world.ids() - rehearse(scene, world).ids:
        yield f"not deleted: {remaining}, after {both}"


def _is_for_user(error: str) -> bool:
    return "\n" not in error and "internal error" not in error


def _restore(scene: Scene, resource: Resource, world: EmulatedWorld) -> None:
    """Run `up --refresh`, after the other stack has removed what belongs to both."""
    world.connect()
    resource.refresh()
    if scene.after:
        world.connect()
        resource.up(**scene.after(world))


def _preview(scene: Scene, resource: Resource, world: EmulatedWorld) -> steps.Step:
    program = scene.after or scene.before
    assert program
    return resource.preview(**program(world))


def _destroy(resource: Resource, both: str) -> Iterator[str]:
    try:
        resource.destroy()
    except steps.Failed as error:
        yield f"destroy failed: {error}, after {both}"


@pytest.mark.parametrize("scene", INTERLEAVED, ids=lambda scene: scene.id)
def test_other_stack_is_not_touched(
    scene: Scene, request: pytest.FixtureRequest, record_property: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stack touches only its own objects, whenever the other one creates the same."""
    monkeypatch.setattr(steps, "TIMEOUT", 60.0)
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    requests = rehearse(scene, world).requests
    # Before each change, and after the last one at the end of the operation.
    cells = sorted({at for at, each in enumerate(requests) if each.changes} | {0, len(requests) - 1})
    count(record_property, STACKS, scene.kind, len(cells))
    problems = [f"{at} {requests[at]}: {problem}" for at in cells for problem in run_interleaved(scene, world, at)]
    assert not problems, "\n" + "\n".join(problems)
