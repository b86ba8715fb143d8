"""The report on a preview, from the JSON output of the real engine."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.support.project import Project

# tests/unit/recorded/preview.json contains the output of the engine for the second step of this program.
PROGRAM = """
    import pulumi
    import ecs_pulumi as ecs

    second = pulumi.Config().require("step") == "second"
    boot = {"source_type": "image", "destination_type": "volume", "volume_size": 10, "boot_index": 0}
    boot["delete_on_termination"] = True
    network = ecs.Network("net")
    subnet = ecs.Subnet(
        "subnet", network_id=network.id, cidr="192.168.10.0/24", description="new" if second else "old"
    )
    ready = pulumi.ResourceOptions(depends_on=[subnet])
    flavor = "s1.medium" if second else "s1.small"
    image = "debian-peer" if second else "cirros-peer"


    def server(name, *, flavor="s1.small", image="cirros-peer", disk=boot, **inputs):
        nics = [{"network_id": network.id}]
        disks = [disk] if disk else None
        return ecs.Server(
            name, flavor=flavor, image=image, networks=nics, block_devices=disks, **inputs, opts=ready
        )


    server("same")
    server("resized", flavor=flavor, metadata={"color": "blue" if second else "green"})
    server("resized-live", flavor=flavor, stop_before_resize=False)
    server("resized-off", flavor=flavor, power_state="shutoff")
    server("rebuilt", image=image, image_policy="rebuild", disk=None)
    server("stopped", power_state="shutoff" if second else "active")
    replaced = server("replaced", user_data="#cloud-config: hush-" + flavor)
    server("replaced-local", image=image, disk=None)
    server("password", admin_pass="Hush-" + flavor, disk=None)
    data = ecs.Volume("data", size=20 if second else 10)
    ecs.Volume("remade", size=10, image="cirros-peer" if second else None)
    ecs.VolumeAttachment("data", server_id=replaced.id, volume_id=data.id)
    if second:
        ecs.Port("new", network_id=network.id, name=replaced.id, opts=ready)
    else:
        server("gone")
        server("gone-keeps", disk={**boot, "delete_on_termination": False})
        ecs.Volume("gone", size=1)
        ecs.Volume("kept", size=1, opts=pulumi.ResourceOptions(retain_on_delete=True))
        ecs.Port("gone", network_id=network.id, opts=ready)
"""

REPORT = """\
## Preview of `shop/test`: 6 destroyed with data, 1 replaced, 2 deleted, 1 no longer managed, 3 interrupted, \
4 changed in place, 1 created

### Forbidden here (3)

- `delete:Port`: Port `gone`
- `replace:Server`: Server `replaced`
- `replace:Server`: Server `replaced-local`

### Destroyed with its data (6)

> [!CAUTION]
> Nothing restores this data after the `up`. Back it up first, or keep the object, for example with `protect=True`.

- Server `gone`: deleted; lost: the volume <id>
- Server `rebuilt`: `image` `cirros-peer` → `debian-peer`; rebuilt: the data on its root disk are lost
- Server `replaced`: replaced because of `user_data` (secret); lost: the volume <id>
- Server `replaced-local`: replaced because of `image` `cirros-peer` → `debian-peer`; lost: its root disk
- Volume `gone`: deleted; lost: its data (1 GiB)
- Volume `remade`: replaced because of `image` not set → `cirros-peer`; lost: its data (10 GiB)

### Replaced (1)

- VolumeAttachment `data`: because of `server_id` `<id>` → not known yet

### Deleted (2)

- Port `gone`
- Server `gone-keeps`: its disks stay

### Left in the cloud, no longer managed (1)

- Volume `kept`

### Interrupted (3)

- Server `resized`: `flavor` `s1.small` → `s1.medium`, `metadata.color` `green` → `blue`; \
stopped for the resize, and started again: not reachable until the resize has ended
- Server `resized-live`: `flavor` `s1.small` → `s1.medium`; restarted: not reachable until the resize has ended
- Server `stopped`: `power_state` `active` → `shutoff`; stopped until its `power_state` is `active` again

### Changed in place (4)

- Server `password`: `admin_pass` (secret)
- Server `resized-off`: `flavor` `s1.small` → `s1.medium`
- Subnet `subnet`: `description` `old` → `new`
- Volume `data`: `size` `10` → `20`

### Created (1)

- Port `new`: has the inputs of `gone`, which is deleted; to rename that, add `aliases=[pulumi.Alias(name="gone")]`

2 unchanged.
"""


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud whose flavors have local disks."""
    with Emulator(speed=200, dialect="openstack") as running:
        running.set_quota(instances=30, cores=60, volumes=30)
        yield running


def preview(of: Project) -> str:
    """Return the output of `pulumi preview --json`."""
    return subprocess.run(
        ("pulumi", "preview", "--json"), cwd=of.folder, env=of.env, capture_output=True, text=True, check=False
    ).stdout


def report(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the output of a preview."""
    command = (sys.executable, "-m", "ecs_pulumi.preview_report", *arguments)
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)


def test_report_of_every_effect(project: MakeProject, cloud: Emulator) -> None:
    """Every effect has a section with reasons, no secret is shown, and forbidden effects exit with status 2.

    Runs only on the emulator, since real accounts usually have a smaller quota of disks.
    """
    del cloud
    shop = project(PROGRAM, name="shop", config={"shop:step": "first"})
    shop.up()
    shop.config("step", "second")

    result = report(preview(shop), "--forbid", "replace:Server,delete:Port", "--forbid", "destroy:Network")
    assert re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", result.stdout) == REPORT
    assert result.returncode == 2
    assert "forbidden delete:Port: Port gone" in result.stderr
    assert "hush" not in (result.stdout + result.stderr).lower()

    shop.write(PROGRAM.replace('"s1.medium"', '"s1.medum"'))
    failed = report(preview(shop))
    assert failed.returncode == 1
    assert 'there is no flavor "s1.medum"; did you mean s1.medium' in failed.stdout
    assert len(failed.stderr.splitlines()) == 1
