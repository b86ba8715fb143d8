"""Storage quotas and usage of projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError

from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context


def used(ctx: Context, project_id: str) -> dict[str, int]:
    """Return the number of volumes and snapshots, and the GiB in use, including snapshots."""
    return {
        "volumes": ctx.count("volume", project_id=project_id),
        "gigabytes": ctx.total("volume", "size", project_id=project_id)
        + ctx.total("snapshot", "size", project_id=project_id),
        "snapshots": ctx.count("snapshot", project_id=project_id),
    }


def _over_quota(message: str) -> HttpError:
    return HttpError(413, message, headers={"Retry-After": "0"})


def check(
    ctx: Context, project_id: str, *, volumes: int = 0, snapshots: int = 0, gigabytes: int = 0, size: int = 0
) -> None:
    """Reject with 413 a request that exceeds the project's quota.

    Args:
        ctx: the context.
        project_id: the project.
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
    now = used(ctx, project_id)
    limit = ctx.quota("gigabytes")
    if gigabytes and 0 <= limit < now["gigabytes"] + gigabytes:
        message = (
            "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota."
            f" Requested {gigabytes}G, quota is {limit}G and {now['gigabytes']}G has been consumed."
        )
        raise _over_quota(message)
    limit = ctx.quota("volumes")
    if volumes and 0 <= limit < now["volumes"] + volumes:
        message = f"VolumeLimitExceeded: Maximum number of volumes allowed ({limit}) exceeded for quota 'volumes'."
        raise _over_quota(message)
    limit = ctx.quota("snapshots")
    if snapshots and 0 <= limit < now["snapshots"] + snapshots:
        message = f"SnapshotLimitExceeded: Maximum number of snapshots allowed ({limit}) exceeded"
        raise _over_quota(message)


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
