"""The harness itself, on a provider that needs no cloud."""

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
    """A project with one resource of no cloud."""
    return Project(tmp_path, PROGRAM, environment(engine_path, tmp_path, "test"))


def test_a_resource_lives_through_the_real_command_line(box: Project) -> None:
    """Create, preview, update, refresh and destroy report what they did, and outputs and state can be read."""
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


def test_a_traceback_fails_the_test(box: Project) -> None:
    """A person must never see a traceback, so no test lets one pass, not even where failure is expected."""
    box.config("size", "0")
    with pytest.raises(AssertionError, match="no room"):
        box.up(fails=True)


def test_an_unexpected_failure_shows_what_was_printed(box: Project) -> None:
    """The reason is in the assertion's message."""
    with pytest.raises(AssertionError, match="Missing required configuration variable"):
        box.up()


def test_a_run_that_hangs_is_killed(box: Project) -> None:
    """The time limit ends the whole process group and shows what was printed until then."""
    box.write("import time, pulumi; pulumi.log.info('waiting'); time.sleep(60)")
    with pytest.raises(AssertionError, match="was killed") as failure:
        box.up(timeout=5)
    assert isinstance(failure.value.__cause__, subprocess.TimeoutExpired)
