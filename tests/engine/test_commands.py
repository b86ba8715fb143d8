"""The `make` targets of the README."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.command import running
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 300
PORT = 9876


@pytest.fixture(autouse=True)
def no_leftovers(engine_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check that no command leaves processes, temporary files or files in the checkout."""
    before = project_files()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []
    assert [process.cmdline() for process in descendants(tmp_path)] == []
    assert project_files() == before


def project_files() -> set[Path]:
    """Return the files beside Pulumi.yaml and in the folder of its program, where Pulumi writes by default."""
    files = {*CHECKOUT.iterdir(), *(CHECKOUT / "examples" / "quickstart").iterdir()}
    return {file for file in files if file.name != "__pycache__"}


def descendants(folder: Path) -> list[psutil.Process]:
    """Return the processes whose folder for temporary files is the given one.

    Args:
        folder: The folder.
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("TMPDIR") == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def make(target: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run `make` without a terminal.

    Args:
        target: The target.
        typed: The standard input.
    """
    return subprocess.run(
        ("make", target),
        cwd=CHECKOUT,
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )


def assert_in_order(text: str, *lines: str) -> None:
    """Check that a text contains these parts in this order.

    Args:
        text: The text.
        lines: The parts.
    """
    for line in lines:
        assert line in text, line
        text = text.split(line, 1)[1]


def test_demo() -> None:
    """`make demo` creates a server, previews a misspelled flavor, resizes the server, and destroys everything."""
    demo = make("demo")
    assert demo.returncode == 0, demo.stdout
    assert "Traceback" not in demo.stdout
    assert re.search(r"Watch it in a browser: http://127\.0\.0\.1:\d+/\n", demo.stdout)
    assert_in_order(
        demo.stdout,
        "$ pulumi up",
        "SecurityGroup ssh created",
        "FloatingIp address created",
        "Outputs:",
        'ssh        : "ssh -i key debian@203.0.113.',
        "+ 12 created",
        "$ openstack server list",
        ", 203.0.113.",
        "s3.medium.2",
        "$ pulumi config set flavor s3.larg.2",
        "$ pulumi preview",
        'there is no flavor "s3.larg.2"; did you mean s3.large.2',
        "1 errored",
        "$ pulumi config set flavor s3.large.2",
        "$ pulumi preview --diff",
        '~ flavor: "s3.medium.2" => "s3.large.2"',
        "$ pulumi up",
        "VERIFY_RESIZE",
        "~ 1 updated",
        "$ openstack server list",
        "s3.large.2",
        "$ pulumi destroy",
        "- 12 deleted",
        "nothing is left running",
    )


def test_shell() -> None:
    """`make shell` runs commands with Pulumi, the stack and the OpenStack client available."""
    typed = "pulumi stack ls; openstack flavor list -f value -c Name; exit 7"
    shell = make("shell", typed)
    assert_in_order(shell.stdout, "local*", "s3.medium.2", "Error 7")


def test_interrupted_demo_leaves_nothing() -> None:
    """Ctrl-C during an `up` ends all processes that the demo started."""
    with running("make", "demo", cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "Server web creating" in line:
                break
        os.killpg(demo.pid, signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(TIMEOUT) != 0
    assert "Traceback" not in rest


def test_emulator_runs_until_interrupted() -> None:
    """`make emulator` prints its address and the settings for a stack."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            pytest.skip(f"port {PORT}, which the README names, is in use")
    with running("make", "emulator", cwd=CHECKOUT, stdout=subprocess.PIPE) as emulator:
        assert emulator.stdout is not None
        output = ""
        for line in emulator.stdout:
            output += line
            if "ecs:authUrl" in line:
                break
        os.killpg(emulator.pid, signal.SIGINT)
        assert emulator.wait(30) != -signal.SIGKILL
    assert f"http://127.0.0.1:{PORT}/v3" in output
