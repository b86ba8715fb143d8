"""What is true of a field, said on the field: check, diff, secrets, defaults and documentation derive from it.

An input is declared once, with its type, its limits and its facts::

    size: Annotated[int, GrowOnly(), Field(ge=1, description="Size in GiB.")]

Every fact says what a *change* of the field means, or how its observed value compares to the wanted one.
`None` means "not managed" everywhere: at the top, and for each property of a nested object.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pulumi.output import Unknown
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WrapValidator, field_validator
from pydantic_core import PydanticUndefined

if TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


_LONGEST_SHOWN = 80
_MOST_SHOWN = 4
"""Properties of an object that a message lists."""


@dataclass(frozen=True)
class FieldOption:
    """Base of the facts that stand in a field's annotation."""


class Replace(FieldOption):
    """A change replaces the resource."""


class InPlace(FieldOption):
    """A change is applied to the object as it stands."""


class Computed(FieldOption):
    """The cloud chooses when unset, and what it chose is no drift."""


class GrowOnly(InPlace):
    """Changed in place, and never to less; less is refused in the preview."""


class Secret(FieldOption):
    """Encrypted in the state and masked wherever it is shown."""


class Set(FieldOption):
    """A list whose order means nothing."""


class WriteOnly(FieldOption):
    """The API does not tell it back: the state keeps what the program said."""


class Advisory(FieldOption):
    """The cloud may decide otherwise, and what it decided is no drift: only a change in the program counts."""


class ProviderOnly(InPlace):
    """Never sent: it steers the provider. A change is recorded and does nothing else."""


@dataclass(frozen=True)
class RequiresMicroversion(FieldOption):
    """Needs this microversion of this service where the older API has no other way."""

    service: str
    microversion: str


def _pass_unknown(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, Unknown) else handler(value)


class Nested(BaseModel):
    """Base of an object inside an input. A property that is unknown in the preview passes validation."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    _unknown = field_validator("*", mode="wrap")(_pass_unknown)


class Inputs(BaseModel):
    """Base of what a program may ask of a kind."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    region: Annotated[str | None, Replace(), Computed()] = Field(
        None, description="Region the object lives in. Default: the configured one."
    )
    adopt: Annotated[str | None, ProviderOnly()] = Field(
        None,
        description="Id of an existing object that the first `up` takes over instead of creating one. "
        "What the program asks otherwise is then applied in place or refused; later changes do nothing.",
    )


class Outputs(BaseModel):
    """Base of what is observed of a kind beyond its inputs."""


@dataclass(frozen=True)
class ModelField:
    """One field of an inputs or outputs model, with its facts at hand."""

    name: str
    info: FieldInfo

    def has(self, fact: type[FieldOption]) -> bool:
        """Whether the field's annotation carries this fact."""
        return any(isinstance(item, fact) for item in self.info.metadata)

    @property
    def since(self) -> RequiresMicroversion | None:
        """The microversion the field needs, where it needs one."""
        return next((item for item in self.info.metadata if isinstance(item, RequiresMicroversion)), None)

    @property
    def default(self) -> Any:
        """The value that stands in for an omitted one; None where there is none."""
        return None if self.info.default is PydanticUndefined else self.info.default

    @functools.cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Validates a value of this field alone; an unknown value inside it passes."""
        limits = tuple(item for item in self.info.metadata if not isinstance(item, FieldOption))
        annotation: Any = _passing_unknown(self.info.annotation)
        for limit in limits:
            annotation = Annotated[annotation, limit]
        return TypeAdapter(annotation, config=None if _is_model(annotation) else Inputs.model_config)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _passing_unknown(annotation: Any) -> Any:
    """The annotation, with an unknown value allowed for every item of a list and every value of a map."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return Union[tuple(map(_passing_unknown, args))]  # noqa: UP007  (of as many as there are)
    if origin in (list, dict):
        parts: Any = (*args[:-1], Annotated[_passing_unknown(args[-1]), WrapValidator(_pass_unknown)])
        return origin[parts]
    return annotation


def _branches(annotation: Any) -> list[Any]:
    """The types that a value may have; None is not one of them."""
    is_union = get_origin(annotation) in (Union, UnionType)
    return [each for each in (get_args(annotation) if is_union else (annotation,)) if each is not NoneType]


def _properties(annotation: Any) -> list[str]:
    """The names of the properties that objects in a value of this type have."""
    if _is_model(annotation):
        return [*annotation.model_fields]
    return [name for part in get_args(annotation) for name in _properties(part)]


