"""Inputs that nobody would think of: what a program may say, as the host delivers it to the provider."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.dynamic.kind import ResourceHandler


def _kinds() -> Iterator[ResourceHandler[Any, Any, Any]]:
    for found in pkgutil.iter_modules(resources.__path__):
        kind = getattr(importlib.import_module(f"{resources.__name__}.{found.name}"), "HANDLER", None)
        if kind is not None:
            yield kind


KINDS = {kind.name: kind for kind in _kinds()}
"""Every kind by its name."""

WORDS = (
    *("10.0.0.0/24", "10.0.0.7/24", "10.0.0.0/255.255.255.0", "10.0.0.0", "10.0.0.2", "10.0.0.9", "fe80::%1/64"),
    *("2001:db8::/64", "2001:db8::0:1", "::ffff:10.0.0.1", "0.0.0.0/0", "10.0.0.0/33", "/", ""),
    *("6f70656e-7374-6163-6b20-342065766572", "ssh-ed25519 AAAA me", "-1", "1.5", "true", "None", "none", "auto"),
    *("/dev/vdb", "ünïcödé \N{SNOWMAN}", "línea\nnueva", "\x00"),
)
"""Texts that mean something to one rule or another."""

_numbers = st.integers(-5, 300).map(float) | st.floats(allow_nan=False)
_huge = st.sampled_from((300, 100_000)).map("y".__mul__)
_texts = st.one_of(st.sampled_from(WORDS), st.text(st.characters(exclude_categories=["Cs"]), max_size=8), _huge)
_scalars = st.one_of(st.none(), st.booleans(), _numbers, _texts)
_unknown = st.builds(Unknown)
_assets = st.sampled_from((StringAsset("hush"), FileAsset("nowhere"), AssetArchive({"a": StringAsset("b")})))
_anything = st.recursive(
    _scalars | _unknown | _assets,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=4,
)
_FEW = 5


@st.composite
def inputs(draw: st.DrawFn, kind: ResourceHandler[Any, Any, Any], *, wild: bool = False) -> dict[str, Any]:
    """What a program may say to a kind: a few of its inputs.

    Args:
        draw: Hypothesis' own.
        kind: The kind.
        wild: Also what is wrong: other types, unknown inputs, unknown values, None; else it is right by its types.
    """
    known = fields.fields_of(kind.inputs)
    names = draw(st.sets(st.sampled_from(sorted(known)), max_size=_FEW))
    if not wild:
        names |= {name for name, field in known.items() if field.info.is_required()}
        names.discard("adopt")
    said = {name: draw(_fitting(known[name].info.annotation, wild=wild)) for name in sorted(names)}
    return {**draw(st.dictionaries(_texts.filter(bool), _anything, max_size=1)), **said} if wild else said


def _fitting(annotation: Any, *, wild: bool) -> st.SearchStrategy[Any]:
    return _made(annotation, wild=wild)


@functools.cache  # most of the time would go into making the same strategies again
def _made(annotation: Any, *, wild: bool) -> st.SearchStrategy[Any]:
    fits = _of_type(annotation, wild=wild)
    # Mostly what fits, so that what does not is met in depth as well.
    return st.one_of(fits, fits, fits, _unknown, _anything) if wild else fits


def _of_type(annotation: Any, *, wild: bool) -> st.SearchStrategy[Any]:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (Union, types.UnionType):
        return st.one_of(*(_of_type(branch, wild=wild) for branch in args if branch is not types.NoneType))
    if origin is list:
        return st.lists(_fitting(args[0], wild=wild), max_size=3)
    if origin is dict:
        return st.dictionaries(_texts, _fitting(args[1], wild=wild), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        model = annotation.model_fields
        parts = {name: _fitting(field.annotation, wild=wild) for name, field in model.items()}
        required = {name: part for name, part in parts.items() if model[name].is_required() and not wild}
        optional = {name: part for name, part in parts.items() if name not in required}
        fits = st.fixed_dictionaries(required, optional=optional)
        surplus = st.dictionaries(_texts, _anything, max_size=1)
        return st.builds(lambda known, more: {**more, **known}, fits, surplus) if wild else fits
    leaves = {str: _texts, int: st.integers(-1, 300).map(float), bool: st.booleans()}
    return leaves.get(annotation, _scalars)
