"""A terminal in tmux, and pictures of its screen, rendered with rich."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLUMNS, ROWS = 130, 60
TIMEOUT = 300
POLL_INTERVAL = 0.1
TERM = "screen-256color"

THEME = TerminalTheme(
    (27, 30, 40),
    (214, 219, 232),
    [
        *((72, 78, 97), (255, 122, 116), (111, 217, 154), (255, 196, 107)),
        *((126, 162, 255), (207, 168, 255), (108, 204, 242), (214, 219, 232)),
    ],
    [
        *((122, 130, 152), (255, 154, 148), (140, 230, 176), (255, 214, 150)),
        *((160, 188, 255), (224, 200, 255), (150, 222, 248), (255, 255, 255)),
    ],
)
# Rich's format with system fonts, so that a picture does not load any file.
FORMAT = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Terminal:
    """A terminal that runs one command."""

    def __init__(self, socket: Path) -> None:
        self._tmux = ("tmux", "-f", "/dev/null", "-S", str(socket))

    def run(self, command: str, folder: Path, env: Mapping[str, str]) -> None:
        """Start the command. The screen stays unchanged after it has ended.

        Args:
            command: A line for the shell.
            folder: Its working directory.
            env: Its environment.
        """
        # `tail` keeps the terminal open and prints nothing.
        line = f"export TERM={TERM}; {command}; exec tail -f /dev/null"
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        shell = f"exec sh -c {shlex.quote(line)}"
        subprocess.run((*self._tmux, "new-session", "-d", *size, shell), cwd=folder, env=env, check=True)

    def screen(self) -> str:
        """Return the screen and its scrollback, with colours and without empty lines at the end."""
        captured = subprocess.run(
            (*self._tmux, "capture-pane", "-p", "-e", "-S", "-2000"), capture_output=True, text=True, check=True
        )
        return captured.stdout.rstrip()

    def until(self, pattern: str) -> str:
        """Wait until the screen matches a pattern, and return the screen.

        Args:
            pattern: A regular expression.

        Raises:
            TimeoutError: The screen did not match in time.
        """
        deadline = time.monotonic() + TIMEOUT
        while True:
            screen = self.screen()
            if re.search(pattern, plain(screen)):
                return screen
            if time.monotonic() > deadline:
                raise TimeoutError(f"{pattern!r} did not appear on the terminal:\n{plain(screen)}")
            time.sleep(POLL_INTERVAL)

    def close(self) -> None:
        """End the terminal and its command."""
        subprocess.run((*self._tmux, "kill-server"), capture_output=True, check=False)


@contextlib.contextmanager
def terminal() -> Iterator[Terminal]:
    """Open a terminal, and close it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        opened = Terminal(Path(folder) / "tmux")
        try:
            yield opened
        finally:
            opened.close()


def plain(screen: str) -> str:
    """Return the text of a screen without colours."""
    return Text.from_ansi(screen).plain


def part(screen: str, first: str, end: str = "") -> str:
    """Return the part of a screen that starts at the last line with a given beginning.

    Args:
        screen: The screen, with colours.
        first: The beginning of the first line, without colours.
        end: The beginning of the first line after the part; without such a line the part ends with the screen.
    """
    lines = screen.splitlines()
    begins = [plain(line) for line in lines]
    start = max(number for number, line in enumerate(begins) if line.startswith(first))
    ends = (number for number in range(start + 1, len(lines)) if end and begins[number].startswith(end))
    return "\n".join(lines[start : next(ends, len(lines))]).rstrip()


def paint(screen: str, title: str, file: Path) -> None:
    """Write a picture of a screen.

    Args:
        screen: The screen, with colours.
        title: The title of the picture.
        file: The SVG file to write.
    """
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(screen), soft_wrap=False)
    svg = console.export_svg(title=title, theme=THEME, code_format=FORMAT, unique_id="t")
    file.write_text("\n".join(line.strip() for line in svg.splitlines() if line.strip()) + "\n")
