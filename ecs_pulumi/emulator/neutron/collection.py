"""Operations that all resources share: look-up, rendering, lists, updates and quota checks."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.clock import to_second
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import number
from ecs_pulumi.emulator.versioned import next_link

from . import otc
from .attributes import boolean, integer
from .documented import absent, filters, is_for_users
from .refusals import bad_request, invalid_input, over_quota
from .service import extensions, service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

    from .attributes import Resource

CONTROLS = otc.PAGING
TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")
DIRECT = ("network_id", "device_id", "name", "project_id")
"""Filters for which the store has an index."""
PUBLIC = {
    "network": ("shared", "router:external"),
    "subnet": ("_shared",),
    "subnetpool": ("shared",),
    "policy": ("shared",),
}
"""The flags, by resource, that make an object visible to other projects."""


def new_id() -> str:
    """Return the id of a new object."""
    return str(uuid.uuid4())


def new_document(ctx: Context, values: Document, revision: int = 1) -> Document:
    """Return the document of a new object: its values with an id, timestamps and a revision number."""
    now = to_second(ctx.now)
    return {
        "id": new_id(),
        **values,
        "tags": [],
        "created_at": now,
        "updated_at": now,
        "revision_number": revision,
    }


def touch(ctx: Context, kind: str, doc: Document) -> Document:
    """Store a changed document with the next revision number."""
    doc["revision_number"] += 1
    doc["updated_at"] = to_second(ctx.now)
    return ctx.put(kind, doc)


def not_found(resource: Resource, id_: str) -> HttpError:
    """Return the 404 error for an object that does not exist or is not visible."""
    return HttpError(404, resource.not_found_message.format(id_), kind=resource.not_found_kind)


def check_revision(call: Call, doc: Document) -> None:
    """Reject with 412 a request whose `If-Match` header requires another revision number."""
    match = re.fullmatch("revision_number=([0-9]+)", call.headers.get("if-match", ""))
    if match and "revision-if-match" in extensions(call) and number(match[1]) != doc["revision_number"]:
        message = f"Constrained to {match[1]}, but current revision is {doc['revision_number']}"
        raise HttpError(412, message, kind="RevisionNumberConstraintFailed")


def visible(call: Call, resource: Resource, doc: Document) -> bool:
    """Return whether the caller may see the object."""
    return (
        call.is_admin
        or doc["project_id"] == call.project_id
        or any(doc[flag] for flag in PUBLIC.get(resource.name, ()))
    )


def get_visible(call: Call, resource: Resource, id_: str) -> Document:
    """Return an object that the caller may see, or raise 404."""
    doc = call.get(resource.name, id_)
    if doc is None or not visible(call, resource, doc):
        raise not_found(resource, id_)
    return doc


def get_owned(call: Call, resource: Resource, id_: str, action: str) -> Document:
    """Return an object that the caller may change; raise 404 if it is not visible, 403 if it is only visible."""
    doc = get_visible(call, resource, id_)
    if not call.is_admin and doc["project_id"] != call.project_id:
        raise HttpError(403, f"rule:{action}_{resource.name} is disallowed by policy", kind="PolicyNotAuthorized")
    return doc


def check_quota(ctx: Context, resource: str, project_id: str, more: int = 1) -> None:
    """Reject a request that exceeds the project's quota."""
    limit = ctx.quota(resource)
    if limit >= 0 and ctx.count(resource, project_id=project_id) + more > limit:
        raise over_quota(resource)


def render(call: Call, resource: Resource, doc: Document) -> Document:
    """Return the attributes of an object that the caller may see, without internal fields."""
    known, hidden = resource.known(extensions(call)), absent(call, resource.name)
    view = {
        name: doc[name]
        for name, attribute in known.items()
        if name in doc and name not in hidden
        if call.is_admin or not attribute.admin_view_only or is_for_users(call, name)
    }
    view["tenant_id"] = doc["project_id"]
    for name in ("created_at", "updated_at"):
        view[name] = otc.time(call, view[name])
    return view


def select_fields(call: Call, view: Document) -> Document:
    """Reduce an object to the fields of the `?fields=` parameter, if present."""
    fields = call.query.get("fields")
    return {name: view[name] for name in fields if name in view} if fields else view


def candidates(call: Call, resource: Resource) -> list[Document]:
    """Return the visible objects, filtered by an indexed field if the query has one."""
    kind, query = resource.name, call.query
    if "id" in query:
        docs = [doc for id_ in dict.fromkeys(query["id"]) if (doc := call.get(kind, id_)) is not None]
    else:
        direct = next((name for name in DIRECT if name in query), None)
        if direct:
            equal: dict[str, Any] = {direct: query[direct]}
            docs = call.find(kind, **equal)
        elif call.is_admin:
            docs = call.find(kind)
        else:
            docs = call.find(kind, project_id=call.project_id)
            for flag in PUBLIC.get(kind, ()):
                known = {doc["id"] for doc in docs}
                public: dict[str, Any] = {flag: True}
                docs += [doc for doc in call.find(kind, **public) if doc["id"] not in known]
    return [doc for doc in docs if visible(call, resource, doc)]


