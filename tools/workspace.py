"""A place of its own for `pulumi`, which touches neither the user's stacks nor the checkout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

CHECKOUT = Path(__file__).resolve().parent.parent

# What a user exported for other clouds and stacks must not reach this one.
FOREIGN = ("OS_", "PULUMI_")

# How long `pulumi` may take to end its own children once it was interrupted.
GRACE = 20


def engine() -> Path:
    """Return the folder of the Pulumi engine, making it first where there is none.

    Raises:
        SystemExit: No engine can be had; why was printed.
    """
    script = CHECKOUT / "tools" / "engine" / "engine.py"
    done = subprocess.run((sys.executable, script), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    return Path(done.stdout.splitlines()[-1])


def environment(engine: Path, folder: Path, stack: str) -> dict[str, str]:
    """Return the environment in which `pulumi` keeps everything in one folder, wherever the project is.

    Args:
        engine: The folder with the engine's programs.
        folder: Takes the state, the stack's settings and Pulumi's own files.
        stack: The stack that is selected.
    """
    home, state = folder / "home", folder / "state"
    for made in (home, state):
        made.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    # The language host takes the first `python` it finds.
    programs = Path(sys.executable).parent
    return {
        **kept,
        "PATH": os.pathsep.join((str(programs), str(engine), os.environ.get("PATH", os.defpath))),
        "VIRTUAL_ENV": str(programs.parent),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "local",
        "PULUMI_STACK": stack,
        "PULUMI_OPTION_CONFIG_FILE": str(folder / f"Pulumi.{stack}.yaml"),
        "PULUMI_OPTION_SUPPRESS_PROGRESS": "1",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
    }


def run(command: Sequence[str], env: Mapping[str, str], folder: Path = CHECKOUT) -> int:
    """Run a command on this terminal; whatever ends this process lets the command end its own children first.

    Args:
        command: The program and its arguments.
        env: Its environment.
        folder: Its working directory.
    """
    with subprocess.Popen(command, env=env, cwd=folder) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # The terminal has interrupted the child as well, and a second time would mean "at once".
            wait_or_kill(child)
            raise
        except BaseException:
            child.send_signal(signal.SIGINT)
            wait_or_kill(child)
            raise


def wait_or_kill(child: subprocess.Popen[bytes]) -> None:
    """Wait for an interrupted child, but not for ever.

    Args:
        child: The child.
    """
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()


def end_in_order() -> None:
    """Let a request to terminate unwind this process, so that it takes down what it started."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    # A shell without job control lets what it starts in the background ignore it, and children inherit that: Pulumi
    # then waits five seconds for each of its own before it kills it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
