"""The programs that `ecs_pulumi.adopt` writes, for listed objects with arbitrary names."""

from __future__ import annotations

import ast
import copy
import re
import time
from typing import TYPE_CHECKING, Any

import openstack
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ecs_pulumi.adopt.__main__ import main
from ecs_pulumi.adopt.program import program
from ecs_pulumi.adopt.selection import select
from ecs_pulumi.dynamic.existing import ExistingObjects
from ecs_pulumi.dynamic.handler import get_handler
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import registry
from ecs_pulumi.resources.owner_markers import is_owner_marker
from tests.support.clouds import hide_variables
from tests.support.command import formatted
from tests.support.pages import blocks
from tools.reference.kinds import NOT_FOUND_BY_ADOPT
from tools.reference.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ecs_pulumi.resources.clients import Clients, Existing

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"
ARBITRARY_TEXT = st.text(st.characters() | st.sampled_from("\"'\\\n\r\u2028{}()#/ "), max_size=30)
CODE = '")\nimport os\nos.abort()  # \\'


@pytest.fixture(scope="module")
def cloud() -> Iterator[Clients]:
    """A cloud with a server that uses all other kinds, on its own network and on a shared one."""
    with Emulator(speed=1000, dialect="openstack") as running:
        env: dict[str, Any] = {key.removeprefix("OS_").lower(): value for key, value in running.environment.items()}
        admin = openstack.connect(**env | {"username": "admin", "password": "admin-secret", "project_name": "admin"})
        network: Any = admin.network
        shared = network.create_network(name="everyone", is_shared=True)
        network.create_subnet(network_id=shared.id, ip_version=4, cidr="10.7.0.0/24")
        network.create_network(name="internet", is_router_external=True)
        admin.close()
        config = {f"ecs:{name}": value for name, value in running.settings.items()}
        with openstack.connect(**env) as connection:
            build(connection, shared.id)
        yield get_handler("Server").connect(config.get, None, 60)


def build(connection: Any, shared: str) -> None:
    """Create one object of each kind.

    Args:
        connection: Connection to the project.
        shared: Id of a network that all projects share.
    """
    net = connection.network.create_network(name="net", description="d")
    connection.network.set_tags(net, ["t"])
    subnet = connection.network.create_subnet(
        name="sub", network_id=net.id, ip_version=4, cidr="10.0.0.0/24", description="d"
    )
    public = connection.network.find_network("public")
    router = connection.network.create_router(
        name="router", description="d", external_gateway_info={"network_id": public.id}
    )
    connection.network.add_interface_to_router(router, subnet=subnet.id)
    route = {"destination": "192.168.0.0/24", "nexthop": "10.0.0.9"}
    connection.network.update_router(router, routes=[route])
    group = connection.network.create_security_group(name="group")
    port = connection.network.create_port(name="port", network_id=net.id, description="d", security_groups=[group.id])
    volume = connection.block_storage.create_volume(name="disk", size=1, description="d", metadata={"k": "v"})
    connection.block_storage.wait_for_status(volume, "available", interval=0.05)
    connection.compute.create_keypair(name="key", public_key=KEY)
    image = next(iter(connection.image.images()))
    flavor = next(each for each in connection.compute.flavors() if each.disk >= image.min_disk)
    server = connection.compute.create_server(
        name="web",
        description="d",
        metadata={"k": "v"},
        key_name="key",
        flavor_id=flavor.id,
        image_id=image.id,
        networks=[{"port": port.id}, {"uuid": shared}],
    )
    connection.compute.wait_for_server(server, interval=0.05)
    grouped = connection.compute.create_server(
        name="grouped",
        flavor_id=flavor.id,
        image_id=image.id,
        networks=[{"uuid": net.id}],
        security_groups=[{"name": group.id}],
    )
    connection.compute.wait_for_server(grouped, interval=0.05)
    connection.compute.create_volume_attachment(server, volume_id=volume.id)
    connection.block_storage.wait_for_status(connection.block_storage.get_volume(volume.id), "in-use", interval=0.05)


