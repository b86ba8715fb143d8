"""Regular expressions from clients, limited to those whose evaluation cannot take long.

Python backtracks: `(a+)+$` on thirty characters takes minutes, and holds up every other request meanwhile. One
repetition costs at most the square of the text's length; where `^` fixes the beginning, two cost no more.
"""

from __future__ import annotations

import re

LONGEST = 255
"""Characters of a pattern."""
SEARCHED = 1024
"""Characters of a text that a pattern is compared with."""
RULE = (
    "the emulator evaluates regular expressions of at most 255 characters with one repetition of a single character or"
    " class, or two after ^ and without |"
)
_ESCAPED_OR_CLASS = re.compile(r"\\[^0-9]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)


def compiled(pattern: str) -> re.Pattern[str]:
    """The compiled pattern; one that is no regular expression matches as plain text.

    Raises:
        ValueError: its evaluation could take long.
    """
    shape = _ESCAPED_OR_CLASS.sub("x", pattern[: LONGEST + 1])
    allowed = 2 if shape.startswith("^") and "|" not in shape else 1
    repetitions = len(re.findall(r"[*+?{]", shape))
    if len(pattern) > LONGEST or repetitions > allowed or re.search(r"\)[*+?{]|\(\?|\\", shape):
        raise ValueError(RULE)
    try:
        return re.compile(pattern)
    except re.error:
        return re.compile(re.escape(pattern))


def is_found(pattern: str, text: str) -> bool:
    """Whether the text contains what the pattern describes; `pattern` was accepted by `compiled` before."""
    return compiled(pattern).search(text[:SEARCHED]) is not None
