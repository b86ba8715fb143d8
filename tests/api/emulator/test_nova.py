"""Nova of the emulator: the rules of dialect `otc`, and the states that a server passes over time."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.emulator.account import Account, signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def network(account: Account) -> str:
    """A network for the servers of this module."""
    return account.network()


def test_otc_has_the_microversions_of_queens(account: Account) -> None:
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


def test_otc_root_disk_of_an_image_is_a_volume(account: Account, network: str) -> None:
    """`imageRef` alone makes a root volume of the image's minimum size; it counts, and goes with the server."""
    used = _volumes_in_use(account)
    server = account.active(
        "of-image", networks=[{"uuid": network}], block_device_mapping_v2=None, imageRef=account.image()
    )
    shown = account.show(server, microversion="2.3")
    assert shown["image"]["id"] == account.image()
    (disk,) = shown["os-extended-volumes:volumes_attached"]
    assert disk["delete_on_termination"] is True
    volume = account.cinder("GET", f"/volumes/{disk['id']}").body["volume"]
    assert (volume["size"], volume["bootable"], volume["attachments"][0]["device"][-2:]) == (4, "true", "da")
    assert _volumes_in_use(account) == used + 1
    account.nova("DELETE", f"/servers/{server}")
    assert account.wait_for_volume(disk["id"], "gone")[-1] == "gone"


def _volumes_in_use(account: Account) -> int:
    quotas = account.cinder("GET", f"/os-quota-sets/{account.project_id}?usage=True").body["quota_set"]
    return int(quotas["volumes"]["in_use"])


ROOT = {"source_type": "image", "destination_type": "volume", "volume_size": 4, "boot_index": 0}
DATA = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": -1}


@pytest.mark.parametrize("devices", [[ROOT], [DATA]], ids=["root", "data"])
def test_otc_takes_either_image_or_disks(account: Account, network: str, devices: list[dict[str, object]]) -> None:
    """`imageRef` beside block devices is rejected, whether one of them is the root disk or not."""
    disks = [{**each, "uuid": account.image()} if each["source_type"] == "image" else each for each in devices]
    body = account.body(networks=[{"uuid": network}], block_device_mapping_v2=disks, imageRef=account.image())
    response = account.nova("POST", "/servers", body)
    assert response.status == 400
    assert "Boot sequence" in response.message


def test_otc_server_needs_a_boot_source(account: Account, network: str) -> None:
    """A server without image and root disk is rejected."""
    without = account.body(networks=[{"uuid": network}], block_device_mapping_v2=None)
    assert account.nova("POST", "/servers", without).status == 400
    data_only = account.body(networks=[{"uuid": network}], block_device_mapping_v2=[DATA])
    assert account.nova("POST", "/servers", data_only).status == 400


