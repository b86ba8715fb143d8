"""The same request to the emulator and to a real OpenStack."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.api.emulator.plain import Plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator import Emulator

SPEED = 500


def account_of(cloud: Emulator, name: str = "demo") -> Plain:
    """An account of an emulator: `demo` or `admin`."""
    from ecs_pulumi.emulator.keystone import PASSWORDS

    auth = {
        "auth_url": cloud.auth_url,
        "username": name,
        "password": PASSWORDS[name],
        "project_name": name,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    return Plain(live=False, auth=auth, region_name=cloud.environment["OS_REGION_NAME"])


@pytest.fixture(scope="session")
def emulated_account() -> Iterator[Plain]:
    """An account of an emulator in the dialect of the real OpenStack."""
    from ecs_pulumi.emulator import Emulator

    with Emulator(dialect="openstack", speed=SPEED) as cloud:
        yield account_of(cloud)


@pytest.fixture(scope="session")
def live_account() -> Plain:
    """The account that the OS_* variables name."""
    if not any(name in os.environ for name in ("OS_CLOUD", "OS_AUTH_URL")):
        pytest.skip("no OS_CLOUD says which cloud to compare with")
    return Plain(live=True)


@pytest.fixture(params=["emulator", pytest.param("live", marks=pytest.mark.live)])
def api(request: pytest.FixtureRequest) -> Iterator[Plain]:
    """An account on either; what a test makes is deleted after it."""
    fixture = "emulated_account" if request.param == "emulator" else "live_account"
    account: Plain = request.getfixturevalue(fixture)
    yield account
    account.clear()
