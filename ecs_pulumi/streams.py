"""The encoding in which the commands that stand beside `pulumi up` read and speak."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


def utf8(*streams: TextIO) -> None:
    """Let a command's streams speak UTF-8, as Pulumi and forges do, whatever the terminal's locale says."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="strict" if stream is sys.stdin else "backslashreplace")
