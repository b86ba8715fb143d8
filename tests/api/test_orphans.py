"""Finding and deleting orphans: objects that the stack created and that are not in its state."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import compute, image, network
from ecs_pulumi.cloud.errors import ConfigurationError
from ecs_pulumi.dynamic.handler import auto_name, get_handler
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.orphans import _age, delete, find_orphans, main
from ecs_pulumi.resources import deletion
from ecs_pulumi.stack import Stack, other_stacks
from tests.support.clouds import hide_variables
from tests.support.command import ASCII_LOCALE, run_unread
from tests.support.steps import PROJECT, SAME, STACK, Refused, Resource, context_of_create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ecs_pulumi.cloud.connection import Region

MARKER = "Managed by Pulumi: shop/dev/"
ROOT = {
    "source_type": "image",
    "destination_type": "volume",
    "boot_index": 0,
    "volume_size": 40,
    "delete_on_termination": True,
}
THING = "pulumi-python:dynamic/ecs:Thing"
THE_STACK = {"urn": "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev", "type": "pulumi:pulumi:Stack"}
KINDS = ["Server", "Volume", "Port", "Subnet", "Network"]
COMPUTE_VERSIONS = ["2", "2.96"]
"""The API before microversions, and with the newest one."""


class Shop:
    """The project `shop` with its stack `dev` on an emulated cloud."""

    def __init__(self, cloud: Emulator) -> None:
        self.config = {f"ecs:{name}": value for name, value in cloud.settings.items()}
        self.admin = cloud.settings_of("admin")
        self.stack = Stack("shop", "dev", [], self.config)

    def region(self, **settings: str) -> Region:
        """Return the region, with another account if the settings contain one."""
        config = self.config | {f"ecs:{name}": value for name, value in settings.items()}
        region: Region = get_handler("Server").connect(config.get, None, 60).region
        return region

    def with_state(self, *ids: str) -> Stack:
        """Return the stack with a state that contains these ids."""
        urn = f"urn:pulumi:dev::shop::{THING}::thing"
        return Stack("shop", "dev", [{"urn": urn, "type": THING, "id": id_} for id_ in ids], self.config)

    def create(self, kind: str, resource: str, *, project: str = "shop", stack: str = "dev", **inputs: Any) -> str:
        """Create an object as an `up` does, and return its id."""
        handler = get_handler(kind)
        context = context_of_create(kind, resource, self.config, inputs, project=project, stack=stack)
        default_name = {"name": f"{resource}-0a1b2c3d"} if "name" in handler.inputs.model_fields else {}
        handler.create(context, handler.inputs.model_validate({**default_name, **inputs}))
        return context.id

    def create_all(self) -> dict[str, str]:
        """Create one object of each kind, and return their ids by kind."""
        region = self.region()
        made = {"Network": self.create("Network", "net")}
        made["Subnet"] = self.create("Subnet", "subnet", network_id=made["Network"], cidr="10.0.0.0/24")
        made["Port"] = self.create("Port", "port", network_id=made["Network"])
        made["Volume"] = self.create("Volume", "disk", size=10)
        made["Server"] = self.create(
            "Server",
            "web",
            flavor=compute.list_flavors(region.compute)[0]["name"],
            image=image.list_images(region.image)[0]["id"],
            networks=[{"port_id": made["Port"]}],
            block_devices=[ROOT],
        )
        return made


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud that keeps owner markers."""
    with Emulator(speed=200, dialect="openstack") as running:
        yield running


