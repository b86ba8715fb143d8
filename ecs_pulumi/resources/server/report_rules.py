"""What `ecs-pulumi report` has to know of servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.notices import Notice
from ecs_pulumi.report_rules import UNKNOWN, ReportRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VOLUMES = ("volume", "snapshot")
_STATES = {"paused": "paused", "suspended": "suspended", "shelved_offloaded": "shelved"}


def destination(device: Mapping[str, Any]) -> str:
    """Return the destination type of a block device; a volume or a snapshot can only become a volume."""
    return str(device.get("destination_type") or ("volume" if device.get("source_type") in _VOLUMES else "local"))


def was_never_active(outputs: Mapping[str, Any]) -> bool:
    """Return whether the creation of the server failed, so that its disks hold no data."""
    return outputs.get("status") == "ERROR" and not outputs.get("launched_at")


class ServerReportRules(ReportRules):
    """A resize, a rebuild and a power state interrupt the workload; a deletion deletes the data of disks."""

    def interrupted(self, names: Iterable[str], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
        """Return whether the server runs again after the update."""
        state = inputs.get("power_state") or outputs.get("power_state")
        if not state:
            return ""
        if state in UNKNOWN:
            return "its workload is interrupted, and its power state afterwards is not known yet"
        if state != "active":
            return f"{_STATES.get(str(state), 'stopped')} until its `power_state` is `active` again"
        how = "stopped for the resize, and started again" if inputs.get("stop_before_resize") else "restarted"
        return f"{how}: not reachable until the resize has ended" if "flavor" in names else ""

    def lost(self, outputs: Mapping[str, Any], size: int | None = None) -> list[str]:
        """Describe the local disks, and the volumes that Nova deletes with the server.

        Args:
            outputs: The prior outputs.
            size: The size of the local root disk in GiB, if it is known; 0 if the root disk is a volume.
        """
        if was_never_active(outputs):
            return []
        lost = []
        devices = [each for each in outputs.get("block_devices") or () if isinstance(each, dict)]
        attached = [each for each in outputs.get("volumes_attached") or () if isinstance(each, dict)]
        deleted = [str(each["id"]) for each in attached if each.get("delete_on_termination")]
        if outputs.get("image_id") or (outputs.get("image") and not devices):
            if size == 0 and len(deleted) == 1:
                lost.append(f"its root disk (the volume {deleted.pop()})")
            elif size != 0 or not deleted:
                lost.append(f"its root disk ({size} GiB)" if size else "its root disk")
        local = [each for each in devices if destination(each) == "local" and each.get("boot_index") != 0]
        if local:
            lost.append(f"its {len(local)} further local disks" if len(local) > 1 else "its local disk")
        if deleted:
            lost.append(f"the volume{'s' * (len(deleted) > 1)} {', '.join(deleted)}")
        elif any("delete_on_termination" not in each for each in attached):
            # Some APIs do not return `delete_on_termination`; use the value of the create request.
            count = sum(each.get("delete_on_termination") is True and destination(each) == "volume" for each in devices)
            if count:
                lost.append(f"{count} volume{'s' * (count > 1)} with `delete_on_termination`")
        return lost

    def kept(self, outputs: Mapping[str, Any]) -> str:
        """Return that the disks stay, unless the server never used them."""
        return "" if was_never_active(outputs) else "its disks stay"

    def assumed(self, inputs: Mapping[str, Any]) -> Mapping[str, Notice]:
        """Return the inputs that interrupt the workload, and the image if its change rebuilds the server."""
        assumed = {"flavor": Notice.INTERRUPTS}
        if inputs.get("power_state") != "active":
            assumed["power_state"] = Notice.INTERRUPTS
        policy = inputs.get("image_policy")
        return assumed | ({"image": Notice.REBUILD} if policy == "rebuild" or policy in UNKNOWN else {})


RULES = ServerReportRules()