@pytest.fixture(scope="module")
def listed(cloud: Clients) -> Existing:
    """The objects of the cloud, as the APIs list them."""
    existing = ExistingObjects(cloud, registry.kinds())
    assert len({kind for kind, _ in existing.candidates}) >= 7
    return existing


@pytest.fixture(scope="module")
def of_each_kind() -> Iterator[tuple[Mapping[str, str], Mapping[str, str]]]:
    """A cloud with an object of each kind: its variables, and the ids of the resources by their kinds."""
    offset = 0.0

    def pause() -> None:
        nonlocal offset
        offset += 2

    with Emulator(speed=1000, dialect="openstack", clock=lambda: time.time() + offset) as running:
        env: dict[str, Any] = {key.removeprefix("OS_").lower(): value for key, value in running.environment.items()}
        with openstack.connect(**env) as connection:
            ids = dict(ids_of_each_kind(connection, pause))
        yield running.environment, ids


def ids_of_each_kind(connection: Any, pause: Callable[[], None]) -> Iterator[tuple[str, str]]:
    """Create an object of each kind, and yield the kinds with the ids of their resources.

    Args:
        connection: Connection to the project.
        pause: Lets the time of the cloud pass, for a NIC that is younger than its server.
    """
    build(connection, connection.network.find_network("demo-net").id)
    network, compute = connection.network, connection.compute
    subnet, router, port = network.find_subnet("sub"), network.find_router("router"), network.find_port("port")
    volume, server = connection.block_storage.find_volume("disk"), compute.find_server("web")
    group = network.find_security_group("group")
    rule = network.create_security_group_rule(security_group_id=group.id, direction="ingress", protocol="tcp")
    address = network.create_ip(floating_network_id=network.find_network("public").id, port_id=port.id)
    servers = compute.create_server_group(name="group", policies=["anti-affinity"])
    pause()
    later = compute.create_server_interface(server, net_id=subnet.network_id)
    (interface,) = network.ports(device_id=router.id, network_id=subnet.network_id)
    yield "KeyPair", "key"
    yield "Network", subnet.network_id
    yield "Subnet", subnet.id
    yield "SecurityGroup", group.id
    yield "SecurityGroupRule", rule.id
    yield "Port", port.id
    yield "Router", router.id
    yield "RouterInterface", f"{router.id}/{interface.id}"
    yield "RouterRoute", f"{router.id}/192.168.0.0/24/10.0.0.9"
    yield "Volume", volume.id
    yield "ServerGroup", servers.id
    yield "Server", server.id
    yield "VolumeAttachment", f"{server.id}/{volume.id}"
    yield "InterfaceAttachment", f"{server.id}/{later.port_id}"
    yield "FloatingIp", address.id
    yield "FloatingIpAssociation", address.id


