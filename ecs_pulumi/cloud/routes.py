"""What kind of request a path is, so that requests can be counted by kind."""

import re

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|req-[0-9a-f-]+|\d+")
_VERSION = re.compile(r"v\d+(\.\d+)?")
_NAMED = frozenset({"os-keypairs", "metadata", "tags", "flavors", "types"})
_FIXED = frozenset({"detail"})


def path_template(path: str) -> str:
    """The path with ``{project_id}`` and ``{id}`` in place of what differs from object to object."""
    parts = path.split("/")
    for index, part in enumerate(parts[1:], 1):
        before = parts[index - 1]
        if part in _FIXED or not part:
            continue
        if _VERSION.fullmatch(before) and _ID.fullmatch(part):
            parts[index] = "{project_id}"
        elif _ID.fullmatch(part) or before in _NAMED:
            parts[index] = "{id}"
    return "/".join(parts)
