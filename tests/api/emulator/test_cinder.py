"""Cinder: what it answers and how it refuses, on the emulator and on a real OpenStack alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.conftest import account_of
from tests.api.emulator.plain import NOWHERE

if TYPE_CHECKING:
    from tests.api.emulator.plain import Plain

ANSWERED = {
    *("id", "status", "size", "availability_zone", "created_at", "updated_at", "name", "description"),
    *("volume_type", "snapshot_id", "source_volid", "metadata", "links", "user_id", "bootable", "encrypted"),
    *("replication_status", "consistencygroup_id", "multiattach", "attachments"),
}
SHOWN = ANSWERED | {"os-vol-tenant-attr:tenant_id"}
SNAPSHOT = {
    *("id", "created_at", "updated_at", "name", "description", "volume_id", "status", "size", "metadata"),
}
FIELD = "Invalid input for field/attribute "
MISSING = "The server could not comply with the request since it is either malformed or otherwise incorrect."
BUSY = (
    "Invalid volume: Volume status must be available or error or error_restoring or error_extending or"
    " error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer,"
    " or be disassociated from snapshots after volume transfer."
)


@pytest.fixture
def volume(api: Plain) -> dict[str, Any]:
    """A volume of the test's own, available."""
    made = api.made("/volumes", size=1, name=f"{api.prefix}-volume", metadata={"a": "1"})
    return api.until(f"/volumes/{made['id']}", "available")


def act(api: Plain, volume: dict[str, Any], action: str, version: str = "3.0", **said: Any) -> Any:
    """Send an action."""
    return api.volume("POST", f"/volumes/{volume['id']}/action", {action: said}, version=version)


def test_versions(api: Plain) -> None:
    """The root lists v3 with its microversions and 300; the one asked for comes back in a header."""
    root = api.volume_url.partition("/v3")[0]
    listed = api.send("GET", root + "/")
    assert listed.status == 300
    version = listed.body["versions"][-1]
    assert (version["id"], version["min_version"]) == ("v3.0", "3.0")
    assert api.volume("GET", "/types", version="3.42").headers["OpenStack-API-Version"] == "volume 3.42"
    assert api.volume("GET", "/types", version="3.99").error[:2] == (406, "computeFault")
    assert api.volume("GET", "/types", version="x").error == (
        400,
        "badRequest",
        "API Version String x is of invalid format. Must be of format MajorNum.MinorNum.",
    )
    assert api.volume("GET", "/no-such").status == 404


def test_volume_lifecycle(api: Plain) -> None:
    """A volume is creating, then available; its delete takes a while, in which a second one is refused."""
    made = api.made("/volumes", size=1, description="d", metadata={"a": "b"})
    assert set(made) == ANSWERED
    assert (made["status"], made["size"], made["name"], made["bootable"]) == ("creating", 1, None, "false")
    path = f"/volumes/{made['id']}"
    assert [link["rel"] for link in made["links"]] == ["self", "bookmark"]
    assert set(api.until(path, "available")) == SHOWN
    newest = api.volume("GET", path, version="3.70").body["volume"]
    assert set(newest) == SHOWN | {
        *("group_id", "shared_targets", "service_uuid", "volume_type_id", "consumes_quota"),
    }
    assert api.volume("DELETE", path).status == 202
    assert api.volume("DELETE", path).error[0] in (400, 404)
    api.until(path, "gone")
    gone = (404, "itemNotFound", f"Volume {made['id']} could not be found.")
    assert api.volume("GET", path).error == gone
    assert api.volume("DELETE", path).error == gone


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({}, (400, MISSING)),
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
        ({"size": 1, "volume_type": NOWHERE}, (404, f"Volume type {NOWHERE} could not be found.")),
        ({"size": 1, "availability_zone": "no-such"}, (400, "Availability zone 'no-such' is invalid.")),
        (
            {"size": 1, "imageRef": NOWHERE},
            (400, "Invalid image identifier or unable to access requested image."),
        ),
        ({"size": 1, "snapshot_id": NOWHERE}, (404, f"Snapshot {NOWHERE} could not be found.")),
        ({"size": 1, "source_volid": NOWHERE}, (404, f"Volume {NOWHERE} could not be found.")),
        ({"size": 1, "backup_id": NOWHERE}, (404, f"Backup {NOWHERE} could not be found.")),
    ],
    ids=str,
)
def test_volumes_refused(api: Plain, said: dict[str, Any], error: tuple[int, str]) -> None:
    """A create that cannot be is refused in the real one's words."""
    status, _, message = api.volume("POST", "/volumes", {"volume": said}).error
    assert (status, message) == error


