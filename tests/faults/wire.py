"""Faults of requests and responses between the provider and the API.

A `Wire` replaces the HTTP adapter of a connection. It records the requests, and injects one of `FAULTS` into selected
requests. `EmulatorWire` breaks real connections; it passes all other requests to the emulator with a function call,
because a web server in between would not change the result and would take most of the time.
"""

from __future__ import annotations

import io
import json
import socket
import ssl
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import requests
import trustme
import urllib3
from requests.adapters import HTTPAdapter

from ecs_pulumi.cloud.routes import path_template
from tests.support.forward_proxy import ForwardProxy, TlsFront

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

    from ecs_pulumi.emulator import Emulator, ManualClock
    from tests.support.forward_proxy import Phase

Response = tuple[int, bytes, "Mapping[str, str]"]

IN_A_TASK = "Cannot '{}' instance while it is in task_state powering-off"
HTML = "<html><head><title>{0} Gateway</title></head><body><h1>{0} Gateway</h1>nginx</body></html>"
RESET = "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
FAULT_NAMES = {403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest", 413: "overLimit", 429: "overLimit"}
REFUSALS = (403, 404, 409)
REQUEST_ID = "req-00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Fault:
    """A fault of one request.

    Attributes:
        name: The name, for the test id.
        takes_effect: Whether the request takes effect although it fails.
        messages: Parts of the error message if the operation fails; one of them has to occur.
        breaks: How the connection fails: `refused`, closed `before` or `after` the request takes effect or `during` the
            response, or `stalled` until the client times out, measured by the clock of the cloud.
        proxy: The way through a forward proxy: it `forwards` plain HTTP, or opens a `tunnel` for TLS.
        upstream: Whether the connection from the proxy to the API fails, and not the one to the proxy.
        response: A response that replaces the request to the API.
        alter: Alters the response of the API.
        token: A token that replaces the token of the request.
        persistent: Whether the fault is also tested at every repetition of the request, because it may be transient.
        same_for_reads: Whether another fault differs from it only in the effect of the request, which a read has not.
    """

    name: str
    takes_effect: bool = False
    messages: tuple[str, ...] = ()
    breaks: Literal["", "refused", "before", "after", "during", "stalled"] = ""
    proxy: Literal["", "forwards", "tunnel"] = ""
    upstream: bool = False
    response: Response | None = None
    alter: Callable[[requests.Response], requests.Response] | None = None
    token: str = ""
    persistent: bool = False
    same_for_reads: bool = False

    @property
    def refuses(self) -> bool:
        """Whether the API refuses the request, so that the client does not repeat it."""
        return self.response is not None and self.response[0] in REFUSALS


def _status(code: int, words: str, *, name: str = "", persistent: bool = False, retry_after: str = "") -> Fault:
    """Return a fault with an error response of the API."""
    body = json.dumps({FAULT_NAMES.get(code, "computeFault"): {"code": code, "message": words}})
    headers = {"Content-Type": "application/json", "X-Openstack-Request-Id": REQUEST_ID}
    headers |= {"Retry-After": retry_after} if retry_after else {}
    messages = (f"HTTP {code}", "no longer exists", "there is no") if code == 404 else (f"HTTP {code}",)
    return Fault(name or str(code), messages=messages, response=(code, body.encode(), headers), persistent=persistent)


def _gateway(
    code: int, *, name: str = "", takes_effect: bool = False, persistent: bool = False, same_for_reads: bool = False
) -> Fault:
    """Return a fault with an error response of a gateway in front of the API, which may have forwarded the request."""
    page = HTML.format(code).encode()
    if not takes_effect:
        response = (code, page, {"Content-Type": "text/html"})
        return Fault(
            name or str(code),
            messages=(f"HTTP {code}",),
            response=response,
            persistent=persistent,
            same_for_reads=same_for_reads,
        )
    return Fault(
        f"{code}-taken",
        takes_effect=True,
        messages=(f"HTTP {code}",),
        persistent=persistent,
        same_for_reads=same_for_reads,
        alter=lambda response: _altered(response, code, page, "text/html"),
    )


def _not_offered() -> Response:
    """Return the response of Open Telekom Cloud's gateway to a request that it does not know."""
    body = {"message": "API not found", "request_id": "c7dfa0d5"}
    return 404, json.dumps(body).encode(), {"Content-Type": "application/json"}


def _altered(response: requests.Response, code: int, content: bytes, content_type: str) -> requests.Response:
    assert response.content is not None  # reads the body, so that the connection can be reused
    response.status_code = code
    response._content = content
    response.headers["Content-Type"] = content_type
    return response


_BROKEN = ("connection broke", "no response")
_UNREADABLE = ("invalid response",)
_WITHOUT_REASON = (*_UNREADABLE, "Bad Request (HTTP 400", "Forbidden (HTTP 403")
"""The messages for a body that is cut: that of a refusal lacks its reason."""

FAULTS = (
    Fault("refused", messages=("Cannot reach",), breaks="refused", persistent=True),
    Fault("dropped-before", messages=_BROKEN, breaks="before", persistent=True),
    Fault("dropped-after", takes_effect=True, messages=_BROKEN, breaks="after", persistent=True, same_for_reads=True),
    Fault("reset-in-body", takes_effect=True, messages=_BROKEN, breaks="during"),
    Fault("stall", messages=_BROKEN, breaks="stalled"),
    Fault("stall-taken", takes_effect=True, messages=_BROKEN, breaks="stalled", same_for_reads=True),
    Fault("expired-token", messages=("HTTP 401",), token="expired"),
    _status(401, "The request you have made requires authentication.", persistent=True),
    _status(403, "Policy doesn't allow it.", persistent=True),
    _status(404, "The resource could not be found."),
    _gateway(404, name="404-gateway"),
    Fault("404-not-offered", messages=("HTTP 404",), response=_not_offered()),
    _status(408, "Timed out.", persistent=True),
    _status(409, IN_A_TASK, persistent=True),
    _status(409, "It is in a state that does not allow it.", name="409-other"),
    _status(413, "Too many requests.", name="413-retry-0", retry_after="0"),
    _status(429, "Too many requests.", name="429-retry-1", retry_after="1"),
    _status(429, "Too many requests.", persistent=True),
    _status(500, "Unexpected API Error.", persistent=True),
    _gateway(502, persistent=True),
    _gateway(503, persistent=True),
    _gateway(504, same_for_reads=True),
    _gateway(500, takes_effect=True),
    _gateway(502, takes_effect=True, same_for_reads=True),
    _gateway(504, takes_effect=True, persistent=True),
    Fault(
        "503-reset",
        takes_effect=True,
        messages=("HTTP 503",),
        alter=lambda response: _altered(response, 503, RESET.encode(), "text/plain"),
    ),
    Fault(
        "html",
        takes_effect=True,
        # A refusal that the page replaces is noticed at the end of the wait for what the request should have done.
        messages=(*_UNREADABLE, "Gave up waiting"),
        alter=lambda response: _altered(response, 200, HTML.encode(), "text/html"),
        persistent=True,
    ),
    Fault(
        "empty",
        takes_effect=True,
        messages=_WITHOUT_REASON,
        alter=lambda response: _altered(response, response.status_code, b"", "text/plain"),
    ),
    Fault(
        "truncated",
        takes_effect=True,
        messages=_WITHOUT_REASON,
        alter=lambda response: _altered(
            response, response.status_code, response.content[: len(response.content) // 2], "application/json"
        ),
        persistent=True,
    ),
)


def _proxied(proxy: Literal["forwards", "tunnel"]) -> Iterator[Fault]:
    yield Fault(f"proxy-{proxy}-refused", messages=("Cannot reach",), breaks="refused", proxy=proxy)
    for breaks in ("before", "after"):
        takes_effect = breaks == "after"
        yield Fault(f"proxy-{proxy}-dropped-{breaks}", takes_effect, _BROKEN, breaks, proxy=proxy)
        # A proxy that forwards a request answers it itself if the API does not.
        messages = _BROKEN if proxy == "tunnel" else ("HTTP 502",)
        yield Fault(
            f"proxy-{proxy}-dropped-{breaks}-behind", takes_effect, messages, breaks, proxy=proxy, upstream=True
        )


PROXY_FAULTS = (*_proxied("forwards"), *_proxied("tunnel"))
"""Connection failures with a forward proxy, most of which urllib3 reports as a failure to connect to the proxy."""


class Line(NamedTuple):
    """A line of the package."""

    module: str
    number: int


@dataclass(frozen=True)
class Request:
    """A recorded request.

    Attributes:
        method: The method.
        kind: The path template.
        path: The path.
        action: The name of the action, if any.
        sent_by: The lines of the package that sent it, innermost first.
    """

    method: str
    kind: str
    path: str
    action: str = ""
    sent_by: tuple[Line, ...] = field(default=(), compare=False)

    @property
    def changes(self) -> bool:
        """Whether the request may change something. A login changes nothing, but it is treated like a change."""
        return self.method != "GET"

    def __str__(self) -> str:
        """Return the request in the form for messages."""
        return f"{self.method} {self.kind} {self.action}".strip()

    def is_like(self, other: Request) -> bool:
        """Whether the other request has the same method, path template and action."""
        return (self.method, self.kind, self.action) == (other.method, other.kind, other.action)


class Wire(HTTPAdapter):
    """An HTTP adapter that records requests and injects faults."""

    def __init__(self) -> None:
        super().__init__(pool_connections=8, pool_maxsize=8, max_retries=0)
        self.requests: list[Request] = []
        self.fault_count = 0
        self._plan: tuple[Fault, Callable[[Request, int], bool], bool] | None = None
        self._target: Request | None = None

    def inject(
        self,
        fault: Fault | None = None,
        at: Callable[[Request, int], bool] = lambda *_: False,
        *,
        persistent: bool = False,
    ) -> None:
        """Clear the recorded requests, and inject a fault into the selected requests from now on.

        Args:
            fault: The fault; None for no fault.
            at: Selects requests, by the request and by its index, which is 0 for the next one.
            persistent: Whether later requests like the last selected one fail as well.
        """
        self.requests.clear()
        self.fault_count = 0
        self._target = None
        self._plan = (fault, at, persistent) if fault else None

    def suspend(self) -> Any:
        """Return the fault that is being injected, for `resume`."""
        return self._plan, self._target, self.fault_count

    def resume(self, suspended: Any, recorded: Sequence[Request]) -> None:
        """Inject the suspended fault again, with the requests that were recorded before."""
        self._plan, self._target, self.fault_count = suspended
        self.requests[:] = recorded

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send one request, or inject the fault into it."""
        recorded = _describe(request)
        self.requests.append(recorded)
        fault = self._fault_for(recorded)
        if fault is None:
            return self._forward(request, **options)
        self.fault_count += 1
        if fault.breaks:
            return self._disconnect(fault, request, **options)
        if fault.response:
            return self._respond(request, *fault.response)
        if fault.token and "X-Auth-Token" in request.headers:
            request.headers["X-Auth-Token"] = fault.token
        response = self._forward(request, **options)
        return fault.alter(response) if fault.alter else response

    def _forward(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        return super().send(request, **options)

    def _disconnect(self, fault: Fault, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Simulate a broken connection."""
        if fault.breaks in ("after", "during"):
            self._forward(request, **options).close()
        reason = ConnectionResetError(104, "Connection reset by peer")
        raise requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", reason), request=request)

    def _respond(
        self, request: requests.PreparedRequest, status: int, content: bytes, headers: Mapping[str, str]
    ) -> requests.Response:
        raw = urllib3.HTTPResponse(io.BytesIO(content), headers, status, preload_content=False)
        return self.build_response(request, raw)

    def _fault_for(self, request: Request) -> Fault | None:
        if self._plan is None:
            return None
        fault, at, persistent = self._plan
        if at(request, len(self.requests) - 1):
            self._target = request
            return fault
        return fault if persistent and self._target is not None and request.is_like(self._target) else None


class EmulatorWire(Wire):
    """A wire to an emulator, whose clock it advances during a stall.

    Attributes:
        stalled: The stalled requests, which take effect when they are delivered.
    """

    def __init__(self, cloud: Emulator, time: ManualClock) -> None:
        super().__init__()
        self._cloud = cloud
        self._time = time
        self.stalled: list[requests.PreparedRequest] = []
        self._folder = TemporaryDirectory(prefix="ecs-wire-")
        self._closing = ExitStack()

    def close(self) -> None:
        """Close the proxy and the TLS server."""
        super().close()
        self._closing.close()
        self._folder.cleanup()

    def deliver_stalled(self) -> None:
        """Send the stalled requests to the emulator."""
        while self.stalled:
            self._forward(self.stalled.pop())

    def _forward(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        target = urlsplit(request.url or "")
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        scope = {
            "method": request.method,
            "scheme": target.scheme,
            "path": unquote(target.path),
            "raw_path": target.path.encode(),
            "query_string": target.query.encode(),
            "headers": [(_bytes(name), _bytes(value)) for name, value in request.headers.items()]
            + [(b"host", target.netloc.encode())],
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"body": body}

        async def send(message: Any) -> None:
            sent.append(message)

        try:
            # The gateway never awaits, so no event loop is needed.
            self._cloud._gateway(scope, receive, send).send(None)
        except StopIteration:
            start, content = sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return self._respond(request, start["status"], content["body"], headers)

    def _disconnect(self, fault: Fault, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if fault.proxy:
            options |= self._route_through_proxy(fault, request)
        if fault.breaks == "refused" and not fault.proxy:
            request.url = f"http://127.0.0.1:{_closed_port()}/"
        elif fault.breaks == "stalled":
            if fault.takes_effect:
                self._forward(request)
            else:
                self.stalled.append(request.copy())
            timeout = options["timeout"]  # a pair, except for the login
            self._time.advance(timeout[1] if isinstance(timeout, tuple) else timeout)
            raise requests.exceptions.ReadTimeout("timed out", request=request)
        elif fault.upstream or not fault.proxy:
            self._cloud.fault(times=1, drop=fault.breaks)
        try:
            return super()._forward(request, **options)
        finally:
            self._cloud.clear_faults()

    def _route_through_proxy(self, fault: Fault, request: requests.PreparedRequest) -> dict[str, Any]:
        """Return the options that send the request through the proxy, which injects the fault unless it is upstream."""
        phase: dict[str, Phase] = {"refused": "refuse", "before": "before", "after": "after"}
        self._proxy.fail("" if fault.upstream else phase[fault.breaks])
        proxy = self._proxy.url
        if fault.proxy == "tunnel":
            request.url = self._front.url + request.path_url
        elif fault.breaks == "refused":
            proxy = f"http://127.0.0.1:{_closed_port()}"
        return {"proxies": {"http": proxy, "https": proxy}, "verify": self._cacert}

    @cached_property
    def _proxy(self) -> ForwardProxy:
        return self._closing.enter_context(ForwardProxy())

    @cached_property
    def _front(self) -> TlsFront:
        """A TLS server in front of the API, because only TLS uses a tunnel."""
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.cert_pem.write_to_path(self._cacert)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        return self._closing.enter_context(TlsFront(context, urlsplit(self._cloud.url).port or 0))

    @property
    def _cacert(self) -> str:
        return str(Path(self._folder.name, "ca.pem"))


def _describe(request: requests.PreparedRequest) -> Request:
    path = urlsplit(request.url or "").path
    action = ""
    if path.endswith("/action"):
        action = next(iter(json.loads(request.body or "{}")))
    return Request(request.method or "", path_template(path), path, action, tuple(_package_lines()))


def _package_lines() -> Iterator[Line]:
    frame: FrameType | None = sys._getframe(1)
    while frame := frame and frame.f_back:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("ecs_pulumi."):
            yield Line(module, frame.f_lineno)


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def _closed_port() -> int:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port: int = closed.getsockname()[1]
        return port
