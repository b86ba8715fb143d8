"""What can happen to a request on its way to the API and to its answer on the way back.

A `Wire` takes the place of the adapter that carries a connection's requests. It writes down what goes by, and lets one
of `FAULTS` happen where it is told to. `EmulatorsWire` breaks real connections; all else it carries to the emulator by
a call, as a web server between would change nothing and take most of the time.
"""

from __future__ import annotations

import io
import json
import socket
import ssl
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import formatdate
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

import requests
import trustme
import urllib3
from requests.adapters import HTTPAdapter

from ecs_pulumi.cloud.routes import path_template
from tests.support.forward_proxy import ForwardProxy, TlsFront

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ecs_pulumi.emulator import Emulator, ManualClock
    from tests.support.forward_proxy import Phase

Answer = tuple[int, bytes, "Mapping[str, str]"]

IN_A_TASK = "Cannot '{}' instance while it is in task_state powering-off"
HTML = "<html><head><title>{0} Gateway</title></head><body><h1>{0} Gateway</h1>nginx</body></html>"
RESET = "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
FAULT_NAMES = {403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest", 413: "overLimit", 429: "overLimit"}
REQUEST_ID = "req-00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Fault:
    """Something that happens to one request.

    Attributes:
        name: For the test's id.
        taken: Whether the request takes effect all the same.
        said: What the user has to read where it fails the operation; any of these.
        breaks: How the connection ends: `refused` at once, `before` or `after` the request took effect, `during` the
            answer, or the API `stalled` for as long as the client waits, by the cloud's clock.
        proxy: How the request then goes through a forward proxy: it `forwards` plain HTTP, or opens a `tunnel` for TLS.
        behind: Whether the connection from the proxy to the API ends, and not the one to the proxy.
        instead: What is answered without asking the API.
        answer: Makes another answer of the API's.
        token: The token that the request then carries.
        lasts: Whether it is also tried without an end, as it passes or is got over where it happens once.
    """

    name: str
    taken: bool = False
    said: tuple[str, ...] = ()
    breaks: Literal["", "refused", "before", "after", "during", "stalled"] = ""
    proxy: Literal["", "forwards", "tunnel"] = ""
    behind: bool = False
    instead: Answer | None = None
    answer: Callable[[requests.Response], requests.Response] | None = None
    token: str = ""
    lasts: bool = False


def _status(code: int, words: str, *, name: str = "", lasts: bool = False, retry_after: str = "") -> Fault:
    """The API refuses, in the shape of its own errors."""
    body = json.dumps({FAULT_NAMES.get(code, "computeFault"): {"code": code, "message": words}})
    headers = {"Content-Type": "application/json", "X-Openstack-Request-Id": REQUEST_ID}
    headers |= {"Retry-After": retry_after} if retry_after else {}
    said = (f"HTTP {code}", "does not exist any more", "there is no") if code == 404 else (f"HTTP {code}",)
    return Fault(name or str(code), said=said, instead=(code, body.encode(), headers), lasts=lasts)


def _gateway(code: int, *, name: str = "", taken: bool = False, lasts: bool = False) -> Fault:
    """What stands in front of the API answers for it, whether it has passed the request on or not."""
    page = HTML.format(code).encode()
    if not taken:
        instead = (code, page, {"Content-Type": "text/html"})
        return Fault(name or str(code), said=(f"HTTP {code}",), instead=instead, lasts=lasts)
    return Fault(
        f"{code}-taken",
        taken=True,
        said=(f"HTTP {code}",),
        lasts=lasts,
        answer=lambda answer: _changed(answer, code, page, "text/html"),
    )


def _changed(answer: requests.Response, code: int, content: bytes, content_type: str) -> requests.Response:
    assert answer.content is not None  # read to its end, so that the connection is free
    answer.status_code = code
    answer._content = content
    answer.headers["Content-Type"] = content_type
    return answer


_BROKEN = ("connection broke", "no answer")
_UNREADABLE = ("unreadabl",)

FAULTS = (
    Fault("refused", said=("Cannot reach",), breaks="refused", lasts=True),
    Fault("dropped-before", said=_BROKEN, breaks="before", lasts=True),
    Fault("dropped-after", taken=True, said=_BROKEN, breaks="after", lasts=True),
    Fault("reset-in-body", taken=True, said=_BROKEN, breaks="during"),
    Fault("stall", said=_BROKEN, breaks="stalled"),
    Fault("stall-taken", taken=True, said=_BROKEN, breaks="stalled"),
    Fault("expired-token", said=("HTTP 401",), token="expired"),
    _status(401, "The request you have made requires authentication.", lasts=True),
    _status(403, "Policy doesn't allow it.", lasts=True),
    _status(404, "The resource could not be found."),
    _gateway(404, name="404-gateway"),
    _status(408, "Timed out.", lasts=True),
    _status(409, IN_A_TASK, lasts=True),
    _status(409, "It is in a state that does not allow it.", name="409-other"),
    _status(413, "Too many requests.", name="413-retry-0", retry_after="0"),
    _status(429, "Too many requests.", name="429-retry-1", retry_after="1"),
    _status(429, "Too many requests.", lasts=True),
    _status(500, "Unexpected API Error.", lasts=True),
    _gateway(502, lasts=True),
    _gateway(503, lasts=True),
    _gateway(504),
    _gateway(500, taken=True),
    _gateway(502, taken=True),
    _gateway(504, taken=True, lasts=True),
    Fault(
        "503-reset",
        taken=True,
        said=("HTTP 503",),
        answer=lambda it: _changed(it, 503, RESET.encode(), "text/plain"),
    ),
    Fault(
        "html",
        taken=True,
        said=_UNREADABLE,
        answer=lambda it: _changed(it, 200, HTML.encode(), "text/html"),
        lasts=True,
    ),
    Fault("empty", taken=True, said=_UNREADABLE, answer=lambda it: _changed(it, it.status_code, b"", "text/plain")),
    Fault(
        "truncated",
        taken=True,
        said=_UNREADABLE,
        answer=lambda it: _changed(it, it.status_code, it.content[: len(it.content) // 2], "application/json"),
        lasts=True,
    ),
)


def _proxied(proxy: Literal["forwards", "tunnel"]) -> Iterator[Fault]:
    yield Fault(f"proxy-{proxy}-refused", said=("Cannot reach",), breaks="refused", proxy=proxy)
    for breaks in ("before", "after"):
        taken = breaks == "after"
        yield Fault(f"proxy-{proxy}-dropped-{breaks}", taken, _BROKEN, breaks, proxy=proxy)
        # What is forwarded the proxy answers for, where the API does not.
        words = _BROKEN if proxy == "tunnel" else ("HTTP 502",)
        yield Fault(f"proxy-{proxy}-dropped-{breaks}-behind", taken, words, breaks, proxy=proxy, behind=True)


PROXY_FAULTS = (*_proxied("forwards"), *_proxied("tunnel"))
"""What a forward proxy makes of a connection that ends: urllib3 reports most of it as a failure to connect to it."""


@dataclass(frozen=True)
class Request:
    """A request as it went by: method, path with placeholders, path, and for an action its name."""

    method: str
    kind: str
    path: str
    action: str = ""

    def __str__(self) -> str:
        """As a message names it."""
        return f"{self.method} {self.kind} {self.action}".strip()

    def like(self, other: Request) -> bool:
        """Whether it asks for the same."""
        return (self.method, self.kind, self.action) == (other.method, other.kind, other.action)


class Wire(HTTPAdapter):
    """Carries requests to an API, writes them down, and lets things happen to them."""

    def __init__(self) -> None:
        super().__init__(pool_connections=8, pool_maxsize=8, max_retries=0)
        self.seen: list[Request] = []
        self.happened = 0
        self._plan: tuple[Fault, Callable[[Request, int], bool], bool] | None = None
        self._target: Request | None = None

    def expect(
        self,
        fault: Fault | None = None,
        at: Callable[[Request, int], bool] = lambda *_: False,
        *,
        lasting: bool = False,
    ) -> None:
        """Forget what went by, and let this happen to requests, and to those like them from then on.

        Args:
            fault: What; None for nothing.
            at: Tells a request, by what it is and by its number, 0 for the next.
            lasting: Whether it goes on happening to those like the last of them.
        """
        self.seen.clear()
        self.happened = 0
        self._target = None
        self._plan = (fault, at, lasting) if fault else None

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Carry one request."""
        now = _described(request)
        self.seen.append(now)
        fault = self._due(now)
        if fault is None:
            return self._carry(request, **options)
        self.happened += 1
        if fault.breaks:
            return self._broken(fault, request, **options)
        if fault.instead:
            return self._answer(request, *fault.instead)
        if fault.token and "X-Auth-Token" in request.headers:
            request.headers["X-Auth-Token"] = fault.token
        answer = self._carry(request, **options)
        return fault.answer(answer) if fault.answer else answer

    def _carry(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        return super().send(request, **options)

    def _broken(self, fault: Fault, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Do as if the connection had ended."""
        if fault.breaks in ("after", "during"):
            self._carry(request, **options).close()
        reason = ConnectionResetError(104, "Connection reset by peer")
        raise requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", reason), request=request)

    def _answer(
        self, request: requests.PreparedRequest, status: int, content: bytes, headers: Mapping[str, str]
    ) -> requests.Response:
        raw = urllib3.HTTPResponse(io.BytesIO(content), headers, status, preload_content=False)
        return self.build_response(request, raw)

    def _due(self, now: Request) -> Fault | None:
        if self._plan is None:
            return None
        fault, at, lasting = self._plan
        if at(now, len(self.seen) - 1):
            self._target = now
            return fault
        return fault if lasting and self._target is not None and now.like(self._target) else None


class EmulatorsWire(Wire):
    """Carries them to an emulator, whose clock it may move on.

    Attributes:
        overdue: Requests that stalled, and take effect only when they are carried out.
    """

    def __init__(self, cloud: Emulator, time: ManualClock) -> None:
        super().__init__()
        self._cloud = cloud
        self._time = time
        self.overdue: list[requests.PreparedRequest] = []
        self._folder = TemporaryDirectory(prefix="ecs-wire-")
        self._running = ExitStack()

    def close(self) -> None:
        """End what carries requests."""
        super().close()
        self._running.close()
        self._folder.cleanup()

    def carry_out(self) -> None:
        """Let what has stalled take effect now."""
        while self.overdue:
            self._carry(self.overdue.pop())

    def _carry(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        target = urlsplit(request.url or "")
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        scope = {
            "method": request.method,
            "scheme": target.scheme,
            "path": unquote(target.path),
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
            # It never has to wait for anything, so that no event loop has to carry it on.
            self._cloud._gateway(scope, receive, send).send(None)
        except StopIteration:
            start, content = sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        headers.setdefault("Date", formatdate(self._cloud.cloud.clock(), usegmt=True))
        return self._answer(request, start["status"], content["body"], headers)

    def _broken(self, fault: Fault, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if fault.proxy:
            options |= self._detour(fault, request)
        if fault.breaks == "refused" and not fault.proxy:
            request.url = f"http://127.0.0.1:{_closed_port()}/"
        elif fault.breaks == "stalled":
            if fault.taken:
                self._carry(request)
            else:
                self.overdue.append(request.copy())
            patience = options["timeout"]  # a pair, but for the log-in
            self._time.advance(patience[1] if isinstance(patience, tuple) else patience)
            raise requests.exceptions.ReadTimeout("too late", request=request)
        elif fault.behind or not fault.proxy:
            self._cloud.fault(times=1, drop=fault.breaks)
        try:
            return super()._carry(request, **options)
        finally:
            self._cloud.clear_faults()

    def _detour(self, fault: Fault, request: requests.PreparedRequest) -> dict[str, Any]:
        """Let the request go through the proxy, which does to it what the fault is, if it is the proxy's."""
        phase: dict[str, Phase] = {"refused": "refuse", "before": "before", "after": "after"}
        self._proxy.fail("" if fault.behind else phase[fault.breaks])
        proxy = self._proxy.url
        if fault.proxy == "tunnel":
            request.url = self._front.url + request.path_url
        elif fault.breaks == "refused":
            proxy = f"http://127.0.0.1:{_closed_port()}"
        return {"proxies": {"http": proxy, "https": proxy}, "verify": self._cacert}

    @cached_property
    def _proxy(self) -> ForwardProxy:
        return self._running.enter_context(ForwardProxy())

    @cached_property
    def _front(self) -> TlsFront:
        """The API with TLS, as only that goes through a tunnel."""
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.cert_pem.write_to_path(self._cacert)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        return self._running.enter_context(TlsFront(context, urlsplit(self._cloud.url).port or 0))

    @property
    def _cacert(self) -> str:
        return str(Path(self._folder.name, "ca.pem"))


def _described(request: requests.PreparedRequest) -> Request:
    path = urlsplit(request.url or "").path
    action = ""
    if path.endswith("/action"):
        action = next(iter(json.loads(request.body or "{}")))
    return Request(request.method or "", path_template(path), path, action)


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def _closed_port() -> int:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port: int = closed.getsockname()[1]
        return port
