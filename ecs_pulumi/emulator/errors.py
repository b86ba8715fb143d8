"""The exception for rejected requests, and the error bodies of the services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class HttpError(Exception):
    """Raised by a handler to reject the request: its changes are rolled back and the response is an error.

    Args:
        status: the HTTP status.
        message: the message for the caller.
        kind: Neutron's exception name (`NetworkNotFound`); empty for the other services.
        headers: extra response headers.
    """

    def __init__(self, status: int, message: str, *, kind: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = dict(headers or {})


class NoRoute(Exception):  # noqa: N818  # what happened, like the other names
    """Raised if a service has no such path or method."""


class GatewayError(HttpError):
    """An error of the API gateway, which has another body than those of the services."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, message)
        self.code = code


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


def named_fault(error: HttpError) -> dict[str, Any]:
    """Return an error body of Nova and Cinder: `{"itemNotFound": {"code": 404, "message": …}}`."""
    fault: dict[str, Any] = {"code": error.status, "message": error.message}
    if "Retry-After" in error.headers:
        fault["retryAfter"] = error.headers["Retry-After"]
    return {FAULT_NAMES.get(error.status, "computeFault"): fault}


def neutron_error(error: HttpError) -> dict[str, Any]:
    """Return an error body of Neutron: `{"NeutronError": {"type": …, "message": …, "detail": ""}}`."""
    return {"NeutronError": {"type": error.kind, "message": error.message, "detail": ""}}


def keystone_error(error: HttpError) -> dict[str, Any]:
    """Return an error body of Keystone, which all services use for 401: `{"error": {code, message, title}}`."""
    title = TITLES.get(error.status, "Internal Server Error")
    return {"error": {"code": error.status, "message": error.message, "title": title}}


def gateway_error(status: int, request_id: str) -> dict[str, str]:
    """Return an error body of the Open Telekom Cloud's gateway.

    Its status is 404 for a path or method that no service has, and 429 for too many requests.
    """
    if status == 404:  # noqa: PLR2004
        return {"message": "API not found", "request_id": request_id}
    return {
        "error_msg": "The throttling threshold has been reached",
        "error_code": "APIGW.0308",
        "request_id": request_id,
    }


def page(status: int, message: str, accept: str) -> dict[str, Any] | str:
    """Return an error body of Glance and of the middleware in front of a service.

    The body is JSON if the client accepts JSON, and an HTML page otherwise.
    """
    title = TITLES.get(status, "Internal Server Error")
    if "json" in accept:
        return {"message": f"{message}<br /><br />\n\n\n", "code": f"{status} {title}", "title": title}
    heading = f"{status} {title}"
    return (
        f"<html>\n <head>\n  <title>{heading}</title>\n </head>\n <body>\n  <h1>{heading}</h1>\n"
        f"  {message}<br /><br />\n\n\n\n </body>\n</html>"
    )
