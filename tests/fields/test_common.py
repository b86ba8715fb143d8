"""What holds for every kind: `region`, `adopt`, `get`, and an object that somebody deleted by hand."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.kind import get_handler
from tests.fields.rows import TABLE
from tests.fields.rows.compute import KEYS
from tests.fields.rows.row import known
from tests.support.steps import SAME, Failed, Refused, Resource, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fields.ground import CloudFixtures


@dataclass(frozen=True)
class Specimen:
    """One object of a kind.

    Attributes:
        inputs: What the program says of it.
        changes: What can be said otherwise and is then changed in place.
        replaces: What cannot be had without a replacement.
        delete: Deletes it by hand; whether it is gone is looked up with `find`.
        find: Looks it up by hand.
    """

    inputs: Callable[[CloudFixtures], dict[str, Any]]
    delete: Callable[[CloudFixtures, str], object]
    find: Callable[[CloudFixtures, str], Any]
    replaces: dict[str, Any]
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)


def _halves(id_: str) -> tuple[str, str]:
    server, _, other = id_.partition("/")
    return server, other


def _nic(ground: CloudFixtures, id_: str) -> Any:
    server, port = _halves(id_)
    return next((nic for nic in ground.cloud.compute.server_interfaces(server) if nic.port_id == port), None)


def _unplug(ground: CloudFixtures, id_: str) -> None:
    server, port = _halves(id_)
    ground.cloud.compute.delete_server_interface(port, server=server)
    ground.cloud.network.delete_port(port)


def _disk(ground: CloudFixtures, id_: str) -> Any:
    server, volume = _halves(id_)
    found = ground.cloud.block_storage.get_volume(volume)
    return next((item for item in found.attachments if item["server_id"] == server), None)


def _detach(ground: CloudFixtures, id_: str) -> None:
    server, volume = _halves(id_)
    answer = ground.cloud.compute.delete(f"/servers/{server}/os-volume_attachments/{volume}")
    assert answer.ok, answer.text
    ground.until(lambda: ground.cloud.block_storage.get_volume(volume).status == "available")


MOVING = {"updated", "updated_at", "status", "port_state", "subnet_ids"}
"""Outputs that others may change at any time."""

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
    "KeyPair": Specimen(
        lambda g: {"name": g.unique("adopted"), "public_key": KEYS[0]},
        lambda g, id_: g.cloud.compute.delete_keypair(id_),
        lambda g, id_: g.cloud.compute.find_keypair(id_),
        replaces={"public_key": KEYS[1]},
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
        _detach,
        _disk,
        replaces={"server_id": lambda g: g.other_server},
    ),
    "InterfaceAttachment": Specimen(
        lambda g: {"server_id": g.server, "network_id": g.subnet and g.network},
        _unplug,
        _nic,
        replaces={"server_id": lambda g: g.other_server},
    ),
}

each_kind = pytest.mark.parametrize("kind", list(SPECIMENS))

UNTOLD = {
    "Port": {"dns_assignment"},
    "KeyPair": {"private_key"},
    "Volume": {"image_id", "image_name"},
    "Server": {"task_state", "fault", "pending_action", "access_ip_v6", "instance_name", "hostname"},
}
"""What the cloud does not tell of these: it has no DNS, did not make the key, put no image there, lets the server be,
and keeps to administrators where it is. The cases of each kind are about them."""


class Given:
    """An object that exists already, made by somebody else."""

    def __init__(self, kind: str, ground: CloudFixtures) -> None:
        self.ground = ground
        self.specimen = SPECIMENS[kind]
        self.inputs = self.specimen.inputs(ground)
        self.it: Resource = ground.resource(kind)

    def make(self) -> str:
        """Let somebody else make it, and forget that."""
        self.it.up(**self.inputs)
        made = self.it.id
        self.it.forget()
        return made

    def delete(self) -> None:
        """Delete it by hand."""
        id_ = self.it.id
        self.specimen.delete(self.ground, id_)
        self.ground.until(lambda: self.specimen.find(self.ground, id_) is None)


@pytest.fixture
def given(kind: str, ground: CloudFixtures) -> Iterator[Given]:
    """An object of the kind to be."""
    made = Given(kind, ground)
    yield made
    made.it.destroy()


def test_every_kind_has_its_specimen() -> None:
    """A new kind without one fails here."""
    assert set(SPECIMENS) == set(TABLE)


@pytest.mark.thorough
@each_kind
def test_region(kind: str, given: Given, ground: CloudFixtures) -> None:
    """The configured region, said or not, is the same; one that the catalog does not have is refused by name."""
    here = ground.region
    given.it.up(**given.inputs, region=here)
    assert given.it.outputs["region"] == here
    assert given.it.preview(**given.inputs) == SAME
    assert given.it.preview(**given.inputs, region=here) == SAME
    with pytest.raises((Refused, Failed), match="no region 'elsewhere'"):
        given.it.preview(**given.inputs, region="elsewhere")


@each_kind
def test_adopt_changes_nothing(kind: str, given: Given) -> None:
    """The first `up` takes the object over as it is, and whatever `adopt` says later is no change."""
    id_ = given.make()
    assert given.it.up(**given.inputs, adopt=id_).op == "create"
    assert given.it.id == id_
    assert given.it.preview(**given.inputs, adopt=id_) == SAME
    given.it.refresh()
    assert given.it.preview(**given.inputs, adopt=id_) == SAME
    assert given.it.preview(**given.inputs) == SAME
    assert given.it.preview(**given.inputs, adopt="another") == SAME


@pytest.mark.parametrize("kind", [kind for kind, specimen in SPECIMENS.items() if specimen.changes])
def test_adopt_applies_what_differs(kind: str, given: Given) -> None:
    """What the program asks otherwise and can be changed in place is changed by the first `up`."""
    id_ = given.make()
    asked = given.inputs | given.specimen.changes
    given.it.up(**asked, adopt=id_)
    assert given.it.id == id_
    assert {name: given.it.outputs[name] for name in given.specimen.changes} == given.specimen.changes
    given.it.refresh()
    assert given.it.preview(**asked, adopt=id_) == SAME


@each_kind
def test_adopt_refuses_to_replace(kind: str, given: Given, ground: CloudFixtures) -> None:
    """What could only be had by a replacement is refused with its name, and the object stays as it was."""
    id_ = given.make()
    different = {name: known(ground, value) for name, value in given.specimen.replaces.items()}
    # A preview may already know that there is no such zone or volume.
    with pytest.raises((Refused, Failed), match=next(iter(different))):
        given.it.up(**given.inputs | different, adopt=id_)
    assert given.it.state is None
    given.it.up(**given.inputs, adopt=id_)


@each_kind
def test_adopt_of_nothing(kind: str, given: Given) -> None:
    """An id that nothing has is named."""
    nothing = "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"
    id_ = f"{nothing}/{nothing}" if "Attachment" in kind else nothing
    with pytest.raises(Refused, match=f"adopt: there is no {kind} {id_}"):
        given.it.up(**given.inputs, adopt=id_)
    assert given.it.state is None


@pytest.mark.thorough
@each_kind
def test_get(kind: str, given: Given) -> None:
    """An object is read without being managed: every input that the cloud tells has its value."""
    given.it.up(**given.inputs)
    found = given.it.get(given.it.id)
    assert found.id == given.it.id
    told = {name: value for name, value in given.inputs.items() if found.outputs.get(name) is not None}
    assert all(get_handler(kind).is_equal(name, value, found.outputs) for name, value in told.items())
    assert set(given.inputs) - set(told) <= {"networks"}, "Nova does not tell what a program said of its NICs"


@each_kind
def test_outputs(kind: str, given: Given) -> None:
    """Every output has its value from the first `up` on, and the same after a refresh and for a `get`."""
    outputs = set(fields.fields_of(get_handler(kind).outputs))

    def told(seen: dict[str, Any]) -> dict[str, Any]:
        return {name: seen[name] for name in outputs - MOVING if seen.get(name) is not None}

    given.it.up(**given.inputs)
    made = told(given.it.outputs)
    assert outputs - MOVING - made.keys() == UNTOLD.get(kind, set())
    given.it.refresh()
    assert told(given.it.outputs) == made
    assert told(given.it.get(given.it.id).outputs) == made


@each_kind
def test_get_of_nothing(kind: str, given: Given) -> None:
    """There is nothing to read."""
    nothing = "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"
    with pytest.raises(Failed, match="there is no"):
        given.it.get(f"{nothing}/{nothing}" if "Attachment" in kind else nothing)


@each_kind
def test_deleted_by_hand(kind: str, given: Given) -> None:
    """An object that is gone: an update says so, a delete succeeds, a refresh forgets it and the next `up` makes it."""
    given.it.up(**given.inputs)
    given.delete()
    if given.specimen.changes:
        with pytest.raises(Failed, match=r"does not exist any more; `pulumi refresh` takes it out of the state"):
            given.it.up(**given.inputs | given.specimen.changes)
    given.it.refresh()
    assert given.it.state is None
    given.it.up(**given.inputs)
    given.delete()
    given.it.destroy()
    assert given.it.state is None


@pytest.mark.thorough
@each_kind
def test_without_the_bridge(kind: str, given: Given, ground: CloudFixtures) -> None:
    """Where Pulumi's host hides the request in flight, an object is made, read, changed and deleted all the same."""
    it = ground.resource(kind, bridge=False)
    try:
        it.up(**given.inputs)
        assert it.preview(**given.inputs) == SAME
        it.refresh()
        assert it.preview(**given.inputs) == SAME
        changed = given.inputs | given.specimen.changes
        it.up(**changed)
        it.refresh()
        assert it.preview(**changed) == SAME
    finally:
        it.destroy()


def test_a_failed_update_leaves_what_is_there(ground: CloudFixtures) -> None:
    """What could not be done is tried again by the next `up`; taking it back is no change of what is there."""
    # A preview that may look would refuse it.
    volume = ground.resource("Volume", config={"ecs:preflight": "false"})
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
