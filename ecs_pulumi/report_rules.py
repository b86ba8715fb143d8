"""What `ecs-pulumi report` knows of a kind whose objects hold data, run a workload or make one reachable.

The provider decides what a change does, and the report reads its notices (`ecs_pulumi.notices`). The report has rules
of its own only where there is no notice: a preview does not show a removed resource to the provider, and the provider
may be unable to compare an object that is imported. It runs without the cloud and without the provider. Therefore
such a kind has its rules in a module of its own, which the attribute `report_rules` of its handler names, and which
imports neither a schema nor the provider. The handler uses the same functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ecs_pulumi.notices import Notice

UNKNOWN = frozenset(
    {
        # The engine's placeholders for unknown values: string, boolean, number, list, map, asset, archive.
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
    }
)


class ReportRules:
    """The rules of one kind. By default a deletion loses no data, and an update does not affect a workload."""

    def interrupted(
        self,
        names: Iterable[str],  # noqa: ARG002
        inputs: Mapping[str, Any],  # noqa: ARG002
        outputs: Mapping[str, Any],  # noqa: ARG002
    ) -> str:
        """Return how long an update in place interrupts the workload; empty if that is not known.

        Args:
            names: The inputs that change.
            inputs: The desired inputs.
            outputs: The prior outputs.
        """
        return ""

    def lost(self, outputs: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Return the data that a deletion of an object deletes; empty if it deletes none."""
        return []

    def unreachable(self, outputs: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return a note on what can no longer be reached after a deletion; empty if nothing is."""
        return ""

    def kept(self, outputs: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return a note on a deletion that deletes no data."""
        return ""

    def assumed(self, inputs: Mapping[str, Any]) -> Mapping[str, Notice]:  # noqa: ARG002
        """Return the inputs that an import may change with the notice that such a change may cause.

        The report assumes it for those that the provider did not compare with the object.
        """
        return {}
