"""Creates of servers and server groups of the emulator in dialect `otc`: limits, fields, disks and hints."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.emulator.account import Account


@pytest.fixture(scope="module")
def network(account: Account) -> str:
    """A network for the servers of this module."""
    return account.network()


ROOT = {"source_type": "image", "destination_type": "volume", "volume_size": 4, "boot_index": 0}
DATA = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": -1}


def test_root_disk_of_an_image_is_a_volume(account: Account, network: str) -> None:
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


@pytest.mark.parametrize("devices", [[ROOT], [DATA]], ids=["root", "data"])
def test_takes_either_image_or_disks(account: Account, network: str, devices: list[dict[str, object]]) -> None:
    """`imageRef` beside block devices is rejected, whether one of them is the root disk or not."""
    disks = [{**each, "uuid": account.image()} if each["source_type"] == "image" else each for each in devices]
    body = account.body(networks=[{"uuid": network}], block_device_mapping_v2=disks, imageRef=account.image())
    response = account.nova("POST", "/servers", body)
    assert response.status == 400
    assert "Boot sequence" in response.message


def test_server_needs_a_boot_source(account: Account, network: str) -> None:
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
def test_rejects_undocumented_fields(
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


def test_accepts_the_documented_limits(account: Account, network: str) -> None:
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


def test_batch(account: Account, network: str) -> None:
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


def test_hints(account: Account, network: str) -> None:
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
def test_server_groups_are_anti_affinity_only(account: Account, policy: str) -> None:
    """Other policies return 400 with every microversion."""
    body = {"server_group": {"name": "g", "policies": [policy]}}
    assert account.nova("POST", "/os-server-groups", body, microversion="2.60").status == 400
