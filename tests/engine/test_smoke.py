"""The smallest end-to-end test: program, engine, provider and cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape

PROGRAM = """
    import ecs_pulumi as ecs
    import pulumi

    network = ecs.Network("smoke")
    subnet = ecs.Subnet("smoke", network_id=network.id, cidr="192.168.77.0/24")
    port = ecs.Port("smoke", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    pulumi.export("ids", [network.id, subnet.id, port.id])
    pulumi.export("address", port.ip_address)
"""


def test_network_lifecycle(project: MakeProject, landscape: Landscape) -> None:
    """`up` creates the objects, previews before and after a refresh are empty, and `destroy` deletes the objects."""
    smoke = project(PROGRAM)
    smoke.up()
    outputs = smoke.outputs
    assert outputs["address"].startswith("192.168.77.")
    assert set(outputs["ids"]) <= landscape.objects()

    assert smoke.preview().changes == {}
    smoke.refresh()
    assert smoke.preview().changes == {}

    smoke.destroy()
    assert not set(outputs["ids"]) & landscape.objects()