def _form(annotation: Any) -> str:
    """What a value of this type looks like, in words; empty where the validator's own words do."""
    origin, args = get_origin(annotation), get_args(annotation)
    if _is_model(annotation):
        names = _properties(annotation)
        return "{" + ", ".join(names[:_MOST_SHOWN]) + (", …" if len(names) > _MOST_SHOWN else "") + "}"
    if origin is Literal:
        return " or ".join(map(repr, args))
    return f"a list of {form}" if origin is list and (form := _form(args[0])) else ""


@functools.cache
def fields_of(model: type[BaseModel]) -> Mapping[str, ModelField]:
    """The fields of `model` by name, in their order."""
    return {name: ModelField(name, info) for name, info in model.model_fields.items()}


@dataclass(frozen=True)
class Problem:
    """Something wrong with one input, in words for the person who wrote the program."""

    property: str
    reason: str
    hides_value: bool = False
    """Whether the value may be a secret although the field is none."""


class CheckInputs:
    """The inputs of a program in a preview, where some are not known yet."""

    def __init__(
        self, values: Mapping[str, Any], prior: Mapping[str, Any] | None = None, *, is_replacement: bool = False
    ) -> None:
        self.values = values
        self.prior: Mapping[str, Any] = prior or {}
        self.is_replacement = is_replacement
        """Whether they are of what takes the place of an object, which gives back what it holds."""

    def has(self, name: str) -> bool:
        """Whether the program sets this input, known or not."""
        return self.values.get(name) is not None

    def known(self, name: str) -> Any:
        """The input's value, or None where it is unset or contains something unknown."""
        value = self.values.get(name)
        return None if has_unknown(value) else value

    def items(self, name: str) -> list[tuple[int, Any]]:
        """The known items of a list, each with its place; the properties of an object may still be unknown."""
        value = self.values.get(name)
        return [(at, item) for at, item in enumerate(value if isinstance(value, list) else ()) if not is_unknown(item)]

    def changed(self, *names: str) -> bool:
        """Whether one of these inputs differs from the last `up`."""
        return any(self.values.get(name) != self.prior.get(name) for name in names)

    def provided(self, *names: str) -> list[str]:
        """Those of these inputs that the program sets."""
        return [name for name in names if self.has(name)]


def exactly_one_of(checked: CheckInputs, *names: str, required: bool = True) -> Iterable[Problem]:
    """The rule that exactly one (or, not `required`, at most one) of these inputs is set."""
    both = checked.provided(*names)
    listed = " or ".join(f"`{name}`" for name in names)
    if len(both) > 1:
        yield Problem(both[1], f"give only one of {listed}; `{both[0]}` is set as well")
    elif required and not both:
        yield Problem(names[0], f"one of {listed} is required")


def to_plain(value: Any) -> Any:
    """The value as JSON would have it: models become maps without their unset parts, 1.0 becomes 1."""
    if isinstance(value, BaseModel):
        return to_plain(dict(value))
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def is_unknown(value: Any) -> bool:
    """Whether the value itself will be known only after the preview."""
    return isinstance(value, Unknown)


def has_unknown(value: Any) -> bool:
    """Whether something in here will be known only after the preview."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(has_unknown(item) for item in value)
    return False


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The nested objects in a list; none of those, and no list, that will be known only after the preview."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def validate(model: type[Inputs], raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Check a program's inputs field by field, unknown ones passing through.

    Returns:
        The inputs in their normal form with defaults filled in, and what is wrong with them.
    """
    inputs: dict[str, Any] = {}
    problems: list[Problem] = []
    known = fields_of(model)
    problems += [Problem(name, _no_such(name, known)) for name in raw if name not in known]
    for name, field in known.items():
        value = to_plain(raw.get(name))
        if value is None:
            value = to_plain(field.default)
        if value is None:
            if field.info.is_required():
                problems.append(Problem(name, "required, and missing"))
            continue
        inputs[name] = value
        if isinstance(value, Unknown):
            continue
        try:
            inputs[name] = _distinct(field, to_plain(field.adapter.validate_python(value)))
        except ValidationError as error:
            problems.append(Problem(name, _in_words(field, error.errors(include_url=False))))
    return inputs, problems


def _distinct(field: ModelField, value: Any) -> Any:
    """A set of words says each of them once; of objects, two that are alike may mean two."""
    is_words = field.has(Set) and isinstance(value, list) and all(isinstance(item, str) for item in value)
    return list(dict.fromkeys(value)) if is_words else value


