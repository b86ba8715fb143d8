"""The sizes and seeds of the walks, at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.walks import test_in_process, test_kills, test_real_engine

if TYPE_CHECKING:
    import pytest

RUNS = {
    "test_cloud_converges_to_program": ("in process", test_in_process.FIRST, test_in_process.CHUNK),
    "test_cloud_converges_to_program_of_hypothesis": ("by hypothesis", test_in_process.FIRST, test_in_process.CHUNK),
    "test_cloud_converges_to_program_with_real_engine": ("through the engine", test_real_engine.FIRST, 1),
    "test_kill_leaves_no_orphan_or_duplicate": ("with a kill", test_kills.FIRST, 1),
}
"""The tests that run walks: where, the first seed, and the number of walks of each test."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many walks passed, and their first seed."""
    passed = [report.nodeid.partition("::")[2].partition("[")[0] for report in terminalreporter.stats.get("passed", ())]
    for test, (where, first, size) in RUNS.items():
        if count := passed.count(test):
            terminalreporter.line(f"Walks: {count * size} {where} passed, from seed {first} on.")
