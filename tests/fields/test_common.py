"""Behavior of every kind: `region`, `adopt`, `get`, and objects deleted outside of Pulumi."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.handler import get_handler
from ecs_pulumi.emulator.accounts import fixed_id
from tests.fields.assertions import VOLATILE_OUTPUTS, stable
from tests.fields.rows import TABLE
from tests.fields.rows.compute import KEYS
from tests.fields.rows.row import known
from tests.support.steps import SAME, Failed, Refused, Resource, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fields.cloud_fixtures import CloudFixtures


@dataclass(frozen=True)
class Specimen:
    """An example object of a kind.

    Attributes:
        inputs: Returns the inputs of the object.
        changes: Inputs to change in place.
        replaces: An input that requires a replacement.
        delete: Deletes the object outside of Pulumi, without waiting for the end of the deletion.
        find: Returns the remote object; None if it does not exist.
    """

    inputs: Callable[[CloudFixtures], dict[str, Any]]
    delete: Callable[[CloudFixtures, str], object]
    find: Callable[[CloudFixtures, str], Any]
    replaces: dict[str, Any]
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)


def _halves(id_: str) -> tuple[str, str]:
    server, _, attached = id_.partition("/")
    return server, attached


def _find_nic(fixtures: CloudFixtures, id_: str) -> Any:
    server, port = _halves(id_)
    return next((nic for nic in fixtures.cloud.compute.server_interfaces(server) if nic.port_id == port), None)


def _detach_nic(fixtures: CloudFixtures, id_: str) -> None:
    server, port = _halves(id_)
    fixtures.cloud.compute.delete_server_interface(port, server=server)
    fixtures.cloud.network.delete_port(port)


def _find_attachment(fixtures: CloudFixtures, id_: str) -> Any:
    server, volume = _halves(id_)
    remote = fixtures.cloud.block_storage.get_volume(volume)
    return next((item for item in remote.attachments if item["server_id"] == server), None)


def _detach_volume(fixtures: CloudFixtures, id_: str) -> None:
    server, volume = _halves(id_)
    answer = fixtures.cloud.compute.delete(f"/servers/{server}/os-volume_attachments/{volume}")
    assert answer.ok, answer.text
    fixtures.wait_for(lambda: fixtures.cloud.block_storage.get_volume(volume).status == "available")


SPECIMENS = {
    "Network": Specimen(
        lambda g: {"name": "fields-adopted", "description": "one"},
        lambda g, id_: g.cloud.network.delete_network(id_),
        lambda g, id_: g.cloud.network.find_network(id_),
        replaces={"availability_zone_hints": ["nowhere"]},
        changes={"description": "two"},
    ),
    "Subnet": Specimen(
        lambda g: {"name": "fields-adopted", "network_id": g.bare_network, "cidr": "10.95.0.0/24"},
        lambda g, id_: g.cloud.network.delete_subnet(id_),
        lambda g, id_: g.cloud.network.find_subnet(id_),
        replaces={"cidr": "10.95.1.0/24"},
        changes={"dns_nameservers": ["8.8.8.8"]},
    ),
    "Port": Specimen(
        lambda g: {"name": "fields-adopted", "network_id": g.subnet and g.network},
        lambda g, id_: g.cloud.network.delete_port(id_),
        lambda g, id_: g.cloud.network.find_port(id_),
        replaces={"mac_address": "fa:16:3e:00:95:01"},
        changes={"fixed_ips": []},
    ),
    "SecurityGroup": Specimen(
        lambda g: {"name": g.unique_name("adopted"), "description": "one"},
        lambda g, id_: g.cloud.network.delete_security_group(id_),
        lambda g, id_: g.cloud.network.find_security_group(id_),
        replaces={"project_id": "0b3ed1e72b1d4a6e8f7e3a2d6d0c8b0e"},
        changes={"description": "two"},
    ),
    "SecurityGroupRule": Specimen(
        lambda g: {"security_group_id": g.groups[0], "direction": "ingress", "protocol": "tcp", "port_range_min": 95},
        lambda g, id_: g.cloud.network.delete_security_group_rule(id_),
        lambda g, id_: g.cloud.network.find_security_group_rule(id_),
        replaces={"port_range_min": 96},
    ),
    "Router": Specimen(
        lambda _: {"name": "fields-adopted", "external_network": "public", "description": "one"},
        lambda g, id_: g.cloud.network.delete_router(id_),
        lambda g, id_: g.cloud.network.find_router(id_),
        replaces={"availability_zone_hints": ["nowhere"]},
        changes={"description": "two", "external_network": ""},
    ),
    "RouterInterface": Specimen(
        lambda g: {"router_id": g.routers[0], "subnet_id": g.subnet},
        lambda g, id_: g.cloud.network.remove_interface_from_router(_halves(id_)[0], port=_halves(id_)[1]),
        lambda g, id_: g.cloud.network.find_port(_halves(id_)[1]),
        replaces={"router_id": lambda g: g.routers[1]},
    ),
    "RouterRoute": Specimen(
        lambda g: {"router_id": g.connected_routers[0], "destination": "192.168.95.0/24", "nexthop": "10.90.3.10"},
        lambda g, id_: g.cloud.network.update_router(_halves(id_)[0], routes=[]),
        lambda g, id_: g.cloud.network.get_router(_halves(id_)[0]).routes or None,
        replaces={"destination": "192.168.96.0/24"},
    ),
    "FloatingIp": Specimen(
        lambda g: {"external_network": "public", "port_id": g.published_ports[0], "description": "one"},
        lambda g, id_: g.cloud.network.delete_ip(id_),
        lambda g, id_: g.cloud.network.find_ip(id_),
        replaces={"external_network": lambda g: g.other_external_network},
        changes={"description": "two"},
    ),
    "FloatingIpAssociation": Specimen(
        lambda g: {"floating_ip_id": g.floating_ips[0], "port_id": g.published_ports[0]},
        lambda g, id_: g.cloud.network.update_ip(id_, port_id=None),
        lambda g, id_: g.cloud.network.get_ip(id_).port_id,
        replaces={"floating_ip_id": lambda g: g.floating_ips[1]},
    ),
    "KeyPair": Specimen(
        lambda g: {"name": g.unique_name("adopted"), "public_key": KEYS[0]},
        lambda g, id_: g.cloud.compute.delete_keypair(id_),
        lambda g, id_: g.cloud.compute.find_keypair(id_),
        replaces={"public_key": KEYS[1]},
    ),
    "ServerGroup": Specimen(
        lambda g: {"name": g.unique_name("adopted"), "policy": "anti-affinity"},
        lambda g, id_: g.cloud.compute.delete_server_group(id_),
        lambda g, id_: g.cloud.compute.find_server_group(id_),
        replaces={"policy": "affinity"},
    ),
    "Volume": Specimen(
        lambda g: {"name": "fields-adopted", "size": 1, "metadata": {"a": "1"}},
        lambda g, id_: g.cloud.block_storage.delete_volume(id_),
        lambda g, id_: g.cloud.block_storage.find_volume(id_),
        replaces={"source_volume_id": "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"},
        changes={"size": 2, "metadata": {}},
    ),
    "Server": Specimen(
        lambda g: {**g.server_inputs, "name": "fields-adopted", "metadata": {"a": "1"}},
        lambda g, id_: g.cloud.compute.delete_server(id_),
        lambda g, id_: g.cloud.compute.find_server(id_),
        replaces={"config_drive": True},
        changes={"metadata": {}, "power_state": "shutoff"},
    ),
    "VolumeAttachment": Specimen(
        lambda g: {"server_id": g.server, "volume_id": g.volumes[0]},
        _detach_volume,
        _find_attachment,
        replaces={"server_id": lambda g: g.other_server},
    ),
    "InterfaceAttachment": Specimen(
        lambda g: {"server_id": g.server, "network_id": g.subnet and g.network},
        _detach_nic,
        _find_nic,
        replaces={"server_id": lambda g: g.other_server},
    ),
}

each_kind = pytest.mark.parametrize("kind", list(SPECIMENS))

UNSET_OUTPUTS = {
    "Port": {"dns_assignment"},
    "KeyPair": {"private_key"},
    "Volume": {"image_id", "image_name"},
    "Server": {"task_state", "fault", "pending_action", "access_ip_v6", "instance_name", "hostname"},
}
"""Outputs without a value in these examples: the cloud has no DNS and did not generate the key, the volume has no
image, the server has no task and no fault, and only administrators see its host. The tests of each kind cover them."""


class ExampleObject:
    """The example object of a kind, managed by `resource` or created outside of its stack."""

    def __init__(self, kind: str, fixtures: CloudFixtures) -> None:
        self.fixtures = fixtures
        self.specimen = SPECIMENS[kind]
        self.inputs = self.specimen.inputs(fixtures)
        self.resource: Resource = fixtures.resource(kind)

    def create_unmanaged(self) -> str:
        """Create the object, remove it from the state, and return its id."""
        self.resource.up(**self.inputs)
        id_ = self.resource.id
        self.resource.forget()
        return id_

    def delete(self) -> None:
        """Delete the object outside of Pulumi."""
        id_ = self.resource.id
        self.specimen.delete(self.fixtures, id_)
        self.fixtures.wait_for(lambda: self.specimen.find(self.fixtures, id_) is None)


@pytest.fixture
def example(kind: str, fixtures: CloudFixtures) -> Iterator[ExampleObject]:
    """The example object of the kind; the test creates it."""
    created = ExampleObject(kind, fixtures)
    yield created
    created.resource.destroy()


def test_every_kind_has_a_specimen() -> None:
    """Each kind of the table has a specimen."""
    assert set(SPECIMENS) == set(TABLE)


@pytest.mark.thorough
@each_kind
def test_region_defaults_to_the_configured_region(kind: str, example: ExampleObject, fixtures: CloudFixtures) -> None:
    """Setting `region` to the configured region changes nothing; a region that is not in the catalog is rejected."""
    region = fixtures.region
    example.resource.up(**example.inputs, region=region)
    assert example.resource.outputs["region"] == region
    assert example.resource.preview(**example.inputs) == SAME
    assert example.resource.preview(**example.inputs, region=region) == SAME
    with pytest.raises((Refused, Failed), match="no region 'elsewhere'"):
        example.resource.preview(**example.inputs, region="elsewhere")


@pytest.mark.thorough
@each_kind
def test_cloud_selects_entry_of_clouds_yaml(
    kind: str, example: ExampleObject, fixtures: CloudFixtures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object that names its cloud is created there, shows no changes, and is replaced if it no longer names it."""
    cloud = os.environ.get("OS_CLOUD", "entry")
    if not fixtures.live:
        (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {cloud: fixtures.entry}}))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    example.resource.up(**example.inputs, cloud=cloud)
    assert example.resource.preview(**example.inputs, cloud=cloud) == SAME
    example.resource.refresh()
    assert example.resource.preview(**example.inputs, cloud=cloud) == SAME
    step = example.resource.preview(**example.inputs)
    assert (step.op, step.inputs) == ("replace", frozenset({"cloud"}))


