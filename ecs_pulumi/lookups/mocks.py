"""Lookups in a unit test: with `pulumi.runtime.set_mocks`, they ask the mocks and never a cloud."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import pulumi
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from ecs_pulumi.dynamic.fields import close_matches
from ecs_pulumi.lookups.models import Info

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ITEMS = "items"
"""The key of the objects in the result of a mocked lookup that returns a list."""
_TYPICAL: Mapping[str, Any] = {
    "name": "",
    "vcpus": 1,
    "ram": 1024,
    "size": 1,
    "available": True,
    "cidr": "192.168.0.0/24",
    "address": "203.0.113.10",
    "ip_address": "192.168.0.10",
    "mac_address": "fa:16:3e:00:00:01",
    "direction": "ingress",
    "policy": "anti-affinity",
    "public_key": "ssh-ed25519 AAAA",
    "created": "2024-01-01T00:00:00Z",
    "created_at": "2024-01-01T00:00:00Z",
}
"""Values of fields that every object has, for those that the mocks omit."""
_STATUS = {"ImageInfo": "active", "VolumeInfo": "available", "ServerInfo": "ACTIVE", "ApiVersion": "CURRENT"}
_SUBJECTS = ("name", "address", "cidr", "ip_address", "mac_address", "id")
"""The arguments after which an object without an id or a name is named."""


class MockResultError(ValueError):
    """The mocks returned a value that a lookup cannot return."""


def mocks() -> pulumi.runtime.Mocks | None:
    """Return the mocks of a unit test; None in a program that runs with an engine, or without Pulumi."""
    # Only the monitor that `set_mocks` installs, or a subclass of it, has this attribute.
    found: pulumi.runtime.Mocks | None = getattr(pulumi.runtime.settings.get_monitor(), "mocks", None)
    return found


def token(lookup: str) -> str:
    """Return the token by which mocks recognize a lookup: `ecs:index:getNetwork` for `get_network`."""
    return f"ecs:index:{to_camel(lookup)}"


def ask(asked: pulumi.runtime.Mocks, lookup: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return the result of a lookup, made of what the mocks return for it.

    Args:
        asked: The mocks.
        lookup: The lookup.
        args: The positional arguments of the lookup.
        kwargs: The others.

    Raises:
        MockResultError: The mocks returned something else than the lookup can return.
    """
    signature = inspect.signature(lookup)
    arguments = signature.bind(*args, **kwargs).arguments
    given = {name: value for name, value in arguments.items() if value != signature.parameters[name].default}
    result: Any = asked.call(pulumi.runtime.MockCallArgs(token(lookup.__name__), dict(given), ""))
    if isinstance(result, tuple):
        result, failures = result
        if failures:
            raise MockResultError("; ".join(f"{name}: {reason}" for name, reason in failures))
    if not isinstance(result, (Mapping, Info)):
        raise MockResultError(f"the mocks must return a dict for {token(lookup.__name__)}, got {_type(result)}")
    # The other annotations name types that are only imported for type checkers.
    returns: Any = eval(lookup.__annotations__["return"], lookup.__globals__)  # noqa: S307
    if get_origin(returns) is not list or isinstance(result, Info):
        return _object(returns, result, given, signature.parameters)
    (model,) = get_args(returns)
    found = result.get(ITEMS, [])
    if unknown := sorted(map(str, set(result) - {ITEMS} - set(signature.parameters))):
        raise MockResultError(f'the mocks must return {{"{ITEMS}": [...]}}, and returned the key {unknown[0]!r}')
    if not isinstance(found, list) or not all(isinstance(each, (Mapping, Info)) for each in found):
        raise MockResultError(f'the mocks must return {{"{ITEMS}": [...]}} with a list of dicts')
    return [_object(model, each, given, ()) for each in found]


def _object(
    model: type[Info], values: Mapping[str, Any] | Info, given: Mapping[str, Any], arguments: Iterable[str]
) -> Info:
    """Return an object with these values by the names of its fields.

    Args:
        model: Its type.
        values: The values.
        given: The arguments of the lookup. What the values omit is taken from the argument of the same name.
        arguments: The names that the values may contain besides those of fields.
    """
    if isinstance(values, Info):
        return values
    fields = model.model_fields
    for name in values:
        if name not in fields and name not in arguments:
            similar = close_matches(str(name), fields, 1)
            hint = f"; did you mean {similar[0]}?" if similar else ""
            raise MockResultError(f"{model.__name__} has no field {name!r}{hint}")
    kind = re.sub("(?<=[a-z])(?=[A-Z])", "-", model.__name__.removesuffix("Info")).lower()
    subject = str(next((given[name] for name in _SUBJECTS if name in given), kind))
    known = {**given, **{key.removeprefix("min_"): value for key, value in given.items()}}
    known |= {"id": f"{subject}-id", **known} if "id" in fields else {}
    known |= {"name": subject, **known} if "name" in fields else {}
    known |= {name: value for name, value in values.items() if value is not None}
    return model.model_construct(**{name: _value(model, name, info, known) for name, info in fields.items()})


def _value(model: type[Info], name: str, info: FieldInfo, known: Mapping[str, Any]) -> Any:
    if name not in known:
        if not info.is_required():
            return info.get_default(call_default_factory=True)
        return _STATUS.get(model.__name__, "ACTIVE") if name == "status" else _TYPICAL.get(name, name.replace("_", "-"))
    annotation: Any = info.annotation
    for limit in info.metadata:
        annotation = Annotated[annotation, limit]
    try:
        adapter = TypeAdapter(annotation, config=ConfigDict(coerce_numbers_to_str=True))
        return adapter.validate_python(_nested(info.annotation, known[name]))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        path = "".join(f"[{part!r}]" for part in problem["loc"] if isinstance(part, (int, str)))
        reason = problem["msg"].replace("Input should be", "must be")
        raise MockResultError(f"{model.__name__}.{name}{path}: {reason}, got {_type(known[name])}") from error


def _nested(annotation: Any, value: Any) -> Any:
    """Return a value with the dicts in it as objects, as far as the type has models there."""
    if isinstance(annotation, type) and issubclass(annotation, Info):
        return _object(annotation, value, {}, ()) if isinstance(value, Mapping) else value
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is list and isinstance(value, list):
        return [_nested(parts[0], item) for item in value]
    if origin is dict and isinstance(value, Mapping):
        return {key: _nested(parts[1], item) for key, item in value.items()}
    for part in parts if origin not in (list, dict) else ():
        value = _nested(part, value)
    return value


def _type(value: Any) -> str:
    return "None" if value is None else f"{type(value).__name__} {value!r}"[:80]
