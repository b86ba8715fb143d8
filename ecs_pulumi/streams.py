"""Standard streams of the commands: UTF-8 encoding, errors of one line, and no traceback on a closed pipe."""

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
"""The exit status that a shell reports for a command ended by SIGPIPE."""


def run(main: Callable[[], int]) -> int:
    """Run a command. If the reader of its output closes the pipe (`… | head`), the command ends without a traceback.

    Args:
        main: The command; returns the exit status.
    """
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Otherwise Python would flush the buffered output at exit and fail again.
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(null, stream.fileno())
        return BROKEN_PIPE


def print_error(text: object) -> None:
    """Print an error to standard error, in one line whatever the names of files and objects in it contain."""
    escaped = str(text).encode(errors="backslashreplace").decode()  # bytes of a file name that are no UTF-8
    print(f"error: {in_one_line(escaped)}", file=sys.stderr)  # noqa: T201


def in_one_line(text: str) -> str:
    """Return a text without line breaks and other characters that a terminal or a comment in a program interprets."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def force_utf8(*streams: TextIO) -> None:
    """Use UTF-8 for these streams in any locale, as Pulumi and code hosting sites do."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="strict" if stream is sys.stdin else "backslashreplace")
