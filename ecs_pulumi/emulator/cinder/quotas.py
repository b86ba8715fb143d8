"""Storage quotas and usage of projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.versioned import require_admin

from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context


def used(ctx: Context, project_id: str, volume_type: str | None = None) -> dict[str, int]:
    """Return the number of volumes and snapshots, and the GiB in use, including snapshots: of one type, or in all."""
    of = {"project_id": project_id} | ({} if volume_type is None else {"volume_type": volume_type})
    return {
        "volumes": ctx.count("volume", **of),
        "gigabytes": ctx.total("volume", "size", **of) + ctx.total("snapshot", "size", **of),
        "snapshots": ctx.count("snapshot", **of),
    }


def _over_quota(message: str) -> HttpError:
    return HttpError(413, message, headers={"Retry-After": "0"})


def check(
    ctx: Context,
    project_id: str,
    volume_type: str,
    *,
    volumes: int = 0,
    snapshots: int = 0,
    gigabytes: int = 0,
    size: int = 0,
) -> None:
    """Reject with 413 a request that exceeds the project's quota, or that of a volume type.

    Args:
        ctx: the context.
        project_id: the project.
        volume_type: the name of the type; its quota of GiB, for example, is `gigabytes_SSD`.
        volumes: the number of additional volumes.
        snapshots: the number of additional snapshots.
        gigabytes: the number of additional GiB.
        size: the resulting size of the volume in GiB.
    """
    largest = ctx.quota("per_volume_gigabytes")
    if 0 <= largest < size:
        message = (
            f"VolumeSizeExceedsLimit: Requested volume size {size}G is larger than maximum allowed limit {largest}G."
        )
        raise _over_quota(message)
    for of_type in (None, volume_type):
        now, suffix = used(ctx, project_id, of_type), f"_{of_type}" if of_type else ""
        limit = ctx.quota(f"gigabytes{suffix}")
        if gigabytes and 0 <= limit < now["gigabytes"] + gigabytes:
            message = (
                f"VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes{suffix}"
                f" quota. Requested {gigabytes}G, quota is {limit}G and {now['gigabytes']}G has been consumed."
            )
            raise _over_quota(message)
        limit = ctx.quota(f"volumes{suffix}")
        if volumes and 0 <= limit < now["volumes"] + volumes:
            message = (
                f"VolumeLimitExceeded: Maximum number of volumes allowed ({limit}) exceeded for quota"
                f" 'volumes{suffix}'."
            )
            raise _over_quota(message)
        limit = ctx.quota(f"snapshots{suffix}")
        if snapshots and 0 <= limit < now["snapshots"] + snapshots:
            message = f"SnapshotLimitExceeded: Maximum number of snapshots allowed ({limit}) exceeded"
            raise _over_quota(message)


@service.get("/os-quota-sets/{project_id}", openstack=False)
def quota_set(call: Call, project_id: str) -> dict[str, Any]:
    """`GET /os-quota-sets/{id}?usage=True`: the limits of the project and its use, in all and of each type."""
    if project_id != call.project_id:
        require_admin(call, "volume_extension:quotas:show")
    if (call.param("usage") or "").lower() != "true":
        raise HttpError(400, "Only usage=True is supported.")
    quotas = {"per_volume_gigabytes": 0, "backups": 0, "backup_gigabytes": 0, **used(call, project_id)}
    for volume_type in call.cloud.dialect.volume_types:
        quotas |= {f"{name}_{volume_type}": use for name, use in used(call, project_id, volume_type).items()}
    shown = {name: {"limit": call.quota(name), "in_use": use, "reserved": 0} for name, use in quotas.items()}
    return {"quota_set": {"id": project_id, **shown}}


@service.get("/limits", otc=False)
def limits(call: Call) -> dict[str, Any]:
    """`GET /limits`."""
    now = used(call, call.project_id)
    absolute = {
        "maxTotalVolumes": call.quota("volumes"),
        "maxTotalSnapshots": call.quota("snapshots"),
        "maxTotalVolumeGigabytes": call.quota("gigabytes"),
        "maxTotalBackups": 10,
        "maxTotalBackupGigabytes": 1000,
        "totalVolumesUsed": now["volumes"],
        "totalGigabytesUsed": now["gigabytes"],
        "totalSnapshotsUsed": now["snapshots"],
        "totalBackupsUsed": 0,
        "totalBackupGigabytesUsed": 0,
    }
    return {"limits": {"rate": [], "absolute": absolute}}
