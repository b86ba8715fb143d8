"""The commands handle a closed standard output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.cloud import network
from ecs_pulumi.dynamic.handler import get_handler
from tests.support.command import run_unread

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator

RECORDED = Path(__file__).parents[1] / "unit" / "recorded"
COMMANDS = ["adopt", "emulator", "orphans", "preview_report"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_with_closed_pipe(command: str) -> None:
    """`--help | head -1` ends without a traceback."""
    assert run_unread(f"ecs_pulumi.{command}", "--help").stderr == ""


def test_preview_report_with_closed_pipe_fails() -> None:
    """A report that could not be printed ends with an error, so that a CI gate does not pass."""
    done = run_unread("ecs_pulumi.preview_report", str(RECORDED / "preview.json"))
    assert (done.returncode, done.stderr) == (141, "")


def test_emulator_with_closed_pipe_ends() -> None:
    """The emulator ends if it cannot print its port."""
    done = run_unread("ecs_pulumi.emulator", "--port", "0")
    assert (done.returncode, done.stderr) == (141, "")


def test_adopt_with_closed_pipe(cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`adopt | head` ends without an error about its output."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    config = {f"ecs:{name}": value for name, value in cloud.settings.items()}
    network.create(get_handler("Server").connect(config.get, None, 60).network, "network", {"name": "net"})
    done = run_unread("ecs_pulumi.adopt", "--all", folder=tmp_path)
    assert done.returncode == 141
    assert "error" not in done.stderr
    assert "Traceback" not in done.stderr