def test_malformed_bodies(api: Plain) -> None:
    """A body is the volume and perhaps hints for the scheduler."""
    for body, message in (
        ({}, "'volume' is a required property"),
        ({"volume": None}, FIELD + "volume. Value: None. None is not of type 'object'"),
        (
            {"volume": {"size": 1}, "foo": 1},
            "Additional properties are not allowed ('foo' was unexpected)",
        ),
    ):
        assert api.volume("POST", "/volumes", body).error == (400, "badRequest", message)
    hinted = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"same_host": []}}
    assert api.volume("POST", "/volumes", hinted).status == 202


def test_over_quota(api: Plain) -> None:
    """Too many GiB are 413, to be tried again at once as far as Retry-After goes."""
    answer = api.volume("POST", "/volumes", {"volume": {"size": 500_000}})
    assert answer.error[:2] == (413, "overLimit")
    assert answer.error[2].startswith(
        "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota."
        " Requested 500000G, quota is 1000G and "
    )
    assert answer.body["overLimit"]["retryAfter"] == answer.headers["Retry-After"] == "0"


def test_update(api: Plain, volume: dict[str, Any]) -> None:
    """Name, description and metadata change; everything else is refused."""
    path = f"/volumes/{volume['id']}"
    said = {"name": f" {api.prefix}-b ", "description": "d", "metadata": {"k": "v"}}
    changed = api.volume("PUT", path, {"volume": said}).body["volume"]
    assert set(changed) == ANSWERED
    assert (changed["name"], changed["metadata"]) == (f"{api.prefix}-b", {"k": "v"})
    assert api.volume("PUT", path, {"volume": {"description": None}}).body["volume"]["description"] is None
    assert api.volume("PUT", path, {"volume": {"size": 4}}).error[2] == (
        FIELD + "volume. Value: {'size': 4}. Additional properties are not allowed ('size' was unexpected)"
    )


def test_metadata(api: Plain, volume: dict[str, Any]) -> None:
    """Metadata is added to, replaced, and changed key by key."""
    path = f"/volumes/{volume['id']}/metadata"
    assert api.volume("POST", path, {"metadata": {"b": "2"}}).body == {"metadata": {"a": "1", "b": "2"}}
    assert api.volume("PUT", path + "/a", {"meta": {"a": "9"}}).body == {"meta": {"a": "9"}}
    assert api.volume("GET", path + "/a").body == {"meta": {"a": "9"}}
    assert api.volume("PUT", path, {"metadata": {"q": "1"}}).body == {"metadata": {"q": "1"}}
    assert api.volume("DELETE", path + "/q").status == 200
    assert api.volume("DELETE", path + "/q").error == (
        404,
        "itemNotFound",
        f"Volume {volume['id']} has no metadata with key q.",
    )
    assert api.volume("PUT", path + "/a", {"meta": {"x": "1"}}).error[2] == "Request body and URI mismatch"
    assert api.volume("GET", path).body == {"metadata": {}}


def test_extend(api: Plain, volume: dict[str, Any]) -> None:
    """A volume grows in a while, and only grows."""
    path = f"/volumes/{volume['id']}"
    for size, message in (
        (
            1,
            "Invalid input received: New size for extend must be greater than current size. (current: 1, extended: 1).",
        ),
        ("x", FIELD + "new_size. Value: x. 'x' does not match '^[0-9]+$'"),
    ):
        assert act(api, volume, "os-extend", new_size=size).error == (400, "badRequest", message)
    assert act(api, volume, "os-extend", new_size=500_000).error[:2] == (413, "overLimit")
    assert act(api, volume, "os-extend", new_size=2).status == 202
    assert api.until(path, "available")["size"] == 2


