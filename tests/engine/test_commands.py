"""The commands that a newcomer types, exactly as typed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 300
PORT = 9876


@pytest.fixture(autouse=True)
def traceless(engine_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After each command nothing runs any more, and nothing is left in the checkout or among temporary files."""
    before = around_the_project()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []
    assert [process.cmdline() for process in descendants(tmp_path)] == []
    assert around_the_project() == before


def around_the_project() -> set[Path]:
    """Return what lies beside Pulumi.yaml and in its program's folder, where Pulumi writes unless told otherwise."""
    return {*CHECKOUT.iterdir(), *(CHECKOUT / "examples" / "quickstart").iterdir()}


def descendants(folder: Path) -> list[psutil.Process]:
    """Return the processes that were started with a folder for their temporary files.

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
    """Run `make` the way a person does, but without a terminal.

    Args:
        target: What to make.
        typed: What the person types then.
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
    """Check that each line follows the one before it somewhere in a text.

    Args:
        text: The text.
        lines: Parts of its lines.
    """
    for line in lines:
        assert line in text, line
        text = text.split(line, 1)[1]


def test_the_demo_shows_a_servers_life() -> None:
    """`make demo` makes a server, misspells a flavor, resizes the server as the guide demands, destroys everything."""
    shown = make("demo")
    assert shown.returncode == 0, shown.stdout
    assert "Traceback" not in shown.stdout
    assert re.search(r"Watch it in a browser: http://127\.0\.0\.1:\d+/\n", shown.stdout)
    assert_in_order(
        shown.stdout,
        "$ pulumi up",
        "Outputs:",
        "+ 8 created",
        "$ openstack server list",
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
        "- 8 deleted",
        "nothing is left running",
    )


def test_the_shell_is_ready_to_play() -> None:
    """`make shell` runs what is typed with Pulumi, the stack and another client of the same cloud at hand."""
    typed = "pulumi stack ls; openstack flavor list -f value -c Name; exit 7"
    shown = make("shell", typed)
    assert_in_order(shown.stdout, "local*", "s3.medium.2", "Error 7")


def test_an_interrupted_demo_leaves_nothing() -> None:
    """Ctrl-C in the middle of an `up` ends everything that the demo started."""
    with subprocess.Popen(
        ("make", "demo"),
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "Server web creating" in line:
                break
        os.killpg(demo.pid, signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(TIMEOUT) != 0
    assert "Traceback" not in rest


def test_the_emulator_runs_until_it_is_stopped() -> None:
    """`make emulator` says where it listens and how to point a stack at it."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            pytest.skip(f"somebody listens on {PORT}, the one port that the README names")
    with subprocess.Popen(
        ("make", "emulator"), cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as emulator:
        assert emulator.stdout is not None
        deadline = time.monotonic() + 30
        said = ""
        while "ecs:authUrl" not in said and time.monotonic() < deadline:
            said += emulator.stdout.readline()
        os.killpg(emulator.pid, signal.SIGINT)
        assert emulator.wait(30) != -signal.SIGKILL
    assert f"http://127.0.0.1:{PORT}/v3" in said
