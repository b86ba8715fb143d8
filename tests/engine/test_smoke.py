"""The thinnest slice through everything: program, engine, provider, cloud and back."""

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


def test_a_network_lives(project: MakeProject, landscape: Landscape) -> None:
    """What `up` makes is in the cloud, needs no change, also after a refresh, and is gone after `destroy`."""
    smoke = project(PROGRAM)
    smoke.up()
    made = smoke.outputs
    assert made["address"].startswith("192.168.77.")
    assert set(made["ids"]) <= landscape.objects()

    assert smoke.preview().changes == {}
    smoke.refresh()
    assert smoke.preview().changes == {}

    smoke.destroy()
    assert not set(made["ids"]) & landscape.objects()
