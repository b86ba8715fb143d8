"""Volumes on an Open Telekom Cloud: what its block storage does in another way than OpenStack's."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.dynamic import provider
from ecs_pulumi.resources import idempotent_create
from tests.fields.assertions import assert_no_changes, assert_updates_in_place
from tests.fields.cloud_fixtures import CloudFixtures, new_resources, run_emulator
from tests.support import steps
from tests.support.landscape import emulated
from tests.support.steps import SAME, Failed, Refused, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecs_pulumi.emulator import Emulator
    from ecs_pulumi.emulator.dialects import DialectName
    from tests.support.steps import Resource

    New = Callable[..., Resource]

KEY_ID = "6eb22a4f-1d5e-4f0a-9d6c-0d5a9f1f6f4e"
ENCRYPTED = {"__system__encrypted": "1", "__system__cmkid": KEY_ID}


class Otc(CloudFixtures):
    """The shared objects in an emulated Open Telekom Cloud, and its requests."""

    def __init__(self, cloud: Emulator) -> None:
        super().__init__(emulated(cloud))
        self.emulator = cloud

    def sent(self, method: str, ending: str) -> list[int]:
        """Return the statuses of the responses to requests to paths with this end, and forget all requests."""
        statuses = [
            each.status for each in self.emulator.requests if each.method == method and each.path.endswith(ending)
        ]
        self.emulator.requests.clear()
        return statuses

    def metadata(self, disk: Resource) -> dict[str, str]:
        """Return the metadata of a volume without the owner marker."""
        found = dict(self.cloud.block_storage.get_volume(disk.id).metadata)
        return {key: value for key, value in found.items() if key != "managed-by-pulumi"}

    def write(self, disk: Resource, **changes: Any) -> None:
        """Change a volume as the cloud does."""
        with self.emulator.state() as state:
            volume = state.get("volume", disk.id) or {}
            state.put("volume", volume | {"metadata": volume["metadata"] | changes})


@contextmanager
def otc_with(dialect: DialectName = "otc", **rules: str) -> Iterator[Otc]:
    """Return a new cloud with these rules."""
    with run_emulator(dialect, rules=rules) as cloud, Otc(cloud) as created:
        yield created


@pytest.fixture(scope="module")
def otc() -> Iterator[Otc]:
    """A cloud with the rules of the dialect."""
    with otc_with() as created:
        yield created


@pytest.fixture
def new_in_otc(otc: Otc) -> Iterator[New]:
    """Return new resources; destroy them after the test, the last one first."""
    with new_resources(otc, "Volume") as resource:
        yield resource


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """All operations of the test are those of one process, which keeps what it has learned."""
    monkeypatch.setattr(steps, "clear_caches", lambda: None)


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("zone_required", ["yes", "no"])
def test_zone_is_computed(zone_required: str) -> None:
    """A volume without a zone gets one that has its type; only the first create of a process is refused for it."""
    with otc_with(zone_required=zone_required) as otc:
        plain, fast, other = (otc.resource("Volume") for _ in range(3))
        plain.up(size=10)
        assert otc.sent("POST", "/volumes") == ([400, 202] if zone_required == "yes" else [202])
        assert plain.outputs["availability_zone"] == "eu-de-01"
        assert_no_changes(plain, {"size": 10})
        fast.up(size=10, volume_type="ESSD")
        assert fast.outputs["availability_zone"] == "eu-de-02"
        assert_no_changes(fast, {"size": 10, "volume_type": "ESSD"})
        other.up(size=10, availability_zone="eu-de-03")
        assert otc.sent("POST", "/volumes") == [202, 202]
        for each in (plain, fast, other):
            each.destroy()


def test_zone_of_snapshot(otc: Otc, new_in_otc: New) -> None:
    """A volume from a snapshot gets the zone of the snapshot's volume."""
    source, copy = new_in_otc(), new_in_otc()
    source.up(size=10, availability_zone="eu-de-03")
    storage = otc.cloud.block_storage
    snapshot = storage.create_snapshot(volume_id=source.id).id
    otc.wait_for(lambda: storage.get_snapshot(snapshot).status == "available")
    copy.up(size=10, snapshot_id=snapshot)
    assert copy.outputs["availability_zone"] == "eu-de-03"
    assert_no_changes(copy, {"size": 10, "snapshot_id": snapshot})


