"""The test harness `Project`, with a provider that needs no cloud."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.project import Project
from tools.workspace import environment

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
    import pulumi
    from pulumi.dynamic import CreateResult, Resource, ResourceProvider

    class Provider(ResourceProvider):
        def create(self, props):
            if props["size"] == "0":
                raise Exception("no room")
            return CreateResult("an-id", props)

    class Box(Resource):
        def __init__(self, name, size):
            super().__init__(Provider(), name, {"size": size})

    Box("box", pulumi.Config().require("size"))
"""


@pytest.fixture
def box(engine_path: Path, tmp_path: Path) -> Project:
    """A project with one resource that needs no cloud."""
    return Project(tmp_path, PROGRAM, environment(engine_path, tmp_path, "test"))


def test_traceback_fails_the_test(box: Project) -> None:
    """A traceback fails a test even if the run is expected to fail, since users must never see one."""
    box.config("size", "0")
    with pytest.raises(AssertionError, match="no room"):
        box.up(fails=True)


def test_unexpected_failure_shows_the_output(box: Project) -> None:
    """The message of the assertion contains the reason."""
    with pytest.raises(AssertionError, match="Missing required configuration variable"):
        box.up()


def test_hanging_run_is_killed(box: Project) -> None:
    """After the timeout the whole process group is killed, and the assertion shows the output."""
    box.write("import time, pulumi; pulumi.log.info('waiting'); time.sleep(60)")
    with pytest.raises(AssertionError, match="was killed") as failure:
        box.up(timeout=5)
    assert isinstance(failure.value.__cause__, subprocess.TimeoutExpired)
