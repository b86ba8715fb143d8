"""Lists of volumes and snapshots, with filters and paging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import limit_of, number
from ecs_pulumi.emulator.versioned import next_link

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

PAGE = 1000
FILTERS = ("name", "status", "bootable", "availability_zone", "size", "volume_id")
NEWEST_FIRST = (None, "created_at", "created_at:desc")


def serve(call: Call, kind: str, path: str, view: Callable[[Call, Document], Document]) -> dict[str, Any]:
    """Return the response body of a list, newest first.

    Args:
        call: the request.
        kind: `volume` or `snapshot`.
        path: the path of the list.
        view: converts a document to its representation in the response.
    """
    size = min(limit_of(call.param("limit") or str(PAGE)), PAGE)
    if call.param("sort") not in NEWEST_FIRST:
        raise HttpError(400, "Invalid input received: Invalid sort key")
    equal: dict[str, Any] = {name: call.param(name) for name in FILTERS if name in call.query}
    if (size_filter := number(str(equal.get("size")))) is not None:
        equal["size"] = size_filter
    marker = call.param("marker")
    if marker is not None and call.get(kind, marker) is None:
        raise HttpError(404, f"{kind.capitalize()} {marker} could not be found.")
    page = call.find(kind, newest_first=True, after=marker, limit=size, project_id=call.project_id, **equal)
    body: dict[str, Any] = {f"{kind}s": [view(call, doc) for doc in page]}
    if page and len(page) == size:
        body[f"{kind}s_links"] = next_link(call, f"{call.self_base}/{path}", page[-1]["id"])
    return body
