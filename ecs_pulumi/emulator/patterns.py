"""Regular expressions from clients, limited to those that cannot take long to evaluate.

Python's `re` backtracks: `(a+)+$` on thirty characters takes minutes and blocks all other requests. The cost of one
repetition is at most quadratic in the length of the text; so is the cost of two repetitions anchored with `^`.
"""

from __future__ import annotations

import re

MAX_LENGTH = 255
"""The maximum length of a pattern."""
MAX_SEARCHED = 1024
"""The number of characters of a text that are searched."""
RULE = (
    "the emulator evaluates regular expressions of at most 255 characters with one repetition of a single character or"
    " class, or two after ^ and without |"
)
_ESCAPED_OR_CLASS = re.compile(r"\\[^0-9]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern. One that is not a valid regular expression is matched literally.

    Raises:
        ValueError: evaluating the pattern could take long.
    """
    shape = _ESCAPED_OR_CLASS.sub("x", pattern[: MAX_LENGTH + 1])
    allowed = 2 if shape.startswith("^") and "|" not in shape else 1
    repetitions = len(re.findall(r"[*+?{]", shape))
    if len(pattern) > MAX_LENGTH or repetitions > allowed or re.search(r"\)[*+?{]|\(\?|\\", shape):
        raise ValueError(RULE)
    try:
        return re.compile(pattern)
    except re.error:
        return re.compile(re.escape(pattern))


def is_found(pattern: str, text: str) -> bool:
    """Return whether the pattern matches somewhere in the text; `compiled` must accept the pattern."""
    return compiled(pattern).search(text[:MAX_SEARCHED]) is not None
