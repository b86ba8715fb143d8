"""The quotas and images of the dialect `otc`: what its own APIs show, and those of OpenStack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.emulator.account import Account, signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def account() -> Iterator[Account]:
    """An account of an emulator with dialect `otc`."""
    with signed_in() as created:
        yield created


def test_vpc_quotas(account: Account) -> None:
    """The quotas of the VPC API have the limits and the usage that Neutron does not show there; a type selects one."""
    account.cloud.set_quota(router=3)
    path = f"/vpc/v1/{account.project_id}/quotas"
    before = {each["type"]: each for each in account.send("GET", path).body["quotas"]["resources"]}
    assert before["vpc"] == {"type": "vpc", "used": 0, "quota": 3, "min": 0}
    account.neutron("POST", "/routers", {"router": {"name": "router"}})
    account.network()
    after = {each["type"]: each["used"] for each in account.send("GET", path).body["quotas"]["resources"]}
    assert (after["vpc"], after["subnet"]) == (1, before["subnet"]["used"] + 1)
    assert [each["type"] for each in account.send("GET", f"{path}?type=subnet").body["quotas"]["resources"]] == [
        "subnet"
    ]
    foreign = account.send("GET", f"/vpc/v1/{'0' * 32}/quotas")
    assert (foreign.status, set(foreign.body)) == (400, {"code", "message"})


def test_openstack_has_no_vpc_api() -> None:
    """OpenStack has no such service."""
    with signed_in("openstack") as account:
        assert account.send("GET", f"/vpc/v1/{account.project_id}/quotas").status == 404


def test_volume_quotas_are_shown_in_all_and_by_type(account: Account) -> None:
    """`os-quota-sets` shows the use of the project; a type has quotas of its own, which a create cannot exceed."""
    account.cloud.set_quota(gigabytes=60, gigabytes_SSD=30)
    volumes = f"/volume/v2/{account.project_id}/volumes"
    volume = {"availability_zone": "eu-de-01", "size": 20, "volume_type": "SSD"}
    assert account.send("POST", volumes, {"volume": volume}).status == 202
    path = f"/volume/v2/{account.project_id}/os-quota-sets/{account.project_id}"
    quotas = account.send("GET", f"{path}?usage=True").body["quota_set"]
    assert quotas["id"] == account.project_id
    assert quotas["gigabytes"] == {"limit": 60, "in_use": 20, "reserved": 0}
    assert quotas["gigabytes_SSD"] == {"limit": 30, "in_use": 20, "reserved": 0}
    assert quotas["volumes_SAS"] == {"limit": -1, "in_use": 0, "reserved": 0}
    assert account.send("GET", path).status == 400
    refused = account.send("POST", volumes, {"volume": volume})
    assert (refused.status, "gigabytes_SSD" in refused.error) == (413, True)
    assert account.send("POST", volumes, {"volume": volume | {"volume_type": "SAS"}}).status == 202


def test_compute_quotas(account: Account) -> None:
    """Nova's quotas and their defaults have the fields that the documents list."""
    account.cloud.set_quota(cores=7)
    path = f"/os-quota-sets/{account.project_id}"
    quotas = account.nova("GET", path).body["quota_set"]
    defaults = account.nova("GET", f"{path}/defaults").body["quota_set"]
    assert (quotas["id"], quotas["cores"]) == (account.project_id, 7)
    assert defaults["cores"] > 7
    assert quotas.keys() == defaults.keys()
    assert account.nova("GET", "/os-quota-sets/another-project").status == 403


def test_images_have_the_fields_of_the_open_telekom_cloud(account: Account) -> None:
    """An image has `__` properties; its size and checksum are not known, and its name says which build it is."""
    path = "/image/v2/images?__imagetype=gold&name=Standard_Fedora_42_amd64_bios_latest"
    (image,) = account.send("GET", path).body["images"]
    assert (image["disk_format"], image["size"], image["virtual_size"]) == ("zvhd2", 0, None)
    assert (image["__os_type"], image["hw_firmware_type"]) == ("Linux", "bios")
    assert int(image["__image_size"]) > 0
    assert "os_hash_value" not in image
    by_name = account.send("GET", "/image/v2/images?sort_key=name&sort_dir=asc&sort=name:desc").body["images"]
    names = [each["name"] for each in by_name]
    assert names == sorted(names)
    assert "Standard_Debian_12_prev" in names
