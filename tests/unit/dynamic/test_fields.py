"""Field options: the normal form of inputs, error messages, and the comparison of values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pulumi.output import UNKNOWN
from pydantic import Field

from ecs_pulumi.dynamic.fields import (
    CheckInputs,
    ComparedAs,
    Computed,
    FieldOption,
    GrowOnly,
    InPlace,
    Inputs,
    ModelField,
    Nested,
    Outputs,
    Problem,
    ProviderOnly,
    Replace,
    RequiresMicroversion,
    Secret,
    Set,
    close_matches,
    exactly_one_of,
    fields_of,
    format_value,
    has_unknown,
    match_items,
    matches,
    objects,
    to_plain,
    validate,
)
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator


class Topping(Nested):
    """A nested object."""

    kind: str
    grams: int | None = None


class Label(Nested):
    """A nested object with a text that has several forms."""

    text: str
    color: Annotated[str | None, ComparedAs(str.lower)] = None


Tin = Annotated[str, ComparedAs(lambda text: str(int(text)) if text.isdigit() else text)]


class CakeInputs(Inputs):
    """Inputs with a field of each type."""

    flour: Annotated[str, Replace()] = Field(description="Required.")
    layers: Annotated[int, GrowOnly()] = Field(1, ge=1, le=9)
    name: Annotated[str | None, InPlace()] = Field(None, max_length=20)
    glaze: Annotated[Literal["none", "plain"] | list[Topping] | None, InPlace()] = None
    toppings: Annotated[list[Topping] | None, InPlace(), Computed(), Set()] = None
    tags: Annotated[list[str] | None, InPlace(), Set()] = None
    steps: Annotated[list[str] | None, InPlace()] = None
    notes: Annotated[dict[str, str] | None, InPlace()] = None
    extra: Annotated[dict[str, Any] | None, Replace(), RequiresMicroversion("oven", "2.19")] = None
    recipe: Annotated[str | None, Replace(), Secret()] = Field(None, min_length=3)
    tin: Annotated[Tin | None, Replace()] = None
    tins: Annotated[list[Tin] | None, InPlace(), Set()] = None
    labels: Annotated[Literal["none"] | list[Label] | None, InPlace()] = None


def reasons_of(**raw: Any) -> dict[str, str]:
    """Return the problems of these inputs, by property."""
    _, problems = validate(CakeInputs, {"flour": "rye", **raw})
    return {problem.property: problem.reason for problem in problems}


def normalized(**raw: Any) -> dict[str, Any]:
    """Return these inputs in their normal form, without the required input and the one with a default."""
    inputs, problems = validate(CakeInputs, {"flour": "rye", **raw})
    assert not problems
    return {name: value for name, value in inputs.items() if name not in {"flour", "layers"}}


def field(name: str) -> ModelField:
    """Return a field of the inputs."""
    return fields_of(CakeInputs)[name]


# ---------------------------------------------------------------- normal form


def test_validate_adds_defaults_and_omits_none() -> None:
    """The normal form contains the defaults, and an input that is None is the same as an unset one."""
    assert validate(CakeInputs, {"flour": "rye", "name": None}) == ({"flour": "rye", "layers": 1}, [])


def test_validate_converts_numbers() -> None:
    """The engine sends each number as a float. Whole numbers become integers at any depth, or strings if required."""
    assert normalized(name=7.0, extra={"a": [1.0, 1.5]}, notes={"n": 2.0}) == {
        "name": "7",
        "extra": {"a": [1, 1.5]},
        "notes": {"n": "2"},
    }
    assert validate(CakeInputs, {"flour": "rye", "layers": 3.0})[0]["layers"] == 3


def test_validate_omits_none_in_nested_object() -> None:
    """A property of a nested object that is None is the same as an unset one."""
    assert normalized(toppings=[{"kind": "nuts", "grams": None}]) == {"toppings": [{"kind": "nuts"}]}


def test_validate_keeps_empty_values() -> None:
    """An empty list or map is a desired value, not an unset input."""
    assert normalized(toppings=[], notes={}) == {"toppings": [], "notes": {}}


@pytest.mark.parametrize(
    "raw",
    [
        {"name": UNKNOWN},
        {"toppings": UNKNOWN},
        {"toppings": [UNKNOWN]},
        {"toppings": [{"kind": UNKNOWN}]},
        {"glaze": [{"kind": "sugar", "grams": UNKNOWN}]},
        {"tags": ["a", UNKNOWN]},
        {"notes": {"a": UNKNOWN}},
        {"notes": UNKNOWN},
        {"extra": {"a": {"b": [UNKNOWN]}}},
        {"glaze": UNKNOWN},
        {"glaze": [UNKNOWN]},
    ],
)
def test_validate_accepts_unknown_values(raw: dict[str, Any]) -> None:
    """Unknown values at any depth pass validation unchanged."""
    assert normalized(**raw) == raw


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (
            {"toppings": [{"kind": UNKNOWN}, {"kind": "nuts", "gram": 1}]},
            "[1].gram: no such property; did you mean `grams`?",
        ),
        ({"toppings": [{"kind": "nuts", "gram": UNKNOWN}]}, "[0].gram: no such property; did you mean `grams`?"),
        ({"toppings": [{"knid": UNKNOWN}]}, "[0].knid: no such property; did you mean `kind`?"),
        ({"toppings": [{"grams": UNKNOWN}]}, "[0].kind: field required"),
        ({"toppings": [UNKNOWN, {"kind": UNKNOWN, "grams": "x"}]}, "[1].grams: must be a valid integer"),
        ({"toppings": {"kind": UNKNOWN}}, "must be a list of {kind, grams}"),
        ({"glaze": [{"knid": UNKNOWN}]}, "[0].knid: no such property; did you mean `kind`?"),
        ({"glaze": [{"grams": UNKNOWN}]}, "[0].kind: field required"),
        ({"glaze": {"kind": UNKNOWN}}, "must be a list of {kind, grams}, or 'none' or 'plain'"),
        ({"glaze": [UNKNOWN, "sugar"]}, '[1]: must be {kind, grams}, got "sugar"'),
        ({"tags": [UNKNOWN, ["b"]]}, "[1]: must be a valid string"),
        ({"notes": {"a": UNKNOWN, "b": ["c"]}}, ".b: must be a valid string".lstrip(".")),
        ({"notes": [UNKNOWN]}, "must be a map"),
    ],
)
def test_validate_checks_known_values_beside_unknown_ones(raw: dict[str, Any], reason: str) -> None:
    """Validation finds problems in known values beside an unknown one, and in the key of an unknown value."""
    assert [found[: len(reason)] for found in reasons_of(**raw).values()] == [reason]


def test_validate_normalizes_known_values_beside_unknown_ones() -> None:
    """Known values beside an unknown one get their normal form."""
    assert normalized(notes={"a": UNKNOWN, "b": 2.0}, tags=[UNKNOWN, 3.0, 3.0]) == {
        "notes": {"a": UNKNOWN, "b": "2"},
        "tags": [UNKNOWN, "3", "3"],
    }


# ---------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("raw", "property_", "reason"),
    [
        ({"layers": 0.0}, "layers", "must be greater than or equal to 1, got 0"),
        ({"layers": 1.5}, "layers", "must be a valid integer, got a number with a fractional part, got 1.5"),
        ({"layers": "many"}, "layers", 'must be a valid integer, unable to parse string as an integer, got "many"'),
        ({"layers": None, "name": "x" * 21}, "name", 'string must have at most 20 characters, got "' + "x" * 21 + '"'),
        ({"name": ["a"]}, "name", "must be a valid string"),
        ({"name": "y" * 500}, "name", "string must have at most 20 characters, got 500 characters"),
        ({"tags": "a"}, "tags", 'must be a valid list, got "a"'),
        ({"toppings": [{"kind": "nuts", "grams": "a lot"}]}, "toppings", "[0].grams: must be a valid integer"),
        ({"toppings": [{"grams": 1}]}, "toppings", "[0].kind: field required"),
        ({"glaze": "thick"}, "glaze", "must be a list of {kind, grams}, or 'none' or 'plain', got \"thick\""),
        ({"glaze": {"kind": "sugar"}}, "glaze", "must be a list of {kind, grams}, or 'none' or 'plain'"),
        ({"glaze": ["sugar"]}, "glaze", '[0]: must be {kind, grams}, got "sugar"'),
        ({"toppings": ["nuts"]}, "toppings", '[0]: must be {kind, grams}, got "nuts"'),
        ({"glaze": [{"kind": "sugar", "gramms": 1}]}, "glaze", "[0].gramms: no such property; did you mean `grams`?"),
        ({"glaze": [{"Kind": "sugar"}]}, "glaze", "[0].Kind: no such property; did you mean `kind`?"),
        (
            {"toppings": [{"kind": "a", "x-y": 1}]},
            "toppings",
            '[0]["x-y"]: no such property; there are `kind`, `grams`',
        ),
        ({"toppings": [{"kind": "a", "x" * 99: 1}]}, "toppings", "[0][99 characters]: no such property"),
        ({"notes": {"A-b": ["c"]}}, "notes", '["A-b"]: must be a valid string'),
        ({"colour": "red"}, "colour", "no such input"),
        ({"topings": []}, "topings", "no such input; did you mean `toppings`?"),
    ],
)
def test_problem_message(raw: dict[str, Any], property_: str, reason: str) -> None:
    """A problem names the property, the path inside it, the expected form and the actual value."""
    found = reasons_of(**raw)
    assert list(found) == [property_]
    assert reason in found[property_]


def test_missing_required_input() -> None:
    """A missing required input is reported."""
    assert validate(CakeInputs, {})[1] == [Problem("flour", "required, and missing")]


def test_problem_of_secret_hides_value() -> None:
    """The problem of a secret does not contain its value."""
    assert reasons_of(recipe="xy") == {"recipe": "string must have at least 3 characters"}


def test_format_value() -> None:
    """A value is formatted as JSON on one line; a long value is replaced by its length."""
    assert format_value("a\nb") == '"a\\nb"'
    assert format_value("ü") == '"ü"'
    assert format_value("x" * 81) == "81 characters"
    assert format_value(True) == "true"  # noqa: FBT003


def test_close_matches() -> None:
    """The most similar name comes first. A name without similarity has no match."""
    assert close_matches("debain", ["cirros", "debian", "debian-12"])[0] == "debian"
    assert close_matches("xyz", ["cirros"]) == []


# ---------------------------------------------------------------- options


def test_option_matches_its_base_class() -> None:
    """A field with the option `GrowOnly` or `ProviderOnly` also has the option `InPlace`."""
    assert field("layers").has(InPlace)
    assert fields_of(CakeInputs)["adopt"].has(InPlace)
    assert fields_of(CakeInputs)["adopt"].has(ProviderOnly)
    assert not field("flour").has(InPlace)
    assert field("extra").since == RequiresMicroversion("oven", "2.19")
    assert field("flour").since is None


def test_outputs_model_has_options() -> None:
    """The fields of an outputs model have options, such as `Secret`."""

    class Baked(Outputs):
        key: Annotated[str | None, Secret()] = None

    assert fields_of(Baked)["key"].has(Secret)


# ---------------------------------------------------------------- comparison


@pytest.mark.parametrize(
    ("name", "desired", "actual", "equal"),
    [
        ("name", "a", "a", True),
        ("name", "a", "b", False),
        ("layers", 1, 1.0, True),
        ("name", "", None, True),
        ("tags", [], None, True),
        ("notes", {}, None, True),
        ("name", "a", None, False),
        ("name", UNKNOWN, "a", False),
        ("tags", ["a", "b"], ["b", "a"], True),
        ("tags", ["a", "a"], ["a", "b"], False),
        ("steps", ["a", "b"], ["b", "a"], False),
        ("notes", {"a": "1"}, {"a": "1"}, True),
        ("notes", {"a": "1"}, {"a": "1", "b": "2"}, False),
        ("notes", {"a": "1", "b": "2"}, {"a": "1"}, False),
        ("extra", {"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ("toppings", [{"kind": "nuts"}], [{"kind": "nuts", "grams": 5}], True),
        ("toppings", [{"kind": "nuts", "grams": 5}], [{"kind": "nuts"}], False),
        ("toppings", [{"kind": "nuts"}], [], False),
        ("toppings", [], [{"kind": "nuts"}], False),
        ("toppings", [{"kind": UNKNOWN}], [{"kind": "nuts"}], False),
        ("glaze", "none", [{"kind": "nuts"}], False),
        ("toppings", UNKNOWN, [], False),
        ("tin", "07", "7", True),
        ("tin", "7", "8", False),
        ("tin", "seven", "seven", True),
        ("tin", "seven", "SEVEN", False),
        ("tin", "7", 7, False),
        ("tin", UNKNOWN, "7", False),
        ("tins", ["8", "07"], ["7", "08"], True),
        ("tins", ["7", UNKNOWN], ["7", "8"], False),
        ("labels", [{"text": "a", "color": "RED"}], [{"text": "a", "color": "red", "more": 1}], True),
        ("labels", [{"text": "A"}], [{"text": "a"}], False),
        ("labels", [UNKNOWN], [{"text": "a"}], False),
        ("labels", "none", "none", True),
    ],
)
def test_matches(name: str, desired: Any, actual: Any, equal: bool) -> None:  # noqa: FBT001
    """`matches` compares an actual value with the desired one.

    The order in a set is ignored, maps must be equal, nested objects may have further properties, an empty value equals
    an unset one, two texts with the same canonical form are equal, and an unknown value equals nothing.
    """
    assert matches(field(name), desired, actual) is equal


def test_matches_assigns_each_item_of_a_set_once() -> None:
    """In a set, a less specific desired item does not use the actual item that a more specific one needs."""
    desired = [{"kind": "nuts"}, {"kind": "nuts", "grams": 5}]
    actual = [{"kind": "nuts", "grams": 5}, {"kind": "nuts", "grams": 9}]
    assert matches(field("toppings"), desired, actual)
    assert matches(field("toppings"), desired[::-1], actual[::-1])


# ---------------------------------------------------------------- CheckInputs


@pytest.mark.parametrize(
    ("desired", "actual", "places"),
    [
        ([], [1], []),
        ([{1, 2}, {1}], [1, 2], [1, 0]),
        ([{1}, {1, 2}, {2, 3}], [2, 1, 3], [1, 0, 2]),
        ([{1}, {1}], [1], [0, None]),
        ([{4}], [1, 2], [None]),
    ],
)
def test_match_items_finds_maximum_assignment(
    desired: list[set[int]], actual: list[int], places: list[int | None]
) -> None:
    """As many desired items as possible get an actual item."""
    assert match_items(desired, actual, lambda accepted, item: item in accepted) == places


def test_check_inputs_has_known_changed_provided() -> None:
    """An input that is or contains an unknown value is set, but not known."""
    checked = CheckInputs({"a": 1, "b": UNKNOWN, "c": [UNKNOWN]}, {"a": 1, "d": 2})
    assert [checked.has(name) for name in "abcd"] == [True, True, True, False]
    assert [checked.known(name) for name in "abcd"] == [1, None, None, None]
    assert (checked.changed("a"), checked.changed("b"), checked.changed("a", "d")) == (False, True, True)
    assert checked.provided("d", "b", "a") == ["b", "a"]


def test_check_inputs_items() -> None:
    """`items` returns the known items of a list with their indexes; none for an unknown value or another type."""
    checked = CheckInputs({"a": [UNKNOWN, "x", {"b": UNKNOWN}], "c": UNKNOWN, "d": "auto"})
    assert checked.items("a") == [(1, "x"), (2, {"b": UNKNOWN})]
    assert [checked.items(name) for name in "cde"] == [[], [], []]


@pytest.mark.parametrize(
    ("values", "required", "reasons"),
    [
        ({"a": 1}, True, []),
        ({"a": UNKNOWN}, True, []),
        ({"a": 1, "b": UNKNOWN}, True, ["give only one of `a` or `b`; `a` is set as well"]),
        ({}, True, ["one of `a` or `b` is required"]),
        ({}, False, []),
    ],
)
def test_exactly_one_of(values: dict[str, Any], required: bool, reasons: list[str]) -> None:  # noqa: FBT001
    """Two set inputs are a problem, none is one if an input is required, and an unknown input counts as set."""
    assert [problem.reason for problem in exactly_one_of(CheckInputs(values), "a", "b", required=required)] == reasons


def test_to_plain() -> None:
    """Models, tuples and sets become maps and lists, without unset properties."""
    assert to_plain(Topping(kind="nuts")) == {"kind": "nuts"}
    assert to_plain({"a": None, "b": (1.0, {2.0})}) == {"b": [1, [2]]}


def test_has_unknown() -> None:
    """An unknown value is found at any depth."""
    assert has_unknown({"a": [{"b": (UNKNOWN,)}]})
    assert not has_unknown({"a": [None]})


def test_objects() -> None:
    """`objects` returns the known objects of a list, and none for any other value."""
    assert objects([{"a": 1}, UNKNOWN, "b"]) == [{"a": 1}]
    assert objects(UNKNOWN) == objects(None) == objects("none") == []


def test_contributing_page_explains_every_field_option() -> None:
    """The table of the page on contributing has all field options and no others."""
    page = (CHECKOUT / "docs" / "design" / "contributing.md").read_text()
    table = page.partition("| Field option |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(_subclasses(FieldOption))


def _subclasses(of: type[FieldOption]) -> Iterator[str]:
    for each in of.__subclasses__():
        if not each.__name__.startswith("_"):
            yield each.__name__
        yield from _subclasses(each)
