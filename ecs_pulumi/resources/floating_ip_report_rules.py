"""What `ecs-pulumi report` has to know of floating IPs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.notices import Notice
from ecs_pulumi.report_rules import ReportRules

if TYPE_CHECKING:
    from collections.abc import Mapping


def port_unreachable(outputs: Mapping[str, Any]) -> str:
    """Return that a port is no longer reachable at its floating IP; empty if it has none."""
    port = outputs.get("port_id")
    return f"the port {port} is no longer reachable at its floating IP" if port else ""


class FloatingIpReportRules(ReportRules):
    """A deletion gives the address back to the cloud."""

    def lost(self, outputs: Mapping[str, Any]) -> list[str]:
        """Name the address; the cloud may give it to another project, so that it cannot be allocated again."""
        return [f"its address {outputs['address']}"] if outputs.get("address") else []

    def unreachable(self, outputs: Mapping[str, Any]) -> str:
        """Name the port that has the floating IP."""
        return port_unreachable(outputs)

    def assumed(self, inputs: Mapping[str, Any]) -> Mapping[str, Notice]:  # noqa: ARG002
        """Return the port: an import may take the floating IP from another one."""
        return {"port_id": Notice.DISCONNECTS}


RULES = FloatingIpReportRules()