def test_retype(api: Plain, volume: dict[str, Any]) -> None:
    """A volume gets another type in a while; one that is there, and not its own."""
    assert act(api, volume, "os-retype", new_type="no-such").error == (
        404,
        "itemNotFound",
        "Volume type with name no-such could not be found.",
    )
    same = act(api, volume, "os-retype", new_type=volume["volume_type"]).error
    assert same[0] == 400
    assert same[2].startswith("Invalid volume: Retype needs volume to be in available or in-use state")
    policy = act(api, volume, "os-retype", new_type="SSD", migration_policy="foo").error
    assert policy[2] == FIELD + "migration_policy. Value: foo. 'foo' is not one of ['on-demand', 'never']"
    assert act(api, volume, "os-retype", new_type="SSD", migration_policy="never").status == 202
    assert api.until(f"/volumes/{volume['id']}", "available")["volume_type"] == "SSD"


def test_flags(api: Plain, volume: dict[str, Any]) -> None:
    """Read-only shows among the metadata and stays there; bootable is a word."""
    path = f"/volumes/{volume['id']}"
    assert act(api, volume, "os-update_readonly_flag", readonly=True).status == 202
    assert act(api, volume, "os-set_bootable", bootable=True).status == 200
    api.volume("PUT", path + "/metadata", {"metadata": {}})
    shown = api.volume("GET", path).body["volume"]
    assert (shown["metadata"], shown["bootable"]) == ({"readonly": "True"}, "true")
    assert act(api, volume, "os-update_readonly_flag").error[2] == (
        FIELD + "os-update_readonly_flag. Value: {}. 'readonly' is a required property"
    )


def test_unknown_actions(api: Plain, volume: dict[str, Any]) -> None:
    """What is no action, and what is not for everybody."""
    assert act(api, volume, "os-foo").error[2] == (
        "There is no such action: os-foo. Verify the request body and Content-Type header and try again."
    )
    for name in ("force_detach", "reset_status", "force_delete"):
        said = {"status": "error"} if name == "reset_status" else {}
        rule = f"volume_extension:volume_admin_actions:{name}"
        assert act(api, volume, f"os-{name}", **said).error == (
            403,
            "forbidden",
            f"Policy doesn't allow {rule} to be performed.",
        )
    empty = api.volume("POST", f"/volumes/{volume['id']}/action", {}).error
    assert empty == (400, "badRequest", "Malformed request body")
    missing = api.volume("POST", f"/volumes/{NOWHERE}/action", {"os-extend": {"new_size": 2}}).error
    assert missing[:2] == (404, "itemNotFound")


def test_attachment(api: Plain, volume: dict[str, Any]) -> None:
    """A volume passes reserved, attaching and in-use; while it is used it stays, and grows from 3.42 on."""
    path = f"/volumes/{volume['id']}"
    said = {"attachment": {"instance_uuid": NOWHERE, "volume_uuid": volume["id"]}}
    assert api.volume("POST", "/attachments", said).status == 404
    attachment = api.volume("POST", "/attachments", said, version="3.27").body["attachment"]
    assert attachment["status"] == "reserved"
    assert api.until(path, "reserved")["attachments"] == []
    connector = {
        "host": "h",
        "initiator": "i",
        "ip": "1.1.1.1",
        "platform": "x86_64",
        "os_type": "linux2",
        "multipath": False,
    }
    one = f"/attachments/{attachment['id']}"
    api.volume("PUT", one, {"attachment": {"connector": connector}}, version="3.27")
    api.until(path, "attaching")
    assert api.volume("POST", one + "/action", {"os-complete": {}}, version="3.44").status == 204
    entry = api.until(path, "in-use")["attachments"][0]
    assert set(entry) == {
        *("id", "attachment_id", "volume_id", "server_id", "host_name", "device", "attached_at"),
    }
    assert (entry["attachment_id"], entry["server_id"]) == (attachment["id"], NOWHERE)
    assert api.volume("DELETE", path).error == (400, "badRequest", BUSY)
    assert act(api, volume, "os-extend", new_size=2).error[2] == (
        f"Invalid volume: Volume {volume['id']} status must be '{{'status': 'available'}}' to extend, currently in-use."
    )
    assert act(api, volume, "os-update_readonly_flag", readonly=True).error[2] == (
        f"Invalid volume: Volume {volume['id']} status must be available to update readonly flag, but current"
        " status is: in-use."
    )
    assert api.volume("DELETE", one, version="3.27").body == {"attachments": []}
    assert api.until(path, "available")["attachments"] == []


