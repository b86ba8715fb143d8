"""The page with the latest measurements, each between two comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def rewrite(page: Path, name: str, text: str) -> None:
    """Replace a measurement in the page, if the page shows it.

    Args:
        page: The page.
        name: The name of the measurement.
        text: The new measurement, in Markdown.
    """
    begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
    place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    page.write_text(place.sub(lambda _: f"{begin}\n\n{text.strip()}\n\n{end}", page.read_text()))
