"""Nova of the emulator: the rules of dialect `otc`, and the states that a server passes over time."""

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
    """An account of an emulator with dialect `otc`."""
    clock = ManualClock()
    with Emulator(clock=clock) as cloud:
        yield Account(cloud, clock)


@pytest.fixture(scope="module")
def network(account: Account) -> str:
    """A network for the servers of this module."""
    return account.network()


def test_otc_has_no_microversions(account: Account) -> None:
    """`version` and `min_version` are empty in the version list, and responses have no microversion header."""
    versions = account.send("GET", "/compute/").body["versions"]
    assert [(each["id"], each["version"], each["min_version"]) for each in versions] == [
        ("v2.0", "", ""),
        ("v2.1", "", ""),
    ]
    response = account.nova("GET", "/servers", microversion="2.26")
    assert response.status == 200
    assert not [name for name in response.headers if "api-version" in name.lower()]


def test_create_request_of_the_guide(account: Account, network: str) -> None:
    """The create request of chapter 4 of the ECS guide works on `/v2`, with strings for numbers and booleans."""
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
    response = account.nova("POST", "/servers", body, version="v2")
    assert response.status == 202
    assert set(response.body["server"]) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
    server = response.body["server"]["id"]
    account.wait_for(server, "ACTIVE")
    server_body = account.show(server)
    assert server_body["OS-EXT-AZ:availability_zone"] == "eu-de-02"
    assert server_body["OS-EXT-SRV-ATTR:host"] == "pod01.eu-de-02"
    assert server_body["image"] == ""
    disk = server_body["os-extended-volumes:volumes_attached"][0]["id"]
    volume = account.cinder("GET", f"/volumes/{disk}").body["volume"]
    assert (volume["size"], volume["volume_type"], volume["status"], volume["availability_zone"]) == (
        *(40, "SAS", "in-use"),
        "eu-de-02",
    )
    account.nova("DELETE", f"/servers/{server}")
    account.wait_for(server, "gone")
    assert account.wait_for_volume(disk, "gone")[-1] == "gone"


def test_root_volume_smaller_than_image_is_rejected(account: Account, network: str) -> None:
    """The root volume must have at least the `min_disk` of the image."""
    body = account.body(networks=[{"uuid": network}])
    body["server"]["block_device_mapping_v2"][0] |= {"uuid": GUIDE_IMAGE, "volume_size": 39}
    response = account.nova("POST", "/servers", body)
    assert response.status == 400
    assert response.message.startswith("Volume is smaller than the minimum size specified in image metadata.")


def test_local_root_disk_requires_flavor_with_disk(account: Account, network: str) -> None:
    """A server with a local root disk is rejected for a flavor with disk 0, as all flavors of the guide have."""
    body = account.body(networks=[{"uuid": network}], block_device_mapping_v2=None, imageRef=account.image())
    response = account.nova("POST", "/servers", body)
    assert (response.status, response.message) == (
        403,
        "Only volume-backed servers are allowed for flavors with zero disk.",
    )


def test_otc_resize_requires_stopped_server(account: Account, network: str) -> None:
    """Resizing a running server returns 409. A stopped server passes VERIFY_RESIZE and is SHUTOFF after the confirm."""
    server = account.active("resized", networks=[{"uuid": network}])
    response = account.act(server, "resize", {"flavorRef": "s3.xlarge.2"})
    assert (response.status, response.message) == (
        409,
        f"Cannot 'resize' instance {server} while it is in vm_state active",
    )
    account.act(server, "os-stop")
    assert account.wait_for(server, "SHUTOFF") == [("ACTIVE", "powering-off"), ("SHUTOFF", None)]
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
    account.wait_for(server, "SHUTOFF")
    assert account.show(server)["flavor"]["id"] == "s3.xlarge.2"


def test_revert_of_stopped_server_passes_verify_resize(account: Account, network: str) -> None:
    """A revert is complete only when the final status has no task."""
    server = account.active("reverted", networks=[{"uuid": network}])
    account.act(server, "os-stop")
    account.wait_for(server, "SHUTOFF")
    account.act(server, "resize", {"flavorRef": "s3.xlarge.2"})
    account.wait_for(server, "VERIFY_RESIZE")
    assert account.act(server, "revertResize").status == 202
    assert account.wait_for(server, "SHUTOFF") == [
        ("REVERT_RESIZE", "resize_reverting"),
        ("VERIFY_RESIZE", "powering-off"),
        ("SHUTOFF", None),
    ]
    assert account.show(server)["flavor"]["id"] == "s3.large.2"


