"""The contract of the kinds whose changes affect a workload or data, for `ecs-pulumi report`.

The report runs without the cloud and without the provider. Therefore such a kind judges a planned change in a module of
its own, which the attribute `effects` of its handler names, and which imports neither a schema nor the provider.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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


@dataclass
class Effect:
    """What a change does besides changing properties."""

    effects: set[str] = field(default_factory=set)
    """`destroy` if data is lost, `restart` if the workload is interrupted."""
    notes: list[str] = field(default_factory=list)
    """The consequences, in Markdown."""
    reasons: list[str] = field(default_factory=list)
    """Properties that are a reason although the preview does not show a change, since it masks them."""


class Effects:
    """Judges the planned changes of one kind. By default a change has no effect on a workload or data."""

    kept: str = ""
    """The note on a deletion that loses no data."""

    def of_update(
        self,
        desired: Mapping[str, Any],  # noqa: ARG002
        outputs: Mapping[str, Any],  # noqa: ARG002
        changed: Collection[str],  # noqa: ARG002
        notices: Collection[Notice],  # noqa: ARG002
    ) -> Effect:
        """Judge an update in place.

        Args:
            desired: The desired inputs.
            outputs: The prior outputs.
            changed: The names of the changed inputs.
            notices: The codes of the provider's notices about the resource or the run.
        """
        return Effect()

    def of_import(self, inputs: Mapping[str, Any], changes: Collection[str]) -> Effect:  # noqa: ARG002
        """Judge an import.

        Args:
            inputs: The desired inputs.
            changes: The names of the inputs that change the object.
        """
        return Effect()

    def risky(self, inputs: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002
        """Return the inputs that count as changes of an import if the provider did not compare them."""
        return ()

    def lost(self, outputs: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Describe in Markdown the data that are lost with an object; empty if none are."""
        return []
