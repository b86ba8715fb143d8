"""Cinder of the emulator in the dialect `otc`: the limits, rules and error codes of the Elastic Volume Service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.emulator.account import Account, signed_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.emulator.plain import Response

ZONE = {"availability_zone": "eu-de-02"}
KEY_ID = "6eb22a4f-1d5e-4f0a-9d6c-0d5a9f1f6f4e"


def request(account: Account, **volume: Any) -> Response:
    """Send a request for a volume, of 10 GiB in the second zone if not given."""
    return account.cinder("POST", "/volumes", {"volume": {"size": 10} | ZONE | volume})


def create(account: Account, **volume: Any) -> str:
    """Create a volume, wait until it is available and return its id."""
    response = request(account, **volume)
    assert response.status == 202, response.body
    account.wait_for_volume(response.body["volume"]["id"], "available")
    return str(response.body["volume"]["id"])


def show(account: Account, volume: str) -> dict[str, Any]:
    """Return a volume."""
    shown: dict[str, Any] = account.cinder("GET", f"/volumes/{volume}").body["volume"]
    return shown


def snapshot(account: Account, volume: str) -> str:
    """Create a snapshot of a volume and return its id."""
    created = account.cinder("POST", "/snapshots", {"snapshot": {"volume_id": volume}}).body["snapshot"]["id"]
    account.clock.advance(10)
    return str(created)


def retype(account: Account, volume: str, new_type: str, version: str = "v2") -> Response:
    """Send the request for another type."""
    path = f"/volume/{version}/{account.project_id}/volumes/{volume}/retype"
    return account.send("POST", path, {"os-retype": {"new_type": new_type}})


def code(response: Response) -> str:
    """Return status and code of an error, such as `400 EVS.1010`; OpenStack's name of the error if it has no code."""
    ((name, error),) = response.body.items()
    return f"{response.status} {error['code'] if name == 'error' else name}"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no zone": ({"availability_zone": None}, "400 EVS.1036"),
    "unknown zone": ({"availability_zone": "nova"}, "400 EVS.1036"),
    "too small": ({"size": 9}, "400 EVS.1010"),
    "too large": ({"size": 32769}, "400 EVS.1010"),
    "no size": ({"size": None, "snapshot_id": "SNAPSHOT"}, "400 EVS.1010"),
    "system disk too large": ({"imageRef": "IMAGE", "size": 1025}, "400 EVS.1010"),
    "type not in zone": ({"volume_type": "ESSD", "availability_zone": "eu-de-01"}, "400 EVS.2071"),
    "end of sale": ({"volume_type": "SATA"}, "400 EVS.2072"),
    "copy": ({"source_volid": "VOLUME"}, "400 badRequest"),
    "backup": ({"backup_id": KEY_ID}, "400 EVS.1006"),
    "zone of snapshot": ({"snapshot_id": "SNAPSHOT", "availability_zone": "eu-de-01"}, "400 EVS.2054"),
    "type of snapshot": ({"snapshot_id": "SNAPSHOT", "volume_type": "SSD"}, "400 EVS.2096"),
    "encrypted copy": (
        {"imageRef": "IMAGE", "metadata": {"__system__encrypted": "1", "__system__cmkid": KEY_ID}},
        "400 EVS.1043",
    ),
    "SCSI copy": ({"snapshot_id": "SNAPSHOT", "metadata": {"hw:passthrough": "true"}}, "400 EVS.1043"),
    "no key": ({"metadata": {"__system__encrypted": "1"}}, "400 EVS.2041"),
    "invalid SCSI": ({"metadata": {"hw:passthrough": "yes"}}, "400 EVS.1057"),
    "shared system disk": ({"imageRef": "IMAGE", "multiattach": True}, "400 EVS.2094"),
    "name in bytes": ({"name": "ü" * 128}, "400 EVS.1003"),
    "description in bytes": ({"description": "ü" * 128}, "400 EVS.1004"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_volume(account: Account, case: str) -> None:
    """A volume that the documents rule out is refused, with the code that they name."""
    inputs, expected = REFUSED[case]
    assert code(request(account, **_resolved(account, inputs))) == expected


def _resolved(account: Account, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs with ids of new objects instead of the names of their kinds."""
    makers: dict[str, Callable[[], str]] = {
        "IMAGE": account.image,
        "VOLUME": lambda: create(account),
        "SNAPSHOT": lambda: snapshot(account, create(account)),
    }
    return {name: makers[value]() if str(value) in makers else value for name, value in inputs.items()}


@pytest.mark.parametrize(
    "inputs",
    [
        {"size": 32768},
        {"imageRef": "IMAGE", "size": 1024},
        {"volume_type": "ESSD"},
        {"metadata": {"__system__encrypted": "1", "__system__cmkid": KEY_ID, "hw:passthrough": "true"}},
        {"multiattach": True},
    ],
    ids=lambda inputs: next(iter(inputs)),
)
def test_volume_within_the_limits(account: Account, inputs: dict[str, Any]) -> None:
    """The limits themselves are allowed."""
    assert show(account, create(account, **_resolved(account, inputs)))["encrypted"] is False


def test_scheduler_hints_are_refused(account: Account) -> None:
    """The documents name no scheduler hints."""
    body = {"volume": {"size": 10, **ZONE}, "OS-SCH-HNT:scheduler_hints": {"different_host": []}}
    assert code(account.cinder("POST", "/volumes", body)) == "400 EVS.5400"


def test_rules_of_create() -> None:
    """With other rules the cloud chooses the first zone that has the type, and still creates SATA volumes."""
    with signed_in(zone_required="no", end_of_sale="sell") as account:
        assert show(account, create(account, availability_zone=None))["availability_zone"] == "eu-de-01"
        fast = create(account, availability_zone=None, volume_type="ESSD")
        assert show(account, fast)["availability_zone"] == "eu-de-02"
        assert show(account, create(account, volume_type="SATA"))["volume_type"] == "SATA"


def test_types_name_their_zones(account: Account) -> None:
    """The specifications of a type list the zones that have it."""
    types = {each["name"]: each["extra_specs"] for each in account.cinder("GET", "/types").body["volume_types"]}
    assert set(types) == {"ESSD", "GPSSD", "SSD", "SAS", "SATA"}
    assert types["SSD"]["RESKEY:availability_zones"] == "eu-de-01,eu-de-02,eu-de-03"
    assert types["ESSD"]["RESKEY:availability_zones"] == "eu-de-02,eu-de-03"


def test_error_codes(account: Account) -> None:
    """Errors without a code of their own have that of their status, if the documents name one."""
    assert code(account.cinder("GET", "/volumes/no-such")) == "404 EVS.5404"
    assert code(account.cinder("GET", "/volumes?limit=x")) == "400 badRequest"
    account.cloud.set_quota(volumes=0)
    assert code(request(account)) == "413 EVS.5413"
    account.cloud.set_quota(volumes=1000)


@pytest.mark.parametrize("status", ["hidden", "shown"])
def test_retype(status: str) -> None:
    """Only `/v2/…/retype` changes the type. It takes time, in which the volume cannot be changed in other ways."""
    with signed_in(retype_status=status) as account:
        volume = create(account, volume_type="SAS")
        action = account.cinder("POST", f"/volumes/{volume}/action", {"os-retype": {"new_type": "SSD"}})
        assert (action.status, action.message.split(".")[0]) == (400, "There is no such action: os-retype")
        assert retype(account, volume, "SSD", "v3").status == 404
        accepted = retype(account, volume, "SSD")
        assert (accepted.status, set(accepted.body)) == (202, {"job_id"})
        shown = show(account, volume)
        expected = "available" if status == "hidden" else "retyping"
        assert (shown["status"], shown["volume_type"]) == (expected, "SAS")
        assert code(retype(account, volume, "SSD")).startswith("400 ")
        extend = {"os-extend": {"new_size": 20}}
        assert code(account.cinder("POST", f"/volumes/{volume}/action", extend)) == "400 EVS.1064"
        assert code(account.cinder("DELETE", f"/volumes/{volume}")) == "400 EVS.1046"
        assert account.cinder("POST", "/snapshots", {"snapshot": {"volume_id": volume}}).status == 400
        account.clock.advance(60)
        shown = show(account, volume)
        assert (shown["status"], shown["volume_type"]) == ("available", "SSD")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("SAS", "SSD", 202),
        ("SSD", "GPSSD", 202),
        ("GPSSD", "ESSD", 202),
        ("SSD", "SAS", "400 EVS.2087"),
        ("SSD", "SSD", "400 EVS.2087"),
        ("SAS", "SATA", "400 EVS.2072"),
        ("SAS", "no-such", "404 EVS.5404"),
    ],
)
def test_retype_to_faster_types_only(account: Account, old: str, new: str, expected: int | str) -> None:
    """A volume changes to another kind of SSD, or to a faster type."""
    response = retype(account, create(account, volume_type=old), new)
    assert (response.status if response.status == 202 else code(response)) == expected


def test_retype_to_type_that_the_zone_lacks(account: Account) -> None:
    """The new type must exist in the zone of the volume."""
    assert code(retype(account, create(account, availability_zone="eu-de-01"), "ESSD")) == "400 EVS.2071"


def test_failed_retype_keeps_the_type(account: Account) -> None:
    """A change that fails ends without an error: the volume keeps its type."""
    volume = create(account, name="fail-retype")
    assert retype(account, volume, "SSD").status == 202
    account.clock.advance(60)
    assert show(account, volume)["volume_type"] == "SAS"
    assert retype(account, volume, "SSD").status == 202


def test_attached_volume(account: Account) -> None:
    """An attached volume can be extended without a microversion; it cannot be detached while its type changes."""
    server, volume = (
        account.active(networks=[{"uuid": account.network()}], availability_zone="eu-de-02"),
        create(account),
    )
    attachment = {"volumeAttachment": {"volumeId": volume}}
    assert account.nova("POST", f"/servers/{server}/os-volume_attachments", attachment).status == 200
    account.wait_for_volume(volume, "in-use")
    assert account.cinder("POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 20}}).status == 202
    account.wait_for_volume(volume, "in-use")
    assert show(account, volume)["size"] == 20
    assert retype(account, volume, "SSD").status == 202
    detach = account.nova("DELETE", f"/servers/{server}/os-volume_attachments/{volume}")
    assert (detach.status, "type of volume" in detach.message) == (400, True)
    account.clock.advance(60)
    assert account.nova("DELETE", f"/servers/{server}/os-volume_attachments/{volume}").status == 202


def test_extend_of_shared_volume(account: Account) -> None:
    """A shared volume can only be extended while no server has it."""
    volume = create(account, multiattach=True)
    with account.cloud.state(account.region) as state:
        state.put("volume", {**(state.get("volume", volume) or {}), "status": "in-use"})
    extend = {"os-extend": {"new_size": 20}}
    assert code(account.cinder("POST", f"/volumes/{volume}/action", extend)) == "400 EVS.1065"
    too_large = {"os-extend": {"new_size": 32769}}
    assert code(account.cinder("POST", f"/volumes/{volume}/action", too_large)) == "400 EVS.1014"


def test_metadata_of_the_cloud(account: Account) -> None:
    """The cloud adds metadata, and refuses requests that change or remove them; others can be added and removed."""
    volume = create(account, name="disk", metadata={"a": "1"})
    own = {"__system__volume_name": "disk", "hw:passthrough": "false"}
    path = f"/volumes/{volume}/metadata"
    assert show(account, volume)["metadata"] == own | {"a": "1"}
    assert code(account.cinder("PUT", path, {"metadata": {"b": "2"}})) == "403 EVS.5403"
    assert code(account.cinder("PUT", f"/volumes/{volume}", {"volume": {"metadata": {}}})) == "403 EVS.5403"
    assert code(account.cinder("POST", path, {"metadata": {"hw:passthrough": "true"}})) == "400 EVS.2047"
    assert code(account.cinder("DELETE", f"{path}/hw:passthrough")) == "403 EVS.5403"
    assert code(account.cinder("DELETE", f"{path}/no-such")) == "404 EVS.5404"
    assert account.cinder("POST", path, {"metadata": {"b": "2"}}).status == 200
    assert account.cinder("DELETE", f"{path}/a").status == 200
    assert account.cinder("PUT", path, {"metadata": own | {"b": "3"}}).status == 200
    assert show(account, volume)["metadata"] == own | {"b": "3"}


def test_snapshots_are_deleted_with_their_volume(account: Account) -> None:
    """The delete of a volume deletes its snapshots as well."""
    volume = create(account)
    taken = snapshot(account, volume)
    assert account.cinder("DELETE", f"/volumes/{volume}").status == 202
    account.wait_for_volume(volume, "gone")
    assert account.cinder("GET", f"/snapshots/{taken}").status == 404


def test_fields_of_a_volume(account: Account) -> None:
    """A volume of v2 has the links of v2, and the fields that only this cloud has."""
    root = f"/volume/v2/{account.project_id}"
    response = account.send("POST", f"{root}/volumes", {"volume": {"name": "openapi_vol02", "size": 40, **ZONE}})
    assert response.status == 202
    created = response.body["volume"]
    assert (created["shareable"], created["replication_status"]) == (False, "disabled")
    assert f"{account.region}{root}/volumes/" in created["links"][0]["href"]
