"""A create request stalls, and the API carries it out when the client has long given up."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.faults.scenes import SCENES, Scene
from tests.faults.trial import attempt, rehearsed, staged
from tests.faults.wire import FAULTS
from tests.support import steps

if TYPE_CHECKING:
    from tests.faults.wire import Request
    from tests.faults.world import EmulatedWorld

STALL = next(fault for fault in FAULTS if fault.name == "stall")
CREATED = ("servers", "volumes", "networks", "subnets", "ports")
"""The collections to which a second request adds a second object; a name, or a pair of ids, is there only once."""
MAKES_NOTHING = ("KeyPair-create", "VolumeAttachment-create", "InterfaceAttachment-create")
CREATES = [scene for scene in SCENES if scene.name.startswith("create") and scene.id not in MAKES_NOTHING]


def _creates(request: Request) -> bool:
    return request.method == "POST" and request.path.rpartition("/")[2] in CREATED


def _kinds(world: EmulatedWorld) -> Counter[str]:
    """How many objects of each kind there are."""
    return Counter(json.loads(line)[0] for line in world.truth())


@pytest.mark.parametrize("scene", CREATES, ids=lambda scene: scene.id)
def test_create_that_takes_effect_late_is_not_doubled(
    scene: Scene, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent once in a run, whose failure says that the object may still appear."""
    monkeypatch.setattr(steps, "TIMEOUT", 600.0)
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    rehearsal = rehearsed(scene, world)
    expected = Counter(json.loads(line)[0] for line in rehearsal.truth)
    creates = [at for at, asked in enumerate(rehearsal.requests) if _creates(asked)]
    assert creates
    for stalled in creates:
        it = staged(scene, world)
        world.wire.expect(STALL, partial(_is_number, stalled))
        failure = attempt(scene, it, world)
        world.wire.carry_out()
        assert failure
        assert "it may still appear, so this run does not ask for it again" in failure
        assert sum(map(_creates, world.wire.seen)) == creates.index(stalled) + 1
        assert not _kinds(world) - expected, "doubled"


def _is_number(expected: int, _: Request, number: int) -> bool:
    return number == expected
