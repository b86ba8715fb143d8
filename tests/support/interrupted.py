"""Interrupted and killed runs of `pulumi`, and the orphans that they leave."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil

from tests.support.command import kill_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.project import Project

TIMEOUT = 300


class Run:
    """A running `pulumi` command.

    Attributes:
        output: The output so far.
    """

    def __init__(self, project: Project, verb: str = "up") -> None:
        self.output = ""
        self._project = project
        self._child = project.command(verb, "--yes", "--skip-preview")

    def until(self, *words: str) -> None:
        """Read the output until a line contains all of these words.

        Args:
            words: The words.
        """
        assert self._child.stdout is not None
        with self._killed_if_it_hangs():
            for line in self._child.stdout:
                self.output += line
                if all(word in line for word in words):
                    return
        raise AssertionError(f"pulumi exited without printing a line with {words}:\n{self.output}")

    def is_running(self) -> bool:
        """Whether the command has not exited yet."""
        return self._child.poll() is None

    def processes(self) -> list[psutil.Process]:
        """All processes of the command, the engine first."""
        root = psutil.Process(self._child.pid)
        return [root, *root.children(recursive=True)]

    def arguments(self) -> list[str]:
        """The command lines of all processes of the command, which every user of the machine can read."""
        return [" ".join(process.cmdline()) for process in self.processes()]

    def interrupt(self) -> None:
        """Send SIGINT to the process group, as a terminal does on Ctrl-C."""
        os.killpg(self._child.pid, signal.SIGINT)

    def interrupt_twice(self) -> None:
        """Interrupt, and interrupt again as soon as the engine explains the consequences; then cancel the update."""
        self.interrupt()
        self.until("^C again")
        self.interrupt()
        self.end()
        self._project.run("cancel", "--yes")

    def end(self) -> int:
        """Wait until the command exits, and return its exit status."""
        with self._killed_if_it_hangs():
            rest, _ = self._child.communicate(timeout=TIMEOUT)
        self.output += rest
        assert "Traceback" not in self.output, self.output
        return self._child.returncode

    @contextlib.contextmanager
    def _killed_if_it_hangs(self) -> Iterator[None]:
        try:
            yield
        except BaseException:  # also the timeout of pytest
            kill_group(self._child)
            raise

    def kill(self, chosen: Callable[[psutil.Process], bool] = lambda _: True) -> None:
        """Kill the command and every process that it started with SIGKILL.

        Args:
            chosen: Selects the processes to kill; all by default.
        """
        # Kill the engine first: if the provider dies before it, the engine clears the pending operations of the state.
        processes = [process for process in self.processes() if chosen(process)]
        assert processes
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # it exited together with its parent
                process.kill()
        psutil.wait_procs(processes, timeout=10)

    def killed(self) -> None:
        """Kill all processes, and remove the lock of the killed update from the stack."""
        self.kill()
        self.end()
        self._project.run("cancel", "--yes")


def is_provider(process: psutil.Process) -> bool:
    """Whether a process is the provider process.

    Args:
        process: The process.
    """
    return "pulumi.dynamic" in process.cmdline()


def orphans(of: Project, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Run `ecs-pulumi orphans`; return its exit status and the orphans that it found.

    Args:
        of: The project.
        arguments: Additional arguments.
    """
    command: Sequence[str] = (sys.executable, "-m", "ecs_pulumi.orphans", "--json", *arguments)
    done = subprocess.run(command, cwd=of.folder, env=of.env, capture_output=True, text=True, check=False, timeout=120)
    assert not done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)["orphans"]
