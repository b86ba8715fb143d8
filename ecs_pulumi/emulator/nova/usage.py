"""What a project uses of its compute quota, kept as a sum so that no create has to count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.errors import HttpError

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

RESOURCES = ("instances", "cores", "ram")


def used(ctx: Context, project_id: str) -> Document:
    """Instances, cores and MiB of memory in use."""
    return ctx.get("usage", project_id) or {"id": project_id, "instances": 0, "cores": 0, "ram": 0}


def claim(ctx: Context, project_id: str, *, instances: int = 0, cores: int = 0, ram: int = 0) -> None:
    """Use more; 403 if that is more than the quota allows. Negative numbers give back."""
    wanted = {"instances": instances, "cores": cores, "ram": ram}
    now = used(ctx, project_id)
    over = [name for name in RESOURCES if wanted[name] > 0 and 0 <= ctx.quota(name) < now[name] + wanted[name]]
    if over:
        over.sort()
        asked = ", ".join(str(wanted[name]) for name in over)
        have = ", ".join(str(now[name]) for name in over)
        limit = ", ".join(str(ctx.quota(name)) for name in over)
        names = ", ".join(over)
        raise HttpError(
            403,
            f"Quota exceeded for {names}: Requested {asked}, but already used {have} of {limit} {names}",
        )
    ctx.put("usage", now | {name: max(0, now[name] + wanted[name]) for name in RESOURCES})
