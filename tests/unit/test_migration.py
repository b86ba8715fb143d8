"""The page for those who come from another provider names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecs_pulumi.dynamic import fields, kind

PAGE = Path(__file__).parents[2] / "docs" / "migration.md"
NAMED = sorted(set(re.findall(r"`([A-Z]\w+)\.([a-z]\w+)`", PAGE.read_text())))


@pytest.mark.parametrize(("kind_name", "field"), NAMED)
def test_every_field_that_the_page_names_exists(kind_name: str, field: str) -> None:
    """A field named in the page is an input or an output of its kind."""
    found = kind.get_handler(kind_name)
    assert field in fields.fields_of(found.inputs) or field in fields.fields_of(found.outputs)
