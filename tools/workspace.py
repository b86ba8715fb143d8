"""An isolated environment for `pulumi`, which changes neither the user's stacks nor the checkout."""

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

# Variables that the user exported for other clouds and stacks are not passed on.
FOREIGN = ("OS_", "PULUMI_")

# Seconds that `pulumi` may take to end its child processes after an interrupt.
GRACE = 20


def engine() -> Path:
    """Return the folder of the Pulumi engine; install it first if there is none.

    Raises:
        SystemExit: No engine can be installed; the reason was printed.
    """
    script = CHECKOUT / "tools" / "engine" / "engine.py"
    done = subprocess.run((sys.executable, script), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    return Path(done.stdout.splitlines()[-1])


def environment(engine: Path, folder: Path, stack: str) -> dict[str, str]:
    """Return an environment in which `pulumi` keeps all its files in one folder, wherever the project is.

    Args:
        engine: The folder with the programs of the engine.
        folder: The folder for the state, the settings of the stack and Pulumi's own files.
        stack: The selected stack.
    """
    home, state = folder / "home", folder / "state"
    for each in (home, state):
        each.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    # The language host uses the first `python` on PATH.
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
    """Run a command on this terminal. If this process is ended, the command can end its child processes first.

    Args:
        command: The program and its arguments.
        env: Its environment.
        folder: Its working directory.
    """
    with subprocess.Popen(command, env=env, cwd=folder) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # The terminal has interrupted the child too. A second interrupt would make `pulumi` end at once.
            wait_or_kill(child)
            raise
        except BaseException:
            child.send_signal(signal.SIGINT)
            wait_or_kill(child)
            raise


def wait_or_kill(child: subprocess.Popen[bytes]) -> None:
    """Wait for an interrupted child process, and kill it if it does not end in time.

    Args:
        child: The process.
    """
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()


def end_in_order() -> None:
    """Turn SIGTERM and SIGHUP into SystemExit, so that this process cleans up what it started."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    # A shell without job control starts background processes that ignore SIGINT, and their children inherit that.
    # Pulumi would then wait five seconds for each of its child processes before it kills it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
