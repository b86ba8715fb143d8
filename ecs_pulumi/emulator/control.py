"""The emulator's own interface under `/_emulator`: faults, the request log, quotas, tokens, and what its page shows.

The page itself is at `/`, for browsers alone: whoever does not ask for HTML is answered by Keystone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Response
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse

from .faults import Fault  # noqa: TC001  # FastAPI reads the annotation
from .topology import topology

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from .cloud import Cloud
    from .gateway import RequestLog

PAGE = Path(__file__).with_name("page.html")
PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    # The page loads nothing, from anywhere; this holds it to that.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Vary": "Accept",
}


def with_page(app: ASGIApp) -> ASGIApp:
    """The application with the page in front of its root."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        at_root = scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
        if at_root and "text/html" in Headers(scope=scope).get("accept", ""):
            await HTMLResponse(PAGE.read_bytes(), headers=PAGE_HEADERS)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return serve


def router(cloud: Cloud, requests: RequestLog, access: Callable[[], dict[str, dict[str, str]]]) -> APIRouter:
    """The routes for one cloud.

    Args:
        cloud: the cloud.
        requests: what it was asked.
        access: the stack settings and the variables that lead to it.
    """
    routes = APIRouter(prefix="/_emulator")

    @routes.get("/picture")
    def show_picture() -> dict[str, Any]:
        """Every object with what it is joined to, and the last requests; nothing secret."""
        return topology(cloud, requests)

    @routes.get("/settings")
    def show_settings() -> dict[str, dict[str, str]]:
        """The stack's settings (namespace `ecs`) and the `OS_*` variables that lead to this cloud."""
        return access()

    @routes.get("/faults")
    def list_faults() -> list[Fault]:
        """The faults in force, with the times left."""
        return cloud.faults.list()

    @routes.post("/faults", status_code=201)
    def add_fault(fault: Fault) -> Fault:
        """Put a fault in force."""
        try:
            cloud.faults.add(fault)
        except OverflowError as error:
            raise HTTPException(409, str(error)) from None
        return fault

    @routes.delete("/faults", status_code=204)
    def clear_faults() -> Response:
        """Back to a cloud without faults."""
        cloud.faults.clear()
        return Response(status_code=204)

    @routes.get("/requests")
    def list_requests() -> list[dict[str, Any]]:
        """The latest requests, oldest first, without headers and bodies."""
        fields = ("method", "path", "query", "status", "ms", "request_id", "at")
        return [{field: getattr(request, field) for field in fields} for request in requests]

    @routes.delete("/requests", status_code=204)
    def clear_requests() -> Response:
        """Begin a new log."""
        requests.clear()
        return Response(status_code=204)

    @routes.put("/quotas", status_code=204)
    def set_quotas(limits: dict[str, int]) -> Response:
        """Change the project's limits; -1 is none."""
        cloud.set_quota(**limits)
        return Response(status_code=204)

    @routes.delete("/tokens", status_code=204)
    def expire_tokens() -> Response:
        """Let every token given out so far be no good any more."""
        cloud.expire_tokens()
        return Response(status_code=204)

    return routes
