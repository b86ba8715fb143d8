"""A fake cloud behind the HTTP session, and a fake clock that tests control."""

import io
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.connection import Connection, Region, Settings

PROJECT = "74610f3a5ad941998e91f076297ecf27"
PASSWORD = "Test@123"
NOVA = "https://nova.test:8774"
GUIDE_VERSIONS = {
    "versions": [
        {
            "id": "v2.0",
            "links": [{"href": "http://openstack.example.com/v2/", "rel": "self"}],
            "status": "SUPPORTED",
            "version": "",
            "min_version": "",
            "updated": "2011-01-21T11:33:21Z",
        },
        {
            "id": "v2.1",
            "links": [{"href": "http://openstack.example.com/v2.1/", "rel": "self"}],
            "status": "CURRENT",
            "version": "2.14",
            "min_version": "2.1",
            "updated": "2013-07-23T11:33:21Z",
        },
    ],
}
CATALOG = {
    "identity": "https://iam.test/v3",
    "compute": f"{NOVA}/v2.1",
    "compute_legacy": f"{NOVA}/v2/{PROJECT}",
    "volumev3": f"https://cinder.test/v3/{PROJECT}",
    "network": "https://neutron.test:9696",
    "image": "https://glance.test",
}


class FakeClock(Clock):
    """A clock whose time advances only when a thread sleeps or waits."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self.gate: Callable[[], bool] = lambda: True

    def now(self) -> float:
        """Return the fake time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Advance the time immediately, after a short real sleep that lets other threads run."""
        time.sleep(min(seconds, 0.005))
        self.slept.append(seconds)
        self.time += seconds

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Release the lock for a moment; advance the time if the gate is open and no thread has notified meanwhile."""
        if not condition.wait(0.002) and self.gate():
            self.gate = lambda: True
            self.time += seconds

    def jitter(self, seconds: float) -> float:
        """Return the delay unchanged, so that tests are deterministic."""
        return seconds


@dataclass
class Reply:
    """A response of the fake cloud. A text body is sent unchanged; any other body is sent as JSON."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """A request that the fake cloud received."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: Any
    url: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


Handler = Callable[[Request], Reply | Exception]


class FakeCloud(BaseAdapter):
    """Answers the requests of a session with handlers, and records the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Request] = []
        self.tokens = 0
        self.catalog: dict[str, str] = dict(CATALOG)
        self.regions = ["eu-de"]
        self._handlers: list[tuple[str, str, Handler]] = []
        self._lock = threading.Lock()
        self.on("POST", "/v3/auth/tokens", self._token)
        self.on("GET", "/", lambda _: Reply(200, GUIDE_VERSIONS))

    def on(self, method: str, path: str, handler: Handler) -> None:
        """Answer requests with a function; a path that ends in ``*`` matches all paths with this prefix."""
        self._handlers.insert(0, (method, path, handler))

    def script(self, method: str, path: str, *replies: Reply | Exception) -> None:
        """Answer requests with these replies in order, and repeat the last one."""
        remaining = list(replies)
        self.on(method, path, lambda _: remaining.pop(0) if len(remaining) > 1 else remaining[0])

    def sent(self, *skip: str) -> list[str]:
        """The recorded requests as method and path, without token requests and those with a prefix in ``skip``."""
        lines = [str(request) for request in self.log]
        return [line for line in lines if not line.startswith(("POST /v3/auth/tokens", *skip))]

    def _token(self, _request: Request) -> Reply:
        self.tokens += 1
        catalog = [
            {
                "type": kind,
                "name": kind,
                "endpoints": [
                    {"id": "1", "interface": "public", "region": region, "region_id": region, "url": url}
                    for region in self.regions
                ],
            }
            for kind, url in self.catalog.items()
        ]
        token = {
            "methods": ["password"],
            "user": {"id": "u", "name": "testuser", "domain": {"id": "d", "name": "D"}},
            "project": {"id": PROJECT, "name": "p", "domain": {"id": "d", "name": "D"}},
            "roles": [],
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2999-01-01T00:00:00.000000Z",
            "catalog": catalog,
        }
        return Reply(201, {"token": token}, {"X-Subject-Token": f"token-{self.tokens}"})

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **_options: Any
    ) -> requests.Response:
        """Record a request and answer it."""
        parts = urlsplit(request.url or "")
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(parts.query):
            query.setdefault(name, []).append(value)
        received = Request(
            request.method or "",
            parts.path,
            query,
            {name: str(value) for name, value in request.headers.items()},
            json.loads(request.body) if request.body else None,
            request.url or "",
        )
        with self._lock:
            self.log.append(received)
            handler = self._handler(received)
            reply = handler(received)
        if isinstance(reply, Exception):
            raise reply
        return _response(request, reply)

    def _handler(self, request: Request) -> Handler:
        for method, path, handler in self._handlers:
            matches = request.path.startswith(path[:-1]) if path.endswith("*") else request.path == path
            if method == request.method and matches:
                return handler
        return lambda _: Reply(404, {"message": "no route", "code": "404 Not Found", "title": "Not Found"})

    def close(self) -> None:
        """Do nothing; the fake cloud has no open resources."""


def _response(request: requests.PreparedRequest, reply: Reply) -> requests.Response:
    text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
    content = b"" if reply.body is None else text.encode()
    response = requests.Response()
    response.status_code = reply.status
    response.request = request
    response.url = request.url or ""
    # A service's 404 has a request id; a 404 without one counts as a proxy's.
    request_id = {"X-Openstack-Request-Id": "req-of-the-404"} if reply.status == 404 and text[:1] != "<" else {}
    response.headers.update({"Content-Type": "application/json", **request_id, **reply.headers})
    response.raw = HTTPResponse(io.BytesIO(content), status=reply.status, preload_content=False)
    return response


def settings(**changes: Any) -> Settings:
    """Complete settings: the guide's example of a token request."""
    defaults: dict[str, Any] = {
        "auth_url": "https://iam.test/v3",
        "username": "testuser",
        "user_domain_id": "2aa29cbca17a4822abd096610e378ffa",
        "password": PASSWORD,
        "project_id": PROJECT,
        "region": "eu-de",
    }
    return Settings(**{name: value for name, value in {**defaults, **changes}.items() if value is not None})


def connect(cloud: FakeCloud, clock: Clock | None = None, **changes: Any) -> Connection:
    """Return a connection whose requests go to the fake cloud."""
    trace, status = changes.pop("trace", None), changes.pop("status", None)
    connection = Connection(settings(**changes), clock=clock or FakeClock(), trace=trace, status=status)
    connection.transport.http.mount("https://", cloud)
    return connection


def region_of(cloud: FakeCloud, clock: Clock | None = None, **changes: Any) -> Region:
    """Return the configured region of a fake cloud."""
    return connect(cloud, clock, **changes).region()
