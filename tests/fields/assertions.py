"""Assertions on a resource after an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.steps import SAME, updates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.steps import Resource

VOLATILE_OUTPUTS = {"updated", "updated_at", "status", "port_state", "subnet_ids"}
"""Outputs that the cloud or other tests may change at any time."""


def stable(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs that have a value and that only an operation on the resource changes."""
    return {name: value for name, value in outputs.items() if value is not None and name not in VOLATILE_OUTPUTS}


def assert_no_changes(resource: Resource, program: dict[str, Any]) -> None:
    """Assert that a preview shows no changes, before and after a refresh."""
    assert resource.preview(**program) == SAME
    resource.refresh()
    assert resource.state is not None
    assert resource.preview(**program) == SAME


def assert_complete(resource: Resource, program: dict[str, Any]) -> None:
    """Assert that an `up` left no changes, and that it stored the same outputs as a refresh does."""
    stored = resource.outputs
    assert_no_changes(resource, program)
    assert stable(resource.outputs) == stable(stored)


def assert_updates_in_place(resource: Resource, field: str, program: dict[str, Any]) -> None:
    """Assert that the field changes in place, and that the update is complete."""
    id_before = resource.id
    assert resource.preview(**program) == updates(field)
    resource.up(**program)
    assert resource.id == id_before
    assert_complete(resource, program)