@pytest.mark.thorough
@each_kind
def test_adopt_changes_nothing(kind: str, example: ExampleObject) -> None:
    """`adopt` imports the object unchanged, and a later change of `adopt` has no effect."""
    id_ = example.create_unmanaged()
    assert example.resource.up(**example.inputs, adopt=id_).op == "create"
    assert example.resource.id == id_
    assert example.resource.preview(**example.inputs, adopt=id_) == SAME
    example.resource.refresh()
    assert example.resource.preview(**example.inputs, adopt=id_) == SAME
    assert example.resource.preview(**example.inputs) == SAME
    assert example.resource.preview(**example.inputs, adopt="another") == SAME


@pytest.mark.parametrize("kind", [kind for kind, specimen in SPECIMENS.items() if specimen.changes])
def test_adopt_updates_in_place(kind: str, example: ExampleObject) -> None:
    """An `up` with `adopt` updates the inputs that differ and can change in place."""
    id_ = example.create_unmanaged()
    desired = example.inputs | example.specimen.changes
    example.resource.up(**desired, adopt=id_)
    assert example.resource.id == id_
    assert {name: example.resource.outputs[name] for name in example.specimen.changes} == example.specimen.changes
    example.resource.refresh()
    assert example.resource.preview(**desired, adopt=id_) == SAME


