"""The emulated clouds of the matrix, and its size at the end of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.world import EmulatedWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

CELLS = "cells of the matrix"
PROXY_CELLS = "cells of the matrix through a proxy"


@pytest.fixture(scope="session")
def openstack() -> Iterator[EmulatedWorld]:
    """A cloud that offers microversions."""
    with EmulatedWorld("openstack") as world:
        yield world


@pytest.fixture(scope="session")
def otc() -> Iterator[EmulatedWorld]:
    """A cloud that is what the guide says."""
    with EmulatedWorld("otc") as world:
        yield world


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    calls = [report for report in reports if getattr(report, "when", "") == "call"]
    for name, what in (
        (CELLS, "each one fault at one request of one operation of one kind."),
        (PROXY_CELLS, "through a forward proxy: a sample, each fault once at every request that changes something."),
    ):
        counts = [value for report in calls for key, value in report.user_properties if key == name]
        if counts:
            terminalreporter.write_line(f"Fault matrix: {sum(counts)} cells, {what}")
