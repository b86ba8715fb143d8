"""What is different in the table of fields on an Open Telekom Cloud, by kind and field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fields.rows.row import NONE, Row


@dataclass(frozen=True)
class NotOffered:
    """A field that the cloud refuses: preview or `up` fails with one line, and no object is left.

    Attributes:
        reason: A pattern of the error message.
        value: The value that is refused; the first value of the row if not given.
        base: The other inputs, if they are different from those of the row.
    """

    reason: str
    value: Any = NONE
    base: Any = None


@dataclass(frozen=True)
class NotKept:
    """A field without which the object is useful: a warning names it, and no preview shows a change of it.

    Attributes:
        warning: A pattern of the warning.
        value: The value that is not kept; the first value of the row if not given.
        base: The other inputs, if they are different from those of the row.
    """

    warning: str
    value: Any = NONE
    base: Any = None


OTC: dict[str, dict[str, Row | NotOffered | NotKept]] = {
    "SecurityGroupRule": {},
}
"""The kinds whose fields are tested on an Open Telekom Cloud, and the rows of the fields that differ there."""
