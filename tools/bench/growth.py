"""How the cost grows with the servers of a stack, and with other servers in its project."""

from __future__ import annotations

import os
import sys
import time
import uuid
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import compute, network
from tools.bench import engine
from tools.bench.report import circumstances, details, seconds, table
from tools.bench.stack import Run, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.emulator import Emulator
    from tools.bench.place import Place

OTHER_SERVERS = 5000
DAY = 86400.0
PARALLEL = 64
SMALL = 3
COLUMNS = ("servers", "operation", "requests", "wall time", "engine alone", "provider CPU", "peak memory", "state")
ENGINES = {"up": "create", "preview": "preview", "refresh": "refresh", "update of one": "update", "destroy": "destroy"}


def measured(
    place: Place,
    fresh: Callable[[str], Path],
    env: dict[str, str],
    amounts: Sequence[int],
    rounds: int,  # noqa: ARG001 - one round is enough to see the growth
) -> Iterator[tuple[str, str]]:
    """Measure stacks of different sizes, and a small stack in a project with many other servers.

    Args:
        place: The cloud.
        fresh: Creates a folder.
        env: The environment of the stacks.
        amounts: Numbers of servers.
        rounds: Not used.

    Yields:
        The name of the measurement, and its tables.
    """
    for count in amounts:
        load = os.getloadavg()[0]
        runs = _operations(place, fresh(f"servers{count}"), env, count)
        engine_alone = engine.alone(fresh(f"engine{count}"), env, resources=count, changed=1, parallel=PARALLEL)
        requests = details({name: run for name, (run, _) in runs.items()})
        heading = f"### {count} server{'s' * (count != 1)} on {place.title}"
        rows = table(COLUMNS, _rows(str(count), runs, engine_alone))
        yield f"growth {count}", f"{heading}\n\n{circumstances(load)}\n{rows}\n{requests}"
    if place.emulator:
        yield "growth among others", _among_others(place, place.emulator, fresh, env)


def _among_others(place: Place, cloud: Emulator, fresh: Callable[[str], Path], env: dict[str, str]) -> str:
    load = os.getloadavg()[0]
    engine_alone = engine.alone(fresh("engine"), env, resources=SMALL, changed=1, parallel=PARALLEL)
    rows = _rows(str(SMALL), _operations(place, fresh("beside"), env, SMALL), engine_alone)
    _add_other_servers(place, cloud)
    rows += _rows(
        f"{SMALL} in a project with {OTHER_SERVERS} others",
        _operations(place, fresh("among"), env, SMALL),
        engine_alone,
    )
    return f"### A small stack in a large project\n\n{circumstances(load)}\n{table(COLUMNS, rows)}"


def _rows(title: str, runs: dict[str, tuple[Run, int]], engine_alone: Mapping[str, float]) -> list[Sequence[object]]:
    return [
        (
            title,
            name,
            run.total,
            seconds(run.seconds),
            seconds(engine_alone[ENGINES[name]]),
            seconds(run.cpu),
            f"{run.peak:.0f} MB",
            f"{size / 1e3:.0f} kB",
        )
        for name, (run, size) in runs.items()
    ]


def _operations(place: Place, folder: Path, env: dict[str, str], count: int) -> dict[str, tuple[Run, int]]:
    config = {"servers": count, "flavor": place.small["name"], "image": place.image["name"]}
    stack = Stack("servers", folder, env, config, parallel=PARALLEL)
    runs: dict[str, tuple[Run, int]] = {}
    try:
        operations: dict[str, Callable[[], Run]] = {
            "up": stack.up,
            "preview": stack.preview,
            "refresh": stack.refresh,
            "update of one": lambda: stack.up("--config", f"bench:first={place.large['name']}"),
            "destroy": stack.destroy,
        }
        for name, work in operations.items():
            run = work()
            runs[name] = run, stack.state_size()
            print(f"{count} servers: {name}: {run.total} requests, {run.seconds:.1f} s", file=sys.stderr, flush=True)
    finally:
        if "destroy" not in runs:
            stack.leave_nothing()
    return runs


def _add_other_servers(place: Place, cloud: Emulator) -> None:
    """Add many servers to the project. Lists contain them before those of the stack."""
    connection = place.connect()
    api = connection.region().compute
    request = {"name": "foreign", "flavorRef": place.small["id"], "imageRef": place.image["id"]}
    request["networks"] = [{"uuid": _network(connection.region().network)}]
    id_ = compute.create_server(api, request)["id"]
    while compute.get_server(api, id_)["status"] != "ACTIVE":
        time.sleep(1)
    connection.close()
    with cloud.state() as state:
        one = state.get("server", id_) or {}
        for _ in range(OTHER_SERVERS - 1):
            state.put(
                "server",
                {**one, "id": str(uuid.uuid4()), "created": one["created"] + DAY, "updated": one["updated"] - DAY},
            )


def _network(api: ServiceClient) -> str:
    network_id = str(network.create(api, "network", {"name": "foreign"})["id"])
    network.create(api, "subnet", {"network_id": network_id, "cidr": "10.90.0.0/16", "ip_version": 4})
    return network_id
