"""Volume and VolumeAttachment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fields.rows.row import Row

if TYPE_CHECKING:
    from tests.fields.ground import CloudFixtures
    from tests.support.steps import Resource

ONE_GIB = {"size": 1}


def _extend(ground: CloudFixtures, it: Resource) -> None:
    ground.cloud.block_storage.extend_volume(it.id, 3)
    ground.until(lambda: ground.cloud.block_storage.get_volume(it.id).size == 3)


def _rename(**attributes: str) -> Any:
    return lambda ground, it: ground.cloud.block_storage.update_volume(it.id, **attributes)


def _mark(ground: CloudFixtures, it: Resource) -> None:
    ground.cloud.block_storage.set_volume_metadata(it.id, by="hand")


def _retype(ground: CloudFixtures, it: Resource) -> None:
    other = ground.landscape.volume_types[1]
    ground.cloud.block_storage.retype_volume(it.id, other)
    ground.until(lambda: ground.cloud.block_storage.get_volume(it.id).volume_type == other)


def _write(ground: CloudFixtures, it: Resource) -> None:
    ground.cloud.block_storage.set_volume_readonly(it.id, False)


def _no_backups(ground: CloudFixtures) -> str | None:
    return None if ground.live and ground.backups else "there are no backups here"


def _small_type(ground: CloudFixtures) -> dict[str, Any]:
    return {"size": 1, "volume_type": ground.multiattach_type}


VOLUME = {
    "size": Row(1, 2, hand=_extend),
    "name": Row("fields-one", "fields-two", base=ONE_GIB, hand=_rename(name="fields-by-hand")),
    "description": Row("one", "two", base=ONE_GIB, clear="", hand=_rename(description="by hand")),
    "metadata": Row({"a": "1", "b": "2"}, {"b": "3"}, base=ONE_GIB, hand=_mark),
    "volume_type": Row(
        lambda g: g.landscape.volume_types[0], lambda g: g.landscape.volume_types[1], base=ONE_GIB, hand=_retype
    ),
    "retype_policy": Row("never", "on-demand", base=ONE_GIB),
    "availability_zone": Row(lambda g: g.volume_zone, once="there is one zone", base=ONE_GIB),
    "image": Row(lambda g: g.images[0], lambda g: g.images[1], base={"size": 4}),
    "snapshot_id": Row(lambda g: g.snapshots[0], lambda g: g.snapshots[1], base=ONE_GIB),
    "source_volume_id": Row(lambda g: g.volumes[0], lambda g: g.volumes[1], base=ONE_GIB),
    "backup_id": Row(lambda g: g.backups[0], once="one backup will do", base=ONE_GIB, lacks=_no_backups),
    "multiattach": Row(True, once="the type decides", base=_small_type),
    "scheduler_hints": Row(
        lambda g: {"different_host": [g.volumes[0]]}, lambda g: {"different_host": [g.volumes[1]]}, base=ONE_GIB
    ),
    "read_only": Row(True, False, base=ONE_GIB, hand=_write),
}


def _disk(number: int = 0, **inputs: Any) -> Any:
    return lambda g: {"server_id": g.server, "volume_id": g.volumes[number], **inputs}


def _tagless(ground: CloudFixtures) -> str | None:
    fake = ground.live and any(found.hypervisor_type == "fake" for found in ground.admin.compute.hypervisors(True))
    return "a fake hypervisor keeps no tags, and Nova stumbles over that when it detaches" if fake else None


VOLUME_ATTACHMENT = {
    "server_id": Row(lambda g: g.server, lambda g: g.other_server, base=_disk(), delete_first=True),
    "volume_id": Row(lambda g: g.volumes[0], lambda g: g.volumes[1], base=_disk(), delete_first=True),
    "device": Row("/dev/vdf", "/dev/vdg", base=_disk(), delete_first=True),
    "tag": Row("one", "two", base=_disk(), delete_first=True, lacks=_tagless),
    "delete_on_termination": Row(False, True, base=_disk(), delete_first=True),
    "multiattach": Row(True, once="the volume decides", base=_disk()),
}
