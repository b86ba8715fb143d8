"""What `ecs-pulumi report` has to know of associations of floating IPs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.report_rules import ReportRules
from ecs_pulumi.resources.floating_ip_report_rules import RULES as FLOATING_IP
from ecs_pulumi.resources.floating_ip_report_rules import port_unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecs_pulumi.notices import Notice


class FloatingIpAssociationReportRules(ReportRules):
    """A deletion releases the port; the floating IP keeps its address."""

    def unreachable(self, outputs: Mapping[str, Any]) -> str:
        """Name the port that has the floating IP."""
        return port_unreachable(outputs)

    def assumed(self, inputs: Mapping[str, Any]) -> Mapping[str, Notice]:
        """Return what a floating IP with a port assumes."""
        return FLOATING_IP.assumed(inputs)


RULES = FloatingIpAssociationReportRules()
