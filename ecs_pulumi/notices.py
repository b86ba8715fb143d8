"""Codes of the notices and warnings that other programs parse. The wording of a message may change, its code may not.

A code is in brackets at the end of the message: `deleting web deletes its root disk [data-loss]`.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Notice(Enum):
    """The code of a message."""

    DATA_LOSS = "data-loss"
    """A deletion or a replacement deletes data."""
    NEVER_USABLE = "never-usable"
    """An object whose creation failed is replaced; it holds no data."""
    REBUILD = "rebuild"
    """An update in place overwrites the root disk of a server.

    This code, and each of the next ones, is followed by the names of the changed inputs.
    """
    INTERRUPTS = "interrupts"
    """An update in place interrupts the workload of a server."""
    WAKES = "wakes"
    """A server that is not running runs for a part of the update."""
    MOVES = "moves-data"
    """An update in place may move data to other storage."""
    DISCONNECTS = "disconnects"
    """An update in place makes a port unreachable at an address that it had."""
    CUTS = "cuts-connections"
    """An update in place no longer lets packets pass that passed before."""
    PORT_LOSS = "port-loss"
    """The cloud deletes a port that the program declares or needs together with its user, a server or an interface."""
    IMPORT = "import-changes"
    """An import changes the existing object. The code is followed by the names of the changed inputs."""
    NOT_CHECKED = "not-checked"
    """The preview did not check the inputs against the cloud."""

    def with_code(self, text: str, names: Iterable[str] = ()) -> str:
        """Return the message with its code.

        Args:
            text: The message.
            names: Names of the properties that the message is about.
        """
        listed = ", ".join(names)
        return f"{text} [{self.value}{': ' if listed else ''}{listed}]"


_CODE = re.compile(rf" \[({'|'.join(each.value for each in Notice)})(?:: ([\w, ]+))?\]$")


def parse(text: str) -> tuple[Notice | None, str, list[str]]:
    """Return the code of a message, the message without it, and the names of the properties that it is about."""
    match = _CODE.search(text.strip())
    if not match:
        return None, text.strip(), []
    names = match[2].split(", ") if match[2] else []
    return Notice(match[1]), text.strip()[: match.start()], names
