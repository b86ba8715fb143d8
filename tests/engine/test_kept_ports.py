"""Ports of the program where the cloud deletes the ports of a server with it, and keeps the first NIC in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.support.project import Project

BASE = """
    import pulumi
    import ecs_pulumi as ecs

    config = pulumi.Config()
    network = ecs.Network("net")
    subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.13.0/24")
    address = {"subnet_id": subnet.id, "ip_address": "10.0.13.20"}
    first = ecs.Port("first", network_id=network.id, fixed_ips=[address])
    second = ecs.Port("second", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    third = ecs.Port("third", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
"""
SERVER = """
    root = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 40}
    server = ecs.Server(
        "web",
        flavor="s3.medium.2",
        image=config.require("image"),
        block_devices=[{**root, "delete_on_termination": True}],
        networks=[{"network_id": network.id}, {"port_id": second.id}],
        opts=pulumi.ResourceOptions(depends_on=[subnet]),
    )
    ecs.InterfaceAttachment("bound", server_id=server.id, port_id=third.id)
"""
FIRST = SERVER.replace('{"network_id": network.id}, {"port_id": second.id}', '{"port_id": first.id}')
IMAGES = ("Standard_Debian_12_latest", "Standard_Ubuntu_24.04_latest")


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A fast Open Telekom Cloud."""
    with Emulator(dialect="otc", speed=200) as running:
        yield running


def id_of(stack: Project, resource: str) -> str:
    """Return the id of a resource in the state."""
    return str(stack.state()[resource]["id"])


def device_of(cloud: Emulator, port: str) -> str | None:
    """Return the server that has the port; empty if none has it, None if the port does not exist."""
    with cloud.state() as state:
        found = state.get("port", port)
        return None if found is None else str(found["device_id"])


def test_ports_survive_replacement_and_deletion_of_server(project: MakeProject, cloud: Emulator) -> None:
    """The ports of the other NICs move to the successor of a server, and stay if the program removes the server."""
    stack = project(BASE + SERVER, config={"story:image": IMAGES[0]})
    stack.up()
    given = [id_of(stack, f"Port {name}") for name in ("second", "third")]
    server = id_of(stack, "Server web")
    stack.config("story:image", IMAGES[1])
    assert stack.up().changes["Server web"] == "replace"
    assert id_of(stack, "Server web") != server
    assert [device_of(cloud, each) for each in given] == [id_of(stack, "Server web")] * 2
    stack.write(BASE)
    assert "port-loss" not in stack.up().text
    assert [device_of(cloud, each) for each in given] == ["", ""]
    assert stack.preview("--refresh").changes == {}


def test_port_of_first_nic_is_replaced_with_the_server(project: MakeProject, cloud: Emulator) -> None:
    """The preview names the port that goes with the server; with the option in its advice, one `up` replaces both."""
    stack = project(BASE + FIRST, config={"story:image": IMAGES[0]})
    stack.up()
    port = id_of(stack, "Port first")
    stack.config("story:image", IMAGES[1])
    urn = stack.state()["Port first"]["urn"]
    assert f"add `--replace '{urn}'`, or the update ends without a server [port-loss]" in stack.preview().text
    replaced = stack.up("--replace", urn)
    assert "port-loss" not in replaced.text
    assert id_of(stack, "Port first") != port
    assert device_of(cloud, id_of(stack, "Port first")) == id_of(stack, "Server web")
    assert device_of(cloud, id_of(stack, "Port third")) == id_of(stack, "Server web")
    assert device_of(cloud, port) is None
    assert stack.preview("--refresh").changes == {}


@pytest.mark.thorough
def test_next_up_recovers_from_lost_port(project: MakeProject, cloud: Emulator) -> None:
    """Without that option the `up` ends without a server, and says how the next one creates both."""
    stack = project(BASE + FIRST, config={"story:image": IMAGES[0]})
    stack.up()
    stack.config("story:image", IMAGES[1])
    failed = stack.up(fails=True)
    assert any("`pulumi up --refresh` creates the port anew" in each for each in failed.errors), failed.text
    assert "although the program declares it: `pulumi up --refresh` creates it anew" in stack.up(fails=True).text
    stack.up("--refresh")
    assert device_of(cloud, id_of(stack, "Port first")) == id_of(stack, "Server web")
    assert stack.preview("--refresh").changes == {}
    destroyed = stack.destroy()
    assert "port-loss" not in destroyed.text
