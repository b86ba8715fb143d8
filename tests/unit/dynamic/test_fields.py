"""What the facts on a field promise: normal form, messages in words, what counts as the same."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pulumi.output import UNKNOWN
from pydantic import Field

from ecs_pulumi.dynamic.fields import (
    CheckInputs,
    Computed,
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


class Topping(Nested):
    """Something on a cake."""

    kind: str
    grams: int | None = None


class CakeInputs(Inputs):
    """A kind with a field of every sort."""

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


def wrong(**said: Any) -> dict[str, str]:
    """What is wrong with these inputs, by property."""
    _, problems = validate(CakeInputs, {"flour": "rye", **said})
    return {problem.property: problem.reason for problem in problems}


def right(**said: Any) -> dict[str, Any]:
    """These inputs in their normal form, without the required one and the defaults."""
    inputs, problems = validate(CakeInputs, {"flour": "rye", **said})
    assert not problems
    return {name: value for name, value in inputs.items() if name not in {"flour", "layers"}}


def field(name: str) -> ModelField:
    """A field of the cake."""
    return fields_of(CakeInputs)[name]


# ---------------------------------------------------------------- normal form


def test_defaults_are_filled_in_and_unset_inputs_left_out() -> None:
    """The state shows a default; None is the same as saying nothing."""
    assert validate(CakeInputs, {"flour": "rye", "name": None}) == ({"flour": "rye", "layers": 1}, [])


def test_numbers_lose_the_form_that_the_wire_gave_them() -> None:
    """Every number arrives as a float; whole ones are integers, also deep inside, and texts where a text is meant."""
    assert right(name=7.0, extra={"a": [1.0, 1.5]}, notes={"n": 2.0}) == {
        "name": "7",
        "extra": {"a": [1, 1.5]},
        "notes": {"n": "2"},
    }
    assert validate(CakeInputs, {"flour": "rye", "layers": 3.0})[0]["layers"] == 3


def test_none_inside_means_unset() -> None:
    """A property of a nested object that is None is not there."""
    assert right(toppings=[{"kind": "nuts", "grams": None}]) == {"toppings": [{"kind": "nuts"}]}


def test_empty_is_not_unset() -> None:
    """An empty list or map is a wish of its own."""
    assert right(toppings=[], notes={}) == {"toppings": [], "notes": {}}


@pytest.mark.parametrize(
    "said",
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
def test_what_is_not_known_passes(said: dict[str, Any]) -> None:
    """Unknown values are no problem, wherever they stand, and stay what they are."""
    assert right(**said) == said


@pytest.mark.parametrize(
    ("said", "reason"),
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
        ({"notes": [UNKNOWN]}, "must be a valid dictionary"),
    ],
)
def test_what_stands_beside_the_unknown_is_checked_all_the_same(said: dict[str, Any], reason: str) -> None:
    """An unknown value hides nothing that is wrong beside it, around it or in its own key."""
    assert [found[: len(reason)] for found in wrong(**said).values()] == [reason]


def test_what_stands_beside_the_unknown_gets_its_normal_form() -> None:
    """The known parts are what they are without an unknown one: numbers are texts where a text is meant."""
    assert right(notes={"a": UNKNOWN, "b": 2.0}, tags=[UNKNOWN, 3.0, 3.0]) == {
        "notes": {"a": UNKNOWN, "b": "2"},
        "tags": [UNKNOWN, "3", "3"],
    }


# ---------------------------------------------------------------- in words


@pytest.mark.parametrize(
    ("said", "property_", "reason"),
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
def test_what_is_wrong_is_said_in_words(said: dict[str, Any], property_: str, reason: str) -> None:
    """The property, the path inside it, what it must be and what it is; no word of the validator's own."""
    found = wrong(**said)
    assert list(found) == [property_]
    assert reason in found[property_]


def test_what_is_required_is_said_to_be_missing() -> None:
    """A required input that is not given is named."""
    assert validate(CakeInputs, {})[1] == [Problem("flour", "required, and missing")]


def test_a_secret_is_not_quoted() -> None:
    """What is wrong with a secret is said without its value."""
    assert wrong(recipe="xy") == {"recipe": "string must have at least 3 characters"}


def test_long_values_are_not_quoted() -> None:
    """A message stays one readable line."""
    assert format_value("a\nb") == '"a\\nb"'
    assert format_value("ü") == '"ü"'
    assert format_value("x" * 81) == "81 characters"
    assert format_value(True) == "true"  # noqa: FBT003


def test_the_nearest_names_come_first() -> None:
    """A misspelled name finds what it was meant to be, and nothing finds nothing."""
    assert close_matches("debain", ["cirros", "debian", "debian-12"])[0] == "debian"
    assert close_matches("xyz", ["cirros"]) == []


