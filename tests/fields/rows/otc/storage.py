"""The fields of volumes and their attachments that are different on an Open Telekom Cloud."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.fields.rows.otc.outcomes import ANY_ID, NotOffered, OtcRow
from tests.fields.rows.row import Row
from tests.fields.rows.storage import VOLUME

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

TEN_GIB = {"size": 10}
IN_SECOND_ZONE = {"size": 10, "availability_zone": "eu-de-02"}


def _extend(fixtures: CloudFixtures, resource: Resource) -> None:
    storage = fixtures.cloud.block_storage
    storage.extend_volume(resource.id, 12)
    fixtures.wait_for(lambda: storage.get_volume(resource.id).size == 12)


def _retype(fixtures: CloudFixtures, resource: Resource) -> None:
    storage = fixtures.cloud.block_storage
    url = str(storage.get_endpoint()).replace("/v3/", "/v2/")
    answer = storage.post(f"{url}/volumes/{resource.id}/retype", json={"os-retype": {"new_type": "ESSD"}})
    assert answer.status_code == 202, answer.text
    fixtures.wait_for(lambda: storage.get_volume(resource.id).volume_type == "ESSD")


def _remove_metadata(fixtures: CloudFixtures, resource: Resource) -> None:
    fixtures.cloud.block_storage.delete_volume_metadata(resource.id, ["a"])


VOLUME_ON_OTC: dict[str, OtcRow] = {
    "size": Row(10, 11, out_of_band_change=_extend),
    "metadata": Row({"a": "1", "b": "2"}, {"b": "3"}, base=TEN_GIB, out_of_band_change=_remove_metadata),
    # Every change is to another kind of SSD: the cloud allows no way back from one of them to SAS.
    "volume_type": Row("SSD", "GPSSD", base=IN_SECOND_ZONE, out_of_band_change=_retype),
    "retype_policy": replace(VOLUME["retype_policy"], base=TEN_GIB),
    "availability_zone": Row("eu-de-01", "eu-de-02", base=TEN_GIB),
    "image": replace(VOLUME["image"], base={"size": 8}),
    "snapshot_id": replace(VOLUME["snapshot_id"], base=TEN_GIB),
    "source_volume_id": NotOffered("source_volume_id: .*not supported", base=TEN_GIB),
    "backup_id": NotOffered("backup_id: .*invalid backup id", value=ANY_ID, base=TEN_GIB),
    "multiattach": Row(True, False, base=TEN_GIB),
    "scheduler_hints": NotOffered("scheduler_hints: .*remove it", base=TEN_GIB),
    "read_only": replace(VOLUME["read_only"], base=TEN_GIB),
}

VOLUME_ATTACHMENT_ON_OTC: dict[str, OtcRow] = {
    "tag": NotOffered("'tag' was unexpected"),
    "delete_on_termination": NotOffered("delete_on_termination: needs compute microversion 2.79"),
}
