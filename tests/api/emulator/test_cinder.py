"""Cinder: responses and errors, on the emulator and on a real OpenStack alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator
from tests.api.emulator.conftest import account_of
from tests.api.emulator.plain import MISSING_ID

if TYPE_CHECKING:
    from tests.api.emulator.plain import PlainClient

CREATE_FIELDS = {
    *("id", "status", "size", "availability_zone", "created_at", "updated_at", "name", "description"),
    *("volume_type", "snapshot_id", "source_volid", "metadata", "links", "user_id", "bootable", "encrypted"),
    *("replication_status", "consistencygroup_id", "multiattach", "attachments"),
}
VOLUME_FIELDS = CREATE_FIELDS | {"os-vol-tenant-attr:tenant_id"}
SNAPSHOT_FIELDS = {
    *("id", "created_at", "updated_at", "name", "description", "volume_id", "status", "size", "metadata"),
}
FIELD = "Invalid input for field/attribute "
MALFORMED = "The server could not comply with the request since it is either malformed or otherwise incorrect."
BUSY = (
    "Invalid volume: Volume status must be available or error or error_restoring or error_extending or"
    " error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer,"
    " or be disassociated from snapshots after volume transfer."
)


@pytest.fixture
def volume(api: PlainClient) -> dict[str, Any]:
    """An available volume for the test."""
    created = api.create("/volumes", size=1, name=f"{api.prefix}-volume", metadata={"a": "1"})
    return api.wait_for(f"/volumes/{created['id']}", "available")


def act(api: PlainClient, volume: dict[str, Any], action: str, version: str = "3.0", **arguments: Any) -> Any:
    """Send a volume action."""
    return api.volume("POST", f"/volumes/{volume['id']}/action", {action: arguments}, version=version)


def test_versions(api: PlainClient) -> None:
    """The root returns 300 with v3 and its microversions; a response header names the requested microversion."""
    root = api.volume_url.partition("/v3")[0]
    response = api.send("GET", root + "/")
    assert response.status == 300
    version = response.body["versions"][-1]
    assert (version["id"], version["min_version"]) == ("v3.0", "3.0")
    assert api.volume("GET", "/types", version="3.42").headers["OpenStack-API-Version"] == "volume 3.42"
    assert api.volume("GET", "/types", version="3.99").error.startswith("406 computeFault: ")
    assert (
        api.volume("GET", "/types", version="x").error
        == "400 badRequest: API Version String x is of invalid format. Must be of format MajorNum.MinorNum."
    )
    assert api.volume("GET", "/no-such").status == 404


def test_volume_lifecycle(api: PlainClient) -> None:
    """A volume is `creating`, then `available`. A repeated delete returns 400 or 404."""
    created = api.create("/volumes", size=1, description="d", metadata={"a": "b"})
    assert set(created) == CREATE_FIELDS
    assert (created["status"], created["size"], created["name"], created["bootable"]) == ("creating", 1, None, "false")
    path = f"/volumes/{created['id']}"
    assert [link["rel"] for link in created["links"]] == ["self", "bookmark"]
    assert set(api.wait_for(path, "available")) == VOLUME_FIELDS
    newest = api.volume("GET", path, version="3.70").body["volume"]
    assert set(newest) == VOLUME_FIELDS | {
        *("group_id", "shared_targets", "service_uuid", "volume_type_id", "consumes_quota"),
    }
    assert api.volume("DELETE", path).status == 202
    assert api.volume("DELETE", path).status in (400, 404)
    api.wait_for(path, "gone")
    not_found = f"404 itemNotFound: Volume {created['id']} could not be found."
    assert api.volume("GET", path).error == not_found
    assert api.volume("DELETE", path).error == not_found


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({}, (400, MALFORMED)),
        ({"size": 0}, (400, FIELD + "size. Value: 0. 0 is less than the minimum of 1")),
        ({"size": "x"}, (400, FIELD + "size. Value: x. 'x' does not match '^[0-9]+$'")),
        (
            {"size": 1.5},
            (400, FIELD + "size. Value: 1.5. 1.5 is not of type 'integer', 'string', 'null'"),
        ),
        ({"size": 1, "name": 5}, (400, FIELD + "name. Value: 5. 5 is not of type 'string', 'null'")),
        (
            {"size": 1, "name": "x" * 256},
            (400, "Invalid input received: name has 256 characters, more than 255."),
        ),
        (
            {"size": 1, "metadata": {"a": 1}},
            (400, FIELD + "a. Value: 1. 1 is not of type 'string'"),
        ),
        ({"size": 1, "volume_type": "no-such"}, (404, "Volume type with name no-such could not be found.")),
        ({"size": 1, "volume_type": MISSING_ID}, (404, f"Volume type {MISSING_ID} could not be found.")),
        ({"size": 1, "availability_zone": "no-such"}, (400, "Availability zone 'no-such' is invalid.")),
        (
            {"size": 1, "imageRef": MISSING_ID},
            (400, "Invalid image identifier or unable to access requested image."),
        ),
        ({"size": 1, "snapshot_id": MISSING_ID}, (404, f"Snapshot {MISSING_ID} could not be found.")),
        ({"size": 1, "source_volid": MISSING_ID}, (404, f"Volume {MISSING_ID} could not be found.")),
        ({"size": 1, "backup_id": MISSING_ID}, (404, f"Backup {MISSING_ID} could not be found.")),
    ],
    ids=str,
)
def test_create_volume_rejects_invalid_attributes(
    api: PlainClient, attributes: dict[str, Any], error: tuple[int, str]
) -> None:
    """An invalid create request returns the status and the message of the real service."""
    response = api.volume("POST", "/volumes", {"volume": attributes})
    assert (response.status, response.message) == error


def test_create_volume_rejects_malformed_body(api: PlainClient) -> None:
    """A body contains `volume` and optionally scheduler hints, nothing else."""
    for body, message in (
        ({}, "'volume' is a required property"),
        ({"volume": None}, FIELD + "volume. Value: None. None is not of type 'object'"),
        (
            {"volume": {"size": 1}, "foo": 1},
            "Additional properties are not allowed ('foo' was unexpected)",
        ),
    ):
        assert api.volume("POST", "/volumes", body).error == f"400 badRequest: {message}"
    hinted = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"same_host": []}}
    assert api.volume("POST", "/volumes", hinted).status == 202


def test_create_volume_over_quota(api: PlainClient) -> None:
    """Exceeding the quota for gigabytes returns 413 with Retry-After 0."""
    response = api.volume("POST", "/volumes", {"volume": {"size": 500_000}})
    assert response.error.startswith("413 overLimit: ")
    assert response.message.startswith(
        "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota."
        " Requested 500000G, quota is 1000G and "
    )
    assert response.body["overLimit"]["retryAfter"] == response.headers["Retry-After"] == "0"


def test_update_volume(api: PlainClient, volume: dict[str, Any]) -> None:
    """Name, description and metadata can be changed; other attributes are rejected."""
    path = f"/volumes/{volume['id']}"
    attributes = {"name": f" {api.prefix}-b ", "description": "d", "metadata": {"k": "v"}}
    changed = api.volume("PUT", path, {"volume": attributes}).body["volume"]
    assert set(changed) == CREATE_FIELDS
    assert (changed["name"], changed["metadata"]) == (f"{api.prefix}-b", {"k": "v"})
    assert api.volume("PUT", path, {"volume": {"description": None}}).body["volume"]["description"] is None
    assert api.volume("PUT", path, {"volume": {"size": 4}}).message == (
        FIELD + "volume. Value: {'size': 4}. Additional properties are not allowed ('size' was unexpected)"
    )


def test_volume_metadata(api: PlainClient, volume: dict[str, Any]) -> None:
    """Metadata can be merged and replaced."""
    path = f"/volumes/{volume['id']}/metadata"
    assert api.volume("POST", path, {"metadata": {"b": "2"}}).body == {"metadata": {"a": "1", "b": "2"}}
    assert api.volume("PUT", path, {"metadata": {"q": "1"}}).body == {"metadata": {"q": "1"}}


def test_extend_volume(api: PlainClient, volume: dict[str, Any]) -> None:
    """A volume can be extended, but not shrunk."""
    path = f"/volumes/{volume['id']}"
    for size, message in (
        (
            1,
            "Invalid input received: New size for extend must be greater than current size. (current: 1, extended: 1).",
        ),
        ("x", FIELD + "new_size. Value: x. 'x' does not match '^[0-9]+$'"),
    ):
        assert act(api, volume, "os-extend", new_size=size).error == f"400 badRequest: {message}"
    assert act(api, volume, "os-extend", new_size=500_000).error.startswith("413 overLimit: ")
    assert act(api, volume, "os-extend", new_size=2).status == 202
    assert api.wait_for(path, "available")["size"] == 2


def test_retype_volume(api: PlainClient, volume: dict[str, Any]) -> None:
    """A volume can be retyped to another existing type."""
    assert (
        act(api, volume, "os-retype", new_type="no-such").error
        == "404 itemNotFound: Volume type with name no-such could not be found."
    )
    same = act(api, volume, "os-retype", new_type=volume["volume_type"]).error
    assert same.startswith("400 badRequest: Invalid volume: Retype needs volume to be in available or in-use state")
    policy = act(api, volume, "os-retype", new_type="SSD", migration_policy="foo").message
    assert policy == FIELD + "migration_policy. Value: foo. 'foo' is not one of ['on-demand', 'never']"
    assert act(api, volume, "os-retype", new_type="SSD", migration_policy="never").status == 202
    assert api.wait_for(f"/volumes/{volume['id']}", "available")["volume_type"] == "SSD"


def test_readonly_flag(api: PlainClient, volume: dict[str, Any]) -> None:
    """The read-only flag is kept in the metadata when they are replaced."""
    path = f"/volumes/{volume['id']}"
    assert act(api, volume, "os-update_readonly_flag", readonly=True).status == 202
    api.volume("PUT", path + "/metadata", {"metadata": {}})
    assert api.volume("GET", path).body["volume"]["metadata"] == {"readonly": "True"}
    assert act(api, volume, "os-update_readonly_flag").message == (
        FIELD + "os-update_readonly_flag. Value: {}. 'readonly' is a required property"
    )


def test_unknown_and_admin_actions_are_rejected(api: PlainClient, volume: dict[str, Any]) -> None:
    """An unknown action returns 400, an administrator's action returns 403."""
    assert act(api, volume, "os-foo").message == (
        "There is no such action: os-foo. Verify the request body and Content-Type header and try again."
    )
    rule = "volume_extension:volume_admin_actions:reset_status"
    assert (
        act(api, volume, "os-reset_status", status="error").error
        == f"403 forbidden: Policy doesn't allow {rule} to be performed."
    )
    empty = api.volume("POST", f"/volumes/{volume['id']}/action", {}).error
    assert empty == "400 badRequest: Malformed request body"
    missing = api.volume("POST", f"/volumes/{MISSING_ID}/action", {"os-extend": {"new_size": 2}}).error
    assert missing.startswith("404 itemNotFound: ")


