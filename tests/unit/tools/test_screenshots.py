"""The pictures of a terminal: of the part that matters, readable as text, and loading nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tools.screenshots.terminal import paint, part, plain
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = CHECKOUT / "docs" / "images"
SCREEN = "$ pulumi up\nnot this one\n$ pulumi \x1b[32mup\x1b[0m\n \x1b[1;32m+ created\x1b[0m\n\nDone in 60 s"


def test_a_part_begins_at_the_last_such_line_and_ends_before_the_next() -> None:
    """Colours stay and do not matter; the empty lines at the end go; without an end it is the rest."""
    assert part(SCREEN, "$ pulumi up", "Done") == "$ pulumi \x1b[32mup\x1b[0m\n \x1b[1;32m+ created\x1b[0m"
    assert plain(part(SCREEN, "$ pulumi up")).endswith("+ created\n\nDone in 60 s")


def test_a_picture_is_text_and_loads_nothing(tmp_path: Path) -> None:
    """Words are words in it; it names no address but that of the format; the same screen is the same file."""
    for name in ("one.svg", "two.svg"):
        paint(SCREEN, "make demo", tmp_path / name)
    picture = (tmp_path / "one.svg").read_text()
    assert "created" in picture
    assert "make&#160;demo" in picture or "make demo" in picture
    assert set(re.findall(r"https?://[^\"')]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert picture == (tmp_path / "two.svg").read_text()


def test_the_pictures_that_are_there_are_small_and_those_of_the_readme_are_there() -> None:
    """None is larger than 250 KB, and the README shows none that is missing."""
    there = {file.name: file.stat().st_size for file in IMAGES.iterdir()}
    assert {name for name, size in there.items() if size > 250_000} == set()
    shown = re.findall(r"docs/images/([\w.-]+)", (CHECKOUT / "README.md").read_text())
    assert shown
    assert set(shown) <= there.keys()
