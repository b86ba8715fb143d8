"""The disks of a server: whether a flavor fits them, and what a deletion of the server deletes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.server.report_rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecs_pulumi.resources.clients import Context


def require_fit(context: Context, name: str) -> None:
    """Reject a flavor without a disk, and report one with a smaller disk, for a server with a local root disk.

    Raises:
        OperationFailed: The flavor has no disk.
    """
    size = context.prior.get("image_id") and _disk_of(
        context, context.prior.get("flavor_id") or context.prior["flavor"]
    )
    if not size:
        return
    flavor = catalog(context.cloud.region).flavor(name)
    if not flavor["disk"]:
        reason = (
            f"{flavor['name']} has no disk; the server has a root disk of {size} GiB and cannot be resized to a flavor "
            "without a disk"
        )
        raise errors.OperationFailed("flavor", reason)
    if flavor["disk"] < size:
        context.notify(
            f"{flavor['name']} has a disk of {flavor['disk']} GiB, the server has a root disk of {size} GiB: "
            "most clouds reject a resize to a smaller disk"
        )


def _disk_of(context: Context, flavor: str) -> int | None:
    """Return the size of a flavor's disk in GiB; None if the flavor cannot be looked up."""
    try:
        return int(catalog(context.cloud.region).flavor(flavor)["disk"])
    except errors.EcsError:
        return None


def _boots_from_volumes_only(context: Context) -> bool:
    """Whether the cloud has no local disks; False if it is not known, for example without credentials."""
    try:
        return context.cloud.region.differences.boots_from_volumes_only
    except errors.EcsError:
        return False


def data_loss(context: Context, prior: Mapping[str, Any]) -> list[str]:
    """List the disks that Nova deletes with the server: its local disks, and volumes with `delete_on_termination`."""
    if prior.get("image_id") and _boots_from_volumes_only(context):
        return RULES.lost(prior, 0)
    # A deletion sends no request for a warning.
    flavor = prior.get("image_id") and context.verb != "delete" and (prior.get("flavor_id") or prior.get("flavor"))
    return RULES.lost(prior, _disk_of(context, flavor) if flavor else None)
