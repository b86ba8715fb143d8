"""What a client asks besides volumes: messages, extensions, and collections that stay empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from .service import administrator, links, service, since

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call

EMPTY = {
    "backups": ("backups", 0),
    "backups/detail": ("backups", 0),
    "os-volume-transfer": ("transfers", 0),
    "os-volume-transfer/detail": ("transfers", 0),
    "volume-transfers": ("transfers", 55),
    "volume-transfers/detail": ("transfers", 55),
    "groups": ("groups", 13),
    "groups/detail": ("groups", 13),
    "consistencygroups": ("consistencygroups", 0),
    "consistencygroups/detail": ("consistencygroups", 0),
    "cgsnapshots/detail": ("cgsnapshots", 0),
    "cgsnapshots": ("cgsnapshots", 0),
}
"""Path to the key of the answer and the microversion it came with: nothing here makes any of these."""

GUARDED = {
    "os-services": "volume_extension:services:index",
    "qos-specs": "volume_extension:qos_specs_manage:get_all",
    "scheduler-stats/get_pools": "scheduler_extension:scheduler_stats:get_pools",
}
"""Path to the rule that keeps it to administrators, who find nothing there."""

EXTENSIONS = {
    "OS-SCH-HNT": "SchedulerHints",
    "os-availability-zone": "AvailabilityZones",
    "os-extended-snapshot-attributes": "ExtendedSnapshotAttributes",
    "os-quota-sets": "Quotas",
    "os-used-limits": "UsedLimits",
    "os-vol-image-meta": "VolumeImageMetadata",
    "os-vol-tenant-attr": "VolumeTenantAttribute",
    "os-volume-actions": "VolumeActions",
    "os-volume-type-access": "VolumeTypeAccess",
}


def _nothing(path: str, key: str, minor: int) -> None:
    @service.get(f"/{path}")
    def list_nothing(call: Call) -> Reply:
        since(call, minor)
        return Reply(200, {key: []})


def _guarded(path: str, rule: str) -> None:
    @service.get(f"/{path}")
    def list_guarded(call: Call) -> Reply:
        administrator(call, rule)
        return Reply(200, {path.rpartition("/")[2].removeprefix("os-").removeprefix("get_"): []})


for _path, (_key, _minor) in EMPTY.items():
    _nothing(_path, _key, _minor)
for _path, _rule in GUARDED.items():
    _guarded(_path, _rule)


@service.get("/backups/{backup_id}")
def show_backup(_call: Call, backup_id: str) -> Reply:
    """There are no backups."""
    raise HttpError(404, f"Backup {backup_id} could not be found.")


@service.post("/backups")
def create_backup(_call: Call) -> Reply:
    """Nobody makes backups here."""
    raise HttpError(404, "Service cinder-backup could not be found.")


@service.get("/extensions")
def list_extensions(_call: Call) -> dict[str, Any]:
    """`GET /extensions`."""
    return {
        "extensions": [
            {
                "name": name,
                "alias": alias,
                "description": name,
                "updated": "2013-10-03T00:00:00+00:00",
                "links": [],
            }
            for alias, name in EXTENSIONS.items()
        ]
    }


@service.get("/messages")
def list_messages(call: Call) -> dict[str, Any]:
    """`GET /messages`, from 3.3 on: why something failed."""
    since(call, 3)
    found = call.find("message", newest_first=True, project_id=call.project_id)
    wanted = call.param("resource_uuid")
    return {
        "messages": [
            {name: value for name, value in message.items() if name != "project_id"}
            | {"links": links(call, f"messages/{message['id']}")}
            for message in found
            if wanted in (None, message["resource_uuid"])
        ]
    }
