"""The benchmark replaces the tables of the performance page one by one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tools.bench.page import rewrite
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = CHECKOUT / "docs" / "performance.md"
MEASURED = {
    *(f"units {count}, {place}" for place in ("cloud", "emulator") for count in (1, 10)),
    *(f"growth {servers}, emulator" for servers in (1, 10, 100, 1000, "among others")),
    "startup, emulator",
}


def test_measurement_replaces_the_previous_one(tmp_path: Path) -> None:
    """The rest of the page is unchanged, and the same measurement twice gives the same page."""
    page = tmp_path / "page.md"
    begin, end = "above\n\n<!-- measured: a -->\n", "<!-- end -->\n\n<!-- measured: b -->\nkept\n<!-- end -->\n"
    page.write_text(f"{begin}old\n{end}")
    for _ in range(2):
        rewrite(page, "a", "| new \\1 |\n")
        assert page.read_text() == f"{begin}\n| new \\1 |\n\n{end}"


def test_page_without_marker_is_an_error(tmp_path: Path) -> None:
    """A measurement that has no place on the page is an error."""
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(SystemExit, match="are missing: <!-- measured: a -->"):
        rewrite(page, "a", "new")


def test_page_has_a_place_for_every_measurement() -> None:
    """The page has all measurements that the benchmark makes by default, on the emulator and on a cloud."""
    assert set(re.findall(r"<!-- measured: (.*?) -->\n.*?<!-- end -->", PAGE.read_text(), re.DOTALL)) == MEASURED
