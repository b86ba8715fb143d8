"""The clouds that the field tests run on, shared by the whole session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fields.cloud_fixtures import CloudFixtures, emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.landscape import Landscape
    from tests.support.steps import Resource


@pytest.fixture(scope="session")
def landscape(request: pytest.FixtureRequest) -> Iterator[Landscape]:
    """The cloud that a test runs on, shared by all tests."""
    if request.param == "live":
        yield request.getfixturevalue("live_landscape")
        return
    with emulator("openstack") as emulated:
        yield emulated


@pytest.fixture(scope="session")
def fixtures(landscape: Landscape) -> Iterator[CloudFixtures]:
    """The shared objects in this cloud; deleted at the end of the session."""
    with CloudFixtures(landscape) as created:
        yield created


@pytest.fixture(scope="session")
def extended_fixtures() -> Iterator[CloudFixtures]:
    """The shared objects in an emulated cloud whose Neutron has the extensions that others lack."""
    with emulator("openstack", rules={"extensions": "all"}) as emulated, CloudFixtures(emulated) as created:
        yield created


@pytest.fixture(scope="session")
def otc_fixtures(request: pytest.FixtureRequest) -> Iterator[CloudFixtures]:
    """The shared objects in an emulated cloud of the dialect `otc`; its parameter is the rule `unknown_attributes`."""
    rules = {"unknown_attributes": getattr(request, "param", "refuse")}
    with emulator("otc", rules=rules) as emulated, CloudFixtures(emulated) as created:
        created.drops_attributes = rules["unknown_attributes"] == "drop"
        yield created


@pytest.fixture
def new(fixtures: CloudFixtures) -> Iterator[Callable[..., Resource]]:
    """Return new resources; destroy them after the test, the last one first."""
    created: list[Resource] = []

    def resource(kind: str, **options: Any) -> Resource:
        created.append(fixtures.resource(kind, **options))
        return created[-1]

    yield resource
    for each in reversed(created):
        each.destroy()
