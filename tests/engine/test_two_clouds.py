"""The program of docs/how-to/two-clouds.md on two emulated clouds of different dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator
from tests.support.clouds import entry, write_clouds
from tests.support.landscape import client
from tests.support.pages import blocks
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import MakeProject

(PROGRAM,) = (
    block.text for block in blocks(CHECKOUT / "docs" / "how-to" / "two-clouds.md") if block.file == "__main__.py"
)
KINDS = {"net": "Network", "subnet": "Subnet", "web": "Server"}


@pytest.fixture
def south() -> Iterator[Emulator]:
    """A cloud of another dialect."""
    with Emulator(speed=200, dialect="openstack") as running:
        yield running


def objects(cloud: Emulator, **settings: str) -> set[str]:
    """Return the servers, networks and subnets of an account that the program created."""
    with client({**cloud.settings, **settings}) as it:
        found = [*it.compute.servers(), *it.network.networks(), *it.network.subnets()]
    return {each.name.rpartition("-")[0] for each in found if each.name.startswith(tuple(f"{name}-" for name in KINDS))}


def test_program_on_two_clouds(project: MakeProject, cloud: Emulator, south: Emulator, tmp_path: Path) -> None:
    """Each cloud has its objects; a move to the stack's cloud is a replacement; nothing of a login is in the state."""
    admin = {"username": "admin", "password": "admin-secret", "project_name": "admin"}
    env = write_clouds(tmp_path, {"north": entry(cloud), "south": entry(south, **admin)})
    of_south = {"username": "admin", "password": "admin-secret", "projectName": "admin"}
    it = project(PROGRAM)
    it.env |= env

    it.up()
    assert objects(cloud) == {f"{name}-north" for name in KINDS}
    assert objects(south, **of_south) == {f"{name}-south" for name in KINDS}
    assert set(it.outputs) == {"north", "south"}
    state = it.run("stack", "export", "--show-secrets")
    assert '"cloud": "south"' in state
    assert "admin-secret" not in state
    assert south.url not in state
    assert it.preview("--refresh").changes == {}

    # Without `cloud`, the resources move to the cloud of the stack.
    moved = PROGRAM.replace("cloud=cloud", 'cloud=None if cloud == "south" else cloud')
    it.write(moved)
    assert it.preview().changes == {f"{kind} {name}-south": "replace" for name, kind in KINDS.items()}
    it.up()
    assert objects(cloud) == {f"{name}-{place}" for name in KINDS for place in ("north", "south")}
    assert objects(south, **of_south) == set()

    it.write(PROGRAM.replace("cloud=cloud, network_id", 'cloud="souht", network_id'))
    (error,) = set(it.preview(fails=True).errors[0].splitlines())
    assert error.endswith(f"cloud: no cloud 'souht' in {env['OS_CLIENT_CONFIG_FILE']}; its clouds are: north, south")
    it.destroy()
    assert objects(cloud) == set()
