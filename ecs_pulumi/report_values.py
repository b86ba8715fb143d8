"""Values of inputs, and how they change, as `ecs-pulumi report` shows them in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ecs_pulumi.report_rules import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "[secret]"  # noqa: S105  (the engine's placeholder)
NOT_KNOWN, NOT_SET = "not known yet", "not set"
FIRST = (
    *("flavor", "image", "size", "volume_size", "volume_type", "cidr", "direction", "protocol", "port_range_min"),
    *("port_range_max", "remote_ip_prefix", "ip_address", "fixed_ip"),
)
"""The properties that a reviewer looks for first."""
_MAX_LENGTH = 80
_MAX_PARTS = 6
"""Maximum of keys or items of one value that are shown."""


def rank(name: str) -> tuple[int, str]:
    """Return the sort key of a property."""
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)


def code(text: object) -> str:
    """Format any text as code in Markdown, so that it contains no active markup, mention or line break."""
    plain = re.sub(r"[\x00-\x1f\x7f]", " ", str(text).replace("`", "'")).strip()
    return f"`{plain}`" if plain else ""


def format_value(value: object) -> str:
    """Format a value in Markdown; empty for None. A long value is shortened."""
    if isinstance(value, str) and value in UNKNOWN:
        return NOT_KNOWN
    if isinstance(value, str) and value == SECRET:
        return "(secret)"
    if _is_list(value) and any(map(_is_map, value)):  # type: ignore[call-overload]
        return _format_items(value)  # type: ignore[arg-type]
    plain = _plain(value)
    if not plain and value in ("", [], {}):
        return "none"
    return code(plain if len(plain) <= _MAX_LENGTH else f"{plain[: _MAX_LENGTH - 1].rstrip()}…")


def _format_items(items: Sequence[object]) -> str:
    """Format each item of a list."""
    shown = [text for item in items if (text := format_value(_only(item)))]
    more = [f"… {len(shown) - _MAX_PARTS} more"] if len(shown) > _MAX_PARTS else []
    return ", ".join((*shown[:_MAX_PARTS], *more))


def changes(name: str, prior: object, desired: object) -> list[str]:
    """Return how a value changes, in Markdown: a map and a nested object key by key, and a list item by item.

    Args:
        name: The name of the input, or its path, such as `metadata.color`.
        prior: The prior value; None if there was none.
        desired: The desired value; None if there is none.
    """
    if _is_map(prior) and _is_map(desired):
        parts = list(_changes_of_map(name, prior, desired))
    elif _is_list(prior) and _is_list(desired):
        parts = list(_changes_of_list(name, prior, desired))
    else:
        return [f"{code(name)} {format_value(prior) or NOT_SET} → {format_value(desired) or NOT_SET}"]
    more = len(parts) - _MAX_PARTS
    return [*parts[:_MAX_PARTS], f"{more} more of {code(name)}"] if more > 0 else parts or [code(name)]


def _changes_of_map(name: str, prior: Any, desired: Any) -> Iterator[str]:
    for key in (*desired, *(key for key in prior if key not in desired)):
        path = f"{name}.{key}"
        if key not in prior or prior[key] is None:
            if desired[key] is not None:
                yield f"{code(path)} added: {format_value(desired[key])}"
        elif key not in desired or desired[key] is None:
            yield f"{code(path)} removed"
        elif prior[key] != desired[key]:
            yield from changes(path, prior[key], desired[key])


def _changes_of_list(name: str, prior: Any, desired: Any) -> Iterator[str]:
    removed, added = list(prior), []
    for item in desired:
        if item in removed:
            removed.remove(item)
        else:
            added.append(item)
    if not removed and not added:
        yield f"{code(name)} in another order"
    elif len(removed) == len(added) and all(map(_is_map, (*removed, *added))):
        for before, after in zip(removed, added, strict=True):
            yield from _changes_of_map(f"{name}[{desired.index(after)}]", before, after)
    else:
        yield from (
            f"{code(name)} {how}: {_format_items(items)}"
            for how, items in (("removed", removed), ("added", added))
            if items
        )


def _plain(value: object) -> str:
    """Return a value in one line without markup: known parts only."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if _is_map(value):
        known = {key: item for key, item in value.items() if not _is_hidden(item)}  # type: ignore[attr-defined]
        parts = {key: _plain(known[key]) for key in sorted(known, key=rank)}
        shown = [f"{key}: {text}" for key, text in parts.items() if text]
        return f"{{{', '.join(shown)}}}" if shown else ""
    if _is_list(value):
        texts = [text for item in value if not _is_hidden(item) and (text := _plain(_only(item)))]  # type: ignore[attr-defined]
        more = [f"… {len(texts) - _MAX_PARTS} more"] if len(texts) > _MAX_PARTS else []
        return ", ".join((*texts[:_MAX_PARTS], *more))
    return str(value)


def _only(item: Any) -> Any:
    """Return the only known property of an item, which needs no name, or the item."""
    known = [value for value in item.values() if not _is_hidden(value)] if _is_map(item) else ()
    return known[0] if len(known) == 1 else item


def _is_hidden(value: object) -> bool:
    return isinstance(value, str) and (value in UNKNOWN or value == SECRET)


def holds_secret(value: object) -> bool:
    """Whether a value is a secret, or a map or list with a secret in it."""
    if _is_map(value):
        return any(map(holds_secret, value.values()))  # type: ignore[attr-defined]
    return any(map(holds_secret, value)) if _is_list(value) else value == SECRET  # type: ignore[call-overload]


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