@pytest.mark.parametrize("name", ["az-42", "availability-zone"])
def test_name_is_not_taken_for_a_refusal_of_the_zone(name: str) -> None:
    """An OpenStack that refuses a volume and repeats its name gets no second request."""
    with otc_with("openstack") as cloud:
        refusal = {"badRequest": {"message": f"Invalid volume: {name} is not allowed as a name"}}
        cloud.emulator.fault(method="POST", path="*/volumes", status=400, times=1, body=refusal)
        disk = cloud.resource("Volume")
        with pytest.raises(Failed, match=f"{name} is not allowed as a name"):
            disk.up(size=1, name=name)
        assert cloud.sent("POST", "/volumes") == [400]


def test_search_for_a_zone_does_not_hide_the_refusal(otc: Otc, new_in_otc: New) -> None:
    """If no zone can be found, the error is the refusal of the create, unless that is about the zone."""
    otc.emulator.fault(method="GET", path="*/os-availability-zone", status=403)
    try:
        otc.emulator.fault(
            method="POST", path="*/volumes", status=400, times=1, body={"error": {"message": "too small"}}
        )
        with pytest.raises(Failed, match=r"too small \(HTTP 400"):
            new_in_otc().up(size=1)
        with pytest.raises(Failed, match="availability_zone: this cloud requires it, and the search failed"):
            new_in_otc().up(size=10)
    finally:
        otc.emulator.clear_faults()


def test_type_that_the_zone_lacks_is_refused_in_preview(new_in_otc: New) -> None:
    """A preview compares the zone with the zones of the type, for a new volume and for a change of the type."""
    disk = new_in_otc()
    refused = pytest.raises(Refused, match="volume_type: the zone eu-de-01 does not have ESSD; zones that do: eu-de-02")
    with refused:
        disk.preview(size=10, volume_type="ESSD", availability_zone="eu-de-01")
    disk.up(size=10, availability_zone="eu-de-01")
    with refused:
        disk.preview(size=10, volume_type="ESSD")


def test_type_that_the_chosen_zone_lacks_is_refused_in_preview(new_in_otc: New) -> None:
    """A preview knows the zone of an existing volume also if the program does not name it."""
    disk = new_in_otc()
    disk.up(size=10, volume_type="SSD")
    assert disk.outputs["availability_zone"] == "eu-de-01"
    with pytest.raises(Failed, match="volume_type: the zone eu-de-01 does not have ESSD; zones that do: eu-de-02"):
        disk.preview(size=10, volume_type="ESSD")
    assert disk.preview(size=10, volume_type="GPSSD") == updates("volume_type")


@pytest.mark.parametrize("declared", [True, False])
def test_chosen_zone_has_servers(new_in_otc: New, otc: Otc, monkeypatch: pytest.MonkeyPatch, declared: bool) -> None:  # noqa: FBT001
    """A volume without a zone is in the zone of the servers of the program, or of the project, if it has the type."""
    server, disk, fast = new_in_otc("Server"), new_in_otc(), new_in_otc()
    program = otc.server_inputs | {"availability_zone": "eu-de-03"}
    if declared:
        monkeypatch.setattr(steps, "clear_caches", lambda: None)
        server.preview(**program)
    else:
        server.up(**program)
    disk.up(size=10)
    fast.up(size=10, volume_type="ESSD")
    assert [each.outputs["availability_zone"] for each in (disk, fast)] == ["eu-de-03", "eu-de-03"]
    assert_no_changes(disk, {"size": 10})


