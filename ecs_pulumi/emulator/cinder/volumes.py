"""The HTTP API of volumes and their metadata."""

from __future__ import annotations

import ast
import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.clock import to_microsecond
from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import schema, storage
from .listing import Listing, serve
from .service import links, require_microversion, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

FIELDS = (
    *("id", "status", "size", "availability_zone", "created_at", "updated_at", "name", "description"),
    *("volume_type", "snapshot_id", "source_volid", "metadata", "user_id", "bootable", "encrypted"),
    *("replication_status", "consistencygroup_id", "multiattach"),
)
SERVICE = str(uuid.uuid5(uuid.NAMESPACE_URL, "ecs-emulator:storage"))
HINTS = "OS-SCH-HNT:scheduler_hints"
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
    result["attachments"] = [
        {name: value for name, value in each.items() if not name.startswith("_")} for each in volume["attachments"]
    ]
    if call.cloud.dialect.name == "otc":
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


@service.post("/volumes")
def create_volume(call: Call) -> Reply:
    """`POST /volumes`."""
    body = schema.document(call, "volume", HINTS)
    fields = body["volume"]
    schema.check_type(HINTS, body.get(HINTS), "object", "null")
    for name, kinds in (
        ("size", ("integer", "string", "null")),
        ("volume_type", ("string", "null")),
        ("availability_zone", ("string", "null")),
        ("imageRef", ("string", "null")),
    ):
        schema.check_type(name, fields.get(name), *kinds)
    for name in ("snapshot_id", "source_volid", "backup_id"):
        if fields.get(name) is not None:
            schema.identifier(name, fields[name])
    size = None if fields.get("size") is None else schema.size("size", fields["size"])
    metadata = schema.metadata("metadata", fields.get("metadata"))
    names = schema.names(fields)
    if fields.get("backup_id"):
        raise HttpError(404, f"Backup {fields['backup_id']} could not be found.")
    multiattach = "multiattach" in fields and schema.boolean("volume", fields, "multiattach")
    if multiattach and call.cloud.dialect.microversions:
        raise HttpError(400, NO_MULTIATTACH)
    if size is None and not fields.get("snapshot_id") and not fields.get("source_volid"):
        raise HttpError(400, MALFORMED)
    volume = storage.make_volume(
        call,
        size=size,
        name=names.get("name"),
        description=names.get("description"),
        volume_type=fields.get("volume_type"),
        availability_zone=fields.get("availability_zone"),
        image_id=fields.get("imageRef"),
        snapshot_id=fields.get("snapshot_id"),
        source_volid=fields.get("source_volid"),
        metadata=metadata,
        multiattach=multiattach,
    )
    precise = {"created_at": to_microsecond(call.now)}
    return Reply(202, {"volume": write_view(call, volume) | precise})


def _has_metadata(volume: Document, text: str) -> bool:
    """Apply the filter `metadata={'key':'value'}`, whose value is a Python literal."""
    try:
        expected = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return isinstance(expected, dict) and expected.items() <= volume["metadata"].items()


LISTING = Listing(
    kind="volume",
    plural="volumes",
    not_found_message="Volume {} could not be found.",
    equal=("name", "status", "bootable", "availability_zone", "size"),
    special={"metadata": _has_metadata},
    ignored=("migration_status", "group_id", "consumes_quota"),
    times=("created_at", "updated_at"),
)


@service.get("/volumes")
def list_volumes(call: Call) -> dict[str, Any]:
    """`GET /volumes`: ids and names."""
    return serve(call, LISTING, "volumes", brief)


@service.get("/volumes/detail")
def list_details(call: Call) -> dict[str, Any]:
    """`GET /volumes/detail`."""
    return serve(call, LISTING, "volumes/detail", full)


