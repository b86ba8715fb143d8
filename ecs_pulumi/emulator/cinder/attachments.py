"""The attachments API, from microversion 3.27 on: reserve, connect, complete."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import schema, servers, storage
from .service import require_microversion, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

FIRST, COMPLETE, MODE = 27, 44, 54


def brief(attachment: Document) -> Document:
    """Return an attachment as the plain list shows it."""
    return {name: attachment[name] for name in ("id", "status", "instance", "volume_id")}


def full(attachment: Document) -> Document:
    """Return an attachment as GET shows it."""
    more = ("attached_at", "detached_at", "attach_mode", "connection_info")
    return brief(attachment) | {name: attachment[name] for name in more}


def _get_attachment(call: Call, attachment_id: str) -> Document:
    attachment = call.get("attachment", attachment_id)
    if attachment is None or attachment["project_id"] != call.project_id:
        message = f"Volume attachment could not be found with filter: attachment_id = {attachment_id}."
        raise HttpError(404, message)
    return attachment


def _matching_attachments(call: Call) -> list[Document]:
    require_microversion(call, FIRST)
    filters = {name: str(call.param(name)) for name in ("volume_id", "status") if name in call.query}
    return call.find("attachment", newest_first=True, project_id=call.project_id, **filters)  # type: ignore[arg-type]


@service.get("/attachments")
def list_attachments(call: Call) -> dict[str, Any]:
    """`GET /attachments`."""
    return {"attachments": [brief(attachment) for attachment in _matching_attachments(call)]}


@service.get("/attachments/detail")
def list_details(call: Call) -> dict[str, Any]:
    """`GET /attachments/detail`."""
    return {"attachments": [full(attachment) for attachment in _matching_attachments(call)]}


@service.get("/attachments/{attachment_id}")
def show_attachment(call: Call, attachment_id: str) -> dict[str, Any]:
    """`GET /attachments/{id}`."""
    require_microversion(call, FIRST)
    return {"attachment": full(_get_attachment(call, attachment_id))}


@service.post("/attachments")
def create_attachment(call: Call) -> dict[str, Any]:
    """`POST /attachments`: reserve the volume."""
    require_microversion(call, FIRST)
    fields = schema.document(call, "attachment")["attachment"]
    volume_id = schema.required("attachment", fields, "volume_uuid")
    volume = storage.get_volume(call, volume_id)
    existing = [each for each in volume["attachments"] if each["server_id"] == fields.get("instance_uuid")]
    if not existing:
        servers.reserve(call, volume_id)
    attachment = servers.new_attachment(volume, str(uuid.uuid4()), fields.get("instance_uuid"))
    attachment["attach_mode"] = fields.get("mode") or "null"
    call.put("attachment", attachment)
    if fields.get("connector"):
        _connect(call, attachment)
    return {"attachment": full(attachment)}


@service.put("/attachments/{attachment_id}")
def update_attachment(call: Call, attachment_id: str) -> dict[str, Any]:
    """`PUT /attachments/{id}`: connect the volume to a host."""
    require_microversion(call, FIRST)
    schema.required("attachment", schema.document(call, "attachment")["attachment"], "connector")
    attachment = _get_attachment(call, attachment_id)
    _connect(call, attachment)
    return {"attachment": full(attachment)}


@service.post("/attachments/{attachment_id}/action")
def complete_attachment(call: Call, attachment_id: str) -> Reply:
    """`POST /attachments/{id}/action`: `os-complete` marks the volume as attached."""
    require_microversion(call, COMPLETE)
    attachment = _get_attachment(call, attachment_id)
    servers.attach(
        call,
        attachment["volume_id"],
        server_id=attachment["instance"],
        device="na",
        attachment_id=attachment_id,
        host="",
    )
    return Reply(204)


@service.delete("/attachments/{attachment_id}")
def delete_attachment(call: Call, attachment_id: str) -> dict[str, Any]:
    """`DELETE /attachments/{id}`: detach the volume; it becomes available unless it has other attachments."""
    require_microversion(call, FIRST)
    attachment = _get_attachment(call, attachment_id)
    if call.get("server", attachment["instance"] or "") and attachment["status"] == "attached":
        message = "ConflictNovaUsingAttachment: Detach volume from instance  using the Compute API"
        raise HttpError(409, message)
    call.remove("attachment", attachment_id)
    servers.detach(call, attachment["volume_id"], attachment["instance"])
    others = call.find("attachment", volume_id=attachment["volume_id"])
    if others and not any(other["status"] == "attached" for other in others):
        servers.set_status(call, attachment["volume_id"], "reserved")
    return {"attachments": [brief(other) for other in others]}


def _connect(call: Call, attachment: Document) -> None:
    volume_id = attachment["volume_id"]
    attachment["connection_info"] = {
        "target_discovered": False,
        "target_iqn": f"iqn.2010-10.org.openstack:volume-{volume_id}",
        "target_portal": "127.0.0.1:3260",
        "target_lun": 1,
        "volume_id": volume_id,
        "access_mode": "rw",
        "qos_specs": None,
        "encrypted": False,
        "cacheable": False,
        "driver_volume_type": "iscsi",
        "attachment_id": attachment["id"],
    }
    call.put("attachment", attachment)
    servers.set_status(call, volume_id, "attaching")
