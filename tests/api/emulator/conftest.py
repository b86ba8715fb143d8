"""An account of the emulator, and fixtures that run the same test on the emulator and on a real OpenStack."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from pydantic.alias_generators import to_snake

from tests.api.emulator.account import Account, signed_in
from tests.api.emulator.plain import PlainClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator import Emulator

SPEED = 500


def account_of(cloud: Emulator, name: str = "demo") -> PlainClient:
    """Return a client of an account of an emulator: `demo` or `admin`."""
    auth = {to_snake(option): value for option, value in cloud.settings_of(name).items()}
    region = auth.pop("region")
    return PlainClient(live=False, auth=auth, region_name=region)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """An account of an emulated Open Telekom Cloud, which the tests of a module share."""
    with signed_in() as created:
        yield created


@pytest.fixture(scope="session")
def emulated_account() -> Iterator[PlainClient]:
    """A client of an emulator with dialect `openstack`."""
    from ecs_pulumi.emulator import Emulator

    with Emulator(dialect="openstack", speed=SPEED) as cloud:
        yield account_of(cloud)


@pytest.fixture(scope="session")
def live_account() -> PlainClient:
    """A client of the account that the OS_* variables select."""
    if not any(name in os.environ for name in ("OS_CLOUD", "OS_AUTH_URL")):
        pytest.skip("neither OS_CLOUD nor OS_AUTH_URL is set")
    return PlainClient(live=True)


@pytest.fixture(params=["emulator", pytest.param("live", marks=pytest.mark.live)])
def api(request: pytest.FixtureRequest) -> Iterator[PlainClient]:
    """A client of the emulator, or of the real cloud; the objects that the test creates are deleted afterwards."""
    fixture = "emulated_account" if request.param == "emulator" else "live_account"
    account: PlainClient = request.getfixturevalue(fixture)
    yield account
    account.clear()
