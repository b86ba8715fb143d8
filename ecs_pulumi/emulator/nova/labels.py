"""Metadata and tags of a server (`/servers/{id}/metadata` and `/servers/{id}/tags`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import Schema, body, metadata
from ecs_pulumi.emulator.versioned import require_at_least

from . import otc
from .instance import check_lock, check_state, get_server, save
from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

CHANGEABLE = ("active", "paused", "suspended", "stopped")
METADATA = metadata("^[a-zA-Z0-9-_:. ]{1,255}$")
TAGS: Schema = {
    "type": "array",
    "maxItems": 50,
    "items": {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"},
}


@service.post("/servers/{server_id}/metadata")
def merge_metadata(call: Call, server_id: str) -> dict[str, Any]:
    """`POST …/metadata`: add and overwrite items."""
    requested = body(call, "metadata", METADATA)
    doc = _get_changeable_server(call, server_id)
    return {"metadata": _save_metadata(call, doc, doc["metadata"] | requested)}


@service.put("/servers/{server_id}/metadata")
def replace_metadata(call: Call, server_id: str) -> dict[str, Any]:
    """`PUT …/metadata`: replace all items."""
    requested = body(call, "metadata", METADATA)
    return {"metadata": _save_metadata(call, _get_changeable_server(call, server_id), requested)}


@service.delete("/servers/{server_id}/metadata/{key}")
def delete_metadata_item(call: Call, server_id: str, key: str) -> None:
    """`DELETE …/metadata/{key}`."""
    doc = _get_changeable_server(call, server_id)
    if key not in doc["metadata"]:
        raise HttpError(404, "Metadata item was not found")
    _save_metadata(call, doc, {name: value for name, value in doc["metadata"].items() if name != key})


def _get_changeable_server(call: Call, server_id: str) -> Document:
    doc = get_server(call, server_id)
    check_lock(call, doc)
    check_state(doc, "update metadata", CHANGEABLE)
    return doc


def _save_metadata(call: Call, doc: Document, items: dict[str, str]) -> dict[str, str]:
    limit = call.quota("metadata_items")
    if 0 <= limit < len(items):
        raise HttpError(403, f"Maximum number of metadata items exceeds {limit}")
    save(call, doc, metadata=items)
    return items


@service.put("/servers/{server_id}/tags")
def replace_tags(call: Call, server_id: str) -> dict[str, Any]:
    """`PUT …/tags`: replace all tags."""
    require_at_least(call, 26)
    requested = list(dict.fromkeys(body(call, "tags", _tags(call))))
    save(call, _get_taggable_server(call, server_id), tags=requested)
    return {"tags": otc.render_tags(call, requested)}


@service.put("/servers/{server_id}/tags/{tag}")
def add_tag(call: Call, server_id: str, tag: str) -> Reply:
    """`PUT …/tags/{tag}`."""
    require_at_least(call, 26)
    if call.is_otc and not otc.TAG.fullmatch(tag):
        raise HttpError(
            400, f"Invalid input for field/attribute tag. Value: {tag}. '{tag}' does not match '{otc.TAG.pattern}'"
        )
    doc = _get_taggable_server(call, server_id)
    if tag in doc["tags"]:
        return Reply(204)
    save(call, doc, tags=[*doc["tags"], tag])
    return Reply(201, headers={"Location": f"{call.self_base}/servers/{server_id}/tags/{tag}"})


def _tags(call: Call) -> Schema:
    return otc.TAGS if call.is_otc else TAGS


def _get_taggable_server(call: Call, server_id: str) -> Document:
    doc = get_server(call, server_id)
    check_state(doc, "update tags", CHANGEABLE, ())
    return doc
