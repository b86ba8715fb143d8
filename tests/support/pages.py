"""The code blocks of the documentation pages, as one shell script that does what a reader does."""

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
        language: The first word after the fence.
        file: The name of the file that it shows (`title=…`); empty for a fragment.
        words: The other words after the fence: `fails` for commands that fail, `append` for a file to append to.
        text: The content.
        line: The number of its first line.
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
    """Return a shell script that writes the files, runs the commands, and checks that commands marked `fails` fail.

    Args:
        found: The blocks of a page.
        words: Placeholders of the page, and their values in the test.
    """
    parts = []
    for block in found:
        text = block.text
        for placeholder, value in words.items():
            text = text.replace(placeholder, value)
        if block.file:
            into = ">>" if "append" in block.words else ">"
            parts.append(f"cat {into} {shlex.quote(block.file)} <<'END OF FILE'\n{text}END OF FILE\n")
        elif block.language == "bash" and "fails" in block.words:
            parts.append(f"if (\n{text}); then echo 'the commands at line {block.line} did not fail'; exit 1; fi\n")
        elif block.language == "bash":
            parts.append(text)
    return "".join(parts)


def missing(found: Iterable[Block], printed: str) -> list[str]:
    """Return the lines of the `text` blocks that were not printed; `…` matches any text.

    Args:
        found: The blocks of a page.
        printed: The output of the script.
    """
    flat = " ".join(printed.split())
    shown = [" ".join(line.split()) for block in found if block.language == "text" for line in block.text.splitlines()]
    return [line for line in shown if line and not re.search(".*?".join(map(re.escape, line.split("…"))), flat)]
