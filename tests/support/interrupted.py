"""Runs of `pulumi` that somebody or something puts an end to, and what they leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.project import Project

TIMEOUT = 300


class Run:
    """A `pulumi` that is at work.

    Attributes:
        said: What it has printed so far.
    """

    def __init__(self, project: Project, verb: str = "up") -> None:
        self.said = ""
        self._project = project
        self._child = project.command(verb, "--yes", "--skip-preview")

    def until(self, *words: str) -> None:
        """Read what it prints until a line has all of these words.

        Args:
            words: The words.
        """
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self.said += line
            if all(word in line for word in words):
                return
        raise AssertionError(f"it ended without a line with {words}:\n{self.said}")

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._child.poll() is None

    def processes(self) -> list[psutil.Process]:
        """All its processes, itself first."""
        root = psutil.Process(self._child.pid)
        return [root, *root.children(recursive=True)]

    def arguments(self) -> list[str]:
        """The command lines of all its processes, as anybody on the machine can read them."""
        return [" ".join(process.cmdline()) for process in self.processes()]

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal interrupts the whole group in the foreground."""
        os.killpg(self._child.pid, signal.SIGINT)

    def interrupt_twice(self) -> None:
        """Press Ctrl-C, and again as soon as it says what that would mean."""
        self.interrupt()
        self.until("^C again")
        self.interrupt()
        self.end()
        self._project.run("cancel", "--yes")

    def end(self) -> int:
        """Wait until it is over, and return its exit status."""
        rest, _ = self._child.communicate(timeout=TIMEOUT)
        self.said += rest
        assert "Traceback" not in self.said, self.said
        return self._child.returncode

    def kill(self, chosen: Callable[[psutil.Process], bool] = lambda _: True) -> None:
        """Kill it and every process that it started, with no chance to tidy up.

        Args:
            chosen: Picks some of the processes.
        """
        # The engine first: it would write down of a provider that dies before it that nothing is under way any more.
        doomed = [process for process in self.processes() if chosen(process)]
        assert doomed
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):  # it went with its parent
                process.kill()
        psutil.wait_procs(doomed, timeout=10)

    def killed(self) -> None:
        """Kill all of it, and take the lock of the dead from the state."""
        self.kill()
        self.end()
        self._project.run("cancel", "--yes")


def is_provider(process: psutil.Process) -> bool:
    """Whether a process is the one that serves the resources.

    Args:
        process: The process.
    """
    return "pulumi.dynamic" in process.cmdline()


def orphans(of: Project, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit status and the findings of `python -m ecs_pulumi.orphans`.

    Args:
        of: The project.
        arguments: Further ones.
    """
    command: Sequence[str] = (sys.executable, "-m", "ecs_pulumi.orphans", "--json", *arguments)
    done = subprocess.run(command, cwd=of.folder, env=of.env, capture_output=True, text=True, check=False, timeout=120)
    assert not done.stderr
    return done.returncode, json.loads(done.stdout)["orphans"]
