"""The number of generated examples in the summary of the run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.examples import FACTOR

if TYPE_CHECKING:
    from collections.abc import Callable

_COUNTED = ("requests", "combinations of settings", "command lines", "sets of inputs")


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Count what a test has sent, for the summary."""
    return record_property


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of examples."""
    total: Counter[str] = Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if getattr(report, "when", "") == "call":
            for name, value in report.user_properties:
                total[name] += value if name in _COUNTED else 0
    if total:
        counted = ", ".join(f"{total[name]} {name}" for name in _COUNTED if total[name])
        terminalreporter.write_line(f"Bad input: {counted} (EXAMPLES={FACTOR}).")
