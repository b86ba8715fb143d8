"""Where volumes, and what is attached to servers, need care."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import errors
from ecs_pulumi.emulator.cinder import types
from ecs_pulumi.emulator.nova import attachments
from tests.support.steps import SAME, UNKNOWN, Failed, Refused, State, updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.ground import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]


OWN = ("readonly", "managed-by-pulumi")
"""Metadata that is not the program's."""


def settled(it: Resource, program: dict[str, Any]) -> None:
    """There is nothing to do, also after a refresh."""
    assert it.preview(**program) == SAME
    it.refresh()
    assert it.preview(**program) == SAME


def becomes(it: Resource, field: str, program: dict[str, Any]) -> None:
    """The field changes in place, and nothing is left to do, also after a refresh."""
    before = it.id
    assert it.preview(**program) == updates(field)
    it.up(**program)
    assert it.id == before
    settled(it, program)


def test_extend_attached_and_detached(new: New, ground: CloudFixtures) -> None:
    """A volume grows alone, in a server, and alone again: always the same volume."""
    volume, attachment = new("Volume"), new("VolumeAttachment")
    volume.up(size=1)
    becomes(volume, "size", {"size": 2})
    attachment.up(server_id=ground.server, volume_id=volume.id)
    becomes(volume, "size", {"size": 3})
    assert volume.outputs["status"] == "in-use"
    assert [item["server_id"] for item in volume.outputs["attachments"]] == [ground.server]
    attachment.destroy()
    becomes(volume, "size", {"size": 4})
    assert volume.outputs["status"] == "available"


def test_the_volumes_of_a_shelved_server(new: New, ground: CloudFixtures) -> None:
    """Cinder lists no attachment of theirs, and they stay attached; more are attached, and all detached, at a time."""
    server, program = new("Server"), {**ground.server_inputs, "power_state": "shelved_offloaded"}
    server.up(**program)
    volumes = [new("Volume") for _ in range(3)]
    attachments = [new("VolumeAttachment") for _ in volumes]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda volume: volume.up(size=1), volumes))
        wanted = [{"server_id": server.id, "volume_id": volume.id} for volume in volumes]
        list(pool.map(lambda pair: pair[0].up(**pair[1]), zip(attachments, wanted, strict=True)))
        for attachment, inputs in zip(attachments, wanted, strict=True):
            settled(attachment, inputs)
        settled(server, program)
        volume = volumes[0]
        volume.refresh()
        assert volume.outputs["status"] == "reserved"
        volume.up(size=1, metadata={"a": "1"})
        assert volume.outputs["metadata"] == {"a": "1"}
        if not ground.live:
            with pytest.raises(Failed, match="unshelve the server first"):
                volume.up(size=2, metadata={"a": "1"})
        list(pool.map(lambda attachment: attachment.destroy(), attachments))
    settled(server, program)
    volume.up(size=2, metadata={"a": "1"})
    assert volume.outputs["status"] == "available"


def test_a_cloud_that_extends_no_attached_volume(new: New, ground: CloudFixtures) -> None:
    """The preview refuses it and names the way out; detached, or with nothing to grow, it does not."""
    config = {"ecs:apiVersions": '{"block-storage": "3.0"}'}
    volume, attachment = new("Volume", config=config), new("VolumeAttachment", config=config)
    volume.up(size=1)
    attachment.up(server_id=ground.server, volume_id=volume.id)
    with pytest.raises(
        Failed, match=rf"size: .*3\.42.* server {ground.server}.* detach it first, in an `up` of its own"
    ):
        volume.preview(size=2)
    assert volume.preview(size=1, name="data") == updates("name")
    assert volume.preview(size=UNKNOWN) == updates("size")
    attachment.destroy()
    becomes(volume, "size", {"size": 2})


