"""Nova as the guide describes it: the rules of the dialect `otc`, and what takes time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE_IMAGE = "11e8f727-d439-4ed1-b3b8-33f46c0379c4"


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """An account of an emulator in the guide's dialect."""
    clock = ManualClock()
    with Emulator(clock=clock) as cloud:
        yield Account(cloud, clock)


@pytest.fixture(scope="module")
def network(account: Account) -> str:
    """A network to plug servers into."""
    return account.network()


def test_no_version_offers_microversions(account: Account) -> None:
    """The version list is the guide's: empty `version` and `min_version`; answers name no microversion."""
    versions = account.send("GET", "/compute/").body["versions"]
    assert [(each["id"], each["version"], each["min_version"]) for each in versions] == [
        ("v2.0", "", ""),
        ("v2.1", "", ""),
    ]
    answer = account.nova("GET", "/servers", micro="2.26")
    assert answer.status == 200
    assert not [name for name in answer.headers if "api-version" in name.lower()]


def test_the_guides_create_request_as_it_is_printed(account: Account, network: str) -> None:
    """Chapter 4: texts for numbers and booleans, `volume_type` in the block device, on `/v2`; SATA is what comes."""
    account.nova("POST", "/os-keypairs", {"keypair": {"type": "ssh", "name": "demo2", "user_id": "fake"}}, version="v2")
    body = {
        "server": {
            "flavorRef": "c1.large",
            "name": "zttestvm1",
            "block_device_mapping_v2": [
                {
                    "source_type": "image",
                    "destination_type": "volume",
                    "volume_type": "SAS",
                    "volume_size": "40",
                    "delete_on_termination": "true",
                    "uuid": GUIDE_IMAGE,
                    "boot_index": "0",
                }
            ],
            "networks": [{"uuid": network}],
            "key_name": "demo2",
            "availability_zone": "eu-de-02",
        }
    }
    answer = account.nova("POST", "/servers", body, version="v2")
    assert answer.status == 202
    assert set(answer.body["server"]) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
    server = answer.body["server"]["id"]
    account.until(server, "ACTIVE")
    shown = account.show(server)
    assert shown["OS-EXT-AZ:availability_zone"] == "eu-de-02"
    assert shown["OS-EXT-SRV-ATTR:host"] == "pod01.eu-de-02"
    assert shown["image"] == ""
    disk = shown["os-extended-volumes:volumes_attached"][0]["id"]
    volume = account.cinder("GET", f"/volumes/{disk}").body["volume"]
    assert (volume["size"], volume["volume_type"], volume["status"], volume["availability_zone"]) == (
        *(40, "SAS", "in-use"),
        "eu-de-02",
    )
    account.nova("DELETE", f"/servers/{server}")
    account.until(server, "gone")
    assert account.volume_until(disk, "gone")[-1] == "gone"


def test_a_disk_smaller_than_the_image_needs_is_refused(account: Account, network: str) -> None:
    """The guide: the volume must be as large as the image's metadata says."""
    body = account.body(networks=[{"uuid": network}])
    body["server"]["block_device_mapping_v2"][0] |= {"uuid": GUIDE_IMAGE, "volume_size": 39}
    refused = account.nova("POST", "/servers", body)
    assert refused.status == 400
    assert refused.message.startswith("Volume is smaller than the minimum size specified in image metadata.")


def test_a_flavor_without_disk_boots_from_volumes_only(account: Account, network: str) -> None:
    """The guide's flavors have disk 0, so a local disk from an image is refused."""
    body = account.body(networks=[{"uuid": network}], block_device_mapping_v2=None, imageRef=account.image())
    refused = account.nova("POST", "/servers", body)
    assert (refused.status, refused.message) == (
        403,
        "Only volume-backed servers are allowed for flavors with zero disk.",
    )


