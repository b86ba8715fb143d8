"""Random programs through the real engine, with something killed in the middle: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.interrupted import orphans
from tests.support.project import Project
from tests.walks.cloud import differences
from tests.walks.edits import Walk, walk
from tests.walks.kills import UNRECORDED, WAYS, RestartedCloud, disturbed
from tests.walks.programs import written
from tests.walks.walking import Broken, told
from tools.workspace import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.walks.cloud import Documents
    from tests.walks.programs import Program

COUNT = int(os.environ.get("WALKS_KILLS", "3"))
FIRST = int(os.environ.get("WALKS_FIRST", "0"))
ATTEMPTS = 4
"""How often an `up` may be repeated until it succeeds."""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[RestartedCloud]:
    """A cloud that can be killed."""
    with RestartedCloud(tmp_path) as running:
        yield running


class Survivor:
    """A stack that is disturbed and brought to an end all the same."""

    def __init__(self, project: Project, cloud: RestartedCloud) -> None:
        self.project = project
        self._cloud = cloud
        self._others: Documents = cloud.documents()

    def up(self, way: str, program: Program, chance: random.Random) -> list[str]:
        """Bring the cloud to the program though something is killed on the way; what is wrong then."""
        self.project.program.write_text(written(program))
        disturbed(way, self.project, self._cloud, chance)
        self._delete_broken_attributes()
        self.project.run("cancel", "--yes")
        if failure := self._up_until_it_succeeds(way):
            return [failure]
        wrong = self.differences(program)
        changes = self.project.preview().changes
        return wrong + [f"{step} of {name}" for name, step in changes.items()]

    def _delete_broken_attributes(self) -> None:
        """Do what the page on failures says of a state of which Pulumi had begun to write the attributes."""
        for file in self.project.folder.rglob("*.attrs"):
            if not file.stat().st_size:
                file.unlink()

    def differences(self, program: Program) -> list[str]:
        """What in the cloud is not what the program declares."""
        ids = {name.partition(" ")[2]: each["id"] for name, each in self.project.state().items()}
        return list(differences(program, ids, self._others, self._cloud.documents()))

    def _up_until_it_succeeds(self, way: str) -> str:
        failure = ""
        for _ in range(ATTEMPTS):
            try:
                self.project.up()
            except AssertionError as failed:
                failure = str(failed)
            else:
                return ""
            if way in UNRECORDED:
                self._delete_what_is_named(failure)
        return failure

    def _delete_what_is_named(self, failure: str) -> None:
        """Do what a failed `up` says of objects that nothing proves to be the stack's."""
        _, found = orphans(self.project)
        if found:
            orphans(self.project, "--delete", *(each["id"] for each in found), "--yes")
        with self._cloud.client() as client:
            for name in re.findall(r'adopt="([^"]+)"', failure):
                client.compute.delete_keypair(name)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_nothing_is_lost_or_doubled_by_a_kill(
    engine_path: Path, cloud: RestartedCloud, tmp_path: Path, seed: int
) -> None:
    """After `cancel` and `up` the cloud holds what the program declares, no more; `destroy` leaves nothing."""
    chance = random.Random(seed)  # noqa: S311  (chance, not a secret)
    way = list(WAYS)[seed % len(WAYS)]
    whole = walk(seed)
    going = Walk(whole.programs[:2], whole.edits[:1])
    folder = tmp_path / "project"
    folder.mkdir()
    project = Project(folder, "import pulumi\n", environment(engine_path, folder, "test"))
    project.settings(cloud.settings)
    it = Survivor(project, cloud)
    for at, program in enumerate(going.programs):
        if wrong := it.up(way, program, chance):
            pytest.fail(told(going, Broken(at, f"kill of {way}", "; ".join(wrong)), seed), pytrace=False)
    project.destroy()
    assert it.differences(()) == []
