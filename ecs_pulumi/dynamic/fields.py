"""Field options: annotations on the fields of a model. check, diff, secrets, defaults and documentation use them.

An input is declared once, with its type, its limits and its options::

    size: Annotated[int, GrowOnly(), Field(ge=1, description="Size in GiB.")]

An option defines how a *change* of the field is applied, or how its actual value is compared to the desired one.
`None` means "not managed": for an input, and for each property of a nested object.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pulumi.output import Unknown
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WrapValidator, field_validator
from pydantic_core import PydanticUndefined

if TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


MAX_VALUE_LENGTH = 80
"""Number of characters of a value that a message repeats."""
_UNSET_IF_EMPTY = ("region", "project_id", "availability_zone", "volume_type")
"""Inputs that the cloud chooses if they are empty: an empty one differs from each value, and `up` would replace."""
_NO_ID = re.compile(r"[/?#%\s]")
"""Matches a character that no id of an object contains."""
_LONG_WORD = re.compile(r"(\S{80})\S{176,}")
_MAX_PROPERTIES = 4
"""Number of an object's properties that a message lists."""


@dataclass(frozen=True)
class FieldOption:
    """Base of the options in a field's annotation."""


O = TypeVar("O", bound=FieldOption)  # noqa: E741  (an option)


class Replace(FieldOption):
    """A change replaces the resource."""


class InPlace(FieldOption):
    """A change is applied to the existing object."""


class Computed(FieldOption):
    """The cloud sets the value if the program does not; that value is not drift."""


class ClearedIfUnset(FieldOption):
    """A program that no longer sets it clears it, as an empty string does; usually such an input is not managed."""


class ReplacedIfUnset(Replace):
    """Changed with replacement, also if a program no longer sets it: without a value it means something else."""


class GrowOnly(InPlace):
    """Changed in place, and only to a larger value; check rejects a smaller one."""


class Secret(FieldOption):
    """Encrypted in the state and masked in all output."""


class Set(FieldOption):
    """A list whose order is not significant."""


@dataclass(frozen=True)
class ComparedAs(FieldOption):
    """Texts with the same canonical form are equal, such as an address in upper and in lower case.

    It may also be an option of the items of a list, and of the properties of a nested object.

    Attributes:
        canonical: Returns the canonical form of a text; any text that it cannot parse unchanged.
    """

    canonical: Callable[[str], str]


class WriteOnly(FieldOption):
    """The API does not return it: the state stores the desired value."""


class Advisory(FieldOption):
    """The cloud may use another value, which is not drift: only a change of the desired value is a change."""


class AlwaysSet(FieldOption):
    """The output always has a value, also where the program does not set the input."""


@dataclass(frozen=True)
class Exclusive(FieldOption):
    """Two objects cannot have the same value at the same time, so a replacement deletes the prior object first.

    Attributes:
        value: The only value of the field for which this holds, such as a type; None for every value.
    """

    value: str | None = None


@dataclass(frozen=True)
class References(FieldOption):
    """The value identifies an object of another kind, or of the same one.

    Attributes:
        kind: The kind of that object.
        output: The output that a program passes; its value is the id of the object.
    """

    kind: str
    output: str = "id"


@dataclass(frozen=True)
class ChangedBy(FieldOption):
    """Of an output: an update in place may change it if it changes one of these inputs.

    A preview of another update shows its prior value. An input that the program does not set is an output as well.

    Attributes:
        inputs: The inputs. Without any, no update in place changes the output. None: every update may change it.
    """

    inputs: tuple[str, ...] | None = ()


class ProviderOnly(InPlace):
    """Never sent to the API: it controls the provider. A change is only recorded in the state."""


@dataclass(frozen=True)
class RequiresMicroversion(FieldOption):
    """Requires this microversion of this service, unless the older API has an alternative."""

    service: str
    microversion: str


def _pass_unknown(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, Unknown) else handler(value)


class Nested(BaseModel):
    """Base of an object inside an input. A property whose value is unknown passes validation."""

    arguments_name: ClassVar[str] = ""
    """The name of the type of an argument, if it is not the name of the model with the suffix `Args`."""
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    _unknown = field_validator("*", mode="wrap")(_pass_unknown)