def test_specifications_change_only_when_stopped(account: Account, network: str) -> None:
    """Chapter 5: resize of a running server is 409; stopped, it goes to VERIFY_RESIZE, and on confirm to SHUTOFF."""
    server = account.active("resized", networks=[{"uuid": network}])
    refused = account.act(server, "resize", {"flavorRef": "s3.xlarge.2"})
    assert (refused.status, refused.message) == (
        409,
        f"Cannot 'resize' instance {server} while it is in vm_state active",
    )
    account.act(server, "os-stop")
    assert account.until(server, "SHUTOFF") == [("ACTIVE", "powering-off"), ("SHUTOFF", None)]
    assert account.act(server, "resize", {"flavorRef": "s3.xlarge.2"}).status == 202
    assert account.until(server, "VERIFY_RESIZE") == [
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
    account.until(server, "SHUTOFF")
    assert account.show(server)["flavor"]["id"] == "s3.xlarge.2"


def test_a_revert_of_a_stopped_server_shows_verify_resize_once_more(account: Account, network: str) -> None:
    """Only the final status with a null task_state means that it is over."""
    server = account.active("reverted", networks=[{"uuid": network}])
    account.act(server, "os-stop")
    account.until(server, "SHUTOFF")
    account.act(server, "resize", {"flavorRef": "s3.xlarge.2"})
    account.until(server, "VERIFY_RESIZE")
    assert account.act(server, "revertResize").status == 202
    assert account.until(server, "SHUTOFF") == [
        ("REVERT_RESIZE", "resize_reverting"),
        ("VERIFY_RESIZE", "powering-off"),
        ("SHUTOFF", None),
    ]
    assert account.show(server)["flavor"]["id"] == "s3.large.2"


@pytest.mark.parametrize("name", ["peer-fail-resize", "x-fallback-resize", "x-auto-confirm"])
def test_a_resize_that_goes_its_own_way(account: Account, network: str, name: str) -> None:
    """It ends in ERROR with a fault, or silently as before, or confirms itself; the quota counts one flavor."""
    server = account.active(name, networks=[{"uuid": network}])
    account.act(server, "os-stop")
    account.until(server, "SHUTOFF")
    before = account.nova("GET", "/limits").body["limits"]["absolute"]["totalCoresUsed"]
    account.act(server, "resize", {"flavorRef": "s3.xlarge.2"})
    account.clock.advance(10)
    shown = account.show(server)
    history = account.nova("GET", f"/servers/{server}/os-instance-actions").body["instanceActions"]
    assert (shown["status"], shown["flavor"]["id"], history[0]["message"]) == {
        "peer-fail-resize": ("ERROR", "s3.large.2", "Error"),
        "x-fallback-resize": ("SHUTOFF", "s3.large.2", "Error"),
        "x-auto-confirm": ("SHUTOFF", "s3.xlarge.2", None),
    }[name]
    assert ("fault" in shown) is (name == "peer-fail-resize")
    cores = account.nova("GET", "/limits").body["limits"]["absolute"]["totalCoresUsed"]
    assert cores - before == (2 if name == "x-auto-confirm" else 0)


def test_a_build_shows_its_phases(account: Account, network: str) -> None:
    """BUILD passes the tasks that the real one was seen to pass."""
    assert account.until(account.server("phases", networks=[{"uuid": network}]), "ACTIVE") == [
        ("BUILD", "scheduling"),
        ("BUILD", None),
        ("BUILD", "networking"),
        ("BUILD", "block_device_mapping"),
        ("BUILD", "spawning"),
        ("ACTIVE", None),
    ]


def test_an_action_right_after_the_create_finds_nothing(account: Account, network: str) -> None:
    """Before it is scheduled the server can be read but not acted on; then it is 409 for a while."""
    server = account.server("early", networks=[{"uuid": network}])
    assert account.show(server)["addresses"] == {}
    assert account.act(server, "os-stop").status == 404
    account.clock.advance(1)
    assert account.act(server, "os-stop").status == 409


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("peer-fail-spawn", "Exceeded maximum number of retries."),
        ("x-no-host", "No valid host was found. "),
    ],
)
def test_a_build_that_fails_says_why(account: Account, network: str, name: str, fault: str) -> None:
    """ERROR carries Nova's fault; the port that Nova made is gone; a delete takes it away at once."""
    server = account.server(name, networks=[{"uuid": network}])
    account.until(server, "ERROR")
    shown = account.show(server)
    assert shown["fault"]["message"].startswith(fault)
    assert account.neutron("GET", f"/ports?device_id={server}").body["ports"] == []
    assert account.nova("DELETE", f"/servers/{server}").status == 204
    assert account.show(server)["status"] == "gone"


