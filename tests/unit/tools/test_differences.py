"""The tables of the page on the differences between clouds: complete, and their tests exist."""

from __future__ import annotations

import re

import pytest

from ecs_pulumi.cloud.differences import Differences
from tools.workspace import CHECKOUT

PAGE = (CHECKOUT / "docs/design/cloud-differences.md").read_text()
ROWS = re.findall(r"^\| (\d+) \|(.*)\|$", PAGE, re.MULTILINE)
PROVIDER, EMULATOR = 37, 35
"""The number of differences that the two tables have."""


def test_every_difference_has_a_row() -> None:
    """The rows of both tables are numbered without a gap."""
    assert [int(number) for number, _ in ROWS] == [*range(1, PROVIDER + 1), *range(1, EMULATOR + 1)]


@pytest.mark.parametrize("row", range(PROVIDER + EMULATOR))
def test_row_names_tests_that_exist(row: int) -> None:
    """The row has a status, and each test that it names exists."""
    *_, status, tests = (cell.strip() for cell in ROWS[row][1].split("|"))
    assert status in ("done", "limited", "open")
    named = re.findall(r"`([^`]+)`", tests)
    assert named or status == "open"
    for each in named:
        path, _, function = each.partition("::")
        assert f"def {function}" in (CHECKOUT / path).read_text(), each


ASSUMED = {name: value for name, value in vars(Differences).items() if isinstance(value, property)}


@pytest.mark.parametrize("name", ASSUMED)
def test_assumed_difference_names_its_rows(name: str) -> None:
    """What is assumed of a cloud without an answer is described in rows of the first table."""
    (listed,) = re.findall(r"\(rows? ([\d, ]+)\)", ASSUMED[name].__doc__ or "")
    assert all(1 <= int(row) <= PROVIDER for row in listed.split(", "))
