"""What a server hands over to an attachment, or takes with it when it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape

PROGRAM = """
    import pulumi
    import ecs_pulumi as ecs

    config = pulumi.Config()
    network = ecs.Network("net")
    subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.13.0/24")
    port = ecs.Port("port", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    server = ecs.Server(
        "web",
        flavor=config.require("flavor"),
        image=config.require("image"),
        networks=[%s],
        config_drive=%s,
        opts=pulumi.ResourceOptions(depends_on=[subnet]),
    )
    pulumi.export("port", port.id)
"""
ATTACHED = """
    ecs.InterfaceAttachment("bound", server_id=server.id, port_id=port.id)
"""
WITH_SERVER = """
    ecs.InterfaceAttachment(
        "made", server_id=server.id, network_id=network.id, opts=pulumi.ResourceOptions(deleted_with=server)
    )
"""


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A quick cloud."""
    with Emulator(dialect="openstack", speed=100) as running:
        yield running


def test_a_replaced_server_hands_its_port_over(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """The server is replaced, and its port moves from `networks` to an InterfaceAttachment, in one `up`."""
    config = {"story:flavor": landscape.small, "story:image": landscape.image}
    made = project(PROGRAM % ('{"port_id": port.id}', False), config=config)
    made.up()
    made.write(PROGRAM % ('{"network_id": network.id}', True) + ATTACHED)
    assert made.up().steps["Server web"] == ["delete-replaced", "replace", "create-replacement"]
    assert made.preview().changes == {}
    server, port = made.state()["Server web"]["id"], made.state()["Port port"]["id"]
    with cloud.state() as state:
        assert state.find("port", id=port)[0]["device_id"] == server
        assert len(state.find("port", device_id=server)) == 2
    made.destroy()


def test_an_attachment_that_goes_with_its_server(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """`deleted_with` leaves the attachment to the server's delete, which takes the port that was made for it along."""
    config = {"story:flavor": landscape.small, "story:image": landscape.image}
    made = project(PROGRAM % ('{"port_id": port.id}', False) + WITH_SERVER, config=config)
    made.up()
    made.destroy()
    with cloud.state() as state:
        assert state.find("port", project_id=state.project_id) == []
