"""What `ecs-pulumi report` has to know of the rules of security groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.report_rules import ReportRules

if TYPE_CHECKING:
    from collections.abc import Mapping


class SecurityGroupRuleReportRules(ReportRules):
    """A deletion no longer lets packets pass that passed before."""

    def kept(self, outputs: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return that connections are cut."""
        return "connections that no other rule allows are cut"


RULES = SecurityGroupRuleReportRules()
