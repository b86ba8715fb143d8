"""`ignore_changes`: what an update must neither compare nor send."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PART = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]""")
_EVERY = "*"


def restore(inputs: Mapping[str, Any], source: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The inputs, with what stands at these paths taken from another source.

    Args:
        inputs: The inputs of the program. Where a path is ignored, the engine fills in what the state has.
        source: The prior outputs in a diff, the remote object in an update.
        paths: Property paths as Pulumi writes them: `tags`, `metadata.owner`, `networks[0].tag`, `networks[*].tag`.
    """
    result = dict(inputs)
    for path in paths:
        result = _restored(result, source, _parts(path))
    return {name: value for name, value in result.items() if value is not None}


def _parts(path: str) -> list[str]:
    found = _PART.finditer(path)
    return [re.sub(r"\\(.)", r"\1", match[3]) if match[3] else match[1] or match[2] for match in found]


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
        places = range(len(value)) if part == _EVERY else [int(part)] if part.isdecimal() else []
        result = list(value)
        for place in places:
            if place < len(value) and place < len(source):
                result[place] = _restored(value[place], source[place], rest)
        return result
    return value if source is None else source
