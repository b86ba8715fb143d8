"""A request that the cloud refuses, and the shapes in which the services say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class HttpError(Exception):  # the cloud's answer, not a failure of the emulator
    """Raised by a handler to refuse the request: everything it changed is undone and the answer is an error.

    Args:
        status: the HTTP status.
        message: the sentence for the caller.
        kind: Neutron's exception name (`NetworkNotFound`); the other services have none.
        headers: extra response headers.
    """

    def __init__(self, status: int, message: str, *, kind: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = dict(headers or {})


FAULT_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
}


def named_fault(refused: HttpError) -> dict[str, Any]:
    """Nova's and Cinder's shape: `{"itemNotFound": {"code": 404, "message": …}}`."""
    fault: dict[str, Any] = {"code": refused.status, "message": refused.message}
    if "Retry-After" in refused.headers:
        fault["retryAfter"] = refused.headers["Retry-After"]
    return {FAULT_NAMES.get(refused.status, "computeFault"): fault}


def neutron_error(refused: HttpError) -> dict[str, Any]:
    """Neutron's shape: `{"NeutronError": {"type": …, "message": …, "detail": ""}}`."""
    return {"NeutronError": {"type": refused.kind, "message": refused.message, "detail": ""}}


def keystone_error(refused: HttpError) -> dict[str, Any]:
    """Keystone's shape, which every service uses for 401: `{"error": {code, message, title}}`."""
    title = TITLES.get(refused.status, "Internal Server Error")
    return {"error": {"code": refused.status, "message": refused.message, "title": title}}


def page(status: int, message: str, accept: str) -> dict[str, Any] | str:
    """The layers in front of a service, and all of Glance: JSON to those who ask for it, else an HTML page."""
    title = TITLES.get(status, "Internal Server Error")
    if "json" in accept:
        return {"message": f"{message}<br /><br />\n\n\n", "code": f"{status} {title}", "title": title}
    heading = f"{status} {title}"
    return (
        f"<html>\n <head>\n  <title>{heading}</title>\n </head>\n <body>\n  <h1>{heading}</h1>\n"
        f"  {message}<br /><br />\n\n\n\n </body>\n</html>"
    )
