"""Lookups against a fake cloud: the requests that they send and the results that they return."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pulumi
import pytest
from pulumi.runtime import set_all_config
from pydantic import ValidationError

import ecs_pulumi as ecs
from ecs_pulumi.lookups import calls
from tests.unit.cloud.fakes import GUIDE_VERSIONS, PROJECT, FakeCloud, Reply, connect

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

V2, V21 = f"/v2/{PROJECT}", f"/v2.1/{PROJECT}"
MODERN = {
    "versions": [
        {"id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": "", "links": []},
        {
            "id": "v2.1",
            "status": "CURRENT",
            "version": "2.93",
            "min_version": "2.1",
            "links": [{"href": "https://nova.test:8774/v2.1/", "rel": "self"}],
        },
    ]
}
# The guide's example documents, with one item in each list.
FLAVOR = {
    "name": "c1.2xlarge",
    "links": [{"href": "https://xxx/flavors/c1.2xlarge", "rel": "self"}],
    "ram": 8192,
    "OS-FLV-DISABLED:disabled": False,
    "vcpus": 8,
    "swap": "",
    "os-flavor-access:is_public": True,
    "rxtx_factor": 1,
    "OS-FLV-EXT-DATA:ephemeral": 0,
    "disk": 0,
    "id": "c1.2xlarge",
}
IMAGE = {
    "OS-EXT-IMG-SIZE:size": 0,
    "metadata": {"__os_type": "Linux", "__platform": "EulerOS"},
    "created": "2018-05-14T06:13:50Z",
    "minRam": 0,
    "name": "DBS-MySQL-Image_2.1.3.3",
    "progress": 100,
    "links": [{"rel": "alternate", "href": "https://None/images/11e8f727", "type": "application/vnd.openstack.image"}],
    "id": "11e8f727-d439-4ed1-b3b8-33f46c0379c4",
    "updated": "2018-05-14T06:13:52Z",
    "minDisk": 40,
    "status": "ACTIVE",
}
OS_NETWORK = {
    "id": "07a9557d-4256-48ae-847c-415a9c8f7ff6",
    "label": "b_tt3_tdlb",
    "broadcast": None,
    "cidr": None,
    "dns1": None,
    "dns2": None,
    "gateway": None,
    "netmask": None,
    "cidr_v6": None,
    "gateway_v6": None,
    "netmask_v6": None,
}
SERVER = {
    "tenant_id": PROJECT,
    "addresses": {
        "05d4fb93-84e5-4964-853b-32992ffef627": [
            {
                "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:20:17:95",
                "OS-EXT-IPS:type": "fixed",
                "addr": "192.168.0.228",
                "version": 4,
            },
            {
                "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:20:17:95",
                "OS-EXT-IPS:type": "floating",
                "addr": "192.168.51.61",
                "version": 4,
            },
        ]
    },
    "metadata": {},
    "OS-EXT-STS:task_state": None,
    "description": "zt-test",
    "OS-EXT-SRV-ATTR:hostnames": "zt-test",
    "OS-DCF:diskConfig": "MANUAL",
    "OS-EXT-AZ:availability_zone": "eu-de-01",
    "links": [],
    "OS-EXT-STS:power_state": 1,
    "id": "89c312bb-285a-4026-a237-d441908c2f9e",
    "os-extended-volumes:volumes_attached": [
        {"delete_on_termination": True, "id": "c70c4b8e-33bd-4d1f-ab16-14a5a38cdeaf"}
    ],
    "locked": False,
    "OS-EXT-SRV-ATTR:kernel_id": "",
    "OS-EXT-SRV-ATTR:host": "pod05.eude01",
    "OS-EXT-SRV-ATTR:ramdisk_id": "",
    "image": {"links": [], "id": "1189efbf-d48b-46ad-a823-94b942e2a000"},
    "accessIPv4": "",
    "OS-SRV-USG:terminated_at": None,
    "accessIPv6": "",
    "OS-EXT-SRV-ATTR:launch_index": 0,
    "created": "2018-05-11T03:21:56Z",
    "OS-EXT-SRV-ATTR:user_data": "c2VjcmV0",
    "hostId": "fc7a8ff86bac050f0d9454b1b078dcc97060e819acbf06f04c3e338f",
    "OS-EXT-SRV-ATTR:reservation_id": "r-pbqmaxer",
    "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
    "host_status": "UP",
    "OS-EXT-SRV-ATTR:hypervisor_hostname": "nova01207",
    "tags": [],
    "key_name": "id_rsa",
    "flavor": {"links": [], "id": "s3.small.1"},
    "security_groups": [{"name": "default"}],
    "config_drive": "",
    "OS-EXT-STS:vm_state": "active",
    "OS-EXT-SRV-ATTR:instance_name": "instance-0016c624",
    "user_id": "f79791beca3c48159ac2553fff22e166",
    "name": "zt-test",
    "progress": 0,
    "OS-SRV-USG:launched_at": "2018-05-11T03:22:16.701600",
    "updated": "2018-05-11T03:22:51Z",
    "status": "ACTIVE",
}
NETWORK = {"id": "c4a3019d", "name": "demo-net", "subnets": ["877b5567"], "tenant_id": PROJECT, "status": "ACTIVE"}


@pytest.fixture
def cloud() -> FakeCloud:
    """A cloud that answers token requests and serves the guide's compute versions."""
    return FakeCloud()


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, cloud: FakeCloud) -> Callable[..., None]:
    """Return a function that connects lookups to the fake cloud with the given settings."""

    def configure(**settings: Any) -> None:
        connection = connect(cloud, **settings)
        monkeypatch.setattr(calls, "connection", lambda *_: connection)

    configure()
    return configure


