"""A service of the cloud: its routes, the checks every request passes, and its way to say no."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from .context import Reply
from .errors import HttpError, keystone_error, named_fault, page

if TYPE_CHECKING:
    from collections.abc import Callable

    from .context import Call

    Handler = Callable[..., Reply | dict[str, Any] | None]
    H = TypeVar("H", bound=Handler)

NO_ROUTE = "The resource could not be found."
UNAUTHORIZED = "The request you have made requires authentication."
PROJECT = re.compile(r"[0-9a-f-]{12,}")


class Service:
    """One service, such as Nova. A subclass or instance declares what differs; handlers are functions.

    A handler is `(call, **path parameters)` and returns a `Reply`, or a dict (200), or None (204); it refuses
    by raising `HttpError`. Routes are declared without version and project: `@nova.get("/servers/{server_id}")`
    serves `/v2.1/servers/…` and `/v2/{project_id}/servers/…`.

    Args:
        path: the segment of the service in the emulator's URLs (`/{region}/{path}/…`).
        versions: the versions that may begin a path.
        project_in_path: whether a project id may follow the version.
    """

    def __init__(self, path: str, versions: tuple[str, ...], *, project_in_path: bool = False) -> None:
        self.path = path
        self.versions = versions
        self.project_in_path = project_in_path
        self._routes: dict[int, list[tuple[tuple[str, ...], dict[str, Handler]]]] = {}

    def route(self, method: str, template: str) -> Callable[[H], H]:
        """Serve `method` on paths like `template`, whose `{name}` segments become arguments."""
        segments = tuple(template.strip("/").split("/"))

        def register(handler: H) -> H:
            known = self._routes.setdefault(len(segments), [])
            for have, methods in known:
                if have == segments:
                    methods[method] = handler
                    break
            else:
                known.append((segments, {method: handler}))
                # Literal segments win over parameters: servers/detail before servers/{server_id}.
                known.sort(key=lambda entry: [segment.startswith("{") for segment in entry[0]])
            return handler

        return register

    def get(self, template: str) -> Callable[[H], H]:
        """Serve GET."""
        return self.route("GET", template)

    def post(self, template: str) -> Callable[[H], H]:
        """Serve POST."""
        return self.route("POST", template)

    def put(self, template: str) -> Callable[[H], H]:
        """Serve PUT."""
        return self.route("PUT", template)

    def delete(self, template: str) -> Callable[[H], H]:
        """Serve DELETE."""
        return self.route("DELETE", template)

    def handle(self, call: Call) -> Reply:
        """Answer one request; the caller holds the transaction and rolls it back where `HttpError` comes out.

        Raises:
            HttpError: to be turned into an answer by `refusal`.
        """
        first, _, rest = call.path.strip("/").partition("/")
        if not first:
            return self.version_list(call)
        if first not in self.versions:
            return self.no_route(call)
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
            arguments = _match(template, rest.split("/"))
            if arguments is not None and call.method in methods:
                answer = methods[call.method](call, **arguments)
                if isinstance(answer, Reply):
                    return answer
                return Reply(204) if answer is None else Reply(200, answer)
        return self.no_route(call)

    # What a service may say differently.

    def foreign_project(self, call: Call, project: str) -> str:
        """The sentence for a URL of another project."""
        return (
            f"Malformed request URL: URL's project_id '{project}' doesn't match Context's project_id"
            f" '{call.project_id}'"
        )

    def version_list(self, call: Call) -> Reply:
        """`GET /`: the versions, without a token."""
        return self.no_route(call)

    def version_document(self, call: Call) -> Reply:
        """`GET /v2.1/`: one version, without a token."""
        return self.no_route(call)

    def negotiate(self, call: Call) -> None:
        """Find the microversion asked for; refuse with 406 what is not offered."""

    def reply_headers(self, call: Call, request_id: str) -> dict[str, str]:  # noqa: ARG002
        """Headers that go with every answer."""
        return {"X-Openstack-Request-Id": request_id}

    def error_body(self, refused: HttpError) -> Any:
        """The body of an error, in the service's shape."""
        return named_fault(refused)

    def refusal(self, call: Call, refused: HttpError) -> Reply:
        """The answer to a refused request."""
        if refused.status == 401:  # noqa: PLR2004
            headers = {"WWW-Authenticate": f'Keystone uri="{call.origin}/v3"'}
            return Reply(401, keystone_error(refused), headers | refused.headers)
        return Reply(refused.status, self.error_body(refused), refused.headers)

    def no_route(self, call: Call) -> Reply:
        """The answer to a path or method that is not there."""
        return Reply(404, page(404, NO_ROUTE, call.headers.get("accept", "")))


def _match(template: tuple[str, ...], path: list[str]) -> dict[str, str] | None:
    arguments = {}
    for wanted, found in zip(template, path, strict=True):
        if wanted.startswith("{"):
            if not found:
                return None
            arguments[wanted[1:-1]] = found
        elif wanted != found:
            return None
    return arguments
