"""The programs in `examples`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources.registry import kinds
from tests.conftest import SPEED
from tests.support.landscape import emulated
from tests.support.pages import blocks
from tests.support.project import Project
from tools.workspace import CHECKOUT, environment

if TYPE_CHECKING:
    from pathlib import Path

    from ecs_pulumi.emulator.dialects import DialectName
    from tests.conftest import MakeProject
    from tests.support.landscape import Landscape

EXAMPLES = CHECKOUT / "examples"


def test_quickstart(project: MakeProject, landscape: Landscape) -> None:
    """The program creates a server with its resources, resizes it in place, and deletes everything."""
    config = {"flavor": landscape.small, "image": landscape.image, "volumeType": landscape.volume_type}
    config["externalNetwork"] = landscape.external_network
    quickstart = project(EXAMPLES / "quickstart", name="ecs-quickstart", config=config)
    assert set(quickstart.up().changes.values()) == {"create"}
    first = quickstart.outputs
    assert first["status"] == "ACTIVE"
    assert first["ssh"].startswith("ssh -i key debian@203.0.113.")
    assert first["private_key"].startswith("-----BEGIN")
    assert first["server"] in landscape.objects()
    assert quickstart.preview().changes == {}

    quickstart.config("flavor", landscape.medium)
    assert quickstart.preview().changes == {"Server web": "update"}
    quickstart.up()
    assert quickstart.outputs == first

    created = {resource["id"] for resource in quickstart.state().values()}
    quickstart.destroy()
    assert not created & landscape.objects()


@pytest.mark.thorough
def test_bastion(project: MakeProject, landscape: Landscape) -> None:
    """Only the bastion has a floating IP; a private server is added and accepts SSH from the bastion's group only."""
    config = {"flavor": landscape.small, "image": landscape.image, "servers": "1"}
    config["externalNetwork"] = landscape.external_network
    bastion = project(EXAMPLES / "bastion", name="bastion", config=config)
    assert set(bastion.up().changes.values()) == {"create"}
    hop = bastion.outputs["bastion"]
    assert hop.startswith("ssh -i key debian@203.0.113.")
    assert bastion.outputs["app-0"].startswith(f"ssh -i key -o ProxyCommand='{hop} -W %h:%p' debian@10.0.10.")

    bastion.config("servers", "2")
    assert bastion.up().changes == {"Port app-1": "create", "Server app-1": "create"}
    assert bastion.preview().changes == {}
    state = bastion.state()
    groups = {name: state[f"SecurityGroup {name}"] for name in ("bastion", "private")}
    ingress = [rule for rule in groups["private"]["outputs"]["all_rules"] if rule["direction"] == "ingress"]
    assert [rule["remote_group_id"] for rule in ingress] == [groups["bastion"]["id"]]
    for name, group in (("bastion", "bastion"), ("app-0", "private"), ("app-1", "private")):
        assert state[f"Port {name}"]["outputs"]["security_group_ids"] == [groups[group]["id"]]

    created = {resource["id"] for resource in state.values()}
    bastion.destroy()
    assert not created & landscape.objects()


def test_keepalived(cloud: Emulator, project: MakeProject, landscape: Landscape) -> None:
    """Both servers may use the shared address, to which the floating IP leads, and are on different hosts."""
    pair = project(EXAMPLES / "keepalived", name="keepalived")
    assert set(pair.up().changes.values()) == {"create"}
    state = pair.state()
    ports = {name: state[f"Port {name}"]["outputs"] for name in ("shared", "web-a", "web-b")}
    assert ports["shared"]["device_id"] == ""
    for name in ("web-a", "web-b"):
        assert [pair["ip_address"] for pair in ports[name]["allowed_address_pairs"]] == [ports["shared"]["ip_address"]]
    floating_ip = state["FloatingIp web"]["outputs"]
    assert (floating_ip["port_id"], floating_ip["fixed_ip"]) == (state["Port shared"]["id"], "10.0.20.10")
    assert pair.outputs == {"url": f"http://{floating_ip['address']}/"}
    assert state["Server web-a"]["outputs"]["host_id"] != state["Server web-b"]["outputs"]["host_id"]
    assert pair.preview().changes == {}
    pair.destroy()
    assert not {resource["id"] for resource in state.values()} & landscape.objects()


@pytest.mark.parametrize("dialect", ["otc", "openstack"])
def test_lookups(dialect: DialectName, engine_path: Path, tmp_path: Path) -> None:
    """The program at the beginning of the reference page of the lookups works in both dialects."""
    page = CHECKOUT / "docs" / "reference" / "lookups.md"
    fragment = next(block.text for block in blocks(page) if block.language == "python")
    with Emulator(speed=SPEED, dialect=dialect) as cloud:
        env = {**environment(engine_path, tmp_path, "test"), **cloud.environment}
        it = Project(tmp_path, f"import ecs_pulumi as ecs\n{fragment}", env)
        done = it.up()
        assert done.changes == {"Server web": "create"}
        assert [each for each in done.diagnostics if each["severity"] == "warning"] == []
        assert it.preview().changes == {}
        it.destroy()


def test_reference_on_openstack(engine_path: Path, tmp_path: Path) -> None:
    """The program of the reference pages works in the dialect `openstack`."""
    with Emulator(speed=SPEED, dialect="openstack") as cloud:
        found = emulated(cloud)
        env = {**environment(engine_path, tmp_path, "test"), **found.env}
        it = Project(tmp_path, EXAMPLES / "reference", env, "ecs-reference")
        it.settings({**found.settings, "flavor": found.small, "image": found.image, "volumeType": found.volume_type})
        it.settings({"externalNetwork": found.external_network})
        it.settings({}, found.secrets)
        it.up()
        assert it.preview().changes == {}
        it.destroy()


def test_reference(project: MakeProject, landscape: Landscape) -> None:
    """The program of the reference pages uses every kind, encrypts secrets, and leaves no change and no object."""
    config = {"flavor": landscape.small, "image": landscape.image, "volumeType": landscape.volume_type}
    config["externalNetwork"] = landscape.external_network
    every_kind = project(EXAMPLES / "reference", name="ecs-reference", config=config)
    changes = every_kind.up().changes
    assert {name.split()[0] for name in changes} == {*kinds()}
    assert every_kind.outputs["address"] == "10.0.10.10"
    assert every_kind.outputs["private_key"].startswith("-----BEGIN")
    assert "PRIVATE KEY" not in every_kind.run("stack", "export")
    assert every_kind.preview().changes == {}

    created = {resource["id"] for resource in every_kind.state().values()}
    every_kind.destroy()
    assert not created & landscape.objects()