def test_detached_and_attached_again_at_once(new: New, ground: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nova still lists a volume a moment after Cinder has it back; that is no attachment that has begun."""
    if not ground.live:
        monkeypatch.setattr(attachments, "FORGETTING", 40)
    first, second = new("VolumeAttachment"), new("VolumeAttachment")
    program = {"server_id": ground.server, "volume_id": ground.volumes[0]}
    first.up(**program)
    first.destroy()
    second.up(**program)
    settled(second, program)
    second.destroy()
    # What Nova still lists and Cinder does not know of is gone.
    second.state = State(f"{ground.server}/{ground.volumes[0]}", program, program)
    second.destroy()


def test_shrinking_is_refused_in_preview(new: New) -> None:
    """A smaller size is refused before anything happens; one that is not known yet is not."""
    volume = new("Volume")
    volume.up(size=2)
    with pytest.raises(Refused, match="size: can only grow: it is 2 and the program says 1"):
        volume.preview(size=1)
    assert volume.preview(size=UNKNOWN) == updates("size")


def test_retype(new: New, ground: CloudFixtures) -> None:
    """Another type is another type of the same volume, there and back, alone with its policy."""
    one, two = ground.landscape.volume_types[:2]
    volume = new("Volume")
    volume.up(size=1, volume_type=one)
    becomes(volume, "volume_type", {"size": 1, "volume_type": two})
    assert ground.cloud.block_storage.get_volume(volume.id).volume_type == two
    volume.up(size=1, volume_type=two, retype_policy="never")
    becomes(volume, "volume_type", {"size": 1, "volume_type": one, "retype_policy": "never"})


def test_a_type_by_its_id(new: New, ground: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cinder tells a type by its name alone; its id is the same type, changes to it, and may be hidden since."""
    ids = {each.name: each.id for each in ground.cloud.block_storage.types()}
    one, other = (ids[name] for name in ground.landscape.volume_types[:2])
    disk = new("Volume")
    disk.up(size=1, volume_type=one)
    settled(disk, {"size": 1, "volume_type": one})
    becomes(disk, "volume_type", {"size": 1, "volume_type": other})
    assert ground.cloud.block_storage.get_volume(disk.id).volume_type == ground.landscape.volume_types[1]
    if not ground.live:
        monkeypatch.setattr(types, "_is_seen", lambda *_: False)
        becomes(disk, "size", {"size": 2, "volume_type": other})
        monkeypatch.setattr(types, "volume_types", _forbidden)
        settled(disk, {"size": 2, "volume_type": other})


def _forbidden(_: object) -> None:
    raise errors.HttpError(403, "Policy does not allow volume_extension:type_get to be performed.")


def test_a_type_that_never_was_is_no_success(ground: CloudFixtures) -> None:
    """An id that stands for nothing is the cloud's to refuse where the preview does not look."""
    one, _ = ground.landscape.volume_types[:2]
    disk = ground.resource("Volume", config={"ecs:preflight": "false"})
    disk.up(size=1, volume_type=one)
    with pytest.raises(Failed, match="11111111-2222-3333-4444-555555555555"):
        disk.up(size=1, volume_type="11111111-2222-3333-4444-555555555555")
    disk.destroy()


def test_metadata_that_only_looks_like_the_clouds(new: New) -> None:
    """Keys of one's own may begin like those of Cinder's."""
    disk = new("Volume")
    metadata = {"readonly_reason": "audit", "attached_mode_wanted": "rw"}
    disk.up(size=1, metadata=metadata)
    settled(disk, {"size": 1, "metadata": metadata})


def test_an_error_is_no_reason_to_lose_data(new: New, ground: CloudFixtures) -> None:
    """A volume that was of use is not made anew when it is in error; what was taken over is not, either."""
    disk, taken = new("Volume"), new("Volume")
    disk.up(size=1)
    ground.admin.block_storage.reset_volume_status(disk.id, status="error", attach_status=None, migration_status=None)
    disk.refresh()
    assert (disk.outputs["status"], disk.preview(size=1)) == ("error", SAME)
    # A state that an older version wrote does not say so, but that it was available.
    disk.outputs.update(was_available=None, status="available")
    disk.refresh()
    assert (disk.outputs["status"], disk.preview(size=1)) == ("error", SAME)
    taken.up(size=1, adopt=disk.id)
    taken.refresh()
    assert (taken.outputs["status"], taken.preview(size=1, adopt=disk.id)) == ("error", SAME)
    taken.forget()


def test_metadata_under_the_clouds_keys(new: New, ground: CloudFixtures) -> None:
    """A key with two underscores is kept where the program declares it, and deleted with its declaration."""
    disk, storage = new("Volume"), ground.cloud.block_storage
    declared = {"__own": "1", "a": "1"}

    def has() -> dict[str, str]:
        return {key: value for key, value in storage.get_volume(disk.id).metadata.items() if key not in OWN}

    disk.up(size=1, metadata=declared)
    settled(disk, {"size": 1, "metadata": declared})
    assert has() == declared
    storage.set_volume_metadata(disk.id, __system__cmkid="the cloud's")
    settled(disk, {"size": 1, "metadata": declared})
    becomes(disk, "metadata", {"size": 1, "metadata": {"__own": "2"}})
    becomes(disk, "metadata", {"size": 1, "metadata": {"a": "2"}})
    assert has() == {"a": "2", "__system__cmkid": "the cloud's"}


def test_metadata_that_the_cloud_does_not_give_up(new: New) -> None:
    """A key of the cloud's own that the program no longer declares is left to the cloud, and no difference."""
    disk = new("Volume")
    disk.up(size=1, metadata={"__system__encrypted": "1"})
    becomes(disk, "metadata", {"size": 1, "metadata": {"a": "2"}})


@pytest.mark.parametrize(
    ("key", "said"), [("readonly", "the cloud itself; set `read_only`"), ("attached_mode", "the cloud itself")]
)
def test_metadata_that_cinder_writes(new: New, key: str, said: str) -> None:
    """What Cinder overwrites never settles, and is refused."""
    with pytest.raises(Refused, match=f"`{key}` is written by {said}"):
        new("Volume").preview(size=1, metadata={key: UNKNOWN})


def test_metadata_cleared(new: New, ground: CloudFixtures) -> None:
    """A key that the program drops is gone; what the cloud itself writes is no drift and stays."""
    volume = new("Volume")
    volume.up(size=1, metadata={"a": "1", "b": "2"}, read_only=True)
    for metadata in ({"b": "2"}, {"b": "3", "c": ""}, {}):
        becomes(volume, "metadata", {"size": 1, "metadata": metadata, "read_only": True})
        found = ground.cloud.block_storage.get_volume(volume.id).metadata
        assert {key: value for key, value in found.items() if key not in OWN} == metadata
    assert volume.outputs["read_only"] is True


@pytest.mark.parametrize("source", ["image", "snapshot_id", "source_volume_id"])
def test_sources(new: New, ground: CloudFixtures, source: str) -> None:
    """A volume is filled from an image, a snapshot or another volume, and can grow beyond it."""
    volume = new("Volume")
    sources = {"image": lambda: ground.images[0], "snapshot_id": lambda: ground.snapshots[0]}
    filled = {source: sources.get(source, lambda: ground.volumes[0])()}
    volume.up(size=1, **filled)
    settled(volume, {"size": 1, **filled})
    assert volume.outputs["bootable"] is (source == "image")
    becomes(volume, "size", {"size": 2, **filled})


def test_image_by_name_and_by_id(new: New, ground: CloudFixtures) -> None:
    """The image's id instead of its name is no change."""
    volume = new("Volume")
    volume.up(size=1, image=ground.images[0])
    assert volume.preview(size=1, image=volume.outputs["image_id"]) == SAME


@pytest.mark.parametrize("other", ["snapshot_id", "source_volume_id", "backup_id"])
def test_one_source_only(new: New, ground: CloudFixtures, other: str) -> None:
    """Two sources are refused in the preview."""
    with pytest.raises(Refused, match="give only one of `image` or `snapshot_id`"):
        new("Volume").preview(size=1, image=ground.images[0], **{other: "any"})


def test_several_attachments_at_once(new: New, ground: CloudFixtures) -> None:
    """Volumes are attached to one server, and detached, all at the same time."""
    volumes = [new("Volume") for _ in range(3)]
    attachments = [new("VolumeAttachment") for _ in volumes]
    with ThreadPoolExecutor(len(volumes)) as pool:
        list(pool.map(lambda volume: volume.up(size=1), volumes))
        programs = [{"server_id": ground.server, "volume_id": volume.id} for volume in volumes]
        list(pool.map(lambda it, program: it.up(**program), attachments, programs))
        devices = {it.outputs["device"] for it in attachments}
        assert len(devices) == len(volumes), "each has a device of its own"
        for it, program in zip(attachments, programs, strict=True):
            settled(it, program)
        list(pool.map(lambda it: it.destroy(), attachments))
    for volume in volumes:
        assert ground.cloud.block_storage.get_volume(volume.id).status == "available"


def test_one_volume_in_two_servers(new: New, ground: CloudFixtures) -> None:
    """A volume that several may have is attached to two servers at the same time, and leaves both at the same time."""
    volume = new("Volume")
    program = {"size": 1, "volume_type": ground.multiattach_type, "multiattach": True}
    volume.up(**program)
    settled(volume, program)
    assert volume.outputs["multiattach"] is True
    attachments = [new("VolumeAttachment") for _ in range(2)]
    programs = [
        {"server_id": server, "volume_id": volume.id, "multiattach": True}
        for server in (ground.server, ground.other_server)
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda it, program: it.up(**program), attachments, programs))
        for it, said in zip(attachments, programs, strict=True):
            settled(it, said)
        volume.refresh()
        assert {item["server_id"] for item in volume.outputs["attachments"]} == {ground.server, ground.other_server}
        list(pool.map(lambda it: it.destroy(), attachments))
    assert ground.cloud.block_storage.get_volume(volume.id).status == "available"


