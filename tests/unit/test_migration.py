"""The migration guide names only existing fields."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.handler import get_handler

PAGE = Path(__file__).parents[2] / "docs" / "migration.md"
FIELDS = sorted(set(re.findall(r"`([A-Z]\w+)\.([a-z]\w+)`", PAGE.read_text())))


@pytest.mark.parametrize(("kind_name", "field"), FIELDS)
def test_fields_in_migration_guide_exist(kind_name: str, field: str) -> None:
    """Every field that the page names is an input or an output of its resource."""
    handler = get_handler(kind_name)
    assert field in fields.fields_of(handler.inputs) or field in fields.fields_of(handler.outputs)
