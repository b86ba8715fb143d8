"""Storage quotas and usage of projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError

from .schema import check_type, document
from .service import forbidden, require_admin, service
from .types import volume_types

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context

BACKUPS = {"backups": 10, "backup_gigabytes": 1000}
GROUPS = 10
SHOW = "volume_extension:quotas:show"


def used(ctx: Context, project_id: str, volume_type: str | None = None) -> dict[str, int]:
    """Return the number of volumes and snapshots and the GiB in use, including snapshots, of one type or all types."""
    of_type = {"volume_type": volume_type} if volume_type else {}
    return {
        "volumes": ctx.count("volume", project_id=project_id, **of_type),
        "gigabytes": ctx.total("volume", "size", project_id=project_id, **of_type)
        + ctx.total("snapshot", "size", project_id=project_id, **of_type),
        "snapshots": ctx.count("snapshot", project_id=project_id, **of_type),
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


@service.get("/limits")
def limits(call: Call) -> dict[str, Any]:
    """`GET /limits`."""
    now = used(call, call.project_id)
    absolute = {
        "maxTotalVolumes": call.quota("volumes"),
        "maxTotalSnapshots": call.quota("snapshots"),
        "maxTotalVolumeGigabytes": call.quota("gigabytes"),
        "maxTotalBackups": BACKUPS["backups"],
        "maxTotalBackupGigabytes": BACKUPS["backup_gigabytes"],
        "totalVolumesUsed": now["volumes"],
        "totalGigabytesUsed": now["gigabytes"],
        "totalSnapshotsUsed": now["snapshots"],
        "totalBackupsUsed": 0,
        "totalBackupGigabytesUsed": 0,
    }
    return {"limits": {"rate": [], "absolute": absolute}}


def _limits(ctx: Context) -> dict[str, int]:
    known = {"volumes": ctx.quota("volumes"), "per_volume_gigabytes": ctx.quota("per_volume_gigabytes")}
    known |= {"snapshots": ctx.quota("snapshots"), "gigabytes": ctx.quota("gigabytes")} | BACKUPS
    for kind in volume_types(ctx):
        for resource in ("volumes", "gigabytes", "snapshots"):
            known[f"{resource}_{kind['name']}"] = -1
    return known | {"groups": GROUPS}


@service.get("/os-quota-sets/{project_id}")
def show_quota(call: Call, project_id: str) -> dict[str, Any]:
    """`GET /os-quota-sets/{project}`, including the usage with `?usage=true`."""
    if project_id != call.project_id and not call.is_admin:
        raise forbidden(SHOW)
    known = _limits(call)
    if (call.param("usage") or "").lower() != "true":
        return {"quota_set": {"id": project_id, **known}}
    now: dict[str, int] = dict(used(call, project_id))
    for kind in volume_types(call):
        now |= {f"{resource}_{kind['name']}": count for resource, count in used(call, project_id, kind["name"]).items()}
    return {
        "quota_set": {
            "id": project_id,
            **{name: {"limit": limit, "in_use": now.get(name, 0), "reserved": 0} for name, limit in known.items()},
        }
    }


@service.get("/os-quota-sets/{project_id}/defaults")
def show_defaults(call: Call, project_id: str) -> dict[str, Any]:
    """`GET /os-quota-sets/{project}/defaults`."""
    return {"quota_set": {"id": project_id, **_limits(call)}}


@service.put("/os-quota-sets/{project_id}")
def update_quota(call: Call, project_id: str) -> dict[str, Any]:
    """`PUT /os-quota-sets/{project}`: change the limits of all projects, for administrators only."""
    require_admin(call, "volume_extension:quotas:update")
    requested = document(call, "quota_set")["quota_set"]
    for name, limit in requested.items():
        check_type(name, limit, "integer", "string")
    call.cloud.set_quota(**{name: int(limit) for name, limit in requested.items() if name in _limits(call)})
    return show_defaults(call, project_id)