# ---------------------------------------------------------------- facts


def test_facts_are_found_with_their_bases() -> None:
    """What can only grow is changed in place; what steers the provider as well."""
    assert field("layers").has(InPlace)
    assert fields_of(CakeInputs)["adopt"].has(InPlace)
    assert fields_of(CakeInputs)["adopt"].has(ProviderOnly)
    assert not field("flour").has(InPlace)
    assert field("extra").since == RequiresMicroversion("oven", "2.19")
    assert field("flour").since is None


def test_a_model_of_outputs_has_facts_too() -> None:
    """Secrets are declared on outputs as on inputs."""

    class Baked(Outputs):
        key: Annotated[str | None, Secret()] = None

    assert fields_of(Baked)["key"].has(Secret)


# ---------------------------------------------------------------- the same


@pytest.mark.parametrize(
    ("name", "desired", "observed", "same"),
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
    ],
)
def test_what_is_there_is_compared_to_what_is_wanted(name: str, desired: Any, observed: Any, same: bool) -> None:  # noqa: FBT001
    """Sets have no order, maps are exact, nested objects may have more, empty is unset, unknown is never the same."""
    assert matches(field(name), desired, observed) is same


def test_a_vague_wish_does_not_take_what_a_specific_one_needs() -> None:
    """In a set every wish finds an item of its own, if there is a way."""
    desired = [{"kind": "nuts"}, {"kind": "nuts", "grams": 5}]
    observed = [{"kind": "nuts", "grams": 5}, {"kind": "nuts", "grams": 9}]
    assert matches(field("toppings"), desired, observed)
    assert matches(field("toppings"), desired[::-1], observed[::-1])


# ---------------------------------------------------------------- what rules are given


@pytest.mark.parametrize(
    ("wishes", "items", "got"),
    [
        ([], [1], []),
        ([{1, 2}, {1}], [1, 2], [1, 0]),
        ([{1}, {1, 2}, {2, 3}], [2, 1, 3], [1, 0, 2]),
        ([{1}, {1}], [1], [0, None]),
        ([{4}], [1, 2], [None]),
    ],
)
def test_as_many_wishes_as_can_be_are_fulfilled(
    wishes: list[set[int]], items: list[int], got: list[int | None]
) -> None:
    """A wish that may have several leaves each to those that can have nothing else."""
    assert match_items(wishes, items, lambda wish, item: item in wish) == got


def test_rules_see_what_is_set_known_and_changed() -> None:
    """An unknown input is set and not known; one that contains something unknown as well."""
    given = CheckInputs({"a": 1, "b": UNKNOWN, "c": [UNKNOWN]}, {"a": 1, "d": 2})
    assert [given.has(name) for name in "abcd"] == [True, True, True, False]
    assert [given.known(name) for name in "abcd"] == [1, None, None, None]
    assert (given.changed("a"), given.changed("b"), given.changed("a", "d")) == (False, True, True)
    assert given.provided("d", "b", "a") == ["b", "a"]


def test_rules_see_the_known_items_of_a_list() -> None:
    """Each with its place in the program; a value that is not known, or no list, has none."""
    given = CheckInputs({"a": [UNKNOWN, "x", {"b": UNKNOWN}], "c": UNKNOWN, "d": "auto"})
    assert given.items("a") == [(1, "x"), (2, {"b": UNKNOWN})]
    assert [given.items(name) for name in "cde"] == [[], [], []]


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
def test_one_of_several(values: dict[str, Any], required: bool, reasons: list[str]) -> None:  # noqa: FBT001
    """Two are too many, none is too few where one is required, and what is not known counts as set."""
    assert [problem.reason for problem in exactly_one_of(CheckInputs(values), "a", "b", required=required)] == reasons


def test_plain_is_what_json_would_have() -> None:
    """Models, tuples and sets become maps and lists, without what is unset."""
    assert to_plain(Topping(kind="nuts")) == {"kind": "nuts"}
    assert to_plain({"a": None, "b": (1.0, {2.0})}) == {"b": [1, [2]]}


def test_unknown_is_found_at_any_depth() -> None:
    """A value is known only as a whole."""
    assert has_unknown({"a": [{"b": (UNKNOWN,)}]})
    assert not has_unknown({"a": [None]})


def test_objects_are_those_that_are_known() -> None:
    """What is no list of objects has none."""
    assert objects([{"a": 1}, UNKNOWN, "b"]) == [{"a": 1}]
    assert objects(UNKNOWN) == objects(None) == objects("none") == []
