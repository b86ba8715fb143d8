"""The `up` after an interrupted one continues and creates nothing twice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator
from tests.engine.test_ownership import NETWORK, server
from tests.support.interrupted import Run, is_provider, orphans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape

TIMEOUT = 60


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """A cloud in which the build of a server takes some seconds."""
    with Emulator(speed=1) as running:
        yield running


@pytest.mark.parametrize("end", ["killed", "interrupted twice"])
def test_up_after_a_killed_up_creates_nothing_twice(
    project: MakeProject, landscape: Landscape, cloud: Emulator, end: str
) -> None:
    """The next `up` continues with the servers and the volume whose creation the killed one had begun."""
    program = (
        NETWORK
        + """
    port = ecs.Port("port", network_id=net.id, fixed_ips=[{"subnet_id": sub.id}])
    ecs.Volume("disk", name="chosen", size=10)
    """
        + server(landscape, "web", '[{"port_id": port.id}]')
        + server(landscape, "app", '[{"network_id": net.id}]', ", opts=pulumi.ResourceOptions(depends_on=[sub])")
    )
    it = project(program)
    before = landscape.objects()
    up = Run(it)
    until_created(cloud, "/servers", 2)
    up.killed() if end == "killed" else up.interrupt_twice()
    it.up()
    assert sum(each.method == "POST" and each.path.endswith("/servers") for each in cloud.requests) == 2
    assert it.preview().changes == {}
    it.refresh()
    assert it.preview().changes == {}
    assert orphans(it) == (0, [])
    it.destroy()
    assert landscape.objects() == before


def test_up_refuses_to_create_beside_unproven_orphan(
    project: MakeProject, landscape: Landscape, cloud: Emulator
) -> None:
    """If only the provider was killed, the state proves nothing: the next `up` names the object and `orphans`."""
    options = ", opts=pulumi.ResourceOptions(depends_on=[sub])"
    it = project(NETWORK + server(landscape, "web", '[{"network_id": net.id}]', options))
    up = Run(it)
    until_created(cloud, "/servers", 1)
    up.kill(is_provider)
    up.end()
    _, (orphan,) = orphans(it)
    failed = it.up(fails=True)
    assert f"({orphan['id']})" in failed.text
    assert "ecs-pulumi orphans" in failed.text
    orphans(it, "--delete", orphan["id"], "--yes")
    it.up()
    assert it.preview().changes == {}
    it.destroy()


def until_created(cloud: Emulator, path: str, count: int) -> None:
    """Wait until the cloud has answered this number of create requests."""
    end = time.monotonic() + TIMEOUT
    while sum(each.method == "POST" and each.path.endswith(path) for each in cloud.requests) < count:
        assert time.monotonic() < end
        time.sleep(0.1)