def test_reserve_by_action(api: Plain, volume: dict[str, Any]) -> None:
    """The older way to reserve: attaching, once; and to begin to detach only what is attached."""
    assert act(api, volume, "os-reserve").status == 202
    assert act(api, volume, "os-reserve").error[2] == (
        "Invalid volume: Volume status must be available to reserve, but the status is attaching."
    )
    assert act(api, volume, "os-unreserve").status == 202
    assert act(api, volume, "os-begin_detaching").error[2] == (
        "Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be"
        " 'attached' to detach."
    )


def test_snapshots(api: Plain, volume: dict[str, Any]) -> None:
    """A snapshot keeps its volume from being deleted, and makes volumes of at least its size."""
    said = {"volume_id": volume["id"], "name": "s", "metadata": {"x": "y"}}
    snapshot = api.made("/snapshots", **said)
    assert set(snapshot) == SNAPSHOT
    path = f"/snapshots/{snapshot['id']}"
    shown = api.until(path, "available")
    assert set(shown) == SNAPSHOT | {
        *("os-extended-snapshot-attributes:project_id", "os-extended-snapshot-attributes:progress"),
    }
    assert api.volume("DELETE", f"/volumes/{volume['id']}").error == (400, "badRequest", BUSY)
    copy = api.made("/volumes", snapshot_id=snapshot["id"], name=f"{api.prefix}-copy")
    assert (copy["size"], copy["snapshot_id"]) == (1, snapshot["id"])
    api.until(f"/volumes/{copy['id']}", "available")
    assert api.volume("DELETE", path).status == 202
    api.until(path, "gone")
    assert api.volume("GET", path).error == (
        404,
        "itemNotFound",
        f"Snapshot {snapshot['id']} could not be found.",
    )
    assert api.volume("POST", "/snapshots", {"snapshot": {}}).error[2] == (
        FIELD + "snapshot. Value: {}. 'volume_id' is a required property"
    )


def test_cascade(api: Plain, volume: dict[str, Any]) -> None:
    """A delete in cascade takes the snapshots along."""
    snapshot = api.made("/snapshots", volume_id=volume["id"])
    api.until(f"/snapshots/{snapshot['id']}", "available")
    assert api.volume("DELETE", f"/volumes/{volume['id']}?cascade=true").status == 202
    api.until(f"/volumes/{volume['id']}", "gone")
    assert api.volume("GET", f"/snapshots/{snapshot['id']}").status == 404


def test_copies(api: Plain, volume: dict[str, Any]) -> None:
    """A volume of a volume has its size at least and its type unless asked for."""
    copy = api.made("/volumes", source_volid=volume["id"])
    assert (copy["size"], copy["source_volid"], copy["volume_type"]) == (
        1,
        volume["id"],
        volume["volume_type"],
    )
    api.until(f"/volumes/{copy['id']}", "available")


def test_of_an_image(api: Plain) -> None:
    """A volume of an image remembers it and boots; it has room for the image."""
    images = api.send("GET", api.image_url + "/v2/images").body["images"]
    image = next(image for image in images if image["min_disk"] > 1)
    small = api.volume("POST", "/volumes", {"volume": {"size": 1, "imageRef": image["id"]}}).error
    assert small[2] == (
        f"Invalid input received: Volume size 1GB cannot be smaller than the image minDisk size {image['min_disk']}GB."
    )
    made = api.made("/volumes", size=image["min_disk"], imageRef=image["id"])
    volume = api.until(f"/volumes/{made['id']}", "available")
    assert volume["bootable"] == "true"
    remembered = volume["volume_image_metadata"]
    assert (remembered["image_id"], remembered["image_name"]) == (image["id"], image["name"])
    assert remembered["min_disk"] == str(image["min_disk"])


