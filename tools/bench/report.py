"""Measurements as tables in Markdown."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tools.bench.stack import Run


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table. All columns except the first are aligned right.

    Args:
        head: The titles of the columns.
        rows: The cells of each row.
    """
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def by_path(run: Run) -> str:
    """Return a table of the requests by method and path, the most frequent first."""
    counted = sorted(run.requests.items(), key=lambda item: (-item[1], item[0]))
    return table(("request", "times"), ((f"`{method} {path}`", count) for (method, path), count in counted))


def folded(title: str, text: str) -> str:
    """Return a section that is collapsed at first."""
    return f"<details><summary>{title}</summary>\n\n{text}\n</details>\n"


def ratio(value: float | None, other: float | None) -> str:
    """Return a value as a multiple of another one."""
    return "-" if value is None or not other else f"{value / other:.2f}"


def seconds(value: float | None) -> str:
    """Return a duration as text."""
    return "-" if value is None else f"{value:.1f} s"


def details(runs: Mapping[str, Run]) -> str:
    """Return the requests of several runs as collapsed sections."""
    return "\n".join(folded(f"Requests: {name}", by_path(run)) for name, run in runs.items() if run.total)


def circumstances(load: float, rounds: int = 1) -> str:
    """Return a sentence with the date and the machine of a measurement.

    Args:
        load: The load average before the measurement.
        rounds: The number of rounds of which the fastest is shown.
    """
    today = f"{datetime.now(timezone.utc):%Y-%m-%d}"
    machine = f"{os.cpu_count()} processors and a load average of {load:.1f} before the measurement"
    best = f"; the fastest of {rounds} rounds" if rounds > 1 else ""
    return f"Measured on {today} with {machine}{best}.\n"
