"""Tests of the program in this folder. They run without a cloud and without an account.

They require pytest, this package with its extra `emulator`, and the command line `pulumi`.
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
    """The program as a stack on an emulated cloud. State and settings are deleted after the test."""
    state = tmp_path / "state"
    state.mkdir()
    created = automation.create_stack(
        "test",
        work_dir=str(shutil.copytree(PROGRAM, tmp_path / "program")),
        opts=automation.LocalWorkspaceOptions(
            env_vars={"PULUMI_BACKEND_URL": state.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "a test's"}
        ),
    )
    created.set_all_config(
        {
            f"ecs:{name}": automation.ConfigValue(value, secret=name == "password")
            for name, value in ecs_emulator.settings.items()
        }
    )
    yield created
    created.destroy()
    assert not servers(), "`destroy` left servers"


def servers() -> list[Any]:
    """List the servers with another client. The `OS_*` variables select the emulator of the test."""
    with openstack.connect() as cloud:
        return list(cloud.compute.servers())


def test_servers_are_active_and_have_addresses(stack: automation.Stack) -> None:
    """With `servers` set to 2, two servers run and have the metadata of the program."""
    stack.set_config("servers", automation.ConfigValue("2"))
    addresses = stack.up().outputs["addresses"].value
    assert all(address.startswith("192.168.20.") for address in addresses)

    assert [server.status for server in servers()] == ["ACTIVE", "ACTIVE"]
    assert all(server.metadata["role"] == "web" for server in servers())


def test_failed_server_is_replaced_by_next_up(stack: automation.Stack, ecs_emulator: Emulator) -> None:
    """The cloud fails once: the first `up` reports the error, and the next one creates the server."""
    ecs_emulator.fault(outcome="fail-spawn", times=1)
    with pytest.raises(automation.CommandError, match="create Server web-0"):
        stack.up()
    (address,) = stack.up().outputs["addresses"].value
    assert address.startswith("192.168.20.")
