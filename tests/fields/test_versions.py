"""Versions of the Nova API: `/v2`, `/v2.1` without and with microversions; forced by a setting or discovered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fields.assertions import assert_no_changes
from tests.support.steps import Failed, Refused, updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]

PLAIN = ("2", "2.1")
"""The versions of the API without microversions, which the guide of the cloud uses."""

each_plain = pytest.mark.parametrize("version", PLAIN)


def forced_version(version: str) -> dict[str, str]:
    """Return the setting that forces this version of the Nova API."""
    return {"ecs:apiVersions": json.dumps({"compute": version})}


@pytest.mark.parametrize("version", [*PLAIN, pytest.param("2.60", marks=pytest.mark.thorough), None])
def test_lifecycle_with_each_api_version(new: New, fixtures: CloudFixtures, version: str | None) -> None:
    """Server, key pair and attachments can be created, updated and deleted with every version; so can a resize."""
    config = forced_version(version) if version else {}
    key, server, disk, nic = (
        new(kind, config=config) for kind in ("KeyPair", "Server", "VolumeAttachment", "InterfaceAttachment")
    )
    key.up()
    assert "PRIVATE KEY" in key.outputs["private_key"]
    assert_no_changes(key, {})
    program = fixtures.server_inputs | {"key_name": key.outputs["name"], "metadata": {"a": "1"}}
    server.up(**program)
    assert_no_changes(server, program)
    disk.up(server_id=server.id, volume_id=fixtures.volumes[0])
    assert_no_changes(disk, {"server_id": server.id, "volume_id": fixtures.volumes[0]})
    nic.up(server_id=server.id, network_id=fixtures.other_network)
    assert_no_changes(nic, {"server_id": server.id, "network_id": fixtures.other_network})
    changed = program | {"flavor": fixtures.landscape.medium, "metadata": {}}
    assert server.preview(**changed) == updates("flavor", "metadata")
    server.up(**changed)
    assert_no_changes(server, changed)
    assert server.outputs["metadata"] == {}
    for each in (nic, disk, server, key):
        each.destroy()


REQUIRES_MICROVERSION: dict[str, tuple[str, dict[str, Any]]] = {
    "Server.description": ("Server", {"description": "one"}),
    "Server.tags": ("Server", {"tags": ["a"]}),
    "Server.hypervisor_hostname": ("Server", {"hypervisor_hostname": "compute-1"}),
    "Server.networks": ("Server", {"networks": "none"}),
    "VolumeAttachment.tag": ("VolumeAttachment", {"tag": "a"}),
    "VolumeAttachment.delete_on_termination": ("VolumeAttachment", {"delete_on_termination": True}),
    "VolumeAttachment.multiattach": ("VolumeAttachment", {"multiattach": True}),
    "InterfaceAttachment.tag": ("InterfaceAttachment", {"tag": "a"}),
    "KeyPair.type": ("KeyPair", {"type": "x509"}),
    "ServerGroup.policy": ("ServerGroup", {"policy": "soft-affinity"}),
    "ServerGroup.max_server_per_host": ("ServerGroup", {"policy": "anti-affinity", "max_server_per_host": 2}),
}


@each_plain
@pytest.mark.parametrize("field", list(REQUIRES_MICROVERSION))
def test_field_that_requires_a_microversion_is_rejected(
    new: New, fixtures: CloudFixtures, version: str, field: str
) -> None:
    """The check rejects the field with one error, which contains the property and the available version."""
    kind, inputs = REQUIRES_MICROVERSION[field]
    base: dict[str, Any] = {
        "Server": fixtures.server_inputs,
        "VolumeAttachment": {"server_id": fixtures.server, "volume_id": fixtures.volumes[0]},
        "InterfaceAttachment": {"server_id": fixtures.server, "network_id": fixtures.network},
    }.get(kind, {})
    name = field.partition(".")[2]
    resource = new(kind, config=forced_version(version))
    with pytest.raises(Refused, match=rf"{name}: .*needs compute microversion .*v{version} without") as refused:
        resource.preview(**base | inputs)
    assert len(refused.value.failures) == 1


@each_plain
def test_owner_marker_in_metadata_without_server_descriptions(new: New, fixtures: CloudFixtures, version: str) -> None:
    """Without descriptions the owner marker is a metadata key; it is no drift and survives metadata changes."""
    server = new("Server", config=forced_version(version))
    program = fixtures.server_inputs | {"metadata": {"a": "1"}}
    server.up(**program)
    assert_no_changes(server, program)
    assert server.outputs["metadata"] == {"a": "1"}
    marker = fixtures.cloud.compute.get_server(server.id).metadata["managed-by-pulumi"]
    assert marker.startswith("Managed by Pulumi: ")
    server.up(**fixtures.server_inputs | {"metadata": {}})
    assert fixtures.cloud.compute.get_server(server.id).metadata == {"managed-by-pulumi": marker}
    assert_no_changes(server, fixtures.server_inputs | {"metadata": {}})


@each_plain
def test_volume_type_of_block_device_with_old_api(new: New, fixtures: CloudFixtures, version: str) -> None:
    """The provider sends `volume_type` with the old API, as the guide does; an error of the API names the property."""
    disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 1}
    typed = {**disk, "volume_type": fixtures.landscape.volume_types[0], "delete_on_termination": True}
    server = new("Server", config=forced_version(version))
    program = fixtures.server_inputs | {"block_devices": [typed]}
    if version == "2":
        server.up(**program)
        assert_no_changes(server, program)
    else:
        with pytest.raises(Failed, match="volume_type"):
            server.up(**program)
        assert server.state is None


def test_backup_id_requires_a_microversion(new: New) -> None:
    """The check rejects `backup_id` on an API that would create an empty volume, and names the required version."""
    config = {"ecs:apiVersions": json.dumps({"block-storage": "3.0"})}
    with pytest.raises(
        Refused, match=r"needs block-storage microversion 3\.47; this cloud offers block-storage v3 without"
    ):
        new("Volume", config=config).preview(size=1, backup_id="0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e")
