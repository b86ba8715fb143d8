"""The page of measurements can be written anew, table by table."""

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


def test_a_measurement_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """And touches nothing else; the same twice is the same."""
    page = tmp_path / "page.md"
    begin, end = "above\n\n<!-- measured: a -->\n", "<!-- end -->\n\n<!-- measured: b -->\nkept\n<!-- end -->\n"
    page.write_text(f"{begin}old\n{end}")
    for _ in range(2):
        rewrite(page, "a", "| new \\1 |\n")
        assert page.read_text() == f"{begin}\n| new \\1 |\n\n{end}"


def test_a_page_without_a_place_is_refused(tmp_path: Path) -> None:
    """A measurement is not lost in silence."""
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(SystemExit, match="no place for it: <!-- measured: a -->"):
        rewrite(page, "a", "new")


def test_the_page_has_a_place_for_every_measurement() -> None:
    """Those that the benchmark makes unless told otherwise, on the emulator and on a cloud."""
    assert set(re.findall(r"<!-- measured: (.*?) -->\n.*?<!-- end -->", PAGE.read_text(), re.DOTALL)) == MEASURED
