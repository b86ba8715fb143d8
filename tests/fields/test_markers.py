"""The owner marker in the metadata of servers and volumes: always there, never shown, never in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.steps import PROJECT, SAME, STACK, Resource, updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.ground import CloudFixtures

    New = Callable[..., Resource]

KEY = "managed-by-pulumi"
KINDS = ["Server", "Volume"]


def inputs_of(kind: str, ground: CloudFixtures, **more: Any) -> dict[str, Any]:
    """A program for the kind."""
    return {**({"size": 1} if kind == "Volume" else ground.server_inputs), **more}


def metadata_of(kind: str, ground: CloudFixtures, it: Resource) -> dict[str, str]:
    """What another client sees, without what the cloud writes itself."""
    cloud: Any = ground.cloud
    found = cloud.block_storage.get_volume(it.id) if kind == "Volume" else cloud.compute.get_server(it.id)
    return {key: value for key, value in found.metadata.items() if key not in ("readonly", "attached_mode")}


def marker_of(it: Resource) -> dict[str, str]:
    """What the metadata carries besides the program's."""
    return {KEY: f"Managed by Pulumi: {PROJECT}/{STACK}/{it.name}"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_marker_outlives_every_change_of_the_metadata(new: New, ground: CloudFixtures, kind: str) -> None:
    """Beside a description and metadata of the program's the marker stays; outputs, diffs and inputs lack it."""
    it = new(kind)
    for metadata in ({"a": "1"}, {"b": "2", "c": ""}, {}, None):
        program = inputs_of(kind, ground, description="mine", metadata=metadata)
        it.up(**program)
        assert metadata_of(kind, ground, it) == {**(metadata or {}), **marker_of(it)}
        assert it.outputs["metadata"] == (metadata or {})
        assert it.preview(**program) == SAME
        it.refresh()
        assert it.outputs["metadata"] == (metadata or {})
        assert it.preview(**program) == SAME
    assert it.preview(**inputs_of(kind, ground, metadata={"d": "4"})) == updates("metadata", "description")


@pytest.mark.parametrize("kind", KINDS)
def test_an_import_moves_the_marker(new: New, ground: CloudFixtures, kind: str) -> None:
    """What another stack made is this one's with its adoption, also where the description is the program's."""
    theirs, ours = new(kind), new(kind)
    program = inputs_of(kind, ground, name="fields-moved", description="mine", metadata={"a": "1"})
    theirs.up(**program)
    before = {KEY: f"Managed by Pulumi: {PROJECT}/elsewhere/it"}
    cloud: Any = ground.cloud
    if kind == "Volume":
        cloud.block_storage.set_volume_metadata(theirs.id, **before)
    else:
        cloud.compute.set_server_metadata(theirs.id, **before)
    ours.up(**program, adopt=theirs.id)
    theirs.forget()
    assert metadata_of(kind, ground, ours) == {"a": "1", **marker_of(ours)}
    assert ours.outputs["metadata"] == {"a": "1"}
    assert ours.preview(**program) == SAME


@pytest.mark.parametrize("kind", KINDS)
def test_an_import_of_an_unmarked_object_adds_no_marker(new: New, ground: CloudFixtures, kind: str) -> None:
    """What somebody made by hand is not changed by its adoption, and no update of it writes a marker."""
    theirs, ours = new(kind, config={"ecs:marker": "false"}), new(kind)
    program = inputs_of(kind, ground, name="fields-by-hand", metadata={"a": "1"})
    theirs.up(**program)
    assert metadata_of(kind, ground, theirs) == {"a": "1"}, "`ecs:marker: false` switches it off"
    ours.up(**program, adopt=theirs.id)
    theirs.forget()
    assert metadata_of(kind, ground, ours) == {"a": "1"}
    ours.up(**{**program, "metadata": {"b": "2"}})
    assert metadata_of(kind, ground, ours) == {"b": "2"}
