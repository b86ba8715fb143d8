"""Every fault, at every request, of every operation, of every kind.

An operation is run once undisturbed, and its requests are written down. Then it is run again for each of them and for
each fault, with that fault at that request, once and (where it could pass) without an end. Whatever happens: nothing is
lost, nothing is there twice, the next `up` brings about what the program says, and a `destroy` instead leaves nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.conftest import CELLS, PROXY_CELLS
from tests.faults.scenes import SCENES, Scene
from tests.faults.trial import attempt, check_error_message, clears, goes_on, nothing_unknown, rehearsed, staged
from tests.faults.wire import FAULTS, PROXY_FAULTS, Fault, Request
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.faults.world import EmulatedWorld

TRIALS = [
    *(pytest.param(fault, False, id=fault.name) for fault in FAULTS),
    *(pytest.param(fault, True, id=f"{fault.name}-lasting") for fault in FAULTS if fault.lasts),
]


def play(scene: Scene, world: EmulatedWorld, fault: Fault, at: int, *, lasting: bool) -> Iterator[str]:
    """Run the scene with a fault, and say what is wrong afterwards."""
    it = staged(scene, world)
    world.wire.expect(fault, lambda _, number: number == at, lasting=lasting)
    try:
        failure = attempt(scene, it, world)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what is looked for)
        failure = f"{type(error).__name__}: {error}"
        yield f"an exception reached the host: {failure}"
    if not world.wire.happened:
        yield "the fault did not happen"
    world.wire.expect()
    if failure is not None:
        yield from check_error_message(failure, it, fault.said)
        yield from nothing_unknown(scene, it, world, failure)
        world.connect()
        yield from clears(scene, it, world, failure)
    yield from goes_on(scene, it, world, failure)


def _believable(scene: Scene, fault: Fault, request: Request, state: Any) -> bool:
    """Whether the API itself says that the object is not there, which nobody can know better."""
    if fault.name != "404" or request.method not in ("GET", "DELETE") or state is None:
        return False
    return any(part in request.path for part in state.id.split("/"))


@pytest.mark.parametrize(("fault", "lasting"), TRIALS)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.id)
def test_nothing_is_lost_or_doubled(
    scene: Scene,
    fault: Fault,
    lasting: bool,  # noqa: FBT001
    request: pytest.FixtureRequest,
    record_property: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever request it hits: it succeeds, or fails in one line; the next `up` converges; `destroy` clears."""
    # A stall lasts for 90 seconds; where nothing stalls, a minute is enough and soon over.
    monkeypatch.setattr(steps, "TIMEOUT", 600.0 if fault.breaks == "stalled" else 60.0)
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    rehearsal = rehearsed(scene, world)
    cells = [
        (at, asked)
        for at, asked in enumerate(rehearsal.requests)
        if not _believable(scene, fault, asked, rehearsal.state)
    ]
    record_property(CELLS, len(cells))
    _play_all(scene, world, fault, cells, lasting=lasting)


@pytest.mark.parametrize("fault", PROXY_FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.id)
def test_nothing_is_lost_or_doubled_through_a_proxy(
    scene: Scene, fault: Fault, request: pytest.FixtureRequest, record_property: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same through a forward proxy. A sample: each fault once, at every request that changes something."""
    monkeypatch.setattr(steps, "TIMEOUT", 60.0)
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    cells = [(at, asked) for at, asked in enumerate(rehearsed(scene, world).requests) if asked.method != "GET"]
    record_property(PROXY_CELLS, len(cells))
    _play_all(scene, world, fault, cells)


def _play_all(
    scene: Scene, world: EmulatedWorld, fault: Fault, cells: Iterable[tuple[int, Request]], *, lasting: bool = False
) -> None:
    """Run the scene once for each of the requests."""
    wrong: list[str] = []
    for at, asked in cells:
        found = play(scene, world, fault, at, lasting=lasting)
        wrong += [f"{at} {asked}: {re.sub(r'req-[0-9a-f-]{36}', 'req-…', each)}" for each in found]
    assert not wrong, "\n" + "\n".join(wrong)