@service.get("/volumes/summary")
def summary(call: Call) -> dict[str, Any]:
    """`GET /volumes/summary`, from microversion 3.12 on; from 3.36 on, with all metadata values."""
    require_microversion(call, 12)
    volumes = call.find("volume", project_id=call.project_id)
    result: dict[str, Any] = {
        "total_count": len(volumes),
        "total_size": sum(volume["size"] for volume in volumes),
    }
    if call.at_least(36):
        result["metadata"] = {}
        for volume in volumes:
            for key, value in volume["metadata"].items():
                values = result["metadata"].setdefault(key, [])
                if value not in values:
                    values.append(value)
    return {"volume-summary": result}


@service.get("/volumes/{volume_id}")
def show_volume(call: Call, volume_id: str) -> dict[str, Any]:
    """`GET /volumes/{id}`."""
    return {"volume": full(call, get_visible_volume(call, volume_id))}


@service.put("/volumes/{volume_id}")
def update_volume(call: Call, volume_id: str) -> dict[str, Any]:
    """`PUT /volumes/{id}`: name, description and metadata."""
    fields = schema.document(call, "volume")["volume"]
    schema.check_properties("volume", fields, "name", "description", "display_name", "display_description", "metadata")
    changes: dict[str, Any] = dict(schema.names(fields))
    volume = get_visible_volume(call, volume_id)
    if "metadata" in fields:
        changes["metadata"] = _system_metadata(volume) | schema.metadata("metadata", fields["metadata"])
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
    system_keys = ("readonly", "attached_mode")
    return {
        key: value for key, value in volume["metadata"].items() if key in system_keys or key.startswith("__system__")
    }


@service.get("/volumes/{volume_id}/metadata")
def show_metadata(call: Call, volume_id: str) -> dict[str, Any]:
    """`GET /volumes/{id}/metadata`."""
    return {"metadata": get_visible_volume(call, volume_id)["metadata"]}


@service.post("/volumes/{volume_id}/metadata")
def add_metadata(call: Call, volume_id: str) -> dict[str, Any]:
    """`POST /volumes/{id}/metadata`: add entries."""
    metadata = schema.metadata("metadata", schema.document(call, "metadata")["metadata"])
    volume = get_visible_volume(call, volume_id)
    return {"metadata": call.put("volume", volume | {"metadata": volume["metadata"] | metadata})["metadata"]}


@service.put("/volumes/{volume_id}/metadata")
def replace_metadata(call: Call, volume_id: str) -> dict[str, Any]:
    """`PUT /volumes/{id}/metadata`: replace all entries."""
    metadata = schema.metadata("metadata", schema.document(call, "metadata")["metadata"])
    volume = get_visible_volume(call, volume_id)
    return {"metadata": call.put("volume", volume | {"metadata": _system_metadata(volume) | metadata})["metadata"]}


def _get_with_key(call: Call, volume_id: str, key: str) -> Document:
    volume = get_visible_volume(call, volume_id)
    if key not in volume["metadata"]:
        raise HttpError(404, f"Volume {volume_id} has no metadata with key {key}.")
    return volume


@service.get("/volumes/{volume_id}/metadata/{key}")
def show_key(call: Call, volume_id: str, key: str) -> dict[str, Any]:
    """`GET /volumes/{id}/metadata/{key}`."""
    return {"meta": {key: _get_with_key(call, volume_id, key)["metadata"][key]}}


@service.put("/volumes/{volume_id}/metadata/{key}")
def set_key(call: Call, volume_id: str, key: str) -> dict[str, Any]:
    """`PUT /volumes/{id}/metadata/{key}`."""
    metadata = schema.metadata("meta", schema.document(call, "meta")["meta"])
    if list(metadata) != [key]:
        raise HttpError(400, "Request body and URI mismatch")
    volume = get_visible_volume(call, volume_id)
    call.put("volume", volume | {"metadata": volume["metadata"] | metadata})
    return {"meta": metadata}


@service.delete("/volumes/{volume_id}/metadata/{key}")
def delete_key(call: Call, volume_id: str, key: str) -> Reply:
    """`DELETE /volumes/{id}/metadata/{key}`."""
    volume = _get_with_key(call, volume_id, key)
    del volume["metadata"][key]
    call.put("volume", volume)
    return Reply(200)
