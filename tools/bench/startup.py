"""The cost of start-up: importing the package in a program, and starting the provider."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tools.bench.report import circumstances, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tools.bench.bench import Bench

TIMES = 3
IMPORTS = {
    "`import pulumi`": "import pulumi",
    "`import ecs_pulumi`": "import ecs_pulumi",
    "`import pulumi, ecs_pulumi` and `ecs_pulumi.Server`": "import pulumi, ecs_pulumi; ecs_pulumi.Server",
    "the provider before its first request": "import pulumi.dynamic, ecs_pulumi.dynamic.provider",
    "the provider at its first request": (
        "import pulumi.dynamic, ecs_pulumi.resources.server, ecs_pulumi.cloud.connection"
    ),
}


def measured(bench: Bench) -> Iterator[tuple[str, str]]:
    """Measure imports with `-X importtime`; the fastest of several runs counts.

    Args:
        bench: The environment of the processes.

    Yields:
        The name of the measurement, and its table.
    """
    load = os.getloadavg()[0]
    rows = [(title, f"{_imports(statement, bench.env):.0f} ms") for title, statement in IMPORTS.items()]
    yield "startup", f"{circumstances(load)}\n{table(('what', 'imports take'), rows)}"


def _imports(statement: str, env: Mapping[str, str]) -> float:
    return min(_once(statement, env) for _ in range(TIMES))


def _once(statement: str, env: Mapping[str, str]) -> float:
    """Return the import time, in milliseconds, of the modules that a bare interpreter does not import."""
    output = subprocess.run(
        (sys.executable, "-X", "importtime", "-c", statement), env=env, capture_output=True, text=True, check=True
    ).stderr
    lines = [line.removeprefix("import time:").split("|") for line in output.splitlines() if "|" in line][1:]
    site = next(index for index, line in enumerate(lines) if line[2].strip() == "site")
    return sum(int(line[0]) for line in lines[site + 1 :]) / 1000
