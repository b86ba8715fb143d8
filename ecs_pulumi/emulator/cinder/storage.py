"""The operations on volumes and snapshots, independent of HTTP requests.

An operation that takes time is completed by a step. It fails if the object's name contains the outcome (`fail-create`,
`fail-extend`, `fail-delete`) or if a fault has that outcome.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.clock import to_microsecond
from ecs_pulumi.emulator.context import step
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.glance import STANDARD_FIELDS

from . import otc, quotas
from .types import check_zone, find_type

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

CREATE_SECONDS = 0.8
EXTEND_SECONDS = 0.75
RETYPE_SECONDS = {"otc": 30.0, "openstack": 0.3}
DELETE_SECONDS = 0.7
SNAPSHOT_SECONDS = 0.5

DELETABLE = ("available", "error", "error_restoring", "error_extending", "error_managing")
NOT_DELETABLE = (
    "Invalid volume: Volume status must be available or error or error_restoring or error_extending or"
    " error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a"
    " transfer, or be disassociated from snapshots after volume transfer."
)
RETYPE_REFUSED = (
    "Invalid volume: Retype needs volume to be in available or in-use state, not be part of an active"
    " migration or a consistency group, requested type has to be different that the one from the volume, and"
    " for in-use volumes front-end qos specs cannot change."
)
NOT_CREATED = (
    "VOLUME_VOLUME_008_012",
    "create volume from backend storage:Driver failed to create the volume.",
)
NOT_EXTENDED = ("VOLUME_VOLUME_007_010", "extend volume:Volume Driver failed to extend volume.")


def now(ctx: Context) -> str:
    """Return the current time in Cinder's format, with a precision of one second."""
    return to_microsecond(int(ctx.now))


def save(ctx: Context, volume: Document, **changes: Any) -> Document:
    """Store a changed volume and return it."""
    return ctx.put("volume", volume | changes | {"updated_at": now(ctx)})


def find_image(ctx: Context, reference: str) -> Document:
    """Return an image by id or by name; 400 if it does not exist or is not active."""
    image = ctx.get("image", reference)
    if image is None:
        matches = ctx.find("image", name=reference, limit=2)
        image = matches[0] if len(matches) == 1 else None
    if image is None:
        raise HttpError(400, "Invalid image identifier or unable to access requested image.")
    if image["status"] != "active":
        raise HttpError(400, f"Invalid input received: Image {image['id']} is not active.")
    return image


def image_metadata(image: Document) -> dict[str, str]:
    """Return the image metadata of a volume that is created from the image."""
    properties = {name: value for name, value in image.items() if name not in STANDARD_FIELDS}
    common = ("checksum", "container_format", "disk_format", "min_disk", "min_ram", "size")
    return {
        **properties,
        "image_id": image["id"],
        "image_name": image["name"],
        **{name: str(image[name]) for name in common if image.get(name) is not None},
    }


def get_volume(ctx: Context, volume_id: str) -> Document:
    """Return a volume of the project, or raise 404."""
    volume = ctx.get("volume", volume_id)
    if volume is None or volume["project_id"] != ctx.project_id:
        raise HttpError(404, f"Volume {volume_id} could not be found.")
    return volume


def get_snapshot(ctx: Context, snapshot_id: str) -> Document:
    """Return a snapshot of the project, or raise 404."""
    snapshot = ctx.get("snapshot", snapshot_id)
    if snapshot is None or snapshot["project_id"] != ctx.project_id:
        raise HttpError(404, f"Snapshot {snapshot_id} could not be found.")
    return snapshot


