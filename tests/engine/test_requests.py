"""What every operation may cost in requests, so that none is added unseen.

What is written is exact. What is read beside the waits is exact too; the waits themselves are bounded, as they go by
time.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.cloud.routes import path_template
from ecs_pulumi.emulator import Emulator
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape
    from tests.support.project import Project

UNITS = CHECKOUT / "tools" / "bench" / "programs" / "units"
COUNT = 10
SHARED = 3  # network, subnet, key pair
OBJECTS = 6  # of a unit: two ports, a server, its NIC, a volume, its attachment

# Fast, but not so fast that everything is over before anybody looks.
SPEED = 20


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud of today with room for everything."""
    with Emulator(dialect="openstack", speed=SPEED) as running:
        running.set_quota(instances=-1, cores=-1, volumes=-1, gigabytes=-1, ram=-1)
        yield running


@pytest.fixture
def units(project: MakeProject, landscape: Landscape) -> Project:
    """Ten units of the benchmark."""
    config = {"bench:units": str(COUNT), "bench:flavor": landscape.small, "bench:image": landscape.image}
    return project(UNITS, name="bench", config=config)


def sent(cloud: Emulator) -> Counter[str]:
    """Return the requests since the last call, by method, service and path below the project."""
    found = Counter(f"{request.method} {_short(request.path)}" for request in cloud.requests)
    cloud.requests.clear()
    return found


def _short(path: str) -> str:
    return path_template(path).removeprefix("/RegionOne").replace("/{project_id}", "")


def writes(requests: Counter[str]) -> dict[str, int]:
    """Return the requests that change something."""
    return {request: times for request, times in requests.items() if not request.startswith("GET")}


def lookups(requests: Counter[str]) -> dict[str, int]:
    """Return the requests that only read, and not what is waited for."""
    awaited = ("GET /compute/v2.1/servers/", "GET /volume/v3/volumes/", "GET /network/v2.0/ports")
    return {
        request: times
        for request, times in requests.items()
        if request.startswith("GET") and not request.startswith(awaited)
    }


def test_every_request_is_worth_it(units: Project, cloud: Emulator) -> None:
    """Ten units: one request for each object and change, one token, few lookups, and looks shared by all who wait."""
    token = {"POST /v3/auth/tokens": 1}
    discovery = {"GET /compute/": 1}
    flavors = {"GET /compute/v2.1/flavors/detail": 1, "GET /compute/v2.1/limits": 1, "GET /image/v2/images": 1}
    # Whether a killed run has left something; those of servers, ports and volumes are among what is waited for.
    leftovers = {"GET /network/v2.0/networks": 1, "GET /network/v2.0/subnets": 1, "GET /compute/v2.1/os-keypairs": 1}
    room = {"GET /network/v2.0/quotas/{id}/details": 1, "GET /volume/v3/limits": 1}
    cloud.requests.clear()

    units.up("--parallel=10")
    made = sent(cloud)
    assert writes(made) == token | {
        "POST /compute/v2.1/os-keypairs": 1,
        "POST /network/v2.0/networks": 1,
        "POST /network/v2.0/subnets": 1,
        "POST /network/v2.0/ports": 2 * COUNT,
        "POST /volume/v3/volumes": COUNT,
        "POST /compute/v2.1/servers": COUNT,
        "POST /compute/v2.1/servers/{id}/os-interface": COUNT,
        "POST /compute/v2.1/servers/{id}/os-volume_attachments": COUNT,
    }
    assert lookups(made) == discovery | flavors | room | leftovers
    assert made.total() <= 110

    units.preview()
    assert sent(cloud).total() <= 3

    units.refresh("--parallel=10")
    refreshed = sent(cloud)
    assert writes(refreshed) == token
    assert refreshed.total() <= 12

    units.config("flavor", "s1.medium")
    units.up("--parallel=10")
    changed = sent(cloud)
    assert writes(changed) == token | {"POST /compute/v2.1/servers/{id}/action": 4 * COUNT}
    assert lookups(changed) == discovery | flavors
    assert changed.total() <= 90

    units.destroy("--parallel=10")
    gone = sent(cloud)
    assert sum(writes(gone).values()) == OBJECTS * COUNT + SHARED + 1
    assert lookups(gone) == discovery
    assert gone.total() <= 100
