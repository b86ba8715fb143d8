"""The HTTP front end of the services: one transaction, one response and one log entry per request."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from .context import Call, Reply
from .errors import HttpError, NoRoute, gateway_error, page
from .routing import NO_ROUTE

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Iterator, Mapping

    from starlette.types import Receive, Scope, Send

    from .cloud import Cloud
    from .faults import Fault
    from .routing import Service

MAX_BODY = 114688
"""The maximum size of a request body in bytes, as in OpenStack's own services; larger bodies are not read."""
SECRET_HEADERS = frozenset({"x-auth-token", "x-security-token", "authorization"})
LOGGED, LOGGED_BYTES = 20_000, 16 * 2**20
"""The limits of the request log: the number of requests and their total size in bytes."""


@dataclass(frozen=True)
class Request:
    """One entry of the request log."""

    method: str
    path: str
    """The path of the URL, with region and service, without the query."""
    query: str
    status: int
    """The status of the response; 0 if the connection was closed without a complete response."""
    ms: float
    request_id: str
    at: float
    headers: dict[str, str] = field(repr=False)
    """Header names in lower case, without the token and the signature."""
    body: Any = field(repr=False)
    """The body parsed as JSON; None if it is not JSON or the request failed. May contain secrets: memory only."""
    size: int = field(default=0, repr=False)
    """The size of path, query, headers and body in bytes."""


class RequestLog:
    """The latest requests, oldest first; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: deque[Request] = deque()
        self._size = 0

    def append(self, request: Request) -> None:
        """Add a request, and remove the oldest ones while the log exceeds its limits."""
        with self._lock:
            self._requests.append(request)
            self._size += request.size
            while len(self._requests) > LOGGED or self._size > LOGGED_BYTES:
                self._size -= self._requests.popleft().size

    def clear(self) -> None:
        """Remove all requests."""
        with self._lock:
            self._requests.clear()
            self._size = 0

    def latest(self, count: int) -> list[Request]:
        """Return the last `count` requests, newest first."""
        with self._lock:
            return list(itertools.islice(reversed(self._requests), count))

    def __iter__(self) -> Iterator[Request]:
        with self._lock:
            return iter(list(self._requests))

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: int) -> Request:
        with self._lock:
            return self._requests[index]


class Gateway:
    """The ASGI application in front of a cloud's services.

    Args:
        cloud: the cloud.
        services: the services by the path segment that follows the region.
        identity: Keystone, which belongs to no region.
        connections: open connections by the client's address, for faults that close a connection.
    """

    def __init__(
        self,
        cloud: Cloud,
        services: Mapping[str, Service],
        identity: Service,
        connections: dict[tuple[str, int], Transport],
    ) -> None:
        self.cloud = cloud
        self.services = services
        self.identity = identity
        self.connections = connections
        self.requests = RequestLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = time.perf_counter()
        method, path, headers = scope["method"], scope["path"], _headers(scope)
        request_id = f"req-{uuid.uuid4()}"
        body = await _body(headers, receive)
        if body is None:
            message = f"Request is too large. Larger than max_request_body_size ({MAX_BODY})."
            self._log(scope, 413, 0.0, request_id, b"")
            reply = Reply(413, page(413, message, headers.get("accept", "")), {"X-Openstack-Request-Id": request_id})
            await _send_reply(send, reply, with_body=True)
            return
        latency, fault = self.cloud.faults.for_request(method, path, _name_in_body(body))
        if latency:
            await asyncio.sleep(latency)
        if fault and fault.drop == "before":
            reply = Reply(0)
        elif fault and fault.gateway is not None:
            reply = Reply(fault.gateway, gateway_error(fault.gateway, request_id), dict(fault.headers))
        elif fault and fault.status is not None:
            reply = Reply(fault.status, fault.body, {"X-Openstack-Request-Id": request_id, **fault.headers})
        else:
            reply = self._serve(scope, headers, body, request_id)
        # The time of this cloud, not that of the web server.
        reply.headers.setdefault("Date", formatdate(self.cloud.clock(), usegmt=True))
        dropped = fault is not None and fault.drop is not None
        status = 0 if dropped else reply.status
        self._log(scope, status, (time.perf_counter() - started) * 1000, request_id, b"" if status >= 400 else body)  # noqa: PLR2004
        if fault and fault.drop:
            await self._drop(scope, send, reply, fault)
        else:
            await _send_reply(send, reply, with_body=method != "HEAD")

    def _log(self, scope: Scope, status: int, ms: float, request_id: str, body: bytes) -> None:
        headers = {name: value for name, value in _headers(scope).items() if name not in SECRET_HEADERS}
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        size = sum(map(len, (path, query, body, *headers, *headers.values())))
        at = self.cloud.clock()
        self.requests.append(
            Request(scope["method"], path, query, status, round(ms, 3), request_id, at, headers, _json(body), size)
        )

    def _serve(self, scope: Scope, headers: dict[str, str], body: bytes, request_id: str) -> Reply:
        method, is_otc = scope["method"], self.cloud.dialect.name == "otc"
        # The services of OpenStack see no difference between a slash and an encoded one.
        path = scope["raw_path"].decode("latin-1") if is_otc else quote(scope["path"])
        origin = f"{scope['scheme']}://{headers.get('host', '')}"
        service, root, rest = self._service(path)
        if service is None:
            if is_otc:
                return Reply(404, gateway_error(404, request_id))
            return Reply(404, page(404, NO_ROUTE, headers.get("accept", "")))
        self.cloud.catch_up()
        call = Call(
            cloud=self.cloud,
            now=self.cloud.clock(),
            region=root.split("/")[1] if root else "",
            project_id="",
            user_id="",
            method="GET" if method == "HEAD" else method,
            path=rest,
            query=parse_qs(scope["query_string"].decode(), keep_blank_values=True),
            headers=headers,
            raw=body,
            target=f"{scope['raw_path'].decode('latin-1')}?{scope['query_string'].decode('latin-1')}",
            origin=origin,
            root=origin + root,
            request_id=request_id,
        )
        try:
            with self.cloud.store.transaction(), self.cloud.view(call):
                reply = service.handle(call)
        except HttpError as error:
            reply = service.error_reply(call, error)
        except NoRoute:
            if is_otc:
                # The gateway responds itself, and the header with the request id is the service's.
                return Reply(404, gateway_error(404, request_id))
            reply = service.no_route(call)
        reply.headers = service.reply_headers(call, request_id) | reply.headers
        return reply

    def _service(self, path: str) -> tuple[Service | None, str, str]:
        """Return the service of a path, the prefix of the service's URLs, and the rest of the path."""
        segments = path.split("/", 3)
        if len(segments) >= 3 and segments[1] in self.cloud.dialect.regions:  # noqa: PLR2004
            rest = "/" + segments[3] if len(segments) > 3 else "/"  # noqa: PLR2004
            return self.services.get(segments[2]), "/".join(segments[:3]), rest
        return self.identity, "", path

    async def _drop(self, scope: Scope, send: Send, reply: Reply, fault: Fault) -> None:
        """Close the client's connection, after half of the response if `drop` is `during`."""
        client = tuple(scope["client"])
        if fault.drop == "during":
            start, content = _encode(reply)
            await send(start)
            await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        if client in self.connections:  # the client may have closed it already
            self.connections[client].close()
        # If this returned while the transport is open, uvicorn would respond 500 on behalf of the application.
        while client in self.connections:  # noqa: ASYNC110  # one iteration of the event loop suffices
            await asyncio.sleep(0)