def test_a_slow_build_is_slow(account: Account, network: str) -> None:
    """A name with slow-spawn takes half a minute and more."""
    server = account.server("peer-slow-spawn", networks=[{"uuid": network}])
    account.clock.advance(30)
    assert account.show(server)["OS-EXT-STS:task_state"] == "spawning"
    account.clock.advance(30)
    assert account.show(server)["status"] == "ACTIVE"


def test_an_attach_that_fails_leaves_the_volume_available(account: Account, network: str) -> None:
    """Nothing tells but the volume, the list and the history."""
    server = account.active("peer-fail-attach", networks=[{"uuid": network}])
    made = account.cinder("POST", "/volumes", {"volume": {"size": 1, "name": "data"}}).body["volume"]["id"]
    account.volume_until(made, "available")
    path = f"/servers/{server}/os-volume_attachments"
    assert account.nova("POST", path, {"volumeAttachment": {"volumeId": made}}).status == 200
    assert account.volume_until(made, "available") == ["reserved", "attaching", "available"]
    assert len(account.nova("GET", path).body["volumeAttachments"]) == 1
    history = account.nova("GET", f"/servers/{server}/os-instance-actions").body["instanceActions"]
    assert (history[0]["action"], history[0]["message"]) == ("attach_volume", "Error")


def test_an_attachment_keeps_the_device_asked_for(account: Account, network: str) -> None:
    """Chapter 6: /dev/sdb is asked for and comes back; the next free name is taken otherwise."""
    server = account.active("disks", networks=[{"uuid": network}])
    path = f"/servers/{server}/os-volume_attachments"
    devices = []
    for device in ("/dev/vdx", None):
        made = account.cinder("POST", "/volumes", {"volume": {"size": 1}}).body["volume"]["id"]
        account.volume_until(made, "available")
        body = {"volumeId": made} | ({"device": device} if device else {})
        devices.append(account.nova("POST", path, {"volumeAttachment": body}).body["volumeAttachment"]["device"])
        assert account.volume_until(made, "in-use") == ["reserved", "attaching", "in-use"]
    assert devices == ["/dev/vdx", "/dev/sdb"]


