"""The program as a stack on an emulated cloud."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi import automation

from ecs_pulumi.emulator import Emulator

PROGRAM = Path(__file__).parent


@pytest.fixture
def stack(ecs_emulator: Emulator, tmp_path: Path) -> Iterator[automation.Stack]:
    """A new stack. Its state and its settings are in a temporary folder, and `OS_*` variables select the emulator."""
    (tmp_path / "state").mkdir()
    created = automation.create_stack(
        "test",
        work_dir=str(shutil.copytree(PROGRAM, tmp_path / "program")),
        opts=automation.LocalWorkspaceOptions(
            env_vars={
                "PULUMI_BACKEND_URL": (tmp_path / "state").as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": "test",
                **ecs_emulator.environment,
            }
        ),
    )
    yield created
    ecs_emulator.clear_faults()
    created.destroy()
