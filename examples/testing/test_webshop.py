"""Tests of the program on an emulated cloud: they run `pulumi`, and need no account."""

from typing import Any

import openstack
import pytest
from pulumi import automation

from ecs_pulumi.emulator import Emulator


def servers() -> list[Any]:
    """List the servers with another client, which the `OS_*` variables connect to the emulator."""
    with openstack.connect() as cloud:
        return list(cloud.compute.servers())


def test_servers_are_active_and_have_addresses(stack: automation.Stack) -> None:
    """With `servers` set to 2, two servers run; `destroy` deletes both."""
    stack.set_config("servers", automation.ConfigValue("2"))
    addresses = stack.up().outputs["addresses"].value
    assert all(address.startswith("192.168.20.") for address in addresses)
    assert [server.status for server in servers()] == ["ACTIVE", "ACTIVE"]
    assert all(server.metadata["role"] == "web" for server in servers())
    stack.destroy()
    assert servers() == []


def test_failed_server_is_replaced_by_next_up(stack: automation.Stack, ecs_emulator: Emulator) -> None:
    """The server ends in ERROR: `up` reports the reason, and the next one creates the server anew."""
    ecs_emulator.fault(outcome="fail-spawn", times=1)
    with pytest.raises(automation.CommandError, match="create Server web-0"):
        stack.up()
    assert [server.status for server in servers()] == ["ERROR"]
    stack.up()
    assert [server.status for server in servers()] == ["ACTIVE"]


def test_up_survives_faults_and_expired_tokens(stack: automation.Stack, ecs_emulator: Emulator) -> None:
    """An overloaded API, a lost response and expired tokens need nobody's attention."""
    ecs_emulator.fault(method="POST", path="*/networks", status=503, times=2)
    ecs_emulator.fault(method="POST", path="*/servers", drop="after", times=1)

    def expire_tokens(event: automation.EngineEvent) -> None:
        if event.resource_pre_event and event.resource_pre_event.metadata.type.endswith(":Server"):
            ecs_emulator.expire_tokens()

    stack.up(on_event=expire_tokens)
    assert [server.status for server in servers()] == ["ACTIVE"]


@pytest.mark.ecs_emulator(dialect="openstack")
def test_quota_is_checked_before_anything_is_created(stack: automation.Stack, ecs_emulator: Emulator) -> None:
    """In an OpenStack project for 2 servers, the preview of 3 fails."""
    ecs_emulator.set_quota(instances=2)
    stack.set_all_config(
        {
            "servers": automation.ConfigValue("3"),
            "flavor": automation.ConfigValue("s1.small"),
            "image": automation.ConfigValue("cirros-peer"),
        }
    )
    with pytest.raises(automation.CommandError, match="quota exceeded for instances: limit 2"):
        stack.preview()
