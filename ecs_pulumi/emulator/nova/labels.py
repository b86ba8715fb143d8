"""Metadata and tags of a server (`/servers/{id}/metadata` and `/servers/{id}/tags`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import schema
from .instance import check_lock, check_state, get_server, save
from .schema import METADATA
from .service import require_at_least, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

CHANGEABLE = ("active", "paused", "suspended", "stopped")
TAGS: dict[str, Any] = {
    "type": "array",
    "maxItems": 50,
    "items": {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"},
}
NO_ITEM = "Metadata item was not found"


@service.get("/servers/{server_id}/metadata")
def metadata(call: Call, server_id: str) -> dict[str, Any]:
    """`GET …/metadata`."""
    return {"metadata": get_server(call, server_id)["metadata"]}


@service.post("/servers/{server_id}/metadata")
def merge_metadata(call: Call, server_id: str) -> dict[str, Any]:
    """`POST …/metadata`: add and overwrite items."""
    requested = schema.body(call, "metadata", METADATA)
    doc = _get_changeable_server(call, server_id, "update metadata")
    return {"metadata": _save_metadata(call, doc, doc["metadata"] | requested)}


@service.put("/servers/{server_id}/metadata")
def replace_metadata(call: Call, server_id: str) -> dict[str, Any]:
    """`PUT …/metadata`: replace all items."""
    requested = schema.body(call, "metadata", METADATA)
    return {"metadata": _save_metadata(call, _get_changeable_server(call, server_id, "update metadata"), requested)}


@service.get("/servers/{server_id}/metadata/{key}")
def metadata_item(call: Call, server_id: str, key: str) -> dict[str, Any]:
    """`GET …/metadata/{key}`."""
    items = get_server(call, server_id)["metadata"]
    if key not in items:
        raise HttpError(404, NO_ITEM)
    return {"meta": {key: items[key]}}


@service.put("/servers/{server_id}/metadata/{key}")
def set_metadata_item(call: Call, server_id: str, key: str) -> dict[str, Any]:
    """`PUT …/metadata/{key}`."""
    requested = schema.body(call, "meta", METADATA)
    if list(requested) != [key]:
        raise HttpError(400, "Request body and URI mismatch")
    doc = _get_changeable_server(call, server_id, "update metadata")
    _save_metadata(call, doc, doc["metadata"] | requested)
    return {"meta": requested}


@service.delete("/servers/{server_id}/metadata/{key}")
def delete_metadata_item(call: Call, server_id: str, key: str) -> None:
    """`DELETE …/metadata/{key}`."""
    doc = get_server(call, server_id)
    if key not in doc["metadata"]:
        raise HttpError(404, NO_ITEM)
    doc = _get_changeable_server(call, server_id, "delete metadata")
    save(call, doc, metadata={name: value for name, value in doc["metadata"].items() if name != key})


def _get_changeable_server(call: Call, server_id: str, action: str) -> Document:
    doc = get_server(call, server_id)
    check_lock(call, doc)
    check_state(doc, action, CHANGEABLE)
    return doc


def _save_metadata(call: Call, doc: Document, items: dict[str, str]) -> dict[str, str]:
    limit = call.quota("metadata_items")
    if 0 <= limit < len(items):
        raise HttpError(403, f"Maximum number of metadata items exceeds {limit}")
    save(call, doc, metadata=items)
    return items


@service.get("/servers/{server_id}/tags")
def tags(call: Call, server_id: str) -> dict[str, Any]:
    """`GET …/tags`."""
    require_at_least(call, 26)
    return {"tags": get_server(call, server_id)["tags"]}


@service.put("/servers/{server_id}/tags")
def replace_tags(call: Call, server_id: str) -> dict[str, Any]:
    """`PUT …/tags`: replace all tags."""
    require_at_least(call, 26)
    requested = list(dict.fromkeys(schema.body(call, "tags", TAGS)))
    save(call, _get_taggable_server(call, server_id, "update tags"), tags=requested)
    return {"tags": requested}


@service.delete("/servers/{server_id}/tags")
def delete_tags(call: Call, server_id: str) -> None:
    """`DELETE …/tags`."""
    require_at_least(call, 26)
    save(call, _get_taggable_server(call, server_id, "delete tags"), tags=[])


@service.get("/servers/{server_id}/tags/{tag}")
def has_tag(call: Call, server_id: str, tag: str) -> None:
    """`GET …/tags/{tag}`: 204 if the server has the tag."""
    require_at_least(call, 26)
    _check_tag(get_server(call, server_id), tag)


@service.put("/servers/{server_id}/tags/{tag}")
def add_tag(call: Call, server_id: str, tag: str) -> Reply:
    """`PUT …/tags/{tag}`."""
    require_at_least(call, 26)
    doc = _get_taggable_server(call, server_id, "update tags")
    if tag in doc["tags"]:
        return Reply(204)
    save(call, doc, tags=[*doc["tags"], tag])
    return Reply(201, headers={"Location": f"{call.self_base}/servers/{server_id}/tags/{tag}"})


@service.delete("/servers/{server_id}/tags/{tag}")
def delete_tag(call: Call, server_id: str, tag: str) -> None:
    """`DELETE …/tags/{tag}`."""
    require_at_least(call, 26)
    doc = _get_taggable_server(call, server_id, "delete tags")
    _check_tag(doc, tag)
    save(call, doc, tags=[each for each in doc["tags"] if each != tag])


def _get_taggable_server(call: Call, server_id: str, action: str) -> Document:
    doc = get_server(call, server_id)
    check_state(doc, action, CHANGEABLE, ())
    return doc


def _check_tag(doc: Document, tag: str) -> None:
    if tag not in doc["tags"]:
        raise HttpError(404, f"Server {doc['id']} has no tag '{tag}'")
