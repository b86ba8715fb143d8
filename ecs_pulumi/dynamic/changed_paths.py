"""`replace_on_changes`: the property paths of what a diff found changed, such as `metadata.stage`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def changed_paths(names: Iterable[str], prior: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
    """Return the paths of the changed properties, each followed by those of the changed values in it.

    Args:
        names: The changed properties.
        prior: The prior outputs.
        desired: The desired inputs.
    """
    return [path for name in names for path in _paths(name, prior.get(name), desired.get(name))]


def _paths(path: str, prior: Any, desired: Any) -> Iterator[str]:
    yield path
    if isinstance(prior, Mapping) and isinstance(desired, Mapping):
        for name in {**prior, **desired}:
            if prior.get(name) != desired.get(name):
                yield from _paths(_member(path, str(name)), prior.get(name), desired.get(name))
    elif isinstance(prior, list) and isinstance(desired, list):
        for index, (before, after) in enumerate(zip_longest(prior, desired)):
            if before != after:
                yield from _paths(f"{path}[{index}]", before, after)


def _member(path: str, name: str) -> str:
    if _NAME.fullmatch(name):
        return f"{path}.{name}"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{path}["{quoted}"]'
