"""What a handler of any kind inherits is not lost if it overrides a method."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn, cast

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic.fields import CheckInputs, fields_of
from ecs_pulumi.resources.owner_markers import MARKER_KEY
from ecs_pulumi.resources.registry import get_handler, kinds

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context


@pytest.mark.parametrize("kind", kinds())
def test_preview_rejects_an_unknown_region(kind: str) -> None:
    """The check of the region is the first one of every kind."""

    def region(name: str) -> NoReturn:
        raise errors.ConfigurationError(f"no region {name}")

    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(connection=SimpleNamespace(region=region))))
    with pytest.raises(errors.ConfigurationError, match="no region nowhere"):
        list(get_handler(kind).preflight(context, CheckInputs({"region": "nowhere"}, {})))


@pytest.mark.parametrize("kind", [kind for kind in kinds() if "metadata" in fields_of(get_handler(kind).inputs)])
def test_metadata_cannot_contain_the_owner_marker(kind: str) -> None:
    """The provider writes this key itself."""
    problems = list(get_handler(kind).validate(CheckInputs({"metadata": {MARKER_KEY: "x"}}, {})))
    assert "metadata" in [problem.property for problem in problems]
