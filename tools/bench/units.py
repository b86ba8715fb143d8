"""Units of a server with its ports, its volume and their attachments: create, read, change and destroy them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tools.bench import engine
from tools.bench.bare import BareLoop
from tools.bench.peer import Peer
from tools.bench.report import circumstances, details, ratio, seconds, table
from tools.bench.stack import PARALLEL, Run, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tools.bench.bench import Bench

SHARED = 3  # network, subnet, key pair
OBJECTS = 6  # of a unit

FIRST, MISSPELLED = "first preview", "first preview, misspelled flavor"
CREATE, PREVIEW, REFRESH = "create", "nothing changed: preview", "nothing changed: refresh"
CHANGE, DESTROY = "flavor change", "destroy"
COLUMNS = (
    "operation",
    "requests",
    "requests of the peer",
    "time",
    "bare loop",
    "engine alone",
    "peer",
    "peer ÷ ecs_pulumi",
    "provider CPU",
    "peak memory",
)
ENGINES = {CREATE: "create", PREVIEW: "preview", REFRESH: "refresh", CHANGE: "update", DESTROY: "destroy"}
Runs = dict[str, Run]


def measured(bench: Bench) -> Iterator[tuple[str, str]]:
    """Measure stacks of units, and beside them the bare loop and the peer with the same units.

    Args:
        bench: The place and the amounts. The fastest of its rounds counts, since disturbances only add time.

    Yields:
        The name of the measurement, and its tables.
    """
    for count in bench.units:
        yield f"units {count}", _measured(bench, count)


def _measured(bench: Bench, count: int) -> str:
    load = os.getloadavg()[0]
    bare: Runs = {}
    runs: Runs = {}
    peer: Runs = {}
    for _ in range(bench.rounds):  # alternating, so that a disturbance affects all
        bare = _faster(bare, _bare(bench, count))
        runs = _faster(runs, _stack(bench, count))
        if bench.peer:
            peer = _faster(peer, _peer(bench, bench.peer, count))
    resources = OBJECTS * count + SHARED
    alone = engine.alone(bench.fresh(), bench.env, resources=resources, changed=count, parallel=PARALLEL)
    rows = [
        (
            name,
            run.total,
            peer[name].total if name in peer else "-",
            seconds(run.seconds),
            seconds(bare[name].seconds if name in bare else None),
            seconds(alone[ENGINES[name]] if name in ENGINES else None),
            seconds(peer[name].seconds if name in peer else None),
            ratio(peer[name].seconds if name in peer else None, run.seconds),
            seconds(run.cpu),
            f"{run.peak:.0f} MB",
        )
        for name, run in runs.items()
    ]
    title = f"### {count} unit{'s' * (count != 1)} on {bench.place.title}\n\n{circumstances(load, bench.rounds)}"
    return f"{title}\n{table(COLUMNS, rows)}{details(runs) if bench.details else ''}"


def _faster(best: Runs, latest: Runs) -> Runs:
    return {name: min(run, best.get(name, run), key=lambda each: each.seconds) for name, run in latest.items()}


def _run(who: str, operations: Mapping[str, Callable[[], Run]], clean_up: Callable[[], object]) -> Runs:
    """Run the operations in their order; if one fails, delete what is left."""
    runs: Runs = {}
    try:
        for name, work in operations.items():
            runs[name] = work()
            print(
                f"{who}: {name}: {runs[name].total} requests, {runs[name].seconds:.1f} s", file=sys.stderr, flush=True
            )
    finally:
        if DESTROY not in runs:
            clean_up()
    return runs


def _bare(bench: Bench, count: int) -> Runs:
    loop = BareLoop(bench.place, count)
    operations = {CREATE: loop.create, CHANGE: loop.resize, DESTROY: loop.destroy}
    return _run(f"bare loop, {count}", operations, loop.leave_nothing)


def _stack(bench: Bench, count: int) -> Runs:
    place = bench.place
    config = {"units": count, "flavor": place.small["name"], "image": place.image["name"]}
    stack = Stack("units", bench.fresh(), bench.env, config)
    operations: dict[str, Callable[[], Run]] = {
        FIRST: stack.preview,
        MISSPELLED: lambda: stack.preview("--config", "bench:flavor=misspelled", fails=True),
        CREATE: lambda: stack.up("--config", f"bench:flavor={place.small['name']}"),
        PREVIEW: stack.preview,
        REFRESH: stack.refresh,
        CHANGE: lambda: stack.up("--config", f"bench:flavor={place.large['name']}"),
        DESTROY: stack.destroy,
    }
    return _run(f"stack, {count}", operations, stack.leave_nothing)


def _peer(bench: Bench, programs: Path, count: int) -> Runs:
    place = bench.place
    variables = {"units": count, "flavor": place.small["name"], "image": place.image["name"]}
    peer = Peer(programs, bench.fresh(), bench.env, variables)
    operations: dict[str, Callable[[], Run]] = {
        FIRST: peer.first_plan,
        CREATE: peer.create,
        PREVIEW: peer.plan,
        REFRESH: peer.refresh,
        CHANGE: lambda: peer.change("flavor", place.large["name"]),
        DESTROY: peer.destroy,
    }
    return _run(f"peer, {count}", operations, peer.destroy)
