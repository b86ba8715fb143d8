"""A create request stalls, and the API executes it after the timeout of the client."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.repetitions import STALLS, count
from tests.faults.scenes import SCENES, Scene
from tests.faults.trial import attempt, rehearse, stage
from tests.faults.wire import FAULTS
from tests.support import steps

if TYPE_CHECKING:
    from tests.faults.wire import Request
    from tests.faults.world import EmulatedWorld

STALL = next(fault for fault in FAULTS if fault.name == "stall")
COLLECTIONS = (
    *("servers", "volumes", "networks", "subnets", "ports", "security-groups", "os-server-groups"),
    *("routers", "floatingips"),
)
"""The collections in which a repeated request creates a second object; other objects have a unique name or id pair."""
UNIQUE = ("KeyPair-create", "VolumeAttachment-create", "InterfaceAttachment-create")
UNIQUE_KINDS = ("SecurityGroupRule", "RouterInterface", "RouterRoute", "FloatingIpAssociation")
CREATES = [
    scene
    for scene in SCENES
    if scene.name.startswith("create") and scene.id not in UNIQUE and scene.kind not in UNIQUE_KINDS
]


def _creates(request: Request) -> bool:
    return request.method == "POST" and request.path.rpartition("/")[2] in COLLECTIONS


def _kinds(world: EmulatedWorld) -> Counter[str]:
    """Return the number of objects of each kind."""
    return Counter(json.loads(line)[0] for line in world.contents())


@pytest.mark.parametrize("scene", CREATES, ids=lambda scene: scene.id)
def test_create_that_takes_effect_after_timeout_is_not_repeated(
    scene: Scene, request: pytest.FixtureRequest, record_property: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run sends the create once, and fails with an error that the object may still appear."""
    monkeypatch.setattr(steps, "TIMEOUT", 600.0)
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    rehearsal = rehearse(scene, world)
    expected = Counter(json.loads(line)[0] for line in rehearsal.contents)
    creates = [at for at, recorded in enumerate(rehearsal.requests) if _creates(recorded)]
    assert creates
    count(record_property, STALLS, scene.kind, len(creates))
    for stalled in creates:
        resource = stage(scene, world)
        world.wire.inject(STALL, partial(_has_index, stalled))
        failure = attempt(scene, resource, world)
        world.wire.deliver_stalled()
        assert failure
        assert "it may still appear, so this run does not send the request again" in failure
        assert sum(map(_creates, world.wire.requests)) == creates.index(stalled) + 1
        assert not _kinds(world) - expected, "the create was repeated"


def _has_index(expected: int, _: Request, number: int) -> bool:
    return number == expected
