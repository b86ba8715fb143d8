"""Servers of the emulator in dialect `otc`: versions, actions, lists, metadata, tags, disks, flavors and key pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator.nova.actions import UNDOCUMENTED
from tests.api.emulator.account import Account, signed_in

if TYPE_CHECKING:
    from tests.api.emulator.plain import Response

ANY_ID = "f0f0f0f0-1111-4222-8333-444444444444"


@pytest.fixture(scope="module")
def network(account: Account) -> str:
    """A network for the servers of this module."""
    return account.network()


@pytest.fixture(scope="module")
def server(account: Account, network: str) -> str:
    """A server that no test changes for longer than itself runs."""
    return account.active("shared", networks=[{"uuid": network}])


def ids(response: Response, key: str = "servers") -> list[str]:
    """Return the ids in a list."""
    return [each["id"] for each in response.body[key]]


def volume(account: Account, **fields: Any) -> str:
    """Create a volume and return its id, once it is available."""
    requested = {"size": 10, "volume_type": "SAS", "availability_zone": "eu-de-01", **fields}
    created = account.cinder("POST", "/volumes", {"volume": requested})
    assert created.status == 202, created.body
    account.clock.advance(30)
    return str(created.body["volume"]["id"])


def attach(account: Account, server: str, volume_id: str, **fields: Any) -> Response:
    """Attach a volume to a server."""
    body = {"volumeAttachment": {"volumeId": volume_id, **fields}}
    return account.nova("POST", f"/servers/{server}/os-volume_attachments", body)


@pytest.mark.parametrize("action", sorted(UNDOCUMENTED))
def test_undocumented_action_is_refused(account: Account, action: str) -> None:
    """An action that the cloud does not document does not exist, whatever the server is."""
    response = account.act(ANY_ID, action)
    assert (response.status, response.message) == (400, f"There is no such action: {action}")


def test_rule_offers_undocumented_actions() -> None:
    """With the rule `undocumented_actions=answer`, the cloud suspends a server."""
    with signed_in(undocumented_actions="answer") as account:
        server = account.active(networks=[{"uuid": account.network()}])
        assert account.act(server, "suspend").status == 202
        account.wait_for(server, "SUSPENDED")


@pytest.mark.parametrize(
    ("flavor", "message"),
    [
        ("s3.large.2", "When resizing, instances must change flavor!"),
        ("c3.xlarge.2", "Flavor c3.xlarge.2 has another resource type than flavor s3.large.2."),
    ],
)
def test_resize_is_refused(account: Account, server: str, flavor: str, message: str) -> None:
    """A resize is refused to the same flavor, and to another resource type for a server made from an image."""
    response = account.act(server, "resize", {"flavorRef": flavor})
    assert (response.status, response.message) == (400, message)


def test_resize_to_larger_disk_is_refused(account: Account, server: str) -> None:
    """A resize cannot change the size of the system disk."""
    admin = Account(account.cloud, account.clock, "admin")
    flavor = {"id": "disk", "name": "disk", "ram": 4096, "vcpus": 2, "disk": 40}
    admin.nova("POST", "/flavors", {"flavor": flavor})
    response = account.act(server, "resize", {"flavorRef": "disk"})
    assert (response.status, response.message) == (400, "The system disk of the flavor must not change.")


def test_resize_to_sold_out_flavor_falls_back(account: Account, network: str) -> None:
    """The cloud rolls a resize back if it has no resources for it."""
    server = account.active("rolled-back", networks=[{"uuid": network}])
    assert account.act(server, "resize", {"flavorRef": "s3.4xlarge.2"}).status == 202
    assert account.wait_for(server, "ACTIVE")[0] == ("RESIZE", "resize_prep")
    assert account.show(server)["flavor"]["id"] == "s3.large.2"


@pytest.mark.parametrize(
    ("flavor", "zone", "status"),
    [
        ("s3.4xlarge.2", "eu-de-02", "ERROR"),
        ("s3.4xlarge.4", "eu-de-01", "ERROR"),
        ("s3.4xlarge.4", "eu-de-02", "ACTIVE"),
        ("s3.4xlarge.4", "eu-de-03", "ACTIVE"),
    ],
)
def test_no_server_is_built_with_sold_out_flavor(
    account: Account, network: str, flavor: str, zone: str, status: str
) -> None:
    """A flavor that is sold out in the zone or the region has no host; the zone has precedence over the region."""
    server = account.server(f"of-{zone}", networks=[{"uuid": network}], flavorRef=flavor, availability_zone=zone)
    account.wait_for(server, status)


def test_flavors_have_extra_specs(account: Account) -> None:
    """The extra specs name the kind, the hosts, the NICs, and where the flavor is sold out."""
    specs = {
        name: account.nova("GET", f"/flavors/{name}/os-extra_specs").body["extra_specs"]
        for name in ("s3.large.2", "c3.large.2", "s3.2xlarge.2", "s3.4xlarge.2", "s3.4xlarge.4")
    }
    assert specs["s3.large.2"].items() >= {"ecs:generation": "3", "resource_type": "IOoptimizedS3_2"}.items()
    assert specs["c3.large.2"]["ecs:performancetype"] == "computingv3"
    assert [(each.get("cond:operation:status"), each.get("cond:operation:az")) for each in specs.values()] == [
        (None, None),
        (None, None),
        ("promotion", None),
        ("sellout", None),
        (None, "eu-de-01(sellout), eu-de-02(normal)"),
    ]


def test_page_has_25_servers() -> None:
    """A list without `limit` has pages of 25 servers; with it, up to 1000."""
    with signed_in() as account:
        network = account.network()
        for number in range(26):
            account.server(f"many-{number}", networks=[{"uuid": network}])
        first = account.nova("GET", "/servers")
        assert (len(ids(first)), bool(first.body.get("servers_links"))) == (25, True)
        assert len(ids(account.nova("GET", f"/servers?marker={ids(first)[-1]}"))) == 1
        whole = account.nova("GET", "/servers/detail?limit=1000")
        assert (len(ids(whole)), "servers_links" in whole.body) == (26, False)


def test_filters_match_parts(account: Account, server: str) -> None:
    """Name, flavor and address are matched by a part of them, and not by a regular expression."""
    address = next(iter(account.show(server)["addresses"].values()))[0]["addr"]
    for query in ("name=hare", "flavor=3.large", f"ip={address[:-1]}"):
        assert server in ids(account.nova("GET", f"/servers?{query}")), query
    for query in ("name=^shared$", "name=shared%5C-", "flavor=^s3", "ip=10%5C.1"):
        assert ids(account.nova("GET", f"/servers?{query}")) == [], query


def test_image_overrides_other_filters(account: Account, server: str) -> None:
    """With `image`, the name, the limit and the marker are ignored."""
    query = f"/servers?image={account.image()}"
    found = ids(account.nova("GET", query))
    assert server in found
    assert ids(account.nova("GET", f"{query}&name=nothing&limit=1&marker={ANY_ID}&status=SHUTOFF")) == found


def test_cloud_adds_metadata(account: Account, server: str) -> None:
    """A new server has metadata of the cloud, unless the rule `server_metadata` is `plain`."""
    assert account.show(server)["metadata"].items() >= {"metering.resourcetype": "1", "os_bit": "64"}.items()
    with signed_in(server_metadata="plain") as plain:
        assert plain.show(plain.server(networks=[{"uuid": plain.network()}]))["metadata"] == {}


def test_devices_are_named_in_sequence(account: Account, network: str) -> None:
    """A device name that is not the next one is replaced by it, and one that is in use is refused."""
    server = account.active("disks", networks=[{"uuid": network}])
    for requested, named in (("/dev/sdb", "/dev/vdb"), ("/dev/vdx", "/dev/vdc"), (None, "/dev/vdd")):
        response = attach(account, server, volume(account), device=requested)
        assert response.body["volumeAttachment"]["device"] == named
    response = attach(account, server, volume(account), device="/dev/vdc")
    assert (response.status, response.message) == (409, "The supplied device path (/dev/vdc) is in use.")


def test_volume_of_other_zone_is_refused(account: Account, server: str) -> None:
    """Volume and server share a zone."""
    response = attach(account, server, volume(account, availability_zone="eu-de-02"))
    assert (response.status, "not in the same availability_zone" in response.message) == (400, True)


def test_new_server_with_volume_of_other_zone_is_refused(account: Account, network: str) -> None:
    """A new server shares the zone of its volumes, and has it if the request names none."""
    disk = volume(account, availability_zone="eu-de-02", imageRef=account.image())
    root = {"source_type": "volume", "destination_type": "volume", "uuid": disk, "boot_index": 0}
    requested = {"networks": [{"uuid": network}], "imageRef": None, "block_device_mapping_v2": [root]}
    response = account.nova("POST", "/servers", account.body("other", **requested, availability_zone="eu-de-01"))
    assert (response.status, "not in the same availability zone" in response.message) == (400, True)
    assert account.show(account.active("same", **requested))["OS-EXT-AZ:availability_zone"] == "eu-de-02"


def test_bootable_volume_needs_device(account: Account, server: str) -> None:
    """A bootable volume is attached only under a name that the request gives."""
    bootable = volume(account, imageRef=account.image())
    response = attach(account, server, bootable)
    assert (response.status, "must be specified" in response.message) == (400, True)
    assert attach(account, server, bootable, device="/dev/vdb").status == 200


def test_server_has_at_most_24_disks(account: Account, network: str) -> None:
    """A server has at most 24 disks, with its root disk, unless the others are SCSI disks."""
    server = account.active("full", networks=[{"uuid": network}])
    for _ in range(23):
        assert attach(account, server, volume(account)).status == 200
    response = attach(account, server, volume(account))
    assert (response.status, "disk devices (24)" in response.message) == (403, True)
    assert attach(account, server, volume(account, metadata={"hw:passthrough": "true"})).status == 200


def test_repeated_id_finds_last_object(account: Account) -> None:
    """Of several `id` in a list of Neutron, only the last one counts."""
    first, second = account.network("first", "10.3.0.0/24"), account.network("second", "10.4.0.0/24")
    response = account.neutron("GET", f"/networks?id={first}&id={second}")
    assert ids(response, "networks") == [second]


def test_rebuild_takes_documented_fields_only(account: Account, server: str) -> None:
    """A rebuild writes no files."""
    files = [{"path": "/etc/motd", "contents": "aGk="}]
    response = account.act(server, "rebuild", {"imageRef": account.image(), "personality": files})
    assert (response.status, "'personality' was unexpected" in response.message) == (400, True)


def test_update_takes_name_and_description_only(account: Account, server: str) -> None:
    """A server has no other field that `PUT` changes."""
    for refused in ({"accessIPv4": "10.0.0.1"}, {"accessIPv6": "::1"}, {"OS-DCF:diskConfig": "AUTO"}):
        assert account.nova("PUT", f"/servers/{server}", {"server": refused}).status == 400
    changed = {"server": {"name": "shared", "description": "m" * 255}}
    assert account.nova("PUT", f"/servers/{server}", changed, microversion="2.19").status == 200


@pytest.mark.parametrize(
    "refused",
    [{"name": "my server"}, {"name": "n" * 129}, {"description": "a <b> x"}, {"description": "\u00e4" * 128}],
    ids=["space", "long-name", "markup", "bytes"],
)
def test_update_has_the_limits_of_names_and_descriptions(account: Account, server: str, refused: Any) -> None:
    """A changed name is limited like that of a new server; a changed description has at most 255 bytes."""
    response = account.nova("PUT", f"/servers/{server}", {"server": refused}, microversion="2.19")
    assert (response.status, next(iter(refused)) in response.message) == (400, True)


def test_new_nic_has_the_first_requested_address(account: Account) -> None:
    """Of several `fixed_ips` in a request for a NIC, only the first one counts."""
    network = account.network("addresses", "10.5.0.0/24")
    server = account.active("addressed", networks=[{"uuid": network}])
    addresses = [{"ip_address": f"10.5.0.{number}"} for number in (20, 21)]
    body = {"interfaceAttachment": {"net_id": network, "fixed_ips": addresses}}
    added = account.nova("POST", f"/servers/{server}/os-interface", body).body["interfaceAttachment"]
    assert [each["ip_address"] for each in added["fixed_ips"]] == ["10.5.0.20"]


def test_resizes_running_server(account: Account, network: str) -> None:
    """A resize of a running server leads to VERIFY_RESIZE, and the server is ACTIVE after the confirm."""
    server = account.active("resized", networks=[{"uuid": network}])
    assert account.act(server, "resize", {"flavorRef": "s3.xlarge.2"}).status == 202
    assert account.wait_for(server, "VERIFY_RESIZE") == [
        ("RESIZE", "resize_prep"),
        ("RESIZE", "resize_migrating"),
        ("RESIZE", "resize_migrated"),
        ("RESIZE", "resize_finish"),
        ("VERIFY_RESIZE", None),
    ]
    assert account.show(server)["OS-EXT-STS:vm_state"] == "resized"
    assert account.act(server, "confirmResize").status == 204
    assert account.show(server)["status"] == "VERIFY_RESIZE"
    assert account.act(server, "confirmResize").status == 400
    account.wait_for(server, "ACTIVE")
    assert account.show(server)["flavor"]["id"] == "s3.xlarge.2"


def test_limits_of_tags(account: Account, network: str) -> None:
    """A tag has at most 80 letters, digits, hyphens and underscores."""
    server = account.active("tagged", networks=[{"uuid": network}])
    path = f"/servers/{server}/tags"
    tags = ["a" * 80, "B-1_2"]
    assert account.nova("PUT", path, {"tags": tags}, microversion="2.26").body == {"tags": tags}
    assert account.show(server, microversion="2.26")["tags"] == tags
    for refused in ("a" * 81, "a=b", "a b", "ä"):
        assert account.nova("PUT", path, {"tags": [refused]}, microversion="2.26").status == 400
    assert account.nova("PUT", f"{path}/a=b", microversion="2.26").status == 400


def test_shows_tags_as_pairs() -> None:
    """With the rule `server_tags=pairs` a tag is shown as a key with an empty value."""
    with signed_in(server_tags="pairs") as account:
        server = account.active("tagged", networks=[{"uuid": account.network()}])
        account.nova("PUT", f"/servers/{server}/tags", {"tags": ["a"]}, microversion="2.26")
        assert account.show(server, microversion="2.26")["tags"] == ["a="]


def test_has_the_microversions_of_queens(account: Account) -> None:
    """`/v2.1` has the microversions 2.1 to 2.60 under both header names; newer ones return 406. `/v2` has none."""
    versions = account.send("GET", "/compute/").body["versions"]
    assert [(each["id"], each["status"], each["version"], each["min_version"]) for each in versions] == [
        ("v2.0", "SUPPORTED", "", ""),
        ("v2.1", "CURRENT", "2.60", "2.1"),
    ]
    assert account.nova("GET", "/servers", microversion="2.60").headers["OpenStack-API-Version"] == "compute 2.60"
    older = account.nova("GET", "/servers", **{"X-OpenStack-Nova-API-Version": "2.26"})
    assert older.headers["X-OpenStack-Nova-API-Version"] == "2.26"
    refused = account.nova("GET", "/servers", microversion="2.61")
    assert (refused.status, refused.message) == (
        406,
        "Version 2.61 is not supported by the API. Minimum is 2.1 and maximum is 2.60.",
    )
    plain = account.nova("GET", "/servers", version="v2", microversion="2.61")
    assert plain.status == 200
    assert not [name for name in plain.headers if "api-version" in name.lower()]


def test_imports_short_keys_only(account: Account) -> None:
    """A public key of more than 1024 bytes is rejected."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn "

    def imported(length: int) -> int:
        body = {"keypair": {"name": f"of-{length}", "public_key": key + "c" * (length - len(key))}}
        return account.nova("POST", "/os-keypairs", body).status

    assert [imported(1024), imported(1025)] == [200, 400]
