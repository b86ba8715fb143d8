"""The requests that add static routes to a router and remove some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .collection import get_owned, touch
from .refusals import bad_request
from .resources import ROUTER, routes
from .routers import check_routes, view
from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document


@service.put("/routers/{router_id}/add_extraroutes", otc=False)
def add_routes(call: Call, router_id: str) -> Document:
    """`PUT /routers/{id}/add_extraroutes`: add routes; those that exist already are no error."""
    doc, requested = _read(call, router_id, "add_extraroutes")
    return _set(call, doc, [*doc["routes"], *(route for route in requested if route not in doc["routes"])])


@service.put("/routers/{router_id}/remove_extraroutes", otc=False)
def remove_routes(call: Call, router_id: str) -> Document:
    """`PUT /routers/{id}/remove_extraroutes`: remove routes; those that do not exist are no error."""
    doc, requested = _read(call, router_id, "remove_extraroutes")
    return _set(call, doc, [route for route in doc["routes"] if route not in requested])


def _read(call: Call, router_id: str, action: str) -> tuple[Document, list[dict[str, str]]]:
    doc = get_owned(call, ROUTER, router_id, action)
    body: Any = call.json()
    if not isinstance(body, dict) or not isinstance(body.get("router"), dict) or "routes" not in body["router"]:
        raise bad_request("Unable to find 'router' in request body")
    return doc, routes("routes", body["router"]["routes"])


def _set(call: Call, doc: Document, values: list[dict[str, str]]) -> Document:
    check_routes(call, doc, values)
    if values != doc["routes"]:
        touch(call, "router", doc | {"routes": values})
        doc["routes"] = values
    return {"router": view(call, doc)}