@pytest.fixture
def shop(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The stack on an empty emulated cloud."""
    without_environment(monkeypatch)
    return Shop(cloud)


def without_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the settings of another cloud."""
    hide_variables(monkeypatch)


def ids(stack: Stack) -> list[str]:
    """Return the ids of the stack's orphans."""
    return [orphan.id for orphan in find_orphans(stack)]


@pytest.mark.parametrize("compute_version", COMPUTE_VERSIONS)
def test_find_orphans_by_owner_marker(shop: Shop, compute_version: str) -> None:
    """Objects without a description in the program are found with the name of their resource, also with older APIs."""
    shop.config["ecs:apiVersions"] = json.dumps({"compute": compute_version})
    made = shop.create_all()
    found = find_orphans(shop.stack)
    assert {orphan.kind: orphan.id for orphan in found} == made
    assert [orphan.kind for orphan in found] == KINDS, "the order of their deletion"
    assert [orphan.resource for orphan in found] == ["web", "disk", "port", "subnet", "net"]
    assert all(orphan.created for orphan in found)
    assert found[0].adopt == f'ecs.Server("web", …, adopt="{made["Server"]}")'
    assert find_orphans(shop.with_state(*made.values())) == [], "objects in the state are not orphans"


@pytest.mark.parametrize("attributes", ["refuse", "drop"])
def test_find_orphans_in_cloud_without_descriptions(attributes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects that cannot have an owner marker are found by their automatic names, and only those of the stack."""
    without_environment(monkeypatch)
    with Emulator(speed=200, dialect="otc", rules={"unknown_attributes": attributes}) as cloud:
        shop = Shop(cloud)
        made = create_network_objects(shop)
        create_network_objects(shop, stack="prod")
        found = find_orphans(shop.stack)
        assert {orphan.kind: (orphan.id, orphan.evidence) for orphan in found} == {
            kind: (id_, "its owner marker" if kind.startswith("SecurityGroup") else "its name")
            for kind, id_ in made.items()
        }
        assert {orphan.resource for orphan in found} == {kind.lower() for kind in made}
        assert find_orphans(shop.with_state(*made.values())) == [], "objects in the state are not orphans"
        assert delete(shop.stack, found) == {}
        assert find_orphans(shop.stack) == []
        assert len(find_orphans(Stack("shop", "prod", [], shop.config))) == len(made)


@pytest.mark.parametrize("attributes", ["refuse", "drop"])
def test_find_nic_in_cloud_without_descriptions(attributes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name distinguishes the port of a NIC from those that the program declares, and from those of other stacks."""
    without_environment(monkeypatch)
    with Emulator(speed=200, dialect="otc", rules={"unknown_attributes": attributes}) as cloud:
        shop = Shop(cloud)
        made = shop.create_all()
        where = {"server_id": made["Server"], "network_id": made["Network"]}
        nic = shop.create("InterfaceAttachment", "nic", **where)
        shop.create("InterfaceAttachment", "nic", stack="prod", **where)
        stack = shop.with_state(*made.values())
        (found,) = find_orphans(stack)
        assert (found.kind, found.id, found.resource, found.evidence) == ("InterfaceAttachment", nic, "nic", "its name")
        assert delete(stack, [found]) == {}
        assert find_orphans(stack) == []
        ports = network.list_all(shop.region().network, "port", device_id=made["Server"])
        assert len(ports) == 2, "that of the server and that of the other stack"


@pytest.mark.parametrize("attributes", ["refuse", "drop"])
def test_pending_create_in_cloud_without_descriptions(attributes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pending create in the state and the port identify a floating IP, name and network a port."""
    without_environment(monkeypatch)
    with Emulator(speed=200, dialect="otc", rules={"unknown_attributes": attributes}) as cloud:
        shop = Shop(cloud)
        net = shop.create("Network", "net")
        subnet = shop.create("Subnet", "subnet", network_id=net, cidr="10.0.0.0/24")
        router = shop.create("Router", "router", external_network="admin_external_net")
        interface = shop.create("RouterInterface", "interface", router_id=router, subnet_id=subnet)
        inputs = {"network_id": net, "name": "chosen"}
        port = shop.create("Port", "port", fixed_ips=[{"subnet_id": subnet}], **inputs)
        external = {"external_network": "admin_external_net"}
        address = shop.create("FloatingIp", "address", port_id=port, **external)
        shop.create("FloatingIp", "spare", **external)
        pending = [
            {"urn": f"urn:pulumi:dev::shop::{type_}::{name}", "type": type_, "inputs": values}
            for type_, name, values in (
                ("pulumi-python:dynamic/ecs:Port", "port", inputs),
                ("pulumi-python:dynamic/ecs:FloatingIp", "address", {"port_id": port, **external}),
            )
        ]
        known = shop.with_state(net, subnet, router, interface).resources
        found = find_orphans(Stack("shop", "dev", known, shop.config, pending))
        assert {each.id: each.evidence for each in found} == {address: "its port", port: "its name and network"}
        assert not any(each.confirmed_by_state for each in found)


def create_network_objects(shop: Shop, stack: str = "dev") -> dict[str, str]:
    """Create an object of each kind of Neutron whose orphans a stack can identify; return their ids by kind."""
    made: dict[str, str] = {}

    def create(kind: str, **inputs: Any) -> None:
        if "name" in get_handler(kind).inputs.model_fields:
            inputs["name"] = auto_name(kind.lower(), b"", f"shop/{stack}")
        made[kind] = shop.create(kind, kind.lower(), stack=stack, **inputs)

    create("Network")
    create("Subnet", network_id=made["Network"], cidr="10.0.0.0/24")
    create("Port", network_id=made["Network"], fixed_ips=[{"subnet_id": made["Subnet"]}])
    create("Router")
    create("SecurityGroup")
    create("SecurityGroupRule", direction="ingress", security_group_id=made["SecurityGroup"])
    return made


def test_find_server_whose_description_is_refused() -> None:
    """A server whose owner marker is too long for the descriptions of its cloud is found by its metadata."""
    with Emulator(speed=200, dialect="otc") as cloud:
        shop = Shop(cloud)
        network = shop.create("Network", "net")
        shop.create("Subnet", "subnet", network_id=network, cidr="10.0.0.0/24")
        server = shop.create(
            "Server",
            "x" * 80,
            name="web",
            flavor="s3.medium.1",
            image="Standard_Debian_12_latest",
            networks=[{"network_id": network}],
        )
        (found,) = (orphan for orphan in find_orphans(shop.stack) if orphan.kind == "Server")
        assert (found.id, found.resource) == (server, "x" * 80)


def test_find_orphans_with_description(shop: Shop) -> None:
    """Objects with a description in the program are found by their metadata, or by their automatic names."""
    made = {"Volume": shop.create("Volume", "disk", size=10, name="my disk", description="mine")}
    for kind, inputs in (
        ("Network", {}),
        ("Subnet", {"cidr": "10.0.0.0/24"}),
        ("Port", {}),
    ):
        network_id = {"network_id": made["Network"]} if made.get("Network") else {}
        name = auto_name(kind.lower(), b"\x01\x02\x03\x04", "shop/dev")
        made[kind] = shop.create(kind, kind.lower(), name=name, description="mine", **network_id, **inputs)
        theirs = auto_name(kind.lower(), b"\x01\x02\x03\x04", "shop/prod")
        more = {"cidr": "10.1.0.0/24"} if kind == "Subnet" else {}
        shop.create(kind, kind.lower(), stack="prod", name=theirs, description="theirs", **network_id, **more)
    found = find_orphans(shop.stack)
    assert {orphan.kind: orphan.id for orphan in found} == made
    assert {orphan.resource for orphan in found} == {"disk", "network", "subnet", "port"}


def test_find_orphan_by_pending_create_with_name_and_description(shop: Shop) -> None:
    """A network with a name and a description in the program is found by the pending create in the state."""
    orphan = shop.create("Network", "net", name="app", description="mine")
    shop.create("Network", "net", name="app", description="another")
    shop.create("Network", "net", name="other", description="mine")
    assert find_orphans(shop.stack) == []
    kind = "pulumi-python:dynamic/ecs:Network"
    pending = {
        "urn": f"urn:pulumi:dev::shop::{kind}::net",
        "type": kind,
        "inputs": {"name": "app", "description": "mine"},
    }
    (found,) = find_orphans(Stack("shop", "dev", [], shop.config, [pending]))
    assert (found.id, found.evidence, found.confirmed_by_state) == (orphan, "its name and description", False)


def test_other_descriptions_are_not_owner_markers(shop: Shop) -> None:
    """Markers of other stacks or projects, truncated markers and markers inside other text are ignored."""
    others = [
        *("Managed by Pulumi: shop/dev", MARKER, f"not {MARKER}web", f"{MARKER}web, ask Jo before you delete it"),
        *("Managed by Pulumi: shop/dev2/web", "Managed by Pulumi: shop/de/web", "Managed by Pulumi: shop2/dev/web"),
        *("Managed by Pulumi: my/shop/dev/web", "managed by pulumi: shop/dev/web", (MARKER + "x" * 255)[:255]),
    ]
    region = shop.region()
    for each in others:
        network.create(region.network, "network", {"name": "net", "description": each})
    assert find_orphans(shop.stack) == []


def test_names_with_common_prefix_are_distinguished(shop: Shop) -> None:
    """Resources, stacks and projects whose names have a common prefix are distinguished."""
    web, web2 = shop.create("Network", "web"), shop.create("Network", "web2")
    shop.create("Network", "web", stack="dev2")
    shop.create("Network", "web", project="shop2")
    assert ids(shop.with_state(web)) == [web2]
    assert ids(shop.with_state(web2)) == [web]


def test_marker_with_space_needs_automatic_name(shop: Shop) -> None:
    """A marker with a space may have other text at its end; it is only valid if the object has the automatic name."""
    orphan = shop.create("Network", "the web")
    shop.create("Network", "our web", name="web")
    assert ids(shop.stack) == [orphan]


def test_shared_network_of_another_project_is_no_orphan(shop: Shop) -> None:
    """A network that another project shares is ignored, even with the owner marker of this stack."""
    admin = shop.region(**shop.admin)
    theirs = network.create(admin.network, "network", {"name": "net", "shared": True, "description": f"{MARKER}net"})
    assert theirs["id"] in [each["id"] for each in network.list_all(shop.region().network, "network")]
    assert find_orphans(shop.stack) == []


def test_delete_in_order_of_dependencies(shop: Shop) -> None:
    """Orphans that depend on each other are all deleted; objects of other stacks are not."""
    shop.create_all()
    kept = shop.create("Network", "net", stack="dev2")
    assert delete(shop.stack, find_orphans(shop.stack)) == {}
    assert find_orphans(shop.stack) == []
    assert network.get(shop.region().network, "network", kept)


def test_delete_router_with_what_depends_on_it(shop: Shop) -> None:
    """All objects of a removed stack are deleted, also interfaces and routes, which have no owner marker."""
    net = shop.create("Network", "net")
    subnet = shop.create("Subnet", "subnet", network_id=net, cidr="10.0.0.0/24")
    groups = [shop.create("SecurityGroup", name) for name in ("web", "db")]
    rule = {"direction": "ingress", "security_group_id": groups[0], "remote_group_id": groups[1]}
    shop.create("SecurityGroupRule", "rule", **rule)
    shop.create("ServerGroup", "apart", policy="anti-affinity")
    port = shop.create("Port", "port", network_id=net, security_group_ids=groups)
    router = shop.create("Router", "router", external_network="public")
    shop.create("RouterInterface", "interface", router_id=router, subnet_id=subnet)
    shop.create("RouterRoute", "route", router_id=router, destination="10.8.0.0/16", nexthop="10.0.0.9")
    shop.create("FloatingIp", "address", external_network="public", port_id=port)
    shop.create("FloatingIp", "spare", external_network="public", description="mine")
    found = find_orphans(shop.stack)
    assert [each.kind for each in found] == [
        *("FloatingIp", "Router", "Port", "SecurityGroupRule", "SecurityGroup", "SecurityGroup", "Subnet", "Network"),
    ]
    assert delete(shop.stack, found) == {}
    assert find_orphans(shop.stack) == []


def test_delete_skips_port_of_managed_server(shop: Shop) -> None:
    """An orphaned port that is attached to a server in the state is not deleted."""
    made = shop.create_all()
    stack = shop.with_state(*(made[kind] for kind in ("Server", "Subnet", "Network")))
    left = delete(stack, find_orphans(stack))
    assert [orphan.attached_to for orphan in left] == [(made["Server"],)]
    assert {orphan.kind: reason for orphan, reason in left.items()} == {
        "Port": f"in use by server {made['Server']}, left alone"
    }
    assert ids(stack) == [made["Port"]]


def test_find_and_delete_orphaned_nic(shop: Shop) -> None:
    """An orphaned NIC is found by its port. Deleting it detaches the port and keeps the server."""
    made = shop.create_all()
    nic = shop.create("InterfaceAttachment", "nic", server_id=made["Server"], network_id=made["Network"])
    type_ = "pulumi-python:dynamic/ecs:InterfaceAttachment"
    stack = shop.with_state(*made.values())
    resources = [*stack.resources, {"urn": f"urn:pulumi:dev::shop::{type_}::nic", "id": nic}]
    assert find_orphans(Stack("shop", "dev", resources, shop.config)) == []

    (found,) = find_orphans(stack)
    assert found.adopt == f'ecs.InterfaceAttachment("nic", …, adopt="{nic}")'
    assert delete(stack, [found]) == {}
    region = shop.region()
    assert [port["id"] for port in network.list_all(region.network, "port")] == [made["Port"]]
    assert compute.get_server(region.compute, made["Server"])["status"] == "ACTIVE"


def test_detached_port_of_nic_is_orphan(shop: Shop) -> None:
    """The port of a NIC that is not attached to a server is an orphaned port."""
    made = shop.create_all()
    nic = shop.create("InterfaceAttachment", "nic", server_id=made["Server"], network_id=made["Network"])
    port = nic.rpartition("/")[2]
    region = shop.region()
    compute.detach_interface(region.compute, made["Server"], port)
    while network.get(region.network, "port", port)["device_id"]:
        pass
    stack = shop.with_state(*made.values())
    (found,) = find_orphans(stack)
    assert (found.kind, found.id, found.resource) == ("Port", port, "nic")
    assert delete(stack, [found]) == {}
    assert find_orphans(stack) == []


def test_port_of_nic_imported_as_port_is_kept(shop: Shop) -> None:
    """If the port of a NIC is imported as a `Port`, deleting the NIC does not delete the port."""
    made = shop.create_all()
    where = {"server_id": made["Server"], "network_id": made["Network"]}
    nic = shop.create("InterfaceAttachment", "nic", project=PROJECT, stack=STACK, **where)
    port_id = nic.rpartition("/")[2]
    port, attached = Resource("Port", shop.config), Resource("InterfaceAttachment", shop.config)
    port.up(adopt=port_id, network_id=made["Network"])
    attached.up(adopt=nic, server_id=made["Server"], port_id=port_id)
    attached.destroy()
    assert network.get(shop.region().network, "port", port_id)["device_id"] == ""
    port.refresh()
    assert port.preview(adopt=port_id, network_id=made["Network"]) == SAME


def test_port_of_nic_has_no_marker_if_disabled(shop: Shop) -> None:
    """With `ecs:marker: false` Nova creates the port of a NIC, without a name and an owner marker."""
    made = shop.create_all()
    shop.config["ecs:marker"] = "false"
    nic = shop.create("InterfaceAttachment", "nic", server_id=made["Server"], network_id=made["Network"])
    port = network.get(shop.region().network, "port", nic.rpartition("/")[2])
    assert (port["name"], port.get("description") or "") == ("", "")


def test_delete_returns_orphans_that_cannot_be_deleted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An orphan that the API refuses to delete is returned with the reason; the others are deleted."""
    monkeypatch.setattr(deletion, "_RETRY_SECONDS", 0.1)
    net = shop.create("Network", "net")
    shop.create("Volume", "disk", size=10)
    port = network.create(shop.region().network, "port", {"network_id": net})
    left = delete(shop.stack, find_orphans(shop.stack))
    ((orphan, reason),) = left.items()
    assert orphan.id == net
    assert f"still in use by port {port['id']}" in reason
    assert ids(shop.stack) == [net]


@pytest.fixture
def command(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command, run in a project with a fake `pulumi` that prints the content of files."""
    state = {"version": 3, "deployment": {"resources": [THE_STACK]}}
    config = {key: {"value": value, "secret": False} for key, value in shop.config.items()}
    (tmp_path / "export").write_text(json.dumps(state))
    (tmp_path / "config").write_text(json.dumps(config))
    (tmp_path / "stack").write_text("organization/shop/dev\n")
    (tmp_path / "stacks").write_text("[]")
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    program = tmp_path / "pulumi"
    program.write_text(
        f"""#!/bin/sh
        case "$*" in
        *"stack ls --all"*) cat {tmp_path}/stacks ;;
        *"export --stack organization/"*) cat {tmp_path}/"${{*##*/}}" ;;
        *--stack*) echo "error: no stack named 'nope' found" >&2; exit 255 ;;
        *"stack export"*) cat {tmp_path}/export ;;
        *--show-name*) cat {tmp_path}/stack ;;
        *--show-secrets*) cat {tmp_path}/config ;;
        esac
        """
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)

    def run(*arguments: str, answer: str | None = None) -> int:
        def prompt(_: str) -> str:
            if answer is None:
                raise EOFError
            return answer

        monkeypatch.setattr("builtins.input", prompt)
        return main(arguments)

    return run


def test_no_orphans(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """Without orphans the command prints one line, and the exit status is 0."""
    assert command() == 0
    assert capsys.readouterr().out == "No orphans of shop/dev found.\n"


def test_orphans_are_listed(command: Callable[..., int], shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """The list contains kind, id, name, age and how to import the orphan. The exit status is 1."""
    id_ = shop.create("Network", "net")
    assert command() == 1
    out = capsys.readouterr().out
    assert f'Network {id_} "net-0a1b2c3d", ' in out
    assert f'ecs.Network("net", …, adopt="{id_}")' in out


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), ("", 1), (None, 1)])
def test_delete_prompts(command: Callable[..., int], shop: Shop, answer: str | None, status: int) -> None:
    """Only the answer yes deletes. Any other answer, and a missing standard input, deletes nothing."""
    id_ = shop.create("Network", "net")
    assert command("--delete", id_, answer=answer) == status
    assert ids(shop.stack) == ([id_] if status else [])


def test_json_output(command: Callable[..., int], shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints one object with the orphans and whether they were deleted."""
    id_ = shop.create("Network", "net")
    assert command("--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["project"], report["stack"]) == ("shop", "dev")
    assert [(each["kind"], each["id"], each["resource"], each["deleted"]) for each in report["orphans"]] == [
        ("Network", id_, "net", False)
    ]
    assert command("--json", "--yes", "--delete", id_) == 0
    assert [each["deleted"] for each in json.loads(capsys.readouterr().out)["orphans"]] == [True]


def test_delete_without_id_needs_confirmation_by_state(
    command: Callable[..., int], shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--delete` without an id deletes only orphans with a pending create in the state; others need their ids."""
    retained, other = shop.create("Network", "kept"), shop.create("Network", "other")
    confirmed = shop.create("Volume", "disk", size=10)
    write_state(tmp_path, "export", pending={"disk": "disk-0a1b2c3d"})
    assert command() == 1
    output = capsys.readouterr().out
    first, _, rest = output.partition(
        "Created by shop/dev and not in its state: left by a killed run, or kept by retain_on_delete."
    )
    assert f"Volume {confirmed}" in first
    assert f"Network {retained}" in rest

    assert command("--delete", "--yes") == 1
    done = capsys.readouterr()
    assert "Deleted 1 of 3." in done.out
    assert done.err == "2 not deleted: the state does not confirm them; delete them with --delete ID\n"
    assert set(ids(shop.stack)) == {retained, other}
    assert command("--json", "--yes", "--delete") == 1
    assert {each["reason"] for each in json.loads(capsys.readouterr().out)["orphans"]} == {
        "not named: it may have been kept by retain_on_delete"
    }

    assert command("--delete", retained, "--yes") == 1
    assert ids(shop.stack) == [other]
    assert command("--delete", other, retained, "--yes") == 2, "with a wrong id nothing is deleted"
    assert f"error: --delete {retained}: no orphan of shop/dev has this id" in capsys.readouterr().err
    assert ids(shop.stack) == [other]
    assert command("--delete", other, "--yes") == 0
    assert ids(shop.stack) == []


def test_json_with_delete_requires_yes(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """`--json --delete` without `--yes` is an error, because `--json` does not prompt."""
    with pytest.raises(SystemExit) as ended:
        command("--json", "--delete")
    assert ended.value.code == 2
    assert "--yes" in capsys.readouterr().err


def test_regions_of_state_and_options_are_searched(shop: Shop) -> None:
    """Regions in the state and in the arguments are searched; a region that does not exist is an error."""
    stack = Stack("shop", "dev", [{"urn": "", "type": THING, "id": "1", "outputs": {"region": "mars"}}], shop.config)
    with pytest.raises(ConfigurationError, match="mars"):
        find_orphans(stack)
    with pytest.raises(ConfigurationError, match="venus"):
        find_orphans(shop.stack, ["venus"])


def test_malformed_id_in_state_is_named(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning names the resource, and the search goes on."""
    volume = shop.create("Volume", "disk", size=10)
    type_ = "pulumi-python:dynamic/ecs:RouterInterface"
    broken = {"urn": f"urn:pulumi:dev::shop::{type_}::link", "type": type_, "id": "broken"}
    stack = Stack("shop", "dev", [broken], shop.config)
    assert ids(stack) == [volume]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: RouterInterface link in the state: the id of a RouterInterface is ")


def test_malformed_id_in_another_stack_prevents_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of another stack with such an id does not show all objects of that stack."""
    type_ = "pulumi-python:dynamic/ecs:RouterInterface"
    urn = f"urn:pulumi:prod::shop::{type_}::link"
    deployment = {"resources": [{"urn": urn, "type": type_, "id": "broken"}]}
    answers = {"ls": [{"name": "prod"}], "export": {"version": 3, "deployment": deployment}}
    monkeypatch.setattr("ecs_pulumi.stack._pulumi", lambda *arguments: json.dumps(answers[arguments[1]]))
    assert "RouterInterface link in the state: " in other_stacks().unreadable["prod"]


def write_state(folder: Path, stack: str, *ids: str, pending: Mapping[str, str] | None = None) -> None:
    """Write the state of the current stack, or add another stack to the backend.

    Args:
        folder: Folder of the project.
        stack: `export` for the current stack, or the name of the other stack.
        ids: The ids in its state.
        pending: The names of volumes with a pending create, by resource name.
    """
    urn = "urn:pulumi:dev::shop::pulumi-python:dynamic/ecs:Volume"
    kind = "pulumi-python:dynamic/ecs:Volume"
    deployment = {
        "resources": [{"urn": f"{urn}::thing", "type": kind, "id": id_} for id_ in ids],
        "pending_operations": [
            {"type": "creating", "resource": {"urn": f"{urn}::{resource}", "type": kind, "inputs": {"name": name}}}
            for resource, name in (pending or {}).items()
        ],
    }
    (folder / stack).write_text(json.dumps({"version": 3, "deployment": deployment}))
    if stack != "export":
        listed = json.loads((folder / "stacks").read_text())
        (folder / "stacks").write_text(json.dumps([*listed, {"name": f"organization/shop/{stack}"}]))


def test_object_in_state_of_another_stack_is_never_deleted(
    command: Callable[..., int], shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object in the state of another stack is listed separately, and `--delete` with its id is an error."""
    moved, orphan = shop.create("Network", "moved"), shop.create("Network", "lost")
    write_state(tmp_path, "canary", moved)
    assert command("--yes", "--delete", orphan, moved) == 2
    assert f"--delete {moved}: it is in the state of organization/shop/canary" in capsys.readouterr().err
    assert command("--json", "--yes", "--delete", orphan) == 0
    report = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in report["orphans"]] == [orphan]
    assert [(each["id"], each["stack"]) for each in report["elsewhere"]] == [(moved, "organization/shop/canary")]
    assert network.get(shop.region().network, "network", moved)

    assert command("--delete", "--yes") == 0, "an object of another stack is not an orphan"
    output = capsys.readouterr().out
    assert "No orphans of shop/dev found." in output
    assert f'Network {moved} "moved-0a1b2c3d"' in output
    assert "in organization/shop/canary" in output


def test_unreadable_state_of_another_stack_prevents_deletion(
    command: Callable[..., int], shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the state of another stack cannot be read, only orphans with a pending create in this state are deleted."""
    marked, pending = shop.create("Network", "net"), shop.create("Volume", "disk", size=10, description="by its name")
    write_state(tmp_path, "export", pending={"disk": "disk-0a1b2c3d", "chosen": "a-name"})
    write_state(tmp_path, "secret")
    (tmp_path / "secret").unlink()
    assert command("--json", "--yes", "--delete", marked, pending) == 1
    output = capsys.readouterr()
    report = json.loads(output.out)
    results = {each["id"]: (each["confirmed_by_state"], each["deleted"], each["reason"]) for each in report["orphans"]}
    assert [*report["unreadable"]] == ["organization/shop/secret"]
    assert results.pop(pending) == (True, True, None)
    ((id_, (confirmed_by_state, deleted, reason)),) = results.items()
    assert (id_, confirmed_by_state, deleted) == (marked, False, False)
    assert "organization/shop/secret" in reason
    assert "the state of organization/shop/secret cannot be read: pulumi stack export:" in output.err


def test_find_key_pair_by_pending_create(shop: Shop) -> None:
    """A key pair, which has no place for an owner marker, is found by the automatic name in the pending create."""
    orphan = shop.create("KeyPair", "key")
    shop.create("KeyPair", "key", name="key-11111111")
    urn, kind = "urn:pulumi:dev::shop::pulumi-python:dynamic/ecs:KeyPair::key", "pulumi-python:dynamic/ecs:KeyPair"
    pending = {"urn": urn, "type": kind, "inputs": {"name": orphan}}
    stack = Stack("shop", "dev", [], shop.config, [pending])
    assert [(orphan.kind, orphan.id) for orphan in find_orphans(stack)] == [("KeyPair", "key-0a1b2c3d")]
    assert delete(stack, find_orphans(stack)) == {}
    assert find_orphans(stack) == []


def test_find_key_pair_by_automatic_name(
    command: Callable[..., int], shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the suffix of an automatic name encodes the stack, so that key pairs of other stacks are not found."""
    orphan, other = (auto_name("key", b"\x01\x02\x03\x04", stack) for stack in ("shop/dev", "shop/prod"))
    for name in (orphan, other, "key-01020304"):
        shop.create("KeyPair", "key", name=name)
    assert command() == 1
    output = capsys.readouterr().out
    assert f'KeyPair {orphan} "{orphan}"' in output
    assert "identified only by its name" in output
    assert other not in output
    assert ids(shop.with_state(orphan)) == []


@pytest.mark.parametrize(("type_", "start"), [("ssh", "ssh-rsa "), ("x509", "-----BEGIN CERTIFICATE-----\n")])
def test_find_key_pair_by_name_and_public_key(type_: str, start: str) -> None:
    """A key pair whose name the program sets is found if it has the public key of the pending create."""
    urn, kind = "urn:pulumi:dev::shop::pulumi-python:dynamic/ecs:KeyPair::known", "pulumi-python:dynamic/ecs:KeyPair"
    with Emulator(dialect="openstack") as cloud:
        shop, keys = Shop(cloud), {}
        for name in ("known", "other"):
            shop.create("KeyPair", name, name=name, type=type_)
            keys[name] = compute.get_key_pair(shop.region().compute, name)["public_key"]
            assert keys[name].startswith(start)
        for inputs, expected in (
            ({"public_key": keys["known"]}, [("known", "its name and key", False)]),
            ({"public_key": keys["known"].replace("\n", "\r\n")}, [("known", "its name and key", False)]),
            ({"public_key": keys["other"]}, []),
            ({"public_key": {"a secret": "that the command cannot read"}}, []),
            ({}, []),
        ):
            pending = {"urn": urn, "type": kind, "inputs": {"name": "known", **inputs}}
            found = find_orphans(Stack("shop", "dev", [], shop.config, [pending]))
            assert [(orphan.id, orphan.evidence, orphan.confirmed_by_state) for orphan in found] == expected


def test_create_fails_for_existing_generated_key_pair(shop: Shop) -> None:
    """A create fails if the key pair exists, because the private key of a generated pair cannot be read again."""
    shop.create("KeyPair", "known", name="known")
    with pytest.raises(Refused, match=r'a key pair named known exists already; .* import it with adopt="known"'):
        Resource("KeyPair", shop.config).up(name="known")


@pytest.mark.parametrize("confirmed_by_state", [True, False])
def test_prompt_warns_of_unconfirmed_orphans(
    command: Callable[..., int],
    shop: Shop,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    confirmed_by_state: bool,  # noqa: FBT001
) -> None:
    """The prompt warns that an orphan may belong to a stack in another backend, unless the state confirms it."""
    id_ = shop.create("Volume", "disk", size=10)
    write_state(tmp_path, "export", pending={"disk": "disk-0a1b2c3d"} if confirmed_by_state else {})
    command("--delete", id_, answer="n")
    assert ("They may belong to a stack shop/dev" in capsys.readouterr().out) is not confirmed_by_state


@pytest.mark.parametrize("compute_version", COMPUTE_VERSIONS)
def test_import_from_another_stack_replaces_owner_marker(shop: Shop, compute_version: str) -> None:
    """An import writes the owner marker of the new stack, so that only the new stack finds the object as an orphan."""
    shop.config["ecs:apiVersions"] = json.dumps({"compute": compute_version})
    made = shop.create_all()
    inputs: dict[str, dict[str, Any]] = {
        "Subnet": {"network_id": made["Network"], "cidr": "10.0.0.0/24"},
        "Port": {"network_id": made["Network"]},
        "Volume": {"size": 10},
        "Server": {
            "flavor": compute.list_flavors(shop.region().compute)[0]["name"],
            "block_devices": [{**ROOT, "uuid": image.list_images(shop.region().image)[0]["id"]}],
            "metadata": {"mine": "1"},
        },
    }
    for kind, id_ in made.items():
        resource = Resource(kind, shop.config)
        resource.up(adopt=id_, **inputs.get(kind, {}))
        assert resource.preview(adopt=id_, **inputs.get(kind, {})) == SAME
        assert resource.outputs.get("metadata") in (None, {}, {"mine": "1"})
    assert find_orphans(shop.stack) == []
    found = find_orphans(Stack("fields", "test", [], shop.config))
    assert {orphan.kind: orphan.id for orphan in found} == made


def test_import_from_same_stack_keeps_owner_marker(shop: Shop) -> None:
    """An import of an object with the owner marker of the same stack changes nothing, also under another name."""
    orphan = shop.create("Network", "net", project=PROJECT, stack=STACK)
    resource = Resource("Network", shop.config)
    resource.up(adopt=orphan, name="net-0a1b2c3d")
    imported = network.get(shop.region().network, "network", orphan)
    assert imported["description"] == f"Managed by Pulumi: {PROJECT}/{STACK}/net"
    assert imported["revision_number"] == 1


def test_truncated_owner_marker_is_written_once(shop: Shop, cloud: Emulator) -> None:
    """An owner marker that is truncated because of a long name is not written again by updates."""
    resource = Resource("Network", shop.config, "n" * 250)
    resource.up(name="one")
    resource.up(name="other")
    assert network.get(shop.region().network, "network", resource.id)["description"].endswith("nnn")
    changes = [request.body for request in cloud.requests if request.method == "PUT"]
    assert changes == [{"network": {"name": "other"}}]


def test_text_after_owner_marker_is_not_overwritten(shop: Shop) -> None:
    """An import does not overwrite a description with an owner marker of another stack that is followed by text."""
    description = "Managed by Pulumi: shop/dev/net, ask Jo before you delete it"
    region = shop.region()
    net = network.create(region.network, "network", {"name": "net", "description": description})
    Resource("Network", shop.config).up(adopt=net["id"], name="other")
    assert network.get(region.network, "network", net["id"])["description"] == description


ERRORS: Mapping[str, tuple[tuple[str, ...], Callable[[Path], object], str]] = {
    "no such stack": (("--stack", "nope"), lambda _: None, "no stack named 'nope' found"),
    "no pulumi": ((), lambda folder: (folder / "pulumi").unlink(), "pulumi is not on PATH"),
    "no project": ((), lambda folder: (folder / "Pulumi.yaml").unlink(), "there is no Pulumi.yaml"),
    "no project name": ((), lambda folder: (folder / "Pulumi.yaml").write_text("runtime: python"), "names no project"),
    "no state": (("--state", "none.json"), lambda _: None, "none.json: No such file"),
    "not a state": ((), lambda folder: (folder / "export").write_text("[]"), "not what `pulumi stack export` writes"),
    "a list for a deployment": ((), lambda folder: _export(folder, []), "not what `pulumi stack export` writes"),
    "no list of resources": ((), lambda folder: _export(folder, {"resources": {}}), "not what `pulumi stack export`"),
    "numbers for resources": ((), lambda folder: _export(folder, {"resources": [1]}), "not what `pulumi stack export`"),
    "text for outputs": (
        (),
        lambda folder: _export(folder, {"resources": [{**THE_STACK, "outputs": "none"}]}),
        "not what `pulumi stack export` writes",
    ),
    "a resource without a name": (
        (),
        lambda folder: _export(folder, {"resources": [{**THE_STACK, "urn": None}]}),
        "not what `pulumi stack export` writes",
    ),
    "a pending create without a type": (
        (),
        lambda folder: _export(folder, {"pending_operations": [{"type": "creating", "resource": {"urn": "urn:"}}]}),
        "not what `pulumi stack export` writes",
    ),
    "state of another stack": ((), lambda folder: (folder / "stack").write_text("prod"), "not that of shop/prod"),
    "wrong password": ((), lambda folder: _set_wrong_password(folder / "config"), "HTTP 401"),
}


def _export(folder: Path, deployment: object) -> None:
    (folder / "export").write_text(json.dumps({"version": 3, "deployment": deployment}))


def _set_wrong_password(config: Path) -> None:
    config.write_text(config.read_text().replace("demo-secret", "wrong"))


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_one_line(
    command: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: str,
) -> None:
    """An error is reported in one line, and the exit status is 2."""
    arguments, prepare, message = ERRORS[case]
    prepare(tmp_path)
    if case == "no pulumi":
        monkeypatch.setenv("PATH", str(tmp_path))
    assert command(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_utf8_in_any_locale(command: Callable[..., int], shop: Shop, tmp_path: Path) -> None:
    """The command reads the project file and the state, and prints names, in UTF-8."""
    assert command() == 0
    orphan = shop.create("Network", "東京", name="東京")
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\ndescription: 東京\n", encoding="utf-8")
    state = {"version": 3, "deployment": {"resources": [{**THE_STACK, "outputs": {"office": "東京"}}]}}
    for file in ("export", "exported"):
        (tmp_path / file).write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
    for arguments in ((), ("--json",), ("--state", str(tmp_path / "exported"))):
        done = subprocess.run(
            [sys.executable, "-m", "ecs_pulumi.orphans", *arguments],
            env={**os.environ, **ASCII_LOCALE},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, b"")
        assert orphan in done.stdout.decode()
        assert "東京" in done.stdout.decode()


def test_closed_pipe_ends_command_without_deletion(command: Callable[..., int], shop: Shop) -> None:
    """If the pipe is closed before the list is written, the command deletes nothing and prints no traceback."""
    assert command() == 0
    orphan = shop.create("Network", "net")
    done = run_unread("ecs_pulumi.orphans", "--yes", "--delete", orphan)
    assert (done.returncode, done.stderr) == (141, "")
    assert ids(shop.stack) == [orphan]


def test_file_name_with_invalid_utf8(command: Callable[..., int], tmp_path: Path) -> None:
    """An error with a file name that is not valid UTF-8 is printed in one line."""
    assert command() == 0
    done = subprocess.run(
        [sys.executable, "-m", "ecs_pulumi.orphans", "--state", b"caf\xe9.json"], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == b"error: caf\\udce9.json: No such file or directory\n"


def test_help_describes_limitations(capsys: pytest.CaptureFixture[str]) -> None:
    """The help describes the exit status and the objects that the command does not find."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    output = capsys.readouterr().out
    assert "exit status" in output
    assert "attachments" in output
    described, missed = output.split("The command does not find")
    for kind in ("networks", "subnets", "ports", "security groups", "routers", "floating IPs"):
        assert kind in described
        assert kind in missed
    for kind in ("key pairs", "server groups", "interfaces and routes of routers"):
        assert kind in missed


@pytest.mark.parametrize(
    ("seconds", "age"), [(5, "5 s"), (119, "119 s"), (121, "2 min"), (7300, "2 h"), (200000, "2 d")]
)
def test_age_format(seconds: int, age: str) -> None:
    """An age is shown in the largest unit of which it has at least two."""
    assert _age(datetime.now(timezone.utc) - timedelta(seconds=seconds)) == age
