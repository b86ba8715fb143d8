"""`Kind.get` in a program: the object is read, and what refers to its id is not in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def test_what_depends_on_the_id_of_what_was_read_is_not_replaced(project: MakeProject, landscape: Landscape) -> None:
    """The id that the program gives is known in a preview, so nothing that refers to it seems to change."""
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