def test_several_servers_need_a_type_that_allows_it(new: New, ground: CloudFixtures) -> None:
    """Where the type does not allow it, the cloud's own words say what to do, and nothing is left."""
    volume = new("Volume")
    with pytest.raises(Failed, match="multiattach enabled volume type"):
        volume.up(size=1, volume_type=ground.landscape.volume_types[0], multiattach=True)
    assert volume.state is None


def test_a_backup_that_is_not_there(new: New) -> None:
    """A backup is asked of the cloud, whose refusal names it; nothing is left."""
    volume, nothing = new("Volume"), "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"
    with pytest.raises(Failed, match=f"Backup {nothing} could not be found"):
        volume.up(size=1, backup_id=nothing)
    assert volume.state is None


def test_a_wished_device(new: New, ground: CloudFixtures) -> None:
    """The cloud's device is told as it is; that it is not the one wished for is no diff, another wish is."""
    attachment = new("VolumeAttachment")
    program = {"server_id": ground.server, "volume_id": ground.volumes[0], "device": "/dev/vdk"}
    attachment.up(**program)
    settled(attachment, program)
    found = ground.cloud.block_storage.get_volume(ground.volumes[0]).attachments
    assert attachment.outputs["device"] == found[0]["device"]
    assert attachment.preview(**{**program, "device": "/dev/vdl"}).op == "replace"


