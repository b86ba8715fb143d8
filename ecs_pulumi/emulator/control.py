"""The emulator's own API under `/_emulator`: faults, the request log, quotas, tokens, and the data of its web page.

The page itself is at `/`. It is only sent to clients that accept HTML; Keystone answers all others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse

from .faults import Fault  # noqa: TC001  # FastAPI reads the annotation
from .topology import topology
from .validation import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from .cloud import Cloud
    from .gateway import RequestLog

PAGE = Path(__file__).with_name("page.html")
PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    # The page loads no external resources; the policy enforces that.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Vary": "Accept",
}

Limit = Annotated[int, Field(ge=-1, le=LARGEST)]


async def refuse(_request: Request, error: Exception) -> Response:
    """Answer 422 to a request that does not match its schema.

    The error of FastAPI repeats the value, which cannot always be sent.
    """
    details = error.errors() if isinstance(error, RequestValidationError) else ()
    lines = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in details]
    return Response(json.dumps({"detail": lines}), 422, media_type="application/json")


def with_page(app: ASGIApp) -> ASGIApp:
    """Wrap an application so that browsers get the page at `/`."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        at_root = scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
        if at_root and "text/html" in Headers(scope=scope).get("accept", ""):
            await HTMLResponse(PAGE.read_bytes(), headers=PAGE_HEADERS)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return serve


def router(cloud: Cloud, requests: RequestLog, access: Callable[[], dict[str, dict[str, str]]]) -> APIRouter:
    """Return the routes of the control API.

    Args:
        cloud: the cloud to control.
        requests: its request log.
        access: returns the stack settings and the environment variables for clients of this cloud.
    """
    routes = APIRouter(prefix="/_emulator")

    @routes.get("/topology")
    def show_topology() -> dict[str, Any]:
        """Return all objects with their relations, and the latest requests, without secrets."""
        return topology(cloud, requests)

    @routes.get("/settings")
    def show_settings() -> dict[str, dict[str, str]]:
        """Return the stack settings (namespace `ecs`) and the `OS_*` variables for this cloud."""
        return access()

    @routes.get("/faults")
    def list_faults() -> list[Fault]:
        """List the active faults with their remaining `times`."""
        return cloud.faults.list()

    @routes.post("/faults", status_code=201)
    def add_fault(fault: Fault) -> Fault:
        """Add a fault."""
        try:
            cloud.faults.add(fault)
        except OverflowError as error:
            raise HTTPException(409, str(error)) from None
        return fault

    @routes.delete("/faults", status_code=204)
    def clear_faults() -> Response:
        """Remove all faults."""
        cloud.faults.clear()
        return Response(status_code=204)

    @routes.get("/requests")
    def list_requests() -> list[dict[str, Any]]:
        """List the latest requests, oldest first, without headers and bodies."""
        fields = ("method", "path", "query", "status", "ms", "request_id", "at")
        return [{field: getattr(request, field) for field in fields} for request in requests]

    @routes.delete("/requests", status_code=204)
    def clear_requests() -> Response:
        """Clear the request log."""
        requests.clear()
        return Response(status_code=204)

    @routes.put("/quotas", status_code=204)
    def set_quotas(limits: dict[str, Limit]) -> Response:
        """Change quota limits; -1 means unlimited."""
        cloud.set_quota(**limits)
        return Response(status_code=204)

    @routes.delete("/tokens", status_code=204)
    def expire_tokens() -> Response:
        """Invalidate all tokens."""
        cloud.expire_tokens()
        return Response(status_code=204)

    return routes
