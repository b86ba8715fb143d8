"""The page that keeps the latest measurements, each between two comments that name it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def rewrite(page: Path, name: str, text: str) -> None:
    """Put a new measurement in the place of the one before.

    Args:
        page: The page.
        name: Which of its measurements.
        text: The new one, in Markdown.

    Raises:
        SystemExit: The page has no place for it.
    """
    begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
    place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    written, found = place.subn(lambda _: f"{begin}\n\n{text.strip()}\n\n{end}", page.read_text())
    if not found:
        raise SystemExit(f"{page} has no place for it: {begin} … {end}")
    page.write_text(written)
