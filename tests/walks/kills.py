"""Interruptions and kills of an `up`, of its processes or of the cloud, at a random time."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
from typing_extensions import Self

from ecs_pulumi.emulator.cloud import Cloud
from ecs_pulumi.emulator.dialects import DIALECTS
from ecs_pulumi.emulator.keystone import PASSWORDS
from tests.support.interrupted import Run, is_provider
from tests.support.landscape import client
from tests.walks.cloud import NOTIFICATION_SECONDS, Documents, documents

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from openstack.connection import Connection

    from tests.support.project import Project

SPEED = 8.0
TIMEOUT = 60.0
MAX_PAUSE = 1.5
MAX_STEPS = 6


class RestartedCloud:
    """An emulator in its own process, which stores its contents in a file and can be killed and restarted.

    Attributes:
        settings: The settings of a stack that select it, by full key.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "cloud.sqlite"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.settings = {
            "ecs:authUrl": f"http://127.0.0.1:{self._port}/v3",
            "ecs:username": "demo",
            "ecs:password": PASSWORDS["demo"],
            "ecs:projectName": "demo",
            "ecs:userDomainName": "Default",
            "ecs:projectDomainName": "Default",
            "ecs:region": DIALECTS["openstack"].region,
        }

    def client(self) -> Connection:
        """Open a connection of the OpenStack SDK to it."""
        return client({name.partition(":")[2]: value for name, value in self.settings.items()})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the emulator with the stored contents, if there are any."""
        options = ("--port", str(self._port), "--state", str(self._file), "--speed", str(SPEED))
        command = (sys.executable, "-m", "ecs_pulumi.emulator", *options, "--dialect", "openstack")
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + TIMEOUT
        while not self._responds():
            assert time.monotonic() < end, "the emulator does not respond"
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill the emulator with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def documents(self) -> Documents:
        """Return its contents, after all notifications between its services."""
        time.sleep(NOTIFICATION_SECONDS / SPEED)
        cloud = Cloud(DIALECTS["openstack"], state=str(self._file), speed=SPEED)
        try:
            with cloud.transaction(DIALECTS["openstack"].region) as state:
                return documents(state)
        finally:
            cloud.store.close()

    def _responds(self) -> bool:
        with socket.socket() as trial:
            return trial.connect_ex(("127.0.0.1", self._port)) == 0


def run_disturbed(disturbance: str, project: Project, cloud: RestartedCloud, chance: random.Random) -> str:
    """Run `pulumi up` with a disturbance; return its output, empty if it ended before the disturbance.

    Args:
        disturbance: A key of `DISTURBANCES`.
        project: The project.
        cloud: Its cloud.
        chance: Selects the time of the disturbance.
    """
    run = Run(project)
    try:
        for _ in range(chance.randint(1, MAX_STEPS)):
            run.until("ing (")
    except AssertionError:
        # The run ended already.
        run.end()
        return ""
    time.sleep(chance.uniform(0, MAX_PAUSE))
    DISTURBANCES[disturbance](run, cloud, chance)
    return run.output


def _kill_all(run: Run, _cloud: RestartedCloud, _chance: random.Random) -> None:
    if run.is_running():
        run.kill()
    run.end()


def _kill_engine(run: Run, _cloud: RestartedCloud, _chance: random.Random) -> None:
    if not run.is_running():
        run.end()
        return
    providers = [process for process in run.processes() if is_provider(process)]
    run.kill(lambda process: not is_provider(process))
    # The provider may still send requests until it notices that the engine is gone.
    end = time.monotonic() + TIMEOUT
    while alive := [process for process in providers if _is_alive(process)]:
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    for process in alive:
        process.kill()
    run.end()
    assert not alive, "the provider still runs without its engine"


def _is_alive(process: psutil.Process) -> bool:
    """Whether a process exists and has not exited; a process whose parent does not reap it stays as a zombie."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _kill_provider(run: Run, _cloud: RestartedCloud, _chance: random.Random) -> None:
    # The provider process may not exist yet.
    if any(map(is_provider, run.processes() if run.is_running() else ())):
        run.kill(is_provider)
    run.end()


def _kill_cloud(run: Run, cloud: RestartedCloud, chance: random.Random) -> None:
    cloud.kill()
    time.sleep(chance.uniform(0, MAX_PAUSE))
    cloud.start()
    run.end()


def _interrupt(run: Run, _cloud: RestartedCloud, _chance: random.Random) -> None:
    if run.is_running():
        run.interrupt()
    run.end()


def _interrupt_twice(run: Run, _cloud: RestartedCloud, _chance: random.Random) -> None:
    if run.is_running():
        run.interrupt()
        with contextlib.suppress(AssertionError):  # the run ended without waiting
            run.until("^C again")
            run.interrupt()
    run.end()


DISTURBANCES: dict[str, Callable[[Run, RestartedCloud, random.Random], None]] = {
    "interrupt": _interrupt,
    "cloud": _kill_cloud,
    "provider": _kill_provider,
    "engine and provider": _kill_all,
    "interrupt twice": _interrupt_twice,
    "engine": _kill_engine,
}
"""The disturbances by name."""
UNRECORDED = ("provider", "interrupt twice")
"""Disturbances after which the engine removes the pending operations from the state."""
