"""The operations on volumes that servers use: reserve, attach, detach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.errors import HttpError

from .storage import get_volume, now, save

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document


def reserve(ctx: Context, volume_id: str) -> Document:
    """Reserve an available volume, or a multiattach volume in use, for a server.

    Raises:
        HttpError: 404 if the volume does not exist, 400 if its status does not allow it.
    """
    volume = get_volume(ctx, volume_id)
    if volume["status"] == "in-use" and volume["multiattach"]:
        return volume
    if volume["status"] not in ("available", "downloading"):
        message = (
            f"Invalid volume: Volume {volume_id} status must be available or downloading to reserve, but the"
            f" current status is {volume['status']}."
        )
        raise HttpError(400, message)
    return save(ctx, volume, status="reserved")


def attach(ctx: Context, volume_id: str, *, server_id: str | None, device: str, attachment_id: str, host: str) -> None:
    """Attach a volume to a server; ignore a volume that does not exist."""
    volume = ctx.get("volume", volume_id)
    if volume is None:
        return
    attachment = {
        "id": volume_id,
        "attachment_id": attachment_id,
        "volume_id": volume_id,
        "server_id": server_id,
        "host_name": None,
        "device": device,
        "attached_at": now(ctx),
        "_host": host,
    }
    others = [each for each in volume["attachments"] if each["attachment_id"] != attachment_id]
    save(ctx, volume, status="in-use", attachments=[*others, attachment])
    reserved = ctx.get("attachment", attachment_id) or new_attachment(volume, attachment_id, server_id)
    attached = {"status": "attached", "attached_at": attachment["attached_at"], "attach_mode": "rw"}
    ctx.put("attachment", reserved | attached)


def new_attachment(volume: Document, attachment_id: str, server_id: str | None) -> Document:
    """Return the document of a new attachment of the attachments API."""
    return {
        "id": attachment_id,
        "project_id": volume["project_id"],
        "volume_id": volume["id"],
        "instance": server_id,
        "status": "reserved",
        "attached_at": "",
        "detached_at": "",
        "attach_mode": "null",
        "connection_info": {},
    }


def detach(ctx: Context, volume_id: str, server_id: str | None) -> None:
    """Detach a volume from a server, or from all servers if `server_id` is None.

    Without other attachments, the volume becomes `available`. A volume that does not exist is ignored.
    """
    volume = ctx.get("volume", volume_id)
    if volume is None:
        return
    others = [each for each in volume["attachments"] if server_id and each["server_id"] != server_id]
    for each in volume["attachments"]:
        if each not in others:
            ctx.remove("attachment", each["attachment_id"])
    mode = ("attached_mode",)
    metadata = {key: value for key, value in volume["metadata"].items() if others or key not in mode}
    save(ctx, volume, status="in-use" if others else "available", attachments=others, metadata=metadata)


def disconnect(ctx: Context, volume_id: str, server_id: str) -> None:
    """Remove the attachment of a server without a host, and keep the volume reserved; ignore other volumes."""
    volume = ctx.get("volume", volume_id)
    if volume is not None and any(each["server_id"] == server_id for each in volume["attachments"]):
        others = [each for each in volume["attachments"] if each["server_id"] != server_id]
        save(ctx, volume, status="in-use" if others else "reserved", attachments=others)


def set_status(ctx: Context, volume_id: str, status: str) -> None:
    """Set the status of a volume (`attaching`, `detaching`, …); ignore a volume that does not exist."""
    volume = ctx.get("volume", volume_id)
    if volume is not None:
        save(ctx, volume, status=status)
