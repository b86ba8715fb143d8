"""Snapshots of volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.clock import to_microsecond
from ecs_pulumi.emulator.context import Reply

from . import schema, storage
from .listing import Listing, serve
from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

SHOWN = (*("id", "created_at", "updated_at", "name", "description", "volume_id", "status", "size", "metadata"),)
FORCED_SINCE = 66
LISTING = Listing(
    kind="snapshot",
    plural="snapshots",
    absent="Snapshot {} could not be found.",
    equal=("name", "status", "volume_id"),
    ignored=("availability_zone", "metadata", "consumes_quota"),
)


def brief(call: Call, snapshot: Document) -> Document:
    """What a create answers and a plain list shows."""
    seen = {name: snapshot[name] for name in SHOWN}
    later: dict[int, Document] = {
        14: {"group_snapshot_id": None},
        41: {"user_id": snapshot["user_id"]},
        65: {"consumes_quota": True},
    }
    for minor, fields in later.items():
        if call.at_least(minor):
            seen |= fields
    return seen


def full(call: Call, snapshot: Document) -> Document:
    """What a GET shows."""
    progress = "0%" if snapshot["status"] == "creating" else "100%"
    return brief(call, snapshot) | {
        "os-extended-snapshot-attributes:project_id": snapshot["project_id"],
        "os-extended-snapshot-attributes:progress": progress,
    }


@service.post("/snapshots")
def create_snapshot(call: Call) -> Reply:
    """`POST /snapshots`."""
    said = schema.document(call, "snapshot")["snapshot"]
    volume_id = schema.required("snapshot", said, "volume_id")
    schema.identifier("volume_id", volume_id)
    named = schema.names(said)
    force = "force" in said and schema.boolean("snapshot", said, "force")
    snapshot = storage.make_snapshot(
        call,
        storage.found(call, volume_id),
        name=named.get("name"),
        description=named.get("description"),
        metadata=schema.metadata("metadata", said.get("metadata")),
        force=force or call.at_least(FORCED_SINCE),
    )
    exact = {"created_at": to_microsecond(call.now)}
    return Reply(202, {"snapshot": brief(call, snapshot) | exact})


@service.get("/snapshots")
def list_snapshots(call: Call) -> dict[str, Any]:
    """`GET /snapshots`."""
    return serve(call, LISTING, "snapshots", brief)


@service.get("/snapshots/detail")
def list_details(call: Call) -> dict[str, Any]:
    """`GET /snapshots/detail`."""
    return serve(call, LISTING, "snapshots/detail", full)


@service.get("/snapshots/{snapshot_id}")
def show_snapshot(call: Call, snapshot_id: str) -> dict[str, Any]:
    """`GET /snapshots/{id}`."""
    return {"snapshot": full(call, storage.found_snapshot(call, snapshot_id))}


@service.put("/snapshots/{snapshot_id}")
def update_snapshot(call: Call, snapshot_id: str) -> dict[str, Any]:
    """`PUT /snapshots/{id}`: name and description."""
    said = schema.document(call, "snapshot")["snapshot"]
    if not said:
        raise schema.refused("snapshot", said, f"{said!r} is not valid under any of the given schemas")
    snapshot = storage.found_snapshot(call, snapshot_id)
    return {"snapshot": brief(call, call.put("snapshot", snapshot | schema.names(said)))}


@service.delete("/snapshots/{snapshot_id}")
def delete_snapshot(call: Call, snapshot_id: str) -> Reply:
    """`DELETE /snapshots/{id}`."""
    storage.delete_snapshot(call, storage.found_snapshot(call, snapshot_id))
    return Reply(202)
