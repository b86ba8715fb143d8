"""Inputs that check accepts do not make the provider fail: the API accepts or refuses them, in one line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_pulumi.dynamic import fields
from tests.faults.scenes import SCENES
from tests.faults.world import EmulatedWorld
from tests.support.examples import examples
from tests.support.generated import KINDS, fitting
from tests.support.steps import Failed, Refused
from tests.walks.cloud import caches_preserved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
SECRET = "Hush-hush-5ecret"
MAX_LENGTH = 900
WRONG = re.compile(r"\bNone\b|<class|object at 0x|Traceback|internal error in ecs_pulumi")
QUOTED = re.compile(r"""(['"]).*\1""")
NEVER_CHANGED = ("cloud", "region")
REQUIRED_ID = "required, and empty"


@pytest.fixture(scope="module", params=["openstack", "otc"])
def world(request: pytest.FixtureRequest) -> Iterator[EmulatedWorld]:
    """An emulated cloud."""
    with caches_preserved(), EmulatedWorld(request.param) as created:
        yield created


@st.composite
def changes(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Generate values of some inputs, most often of the correct type."""
    known = fields.fields_of(KINDS[kind].inputs)
    names = st.lists(st.sampled_from([name for name in known if name not in NEVER_CHANGED]), max_size=3, unique=True)
    is_wild = st.sampled_from((False, False, False, True))
    return {name: draw(fitting(known[name].info.annotation, wild=draw(is_wild))) for name in draw(names)}


def texts_of(world: EmulatedWorld, kind: str, sequence: list[dict[str, Any]]) -> list[str]:
    """Apply several sets of inputs to one resource, destroy it, and return all messages."""
    scene = next(each for each in SCENES if each.kind == kind and each.name.startswith("create"))
    assert scene.after
    world.restore(world.start)
    world.connect()
    resource, texts = world.resource(kind), []
    for more in sequence:
        inputs = {**scene.after(world), **{name: item for name, item in more.items() if not fields.has_unknown(item)}}
        if inputs.get("admin_pass"):
            inputs["admin_pass"] = SECRET
        try:
            resource.up(**inputs)
            assert resource.preview(**inputs).op == "same"
        except Refused as refused:
            texts += [reason for _, reason in refused.failures]
        except Failed as failed:
            texts.append(str(failed))
    resource.destroy()
    return texts


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@examples(5)
def test_accepted_inputs_are_applied_or_refused(
    world: EmulatedWorld, count: Callable[[str, int], None], kind: str, data: st.DataObject
) -> None:
    """A create and an update succeed without a difference afterwards, or fail in one line; then destroy succeeds."""
    sequence = data.draw(st.lists(changes(kind), min_size=1, max_size=2))
    for text in texts_of(world, kind, sequence):
        assert text.isprintable()
        assert len(text) <= MAX_LENGTH
        assert SECRET not in text
        assert "None" in json.dumps(sequence, default=str) or not WRONG.search(QUOTED.sub("", text)), text
    count("sets of inputs", len(sequence))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in KINDS
        for name, field in fields.fields_of(KINDS[kind].inputs).items()
        if field.info.is_required() and field.has(fields.References)
    ],
)
def test_empty_reference_is_refused(world: EmulatedWorld, kind: str, name: str) -> None:
    """An empty id, such as one from a variable that is not set, is refused before any request and not recorded."""
    assert texts_of(world, kind, [{name: ""}]) == [REQUIRED_ID]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("world", ["openstack"], indirect=True)
def test_empty_region_and_project_are_the_default(world: EmulatedWorld, kind: str) -> None:
    """An empty region or project, such as one from a variable that is not set, is not replaced at every `up`."""
    names = {"region", "project_id"} & fields.fields_of(KINDS[kind].inputs).keys()
    assert texts_of(world, kind, [dict.fromkeys(names, "")]) == []


@pytest.mark.parametrize(
    ("kind", "name", "empty"),
    [
        (kind, name, type_())
        for kind in KINDS
        for name, field in fields.fields_of(KINDS[kind].inputs).items()
        for type_ in (str, list, dict)
        if not field.info.is_required()
        and type_ in {get_origin(each) or each for each in (field.info.annotation, *get_args(field.info.annotation))}
    ],
)
@pytest.mark.parametrize("world", ["openstack"], indirect=True)
def test_empty_value_is_no_lasting_difference(world: EmulatedWorld, kind: str, name: str, empty: Any) -> None:
    """An empty text, list or map is used or refused: if the create succeeds, the next preview shows no difference."""
    assert [text for text in texts_of(world, kind, [{name: empty}]) if text.startswith("diff ")] == []


@pytest.mark.parametrize("name", [" ", " a b ", "\tc\n"], ids=["space", "outside", "control"])
@pytest.mark.parametrize("world", ["openstack"], indirect=True)
def test_spaces_around_name_of_volume(world: EmulatedWorld, name: str) -> None:
    """Cinder removes them, which is no difference."""
    assert texts_of(world, "Volume", [{"name": name, "description": name}]) == []


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("RouterInterface", {"subnet_id": ""}, REQUIRED_ID),
        ("InterfaceAttachment", {"network_id": ""}, REQUIRED_ID),
        ("FloatingIpAssociation", {"floating_ip_id": "10.0.0.0/24"}, 'not an id, got "10.0.0.0/24"'),
        ("VolumeAttachment", {"server_id": "a?b"}, 'not an id, got "a?b"'),
        ("SecurityGroup", {"value_specs": {"a": {"b": float("inf")}}}, "must not contain assets, archives or infinite"),
        ("Volume", {"adopt": "../servers"}, "there is no Volume ../servers in this project"),
        ("Network", {"adopt": "a\x00\u202eb"}, r"there is no Network a\u0000\u202eb in this project"),
        ("Network", {"adopt": "x" * 65_536}, f"there is no Network {'x' * 80}… in this project"),
        ("Volume", {"image": "x" * 65_536}, f'there is no image "{"x" * 79}…'),
    ],
    ids=["subnet", "network", "range", "query", "infinite", "path", "control characters", "long id", "long name"],
)
@pytest.mark.parametrize("world", ["openstack"], indirect=True)
def test_wrong_value_is_refused(world: EmulatedWorld, kind: str, more: dict[str, Any], reason: str) -> None:
    """The reason is short and shows no character that a terminal interprets."""
    inputs = {"port_id": None, **more} if kind == "InterfaceAttachment" else more
    (text,) = texts_of(world, kind, [inputs])
    assert reason in text
