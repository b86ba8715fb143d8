"""Commands as a person types them, and what they print."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""The environment in which Python takes text for ASCII unless it is told otherwise."""


def printed(
    command: Sequence[str | Path],
    *,
    folder: Path,
    env: Mapping[str, str] | None = None,
    typed: str | None = None,
    status: int = 0,
    timeout: float = 300,
) -> str:
    """All that a command prints, errors included.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        env: Its environment; this process's own if unset.
        typed: What somebody types into it; nothing if unset.
        status: The exit status that it has to end with.
        timeout: Seconds that it may take.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=env,
        input=typed or "",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def run_unread(module: str, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a module whose output goes into a pipe that nobody reads any more.

    Args:
        module: Its name.
        arguments: Its arguments.
        folder: Where it runs.
    """
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            (sys.executable, "-m", module, *arguments),
            cwd=folder,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writer)


def formatted(text: str) -> str:
    """The text as `ruff format` leaves it, with ruff's own settings."""
    ruff = CHECKOUT / ".venv" / "bin" / "ruff"
    command = (str(ruff) if ruff.exists() else "ruff", "format", "--isolated", "-")
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
