"""The requests of many floating IPs, in one process as in one run of the engine."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud.routes import path_template
from ecs_pulumi.emulator import Emulator
from tests.fields.cloud_fixtures import CloudFixtures
from tests.support import steps
from tests.support.landscape import emulated
from tests.support.steps import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.steps import Resource

COUNT = 10
PUBLIC = {"external_network": "public"}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulated cloud, and a process whose caches live as long as those of one run."""
    with Emulator(speed=200, dialect="openstack") as running:
        running.set_quota(floatingip=-1, port=-1)
        steps.clear_caches()
        monkeypatch.setattr(steps, "clear_caches", lambda: None)
        yield running


@pytest.fixture
def fixtures(cloud: Emulator) -> Iterator[CloudFixtures]:
    """The shared objects of the cloud."""
    with CloudFixtures(emulated(cloud)) as created:
        yield created


def run(cloud: Emulator, call: Callable[[int], Any]) -> Counter[str]:
    """Call a function for each index in parallel, and return the requests by method and path."""
    cloud.requests.clear()
    with ThreadPoolExecutor(COUNT) as pool:
        list(pool.map(call, range(COUNT)))
    return Counter(f"{request.method} {path_template(request.path)}" for request in cloud.requests)


@pytest.mark.parametrize("without", ["description", "marker"])
def test_lost_response_without_description_creates_one(cloud: Emulator, fixtures: CloudFixtures, without: str) -> None:
    """A floating IP that nothing distinguishes is not allocated twice; the error names the one that may be it."""
    config = {"ecs:marker": "false"} if without == "marker" else {}
    resource = fixtures.resource("FloatingIp", config=config)
    inputs = PUBLIC if config else {**PUBLIC, "description": ""}
    before = {each.id for each in fixtures.cloud.network.ips()}
    cloud.fault(method="POST", path="*/floatingips", drop="after", times=1)
    with pytest.raises(Failed) as failed:
        resource.up(**inputs)
    (created,) = {each.id for each in fixtures.cloud.network.ips()} - before
    assert f"the request may have created {created}, but" in str(failed.value)
    assert resource.state is None
    resource.up(**inputs, adopt=created)
    resource.destroy()


def test_lost_request_without_description_is_repeated(cloud: Emulator, fixtures: CloudFixtures) -> None:
    """A request that the cloud did not receive is sent again, although other floating IPs have no description."""
    network = fixtures.cloud.network
    used = network.create_ip(
        floating_network_id=fixtures.external_subnet.network_id, port_id=fixtures.published_ports[0]
    )
    resource = fixtures.resource("FloatingIp")
    cloud.fault(method="POST", path="*/floatingips", drop="before", times=1)
    resource.up(**PUBLIC, description="")
    assert resource.id != used.id
    resource.destroy()
    network.delete_ip(used.id)


def named(fixtures: CloudFixtures, kind: str) -> list[Resource]:
    """Return ten resources that do not exist yet."""
    created = [fixtures.resource(kind) for _ in range(COUNT)]
    for index, each in enumerate(created):
        each.name = f"{kind.lower()}{index}"
    return created


@pytest.mark.parametrize("kind", ["FloatingIp", "FloatingIpAssociation"])
def test_requests_of_ten_floating_ips(cloud: Emulator, fixtures: CloudFixtures, kind: str) -> None:
    """Ten floating IPs with ports need one request each and few look-ups; a refresh needs one list."""
    network = fixtures.published_network
    ports, made = named(fixtures, "Port"), named(fixtures, kind)
    for port in ports:
        port.up(network_id=network)
    reserved = named(fixtures, "FloatingIp") if kind == "FloatingIpAssociation" else []
    for each in reserved:
        each.up(**PUBLIC)

    def inputs(index: int) -> dict[str, Any]:
        return {"floating_ip_id": reserved[index].id} if reserved else PUBLIC

    path = "/RegionOne/network/v2.0/floatingips"
    created = run(cloud, lambda index: made[index].up(**inputs(index), port_id=ports[index].id))
    assert created[f"PUT {path}/{{id}}" if reserved else f"POST {path}"] == COUNT
    assert created.total() <= COUNT * 1.5, created

    read = run(cloud, lambda index: made[index].refresh())
    assert read.total() <= 3, read

    moved = run(cloud, lambda index: made[index].up(**inputs(index), port_id=ports[index - 1].id))
    # Each of the ten is refused once, finds the floating IP that the port still has, releases it and tries again.
    assert moved.total() <= COUNT * 5.5, moved
    assert [fixtures.cloud.network.get_ip(each.id).port_id for each in made] == [
        ports[index - 1].id for index in range(COUNT)
    ]

    deleted = run(cloud, lambda index: made[index].destroy())
    assert deleted.total() <= COUNT * (2 if reserved else 1), deleted
    for each in (*reserved, *ports):
        each.destroy()
