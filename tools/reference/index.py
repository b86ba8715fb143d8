"""The first page of the reference."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.resources.registry import handlers
from tools.reference.kinds import EXAMPLE, api, introduction
from tools.reference.markdown import DOCS, page, table
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from ecs_pulumi.dynamic.handler import ResourceHandler


def index_page() -> str:
    """Return the index page."""
    rows = [
        [f"[{each.name}]({each.name}.md)", _first_sentence(introduction(each)[0]), api(each)] for each in handlers()
    ]
    return page("README", kinds=table(["Kind", "What it is", "API"], rows), example=str(EXAMPLE.relative_to(CHECKOUT)))


def _in_order() -> list[ResourceHandler[Any, Any, Any]]:
    """Return the handlers in the order in which the site lists their pages."""
    listed = re.findall(r"^reference/(\w+)$", (DOCS / "index.md").read_text(), re.MULTILINE)
    return sorted(handlers(), key=lambda each: listed.index(each.name) if each.name in listed else len(listed))


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".")
