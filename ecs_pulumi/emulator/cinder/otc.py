"""What the Elastic Volume Service of the Open Telekom Cloud documents and Cinder does not: limits, rules, error codes.

The functions do nothing in the dialect `openstack`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

ZONES_OF_TYPE = "RESKEY:availability_zones"
ENDED = "SATA"
"""The volume type whose sale has ended."""
DATA_DISK, SYSTEM_DISK = range(10, 32769), range(1, 1025)
"""The sizes of a volume in GiB; a system disk is one that is made from an image."""
LONGEST = 255
"""The longest name or description, in bytes."""
KEY_LENGTH = 36
STATUS_CODES = {403: "EVS.5403", 404: "EVS.5404", 413: "EVS.5413"}
"""The code of errors for which no other one is documented."""

_RANKS = {"SATA": 0, "SAS": 1}
"""The types that are not made of SSDs: a volume can only change to one with a higher rank, or to an SSD."""
_ENCRYPTED, _KEY, _SCSI = "__system__encrypted", "__system__cmkid", "hw:passthrough"
_PROTECTED = re.compile(r"__system__.*|hw:passthrough|full_clone|backupId")
"""The metadata that only the cloud changes once the volume exists."""


def error_body(error: HttpError) -> dict[str, Any]:
    """Return an error body with a code: `{"error": {"code": "EVS.1036", "message": …}}`."""
    return {"error": {"code": error.kind, "message": error.message}}


def extra_specs(ctx: Context, name: str) -> dict[str, str]:
    """Return the specifications of a built-in volume type: the zones that have it."""
    if not ctx.is_otc:
        return {}
    zones = ctx.zones()[1:] if name in ctx.cloud.dialect.partial_volume_types else ctx.zones()
    return {"volume_backend_name": name, "availability-zone": zones[0], ZONES_OF_TYPE: ",".join(zones)}


def has_type(zone: str, kind: Document) -> bool:
    """Whether a zone has a volume type; types that name no zones are in all."""
    listed = kind["extra_specs"].get(ZONES_OF_TYPE)
    return listed is None or zone in listed.split(",")


def check_available(ctx: Context, kind: Document, zone: str) -> None:
    """Reject a volume type that the zone does not have, or that is no longer sold."""
    if not ctx.is_otc:
        return
    if not has_type(zone, kind):
        message = f"Invalid input received: Availability zone [{zone}] do not have volume type [{kind['name']}]"
        raise HttpError(400, message, kind="EVS.2071")
    if kind["name"] == ENDED and ctx.rules.end_of_sale == "refuse":
        raise HttpError(400, f"Volume type [{ENDED}] in availability zone [{zone}] is sold out !", kind="EVS.2072")


def check_create(ctx: Context, requested: Document, names: Mapping[str, str | None], others: Iterable[str]) -> None:
    """Reject a request for a volume that the documents rule out.

    Args:
        ctx: the context.
        requested: the volume in the body.
        names: name and description.
        others: the other keys of the body.
    """
    if not ctx.is_otc:
        return
    if any(others):
        raise HttpError(400, "Malformed request body.", kind="EVS.5400")
    if requested.get("source_volid"):
        raise HttpError(400, "source_volid is currently not supported")
    if requested.get("backup_id"):
        raise HttpError(400, "invalid backup id!", kind="EVS.1006")
    if not requested.get("availability_zone") and ctx.rules.zone_required == "yes":
        raise HttpError(400, "invalid availability zone!", kind="EVS.1036")
    check_names(ctx, names)
    snapshot = ctx.get("snapshot", requested.get("snapshot_id") or "") or {}
    is_system = bool(requested.get("imageRef")) or snapshot.get("bootable") == "true"
    if int(requested.get("size") or 0) not in (SYSTEM_DISK if is_system else DATA_DISK):
        raise HttpError(400, "invalid volume size!", kind="EVS.1010")
    _check_source(requested, snapshot)
    _check_new_metadata(requested)


def check_names(ctx: Context, names: Mapping[str, str | None]) -> None:
    """Reject a name or a description that is too long."""
    for name, code in (("name", "EVS.1003"), ("description", "EVS.1004")):
        if ctx.is_otc and len((names.get(name) or "").encode()) > LONGEST:
            raise HttpError(400, f"invalid volume {name}!", kind=code)


def _check_source(requested: Document, snapshot: Document) -> None:
    if snapshot and requested.get("availability_zone") not in (None, "", snapshot["availability_zone"]):
        raise HttpError(400, "Cannot create volume from snapshot as the az is invalid!", kind="EVS.2054")
    if snapshot and requested.get("volume_type") not in (None, "", snapshot["volume_type"]):
        message = f"Target volumeType[{requested['volume_type']}] is not matched with snapshot[{snapshot['id']}] !"
        raise HttpError(400, message, kind="EVS.2096")
    if requested.get("imageRef") and str(requested.get("multiattach")).lower() == "true":
        message = "system image is not support to create Multiattach/shareable volume !"
        raise HttpError(400, message, kind="EVS.2094")


def _check_new_metadata(requested: Document) -> None:
    metadata = requested.get("metadata") or {}
    is_copy = requested.get("imageRef") or requested.get("snapshot_id")
    if is_copy and {_ENCRYPTED, _KEY, _SCSI} & metadata.keys():
        message = (
            "encrypt and cmk and passthrougth in metadata is not support when create volume from snapshot or image!"
        )
        raise HttpError(400, message, kind="EVS.1043")
    if metadata.get(_SCSI, "true") not in ("true", "false"):
        raise HttpError(400, "invalid hw:passthrough in metadata!", kind="EVS.1057")
    if metadata.get(_ENCRYPTED) == "1" and len(metadata.get(_KEY, "")) != KEY_LENGTH:
        raise HttpError(400, "The encrypt Param is invalid!", kind="EVS.2041")


def added_metadata(ctx: Context, volume: Document) -> dict[str, str]:
    """Return the metadata that the cloud adds to a volume once it is available."""
    if not ctx.is_otc:
        return {}
    return {_SCSI: "false"} | ({"full_clone": "1"} if volume["snapshot_id"] else {})


def check_metadata(ctx: Context, volume: Document, metadata: Mapping[str, str], *, replaced: bool) -> None:
    """Reject changes of the metadata that belongs to the cloud.

    Args:
        ctx: the context.
        volume: the volume.
        metadata: the entries of the request.
        replaced: whether the entries that the request does not contain would be removed.
    """
    if not ctx.is_otc:
        return
    present = {key: value for key, value in volume["metadata"].items() if _PROTECTED.fullmatch(key)}
    if replaced and present.keys() - metadata.keys():
        raise HttpError(403, "metadata can not be operated.", kind="EVS.5403")
    if any(_PROTECTED.fullmatch(key) and present.get(key) != value for key, value in metadata.items()):
        raise HttpError(400, "the metadata Param is not allowed to be updated!", kind="EVS.2047")


def check_key(ctx: Context, key: str) -> None:
    """Reject the removal of an entry of the metadata that belongs to the cloud."""
    if ctx.is_otc and _PROTECTED.fullmatch(key):
        raise HttpError(403, "metadata can not be operated.", kind="EVS.5403")


def check_extend(ctx: Context, volume: Document, size: int) -> None:
    """Reject the extension of a volume that is shared, changing its type, or larger than the cloud allows."""
    if not ctx.is_otc:
        return
    if size >= (SYSTEM_DISK if volume["volume_image_metadata"] else DATA_DISK).stop:
        raise HttpError(400, "volume can not be extended!", kind="EVS.1014")
    if volume["status"] not in ("available", "in-use") or is_retyping(volume):
        raise HttpError(400, "volume status must be available or in-use when extending!", kind="EVS.1064")
    if volume["multiattach"] and volume["status"] == "in-use":
        raise HttpError(400, "multiattach volume status must be available when extending!", kind="EVS.1065")


def check_retype(ctx: Context, volume: Document, kind: Document) -> None:
    """Reject a change to a type that is not faster than the present one, or that the zone does not have."""
    check_available(ctx, kind, volume["availability_zone"])
    old, new = volume["volume_type"], kind["name"]
    is_ssd = new not in _RANKS
    if old == new or not (is_ssd or _RANKS[new] > _RANKS.get(old, len(_RANKS))):
        message = "retype failed. please make sure that type is supported and the new one is higher than origin"
        raise HttpError(400, message, kind="EVS.2087")


def is_retyping(volume: Document) -> bool:
    """Whether the type of a volume is changing although its status may allow other requests."""
    return bool(volume.get("retyping"))