@pytest.mark.parametrize("kind", registry.kinds())
def test_command_on_reference_page_writes_the_resource(
    of_each_kind: tuple[Mapping[str, str], Mapping[str, str]],
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The command on the page of a kind writes the resource; a page without a command is that of a part of another."""
    variables, ids = of_each_kind
    monkeypatch.chdir(tmp_path)  # in no project
    hide_variables(monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    page, id_ = PAGES / f"{kind}.md", ids[kind]
    commands = [block.text for block in blocks(page) if block.language == "bash"]
    if kind in NOT_FOUND_BY_ADOPT:
        assert commands == []
        main(["--id", id_])
        assert f"ecs.{kind}(" not in capsys.readouterr().out
        return
    (command,) = commands
    words = command.replace(get_handler(kind).id_example, id_).split()
    assert words[:2] == ["ecs-pulumi", "adopt"]
    assert main(words[2:]) == 0
    resources = {
        (ast.unparse(call.func), ast.literal_eval(inputs["adopt"]))
        for call in ast.walk(ast.parse(capsys.readouterr().out))
        if isinstance(call, ast.Call) and (inputs := {word.arg: word.value for word in call.keywords}).get("adopt")
    }
    assert (f"ecs.{kind}", id_) in resources


def renamed(listed: Existing, name: str, words: str) -> Existing:
    """Return the same objects with other texts in them.

    Args:
        listed: The objects.
        name: The name of all objects.
        words: All other free texts.
    """
    objects = {kind: copy.deepcopy(listed.of(kind)) for kind in listed.kinds}
    for kind in ("Server", "Volume", "Network", "Subnet", "Port", "Router"):
        for remote in objects[kind].values():
            remote |= {"name": name, "description": words}
            remote |= {field: {name: words} for field in ("metadata",) if remote.get(field)}
            remote |= {field: [words] for field in ("tags",) if remote.get(field)}
    (pair,) = objects["KeyPair"].values()
    objects["KeyPair"] = {name: pair | {"name": name}}
    for server in objects["Server"].values():
        server["key_name"] = name
    return ExistingObjects(listed.cloud, listed.kinds, objects)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=ARBITRARY_TEXT, words=ARBITRARY_TEXT)
@example(name=CODE, words=CODE)
@example(name="a/b", words="'\"")
@example(name="import os", words="{x}")
def test_names_cannot_inject_code(listed: Existing, name: str, words: str) -> None:
    """The program is one constructor call per object, and its string literals equal the texts of the objects."""
    existing = renamed(listed, name, words)
    text = program(existing, select(existing, everything=True))
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
    resources = [each for each in calls if not ast.unparse(each.func).startswith("ecs.get_")]
    assert len(resources) == len(existing.candidates)
    for each in resources:
        inputs = {keyword.arg: keyword.value for keyword in each.keywords}
        kind, id_ = ast.unparse(each.func).removeprefix("ecs."), ast.literal_eval(inputs["adopt"])
        remote = existing.candidates[kind, id_].remote
        for field in ("name", "description", "metadata", "tags"):
            if field in inputs:
                assert ast.literal_eval(inputs[field]) == remote[field]
        if words and not is_owner_marker(words) and kind in ("Network", "Server", "Volume"):
            assert ast.literal_eval(inputs["description"]) == words
        if kind == "KeyPair":
            assert ast.literal_eval(inputs["public_key"]) == KEY
        # All other values are literals, outputs or the resource options.
        for value in ast.walk(each):
            if isinstance(value, ast.Call):
                assert ast.unparse(value.func) in (ast.unparse(each.func), "pulumi.ResourceOptions")


def test_shared_network_is_looked_up(listed: Existing) -> None:
    """The program looks up a shared or external network that a resource uses, and omits one that none uses."""
    existing = renamed(listed, "everyone", "")
    text = program(existing, select(existing, everything=True))
    (shared,) = (remote for remote in existing.of("Network").values() if remote.get("shared"))
    (variable,) = re.findall(rf'^(\w+) = ecs\.get_network\(id="{shared["id"]}"\)$', text, re.MULTILINE)
    assert f"    network_id={variable}.id,\n" in text, "the network of the server's port"
    assert text.count(shared["id"]) == 1, "all references use the variable"
    (router,) = existing.of("Router").values()
    gateway = router["external_gateway_info"]["network_id"]
    assert f'= ecs.get_network(id="{gateway}")\n' in text, "the external network of the router"
    external = [remote["id"] for remote in existing.of("Network").values() if remote.get("router:external")]
    unused = [id_ for id_ in external if id_ != gateway]
    assert unused
    assert not any(id_ in text for id_ in unused), "an unused network is not looked up"


def test_floating_ip_refers_to_the_nic_of_its_server(listed: Existing) -> None:
    """The port that Nova created for a NIC is an output of its server; a port of the program has its own resource."""
    objects = {kind: copy.deepcopy(listed.of(kind)) for kind in listed.kinds}
    (router,) = objects["Router"].values()
    common = {"floating_network_id": router["external_gateway_info"]["network_id"], "project_id": router["project_id"]}
    for number, port in enumerate(each for each in objects["Port"].values() if each["device_owner"] == "compute:nova"):
        address = {"id": f"{number}", "floating_ip_address": f"203.0.113.{number}", "port_id": port["id"]}
        objects["FloatingIp"][address["id"]] = common | address
    existing = ExistingObjects(listed.cloud, listed.kinds, objects)
    text = program(existing, select(existing, everything=True))
    assert len(objects["FloatingIp"]) == 3
    assert '    port_id=web.nics[1]["port_id"],\n' in text
    assert "    port_id=port.id,\n" in text


def test_security_groups_are_references(listed: Existing) -> None:
    """The groups of a port, and of a server whose NICs Nova created, are references to their resources."""
    text = program(listed, select(listed, everything=True))
    assert "    security_group_ids=[group.id],\n" in text
    assert "    security_groups=[group.id],\n" in text
    assert "Security groups: " not in text, "the reference names the group"


def test_resources_are_protected_by_default(listed: Existing) -> None:
    """Each resource is protected from deletion, unless the program is written without protection."""
    existing = renamed(listed, "web", "")
    text = program(existing, select(existing, everything=True))
    assert text.count("protect=True") == len(existing.candidates)
    unprotected = program(existing, select(existing, everything=True), protect=False)
    assert "protect" not in unprotected
    assert "import pulumi\n" not in unprotected


@pytest.mark.parametrize("name", ["web", 'it\'s "it"', "x" * 100])
def test_program_is_formatted_as_by_ruff(listed: Existing, name: str) -> None:
    """The program, with lookups, options and long names, is formatted as by `ruff format`."""
    existing = renamed(listed, name, name)
    text = program(existing, select(existing, everything=True))
    assert formatted(text) == text


@pytest.mark.parametrize("size", [0, 100])
def test_image_of_volume_backed_server_is_used_once(size: int) -> None:
    """A cloud that makes a volume of `image` gets no device for it; a grown one is the root disk, without a source."""
    with Emulator(speed=1000, dialect="otc") as running:
        env: dict[str, Any] = {key.removeprefix("OS_").lower(): value for key, value in running.environment.items()}
        with openstack.connect(**env) as connection:
            disk = build_from_image(connection)
            if size:
                connection.block_storage.extend_volume(disk, size)
                connection.block_storage.wait_for_status(connection.block_storage.get_volume(disk), "in-use")
        cloud = get_handler("Server").connect({f"ecs:{k}": v for k, v in running.settings.items()}.get, None, 60)
        existing = ExistingObjects(cloud, registry.kinds())
        text = program(existing, select(existing, everything=True))
    (server,) = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and is_server(node))
    inputs = {item.arg: item.value for item in server.keywords}
    assert ast.literal_eval(inputs["image"]).startswith("Standard_")
    device: dict[str, Any] = {
        "source_type": "image",
        "destination_type": "volume",
        "boot_index": 0,
        "volume_size": size,
    }
    devices = ast.literal_eval(inputs["block_devices"]) if "block_devices" in inputs else None
    device |= {"volume_size": size, "delete_on_termination": True, "volume_type": "SAS"}
    assert devices == ([device] if size else None)
    assert "ecs.Volume" not in text, "the disk is a part of the server"


def is_server(node: ast.Call) -> bool:
    """Whether a call declares a server."""
    return ast.unparse(node.func) == "ecs.Server"


def build_from_image(connection: Any) -> str:
    """Create a server from `imageRef` alone on an Open Telekom Cloud, and return the id of its only disk."""
    network = connection.network.create_network(name="net")
    connection.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.0.0.0/24")
    image = next(iter(connection.image.images()))
    flavor = next(each for each in connection.compute.flavors() if each.name == "s3.medium.2")
    server = connection.compute.create_server(
        name="web", flavor_id=flavor.id, image_id=image.id, networks=[{"uuid": network.id}]
    )
    server = connection.compute.wait_for_server(server, interval=0.05)
    assert server.image.id == image.id
    (disk,) = server.attached_volumes
    return str(disk.id)
