"""`cloud`: resources and lookups of one program in two clouds."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.runtime import set_all_config

import ecs_pulumi as ecs
from ecs_pulumi.adopt.__main__ import _managed
from ecs_pulumi.adopt.__main__ import main as adopt
from ecs_pulumi.cloud.errors import MissingCredentials
from ecs_pulumi.dynamic.ownership import OWNERSHIP
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.emulator.accounts import fixed_id
from ecs_pulumi.orphans import delete, find_orphans
from ecs_pulumi.resources import clients
from ecs_pulumi.stack import Stack
from tests.support.clouds import entry, hide_variables, write_clouds
from tests.support.landscape import client
from tests.support.steps import PROJECT, SAME, STACK, UNKNOWN, Failed, Refused, Resource, Step, clear_caches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"
SUBNET = {"network_id": "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e", "cidr": "10.0.0.0/24"}
THING = "pulumi-python:dynamic/ecs:Thing"
ME = ("KeyPair", "me")
MOVED = Step("replace", frozenset({"cloud"}))


@pytest.fixture(scope="module")
def emulators() -> Iterator[dict[str, Emulator]]:
    """The cloud of the stack, and the one of the entries `other` and `twin`, which is another way to name it."""
    with Emulator(speed=200, dialect="openstack") as own, Emulator(speed=200, dialect="openstack") as other:
        yield {"own": own, "other": other}


@pytest.fixture(autouse=True)
def clouds_file(emulators: dict[str, Emulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Describe both clouds in a clouds.yaml, for this test only: those of other modules may run in between."""
    own, other = emulators.values()
    hide_variables(monkeypatch)
    # A connection of another test may have the same settings: none, or the name of an entry.
    monkeypatch.setattr(clients, "_connections", {})
    twin = entry(other, project_name=None, project_domain_name=None, project_id=fixed_id("project/demo"))
    for name, value in write_clouds(tmp_path, {"own": entry(own), "other": entry(other), "twin": twin}).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def new(emulators: dict[str, Emulator]) -> Iterator[Callable[..., Resource]]:
    """Return new resources of a stack on the own cloud; destroy them after the test, the last one first."""
    config = {f"ecs:{name}": value for name, value in emulators["own"].settings.items()}
    created: list[Resource] = []
    clear_caches()

    def resource(kind: str, name: str = "it") -> Resource:
        created.append(Resource(kind, config, name))
        return created[-1]

    yield resource
    for each in reversed(created):
        each.destroy()


def names(emulator: Emulator) -> dict[str, str]:
    """Return the networks and key pairs in an emulated cloud: ids by name."""
    with client(emulator.settings) as cloud:
        listed = [*cloud.network.networks(), *cloud.compute.keypairs()]
        return {each.name: each.id for each in listed}


@pytest.mark.parametrize(
    ("kind", "inputs"), [("Network", {"name": "far"}), ("KeyPair", {"name": "far", "public_key": KEY})]
)
def test_object_lives_in_other_cloud(
    kind: str, inputs: dict[str, Any], new: Callable[..., Resource], emulators: dict[str, Emulator]
) -> None:
    """Create, preview, refresh, get and delete use the entry; the state contains its name and nothing of its login."""
    it = new(kind)
    it.up(**inputs, cloud="other")
    assert "far" in names(emulators["other"])
    assert "far" not in names(emulators["own"])
    assert it.outputs["cloud"] == "other"
    assert emulators["other"].url not in str((it.state, it.outputs))
    assert it.preview(**inputs, cloud="other") == SAME
    it.refresh()
    assert it.preview(**inputs, cloud="other") == SAME
    assert it.outputs["cloud"] == "other"
    assert it.get(it.id, cloud="other").outputs["name"] == "far"
    with pytest.raises(Failed, match="there is no"):
        it.get(it.id)
    it.destroy()
    assert "far" not in names(emulators["other"])


@pytest.mark.parametrize(("before", "after"), [("own", "other"), (None, "other"), ("other", None), ("other", "")])
def test_change_of_cloud_replaces(
    before: str | None, after: str | None, new: Callable[..., Resource], emulators: dict[str, Emulator]
) -> None:
    """The replacement is in the other cloud, and the object in the first one is deleted there."""
    it = new("Network")
    it.up(name="moved", cloud=before)
    assert "moved" in names(emulators[before or "own"])
    assert it.preview(name="moved", cloud=after) == MOVED
    assert it.up(name="moved", cloud=after) == MOVED
    assert "moved" in names(emulators[after or "own"])
    assert "moved" not in names(emulators[before or "own"])
    assert it.preview(name="moved", cloud=after) == SAME


