"""The fields of Volume and VolumeAttachment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fields.rows.row import Row

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

ONE_GIB = {"size": 1}
FROM_IMAGE = {"size": 4, "image": lambda g: g.images[0]}


def _extend(fixtures: CloudFixtures, resource: Resource) -> None:
    fixtures.cloud.block_storage.extend_volume(resource.id, 3)
    fixtures.wait_for(lambda: fixtures.cloud.block_storage.get_volume(resource.id).size == 3)


def _rename(**attributes: str) -> Any:
    return lambda fixtures, resource: fixtures.cloud.block_storage.update_volume(resource.id, **attributes)


def _add_metadata(fixtures: CloudFixtures, resource: Resource) -> None:
    fixtures.cloud.block_storage.set_volume_metadata(resource.id, by="hand")


def _retype(fixtures: CloudFixtures, resource: Resource) -> None:
    other = fixtures.landscape.volume_types[1]
    fixtures.cloud.block_storage.retype_volume(resource.id, other)
    fixtures.wait_for(lambda: fixtures.cloud.block_storage.get_volume(resource.id).volume_type == other)


def _make_writable(fixtures: CloudFixtures, resource: Resource) -> None:
    fixtures.cloud.block_storage.set_volume_readonly(resource.id, False)


def _missing_backups(fixtures: CloudFixtures) -> str | None:
    return None if fixtures.live and fixtures.backups else "this cloud has no backups"


def _multiattach_volume(fixtures: CloudFixtures) -> dict[str, Any]:
    return {"size": 1, "volume_type": fixtures.multiattach_type}


VOLUME = {
    "size": Row(1, 2, out_of_band_change=_extend),
    "name": Row("fields-one", "fields-two", base=FROM_IMAGE, out_of_band_change=_rename(name="fields-by-hand")),
    "description": Row("one", "two", base=FROM_IMAGE, clear="", out_of_band_change=_rename(description="by hand")),
    "metadata": Row({"a": "1", "b": "2"}, {"b": "3"}, base=ONE_GIB, out_of_band_change=_add_metadata),
    "volume_type": Row(
        lambda g: g.landscape.volume_types[0],
        lambda g: g.landscape.volume_types[1],
        base=ONE_GIB,
        out_of_band_change=_retype,
    ),
    "retype_policy": Row("never", "on-demand", base=ONE_GIB),
    "availability_zone": Row(lambda g: g.volume_zone, once="the clouds have one zone only", base=ONE_GIB),
    "image": Row(lambda g: g.images[0], lambda g: g.images[1], base={"size": 4}),
    "snapshot_id": Row(lambda g: g.snapshots[0], lambda g: g.snapshots[1], base=ONE_GIB),
    "source_volume_id": Row(lambda g: g.volumes[0], lambda g: g.volumes[1], base=ONE_GIB),
    "backup_id": Row(lambda g: g.backups[0], once="one backup is enough", base=ONE_GIB, lacks=_missing_backups),
    "multiattach": Row(True, once="the volume type determines the value", base=_multiattach_volume),
    "scheduler_hints": Row(
        lambda g: {"different_host": [g.volumes[0]]}, lambda g: {"different_host": [g.volumes[1]]}, base=ONE_GIB
    ),
    "read_only": Row(True, False, base=ONE_GIB, out_of_band_change=_make_writable),
}


def _disk(number: int = 0, **inputs: Any) -> Any:
    return lambda g: {"server_id": g.server, "volume_id": g.volumes[number], **inputs}


def _missing_tags(fixtures: CloudFixtures) -> str | None:
    fake = fixtures.live and any(found.hypervisor_type == "fake" for found in fixtures.admin.compute.hypervisors(True))
    return "a fake hypervisor stores no tags, and Nova fails to detach without them" if fake else None


VOLUME_ATTACHMENT = {
    "server_id": Row(lambda g: g.server, lambda g: g.other_server, base=_disk(), delete_first=True),
    "volume_id": Row(lambda g: g.volumes[0], lambda g: g.volumes[1], base=_disk(), delete_first=True),
    "device": Row("/dev/vdf", "/dev/vdg", base=_disk(), delete_first=True),
    "tag": Row("one", "two", base=_disk(), delete_first=True, lacks=_missing_tags),
    "delete_on_termination": Row(False, True, base=_disk(), delete_first=True),
    "multiattach": Row(True, once="the volume determines the value", base=_disk()),
}
