"""What a killed `up` leaves behind is found, whatever it is, and nothing else is."""

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
from ecs_pulumi.dynamic.kind import OperationContext, auto_name, get_handler
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.orphans import _age, delete, find_orphans, main
from ecs_pulumi.resources import common
from ecs_pulumi.stack import Stack
from tests.support.command import ASCII_LOCALE, run_unread
from tests.support.steps import PROJECT, SAME, STACK, Refused, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ecs_pulumi.cloud.connection import Region

MARK = "Managed by Pulumi: shop/dev/"
ROOT = {
    "source_type": "image",
    "destination_type": "volume",
    "boot_index": 0,
    "volume_size": 40,
    "delete_on_termination": True,
}
THING = "pulumi-python:dynamic/ecs:Thing"
THE_STACK = {"urn": "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev", "type": "pulumi:pulumi:Stack"}
KINDS = ["Server", "Port", "Subnet", "Network", "Volume"]


class Shop:
    """The project `shop` with its stack `dev` on a cloud of its own."""

    def __init__(self, cloud: Emulator) -> None:
        self.config = {f"ecs:{name}": value for name, value in cloud.settings.items()}
        self.stack = Stack("shop", "dev", [], self.config)

    def region(self, **settings: str) -> Region:
        """The region, as another account where the settings say so."""
        config = self.config | {f"ecs:{name}": value for name, value in settings.items()}
        region: Region = get_handler("Server").connect(config.get, None, 60).region
        return region

    def knowing(self, *ids: str) -> Stack:
        """The stack when its state has these."""
        urn = f"urn:pulumi:dev::shop::{THING}::thing"
        return Stack("shop", "dev", [{"urn": urn, "type": THING, "id": id_} for id_ in ids], self.config)

    def create(self, kind: str, resource: str, *, project: str = "shop", stack: str = "dev", **inputs: Any) -> str:
        """Create an object as an `up` does, and return its id."""
        its, config = get_handler(kind), self.config
        op: OperationContext[Any] = OperationContext(
            verb="create",
            kind=kind,
            resource=resource,
            connect=lambda: its.connect(config.get, None, 60),
            timeout=60,
            project=project,
            stack=stack,
            inputs=inputs,
        )
        named = {"name": f"{resource}-0a1b2c3d"} if "name" in its.inputs.model_fields else {}
        its.create(op, its.inputs.model_validate({**named, **inputs}))
        return op.id

    def landscape(self) -> dict[str, str]:
        """One object of each kind, by its kind."""
        region = self.region()
        made = {"Network": self.create("Network", "net")}
        made["Subnet"] = self.create("Subnet", "subnet", network_id=made["Network"], cidr="10.0.0.0/24")
        made["Port"] = self.create("Port", "port", network_id=made["Network"])
        made["Volume"] = self.create("Volume", "disk", size=1)
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
def shop(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The stack on an empty cloud."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    return Shop(cloud)


def ids(stack: Stack) -> list[str]:
    """The ids of the stack's orphans."""
    return [orphan.id for orphan in find_orphans(stack)]


@pytest.mark.parametrize("dialect", ["otc", "openstack"])
def test_every_kind_with_a_place_for_a_mark_is_found(dialect: Any) -> None:
    """What is created without a description is found with the resource it was for, servers of old APIs included."""
    with Emulator(speed=200, dialect=dialect) as cloud:
        shop = Shop(cloud)
        made = shop.landscape()
        found = find_orphans(shop.stack)
        assert {orphan.kind: orphan.id for orphan in found} == made
        assert [orphan.kind for orphan in found] == KINDS, "in the order in which they can be deleted"
        assert [orphan.resource for orphan in found] == ["web", "port", "subnet", "net", "disk"]
        assert all(orphan.created for orphan in found)
        assert found[0].adopt == f'ecs.Server("web", …, adopt="{made["Server"]}")'
        assert find_orphans(shop.knowing(*made.values())) == [], "what the state knows is none"


def test_a_description_of_its_own_hides_no_orphan(shop: Shop) -> None:
    """Servers and volumes carry the marker in their metadata as well, Neutron's objects sign their automatic names."""
    made = {"Volume": shop.create("Volume", "disk", size=1, name="my disk", description="mine")}
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


def test_what_the_state_records_is_found_by_name_and_description(shop: Shop) -> None:
    """A network to which the program gives both carries no marker; the record of its creation finds it."""
    lost = shop.create("Network", "net", name="app", description="mine")
    shop.create("Network", "net", name="app", description="another")
    shop.create("Network", "net", name="other", description="mine")
    assert find_orphans(shop.stack) == []
    kind = "pulumi-python:dynamic/ecs:Network"
    begun = {
        "urn": f"urn:pulumi:dev::shop::{kind}::net",
        "type": kind,
        "inputs": {"name": "app", "description": "mine"},
    }
    (found,) = find_orphans(Stack("shop", "dev", [], shop.config, [begun]))
    assert (found.id, found.evidence, found.confirmed_by_state) == (lost, "its name and description", False)


def test_only_the_whole_mark_of_the_very_stack_counts(shop: Shop) -> None:
    """Another stack's or project's mark, one cut short, one inside a text or with a text behind it prove nothing."""
    others = [
        *("Managed by Pulumi: shop/dev", MARK, f"not {MARK}web", f"{MARK}web, ask Jo before you delete it"),
        *("Managed by Pulumi: shop/dev2/web", "Managed by Pulumi: shop/de/web", "Managed by Pulumi: shop2/dev/web"),
        *("Managed by Pulumi: my/shop/dev/web", "managed by pulumi: shop/dev/web", (MARK + "x" * 255)[:255]),
    ]
    region = shop.region()
    for each in others:
        network.create(region.network, "network", {"name": "net", "description": each})
    assert find_orphans(shop.stack) == []


def test_names_that_share_a_beginning_are_told_apart(shop: Shop) -> None:
    """A resource whose name begins like that of a lost one, in this stack or another, is not taken for it."""
    web, web2 = shop.create("Network", "web"), shop.create("Network", "web2")
    shop.create("Network", "web", stack="dev2")
    shop.create("Network", "web", project="shop2")
    assert ids(shop.knowing(web)) == [web2]
    assert ids(shop.knowing(web2)) == [web]


def test_a_resource_with_a_blank_in_its_name_needs_its_automatic_name_as_well(shop: Shop) -> None:
    """A mark with blanks may be one that somebody wrote on; the name that was made for the resource settles it."""
    lost = shop.create("Network", "the web")
    shop.create("Network", "our web", name="web")
    assert ids(shop.stack) == [lost]


def test_what_another_project_of_the_cloud_has_is_left_out(shop: Shop) -> None:
    """A network that another project shares is that project's, with the mark of this stack as well."""
    admin = shop.region(username="admin", password="admin-secret", projectName="admin")
    theirs = network.create(admin.network, "network", {"name": "net", "shared": True, "description": f"{MARK}net"})
    assert theirs["id"] in [each["id"] for each in network.list_all(shop.region().network, "network")]
    assert find_orphans(shop.stack) == []


def test_orphans_are_deleted_in_order(shop: Shop) -> None:
    """A whole landscape goes, although its parts hold on to each other, and what is not the stack's stays."""
    shop.landscape()
    kept = shop.create("Network", "net", stack="dev2")
    assert delete(shop.stack, find_orphans(shop.stack)) == {}
    assert find_orphans(shop.stack) == []
    assert network.get(shop.region().network, "network", kept)


def test_what_a_living_server_has_is_left_alone(shop: Shop) -> None:
    """A port that a server of the state uses is listed, and not torn out of it."""
    made = shop.landscape()
    stack = shop.knowing(*(made[kind] for kind in ("Server", "Subnet", "Network")))
    left = delete(stack, find_orphans(stack))
    assert {orphan.kind: reason for orphan, reason in left.items()} == {
        "Port": f"in use by server {made['Server']}, left alone"
    }
    assert ids(stack) == [made["Port"]]


def test_a_nic_is_found_by_its_port(shop: Shop) -> None:
    """A NIC of its own port is the stack's wherever it is; deleted it leaves the server, which stays."""
    made = shop.landscape()
    nic = shop.create("InterfaceAttachment", "nic", server_id=made["Server"], network_id=made["Network"])
    type_ = "pulumi-python:dynamic/ecs:InterfaceAttachment"
    knowing = shop.knowing(*made.values())
    known = [*knowing.resources, {"urn": f"urn:pulumi:dev::shop::{type_}::nic", "id": nic}]
    assert find_orphans(Stack("shop", "dev", known, shop.config)) == []

    (found,) = find_orphans(knowing)
    assert found.adopt == f'ecs.InterfaceAttachment("nic", …, adopt="{nic}")'
    assert delete(knowing, [found]) == {}
    region = shop.region()
    assert [port["id"] for port in network.list_all(region.network, "port")] == [made["Port"]]
    assert compute.get_server(region.compute, made["Server"])["status"] == "ACTIVE"


def test_a_nic_whose_server_is_gone_leaves_a_port(shop: Shop) -> None:
    """Killed before it was attached, or left by a server that went, the port of a NIC is an orphan like any other."""
    made = shop.landscape()
    nic = shop.create("InterfaceAttachment", "nic", server_id=made["Server"], network_id=made["Network"])
    port = nic.rpartition("/")[2]
    region = shop.region()
    compute.detach_interface(region.compute, made["Server"], port)
    while network.get(region.network, "port", port)["device_id"]:
        pass
    knowing = shop.knowing(*made.values())
    (found,) = find_orphans(knowing)
    assert (found.kind, found.id, found.resource) == ("Port", port, "nic")
    assert delete(knowing, [found]) == {}
    assert find_orphans(knowing) == []


def test_the_port_of_a_nic_that_the_program_declares_stays(shop: Shop) -> None:
    """Taken over as a `Port`, it is the NIC's no more, and outlives it."""
    made = shop.landscape()
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


def test_without_marks_nova_makes_the_port_of_a_nic(shop: Shop) -> None:
    """With ecs:marker false there is nothing to tell of it, and the port has no name of the program's either."""
    made = shop.landscape()
    shop.config["ecs:marker"] = "false"
    nic = shop.create("InterfaceAttachment", "nic", server_id=made["Server"], network_id=made["Network"])
    port = network.get(shop.region().network, "port", nic.rpartition("/")[2])
    assert (port["name"], port.get("description") or "") == ("", "")


def test_what_cannot_be_deleted_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cloud refuses to delete stays in the report with the reason, and the rest is deleted nevertheless."""
    monkeypatch.setattr(common, "_PATIENCE", 0.1)
    net = shop.create("Network", "net")
    shop.create("Volume", "disk", size=1)
    others = network.create(shop.region().network, "port", {"network_id": net})
    left = delete(shop.stack, find_orphans(shop.stack))
    ((orphan, reason),) = left.items()
    assert orphan.id == net
    assert f"still in use by port {others['id']}" in reason
    assert ids(shop.stack) == [net]


@pytest.fixture
def command(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command in a project whose `pulumi` answers from files."""
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
        def asked(_: str) -> str:
            if answer is None:
                raise EOFError
            return answer

        monkeypatch.setattr("builtins.input", asked)
        return main(arguments)

    return run


def test_nothing_lost_is_exit_status_0(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """A stack that has lost nothing says so in one line."""
    assert command() == 0
    assert capsys.readouterr().out == "No orphans of shop/dev found.\n"


def test_what_is_found_is_listed(command: Callable[..., int], shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Kind, id, name, age and the way to take it over; the exit status is 1, as nothing was done."""
    id_ = shop.create("Network", "net")
    assert command() == 1
    out = capsys.readouterr().out
    assert f'Network {id_} "net-0a1b2c3d", ' in out
    assert f'ecs.Network("net", …, adopt="{id_}")' in out


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), ("", 1), (None, 1)])
def test_deleting_asks_first(command: Callable[..., int], shop: Shop, answer: str | None, status: int) -> None:
    """Only a yes deletes; anything else, and nobody there to answer, leaves everything."""
    id_ = shop.create("Network", "net")
    assert command("--delete", id_, answer=answer) == status
    assert ids(shop.stack) == ([id_] if status else [])


def test_a_script_gets_json(command: Callable[..., int], shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """One object that tells what was found and what has become of it."""
    id_ = shop.create("Network", "net")
    assert command("--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["project"], told["stack"]) == ("shop", "dev")
    assert [(each["kind"], each["id"], each["resource"], each["deleted"]) for each in told["orphans"]] == [
        ("Network", id_, "net", False)
    ]
    assert command("--json", "--yes", "--delete", id_) == 0
    assert [each["deleted"] for each in json.loads(capsys.readouterr().out)["orphans"]] == [True]


def test_what_the_state_does_not_prove_has_to_be_named(
    command: Callable[..., int], shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--delete` alone deletes what a killed `up` was creating; what retain_on_delete may have kept needs its id."""
    retained, other = shop.create("Network", "kept"), shop.create("Network", "other")
    lost = shop.create("Volume", "disk", size=1)
    keep(tmp_path, "export", begun={"disk": "disk-0a1b2c3d"})
    assert command() == 1
    said = capsys.readouterr().out
    first, _, rest = said.partition(
        "Made by shop/dev and not in its state: left by a killed run, or kept by retain_on_delete."
    )
    assert f"Volume {lost}" in first
    assert f"Network {retained}" in rest

    assert command("--delete", "--yes") == 1
    done = capsys.readouterr()
    assert "Deleted 1 of 3." in done.out
    assert done.err == "2 left, which the state does not prove: name what to delete, --delete ID\n"
    assert set(ids(shop.stack)) == {retained, other}
    assert command("--json", "--yes", "--delete") == 1
    assert {each["reason"] for each in json.loads(capsys.readouterr().out)["orphans"]} == {
        "not named: it may have been kept by retain_on_delete"
    }

    assert command("--delete", retained, "--yes") == 1
    assert ids(shop.stack) == [other]
    assert command("--delete", other, retained, "--yes") == 2, "a wrong id is no reason to delete the rest"
    assert f"error: --delete {retained}: no orphan of shop/dev has this id" in capsys.readouterr().err
    assert ids(shop.stack) == [other]
    assert command("--delete", other, "--yes") == 0
    assert ids(shop.stack) == []


def test_a_script_is_never_asked(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and a question do not go together; the usage says what to add."""
    with pytest.raises(SystemExit) as ended:
        command("--json", "--delete")
    assert ended.value.code == 2
    assert "--yes" in capsys.readouterr().err


def test_every_region_of_the_state_is_looked_through(shop: Shop) -> None:
    """Regions that the state or the caller names count besides the configured one; one that is not there is told."""
    stack = Stack("shop", "dev", [{"urn": "", "id": "1", "outputs": {"region": "mars"}}], shop.config)
    with pytest.raises(ConfigurationError, match="mars"):
        find_orphans(stack)
    with pytest.raises(ConfigurationError, match="venus"):
        find_orphans(shop.stack, ["venus"])


def keep(folder: Path, stack: str, *ids: str, begun: Mapping[str, str] | None = None) -> None:
    """Give the backend another stack, or with its file's name the current one, with these in its state.

    Args:
        folder: Of the project.
        stack: Its name.
        ids: What is in its state.
        begun: Volumes that an `up` had begun to create, their names by their resources.
    """
    urn = "urn:pulumi:dev::shop::pulumi-python:dynamic/ecs:Volume"
    kind = "pulumi-python:dynamic/ecs:Volume"
    deployment = {
        "resources": [{"urn": f"{urn}::thing", "type": kind, "id": id_} for id_ in ids],
        "pending_operations": [
            {"type": "creating", "resource": {"urn": f"{urn}::{resource}", "type": kind, "inputs": {"name": name}}}
            for resource, name in (begun or {}).items()
        ],
    }
    (folder / stack).write_text(json.dumps({"version": 3, "deployment": deployment}))
    if stack != "export":
        listed = json.loads((folder / "stacks").read_text())
        (folder / "stacks").write_text(json.dumps([*listed, {"name": f"organization/shop/{stack}"}]))


def test_what_another_stack_has_is_that_stacks(
    command: Callable[..., int], shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was moved to another stack, or belongs to this one's former name, is listed there and never deleted."""
    moved, lost = shop.create("Network", "moved"), shop.create("Network", "lost")
    keep(tmp_path, "canary", moved)
    assert command("--yes", "--delete", lost, moved) == 2
    assert f"--delete {moved}: it is in the state of organization/shop/canary" in capsys.readouterr().err
    assert command("--json", "--yes", "--delete", lost) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in told["orphans"]] == [lost]
    assert [(each["id"], each["stack"]) for each in told["elsewhere"]] == [(moved, "organization/shop/canary")]
    assert network.get(shop.region().network, "network", moved)

    assert command("--delete", "--yes") == 0, "what another stack has is no orphan"
    said = capsys.readouterr().out
    assert "No orphans of shop/dev found." in said
    assert f'Network {moved} "moved-0a1b2c3d"' in said
    assert "in organization/shop/canary" in said


def test_what_may_be_in_a_state_that_cannot_be_read_is_not_deleted(
    command: Callable[..., int], shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told by its mark alone it stays, and the stack is named; what this state says it was creating goes."""
    marked, begun = shop.create("Network", "net"), shop.create("Volume", "disk", size=1, description="by its name")
    keep(tmp_path, "export", begun={"disk": "disk-0a1b2c3d", "chosen": "a-name"})
    keep(tmp_path, "secret")
    (tmp_path / "secret").unlink()
    assert command("--json", "--yes", "--delete", marked, begun) == 1
    said = capsys.readouterr()
    told = {each["id"]: (each["proven"], each["deleted"], each["reason"]) for each in json.loads(said.out)["orphans"]}
    assert told.pop(begun) == (True, True, None)
    ((id_, (confirmed_by_state, deleted, reason)),) = told.items()
    assert (id_, confirmed_by_state, deleted) == (marked, False, False)
    assert "organization/shop/secret" in reason
    assert "the state of organization/shop/secret cannot be read: pulumi stack export:" in said.err


def test_a_key_pair_is_found_by_what_the_state_says(shop: Shop) -> None:
    """A key pair has no place for a mark; the note of what was being created tells of it by its random name."""
    lost = shop.create("KeyPair", "key")
    shop.create("KeyPair", "key", name="key-11111111")
    urn, kind = "urn:pulumi:dev::shop::pulumi-python:dynamic/ecs:KeyPair::key", "pulumi-python:dynamic/ecs:KeyPair"
    begun = {"urn": urn, "type": kind, "inputs": {"name": lost}}
    stack = Stack("shop", "dev", [], shop.config, [begun])
    assert [(orphan.kind, orphan.id) for orphan in find_orphans(stack)] == [("KeyPair", "key-0a1b2c3d")]
    assert delete(stack, find_orphans(stack)) == {}
    assert find_orphans(stack) == []


def test_a_key_pair_that_nobody_noted_is_found_by_its_name(
    command: Callable[..., int], shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the suffix of an automatic name tells the stack, so that one of another stack's is not taken for it."""
    lost, theirs = (auto_name("key", b"\x01\x02\x03\x04", stack) for stack in ("shop/dev", "shop/prod"))
    for name in (lost, theirs, "key-01020304"):
        shop.create("KeyPair", "key", name=name)
    assert command() == 1
    said = capsys.readouterr().out
    assert f'KeyPair {lost} "{lost}"' in said
    assert "by its name alone" in said
    assert theirs not in said
    assert ids(shop.knowing(lost)) == []


def test_a_key_pair_of_a_chosen_name_is_told_by_its_key(shop: Shop) -> None:
    """A name of one's own choosing proves nothing, but with the very key that was being imported it is listed."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn me"
    shop.create("KeyPair", "known", name="known", public_key=key)
    urn, kind = "urn:pulumi:dev::shop::pulumi-python:dynamic/ecs:KeyPair::known", "pulumi-python:dynamic/ecs:KeyPair"
    for asked, found in (({"public_key": key}, [("known", False)]), ({"public_key": "ssh-rsa AAAA me"}, []), ({}, [])):
        begun = {"urn": urn, "type": kind, "inputs": {"name": "known", **asked}}
        orphans = find_orphans(Stack("shop", "dev", [], shop.config, [begun]))
        assert [(orphan.id, orphan.confirmed_by_state) for orphan in orphans] == found


def test_a_generated_key_pair_whose_private_key_is_lost_is_told(shop: Shop) -> None:
    """Nobody has the private key of a pair that a killed `up` had generated, so it is no success to find it."""
    shop.create("KeyPair", "known", name="known")
    with pytest.raises(Refused, match=r'a key pair named known exists already; .* import it with adopt="known"'):
        Resource("KeyPair", shop.config).up(name="known")


@pytest.mark.parametrize("proven", [True, False])
def test_the_question_says_what_only_a_mark_tells(
    command: Callable[..., int],
    shop: Shop,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    confirmed_by_state: bool,  # noqa: FBT001
) -> None:
    """Another backend may have a stack of this name: who answers is told so, unless the state has the proof."""
    id_ = shop.create("Volume", "disk", size=1)
    keep(tmp_path, "export", begun={"disk": "disk-0a1b2c3d"} if confirmed_by_state else {})
    command("--delete", id_, answer="n")
    assert ("somebody keeps a stack shop/dev in another" in capsys.readouterr().out) is not confirmed_by_state


@pytest.mark.parametrize("dialect", ["otc", "openstack"])
def test_what_is_taken_over_from_another_stack_is_marked_anew(dialect: Any) -> None:
    """With its adoption an object is the new stack's for good: only there it counts as lost when it gets lost."""
    with Emulator(speed=200, dialect=dialect) as cloud:
        shop = Shop(cloud)
        made = shop.landscape()
        asked: dict[str, dict[str, Any]] = {
            "Subnet": {"network_id": made["Network"], "cidr": "10.0.0.0/24"},
            "Port": {"network_id": made["Network"]},
            "Volume": {"size": 1},
            "Server": {
                "flavor": compute.list_flavors(shop.region().compute)[0]["name"],
                "block_devices": [{**ROOT, "uuid": image.list_images(shop.region().image)[0]["id"]}],
                "metadata": {"mine": "1"},
            },
        }
        for kind, id_ in made.items():
            resource = Resource(kind, shop.config)
            resource.up(adopt=id_, **asked.get(kind, {}))
            assert resource.preview(adopt=id_, **asked.get(kind, {})) == SAME
            assert resource.outputs.get("metadata") in (None, {}, {"mine": "1"})
        assert find_orphans(shop.stack) == []
        found = find_orphans(Stack("fields", "test", [], shop.config))
        assert {orphan.kind: orphan.id for orphan in found} == made


def test_what_the_very_stack_lost_is_taken_over_as_it_is(shop: Shop) -> None:
    """Its own mark is right, whatever the resource is called now: nothing in the cloud is changed for it."""
    lost = shop.create("Network", "net", project=PROJECT, stack=STACK)
    it = Resource("Network", shop.config)
    it.up(adopt=lost, name="net-0a1b2c3d")
    kept = network.get(shop.region().network, "network", lost)
    assert kept["description"] == f"Managed by Pulumi: {PROJECT}/{STACK}/net"
    assert kept["revision_number"] == 1


def test_a_mark_that_is_cut_short_is_written_once(shop: Shop, cloud: Emulator) -> None:
    """A mark that a very long name cuts short proves nothing, but it is its own: no update writes it again."""
    it = Resource("Network", shop.config, "n" * 250)
    it.up(name="one")
    it.up(name="other")
    assert network.get(shop.region().network, "network", it.id)["description"].endswith("nnn")
    changes = [request.body for request in cloud.requests if request.method == "PUT"]
    assert changes == [{"network": {"name": "other"}}]


def test_what_a_person_wrote_behind_a_mark_stays(shop: Shop) -> None:
    """Words in a description are never overwritten, those behind another stack's mark neither."""
    words = "Managed by Pulumi: shop/dev/net, ask Jo before you delete it"
    region = shop.region()
    net = network.create(region.network, "network", {"name": "net", "description": words})
    Resource("Network", shop.config).up(adopt=net["id"], name="other")
    assert network.get(region.network, "network", net["id"])["description"] == words


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
    "something begun without a type": (
        (),
        lambda folder: _export(folder, {"pending_operations": [{"type": "creating", "resource": {"urn": "urn:"}}]}),
        "not what `pulumi stack export` writes",
    ),
    "another's state": ((), lambda folder: (folder / "stack").write_text("prod"), "not that of shop/prod"),
    "wrong password": ((), lambda folder: _spoil(folder / "config"), "HTTP 401"),
}


def _export(folder: Path, deployment: object) -> None:
    (folder / "export").write_text(json.dumps({"version": 3, "deployment": deployment}))


def _spoil(config: Path) -> None:
    config.write_text(config.read_text().replace("demo-secret", "wrong"))


@pytest.mark.parametrize("case", ERRORS)
def test_what_goes_wrong_is_one_line(
    command: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: str,
) -> None:
    """No stack, no project, no `pulumi`, another stack's state, wrong credentials: one line, and exit status 2."""
    arguments, spoil, said = ERRORS[case]
    spoil(tmp_path)
    if case == "no pulumi":
        monkeypatch.setenv("PATH", str(tmp_path))
    assert command(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_any_script_is_read_and_written_whatever_the_locale(
    command: Callable[..., int], shop: Shop, tmp_path: Path
) -> None:
    """Project file and state are read, and names are told, in UTF-8, as Pulumi writes them."""
    assert command() == 0
    lost = shop.create("Network", "東京", name="東京")
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
        assert lost in done.stdout.decode()
        assert "東京" in done.stdout.decode()


def test_a_closed_pipe_ends_the_command(command: Callable[..., int], shop: Shop) -> None:
    """`orphans --delete | head` neither prints a traceback nor deletes what nobody could read about."""
    assert command() == 0
    lost = shop.create("Network", "net")
    done = run_unread("ecs_pulumi.orphans", "--yes", "--delete", lost)
    assert (done.returncode, done.stderr) == (141, "")
    assert ids(shop.stack) == [lost]


def test_a_file_whose_name_is_no_text_is_one_line(command: Callable[..., int], tmp_path: Path) -> None:
    """Whatever bytes a name has, the line that names it can be written."""
    assert command() == 0
    done = subprocess.run(
        [sys.executable, "-m", "ecs_pulumi.orphans", "--state", b"caf\xe9.json"], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == b"error: caf\\udce9.json: No such file or directory\n"


def test_the_help_says_what_it_does_not_see(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit statuses, attachments and key pairs are in the help."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "exit status" in said
    assert "attachments" in said
    assert "key pairs" in said


@pytest.mark.parametrize(
    ("seconds", "age"), [(5, "5 s"), (119, "119 s"), (121, "2 min"), (7300, "2 h"), (200000, "2 d")]
)
def test_ages_are_told_in_one_unit(seconds: int, age: str) -> None:
    """The largest unit of which there are two at least."""
    assert _age(datetime.now(timezone.utc) - timedelta(seconds=seconds)) == age