def test_move_is_checked_as_a_new_object(new: Callable[..., Resource], emulators: dict[str, Emulator]) -> None:
    """Nothing of the prior object is in the other cloud: its size is no lower limit, and its name may be taken."""
    volume, key = new("Volume"), new("KeyPair")
    volume.up(size=2)
    assert volume.preview(size=1, cloud="other") == Step("replace", frozenset({"cloud"}))
    key.up(name="taken", public_key=KEY)
    with client(emulators["other"].settings) as cloud:
        cloud.compute.create_keypair(name="taken")
        with pytest.raises(Refused, match=r"a key pair named taken exists already; .* \(cloud 'other'\)"):
            key.preview(name="taken", public_key=KEY, cloud="other")
        cloud.compute.delete_keypair("taken")
    assert key.preview(name="taken", public_key=KEY, cloud="other").op == "replace"


def test_create_continues_after_interruption(new: Callable[..., Resource], emulators: dict[str, Emulator]) -> None:
    """An object that a killed run left in the other cloud is completed, and not taken for one of the stack's cloud."""
    it = new("Network")
    it.backend = "0a1b2c3d"
    it.interrupted = [{"name": "left", "cloud": "other"}]
    marker = f"Managed by Pulumi: {PROJECT}/{STACK}/it [{it.backend}]"
    with client(emulators["other"].settings) as cloud:
        left = cloud.network.create_network(name="left", description=marker).id
    it.up(name="left")
    assert it.id != left
    it.destroy()
    it.up(name="left", cloud="other")
    assert it.id == left


def test_unset_cloud_and_empty_one_are_the_same(new: Callable[..., Resource]) -> None:
    """An empty string names the cloud of the stack, as an unset input does."""
    it = new("Network")
    it.up(name="same")
    assert it.preview(name="same", cloud="") == SAME


def test_update_in_place(new: Callable[..., Resource], emulators: dict[str, Emulator]) -> None:
    """An update changes the object in its cloud, and a change outside of Pulumi is drift."""
    it = new("Network")
    it.up(name="first", cloud="other")
    it.up(name="second", cloud="other")
    with client(emulators["other"].settings) as cloud:
        assert cloud.network.get_network(it.id).name == "second"
        cloud.network.update_network(it.id, name="third")
    it.refresh()
    assert it.preview(name="second", cloud="other").op == "update"


def test_error_names_the_cloud(new: Callable[..., Resource]) -> None:
    """A preview that fails because of what the other cloud offers names that cloud."""
    with pytest.raises(Refused, match=r"there is no network .*\(cloud 'other'\)"):
        new("Subnet").preview(**SUBNET, cloud="other")
    with pytest.raises(Refused) as refused:
        new("Subnet").preview(**SUBNET)
    assert "cloud" not in str(refused.value)


@pytest.mark.parametrize("config", [{}, {"ecs:preflight": "false"}])
def test_unknown_entry(config: dict[str, str], emulators: dict[str, Emulator]) -> None:
    """One line names the input and lists the entries."""
    settings = {f"ecs:{name}": value for name, value in emulators["own"].settings.items()}
    with pytest.raises(Failed) as failed:
        Resource("Network", {**settings, **config}).up(name="nowhere", cloud="othr")
    verb = "create" if config else "check"
    file = os.environ["OS_CLIENT_CONFIG_FILE"]
    assert str(failed.value) == (
        f"{verb} Network it: cloud: no cloud 'othr' in {file}; its clouds are: other, own, twin"
    )


