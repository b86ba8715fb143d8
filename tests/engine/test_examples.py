"""Every program under examples/ does what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape

EXAMPLES = CHECKOUT / "examples"
KINDS = (
    "InterfaceAttachment",
    "KeyPair",
    "Network",
    "Port",
    "Server",
    "Subnet",
    "Volume",
    "VolumeAttachment",
)


def test_quickstart(project: MakeProject, landscape: Landscape) -> None:
    """A server with key, network, port and disks; a larger flavor keeps the server; nothing is left."""
    config = {"flavor": landscape.small, "image": landscape.image, "volumeType": landscape.volume_type}
    quickstart = project(EXAMPLES / "quickstart", name="ecs-quickstart", config=config)
    assert set(quickstart.up().changes.values()) == {"create"}
    first = quickstart.outputs
    assert first["status"] == "ACTIVE"
    assert first["address"].startswith("192.168.10.")
    assert first["server"] in landscape.objects()
    assert quickstart.preview().changes == {}

    quickstart.config("flavor", landscape.medium)
    assert quickstart.preview().changes == {"Server web": "update"}
    quickstart.up()
    assert quickstart.outputs == first

    made = {resource["id"] for resource in quickstart.state().values()}
    quickstart.destroy()
    assert not made & landscape.objects()


def test_reference(project: MakeProject, landscape: Landscape) -> None:
    """One of every kind, as the reference shows them: no change afterwards, secrets are secret, nothing is left."""
    config = {"flavor": landscape.small, "image": landscape.image, "volumeType": landscape.volume_type}
    every_kind = project(EXAMPLES / "reference", name="ecs-reference", config=config)
    changes = every_kind.up().changes
    assert {name.split()[0] for name in changes} == {*KINDS}
    assert every_kind.outputs["address"] == "10.0.10.10"
    assert every_kind.outputs["private_key"].startswith("-----BEGIN")
    assert "PRIVATE KEY" not in every_kind.run("stack", "export")
    assert every_kind.preview().changes == {}

    made = {resource["id"] for resource in every_kind.state().values()}
    every_kind.destroy()
    assert not made & landscape.objects()