@pytest.fixture(autouse=True)
def _no_config(configured: object) -> None:
    set_all_config({})


def answer(cloud: FakeCloud, path: str, key: str, *items: dict[str, Any]) -> None:
    """Let the cloud answer a list request with these items."""
    cloud.on("GET", path, lambda _: Reply(200, {key: list(items)}))


def resolved(value: T) -> asyncio.Future[T]:
    """Return a completed future."""
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future


def unknown() -> pulumi.Output[str]:
    """Return an output whose value is unknown, as in a preview."""
    return pulumi.Output.from_input(cast("str", pulumi.UNKNOWN))


def test_list_flavors_matches_guide(cloud: FakeCloud) -> None:
    """Guide 4, step 1: `GET /flavors/detail` with minDisk, minRam, is_public, sort_key and sort_dir."""
    answer(cloud, f"{V21}/flavors/detail", "flavors", FLAVOR)
    (flavor,) = ecs.list_flavors(min_disk=0, min_ram=4096, is_public=True, sort_key="vcpus", sort_dir="desc")
    assert cloud.log[-1].query == {
        "minDisk": ["0"],
        "minRam": ["4096"],
        "is_public": ["True"],
        "sort_key": ["vcpus"],
        "sort_dir": ["desc"],
    }
    assert (flavor.id, flavor.vcpus, flavor.ram, flavor.swap, flavor.is_public) == ("c1.2xlarge", 8, 8192, 0, True)
    assert flavor.extra_specs is None


def test_get_flavor_returns_smallest_match(cloud: FakeCloud) -> None:
    """The smallest flavor has the fewest CPUs, then least memory, then smallest disk; disabled flavors are skipped."""
    sizes = {"big": (8, 1, 1), "off": (2, 512, 1), "more": (2, 4096, 1), "less": (2, 2048, 40), "tiny": (1, 9999, 1)}
    flavors = [
        {**FLAVOR, "id": name, "name": name, "vcpus": cpus, "ram": ram, "disk": disk, "extra_specs": {"a": "1"}}
        for name, (cpus, ram, disk) in sizes.items()
    ]
    flavors[1]["OS-FLV-DISABLED:disabled"] = True
    answer(cloud, f"{V21}/flavors/detail", "flavors", *flavors)
    assert ecs.get_flavor(min_vcpus=2).name == "less"
    assert ecs.get_flavor(min_vcpus=2, min_ram=4096).name == "more"
    assert ecs.get_flavor(min_ram=1).name == "tiny"
    assert ecs.get_flavor(min_vcpus=3).extra_specs == {"a": "1"}
    assert ecs.get_flavor("off").disabled
    with pytest.raises(
        ecs.NoMatch, match=r"^get_flavor: no flavor has min_vcpus 9; available: big, less, more, off, t"
    ):
        ecs.get_flavor(min_vcpus=9)


