"""`ignore_changes`: properties that a diff does not compare and an update does not send."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PART = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]""")
_EVERY = "*"


def restore(inputs: Mapping[str, Any], source: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Return the inputs with the values at these paths replaced by those of `source`.

    Args:
        inputs: The desired inputs. At ignored paths the engine has already inserted the prior inputs.
        source: The prior outputs in a diff; the outputs of the remote object in an update.
        paths: Property paths as Pulumi writes them: `tags`, `metadata.owner`, `networks[0].tag`, `networks[*].tag`.
    """
    result = dict(inputs)
    for path in paths:
        result = _restored(result, source, _parts(path))
    return {name: value for name, value in result.items() if value is not None}


def is_ignored(name: str, paths: Iterable[str]) -> bool:
    """Whether one of these paths covers the whole property."""
    return any(_parts(path) in ([name], [_EVERY]) for path in paths)


def _parts(path: str) -> list[str]:
    matches = _PART.finditer(path)
    return [re.sub(r"\\(.)", r"\1", match[3]) if match[3] else match[1] or match[2] for match in matches]


def _restored(value: Any, source: Any, parts: Sequence[str]) -> Any:
    if not parts:
        return source
    part, rest = parts[0], parts[1:]
    if isinstance(source, dict) and isinstance(value, (dict, type(None))):
        names = {*(value or {}), *source} if part == _EVERY else {part}
        changed = {name: _restored((value or {}).get(name), source.get(name), rest) for name in names}
        merged = {**(value or {}), **changed}
        return {name: item for name, item in merged.items() if item is not None}
    if isinstance(source, list) and isinstance(value, list):
        if not rest and part == _EVERY:
            return source
        indexes = range(len(value)) if part == _EVERY else [int(part)] if part.isdecimal() else []
        result = list(value)
        for index in indexes:
            if index < len(value) and index < len(source):
                result[index] = _restored(value[index], source[index], rest)
        return result
    return value if source is None else source
