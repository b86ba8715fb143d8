"""The old API and the new one: `/v2`, `/v2.1` without microversions, and with them; forced and found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.steps import SAME, Failed, Refused, updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.ground import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]

PLAIN = ("2", "2.1")
"""What the guide speaks."""

each_plain = pytest.mark.parametrize("version", PLAIN)


def asking_for(version: str) -> dict[str, str]:
    """The setting that forces this version of Nova's API."""
    return {"ecs:apiVersions": json.dumps({"compute": version})}


def settled(it: Resource, program: dict[str, Any]) -> None:
    """There is nothing to do, also after a refresh."""
    assert it.preview(**program) == SAME
    it.refresh()
    assert it.preview(**program) == SAME


@pytest.mark.parametrize("version", [*PLAIN, pytest.param("2.60", marks=pytest.mark.thorough), None])
def test_a_life(new: New, ground: CloudFixtures, version: str | None) -> None:
    """A server is made, changed, resized and deleted alike, whatever the API; so are its disk, its NIC and its key."""
    config = asking_for(version) if version else {}
    key, server, disk, nic = (
        new(kind, config=config) for kind in ("KeyPair", "Server", "VolumeAttachment", "InterfaceAttachment")
    )
    key.up()
    assert "PRIVATE KEY" in key.outputs["private_key"]
    settled(key, {})
    program = ground.server_inputs | {"key_name": key.outputs["name"], "metadata": {"a": "1"}}
    server.up(**program)
    settled(server, program)
    disk.up(server_id=server.id, volume_id=ground.volumes[0])
    settled(disk, {"server_id": server.id, "volume_id": ground.volumes[0]})
    nic.up(server_id=server.id, network_id=ground.other_network)
    settled(nic, {"server_id": server.id, "network_id": ground.other_network})
    changed = program | {"flavor": ground.landscape.medium, "metadata": {}}
    assert server.preview(**changed) == updates("flavor", "metadata")
    server.up(**changed)
    settled(server, changed)
    assert server.outputs["metadata"] == {}
    for each in (nic, disk, server, key):
        each.destroy()


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "Server.description": ("Server", {"description": "one"}),
    "Server.tags": ("Server", {"tags": ["a"]}),
    "Server.networks": ("Server", {"networks": "none"}),
    "VolumeAttachment.tag": ("VolumeAttachment", {"tag": "a"}),
    "VolumeAttachment.delete_on_termination": ("VolumeAttachment", {"delete_on_termination": True}),
    "VolumeAttachment.multiattach": ("VolumeAttachment", {"multiattach": True}),
    "InterfaceAttachment.tag": ("InterfaceAttachment", {"tag": "a"}),
    "KeyPair.type": ("KeyPair", {"type": "x509"}),
}


@each_plain
@pytest.mark.parametrize("field", list(REFUSED))
def test_what_the_version_cannot_do(new: New, ground: CloudFixtures, version: str, field: str) -> None:
    """It is refused in the preview, naming the property and the versions found."""
    kind, asked = REFUSED[field]
    base: dict[str, Any] = {
        "Server": ground.server_inputs,
        "VolumeAttachment": {"server_id": ground.server, "volume_id": ground.volumes[0]},
        "InterfaceAttachment": {"server_id": ground.server, "network_id": ground.network},
    }.get(kind, {})
    name = field.partition(".")[2]
    with pytest.raises(Refused, match=rf"{name}: .*needs compute microversion .*v{version} without"):
        new(kind, config=asking_for(version)).preview(**base | asked)


@each_plain
def test_a_marker_where_servers_have_no_description(new: New, ground: CloudFixtures, version: str) -> None:
    """There a server says in its metadata whose it is; that is neither drift nor lost when the metadata changes."""
    server = new("Server", config=asking_for(version))
    program = ground.server_inputs | {"metadata": {"a": "1"}}
    server.up(**program)
    settled(server, program)
    assert server.outputs["metadata"] == {"a": "1"}
    mark = ground.cloud.compute.get_server(server.id).metadata["managed-by-pulumi"]
    assert mark.startswith("Managed by Pulumi: ")
    server.up(**ground.server_inputs | {"metadata": {}})
    assert ground.cloud.compute.get_server(server.id).metadata == {"managed-by-pulumi": mark}
    settled(server, ground.server_inputs | {"metadata": {}})


@each_plain
def test_volume_type_of_a_block_device(new: New, ground: CloudFixtures, version: str) -> None:
    """The guide sends it with the old API, so it is sent; a cloud that does not know it there says so by its name."""
    disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 1}
    typed = {**disk, "volume_type": ground.landscape.volume_types[0], "delete_on_termination": True}
    server = new("Server", config=asking_for(version))
    program = ground.server_inputs | {"block_devices": [typed]}
    if version == "2":
        server.up(**program)
        settled(server, program)
    else:
        with pytest.raises(Failed, match="volume_type"):
            server.up(**program)
        assert server.state is None


def test_a_backup_where_nobody_can_restore_it(guides_ground: CloudFixtures) -> None:
    """An API that would make an empty volume instead is not asked: the preview names what it needs."""
    with pytest.raises(Refused, match=r"needs block-storage microversion 3\.47; this cloud offers block-storage v"):
        guides_ground.resource("Volume").preview(size=1, backup_id="0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e")