@pytest.mark.parametrize("name", ["peer-fail-resize", "x-fallback-resize", "x-auto-confirm"])
def test_resize_outcome_faults(account: Account, network: str, name: str) -> None:
    """A resize ends in ERROR, fails silently or confirms itself; afterwards the quota counts one flavor."""
    server = account.active(name, networks=[{"uuid": network}])
    account.act(server, "os-stop")
    account.wait_for(server, "SHUTOFF")
    before = account.nova("GET", "/limits").body["limits"]["absolute"]["totalCoresUsed"]
    account.act(server, "resize", {"flavorRef": "s3.xlarge.2"})
    account.clock.advance(10)
    server_body = account.show(server)
    history = account.nova("GET", f"/servers/{server}/os-instance-actions").body["instanceActions"]
    assert (server_body["status"], server_body["flavor"]["id"], history[0]["message"]) == {
        "peer-fail-resize": ("ERROR", "s3.large.2", "Error"),
        "x-fallback-resize": ("SHUTOFF", "s3.large.2", "Error"),
        "x-auto-confirm": ("SHUTOFF", "s3.xlarge.2", None),
    }[name]
    assert ("fault" in server_body) is (name == "peer-fail-resize")
    cores = account.nova("GET", "/limits").body["limits"]["absolute"]["totalCoresUsed"]
    assert cores - before == (2 if name == "x-auto-confirm" else 0)


def test_build_task_states(account: Account, network: str) -> None:
    """A build passes the same task states as on a real OpenStack."""
    assert account.wait_for(account.server("phases", networks=[{"uuid": network}]), "ACTIVE") == [
        ("BUILD", "scheduling"),
        ("BUILD", None),
        ("BUILD", "networking"),
        ("BUILD", "block_device_mapping"),
        ("BUILD", "spawning"),
        ("ACTIVE", None),
    ]


def test_action_before_scheduling_returns_404(account: Account, network: str) -> None:
    """A server can be read before it is scheduled, but an action returns 404, and then 409 during the build."""
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
def test_failed_build_has_fault(account: Account, network: str, name: str, fault: str) -> None:
    """A failed build sets a fault and deletes the port that Nova created; a delete removes the server immediately."""
    server = account.server(name, networks=[{"uuid": network}])
    account.wait_for(server, "ERROR")
    server_body = account.show(server)
    assert server_body["fault"]["message"].startswith(fault)
    assert account.neutron("GET", f"/ports?device_id={server}").body["ports"] == []
    assert account.nova("DELETE", f"/servers/{server}").status == 204
    assert account.show(server)["status"] == "gone"


def test_slow_spawn_delays_build(account: Account, network: str) -> None:
    """The outcome fault `slow-spawn` delays the build by more than half a minute."""
    server = account.server("peer-slow-spawn", networks=[{"uuid": network}])
    account.clock.advance(30)
    assert account.show(server)["OS-EXT-STS:task_state"] == "spawning"
    account.clock.advance(30)
    assert account.show(server)["status"] == "ACTIVE"


def test_failed_attach_makes_volume_available(account: Account, network: str) -> None:
    """Nova reports a failed attachment only in the action history; the volume becomes available again."""
    server = account.active("peer-fail-attach", networks=[{"uuid": network}])
    volume = account.cinder("POST", "/volumes", {"volume": {"size": 1, "name": "data"}}).body["volume"]["id"]
    account.wait_for_volume(volume, "available")
    path = f"/servers/{server}/os-volume_attachments"
    assert account.nova("POST", path, {"volumeAttachment": {"volumeId": volume}}).status == 200
    assert account.wait_for_volume(volume, "available") == ["reserved", "attaching", "available"]
    assert len(account.nova("GET", path).body["volumeAttachments"]) == 1
    history = account.nova("GET", f"/servers/{server}/os-instance-actions").body["instanceActions"]
    assert (history[0]["action"], history[0]["message"]) == ("attach_volume", "Error")


