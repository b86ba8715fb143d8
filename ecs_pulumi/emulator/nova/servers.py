"""Servers (`/servers`): lists with filters, show, update, delete and addresses."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.clock import parse
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import DISK_CONFIG, NAME, body, fields, is_true
from ecs_pulumi.emulator.versioned import next_link

from . import otc
from .actions import boot_image_id
from .instance import (
    VM_STATES,
    begin_action,
    brief,
    check_lock,
    core,
    detailed,
    get_server,
    save,
    status_of,
)
from .lifecycle import begin_delete
from .service import LIST_LIMIT, page, require_admin, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")
CHUNK = 1000
OTC_PAGE = 25
"""The size of a page of the Open Telekom Cloud, if the request names none."""


@service.get("/servers")
def index(call: Call) -> dict[str, Any]:
    """`GET /servers`: ids and names."""
    return _listing(call, "servers", "index", brief)


@service.get("/servers/detail")
def detail(call: Call) -> dict[str, Any]:
    """`GET /servers/detail`."""
    return _listing(call, "servers/detail", "detail", detailed)


@service.get("/servers/{server_id}")
def show(call: Call, server_id: str) -> dict[str, Any]:
    """`GET /servers/{id}`."""
    return {"server": detailed(call, get_server(call, server_id))}


@service.put("/servers/{server_id}")
def update(call: Call, server_id: str) -> dict[str, Any]:
    """`PUT /servers/{id}`: name, description, access addresses, disk config, host name. `otc` has the first two."""
    properties: dict[str, Any] = {
        "name": NAME,
        "OS-DCF:diskConfig": DISK_CONFIG,
        "accessIPv4": {"type": "string", "format": "ipv4"},
        "accessIPv6": {"type": "string", "format": "ipv6"},
    }
    if call.at_least(19):
        properties["description"] = {"type": ["string", "null"], "maxLength": 255}
    if call.at_least(90):
        properties["hostname"] = {"type": "string", "minLength": 2, "maxLength": 63}
    if call.is_otc:
        properties = {name: schema for name, schema in otc.CHANGED.items() if name in properties}
    requested = body(call, "server", fields(properties))
    if call.is_otc:
        otc.check_description(requested)
    doc = get_server(call, server_id)
    stored = {
        "name": "name",
        "description": "description",
        "hostname": "hostname",
        "OS-DCF:diskConfig": "disk_config",
        "accessIPv4": "access_v4",
        "accessIPv6": "access_v6",
    }
    save(call, doc, **{field: requested[name] for name, field in stored.items() if name in requested})
    return {"server": detailed(call, doc) if call.at_least(75) else core(call, doc, full=False)}


@service.delete("/servers/{server_id}")
def delete(call: Call, server_id: str) -> None:
    """`DELETE /servers/{id}`: from any state. A repeated request during the deletion also succeeds."""
    doc = get_server(call, server_id)
    check_lock(call, doc)
    begin_action(call, doc, "delete")
    begin_delete(call, doc)


def _listing(call: Call, path: str, rule: str, render: Callable[[Call, Document], dict[str, Any]]) -> dict[str, Any]:
    marker, limit = page(call)
    if call.is_otc and call.param("image"):
        marker, limit = None, LIST_LIMIT
    elif call.is_otc and not call.param("limit"):
        limit = OTC_PAGE
    all_projects = call.param("all_tenants") is not None and is_true(call.param("all_tenants") or "1")
    if all_projects:
        require_admin(call, f"servers:{rule}:get_all_tenants")
    query, keep = _filters(call)
    if not all_projects:
        query["project_id"] = call.project_id
    if marker is not None and call.get("server", marker) is None:
        raise HttpError(400, f"marker [{marker}] not found")
    found: list[Document] = []
    after = marker
    # Filters that SQL does not support are applied here, so chunks are read until the page is full.
    size = CHUNK if keep else limit
    while len(found) < limit:
        chunk = call.find("server", newest_first=True, after=after, limit=size, **query)
        found += [doc for doc in chunk if all(matches(doc) for matches in keep)]
        if len(chunk) < size:
            break
        after = chunk[-1]["id"]
    found = found[:limit]
    response: dict[str, Any] = {"servers": [render(call, doc) for doc in found]}
    if found and len(found) == limit:
        response["servers_links"] = next_link(call, f"{call.self_base}/{path}", found[-1]["id"])
    return response


def _filters(call: Call) -> tuple[dict[str, Any], list[Callable[[Document], bool]]]:
    """Return the filters of the request: the query for the database, and the predicates to apply to its result."""
    query: dict[str, Any] = {}
    keep: list[Callable[[Document], bool]] = []
    if call.is_otc and call.param("image"):
        # This filter overrides all others, and it does not find a server that was created with `imageRef`.
        image_id = _last_part(call, "image")
        return {"deleted": False}, [lambda doc: not doc["image_id"] and boot_image_id(call, doc) == image_id]
    changes_since = _time_param(call, "changes-since")
    if changes_since is None:
        query["deleted"] = False
    else:
        query["since"] = {"updated": changes_since}
    changes_before = _time_param(call, "changes-before") if call.at_least(66) else None
    if changes_before is not None:
        keep.append(lambda doc: doc["updated"] <= changes_before)
    if call.param("reservation_id"):
        query["reservation_id"] = call.param("reservation_id")
    _status_filter(call, query, keep)
    if call.is_otc:
        keep += _otc_matches(call)
    else:
        query |= _name_pattern(call)
        keep += _matches(call)
    if call.at_least(26) or call.is_otc:
        keep += [_tag_filter(name, call.param(name) or "") for name in TAG_FILTERS if call.param(name)]
    return query, keep


def _otc_matches(call: Call) -> list[Callable[[Document], bool]]:
    """Return the filters of the Open Telekom Cloud by a part of the name, of the flavor's id or of an address."""
    name, flavor, address = call.param("name") or "", _last_part(call, "flavor"), call.param("ip") or ""
    return [
        lambda doc: name in doc["name"] and flavor in doc["flavor"]["id"],
        lambda doc: not address or any(address in each for nic in doc["nics"] for each in nic["addresses"]),
    ]


