"""The fault matrix: every fault at every request of every operation of every kind.

Each operation runs once without a fault, and its requests are recorded. Then it runs again for each request and each
fault, with the fault occurring once and, if it may be transient, at every repetition of the request. In all cases no
orphan and no duplicate is created, the next `up` converges, and a destroy in its place deletes everything.

A run leaves out the cells that only repeat another one (`repetitions.py`).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults import repetitions
from tests.faults.repetitions import is_absorbed, of_fault, of_proxy_fault, select
from tests.faults.scenes import NAMED, SCENES, Scene
from tests.faults.trial import (
    attempt,
    check_convergence,
    check_destroy,
    check_error_message,
    check_no_orphans,
    rehearse,
    stage,
)
from tests.faults.wire import FAULTS, PROXY_FAULTS, Fault, Request
from tests.support import steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.faults.world import EmulatedWorld

TRIALS = [
    *(pytest.param(fault, False, id=fault.name) for fault in FAULTS),
    *(pytest.param(fault, True, id=f"{fault.name}-persistent") for fault in FAULTS if fault.persistent),
]


def run_with_fault(scene: Scene, world: EmulatedWorld, fault: Fault, at: int, *, persistent: bool) -> Iterator[str]:
    """Run the scene with a fault, and yield the problems that remain."""
    resource = stage(scene, world)
    world.wire.inject(fault, lambda _, number: number == at, persistent=persistent)
    try:
        failure = attempt(scene, resource, world)
    except Exception as error:  # noqa: BLE001  (the test reports every exception)
        failure = f"{type(error).__name__}: {error}"
        yield f"an exception reached the host: {failure}"
    if not world.wire.fault_count:
        yield "the fault did not happen"
    if failure is not None and is_absorbed(rehearse(scene, world).requests[at], fault, persistent=persistent):
        yield f"the client did not repeat the read: {failure}"
    world.wire.inject()
    if failure is not None and scene.id in NAMED and (created := world.ids() - rehearse(scene, world).ids):
        if len(created) > 1 or not all(f"{id_}, but nothing distinguishes" in failure for id_ in created):
            yield f"does not name the object that may have been created: {created}, after: {failure}"
        return
    if failure is not None:
        yield from check_error_message(failure, resource, fault.messages)
        yield from check_no_orphans(scene, resource, world, failure)
        world.connect()
        yield from check_destroy(scene, resource, world, failure)
    yield from check_convergence(scene, resource, world, failure)


def _reports_missing_object(scene: Scene, fault: Fault, request: Request, state: Any) -> bool:
    """Whether the fault is a 404 for the object of the resource, which the provider correctly treats as deleted.

    The same holds for the rules that are deleted for a group.
    """
    if fault.name == "404" and request.method == "DELETE" and "/security-group-rules/" in request.path:
        return True
    if fault.name != "404" or request.method not in ("GET", "DELETE") or state is None:
        return False
    return any(part in request.path for part in state.id.split("/"))


@pytest.mark.parametrize(("fault", "persistent"), TRIALS)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.id)
def test_fault_leaves_no_orphan_or_duplicate(
    scene: Scene,
    fault: Fault,
    persistent: bool,  # noqa: FBT001
    request: pytest.FixtureRequest,
    record_property: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault causes at most a one-line error; the next `up` converges, and a destroy deletes everything."""
    # A stall takes 90 seconds, and a pause after too many requests up to a minute; for the other faults, a timeout of a
    # minute keeps the tests short.
    monkeypatch.setattr(steps, "TIMEOUT", 600.0 if fault.breaks == "stalled" or fault.name == "429" else 60.0)
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    rehearsal = rehearse(scene, world)

    def reason(at: int) -> str:
        if _reports_missing_object(scene, fault, rehearsal.requests[at], rehearsal.state):
            return repetitions.GONE
        return of_fault(scene, world, at, fault, persistent=persistent)

    cells = select(list(enumerate(rehearsal.requests)), reason, record_property, repetitions.FAULTS, scene.kind)
    _run_cells(scene, world, fault, cells, persistent=persistent)


@pytest.mark.parametrize("fault", PROXY_FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.id)
def test_fault_through_proxy_leaves_no_orphan_or_duplicate(
    scene: Scene, fault: Fault, request: pytest.FixtureRequest, record_property: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds for faults of a forward proxy, tested once at every request that is not a GET."""
    monkeypatch.setattr(steps, "TIMEOUT", 60.0)
    world: EmulatedWorld = request.getfixturevalue(scene.dialect)
    cells = [(at, each) for at, each in enumerate(rehearse(scene, world).requests) if each.changes]
    reason = partial(of_proxy_fault, scene, world)
    _run_cells(scene, world, fault, select(cells, reason, record_property, repetitions.PROXY, scene.kind))


def _run_cells(
    scene: Scene, world: EmulatedWorld, fault: Fault, cells: Iterable[tuple[int, Request]], *, persistent: bool = False
) -> None:
    """Run the scene once for each cell."""
    problems: list[str] = []
    for at, recorded in cells:
        remaining = run_with_fault(scene, world, fault, at, persistent=persistent)
        problems += [f"{at} {recorded}: {re.sub(r'req-[0-9a-f-]{36}', 'req-…', each)}" for each in remaining]
    assert not problems, "\n" + "\n".join(problems)