def test_extra_specs_are_read_separately_before_2_61(cloud: FakeCloud) -> None:
    """Before compute 2.61, extra specs are read with a separate request, which some clouds reject."""
    cloud.on("GET", f"{V21}/flavors/c1.2xlarge", lambda _: Reply(200, {"flavor": FLAVOR}))
    path = f"{V21}/flavors/c1.2xlarge/os-extra_specs"
    cloud.script(
        "GET", path, Reply(200, {"extra_specs": {"hw:numa": "1"}}), Reply(403, {"forbidden": {"message": "no"}})
    )
    assert ecs.get_flavor(id="c1.2xlarge").extra_specs == {"hw:numa": "1"}
    assert ecs.get_flavor(id="c1.2xlarge").extra_specs is None


def test_extra_specs_are_read_with_list_from_2_61(cloud: FakeCloud) -> None:
    """From compute 2.61 on, the list contains the extra specs."""
    cloud.on("GET", "/", lambda _: Reply(200, MODERN))
    answer(cloud, f"{V21}/flavors/detail", "flavors", {**FLAVOR, "extra_specs": {}})
    assert ecs.get_flavor("c1.2xlarge").extra_specs == {}
    assert cloud.log[-1].headers["X-OpenStack-Nova-API-Version"] == "2.61"


def test_misspelled_name_error_suggests_similar_names(cloud: FakeCloud) -> None:
    """The error is one line, suggests similar names, and is a `RunError`, which Pulumi shows without a traceback."""
    answer(cloud, f"{V21}/flavors/detail", "flavors", FLAVOR)
    with pytest.raises(ecs.NoMatch) as failure:
        ecs.get_flavor("c1.2xlage")
    assert str(failure.value) == 'get_flavor: no flavor has name "c1.2xlage"; did you mean c1.2xlarge?'
    assert failure.value.candidates == ["c1.2xlarge"]
    assert isinstance(failure.value, pulumi.RunError)


def test_get_image_uses_image_service(cloud: FakeCloud) -> None:
    """Name, visibility, status and properties are filters of Glance; other fields become properties."""
    image = {"id": "1", "name": "debian", "status": "active", "min_disk": 2, "os_distro": "debian", "self": "/v2/…"}
    answer(cloud, "/v2/images", "images", image)
    found = ecs.get_image("debian", visibility="public", properties={"os_distro": "debian"})
    assert cloud.log[-1].query == {
        "name": ["debian"],
        "visibility": ["public"],
        "status": ["active"],
        "os_distro": ["debian"],
    }
    assert (found.id, found.min_disk, found.properties) == ("1", 2, {"os_distro": "debian"})


def test_most_recent_selects_newest_image(cloud: FakeCloud) -> None:
    """Without `most_recent`, several matches are an error that lists names and ids."""
    images = [
        {"id": str(month), "name": "debian", "status": "active", "created_at": f"2026-{month}-01T00:00:00Z"}
        for month in (11, 12, 10)
    ]
    answer(cloud, "/v2/images", "images", *images)
    assert ecs.get_image(name_regex="^deb", most_recent=True).id == "12"
    with pytest.raises(ecs.NotUnique) as failure:
        ecs.get_image("debian")
    assert str(failure.value) == (
        'get_image: 3 images have name "debian": debian (11), debian (12), debian (10); give the id'
    )
    assert failure.value.candidates == ["11", "12", "10"]


def test_images_through_compute_without_image_service(cloud: FakeCloud, configured: Callable[..., None]) -> None:
    """Guide 4, step 2: `GET /v2/{tenant_id}/images/detail` returns images of the same type as the image service."""
    del cloud.catalog["image"]
    configured(api_versions={"compute": "2"})
    answer(cloud, f"{V2}/images/detail", "images", IMAGE)
    found = ecs.get_image("DBS-MySQL-Image_2.1.3.3", properties={"__platform": "EulerOS"})
    assert str(cloud.log[-1]) == f"GET {V2}/images/detail"
    assert cloud.log[-1].query == {}
    assert (found.status, found.min_disk, found.progress, found.created_at, found.size) == (
        "active",
        40,
        100,
        "2018-05-14T06:13:50Z",
        0,
    )
    assert found.links[0].type == "application/vnd.openstack.image"
    with pytest.raises(ecs.LookupFailed, match="visibility needs the image service"):
        ecs.list_images(visibility="public")


