"""A pytest plugin that collects the requests which the tests send to the emulator, as templates for random requests.

`python -m pytest -p tests.support.record_requests tests/api tests/fields` extends `tests/bad_input/requests.json`.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ecs_pulumi.emulator.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecs_pulumi.emulator.context import Reply

FILE = Path(__file__).parents[1] / "bad_input" / "requests.json"
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}")
SUFFIX = re.compile(r"-[0-9a-f]{6,8}\b(?!-)")
"""The random part of a name."""
KEY_PAIR = re.compile(r"os-keypairs/[^/]+")

_templates: list[dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else []
_parts: set[tuple[str, ...]] = set()


def parts(template: dict[str, Any]) -> set[tuple[str, ...]]:
    """Return what a template covers: its path, and each attribute of its body and its query."""
    route = (template["method"], template["path"])
    names = {part.partition("=")[0] for part in template["query"].split("&")}
    return {(*route, "?", name) for name in names} | {(*route, path) for path in _paths(template["body"])}


def _paths(value: Any, path: str = "") -> Iterator[str]:
    yield f"{path}:{type(value).__name__}"
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _paths(item, f"{path}.{name}")
    for item in value if isinstance(value, list) else ():
        yield from _paths(item, f"{path}[]")


def _with_kinds(gateway: Gateway, value: Any) -> Any:
    """Replace the ids in a value by the kinds of their objects, in braces."""
    if isinstance(value, dict):
        return {name: _with_kinds(gateway, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_kinds(gateway, item) for item in value]
    if not isinstance(value, str):
        return value

    def kind(match: re.Match[str]) -> str:
        id_ = match[0]
        if any(id_ == project.id for project in gateway.cloud.dialect.accounts.projects):
            return "{project}"
        rows = gateway.cloud.store._db.execute("SELECT kind FROM objects WHERE id = ?", (id_,)).fetchall()
        return f"{{{rows[0][0]}}}" if rows else "{missing}"

    return SUFFIX.sub("", UUID.sub(kind, value))


def _note(gateway: Gateway, scope: Any, headers: dict[str, str], body: bytes) -> dict[str, Any] | None:
    path = unquote(scope["path"])
    *_, region, service, rest = ["", "", *path.split("/", 3)[1:]] if path.count("/") > 2 else ("", "", path)
    if region not in gateway.cloud.dialect.regions:
        service, rest = "", path.lstrip("/")
    try:
        content = json.loads(body) if body else None
    except (ValueError, RecursionError):
        return None
    version = headers.get("openstack-api-version", "").partition(" ")[2]
    rest = KEY_PAIR.sub("os-keypairs/{keypair}", SUFFIX.sub("", rest))
    return {
        "method": scope["method"],
        "service": service,
        "path": _with_kinds(gateway, rest),
        "query": _with_kinds(gateway, scope["query_string"].decode("latin-1")),
        "version": version,
        "body": _with_kinds(gateway, content),
    }


def _recording(serve: Callable[..., Reply]) -> Callable[..., Reply]:
    @functools.wraps(serve)
    def wrapped(self: Gateway, scope: Any, headers: dict[str, str], body: bytes, request_id: str) -> Reply:
        template = _note(self, scope, headers, body)
        reply = serve(self, scope, headers, body, request_id)
        if template and reply.status < 400 and not (new := parts(template)) <= _parts:
            _parts.update(new)
            _templates.append(template)
        return reply

    return wrapped


def pytest_sessionstart() -> None:
    """Record from now on."""
    for template in _templates:
        _parts.update(parts(template))
    Gateway._serve = _recording(Gateway._serve)  # type: ignore[method-assign]


def pytest_sessionfinish() -> None:
    """Write the templates, without those whose parts others have."""
    covered: set[tuple[str, ...]] = set()
    kept = []
    for template in sorted(_templates, key=lambda each: len(parts(each)), reverse=True):
        if not (new := parts(template)) <= covered:
            covered |= new
            kept.append(template)
    _templates[:] = kept
    _templates.sort(key=lambda each: json.dumps([each["service"], each["path"], each["method"], each["body"]]))
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("[\n" + ",\n".join(json.dumps(each) for each in _templates) + "\n]\n")
