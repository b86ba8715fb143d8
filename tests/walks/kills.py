"""Ways to put an end to an `up` or to the cloud under it, at a moment that chance decides."""

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
from tests.walks.cloud import REST, Documents, documents

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from openstack.connection import Connection

    from tests.support.project import Project

SPEED = 8.0
LONGEST = 60.0
LONGEST_PAUSE = 1.5
MOST_STEPS = 6


class RestartedCloud:
    """An emulator in a process of its own, which keeps everything in a file and can be killed.

    Attributes:
        settings: What leads a stack to it, by full key.
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
        """Another client's connection to it."""
        return client({name.partition(":")[2]: value for name, value in self.settings.items()})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Begin to serve, where there is nothing yet or with what was there."""
        options = ("--port", str(self._port), "--state", str(self._file), "--speed", str(SPEED))
        command = (sys.executable, "-m", "ecs_pulumi.emulator", *options, "--dialect", "openstack")
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + LONGEST
        while not self._answers():
            assert time.monotonic() < end, "the emulator does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it with no chance to tidy up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def documents(self) -> Documents:
        """What is in it, once it has come to rest."""
        time.sleep(REST / SPEED)
        cloud = Cloud(DIALECTS["openstack"], state=str(self._file), speed=SPEED)
        try:
            with cloud.transaction(DIALECTS["openstack"].region) as state:
                return documents(state)
        finally:
            cloud.store.close()

    def _answers(self) -> bool:
        with socket.socket() as trial:
            return trial.connect_ex(("127.0.0.1", self._port)) == 0


def disturbed(way: str, project: Project, cloud: RestartedCloud, chance: random.Random) -> str:
    """Run `pulumi up` and put an end to something in the middle of it; what it printed, empty where it was too quick.

    Args:
        way: One of `WAYS`.
        project: The project.
        cloud: Its cloud.
        chance: Decides about the moment.
    """
    run = Run(project)
    try:
        for _ in range(chance.randint(1, MOST_STEPS)):
            run.until("ing (")
    except AssertionError:
        # It was at its end already.
        run.end()
        return ""
    time.sleep(chance.uniform(0, LONGEST_PAUSE))
    WAYS[way](run, cloud, chance)
    return run.said


def _kill_all(run: Run, _cloud: RestartedCloud, _chance: random.Random) -> None:
    if run.is_running():
        run.kill()
    run.end()


def _kill_engine(run: Run, _cloud: RestartedCloud, _chance: random.Random) -> None:
    if not run.is_running():
        run.end()
        return
    left = [process for process in run.processes() if is_provider(process)]
    run.kill(lambda process: not is_provider(process))
    # What it still sends then is what a cloud hears of a machine that hangs.
    end = time.monotonic() + LONGEST
    while alive := [process for process in left if _is_alive(process)]:
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    for process in alive:
        process.kill()
    run.end()
    assert not alive, "the provider goes on without its engine"


def _is_alive(process: psutil.Process) -> bool:
    """Whether a process is there and has not ended; where nobody asks for its status it may stay as a zombie."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _kill_provider(run: Run, _cloud: RestartedCloud, _chance: random.Random) -> None:
    # It may not have begun yet.
    if any(map(is_provider, run.processes() if run.is_running() else ())):
        run.kill(is_provider)
    run.end()


def _kill_cloud(run: Run, cloud: RestartedCloud, chance: random.Random) -> None:
    cloud.kill()
    time.sleep(chance.uniform(0, LONGEST_PAUSE))
    cloud.start()
    run.end()


def _interrupt(run: Run, _cloud: RestartedCloud, _chance: random.Random) -> None:
    if run.is_running():
        run.interrupt()
    run.end()


def _interrupt_twice(run: Run, _cloud: RestartedCloud, _chance: random.Random) -> None:
    if run.is_running():
        run.interrupt()
        with contextlib.suppress(AssertionError):  # it had nothing to wait for
            run.until("^C again")
            run.interrupt()
    run.end()


WAYS: dict[str, Callable[[Run, RestartedCloud, random.Random], None]] = {
    "interrupt": _interrupt,
    "cloud": _kill_cloud,
    "provider": _kill_provider,
    "engine and provider": _kill_all,
    "interrupt twice": _interrupt_twice,
    "engine": _kill_engine,
}
"""What is killed or done, and how."""
UNRECORDED = ("provider", "interrupt twice")
"""Ways in which the engine sees its provider go, and forgets what was under way."""