def test_networks_through_compute_without_network_service(cloud: FakeCloud, configured: Callable[..., None]) -> None:
    """Guide 4, step 3: `GET /v2/{tenant_id}/os-networks`."""
    del cloud.catalog["network"]
    configured(api_versions={"compute": "2"})
    answer(cloud, f"{V2}/os-networks", "networks", OS_NETWORK)
    found = ecs.get_network("b_tt3_tdlb")
    assert str(cloud.log[-1]) == f"GET {V2}/os-networks"
    assert (found.id, found.name, found.cidr) == (OS_NETWORK["id"], "b_tt3_tdlb", None)
    assert ecs.list_networks() == [found]
    with pytest.raises(ecs.LookupFailed, match="tags needs the network service"):
        ecs.list_networks(tags=["a"])


def test_network_criteria_are_sent_as_filters(cloud: FakeCloud) -> None:
    """Every argument that is set becomes a filter of the request to Neutron."""
    answer(cloud, "/v2.0/networks", "networks", NETWORK)
    assert ecs.get_network("demo-net", tags=["a", "b"]).subnet_ids == ["877b5567"]
    assert cloud.log[-1].query == {"name": ["demo-net"], "tags": ["a,b"]}
    answer(cloud, "/v2.0/subnets", "subnets", {"id": "877b5567", "network_id": "c4a3019d", "cidr": "10.0.10.0/24"})
    assert ecs.get_subnet(cidr="10.0.10.0/24", network_id="c4a3019d").id == "877b5567"
    assert cloud.log[-1].query == {"cidr": ["10.0.10.0/24"], "network_id": ["c4a3019d"]}
    port = {
        "id": "7bf1c36f",
        "network_id": "c4a3019d",
        "mac_address": "fa:16:3e:db:91:f6",
        "fixed_ips": [{"subnet_id": "877b5567", "ip_address": "10.0.10.233"}],
        "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400", "ip_version": 4}],
        "binding:profile": {"trusted": True},
    }
    answer(cloud, "/v2.0/ports", "ports", port)
    found = ecs.get_port(ip_address="10.0.10.233", device_id="9f4d9281")
    assert cloud.log[-1].query == {"fixed_ips": ["ip_address=10.0.10.233"], "device_id": ["9f4d9281"]}
    assert (found.ip_address, found.extra_dhcp_options[0].name) == ("10.0.10.233", "mtu")


def test_list_servers_sends_all_filters_of_guide(cloud: FakeCloud, configured: Callable[..., None]) -> None:
    """Guide 3.3, step 2: all ten filters are sent on /v2, where not-tags needs no microversion."""
    configured(api_versions={"compute": "2"})
    answer(cloud, f"{V2}/servers/detail", "servers", SERVER)
    (server,) = ecs.list_servers(
        changes_since="2018-05-11T00:00:00Z",
        image="1189efbf",
        flavor="s3.small.1",
        name="zt",
        status="ACTIVE",
        limit=10,
        marker="0e56e372",
        not_tags=["a", "b"],
        reservation_id="r-pbqmaxer",
        all_tenants=True,
    )
    assert str(cloud.log[-1]) == f"GET {V2}/servers/detail"
    assert cloud.log[-1].query == {
        "changes-since": ["2018-05-11T00:00:00Z"],
        "image": ["1189efbf"],
        "flavor": ["s3.small.1"],
        "name": ["zt"],
        "status": ["ACTIVE"],
        "limit": ["10"],
        "marker": ["0e56e372"],
        "not-tags": ["a,b"],
        "reservation_id": ["r-pbqmaxer"],
        "all_tenants": ["1"],
    }
    assert server.id == SERVER["id"]


