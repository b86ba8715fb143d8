"""How the cost grows with the servers of a stack, and with other servers in its project."""

from __future__ import annotations

import os
import sys
import time
import uuid
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import compute, network
from tools.bench import engine
from tools.bench.chart import draw
from tools.bench.report import circumstances, details, ratio, seconds, table
from tools.bench.stack import Run, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.emulator import Emulator
    from tools.bench.bench import Bench
    from tools.bench.place import Place

OTHER_SERVERS = 5000
DAY = 86400.0
PARALLEL = 64
SMALL = 3
CHECKPOINTS_UP_TO = 1000
"""Servers of the largest stack that is measured with checkpoints: those of 5,000 would take an hour."""
COLUMNS = (
    "servers",
    "preview",
    "engine alone",
    "ratio",
    "up",
    "engine alone",
    "refresh",
    "destroy",
    "requests of the up",
    "provider CPU of the up",
    "of the preview",
    "peak memory",
    "state",
)
LINES = ("up", "up: engine alone", "preview", "preview: engine alone")


def measured(bench: Bench) -> Iterator[tuple[str, str]]:
    """Measure stacks of different sizes, and a small stack in a project with many other servers.

    Args:
        bench: The place and the amounts. One round is enough to see the growth.

    Yields:
        The name of the measurement, and its tables.
    """
    load = os.getloadavg()[0]
    rows, texts = [], []
    points: dict[str, list[tuple[int, float]]] = {line: [] for line in LINES}
    for count in bench.servers:
        skips = count > CHECKPOINTS_UP_TO
        env = {**bench.env, "PULUMI_SKIP_CHECKPOINTS": "true"} if skips else bench.env
        runs, size = _operations(bench, count, env)
        alone = engine.alone(bench.fresh(), env, resources=count, changed=1, parallel=PARALLEL)
        rows.append(_row(f"{count}, without checkpoints" if skips else str(count), runs, size, alone))
        texts.append(details({f"{name} of {count}": run for name, run in runs.items()}))
        times = (runs["up"].seconds, alone["create"], runs["preview"].seconds, alone["preview"])
        if not skips:
            for line, value in zip(LINES, times, strict=True):
                points[line].append((count, value))
    if bench.place.emulator:
        _add_other_servers(bench.place, bench.place.emulator)
        rows.append(_row(f"{SMALL}, beside {OTHER_SERVERS} others", *_operations(bench, SMALL, bench.env), {}))
    chart = ""
    if bench.page:
        draw(bench.page.parent / "images" / "growth.svg", points)
        chart = "![The time of an up and of a preview by the number of servers](images/growth.svg)\n\n"
    requests = "\n".join(texts) if bench.details else ""
    yield "growth", f"{circumstances(load)}\n{chart}{table(COLUMNS, rows)}{requests}"


def _row(title: str, runs: Mapping[str, Run], size: int, engine_alone: Mapping[str, float]) -> tuple[object, ...]:
    preview, up = runs["preview"], runs["up"]
    return (
        title,
        seconds(preview.seconds),
        seconds(engine_alone.get("preview")),
        ratio(preview.seconds, engine_alone.get("preview")),
        seconds(up.seconds),
        seconds(engine_alone.get("create")),
        seconds(runs["refresh"].seconds),
        seconds(runs["destroy"].seconds),
        up.total,
        seconds(up.cpu),
        seconds(preview.cpu),
        f"{up.peak:.0f} MB",
        f"{size / 1e3:.0f} kB",
    )


def _operations(bench: Bench, count: int, env: Mapping[str, str]) -> tuple[dict[str, Run], int]:
    """Run all operations; return their cost and the size of the state."""
    place = bench.place
    config = {"servers": count, "flavor": place.small["name"], "image": place.image["name"]}
    stack = Stack("servers", bench.fresh(), env, config, parallel=PARALLEL)
    runs: dict[str, Run] = {}
    size = 0
    try:
        operations: dict[str, Callable[[], Run]] = {
            "up": stack.up,
            "preview": stack.preview,
            "refresh": stack.refresh,
            "destroy": stack.destroy,
        }
        for name, work in operations.items():
            runs[name] = run = work()
            size = size or stack.state_size()
            print(f"{count} servers: {name}: {run.total} requests, {run.seconds:.1f} s", file=sys.stderr, flush=True)
    finally:
        if "destroy" not in runs:
            stack.leave_nothing()
    return runs, size


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
