"""HTTP in front of the services: one request in, one transaction, one answer out, one line in the log."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from .context import Call, Reply
from .errors import Refused, page
from .routing import NO_ROUTE

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Iterator, Mapping

    from starlette.types import Receive, Scope, Send

    from .cloud import Cloud
    from .faults import Fault
    from .routing import Service

MAX_BODY = 114688
LOGGED = 20_000


@dataclass(frozen=True)
class Request:
    """One line of the request log."""

    method: str
    path: str
    """The path as asked, with region and service, without the query."""
    query: str
    status: int
    """The status sent; 0 where the connection was closed without an answer."""
    ms: float
    request_id: str
    at: float
    headers: dict[str, str] = field(repr=False)
    """Header names in lower case; without the token."""
    body: Any = field(repr=False)
    """The body as JSON, or None. It may hold secrets: a log for tests, kept in memory only."""


class RequestLog:
    """The latest requests, oldest first; safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: deque[Request] = deque(maxlen=LOGGED)

    def append(self, request: Request) -> None:
        """Add one."""
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._requests.clear()

    def latest(self, count: int) -> list[Request]:
        """The last so many, the newest first."""
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
        services: by the path segment after the region.
        identity: Keystone, which is no region's.
        connections: open connections by the client's address, for faults that close one.
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
        began = time.perf_counter()
        body = await _body(receive)
        method, path = scope["method"], scope["path"]
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = f"req-{uuid.uuid4()}"
        latency, fault = self.cloud.faults.for_request(method, path, _name_in(body))
        if latency:
            await asyncio.sleep(latency)
        if fault and fault.drop == "before":
            reply = Reply(0)
        elif fault and fault.status is not None:
            reply = Reply(fault.status, fault.body, {"X-Openstack-Request-Id": request_id, **fault.headers})
        else:
            reply = self._serve(scope, headers, body, request_id)
        dropped = fault is not None and fault.drop is not None
        self.requests.append(
            Request(
                method,
                path,
                scope["query_string"].decode("latin-1"),
                0 if dropped else reply.status,
                round((time.perf_counter() - began) * 1000, 3),
                request_id,
                self.cloud.clock(),
                {name: value for name, value in headers.items() if name != "x-auth-token"},
                _json(body),
            )
        )
        if fault and fault.drop:
            await self._drop(scope, send, reply, fault)
        else:
            await _answer(send, reply, with_body=method != "HEAD")

    def _serve(self, scope: Scope, headers: dict[str, str], body: bytes, request_id: str) -> Reply:
        method, path = scope["method"], scope["path"]
        origin = f"{scope['scheme']}://{headers.get('host', '')}"
        service, root, rest = self._service(path)
        if service is None:
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
            origin=origin,
            root=origin + root,
            request_id=request_id,
        )
        try:
            if len(body) > MAX_BODY:
                sentence = f"Request is too large. Larger than max_request_body_size ({MAX_BODY})."
                return Reply(413, page(413, sentence, headers.get("accept", "")))
            with self.cloud.store.transaction():
                reply = service.handle(call)
        except Refused as refused:
            reply = service.refusal(call, refused)
        reply.headers = service.reply_headers(call, request_id) | reply.headers
        return reply

    def _service(self, path: str) -> tuple[Service | None, str, str]:
        """Which service a path belongs to, where its URLs begin, and what is left of the path."""
        segments = path.split("/", 3)
        if len(segments) >= 3 and segments[1] in self.cloud.dialect.regions:  # noqa: PLR2004
            rest = "/" + segments[3] if len(segments) > 3 else "/"  # noqa: PLR2004
            return self.services.get(segments[2]), "/".join(segments[:3]), rest
        return self.identity, "", path

    async def _drop(self, scope: Scope, send: Send, reply: Reply, fault: Fault) -> None:
        """Close the connection under the client's feet."""
        client = tuple(scope["client"])
        if fault.drop == "during":
            start, content = _encode(reply)
            await send(start)
            await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        if client in self.connections:  # the client may have given up before
            self.connections[client].close()
        # Until the transport is gone, the server would answer 500 in the application's name.
        while client in self.connections:  # noqa: ASYNC110  # it takes one turn of the loop
            await asyncio.sleep(0)


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _name_in(body: bytes) -> str:
    """The name in a body such as `{"server": {"name": …}}`."""
    document = _json(body)
    for inner in document.values() if isinstance(document, dict) else ():
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            return str(inner["name"])
    return ""


def _encode(reply: Reply) -> tuple[dict[str, Any], bytes]:
    headers = dict(reply.headers)
    if reply.body is None:
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


async def _answer(send: Send, reply: Reply, *, with_body: bool) -> None:
    start, content = _encode(reply)
    await send(start)
    await send({"type": "http.response.body", "body": content if with_body else b""})