class Inputs(BaseModel):
    """Base of the inputs model of a kind."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    region: Annotated[str | None, Replace(), Computed()] = Field(
        None, description="Region the object lives in. Default: the configured one."
    )
    cloud: Annotated[str | None, Replace(), ClearedIfUnset()] = Field(
        None,
        description="Entry of clouds.yaml with the cloud the object lives in. Its credentials and its region are used "
        "instead of the stack's settings and the `OS_*` variables. Default: the cloud of the stack.",
    )
    adopt: Annotated[str | None, ProviderOnly()] = Field(
        None,
        description="Id of an existing object that the first `up` imports instead of creating one. Inputs that differ "
        "from the object are changed in place; the import fails if one requires a replacement. Changing `adopt` later "
        "has no effect.",
    )


class Outputs(BaseModel):
    """Base of the outputs model of a kind: the outputs that are not inputs as well."""


@dataclass(frozen=True)
class ModelField:
    """One field of an inputs or outputs model and its options."""

    name: str
    info: FieldInfo

    def has(self, option: type[FieldOption]) -> bool:
        """Whether the field has this option."""
        known = self._options
        if option not in known:
            known[option] = any(isinstance(item, option) for item in self.info.metadata)
        return known[option]

    @functools.cached_property
    def _options(self) -> dict[type[FieldOption], bool]:
        return {}

    @property
    def since(self) -> RequiresMicroversion | None:
        """The microversion that the field requires; None if it requires none."""
        return next((item for item in self.info.metadata if isinstance(item, RequiresMicroversion)), None)

    @functools.cached_property
    def default(self) -> Any:
        """The plain value that is used if the field is omitted; None if there is none."""
        return None if self.info.default is PydanticUndefined else to_plain(self.info.default)

    def canonical(self, value: Any) -> Any:
        """Return a value of this field with all texts in it in the form in which they are compared."""
        return _canonical(value, self.info.annotation, self.info.metadata) if self._has_canonical_form else value

    @functools.cached_property
    def _has_canonical_form(self) -> bool:
        """Whether the field, or a part of it, has the option `ComparedAs`."""
        return any(_compared_as(self.info.annotation, self.info.metadata))

    @functools.cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Validates a value of this field; unknown values inside it pass."""
        limits = tuple(item for item in self.info.metadata if not isinstance(item, FieldOption))
        annotation: Any = _allow_unknown(self.info.annotation)
        for limit in limits:
            annotation = Annotated[annotation, limit]
        return TypeAdapter(annotation, config=None if _is_model(annotation) else Inputs.model_config)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _allow_unknown(annotation: Any) -> Any:
    """Return the annotation with unknown values allowed as list items and map values."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return Union[tuple(map(_allow_unknown, args))]  # noqa: UP007  (the number of members varies)
    if origin in (list, dict):
        parts: Any = (*args[:-1], Annotated[_allow_unknown(args[-1]), WrapValidator(_pass_unknown)])
        return origin[parts]
    return annotation


def _canonical(value: Any, annotation: Any, options: Iterable[Any] = ()) -> Any:
    """Return a value of this type with the texts in their canonical form. What has another type is unchanged."""
    origin, args = get_origin(annotation), get_args(annotation)
    if isinstance(value, str):
        for option in options:
            if isinstance(option, ComparedAs):
                return option.canonical(value)
    if origin is Annotated:
        return _canonical(value, args[0], args[1:])
    if origin in (Union, UnionType):
        return functools.reduce(_canonical, args, value)
    if origin is list and isinstance(value, list):
        return [_canonical(item, args[0]) for item in value]
    if _is_model(annotation) and isinstance(value, Mapping):
        known = fields_of(annotation)
        return {key: known[key].canonical(item) if key in known else item for key, item in value.items()}
    return value


def _compared_as(annotation: Any, options: Iterable[Any] = ()) -> Iterator[ComparedAs]:
    """Yield the options `ComparedAs` of a type and of its parts."""
    args = get_args(annotation)
    options = args[1:] if get_origin(annotation) is Annotated else options
    yield from (option for option in options if isinstance(option, ComparedAs))
    for part in args:
        yield from _compared_as(part)
    if _is_model(annotation):
        for field in fields_of(annotation).values():
            yield from _compared_as(field.info.annotation, field.info.metadata)


def _union_members(annotation: Any) -> list[Any]:
    """Return the types that a value may have, without None."""
    is_union = get_origin(annotation) in (Union, UnionType)
    return [each for each in (get_args(annotation) if is_union else (annotation,)) if each is not NoneType]


def _properties(annotation: Any) -> list[str]:
    """Return the property names of the objects in a value of this type."""
    if _is_model(annotation):
        return [*annotation.model_fields]
    return [name for part in get_args(annotation) for name in _properties(part)]


def _type_form(annotation: Any) -> str:
    """Describe the form of a value of this type; empty if the validator's message is sufficient."""
    origin, args = get_origin(annotation), get_args(annotation)
    if _is_model(annotation):
        names = _properties(annotation)
        return "{" + ", ".join(names[:_MAX_PROPERTIES]) + (", …" if len(names) > _MAX_PROPERTIES else "") + "}"
    if origin is Literal:
        return " or ".join(map(repr, args))
    return f"a list of {form}" if origin is list and (form := _type_form(args[0])) else ""


