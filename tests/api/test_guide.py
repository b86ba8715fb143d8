"""Every request that the guide shows in its chapters 3 to 7 is made by the package, in the guide's shape.

The table below has the guide's requests: chapter, method, path and body. The story is told once to an emulated cloud
of the guide's kind, through the providers and the lookups; then each request must be in the cloud's log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import ecs_pulumi as ecs
from ecs_pulumi.dynamic.provider import Provider
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources.common import connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator.gateway import Request

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn Generated-by-Nova"
SERVERS = "/v2/{project}/servers"
DETAIL_QUERY: tuple[str, ...] = ("changes-since", "image", "flavor", "name", "status", "limit", "marker", "not-tags")
DETAIL_QUERY += ("reservation_id", "all_tenants")


class Shown(NamedTuple):
    """One request of the guide."""

    chapter: str
    method: str
    path: str
    body: Any = None
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


GUIDE = [
    Shown("3.2 versions", "GET", "/"),
    Shown(
        "3.2 a microversion",
        "GET",
        "/v2.1/{project}/servers/detail",
        headers=("x-openstack-nova-api-version", "openstack-api-version"),
    ),
    Shown(
        "3.3 step 1",
        "POST",
        "/v3/auth/tokens",
        {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": "testuser", "domain": {"id": "2aa2"}, "password": "Test@123"}},
                },
                "scope": {"project": {"id": "fb77"}},
            }
        },
    ),
    Shown("3.3 step 2", "GET", f"{SERVERS}/detail", query=DETAIL_QUERY),
    Shown(
        "4 step 1",
        "GET",
        "/v2/{project}/flavors/detail",
    ),
    Shown("4 step 2", "GET", "/v2/{project}/images/detail"),
    Shown("4 step 3", "GET", "/v2/{project}/os-networks"),
    Shown(
        "4 step 4.1",
        "POST",
        "/v2/{project}/os-keypairs",
        {"keypair": {"type": "ssh", "name": "demo1", "user_id": "fake"}},
    ),
    Shown(
        "4 step 4.2",
        "POST",
        "/v2/{project}/os-keypairs",
        {"keypair": {"public_key": KEY, "type": "ssh", "name": "demo2", "user_id": "fake"}},
    ),
    Shown(
        "4 step 5",
        "POST",
        SERVERS,
        {
            "server": {
                "flavorRef": "c1.large",
                "name": "ztttestvm1",
                "block_device_mapping_v2": [
                    {
                        "source_type": "image",
                        "destination_type": "volume",
                        "volume_type": "SATA",
                        "volume_size": 40,
                        "delete_on_termination": True,
                        "uuid": "11e8f727-d439-4ed1-b3b8-33f46c0379c4",
                        "boot_index": 0,
                    }
                ],
                "networks": [{"uuid": "fb68519f"}],
                "key_name": "demo2",
                "availability_zone": "eu-de-01",
            }
        },
    ),
    Shown("4 step 6", "GET", f"{SERVERS}/{{id}}"),
    Shown("5 step 1", "POST", f"{SERVERS}/{{id}}/action", {"resize": {"flavorRef": "4"}}),
    Shown("5 step 2", "POST", f"{SERVERS}/{{id}}/action", {"confirmResize": None}),
    Shown("5 step 3", "POST", f"{SERVERS}/{{id}}/action", {"revertResize": None}),
    Shown(
        "6 step 1",
        "POST",
        "/v2/{project}/volumes",
        {
            "volume": {
                "name": "openapi_vol02",
                "availability_zone": "eu-de-01",
                "description": "create for api test",
                "volume_type": "SATA",
                "size": 40,
            }
        },
    ),
    Shown(
        "6 step 2",
        "POST",
        f"{SERVERS}/{{id}}/os-volume_attachments",
        {"volumeAttachment": {"volumeId": "51f45e08", "device": "/dev/sdb"}},
    ),
    Shown("6 step 3", "GET", f"{SERVERS}/{{id}}/os-volume_attachments"),
    Shown(
        "7 step 1.1",
        "POST",
        "/v2.0/networks",
        {"network": {"shared": False, "name": "demo-net", "admin_state_up": True, "tenant_id": "7461"}},
    ),
    Shown(
        "7 step 1.3",
        "POST",
        "/v2.0/subnets",
        {
            "subnet": {
                "name": "testsubnet",
                "enable_dhcp": True,
                "network_id": "c4a3019d",
                "tenant_id": "7461",
                "dns_nameservers": ["8.8.8.8", "8.8.8.7"],
                "allocation_pools": [{"start": "10.0.10.2", "end": "10.0.10.254"}],
                "host_routes": [],
                "ip_version": 4,
                "gateway_ip": "10.0.10.1",
                "cidr": "10.0.10.0/24",
            }
        },
    ),
    Shown(
        "7 step 1.5",
        "POST",
        "/v2.0/ports",
        {
            "port": {
                "admin_state_up": True,
                "fixed_ips": [{"subnet_id": "877b5567"}],
                "name": "test",
                "network_id": "c4a3019d",
                "tenant_id": "7461",
            }
        },
    ),
    Shown("7 step 2", "POST", f"{SERVERS}/{{id}}/os-interface", {"interfaceAttachment": {"port_id": "7bf1c36f"}}),
    Shown("7 step 3", "GET", f"{SERVERS}/{{id}}/os-interface"),
]


class Config:
    """The stack's settings, as a provider's `configure` is given them."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.get = settings.get


