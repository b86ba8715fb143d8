"""The requests of every operation.

Write requests and lookups are compared exactly. Polls depend on time, so that their number has only an upper bound.
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
REACHABLE = UNITS.parent / "reachable"
COUNT = 10
SHARED = 3  # network, subnet, key pair
OBJECTS = 6  # of a unit: two ports, a server, its NIC, a volume, its attachment

# Fast, but slow enough that the provider has to wait.
SPEED = 20


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud without quotas."""
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
    counts = Counter(f"{request.method} {_short(request.path)}" for request in cloud.requests)
    cloud.requests.clear()
    return counts


def _short(path: str) -> str:
    return path_template(path).removeprefix("/RegionOne").replace("/{project_id}", "")


def writes(requests: Counter[str]) -> dict[str, int]:
    """Return the requests that change something."""
    return {request: times for request, times in requests.items() if not request.startswith("GET")}


def lookups(requests: Counter[str]) -> dict[str, int]:
    """Return the read requests that are not polls."""
    polled = ("GET /compute/v2.1/servers/", "GET /volume/v3/volumes/", "GET /network/v2.0/ports")
    return {
        request: times
        for request, times in requests.items()
        if request.startswith("GET") and not request.startswith(polled)
    }


def test_requests_of_ten_units(units: Project, cloud: Emulator) -> None:
    """Ten units need one request for each object and change, one token, few lookups, and shared polls."""
    token = {"POST /v3/auth/tokens": 1}
    discovery = {"GET /compute/": 1}
    flavors = {"GET /compute/v2.1/flavors/detail": 1, "GET /compute/v2.1/limits": 1, "GET /image/v2/images": 1}
    # Searches for orphans of a killed run; those for servers, ports and volumes are counted as polls.
    orphan_searches = {
        "GET /network/v2.0/networks": 1,
        "GET /network/v2.0/subnets": 1,
        "GET /compute/v2.1/os-keypairs": 1,
    }
    quotas = {"GET /network/v2.0/quotas/{id}/details": 1, "GET /volume/v3/limits": 1}
    cloud.requests.clear()

    units.up("--parallel=10")
    create = sent(cloud)
    assert writes(create) == token | {
        "POST /compute/v2.1/os-keypairs": 1,
        "POST /network/v2.0/networks": 1,
        "POST /network/v2.0/subnets": 1,
        "POST /network/v2.0/ports": 2 * COUNT,
        "POST /volume/v3/volumes": COUNT,
        "POST /compute/v2.1/servers": COUNT,
        "POST /compute/v2.1/servers/{id}/os-interface": COUNT,
        "POST /compute/v2.1/servers/{id}/os-volume_attachments": COUNT,
    }
    assert lookups(create) == discovery | flavors | quotas | orphan_searches
    assert create.total() <= 110

    units.preview()
    assert sent(cloud).total() <= 3

    units.refresh("--parallel=10")
    refresh = sent(cloud)
    assert writes(refresh) == token
    assert refresh.total() <= 12

    units.config("flavor", "s1.medium")
    units.up("--parallel=10")
    update = sent(cloud)
    assert writes(update) == token | {"POST /compute/v2.1/servers/{id}/action": 4 * COUNT}
    assert lookups(update) == discovery | flavors
    assert update.total() <= 90

    units.destroy("--parallel=10")
    destroy = sent(cloud)
    assert sum(writes(destroy).values()) == OBJECTS * COUNT + SHARED + 1
    assert lookups(destroy) == discovery
    assert destroy.total() <= 100


def test_requests_of_ten_reachable_servers(project: MakeProject, landscape: Landscape, cloud: Emulator) -> None:
    """Ten servers with groups, router and floating IPs need few requests more than one for each object."""
    config = {"bench:servers": str(COUNT), "bench:flavor": landscape.small, "bench:image": landscape.image}
    reachable = project(REACHABLE, name="bench", config=config)
    cloud.requests.clear()

    reachable.up("--parallel=10")
    create = sent(cloud)
    assert writes(create) == {
        "POST /v3/auth/tokens": 1,
        "POST /compute/v2.1/os-keypairs": 1,
        "POST /compute/v2.1/os-server-groups": 1,
        "POST /compute/v2.1/servers": COUNT,
        "POST /network/v2.0/networks": 1,
        "POST /network/v2.0/subnets": 1,
        "POST /network/v2.0/routers": 1,
        "PUT /network/v2.0/routers/{id}/add_router_interface": 1,
        "POST /network/v2.0/security-groups": 2,
        # All rules of a group are one request; a rule that Neutron adds to a new group is deleted.
        "POST /network/v2.0/security-group-rules": 2,
        "DELETE /network/v2.0/security-group-rules/{id}": 1,
        "POST /network/v2.0/ports": COUNT,
        "POST /network/v2.0/floatingips": COUNT,
    }
    polls = sum(times for request, times in create.items() if request.startswith("GET /compute/v2.1/servers"))
    assert create.total() - polls <= 1.5 * (3 * COUNT + 10)

    reachable.preview()
    assert sent(cloud).total() <= 3

    reachable.refresh("--parallel=10")
    refresh = sent(cloud)
    assert writes(refresh) == {"POST /v3/auth/tokens": 1}
    # Few objects of a kind are read one by one, more of them with one list.
    assert refresh.total() <= 20

    reachable.destroy("--parallel=10")
    assert sum(writes(sent(cloud)).values()) == 3 * COUNT + 10


DELETED_WITH = """
import pulumi
import ecs_pulumi as ecs

network = ecs.Network("net")
subnet = ecs.Subnet("net", network_id=network.id, cidr="10.20.0.0/16")
for number in range({count}):
    server = ecs.Server(
        f"server-{{number}}",
        flavor="{small}",
        image="{image}",
        networks=[{{"network_id": subnet.network_id}}],
        power_state="{power_state}",
    )
    zone = server.availability_zone if {depends} else None
    volume = ecs.Volume(f"volume-{{number}}", size=1, availability_zone=zone)
    options = pulumi.ResourceOptions(deleted_with=server, delete_before_replace=True)
    ecs.VolumeAttachment(f"volume-{{number}}", server_id=server.id, volume_id=volume.id, opts=options)
"""


@pytest.mark.parametrize("depends", [True, False])
@pytest.mark.parametrize("power_state", ["active", "shelved_offloaded"])
def test_volumes_with_attachments_that_are_deleted_with_servers(
    project: MakeProject, landscape: Landscape, cloud: Emulator, power_state: str, *, depends: bool
) -> None:
    """A volume does not wait for a server that is deleted after it, and a few lists show which servers have it."""
    program = DELETED_WITH.format(
        count=COUNT, small=landscape.small, image=landscape.image, power_state=power_state, depends=depends
    )
    it = project(program)
    it.up("--parallel=10")
    cloud.requests.clear()
    it.destroy("--parallel=4")
    destroy = sent(cloud)
    attachments = COUNT if depends else 0
    assert sum(writes(destroy).values()) <= 2 * COUNT + 4 * attachments + 3
    assert destroy.total() <= 16 * COUNT
