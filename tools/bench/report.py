"""Measurements as tables in Markdown."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tools.bench.stack import Run


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; everything after the first column is a figure.

    Args:
        head: The titles of its columns.
        rows: Its cells.
    """
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def by_path(run: Run) -> str:
    """The requests of one run by method and path, the most frequent first."""
    counted = sorted(run.requests.items(), key=lambda item: (-item[1], item[0]))
    return table(("request", "times"), ((f"`{method} {path}`", count) for (method, path), count in counted))


def folded(title: str, text: str) -> str:
    """A part that opens when it is asked for."""
    return f"<details><summary>{title}</summary>\n\n{text}\n</details>\n"


def ratio(value: float, floor: float | None) -> str:
    """How many times the floor."""
    return f"{value / floor:.2f}" if floor else "-"


def seconds(value: float | None) -> str:
    """A time."""
    return "-" if value is None else f"{value:.1f} s"


def details(runs: Mapping[str, Run]) -> str:
    """The requests of several runs, each folded."""
    return "\n".join(folded(f"Requests: {name}", by_path(run)) for name, run in runs.items() if run.total)


def circumstances(load: float) -> str:
    """When and on what it was measured, and how busy that was.

    Args:
        load: The load average before.
    """
    today = f"{datetime.now(timezone.utc):%Y-%m-%d}"
    return f"Measured on {today} with {os.cpu_count()} processors, which had a load of {load:.1f} before it.\n"
