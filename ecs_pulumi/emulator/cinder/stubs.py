"""Messages, extensions, and the collections that are always empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from .service import links, require_admin, require_microversion, service

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
"""The paths of collections that the emulator cannot fill, with the key in the response and the first microversion."""

ADMIN_ONLY = {
    "os-services": "volume_extension:services:index",
    "qos-specs": "volume_extension:qos_specs_manage:get_all",
    "scheduler-stats/get_pools": "scheduler_extension:scheduler_stats:get_pools",
}
"""The paths of empty collections for administrators only, with the policy rules."""

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


def _register_empty_list(path: str, key: str, minor: int) -> None:
    @service.get(f"/{path}")
    def list_empty(call: Call) -> Reply:
        require_microversion(call, minor)
        return Reply(200, {key: []})


def _register_admin_list(path: str, rule: str) -> None:
    @service.get(f"/{path}")
    def list_empty(call: Call) -> Reply:
        require_admin(call, rule)
        return Reply(200, {path.rpartition("/")[2].removeprefix("os-").removeprefix("get_"): []})


for _path, (_key, _minor) in EMPTY.items():
    _register_empty_list(_path, _key, _minor)
for _path, _rule in ADMIN_ONLY.items():
    _register_admin_list(_path, _rule)


@service.get("/backups/{backup_id}")
def show_backup(_call: Call, backup_id: str) -> Reply:
    """`GET /backups/{id}`: always 404, because there are no backups."""
    raise HttpError(404, f"Backup {backup_id} could not be found.")


@service.post("/backups")
def create_backup(_call: Call) -> Reply:
    """`POST /backups`: always 404, because the backup service is not emulated."""
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
    """`GET /messages`, from microversion 3.3 on: the reasons of failed operations."""
    require_microversion(call, 3)
    messages = call.find("message", newest_first=True, project_id=call.project_id)
    resource_id = call.param("resource_uuid")
    return {
        "messages": [
            {name: value for name, value in message.items() if name != "project_id"}
            | {"links": links(call, f"messages/{message['id']}")}
            for message in messages
            if resource_id in (None, message["resource_uuid"])
        ]
    }
