"""The code blocks of the pages that people read, as one script that does what a reader does."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_FENCE = re.compile(r"^( *)```(\S*)(.*?)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One code block.

    Attributes:
        language: The first word behind its fence.
        file: The file that it is (`title=…`); empty for a fragment.
        words: What else is said there: `fails` of commands, `append` of a file.
        text: What is in it.
        line: Where it begins.
    """

    language: str
    file: str
    words: frozenset[str]
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page in their order.

    Args:
        page: The page.
    """
    text, found = page.read_text(), []
    for match in _FENCE.finditer(text):
        indent, language, rest, body = match.groups()
        words = rest.split()
        file = next((word.removeprefix("title=") for word in words if word.startswith("title=")), "")
        body = re.sub(f"^{indent}", "", body, flags=re.MULTILINE)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(language, file, frozenset(words), body, line))
    return found


def script(found: Iterable[Block], words: Mapping[str, str]) -> str:
    """Return what a reader does: write the files, run the commands, and see those fail that are to.

    Args:
        found: The blocks of a page.
        words: What stands on the page for something that a reader has, and what it is here.
    """
    parts = []
    for block in found:
        text = block.text
        for written, meant in words.items():
            text = text.replace(written, meant)
        if block.file:
            into = ">>" if "append" in block.words else ">"
            parts.append(f"cat {into} {shlex.quote(block.file)} <<'END OF FILE'\n{text}END OF FILE\n")
        elif block.language == "bash" and "fails" in block.words:
            parts.append(f"if (\n{text}); then echo 'line {block.line} was to fail'; exit 1; fi\n")
        elif block.language == "bash":
            parts.append(text)
    return "".join(parts)


def missing(found: Iterable[Block], printed: str) -> list[str]:
    """Return the lines that the page shows as printed and nobody printed; `…` stands for anything.

    Args:
        found: The blocks of a page.
        printed: What was printed.
    """
    flat = " ".join(printed.split())
    shown = [" ".join(line.split()) for block in found if block.language == "text" for line in block.text.splitlines()]
    return [line for line in shown if line and not re.search(".*?".join(map(re.escape, line.split("…"))), flat)]
