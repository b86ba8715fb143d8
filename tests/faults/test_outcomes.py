"""What the cloud takes on and does not bring about: a build that fails, a resize that falls back, a delete that hangs.

The API's answers are all as they should be; only what follows is not. Each is played as a scene of the matrix is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.cloud import compute
from tests.faults.scenes import SCENES, Scene
from tests.faults.trial import attempt, check_error_message, goes_on, nothing_unknown, rehearsed, staged
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.world import EmulatedWorld


@dataclass(frozen=True)
class Outcome:
    """Something that goes wrong in the cloud.

    Attributes:
        name: As the emulator calls it.
        scene: The operation it goes wrong in.
        said: What the user has to read; empty where he need not know.
        wedged: Whether the object has to be helped out of where it ends.
    """

    name: str
    scene: str
    said: str = ""
    wedged: bool = False


OUTCOMES = [
    Outcome("fail-spawn", "Server-create", "is in ERROR: Exceeded maximum number of retries"),
    Outcome("no-host", "Server-create", "is in ERROR: No valid host was found"),
    Outcome("slow-spawn", "Server-create"),
    Outcome("auto-confirm", "Server-resize"),
    Outcome("fallback-resize", "Server-resize", "the cloud did not resize to s1.medium: resize failed"),
    Outcome("fallback-resize", "Server-resize-running", "the cloud did not resize to s1.medium: resize failed"),
    Outcome("fail-resize", "Server-resize", "is in ERROR: Resize error", wedged=True),
    Outcome("fail-resize", "Server-resize-running", "is in ERROR: Resize error", wedged=True),
    Outcome("fail-confirm", "Server-resize", "is in ERROR: Confirm error", wedged=True),
    Outcome("fail-confirm", "Server-resize-running", "is in ERROR: Confirm error", wedged=True),
    Outcome("hang-delete", "Server-destroy", "to be gone after 60 s; last seen: ACTIVE: deleting (req-"),
    Outcome("defer-delete", "Server-destroy-by-force"),
    Outcome("fail-attach", "VolumeAttachment-create", "did not take the volume (available): attach_volume failed"),
    Outcome(
        "fail-create",
        "Volume-create",
        "is in status error: create volume from backend storage:Driver failed",
    ),
    Outcome(
        "fail-extend", "Volume-extend", "is in status error_extending: extend volume:Volume Driver failed", wedged=True
    ),
    Outcome("fail-delete", "Volume-destroy", "the cloud could not delete it (error_deleting)", wedged=True),
]


@pytest.fixture(params=OUTCOMES, ids=lambda outcome: f"{outcome.scene}-{outcome.name}")
def outcome(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Each of them, in operations that may last a minute."""
    monkeypatch.setattr(steps, "TIMEOUT", 60.0)
    found: Outcome = request.param
    return found


def _scene(outcome: Outcome) -> Scene:
    return next(scene for scene in SCENES if scene.id == outcome.scene)


def _happens(outcome: Outcome, scene: Scene, world: EmulatedWorld) -> tuple[steps.Resource, str | None]:
    """Play the scene with the outcome, as far as its end."""
    it = staged(scene, world)
    world.cloud.fault(outcome=outcome.name, times=1)
    failure = attempt(scene, it, world)
    world.connect()
    return it, failure


def _wrong(outcome: Outcome, scene: Scene, world: EmulatedWorld) -> Iterator[str]:
    it, failure = _happens(outcome, scene, world)
    if failure is None:
        if outcome.said:
            yield "it was not noticed"
    else:
        yield from check_error_message(failure, it, [outcome.said or "nothing should be said"])
        yield from nothing_unknown(scene, it, world, failure)
    if outcome.wedged:
        again = attempt(scene, it, world) or "nothing"
        yield from check_error_message(again, it, [outcome.said])
        _help(it, world)
    yield from goes_on(scene, it, world, failure)


def _help(it: steps.Resource, world: EmulatedWorld) -> None:
    """Do what the failure says that would help: reboot the server; have the volume's state reset."""
    if it.kind == "Server":
        api = world.region.compute
        compute.action(api, it.id, "reboot", {"type": "HARD"})
        api.clock.sleep(10.0)
    else:
        with world.cloud.state() as state:
            state.put("volume", {**(state.get("volume", it.id) or {}), "status": "available"})
    world.connect()


def test_the_next_up_brings_it_about(openstack: EmulatedWorld, outcome: Outcome) -> None:
    """The user reads the cloud's reason and the id; the next `up` converges, or says again what helps."""
    wrong = list(_wrong(outcome, _scene(outcome), openstack))
    assert not wrong, "\n" + "\n".join(wrong)


def test_destroy_clears_it(openstack: EmulatedWorld, outcome: Outcome) -> None:
    """Nothing of it keeps the object from going, whatever it ended in."""
    scene = _scene(outcome)
    it, _ = _happens(outcome, scene, openstack)
    if scene.after is None and outcome.wedged:
        _help(it, openstack)
    it.destroy()
    assert openstack.ids() == rehearsed(scene, openstack).ids
