"""What `ecs-pulumi report` has to know of interfaces of routers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.report_rules import ReportRules

if TYPE_CHECKING:
    from collections.abc import Mapping


class RouterInterfaceReportRules(ReportRules):
    """A deletion disconnects a subnet."""

    def kept(self, outputs: Mapping[str, Any]) -> str:
        """Return that the servers of the subnet lose their connections through the router."""
        address = outputs.get("ip_address")
        return f"the servers of its subnet lose the router {address}" if address else ""


RULES = RouterInterfaceReportRules()