def test_snapshot_lifecycle(api: PlainClient, volume: dict[str, Any]) -> None:
    """A snapshot prevents the deletion of its volume; a volume created from it has its size by default."""
    attributes = {"volume_id": volume["id"], "name": "s", "metadata": {"x": "y"}}
    snapshot = api.create("/snapshots", **attributes)
    assert set(snapshot) == SNAPSHOT_FIELDS
    path = f"/snapshots/{snapshot['id']}"
    current = api.wait_for(path, "available")
    assert set(current) == SNAPSHOT_FIELDS | {
        *("os-extended-snapshot-attributes:project_id", "os-extended-snapshot-attributes:progress"),
    }
    assert api.volume("DELETE", f"/volumes/{volume['id']}").error == f"400 badRequest: {BUSY}"
    copy = api.create("/volumes", snapshot_id=snapshot["id"], name=f"{api.prefix}-copy")
    assert (copy["size"], copy["snapshot_id"]) == (1, snapshot["id"])
    api.wait_for(f"/volumes/{copy['id']}", "available")
    assert api.volume("DELETE", path).status == 202
    api.wait_for(path, "gone")
    assert api.volume("GET", path).error == f"404 itemNotFound: Snapshot {snapshot['id']} could not be found."
    assert api.volume("POST", "/snapshots", {"snapshot": {}}).message == (
        FIELD + "snapshot. Value: {}. 'volume_id' is a required property"
    )