def test_an_attachment_that_is_there_is_taken(new: New, ground: CloudFixtures) -> None:
    """What an interrupted `up` attached is finished by the next, not refused."""
    first, second = new("VolumeAttachment"), new("VolumeAttachment")
    program = {"server_id": ground.server, "volume_id": ground.volumes[0]}
    first.up(**program)
    second.up(**program)
    assert second.id == first.id == f"{ground.server}/{ground.volumes[0]}"
    first.forget()


def test_a_volume_of_another_server_is_not_taken(new: New, ground: CloudFixtures) -> None:
    """A volume that another server has is refused, and nothing is recorded."""
    first, second = new("VolumeAttachment"), new("VolumeAttachment")
    first.up(server_id=ground.server, volume_id=ground.volumes[0])
    with pytest.raises((Failed, Refused), match=ground.volumes[0]):
        second.up(server_id=ground.other_server, volume_id=ground.volumes[0])
    assert second.state is None


def test_interface_by_port(new: New, ground: CloudFixtures) -> None:
    """A port is bound; it outlives its NIC."""
    port, nic = new("Port"), new("InterfaceAttachment")
    port.up(network_id=ground.other_network)
    program = {"server_id": ground.server, "port_id": port.id}
    nic.up(**program)
    settled(nic, program)
    assert nic.id == f"{ground.server}/{port.id}"
    assert nic.outputs["network_id"] == ground.other_network
    port.refresh()
    assert port.outputs["device_id"] == ground.server
    assert port.preview(network_id=ground.other_network) == SAME
    nic.destroy()
    assert not ground.cloud.network.get_port(port.id).device_id


def test_interface_by_network(new: New, ground: CloudFixtures) -> None:
    """Nova makes a port in the network, which goes with the NIC."""
    nic = new("InterfaceAttachment")
    program = {"server_id": ground.server, "network_id": ground.other_network}
    nic.up(**program)
    settled(nic, program)
    port = nic.outputs["port_id"]
    assert ground.cloud.network.get_port(port).device_id == ground.server
    nic.destroy()
    assert ground.cloud.network.find_port(port) is None


def test_interface_with_a_requested_address(new: New, ground: CloudFixtures) -> None:
    """The NIC gets the address that is asked for; another one takes its place after it is gone."""
    nic = new("InterfaceAttachment")
    program = {
        "server_id": ground.server,
        "network_id": ground.other_network,
        "fixed_ips": [{"ip_address": "10.90.2.77"}],
    }
    nic.up(**program)
    settled(nic, program)
    found = ground.cloud.network.get_port(nic.outputs["port_id"]).fixed_ips
    assert [item["ip_address"] for item in found] == ["10.90.2.77"]
    other = {**program, "fixed_ips": [{"ip_address": "10.90.2.78"}]}
    step = nic.preview(**other)
    assert (step.op, step.delete_first) == ("replace", True)


def test_interface_by_both_is_refused(new: New, ground: CloudFixtures) -> None:
    """A port or a network, and addresses only with a network."""
    with pytest.raises(Refused, match="give only one of `port_id` or `network_id`"):
        new("InterfaceAttachment").preview(server_id=ground.server, port_id="a", network_id="b")
    with pytest.raises(Refused, match="fixed_ips: only with `network_id`"):
        new("InterfaceAttachment").preview(
            server_id=ground.server, port_id=ground.ports[0], fixed_ips=[{"ip_address": "10.0.0.1"}]
        )
