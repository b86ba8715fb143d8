"""A sample of the operations on a cloud behind a proxy that shows the state of up to 5 seconds ago."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud.bounded_http import BoundedAdapter
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import clients
from tests.fields.cloud_fixtures import CLOCK_FACTOR, SPEED, CloudFixtures
from tests.support import steps
from tests.support.delaying_proxy import DelayingProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from tests.support.landscape import Landscape
    from tests.support.steps import Resource

SECONDS = 5.0
SSH = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "remote_ip_prefix": "10.0.0.0/8"}


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud of the dialect `openstack`."""
    with Emulator(dialect="openstack", speed=SPEED) as running:
        yield running


@pytest.fixture
def fixtures(landscape: Landscape) -> Iterator[CloudFixtures]:
    """The cloud."""
    with CloudFixtures(landscape) as created:
        yield created


@pytest.fixture
def proxy(landscape: Landscape, fixtures: CloudFixtures) -> Iterator[DelayingProxy]:
    """The proxy, which the requests of the provider pass; its clock is faster on an emulated cloud."""
    assert fixtures.server_inputs  # opens the connection
    session = clients.connection(fixtures.config.get).transport.http
    adapter = session.get_adapter("http://")
    with DelayingProxy(SECONDS if landscape.live else SECONDS / CLOCK_FACTOR) as running:
        session.mount("http://", Proxied(running.url))
        yield running
        session.mount("http://", adapter)


@pytest.fixture
def stack(fixtures: CloudFixtures, proxy: DelayingProxy) -> Iterator[Stack]:
    """An empty stack; its resources are destroyed at the end, the last ones first."""
    assert proxy.url
    created = Stack(fixtures)
    yield created
    created.destroy()


class Proxied(BoundedAdapter):
    """Sends the requests of the provider through a proxy, and no others."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send a request through the proxy."""
        return super().send(request, **options | {"proxies": {"http": self._url}})


class Stack:
    """The resources of a test."""

    def __init__(self, fixtures: CloudFixtures) -> None:
        self._fixtures = fixtures
        self._resources: list[Resource] = []

    def create(self, kind: str, **inputs: Any) -> Resource:
        """Create a resource; afterwards a preview shows no changes."""
        resource = self._fixtures.resource(kind)
        self._resources.append(resource)
        self.update(resource, **inputs)
        return resource

    def update(self, resource: Resource, **inputs: Any) -> None:
        """Apply these inputs; afterwards a preview shows no changes."""
        resource.up(**inputs)
        assert resource.preview(**inputs) == steps.SAME

    def destroy(self) -> None:
        """Destroy the resources."""
        while self._resources:
            self._resources.pop().destroy()


def test_operations_behind_delaying_proxy(
    stack: Stack, fixtures: CloudFixtures, landscape: Landscape, proxy: DelayingProxy
) -> None:
    """Every operation succeeds at the first attempt, and a destroy leaves nothing."""
    before = landscape.objects()
    net = stack.create("Network", tags=["one"])
    subnet = stack.create("Subnet", network_id=net.id, cidr="10.92.0.0/24")
    group = stack.create("SecurityGroup", rules=[SSH])
    stack.create("SecurityGroupRule", security_group_id=stack.create("SecurityGroup").id, **SSH)
    router = stack.create("Router", external_network=landscape.external_network)
    stack.create("RouterInterface", router_id=router.id, subnet_id=subnet.id)
    stack.create("RouterRoute", router_id=router.id, destination="192.168.92.0/24", nexthop="10.92.0.9")
    port = stack.create("Port", network_id=net.id, fixed_ips=[{"subnet_id": subnet.id}], security_group_ids=[group.id])
    stack.create("FloatingIp", external_network=landscape.external_network, port_id=port.id)
    stack.create("ServerGroup", policy="anti-affinity")
    key = stack.create("KeyPair")
    disk = stack.create("Volume", size=1)
    inputs = {**fixtures.server_inputs, "networks": [{"port_id": port.id}], "key_name": key.id}
    server = stack.create("Server", **inputs)
    stack.create("VolumeAttachment", server_id=server.id, volume_id=disk.id)
    stack.create("InterfaceAttachment", server_id=server.id, network_id=net.id)
    stack.update(net, name="other", description="mine", tags=["two"])
    stack.update(group, rules=[SSH, {**SSH, "port_range_min": 80}])
    stack.update(disk, size=2)
    inputs |= {"name": "other", "metadata": {"a": "1"}}
    stack.update(server, **inputs)
    stack.update(server, **{**inputs, "flavor": landscape.medium})
    for each in (net, server, disk):
        each.refresh()
        assert each.state
    stack.destroy()
    assert proxy.stale
    assert landscape.objects() == before
