"""Two stacks of one program in one project of a cloud, at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import MakeProject

KINDS = (
    *("server", "server_group", "keypair", "volume", "network", "subnet", "port", "security_group", "router"),
    *("floatingip", "security_group_rule"),
)
PROGRAM = """
import pulumi
import ecs_pulumi as ecs

cidr = pulumi.Config().require("cidr")
net = ecs.Network("net", name="same")
subnet = ecs.Subnet("subnet", network_id=net.id, cidr=cidr, name="same")
ssh = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22}
group = ecs.SecurityGroup("group", name="same", rules=[ssh])
ecs.SecurityGroupRule("rule", security_group_id=ecs.get_security_group("shared").id, direction="ingress",
                      protocol="tcp", port_range_min=8000, remote_ip_prefix=cidr)
router = ecs.get_router("shared")
interface = ecs.RouterInterface("interface", router_id=router.id, subnet_id=subnet.id)
nexthop, destination = cidr.replace(".0/24", ".9"), cidr.replace("10.", "172.", 1)
ecs.RouterRoute("route", router_id=router.id, destination=destination, nexthop=nexthop)
port = ecs.Port("port", network_id=net.id, fixed_ips=[{"subnet_id": subnet.id}], security_group_ids=[group.id])
ecs.FloatingIp("address", external_network="public", port_id=port.id)
key = ecs.KeyPair("key")
placement = ecs.ServerGroup("placement", name="same", policy="anti-affinity")
web = ecs.Server("web", name="same", flavor=FLAVOR, image="cirros-peer", key_name=key.name,
                 networks=[{"port_id": port.id}], scheduler_hints={"group": placement.id})
disk = ecs.Volume("disk", name="same", size=1)
ecs.VolumeAttachment("attachment", server_id=web.id, volume_id=disk.id)
"""
SHARED = """
import ecs_pulumi as ecs
ecs.SecurityGroup("shared", name="shared", tags=["one"])
ecs.Router("router", name="shared", external_network="public")
"""
SMALL, MEDIUM = PROGRAM.replace("FLAVOR", '"s1.small"'), PROGRAM.replace("FLAVOR", '"s1.medium"')


def ids(cloud: Emulator) -> set[str]:
    """Return the ids of all objects of the project."""
    with cloud.state() as state:
        return {
            each["id"]
            for kind in KINDS
            for each in state.find(kind)
            if each.get("project_id", state.project_id) == state.project_id and not each.get("deleted")
        }


def at_once(*calls: Callable[[], Any]) -> None:
    """Run the calls at the same time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for each in [pool.submit(call) for call in calls]:
            each.result()


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud of the dialect `openstack`."""
    with Emulator(dialect="openstack", speed=200) as running:
        yield running


def test_two_stacks_at_the_same_time(project: MakeProject, cloud: Emulator) -> None:
    """Both stacks create, change and delete objects of the same names; neither touches those of the other one."""
    shared, one, two = (project(SHARED), project(SMALL), project(SMALL))
    for each, cidr in ((one, "10.61.0.0/24"), (two, "10.62.0.0/24")):
        each.config("cidr", cidr)
    shared.up()
    of_shared = ids(cloud)
    at_once(one.up, two.up)
    for each in (one, two):
        each.write(MEDIUM)
    at_once(one.up, two.destroy)
    assert one.preview("--refresh").changes == {}
    at_once(one.destroy, two.up)
    assert two.preview("--refresh").changes == {}
    two.destroy()
    assert ids(cloud) == of_shared