class Made(NamedTuple):
    """A resource as the state would have it."""

    id: str
    outputs: dict[str, Any]


class Program:
    """What a program does, without an engine."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings

    def provider(self, kind: str) -> Provider:
        """The provider of one kind."""
        provider = Provider(kind)
        provider.configure(type("Request", (), {"config": Config(self.settings)})())
        return provider

    def create(self, kind: str, **inputs: Any) -> Made:
        """Check and create."""
        provider = self.provider(kind)
        checked = provider.check({}, inputs)
        assert not checked.failures, [failure.reason for failure in checked.failures]
        result = provider.create(checked.inputs)
        assert result.outs is not None
        return Made(result.id, result.outs)

    def update(self, kind: str, made: Made, **inputs: Any) -> Made:
        """Check and update."""
        provider = self.provider(kind)
        checked = provider.check(inputs, inputs)
        outputs = provider.update(made.id, made.outputs, checked.inputs).outs
        assert outputs is not None
        return Made(made.id, outputs)


@pytest.fixture(scope="module")
def log() -> Iterator[list[Request]]:
    """What the cloud was asked while the guide's story was told."""
    with Emulator(dialect="otc", speed=500) as cloud:
        with Emulator(dialect="openstack", speed=500) as newer:
            tell(newer.settings, Program)
            seen = list(newer.requests)
        tell_guide(cloud)
        yield [*seen, *cloud.requests]


def ecs_settings(settings: dict[str, str], **more: str) -> dict[str, str]:
    """The stack's settings for an emulated cloud."""
    return {f"ecs:{name}": value for name, value in settings.items()} | {f"ecs:{n}": v for n, v in more.items()}


def tell(settings: dict[str, str], program: type[Program]) -> None:
    """Read servers with a microversion, as chapter 3.2 does."""
    del program
    region = connection(ecs_settings(settings).get).region()
    list(region.compute.pages("/servers/detail", "servers", microversion="2.26"))