def test_refresh_after_entry_was_removed(new: Callable[..., Resource], monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that names an entry which no longer exists leads to the same line."""
    it = new("Network")
    it.up(name="lost", cloud="other")
    it.state.outputs["cloud"] = "gone"  # type: ignore[union-attr]
    with pytest.raises(Failed, match=r"^read Network it \(.*\): cloud: no cloud 'gone' in .*; its clouds are: other, "):
        it.refresh()
    with pytest.raises(Failed, match=r"^delete Network it \(.*\): cloud: no cloud 'gone' in "):
        it.destroy()
    it.state.outputs["cloud"] = "other"  # type: ignore[union-attr]


def test_unknown_value_is_not_checked_against_the_stack_cloud(
    new: Callable[..., Resource], emulators: dict[str, Emulator]
) -> None:
    """If a preview does not know the cloud, it does not look the references up in the wrong one."""
    sent = len(emulators["own"].requests)
    assert new("Subnet").preview(**SUBNET, cloud=UNKNOWN) == Step("create")
    assert len(emulators["own"].requests) == sent
    it = new("Network")
    it.up(name="unsure", cloud="other")
    assert it.preview(name="unsure", cloud=UNKNOWN) == MOVED


def test_adopt(new: Callable[..., Resource], emulators: dict[str, Emulator]) -> None:
    """`adopt` imports an object of the other cloud."""
    with client(emulators["other"].settings) as cloud:
        existing = cloud.network.create_network(name="existing").id
    expected = f"adopt: there is no Network {existing} in this project and region; remove `adopt` to create a new one$"
    with pytest.raises(Refused, match=expected):
        new("Network").up(name="existing", adopt=existing)
    it = new("Network")
    it.up(name="existing", adopt=existing, cloud="other")
    assert it.id == existing
    assert it.preview(name="existing", adopt=existing, cloud="other") == SAME


@pytest.mark.parametrize(
    ("kind", "inputs"), [("Network", {"name": "once"}), ("KeyPair", {"name": "once", "public_key": KEY})]
)
def test_object_is_owned_once_through_two_entries(
    kind: str, inputs: dict[str, Any], new: Callable[..., Resource], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object that two resources declare is refused, also if they name its cloud by different entries."""
    first, second = new(kind, "first"), new(kind, "second")
    first.up(**inputs, cloud="other")
    assert first.preview(**inputs, cloud="other") == SAME
    # The previews belong to one run.
    monkeypatch.setattr(OWNERSHIP, "clear", lambda: None)
    with pytest.raises(Failed, match=f"{first.id} is managed by {kind} first of this program"):
        second.up(**inputs, adopt=first.id, cloud="twin")


def test_key_pairs_of_two_clouds_are_two_objects(
    new: Callable[..., Resource], emulators: dict[str, Emulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key pairs have no id but their name; two with the same name in two clouds do not conflict."""
    here, there = new("KeyPair", "here"), new("KeyPair", "there")
    monkeypatch.setattr(OWNERSHIP, "clear", lambda: None)
    for it, cloud in ((here, None), (there, "other")):
        it.up(name="me", public_key=KEY, cloud=cloud)
        assert it.preview(name="me", public_key=KEY, cloud=cloud) == SAME
    there.destroy()
    assert "me" in names(emulators["own"])
    assert "me" not in names(emulators["other"])


def test_entry_of_the_stack_shares_its_connection(emulators: dict[str, Emulator]) -> None:
    """A stack that uses an entry, and a resource that names the same one, log in once and list once."""
    emulators["own"].requests.clear()
    clients._connections.clear()
    network, named = (Resource("Network", {"ecs:cloud": "own"}, name) for name in ("plain", "named"))
    network.up(name="plain")
    named.up(name="named", cloud="own")
    logins = [each for each in emulators["own"].requests if each.path.endswith("/auth/tokens")]
    assert len(logins) == 1
    for it in (network, named):
        it.destroy()


def create_owned(emulator: Emulator, name: str) -> str:
    """Create a network as a killed `up` of the stack leaves it, and return its id."""
    with client(emulator.settings) as cloud:
        return str(cloud.network.create_network(name=name, description=f"Managed by Pulumi: shop/dev/{name}").id)


def in_state(cloud: str) -> dict[str, Any]:
    """Return a resource of a state that names a cloud."""
    return {"urn": "", "type": THING, "id": "1", "outputs": {"region": "RegionOne", "cloud": cloud}}


def test_orphans_in_clouds_that_the_state_names(emulators: dict[str, Emulator]) -> None:
    """Orphans are found and deleted in every cloud of the state and of `--cloud`; twin entries are searched once."""
    settings = {f"ecs:{name}": value for name, value in emulators["own"].settings.items()}
    here, there = create_owned(emulators["own"], "here"), create_owned(emulators["other"], "there")
    assert [each.id for each in find_orphans(Stack("shop", "dev", [], settings))] == [here]
    for stack, clouds in (
        (Stack("shop", "dev", [in_state("other"), in_state("twin")], settings), []),
        (Stack("shop", "dev", [], settings, [{"urn": "", "type": THING, "inputs": {"cloud": "other"}}]), []),
        (Stack("shop", "dev", [], settings), ["other"]),
    ):
        found = {each.id: each for each in find_orphans(stack, clouds=clouds)}
        assert list(found) == [here, there]
        assert (found[here].cloud, found[there].cloud) == (None, "other")
        assert found[there].adopt == f'ecs.Network("there", …, cloud="other", adopt="{there}")'
    assert delete(stack, list(found.values())) == {}
    assert not {"here", "there"} & {*names(emulators["own"]), *names(emulators["other"])}


def test_pending_create_confirms_orphan_only_in_its_cloud(emulators: dict[str, Emulator]) -> None:
    """An interrupted create in one cloud is no evidence for an object with the same name in another one."""
    settings = {f"ecs:{name}": value for name, value in emulators["own"].settings.items()}
    urn, kind = "urn:pulumi:dev::shop::pulumi-python:dynamic/ecs:KeyPair::key", "pulumi-python:dynamic/ecs:KeyPair"
    inputs = {"name": "key-0a1b2c3d", "cloud": "other"}
    stack = Stack("shop", "dev", [], settings, [{"urn": urn, "type": kind, "inputs": inputs}])
    with client(emulators["own"].settings) as own, client(emulators["other"].settings) as other:
        for cloud in (own, other):
            cloud.compute.create_keypair(name="key-0a1b2c3d")
        found = find_orphans(stack)
        assert [(each.kind, each.cloud, each.confirmed_by_state) for each in found] == [("KeyPair", "other", True)]
        for cloud in (own, other):
            cloud.compute.delete_keypair("key-0a1b2c3d")


def test_exports_of_the_program_are_no_places(emulators: dict[str, Emulator]) -> None:
    """A program may export values named `cloud` and `region`: they are outputs of the stack's own resource."""
    settings = {f"ecs:{name}": value for name, value in emulators["own"].settings.items()}
    exports = {"urn": "", "type": "pulumi:pulumi:Stack", "outputs": {"cloud": "mars", "region": "mars"}}
    assert find_orphans(Stack("shop", "dev", [exports], settings)) == []


def test_orphans_without_a_cloud_of_the_stack() -> None:
    """A stack whose resources all name a cloud needs no other one; a stack without any cloud is an error."""
    assert find_orphans(Stack("shop", "dev", [in_state("other")], {})) == []
    with pytest.raises(MissingCredentials, match="No cloud is configured"):
        find_orphans(Stack("shop", "dev", [], {}))


def test_adopt_command_writes_program_for_other_cloud(
    emulators: dict[str, Emulator],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every resource and lookup of the program names the entry, and no settings of a stack are needed."""
    monkeypatch.chdir(tmp_path)
    admin = emulators["other"].settings_of("admin")
    with client(emulators["other"].settings) as cloud, client(admin) as administrator:
        shared = administrator.network.create_network(name="everyone", is_shared=True)
        subnet = administrator.network.create_subnet(network_id=shared.id, ip_version=4, cidr="10.7.0.0/24")
        network = cloud.network.create_network(name="far")
        port = cloud.network.create_port(name="door", network_id=shared.id)
        assert adopt(["--cloud", "other", "--all", "--kind", "network,port"]) == 0
        program, report = capsys.readouterr()
        cloud.network.delete_port(port)
        cloud.network.delete_network(network)
        administrator.network.delete_subnet(subnet)
        administrator.network.delete_network(shared)
    calls = [
        node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call) and "ecs." in ast.unparse(node)
    ]
    assert {ast.unparse(each.func) for each in calls} == {"ecs.get_network", "ecs.Network", "ecs.Port"}
    assert all("cloud='other'" in ast.unparse(each) for each in calls)
    assert "pulumi config set" not in report
    assert "secret" not in program + report


def test_adopt_command_distinguishes_key_pairs_of_two_clouds() -> None:
    """A key pair in the state is omitted from the program only if it is in the same cloud."""
    kind = {"type": "pulumi-python:dynamic/ecs:KeyPair", "id": "me", "outputs": {"cloud": "other"}}
    stack = Stack("shop", "dev", [kind], {"ecs:cloud": "own"})
    assert (_managed(stack, "other"), _managed(stack, "twin"), _managed(stack, None)) == ({ME}, {ME}, set())


def test_lookups(emulators: dict[str, Emulator]) -> None:
    """A lookup and its `_output` variant find what is in the entry's cloud."""
    settings = {f"ecs:{name}": value for name, value in emulators["own"].settings.items()}
    set_all_config(settings, ["ecs:password"])
    with client(emulators["other"].settings) as cloud:
        there = cloud.network.create_network(name="looked-up").id
        try:
            assert ecs.get_network("looked-up", cloud="other").id == there
            with pytest.raises(ecs.NoMatch):
                ecs.get_network("looked-up")
            with pytest.raises(ecs.LookupFailed, match=r"^get_network: cloud: no cloud 'othr' in .*; its clouds are: "):
                ecs.get_network("looked-up", cloud="othr")
        finally:
            cloud.network.delete_network(there)