@functools.cache
def fields_of(model: type[BaseModel]) -> Mapping[str, ModelField]:
    """Return the fields of `model` by name.

    Those of a nested object and of the outputs are in the order of their declaration. The inputs of a kind are in the
    order in which a program sets them: the required ones, name and description, the kind's other ones, and those that
    it shares with other kinds.
    """
    found = {name: ModelField(name, info) for name, info in model.model_fields.items()}
    if not issubclass(model, Inputs):
        return found

    def place(field: ModelField) -> tuple[bool, bool, int]:
        declared = next(at for at, base in enumerate(model.__mro__) if field.name in base.__annotations__)
        return not field.info.is_required(), field.name not in ("name", "description"), declared

    return {field.name: field for field in sorted(found.values(), key=place)}


def models_in(annotation: Any) -> Iterator[type[Nested]]:
    """The models of the objects inside a value of this type, those inside another one first."""
    if isinstance(annotation, type) and issubclass(annotation, Nested):
        for info in annotation.model_fields.values():
            yield from models_in(info.annotation)
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def managed_inputs(model: type[BaseModel], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that a program must set to import an object without changing it, by the field options."""
    inputs: dict[str, Any] = {}
    for name, field in fields_of(model).items():
        value = outputs.get(name)
        is_unmanaged = any(map(field.has, (ProviderOnly, WriteOnly, Computed, Secret)))
        is_empty = field.default is None and value in (None, "", [], {}, False)
        if not (is_unmanaged or is_empty or value == field.default):
            inputs[name] = value
    return inputs


def _options(model: type[BaseModel], option: type[O]) -> Iterator[tuple[str, O]]:
    """Yield the options of this type on the fields of a model and of the objects inside them, each with its path."""
    for name, field in fields_of(model).items():
        infos = {name: field.info}
        for nested in models_in(field.info.annotation):
            infos |= {f"{name}.{key}": info for key, info in nested.model_fields.items()}
        for path, info in infos.items():
            yield from ((path, item) for item in info.metadata if isinstance(item, option))


def exclusive_paths(model: type[BaseModel]) -> tuple[str, ...]:
    """The fields with the option `Exclusive`, as `sdk.exclusive.is_exclusive` takes them."""
    return tuple(f"{path}={each.value}" if each.value else path for path, each in _options(model, Exclusive))


def kept_outputs(inputs: type[Inputs], outputs: type[Outputs]) -> dict[str, tuple[str, ...]]:
    """The outputs that an update in place keeps unless it changes one of the inputs listed with each.

    Besides the outputs with the option `ChangedBy` these are the inputs that the cloud chooses if the program does not,
    and that change by a replacement only.
    """
    kept: dict[str, tuple[str, ...]] = {}
    for name, field in {**fields_of(inputs), **fields_of(outputs)}.items():
        is_fixed = field.has(Replace) and (field.has(Computed) or field.has(AlwaysSet)) and not field.has(Advisory)
        default = ChangedBy(() if is_fixed else None)
        option = next((item for item in field.info.metadata if isinstance(item, ChangedBy)), default)
        if option.inputs is not None:
            kept[name] = option.inputs
    return kept


def referenced_kinds(model: type[BaseModel]) -> set[str]:
    """The kinds that the fields with the option `References` refer to."""
    return {each.kind for _, each in _options(model, References)}


def map_references(
    model: type[BaseModel], values: Mapping[str, Any], resolve: Callable[[References, str], Any]
) -> dict[str, Any]:
    """Replace the values that refer to other objects, those inside lists and objects included.

    Args:
        model: The model of the values, whose fields have the option `References`.
        values: The values by the names of their fields.
        resolve: Returns the replacement of an id.
    """
    known = fields_of(model)
    return {name: _map_references(known[name].info, value, resolve) for name, value in values.items()}


def _map_references(info: FieldInfo, value: Any, resolve: Callable[[References, str], Any]) -> Any:
    if isinstance(value, list):
        return [_map_references(info, item, resolve) for item in value]
    if isinstance(value, Mapping):
        *_, model = (None, *models_in(info.annotation))
        if model:
            return map_references(model, value, resolve)
        return {name: _map_references(info, item, resolve) for name, item in value.items()}
    option = next((item for item in info.metadata if isinstance(item, References)), None)
    return resolve(option, value) if option and isinstance(value, str) else value


@dataclass(frozen=True)
class Problem:
    """An invalid input, with a reason for the author of the program."""

    property: str
    reason: str
    hides_value: bool = False
    """Whether the value may be a secret although the field is not declared as one."""


class CheckInputs:
    """The desired inputs that a check validates. In a preview some values may be unknown."""

    def __init__(
        self, values: Mapping[str, Any], prior: Mapping[str, Any] | None = None, *, is_replacement: bool = False
    ) -> None:
        self.values = values
        self.prior: Mapping[str, Any] = prior or {}
        self.is_replacement = is_replacement
        """Whether these are the inputs of a replacement, which may reuse what the replaced object releases."""

    def has(self, name: str) -> bool:
        """Whether the program sets this input, to a known or an unknown value."""
        return self.values.get(name) is not None

    def known(self, name: str) -> Any:
        """Return the value of an input; None if it is unset or contains an unknown value."""
        value = self.values.get(name)
        return None if has_unknown(value) else value

    def items(self, name: str) -> list[tuple[int, Any]]:
        """Return the known items of a list with their indexes. Properties of an item may be unknown."""
        value = self.values.get(name)
        items = value if isinstance(value, list) else ()
        return [(index, item) for index, item in enumerate(items) if not is_unknown(item)]

    def changed(self, *names: str) -> bool:
        """Whether one of these inputs differs from its prior value."""
        return any(self.values.get(name) != self.prior.get(name) for name in names)

    def provided(self, *names: str) -> list[str]:
        """Return those of these inputs that the program sets."""
        return [name for name in names if self.has(name)]


def exactly_one_of(checked: CheckInputs, *names: str, required: bool = True) -> Iterable[Problem]:
    """Validate that exactly one of these inputs is set, or at most one if not `required`."""
    provided = checked.provided(*names)
    listed = " or ".join(f"`{name}`" for name in names)
    if len(provided) > 1:
        yield Problem(provided[1], f"give only one of {listed}; `{provided[0]}` is set as well")
    elif required and not provided:
        yield Problem(names[0], f"one of {listed} is required")
    elif required and checked.values[provided[0]] == "":
        yield Problem(provided[0], "required, and empty")


def to_plain(value: Any) -> Any:
    """Convert a value to JSON types: models become maps without their unset properties, 1.0 becomes 1."""
    if isinstance(value, (str, bool, int)) or value is None:
        return value
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
    """Whether the value itself is unknown, as in a preview."""
    return isinstance(value, Unknown)


def has_unknown(value: Any) -> bool:
    """Whether the value is unknown or contains an unknown value."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(has_unknown(item) for item in value)
    return False


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the known objects in a list; an empty list if the value is not a list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def validate(model: type[Inputs], raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Validate the desired inputs field by field. Unknown values pass unchanged.

    Returns:
        The inputs in their normal form, with defaults, and the problems found.
    """
    inputs: dict[str, Any] = {}
    problems: list[Problem] = []
    known = fields_of(model)
    problems += [_unknown_input(name, known) for name in raw if name not in known]
    for name, field in known.items():
        value = to_plain(raw.get(name))
        if value is None or (value == "" and name in _UNSET_IF_EMPTY):
            value = field.default
        if value is None:
            if field.info.is_required():
                problems.append(Problem(name, "required, and missing"))
            continue
        inputs[name] = value
        if isinstance(value, Unknown):
            continue
        inputs[name], invalid = validate_value(field, value)
        if invalid:
            problems.append(invalid)
        elif value == "" and field.info.is_required():
            # For example an id from a variable that is not set. It would be an empty part of the path of a request.
            problems.append(Problem(name, "required, and empty"))
        elif isinstance(value, str) and name.endswith("_id") and field.has(References) and _NO_ID.search(value):
            # In the path of a request it would be more than one part, or the begin of a query.
            problems.append(Problem(name, f"not an id, got {format_value(value)}"))
        elif not _is_json(value):
            problems.append(Problem(name, "must not contain assets, archives or infinite numbers"))
    return inputs, problems


def validate_value(field: ModelField, value: Any) -> tuple[Any, Problem | None]:
    """Return a known value of a field in its normal form, or as it is with the problem found."""
    try:
        return _without_duplicates(field, to_plain(field.adapter.validate_python(value))), None
    except ValidationError as error:
        return value, Problem(field.name, _format_error(field, error.errors(include_url=False)))


def _is_json(value: Any) -> bool:
    """Whether JSON can represent the known parts of a value."""
    if isinstance(value, Mapping):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, bool, int, Unknown))


def cleared_inputs(model: type[Inputs], inputs: Mapping[str, Any], prior: Mapping[str, Any]) -> dict[str, str]:
    """Return the inputs that the program no longer sets and that this changes, with their empty values."""
    known = fields_of(model)
    return {
        name: ""
        for name, value in prior.items()
        if value not in (None, "")
        and name in known
        and (known[name].has(ClearedIfUnset) or known[name].has(ReplacedIfUnset))
        and name not in inputs
    }


def emptied_inputs(model: type[Inputs], inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the inputs that `cleared_inputs` made empty: what they are in the cloud is not managed any more."""
    known = fields_of(model)
    return {
        name: "" for name, value in inputs.items() if value == "" and name in known and known[name].has(ClearedIfUnset)
    }


def _without_duplicates(field: ModelField, value: Any) -> Any:
    """Remove duplicates from a set of strings. Equal objects in a set are kept: they may stand for several objects."""
    is_string_set = field.has(Set) and isinstance(value, list) and all(isinstance(item, str) for item in value)
    return list(dict.fromkeys(value)) if is_string_set else value


def close_matches(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return the names most similar to a misspelled one, the best match first."""
    return difflib.get_close_matches(name, list(names), n=count, cutoff=0.5)


def _unknown_input(name: str, known: Collection[str]) -> Problem:
    reason = _no_such(name, known)
    # The engine prints the name of a property as it is, in full length and with line breaks.
    is_printable = name.isidentifier() and len(name) <= MAX_VALUE_LENGTH
    return Problem(name, reason) if is_printable else Problem("", f"{format_value(name)}: {reason}")


def _no_such(name: str, names: Collection[str], what: str = "input") -> str:
    matched = close_matches(name, names, 1)
    if matched:
        return f"no such {what}; did you mean `{matched[0]}`?"
    # Inputs are not listed: a kind has too many.
    return f"no such {what}" + (f"; there are {', '.join(f'`{each}`' for each in names)}" if what != "input" else "")


def _format_error(field: ModelField, details: Sequence[ErrorDetails]) -> str:
    members = _union_members(field.info.annotation)
    # For a union the validator reports an error per member and puts the member's name before the path. The error with
    # the longest path belongs to the intended member. A misspelled property is often the cause of a missing one.
    first = 1 if len(members) > 1 else 0
    detail = max(details, key=lambda item: (len(item["loc"]), item["type"] == "extra_forbidden"))
    path, message = detail["loc"][first:], detail["msg"].removeprefix("Value error, ")
    message = (message[:1].lower() + message[1:]).replace("input should be", "must be").replace("should", "must")
    message = message.replace("a valid dictionary", "a map").replace(" after validation", "")
    forms = [form for member in reversed(members) if (form := _type_form(member))] if not path else []
    if detail["type"] == "extra_forbidden":
        return f"{_path(path)}: {_no_such(str(path[-1]), _properties(field.info.annotation), 'property')}"
    if detail["type"] in ("model_type", "model_attributes_type"):
        message = f"must be {next(filter(None, map(_object_form, members)), 'an object')}"
    elif forms and (first or detail["type"] == "list_type"):
        message = f"must be {', or '.join(forms)}"
    if not field.has(Secret) and isinstance(detail["input"], (str, int, float, bool)):
        message += f", got {format_value(detail['input'])}"
    return f"{_path(path)}: {message}" if path else message


def _object_form(annotation: Any) -> str:
    """Describe the form of an object in a value of this type."""
    if _is_model(annotation):
        return _type_form(annotation)
    return next(filter(None, map(_object_form, get_args(annotation))), "")


def _path(parts: Sequence[int | str]) -> str:
    """Format the path of a property as in a program."""
    path = ""
    for part in parts:
        if isinstance(part, str) and part.isidentifier() and len(part) <= MAX_VALUE_LENGTH:
            path += f".{part}"
        else:
            path += f"[{part if isinstance(part, int) else format_value(part)}]"
    return path.lstrip(".")


def format_value(value: Any) -> str:
    """Format a value for a message: as JSON on one line, or only its length if it is too long."""
    if value is None:
        return "not set"
    text = json.dumps(value, ensure_ascii=False, default=lambda _: "…")
    length = len(value if isinstance(value, str) else text)
    if length > MAX_VALUE_LENGTH:
        return f"{length} characters"
    return printable(text)


def printable(text: str) -> str:
    """Shorten long words, and escape the characters that a terminal interprets, such as a change of direction."""
    short = _LONG_WORD.sub(r"\1…", text)
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in short)


def matches(field: ModelField, desired: Any, actual: Any) -> bool:
    """Whether the actual value of a field (prior or remote) equals the desired one.

    A nested object matches an actual one that contains all its properties; further properties of the actual object are
    computed. An unknown value matches nothing.
    """
    if field.has(Set) and isinstance(desired, list) and isinstance(actual, list):
        return len(desired) == len(actual) and None not in match_set(field, desired, actual)
    return _value_matches(field.canonical(desired), field.canonical(actual), exact=_is_map(field))


def match_set(field: ModelField, desired: list[Any], actual: list[Any]) -> list[int | None]:
    """Assign the actual items of a set to the desired ones, as `match_items` does."""
    return match_items(field.canonical(desired), field.canonical(actual), _value_matches)


def _is_map(field: ModelField) -> bool:
    annotation = field.info.annotation
    return any(get_origin(member) is dict for member in (annotation, *get_args(annotation)))


def _value_matches(desired: Any, actual: Any, *, exact: bool = False) -> bool:
    if isinstance(desired, Unknown) or isinstance(actual, Unknown):
        return False
    if actual is None and desired in ("", [], {}):
        # The API omits some empty properties.
        return True
    if isinstance(desired, Mapping) and isinstance(actual, Mapping):
        if exact and set(desired) != set(actual):
            return False
        return all(_value_matches(item, actual.get(key)) for key, item in desired.items() if item is not None)
    if isinstance(desired, (list, tuple)) and isinstance(actual, (list, tuple)):
        return len(desired) == len(actual) and all(map(_value_matches, desired, actual))
    return bool(to_plain(desired) == to_plain(actual))


def match_items(desired: Sequence[Any], actual: Sequence[Any], fits: Callable[[Any, Any], bool]) -> list[int | None]:
    """Assign actual items to desired items, one to one, so that as many desired items as possible get a match.

    Args:
        desired: The desired items.
        actual: The actual items.
        fits: Whether an actual item matches a desired one.

    Returns:
        For each desired item, the index of its actual item; None if it has no match.
    """
    assigned: dict[int, int] = {}

    def assign(index: int, tried: set[int]) -> bool:
        for place, item in enumerate(actual):
            if place in tried or not fits(desired[index], item):
                continue
            tried.add(place)
            # Try to reassign the current holder.
            if place not in assigned or assign(assigned[place], tried):
                assigned[place] = index
                return True
        return False

    for index in range(len(desired)):
        assign(index, set())
    places = {index: place for place, index in assigned.items()}
    return [places.get(index) for index in range(len(desired))]