def tell_guide(cloud: Emulator) -> None:
    """Chapters 3 to 7, on the guide's `/v2`."""
    project_id = connection(ecs_settings(cloud.settings).get).region().project_id
    settings = ecs_settings(cloud.settings, apiVersions='{"compute": "2", "block-storage": "2"}')
    del settings["ecs:userDomainName"], settings["ecs:projectDomainName"], settings["ecs:projectName"]
    settings |= {"ecs:userDomainId": "default", "ecs:projectId": project_id}
    program = Program(settings)
    region = connection(settings.get).region()
    compute = region.compute
    compute.list_versions()

    from ecs_pulumi.cloud import compute as nova

    nova.list_flavors(compute)
    nova.list_images(compute)
    nova.list_os_networks(compute)
    program.create("KeyPair", name="demo1", type="ssh", user_id="fake")
    program.create("KeyPair", name="demo2", type="ssh", user_id="fake", public_key=KEY)
    network = program.create("Network", name="demo-net", shared=False, admin_state_up=True, project_id=project_id)
    subnet = program.create(
        "Subnet",
        name="testsubnet",
        enable_dhcp=True,
        network_id=network.id,
        project_id=project_id,
        dns_nameservers=["8.8.8.8", "8.8.8.7"],
        allocation_pools=[{"start": "10.0.10.2", "end": "10.0.10.254"}],
        host_routes=[],
        ip_version=4,
        gateway_ip="10.0.10.1",
        cidr="10.0.10.0/24",
    )
    port = program.create(
        "Port",
        name="test",
        admin_state_up=True,
        fixed_ips=[{"subnet_id": subnet.id}],
        network_id=network.id,
        project_id=project_id,
    )
    asked: dict[str, Any] = {
        "flavor": "c1.large",
        "name": "ztttestvm1",
        "block_devices": [
            {
                "source_type": "image",
                "destination_type": "volume",
                "volume_type": "SATA",
                "volume_size": "40",
                "delete_on_termination": "true",
                "uuid": "11e8f727-d439-4ed1-b3b8-33f46c0379c4",
                "boot_index": "0",
            }
        ],
        "networks": [{"network_id": network.id}],
        "key_name": "demo2",
        "availability_zone": "eu-de-01",
    }
    server = program.create("Server", **asked)
    larger = program.update("Server", server, **asked | {"flavor": "c1.2xlarge", "power_state": "shutoff"})
    nova.action(compute, server.id, "resize", {"flavorRef": "c1.large"})
    region.servers.poller.wait(
        server.id,
        lambda seen: bool(seen and seen["status"] == "VERIFY_RESIZE"),
        deadline=program.provider("Server")._kind.connect(settings.get, None, 60).deadline,
        what="the resize",
        describe=str,
    )
    program.update("Server", larger, **asked | {"flavor": "c1.2xlarge", "power_state": "shutoff"})
    volume = program.create(
        "Volume",
        name="openapi_vol02",
        availability_zone="eu-de-01",
        description="create for api test",
        volume_type="SATA",
        size=40,
    )
    program.create("VolumeAttachment", server_id=server.id, volume_id=volume.id, device="/dev/sdb")
    program.create("InterfaceAttachment", server_id=server.id, port_id=port.id)
    nova.list_volume_attachments(compute, server.id)
    nova.list_interfaces(compute, server.id)
    nova.get_server(compute, server.id)
    nova.list_servers(
        compute,
        changes_since="2018-05-10T00:00:00Z",
        image="11e8f727-d439-4ed1-b3b8-33f46c0379c4",
        flavor="c1.large",
        name="ztt",
        status="ACTIVE",
        limit=10,
        marker=server.id,
        not_tags="old",
        reservation_id="r-pbqmaxer",
        all_tenants=False,
    )


def shape(value: Any) -> Any:
    """A body without its values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return None if value is None else "…"


def pattern(path: str) -> str:
    """A path of the guide as it stands at the end of a URL here."""
    return re.escape(path).replace(r"\{project\}", "[0-9a-f]{32}").replace(r"\{id\}", "[0-9a-f-]{36}") + "$"


@pytest.mark.parametrize("shown", GUIDE, ids=lambda shown: f"{shown.chapter} {shown.method} {shown.path}")
def test_the_guides_request_is_made(shown: Shown, log: list[Request]) -> None:
    """The request is made on the guide's path, with the guide's body and no property more."""
    on_path = [
        request for request in log if request.method == shown.method and re.search(pattern(shown.path), request.path)
    ]
    assert on_path, "no request on this path"
    if shown.body is not None:
        shapes = [shape(request.body) for request in on_path]
        assert shape(shown.body) in shapes, shapes
    if shown.query:
        asked = [{part.split("=")[0] for part in request.query.split("&")} for request in on_path]
        assert set(shown.query) in asked, asked
    for header in shown.headers:
        assert any(header in request.headers for request in on_path), header


def test_the_package_says_where_it_takes_more_than_the_guide() -> None:
    """The eight kinds of the guide are public."""
    kinds = {"Server", "KeyPair", "Volume", "VolumeAttachment", "Network", "Subnet", "Port", "InterfaceAttachment"}
    assert kinds <= set(ecs.__all__)
