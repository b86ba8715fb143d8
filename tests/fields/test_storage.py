"""Special cases of volumes, volume attachments and interface attachments."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.emulator import errors
from ecs_pulumi.emulator.cinder import types
from ecs_pulumi.emulator.nova import attachments
from tests.fields.assertions import assert_no_changes, assert_updates_in_place
from tests.support import steps
from tests.support.steps import SAME, UNKNOWN, Failed, Refused, State, updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]


RESERVED_KEYS = ("readonly", "managed-by-pulumi")
"""Metadata keys that the cloud or the provider writes."""


def test_extend_of_attached_and_detached_volume(new: New, fixtures: CloudFixtures) -> None:
    """A volume can be extended in place, whether it is attached or not."""
    volume, attachment = new("Volume"), new("VolumeAttachment")
    volume.up(size=1)
    assert_updates_in_place(volume, "size", {"size": 2})
    attachment.up(server_id=fixtures.server, volume_id=volume.id)
    assert_updates_in_place(volume, "size", {"size": 3})
    assert volume.outputs["status"] == "in-use"
    assert [item["server_id"] for item in volume.outputs["attachments"]] == [fixtures.server]
    attachment.destroy()
    assert_updates_in_place(volume, "size", {"size": 4})
    assert volume.outputs["status"] == "available"


def test_volumes_of_shelved_server(new: New, fixtures: CloudFixtures) -> None:
    """Volumes can be attached to and detached from a shelved server, though Cinder lists no attachment of them."""
    server, program = new("Server"), {**fixtures.server_inputs, "power_state": "shelved_offloaded"}
    server.up(**program)
    volumes = [new("Volume") for _ in range(3)]
    attachments = [new("VolumeAttachment") for _ in volumes]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda volume: volume.up(size=1), volumes))
        programs = [{"server_id": server.id, "volume_id": volume.id} for volume in volumes]
        list(pool.map(lambda pair: pair[0].up(**pair[1]), zip(attachments, programs, strict=True)))
        for attachment, inputs in zip(attachments, programs, strict=True):
            assert_no_changes(attachment, inputs)
        assert_no_changes(server, program)
        volume = volumes[0]
        volume.refresh()
        assert volume.outputs["status"] == "reserved"
        volume.up(size=1, metadata={"a": "1"})
        assert volume.outputs["metadata"] == {"a": "1"}
        if not fixtures.live:
            with pytest.raises(Failed, match="unshelve the server first"):
                volume.up(size=2, metadata={"a": "1"})
        list(pool.map(lambda attachment: attachment.destroy(), attachments))
    assert_no_changes(server, program)
    volume.up(size=2, metadata={"a": "1"})
    assert volume.outputs["status"] == "available"


def test_extend_of_attached_volume_without_microversion(
    new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old API may refuse to extend an attached volume: the preview warns, and fails once the process knows it.

    The errors say to detach the volume first.
    """
    warnings: list[str] = []
    monkeypatch.setattr(rpc_bridge, "log", lambda _, message, **__: warnings.append(message))
    config = {"ecs:apiVersions": '{"block-storage": "3.0"}'}
    volume, attachment = new("Volume", config=config), new("VolumeAttachment", config=config)
    volume.up(size=1)
    attachment.up(server_id=fixtures.server, volume_id=volume.id)
    assert volume.preview(size=2) == updates("size")
    assert any("size: the cloud offers block-storage v3 without microversions" in line for line in warnings), warnings
    monkeypatch.setattr(steps, "clear_caches", lambda: None)
    refused = pytest.raises(Failed, match=rf"size: .* server {fixtures.server}: detach it first, in a separate `up`")
    with refused:
        volume.up(size=2)
    with refused:
        volume.preview(size=2)
    assert volume.preview(size=1, name="data") == updates("name")
    assert volume.preview(size=UNKNOWN) == updates("size")
    attachment.destroy()
    assert_updates_in_place(volume, "size", {"size": 2})


