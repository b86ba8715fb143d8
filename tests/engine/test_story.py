"""The workflow of the ECS developer guide through the real engine: on the emulator, and live on a cloud."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

from ecs_pulumi.emulator import gateway

if TYPE_CHECKING:
    import pytest

    from ecs_pulumi.emulator import Emulator
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape
    from tests.support.project import Project

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"

STORY = """
    import pulumi
    import ecs_pulumi as ecs

    config = pulumi.Config()
    made = ecs.KeyPair("made")
    known = ecs.KeyPair("known", public_key=config.require("key"))
    network = ecs.Network("net", admin_state_up=True)
    subnet = ecs.Subnet(
        "subnet",
        network_id=network.id,
        cidr="10.0.10.0/24",
        gateway_ip="10.0.10.1",
        dns_nameservers=["8.8.8.8", "8.8.8.7"],
        allocation_pools=[{"start": "10.0.10.100", "end": "10.0.10.254"}],
        host_routes=[],
    )
    port = ecs.Port("port", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
    nic = ecs.Port("nic", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id, "ip_address": "10.0.10.33"}])
    server = ecs.Server(
        "web",
        flavor=config.require("flavor"),
        image=config.require("image"),
        key_name=made.name,
        admin_pass="Quite-5ecret",
        user_data="#cloud-config: hush-hush",
        networks=[{"port_id": port.id}],
        block_devices=[
            {
                "source_type": "image",
                "destination_type": "volume",
                "boot_index": 0,
                "volume_size": 40,
                "volume_type": config.require("type"),
                "delete_on_termination": True,
            }
        ],
    )
    size, volume_type = config.require_int("disk"), config.require("type")
    disk = ecs.Volume("disk", size=size, volume_type=volume_type, description="create for api test")
    ecs.VolumeAttachment("attached", server_id=server.id, volume_id=disk.id, device="/dev/sdb")
    ecs.InterfaceAttachment("bound", server_id=server.id, port_id=nic.id)
    pulumi.export("server", server.id)
    pulumi.export("address", server.access_ip_v4)
    pulumi.export("size", disk.size)
    pulumi.export("private_key", made.private_key)
    pulumi.export("imported", known.private_key)
"""


def settings(landscape: Landscape) -> dict[str, str]:
    """Return the configuration of the program for this cloud."""
    return {
        "story:key": PUBLIC_KEY,
        "story:flavor": landscape.small,
        "story:image": landscape.image,
        "story:type": landscape.volume_type,
        "story:disk": str(landscape.smallest_volume),
    }


def ids_of(story: Project) -> set[str]:
    """Return the ids of the objects of the stack, including the disks of servers."""
    state = story.state().values()
    disks = {disk["id"] for each in state for disk in each["outputs"].get("volumes_attached") or ()}
    return {each["id"] for each in state} | disks


def test_workflow_of_the_guide(project: MakeProject, landscape: Landscape) -> None:
    """All objects of the guide are created, show no change, are resized in place, and are deleted."""
    story = project(STORY, config=settings(landscape))

    result = story.up()
    assert set(result.changes.values()) == {"create"}
    outputs = story.outputs
    assert outputs["address"].startswith("10.0.10.")
    assert outputs["size"] == landscape.smallest_volume
    assert "PRIVATE KEY" in outputs["private_key"]
    assert outputs.get("imported") is None
    if landscape.live:  # the emulator is too fast for a status line
        assert any("BUILD" in line for line in result.status_lines)

    assert story.preview().changes == {}, "a second preview shows no change"
    story.refresh()
    assert story.preview().changes == {}, "also after a refresh"

    story.config("flavor", landscape.medium)
    assert story.preview().changes == {"Server web": "update"}
    resized = story.up()
    if landscape.live:
        assert any("RESIZE" in line for line in resized.status_lines)
    server = story.state()["Server web"]["outputs"]
    assert (server["flavor"], server["status"]) == (landscape.medium, "ACTIVE")
    assert story.outputs["server"] == outputs["server"], "resized in place"
    assert story.preview().changes == {}

    stored = story.run("stack", "export")
    for secret in ("PRIVATE KEY", "Quite-5ecret", "hush-hush"):
        assert secret not in stored, "secrets are encrypted in the state"

    ids = ids_of(story)
    assert ids & landscape.objects()
    story.destroy()
    assert not ids & landscape.objects(), "nothing is left"


def test_next_up_replaces_failed_server(project: MakeProject, landscape: Landscape) -> None:
    """A server that fails to build fails the `up` with the reason in one line, stays in the state, and is replaced."""
    program = """
        import pulumi
        import ecs_pulumi as ecs

        config = pulumi.Config()
        network = ecs.Network("net")
        subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.11.0/24")
        port = ecs.Port("port", network_id=network.id, fixed_ips=[{"subnet_id": subnet.id}])
        ecs.Server(
            "web",
            name=config.require("name"),
            flavor=config.require("flavor"),
            image=config.require("image"),
            networks=[{"port_id": port.id}],
            block_devices=[
                {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 40}
                | {"delete_on_termination": True}
            ],
        )
    """
    story = project(program, config=settings(landscape) | {"story:name": "peer-fail-spawn"})

    failed = story.up(fails=True)
    (reason,) = [line for line in failed.errors if "create Server web" in line]
    assert "ERROR" in reason
    assert len(reason.strip().splitlines()) <= 2, "one line, after the heading of the engine"
    failed_server = story.state()["Server web"]
    assert failed_server["outputs"]["status"] == "ERROR"
    assert failed_server["id"] in landscape.objects()

    story.config("name", "healthy")
    assert story.preview().changes == {"Server web": "replace"}
    story.up()
    replacement = story.state()["Server web"]
    assert replacement["outputs"]["status"] == "ACTIVE"
    assert failed_server["id"] not in landscape.objects()
    assert story.preview().changes == {}
    story.destroy()


def test_forty_servers_are_created_concurrently(
    project: MakeProject, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--parallel 40` forty creates run at once, instead of the four of Pulumi's host."""
    program = """
        import pulumi
        import ecs_pulumi as ecs

        network = ecs.Network("net")
        subnet = ecs.Subnet("subnet", network_id=network.id, cidr="10.0.12.0/24")
        for number in range(40):
            ecs.Server(
                f"web{number}",
                flavor="s3.medium.2",
                image="Standard_Debian_12_latest",
                networks=[{"network_id": network.id}],
                block_devices=[
                    {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 4}
                    | {"delete_on_termination": True}
                ],
                opts=pulumi.ResourceOptions(depends_on=[subnet]),
            )
    """
    started: list[float] = []
    all_started = asyncio.Event()

    async def wait_until_all_started(latency: float) -> None:
        started.append(latency)
        if len(started) == 40:
            all_started.set()
        await asyncio.wait_for(all_started.wait(), 60)

    monkeypatch.setattr(gateway, "asyncio", SimpleNamespace(sleep=wait_until_all_started))
    cloud.fault(method="POST", path="*/servers", latency=1.0)
    many = project(program)
    many.up("--parallel=40")
    assert all_started.is_set(), "all creates started before the first one ended"
    assert len(started) == 40
    many.destroy("--parallel=40")