def test_get_server_returns_all_fields_of_guide(cloud: FakeCloud) -> None:
    """Guide 3.2: all fields, including those that microversions add, have Pythonic names."""
    cloud.on("GET", f"{V21}/servers/{SERVER['id']}", lambda _: Reply(200, {"server": SERVER}))
    server = ecs.get_server(id=str(SERVER["id"]))
    fields = server.model_dump(exclude={"links", "addresses", "volumes_attached", "user_data"})
    assert fields == {
        "id": SERVER["id"],
        "name": "zt-test",
        "status": "ACTIVE",
        "vm_state": "active",
        "task_state": None,
        "power_state": 1,
        "description": "zt-test",
        "metadata": {},
        "tags": [],
        "flavor_id": "s3.small.1",
        "image_id": "1189efbf-d48b-46ad-a823-94b942e2a000",
        "access_ip_v4": "192.168.0.228",
        "access_ip_v6": None,
        "security_groups": ["default"],
        "key_name": "id_rsa",
        "availability_zone": "eu-de-01",
        "config_drive": False,
        "disk_config": "MANUAL",
        "locked": False,
        "progress": 0,
        "fault": None,
        "host": "pod05.eude01",
        "host_id": SERVER["hostId"],
        "host_status": "UP",
        "hypervisor_hostname": "nova01207",
        "instance_name": "instance-0016c624",
        "hostname": "zt-test",
        "kernel_id": None,
        "ramdisk_id": None,
        "launch_index": 0,
        "reservation_id": "r-pbqmaxer",
        "root_device_name": "/dev/vda",
        "user_id": "f79791beca3c48159ac2553fff22e166",
        "project_id": PROJECT,
        "created": "2018-05-11T03:21:56Z",
        "updated": "2018-05-11T03:22:51Z",
        "launched_at": "2018-05-11T03:22:16.701600",
        "terminated_at": None,
    }
    (addresses,) = server.addresses.values()
    assert [(item.addr, item.type, item.mac) for item in addresses] == [
        ("192.168.0.228", "fixed", "fa:16:3e:20:17:95"),
        ("192.168.51.61", "floating", "fa:16:3e:20:17:95"),
    ]
    assert server.volumes_attached[0].delete_on_termination is True


def test_user_data_is_hidden(cloud: FakeCloud) -> None:
    """User data may contain passwords, so it is hidden when a server is printed or exported."""
    server = ecs.ServerInfo.model_validate(SERVER)
    assert "c2VjcmV0" not in f"{server} {server!r}"
    assert server.user_data is not None
    assert server.user_data.get_secret_value() == "c2VjcmV0"


def test_get_server_matches_exact_name(cloud: FakeCloud) -> None:
    """The cloud gets a regular expression; the lookup compares the names, in case that the cloud ignores it."""
    answer(cloud, f"{V21}/servers/detail", "servers", {**SERVER, "name": "web.1"}, {**SERVER, "name": "web-1"})
    assert ecs.get_server("web.1").name == "web.1"
    assert cloud.log[-1].query == {"name": [r"^web\.1$"], "limit": ["1000"]}
    cloud.on("GET", f"{V21}/servers/nono", lambda _: Reply(404, {"itemNotFound": {"message": "no", "code": 404}}))
    with pytest.raises(ecs.NoMatch, match=r'^get_server: no server has id "nono"; available: web-1, web.1$'):
        ecs.get_server(id="nono")


def test_not_tags_fails_if_api_is_too_old(cloud: FakeCloud) -> None:
    """The error names the required and the offered microversions; no list request is sent."""
    with pytest.raises(ecs.LookupFailed) as failure:
        ecs.list_servers(not_tags="a")
    assert str(failure.value) == (
        "list_servers: not_tags needs compute microversion 2.26; "
        "this cloud offers compute v2.1 with microversions 2.1 to 2.14"
    )
    assert str(cloud.log[-1]) == "GET /"


def test_not_tags_uses_required_microversion(cloud: FakeCloud) -> None:
    """On v2.1, the filter needs microversion 2.26."""
    cloud.on("GET", "/", lambda _: Reply(200, MODERN))
    answer(cloud, f"{V21}/servers/detail", "servers")
    assert ecs.list_servers(not_tags="a") == []
    assert cloud.log[-1].headers["X-OpenStack-Nova-API-Version"] == "2.26"


