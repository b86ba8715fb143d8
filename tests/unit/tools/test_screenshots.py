"""Terminal screenshots show a part of the output, contain text, and load no external resources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tools.screenshots.terminal import paint, part, plain
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = CHECKOUT / "docs" / "images"
SCREEN = "$ pulumi up\nnot this one\n$ pulumi \x1b[32mup\x1b[0m\n \x1b[1;32m+ created\x1b[0m\n\nDone in 60 s"


def test_part_of_terminal_output() -> None:
    """A part runs from the last line with the start text to the line before the end text, or to the end of the output.

    Colours are kept but ignored in the search, and empty lines at the end are removed.
    """
    assert part(SCREEN, "$ pulumi up", "Done") == "$ pulumi \x1b[32mup\x1b[0m\n \x1b[1;32m+ created\x1b[0m"
    assert plain(part(SCREEN, "$ pulumi up")).endswith("+ created\n\nDone in 60 s")


def test_screenshot_contains_text_and_no_external_resources(tmp_path: Path) -> None:
    """The SVG contains the words as text and no URL but its namespace, and is the same for the same output."""
    for name in ("one.svg", "two.svg"):
        paint(SCREEN, "make demo", tmp_path / name)
    picture = (tmp_path / "one.svg").read_text()
    assert "created" in picture
    assert "make&#160;demo" in picture or "make demo" in picture
    assert set(re.findall(r"https?://[^\"')]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert picture == (tmp_path / "two.svg").read_text()


def test_pictures_are_small_and_used_and_made_by_a_command() -> None:
    """Each picture is at most 250 KB, shown by a page, and written by `make screenshots` or `make bench`."""
    pages = [CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"!\[.+?\]\([\w./]*images/([\w.-]+)\)", page.read_text())}
    tools = [CHECKOUT / "tools" / "screenshots" / "__main__.py", CHECKOUT / "tools" / "bench" / "growth.py"]
    made = {name for tool in tools for name in re.findall(r'"([\w-]+\.(?:svg|png))"', tool.read_text())}
    assert {file.name for file in IMAGES.iterdir()} == shown == made
    assert {file.name for file in IMAGES.iterdir() if file.stat().st_size > 250_000} == set()
