"""A stack whose operations are measured: requests, wall time, and the CPU time and memory of the provider."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from typing_extensions import Self

from ecs_pulumi.cloud.routes import path_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PROGRAMS = Path(__file__).parent / "programs"
SAMPLE_INTERVAL = 0.05
PROVIDER = "pulumi.dynamic"

PARALLEL = 10
"""Concurrent operations: the default of other tools. Pulumi's own default is four for each processor."""

# A line of the request log that `pulumi --debug` shows.
_REQUEST = re.compile(r"\b(GET|HEAD|POST|PUT|PATCH|DELETE) (/\S*) (\d{3}) \d+ ms ")


@dataclass
class Run:
    """The cost of one operation.

    Attributes:
        requests: Number of requests by method and path.
        seconds: Wall time of the whole command.
        cpu: CPU time of the provider in seconds.
        peak: Peak memory of the provider in megabytes.
    """

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0

    @property
    def total(self) -> int:
        """Total number of requests."""
        return self.requests.total()


class Stack:
    """A program and its state in a folder."""

    def __init__(
        self,
        program: str,
        folder: Path,
        env: Mapping[str, str],
        config: Mapping[str, object],
        *,
        parallel: int = PARALLEL,
    ) -> None:
        """Create the stack.

        Args:
            program: The folder of the program in `programs`.
            folder: An empty folder.
            env: The environment of `tools/workspace.py`, with the variables of the cloud.
            config: The settings of the program.
            parallel: Operations at a time.
        """
        self._parallel = parallel
        self._folder = folder
        self._env = {**env, "PULUMI_DEBUG_COMMANDS": "1"}  # for --event-log
        project = {"name": "bench", "runtime": "python", "main": str(PROGRAMS / program)}
        (folder / "Pulumi.yaml").write_text(json.dumps(project))
        self._pulumi("stack", "init", folder.name)
        self.config(config)

    def config(self, settings: Mapping[str, object]) -> None:
        """Change settings of the program."""
        self._pulumi("config", "set-all", *(part for item in settings.items() for part in ("--plaintext", _set(item))))

    def up(self, *arguments: str) -> Run:
        """`pulumi up`."""
        return self.measure("up", "--skip-preview", *arguments)

    def preview(self, *arguments: str, fails: bool = False) -> Run:
        """`pulumi preview`, which may be expected to fail."""
        return self.measure("preview", *arguments, fails=fails)

    def refresh(self, *arguments: str) -> Run:
        """`pulumi refresh`."""
        return self.measure("refresh", "--skip-preview", *arguments)

    def destroy(self, *arguments: str) -> Run:
        """`pulumi destroy`."""
        return self.measure("destroy", "--skip-preview", *arguments)

    def measure(self, *command: str, fails: bool = False) -> Run:
        """Run a `pulumi` command and measure it."""
        log = self._folder / "events.json"
        log.unlink(missing_ok=True)
        started = time.monotonic()
        child = subprocess.Popen(
            ("pulumi", "--non-interactive", *command, f"--parallel={self._parallel}", "--debug", f"--event-log={log}"),
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with Sampler(child.pid) as sampled:
            output, _ = child.communicate()
        seconds = time.monotonic() - started
        if bool(child.returncode) != fails:
            raise SystemExit(f"pulumi {' '.join(command)} {'succeeded' if fails else 'failed'}:\n{output[-5000:]}")
        return Run(_requests(log.read_text().splitlines()), seconds, sampled.cpu, sampled.peak)

    def state_size(self) -> int:
        """Return the size of the state in bytes."""
        return len(self._pulumi("stack", "export"))

    def leave_nothing(self) -> None:
        """Destroy the remaining resources."""
        subprocess.run(
            ("pulumi", "--non-interactive", "destroy", "--skip-preview", "--yes"),
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            check=False,
        )

    def _pulumi(self, *command: str) -> str:
        done = subprocess.run(
            ("pulumi", "--non-interactive", *command),
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"pulumi {' '.join(command)} failed:\n{done.stderr}")
        return done.stdout


class Sampler:
    """Samples CPU time and memory of the provider that a process starts.

    Attributes:
        cpu: CPU time in seconds at the last sample.
        peak: Peak memory in megabytes.
    """

    def __init__(self, pid: int) -> None:
        self.cpu = 0.0
        self.peak = 0.0
        self._command = psutil.Process(pid)
        self._provider: psutil.Process | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopped.wait(SAMPLE_INTERVAL):
            with contextlib.suppress(psutil.Error):
                self._provider = self._provider or self._find()
                if self._provider:
                    self._look(self._provider)

    def _find(self) -> psutil.Process | None:
        return next((p for p in self._command.children(recursive=True) if PROVIDER in p.cmdline()), None)

    def _look(self, provider: psutil.Process) -> None:
        times, memory = provider.cpu_times(), provider.memory_info().rss / 1e6
        self.cpu = times.user + times.system
        self.peak = max(self.peak, memory)


def _set(item: tuple[str, object]) -> str:
    name, value = item
    return f"bench:{name}={value}"


def _requests(events: Iterable[str]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for line in events:
        diagnostic = json.loads(line).get("diagnosticEvent", {})
        if diagnostic.get("severity") == "debug" and (request := _REQUEST.search(diagnostic["message"])):
            counts[request[1], path_template(request[2].partition("?")[0])] += 1
    return counts