def test_failed_list_of_servers_does_not_matter(new_in_otc: New, otc: Otc) -> None:
    """If the servers cannot be listed, a volume is in the first zone that has its type."""
    otc.emulator.fault(method="GET", path="*/servers/detail", status=403, times=10)
    disk = new_in_otc()
    disk.up(size=10, volume_type="ESSD")
    assert disk.outputs["availability_zone"] == "eu-de-02"
    otc.emulator.clear_faults()


def test_volume_of_another_zone_is_not_attached(otc: Otc, new_in_otc: New) -> None:
    """The error of `up` and the next preview name the property and the zone; the next preview sees it by itself."""
    disk, attachment = new_in_otc(), new_in_otc("VolumeAttachment")
    disk.up(size=10, availability_zone="eu-de-03")
    program = {"server_id": otc.server, "volume_id": disk.id}
    advice = r"`availability_zone=server.availability_zone` in the Volume, which replaces it"
    with pytest.raises(Failed, match=rf"volume_id: .*not in the same availability_zone.*: set {advice}"):
        attachment.up(**program)
    assert attachment.state is None
    idempotent_create._created.clear()  # the next command is another process
    with pytest.raises(
        Refused, match=rf"^volume_id: the volume is in eu-de-03, the server in eu-de-0[12]: set {advice}$"
    ):
        attachment.preview(**program)


