"""Codes of the notices and warnings that other programs read: the wording may change, a code may not.

A code stands in brackets at the end of the message: `deleting web deletes its root disk [data-loss]`.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Notice(Enum):
    """What a message is about."""

    DATA_LOSS = "data-loss"
    """A deletion or a replacement deletes data."""
    REBUILD = "rebuild"
    """An update in place overwrites the root disk of a server."""
    IMPORT = "import-changes"
    """An existing object that is imported is changed. The code is followed by the names of the inputs."""
    NOT_CHECKED = "not-checked"
    """The preview did not ask the cloud."""

    def mark(self, text: str, names: Iterable[str] = ()) -> str:
        """The message with its code.

        Args:
            text: The message.
            names: Names of the properties that it is about.
        """
        listed = ", ".join(names)
        return f"{text} [{self.value}{': ' if listed else ''}{listed}]"


_CODE = re.compile(rf" \[({'|'.join(each.value for each in Notice)})(?:: ([\w, ]+))?\]$")


def parse(text: str) -> tuple[Notice | None, str, list[str]]:
    """The code of a message, the message without it, and the names of the properties that it is about."""
    found = _CODE.search(text.strip())
    if not found:
        return None, text.strip(), []
    names = found[2].split(", ") if found[2] else []
    return Notice(found[1]), text.strip()[: found.start()], names
