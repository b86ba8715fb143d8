"""What `ecs-pulumi report` has to know of servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.effects import UNKNOWN, Effect, Effects
from ecs_pulumi.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_REBUILT = "rebuilt: the data on its root disk are lost"
_OFF = ("shutoff", "shelved_offloaded")


class ServerEffects(Effects):
    """A resize and a new power state interrupt the workload, a rebuild and a deletion lose the data of disks."""

    kept = "its disks stay"

    def of_update(
        self,
        desired: Mapping[str, Any],
        outputs: Mapping[str, Any],
        changed: Collection[str],
        notices: Collection[Notice],
    ) -> Effect:
        """Judge a rebuild, a resize and a new power state."""
        effect = Effect()
        is_running = outputs.get("power_state") not in _OFF
        # `personality` is a secret, so the preview does not show whether it changed. The provider's notice does, unless
        # the provider did not check; then assume that it changed.
        is_unchecked = "personality" in desired and Notice.NOT_CHECKED in notices
        is_noticed = Notice.REBUILD in notices
        if desired.get("image_policy") == "rebuild" and ("image" in changed or is_noticed or is_unchecked):
            effect.effects |= {"destroy", "restart"}
            effect.notes.append(_REBUILT)
            if is_noticed and {"image", "personality"}.isdisjoint(changed):
                effect.reasons.append("personality")
        if "flavor" in changed and is_running:
            effect.effects.add("restart")
            is_stopped = desired.get("stop_before_resize") is not False
            effect.notes.append("stopped, resized and started again" if is_stopped else "resized, which interrupts it")
        if "power_state" in changed and is_running:
            effect.effects.add("restart")
            effect.notes.append("`power_state` interrupts it")
        return effect

    def of_import(self, inputs: Mapping[str, Any], changes: Collection[str]) -> Effect:
        """Judge a rebuild, a resize and a new power state, of which the prior one is not known."""
        effect = Effect()
        if "image" in changes:
            effect.effects |= {"destroy", "restart"}
            effect.notes.append(_REBUILT)
        if "flavor" in changes or ("power_state" in changes and inputs["power_state"] != "active"):
            effect.effects.add("restart")
            effect.notes.append("its workload is interrupted")
        return effect

    def risky(self, inputs: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the inputs that interrupt the workload, and the image if its change rebuilds the server."""
        policy = inputs.get("image_policy")
        is_rebuilt = policy == "rebuild" or policy in UNKNOWN
        return ("flavor", "image", "power_state") if is_rebuilt else ("flavor", "power_state")

    def lost(self, outputs: Mapping[str, Any]) -> list[str]:
        """Describe the local disks, and the volumes that Nova deletes with the server."""
        lost = []
        disks = [item for item in outputs.get("block_devices") or () if isinstance(item, dict)]
        local = [item for item in disks if item.get("destination_type") == "local"]
        if outputs.get("image_id") or local or (outputs.get("image") and not disks):
            lost.append("its local disk is lost")
        attached = [item for item in outputs.get("volumes_attached") or () if isinstance(item, dict)]
        deleted = [f"`{item['id']}`" for item in attached if item.get("delete_on_termination")]
        is_unknown = any("delete_on_termination" not in item for item in attached)
        if deleted:
            lost.append(f"{'volumes' if len(deleted) > 1 else 'volume'} {', '.join(deleted)} lost with it")
        elif is_unknown and (
            count := sum(bool(item.get("delete_on_termination")) for item in disks if item not in local)
        ):
            # Older APIs do not return delete_on_termination of a volume; use the block devices of the program.
            lost.append(f"{count} volume{'s' if count > 1 else ''} lost with it (`delete_on_termination`)")
        return lost


EFFECTS = ServerEffects()