@pytest.mark.parametrize(
    ("field", "value", "microversion"),
    [
        ("name", "a" * 129, ""),
        ("name", "with space", ""),
        ("description", "a" * 86, "2.19"),
        ("description", "<b>", "2.19"),
        ("user_data", base64.b64encode(b"a" * (32 * 1024 + 1)).decode(), ""),
        ("networks", None, ""),
        ("networks", [], ""),
        ("networks", "auto", "2.37"),
        ("networks", "none", "2.37"),
        ("networks", [{"uuid": "{network}", "tag": "a"}], "2.42"),
        ("tags", ["a"], "2.52"),
        ("personality", [{"path": "/etc/motd", "contents": "YQ=="}], ""),
        ("accessIPv4", "10.0.0.1", ""),
        ("accessIPv6", "::1", ""),
        ("config_drive", True, ""),
        ("OS-DCF:diskConfig", "AUTO", ""),
        ("trusted_image_certificates", ["a"], "2.60"),
        ("hostname", "web", "2.60"),
        ("block_device_mapping_v2", [{**ROOT, "destination_type": "local"}], ""),
        ("block_device_mapping_v2", [{**ROOT, "boot_index": 1}], ""),
        ("block_device_mapping_v2", [{**ROOT, "tag": "a"}], "2.42"),
        ("block_device_mapping_v2", [{**ROOT, "disk_bus": "scsi"}], ""),
        ("block_device_mapping_v2", [{**ROOT, "device_type": "disk"}], ""),
        ("block_device_mapping_v2", [{**ROOT, "guest_format": "ext4"}], ""),
        ("block_device_mapping_v2", [ROOT] + [DATA] * 24, ""),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_otc_rejects_undocumented_fields(
    account: Account, network: str, field: str, value: object, microversion: str
) -> None:
    """A value beyond the documented limits, and a field that is not documented, return 400."""
    disks = [{**ROOT, "uuid": account.image()}]
    if field == "block_device_mapping_v2" and isinstance(value, list):
        value = [{**each, "uuid": account.image()} if each["source_type"] == "image" else each for each in value]
    if field == "networks" and value and isinstance(value, list):
        value = [{**each, "uuid": network} for each in value]
    server: dict[str, Any] = {"networks": [{"uuid": network}], "block_device_mapping_v2": disks, field: value}
    body = account.body(**server)
    assert account.nova("POST", "/servers", body, microversion=microversion).status == 400


def test_otc_accepts_the_documented_limits(account: Account, network: str) -> None:
    """The longest name, description and user data, `boot_index` as text, and a volume type below 2.67."""
    disks = [
        {**ROOT, "uuid": account.image(), "boot_index": "0", "volume_type": "SSD"},
        {**DATA, "boot_index": "-1", "device_name": "/dev/vdx"},
    ]
    fields: dict[str, Any] = {
        "name": "a" * 128,
        "description": "b" * 85,
        "user_data": base64.b64encode(b"c" * 32 * 1024).decode(),
    }
    body = account.body(networks=[{"uuid": network}], block_device_mapping_v2=disks, **fields)
    response = account.nova("POST", "/servers", body, microversion="2.19")
    assert response.status == 202, response.message
    server = response.body["server"]["id"]
    account.wait_for(server, "ACTIVE")
    shown = account.show(server, microversion="2.19")
    assert (shown["name"], shown["description"]) == (fields["name"], fields["description"])
    assert len(shown["os-extended-volumes:volumes_attached"]) == 2


def test_otc_batch(account: Account, network: str) -> None:
    """A batch gets suffixes of four digits; its name is shorter, and it attaches no volume."""
    server: dict[str, Any] = {"networks": [{"uuid": network}], "min_count": 2}
    assert account.nova("POST", "/servers", account.body("batch", **server)).status == 202
    listed = account.nova("GET", "/servers?name=batch").body["servers"]
    assert sorted(each["name"] for each in listed) == ["batch-0000", "batch-0001"]
    assert account.nova("POST", "/servers", account.body("a" * 60, **server)).status == 400
    requested = {"size": 40, "imageRef": account.image(), "availability_zone": "eu-de-01"}
    volume = account.cinder("POST", "/volumes", {"volume": requested}).body["volume"]
    account.wait_for_volume(volume["id"], "available")
    disk = {"source_type": "volume", "destination_type": "volume", "uuid": volume["id"], "boot_index": 0}
    refused = account.nova("POST", "/servers", account.body(block_device_mapping_v2=[disk], **server))
    assert (refused.status, refused.message) == (400, "Cannot attach one or more volumes to multiple instances")


def test_otc_hints(account: Account, network: str) -> None:
    """`group` keeps servers apart; `same_host` has no effect."""
    group = account.nova("POST", "/os-server-groups", {"server_group": {"name": "g", "policies": ["anti-affinity"]}})
    group_id = group.body["server_group"]["id"]
    first = account.active("first", networks=[{"uuid": network}], availability_zone="eu-de-01")

    def host(server: str) -> object:
        return account.show(server)["OS-EXT-SRV-ATTR:host"]

    def create(name: str, **hints: object) -> str:
        body = account.body(name, networks=[{"uuid": network}], availability_zone="eu-de-01")
        created = account.nova("POST", "/servers", body | {"os:scheduler_hints": hints}).body["server"]["id"]
        account.wait_for(created, "ACTIVE")
        return str(created)

    apart = [create("apart-1", group=group_id), create("apart-2", group=group_id)]
    assert host(apart[0]) != host(apart[1])
    assert host(create("same", different_host=[first])) == host(first)


@pytest.mark.parametrize("policy", ["affinity", "soft-affinity", "soft-anti-affinity"])
def test_otc_server_groups_are_anti_affinity_only(account: Account, policy: str) -> None:
    """Other policies return 400 with every microversion."""
    body = {"server_group": {"name": "g", "policies": [policy]}}
    assert account.nova("POST", "/os-server-groups", body, microversion="2.60").status == 400


def test_otc_tags(account: Account, network: str) -> None:
    """A tag has at most 80 letters, digits, hyphens and underscores."""
    server = account.active("tagged", networks=[{"uuid": network}])
    path = f"/servers/{server}/tags"
    tags = ["a" * 80, "B-1_2"]
    assert account.nova("PUT", path, {"tags": tags}, microversion="2.26").body == {"tags": tags}
    assert account.show(server, microversion="2.26")["tags"] == tags
    for refused in ("a" * 81, "a=b", "a b", "ä"):
        assert account.nova("PUT", path, {"tags": [refused]}, microversion="2.26").status == 400
    assert account.nova("PUT", f"{path}/a=b", microversion="2.26").status == 400


def test_otc_shows_tags_as_pairs() -> None:
    """With the rule `server_tags=pairs` a tag is shown as a key with an empty value."""
    with signed_in(server_tags="pairs") as account:
        server = account.active("tagged", networks=[{"uuid": account.network()}])
        account.nova("PUT", f"/servers/{server}/tags", {"tags": ["a"]}, microversion="2.26")
        assert account.show(server, microversion="2.26")["tags"] == ["a="]


def test_otc_imports_short_keys_only(account: Account) -> None:
    """A public key of more than 1024 bytes is rejected."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn "

    def imported(length: int) -> int:
        body = {"keypair": {"name": f"of-{length}", "public_key": key + "c" * (length - len(key))}}
        return account.nova("POST", "/os-keypairs", body).status

    assert [imported(1024), imported(1025)] == [200, 400]


def test_otc_resizes_running_server(account: Account, network: str) -> None:
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


def test_deleted_port_disappears_from_server() -> None:
    """Upstream, the interface list is updated immediately, the addresses of the server a moment later."""
    with signed_in("openstack") as account:
        network = account.network()
        port = account.neutron("POST", "/ports", {"port": {"network_id": network}}).body["port"]["id"]
        server = account.active("losing", networks=[{"port": port}])
        assert account.neutron("DELETE", f"/ports/{port}").status == 204
        assert account.nova("GET", f"/servers/{server}/os-interface").body == {"interfaceAttachments": []}
        assert account.show(server)["addresses"] != {}
        account.clock.advance(3)
        assert account.show(server)["addresses"] == {}


def test_oversized_or_non_json_body_is_rejected(account: Account) -> None:
    """The web server answers an oversized body with 413, Nova another content type with 415."""
    large = account.nova("POST", "/servers", {"server": {"name": "x" * 120_000}}, Accept="application/json")
    assert (large.status, large.body["code"]) == (413, "413 Request Entity Too Large")
    url = f"{account.cloud.url}/eu-de/compute/v2.1/servers"
    form = account.session.post(url, data={"a": "b"}, timeout=10)
    assert (form.status_code, form.json()["badMediaType"]["message"]) == (415, "Unsupported Content-Type")


def test_addresses_contain_floating_ips(account: Account) -> None:
    """The addresses of a server contain the floating IPs of its ports, as long as they are associated."""
    network = account.network("reachable", "10.9.0.0/24")
    account.router(network)
    server = account.active("reachable", networks=[{"uuid": network}])
    floating_ip = account.floating_ip(server)
    account.clock.advance(5)
    fixed, floating = account.show(server)["addresses"]["reachable"]
    assert (fixed["OS-EXT-IPS:type"], floating["OS-EXT-IPS:type"]) == ("fixed", "floating")
    assert floating["addr"] == floating_ip["floating_ip_address"]
    account.neutron("PUT", f"/floatingips/{floating_ip['id']}", {"floatingip": {"port_id": None}})
    account.clock.advance(5)
    assert account.show(server)["addresses"]["reachable"] == [fixed]