def test_server_with_volume_of_another_zone(otc: Otc, new_in_otc: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview compares the zone of a new server with those of its volumes and their types; so does the error."""
    disk, server = new_in_otc(), new_in_otc("Server")
    disk.up(size=10, availability_zone="eu-de-03", image=otc.landscape.image)
    root = {"source_type": "volume", "destination_type": "volume", "uuid": disk.id, "boot_index": 0}
    program = otc.server_inputs | {"image": None, "block_devices": [root]}
    with pytest.raises(Failed, match=r"not in the same availability zone.*\. availability_zone: set it to that of the"):
        server.up(**program, availability_zone="eu-de-01")
    idempotent_create._created.clear()
    with pytest.raises(
        Refused, match=r"block_devices\[0\]: the volume is in eu-de-03, the server would be in eu-de-01"
    ):
        server.preview(**program, availability_zone="eu-de-01")
    typed = {"source_type": "image", "destination_type": "volume", "volume_size": 10, "boot_index": 0}
    typed |= {"volume_type": "ESSD"}
    with pytest.raises(Refused, match=r"block_devices\[0\]: the zone eu-de-01 does not have ESSD; zones that do: eu"):
        server.preview(**otc.server_inputs | {"block_devices": [typed]}, availability_zone="eu-de-01")
    server.up(**program)
    assert server.outputs["availability_zone"] == "eu-de-03"


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("retype_status", ["hidden", "shown"])
def test_retype(retype_status: str) -> None:
    """The type changes in place by the cloud's own path, which the process learns; the update waits for the type."""
    with otc_with(retype_status=retype_status) as otc:
        first, second = otc.resource("Volume"), otc.resource("Volume")
        for disk in (first, second):
            disk.up(size=10, volume_type="SAS")
        assert_updates_in_place(first, "volume_type", {"size": 10, "volume_type": "SSD"})
        assert otc.cloud.block_storage.get_volume(first.id).volume_type == "SSD"
        assert otc.sent("POST", f"{first.id}/action") == [400]
        ids = {each.name: each.id for each in otc.cloud.block_storage.types()}
        assert_updates_in_place(second, "volume_type", {"size": 10, "volume_type": ids["GPSSD"]})
        assert otc.sent("POST", f"{second.id}/action") == []
        for disk in (first, second):
            disk.destroy()


def test_retype_to_slower_type_fails(new_in_otc: New) -> None:
    """A change that the cloud does not allow fails at once, with what it allows."""
    disk = new_in_otc()
    disk.up(size=10, volume_type="SSD")
    with pytest.raises(Failed, match=r"new one is higher than origin .*another kind of SSD, or to a faster type"):
        disk.up(size=10, volume_type="SAS")
    disk.up(size=10, volume_type="SSD")
    assert_no_changes(disk, {"size": 10, "volume_type": "SSD"})


@pytest.mark.parametrize(
    ("refusal", "shown"),
    [
        ({"badRequest": {"message": "Volume backup in progress"}}, "Volume backup in progress"),
        (
            {"error": {"code": "EVS.5400", "message": "Malformed body"}},
            "Malformed body.*has no path of its own for it either: API not found",
        ),
    ],
    ids=["the volume", "unknown"],
)
def test_retype_refused_by_a_cloud_without_the_path(
    otc: Otc, new_in_otc: New, refusal: dict[str, Any], shown: str
) -> None:
    """The error shows the refusal of the action, and the cloud is not taken for one that has the path."""
    disk = new_in_otc()
    disk.up(size=10, volume_type="SAS")
    otc.emulator.fault(method="POST", path="*/action", status=400, body=refusal)
    otc.emulator.fault(method="POST", path="*/retype", gateway=404)
    try:
        with pytest.raises(Failed, match=shown):
            disk.up(size=10, volume_type="SSD")
    finally:
        otc.emulator.clear_faults()
    otc.sent("POST", "/action")
    disk.up(size=10, volume_type="SSD")
    assert otc.sent("POST", f"{disk.id}/action") == [400]


@pytest.mark.usefixtures("one_process")
def test_refusal_without_a_code_does_not_prove_the_path(otc: Otc, new_in_otc: New) -> None:
    """Only an answer of the path itself shows that a cloud has it."""
    disk = new_in_otc()
    disk.up(size=10, volume_type="SAS")
    otc.emulator.fault(method="POST", path="*/retype", status=400, times=1, body={"badRequest": {"message": "no"}})
    with pytest.raises(Failed, match=r"no .*If its type is already being changed"):
        disk.up(size=10, volume_type="SSD")
    otc.sent("POST", "/action")
    disk.up(size=10, volume_type="SSD")
    assert otc.sent("POST", f"{disk.id}/action") == [400]


def test_retype_without_moving_data_is_refused(new_in_otc: New) -> None:
    """The cloud has no policy `never`: the change fails, and names the input."""
    disk = new_in_otc()
    disk.up(size=10, volume_type="SAS")
    with pytest.raises(Failed, match=r"retype_policy: .*no such action.* this cloud decides itself .* move: set it to"):
        disk.up(size=10, volume_type="SSD", retype_policy="never")
    disk.up(size=10, volume_type="SSD")
    assert_no_changes(disk, {"size": 10, "volume_type": "SSD"})


def test_retype_that_runs_already(otc: Otc, new_in_otc: New) -> None:
    """A change that an interrupted run requested is waited for, although the cloud refuses the second request."""
    disk = new_in_otc()
    disk.up(size=10, volume_type="SAS")
    path = f"{str(otc.cloud.block_storage.get_endpoint()).replace('/v3/', '/v2/')}/volumes/{disk.id}/retype"
    assert otc.cloud.block_storage.post(path, json={"os-retype": {"new_type": "SSD"}}).status_code == 202
    otc.emulator.requests.clear()
    disk.up(size=10, volume_type="SSD")
    assert otc.sent("POST", "/retype") == [400]
    assert_no_changes(disk, {"size": 10, "volume_type": "SSD"})


def test_failed_retype_ends_with_the_timeout(otc: Otc, new_in_otc: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that the cloud gives up without an error ends with the timeout; the next `up` requests it again."""
    disk = new_in_otc()
    disk.up(size=10, volume_type="SAS")
    monkeypatch.setattr(steps, "TIMEOUT", 40.0)
    otc.emulator.fault(outcome="fail-retype", times=1)
    with pytest.raises(Failed, match=r"Gave up waiting for volume .* to have the type SSD .*available, type SAS"):
        disk.up(size=10, volume_type="SSD")
    disk.up(size=10, volume_type="SSD")
    assert_no_changes(disk, {"size": 10, "volume_type": "SSD"})


@pytest.mark.parametrize("version", ["2", "3.0", None])
def test_extend_of_attached_volume(otc: Otc, new_in_otc: New, warnings: list[str], version: str | None) -> None:
    """An attached volume is extended in place with every version of the API."""
    config = {"ecs:apiVersions": json.dumps({"block-storage": version})} if version else {}
    disk, attachment = new_in_otc(config=config), new_in_otc("VolumeAttachment", config=config)
    disk.up(size=10)
    attachment.up(server_id=otc.server, volume_id=disk.id)
    assert_updates_in_place(disk, "size", {"size": 11})
    assert (disk.outputs["status"], warnings) == ("in-use", [])


def test_attachment_of_bootable_volume_needs_a_device(otc: Otc, new_in_otc: New) -> None:
    """The error names the property, and the volume is attached with it."""
    zone = otc.cloud.compute.get_server(otc.server).availability_zone
    disk, attachment = new_in_otc(), new_in_otc("VolumeAttachment")
    disk.up(size=8, image=otc.images[0], availability_zone=zone)
    program = {"server_id": otc.server, "volume_id": disk.id}
    with pytest.raises(Failed, match=r"device: .*must be specified.*Set it to the next free name") as failed:
        attachment.up(**program)
    assert "\n" not in str(failed.value)
    attachment.up(**program, device="/dev/vdb")
    assert_no_changes(attachment, program | {"device": "/dev/vdb"})


def test_deletion_warns_of_snapshots(new_in_otc: New, warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The cloud deletes the snapshots of a volume with it, which a preview says."""
    monkeypatch.setattr(provider, "_reported_losses", set())
    disk = new_in_otc()
    disk.up(size=10)
    disk.preview(size=10, availability_zone="eu-de-03")
    assert warnings[-1].startswith(f"replacing {disk.name} deletes its data (10 GiB) and its snapshots, if it has any")


def test_extend_of_shared_volume_fails(otc: Otc, new_in_otc: New) -> None:
    """A shared volume that is attached is not extended; the error says to detach it."""
    disk = new_in_otc()
    program = {"size": 10, "multiattach": True}
    disk.up(**program)
    with otc.emulator.state() as state:
        attached = [{"server_id": "one", "attachment_id": "two", "device": "/dev/vdb"}]
        state.put("volume", {**(state.get("volume", disk.id) or {}), "status": "in-use", "attachments": attached})
    with pytest.raises(Failed, match=r"size: multiattach volume status .*attached to server one: detach it first"):
        disk.up(**program | {"size": 11})
    with otc.emulator.state() as state:
        state.put("volume", {**(state.get("volume", disk.id) or {}), "status": "available", "attachments": []})


def test_metadata_of_the_cloud_is_no_drift(otc: Otc, new_in_otc: New) -> None:
    """Keys that the program never declared belong to the cloud, whenever it writes them: they stay."""
    disk, program = new_in_otc(), {"size": 10, "name": "disk", "metadata": {"a": "1", "b": "2"}}
    disk.up(**program)
    of_cloud = {"__system__volume_name": "disk", "hw:passthrough": "false", "backupId": "x", "orderID": "y"}
    otc.write(disk, backupId="x", orderID="y")
    assert_no_changes(disk, program)
    assert disk.outputs["metadata"] == {"a": "1", "b": "2"}
    for metadata in ({"b": "3", "c": "4"}, {}):
        assert_updates_in_place(disk, "metadata", program | {"metadata": metadata})
        assert otc.metadata(disk) == of_cloud | metadata
    assert_no_changes(disk, {"size": 10, "name": "disk"})
    assert disk.outputs["metadata"] == {}


def test_key_with_a_slash_is_removed(otc: Otc, new_in_otc: New) -> None:
    """The requests for one key quote it."""
    disk = new_in_otc()
    disk.up(size=10, metadata={"a/b: c": "1"})
    assert_updates_in_place(disk, "metadata", {"size": 10, "metadata": {}})
    assert "a/b: c" not in otc.metadata(disk)


def test_metadata_removed_by_hand_is_drift(otc: Otc, new_in_otc: New) -> None:
    """A key that the program declares is written again."""
    disk, program = new_in_otc(), {"size": 10, "metadata": {"a": "1"}}
    disk.up(**program)
    otc.cloud.block_storage.delete_volume_metadata(disk.id, ["a"])
    disk.refresh()
    assert disk.preview(**program) == updates("metadata")
    disk.up(**program)
    assert otc.metadata(disk)["a"] == "1"


def test_removed_key_is_deleted_after_a_failure(otc: Otc, new_in_otc: New) -> None:
    """If the deletion of a key fails, the next `up` deletes it."""
    disk, program = new_in_otc(), {"size": 10, "metadata": {"a": "1", "b": "2"}}
    disk.up(**program)
    otc.emulator.fault(method="DELETE", path="*/metadata/a", status=400, times=1)
    with pytest.raises(Failed):
        disk.up(size=10, metadata={"b": "3"})
    disk.up(size=10, metadata={"b": "3"})
    assert "a" not in otc.metadata(disk)
    assert_no_changes(disk, {"size": 10, "metadata": {"b": "3"}})


def test_encrypted_scsi_disk(otc: Otc, new_in_otc: New) -> None:
    """Metadata select encryption and SCSI, and stay; an update cannot change them, only stop managing them."""
    disk, metadata = new_in_otc(), {**ENCRYPTED, "hw:passthrough": "true"}
    disk.up(size=10, metadata=metadata)
    assert disk.outputs["encrypted"] is True
    assert_no_changes(disk, {"size": 10, "metadata": metadata})
    with pytest.raises(Failed, match="metadata: `hw:passthrough` is 'true' and cannot change after the create"):
        disk.preview(size=10, metadata=metadata | {"hw:passthrough": "false"})
    assert_updates_in_place(disk, "metadata", {"size": 10, "metadata": {"a": "1"}})
    assert {key: otc.metadata(disk)[key] for key in metadata} == metadata


def test_encryption_of_existing_volume_is_refused_in_preview(new_in_otc: New) -> None:
    """Metadata that the cloud takes only for a new volume cannot be added later; its present value is no change."""
    disk = new_in_otc()
    disk.up(size=10)
    with pytest.raises(Failed, match="metadata: `__system__cmkid` is not set and cannot change after the create"):
        disk.preview(size=10, metadata=ENCRYPTED)
    assert_updates_in_place(disk, "metadata", {"size": 10, "metadata": {"hw:passthrough": "false"}})


def test_encryption_of_copy_is_explained(otc: Otc, new_in_otc: New) -> None:
    """A volume from an image takes no encryption: the error says what to remove."""
    with pytest.raises(Failed, match=r"not support when create volume from .*Remove `__system__encrypted`"):
        new_in_otc().up(size=8, image=otc.images[0], metadata=ENCRYPTED)


def test_import_leaves_metadata(otc: Otc, new_in_otc: New) -> None:
    """An imported volume keeps all metadata that the program does not declare."""
    disk, imported = new_in_otc(), otc.resource("Volume")
    disk.up(size=10, metadata={"a": "1"})
    otc.write(disk, backupId="x")
    before = otc.metadata(disk)
    imported.up(size=10, adopt=disk.id, metadata={"b": "2"})
    assert otc.metadata(disk) == before | {"b": "2"}
    assert imported.preview(size=10, adopt=disk.id, metadata={"b": "2"}) == SAME
    imported.forget()


def test_size_of_small_volume_is_explained(new_in_otc: New) -> None:
    """The limits of the size are in the error."""
    with pytest.raises(Failed, match=r"invalid volume size! .*An empty volume has 10 to 32768 GiB"):
        new_in_otc().up(size=1)
