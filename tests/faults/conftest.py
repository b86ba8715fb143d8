"""The emulated clouds of the fault matrix, and its size in the summary of the run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.faults.repetitions import CELLS, CLASSES
from tests.faults.world import EmulatedWorld

if TYPE_CHECKING:
    from collections.abc import Iterator


ALL = "all"


@pytest.fixture(scope="session")
def openstack() -> Iterator[EmulatedWorld]:
    """An emulated cloud with microversions."""
    with EmulatedWorld("openstack") as world:
        yield world


@pytest.fixture(scope="session")
def otc() -> Iterator[EmulatedWorld]:
    """An emulated cloud of the dialect `otc`."""
    with EmulatedWorld("otc") as world:
        yield world


@pytest.fixture(scope="session")
def old() -> Iterator[EmulatedWorld]:
    """An emulated cloud whose Nova API is used without microversions."""
    with EmulatedWorld("openstack", name="old", settings={"apiVersions": '{"compute": "2.1"}'}) as world:
        yield world


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of cells that were tested, by class of fault and by kind, and why others were left out."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    calls = [report for report in reports if getattr(report, "when", "") == "call"]
    found = [value for report in calls for name, value in report.user_properties if name == CELLS]
    if not found:
        return
    tested: Counter[tuple[str, str]] = Counter()
    every: Counter[tuple[str, str]] = Counter()
    reasons: Counter[str] = Counter()
    for fault_class, kind, count, left in found:
        for row in (kind, ALL):
            for column in (fault_class, ALL):
                tested[row, column] += count
                every[row, column] += count + sum(left.values())
        reasons.update(left)

    def cell(row: str, column: str) -> str:
        count, of = tested[row, column], every[row, column]
        return f"{count}" if count == of else f"{count} of {of}"

    columns = [*(each for each in CLASSES if every[ALL, each]), ALL]
    kinds = sorted({row for row, _ in every} - {ALL})
    table = [["", *columns], *([row, *(cell(row, column) for column in columns)] for row in (*kinds, ALL))]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    terminalreporter.write_line(
        f"Fault matrix: {cell(ALL, ALL)} cells, each with one fault in one operation of one kind."
    )
    for line in table:
        terminalreporter.write_line("  ".join(map(str.ljust, line, widths)).rstrip())
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"Left out: {count} cells, because {reason}.")
