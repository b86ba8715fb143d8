"""The reference says what the code does."""

from __future__ import annotations

import re

import ecs_pulumi as ecs
from tools import reference


def test_the_pages_are_up_to_date() -> None:
    """Whoever changes a field runs `python -m tools.reference`."""
    there = {path.name: path.read_text() for path in reference.PAGES.glob("*.md")}
    assert there == reference.pages()


def test_every_public_name_is_described() -> None:
    """Nothing that a program can use is left out; a twin is described with its lookup."""
    everything = "\n".join(reference.pages().values())
    missing = [
        name for name in ecs.__all__ if not name.endswith("_output") and not re.search(rf"\b{name}\b", everything)
    ]
    assert missing == []


def test_every_link_leads_somewhere() -> None:
    """To a page or file that exists, and to a heading that is there."""
    pages = reference.pages()
    for text in pages.values():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            path, _, anchor = target.partition("#")
            assert not path or (reference.PAGES / path).exists(), target
            headings = {heading.lower() for heading in re.findall(r"^#+ (\S+)$", text, re.MULTILINE)}
            assert not anchor or anchor in headings, target


def test_every_field_says_what_it_means() -> None:
    """No input, output, nested property or setting without a sentence."""
    for name, text in reference.pages().items():
        if name not in ("lookups.md", "README.md"):
            empty = [line for line in text.splitlines() if line.startswith("| `") and line.endswith(" |  |")]
            assert (name, empty) == (name, [])
