"""The gateway of a subnet where the cloud never changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject

PROGRAM = """
    import pulumi
    import ecs_pulumi as ecs

    config = pulumi.Config()
    network = ecs.Network("net")
    subnet = ecs.Subnet(
        "sub", network_id=network.id, cidr="10.0.13.0/24", gateway_ip=config.require("gateway"), opts=OPTIONS
    )
    router = ecs.Router("router")
    interface = ecs.RouterInterface("interface", router_id=router.id, subnet_id=subnet.id)
"""


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A fast Open Telekom Cloud."""
    with Emulator(dialect="otc", speed=200) as running:
        yield running


def test_advice_leads_to_another_gateway(project: MakeProject, cloud: Emulator) -> None:
    """The option that the preview names replaces the subnet with its interface, in an order that works."""
    stack = project(PROGRAM.replace("OPTIONS", "None"), config={"story:gateway": "10.0.13.1"})
    stack.up()
    stack.config("story:gateway", "10.0.13.9")
    shown = stack.preview()
    advice = 'replace_on_changes=["gateway_ip"]'
    assert advice in shown.text
    failed = stack.up(fails=True)
    assert any(advice in error for error in failed.errors)
    stack.write(PROGRAM.replace("OPTIONS", f"pulumi.ResourceOptions({advice})"))
    done = stack.up()
    assert done.changes == {"Subnet sub": "replace", "RouterInterface interface": "replace"}
    assert stack.state()["Subnet sub"]["outputs"]["gateway_ip"] == "10.0.13.9"
    assert stack.state()["RouterInterface interface"]["outputs"]["ip_address"] == "10.0.13.9"
    assert stack.preview().changes == {}


def test_forced_replacement(project: MakeProject, cloud: Emulator) -> None:
    """The preview of a forced replacement says that it needs an option, and names the ports that it does not need."""
    with_port = (
        PROGRAM + '\n    ecs.Port("port", network_id=network.id, opts=pulumi.ResourceOptions(depends_on=[subnet]))'
    )
    stack = project(with_port.replace("OPTIONS", "None"), config={"story:gateway": "10.0.13.1"})
    stack.up()
    state = stack.state()
    shown = stack.preview("--replace", state["Subnet sub"]["urn"])
    assert "the replacement fails unless the options of the resource have delete_before_replace=True" in shown.text
    assert f"is in use by port {state['Port port']['id']}" in shown.text
    failed = stack.up("--replace", state["Subnet sub"]["urn"], fails=True)
    assert any("set delete_before_replace=True" in error for error in failed.errors)
    assert "overlaps" not in failed.text