def test_lists(api: Plain) -> None:
    """Lists are filtered, sorted and paged; what an old version does not know as a filter it ignores."""
    made = {
        name: api.made("/volumes", size=size, name=f"{api.prefix}-{name}", metadata={"k": api.prefix})
        for name, size in (("a", 1), ("b", 2))
    }
    for volume in made.values():
        api.until(f"/volumes/{volume['id']}", "available")
    mine = f"metadata=%7B%27k%27:%27{api.prefix}%27%7D"

    def names(query: str) -> list[str]:
        found = api.volume("GET", f"/volumes?{query}").body["volumes"]
        return [volume["name"].removeprefix(f"{api.prefix}-") for volume in found]

    # Without an order the newest comes first, and of two made in one second, which is all Cinder tells, either.
    assert set(names(mine)) == {"a", "b"}
    mine += "&sort=name:desc"
    assert names(mine) == ["b", "a"]
    assert names(mine.replace("desc", "asc")) == ["a", "b"]
    assert names(mine.replace("sort=name:desc", "sort_key=size&sort_dir=asc")) == ["a", "b"]
    assert names(mine + "&size=2") == ["b"]
    assert names(mine + "&status=error") == []
    assert names(f"name={api.prefix}-a") == ["a"]
    assert names(mine + f"&marker={made['b']['id']}") == ["a"]
    assert names("limit=0") == []
    page = api.volume("GET", f"/volumes/detail?{mine}&limit=1").body
    assert len(page["volumes"]) == 1
    following = api.send("GET", page["volumes_links"][0]["href"]).body
    assert following["volumes"][0]["id"] == made["a"]["id"]
    for query, message in (
        ("limit=x", "limit param must be an integer"),
        ("limit=-1", "limit param must be positive"),
        ("marker=no-such", "Volume no-such could not be found."),
        ("sort=no-such:asc", "Invalid input received: Invalid sort key"),
        ("sort=name:up", "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'."),
    ):
        assert api.volume("GET", f"/volumes?{query}").error[2] == message
    assert api.volume("GET", f"/volumes?colour=red&name={api.prefix}-a").status == 200
    strict = api.volume("GET", "/volumes?colour=red", version="3.31").error
    assert strict[2] == "Invalid filters colour are found in query options."


def test_types_and_zones(api: Plain) -> None:
    """Types are found by id, one of them is the default; there is a zone."""
    types = api.volume("GET", "/types").body["volume_types"]
    assert {"SATA", "SSD"} <= {kind["name"] for kind in types}
    assert set(types[0]) == {
        *("id", "name", "is_public", "description", "extra_specs", "os-volume-type-access:is_public"),
    }
    assert api.volume("GET", f"/types/{types[0]['id']}").body["volume_type"] == types[0]
    assert api.volume("GET", "/types/default").body["volume_type"]["name"] == "SATA"
    assert api.volume("GET", "/types/no-such").error[2] == "Volume type no-such could not be found."
    zones = api.volume("GET", "/os-availability-zone").body["availabilityZoneInfo"]
    assert {"zoneName": "nova", "zoneState": {"available": True}} in zones


def test_limits(api: Plain, volume: dict[str, Any]) -> None:
    """Limits and quotas count what there is."""
    assert volume
    absolute = api.volume("GET", "/limits").body["limits"]["absolute"]
    assert absolute["maxTotalVolumes"] == 10
    assert absolute["totalVolumesUsed"] >= 1
    plain = api.volume("GET", f"/os-quota-sets/{api.project_id}").body["quota_set"]
    assert (plain["volumes"], plain["gigabytes"], plain["volumes_SSD"]) == (10, 1000, -1)
    usage = api.volume("GET", f"/os-quota-sets/{api.project_id}?usage=true").body["quota_set"]
    assert set(usage) == set(plain)
    assert usage["volumes"]["in_use"] >= 1
    assert api.volume("GET", f"/os-quota-sets/{'0' * 32}").error == (
        403,
        "forbidden",
        "Policy doesn't allow volume_extension:quotas:show to be performed.",
    )