def test_attach_directly_after_detach(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nova lists an attachment for a moment after the detach; the provider does not take it for a new attachment."""
    if not fixtures.live:
        monkeypatch.setattr(attachments, "FORGETTING", 40)
    first, second = new("VolumeAttachment"), new("VolumeAttachment")
    program = {"server_id": fixtures.server, "volume_id": fixtures.volumes[0]}
    first.up(**program)
    first.destroy()
    second.up(**program)
    assert_no_changes(second, program)
    second.destroy()
    # An attachment that only Nova lists is deleted already.
    second.state = State(f"{fixtures.server}/{fixtures.volumes[0]}", program, program)
    second.destroy()


def test_smaller_size_is_rejected(new: New) -> None:
    """The check rejects a smaller size, and accepts an unknown one."""
    volume = new("Volume")
    volume.up(size=2)
    with pytest.raises(Refused, match="size: can only grow: it is 2 and the program sets 1"):
        volume.preview(size=1)
    assert volume.preview(size=UNKNOWN) == updates("size")


def test_rename_keeps_the_image(new: New, fixtures: CloudFixtures) -> None:
    """After a rename the name and the id of the volume's image are still the same image."""
    volume, program = new("Volume"), {"size": 4, "image": fixtures.images[0]}
    volume.up(**program)
    assert_updates_in_place(volume, "name", program | {"name": "renamed"})
    by_id = program | {"name": "renamed", "image": volume.outputs["image_id"]}
    volume.up(**program | {"name": "renamed again"})
    assert volume.preview(**by_id | {"name": "renamed again"}) == SAME


def test_volume_type_changes_in_place(new: New, fixtures: CloudFixtures) -> None:
    """The volume type changes in place in both directions, also with a retype policy."""
    one, two = fixtures.landscape.volume_types[:2]
    volume = new("Volume")
    volume.up(size=1, volume_type=one)
    assert_updates_in_place(volume, "volume_type", {"size": 1, "volume_type": two})
    assert fixtures.cloud.block_storage.get_volume(volume.id).volume_type == two
    volume.up(size=1, volume_type=two, retype_policy="never")
    assert_updates_in_place(volume, "volume_type", {"size": 1, "volume_type": one, "retype_policy": "never"})


def test_volume_type_by_id(new: New, fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cinder returns the name of the type; its id is no change, even if the type is hidden later."""
    ids = {each.name: each.id for each in fixtures.cloud.block_storage.types()}
    one, other = (ids[name] for name in fixtures.landscape.volume_types[:2])
    disk = new("Volume")
    disk.up(size=1, volume_type=one)
    assert_no_changes(disk, {"size": 1, "volume_type": one})
    assert_updates_in_place(disk, "volume_type", {"size": 1, "volume_type": other})
    assert fixtures.cloud.block_storage.get_volume(disk.id).volume_type == fixtures.landscape.volume_types[1]
    if not fixtures.live:
        monkeypatch.setattr(types, "_is_visible", lambda *_: False)
        assert_updates_in_place(disk, "size", {"size": 2, "volume_type": other})
        monkeypatch.setattr(types, "volume_types", _forbidden)
        assert_no_changes(disk, {"size": 2, "volume_type": other})


def _forbidden(_: object) -> None:
    raise errors.HttpError(403, "Policy does not allow volume_extension:type_get to be performed.")


def test_missing_volume_type_fails_without_preflight(fixtures: CloudFixtures) -> None:
    """Without preflight checks the error of the cloud names the missing type."""
    one, _ = fixtures.landscape.volume_types[:2]
    disk = fixtures.resource("Volume", config={"ecs:preflight": "false"})
    disk.up(size=1, volume_type=one)
    with pytest.raises(Failed, match="11111111-2222-3333-4444-555555555555"):
        disk.up(size=1, volume_type="11111111-2222-3333-4444-555555555555")
    disk.destroy()


def test_metadata_keys_with_the_prefix_of_reserved_keys(new: New) -> None:
    """Metadata keys of the program may have a reserved key as prefix."""
    disk = new("Volume")
    metadata = {"readonly_reason": "audit", "attached_mode_wanted": "rw"}
    disk.up(size=1, metadata=metadata)
    assert_no_changes(disk, {"size": 1, "metadata": metadata})


def test_volume_in_error_is_not_replaced(new: New, fixtures: CloudFixtures) -> None:
    """A volume that was available once is not replaced when it is in error; neither is an adopted volume."""
    disk, adopted = new("Volume"), new("Volume")
    disk.up(size=1)
    fixtures.admin.block_storage.reset_volume_status(disk.id, status="error", attach_status=None, migration_status=None)
    disk.refresh()
    assert (disk.outputs["status"], disk.preview(size=1)) == ("error", SAME)
    # A state of an older version has no `was_available`, but the status `available`.
    disk.outputs.update(was_available=None, status="available")
    disk.refresh()
    assert (disk.outputs["status"], disk.preview(size=1)) == ("error", SAME)
    adopted.up(size=1, adopt=disk.id)
    adopted.refresh()
    assert (adopted.outputs["status"], adopted.preview(size=1, adopt=disk.id)) == ("error", SAME)
    adopted.forget()


def test_metadata_keys_with_two_underscores(new: New, fixtures: CloudFixtures) -> None:
    """The provider manages a key with two underscores only while the program declares it."""
    disk, storage = new("Volume"), fixtures.cloud.block_storage
    declared = {"__own": "1", "a": "1"}

    def remote_metadata() -> dict[str, str]:
        return {key: value for key, value in storage.get_volume(disk.id).metadata.items() if key not in RESERVED_KEYS}

    disk.up(size=1, metadata=declared)
    assert_no_changes(disk, {"size": 1, "metadata": declared})
    assert remote_metadata() == declared
    storage.set_volume_metadata(disk.id, __system__cmkid="the cloud's")
    assert_no_changes(disk, {"size": 1, "metadata": declared})
    assert_updates_in_place(disk, "metadata", {"size": 1, "metadata": {"__own": "2"}})
    assert_updates_in_place(disk, "metadata", {"size": 1, "metadata": {"a": "2"}})
    assert remote_metadata() == {"a": "2", "__system__cmkid": "the cloud's"}


def test_metadata_key_that_the_cloud_keeps(new: New) -> None:
    """A key of the cloud that the program no longer declares stays in the cloud and is no drift."""
    disk = new("Volume")
    disk.up(size=1, metadata={"__system__encrypted": "1"})
    assert_updates_in_place(disk, "metadata", {"size": 1, "metadata": {"a": "2"}})


@pytest.mark.parametrize(
    ("key", "writer"), [("readonly", "the cloud itself; set `read_only`"), ("attached_mode", "the cloud itself")]
)
def test_metadata_keys_of_cinder_are_rejected(new: New, key: str, writer: str) -> None:
    """The check rejects metadata keys that Cinder overwrites."""
    with pytest.raises(Refused, match=f"`{key}` is written by {writer}"):
        new("Volume").preview(size=1, metadata={key: UNKNOWN})


def test_metadata_keys_are_deleted(new: New, fixtures: CloudFixtures) -> None:
    """A key that the program removes is deleted; keys that the cloud writes stay and are no drift."""
    volume = new("Volume")
    volume.up(size=1, metadata={"a": "1", "b": "2"}, read_only=True)
    for metadata in ({"b": "2"}, {"b": "3", "c": ""}, {}):
        assert_updates_in_place(volume, "metadata", {"size": 1, "metadata": metadata, "read_only": True})
        found = fixtures.cloud.block_storage.get_volume(volume.id).metadata
        assert {key: value for key, value in found.items() if key not in RESERVED_KEYS} == metadata
    assert volume.outputs["read_only"] is True


@pytest.mark.parametrize("source", ["image", "snapshot_id", "source_volume_id"])
def test_volume_sources(new: New, fixtures: CloudFixtures, source: str) -> None:
    """A volume can be created from an image, a snapshot or another volume, and extended afterwards."""
    volume = new("Volume")
    sources = {"image": lambda: fixtures.images[0], "snapshot_id": lambda: fixtures.snapshots[0]}
    filled = {source: sources.get(source, lambda: fixtures.volumes[0])()}
    volume.up(size=1, **filled)
    assert_no_changes(volume, {"size": 1, **filled})
    assert volume.outputs["bootable"] is (source == "image")
    assert_updates_in_place(volume, "size", {"size": 2, **filled})


def test_image_by_name_and_by_id(new: New, fixtures: CloudFixtures) -> None:
    """The id of the image instead of its name is no change."""
    volume = new("Volume")
    volume.up(size=1, image=fixtures.images[0])
    assert volume.preview(size=1, image=volume.outputs["image_id"]) == SAME


@pytest.mark.parametrize("other", ["snapshot_id", "source_volume_id", "backup_id"])
def test_several_volume_sources_are_rejected(new: New, fixtures: CloudFixtures, other: str) -> None:
    """The check rejects two sources."""
    with pytest.raises(Refused, match="give only one of `image` or `snapshot_id`"):
        new("Volume").preview(size=1, image=fixtures.images[0], **{other: "any"})


def test_concurrent_volume_attachments(new: New, fixtures: CloudFixtures) -> None:
    """Several volumes can be attached to one server and detached from it at the same time."""
    volumes = [new("Volume") for _ in range(3)]
    attachments = [new("VolumeAttachment") for _ in volumes]
    with ThreadPoolExecutor(len(volumes)) as pool:
        list(pool.map(lambda volume: volume.up(size=1), volumes))
        programs = [{"server_id": fixtures.server, "volume_id": volume.id} for volume in volumes]
        list(pool.map(lambda attachment, program: attachment.up(**program), attachments, programs))
        devices = {attachment.outputs["device"] for attachment in attachments}
        assert len(devices) == len(volumes), "two attachments have the same device"
        for attachment, program in zip(attachments, programs, strict=True):
            assert_no_changes(attachment, program)
        list(pool.map(lambda attachment: attachment.destroy(), attachments))
    for volume in volumes:
        assert fixtures.cloud.block_storage.get_volume(volume.id).status == "available"


def test_multiattach_volume_in_two_servers(new: New, fixtures: CloudFixtures) -> None:
    """A multiattach volume can be attached to two servers and detached from both at the same time."""
    volume = new("Volume")
    program = {"size": 1, "volume_type": fixtures.multiattach_type, "multiattach": True}
    volume.up(**program)
    assert_no_changes(volume, program)
    assert volume.outputs["multiattach"] is True
    attachments = [new("VolumeAttachment") for _ in range(2)]
    programs = [
        {"server_id": server, "volume_id": volume.id, "multiattach": True}
        for server in (fixtures.server, fixtures.other_server)
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda attachment, program: attachment.up(**program), attachments, programs))
        for attachment, inputs in zip(attachments, programs, strict=True):
            assert_no_changes(attachment, inputs)
        volume.refresh()
        assert {item["server_id"] for item in volume.outputs["attachments"]} == {fixtures.server, fixtures.other_server}
        list(pool.map(lambda attachment: attachment.destroy(), attachments))
    assert fixtures.cloud.block_storage.get_volume(volume.id).status == "available"


def test_multiattach_requires_a_multiattach_type(new: New, fixtures: CloudFixtures) -> None:
    """With another volume type the create fails with the error of the cloud, and leaves nothing in the state."""
    volume = new("Volume")
    with pytest.raises(Failed, match="multiattach enabled volume type"):
        volume.up(size=1, volume_type=fixtures.landscape.volume_types[0], multiattach=True)
    assert volume.state is None


def test_missing_backup(new: New) -> None:
    """A create from a missing backup fails, the error contains its id, and the state has no volume."""
    volume, missing = new("Volume"), "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"
    with pytest.raises(Failed, match=f"Backup {missing} could not be found"):
        volume.up(size=1, backup_id=missing)
    assert volume.state is None


def test_requested_device_is_advisory(new: New, fixtures: CloudFixtures) -> None:
    """The output has the actual device; a difference from the requested one is no diff, another requested one is."""
    attachment = new("VolumeAttachment")
    program = {"server_id": fixtures.server, "volume_id": fixtures.volumes[0], "device": "/dev/vdk"}
    attachment.up(**program)
    assert_no_changes(attachment, program)
    remote = fixtures.cloud.block_storage.get_volume(fixtures.volumes[0]).attachments
    assert attachment.outputs["device"] == remote[0]["device"]
    assert attachment.preview(**{**program, "device": "/dev/vdl"}).op == "replace"


def test_create_of_existing_attachment_succeeds(new: New, fixtures: CloudFixtures) -> None:
    """A create succeeds if the volume is attached already, for example by an interrupted `up`."""
    first, second = new("VolumeAttachment"), new("VolumeAttachment")
    program = {"server_id": fixtures.server, "volume_id": fixtures.volumes[0]}
    first.up(**program)
    second.up(**program)
    assert second.id == first.id == f"{fixtures.server}/{fixtures.volumes[0]}"
    first.forget()


def test_create_fails_if_volume_is_attached_to_another_server(new: New, fixtures: CloudFixtures) -> None:
    """The create fails, the error contains the id of the volume, and the state has no attachment."""
    first, second = new("VolumeAttachment"), new("VolumeAttachment")
    first.up(server_id=fixtures.server, volume_id=fixtures.volumes[0])
    with pytest.raises((Failed, Refused), match=fixtures.volumes[0]):
        second.up(server_id=fixtures.other_server, volume_id=fixtures.volumes[0])
    assert second.state is None


def test_interface_attachment_with_port(new: New, fixtures: CloudFixtures) -> None:
    """The attachment binds the port; a destroy detaches it and keeps it."""
    port, nic = new("Port"), new("InterfaceAttachment")
    port.up(network_id=fixtures.other_network)
    program = {"server_id": fixtures.server, "port_id": port.id}
    nic.up(**program)
    assert_no_changes(nic, program)
    assert nic.id == f"{fixtures.server}/{port.id}"
    assert nic.outputs["network_id"] == fixtures.other_network
    port.refresh()
    assert port.outputs["device_id"] == fixtures.server
    assert port.preview(network_id=fixtures.other_network) == SAME
    nic.destroy()
    assert not fixtures.cloud.network.get_port(port.id).device_id


def test_interface_attachment_with_network(new: New, fixtures: CloudFixtures) -> None:
    """The attachment creates a port in the network; a destroy deletes it."""
    nic = new("InterfaceAttachment")
    program = {"server_id": fixtures.server, "network_id": fixtures.other_network}
    nic.up(**program)
    assert_no_changes(nic, program)
    port = nic.outputs["port_id"]
    assert fixtures.cloud.network.get_port(port).device_id == fixtures.server
    nic.destroy()
    assert fixtures.cloud.network.find_port(port) is None


def test_interface_attachment_with_fixed_ip(new: New, fixtures: CloudFixtures) -> None:
    """The NIC gets the requested address; another address replaces the NIC, and the prior one is deleted first."""
    nic = new("InterfaceAttachment")
    program = {
        "server_id": fixtures.server,
        "network_id": fixtures.other_network,
        "fixed_ips": [{"ip_address": "10.90.2.77"}],
    }
    nic.up(**program)
    assert_no_changes(nic, program)
    remote = fixtures.cloud.network.get_port(nic.outputs["port_id"]).fixed_ips
    assert [item["ip_address"] for item in remote] == ["10.90.2.77"]
    other = {**program, "fixed_ips": [{"ip_address": "10.90.2.78"}]}
    step = nic.preview(**other)
    assert (step.op, step.delete_first) == ("replace", True)


def test_interface_attachment_rejects_contradictory_inputs(new: New, fixtures: CloudFixtures) -> None:
    """The check rejects a port together with a network, and a port together with addresses."""
    with pytest.raises(Refused, match="give only one of `port_id` or `network_id`"):
        new("InterfaceAttachment").preview(server_id=fixtures.server, port_id="a", network_id="b")
    with pytest.raises(Refused, match="fixed_ips: only with `network_id`"):
        new("InterfaceAttachment").preview(
            server_id=fixtures.server, port_id=fixtures.ports[0], fixed_ips=[{"ip_address": "10.0.0.1"}]
        )
