"""The page with the latest measurements, each between two comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def rewrite(page: Path, name: str, text: str) -> None:
    """Replace a measurement in the page.

    Args:
        page: The page.
        name: The name of the measurement.
        text: The new measurement, in Markdown.

    Raises:
        SystemExit: The page does not contain the comments of this measurement.
    """
    begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
    place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    new_text, count = place.subn(lambda _: f"{begin}\n\n{text.strip()}\n\n{end}", page.read_text())
    if not count:
        raise SystemExit(f"{page}: the comments of this measurement are missing: {begin} … {end}")
    page.write_text(new_text)
