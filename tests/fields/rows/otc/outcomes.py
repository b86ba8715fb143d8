"""The outcomes of fields that an Open Telekom Cloud does not treat as their field options declare."""

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
        only: The rule for unknown attributes under which it is refused, if the other one makes no difference.
        is_ignored: Whether the cloud always ignores the field, instead of refusing it; then the object is left.
    """

    reason: str
    value: Any = NONE
    base: Any = None
    is_ignored: bool = False
    only: str = ""


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


@dataclass(frozen=True)
class NotChanged:
    """A field that only a create can set: an update fails with one line, and the object keeps the first value.

    Attributes:
        reason: A pattern of the error message.
        value: The value that a create sets; the first value of the row if not given.
        second: The value to which it cannot be changed; the second value of the row if not given.
    """

    reason: str
    value: Any = NONE
    second: Any = NONE


OtcRow = Row | NotOffered | NotKept | NotChanged | None
"""The row of a field; None if the cloud has no values to choose from, as for the only address of a port."""

ANY_ID = "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"
DESCRIPTION, TAGS = NotKept("description: not kept"), NotKept("tags: not kept")