@pytest.mark.thorough
@each_kind
def test_adopt_rejects_replacement(kind: str, example: ExampleObject, fixtures: CloudFixtures) -> None:
    """`adopt` with an input that requires a replacement fails and names the input; the object is unchanged."""
    id_ = example.create_unmanaged()
    different = {name: known(fixtures, value) for name, value in example.specimen.replaces.items()}
    # The check may already report that the zone or the volume does not exist.
    with pytest.raises((Refused, Failed), match=next(iter(different))):
        example.resource.up(**example.inputs | different, adopt=id_)
    assert example.resource.state is None
    example.resource.up(**example.inputs, adopt=id_)


def _missing_id(kind: str) -> str:
    """Return an id of no object in the format of the kind."""
    return "/".join(["0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"] * (1 + get_handler(kind).id_format.count("/")))


@each_kind
def test_adopt_of_missing_object(kind: str, example: ExampleObject) -> None:
    """`adopt` with the id of no object fails; the error contains the id, and what to do if it was deleted."""
    id_ = _missing_id(kind)
    with pytest.raises(Refused, match=rf"adopt: there is no {kind} {id_} .*; remove `adopt` to create a new one"):
        example.resource.up(**example.inputs, adopt=id_)
    assert example.resource.state is None


@pytest.mark.thorough
@each_kind
def test_get_reads_unmanaged_object(kind: str, example: ExampleObject) -> None:
    """`get` reads an object without managing it; every input that the API returns has its value."""
    example.resource.up(**example.inputs)
    result = example.resource.get(example.resource.id)
    assert result.id == example.resource.id
    returned = {name: value for name, value in example.inputs.items() if result.outputs.get(name) is not None}
    assert all(get_handler(kind).is_equal(name, value, result.outputs) for name, value in returned.items())
    assert set(example.inputs) - set(returned) <= {"networks"}, "Nova does not return the requested networks"