def close_matches(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """The names most like a misspelled one, best first."""
    return difflib.get_close_matches(name, list(names), n=count, cutoff=0.5)


def _no_such(name: str, names: Collection[str], what: str = "input") -> str:
    guess = close_matches(name, names, 1)
    if guess:
        return f"no such {what}; did you mean `{guess[0]}`?"
    # A kind has too many inputs to list.
    return f"no such {what}" + (f"; there are {', '.join(f'`{each}`' for each in names)}" if what != "input" else "")


def _in_words(field: ModelField, details: Sequence[ErrorDetails]) -> str:
    branches = _branches(field.info.annotation)
    # A union reports every branch that did not fit, its name before the path; the one that came furthest is the one
    # that was meant. A misspelled property is often what a missing one was meant to be.
    first = 1 if len(branches) > 1 else 0
    detail = max(details, key=lambda item: (len(item["loc"]), item["type"] == "extra_forbidden"))
    path, message = detail["loc"][first:], detail["msg"].removeprefix("Value error, ")
    message = (message[:1].lower() + message[1:]).replace("input should be", "must be").replace("should", "must")
    forms = [form for branch in reversed(branches) if (form := _form(branch))] if not path else []
    if detail["type"] == "extra_forbidden":
        return f"{_path(path)}: {_no_such(str(path[-1]), _properties(field.info.annotation), 'property')}"
    if detail["type"] in ("model_type", "model_attributes_type"):
        message = f"must be {next(filter(None, map(_object_form, branches)), 'an object')}"
    elif forms and (first or detail["type"] == "list_type"):
        message = f"must be {', or '.join(forms)}"
    if not field.has(Secret) and isinstance(detail["input"], (str, int, float, bool)):
        message += f", got {format_value(detail['input'])}"
    return f"{_path(path)}: {message}" if path else message


def _object_form(annotation: Any) -> str:
    """What an object in a value of this type looks like."""
    if _is_model(annotation):
        return _form(annotation)
    return next(filter(None, map(_object_form, get_args(annotation))), "")


def _path(parts: Sequence[int | str]) -> str:
    """Where in a value something is, as one would write it in a program."""
    path = ""
    for part in parts:
        if isinstance(part, str) and part.isidentifier() and len(part) <= _LONGEST_SHOWN:
            path += f".{part}"
        else:
            path += f"[{part if isinstance(part, int) else format_value(part)}]"
    return path.lstrip(".")


def format_value(value: str | float) -> str:
    """A value for a message: as JSON has it, on one line, and how long it is where it is too long to show."""
    length = len(str(value))
    return json.dumps(value, ensure_ascii=False) if length <= _LONGEST_SHOWN else f"{length} characters"


def matches(field: ModelField, desired: Any, observed: Any) -> bool:
    """Whether what is there already is what is wanted.

    A nested object matches one that has at least its properties; what else that one has, the cloud chose.
    Something unknown matches nothing.
    """
    if field.has(Set) and isinstance(desired, list) and isinstance(observed, list):
        return len(desired) == len(observed) and None not in match_items(desired, observed, _fits)
    return _fits(desired, observed, exact=_is_map(field))


def _is_map(field: ModelField) -> bool:
    annotation = field.info.annotation
    return any(get_origin(branch) is dict for branch in (annotation, *get_args(annotation)))


def _fits(desired: Any, observed: Any, *, exact: bool = False) -> bool:
    if isinstance(desired, Unknown) or isinstance(observed, Unknown):
        return False
    if observed is None and desired in ("", [], {}):
        # Asked to be cleared, some properties come back empty and some not at all.
        return True
    if isinstance(desired, Mapping) and isinstance(observed, Mapping):
        if exact and set(desired) != set(observed):
            return False
        return all(_fits(item, observed.get(key)) for key, item in desired.items() if item is not None)
    if isinstance(desired, (list, tuple)) and isinstance(observed, (list, tuple)):
        return len(desired) == len(observed) and all(map(_fits, desired, observed))
    return bool(to_plain(desired) == to_plain(observed))


def match_items(desired: Sequence[Any], observed: Sequence[Any], fits: Callable[[Any, Any], bool]) -> list[int | None]:
    """The place of the observed item that each wish gets, so that as many wishes as can be get one; None for no item.

    Args:
        desired: The wishes.
        observed: The items, of which each is for one wish.
        fits: Whether an item is what a wish asks for.
    """
    holders: dict[int, int] = {}

    def gets_one(wish: int, tried: set[int]) -> bool:
        for place, item in enumerate(observed):
            if place in tried or not fits(desired[wish], item):
                continue
            tried.add(place)
            # Who has it may do with another one.
            if place not in holders or gets_one(holders[place], tried):
                holders[place] = wish
                return True
        return False

    for wish in range(len(desired)):
        gets_one(wish, set())
    got = {wish: place for place, wish in holders.items()}
    return [got.get(wish) for wish in range(len(desired))]
