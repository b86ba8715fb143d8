"""What `ecs-pulumi report` has to know of volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.effects import Effects

if TYPE_CHECKING:
    from collections.abc import Mapping


class VolumeEffects(Effects):
    """A deletion loses the data of the volume."""

    def lost(self, outputs: Mapping[str, Any]) -> list[str]:
        """Describe the data by its size, which may be secret."""
        size = outputs.get("size")
        return [f"its data, {size:g} GiB, are lost" if isinstance(size, (int, float)) else "its data are lost"]


EFFECTS = VolumeEffects()
