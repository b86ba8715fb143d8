"""`Kind.get` in a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape

PROGRAM = """
    import pulumi
    import ecs_pulumi as ecs

    network = ecs.Network.get("network", pulumi.Config().require("network"))
    ecs.Port("port", network_id=network.id)
    pulumi.export("id", network.id)
    pulumi.export("name", network.name)
"""


@pytest.mark.thorough
def test_resource_that_uses_id_of_get_is_not_replaced(project: MakeProject, landscape: Landscape) -> None:
    """The id of `get` is known in a preview, so resources that use it show no change."""
    with landscape.connect() as other:
        network = other.network.create_network(name="read")
        try:
            it = project(PROGRAM, config={"story:network": network.id})
            it.up()
            assert it.outputs == {"id": network.id, "name": "read"}
            assert it.preview().changes == {}
            it.destroy()
        finally:
            for port in other.network.ports(network_id=network.id):
                other.network.delete_port(port)
            other.network.delete_network(network)
