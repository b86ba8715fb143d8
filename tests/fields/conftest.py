"""The clouds that the field tests run on, shared by the whole session."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import pytest

from tests.fields.cloud_fixtures import CloudFixtures, emulator, new_resources

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
def otc_clouds() -> Iterator[Callable[[str], CloudFixtures]]:
    """Return the shared objects in an emulated cloud of the dialect `otc`, by its rule `unknown_attributes`."""
    with contextlib.ExitStack() as clouds:

        @functools.cache
        def of_rule(unknown_attributes: str) -> CloudFixtures:
            rules = {"unknown_attributes": unknown_attributes}
            emulated = clouds.enter_context(emulator("otc", rules=rules))
            created = clouds.enter_context(CloudFixtures(emulated))
            created.drops_attributes = unknown_attributes == "drop"
            return created

        yield of_rule


@pytest.fixture(scope="session")
def otc_fixtures(otc_clouds: Callable[[str], CloudFixtures]) -> CloudFixtures:
    """The shared objects in an emulated cloud of the dialect `otc`, which refuses unknown attributes."""
    return otc_clouds("refuse")


@pytest.fixture
def new(fixtures: CloudFixtures) -> Iterator[Callable[..., Resource]]:
    """Return new resources; destroy them after the test, the last one first."""
    with new_resources(fixtures) as resource:
        yield resource
