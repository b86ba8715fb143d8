"""The reference pages match the code and are complete."""

from __future__ import annotations

import re

import ecs_pulumi as ecs
from tools import reference


def test_reference_is_up_to_date() -> None:
    """After a change of a field, `python -m tools.reference` has to be run."""
    stored = {path.name: path.read_text() for path in reference.PAGES.glob("*.md")}
    assert stored == reference.pages()


def test_every_public_name_is_documented() -> None:
    """The pages contain every public name; the `_output` variant of a lookup is documented with the lookup."""
    text = "\n".join(reference.pages().values())
    missing = [name for name in ecs.__all__ if not name.endswith("_output") and not re.search(rf"\b{name}\b", text)]
    assert missing == []


def test_every_link_has_a_target() -> None:
    """Every link leads to an existing file, and to an existing heading."""
    pages = reference.pages()
    for text in pages.values():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            path, _, anchor = target.partition("#")
            assert not path or (reference.PAGES / path).exists(), target
            headings = {heading.lower() for heading in re.findall(r"^#+ (\S+)$", text, re.MULTILINE)}
            assert not anchor or anchor in headings, target


def test_every_field_has_a_description() -> None:
    """Every input, output, nested property and setting has a description."""
    for name, text in reference.pages().items():
        if name not in ("lookups.md", "README.md"):
            empty = [line for line in text.splitlines() if line.startswith("| `") and line.endswith(" |  |")]
            assert (name, empty) == (name, [])
