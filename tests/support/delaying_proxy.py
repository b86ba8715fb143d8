"""A forward proxy that shows the state of up to some seconds ago, in front of a real cloud or an emulated one.

- A GET is answered from a cache of that age, and the object of a request that changes something is read into it before.
- An object that a POST has created within that time is not found, and is missing in lists.
- Responses arrive in small pieces.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from tests.support.forward_proxy import ThreadedServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT = 120
_PIECES, _PAUSE = 8, 0.005
_HOP_BY_HOP = frozenset(
    ("content-encoding", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length", "host")
)
_VERSIONS = ("openstack-api-version", "x-openstack-nova-api-version")


class DelayingProxy(ThreadedServer):
    """The proxy, on a free local port.

    Attributes:
        url: The URL for HTTP_PROXY.
        seconds: How old the state may be that it shows.
        stale: The number of responses that were not those of the cloud.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.seconds = seconds
        self.stale = 0
        self._lock = threading.Lock()
        self._cached: dict[tuple[str, ...], tuple[float, requests.Response]] = {}
        self._created: dict[str, float] = {}

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> requests.Response:
        """Return the response to a request."""
        if method == "GET" and not urlsplit(url).path.startswith(("/identity", "/v3/")):
            return self._without_new(url, self._read(url, headers), headers)
        if method not in ("GET", "HEAD", "POST"):
            self._read(url, headers)
        elif method == "POST" and url.endswith("/action"):
            self._read(url.removesuffix("/action"), headers)
        response = _send(method, url, headers, body)
        if method == "POST" and response.ok and not url.endswith("/auth/tokens"):
            with self._lock:
                self._created.update((id_, time.monotonic()) for id_ in _ids(response))
        return response

    def _read(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Return the cached response, or one of the cloud, which is cached from now on."""
        lower = {name.lower(): value for name, value in headers.items()}
        key = (url, *(lower.get(name, "") for name in _VERSIONS))
        with self._lock:
            moment, cached = self._cached.get(key, (0.0, None))
            if cached is not None and time.monotonic() - moment < self.seconds:
                self.stale += 1
                return cached
        response = _send("GET", url, headers, b"")
        if response.ok:
            with self._lock:
                self._cached[key] = time.monotonic(), response
        return response

    def _without_new(self, url: str, response: requests.Response, headers: Mapping[str, str]) -> requests.Response:
        """Return the response without objects that the cloud has just created."""
        with self._lock:
            new = {id_ for id_, moment in self._created.items() if time.monotonic() - moment < self.seconds}
        path = urlsplit(url).path
        if last := next((id_ for id_ in new if id_ in path.split("/")), None):
            other = str(uuid.uuid4())
            missing = _send("GET", url.replace(last, other), headers, b"")
            missing._content = missing.content.replace(other.encode(), last.encode())
            self.stale += 1
            return missing
        listed = _json(response)
        found = next((value for value in listed.values() if isinstance(value, list)), None) if listed else None
        if found is not None and any(isinstance(each, dict) and each.get("id") in new for each in found):
            found[:] = [each for each in found if not (isinstance(each, dict) and each.get("id") in new)]
            copy = _copy(response)
            copy._content = json.dumps(listed).encode()
            self.stale += 1
            return copy
        return response


def _send(method: str, url: str, headers: Mapping[str, str], body: bytes) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False  # the environment names this proxy
        return session.request(method, url, data=body, headers=dict(headers), timeout=_TIMEOUT, allow_redirects=False)


def _copy(response: requests.Response) -> requests.Response:
    copy = requests.Response()
    copy.status_code, copy.headers = response.status_code, response.headers
    return copy


def _json(response: requests.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _ids(response: requests.Response) -> Iterator[str]:
    """Yield the ids of the objects in a response to a POST."""
    for value in (_json(response) or {}).values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and isinstance(each.get("id"), str):
                yield each["id"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: DelayingProxy

    def log_message(self, *_: Any) -> None:
        """Write no access log."""

    def serve(self) -> None:
        """Answer one request, in small pieces."""
        length = int(self.headers.get("Content-Length", 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        body = self.rfile.read(length) if length else b""
        response = self.server.answer(self.command, self.path, headers, body)
        self.send_response(response.status_code)
        for name, value in response.headers.items():
            if name.lower() not in (*_HOP_BY_HOP, "date", "server"):
                self.send_header(name, value)
        if response.status_code != requests.codes.no_content:
            self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        size = len(response.content) // _PIECES + 1
        for start in range(0, len(response.content) if self.command != "HEAD" else 0, size):
            time.sleep(_PAUSE)
            self.wfile.write(response.content[start : start + size])

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815  (names of http.server)
