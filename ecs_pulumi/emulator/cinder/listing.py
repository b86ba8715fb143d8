"""Lists of volumes and snapshots, with filters, sorting and paging."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ecs_pulumi.emulator.clock import parse
from ecs_pulumi.emulator.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

PAGE = 1000
CONTROLS = (
    *("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "all_tenants", "all_projects"),
    *("with_count",),
)
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
}
SORTABLE = (
    *("id", "status", "size", "availability_zone", "created_at", "updated_at", "name", "display_name"),
    *("bootable", "volume_type", "volume_id", "description"),
)
STRICT_FILTERS_SINCE = 31
COUNT_SINCE = 45
TIME_FILTERS_SINCE = 60


@dataclass(frozen=True)
class Listing:
    """The properties of the list of a collection.

    Args:
        kind: the kind of the documents.
        plural: the key of the list in the response.
        not_found_message: the error message for an unknown marker, with `{}` for the marker.
        equal: filters that compare a field's value.
        special: filters with their own functions.
        ignored: filters that are accepted but have no effect.
        times: filters for timestamps, with an operator (`gt:2026-01-01T00:00:00`).
    """

    kind: str
    plural: str
    not_found_message: str
    equal: tuple[str, ...]
    special: Mapping[str, Callable[[Document, str], bool]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    times: tuple[str, ...] = ()


def serve(call: Call, listing: Listing, path: str, view: Callable[[Call, Document], Document]) -> dict[str, Any]:
    """Return the response body of a list."""
    limit, offset = _number(call, "limit"), _number(call, "offset")
    size = PAGE if limit is None else min(limit, PAGE)
    _check_filters(call, listing)
    equal: dict[str, Any] = {name: _value(name, str(call.param(name))) for name in listing.equal if name in call.query}
    if not (call.is_admin and (call.param("all_tenants") or "0").lower() in ("1", "true")):
        equal["project_id"] = call.project_id
    special = {name: str(call.param(name)) for name in listing.special if name in call.query}
    times = [name for name in listing.times if name in call.query and call.at_least(TIME_FILTERS_SINCE)]
    order = _order(call)
    marker = call.param("marker")
    if marker is not None and call.get(listing.kind, marker) is None:
        raise HttpError(404, listing.not_found_message.format(marker))
    if special or times or order != [("created_at", "desc")]:
        page = [
            doc
            for doc in call.find(listing.kind, newest_first=True, **equal)
            if all(listing.special[name](doc, value) for name, value in special.items())
            and all(_matches_time(doc[name], str(call.param(name))) for name in times)
        ]
        for key, direction in reversed(order):
            page.sort(key=lambda doc: _comparable(doc, key), reverse=direction == "desc")
        if marker is not None:
            index = next((index for index, doc in enumerate(page) if doc["id"] == marker), len(page))
            page = page[index + 1 :]
        page = page[offset or 0 :][:size]
    else:
        page = call.find(listing.kind, newest_first=True, after=marker, limit=size + (offset or 0), **equal)[
            offset or 0 :
        ]
    body: dict[str, Any] = {listing.plural: [view(call, doc) for doc in page]}
    if page and len(page) == size:
        body[f"{listing.plural}_links"] = [_next(call, path, page[-1])]
    if call.at_least(COUNT_SINCE) and (call.param("with_count") or "").lower() in ("1", "true"):
        body["count"] = call.count(listing.kind, **equal)
    return body


def _number(call: Call, name: str) -> int | None:
    word = call.param(name)
    if word is None:
        return None
    try:
        number = int(word)
    except ValueError:
        subject = "limit param" if name == "limit" else "offset"
        raise HttpError(400, f"{subject} must be an integer") from None
    if number < 0:
        raise HttpError(400, f"{name} param must be positive")
    return number


def _check_filters(call: Call, listing: Listing) -> None:
    if call.at_least(STRICT_FILTERS_SINCE) and not call.is_admin:
        known = (*CONTROLS, *listing.equal, *listing.special, *listing.ignored, *listing.times)
        unknown = [name for name in call.query if name not in known]
        if unknown:
            raise HttpError(400, f"Invalid filters {', '.join(unknown)} are found in query options.")


def _value(name: str, text: str) -> str | int:
    return int(text) if name == "size" and text.isdigit() else text


def _matches_time(timestamp: str | None, conditions: str) -> bool:
    for condition in conditions.split(","):
        word, _, text = condition.partition(":")
        compare = COMPARISONS.get(word)
        if compare is None:
            compare, text = operator.eq, condition
        if timestamp is None or not compare(parse(timestamp), parse(text)):
            return False
    return True


def _order(call: Call) -> list[tuple[str, str]]:
    """Return the sort keys with their directions, from `sort=name:asc,id` or from the two older parameters."""
    sort = call.param("sort")
    if sort is None:
        order = [(call.param("sort_key") or "created_at", call.param("sort_dir") or "desc")]
    else:
        order = [(key, direction or "desc") for key, _, direction in (part.partition(":") for part in sort.split(","))]
    for key, direction in order:
        if key not in SORTABLE:
            raise HttpError(400, "Invalid input received: Invalid sort key")
        if direction not in ("asc", "desc"):
            raise HttpError(400, "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'.")
    return [("name" if key == "display_name" else key, direction) for key, direction in order]


def _comparable(doc: Document, key: str) -> Any:
    value = doc.get(key)
    return value if isinstance(value, int) else str(value or "")


def _next(call: Call, path: str, last: Document) -> dict[str, str]:
    query = [(name, value) for name, values in call.query.items() for value in values if name != "marker"]
    query.append(("marker", last["id"]))
    return {"rel": "next", "href": f"{call.self_base}/{path}?{urlencode(query)}"}