def test_attachment_keeps_requested_device(account: Account, network: str) -> None:
    """An attachment has the requested device name, or else the next free one."""
    server = account.active("disks", networks=[{"uuid": network}])
    path = f"/servers/{server}/os-volume_attachments"
    devices = []
    for device in ("/dev/vdx", None):
        volume = account.cinder("POST", "/volumes", {"volume": {"size": 1}}).body["volume"]["id"]
        account.wait_for_volume(volume, "available")
        body = {"volumeId": volume} | ({"device": device} if device else {})
        devices.append(account.nova("POST", path, {"volumeAttachment": body}).body["volumeAttachment"]["device"])
        assert account.wait_for_volume(volume, "in-use") == ["reserved", "attaching", "in-use"]
    assert devices == ["/dev/vdx", "/dev/sdb"]


def test_delete_releases_ports_and_volumes(account: Account, network: str) -> None:
    """A repeated delete returns 204. Volumes become available, the user's port is kept, Nova's port is deleted."""
    port = account.neutron("POST", "/ports", {"port": {"network_id": network}}).body["port"]["id"]
    server = account.active("deleted", networks=[{"uuid": network}, {"port": port}])
    ports = account.neutron("GET", f"/ports?device_id={server}").body["ports"]
    volume = account.cinder("POST", "/volumes", {"volume": {"size": 1}}).body["volume"]["id"]
    account.wait_for_volume(volume, "available")
    account.nova("POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    account.wait_for_volume(volume, "in-use")
    assert account.nova("DELETE", f"/servers/{server}").status == 204
    assert account.nova("DELETE", f"/servers/{server}").status == 204
    history = [server_body["status"] for server_body in poll_until_gone(account, server)]
    assert sorted(set(history), key=history.index) == ["ACTIVE", "DELETED", "gone"]
    assert account.wait_for_volume(volume, "available") == ["available"]
    statuses = {each["id"]: account.neutron("GET", f"/ports/{each['id']}").status for each in ports}
    assert statuses == {each["id"]: 200 if each["id"] == port else 404 for each in ports}
    assert account.neutron("GET", f"/ports/{port}").body["port"]["device_id"] == ""


def poll_until_gone(account: Account, server: str) -> Iterator[dict[str, str]]:
    """Yield the server at every poll, up to the first poll that returns 404."""
    for server_body in account.poll(server):
        yield server_body
        if server_body["status"] == "gone":
            return


def test_delete_during_build_shows_active(account: Account, network: str) -> None:
    """A server that is deleted during its build is ACTIVE for a moment, because the hypervisor completes the build."""
    server = account.server("in-vain", networks=[{"uuid": network}])
    account.clock.advance(5)
    account.nova("DELETE", f"/servers/{server}")
    statuses = [server_body["status"] for server_body in poll_until_gone(account, server)]
    assert sorted(set(statuses), key=statuses.index) == ["BUILD", "ACTIVE", "DELETED", "gone"]


def test_hang_delete_blocks_deletion(account: Account, network: str) -> None:
    """With the outcome fault `hang-delete`, the task state stays `deleting`."""
    server = account.active("x-hang-delete", networks=[{"uuid": network}])
    account.nova("DELETE", f"/servers/{server}")
    account.clock.advance(1000)
    assert account.show(server)["OS-EXT-STS:task_state"] == "deleting"


def test_changes_since_includes_deleted_servers(account: Account, network: str) -> None:
    """`changes-since` lists the servers that changed after the time, including deleted ones."""
    server = account.active("changed", networks=[{"uuid": network}])
    account.clock.advance(60)
    since = account.show(account.active("later", networks=[{"uuid": network}]))["created"]
    account.nova("DELETE", f"/servers/{server}")
    account.clock.advance(10)
    changed = account.nova("GET", f"/servers/detail?changes-since={since}").body["servers"]
    assert {(each["name"], each["status"]) for each in changed} == {("later", "ACTIVE"), ("changed", "DELETED")}
    assert "changed" not in {each["name"] for each in account.nova("GET", "/servers").body["servers"]}


def test_server_list_paging(account: Account, network: str) -> None:
    """Pages are sorted newest first, and the `next` link keeps the filters."""
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


def test_power_state_actions(account: Account, network: str) -> None:
    """Pause, suspend, shelve, stop and their reverse actions succeed in the states that allow them."""
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
        account.wait_for(server, status)
    assert account.act(server, "unpause").status == 409


def test_locked_server_rejects_actions(account: Account, network: str) -> None:
    """A locked server rejects actions and its deletion until it is unlocked."""
    server = account.active("locked", networks=[{"uuid": network}])
    account.act(server, "lock")
    response = account.act(server, "os-stop")
    assert (response.status, response.message) == (409, f"Instance {server} is locked")
    assert account.nova("DELETE", f"/servers/{server}").status == 409
    account.act(server, "unlock")
    assert account.act(server, "os-stop").status == 202


def test_deleted_port_disappears_from_server(account: Account, network: str) -> None:
    """The interface list is updated immediately, the addresses of the server a moment later."""
    port = account.neutron("POST", "/ports", {"port": {"network_id": network}}).body["port"]["id"]
    server = account.active("losing", networks=[{"port": port}])
    assert account.neutron("DELETE", f"/ports/{port}").status == 204
    assert account.nova("GET", f"/servers/{server}/os-interface").body == {"interfaceAttachments": []}
    assert account.show(server)["addresses"] != {}
    account.clock.advance(3)
    assert account.show(server)["addresses"] == {}


def test_security_group_actions_update_ports(account: Account, network: str) -> None:
    """The actions add and remove the group at every port, and the server lists the groups of its ports."""
    server = account.active("grouped", networks=[{"uuid": network}])
    account.neutron("POST", "/security-groups", {"security_group": {"name": "extra"}})
    assert account.act(server, "addSecurityGroup", {"name": "extra"}).status == 202
    assert account.show(server)["security_groups"] == [{"name": "default"}, {"name": "extra"}]
    assert account.act(server, "removeSecurityGroup", {"name": "default"}).status == 202
    assert account.show(server)["security_groups"] == [{"name": "extra"}]
    assert account.act(server, "removeSecurityGroup", {"name": "default"}).status == 404
    assert account.act(server, "addSecurityGroup", {"name": "nope"}).status == 404


def test_oversized_or_non_json_body_is_rejected(account: Account) -> None:
    """The web server answers an oversized body with 413, Nova another content type with 415."""
    large = account.nova("POST", "/servers", {"server": {"name": "x" * 120_000}}, Accept="application/json")
    assert (large.status, large.body["code"]) == (413, "413 Request Entity Too Large")
    url = f"{account.cloud.url}/eu-de/compute/v2.1/servers"
    form = account.session.post(url, data={"a": "b"}, timeout=10)
    assert (form.status_code, form.json()["badMediaType"]["message"]) == (415, "Unsupported Content-Type")


def test_networks_auto_and_none() -> None:
    """`auto` selects the only network and returns 409 if several exist; `none` creates no interface."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        account = Account(cloud, clock)
        for networks, expected in (("auto", ["demo-net"]), ("none", [])):
            response = account.nova("POST", "/servers", account.body(networks=networks), microversion="2.37")
            assert response.status == 202
            account.wait_for(response.body["server"]["id"], "ACTIVE")
            assert list(account.show(response.body["server"]["id"])["addresses"]) == expected
        account.network("second")
        assert account.nova("POST", "/servers", account.body(networks="auto"), microversion="2.37").status == 409


def test_administrator_lists_servers_of_all_projects() -> None:
    """`all_tenants` lists the servers of all projects, with host attributes since microversions 2.3 and 2.16."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        account, admin = Account(cloud, clock), Account(cloud, clock, "admin")
        server = account.active()
        assert admin.nova("GET", "/servers").body["servers"] == []
        (server_body,) = admin.nova("GET", "/servers/detail?all_tenants=1", microversion="2.16").body["servers"]
        assert (server_body["id"], server_body["OS-EXT-SRV-ATTR:host"], server_body["host_status"]) == (
            server,
            "compute-1",
            "UP",
        )
        assert server_body["OS-EXT-SRV-ATTR:hostname"] == "web"
        assert not [field for field in account.show(server, "2.16") if "ATTR" in field or field == "host_status"]


def test_openstack_resizes_running_server() -> None:
    """In dialect `openstack`, a running server can be resized and is ACTIVE after the confirm."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        account = Account(cloud, clock)
        server = account.active()
        assert account.act(server, "resize", {"flavorRef": account.flavor("s1.medium")}).status == 202
        account.wait_for(server, "VERIFY_RESIZE")
        account.act(server, "confirmResize")
        account.wait_for(server, "ACTIVE")
