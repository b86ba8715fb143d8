"""The command `ecs-pulumi`, and its equivalents."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi import cli

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator


def test_command_is_installed() -> None:
    """The distribution installs `ecs-pulumi`."""
    (script,) = entry_points(group="console_scripts", name="ecs-pulumi")
    assert script.load() is cli.entry_point


@pytest.mark.parametrize("command", [name for name, (module, _) in cli.COMMANDS.items() if module])
def test_commands_show_their_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help of each command names the command as the user called it."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: ecs-pulumi {command} ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "no\nsuch\x1b[2J file"),
        ("adopt", "--all", "--output", "no\nsuch folder/main.py"),
        ("emulator", "--port", "0", "--state", "no\nsuch folder/state"),
    ],
)
def test_error_is_one_line(
    arguments: tuple[str, ...], ecs_emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the name of a file contains, the error is one line without control characters."""
    del ecs_emulator  # the OS_* variables select it
    assert cli.main(list(arguments)) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert line.startswith("error: ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`ecs-pulumi version` prints the versions that a bug report needs."""
    assert cli.main(["version"]) == 0
    assert capsys.readouterr().out == f"ecs-pulumi {version('ecs-pulumi')}, pulumi {version('pulumi')}\n"


def test_unknown_command_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command is an error that lists the commands."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["adapt"])
    assert stopped.value.code == 2
    assert "adopt" in capsys.readouterr().err


@pytest.mark.parametrize(
    "module", ["ecs_pulumi.adopt", "ecs_pulumi.orphans", "ecs_pulumi.preview_report", "ecs_pulumi"]
)
def test_modules_run_as_commands(module: str) -> None:
    """`python -m` runs the same commands."""
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("usage: ")
