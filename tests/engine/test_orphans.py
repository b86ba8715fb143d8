"""A killed `up` loses nothing for good: what it left is found, and taken over or deleted."""

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
        networks=[{"port_id": port.id}],
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
    """A cloud that takes its time, so that there is something to kill."""
    with Emulator(speed=1) as running:
        yield running


def up_killed_while_building(shop: Project) -> None:
    """Run `up` and kill all its processes while it waits for the server."""
    up = Run(shop)
    up.until("Server web", "BUILD")
    up.killed()


def test_what_a_killed_up_left_is_found_and_taken_over_or_deleted(project: MakeProject, landscape: Landscape) -> None:
    """SIGKILL while a server builds: it is found, `adopt` takes it over with no change, `--delete` removes it."""
    shop = project(PROGRAM, config={"story:flavor": landscape.small, "story:image": landscape.image})
    assert orphans(shop) == (0, [])

    up_killed_while_building(shop)
    assert "Server web" not in shop.state()
    status, (lost,) = orphans(shop)
    assert (status, lost["kind"], lost["resource"], lost["proven"]) == (1, "Server", "web", True)
    assert lost["id"] in landscape.objects()

    shop.config("adopt", lost["id"])
    shop.up()
    assert shop.state()["Server web"]["id"] == lost["id"]
    assert shop.preview().changes == {}
    assert orphans(shop) == (0, [])

    shop.destroy()
    shop.config("adopt", None)
    up_killed_while_building(shop)
    status, (lost,) = orphans(shop, "--delete", "--yes")
    assert (status, lost["deleted"]) == (0, True)
    assert lost["id"] not in landscape.objects()
    shop.destroy()


def test_what_retain_on_delete_kept_is_not_deleted_unnamed(project: MakeProject, landscape: Landscape) -> None:
    """It still carries the stack's marker: it is listed, `--delete` alone leaves it, and with its id it goes."""
    shop = project(RETAINED)
    shop.up()
    kept = shop.state()["Network kept"]["id"]
    shop.write("import pulumi")
    shop.up()
    assert kept in landscape.objects()
    status, (found,) = orphans(shop, "--delete", "--yes")
    assert (status, found["id"], found["proven"], found["deleted"]) == (1, kept, False, False)
    assert "retain_on_delete" in found["reason"]
    assert kept in landscape.objects()
    status, (found,) = orphans(shop, "--yes", "--delete", kept)
    assert (status, found["deleted"]) == (0, True)
    assert kept not in landscape.objects()
