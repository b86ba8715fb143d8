"""Operations that the API accepts and the cloud does not complete: failed builds, reverted resizes, hanging deletes.

All API responses are correct; only the outcome is not. Each outcome runs with a scene of the fault matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import compute
from tests.faults.repetitions import OUTCOMES as OUTCOMES_CLASS
from tests.faults.repetitions import count
from tests.faults.scenes import SCENES, Scene
from tests.faults.trial import attempt, check_convergence, check_error_message, check_no_orphans, rehearse, stage
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.world import EmulatedWorld


@dataclass(frozen=True)
class Outcome:
    """A failure in the cloud.

    Attributes:
        name: The name of the outcome in the emulator.
        scene: The id of the scene that it affects.
        message: A part of the error message; empty if the operation succeeds.
        stuck: Whether the object needs manual intervention afterwards.
    """

    name: str
    scene: str
    message: str = ""
    stuck: bool = False


OUTCOMES = [
    Outcome("fail-spawn", "Server-create", "is in ERROR: Exceeded maximum number of retries"),
    Outcome("no-host", "Server-create", "is in ERROR: No valid host was found"),
    Outcome("slow-spawn", "Server-create"),
    Outcome("auto-confirm", "Server-resize"),
    Outcome("fallback-resize", "Server-resize", "the cloud did not resize to s1.medium: resize failed"),
    Outcome("fallback-resize", "Server-resize-running", "the cloud did not resize to s1.medium: resize failed"),
    Outcome("fail-resize", "Server-resize", "is in ERROR: Resize error", stuck=True),
    Outcome("fail-resize", "Server-resize-running", "is in ERROR: Resize error", stuck=True),
    Outcome("fail-confirm", "Server-resize", "is in ERROR: Confirm error", stuck=True),
    Outcome("fail-confirm", "Server-resize-running", "is in ERROR: Confirm error", stuck=True),
    Outcome("hang-delete", "Server-destroy", "to be gone after 60 s; last status: ACTIVE: deleting (req-"),
    Outcome("defer-delete", "Server-destroy-by-force"),
    Outcome("fail-attach", "VolumeAttachment-create", "failed to attach the volume (available): attach_volume failed"),
    Outcome(
        "fail-create",
        "Volume-create",
        "is in status error: create volume from backend storage:Driver failed",
    ),
    Outcome(
        "fail-extend", "Volume-extend", "is in status error_extending: extend volume:Volume Driver failed", stuck=True
    ),
    Outcome("fail-delete", "Volume-destroy", "the cloud could not delete it (error_deleting)", stuck=True),
]


@pytest.fixture(params=OUTCOMES, ids=lambda outcome: f"{outcome.scene}-{outcome.name}")
def outcome(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Each outcome, with an operation timeout of one minute."""
    monkeypatch.setattr(steps, "TIMEOUT", 60.0)
    param: Outcome = request.param
    return param


def _scene(outcome: Outcome) -> Scene:
    return next(scene for scene in SCENES if scene.id == outcome.scene)


def _run(outcome: Outcome, scene: Scene, world: EmulatedWorld) -> tuple[steps.Resource, str | None]:
    """Run the scene with the outcome; return the resource and the error message, if any."""
    resource = stage(scene, world)
    world.cloud.fault(outcome=outcome.name, times=1)
    failure = attempt(scene, resource, world)
    world.connect()
    return resource, failure


def _problems(outcome: Outcome, scene: Scene, world: EmulatedWorld) -> Iterator[str]:
    resource, failure = _run(outcome, scene, world)
    if failure is None:
        if outcome.message:
            yield "the operation succeeded"
    else:
        yield from check_error_message(failure, resource, [outcome.message or "no error expected"])
        yield from check_no_orphans(scene, resource, world, failure)
    if outcome.stuck:
        repeated = attempt(scene, resource, world) or "nothing"
        yield from check_error_message(repeated, resource, [outcome.message])
        _repair(resource, world)
    yield from check_convergence(scene, resource, world, failure)


def _repair(resource: steps.Resource, world: EmulatedWorld) -> None:
    """Do what the error message recommends: reboot the server, or reset the status of the volume."""
    if resource.kind == "Server":
        api = world.region.compute
        compute.action(api, resource.id, "reboot", {"type": "HARD"})
        api.clock.sleep(10.0)
    else:
        with world.cloud.state() as state:
            state.put("volume", {**(state.get("volume", resource.id) or {}), "status": "available"})
    world.connect()


def test_next_up_converges_after_failed_outcome(
    openstack: EmulatedWorld, outcome: Outcome, record_property: Any
) -> None:
    """The error has the reason and the id; the next `up` converges, or repeats the recommendation."""
    count(record_property, OUTCOMES_CLASS, _scene(outcome).kind)
    problems = list(_problems(outcome, _scene(outcome), openstack))
    assert not problems, "\n" + "\n".join(problems)


def test_destroy_after_failed_outcome(openstack: EmulatedWorld, outcome: Outcome, record_property: Any) -> None:
    """A destroy deletes the object, whatever status it has."""
    scene = _scene(outcome)
    count(record_property, OUTCOMES_CLASS, scene.kind)
    resource, _ = _run(outcome, scene, openstack)
    if scene.after is None and outcome.stuck:
        _repair(resource, openstack)
    resource.destroy()
    assert openstack.ids() == rehearse(scene, openstack).ids