def listing(
    call: Call,
    resource: Resource,
    *,
    special: Mapping[str, Callable[[Document, list[str]], bool]] | None = None,
    view: Callable[[Call, Document], Document] | None = None,
) -> Document:
    """Return the response body of a list: one page of the filtered objects, ordered by id.

    Args:
        call: the request.
        resource: the resource to list.
        special: filters that do not compare an attribute's value.
        view: converts a document to its representation in the response.
    """
    special = special or {}
    call = replace(call, query=otc.query_of(call, resource.name))
    query = filters(call, resource.name)
    _check_filters(call, resource, special)
    docs = [
        doc
        for doc in (candidates(call, resource) if otc.may_use_networks(call) else ())
        if all(
            special[name](doc, values) if name in special else _matches(doc, name, values)
            for name, values in query.items()
            if name not in CONTROLS
        )
    ]
    page = _page(call, resource, docs)
    to_view = view or (lambda call, doc: render(call, resource, doc))
    body: Document = {resource.collection: [select_fields(call, to_view(call, doc)) for doc in page]}
    limit, address = _limit(call), f"{call.root}/v2.0/{resource.path}"
    shown = otc.links(call, address, page[0]["id"]) if page else []
    if limit and len(page) == limit:
        shown += next_link(call, address, page[-1]["id"])
    if shown:
        body[f"{resource.collection}_links"] = shown
    return body


def register_reads(
    resource: Resource,
    view: Callable[[Call, Document], Document] | None = None,
    special: Mapping[str, Callable[[Document, list[str]], bool]] | None = None,
) -> None:
    """Register `GET /{path}` and `GET /{path}/{id}` for a resource; see `listing` for the arguments."""
    to_view = view or (lambda call, doc: render(call, resource, doc))

    @service.get(f"/{resource.path}")
    def index(call: Call) -> Document:
        return listing(call, resource, special=special, view=to_view)

    @service.get(f"/{resource.path}/{{id_}}")
    def show(call: Call, id_: str) -> Document:
        return {resource.name: select_fields(call, to_view(call, get_visible(call, resource, id_)))}


def _check_filters(call: Call, resource: Resource, special: Mapping[str, Any]) -> None:
    known = resource.known(extensions(call))
    unknown = [
        name
        for name in call.query
        if name not in (*CONTROLS, *TAG_FILTERS, *special) and not (name in known and known[name].filters)
    ]
    if unknown:
        raise bad_request(f"{unknown} is invalid attribute for filtering")
    for name, values in call.query.items():
        reader = known[name].read if name in known else None
        for value in values:
            if reader is boolean or reader is integer:
                reader(name, value)


def _matches(doc: Document, name: str, values: list[str]) -> bool:
    if name in TAG_FILTERS:
        tags = set(doc["tags"])
        expected = set(values[0].split(","))
        matches = bool(tags & expected) if name.endswith("-any") else expected <= tags
        return matches != name.startswith("not-")
    value = doc.get("project_id" if name == "tenant_id" else name)
    if isinstance(value, bool):
        return any(boolean(name, expected) == value for expected in values)
    return value is not None and str(value) in values


def _limit(call: Call) -> int:
    word = call.param("limit", "0") or "0"
    limit = number(word)
    if limit is None:
        message = f"Bad limit request: Limit must be an integer 0 or greater and not '{word}'."
        raise HttpError(400, message, kind="BadRequest")
    return otc.page_size(call, limit)


def _page(call: Call, resource: Resource, docs: list[Document]) -> list[Document]:
    marker, limit = call.param("marker"), _limit(call)
    is_reverse = str(call.param("page_reverse")).lower() == "true"
    docs.sort(key=lambda doc: str(doc["id"]))
    if marker:
        if call.is_otc and call.get(resource.name, marker) is None:
            raise bad_request(f"Invalid marker: {marker}")
        get_visible(call, resource, marker)
        docs = [doc for doc in docs if (doc["id"] < marker if is_reverse else doc["id"] > marker)]
    if not limit:
        return docs
    return docs[-limit:] if is_reverse else docs[:limit]


def parse_pairs(values: list[str]) -> dict[str, list[str]]:
    """Parse the values of a filter such as `fixed_ips=ip_address=…` and group them by key."""
    parsed: dict[str, list[str]] = {}
    for value in values:
        key, equals, expected = value.partition("=")
        if not equals:
            raise invalid_input(f"'{value}' is not of the form <key>=[value]")
        parsed.setdefault(key, []).append(expected)
    return parsed
