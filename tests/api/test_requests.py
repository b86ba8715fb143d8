"""How the number of read and poll requests grows, on the emulator: with pages and time, not with objects."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import compute, errors, image, network
from ecs_pulumi.cloud.connection import Connection, Region, Settings
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources.catalog import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 1000
DAY = 86400.0


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated OpenStack cloud."""
    with Emulator(dialect="openstack", speed=20) as running:
        yield running


@pytest.fixture
def region(cloud: Emulator) -> Iterator[Region]:
    """A region of the emulated cloud."""
    settings = cloud.settings
    connection = Connection(
        Settings(
            auth_url=settings["authUrl"],
            username=settings["username"],
            password=settings["password"],
            project_name=settings["projectName"],
            user_domain_name=settings["userDomainName"],
            project_domain_name=settings["projectDomainName"],
            region=settings["region"],
        )
    )
    yield connection.region()
    connection.close()


def create_servers(region: Region, count: int) -> list[str]:
    """Create servers without waiting, and return their ids."""
    net = network.create(region.network, "network", {"name": "many"})["id"]
    network.create(region.network, "subnet", {"network_id": net, "cidr": "10.0.0.0/16", "ip_version": 4})
    flavor = next(each["id"] for each in compute.list_flavors(region.compute) if each["name"] == "s1.small")
    body = {"name": "one", "flavorRef": flavor, "imageRef": image.list_images(region.image)[0]["id"]}
    body["networks"] = [{"uuid": net}]
    return [compute.create_server(region.compute, body)["id"] for _ in range(count)]


def wait_until_active(region: Region, id_: str) -> Any:
    """Wait until a server is active."""
    return region.servers.poller.wait(
        id_,
        lambda remote: remote is not None and remote["status"] == "ACTIVE",
        deadline=Deadline(region.connection.clock, 60),
        what="",
        describe=str,
    )


def copy_server(cloud: Emulator, id_: str, count: int, *, newer: float) -> list[str]:
    """Add `count` copies of a server, created `newer` seconds after it."""
    with cloud.state() as state:
        original = state.get("server", id_) or {}
        ids = [str(uuid.uuid4()) for _ in range(count)]
        for each in ids:
            state.put(
                "server",
                {**original, "id": each, "created": original["created"] + newer, "updated": original["updated"] - DAY},
            )
    return ids


@pytest.mark.parametrize("workers", [8, 64])
def test_refresh_of_a_thousand_servers_reads_few_pages(cloud: Emulator, region: Region, workers: int) -> None:
    """A thousand concurrent reads need at most twenty requests."""
    (first,) = create_servers(region, 1)
    wait_until_active(region, first)
    ids = copy_server(cloud, first, MANY, newer=0)
    cloud.requests.clear()
    with ThreadPoolExecutor(workers) as pool:
        assert all(pool.map(region.servers.read, ids))
    assert len(cloud.requests) <= 20


def test_small_stack_does_not_list_servers_of_others(cloud: Emulator, region: Region) -> None:
    """Three servers among thousands of others are read with one GET each."""
    own = create_servers(region, 3)
    wait_until_active(region, own[0])
    copy_server(cloud, own[0], 2 * MANY, newer=DAY)
    cloud.requests.clear()
    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(region.servers.read, own))
    assert len(cloud.requests) == 3


def test_concurrent_waits_share_polls(cloud: Emulator, region: Region) -> None:
    """Ten concurrent waits need hardly more requests than one."""
    ids = create_servers(region, 10)
    cloud.requests.clear()
    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(lambda id_: wait_until_active(region, id_), ids))
    assert len(cloud.requests) <= 6


def test_misspelled_flavor_costs_one_request(cloud: Emulator, region: Region) -> None:
    """However many servers have it, the flavor is requested once more than the list."""
    names = catalog(region)
    for _ in range(3):
        with pytest.raises(errors.NoMatch, match=r"did you mean s1\.small"):
            names.flavor("s1.smal")
    sent = [each.path.rpartition("/flavors/")[2] for each in cloud.requests if "/flavors/" in each.path]
    assert sent == ["detail", "s1.smal"]
