"""Resources that need each other without a reference: the engine handles them in an order that works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape
    from tests.support.project import Result

PROGRAM = """
import ecs_pulumi as ecs

network = ecs.Network("app")
subnet = ecs.Subnet("app", network_id=network.id, cidr="10.0.0.0/24")
router = ecs.Router("app", external_network="EXTERNAL")
interface = ecs.RouterInterface("app", router_id=router.id, subnet_id=subnet.id)
for index in range(3):
    port = ecs.Port(f"port{index}", network_id=network.id)
    ecs.FloatingIp(f"address{index}", external_network="EXTERNAL", port_id=port.id)
    ecs.RouterRoute(f"route{index}", router_id=router.id, destination=f"10.1.{index}.0/24", nexthop="10.0.0.9")
"""


@pytest.mark.thorough
def test_waiting_resources_leave_a_worker_for_what_they_wait_for(project: MakeProject, landscape: Landscape) -> None:
    """Floating IPs and routes come after the interfaces declared before them, and are deleted before these."""
    stack = project(PROGRAM.replace("EXTERNAL", landscape.external_network))
    assert _order(stack.up("--parallel=2")) == ["RouterInterface", "others"]
    assert _order(stack.destroy("--parallel=2")) == ["others", "RouterInterface"]


def _order(result: Result) -> list[str]:
    """Return the order of the interface and of the resources that need it."""
    kinds = [resource.split()[0] for resource in result.steps]
    parts = ["others" if kind in ("FloatingIp", "RouterRoute") else kind for kind in kinds]
    shown = [part for part in parts if part in ("others", "RouterInterface")]
    return [part for index, part in enumerate(shown) if index == 0 or shown[index - 1] != part]
