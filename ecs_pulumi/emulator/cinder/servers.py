"""The operations on volumes that servers use: reserve, attach, detach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.errors import HttpError

from .otc import is_retyping
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
    check_not_retyping(volume)
    if volume["status"] == "in-use" and volume["multiattach"]:
        return volume
    if volume["status"] not in ("available", "downloading"):
        message = (
            f"Invalid volume: Volume {volume_id} status must be available or downloading to reserve, but the"
            f" current status is {volume['status']}."
        )
        raise HttpError(400, message)
    return save(ctx, volume, status="reserved")


def check_not_retyping(volume: Document) -> None:
    """Raise 400 while the cloud changes the type of the volume, which the status may not show."""
    if is_retyping(volume):
        raise HttpError(400, f"Invalid volume: the type of volume {volume['id']} is being changed.")


def attach(ctx: Context, volume_id: str, *, server_id: str, device: str, attachment_id: str) -> None:
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
    }
    others = [each for each in volume["attachments"] if each["attachment_id"] != attachment_id]
    save(ctx, volume, status="in-use", attachments=[*others, attachment])


def detach(ctx: Context, volume_id: str, server_id: str) -> None:
    """Detach a volume from a server; without other attachments, it becomes `available`; ignore an unknown volume."""
    volume = ctx.get("volume", volume_id)
    if volume is None:
        return
    others = [each for each in volume["attachments"] if each["server_id"] != server_id]
    save(ctx, volume, status="in-use" if others else "available", attachments=others)


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
