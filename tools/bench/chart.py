"""A chart of measured times."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

BASELINE = "engine alone"
COLORS = ("#3b6fd4", "#3b6fd4", "#d4783b", "#d4783b")
"""Each line has the same color as its baseline, which is dashed."""


def draw(file: Path, points: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Draw lines of seconds by number of servers, both on logarithmic axes.

    Args:
        file: The SVG file to write.
        points: The points of each line.
    """
    # Here, because it adds an import hook that Python warns about.
    import pygal  # type: ignore[import-untyped]
    from pygal.style import DefaultStyle  # type: ignore[import-untyped]

    # Without scripts, which a page would have to load from elsewhere.
    chart = pygal.XY(
        logarithmic=True,
        width=720,
        height=380,
        js=[],
        style=DefaultStyle(background="white", plot_background="white", colors=COLORS),
        x_labels=[10**power for power in range(5)],
        y_labels=[10**power for power in range(4)],
        x_title="servers",
        y_title="seconds",
        legend_at_bottom=True,
        disable_xml_declaration=True,
    )
    for title, line in points.items():
        dashes = {"stroke_style": {"dasharray": "3, 6"}} if BASELINE in title else {}
        chart.add(title, [(count, round(value, 1)) for count, value in line], **dashes)
    file.write_text(chart.render(is_unicode=True) + "\n")