def test_what_is_not_there(api: Plain) -> None:
    """Backups are none; what newer versions brought is 404 before."""
    assert api.volume("GET", f"/backups/{NOWHERE}").error[2] == f"Backup {NOWHERE} could not be found."
    assert api.volume("GET", "/messages").status == 404
    assert api.volume("GET", "/messages", version="3.3").status == 200
    assert api.volume("GET", "/os-services").error[:2] == (403, "forbidden")


@pytest.mark.parametrize(("word", "status"), [("fail-create", "error"), ("fail-extend", "error_extending")])
def test_failures_by_name(api: Plain, word: str, status: str) -> None:
    """A word in the name makes a step fail, with a message that says why."""
    volume = api.made("/volumes", size=1, name=f"peer-{word}-{api.prefix}")
    path = f"/volumes/{volume['id']}"
    if word == "fail-extend":
        api.until(path, "available")
        act(api, volume, "os-extend", new_size=2)
    assert api.until(path, status)["size"] == 1
    messages = api.volume("GET", f"/messages?resource_uuid={volume['id']}", version="3.5").body["messages"]
    assert any("failed to" in message["user_message"] for message in messages)


def test_failed_delete() -> None:
    """A volume whose delete fails is there in error_deleting, and cannot be deleted again."""
    with Emulator(dialect="openstack", speed=500) as cloud:
        api = account_of(cloud)
        volume = api.made("/volumes", size=1, name="fail-delete")
        path = f"/volumes/{volume['id']}"
        api.until(path, "available")
        assert api.volume("DELETE", path).status == 202
        api.until(path, "error_deleting")
        assert api.volume("DELETE", path).error == (400, "badRequest", BUSY)


def test_time_passes_by_the_clock() -> None:
    """Nothing happens but by the clock: a volume is creating until its time has come."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        api = account_of(cloud)
        path = f"/volumes/{api.made('/volumes', size=1)['id']}"
        for seconds, status in ((0.0, "creating"), (0.7, "creating"), (0.2, "available")):
            clock.advance(seconds)
            assert api.volume("GET", path).body["volume"]["status"] == status
        assert api.volume("POST", path + "/action", {"os-extend": {"new_size": 2}}).status == 202
        assert api.volume("GET", path).body["volume"]["status"] == "extending"
        clock.advance(1)
        assert api.volume("GET", path).body["volume"]["size"] == 2


def test_the_guides_cloud() -> None:
    """In the guide's dialect v2 is served, versions are none, and the name is noted in the metadata for good."""
    with Emulator() as cloud:
        api = account_of(cloud)
        root = api.volume_url.partition("/v3")[0]
        versions = api.send("GET", root + "/").body["versions"]
        assert [(version["id"], version["version"]) for version in versions] == [("v2.0", ""), ("v3.0", "")]
        body = {"name": "openapi_vol02", "availability_zone": "eu-de-01", "volume_type": "SATA", "size": 40}
        answer = api.send("POST", f"{root}/v2/{api.project_id}/volumes", {"volume": body})
        assert answer.status == 202
        assert "OpenStack-API-Version" not in answer.headers
        made = answer.body["volume"]
        assert made["metadata"] == {"__system__volume_name": "openapi_vol02"}
        assert (made["shareable"], made["replication_status"]) == (False, "disabled")
        assert made["links"][0]["href"].startswith(f"{root}/v2/{api.project_id}/volumes/")
        kept = api.volume("PUT", f"/volumes/{made['id']}/metadata", {"metadata": {"a": "b"}}).body
        assert kept == {"metadata": {"__system__volume_name": "openapi_vol02", "a": "b"}}