def test_cascade_delete(api: PlainClient, volume: dict[str, Any]) -> None:
    """A cascading delete also deletes the snapshots of the volume."""
    snapshot = api.create("/snapshots", volume_id=volume["id"])
    api.wait_for(f"/snapshots/{snapshot['id']}", "available")
    assert api.volume("DELETE", f"/volumes/{volume['id']}?cascade=true").status == 202
    api.wait_for(f"/volumes/{volume['id']}", "gone")
    assert api.volume("GET", f"/snapshots/{snapshot['id']}").status == 404


def test_volume_from_volume(api: PlainClient, volume: dict[str, Any]) -> None:
    """A volume created from a volume has the size and the type of its source by default."""
    copy = api.create("/volumes", source_volid=volume["id"])
    assert (copy["size"], copy["source_volid"], copy["volume_type"]) == (
        1,
        volume["id"],
        volume["volume_type"],
    )
    api.wait_for(f"/volumes/{copy['id']}", "available")


def test_volume_from_image(api: PlainClient) -> None:
    """A volume created from an image is bootable, records the image and has at least its `min_disk`."""
    images = api.send("GET", api.image_url + "/v2/images").body["images"]
    image = next(image for image in images if image["min_disk"] > 1)
    small = api.volume("POST", "/volumes", {"volume": {"size": 1, "imageRef": image["id"]}}).message
    assert small == (
        f"Invalid input received: Volume size 1GB cannot be smaller than the image minDisk size {image['min_disk']}GB."
    )
    created = api.create("/volumes", size=image["min_disk"], imageRef=image["id"])
    volume = api.wait_for(f"/volumes/{created['id']}", "available")
    assert volume["bootable"] == "true"
    image_metadata = volume["volume_image_metadata"]
    assert (image_metadata["image_id"], image_metadata["image_name"]) == (image["id"], image["name"])
    assert image_metadata["min_disk"] == str(image["min_disk"])