def test_get_volume_and_get_key_pair_by_name(cloud: FakeCloud) -> None:
    """A volume and a key pair are found by name, with the fields of the guide's documents."""
    volume = {
        "id": "51f45e08",
        "name": "openapi_vol02",
        "status": "available",
        "size": 40,
        "bootable": "false",
        "created_at": "2018-05-16T11:19:33.992984",
        "volume_type": "SATA",
        "metadata": {"__system__volume_name": "openapi_vol02"},
        "attachments": [],
        "shareable": False,
        "volume_image_metadata": {"image_id": "11e8f727", "image_name": "euler"},
    }
    answer(cloud, f"/v3/{PROJECT}/volumes/detail", "volumes", volume)
    found = ecs.get_volume("openapi_vol02", metadata={"__system__volume_name": "openapi_vol02"})
    assert (found.id, found.size, found.bootable, found.image_id) == ("51f45e08", 40, False, "11e8f727")
    key_pair = {"name": "demo2", "public_key": "ssh-rsa AAAA", "fingerprint": "dd:44", "user_id": "f797"}
    cloud.on("GET", f"{V21}/os-keypairs/demo2", lambda _: Reply(200, {"keypair": key_pair}))
    answer(cloud, f"{V21}/os-keypairs", "keypairs", {"keypair": key_pair})
    assert ecs.get_key_pair("demo2").fingerprint == "dd:44"
    with pytest.raises(ecs.NoMatch, match=r'^get_key_pair: no key pair has name "demo"; did you mean demo2\?$'):
        ecs.get_key_pair("demo")


def test_availability_zones_of_three_services(cloud: FakeCloud) -> None:
    """The zones of all services have the same type, sorted by name, and include unavailable zones."""
    zones = [
        {"zoneName": "eu-de-02", "zoneState": {"available": False}, "hosts": None},
        {"zoneName": "eu-de-01", "zoneState": {"available": True}, "hosts": None},
    ]
    answer(cloud, f"{V21}/os-availability-zone", "availabilityZoneInfo", *zones)
    answer(cloud, f"/v3/{PROJECT}/os-availability-zone", "availabilityZoneInfo", zones[1])
    neutron = {"name": "nova", "resource": "network", "state": "available"}
    answer(cloud, "/v2.0/availability_zones", "availability_zones", neutron)
    assert [(zone.name, zone.available) for zone in ecs.get_availability_zones()] == [
        ("eu-de-01", True),
        ("eu-de-02", False),
    ]
    assert [zone.name for zone in ecs.get_availability_zones("volume")] == ["eu-de-01"]
    assert [zone.resource for zone in ecs.get_availability_zones("network")] == ["network"]


def test_api_versions_have_range_of_microversions(cloud: FakeCloud) -> None:
    """Guide 3.2: empty versions mean that there are no microversions."""
    old, new = ecs.get_api_versions()
    assert (old.id, old.version, old.min_version) == ("v2.0", None, None)
    assert (new.id, new.version, new.min_version, new.status) == ("v2.1", "2.14", "2.1", "CURRENT")
    assert new.links[0].href == GUIDE_VERSIONS["versions"][1]["links"][0]["href"]  # type: ignore[index]


def test_lookup_without_arguments_fails(cloud: FakeCloud) -> None:
    """A lookup without arguments fails before any request is sent."""
    for lookup in (ecs.get_flavor, ecs.get_image, ecs.get_network, ecs.get_subnet, ecs.get_port, ecs.get_server):
        with pytest.raises(ecs.LookupFailed, match=r"give name or id"):
            lookup()
    assert cloud.log == []


def test_invalid_regular_expression_error(cloud: FakeCloud) -> None:
    """The error contains the reason why the regular expression is invalid."""
    answer(cloud, "/v2/images", "images")
    with pytest.raises(ecs.LookupFailed, match=r"^get_image: name_regex: missing"):
        ecs.get_image(name_regex="(")


