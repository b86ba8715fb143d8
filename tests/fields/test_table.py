"""The table: every field of every kind, set, changed, unset, cleared, and changed by hand in the cloud.

The steps of a field follow from what the models say of it, its values from its row in `rows`. Each step can run
alone: it first brings the object to where it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_origin

import pytest

from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.kind import get_handler
from tests.fields.rows import TABLE
from tests.fields.rows.row import NONE, known
from tests.support.generated import KINDS
from tests.support.steps import SAME, UNKNOWN, Failed, Refused, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fields.ground import CloudFixtures
    from tests.fields.rows import Row
    from tests.support.steps import Resource

ELSEWHERE = {"region", "adopt"}
"""What every kind has and test_common.py is about."""
ANY_ID = "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"


def facts_of(kind: str, field: str) -> fields.ModelField:
    """What the model says of the field."""
    return fields.fields_of(get_handler(kind).inputs)[field]


def is_many(fact: fields.ModelField) -> bool:
    """Whether it is a list or a map."""
    annotation = fact.info.annotation
    return any(get_origin(branch) in (list, dict) for branch in (annotation, *get_args(annotation)))


def can_drift(fact: fields.ModelField) -> bool:
    """Whether it can be changed by hand, and the API tells."""
    return fact.has(fields.InPlace) and not (fact.has(fields.ProviderOnly) or fact.has(fields.WriteOnly))


def steps_of(kind: str, field: str, row: Row) -> Iterator[str]:
    """The steps that this field goes through, those that need the first value before those that take it away."""
    fact = facts_of(kind, field)
    yield "set"
    if not fact.info.is_required():
        yield "unset"
    yield "not known yet"
    if not row.once:
        yield "change"
    if is_many(fact) or row.clear is not NONE:
        yield "clear"
    if can_drift(fact):
        yield "change by hand"
        yield "ignore"
    if row.admin or row.extension:
        yield "refuse"


class Subject:
    """One object, and the field of it that is worked on."""

    def __init__(self, kind: str, field: str, ground: CloudFixtures) -> None:
        self.field = field
        self.row = TABLE[kind][field]
        self.fact = facts_of(kind, field)
        self.ground = ground
        if reason := self.row.lacks(ground):
            pytest.skip(reason)
        self.it: Resource = ground.resource(kind, admin=self.row.admin)
        self.values = [known(ground, value) for value in (self.row.first, self.row.second)]

    def program(self, *value: Any, second: bool = False) -> dict[str, Any]:
        """What the program says, with this value of the field, or without the field."""
        said = {name: known(self.ground, each) for name, each in (known(self.ground, self.row.base) or {}).items()}
        if second:
            said |= known(self.ground, self.row.then) or {}
        said.pop(self.field, None)
        return said | dict.fromkeys([self.field], *value) if value else said

    @property
    def first(self) -> dict[str, Any]:
        """The program with the field's first value."""
        return self.program(self.values[0])

    @property
    def second(self) -> dict[str, Any]:
        """The program with its second."""
        return self.program(self.values[1], second=True)

    def at_first(self) -> None:
        """Bring the object to the field's first value."""
        needs = self.row.extension
        if needs and needs not in self.ground.extensions:
            pytest.skip(f"this cloud's Neutron has no {needs}")
        if self.fact.has(fields.GrowOnly):
            self.it.destroy()
        self.it.up(**self.first)
        self.has(self.values[0])

    def changed(self, program: dict[str, Any]) -> None:
        """Expect a change of the field, in place or by replacement, and make it."""
        before = self.it.id
        step = self.it.preview(**program)
        assert self.field in step.inputs
        if self.fact.has(fields.Replace):
            assert (step.op, step.delete_first) == ("replace", self.row.delete_first)
            self.it.up(**program)
            assert self.it.log == (["delete", "create"] if step.delete_first else ["create", "delete"])
        else:
            assert step == updates(self.field)
            self.it.up(**program)
            assert self.it.id == before
        self.has(program.get(self.field, self.fact.default))
        self.settled(program)

    def has(self, value: Any) -> None:
        """The object has this value, unless the cloud was free to choose another."""
        assert self.fact.has(fields.Advisory) or self.it.outputs[self.field] == value

    def settled(self, program: dict[str, Any]) -> None:
        """There is nothing to do, also after a refresh."""
        assert self.it.preview(**program) == SAME
        self.it.refresh()
        assert self.it.state is not None
        assert self.it.preview(**program) == SAME


