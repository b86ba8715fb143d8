"""Volumes: created, listed, shown, renamed and deleted over HTTP, with their metadata."""

from __future__ import annotations

import ast
import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.clock import to_microsecond
from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import schema, storage
from .listing import Listing, serve
from .service import links, service, since

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

SHOWN = (
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
    """What a plain list shows."""
    return {
        "id": volume["id"],
        "name": volume["name"],
        "links": links(call, f"volumes/{volume['id']}"),
    }


def answered(call: Call, volume: Document) -> Document:
    """What a create or an update answers."""
    seen = {name: volume[name] for name in SHOWN}
    seen["links"] = links(call, f"volumes/{volume['id']}")
    seen["attachments"] = [
        {name: value for name, value in each.items() if not name.startswith("_")} for each in volume["attachments"]
    ]
    if call.cloud.dialect.name == "otc":
        seen["shareable"] = volume["multiattach"]
    later: dict[int, Document] = {
        13: {"group_id": None},
        48: {"shared_targets": True, "service_uuid": SERVICE},
        63: {"volume_type_id": volume["volume_type_id"]},
        65: {"consumes_quota": True},
    }
    for minor, fields in later.items():
        if call.at_least(minor):
            seen |= fields
    return seen


def full(call: Call, volume: Document) -> Document:
    """What a GET shows."""
    seen = answered(call, volume) | {"os-vol-tenant-attr:tenant_id": volume["project_id"]}
    if volume["volume_image_metadata"] and volume["status"] != "creating":
        seen["volume_image_metadata"] = volume["volume_image_metadata"]
    if call.is_admin:
        seen |= {
            "migration_status": None,
            "os-vol-mig-status-attr:migstat": None,
            "os-vol-mig-status-attr:name_id": None,
            "os-vol-host-attr:host": "emulator@storage#storage",
        }
    return seen


def shown_volume(call: Call, volume_id: str) -> Document:
    """The volume of a request, or 404; an administrator finds every project's."""
    volume = call.get("volume", volume_id)
    if volume is not None and call.is_admin:
        return volume
    return storage.found(call, volume_id)


@service.post("/volumes")
def create_volume(call: Call) -> Reply:
    """`POST /volumes`."""
    body = schema.document(call, "volume", HINTS)
    said = body["volume"]
    schema.of(HINTS, body.get(HINTS), "object", "null")
    for name, kinds in (
        ("size", ("integer", "string", "null")),
        ("volume_type", ("string", "null")),
        ("availability_zone", ("string", "null")),
        ("imageRef", ("string", "null")),
    ):
        schema.of(name, said.get(name), *kinds)
    for name in ("snapshot_id", "source_volid", "backup_id"):
        if said.get(name) is not None:
            schema.identifier(name, said[name])
    size = None if said.get("size") is None else schema.size("size", said["size"])
    metadata = schema.metadata("metadata", said.get("metadata"))
    named = schema.names(said)
    if said.get("backup_id"):
        raise HttpError(404, f"Backup {said['backup_id']} could not be found.")
    multiattach = "multiattach" in said and schema.boolean("volume", said, "multiattach")
    if multiattach and call.cloud.dialect.microversions:
        raise HttpError(400, NO_MULTIATTACH)
    if size is None and not said.get("snapshot_id") and not said.get("source_volid"):
        raise HttpError(400, MALFORMED)
    volume = storage.make_volume(
        call,
        size=size,
        name=named.get("name"),
        description=named.get("description"),
        volume_type=said.get("volume_type"),
        availability_zone=said.get("availability_zone"),
        image_id=said.get("imageRef"),
        snapshot_id=said.get("snapshot_id"),
        source_volid=said.get("source_volid"),
        metadata=metadata,
        multiattach=multiattach,
    )
    exact = {"created_at": to_microsecond(call.now)}
    return Reply(202, {"volume": answered(call, volume) | exact})


def _has_metadata(volume: Document, wanted: str) -> bool:
    """The filter `metadata={'key':'value'}`, which is Python's way to write it."""
    try:
        asked = ast.literal_eval(wanted)
    except (ValueError, SyntaxError):
        return False
    return isinstance(asked, dict) and asked.items() <= volume["metadata"].items()


LISTING = Listing(
    kind="volume",
    plural="volumes",
    absent="Volume {} could not be found.",
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
    """`GET /volumes/summary`, from 3.12 on; with the metadata in use from 3.36 on."""
    since(call, 12)
    volumes = call.find("volume", project_id=call.project_id)
    seen: dict[str, Any] = {
        "total_count": len(volumes),
        "total_size": sum(volume["size"] for volume in volumes),
    }
    if call.at_least(36):
        seen["metadata"] = {}
        for volume in volumes:
            for key, value in volume["metadata"].items():
                values = seen["metadata"].setdefault(key, [])
                if value not in values:
                    values.append(value)
    return {"volume-summary": seen}


@service.get("/volumes/{volume_id}")
def show_volume(call: Call, volume_id: str) -> dict[str, Any]:
    """`GET /volumes/{id}`."""
    return {"volume": full(call, shown_volume(call, volume_id))}


@service.put("/volumes/{volume_id}")
def update_volume(call: Call, volume_id: str) -> dict[str, Any]:
    """`PUT /volumes/{id}`: name, description and metadata."""
    said = schema.document(call, "volume")["volume"]
    schema.only("volume", said, "name", "description", "display_name", "display_description", "metadata")
    changes: dict[str, Any] = dict(schema.names(said))
    volume = shown_volume(call, volume_id)
    if "metadata" in said:
        changes["metadata"] = _kept(volume) | schema.metadata("metadata", said["metadata"])
    if changes:
        # The real service does not count this as an update of the volume.
        volume = call.put("volume", volume | changes)
    return {"volume": answered(call, volume)}


@service.delete("/volumes/{volume_id}")
def delete_volume(call: Call, volume_id: str) -> Reply:
    """`DELETE /volumes/{id}`, with `?cascade=true` its snapshots too."""
    cascade = (call.param("cascade") or "").lower() in ("true", "1")
    storage.delete(call, shown_volume(call, volume_id), cascade=cascade)
    return Reply(202)


def _kept(volume: Document) -> dict[str, str]:
    """The metadata that is the cloud's own and that no user takes away."""
    own = ("readonly", "attached_mode")
    return {key: value for key, value in volume["metadata"].items() if key in own or key.startswith("__system__")}


@service.get("/volumes/{volume_id}/metadata")
def show_metadata(call: Call, volume_id: str) -> dict[str, Any]:
    """`GET /volumes/{id}/metadata`."""
    return {"metadata": shown_volume(call, volume_id)["metadata"]}


@service.post("/volumes/{volume_id}/metadata")
def add_metadata(call: Call, volume_id: str) -> dict[str, Any]:
    """`POST /volumes/{id}/metadata`: some more."""
    said = schema.metadata("metadata", schema.document(call, "metadata")["metadata"])
    volume = shown_volume(call, volume_id)
    return {"metadata": call.put("volume", volume | {"metadata": volume["metadata"] | said})["metadata"]}


@service.put("/volumes/{volume_id}/metadata")
def replace_metadata(call: Call, volume_id: str) -> dict[str, Any]:
    """`PUT /volumes/{id}/metadata`: these and no others."""
    said = schema.metadata("metadata", schema.document(call, "metadata")["metadata"])
    volume = shown_volume(call, volume_id)
    return {"metadata": call.put("volume", volume | {"metadata": _kept(volume) | said})["metadata"]}


def _key(call: Call, volume_id: str, key: str) -> Document:
    volume = shown_volume(call, volume_id)
    if key not in volume["metadata"]:
        raise HttpError(404, f"Volume {volume_id} has no metadata with key {key}.")
    return volume


@service.get("/volumes/{volume_id}/metadata/{key}")
def show_key(call: Call, volume_id: str, key: str) -> dict[str, Any]:
    """`GET /volumes/{id}/metadata/{key}`."""
    return {"meta": {key: _key(call, volume_id, key)["metadata"][key]}}


@service.put("/volumes/{volume_id}/metadata/{key}")
def set_key(call: Call, volume_id: str, key: str) -> dict[str, Any]:
    """`PUT /volumes/{id}/metadata/{key}`."""
    said = schema.metadata("meta", schema.document(call, "meta")["meta"])
    if list(said) != [key]:
        raise HttpError(400, "Request body and URI mismatch")
    volume = shown_volume(call, volume_id)
    call.put("volume", volume | {"metadata": volume["metadata"] | said})
    return {"meta": said}


@service.delete("/volumes/{volume_id}/metadata/{key}")
def delete_key(call: Call, volume_id: str, key: str) -> Reply:
    """`DELETE /volumes/{id}/metadata/{key}`."""
    volume = _key(call, volume_id, key)
    del volume["metadata"][key]
    call.put("volume", volume)
    return Reply(200)
