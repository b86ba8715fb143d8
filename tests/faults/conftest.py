"""The emulated clouds of the fault matrix, and its size in the summary of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.repetitions import REASONS
from tests.faults.world import EmulatedWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

CELLS = "cells of the matrix"
PROXY_CELLS = "cells of the matrix through a proxy"


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
    """Print the number of cells that were tested."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    calls = [report for report in reports if getattr(report, "when", "") == "call"]

    def total(name: str) -> int:
        return sum(value for report in calls for key, value in report.user_properties if key == name)

    for name, what in (
        (CELLS, "each with one fault at one request of one operation of one kind."),
        (PROXY_CELLS, "through a forward proxy: each fault once at every request that is not a GET."),
    ):
        if count := total(name):
            terminalreporter.write_line(f"Fault matrix: {count} cells, {what}")
    for reason in REASONS:
        if count := total(reason):
            terminalreporter.write_line(f"Left to `make thorough`: {count} cells, because {reason}.")
