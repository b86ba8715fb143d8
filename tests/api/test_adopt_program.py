"""The programs that `ecs_pulumi.adopt` writes, from what is really listed, whatever it is called."""

from __future__ import annotations

import ast
import copy
import re
from typing import TYPE_CHECKING, Any

import openstack
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ecs_pulumi.adopt.landscape import CloudInventory
from ecs_pulumi.adopt.program import program
from ecs_pulumi.dynamic.kind import get_handler
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources.common import is_mark
from tests.support.command import formatted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.resources.common import Clients

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"
ANY_TEXT = st.text(st.characters() | st.sampled_from("\"'\\\n\r\u2028{}()#/ "), max_size=30)
CODE = '")\nimport os\nos.abort()  # \\'


@pytest.fixture(scope="module")
def cloud() -> Iterator[Clients]:
    """A cloud with a server of everything, on a network of its own and on one that all projects share."""
    with Emulator(speed=1000, dialect="openstack") as running:
        env: dict[str, Any] = {key.removeprefix("OS_").lower(): value for key, value in running.environment.items()}
        admin = openstack.connect(**env | {"username": "admin", "password": "admin-secret", "project_name": "admin"})
        network: Any = admin.network
        shared = network.create_network(name="everyone", is_shared=True)
        network.create_subnet(network_id=shared.id, ip_version=4, cidr="10.7.0.0/24")
        network.create_network(name="internet", is_router_external=True)
        admin.close()
        config = {f"ecs:{name}": value for name, value in running.settings.items()}
        with openstack.connect(**env) as mine:
            build(mine, shared.id)
        yield get_handler("Server").connect(config.get, None, 60)


def build(mine: Any, shared: str) -> None:
    """Make one object of each kind."""
    net = mine.network.create_network(name="net", description="d")
    mine.network.set_tags(net, ["t"])
    mine.network.create_subnet(name="sub", network_id=net.id, ip_version=4, cidr="10.0.0.0/24", description="d")
    group = mine.network.create_security_group(name="group")
    port = mine.network.create_port(name="port", network_id=net.id, description="d", security_groups=[group.id])
    volume = mine.block_storage.create_volume(name="disk", size=1, description="d", metadata={"k": "v"})
    mine.block_storage.wait_for_status(volume, "available", interval=0.05)
    mine.compute.create_keypair(name="key", public_key=KEY)
    image = next(iter(mine.image.images()))
    flavor = next(each for each in mine.compute.flavors() if each.disk >= image.min_disk)
    server = mine.compute.create_server(
        name="web",
        description="d",
        metadata={"k": "v"},
        key_name="key",
        flavor_id=flavor.id,
        image_id=image.id,
        networks=[{"port": port.id}, {"uuid": shared}],
    )
    mine.compute.wait_for_server(server, interval=0.05)
    mine.compute.create_volume_attachment(server, volume_id=volume.id)
    mine.block_storage.wait_for_status(mine.block_storage.get_volume(volume.id), "in-use", interval=0.05)


@pytest.fixture(scope="module")
def listed(cloud: Clients) -> dict[str, Any]:
    """What is there, as the lists of the APIs answer it."""
    there = CloudInventory(cloud)
    assert len({kind for kind, _ in there.all}) >= 7
    return there.__dict__