def _name_pattern(call: Call) -> dict[str, Any]:
    """Return the query by the regular expression of the name; 400 for an invalid one, also of an address."""
    for field in ("name", "ip", "ip6"):
        try:
            re.compile(call.param(field) or "")
        except re.error:
            raise HttpError(400, f"Invalid filter {field}.") from None
    return {"matching": {"name": call.param("name")}} if call.param("name") else {}


def _matches(call: Call) -> list[Callable[[Document], bool]]:
    """Return the filters by image, flavor, and the regular expressions of addresses."""
    keep: list[Callable[[Document], bool]] = []
    if image_id := _last_part(call, "image"):
        keep.append(lambda doc: doc["image_id"] == image_id)
    if flavor_id := _last_part(call, "flavor"):
        keep.append(lambda doc: doc["flavor"]["id"] == flavor_id)
    return keep + [
        partial(_has_address, version=version, pattern=pattern)
        for name, version in (("ip", 4), ("ip6", 6))
        if (pattern := call.param(name))
    ]


def _last_part(call: Call, name: str) -> str:
    """Return the id in a parameter that is an id or a link."""
    return (call.param(name) or "").rpartition("/")[2]


def _time_param(call: Call, name: str) -> float | None:
    text = call.param(name)
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError:
        raise HttpError(
            400, f"Invalid input for query parameters {name}. Value: {text}. '{text}' is not a 'date-time'"
        ) from None


def _status_filter(call: Call, query: dict[str, Any], keep: list[Callable[[Document], bool]]) -> None:
    statuses = [status.upper() for status in call.query.get("status", []) if status]
    if not statuses:
        return
    known = [status for status in statuses if status in VM_STATES]
    if not known and call.at_least(38):
        raise HttpError(400, "Invalid status value")
    query["vm_state"] = sorted({VM_STATES[status] for status in known} | ({"stopped"} if "RESIZE" in known else set()))
    keep.append(lambda doc: status_of(doc) in known)


def _has_address(doc: Document, *, version: int, pattern: str) -> bool:
    found = [address for nic in doc["nics"] for address in nic["addresses"]]
    return any(re.search(pattern, address) for address in found if (":" in address) == (version == 6))  # noqa: PLR2004


def _tag_filter(name: str, text: str) -> Callable[[Document], bool]:
    tags = set(text.split(","))
    test: Callable[[set[str]], bool] = tags.isdisjoint if name.endswith("any") else tags.issubset
    has_any = name.endswith("any")

    def matches(doc: Document) -> bool:
        server_tags = set(doc["tags"])
        is_hit = not test(server_tags) if has_any else test(server_tags)
        return not is_hit if name.startswith("not") else is_hit

    return matches
