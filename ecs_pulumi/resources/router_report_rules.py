"""What `ecs-pulumi report` has to know of routers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.notices import Notice
from ecs_pulumi.report_rules import ReportRules

if TYPE_CHECKING:
    from collections.abc import Mapping

GATEWAY = ("external_network", "external_fixed_ips", "enable_snat")
"""The inputs whose change interrupts the connections through the gateway of a router."""


class RouterReportRules(ReportRules):
    """A change of the gateway interrupts the connections through it; a deletion releases its addresses."""

    def kept(self, outputs: Mapping[str, Any]) -> str:
        """Return the addresses in the external network, which another router may get afterwards."""
        addresses = [str(each) for each in outputs.get("external_ips") or ()]
        return f"its external addresses are released: {', '.join(addresses)}" if addresses else ""

    def assumed(self, inputs: Mapping[str, Any]) -> Mapping[str, Notice]:
        """Return the inputs of the gateway, and the one that stops the router."""
        names = GATEWAY if inputs.get("admin_state_up") in (None, True) else (*GATEWAY, "admin_state_up")
        return dict.fromkeys(names, Notice.INTERRUPTS)


RULES = RouterReportRules()
