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
    from pulumi.dynamic import CreateResult, Resource, ResourceProvider, UpdateResult

    class Provider(ResourceProvider):
        def create(self, props):
            if props["size"] == "0":
                raise Exception("no room")
            return CreateResult("an-id", props)

        def update(self, id, olds, news):
            return UpdateResult(news)

    class Box(Resource):
        def __init__(self, name, size):
            super().__init__(Provider(), name, {"size": size})

    config = pulumi.Config()
    box = Box("box", config.require("size"))
    pulumi.export("id", box.id)
    pulumi.export("key", config.get_secret("key"))
"""


@pytest.fixture
def box(engine_path: Path, tmp_path: Path) -> Project:
    """A project with one resource that needs no cloud."""
    return Project(tmp_path, PROGRAM, environment(engine_path, tmp_path, "test"))


def test_lifecycle_of_a_resource(box: Project) -> None:
    """Create, preview, update, refresh and destroy report their changes; outputs and state can be read."""
    box.settings({"size": "1"}, {"key": "hidden"})
    assert box.up().changes == {"Resource box": "create"}
    assert box.outputs == {"id": "an-id", "key": "hidden"}
    assert box.preview().changes == {}

    box.config("size", "2")
    preview = box.preview(diff=True)
    assert preview.changes == {"Resource box": "update"}
    assert '~ size: "1" => "2"' in preview.text
    assert box.up().changes == {"Resource box": "update"}
    assert box.state()["Resource box"]["outputs"]["size"] == "2"

    assert box.refresh().changes == {}
    assert box.destroy().changes == {"Resource box": "delete"}
    assert box.state() == {}


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
