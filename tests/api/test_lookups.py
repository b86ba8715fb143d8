"""Lookups against the emulator or another cloud."""

from __future__ import annotations

import asyncio
import functools
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.runtime import set_all_config

import ecs_pulumi as ecs
from ecs_pulumi.cloud.connection import Connection
from ecs_pulumi.cloud.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pulumi
    from openstack.connection import Connection as OtherClient

    from tests.support.landscape import Landscape


@pytest.fixture
def configured(landscape: Landscape, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that configures lookups for the cloud of the test, with additional settings."""
    for name in list(os.environ):
        if name.startswith("OS_") and name not in landscape.env:
            monkeypatch.delenv(name)

    def configure(**settings: str) -> None:
        more = {f"ecs:{name}": value for name, value in settings.items()}
        set_all_config({**landscape.settings, **landscape.secrets, **more}, list(landscape.secrets))

    configure()
    return configure


@pytest.fixture
def name(landscape: Landscape) -> Iterator[str]:
    """A unique name for the objects of a test; all objects with this name are deleted at the end."""
    unique = f"lookups-{uuid.uuid4().hex[:8]}"
    yield unique
    with landscape.connect() as cloud:
        for server in cloud.compute.servers(name=unique):
            cloud.compute.delete_server(server)
            cloud.compute.wait_for_delete(server)
        for volume in cloud.block_storage.volumes(name=unique):
            cloud.block_storage.delete_volume(volume)
        if cloud.compute.find_keypair(unique):
            cloud.compute.delete_keypair(unique)
        if group := cloud.compute.find_server_group(unique):
            cloud.compute.delete_server_group(group)
        for network in list(cloud.network.networks(name=unique)):
            for port in list(cloud.network.ports(network_id=network.id)):
                cloud.network.delete_port(port)
            cloud.network.delete_network(network)


def make_server(landscape: Landscape, cloud: OtherClient, name: str, port_id: str, **more: Any) -> Any:
    """Create a server that boots from a volume with another client, and wait until it is active."""
    disk = {
        "source_type": "image",
        "uuid": ecs.get_image(landscape.image).id,
        "destination_type": "volume",
        "boot_index": 0,
        "volume_size": 10,
        "delete_on_termination": True,
    }
    server = cloud.compute.create_server(
        name=name,
        flavor_id=ecs.get_flavor(landscape.small).id,
        block_device_mapping=[disk],
        networks=[{"port": port_id}],
        **more,
    )
    return cloud.compute.wait_for_server(server, interval=0.5)


@pytest.mark.usefixtures("configured")
def test_flavors_images_zones_and_versions(landscape: Landscape) -> None:
    """Flavors, images, availability zones and API versions match the objects of the cloud."""
    small = ecs.get_flavor(landscape.small)
    assert ecs.get_flavor(id=small.id) == small
    assert small.extra_specs is not None
    large = ecs.get_flavor(landscape.large)
    smallest = ecs.get_flavor(min_vcpus=large.vcpus, min_ram=large.ram, min_disk=large.disk)
    assert (smallest.vcpus, smallest.ram) == (large.vcpus, large.ram)
    assert {*landscape.flavors} <= {flavor.name for flavor in ecs.list_flavors()}
    assert [flavor.ram for flavor in ecs.list_flavors(sort_key="memory_mb", sort_dir="desc")] == sorted(
        (flavor.ram for flavor in ecs.list_flavors()), reverse=True
    )
    image = ecs.get_image(landscape.image)
    assert image.status == "active"
    assert ecs.get_image(id=image.id) == image
    assert {item.name for item in ecs.list_images(status="active")} == {*landscape.images}
    assert {zone.name for zone in ecs.get_availability_zones() if zone.available} == {*landscape.zones}
    assert ecs.get_availability_zones("volume")
    # Open Telekom Cloud has no such request, and OpenStack lists no zones without agents.
    assert {zone.resource for zone in ecs.get_availability_zones("network")} <= {"network", "router"}
    assert {version.id for version in ecs.get_api_versions()} >= {"v2.1"}


@pytest.mark.usefixtures("configured")
def test_objects_of_another_client_are_found(landscape: Landscape, name: str) -> None:
    """Server, network, subnet, port, key pair and volume are found by name, id and other fields."""
    with landscape.connect() as cloud:
        network = cloud.network.create_network(name=name)
        subnet = cloud.network.create_subnet(network_id=network.id, name=name, cidr="10.99.0.0/24", ip_version=4)
        port = cloud.network.create_port(network_id=network.id, name=name)
        cloud.compute.create_keypair(name=name)
        group = cloud.compute.create_server_group(name=name, policies=["anti-affinity"])
        volume = cloud.block_storage.create_volume(name=name, **landscape.empty_volume, metadata={"made": "for a test"})
        flavor = ecs.get_flavor(landscape.small)
        server = make_server(landscape, cloud, name, port.id, key_name=name)
        cloud.block_storage.wait_for_status(volume, interval=0.5)

    assert ecs.get_network(name).subnet_ids == [subnet.id]
    assert ecs.get_network(id=network.id) in ecs.list_networks()
    assert ecs.get_subnet(network_id=network.id).id == subnet.id
    assert ecs.get_subnet(name, cidr="10.99.0.0/24").gateway_ip == "10.99.0.1"
    default = ecs.get_security_group("default")
    assert ecs.get_security_group(id=default.id) == default
    assert {rule.direction for rule in default.rules} == {"ingress", "egress"}
    found = ecs.get_port(name, network_id=network.id)
    assert ecs.get_port(ip_address=found.ip_address, network_id=network.id) == found
    assert ecs.get_port(device_id=server.id).id == port.id
    assert ecs.get_key_pair(name).public_key.startswith("ssh-rsa ")
    assert (ecs.get_server_group(name).id, ecs.get_server_group(id=group.id).policy) == (group.id, "anti-affinity")
    with pytest.raises(ecs.NoMatch, match=r"^get_server_group: no server group has id"):
        ecs.get_server_group(id=str(uuid.uuid4()))
    assert ecs.get_volume(name, metadata={"made": "for a test"}).id == volume.id
    one = ecs.get_server(name)
    assert (one.id, one.status, one.flavor_id, one.key_name) == (server.id, "ACTIVE", flavor.id, name)
    assert one.access_ip_v4 == found.ip_address
    assert ecs.get_server(id=server.id).id == server.id
    with pytest.raises(ecs.NoMatch, match=f'^get_server: no server has name "{name}x"; did you mean {name}'):
        ecs.get_server(f"{name}x")


@pytest.mark.usefixtures("configured")
def test_floating_ip_of_another_client_is_found(landscape: Landscape) -> None:
    """A floating IP is found by address and id; an address that does not exist lists the existing ones."""
    with landscape.connect() as cloud:
        floating_ip = cloud.network.create_ip(floating_network_id=ecs.get_network(landscape.external_network).id)
        try:
            found = ecs.get_floating_ip(floating_ip.floating_ip_address)
            assert (found.id, found.address) == (floating_ip.id, floating_ip.floating_ip_address)
            assert (found.port_id, found.external_network_id) == (None, floating_ip.floating_network_id)
            assert ecs.get_floating_ip(id=floating_ip.id) == found
            with pytest.raises(
                ecs.NoMatch, match='no floating IP has address "198.51.100.250"; available: .*' + found.address
            ):
                ecs.get_floating_ip("198.51.100.250")
        finally:
            cloud.network.delete_ip(floating_ip)


@pytest.mark.usefixtures("configured")
def test_router_of_another_client_is_found(landscape: Landscape, name: str) -> None:
    """A router is found by name and id, with its gateway; a misspelled name lists the similar ones."""
    with landscape.connect() as cloud:
        public = ecs.get_network(landscape.external_network).id
        router = cloud.network.create_router(name=name, external_gateway_info={"network_id": public})
        plain = cloud.network.create_router(name=f"{name}-plain")
        try:
            found = ecs.get_router(name)
            assert (found.id, found.external_network_id, len(found.external_ips)) == (router.id, public, 1)
            assert ecs.get_router(id=router.id) == found
            # Every router of an emulated Open Telekom Cloud leads to the external network.
            assert ecs.get_router(id=plain.id).external_network_id == (None if landscape.live else public)
            with pytest.raises(ecs.NoMatch, match=f'no router has name "{name}x"; did you mean {name}'):
                ecs.get_router(f"{name}x")
        finally:
            for each in (router, plain):
                cloud.network.delete_router(each)


@pytest.mark.usefixtures("configured")
def test_not_unique_error_lists_candidates(landscape: Landscape, name: str) -> None:
    """If several objects match, the error of the lookup and of its `_output` variant lists names and ids."""
    with landscape.connect() as cloud:
        networks = [cloud.network.create_network(name=name) for _ in range(2)]
        for number, network in enumerate(networks):
            cloud.network.create_subnet(network_id=network.id, name=name, cidr=f"10.99.{number}.0/24", ip_version=4)
            cloud.network.create_port(network_id=network.id, name=name)
        for _ in range(2):
            volume = cloud.block_storage.create_volume(name=name, **landscape.empty_volume)
            cloud.block_storage.wait_for_status(volume, interval=0.2)

    lookups: list[tuple[Callable[[], object], Callable[[], pulumi.Output[Any]]]] = [
        (lambda: ecs.get_network(name), lambda: ecs.get_network_output(name)),
        (lambda: ecs.get_subnet(name), lambda: ecs.get_subnet_output(name)),
        (lambda: ecs.get_port(name), lambda: ecs.get_port_output(name)),
        (lambda: ecs.get_volume(name), lambda: ecs.get_volume_output(name)),
        (lambda: ecs.get_image(name_regex="."), lambda: ecs.get_image_output(name_regex=".")),
    ]
    for lookup, variant in lookups:
        with pytest.raises(ecs.NotUnique, match=r"; give the id$") as caught:
            lookup()
        assert len(caught.value.candidates) >= 2
        assert all(candidate in str(caught.value) for candidate in caught.value.candidates[:2])
        with pytest.raises(ecs.NotUnique) as caught_later:
            asyncio.run(value_of(variant))
        assert str(caught_later.value) == str(caught.value)
    assert ecs.get_network(id=networks[0].id).name == name
    assert ecs.get_subnet(name, network_id=networks[1].id).cidr == "10.99.1.0/24"


def delete(landscape: Landscape, floating_ip: Any, router: Any) -> None:
    """Delete a floating IP and a router of a test."""
    with landscape.connect() as cloud:
        cloud.network.delete_ip(floating_ip)
        cloud.network.delete_router(router)


@pytest.mark.usefixtures("configured")
def test_output_variants_return_results_of_lookups(
    request: pytest.FixtureRequest, landscape: Landscape, name: str
) -> None:
    """Every `_output` variant returns the same result as its lookup."""
    with landscape.connect() as cloud:
        network = cloud.network.create_network(name=name)
        if landscape.live:
            # The emulated Open Telekom Cloud has no tags of networks.
            cloud.network.set_tags(network, [name])
        cloud.network.create_subnet(network_id=network.id, name=name, cidr="10.99.0.0/24", ip_version=4)
        port = cloud.network.create_port(network_id=network.id, name=name)
        cloud.compute.create_keypair(name=name)
        cloud.compute.create_server_group(name=name, policies=["anti-affinity"])
        volume = cloud.block_storage.create_volume(name=name, **landscape.empty_volume)
        server = make_server(landscape, cloud, name, port.id)
        floating_ip = cloud.network.create_ip(floating_network_id=ecs.get_network(landscape.external_network).id)
        router = cloud.network.create_router(name=name)
        request.addfinalizer(lambda: delete(landscape, floating_ip, router))
        cloud.block_storage.wait_for_status(volume, interval=0.2)

    arguments_by_lookup: dict[str, dict[str, Any]] = {
        "get_flavor": {"name": landscape.small},
        "list_flavors": {"min_ram": 1},
        "get_image": {"name": landscape.image},
        "list_images": {"status": "active"},
        "get_network": {"name": name},
        "list_networks": {"tags": [name]} if landscape.live else {},
        "get_subnet": {"network_id": network.id},
        "get_port": {"device_id": server.id},
        "get_security_group": {"name": "default"},
        "get_router": {"name": name},
        "get_floating_ip": {"address": floating_ip.floating_ip_address},
        "get_key_pair": {"name": name},
        "get_volume": {"id": volume.id},
        "get_server": {"name": name},
        "get_server_group": {"name": name},
        "list_servers": {"name": name, "limit": 5},
        "get_availability_zones": {},
        "get_api_versions": {},
    }
    assert {f"{lookup}_output" for lookup in arguments_by_lookup} == {
        name for name in ecs.__all__ if name.endswith("_output")
    }
    for lookup, arguments in arguments_by_lookup.items():
        variant = functools.partial(getattr(ecs, f"{lookup}_output"), **arguments)
        found = asyncio.run(value_of(variant))
        assert found
        assert found == getattr(ecs, lookup)(**arguments)


async def value_of(variant: Callable[[], pulumi.Output[Any]]) -> Any:
    """Return the value of an output."""
    return await variant().future()


def test_filters_of_guide_find_server(landscape: Landscape, name: str, configured: Callable[..., None]) -> None:
    """On /v2, as in the guide, and on /v2.1, each filter that matches the server returns it."""
    with landscape.connect() as cloud:
        network = cloud.network.create_network(name=name)
        cloud.network.create_subnet(network_id=network.id, name=name, cidr="10.99.0.0/24", ip_version=4)
        port = cloud.network.create_port(network_id=network.id, name=name)
        flavor, image = ecs.get_flavor(landscape.small), ecs.get_image(landscape.image)
        server = make_server(landscape, cloud, name, port.id)
    for version in ("2", "2.1"):
        configured(apiVersions=f'{{"compute": "{version}"}}')
        for filters in (
            {"name": name},
            {"status": "ACTIVE"},
            {"flavor": flavor.id},
            {"changes_since": server.created_at},
            {"not_tags": "a-tag-that-no-server-has"} if version == "2" else {},
        ):
            assert server.id in {item.id for item in ecs.list_servers(**filters)}, filters
        assert ecs.list_servers(name=name, marker=server.id) == []
        assert len(ecs.list_servers(limit=1)) == 1
        assert server.id not in {item.id for item in ecs.list_servers(name=name, status="SHUTOFF")}
        # The server boots from a volume, so it has no image.
        assert server.id not in {item.id for item in ecs.list_servers(image=image.id)}
        assert server.id not in {item.id for item in ecs.list_servers(reservation_id="r-00000000")}


def test_images_and_networks_through_compute(
    landscape: Landscape, name: str, configured: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without image and network service, lookups use the guide's requests `images/detail` and `os-networks`."""
    with landscape.connect() as cloud:
        network = cloud.network.create_network(name=name)
    image = ecs.get_image(landscape.image)
    endpoint = Connection.endpoint

    def endpoint_without_services(self: Connection, service: Any, region: str) -> str:
        if service.service in ("image", "network"):
            raise ConfigurationError(f"The catalog has no {service.service} service")
        return endpoint(self, service, region)

    monkeypatch.setattr(Connection, "endpoint", endpoint_without_services)
    configured(apiVersions='{"compute": "2"}')
    found = ecs.get_image(landscape.image)
    assert (found.id, found.min_disk, found.status) == (image.id, image.min_disk, "active")
    assert ecs.get_network(name).id == network.id
