"""A create whose request or response is lost, while another stack creates an object of the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import idempotent_create
from tests.fields.cloud_fixtures import CLOCK_FACTOR, ScaledClock
from tests.support.steps import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "Network": ("*/networks", {}),
    "Subnet": ("*/subnets", {"cidr": "10.44.0.0/24"}),
    "Port": ("*/ports", {}),
    "Router": ("*/routers", {}),
    "SecurityGroup": ("*/security-groups", {}),
    "Volume": ("*/volumes", {"size": 1}),
    "Server": ("*/servers", {"flavor": "s1.small", "image": "cirros-peer", "networks": "none"}),
}


@pytest.fixture
def settings() -> Iterator[tuple[Emulator, dict[str, str]]]:
    """A cloud, and the settings of the stacks on it."""
    with Emulator(speed=CLOCK_FACTOR, dialect="openstack") as running:
        yield running, {f"ecs:{name}": value for name, value in running.settings.items()}


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_object_of_another_stack_is_not_taken_over(
    settings: tuple[Emulator, dict[str, str]], monkeypatch: pytest.MonkeyPatch, kind: str, drop: Any
) -> None:
    """The object that the request has created is found by its owner marker; otherwise the request is sent again."""
    (cloud, config), (path, inputs) = settings, KINDS[kind]
    network = Resource("Network", config, clock=ScaledClock())
    if kind in ("Subnet", "Port"):
        network.up()
        inputs = {**inputs, "network_id": network.id}
    foreign, own = (Resource(kind, config, name, clock=ScaledClock()) for name in ("foreign", "own"))
    foreign.stack = "another"
    foreign.up(**inputs, name="shared")
    if kind == "Subnet":
        inputs = {**inputs, "cidr": "10.44.1.0/24"}
    monkeypatch.setattr(idempotent_create, "_created", set())
    cloud.requests.clear()
    cloud.fault(method="POST", path=path, drop=drop, times=1)
    own.up(**inputs, name="shared")
    assert own.id != foreign.id
    sent = [each for each in cloud.requests if each.method == "POST" and each.path.endswith(path[1:])]
    assert len(sent) == (2 if drop == "before" else 1)


@pytest.mark.parametrize("password", [None, "Chosen-5ecret"])
def test_password_of_a_server(settings: tuple[Emulator, dict[str, str]], password: str | None) -> None:
    """The cloud generates one unless the program sets it; only the response to the create contains it."""
    server = Resource("Server", settings[1], clock=ScaledClock())
    inputs = KINDS["Server"][1] | ({"admin_pass": password} if password else {})
    server.up(**inputs)
    found = server.outputs["admin_pass"]
    assert found == password if password else len(found) > 8
    server.refresh()
    assert server.outputs["admin_pass"] == found
