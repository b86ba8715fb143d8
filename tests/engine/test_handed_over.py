"""Ports that move between a server and an attachment, and attachments that are deleted with their server."""

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
    """A fast cloud."""
    with Emulator(dialect="openstack", speed=100) as running:
        yield running


def test_port_moves_from_replaced_server_to_attachment(
    project: MakeProject, landscape: Landscape, cloud: Emulator
) -> None:
    """One `up` replaces the server and moves its port from `networks` to an InterfaceAttachment."""
    config = {"story:flavor": landscape.small, "story:image": landscape.image}
    stack = project(PROGRAM % ('{"port_id": port.id}', False), config=config)
    stack.up()
    stack.write(PROGRAM % ('{"network_id": network.id}', True) + ATTACHED)
    assert stack.up().steps["Server web"] == ["delete-replaced", "replace", "create-replacement"]
    assert stack.preview().changes == {}
    server, port = stack.state()["Server web"]["id"], stack.state()["Port port"]["id"]
    with cloud.state() as state:
        assert state.find("port", id=port)[0]["device_id"] == server
        assert len(state.find("port", device_id=server)) == 2
    stack.destroy()


def test_attachment_with_deleted_with(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """With `deleted_with` the deletion of the server also deletes the port that was created for the attachment."""
    config = {"story:flavor": landscape.small, "story:image": landscape.image}
    stack = project(PROGRAM % ('{"port_id": port.id}', False) + WITH_SERVER, config=config)
    stack.up()
    stack.destroy()
    with cloud.state() as state:
        assert state.find("port", project_id=state.project_id) == []


UNITS = """
    import pulumi
    import ecs_pulumi as ecs

    config = pulumi.Config()
    options = config.get_bool("option")
    network = ecs.Network("net")
    subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.14.0/24")
    for number in range(3):
        server = ecs.Server(
            f"web-{number}",
            flavor=config.require("flavor"),
            image=config.require("image"),
            networks=[{"network_id": network.id}],
            opts=pulumi.ResourceOptions(depends_on=[subnet]),
        )
        volume = ecs.Volume(f"data-{number}", size=1)
        port = ecs.Port(f"port-{number}", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
        opts = pulumi.ResourceOptions(deleted_with=server, delete_before_replace=True) if options else None
        ecs.VolumeAttachment(f"data-{number}", server_id=server.id, volume_id=volume.id, opts=opts)
        ecs.InterfaceAttachment(f"nic-{number}", server_id=server.id, port_id=port.id, opts=opts)
"""


def test_deleted_with_saves_requests(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """With `deleted_with` a destroy detaches nothing, and waits for the volumes with one request per poll."""
    counts = {}
    for option in (False, True):
        config = {"story:flavor": landscape.small, "story:image": landscape.image, "story:option": str(option).lower()}
        stack = project(UNITS, config=config)
        stack.up()
        cloud.requests.clear()
        stack.destroy()
        counts[option] = [(each.method, each.path) for each in cloud.requests]
        with cloud.state() as state:
            assert state.find("volume", project_id=state.project_id) == []
            assert state.find("port", project_id=state.project_id) == []
    detaches = [path for method, path in counts[True] if method == "DELETE" and "/servers/" in path and "/os-" in path]
    assert detaches == []
    assert len(counts[True]) < len(counts[False])
