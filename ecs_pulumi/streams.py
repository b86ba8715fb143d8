"""How the commands read and write: always in UTF-8, and only as long as there is a reader."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

BROKEN_PIPE = 128 + 13
"""The exit status that a shell reports of a command that SIGPIPE ended."""


def run(main: Callable[[], int]) -> int:
    """Run a command; where the reader of its output has gone (`… | head`), it ends without a traceback.

    Args:
        main: The command; returns the exit status.
    """
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail again when Python flushes it at its end.
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(null, stream.fileno())
        return BROKEN_PIPE


def force_utf8(*streams: TextIO) -> None:
    """Let a command's streams speak UTF-8, as Pulumi and forges do, whatever the terminal's locale says."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="strict" if stream is sys.stdin else "backslashreplace")
