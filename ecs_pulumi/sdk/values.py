"""The values that a program may pass to an input."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import _types as input_types
from pulumi.output import Unknown

_DEEPEST = 90
"""Protocol buffers refuse messages with more than 100 levels; each list or object has up to two of them."""
_LARGEST = 2**1023
"""Protocol buffers have only floating-point numbers."""
_NO_LISTS = (str, range, memoryview, bytes, bytearray)


def unsendable(value: Any, depth: int = 0) -> str:
    """Return why Pulumi cannot pass a value to the engine, for a message; empty if it can.

    Pulumi itself fails with a traceback, after other resources have been registered.
    """
    if isinstance(value, (pulumi.Output, pulumi.Resource, Unknown)) or inspect.isawaitable(value):
        return ""
    if isinstance(value, (str, int, float, type(None))):
        return _unsendable_scalar(value)
    if isinstance(value, (pulumi.Asset, pulumi.Archive)):
        return "an asset or archive; pass its text"
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, _NO_LISTS)):
        return _unsendable_part(value, depth + 1)
    is_known = input_types.is_input_type(type(value))
    kind = type(value).__name__
    return "" if is_known else f"a value of type {kind}; convert it to a text, a number, a list or a map"


def _unsendable_part(value: Mapping[Any, Any] | Sequence[Any], depth: int) -> str:
    if depth > _DEEPEST:
        return "a value that is nested too deeply, or contains itself"
    parts = value
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            return "a map with a key that is no text"
        parts = [*value, *value.values()]
    return next(filter(None, (unsendable(item, depth) for item in parts)), "")


def _unsendable_scalar(value: str | float | None) -> str:
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return "a number that is too large"
    if isinstance(value, str) and not value.isascii() and not _is_unicode(value):
        return "a text with a lone surrogate, which is no character"
    return ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
