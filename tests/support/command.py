"""Run commands as a user types them, and return what they print."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""An environment in which Python encodes text as ASCII by default."""


def printed(
    command: Sequence[str | Path],
    *,
    folder: Path,
    env: Mapping[str, str] | None = None,
    typed: str | None = None,
    status: int = 0,
    timeout: float = 300,
) -> str:
    """Run a command and return all that it prints, errors included.

    Args:
        command: The program and its arguments.
        folder: The working directory.
        env: The environment; that of this process if unset.
        typed: The standard input; empty if unset.
        status: The expected exit status.
        timeout: The timeout in seconds.
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


@contextlib.contextmanager
def running(*command: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a command in its own process group, and kill what is left of the group at the end.

    Without that, the end of a failed test would wait for a command that nobody ends.

    Args:
        command: The program and its arguments.
        options: Options of `subprocess.Popen`.
    """
    with subprocess.Popen(command, text=True, start_new_session=True, **options) as child:
        try:
            yield child
        finally:
            kill_group(child)


def kill_group(leader: subprocess.Popen[str]) -> None:
    """Kill all processes of a process group, if there are any left.

    Args:
        leader: The first process of the group.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGKILL)


def run_unread(module: str, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a module with its standard output connected to a pipe whose reading end is closed.

    Args:
        module: The name of the module.
        arguments: Its arguments.
        folder: The working directory.
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
    """Return the text formatted by `ruff format` with the default settings of ruff."""
    ruff = CHECKOUT / ".venv" / "bin" / "ruff"
    command = (str(ruff) if ruff.exists() else "ruff", "format", "--isolated", "-")
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
