"""Tests of the program beside this file: `pytest` runs them anywhere, without a cloud and without an account.

They need `pip install pytest ecs-pulumi[emulator]` and the command line `pulumi`.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
from pulumi import automation

from ecs_pulumi.emulator import Emulator

PROGRAM = Path(__file__).parent


@pytest.fixture
def stack(ecs_emulator: Emulator, tmp_path: Path) -> Iterator[automation.Stack]:
    """The program as a stack on an emulated cloud; the state and the stack's settings go with the test."""
    state = tmp_path / "state"
    state.mkdir()
    made = automation.create_stack(
        "test",
        work_dir=str(shutil.copytree(PROGRAM, tmp_path / "program")),
        opts=automation.LocalWorkspaceOptions(
            env_vars={"PULUMI_BACKEND_URL": state.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "a test's"}
        ),
    )
    made.set_all_config(
        {
            f"ecs:{name}": automation.ConfigValue(value, secret=name == "password")
            for name, value in ecs_emulator.settings.items()
        }
    )
    yield made
    made.destroy()
    assert not servers(), "nothing is left"


def servers() -> list[Any]:
    """What another client sees of the cloud: the variables OS_* lead every client to the test's own."""
    with openstack.connect() as cloud:
        return list(cloud.compute.servers())


def test_every_server_runs_and_has_an_address(stack: automation.Stack) -> None:
    """Two are asked for, two run, with what the program says of them."""
    stack.set_config("servers", automation.ConfigValue("2"))
    addresses = stack.up().outputs["addresses"].value
    assert all(address.startswith("192.168.20.") for address in addresses)

    assert [server.status for server in servers()] == ["ACTIVE", "ACTIVE"]
    assert all(server.metadata["role"] == "web" for server in servers())


def test_a_server_that_cannot_be_built_is_made_anew(stack: automation.Stack, ecs_emulator: Emulator) -> None:
    """The cloud fails once; the `up` says why, and the next one has the server."""
    ecs_emulator.fault(outcome="fail-spawn", times=1)
    with pytest.raises(automation.CommandError, match="create Server web-0"):
        stack.up()
    (address,) = stack.up().outputs["addresses"].value
    assert address.startswith("192.168.20.")