@each_kind
def test_outputs_are_the_same_after_create_refresh_and_get(kind: str, example: ExampleObject) -> None:
    """Every output has a value after create, and the same value after a refresh and from `get`."""
    outputs = set(fields.fields_of(get_handler(kind).outputs))

    def without_inputs(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in stable(values).items() if name in outputs}

    example.resource.up(**example.inputs)
    created = without_inputs(example.resource.outputs)
    assert outputs - VOLATILE_OUTPUTS - created.keys() == UNSET_OUTPUTS.get(kind, set())
    example.resource.refresh()
    assert without_inputs(example.resource.outputs) == created
    assert without_inputs(example.resource.get(example.resource.id).outputs) == created


@each_kind
def test_get_of_missing_object(kind: str, example: ExampleObject) -> None:
    """`get` of an object that does not exist fails."""
    with pytest.raises(Failed, match="there is no"):
        example.resource.get(_missing_id(kind))


@pytest.mark.thorough
@each_kind
def test_object_deleted_outside_of_pulumi(kind: str, example: ExampleObject) -> None:
    """If the object is gone, an update fails, a delete succeeds, and after a refresh the next `up` creates it again."""
    example.resource.up(**example.inputs)
    example.delete()
    if example.specimen.changes:
        with pytest.raises(Failed, match=r"no longer exists; `pulumi refresh` removes it from the state"):
            example.resource.up(**example.inputs | example.specimen.changes)
    example.resource.refresh()
    assert example.resource.state is None
    example.resource.up(**example.inputs)
    example.delete()
    example.resource.destroy()
    assert example.resource.state is None


