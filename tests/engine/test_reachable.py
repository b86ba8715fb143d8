"""A server that can be reached from outside the cloud: on the emulator, and live on a cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.landscape import emulated

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape

SERVER = """
    import pulumi
    import ecs_pulumi as ecs

    config = pulumi.Config()
    network = ecs.Network("net")
    subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.20.0/24")
    server = ecs.Server(
        "web",
        flavor=config.require("flavor"),
        image=config.require("image"),
        networks=[{"network_id": subnet.network_id}],
        block_devices=[
            {
                "source_type": "image",
                "destination_type": "volume",
                "boot_index": 0,
                "volume_size": 40,
                "delete_on_termination": True,
            }
        ],
        user_data=config.get("user_data"),
    )
"""
ROUTER = """
    router = ecs.Router("router", external_network="EXTERNAL", opts=pulumi.ResourceOptions(depends_on=ROUTER_AFTER))
    ecs.RouterInterface("interface", router_id=router.id, subnet_id=subnet.id)
"""
ADDRESS = """
    address = ecs.FloatingIp("web", external_network="EXTERNAL", port_id=server.nics[0]["port_id"])
    pulumi.export("address", address.address)
    pulumi.export("port", server.nics[0]["port_id"])
"""
VOLUME = """
    ecs.Volume("data", size=10, availability_zone=server.availability_zone)
"""


@pytest.mark.parametrize(
    ("program", "router_after"),
    [
        pytest.param((SERVER, ROUTER, ADDRESS), "[]", id="router-first"),
        # The router comes last, so that the floating IP has to wait for it.
        pytest.param((SERVER, ADDRESS, ROUTER), "[server]", id="router-last", marks=pytest.mark.thorough),
    ],
)
def test_server_with_a_floating_ip_in_one_line(
    project: MakeProject, landscape: Landscape, program: tuple[str, ...], router_after: str
) -> None:
    """A floating IP leads to the port that Nova made, whatever the order of the resources, and keeps its address."""
    config = {"story:flavor": landscape.small, "story:image": landscape.image}
    text = "".join(program).replace("ROUTER_AFTER", router_after)
    story = project(text.replace("EXTERNAL", landscape.external_network), config=config)
    existing = landscape.objects()

    def port_of_address() -> str:
        with landscape.connect() as cloud:
            (found,) = [each for each in cloud.network.ips() if each.floating_ip_address == story.outputs["address"]]
            assert found.id == story.state()["FloatingIp web"]["id"]
            return str(found.port_id)

    first = story.up()
    if landscape.live and router_after != "[]":  # the emulator is too fast for a status line
        assert any("waiting for a router between" in line for line in first.status_lines)
    address, port = story.outputs["address"], story.outputs["port"]
    assert port_of_address() == port
    assert story.preview().changes == {}, "a second preview shows no change"
    story.refresh()
    assert story.preview().changes == {}, "also after a refresh"

    story.config("user_data", "#cloud-config")
    assert story.preview().changes["Server web"] == "replace"
    story.up()
    assert story.outputs["address"] == address
    assert port_of_address() == story.outputs["port"] != port
    assert story.preview().changes == {}

    story.destroy()
    assert landscape.objects() <= existing


def test_whole_way_on_open_telekom_cloud(project: MakeProject, cloud: Emulator) -> None:
    """Network, subnet, router, interface and floating IP in one `up`; translation for all servers in the next one."""
    outside = "admin_external_net"
    program = f"""
        import ecs_pulumi as ecs
        import pulumi

        snat = pulumi.Config().get_bool("snat")
        network = ecs.Network("net")
        subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.20.0/24")
        six = ecs.Subnet("six", network_id=network.id, ip_version=6)
        router = ecs.Router("router", external_network="{outside}", enable_snat=snat)
        ecs.RouterInterface("interface", router_id=router.id, subnet_id=subnet.id)
        port = ecs.Port("web", network_id=network.id, fixed_ips=[{{"subnet_id": subnet.id}}])
        address = ecs.FloatingIp("web", external_network="{outside}", port_id=port.id)
        ecs.RouterRoute("vpn", router_id=router.id, destination="10.9.0.0/24", nexthop="10.0.20.9")
        pulumi.export("address", address.address)
    """
    story = project(program)
    story.up()
    assert story.preview().changes == {}
    story.refresh()
    assert story.preview().changes == {}
    assert story.state()["Router router"]["outputs"]["enable_snat"] is False
    assert story.state()["FloatingIp web"]["outputs"]["router_id"] == story.state()["Router router"]["id"]
    first = story.outputs["address"]
    story.config("snat", "true")
    assert story.preview().changes == {"Router router": "update"}
    story.up()
    assert story.state()["Router router"]["outputs"]["enable_snat"] is True
    assert story.outputs["address"] == first
    assert story.preview().changes == {}
    story.destroy()
    with cloud.state() as state:
        assert [found["name"] for found in state.find("network", project_id=state.project_id)] == ["demo-net"]
        assert state.find("router") == state.find("floatingip") == []


def test_preview_keeps_outputs_that_an_update_cannot_change(project: MakeProject, cloud: Emulator) -> None:
    """An updated server has known NICs in the preview; what refers to them shows no change, unless they may change."""
    landscape = emulated(cloud)
    named = SERVER.replace("flavor=", 'name=config.get("name"), flavor=')
    router, address = (part.replace("EXTERNAL", landscape.external_network) for part in (ROUTER, ADDRESS))
    program = named + router.replace("ROUTER_AFTER", "[]") + address + VOLUME
    config = {"story:flavor": landscape.small, "story:image": landscape.image}
    story = project(program, config=config)
    story.up()

    story.config("name", "shop")
    assert story.preview().changes == {"Server web": "update"}
    story.write(named + router.replace("ROUTER_AFTER", "[]") + address)
    story.up()
    story.config("flavor", landscape.medium)
    shown = story.preview()
    assert shown.changes == {"Server web": "update"}
    assert "disconnects" not in shown.text
    story.write(story.program.read_text().replace("subnet.network_id}", "subnet.network_id, 'fixed_ip': '10.0.20.77'}"))
    # The first NIC cannot leave this server.
    assert story.preview().changes == {"Server web": "replace", "FloatingIp web": "update"}
