"""The package sends every request of chapters 3 to 7 of the guide, with the same path and the same properties.

The table below lists the guide's requests: chapter, method, path and body. A fixture runs the operations of the guide
once, through the providers and lookups, against an emulated cloud of that kind. Each request must be in its log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import ecs_pulumi as ecs
from ecs_pulumi.dynamic.provider import Provider
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources.clients import connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator.gateway import Request

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn Generated-by-Nova"
SERVERS = "/v2/{project}/servers"
DETAIL_QUERY: tuple[str, ...] = ("changes-since", "image", "flavor", "name", "status", "limit", "marker", "not-tags")
DETAIL_QUERY += ("reservation_id", "all_tenants")


class GuideRequest(NamedTuple):
    """One request of the guide."""

    chapter: str
    method: str
    path: str
    body: Any = None
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


GUIDE = [
    GuideRequest("3.2 versions", "GET", "/"),
    GuideRequest(
        "3.2 a microversion",
        "GET",
        "/v2.1/{project}/servers/detail",
        headers=("x-openstack-nova-api-version", "openstack-api-version"),
    ),
    GuideRequest(
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
    GuideRequest("3.3 step 2", "GET", f"{SERVERS}/detail", query=DETAIL_QUERY),
    GuideRequest(
        "4 step 1",
        "GET",
        "/v2/{project}/flavors/detail",
    ),
    GuideRequest("4 step 2", "GET", "/v2/{project}/images/detail"),
    GuideRequest("4 step 3", "GET", "/v2/{project}/os-networks"),
    GuideRequest(
        "4 step 4.1",
        "POST",
        "/v2/{project}/os-keypairs",
        {"keypair": {"type": "ssh", "name": "demo1", "user_id": "fake"}},
    ),
    GuideRequest(
        "4 step 4.2",
        "POST",
        "/v2/{project}/os-keypairs",
        {"keypair": {"public_key": KEY, "type": "ssh", "name": "demo2", "user_id": "fake"}},
    ),
    GuideRequest(
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
    GuideRequest("4 step 6", "GET", f"{SERVERS}/{{id}}"),
    GuideRequest("5 step 1", "POST", f"{SERVERS}/{{id}}/action", {"resize": {"flavorRef": "4"}}),
    GuideRequest("5 step 2", "POST", f"{SERVERS}/{{id}}/action", {"confirmResize": None}),
    GuideRequest("5 step 3", "POST", f"{SERVERS}/{{id}}/action", {"revertResize": None}),
    GuideRequest(
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
    GuideRequest(
        "6 step 2",
        "POST",
        f"{SERVERS}/{{id}}/os-volume_attachments",
        {"volumeAttachment": {"volumeId": "51f45e08", "device": "/dev/sdb"}},
    ),
    GuideRequest("6 step 3", "GET", f"{SERVERS}/{{id}}/os-volume_attachments"),
    GuideRequest(
        "7 step 1.1",
        "POST",
        "/v2.0/networks",
        {"network": {"shared": False, "name": "demo-net", "admin_state_up": True, "tenant_id": "7461"}},
    ),
    GuideRequest(
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
    GuideRequest(
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
    GuideRequest(
        "7 step 2", "POST", f"{SERVERS}/{{id}}/os-interface", {"interfaceAttachment": {"port_id": "7bf1c36f"}}
    ),
    GuideRequest("7 step 3", "GET", f"{SERVERS}/{{id}}/os-interface"),
]


class Config:
    """The settings of the stack, in the form that `configure` of a provider gets."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.get = settings.get


class State(NamedTuple):
    """The id and outputs of a resource in the state."""

    id: str
    outputs: dict[str, Any]


