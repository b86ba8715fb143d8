"""Quotas in previews on the Open Telekom Cloud, which shows them in other places than OpenStack."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.previews import Run


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated Open Telekom Cloud."""
    with Emulator(dialect="otc", speed=200) as running:
        yield running


def read(cloud: Emulator) -> Counter[tuple[str, int]]:
    """Return the requests that read quotas, with their status."""
    parts = ("/limits", "/os-quota-sets/", "/quotas")
    return Counter(
        (request.path.replace(request.path.split("/")[-1], "…"), request.status)
        for request in cloud.requests
        if any(part in request.path for part in parts)
    )


@pytest.mark.parametrize(
    ("quota", "inputs"),
    [({"gigabytes": 30}, {}), ({"gigabytes_SSD": 30}, {"volume_type": "SSD"}), ({"volumes": 1}, {})],
)
def test_storage(cloud: Emulator, run: Run, quota: dict[str, int], inputs: dict[str, Any]) -> None:
    """The quotas of all volumes, and those of one type, are read from `os-quota-sets` and added up."""
    cloud.set_quota(**quota)
    ((name, limit),) = quota.items()
    volume = {"size": 20, "availability_zone": "eu-de-01", **inputs}
    assert run("Volume", **volume, name="first") == []
    (problem,) = run("Volume", **volume, name="second")
    assert problem.startswith(f"size: quota exceeded for {name}: limit {limit}, in use 0, this program needs ")
    if "volume_type" in inputs:  # another type has a quota of its own
        assert run("Volume", **volume | {"volume_type": "SAS"}, name="third") == []


def test_growth_counts_for_the_type(cloud: Emulator, run: Run) -> None:
    """A volume that grows needs gigabytes of its type, and no further volume."""
    cloud.set_quota(volumes=0, gigabytes_SSD=10)
    prior = {"size": 20, "availability_zone": "eu-de-01", "volume_type": "SSD"}
    run.resource = "disk"
    assert run("Volume", prior, size=30) == []
    run.resource = "other"
    assert run("Volume", prior, size=21) == [
        "size: quota exceeded for gigabytes_SSD: limit 10, in use 0, this program needs 11"
    ]


@pytest.mark.parametrize(
    ("quota", "kind", "inputs", "message"),
    [
        ({"router": 1}, "Router", {}, "name: quota exceeded for routers: limit 1, in use 0"),
        (
            {"floatingip": 1},
            "FloatingIp",
            {"external_network": "admin_external_net"},
            "quota exceeded for floatingips: limit 1",
        ),
        ({"security_group": 2}, "SecurityGroup", {}, "quota exceeded for security_groups: limit 2, in use 1"),
    ],
)
def test_network(
    cloud: Emulator,
    run: Run,
    quota: dict[str, int],
    kind: str,
    inputs: dict[str, Any],
    message: str,
) -> None:
    """The quotas of Neutron's objects are read from the VPC API."""
    cloud.set_quota(**quota)
    run.resource = "first"
    assert run(kind, **inputs) == []
    run.resource = "second"
    (problem,) = run(kind, **inputs)
    assert message in problem


def test_root_disk_is_a_volume(cloud: Emulator, run: Run) -> None:
    """A server that boots from an image needs a volume of the image's minimum size there."""
    cloud.set_quota(gigabytes=7)
    server = {"flavor": "s3.medium.2", "image": "Standard_Debian_12_latest"}
    assert run("Server", **server, name="first") == []
    assert run("Server", **server, name="second") == [
        "image: quota exceeded for gigabytes: limit 7, in use 0, this program needs 8"
    ]


def test_quotas_are_read_once(cloud: Emulator, run: Run) -> None:
    """Each service is asked once in the way of OpenStack, and once in the other way."""
    for name in ("a", "b", "c"):
        assert run("Volume", size=1, availability_zone="eu-de-01", name=name) == []
        assert run("Router", name=name) == []
    assert sorted(status for (_, status), _ in read(cloud).items()) == [200, 200, 404, 404]
    assert set(read(cloud).values()) == {1}


def test_cloud_without_quotas(cloud: Emulator, run: Run) -> None:
    """A preview accepts everything if the cloud shows no quotas at all."""
    for path in ("*/os-quota-sets/*", "*/vpc/v1/*"):
        cloud.fault(path=path, gateway=404)
    cloud.set_quota(volumes=0, router=0)
    assert run("Volume", size=1, availability_zone="eu-de-01", name="disk") == []
    assert run("Router", name="router") == []
