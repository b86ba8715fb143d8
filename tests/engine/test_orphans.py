"""`ecs_pulumi.orphans` finds the objects of a killed `up`, and `adopt` imports them or `--delete` deletes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator
from tests.support.interrupted import Run, orphans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape
    from tests.support.project import Project

PROGRAM = """
    import pulumi
    import ecs_pulumi as ecs

    config = pulumi.Config()
    network = ecs.Network("net")
    subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.12.0/24")
    port = ecs.Port("port", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    ecs.Server(
        "web",
        flavor=config.require("flavor"),
        image=config.require("image"),
        networks=[{"network_id": network.id}, {"port_id": port.id}],
        block_devices=[
            {
                "source_type": "image",
                "destination_type": "volume",
                "boot_index": 0,
                "volume_size": 40,
                "delete_on_termination": True,
            }
        ],
        adopt=config.get("adopt"),
    )
"""

RETAINED = """
    import pulumi
    import ecs_pulumi as ecs

    ecs.Network("kept", opts=pulumi.ResourceOptions(retain_on_delete=True))
"""


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A slow cloud, so that runs can be killed."""
    with Emulator(speed=1) as running:
        yield running


def up_killed_while_building(shop: Project) -> None:
    """Run `up` and kill all its processes while it waits for the server."""
    up = Run(shop)
    up.until("Server web", "BUILD")
    up.killed()


def test_orphan_of_killed_up_is_imported_or_deleted(project: MakeProject, landscape: Landscape) -> None:
    """After SIGKILL during a build, the server is found; `adopt` imports it without a change, `--delete` deletes it."""
    shop = project(PROGRAM, config={"story:flavor": landscape.small, "story:image": landscape.image})
    assert orphans(shop) == (0, [])

    up_killed_while_building(shop)
    assert "Server web" not in shop.state()
    status, (orphan,) = orphans(shop)
    assert (status, orphan["kind"], orphan["resource"], orphan["confirmed_by_state"]) == (1, "Server", "web", True)
    assert orphan["id"] in landscape.objects()

    shop.config("adopt", orphan["id"])
    shop.up()
    assert shop.state()["Server web"]["id"] == orphan["id"]
    assert shop.preview().changes == {}
    assert orphans(shop) == (0, [])

    shop.destroy()
    shop.config("adopt", None)
    up_killed_while_building(shop)
    status, (orphan,) = orphans(shop, "--delete", "--yes")
    assert (status, orphan["deleted"]) == (0, True)
    assert orphan["id"] not in landscape.objects()
    shop.destroy()


@pytest.mark.thorough
def test_retained_object_is_deleted_only_by_id(project: MakeProject, landscape: Landscape) -> None:
    """A retained object still carries the owner marker: it is listed, and deleted only with `--delete ID`."""
    shop = project(RETAINED)
    shop.up()
    kept = shop.state()["Network kept"]["id"]
    shop.write("import pulumi")
    shop.up()
    assert kept in landscape.objects()
    status, (found,) = orphans(shop, "--delete", "--yes")
    assert (status, found["id"], found["confirmed_by_state"], found["deleted"]) == (1, kept, False, False)
    assert "retain_on_delete" in found["reason"]
    assert kept in landscape.objects()
    status, (found,) = orphans(shop, "--yes", "--delete", kept)
    assert (status, found["deleted"]) == (0, True)
    assert kept not in landscape.objects()
