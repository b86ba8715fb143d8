"""The program that `ecs-pulumi adopt --terraform` writes for a state that Terraform's provider wrote."""

from __future__ import annotations

import ast
import copy
import io
import json
import re
import sys
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import openstack
import pytest

from ecs_pulumi.adopt.__main__ import main
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import clients, registry
from tests.support.clouds import hide_variables
from tests.support.command import formatted
from tests.support.terraform_state import rebuild

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ZONES = ("zone-blue-this", "zone-green-this")
NAMES = {
    "KeyPair": {"deploy", "generated"},
    "Network": {"main", "transit", *ZONES},
    "Subnet": {"main", "transit", "v6", *ZONES},
    "SecurityGroup": {"db", "web"},
    "SecurityGroupRule": {"db", "web-22", "web-80", "web-443", "web-8080"},
    "Port": {"nic-0", "nic-1", "transit", "web-0", "web-1", "web-2"}
    | {f"{zone}-{index}" for zone in ZONES for index in range(3)},
    "Router": {"main"},
    "RouterInterface": {"main", "transit", "v6", *ZONES},
    "RouterRoute": {"office-0", "office-1", "office-2"},
    "Volume": {"data-0", "data-1", "data-2", "root"},
    "ServerGroup": {"web"},
    "Server": {"batch", "db", "web-0", "web-1", "web-2"},
    "VolumeAttachment": {"data-0", "data-1", "data-2"},
    "InterfaceAttachment": {"direct", "nic-0", "nic-1"},
    "FloatingIp": {"fixed", "web-blue", "web-green"},
    "FloatingIpAssociation": {"web-blue", "web-green"},
}
"""The names of the recorded configuration, with their modules and keys."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[SimpleNamespace]:
    """An emulated cloud with the objects of the recorded state, and the state with their ids."""
    with Emulator(speed=1000, dialect="openstack") as running:
        env: dict[str, Any] = {key.removeprefix("OS_").lower(): value for key, value in running.environment.items()}
        with openstack.connect(**env) as connection:
            state = rebuild(connection)
        yield SimpleNamespace(emulator=running, state=state)


@pytest.fixture
def adopt(
    cloud: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., SimpleNamespace]:
    """Run the command on a state; returns its exit status, and what it printed."""
    hide_variables(monkeypatch)
    for name, value in cloud.emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clients, "_connections", {})

    def run(*arguments: str, state: dict[str, Any] | None = None) -> SimpleNamespace:
        (tmp_path / "terraform.tfstate").write_text(json.dumps(state or cloud.state))
        requests = len(cloud.emulator.requests)
        status = main([*arguments] if "--terraform" in arguments else ["--terraform", "terraform.tfstate", *arguments])
        output = capsys.readouterr()
        writes = [
            each.path
            for each in list(cloud.emulator.requests)[requests:]
            if each.method not in ("GET", "HEAD") and not each.path.endswith("/auth/tokens")
        ]
        assert writes == []
        notes = [line[2:] for line in output.err.splitlines() if line.startswith("# not ")]
        return SimpleNamespace(status=status, program=output.out, errors=output.err, notes=notes)

    return run


def resources(program: str) -> dict[tuple[str, str], dict[str, ast.expr]]:
    """Return the inputs of each resource of a program, by kind and name."""
    calls = (node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call) and node.args)
    return {
        (ast.unparse(call.func).removeprefix("ecs."), ast.literal_eval(call.args[0])): {
            str(keyword.arg): keyword.value for keyword in call.keywords
        }
        for call in calls
    }


def source(program: str, kind: str, name: str, input_: str) -> str:
    """Return the source text of an input."""
    return ast.unparse(resources(program)[kind, name][input_])


def test_every_object_has_its_name_in_terraform(adopt: Callable[..., SimpleNamespace]) -> None:
    """The program has the 60 objects of the state under their names, formatted as by `ruff format`."""
    done = adopt()
    assert done.status == 0
    found: dict[str, set[str]] = {}
    for kind, name in resources(done.program):
        found.setdefault(kind, set()).add(name)
    assert found == NAMES
    assert sum(map(len, NAMES.values())) == 60
    assert set(NAMES) == set(registry.kinds())
    assert formatted(done.program) == done.program


def test_all_references_are_variables(adopt: Callable[..., SimpleNamespace]) -> None:
    """No resource contains the id of another one: references are variables, or look-ups of the data sources."""
    program = adopt().program
    looked_up = re.findall(r'^(\w+) = ecs\.get_network\(id="([^"]+)"\)$', program, re.MULTILINE)
    assert [name for name, _ in looked_up] == ["backup", "public"]
    used = [
        ast.literal_eval(node)
        for inputs in resources(program).values()
        for name, value in inputs.items()
        if name != "adopt"
        for node in ast.walk(value)
        if isinstance(node, ast.Constant)
        and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(node.value))
    ]
    assert len(set(used)) == 1, "the subnet of the network that a data source looks up"
    assert source(program, "Port", "nic-0", "network_id") == "backup.id"
    assert source(program, "Port", "zone-blue-this-1", "network_id") == "zone_blue_this_network.id"
    assert source(program, "RouterInterface", "transit", "port_id") == "transit_port.id"
    assert source(program, "Server", "web-1", "scheduler_hints") == "{'group': web_server_group.id}"
    assert source(program, "Server", "web-0", "networks") == "[{'port_id': web_0_port.id, 'access_network': True}]"
    assert source(program, "InterfaceAttachment", "nic-1", "port_id") == "nic_1.id"
    assert source(program, "FloatingIpAssociation", "web-green", "floating_ip_id") == "web_green.id"


def test_each_object_is_managed_by_one_resource(adopt: Callable[..., SimpleNamespace]) -> None:
    """What Terraform manages with two resources is in one of them: rules, associations, attached NICs and volumes."""
    program = adopt().program
    found = resources(program)
    assert not any("rules" in found["SecurityGroup", name] for name in NAMES["SecurityGroup"])
    assert source(program, "SecurityGroupRule", "db", "remote_group_id") == "web_security_group.id"
    assert "port_id" not in found["FloatingIp", "web-blue"]
    assert source(program, "FloatingIp", "fixed", "port_id") == "web_2_port.id"
    assert len(ast.literal_eval(source(program, "Server", "web-2", "networks").replace("web_2_port.id", "1"))) == 1
    assert "block_devices" not in found["Server", "web-0"]
    assert source(program, "Server", "batch", "block_devices").endswith("'uuid': root.id}]")


def test_secrets_are_not_printed(adopt: Callable[..., SimpleNamespace]) -> None:
    """The program and the messages contain no passwords, private keys and hashes. The messages name what is missing."""
    done = adopt()
    assert "sentinel" not in done.program + done.errors
    assert "17bd5bed2d65e79d164c8035f6348f80dc356658" not in done.program + done.errors
    assert done.notes == [
        "not imported: openstack_networking_subnetpool_v2.pool (ecs_pulumi has no such kind)",
        "not in the program: admin_pass of db (it is a secret)",
        "not in the program: user_data of web-0, web-1, web-2 (the Terraform state has only its hash)",
        "not in the program: private_key of generated (it is a secret, which only the Terraform state has)",
    ]


def changed(cloud: SimpleNamespace, change: Callable[[dict[str, Any], dict[str, Any]], None], *addresses: str) -> Any:
    """Return the state with a change to the resources with these types and names, and their instances."""
    state = copy.deepcopy(cloud.state)
    for resource in state["resources"]:
        if f"{resource['type']}.{resource['name']}" in addresses:
            for instance in resource["instances"]:
                change(resource, instance)
    return state


def test_deleted_objects_are_listed(adopt: Callable[..., SimpleNamespace], cloud: SimpleNamespace) -> None:
    """Objects that no longer exist, and what was attached to them, are in one line; the others are written."""

    def delete(resource: dict[str, Any], instance: dict[str, Any]) -> None:
        instance["attributes"]["id"] = "3b1f0000-0000-4000-8000-000000000000"
        resource["provider"] = 'provider["registry.opentofu.org/terraform-provider-openstack/openstack"].eu'

    state = changed(cloud, delete, "openstack_networking_port_v2.nic", "openstack_compute_keypair_v2.generated")
    done = adopt(state=state)
    assert done.status == 0
    assert Counter(kind for kind, _ in resources(done.program))["Port"] == len(NAMES["Port"]) - 2
    ports = "openstack_networking_port_v2.nic[0], openstack_networking_port_v2.nic[1]"
    reason = 'no longer in this project and region; its provider has the alias "eu"'
    assert done.notes[1] == f"not imported: openstack_compute_keypair_v2.generated, {ports} ({reason})"


def test_objects_of_another_region_are_listed(adopt: Callable[..., SimpleNamespace], cloud: SimpleNamespace) -> None:
    """The first five are named, and the others are counted."""

    def move(_: dict[str, Any], instance: dict[str, Any]) -> None:
        instance["attributes"]["region"] = "south"

    state = changed(cloud, move, "openstack_networking_port_v2.this", "openstack_networking_port_v2.web")
    (line,) = [note for note in adopt(state=state).notes if "region" in note]
    assert line.endswith("openstack_networking_port_v2.this[1] and 4 more (in region south, not in RegionOne)")
    assert line.count("openstack_networking_port_v2") == 5
    everything = {f"{each['type']}.{each['name']}" for each in cloud.state["resources"]}
    done = adopt(state=changed(cloud, move, *everything))
    assert (done.status, done.program) == (2, "")
    assert done.errors.endswith(" and 55 more (in region south, not in RegionOne)\n")


def test_state_of_another_project_is_an_error(adopt: Callable[..., SimpleNamespace], cloud: SimpleNamespace) -> None:
    """If nothing can be imported, the command fails with one line and writes no program."""
    state = copy.deepcopy(cloud.state)
    state["resources"] = [each for each in state["resources"] if each["type"] == "openstack_networking_router_v2"]
    state["resources"][0]["instances"][0]["attributes"]["id"] = "3b1f0000-0000-4000-8000-000000000000"
    done = adopt(state=state)
    assert (done.status, done.program) == (2, "")
    assert done.errors == (
        "error: nothing of the state can be imported: openstack_networking_router_v2.main (no longer in this project "
        "and region)\n"
    )
    assert "it manages no objects of OpenStack" in adopt(state={"version": 4, "resources": []}).errors


def test_selection_is_limited_to_the_state(adopt: Callable[..., SimpleNamespace]) -> None:
    """`--name` and `--kind` select objects of the state; dependencies are added only if the state has them."""
    assert set(resources(adopt("--kind", "network,key-pair").program)) == {
        (kind, name) for kind in ("KeyPair", "Network") for name in NAMES[kind]
    }
    found = set(resources(adopt("--name", "tf-db", "--kind", "server").program))
    dependencies = {("Network", "main"), ("Subnet", "main"), ("Subnet", "v6"), ("SecurityGroup", "db")}
    dependencies |= {("KeyPair", "deploy"), ("SecurityGroupRule", "db"), ("SecurityGroup", "web")}
    dependencies |= {("SecurityGroupRule", name) for name in NAMES["SecurityGroupRule"]}
    assert found == {("Server", "db"), *dependencies}
    alone = adopt("--name", "tf-db", "--kind", "server", "--without-dependencies")
    assert set(resources(alone.program)) == {("Server", "db")}


def test_state_is_read_from_standard_input(
    adopt: Callable[..., SimpleNamespace], cloud: SimpleNamespace, monkeypatch: Any
) -> None:
    """`terraform state pull | ecs-pulumi adopt --terraform -` needs no file."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(cloud.state).encode())))
    assert len(resources(adopt("--terraform", "-", "--all").program)) == 60


def test_names_do_not_collide(adopt: Callable[..., SimpleNamespace], cloud: SimpleNamespace) -> None:
    """A resource whose name would be that of another one of its kind gets a number."""
    state = copy.deepcopy(cloud.state)
    for resource in state["resources"]:
        if resource["name"] == "root":
            resource["name"] = "data-0"
    program = adopt(state=state).program
    assert {name for kind, name in resources(program) if kind == "Volume"} == {"data-0", "data-0-2", "data-1", "data-2"}
