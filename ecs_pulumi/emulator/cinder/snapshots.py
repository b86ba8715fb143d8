"""Snapshots of volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.clock import to_microsecond
from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.validation import BOOLEAN, UUID, Schema, body, fields, is_true

from . import storage
from .listing import serve
from .service import service
from .volumes import METADATA, NAMES, read_names

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

FIELDS = (*("id", "created_at", "updated_at", "name", "description", "volume_id", "status", "size", "metadata"),)
FORCE_DEFAULT_SINCE = 66
NEW_SNAPSHOT: Schema = {
    "type": "object",
    "properties": {**NAMES, "volume_id": UUID, "metadata": METADATA | {"type": ["object", "null"]}, "force": BOOLEAN},
    "required": ["volume_id"],
}


def brief(call: Call, snapshot: Document) -> Document:
    """Return a snapshot as POST and the plain list show it."""
    result = {name: snapshot[name] for name in FIELDS}
    additions: dict[int, Document] = {
        14: {"group_snapshot_id": None},
        41: {"user_id": snapshot["user_id"]},
        65: {"consumes_quota": True},
    }
    for minor, more in additions.items():
        if call.at_least(minor):
            result |= more
    return result


def full(call: Call, snapshot: Document) -> Document:
    """Return a snapshot as GET shows it."""
    progress = "0%" if snapshot["status"] == "creating" else "100%"
    return brief(call, snapshot) | {
        "os-extended-snapshot-attributes:project_id": snapshot["project_id"],
        "os-extended-snapshot-attributes:progress": progress,
    }


@service.post("/snapshots")
def create_snapshot(call: Call) -> Reply:
    """`POST /snapshots`."""
    requested = body(call, "snapshot", NEW_SNAPSHOT)
    names = read_names(requested)
    snapshot = storage.make_snapshot(
        call,
        storage.get_volume(call, requested["volume_id"]),
        name=names.get("name"),
        description=names.get("description"),
        metadata=requested.get("metadata") or {},
        force=is_true(requested.get("force", False)) or call.at_least(FORCE_DEFAULT_SINCE),
    )
    precise = {"created_at": to_microsecond(call.now)}
    return Reply(202, {"snapshot": brief(call, snapshot) | precise})


@service.get("/snapshots")
def list_snapshots(call: Call) -> dict[str, Any]:
    """`GET /snapshots`."""
    return serve(call, "snapshot", "snapshots", brief)


@service.get("/snapshots/detail")
def list_details(call: Call) -> dict[str, Any]:
    """`GET /snapshots/detail`."""
    return serve(call, "snapshot", "snapshots/detail", full)


@service.get("/snapshots/{snapshot_id}")
def show_snapshot(call: Call, snapshot_id: str) -> dict[str, Any]:
    """`GET /snapshots/{id}`."""
    return {"snapshot": full(call, storage.get_snapshot(call, snapshot_id))}


@service.put("/snapshots/{snapshot_id}")
def update_snapshot(call: Call, snapshot_id: str) -> dict[str, Any]:
    """`PUT /snapshots/{id}`: name and description."""
    requested = body(call, "snapshot", fields(NAMES))
    snapshot = storage.get_snapshot(call, snapshot_id)
    return {"snapshot": brief(call, call.put("snapshot", snapshot | read_names(requested)))}


@service.delete("/snapshots/{snapshot_id}")
def delete_snapshot(call: Call, snapshot_id: str) -> Reply:
    """`DELETE /snapshots/{id}`."""
    storage.delete_snapshot(call, storage.get_snapshot(call, snapshot_id))
    return Reply(202)
