"""Random requests to the emulator: recorded ones with changed methods, paths, queries, headers and bodies."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.support.bad_values import TEXTS, json_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Template = dict[str, Any]
TEMPLATES: list[Template] = json.loads(Path(__file__).with_name("requests.json").read_text())
"""Requests that the tests of the emulator and of the fields send; `tests.support.record_requests` collects them.

An id in a template is the kind of its object in braces.
"""
CHANGING = [each for each in TEMPLATES if each["method"] != "GET"]
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
MISSING_ID = "11111111-2222-3333-4444-555555555555"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")
NAMES = (
    *("limit", "marker", "page_reverse", "sort", "sort_key", "sort_dir", "fields", "name", "id", "tags", "not-tags"),
    *("changes-since", "changes-before", "all_tenants", "status", "flavor", "image", "deleted", "fixed_ips", "reverse"),
    *("minDisk", "minRam", "is_public", "ip", "tenant_id", "project_id", "user_id", "detailed", "offset", "visibility"),
)
"""Names of query parameters."""
CONTENT_TYPES = (
    *("application/json", "application/json; charset=utf-8", "text/plain", "application/xml", "", ";", "multipart/x"),
    "application/json;charset=utf-16",
)
VERSIONS = (
    *("2.1", "2.3", "2.36", "2.37", "2.52", "2.60", "2.67", "2.79", "2.90", "2.93", "3.0", "3.27", "3.50", "3.70"),
    *("latest", "2.9999", "2", "x.y", "", "-1.5", "2.1 3.0", "compute 2.1", "9" * 5000 + ".1"),
)


@dataclass
class Sent:
    """A request, with the kinds of objects instead of their ids."""

    method: str
    service: str
    path: str
    query: str = ""
    version: str = ""
    body: Any = None
    raw: bytes | None = None
    """The body, if it is not JSON."""
    headers: dict[str, str] = field(default_factory=dict)


def of_template(template: Template) -> Sent:
    """Return a recorded request."""
    return Sent(**deepcopy(template))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a body."""
    yield path
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def container(value: Any, place: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return the object or list that contains the value at this path, and its key there."""
    *outer, last = place
    for key in outer:
        value = value[key]
    return value, last


def _change_body(draw: st.DrawFn, sent: Sent) -> None:
    place = draw(st.sampled_from(list(places(sent.body))))
    change = draw(st.sampled_from(("replace", "replace", "replace", "remove", "add", "wrap", "repeat")))
    if not place:
        sent.body = draw(json_values())
        return
    parent, last = container(sent.body, place)
    if change == "remove":
        del parent[last]
    elif change == "wrap":
        parent[last] = draw(st.sampled_from((lambda value: [value], lambda value: {"id": value})))(parent[last])
    elif change == "repeat" and isinstance(parent, list):
        parent.append(deepcopy(parent[last]))
    elif change == "add" and isinstance(parent, dict):
        keys = st.sampled_from(TEXTS) | st.sampled_from(ATTRIBUTES)
        parent[draw(keys)] = draw(json_values())
    else:
        parent[last] = draw(json_values())


def _change_path(draw: st.DrawFn, sent: Sent) -> None:
    segments = sent.path.split("/")
    at = draw(st.integers(0, len(segments) - 1))
    strange = st.sampled_from((*TEXTS, "..", ".", "%2F", "{server}", "{port}", "{volume}", "detail", "action", "tags"))
    segments[at] = draw(strange)
    sent.path = "/".join(segments)


def _change_query(draw: st.DrawFn, sent: Sent) -> None:
    values = st.sampled_from(TEXTS) | st.sampled_from(("{server}", "{port}", "{network}", "0", "1", "-1", "true"))
    pairs = draw(st.lists(st.tuples(st.sampled_from(NAMES) | st.sampled_from(TEXTS), values), min_size=1, max_size=3))
    sent.query = "&".join([*filter(None, [sent.query]), *(f"{name}={value}" for name, value in pairs)])


def _change_headers(draw: st.DrawFn, sent: Sent) -> None:
    name, values = draw(
        st.sampled_from(
            (
                ("content-type", CONTENT_TYPES),
                ("accept", ("text/html", "*/*", "", "application/json")),
                ("x-auth-token", ("", "bad", "\xff", "x" * 10_000)),
                ("authorization", ("", "Basic x", "SDK-HMAC-SHA256", "SDK-HMAC-SHA256 Access=, SignedHeaders=")),
                ("if-match", ("revision_number=0", "revision_number=x", "x", "revision_number=" + "9" * 5000)),
                ("host", ("", "a b", "\xe9", "x" * 10_000)),
                ("content-encoding", ("gzip", "x")),
                ("x-sdk-date", ("", "20250101T000000Z", "x")),
            )
        )
    )
    sent.headers[name] = draw(st.sampled_from(values))


def _change_raw(draw: st.DrawFn, sent: Sent) -> None:
    text = json.dumps(sent.body).encode()
    sent.raw = draw(
        st.sampled_from(
            (
                *(b"", b"{", b"null", b"NaN", b"\xff\xfe", b"\xef\xbb\xbf" + text, text[:-1], text + b"}", text[1:]),
                *(text.decode().encode("utf-16"), b"[" * 100_000, b'{"a":' * 20_000, b"9" * 10_000, b" " * 50_000),
                *(text.replace(b'"', b"'"), b"--\n", b'"' + b"x" * 100_000 + b'"', b'{"a":1,"a":2}', b"\x00"),
            )
        )
        | st.binary(max_size=20)
    )


def _change_version(draw: st.DrawFn, sent: Sent) -> None:
    sent.version = draw(st.sampled_from(VERSIONS))


def _change_method(draw: st.DrawFn, sent: Sent) -> None:
    sent.method = draw(st.sampled_from(METHODS))


CHANGES = (_change_query, _change_path, _change_headers, _change_raw, _change_version, _change_method)


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """Generate a request, most often with one or two changes."""
    sent = of_template(draw(st.sampled_from(CHANGING) | st.sampled_from(TEMPLATES)))
    for _ in range(draw(st.sampled_from((1, 1, 0, 2, 3)))):
        if draw(st.integers(0, 9)) < 7 and sent.body is not None:
            _change_body(draw, sent)
        else:
            draw(st.sampled_from(CHANGES))(draw, sent)
    return sent


def _keys(value: Any) -> Iterator[str]:
    for key, item in value.items() if isinstance(value, dict) else ():
        yield key
        yield from _keys(item)
    for item in value if isinstance(value, list) else ():
        yield from _keys(item)


ATTRIBUTES = sorted({key for each in TEMPLATES for key in _keys(each["body"])})
"""The names of all attributes in the recorded bodies."""


def with_ids(value: Any, ids: Mapping[str, str]) -> Any:
    """Replace the placeholders in a value by ids of existing objects."""
    if isinstance(value, dict):
        return {with_ids(key, ids): with_ids(item, ids) for key, item in value.items()}
    if isinstance(value, list):
        return [with_ids(item, ids) for item in value]
    return PLACEHOLDER.sub(lambda match: ids.get(match[1], MISSING_ID), value) if isinstance(value, str) else value
