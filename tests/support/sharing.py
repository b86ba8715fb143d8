"""Which process runs which cases where there are several."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]


class StepsTogether(LoadScopeScheduling):  # type: ignore[misc]
    """One process runs all cases whose names differ after a colon only: they share what they work on.

    One runs all that have projects on a real cloud as well: their stacks bear the same names, and what one of them
    made would look to another like something that it has lost.
    """

    def _split_scope(self, nodeid: str) -> str:
        if "[live" in nodeid and not nodeid.startswith("tests/fields/"):
            return "live"
        return nodeid.partition(": ")[0]