def make_volume(
    ctx: Context,
    *,
    size: int | None,
    name: str | None = "",
    description: str | None = "",
    volume_type: str | None = None,
    availability_zone: str | None = None,
    image_id: str | None = None,
    snapshot_id: str | None = None,
    source_volid: str | None = None,
    metadata: dict[str, str] | None = None,
    multiattach: bool = False,
) -> Document:
    """Start creating a volume: its status is `creating`, and `available` or `error` after `CREATE_SECONDS`.

    Raises:
        HttpError: 404 for an unknown type, snapshot or source volume; 400 for an unknown zone or image, and for a
            size that is too small for the source; 413 if the quota is exceeded.
    """
    source: Document = {}
    image: Document = {}
    if snapshot_id:
        source = _check_source(get_snapshot(ctx, snapshot_id), "snapshot", size)
    elif source_volid:
        source = _check_source(get_volume(ctx, source_volid), "volume", size)
    if image_id:
        image = find_image(ctx, image_id)
        if size and size < image["min_disk"]:
            message = (
                f"Invalid input received: Volume size {size}GB cannot be smaller than the image minDisk size"
                f" {image['min_disk']}GB."
            )
            raise HttpError(400, message)
    size = size or source["size"]
    kind = find_type(ctx, volume_type or source.get("volume_type"))
    zone = check_zone(ctx, availability_zone or source.get("availability_zone"), kind)
    quotas.check(ctx, ctx.project_id, kind["name"], volumes=1, gigabytes=size, size=size)
    # Clouds of this dialect record the name in the metadata; it overrides the user's value for that key.
    system_metadata = {"__system__volume_name": name} if ctx.is_otc and name else {}
    volume = {
        "id": str(uuid.uuid4()),
        "name": name,
        "description": description,
        "project_id": ctx.project_id,
        "user_id": ctx.user_id,
        "status": "creating",
        "size": size,
        "availability_zone": zone,
        "created_at": now(ctx),
        "updated_at": None,
        "volume_type": kind["name"],
        "volume_type_id": kind["id"],
        "snapshot_id": snapshot_id,
        "source_volid": source_volid,
        "metadata": {**(metadata or {}), **system_metadata},
        "bootable": source.get("bootable", "false"),
        "encrypted": False,
        "replication_status": "disabled" if ctx.is_otc else None,
        "consistencygroup_id": None,
        "multiattach": multiattach or kind["extra_specs"].get("multiattach") == "<is> True",
        "attachments": [],
        "volume_image_metadata": image_metadata(image) if image else source.get("volume_image_metadata", {}),
    }
    ctx.put("volume", volume)
    ctx.schedule(CREATE_SECONDS, "cinder.created", volume["id"])
    return volume


def _check_source(source: Document, word: str, size: int | None) -> Document:
    """Return the source of a new volume; reject a source that cannot be copied to this size."""
    if word == "snapshot" and source["status"] != "available":
        message = "Invalid snapshot: Originating snapshot status must be one of 'available' values"
        raise HttpError(400, message)
    if word == "volume" and source["status"] not in ("available", "in-use", "maintenance"):
        raise HttpError(400, "Invalid volume: Source volume status must be one of available, in-use values")
    if size and size < source["size"]:
        original = "original volume size " if word == "volume" else "the snapshot size"
        floor = "original volume size" if word == "volume" else "original snapshot size"
        message = (
            f"Invalid input received: Volume size '{size}'GB cannot be smaller than {original} {source['size']}GB."
            f" They must be >= {floor}."
        )
        raise HttpError(400, message)
    return source


@step("cinder.created")
def _created(ctx: Context, volume_id: str) -> None:
    volume = ctx.get("volume", volume_id)
    if volume is None:
        return
    if ctx.has_outcome_fault("fail-create", volume["name"]):
        save(ctx, volume, status="error", volume_image_metadata={}, bootable="false")
        add_failure_message(ctx, volume, *NOT_CREATED)
        return
    bootable = "true" if volume["volume_image_metadata"] else volume["bootable"]
    metadata = otc.added_metadata(ctx, volume) | volume["metadata"]
    save(ctx, volume, status="available", bootable=bootable, metadata=metadata)