def steps_where(wanted: Callable[[Row], bool]) -> list[Any]:
    """Every step of every field that is wanted."""
    found: list[Any] = []
    shapes: set[tuple[object, ...]] = set()
    for kind, rows in TABLE.items():
        for field, row in rows.items():
            if not wanted(row):
                continue
            # The same object for all steps of a field, so that they share one object in the cloud.
            subject = (kind, field)
            # And another text for each step, so that pytest does not put the like-named steps of all fields together.
            steps = [f"{kind}.{field}: {step}" for step in steps_of(kind, field, row)]
            shape = shape_of(kind, field, row)
            # What is the program's own affair is the same on every cloud.
            is_local = facts_of(kind, field).has(fields.ProviderOnly)
            marks = [pytest.mark.thorough] if is_local or shape in shapes else []
            shapes.add(shape)
            found += [pytest.param(subject, step, id=step, marks=marks) for step in steps]
    return found


def shape_of(kind: str, field: str, row: Row) -> tuple[object, ...]:
    """What the steps of a field depend on: another of the same shape goes through the same code of ours."""
    marks = (type(item) for item in facts_of(kind, field).info.metadata if isinstance(item, fields.FieldOption))
    return kind, *marks, *steps_of(kind, field, row), row.delete_first, row.admin, row.extension


@pytest.fixture(scope="module")
def subject(request: pytest.FixtureRequest, ground: CloudFixtures) -> Iterator[Subject]:
    """The object that the steps of one field share."""
    kind, field = request.param
    made = Subject(kind, field, ground)
    yield made
    made.it.destroy()


@pytest.fixture(scope="module")
def guides_subject(request: pytest.FixtureRequest, guides_ground: CloudFixtures) -> Iterator[Subject]:
    """The same in a cloud like the guide's."""
    kind, field = request.param
    made = Subject(kind, field, guides_ground)
    yield made
    made.it.destroy()


@pytest.mark.parametrize(("subject", "step"), steps_where(lambda row: True), indirect=["subject"], scope="module")
def test_field(subject: Subject, step: str) -> None:
    """The step does what the field's facts promise, and leaves nothing to do."""
    STEPS[step.partition(": ")[2]](subject)


@pytest.mark.parametrize(
    ("guides_subject", "step"),
    steps_where(lambda row: bool(row.extension)),
    indirect=["guides_subject"],
    scope="module",
)
def test_field_of_an_extension(guides_subject: Subject, step: str) -> None:
    """Likewise in a cloud whose Neutron has all extensions."""
    STEPS[step.partition(": ")[2]](guides_subject)


def set_it(subject: Subject) -> None:
    """It has the value from the start on, and the next preview is empty."""
    subject.it.destroy()
    subject.at_first()
    subject.settled(subject.first)


def change_it(subject: Subject) -> None:
    """It is changed in place on the same id, or by a replacement that the preview tells, in the right order."""
    subject.at_first()
    subject.changed(subject.second)


def unset_it(subject: Subject) -> None:
    """What the program does not say is not managed: nothing happens. One with a default goes back to that."""
    subject.at_first()
    default = subject.fact.default
    if subject.row.required:
        with pytest.raises(Refused, match="required"):
            subject.it.preview(**subject.program())
    elif default is None or default == subject.values[0]:
        assert subject.it.preview(**subject.program()) == SAME
        subject.it.up(**subject.program())
        subject.has(subject.values[0])
        subject.settled(subject.program())
    else:
        subject.changed(subject.program())


