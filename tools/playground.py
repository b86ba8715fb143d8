"""A temporary stack of the checkout's project, on an emulated cloud."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ecs_pulumi.emulator import Emulator
from tools.workspace import CHECKOUT, engine, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STACK = "local"
SECRETS = ("password",)
# As fast as a person can follow.
SPEED = 2


@dataclass(frozen=True)
class Playground:
    """An emulated cloud with a stack.

    Attributes:
        env: The environment to run commands in.
        url: The address of the emulated cloud and of its page.
        folder: The temporary folder of all files; deleted afterwards.
    """

    env: Mapping[str, str]
    url: str
    folder: Path


@contextlib.contextmanager
def playground(speed: float = SPEED) -> Iterator[Playground]:
    """Start an emulated cloud and create a stack for it.

    Args:
        speed: How many times faster the cloud is than a real one.
    """
    programs = engine()
    with tempfile.TemporaryDirectory(prefix="ecs-pulumi-") as name:
        folder = Path(name)
        with Emulator(state=str(folder / "cloud.sqlite"), speed=speed) as cloud:
            env = environment(programs, folder, STACK)
            make_stack(env, folder, cloud.settings)
            yield Playground({**env, **cloud.environment}, cloud.url, folder)


def make_stack(env: Mapping[str, str], folder: Path, settings: Mapping[str, str]) -> None:
    """Create the stack and configure its cloud.

    Args:
        env: The environment to run `pulumi` in.
        folder: The folder for the settings of the stack.
        settings: The settings in the namespace `ecs`.
    """
    # Pulumi writes a new stack's settings beside Pulumi.yaml; this copy keeps them out of the checkout.
    shutil.copy(CHECKOUT / "Pulumi.yaml", folder)
    arguments = [
        argument
        for name, value in settings.items()
        for argument in ("--secret" if name in SECRETS else "--plaintext", f"ecs:{name}={value}")
    ]
    for command in (("stack", "init", STACK), ("config", "set-all", *arguments)):
        done = subprocess.run(("pulumi", *command), cwd=folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