def add_failure_message(ctx: Context, volume: Document, event: str, reason: str) -> None:
    """Store a message that tells the user why an operation failed."""
    ctx.put(
        "message",
        {
            "id": str(uuid.uuid4()),
            "project_id": volume["project_id"],
            "event_id": event,
            "user_message": reason,
            "message_level": "ERROR",
            "created_at": now(ctx),
            "guaranteed_until": to_microsecond(int(ctx.now) + 30 * 86400),
            "request_id": f"req-{uuid.uuid4()}",
            "resource_type": "VOLUME",
            "resource_uuid": volume["id"],
        },
    )


def extend(ctx: Context, volume: Document, size: int, *, attached: bool) -> None:
    """Start extending a volume.

    Raises:
        HttpError: 400 if the size is not larger or the status does not allow it; 413 if the quota is exceeded.
    """
    otc.check_extend(ctx, volume, size)
    if size <= volume["size"]:
        message = (
            "Invalid input received: New size for extend must be greater than current size. (current:"
            f" {volume['size']}, extended: {size})."
        )
        raise HttpError(400, message)
    required = "in-use" if attached and volume["status"] == "in-use" else "available"
    if volume["status"] != required:
        message = (
            f"Invalid volume: Volume {volume['id']} status must be '{{'status': '{required}'}}' to extend,"
            f" currently {volume['status']}."
        )
        raise HttpError(400, message)
    quotas.check(ctx, volume["project_id"], volume["volume_type"], gigabytes=size - volume["size"], size=size)
    save(ctx, volume, status="extending")
    ctx.schedule(EXTEND_SECONDS, "cinder.extended", volume["id"], size=size, then=required)


@step("cinder.extended")
def _extended(ctx: Context, volume_id: str, size: int, then: str) -> None:
    volume = ctx.get("volume", volume_id)
    if volume is None:
        return
    if ctx.has_outcome_fault("fail-extend", volume["name"]):
        save(ctx, volume, status="error_extending")
        add_failure_message(ctx, volume, *NOT_EXTENDED)
    else:
        save(ctx, volume, status=then, size=size)


def retype(ctx: Context, volume: Document, new_type: str) -> None:
    """Start changing the type of a volume.

    Raises:
        HttpError: 404 for an unknown type; 400 if the volume has that type or its status does not allow it.
    """
    kind = find_type(ctx, new_type)
    if ctx.is_otc:
        otc.check_retype(ctx, volume, kind)
    is_stable = volume["status"] in ("available", "in-use") and not otc.is_retyping(volume)
    if not is_stable or kind["name"] == volume["volume_type"]:
        raise HttpError(400, RETYPE_REFUSED)
    then = volume["status"]
    is_shown = ctx.rules.retype_status == "shown"
    save(ctx, volume, status="retyping" if is_shown else then, retyping=ctx.is_otc or not is_shown)
    seconds = RETYPE_SECONDS[ctx.cloud.dialect.name]
    ctx.schedule(seconds, "cinder.retyped", volume["id"], type_id=kind["id"], then=then)


@step("cinder.retyped")
def _retyped(ctx: Context, volume_id: str, type_id: str, then: str) -> None:
    volume = ctx.get("volume", volume_id)
    if volume is None:
        return
    if ctx.has_outcome_fault("fail-retype", volume["name"]):
        save(ctx, volume, status=then, retyping=False)
    else:
        kind = find_type(ctx, type_id)
        save(ctx, volume, status=then, retyping=False, volume_type=kind["name"], volume_type_id=type_id)


def delete(ctx: Context, volume: Document, *, cascade: bool = False) -> None:
    """Start deleting a volume, and its snapshots if `cascade` is set. In the Open Telekom Cloud, always with them.

    Raises:
        HttpError: 400 if the volume is in use, or if it has snapshots and they are not deleted with it.
    """
    snapshots = ctx.find("snapshot", volume_id=volume["id"])
    deletable = volume["status"] in DELETABLE and not volume["attachments"] and not otc.is_retyping(volume)
    if not deletable or (snapshots and not cascade and not ctx.is_otc):
        raise HttpError(400, NOT_DELETABLE, kind="EVS.1046" if ctx.is_otc else "")
    for snapshot in snapshots:
        ctx.remove("snapshot", snapshot["id"])
    begin_delete(ctx, volume["id"])