def clear_it(subject: Subject) -> None:
    """An empty list or map means none of them, and so does an empty text where one can be cleared."""
    subject.at_first()
    kept = subject.values[0]
    empty = subject.row.clear if subject.row.clear is not NONE else ({} if isinstance(kept, dict) else [])
    if subject.row.keeps:
        assert subject.it.preview(**subject.program(empty)) == SAME
    else:
        subject.changed(subject.program(empty))


def change_it_by_hand(subject: Subject) -> None:
    """What somebody changed in the cloud shows after a refresh as a change of the input; the next `up` undoes it."""
    assert subject.row.hand, "say in its row how to change it by hand"
    subject.at_first()
    subject.row.hand(subject.ground, subject.it)
    subject.it.refresh()
    assert subject.it.state is not None
    found = subject.it.state.inputs.get(subject.field)
    assert found != subject.values[0]
    if subject.fact.has(fields.GrowOnly):
        with pytest.raises(Refused, match="can only grow"):
            subject.it.preview(**subject.first)
        subject.settled(subject.program(found))
        subject.it.destroy()
    else:
        subject.changed(subject.first)


def ignore_it(subject: Subject) -> None:
    """With `ignore_changes` what somebody changed in the cloud stays, whatever else an update changes."""
    assert subject.row.hand, "say in its row how to change it by hand"
    subject.at_first()
    other = "description" if subject.field == "name" else "name"
    program = subject.first | {other: "changed beside it"}
    subject.row.hand(subject.ground, subject.it)
    subject.it.ignore_changes = (subject.field,)
    try:
        assert subject.it.up(**program) == updates(other)
        assert subject.it.outputs[other] == "changed beside it"
        assert subject.it.outputs.get(subject.field) != subject.values[0]
        subject.settled(program)
    finally:
        subject.it.ignore_changes = ()


def learn_it_later(subject: Subject) -> None:
    """A value that only the `up` will know passes the preview, which shows the worst that may come of it."""
    subject.at_first()
    step = subject.it.preview(**subject.program(UNKNOWN))
    assert step.op == ("replace" if subject.fact.has(fields.Replace) else "update")
    assert subject.field in step.inputs
    assert subject.it.preview(**subject.first) == SAME


def refuse_it(subject: Subject) -> None:
    """Where the account or the cloud may not, the refusal names the property."""
    row, ground = subject.row, subject.ground
    if row.extension and row.extension in ground.extensions:
        pytest.skip(f"this cloud's Neutron has {row.extension}")
    denied = subject.values[0] if row.denied is NONE else known(ground, row.denied)
    it = ground.resource(subject.it.kind)
    try:
        with pytest.raises((Refused, Failed), match=row.refusal or subject.field):
            it.up(**subject.program(denied or ANY_ID))
        assert it.state is None
    finally:
        it.destroy()


STEPS = {
    "set": set_it,
    "change": change_it,
    "unset": unset_it,
    "clear": clear_it,
    "change by hand": change_it_by_hand,
    "ignore": ignore_it,
    "not known yet": learn_it_later,
    "refuse": refuse_it,
}


def test_every_field_has_its_row() -> None:
    """The table has a row for each field of each kind, and no other; a new field without one fails here."""
    for kind, rows in TABLE.items():
        assert set(rows) == set(fields.fields_of(get_handler(kind).inputs)) - ELSEWHERE


def test_every_kind_has_its_table() -> None:
    """A new kind without its rows fails here."""
    assert set(KINDS) == set(TABLE)


def test_every_row_has_its_values() -> None:
    """A field that can change has a second value, and one that can drift says how to change it by hand."""
    for kind, rows in TABLE.items():
        for field, row in rows.items():
            assert bool(row.once) == (row.second is NONE), f"{kind}.{field}"
            assert bool(row.hand) == can_drift(facts_of(kind, field)), f"{kind}.{field}"
