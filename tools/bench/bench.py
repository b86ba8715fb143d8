"""What a run of the benchmark measures, and where."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.bench.place import Place


@dataclass(frozen=True)
class Bench:
    """A run.

    Attributes:
        place: The cloud.
        env: The environment of the stacks, with the variables of the cloud.
        folder: A folder for the stacks, which is deleted at the end.
        units: Amounts of units.
        servers: Amounts of servers.
        rounds: Rounds of units.
        peer: A folder with the programs of the peer; None to measure without it.
        page: The page into which the tables are written; None if they are only printed.
        details: Whether to add the requests by path.
    """

    place: Place
    env: Mapping[str, str]
    folder: Path
    units: Sequence[int]
    servers: Sequence[int]
    rounds: int
    peer: Path | None
    page: Path | None
    details: bool

    def fresh(self) -> Path:
        """Create an empty folder. Its name is the name of the stack."""
        return Path(tempfile.mkdtemp(prefix="stack-", dir=self.folder))
