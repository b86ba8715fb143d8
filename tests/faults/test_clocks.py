"""The clock of the cloud is minutes ahead of that of this computer, or behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.repetitions import CLOCKS, count
from tests.faults.scenes import NAMED, SCENES, Scene
from tests.faults.test_matrix import run_with_fault
from tests.faults.trial import attempt, rehearse, stage
from tests.faults.wire import FAULTS
from tests.faults.world import EmulatedWorld
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MINUTES = (-10, 10)
LOST = next(fault for fault in FAULTS if fault.name == "dropped-after")
SCENES_OF_CLOUD = [scene for scene in SCENES if scene.dialect != "old"]


@pytest.fixture(
    scope="module", params=MINUTES, ids=lambda minutes: f"{abs(minutes)}-min-{'ahead' if minutes > 0 else 'behind'}"
)
def worlds(request: pytest.FixtureRequest) -> Iterator[dict[str, EmulatedWorld]]:
    """The clouds with this clock, by dialect; their tokens expire after an hour."""
    seconds = 60.0 * request.param
    with EmulatedWorld("openstack", ahead=seconds) as openstack, EmulatedWorld("otc", ahead=seconds) as otc:
        yield {"openstack": openstack, "otc": otc}


@pytest.mark.parametrize("scene", SCENES_OF_CLOUD, ids=lambda scene: scene.id)
def test_operation(scene: Scene, worlds: dict[str, EmulatedWorld], record_property: Any) -> None:
    """The operation succeeds, also if the response to one of its requests that change something is lost."""
    world = worlds[scene.dialect]
    resource = stage(scene, world)
    assert attempt(scene, resource, world) is None
    if scene.after:
        assert resource.preview(**scene.after(world)) == steps.SAME
    cells = [at for at, request in enumerate(rehearse(scene, world).requests) if request.changes]
    count(record_property, CLOCKS, scene.kind, 1 + len(cells))
    problems = [problem for at in cells for problem in run_with_fault(scene, world, LOST, at, persistent=False)]
    assert not problems or scene.id in NAMED, "\n".join(problems)
