"""The compute quota usage of a project, stored as totals so that a create does not count all servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.errors import HttpError

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

RESOURCES = ("instances", "cores", "ram")


def get_usage(ctx: Context, project_id: str) -> Document:
    """Return the instances, cores and MiB of memory in use."""
    return ctx.get("usage", project_id) or {"id": project_id, "instances": 0, "cores": 0, "ram": 0}


def claim(ctx: Context, project_id: str, *, instances: int = 0, cores: int = 0, ram: int = 0) -> None:
    """Add to the usage; 403 if the quota is exceeded. Negative numbers reduce the usage."""
    requested = {"instances": instances, "cores": cores, "ram": ram}
    usage = get_usage(ctx, project_id)
    exceeded = [
        name for name in RESOURCES if requested[name] > 0 and 0 <= ctx.quota(name) < usage[name] + requested[name]
    ]
    if exceeded:
        exceeded.sort()
        amounts = ", ".join(str(requested[name]) for name in exceeded)
        in_use = ", ".join(str(usage[name]) for name in exceeded)
        limit = ", ".join(str(ctx.quota(name)) for name in exceeded)
        names = ", ".join(exceeded)
        raise HttpError(
            403,
            f"Quota exceeded for {names}: Requested {amounts}, but already used {in_use} of {limit} {names}",
        )
    ctx.put("usage", usage | {name: max(0, usage[name] + requested[name]) for name in RESOURCES})
