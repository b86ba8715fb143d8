"""Random programs through the real engine, with kills and interruptions: no orphans and no duplicates."""

from __future__ import annotations

import os
import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.interrupted import orphans
from tests.support.project import Project
from tests.walks.cloud import differences
from tests.walks.following import can_follow
from tests.walks.generator import walk
from tests.walks.kills import DISTURBANCES, UNRECORDED, RestartedCloud, run_disturbed
from tests.walks.model import Stage, Walk
from tests.walks.programs import to_source
from tests.walks.walking import Failure, format_failure
from tools.workspace import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.walks.cloud import Documents
    from tests.walks.programs import Program

COUNT = int(os.environ.get("WALKS_KILLS", "3"))
FIRST = int(os.environ.get("WALKS_FIRST", "0"))
ATTEMPTS = 4
"""The maximum number of `up` runs until one succeeds."""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[RestartedCloud]:
    """A cloud that can be killed."""
    with RestartedCloud(tmp_path) as running:
        yield running


class DisturbedStack:
    """A stack whose `up` is disturbed and then repeated until it succeeds."""

    def __init__(self, project: Project, cloud: RestartedCloud) -> None:
        self.project = project
        self._cloud = cloud
        self._unmanaged: Documents = cloud.documents()

    def up(self, disturbance: str, program: Program, chance: random.Random) -> list[str]:
        """Apply the program with a disturbance; return the problems that remain."""
        self.project.program.write_text(to_source(program))
        run_disturbed(disturbance, self.project, self._cloud, chance)
        self._delete_broken_attributes()
        self.project.run("cancel", "--yes")
        if failure := self._up_until_it_succeeds(disturbance):
            return [failure]
        problems = self.differences(program)
        changes = self.project.preview().changes
        return problems + [f"{step} of {name}" for name, step in changes.items()]

    def _delete_broken_attributes(self) -> None:
        """Delete empty attribute files of an interrupted state write, as the page on failures recommends."""
        for file in self.project.folder.rglob("*.attrs"):
            if not file.stat().st_size:
                file.unlink()

    def differences(self, program: Program) -> list[str]:
        """Return the differences between the cloud and the program."""
        ids = {name.partition(" ")[2]: each["id"] for name, each in self.project.state().items()}
        return list(differences(program, ids, self._unmanaged, self._cloud.documents()))

    def _up_until_it_succeeds(self, disturbance: str) -> str:
        failure = ""
        for _ in range(ATTEMPTS):
            try:
                self.project.up()
            except AssertionError as failed:
                failure = str(failed)
            else:
                return ""
            if disturbance in UNRECORDED:
                self._delete_reported_orphans(failure)
        return failure

    def _delete_reported_orphans(self, failure: str) -> None:
        """Delete the orphans, as the error of the failed `up` recommends."""
        _, found = orphans(self.project)
        if found:
            orphans(self.project, "--delete", *(each["id"] for each in found), "--yes")
        with self._cloud.client() as client:
            for name in re.findall(r'adopt="([^"]+)"', failure):
                client.compute.delete_keypair(name)


def plain_programs(seed: int) -> list[Program]:
    """Return the programs of a walk that follow one another without targets, and without options against changes."""
    plain: list[Program] = []
    for stage in walk(seed).stages:
        program = tuple(replace(each, protect=False, retain=False, ignored=()) for each in stage.program)
        if not plain or (program != plain[-1] and can_follow(plain[-1], program)):
            plain.append(program)
    return plain


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_kill_leaves_no_orphan_or_duplicate(
    engine_path: Path, cloud: RestartedCloud, tmp_path: Path, seed: int
) -> None:
    """After `cancel` and `up` the cloud has exactly the declared objects; a destroy deletes everything."""
    chance = random.Random(seed)  # noqa: S311  (chance, not a secret)
    disturbance = list(DISTURBANCES)[seed % len(DISTURBANCES)]
    short = Walk(tuple(map(Stage, plain_programs(seed)[:2])))
    folder = tmp_path / "project"
    folder.mkdir()
    project = Project(folder, "import pulumi\n", environment(engine_path, folder, "test"))
    project.settings(cloud.settings)
    stack = DisturbedStack(project, cloud)
    for at, program in enumerate(short.programs):
        if problems := stack.up(disturbance, program, chance):
            pytest.fail(
                format_failure(short, Failure(at, f"kill of {disturbance}", "; ".join(problems)), seed), pytrace=False
            )
    project.destroy()
    assert stack.differences(()) == []
