"""Searches ask the cloud for what they need, and not for the objects of a whole project, where it has such filters."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest
from pulumi.runtime import set_all_config

import ecs_pulumi as ecs
from ecs_pulumi.emulator import Emulator
from tests.fields.cloud_fixtures import CloudFixtures
from tests.support.landscape import emulated
from tests.support.steps import clear_caches

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["openstack", "otc"])
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulated cloud of each dialect."""
    for name in ("OS_CLOUD", "OS_AUTH_URL"):
        monkeypatch.delenv(name, raising=False)
    with Emulator(speed=200, dialect=request.param) as running:
        clear_caches()
        yield running


@pytest.fixture
def fixtures(cloud: Emulator) -> Iterator[CloudFixtures]:
    """The shared objects of the cloud."""
    with CloudFixtures(emulated(cloud)) as created:
        yield created


def queries(cloud: Emulator, path: str, name: str) -> list[str | None]:
    """Return the values of a filter in the requests for a list, and forget the requests."""
    listed = [request for request in cloud.requests if request.method == "GET" and request.path.endswith(path)]
    cloud.requests.clear()
    return [parse_qs(request.query).get(name, [None])[-1] for request in listed]


def test_name_of_server(cloud: Emulator, fixtures: CloudFixtures) -> None:
    """A look-up and the search after a lost response select one name; a cloud that matches parts gets the part."""
    server = fixtures.resource("Server")
    program = {
        "name": "db",
        "flavor": fixtures.landscape.small,
        "image": fixtures.landscape.images[0],
        "networks": [{"network_id": fixtures.network_with_subnet}],
    }
    cloud.fault(method="POST", path="*/servers", drop="after", times=1)
    cloud.requests.clear()
    server.up(**program)
    name = "^db$" if cloud.cloud.dialect.name == "openstack" else "db"
    assert set(queries(cloud, "/servers/detail", "name")) - {None} == {name}
    set_all_config(fixtures.config, ["ecs:password"])
    assert ecs.get_server("db").id == server.id
    assert queries(cloud, "/servers/detail", "name") == [name]
    server.destroy()


def test_description_of_floating_ip(cloud: Emulator, fixtures: CloudFixtures) -> None:
    """The search after a lost response selects the description, except on a cloud that may not know it."""
    floating_ip = fixtures.resource("FloatingIp")
    port = fixtures.published_ports[0]
    cloud.fault(method="POST", path="*/floatingips", drop="after", times=1)
    cloud.requests.clear()
    floating_ip.up(external_network=fixtures.landscape.external_network, port_id=port, description="mine")
    is_upstream = cloud.cloud.dialect.name == "openstack"
    found = queries(cloud, "/floatingips", "description")
    assert ("mine" in found) == is_upstream
    assert found
    floating_ip.destroy()