def test_api_errors_have_one_line(cloud: FakeCloud) -> None:
    """API errors and invalid responses end the program with a one-line message."""
    forbidden = {"forbidden": {"message": "Policy doesn't allow it", "code": 403}}
    cloud.on("GET", f"{V21}/servers/detail", lambda _: Reply(403, forbidden))
    with pytest.raises(ecs.LookupFailed, match=r"^list_servers: Policy doesn't allow it \(HTTP 403\)"):
        ecs.list_servers(all_tenants=True)
    answer(cloud, f"{V21}/flavors/detail", "flavors", {"id": "1", "name": "f", "vcpus": "many", "ram": 1})
    with pytest.raises(ecs.LookupFailed, match=r"^list_flavors: the cloud returned an invalid response: Fla"):
        ecs.list_flavors()


def test_lookup_result_is_frozen(cloud: FakeCloud) -> None:
    """A result cannot be modified; unknown fields of the document are ignored and nulls become defaults."""
    flavor = ecs.FlavorInfo.model_validate({**FLAVOR, "new": 1, "disk": None})
    assert flavor.disk == 0
    with pytest.raises(ValidationError):
        flavor.disk = 1  # type: ignore[misc]


def test_lookup_uses_settings_of_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup reads the settings of the namespace `ecs` from the stack configuration, including secrets."""
    values: dict[str, str | None] = {}

    def connection(config: Callable[[str], str | None], cloud: str | None) -> Any:
        assert cloud is None
        values.update({key: config(key) for key in ("ecs:cloud", "ecs:password", "ecs:region")})
        raise AssertionError

    monkeypatch.setattr(calls, "connection", connection)
    set_all_config({"ecs:cloud": "demo", "ecs:password": "hidden", "other:region": "x"}, ["ecs:password"])
    with pytest.raises(AssertionError):
        ecs.get_server("x")
    assert values == {"ecs:cloud": "demo", "ecs:password": "hidden", "ecs:region": None}


def test_output_argument_requires_output_variant(cloud: FakeCloud) -> None:
    """A plain lookup rejects an output; the error names the `_output` variant."""

    async def program() -> None:
        with pytest.raises(ecs.LookupFailed, match="get_server_output takes outputs"):
            ecs.get_server(pulumi.Output.from_input("web"))  # type: ignore[arg-type]

    asyncio.run(program())


def test_output_variant_waits_for_inputs(cloud: FakeCloud) -> None:
    """The `_output` variant runs after its inputs are known, and its result is secret if an input is."""
    answer(cloud, "/v2.0/networks", "networks", NETWORK)

    async def program() -> tuple[str | None, bool, bool]:
        plain = ecs.get_network_output(pulumi.Output.from_input("demo-net"))
        secret = ecs.get_network_output(tags=[pulumi.Output.secret("a")])
        found = await plain.apply(lambda network: network.id).future()
        return found, await plain.is_secret(), await secret.is_secret()

    assert asyncio.run(program()) == ("c4a3019d", False, True)
    assert {"tags": ["a"]} in [request.query for request in cloud.log]


def test_output_variant_with_unknown_input_sends_no_request(cloud: FakeCloud) -> None:
    """In a preview, an unknown input makes the output unknown, and no request is sent."""

    async def program() -> bool:
        return await ecs.get_network_output(id=unknown()).is_known()

    assert asyncio.run(program()) is False
    assert cloud.log == []


def test_output_variant_with_input_of_new_resource_sends_no_request(cloud: FakeCloud) -> None:
    """In a preview, the name of a new resource is known, but the cloud has no object with this name yet."""

    async def program() -> bool:
        network = object.__new__(pulumi.CustomResource)
        network.__dict__["id"] = unknown()
        name = pulumi.Output({network}, resolved("demo-net"), resolved(value=True))
        assert await name.is_known()
        return await ecs.get_network_output(name).is_known()

    assert asyncio.run(program()) is False
    assert cloud.log == []


def test_output_variant_raises_error_of_lookup(cloud: FakeCloud) -> None:
    """Waiting for the output raises the same error as the plain lookup."""
    answer(cloud, "/v2.0/networks", "networks")

    async def program() -> None:
        await ecs.get_network_output("demo-net").future()

    with pytest.raises(ecs.NoMatch, match=r'^get_network: no network has name "demo-net"; none exists$'):
        asyncio.run(program())
