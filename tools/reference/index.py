"""The first page of the reference."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.dynamic.fields import fields_of, models_in
from ecs_pulumi.resources.registry import handlers
from tools.reference.kinds import EXAMPLE, api, introduction, meaning
from tools.reference.markdown import DOCS, codes, page, table
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from ecs_pulumi.dynamic.handler import ResourceHandler
_NEEDS = re.compile(r"(?:[Nn]eeds? |\()(compute|block-storage) (\d+\.\d+)")


def index_page() -> str:
    """Return the index page."""
    rows = [
        [f"[{each.name}]({each.name}.md)", _first_sentence(introduction(each)[0]), api(each)] for each in _in_order()
    ]
    return page(
        "README",
        kinds=table(["Kind", "What it is", "API"], rows),
        microversions=table(["API", "Inputs"], _microversions()),
        example=str(EXAMPLE.relative_to(CHECKOUT)),
    )


def _microversions() -> list[list[str]]:
    """Return the rows of the table of microversions: the inputs that need each, as their text says."""
    needing: dict[tuple[str, str], list[str]] = {}
    for handler in _in_order():
        for name, field in fields_of(handler.inputs).items():
            nested = [each for model in models_in(field.info.annotation) for each in fields_of(model).values()]
            for each in (field, *nested):
                path = f"{handler.name}.{name}" if each is field else f"{handler.name}.{name}[].{each.name}"
                for needed in _NEEDS.findall(meaning(each)):
                    needing.setdefault(needed, []).append(path)
    ordered = sorted(needing, key=lambda key: (key[0] != "compute", [int(part) for part in key[1].split(".")]))
    return [[f"{service} {version}", codes(needing[service, version])] for service, version in ordered]


def _in_order() -> list[ResourceHandler[Any, Any, Any]]:
    """Return the handlers in the order in which the site lists their pages."""
    listed = re.findall(r"^reference/(\w+)$", (DOCS / "index.md").read_text(), re.MULTILINE)
    return sorted(handlers(), key=lambda each: listed.index(each.name) if each.name in listed else len(listed))


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".")