def renamed(listed: dict[str, Any], name: str, words: str) -> CloudInventory:
    """The same landscape where everything that has a name has this one, and everything else that is free text too."""
    there: CloudInventory = CloudInventory.__new__(CloudInventory)
    kept = ("cloud", "catalog")
    lists = {key: value for key, value in listed.items() if key not in (*kept, "all", "belonging")}
    there.__dict__ |= {key: listed[key] for key in kept} | copy.deepcopy(lists)
    for those in (there.servers, there.volumes, there.networks, there.subnets, there.ports):
        for live in those.values():
            live |= {"name": name, "description": words}
            live |= {field: {name: words} for field in ("metadata",) if live.get(field)}
            live |= {field: [words] for field in ("tags",) if live.get(field)}
    (pair,) = there.key_pairs.values()
    there.key_pairs = {name: pair | {"name": name}}
    for server in there.servers.values():
        server["key_name"] = name
    return there


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=ANY_TEXT, words=ANY_TEXT)
@example(name=CODE, words=CODE)
@example(name="a/b", words="'\"")
@example(name="import os", words="{x}")
def test_any_name_stays_a_string(listed: dict[str, Any], name: str, words: str) -> None:
    """The program is one constructor call for each object, and the strings in it are those of the cloud."""
    there = renamed(listed, name, words)
    text = program(there, there.pick(everything=True))
    head, *statements = ast.parse(text).body
    assert isinstance(head, ast.Expr)
    calls: list[ast.Call] = []
    for statement in statements:
        if isinstance(statement, ast.Import):
            assert {each.name for each in statement.names} <= {"pulumi", "ecs_pulumi"}
            continue
        assert isinstance(statement, ast.Assign | ast.Expr)
        assert isinstance(statement.value, ast.Call)
        assert ast.unparse(statement.value.func).startswith("ecs.")
        calls.append(statement.value)
    made = [each for each in calls if ast.unparse(each.func) != "ecs.get_network"]
    assert len(made) == len(there.all)
    for each in made:
        asked = {keyword.arg: keyword.value for keyword in each.keywords}
        live = there.all[ast.unparse(each.func).removeprefix("ecs."), ast.literal_eval(asked["adopt"])].live
        for field in ("name", "description", "metadata", "tags"):
            if field in asked:
                assert ast.literal_eval(asked[field]) == live[field]
        if words and not is_mark(words) and ast.unparse(each.func) in ("ecs.Network", "ecs.Server", "ecs.Volume"):
            assert ast.literal_eval(asked["description"]) == words
        if ast.unparse(each.func) == "ecs.KeyPair":
            assert ast.literal_eval(asked["public_key"]) == KEY
        # Anything else in a call is a literal, an output, or the options.
        for value in ast.walk(each):
            if isinstance(value, ast.Call):
                assert ast.unparse(value.func) in (ast.unparse(each.func), "pulumi.ResourceOptions")


def test_a_network_that_others_use_is_looked_up(listed: dict[str, Any]) -> None:
    """A shared or external network that a resource uses is looked up; one that none uses is left out."""
    there = renamed(listed, "everyone", "")
    text = program(there, there.pick(everything=True))
    (shared,) = (live for live in there.networks.values() if live.get("shared"))
    (variable,) = re.findall(rf'^(\w+) = ecs\.get_network\(id="{shared["id"]}"\)$', text, re.MULTILINE)
    assert f"    network_id={variable}.id,\n" in text, "that of the server's port there"
    assert text.count(shared["id"]) == 1, "everything refers to it by its variable"
    unused = [live["id"] for live in there.networks.values() if live.get("router:external")]
    assert unused
    assert not any(id_ in text for id_ in unused), "what no resource uses is not looked up"


def test_every_resource_is_protected_unless_it_is_to_be_deleted(listed: dict[str, Any]) -> None:
    """`pulumi destroy` deletes nothing that existed before, except where the program was written for that."""
    there = renamed(listed, "web", "")
    text = program(there, there.pick(everything=True))
    assert text.count("protect=True") == len(there.all)
    bare = program(there, there.pick(everything=True), protect=False)
    assert "protect" not in bare
    assert "import pulumi\n" not in bare


@pytest.mark.parametrize("name", ["web", 'it\'s "it"', "x" * 100])
def test_the_program_is_formatted_as_ruff_would(listed: dict[str, Any], name: str) -> None:
    """Lookups, options and long names included, so that a project's own formatter leaves it."""
    there = renamed(listed, name, name)
    text = program(there, there.pick(everything=True))
    assert formatted(text) == text
