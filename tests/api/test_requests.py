"""How the cost of reading and of waiting grows, on the emulator: with pages and time, not with objects."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import compute, image, network
from ecs_pulumi.cloud.connection import Connection, Region, Settings
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 1000
DAY = 86400.0


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud of today."""
    with Emulator(dialect="openstack", speed=20) as running:
        yield running


@pytest.fixture
def region(cloud: Emulator) -> Iterator[Region]:
    """A connection to it."""
    known = cloud.settings
    connection = Connection(
        Settings(
            auth_url=known["authUrl"],
            username=known["username"],
            password=known["password"],
            project_name=known["projectName"],
            user_domain_name=known["userDomainName"],
            project_domain_name=known["projectDomainName"],
            region=known["region"],
        )
    )
    yield connection.region()
    connection.close()


def made(region: Region, count: int) -> list[str]:
    """Ask for servers and return their ids."""
    net = network.create(region.network, "network", {"name": "many"})["id"]
    network.create(region.network, "subnet", {"network_id": net, "cidr": "10.0.0.0/16", "ip_version": 4})
    flavor = next(each["id"] for each in compute.list_flavors(region.compute) if each["name"] == "s1.small")
    body = {"name": "one", "flavorRef": flavor, "imageRef": image.list_images(region.image)[0]["id"]}
    body["networks"] = [{"uuid": net}]
    return [compute.create_server(region.compute, body)["id"] for _ in range(count)]


def running(region: Region, id_: str) -> Any:
    """Wait until a server runs."""
    return region.servers.poller.wait(
        id_,
        lambda live: live is not None and live["status"] == "ACTIVE",
        deadline=Deadline(region.connection.clock, 60),
        what="",
        describe=str,
    )


def copied(cloud: Emulator, id_: str, count: int, *, newer: float) -> list[str]:
    """Put copies of a server beside it, as many and as much newer."""
    with cloud.state() as state:
        one = state.get("server", id_) or {}
        ids = [str(uuid.uuid4()) for _ in range(count)]
        for each in ids:
            state.put("server", {**one, "id": each, "created": one["created"] + newer, "updated": one["updated"] - DAY})
    return ids


@pytest.mark.parametrize("workers", [8, 64])
def test_a_refresh_of_a_thousand_servers_is_a_few_pages(cloud: Emulator, region: Region, workers: int) -> None:
    """A thousand reads, some at a time as a refresh sends them, take at most twenty requests."""
    (first,) = made(region, 1)
    running(region, first)
    ids = copied(cloud, first, MANY, newer=0)
    cloud.requests.clear()
    with ThreadPoolExecutor(workers) as pool:
        assert all(pool.map(region.servers.read, ids))
    assert len(cloud.requests) <= 20


def test_others_servers_cost_a_small_stack_nothing(cloud: Emulator, region: Region) -> None:
    """Three servers behind thousands of other people's are read by a GET each."""
    mine = made(region, 3)
    running(region, mine[0])
    copied(cloud, mine[0], 2 * MANY, newer=DAY)
    cloud.requests.clear()
    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(region.servers.read, mine))
    assert len(cloud.requests) == 3


def test_waiting_costs_time_and_not_objects(cloud: Emulator, region: Region) -> None:
    """Ten that wait together are asked for by hardly more requests than one alone."""
    ids = made(region, 10)
    cloud.requests.clear()
    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(lambda id_: running(region, id_), ids))
    assert len(cloud.requests) <= 6
