"""The distribution of tests over several processes."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]


class StepsTogether(LoadScopeScheduling):  # type: ignore[misc]
    """Run all tests whose names differ only after a colon in the same process, because they share an object.

    All tests with projects on a real cloud also run in one process: their stacks have the same names, so each would
    take the objects of another for its own orphans.
    """

    def _split_scope(self, nodeid: str) -> str:
        if "[live" in nodeid and not nodeid.startswith("tests/fields/"):
            return "live"
        return nodeid.partition(": ")[0]