OF_OTC: dict[str, dict[str, Any]] = {
    "Router": {"external_network": "admin_external_net"},
    "FloatingIp": {"external_network": "admin_external_net"},
    "Volume": {"size": 10},
}
"""What differs in the example objects on an Open Telekom Cloud."""


# A key pair belongs to a user: the cloud refuses to show it to another one, instead of answering 404.
@pytest.mark.parametrize("kind", [kind for kind in SPECIMENS if kind != "KeyPair"])
def test_object_of_another_account(kind: str, otc_fixtures: CloudFixtures) -> None:
    """With credentials of another account no operation takes the object for deleted, because the state shows its owner.

    The state of many kinds does not name the project: then other resources of the stack show it, unless one of them is
    in the project of the credentials.
    """
    agency = {"ecs:agencyName": "ecs-agency", "ecs:agencyDomainName": "OTC-EU-DE-00000000001000000002"}
    config = {name: value for name, value in otc_fixtures.config.items() if name != "ecs:projectDomainName"}
    elsewhere = Resource(kind, config | agency)
    own = otc_fixtures.resource(kind)
    own.up(**{**SPECIMENS[kind].inputs(otc_fixtures), **OF_OTC.get(kind, {})})
    try:
        elsewhere.state = copy.deepcopy(own.state)
        project = str(otc_fixtures.cloud.current_project_id)
        named = "project_id" in own.outputs
        elsewhere.others = [] if named else [_network(otc_fixtures, project)]
        elsewhere.others += [_network(otc_fixtures, "of-program", inputs={"project_id": "of-program"})]
        reason = rf"{kind} .* not found, but may exist: the credentials are for project \w+, .* project {project};"
        with pytest.raises(Failed, match=f"^read {reason}"):
            elsewhere.refresh()
        with pytest.raises(Failed, match=f"^delete {reason}"):
            elsewhere.destroy()
        assert elsewhere.state is not None
        elsewhere.outputs.pop("project_id", None)
        elsewhere.others = [_network(otc_fixtures, project), _network(otc_fixtures, fixed_id("project/agency/eu-de"))]
        elsewhere.refresh()
        assert elsewhere.state is None
    finally:
        own.destroy()


def _network(fixtures: CloudFixtures, project: str, **more: Any) -> dict[str, Any]:
    """Return the entry of a network in the state."""
    outputs = {"region": fixtures.region, "project_id": project}
    kind = "pulumi-python:dynamic/ecs:Network"
    urn = f"urn:pulumi:test::fields::{kind}::{project}"
    return {"urn": urn, "type": kind, "id": project, "outputs": outputs, **more}


@pytest.mark.thorough
@each_kind
def test_lifecycle_without_rpc_bridge(kind: str, example: ExampleObject, fixtures: CloudFixtures) -> None:
    """All operations work if the provider cannot find the current request in the frames of the host."""
    resource = fixtures.resource(kind, bridge=False)
    try:
        resource.up(**example.inputs)
        assert resource.preview(**example.inputs) == SAME
        resource.refresh()
        assert resource.preview(**example.inputs) == SAME
        changed = example.inputs | example.specimen.changes
        resource.up(**changed)
        resource.refresh()
        assert resource.preview(**changed) == SAME
    finally:
        resource.destroy()


def test_failed_update_keeps_prior_state(fixtures: CloudFixtures) -> None:
    """A failed update keeps the prior inputs in the state; the next `up` with these inputs changes nothing."""
    # Without preflight checks, because the check would reject the size.
    volume = fixtures.resource("Volume", config={"ecs:preflight": "false"})
    try:
        volume.up(size=1)
        with pytest.raises(Failed, match="Quota"):
            volume.up(size=100_000)
        assert volume.state is not None
        assert volume.state.inputs["size"] == 1
        volume.up(size=1)
        assert volume.preview(size=1) == SAME
        assert volume.preview(size=2) == updates("size")
    finally:
        volume.destroy()
