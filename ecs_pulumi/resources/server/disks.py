"""The disks of a server: whether a flavor fits them, and what a deletion of the server deletes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic.fields import objects
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.server.schema import destination

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


def data_loss(context: Context, prior: Mapping[str, Any]) -> list[str]:
    """List the disks that Nova deletes with the server: its local disks, and volumes with `delete_on_termination`."""
    lost: list[str] = []
    devices = objects(prior.get("block_devices"))
    if prior.get("status") == "ERROR" and not prior.get("launched_at"):
        return lost  # it never became active
    if prior.get("image_id"):
        # A deletion sends no request for a warning.
        size = (
            None if context.verb == "delete" else _disk_of(context, str(prior.get("flavor_id") or prior.get("flavor")))
        )
        lost.append(f"its root disk ({size} GiB)" if size else "its root disk")
    own = [each for each in devices if destination(each) == "local" and each.get("boot_index") != 0]
    if own:
        lost.append(f"its {len(own)} further local disks" if len(own) > 1 else "its local disk")
    attached = objects(prior.get("volumes_attached"))
    deleted = [str(each["id"]) for each in attached if each.get("delete_on_termination")]
    if deleted:
        lost.append(f"the volume{'s' * (len(deleted) > 1)} {errors.join_names(deleted)}")
    elif any("delete_on_termination" not in each for each in attached):
        # Some APIs do not return `delete_on_termination`; use the value of the create request.
        count = sum(each.get("delete_on_termination") is True and destination(each) == "volume" for each in devices)
        if count:
            lost.append(f"{count} volume{'s' * (count > 1)} with `delete_on_termination`")
    return lost