def test_list_filters_and_paging(api: PlainClient) -> None:
    """Lists can be filtered and paged."""
    name = f"{api.prefix}-list"
    created = [api.create("/volumes", size=size, name=name)["id"] for size in (1, 2)]
    for id_ in created:
        api.wait_for(f"/volumes/{id_}", "available")

    def list_ids(query: str) -> list[str]:
        found = api.volume("GET", f"/volumes?name={name}&{query}").body["volumes"]
        return [volume["id"] for volume in found]

    # The newest volume comes first. Cinder stores seconds, so two volumes of one second have no order.
    assert sorted(list_ids("sort=created_at:desc")) == sorted(created)
    assert list_ids("size=2") == [created[1]]
    assert list_ids("status=error") == []
    page = api.volume("GET", f"/volumes/detail?name={name}&limit=1").body
    following = api.send("GET", page["volumes_links"][0]["href"]).body
    assert {page["volumes"][0]["id"], following["volumes"][0]["id"]} == set(created)
    assert list_ids(f"marker={page['volumes'][0]['id']}") == [following["volumes"][0]["id"]]
    for query, message in (
        ("limit=x", "limit param must be an integer"),
        ("limit=-1", "limit param must be positive"),
        ("marker=no-such", "Volume no-such could not be found."),
        ("sort=no-such:asc", "Invalid input received: Invalid sort key"),
    ):
        assert api.volume("GET", f"/volumes?{query}").message == message


def test_volume_types_and_zones(api: PlainClient) -> None:
    """Volume types are found by id, one of them is the default; the zone `nova` exists."""
    types = api.volume("GET", "/types").body["volume_types"]
    assert {"SATA", "SSD"} <= {kind["name"] for kind in types}
    assert set(types[0]) == {
        *("id", "name", "is_public", "description", "extra_specs", "os-volume-type-access:is_public"),
    }
    assert api.volume("GET", f"/types/{types[0]['id']}").body["volume_type"] == types[0]
    assert api.volume("GET", "/types/default").body["volume_type"]["name"] == "SATA"
    assert api.volume("GET", "/types/no-such").message == "Volume type no-such could not be found."
    zones = api.volume("GET", "/os-availability-zone").body["availabilityZoneInfo"]
    assert {"zoneName": "nova", "zoneState": {"available": True}} in zones


def test_limits(api: PlainClient, volume: dict[str, Any]) -> None:
    """The limits include the usage."""
    assert volume
    absolute = api.volume("GET", "/limits").body["limits"]["absolute"]
    assert absolute["maxTotalVolumes"] == 10
    assert absolute["totalVolumesUsed"] >= 1


def test_messages_require_microversion(api: PlainClient) -> None:
    """Messages exist since microversion 3.3."""
    assert api.volume("GET", "/messages").status == 404
    assert api.volume("GET", "/messages", version="3.3").status == 200


@pytest.mark.parametrize(("outcome", "status"), [("fail-create", "error"), ("fail-extend", "error_extending")])
def test_name_triggers_failure(api: PlainClient, outcome: str, status: str) -> None:
    """A volume whose name contains an outcome fault fails in that step, and a message describes the failure."""
    volume = api.create("/volumes", size=1, name=f"peer-{outcome}-{api.prefix}")
    path = f"/volumes/{volume['id']}"
    if outcome == "fail-extend":
        api.wait_for(path, "available")
        act(api, volume, "os-extend", new_size=2)
    assert api.wait_for(path, status)["size"] == 1
    messages = api.volume("GET", f"/messages?resource_uuid={volume['id']}", version="3.5").body["messages"]
    assert any("failed to" in message["user_message"] for message in messages)


def test_otc_versions() -> None:
    """Dialect `otc` lists v1 to v3; v3 has the microversions up to 3.50, v2 has none."""
    with Emulator(dialect="otc") as cloud:
        api = account_of(cloud)
        root = api.volume_url.partition("/v3")[0]
        response = api.send("GET", root + "/")
        assert response.status == 300
        listed = [[each[name] for name in ("id", "status", "version")] for each in response.body["versions"]]
        assert listed == [["v1.0", "SUPPORTED", ""], ["v2.0", "SUPPORTED", ""], ["v3.0", "CURRENT", "3.50"]]
        types = f"/{api.project_id}/types"
        assert api.volume("GET", "/types", version="3.50").headers["OpenStack-API-Version"] == "volume 3.50"
        assert api.volume("GET", "/types", version="3.51").status == 406
        plain = api.send("GET", f"{root}/v2{types}", **{"OpenStack-API-Version": "volume 3.51"})
        assert (plain.status, "OpenStack-API-Version" in plain.headers) == (200, False)
        assert api.send("GET", f"{root}/v1{types}").status == 404
