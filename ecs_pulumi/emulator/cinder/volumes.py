"""The HTTP API of volumes and their metadata."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.clock import to_microsecond
from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import BOOLEAN, OPTIONAL_TEXT, Schema, body, fields, is_true, metadata
from ecs_pulumi.emulator.versioned import links

from . import otc, storage
from .listing import serve
from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

FIELDS = (
    *("id", "status", "size", "availability_zone", "created_at", "updated_at", "name", "description"),
    *("volume_type", "snapshot_id", "source_volid", "metadata", "user_id", "bootable", "encrypted"),
    *("replication_status", "consistencygroup_id", "multiattach", "attachments"),
)
SERVICE = str(uuid.uuid5(uuid.NAMESPACE_URL, "ecs-emulator:storage"))
HINTS = "OS-SCH-HNT:scheduler_hints"
NAME_LENGTH = 255
OPTIONAL_ID: Schema = {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
METADATA = metadata("^[a-zA-Z0-9-_:. /]{1,255}$")
NAMES = dict.fromkeys(("name", "description", "display_name", "display_description"), OPTIONAL_TEXT)
NEW_VOLUME: Schema = {
    "type": "object",
    "properties": {
        "size": {"type": ["integer", "string", "null"], "pattern": "^[0-9]+$", "minimum": 1},
        **NAMES,
        **dict.fromkeys(("volume_type", "availability_zone", "imageRef"), OPTIONAL_TEXT),
        **dict.fromkeys(("snapshot_id", "source_volid", "backup_id"), OPTIONAL_ID),
        "metadata": METADATA | {"type": ["object", "null"]},
        "multiattach": BOOLEAN,
    },
}
MALFORMED = "The server could not comply with the request since it is either malformed or otherwise incorrect."
NO_MULTIATTACH = (
    "multiattach parameter has been removed. The default behavior is to use multiattach enabled volume types."
    " Contact your administrator to create a multiattach enabled volume type and use it to create multiattach"
    " volumes."
)


def brief(call: Call, volume: Document) -> Document:
    """Return a volume as the plain list shows it."""
    return {
        "id": volume["id"],
        "name": volume["name"],
        "links": links(call, f"volumes/{volume['id']}"),
    }


def write_view(call: Call, volume: Document) -> Document:
    """Return a volume as POST and PUT show it."""
    result = {name: volume[name] for name in FIELDS}
    result["links"] = links(call, f"volumes/{volume['id']}")
    if call.is_otc:
        result["shareable"] = volume["multiattach"]
    additions: dict[int, Document] = {
        13: {"group_id": None},
        48: {"shared_targets": True, "service_uuid": SERVICE},
        63: {"volume_type_id": volume["volume_type_id"]},
        65: {"consumes_quota": True},
    }
    for minor, more in additions.items():
        if call.at_least(minor):
            result |= more
    return result


def full(call: Call, volume: Document) -> Document:
    """Return a volume as GET shows it."""
    result = write_view(call, volume) | {"os-vol-tenant-attr:tenant_id": volume["project_id"]}
    if volume["volume_image_metadata"] and volume["status"] != "creating":
        result["volume_image_metadata"] = volume["volume_image_metadata"]
    if call.is_admin:
        result |= {
            "migration_status": None,
            "os-vol-mig-status-attr:migstat": None,
            "os-vol-mig-status-attr:name_id": None,
            "os-vol-host-attr:host": "emulator@storage#storage",
        }
    return result


def get_visible_volume(call: Call, volume_id: str) -> Document:
    """Return a volume that the caller may see, or raise 404; administrators see the volumes of all projects."""
    volume = call.get("volume", volume_id)
    if volume is not None and call.is_admin:
        return volume
    return storage.get_volume(call, volume_id)


def read_names(requested: Document) -> dict[str, str | None]:
    """Return the name and the description of a request, under their current or old keys."""
    names = {}
    for name in ("name", "description"):
        for key in (f"display_{name}", name):
            if key in requested:
                names[name] = requested[key].strip() if requested[key] is not None else None
    for name, value in names.items():
        if value is not None and len(value) > NAME_LENGTH:
            message = f"Invalid input received: {name} has {len(value)} characters, more than {NAME_LENGTH}."
            raise HttpError(400, message)
    return names


@service.post("/volumes")
def create_volume(call: Call) -> Reply:
    """`POST /volumes`."""
    requested = body(call, "volume", NEW_VOLUME, HINTS)
    names = read_names(requested)
    otc.check_create(call, requested, names, set(call.json()) - {"volume"})
    if requested.get("backup_id"):
        raise HttpError(404, f"Backup {requested['backup_id']} could not be found.")
    multiattach = is_true(requested.get("multiattach", False))
    if multiattach and not call.is_otc:
        raise HttpError(400, NO_MULTIATTACH)
    sources = {name: requested.get(name) for name in ("snapshot_id", "source_volid")}
    if requested.get("size") is None and not any(sources.values()):
        raise HttpError(400, MALFORMED)
    volume = storage.make_volume(
        call,
        size=int(requested.get("size") or 0),
        name=names.get("name"),
        description=names.get("description"),
        volume_type=requested.get("volume_type"),
        availability_zone=requested.get("availability_zone"),
        image_id=requested.get("imageRef"),
        **sources,
        metadata=requested.get("metadata"),
        multiattach=multiattach,
    )
    precise = {"created_at": to_microsecond(call.now)}
    return Reply(202, {"volume": write_view(call, volume) | precise})


@service.get("/volumes")
def list_volumes(call: Call) -> dict[str, Any]:
    """`GET /volumes`: ids and names."""
    return serve(call, "volume", "volumes", brief)


@service.get("/volumes/detail")
def list_details(call: Call) -> dict[str, Any]:
    """`GET /volumes/detail`."""
    return serve(call, "volume", "volumes/detail", full)


@service.get("/volumes/{volume_id}")
def show_volume(call: Call, volume_id: str) -> dict[str, Any]:
    """`GET /volumes/{id}`."""
    return {"volume": full(call, get_visible_volume(call, volume_id))}


@service.put("/volumes/{volume_id}")
def update_volume(call: Call, volume_id: str) -> dict[str, Any]:
    """`PUT /volumes/{id}`: name, description and metadata."""
    requested = body(call, "volume", fields({**NAMES, "metadata": METADATA}))
    changes: dict[str, Any] = dict(read_names(requested))
    volume = get_visible_volume(call, volume_id)
    otc.check_names(call, changes)
    if "metadata" in requested:
        otc.check_metadata(call, volume, requested["metadata"], replaced=True)
        changes["metadata"] = _system_metadata(volume) | requested["metadata"]
    if changes:
        # Like the real service, do not change `updated_at`.
        volume = call.put("volume", volume | changes)
    return {"volume": write_view(call, volume)}


@service.delete("/volumes/{volume_id}")
def delete_volume(call: Call, volume_id: str) -> Reply:
    """`DELETE /volumes/{id}`; with `?cascade=true`, also delete its snapshots."""
    cascade = (call.param("cascade") or "").lower() in ("true", "1")
    storage.delete(call, get_visible_volume(call, volume_id), cascade=cascade)
    return Reply(202)


def _system_metadata(volume: Document) -> dict[str, str]:
    """Return the metadata that the cloud manages and that users cannot remove."""
    return {
        key: value for key, value in volume["metadata"].items() if key == "readonly" or key.startswith("__system__")
    }


@service.post("/volumes/{volume_id}/metadata")
def add_metadata(call: Call, volume_id: str) -> dict[str, Any]:
    """`POST /volumes/{id}/metadata`: add entries."""
    requested = body(call, "metadata", METADATA)
    volume = get_visible_volume(call, volume_id)
    otc.check_metadata(call, volume, requested, replaced=False)
    return {"metadata": call.put("volume", volume | {"metadata": volume["metadata"] | requested})["metadata"]}


@service.put("/volumes/{volume_id}/metadata")
def replace_metadata(call: Call, volume_id: str) -> dict[str, Any]:
    """`PUT /volumes/{id}/metadata`: replace all entries."""
    requested = body(call, "metadata", METADATA)
    volume = get_visible_volume(call, volume_id)
    otc.check_metadata(call, volume, requested, replaced=True)
    return {"metadata": call.put("volume", volume | {"metadata": _system_metadata(volume) | requested})["metadata"]}


@service.delete("/volumes/{volume_id}/metadata/{key}")
def delete_metadata(call: Call, volume_id: str, key: str) -> Reply:
    """`DELETE /volumes/{id}/metadata/{key}`: remove one entry."""
    volume = get_visible_volume(call, volume_id)
    if key not in volume["metadata"]:
        raise HttpError(404, "Metadata item was not found")
    otc.check_key(call, key)
    kept = {name: value for name, value in volume["metadata"].items() if name != key}
    call.put("volume", volume | {"metadata": kept})
    return Reply(200)
