"""Units of a server with its ports, its volume and their attachments: create, read, change and destroy them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tools.bench import engine, peer
from tools.bench.bare import BareLoop
from tools.bench.report import circumstances, details, ratio, seconds, table
from tools.bench.stack import PARALLEL, Run, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tools.bench.place import Place

TOKEN = 1
SHARED = 3  # network, subnet, key pair
OBJECTS = 6  # of a unit
ACTIONS = 4  # stop, resize, confirm, start

REQUESTS = ("operation", "requests", "floor", "ratio", "peer")
TIMES = ("operation", "wall time", "bare loop", "ratio", "engine alone", "peer", "provider CPU", "peak memory")
ENGINES = {
    "create": "create",
    "nothing changed: preview": "preview",
    "nothing changed: refresh": "refresh",
    "flavor change": "update",
    "destroy": "destroy",
}


def measured(
    place: Place, fresh: Callable[[str], Path], env: dict[str, str], amounts: Sequence[int], rounds: int
) -> Iterator[tuple[str, str]]:
    """Measure stacks of units, and the bare loop with the same units.

    Args:
        place: The cloud.
        fresh: Creates a folder.
        env: The environment of the stacks.
        amounts: Numbers of units.
        rounds: Number of rounds. The fastest counts, since disturbances only add time.

    Yields:
        The name of the measurement, and its tables.
    """
    for count in amounts:
        yield f"units {count}", _measured(place, fresh, env, count, rounds)


def _measured(place: Place, fresh: Callable[[str], Path], env: dict[str, str], count: int, rounds: int) -> str:
    load = os.getloadavg()[0]
    bare: dict[str, Run] = {}
    runs: dict[str, Run] = {}
    for number in range(rounds):  # alternating, so that a disturbance affects both
        bare = _faster(bare, _bare(place, count))
        runs = _faster(runs, _stack(place, fresh(f"units{count}-{number}"), env, count))
    resources = OBJECTS * count + SHARED
    engine_alone = engine.alone(fresh(f"engine{count}"), env, resources=resources, changed=count, parallel=PARALLEL)
    title = f"### {count} unit{'s' * (count != 1)} on {place.title}\n\n{circumstances(load)}"
    return f"{title}\n{_requests(runs, count)}\n{_times(runs, bare, engine_alone, count)}\n{details(runs)}"


def _requests(runs: Mapping[str, Run], count: int) -> str:
    changes = {"create": OBJECTS * count + SHARED, "flavor change": ACTIONS * count}
    changes["destroy"] = changes["create"]
    rows = []
    for name, run in runs.items():
        floor = changes[name] + TOKEN if name in changes else None
        rows.append((name, run.total, floor or "-", ratio(run.total, floor), _peer(peer.REQUESTS, count, name)))
    return table(REQUESTS, rows)


def _times(runs: Mapping[str, Run], bare: Mapping[str, Run], engine_alone: Mapping[str, float], count: int) -> str:
    rows = []
    for name, run in runs.items():
        floor = bare[name].seconds if name in bare else None
        rows.append(
            (
                name,
                seconds(run.seconds),
                seconds(floor),
                ratio(run.seconds, floor),
                seconds(engine_alone[ENGINES[name]]),
                _peer(peer.SECONDS, count, name),
                seconds(run.cpu),
                f"{run.peak:.0f} MB",
            )
        )
    return table(TIMES, rows)


def _peer(figures: Mapping[int, Mapping[str, object]], count: int, name: str) -> object:
    return figures.get(count, {}).get(name.partition(":")[0], "-")


def _faster(best: dict[str, Run], latest: dict[str, Run]) -> dict[str, Run]:
    return {name: min(run, best.get(name, run), key=lambda each: each.seconds) for name, run in latest.items()}


def _bare(place: Place, count: int) -> dict[str, Run]:
    loop = BareLoop(place, count)
    runs: dict[str, Run] = {}
    try:
        for name, work in {"create": loop.create, "flavor change": loop.resize, "destroy": loop.destroy}.items():
            runs[name] = work()
            _print_progress(f"bare loop, {count}: {name}", runs[name])
    finally:
        if "destroy" not in runs:
            loop.leave_nothing()
    return runs


def _stack(place: Place, folder: Path, env: dict[str, str], count: int) -> dict[str, Run]:
    config = {"units": count, "flavor": place.small["name"], "image": place.image["name"]}
    stack = Stack("units", folder, env, config)
    runs: dict[str, Run] = {}
    try:
        operations: dict[str, Callable[[], Run]] = {
            "create": stack.up,
            "nothing changed: preview": stack.preview,
            "nothing changed: refresh": stack.refresh,
            "flavor change": lambda: stack.up("--config", f"bench:flavor={place.large['name']}"),
            "destroy": stack.destroy,
        }
        for name, work in operations.items():
            runs[name] = work()
            _print_progress(f"stack, {count}: {name}", runs[name])
    finally:
        if "destroy" not in runs:
            stack.leave_nothing()
    return runs


def _print_progress(name: str, run: Run) -> None:
    print(f"{name}: {run.total} requests, {run.seconds:.1f} s", file=sys.stderr, flush=True)
