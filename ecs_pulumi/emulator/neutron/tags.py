"""The tags of objects, under `/{collection}/{id}/tags`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from .attributes import MAX_LENGTH
from .collection import touch, visible
from .refusals import duplicates, invalid_input
from .resources import TAGGED
from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

    from .attributes import Resource


def _get_tagged(call: Call, path: str, id_: str) -> tuple[Resource, Document]:
    if path not in TAGGED:
        raise HttpError(404, "The resource could not be found.", kind="HTTPNotFound")
    resource = TAGGED[path]
    doc = call.get(resource.name, id_)
    if doc is None or not visible(call, resource, doc):
        message = f"Resource {resource.collection} {id_} could not be found."
        raise HttpError(404, message, kind="TagResourceNotFound")
    return resource, doc


def _set(call: Call, resource: Resource, doc: Document, tags: set[str]) -> None:
    if tags != set(doc["tags"]):
        touch(call, resource.name, doc | {"tags": sorted(tags)})


def _read_tags(call: Call) -> list[str]:
    try:
        body = call.json()
    except HttpError:
        body = None
    if not isinstance(body, dict) or "tags" not in body:
        raise invalid_input("Invalid tags body")
    tags = body["tags"]
    if not isinstance(tags, list):
        raise invalid_input(f"'{tags}' is not a list")
    repeated = duplicates(tags)
    if repeated:
        raise invalid_input(f"Duplicate items in the list: {repeated}")
    for tag in tags:
        if not isinstance(tag, str):
            raise invalid_input(f"'{tag}' is not a valid string")
        if len(tag) > MAX_LENGTH:
            raise invalid_input(f"'{tag}' exceeds maximum length of {MAX_LENGTH}")
    return tags


@service.put("/{path}/{id_}/tags", otc=False)
def replace_tags(call: Call, path: str, id_: str) -> Document:
    """`PUT …/tags`: replace all tags."""
    tags = _read_tags(call)
    resource, doc = _get_tagged(call, path, id_)
    _set(call, resource, doc, set(tags))
    return {"tags": tags}


@service.put("/{path}/{id_}/tags/{tag}", otc=False)
def add_tag(call: Call, path: str, id_: str, tag: str) -> Reply:
    """`PUT …/tags/{tag}`: add a tag."""
    resource, doc = _get_tagged(call, path, id_)
    _set(call, resource, doc, {*doc["tags"], tag})
    return Reply(201, "null", {"Content-Type": "application/json"})
