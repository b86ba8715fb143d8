"""The base class of the services: routing, authentication and error responses."""

from __future__ import annotations

import re
from functools import partialmethod
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from .context import Reply
from .errors import GatewayError, HttpError, NoRoute, keystone_error, named_fault, page

if TYPE_CHECKING:
    from collections.abc import Callable

    from .context import Call
    from .dialects import DialectName

    Handler = Callable[..., Reply | dict[str, Any] | None]
    H = TypeVar("H", bound=Handler)

NO_ROUTE = "The resource could not be found."
UNAUTHORIZED = "The request you have made requires authentication."
PROJECT = re.compile(r"[0-9a-f-]{12,}")


class Service:
    """One service, such as Nova. Subclasses override what is specific to a service; handlers are functions.

    A handler takes `(call, **path parameters)` and returns a `Reply`, a dict (200) or None (204); it raises
    `HttpError` to reject the request. Routes are declared without version and project:
    `@nova.get("/servers/{server_id}")` serves `/v2.1/servers/…` and `/v2/{project_id}/servers/…`.

    Args:
        path: the segment of the service in the emulator's URLs (`/{region}/{path}/…`).
        versions: the versions that may start a path.
        project_in_path: whether a project id may follow the version.
    """

    def __init__(self, path: str, versions: tuple[str, ...], *, project_in_path: bool = False) -> None:
        self.path = path
        self.versions = versions
        self.project_in_path = project_in_path
        self._routes: dict[int, list[tuple[tuple[str, ...], dict[str, Handler]]]] = {}
        self._only: dict[tuple[str, tuple[str, ...]], DialectName] = {}

    def route(self, method: str, template: str, *, otc: bool = True, openstack: bool = True) -> Callable[[H], H]:
        """Register a handler for `method` on `template`; its `{name}` segments become keyword arguments.

        `otc` and `openstack` are whether the clouds of that dialect offer the request.
        """
        segments = tuple(template.strip("/").split("/"))

        def register(handler: H) -> H:
            if not (otc and openstack):
                self._only[method, segments] = "otc" if otc else "openstack"
            routes = self._routes.setdefault(len(segments), [])
            for existing, methods in routes:
                if existing == segments:
                    methods[method] = handler
                    break
            else:
                routes.append((segments, {method: handler}))
                # Literal segments take precedence over parameters: servers/detail before servers/{server_id}.
                routes.sort(key=lambda entry: [segment.startswith("{") for segment in entry[0]])
            return handler

        return register

    get = partialmethod(route, "GET")
    post = partialmethod(route, "POST")
    put = partialmethod(route, "PUT")
    delete = partialmethod(route, "DELETE")

    def handle(self, call: Call) -> Reply:
        """Serve one request. The caller opens the transaction and rolls it back on `HttpError`.

        Raises:
            HttpError: the request is rejected; `error_reply` converts the error to a response.
            NoRoute: the service has no such path or method; `no_route` returns the response.
        """
        first, _, rest = call.path.strip("/").partition("/")
        if not first:
            return self.version_list(call)
        if first not in self.versions:
            raise NoRoute
        call.version = first
        if not rest and call.method == "GET":
            return self.version_document(call)
        call.cloud.authenticate(call)
        self.negotiate(call)
        call.self_base, call.bookmark_base = f"{call.root}/{first}", call.root
        if self.project_in_path:
            project, _, remainder = rest.partition("/")
            if PROJECT.fullmatch(project):
                if project != call.project_id:
                    raise HttpError(400, self.foreign_project(call, project))
                rest = remainder
                call.self_base += f"/{project}"
                call.bookmark_base += f"/{project}"
        for template, methods in self._routes.get(rest.count("/") + 1, ()):
            arguments = _match(template, [unquote(segment) for segment in rest.split("/")])
            if arguments is not None and call.method in methods:
                dialect = call.cloud.dialect.name
                if self._only.get((call.method, template), dialect) != dialect:
                    raise NoRoute
                result = methods[call.method](call, **arguments)
                if isinstance(result, Reply):
                    return result
                return Reply(204) if result is None else Reply(200, result)
        raise NoRoute

    # Methods for subclasses to override.

    def foreign_project(self, call: Call, project: str) -> str:
        """Return the error message for a URL with the id of another project."""
        return (
            f"Malformed request URL: URL's project_id '{project}' doesn't match Context's project_id"
            f" '{call.project_id}'"
        )

    def version_list(self, call: Call) -> Reply:  # noqa: ARG002
        """`GET /`: list the versions, without authentication."""
        raise NoRoute

    def version_document(self, call: Call) -> Reply:  # noqa: ARG002
        """`GET /v2.1/`: show one version, without authentication."""
        raise NoRoute

    def negotiate(self, call: Call) -> None:
        """Set the microversion of the request; 406 if it is not supported."""

    def reply_headers(self, call: Call, request_id: str) -> dict[str, str]:  # noqa: ARG002
        """Return the headers of every response."""
        return {"X-Openstack-Request-Id": request_id}

    def error_body(self, error: HttpError) -> Any:
        """Return an error body in the format of the service."""
        return named_fault(error)

    def error_reply(self, call: Call, error: HttpError) -> Reply:
        """Return the response to a rejected request."""
        if isinstance(error, GatewayError):
            body = {"error_msg": error.message, "error_code": error.code, "request_id": call.request_id}
            return Reply(error.status, body, error.headers)
        if error.status == 401:  # noqa: PLR2004
            headers = {"WWW-Authenticate": f'Keystone uri="{call.origin}/v3"'}
            return Reply(401, keystone_error(error), headers | error.headers)
        return Reply(error.status, self.error_body(error), error.headers)

    def no_route(self, call: Call) -> Reply:
        """Return the response to an unknown path or method, where no gateway is in front of the service."""
        return Reply(404, page(404, NO_ROUTE, call.headers.get("accept", "")))


def _match(template: tuple[str, ...], path: list[str]) -> dict[str, str] | None:
    arguments = {}
    for expected, segment in zip(template, path, strict=True):
        if expected.startswith("{"):
            if not segment:
                return None
            arguments[expected[1:-1]] = segment
        elif expected != segment:
            return None
    return arguments
