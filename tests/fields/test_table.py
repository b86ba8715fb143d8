"""The table of fields: every field of every kind is set, changed, unset, cleared, and changed outside of Pulumi.

The field options of a field determine its steps, and its row in `rows` has its values. Each step can run alone: it
first brings the object into its initial state.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args, get_origin

import pytest

from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.handler import get_handler
from tests.fields.assertions import assert_complete
from tests.fields.rows import TABLE, Row
from tests.fields.rows.otc import OTC, NotChanged, NotKept, NotOffered
from tests.fields.rows.row import NONE, known
from tests.support.generated import KINDS
from tests.support.messages import recorded
from tests.support.steps import SAME, UNKNOWN, Failed, Refused, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.fields.cloud_fixtures import CloudFixtures
from tests.support.steps import Resource

COMMON_FIELDS = {"region", "cloud", "adopt"}
"""The fields of every kind, which test_common.py tests."""
ANY_ID = "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"


DECIDED_BY_PROVIDER = ("unknown", "ignore", "every pair")
"""The steps that send a cloud nothing but what the other steps of the field send."""


def get_model_field(kind: str, field: str) -> fields.ModelField:
    """Return the field of the inputs model."""
    return fields.fields_of(get_handler(kind).inputs)[field]


def is_collection(model_field: fields.ModelField) -> bool:
    """Whether the field is a list or a map."""
    annotation = model_field.info.annotation
    return any(get_origin(branch) in (list, dict) for branch in (annotation, *get_args(annotation)))


def can_drift(model_field: fields.ModelField) -> bool:
    """Whether the field can be changed outside of Pulumi, and the API returns it."""
    return model_field.has(fields.InPlace) and not (
        model_field.has(fields.ProviderOnly) or model_field.has(fields.WriteOnly)
    )


def other_field(kind: str, field: str) -> str | None:
    """Return a text of the kind, besides the field, that changes in place; None if it has none."""
    known_fields = fields.fields_of(get_handler(kind).inputs)
    return next((name for name in ("name", "description") if name in known_fields and name != field), None)


def steps_of(kind: str, field: str, row: Row) -> Iterator[str]:
    """Yield the steps of the field; steps that need the first value come before steps that remove it."""
    model_field = get_model_field(kind, field)
    yield "set"
    if not model_field.info.is_required():
        yield "unset"
    yield "unknown"
    if not row.once:
        yield "change"
    if (is_collection(model_field) or row.clear is not NONE) and not row.never_empty:
        yield "clear"
    if can_drift(model_field) and not row.once:
        yield "change out of band"
        if other_field(kind, field):
            yield "ignore"
    if row.admin or row.extension:
        yield "reject"
    if not (row.once or model_field.has(fields.GrowOnly)):
        yield "every pair"


class Subject:
    """One object, and the field under test."""

    def __init__(self, kind: str, field: str, fixtures: CloudFixtures, row: Row | None = None) -> None:
        self.field = field
        self.row = row or TABLE[kind][field]
        self.model_field = get_model_field(kind, field)
        self.fixtures = fixtures
        if reason := self.row.lacks(fixtures):
            pytest.skip(reason)
        self.resource: Resource = fixtures.resource(kind, admin=self.row.admin)
        self.values = [known(fixtures, value) for value in (self.row.first, self.row.second)]

    def program(self, *value: Any, second: bool = False) -> dict[str, Any]:
        """Return the inputs of the program, with this value of the field or without the field."""
        inputs = {
            name: known(self.fixtures, each) for name, each in (known(self.fixtures, self.row.base) or {}).items()
        }
        if second:
            inputs |= known(self.fixtures, self.row.then) or {}
        inputs.pop(self.field, None)
        return inputs | dict.fromkeys([self.field], *value) if value else inputs

    @property
    def first(self) -> dict[str, Any]:
        """The inputs with the first value of the field."""
        return self.program(self.values[0])

    @property
    def second(self) -> dict[str, Any]:
        """The inputs with the second value of the field."""
        return self.program(self.values[1], second=True)

    def programs(self) -> dict[str, dict[str, Any]]:
        """Return the programs with each value of the field: none if possible, both values, and an empty one."""
        found = {"first": self.first, "second": self.second}
        if not (self.model_field.info.is_required() or self.row.required):
            found["none"] = self.program()
        if (is_collection(self.model_field) or self.row.clear is not NONE) and not self.row.never_empty:
            found["empty"] = self.program(self.empty)
        return {name: program for name, program in found.items() if name != "empty" or self.empty not in self.values}

    @property
    def empty(self) -> Any:
        """The value that clears the field."""
        clear = known(self.fixtures, self.row.clear)
        return clear if clear is not NONE else ({} if isinstance(self.values[0], dict) else [])

    def set_first(self) -> None:
        """Bring the object to the first value of the field."""
        extension = self.row.extension
        if extension and extension not in self.fixtures.extensions:
            pytest.skip(f"the Neutron of this cloud has no extension {extension}")
        if self.model_field.has(fields.GrowOnly):
            self.resource.destroy()
        self.resource.up(**self.first)
        self.assert_value(self.values[0])

    def change_to(self, program: dict[str, Any]) -> None:
        """Change the field, and assert that the change is in place or a replacement, as declared."""
        id_before = self.resource.id
        step = self.resource.preview(**program)
        assert self.field in step.inputs
        if self.model_field.has(fields.Replace):
            assert (step.op, step.delete_first) == ("replace", self.row.delete_first)
            self.resource.up(**program)
            assert self.resource.log == (["delete", "create"] if step.delete_first else ["create", "delete"])
        else:
            assert step == updates(self.field)
            before = self.resource.outputs
            self.resource.up(**program)
            assert self.resource.id == id_before
            self.assert_kept(before)
        self.assert_value(program.get(self.field, self.model_field.default))
        self.assert_no_changes(program)

    def assert_kept(self, before: Mapping[str, Any]) -> None:
        """Assert that the update has not changed the outputs of which a preview shows the prior value."""
        handler, state = get_handler(self.resource.kind), self.resource.state
        assert state is not None
        unchanged = {name for name, value in state.inputs.items() if before.get(name) == value}
        for name, changed_by in fields.kept_outputs(handler.inputs, handler.outputs).items():
            if name not in state.inputs and unchanged.issuperset({*changed_by} & {*state.inputs}):
                assert before.get(name) in (None, state.outputs.get(name)), name

    def assert_value(self, value: Any) -> None:
        """Assert that the field has this value, unless the cloud may choose another one."""
        assert self.model_field.has(fields.Advisory) or self.resource.outputs.get(self.field) == value

    def assert_no_changes(self, program: dict[str, Any]) -> None:
        """Assert that the last `up` left no changes, and that it stored the same outputs as a refresh does."""
        assert_complete(self.resource, program)


def steps_where(selected: Callable[[Row], bool]) -> list[Any]:
    """Return the parameters of every step of every selected field."""
    params: list[Any] = []
    shapes: set[tuple[object, ...]] = set()
    for kind, rows in TABLE.items():
        for field, row in rows.items():
            if not selected(row):
                continue
            # All steps of a field have the same tuple, so that they share one fixture and one object in the cloud.
            subject = (kind, field)
            # Each step has a unique id, so that pytest does not group the steps of all fields by step.
            steps = [f"{kind}.{field}: {step}" for step in steps_of(kind, field, row)]
            shape = shape_of(kind, field, row)
            # A provider-only field behaves the same on every cloud.
            is_local = get_model_field(kind, field).has(fields.ProviderOnly)
            is_repeated = is_local or shape in shapes
            shapes.add(shape)
            for step in steps:
                is_thorough = is_repeated or step.partition(": ")[2] in DECIDED_BY_PROVIDER
                marks = [pytest.mark.thorough] if is_thorough else []
                params.append(pytest.param(subject, step, id=step, marks=marks))
    return params


def shape_of(kind: str, field: str, row: Row) -> tuple[object, ...]:
    """Return the properties that determine the code that the steps of a field run."""
    options = (
        type(item) for item in get_model_field(kind, field).info.metadata if isinstance(item, fields.FieldOption)
    )
    return kind, *options, *steps_of(kind, field, row), row.delete_first, row.admin, row.extension


@pytest.fixture(scope="module")
def subject(request: pytest.FixtureRequest, fixtures: CloudFixtures) -> Iterator[Subject]:
    """The object that the steps of one field share."""
    kind, field = request.param
    created = Subject(kind, field, fixtures)
    yield created
    created.resource.destroy()


@pytest.fixture(scope="module")
def extended_subject(request: pytest.FixtureRequest, extended_fixtures: CloudFixtures) -> Iterator[Subject]:
    """The object that the steps of one field share, in an emulated cloud with more extensions."""
    kind, field = request.param
    created = Subject(kind, field, extended_fixtures)
    yield created
    created.resource.destroy()


@pytest.mark.parametrize(("subject", "step"), steps_where(lambda row: True), indirect=["subject"], scope="module")
def test_field(subject: Subject, step: str) -> None:
    """The step behaves as the field options declare, and no changes remain."""
    STEPS[step.partition(": ")[2]](subject)


@pytest.mark.parametrize(
    ("extended_subject", "step"),
    steps_where(lambda row: bool(row.extension)),
    indirect=["extended_subject"],
    scope="module",
)
def test_field_with_all_extensions(extended_subject: Subject, step: str) -> None:
    """Fields of extensions behave as declared in a cloud whose Neutron has all extensions."""
    STEPS[step.partition(": ")[2]](extended_subject)


UNKNOWN_ATTRIBUTES = ("refuse", "drop")
"""What the Neutron of an Open Telekom Cloud may do with attributes that its documents do not name."""
OF_NEUTRON = frozenset({"Network", "Subnet", "Port", "SecurityGroup", "Router", "FloatingIp"})
"""The kinds with such attributes."""
STEPS_ON_OTC: dict[type, str] = {NotOffered: "not offered", NotKept: "not kept", NotChanged: "not changed"}
"""The step of a field that an Open Telekom Cloud does not treat as the field options declare."""


def steps_on_otc() -> list[Any]:
    """Return the parameters of the steps on an Open Telekom Cloud, which do not repeat what the first cloud shows.

    A field of Neutron that the cloud treats in another way is tested with each of `UNKNOWN_ATTRIBUTES`, all other
    fields with the first.
    """
    params: list[Any] = []
    for attributes in UNKNOWN_ATTRIBUTES:
        for kind, different in OTC.items():
            if attributes != UNKNOWN_ATTRIBUTES[0] and kind not in OF_NEUTRON:
                continue
            for field, row in (TABLE[kind] | different).items():
                if row is None:
                    continue
                if isinstance(row, Row):
                    is_new = attributes == UNKNOWN_ATTRIBUTES[0] and not (row.admin or row.extension)
                    steps = [step for step in steps_of(kind, field, row) if is_new and step not in DECIDED_BY_PROVIDER]
                elif isinstance(row, NotOffered):
                    steps = ["not offered"] if row.only in ("", attributes) else []
                else:
                    steps = [STEPS_ON_OTC[type(row)]]
                subject = (attributes, kind, field)
                # Each step has a unique value, so that pytest does not group the steps of all fields by step.
                params += [
                    pytest.param(subject, f"{subject}: {step}", id=f"{kind}.{field}: {step} ({attributes})")
                    for step in steps
                ]
    return params


@pytest.fixture(scope="module")
def otc_subject(request: pytest.FixtureRequest, otc_clouds: Callable[[str], CloudFixtures]) -> Iterator[Subject]:
    """The object that the steps of one field share, in an emulated cloud of the dialect `otc`."""
    attributes, kind, field = request.param
    row = OTC[kind].get(field, TABLE[kind][field])
    assert row is not None
    if not isinstance(row, Row):
        # The value may be one that this cloud cannot have.
        value = {} if row.value is NONE else {"first": row.value, "second": row.value, "lacks": lambda _: None}
        row = replace(TABLE[kind][field], admin=False, **value)
    created = Subject(kind, field, otc_clouds(attributes), row)
    yield created
    created.resource.destroy()


@pytest.mark.parametrize(("otc_subject", "step"), steps_on_otc(), indirect=["otc_subject"], scope="module")
def test_field_on_otc(otc_subject: Subject, step: str) -> None:
    """The step behaves on an Open Telekom Cloud as the field options declare, or as its own row says."""
    STEPS[step.partition(": ")[2]](otc_subject)


def not_offered(subject: Subject) -> None:
    """The error names the property or the reason, and no object is left.

    If the cloud ignores the field instead of refusing it, the object exists, and is complete without the field.
    """
    row = OTC[subject.resource.kind][subject.field]
    assert isinstance(row, NotOffered)
    program = program_of(subject, row)
    with pytest.raises((Refused, Failed), match=row.reason):
        subject.resource.up(**program)
    if subject.resource.state is not None:
        assert subject.fixtures.drops_attributes or row.is_ignored
        del program[subject.field]
        subject.resource.up(**program)
        subject.assert_no_changes(program)
        subject.resource.destroy()


def not_kept(subject: Subject) -> None:
    """The object exists, a warning names the field, and no changes remain."""
    row = OTC[subject.resource.kind][subject.field]
    assert isinstance(row, NotKept)
    program = program_of(subject, row)
    with recorded("warning") as warnings:
        subject.resource.up(**program)
    assert re.search(row.warning, "\n".join(warnings)), warnings
    subject.assert_no_changes(program)


def not_changed(subject: Subject) -> None:
    """The create sets the field, an update fails with a line that names it, and the object is as before."""
    row = OTC[subject.resource.kind][subject.field]
    assert isinstance(row, NotChanged)
    set_field(subject)
    second = subject.values[1] if row.second is NONE else known(subject.fixtures, row.second)
    with pytest.raises((Refused, Failed), match=row.reason):
        subject.resource.up(**subject.program(second))
    subject.resource.up(**subject.first)
    subject.assert_value(subject.values[0])
    subject.assert_no_changes(subject.first)


def program_of(subject: Subject, row: NotOffered | NotKept) -> dict[str, Any]:
    """Return the inputs that set the field of this row."""
    fixtures = subject.fixtures
    value = subject.values[0] if row.value is NONE else known(fixtures, row.value)
    program = subject.program(value)
    if row.base is None:
        return program
    base = {name: known(fixtures, each) for name, each in known(fixtures, row.base).items()}
    return {**base, subject.field: value}


def set_field(subject: Subject) -> None:
    """The object has the value after create, and the next preview shows no changes."""
    subject.resource.destroy()
    subject.set_first()
    subject.assert_no_changes(subject.first)


def change_field(subject: Subject) -> None:
    """The field changes in place, or by a replacement in the order that the preview shows."""
    subject.set_first()
    subject.change_to(subject.second)


def unset_field(subject: Subject) -> None:
    """A field without a default is no longer managed and keeps its value; another field returns to its default.

    A field that a program clears if it no longer sets it has no value, in the same object or in a new one.
    """
    subject.set_first()
    default = subject.model_field.default
    if subject.row.required:
        with pytest.raises(Refused, match="required"):
            subject.resource.preview(**subject.program())
    elif subject.model_field.has(fields.ClearedIfUnset):
        subject.resource.up(**subject.program())
        subject.assert_value("")
        subject.assert_no_changes(subject.program())
    elif subject.model_field.has(fields.ReplacedIfUnset):
        subject.change_to(subject.program())
    elif default is None or default == subject.values[0]:
        assert subject.resource.preview(**subject.program()) == SAME
        subject.resource.up(**subject.program())
        subject.assert_value(subject.values[0])
        subject.assert_no_changes(subject.program())
    else:
        subject.change_to(subject.program())


def clear_field(subject: Subject) -> None:
    """An empty list or map removes all items; the `clear` value of a row clears its field."""
    subject.set_first()
    if subject.row.keeps:
        assert subject.resource.preview(**subject.program(subject.empty)) == SAME
    else:
        subject.change_to(subject.program(subject.empty))


def change_field_out_of_band(subject: Subject) -> None:
    """A refresh detects a change outside of Pulumi as drift of the input; the next `up` reverts it."""
    assert subject.row.out_of_band_change, "add an `out_of_band_change` to its row"
    subject.set_first()
    subject.row.out_of_band_change(subject.fixtures, subject.resource)
    subject.resource.refresh()
    assert subject.resource.state is not None
    drifted = subject.resource.state.inputs.get(subject.field)
    assert drifted != subject.values[0]
    if subject.model_field.has(fields.GrowOnly):
        with pytest.raises(Refused, match="can only grow"):
            subject.resource.preview(**subject.first)
        subject.assert_no_changes(subject.program(drifted))
        subject.resource.destroy()
    else:
        subject.change_to(subject.first)


def ignore_field(subject: Subject) -> None:
    """With `ignore_changes` an update of another field keeps a change made outside of Pulumi."""
    assert subject.row.out_of_band_change, "add an `out_of_band_change` to its row"
    subject.set_first()
    other = other_field(subject.resource.kind, subject.field)
    assert other is not None
    program = subject.first | {other: "changed beside it"}
    subject.row.out_of_band_change(subject.fixtures, subject.resource)
    subject.resource.ignore_changes = (subject.field,)
    try:
        assert subject.resource.up(**program) == updates(other)
        assert subject.resource.outputs[other] == "changed beside it"
        assert subject.resource.outputs.get(subject.field) != subject.values[0]
        subject.assert_no_changes(program)
    finally:
        subject.resource.ignore_changes = ()


def preview_unknown_value(subject: Subject) -> None:
    """A preview accepts an unknown value, and shows an update, or a replacement if the field requires one."""
    subject.set_first()
    step = subject.resource.preview(**subject.program(UNKNOWN))
    assert step.op == ("replace" if subject.model_field.has(fields.Replace) else "update")
    assert subject.field in step.inputs
    assert subject.resource.preview(**subject.first) == SAME


def reject_field(subject: Subject) -> None:
    """If the account or the cloud does not permit the field, the error contains the name of the property."""
    row, fixtures = subject.row, subject.fixtures
    if row.extension and row.extension in fixtures.extensions:
        pytest.skip(f"the Neutron of this cloud has the extension {row.extension}")
    denied = subject.values[0] if row.denied is NONE else known(fixtures, row.denied)
    resource = fixtures.resource(subject.resource.kind)
    try:
        with pytest.raises((Refused, Failed), match=row.refusal or subject.field):
            resource.up(**subject.program(denied or ANY_ID))
        assert resource.state is None
    finally:
        resource.destroy()


def change_between_all_values(subject: Subject) -> None:
    """Every ordered pair of values, with none and an empty one, is an edit after which no changes remain."""
    programs = subject.programs()
    subject.set_first()
    for name in circuit(list(programs)):
        subject.resource.up(**programs[name])
        if name in ("first", "second"):
            subject.assert_value(programs[name][subject.field])
        subject.assert_no_changes(programs[name])
    subject.resource.destroy()


def circuit(names: list[str]) -> list[str]:
    """Return a sequence that, after the first name, follows each ordered pair of different names once."""
    pairs = {one: [other for other in names if other != one] for one in names}
    stack, found = [names[0]], []
    while stack:
        if following := pairs[stack[-1]]:
            stack.append(following.pop())
        else:
            found.append(stack.pop())
    return found[::-1][1:]


def test_circuit_follows_every_pair() -> None:
    """The sequence contains each ordered pair of values once."""
    names = ["a", "b", "c", "d"]
    assert sorted(itertools.pairwise(["a", *circuit(names)])) == sorted(itertools.permutations(names, 2))


STEPS = {
    "every pair": change_between_all_values,
    "set": set_field,
    "change": change_field,
    "unset": unset_field,
    "clear": clear_field,
    "change out of band": change_field_out_of_band,
    "ignore": ignore_field,
    "unknown": preview_unknown_value,
    "reject": reject_field,
    "not offered": not_offered,
    "not kept": not_kept,
    "not changed": not_changed,
}


def test_every_field_has_a_row() -> None:
    """The table has a row for each field of each kind, and no other rows."""
    for kind, rows in TABLE.items():
        assert set(rows) == set(fields.fields_of(get_handler(kind).inputs)) - COMMON_FIELDS


def test_every_kind_is_in_the_table() -> None:
    """The table has an entry for each kind."""
    assert set(KINDS) == set(TABLE)


def test_every_row_has_the_required_values() -> None:
    """A field that can change has a second value, and a field that can drift has an out-of-band change."""
    for kind, rows in TABLE.items():
        for field, row in rows.items():
            assert bool(row.once) == (row.second is NONE), f"{kind}.{field}"
            assert bool(row.out_of_band_change) == can_drift(get_model_field(kind, field)), f"{kind}.{field}"