def begin_delete(ctx: Context, volume_id: str) -> None:
    """Delete a volume after `DELETE_SECONDS`, regardless of its state; ignore a volume that does not exist."""
    volume = ctx.get("volume", volume_id)
    if volume is not None:
        ctx.cancel(volume_id)
        save(ctx, volume, status="deleting", attachments=[])
        ctx.schedule(DELETE_SECONDS, "cinder.deleted", volume_id)


@step("cinder.deleted")
def _deleted(ctx: Context, volume_id: str) -> None:
    volume = ctx.get("volume", volume_id)
    if volume is None:
        return
    if ctx.has_outcome_fault("fail-delete", volume["name"]):
        save(ctx, volume, status="error_deleting")
        return
    ctx.remove("volume", volume_id)


def make_snapshot(
    ctx: Context,
    volume: Document,
    *,
    name: str | None,
    description: str | None,
    metadata: dict[str, str],
    force: bool,
) -> Document:
    """Start creating a snapshot: its status is `creating`, and `available` or `error` after `SNAPSHOT_SECONDS`.

    Raises:
        HttpError: 400 if the volume's status does not allow it; 413 if the quota is exceeded.
    """
    if volume["status"] == "creating":
        raise HttpError(400, "Invalid volume: volume is not assigned to a host")
    is_stable = volume["status"] == "available" or (force and volume["status"] == "in-use")
    if not is_stable or otc.is_retyping(volume):
        message = (
            f"Invalid volume: Volume {volume['id']} status must be available, but current status is:"
            f" {volume['status']}."
        )
        raise HttpError(400, message)
    quotas.check(ctx, volume["project_id"], volume["volume_type"], snapshots=1, gigabytes=volume["size"])
    snapshot = {
        "id": str(uuid.uuid4()),
        "project_id": volume["project_id"],
        "user_id": ctx.user_id,
        "volume_id": volume["id"],
        "name": name,
        "description": description,
        "status": "creating",
        "size": volume["size"],
        "metadata": metadata,
        "created_at": now(ctx),
        "updated_at": None,
        # Volumes that are created from the snapshot copy these fields.
        "volume_type": volume["volume_type"],
        "availability_zone": volume["availability_zone"],
        "bootable": volume["bootable"],
        "volume_image_metadata": volume["volume_image_metadata"],
    }
    ctx.put("snapshot", snapshot)
    ctx.schedule(SNAPSHOT_SECONDS, "cinder.snapshot_created", snapshot["id"])
    return snapshot


@step("cinder.snapshot_created")
def _snapshot_created(ctx: Context, snapshot_id: str) -> None:
    snapshot = ctx.get("snapshot", snapshot_id)
    if snapshot is not None:
        failed = ctx.has_outcome_fault("fail-create", snapshot["name"])
        changes = {"status": "error" if failed else "available", "updated_at": now(ctx)}
        ctx.put("snapshot", snapshot | changes)


def delete_snapshot(ctx: Context, snapshot: Document) -> None:
    """Start deleting a snapshot; 400 if its status does not allow it."""
    if snapshot["status"] not in ("available", "error"):
        message = "Invalid snapshot: Snapshot status must be available or error and must not be part of a group."
        raise HttpError(400, message)
    ctx.put("snapshot", snapshot | {"status": "deleting", "updated_at": now(ctx)})
    ctx.schedule(SNAPSHOT_SECONDS, "cinder.snapshot_deleted", snapshot["id"])


@step("cinder.snapshot_deleted")
def _snapshot_deleted(ctx: Context, snapshot_id: str) -> None:
    ctx.remove("snapshot", snapshot_id)
