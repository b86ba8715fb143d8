"""Hypothesis strategies for the inputs of resources, in the form in which the host passes them to the provider."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import types
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pulumi import AssetArchive, FileAsset, StringAsset
from pulumi.output import Unknown
from pydantic import BaseModel

from ecs_pulumi import resources
from ecs_pulumi.dynamic import fields
from tests.support.bad_values import LONE_SURROGATE, NUMBERS, STRUCTURES, TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.dynamic.handler import ResourceHandler


def _handlers() -> Iterator[ResourceHandler[Any, Any, Any]]:
    for module in pkgutil.iter_modules(resources.__path__):
        handler = getattr(importlib.import_module(f"{resources.__name__}.{module.name}"), "HANDLER", None)
        if handler is not None:
            yield handler


CONFIG = {
    "ecs:authUrl": "http://127.0.0.1:1/v3",
    "ecs:username": "nobody",
    "ecs:password": "none",
    "ecs:projectName": "none",
    "ecs:preflight": "false",
}
"""Settings of a cloud that no request reaches."""
KINDS = {handler.name: handler for handler in _handlers()}
"""The handler of each kind by the name of the kind."""

WORDS = (
    *(text for text in TEXTS if LONE_SURROGATE not in text),
    *("10.0.0.0/24", "10.0.0.7/24", "10.0.0.0/255.255.255.0", "10.0.0.0", "10.0.0.2", "10.0.0.9", "fe80::%1/64"),
    *("2001:db8::/64", "2001:db8::0:1", "::ffff:10.0.0.1", "0.0.0.0/0", "10.0.0.0/33", "/", ""),
    *("6f70656e-7374-6163-6b20-342065766572", "ssh-ed25519 AAAA me", "-1", "1.5", "true", "None", "none", "auto"),
    *("/dev/vdb", "línea\nnueva"),
)
"""Strings that are significant to at least one validation rule."""

MATCHING = {"RouterRoute": {"destination": "192.168.9.0/24", "nexthop": "10.0.0.9"}}
"""Inputs of a kind that have to match each other, which generated ones rarely do."""

LARGEST = 10**308
"""Larger numbers are no floating-point numbers, which are the only ones that the host passes."""


def as_sent(value: Any) -> Any:
    """Return a value as the host passes it: with floating-point numbers, and without what is no Unicode text."""
    if isinstance(value, dict):
        return {as_sent(key): as_sent(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_sent(item) for item in value]
    if isinstance(value, str):
        return value.replace(LONE_SURROGATE, "")
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


_numbers = st.one_of(
    st.integers(-5, 300).map(float), st.floats(), st.sampled_from([float(each) for each in NUMBERS if each < LARGEST])
)
_huge = st.sampled_from((300, 100_000)).map("y".__mul__)
_texts = st.one_of(st.sampled_from(WORDS), st.text(st.characters(exclude_categories=["Cs"]), max_size=8), _huge)
_scalars = st.one_of(st.none(), st.booleans(), _numbers, _texts)
_unknown = st.builds(Unknown)
_structures = st.sampled_from([as_sent(each) for each in STRUCTURES])
_assets = st.sampled_from((StringAsset("hush"), FileAsset("nowhere"), AssetArchive({"a": StringAsset("b")})))
_anything = st.recursive(
    _scalars | _unknown | _assets | _structures,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=4,
)
_FEW = 5


@st.composite
def inputs(draw: st.DrawFn, kind: ResourceHandler[Any, Any, Any], *, wild: bool = False) -> dict[str, Any]:
    """Generate some of the inputs that a program may pass to a resource of a kind.

    Args:
        draw: The draw function of Hypothesis.
        kind: The handler of the kind.
        wild: Also generate wrong types, undeclared inputs, unknown values and None; otherwise the types are correct.
    """
    known = fields.fields_of(kind.inputs)
    names = draw(st.sets(st.sampled_from(sorted(known)), max_size=_FEW))
    if not wild:
        names |= {name for name, field in known.items() if field.info.is_required()}
        names.discard("adopt")
    values = {name: draw(fitting(known[name].info.annotation, wild=wild)) for name in sorted(names)}
    if not wild:
        values |= draw(st.sampled_from(({}, MATCHING.get(kind.name, {}))))
    return {**draw(st.dictionaries(_texts.filter(bool), _anything, max_size=1)), **values} if wild else values


def fitting(annotation: Any, *, wild: bool) -> st.SearchStrategy[Any]:
    """Generate values of a type; with `wild`, sometimes also of others."""
    return _strategy(annotation, wild=wild)


@functools.cache  # creating the same strategies again would take most of the time
def _strategy(annotation: Any, *, wild: bool) -> st.SearchStrategy[Any]:
    fits = _of_type(annotation, wild=wild)
    # Prefer correct values, so that wrong values also occur inside of nested values.
    return st.one_of(fits, fits, fits, _unknown, _anything) if wild else fits


def _of_type(annotation: Any, *, wild: bool) -> st.SearchStrategy[Any]:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (Union, types.UnionType):
        return st.one_of(*(_of_type(branch, wild=wild) for branch in args if branch is not types.NoneType))
    if origin is list:
        return st.lists(fitting(args[0], wild=wild), max_size=3)
    if origin is dict:
        return st.dictionaries(_texts, fitting(args[1], wild=wild), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        model = annotation.model_fields
        parts = {name: fitting(field.annotation, wild=wild) for name, field in model.items()}
        required = {name: part for name, part in parts.items() if model[name].is_required() and not wild}
        optional = {name: part for name, part in parts.items() if name not in required}
        fits = st.fixed_dictionaries(required, optional=optional)
        surplus = st.dictionaries(_texts, _anything, max_size=1)
        return st.builds(lambda known, more: {**more, **known}, fits, surplus) if wild else fits
    leaves = {str: _texts, int: st.integers(-1, 300).map(float), bool: st.booleans()}
    return leaves.get(annotation, _scalars)
