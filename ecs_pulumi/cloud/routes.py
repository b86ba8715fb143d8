"""Templates of request paths, so that requests can be counted by kind."""

import re

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|req-[0-9a-f-]+|\d+")
_VERSION = re.compile(r"v\d+(\.\d+)?")
_COLLECTIONS_BY_NAME = frozenset({"os-keypairs", "metadata", "tags", "flavors", "types"})
_LITERAL_SEGMENTS = frozenset({"detail"})


def path_template(path: str) -> str:
    """Replace the ids in a path with ``{project_id}`` and ``{id}``."""
    parts = path.split("/")
    for index, part in enumerate(parts[1:], 1):
        previous = parts[index - 1]
        if part in _LITERAL_SEGMENTS or not part:
            continue
        if _VERSION.fullmatch(previous) and _ID.fullmatch(part):
            parts[index] = "{project_id}"
        elif _ID.fullmatch(part) or previous in _COLLECTIONS_BY_NAME:
            parts[index] = "{id}"
    return "/".join(parts)
