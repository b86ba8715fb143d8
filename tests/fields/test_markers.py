"""The owner marker in the metadata of servers and volumes: always present in the cloud, never in inputs or outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.steps import PROJECT, SAME, STACK, Resource, updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.cloud_fixtures import CloudFixtures

    New = Callable[..., Resource]

KEY = "managed-by-pulumi"
KINDS = ["Server", "Volume"]


def inputs_of(kind: str, fixtures: CloudFixtures, **more: Any) -> dict[str, Any]:
    """Return the inputs of a resource of the kind."""
    return {**({"size": 1} if kind == "Volume" else fixtures.server_inputs), **more}


def metadata_of(kind: str, fixtures: CloudFixtures, resource: Resource) -> dict[str, str]:
    """Return the metadata of the remote object, without the keys that the cloud writes."""
    cloud: Any = fixtures.cloud
    remote = cloud.block_storage.get_volume(resource.id) if kind == "Volume" else cloud.compute.get_server(resource.id)
    return {key: value for key, value in remote.metadata.items() if key not in ("readonly", "attached_mode")}


def marker_of(resource: Resource) -> dict[str, str]:
    """Return the owner marker of the resource, as metadata."""
    return {KEY: f"Managed by Pulumi: {PROJECT}/{STACK}/{resource.name}"}


@pytest.mark.parametrize("kind", KINDS)
def test_owner_marker_survives_metadata_changes(new: New, fixtures: CloudFixtures, kind: str) -> None:
    """Changes of description and metadata keep the marker, and the marker is never part of outputs or diffs."""
    resource = new(kind)
    for metadata in ({"a": "1"}, {"b": "2", "c": ""}, {}, None):
        program = inputs_of(kind, fixtures, description="mine", metadata=metadata)
        resource.up(**program)
        assert metadata_of(kind, fixtures, resource) == {**(metadata or {}), **marker_of(resource)}
        assert resource.outputs["metadata"] == (metadata or {})
        assert resource.preview(**program) == SAME
        resource.refresh()
        assert resource.outputs["metadata"] == (metadata or {})
        assert resource.preview(**program) == SAME
    assert resource.preview(**inputs_of(kind, fixtures, metadata={"d": "4"})) == updates("metadata", "description")


@pytest.mark.parametrize("kind", KINDS)
def test_adopt_updates_owner_marker(new: New, fixtures: CloudFixtures, kind: str) -> None:
    """Adopting an object of another stack replaces the owner marker, even if the program sets a description."""
    other, adopted = new(kind), new(kind)
    program = inputs_of(kind, fixtures, name="fields-moved", description="mine", metadata={"a": "1"})
    other.up(**program)
    marker = {KEY: f"Managed by Pulumi: {PROJECT}/elsewhere/it"}
    cloud: Any = fixtures.cloud
    if kind == "Volume":
        cloud.block_storage.set_volume_metadata(other.id, **marker)
    else:
        cloud.compute.set_server_metadata(other.id, **marker)
    adopted.up(**program, adopt=other.id)
    other.forget()
    assert metadata_of(kind, fixtures, adopted) == {"a": "1", **marker_of(adopted)}
    assert adopted.outputs["metadata"] == {"a": "1"}
    assert adopted.preview(**program) == SAME


@pytest.mark.parametrize("kind", KINDS)
def test_adopt_of_unmarked_object_adds_no_owner_marker(new: New, fixtures: CloudFixtures, kind: str) -> None:
    """Neither adopting an object without a marker nor a later update writes a marker."""
    other, adopted = new(kind, config={"ecs:marker": "false"}), new(kind)
    program = inputs_of(kind, fixtures, name="fields-by-hand", metadata={"a": "1"})
    other.up(**program)
    assert metadata_of(kind, fixtures, other) == {"a": "1"}, "`ecs:marker: false` disables the owner marker"
    adopted.up(**program, adopt=other.id)
    other.forget()
    assert metadata_of(kind, fixtures, adopted) == {"a": "1"}
    adopted.up(**{**program, "metadata": {"b": "2"}})
    assert metadata_of(kind, fixtures, adopted) == {"b": "2"}
