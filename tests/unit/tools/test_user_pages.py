"""The pages for users: in the words of the product, without internals, and with the messages that it prints."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.cloud import errors
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = CHECKOUT / "docs"
PAGES = {
    str(page.relative_to(CHECKOUT)): page.read_text()
    for page in (
        CHECKOUT / "README.md",
        *(page for folder in ("", "how-to", "clouds", "reference") for page in sorted((DOCS / folder).glob("*.md"))),
    )
}
OTHER_WORDS = (
    r"\b(?:tak(?:e|es|en) over|takeovers?|left behind|answer (?:is|was )?lost|olds|news|wish(?:es)?|it is told|"
    r"aftermath|says nothing|survivable|lets? go)\b"
)
"""Words for which the product has another one, such as "import" for "take over"."""
FOREIGN = {
    "the stack is currently locked by 1 lock(s)",
    "error reading from server: EOF",
    "failed to save snapshot",
    "failed to load checkpoint: EOF",
    "The request you have made requires authentication (HTTP 401, )",
    "No valid host was found",
}
"""Messages of Pulumi and of OpenStack."""


@pytest.fixture(scope="module")
def internals() -> set[str]:
    """The names of all tests and of their modules, and the paths of the modules of the package."""
    tests, modules = (list((CHECKOUT / folder).rglob("*.py")) for folder in ("tests", "ecs_pulumi"))
    names = {name for test in tests for name in re.findall(r"^ *def (test_\w+)", test.read_text(), re.MULTILINE)}
    return (
        names
        | {test.name for test in tests if test.stem.startswith("test_")}
        | {"/".join(module.parts[-2:]) for module in modules if module.stem != "__init__"}
    )


@pytest.mark.parametrize("page", PAGES)
def test_user_page_has_no_internals(page: str, internals: set[str]) -> None:
    """The text of a page for users names no test and no module of the package, and uses the words of the product."""
    text = re.sub(r"\]\([^)]*\)|```.*?```", "", PAGES[page], flags=re.DOTALL)
    named = {"/".join(path.split("/")[-2:]) for path in re.findall(r"[\w./]+", text)}
    assert named & internals == set()
    assert re.findall(OTHER_WORDS, text, re.IGNORECASE) == []


def test_headings_of_troubleshooting_are_messages() -> None:
    """The messages in the headings of the page are those of the package, of Pulumi or of OpenStack."""
    headings = re.findall(r"^### (.*)", PAGES["docs/how-to/failures.md"], re.MULTILINE)
    messages = [message for heading in headings for message in re.findall("`(.+?)`", heading)]
    assert len(messages) > 20
    known = "\n".join([*_texts(), *FOREIGN])
    parts = {part.strip(' .[]"?') for message in messages for part in re.split("…|[:;,] ", message)}
    assert {part for part in parts if part and part not in known} == set()


def test_hints_of_errors_are_explained() -> None:
    """The pages explain each hint that an error of the API can have."""
    page, codes = PAGES["docs/how-to/failures.md"], PAGES["docs/clouds/open-telekom-cloud.md"]
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.ApiError)]
    hints = {re.split("[:.]| or ", each.hint)[0] for each in classes} | {
        pattern.pattern.lstrip("^") for pattern, _ in errors._FORBIDDEN_HINTS
    }
    assert {hint for hint in hints if hint not in page} == set()
    assert set(re.findall(r"EVS\.\d{4}", codes)) == errors._CODE_HINTS.keys()


def _texts() -> Iterator[str]:
    """Yield the string constants of the package, and the constant parts of its f-strings."""
    for module in (CHECKOUT / "ecs_pulumi").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