def test_a_delete_passes_deleting_and_deleted(account: Account, network: str) -> None:
    """Also a second one at once is 204; attached volumes come back, the user's port stays, Nova's goes."""
    port = account.neutron("POST", "/ports", {"port": {"network_id": network}}).body["port"]["id"]
    server = account.active("deleted", networks=[{"uuid": network}, {"port": port}])
    made = account.neutron("GET", f"/ports?device_id={server}").body["ports"]
    volume = account.cinder("POST", "/volumes", {"volume": {"size": 1}}).body["volume"]["id"]
    account.volume_until(volume, "available")
    account.nova("POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    account.volume_until(volume, "in-use")
    assert account.nova("DELETE", f"/servers/{server}").status == 204
    assert account.nova("DELETE", f"/servers/{server}").status == 204
    seen = [shown["status"] for shown in zip_until(account, server)]
    assert sorted(set(seen), key=seen.index) == ["ACTIVE", "DELETED", "gone"]
    assert account.volume_until(volume, "available") == ["available"]
    statuses = {each["id"]: account.neutron("GET", f"/ports/{each['id']}").status for each in made}
    assert statuses == {each["id"]: 200 if each["id"] == port else 404 for each in made}
    assert account.neutron("GET", f"/ports/{port}").body["port"]["device_id"] == ""


def zip_until(account: Account, server: str) -> Iterator[dict[str, str]]:
    """The server until it is gone, once more included."""
    for shown in account.course(server):
        yield shown
        if shown["status"] == "gone":
            return


def test_a_delete_during_the_build_shows_active_for_a_moment(account: Account, network: str) -> None:
    """The hypervisor finishes first."""
    server = account.server("in-vain", networks=[{"uuid": network}])
    account.clock.advance(5)
    account.nova("DELETE", f"/servers/{server}")
    seen = [shown["status"] for shown in zip_until(account, server)]
    assert sorted(set(seen), key=seen.index) == ["BUILD", "ACTIVE", "DELETED", "gone"]


def test_a_delete_can_be_made_to_hang(account: Account, network: str) -> None:
    """It stays `deleting` for ever."""
    server = account.active("x-hang-delete", networks=[{"uuid": network}])
    account.nova("DELETE", f"/servers/{server}")
    account.clock.advance(1000)
    assert account.show(server)["OS-EXT-STS:task_state"] == "deleting"


def test_changes_since_also_tells_of_the_deleted(account: Account, network: str) -> None:
    """What a poller needs: everything that changed since a moment, servers that are gone included."""
    server = account.active("changed", networks=[{"uuid": network}])
    account.clock.advance(60)
    since = account.show(account.active("later", networks=[{"uuid": network}]))["created"]
    account.nova("DELETE", f"/servers/{server}")
    account.clock.advance(10)
    changed = account.nova("GET", f"/servers/detail?changes-since={since}").body["servers"]
    assert {(each["name"], each["status"]) for each in changed} == {("later", "ACTIVE"), ("changed", "DELETED")}
    assert "changed" not in {each["name"] for each in account.nova("GET", "/servers").body["servers"]}


def test_a_list_goes_on_page_by_page(account: Account, network: str) -> None:
    """`limit`, `marker` and the `next` link, newest first, with the filters kept."""
    for number in range(5):
        account.server(f"page-{number}", networks=[{"uuid": network}])
    names = []
    path = "/servers?name=page-&limit=2"
    while path:
        body = account.nova("GET", path).body
        names.append([each["name"] for each in body["servers"]])
        links = body.get("servers_links", [])
        path = links[0]["href"].rpartition(account.project_id)[2] if links else ""
    assert names == [["page-4", "page-3"], ["page-2", "page-1"], ["page-0"]]


def test_power_states_back_and_forth(account: Account, network: str) -> None:
    """Pause, suspend, shelve and their opposites, each from the state that allows it."""
    server = account.active("power", networks=[{"uuid": network}])
    for action, status in (
        ("pause", "PAUSED"),
        ("unpause", "ACTIVE"),
        ("suspend", "SUSPENDED"),
        ("resume", "ACTIVE"),
        ("shelve", "SHELVED_OFFLOADED"),
        ("unshelve", "ACTIVE"),
        ("os-stop", "SHUTOFF"),
        ("os-start", "ACTIVE"),
    ):
        assert account.act(server, action).status == 202, action
        account.until(server, status)
    assert account.act(server, "unpause").status == 409


def test_a_locked_server_refuses_actions(account: Account, network: str) -> None:
    """Until it is unlocked."""
    server = account.active("locked", networks=[{"uuid": network}])
    account.act(server, "lock")
    refused = account.act(server, "os-stop")
    assert (refused.status, refused.message) == (409, f"Instance {server} is locked")
    assert account.nova("DELETE", f"/servers/{server}").status == 409
    account.act(server, "unlock")
    assert account.act(server, "os-stop").status == 202


def test_a_port_deleted_in_neutron_leaves_the_server_a_moment_later(account: Account, network: str) -> None:
    """The interface list follows at once, the addresses after a while."""
    port = account.neutron("POST", "/ports", {"port": {"network_id": network}}).body["port"]["id"]
    server = account.active("losing", networks=[{"port": port}])
    assert account.neutron("DELETE", f"/ports/{port}").status == 204
    assert account.nova("GET", f"/servers/{server}/os-interface").body == {"interfaceAttachments": []}
    assert account.show(server)["addresses"] != {}
    account.clock.advance(3)
    assert account.show(server)["addresses"] == {}


def test_security_groups_are_those_of_the_ports(account: Account, network: str) -> None:
    """Both actions on groups change every port, and the server shows it."""
    server = account.active("grouped", networks=[{"uuid": network}])
    account.neutron("POST", "/security-groups", {"security_group": {"name": "extra"}})
    assert account.act(server, "addSecurityGroup", {"name": "extra"}).status == 202
    assert account.show(server)["security_groups"] == [{"name": "default"}, {"name": "extra"}]
    assert account.act(server, "removeSecurityGroup", {"name": "default"}).status == 202
    assert account.show(server)["security_groups"] == [{"name": "extra"}]
    assert account.act(server, "removeSecurityGroup", {"name": "default"}).status == 404
    assert account.act(server, "addSecurityGroup", {"name": "nope"}).status == 404


def test_a_body_that_is_too_large_or_no_json_is_refused(account: Account) -> None:
    """413 in the shape of the layer in front; 415 for another content type."""
    large = account.nova("POST", "/servers", {"server": {"name": "x" * 120_000}}, Accept="application/json")
    assert (large.status, large.body["code"]) == (413, "413 Request Entity Too Large")
    url = f"{account.cloud.url}/eu-de/compute/v2.1/servers"
    form = account.session.post(url, data={"a": "b"}, timeout=10)
    assert (form.status_code, form.json()["badMediaType"]["message"]) == (415, "Unsupported Content-Type")


def test_networks_can_be_left_to_nova_or_left_out() -> None:
    """With microversions: `auto` takes the only network, `none` none; where several exist, 409."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        account = Account(cloud, clock)
        for networks, found in (("auto", ["demo-net"]), ("none", [])):
            answer = account.nova("POST", "/servers", account.body(networks=networks), micro="2.37")
            assert answer.status == 202
            account.until(answer.body["server"]["id"], "ACTIVE")
            assert list(account.show(answer.body["server"]["id"])["addresses"]) == found
        account.network("second")
        assert account.nova("POST", "/servers", account.body(networks="auto"), micro="2.37").status == 409


def test_an_administrator_sees_everybodys_servers_and_where_they_run() -> None:
    """With `all_tenants`; the attributes come with microversions 2.3 and 2.16."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        account, admin = Account(cloud, clock), Account(cloud, clock, "admin")
        server = account.active()
        assert admin.nova("GET", "/servers").body["servers"] == []
        (shown,) = admin.nova("GET", "/servers/detail?all_tenants=1", micro="2.16").body["servers"]
        assert (shown["id"], shown["OS-EXT-SRV-ATTR:host"], shown["host_status"]) == (server, "compute-1", "UP")
        assert shown["OS-EXT-SRV-ATTR:hostname"] == "web"
        assert not [field for field in account.show(server, "2.16") if "ATTR" in field or field == "host_status"]


def test_a_running_server_is_resized_where_the_dialect_allows() -> None:
    """An OpenStack of today stops it by itself."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        account = Account(cloud, clock)
        server = account.active()
        assert account.act(server, "resize", {"flavorRef": account.flavor("s1.medium")}).status == 202
        account.until(server, "VERIFY_RESIZE")
        account.act(server, "confirmResize")
        account.until(server, "ACTIVE")
