"""What `ecs-pulumi report` has to know of volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.report_rules import ReportRules

if TYPE_CHECKING:
    from collections.abc import Mapping


def was_never_available(outputs: Mapping[str, Any]) -> bool:
    """Return whether the creation of the volume failed, so that it holds no data."""
    return outputs.get("status") == "error" and not outputs.get("was_available")


class VolumeReportRules(ReportRules):
    """A deletion deletes the data of the volume."""

    def lost(self, outputs: Mapping[str, Any]) -> list[str]:
        """Describe the data by its size, which may be secret."""
        if was_never_available(outputs):
            return []
        size = outputs.get("size")
        return [f"its data ({size:g} GiB)" if isinstance(size, (int, float)) else "its data"]


RULES = VolumeReportRules()