class Program:
    """Runs the operations of a program, without an engine."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings

    def provider(self, kind: str) -> Provider:
        """Return the provider of one kind."""
        provider = Provider(kind)
        provider.configure(type("Request", (), {"config": Config(self.settings)})())
        return provider

    def create(self, kind: str, **inputs: Any) -> State:
        """Check the inputs and create the resource."""
        provider = self.provider(kind)
        checked = provider.check({}, inputs)
        assert not checked.failures, [failure.reason for failure in checked.failures]
        result = provider.create(checked.inputs)
        assert result.outs is not None
        return State(result.id, result.outs)

    def update(self, kind: str, state: State, **inputs: Any) -> State:
        """Check the inputs and update the resource."""
        provider = self.provider(kind)
        checked = provider.check(inputs, inputs)
        outputs = provider.update(state.id, state.outputs, checked.inputs).outs
        assert outputs is not None
        return State(state.id, outputs)


@pytest.fixture(scope="module")
def log() -> Iterator[list[Request]]:
    """The requests that the cloud received during the operations of the guide."""
    # The guide is older than the end of sale of the volume type SATA, which its requests name.
    with Emulator(dialect="otc", speed=500, rules={"end_of_sale": "sell"}) as cloud:
        read_with_microversion(cloud.settings)
        run_guide(cloud)
        yield list(cloud.requests)


def ecs_settings(settings: dict[str, str], **more: str) -> dict[str, str]:
    """Return the settings of a stack for an emulated cloud."""
    return {f"ecs:{name}": value for name, value in settings.items()} | {f"ecs:{n}": v for n, v in more.items()}


def read_with_microversion(settings: dict[str, str]) -> None:
    """List servers with a microversion, as in chapter 3.2."""
    region = connection(ecs_settings(settings).get).region()
    list(region.compute.pages("/servers/detail", "servers", microversion="2.26"))


def run_guide(cloud: Emulator) -> None:
    """Run the operations of chapters 3 to 7, on the guide's `/v2`."""
    first = connection(ecs_settings(cloud.settings).get)
    project_id, domain_id = first.region().project_id, str(first.transport.access().user_domain_id)
    settings = ecs_settings(cloud.settings, apiVersions='{"compute": "2", "block-storage": "2"}')
    del settings["ecs:userDomainName"], settings["ecs:projectDomainName"], settings["ecs:projectName"]
    settings |= {"ecs:userDomainId": domain_id, "ecs:projectId": project_id}
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
    inputs: dict[str, Any] = {
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
    server = program.create("Server", **inputs)
    larger = program.update("Server", server, **inputs | {"flavor": "c1.2xlarge", "power_state": "shutoff"})
    nova.action(compute, server.id, "resize", {"flavorRef": "c1.large"})
    region.servers.poller.wait(
        server.id,
        lambda remote: bool(remote and remote["status"] == "VERIFY_RESIZE"),
        deadline=program.provider("Server")._handler.connect(settings.get, None, 60).deadline,
        what="the resize",
        describe=str,
    )
    program.update("Server", larger, **inputs | {"flavor": "c1.2xlarge", "power_state": "shutoff"})
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
    """Return a body without its values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return None if value is None else "…"


def pattern(path: str) -> str:
    """Return a pattern for a path of the guide at the end of a URL."""
    return re.escape(path).replace(r"\{project\}", "[0-9a-f]{32}").replace(r"\{id\}", "[0-9a-f-]{36}") + "$"


@pytest.mark.parametrize(
    "expected", GUIDE, ids=lambda expected: f"{expected.chapter} {expected.method} {expected.path}"
)
def test_guide_request_is_sent(expected: GuideRequest, log: list[Request]) -> None:
    """The package sends the request with the path of the guide and exactly the properties of its body."""
    on_path = [
        request
        for request in log
        if request.method == expected.method and re.search(pattern(expected.path), request.path)
    ]
    assert on_path, "no request on this path"
    if expected.body is not None:
        shapes = [shape(request.body) for request in on_path]
        assert shape(expected.body) in shapes, shapes
    if expected.query:
        queries = [{part.split("=")[0] for part in request.query.split("&")} for request in on_path]
        assert set(expected.query) in queries, queries
    for header in expected.headers:
        assert any(header in request.headers for request in on_path), header


def test_kinds_of_the_guide_are_public() -> None:
    """The package exports the eight resource kinds of the guide."""
    kinds = {"Server", "KeyPair", "Volume", "VolumeAttachment", "Network", "Subnet", "Port", "InterfaceAttachment"}
    assert kinds <= set(ecs.__all__)