def _headers(scope: Scope) -> dict[str, str]:
    """Return the request's headers with their names in lower case."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def _body(headers: dict[str, str], receive: Receive) -> bytes | None:
    """Return the request's body, or None if it is too large. A large Content-Length is rejected without reading."""
    length = headers.get("content-length", "0")
    if len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
        return None
    body = bytearray()
    while len(body) <= MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
    return None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        return None


def _name_in_body(body: bytes) -> str:
    """Return the name in a body such as `{"server": {"name": …}}`."""
    document = _json(body)
    for inner in document.values() if isinstance(document, dict) else ():
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            return str(inner["name"])
    return ""


def _encode(reply: Reply) -> tuple[dict[str, Any], bytes]:
    headers = dict(reply.headers)
    if reply.body is None or reply.status in (204, 304):  # HTTP forbids a body
        content = b""
    elif isinstance(reply.body, bytes):
        content = reply.body
    elif isinstance(reply.body, str):
        content = reply.body.encode()
        headers.setdefault("Content-Type", "text/html; charset=UTF-8")
    else:
        content = json.dumps(reply.body).encode()
        headers.setdefault("Content-Type", "application/json")
    if reply.status != 204:  # noqa: PLR2004
        headers.setdefault("Content-Length", str(len(content)))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": reply.status, "headers": raw}, content


async def _send_reply(send: Send, reply: Reply, *, with_body: bool) -> None:
    start, content = _encode(reply)
    await send(start)
    await send({"type": "http.response.body", "body": content if with_body else b""})
