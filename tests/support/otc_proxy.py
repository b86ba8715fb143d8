"""A forward proxy that lets an OpenStack cloud behave as an Open Telekom Cloud does by its documents.

It changes requests and responses in front of a real OpenStack, so that the provider meets the differences on services
that were not written together with it:

- The catalog has the services `evs` and `vpc`.
- Neutron refuses descriptions and tags, and its objects have none. It has no list of extensions and no quotas.
- A port is deleted together with its server, and when it is detached without `reserve_port=True`. The first NIC of a
  server cannot be detached.
- The type of a volume changes by `POST …/volumes/{id}/retype` only.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from tests.support.forward_proxy import ThreadedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KINDS = "networks|subnets|ports|routers|floatingips"
"""The collections of Neutron whose documents name no description."""
LABELS = ("description", "tags")
_HOP_BY_HOP = {
    "content-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "content-length",
    "host",
}
_TIMEOUT = 120


@dataclass(frozen=True)
class Reply:
    """A response of the proxy."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def changed(response: requests.Response, body: Any = None) -> Reply:
    """Return the response of the cloud, with another body if one is given."""
    kept = {name: value for name, value in response.headers.items() if name.lower() not in _HOP_BY_HOP}
    content = response.content if body is None else json.dumps(body).encode()
    return Reply(response.status_code, content, kept)


class OtcProxy(ThreadedServer):
    """The proxy, on a free local port.

    Attributes:
        url: The URL for HTTP_PROXY.
        played: How often each deviation was met.
        network: The URL of Neutron, from the catalog of the last login.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.played: Counter[str] = Counter()
        self.network = ""


class Exchange:
    """One request, and the means to send it or others to the cloud.

    Attributes:
        proxy: The proxy.
        method: The method.
        url: The whole URL without its query.
        query: The query.
        body: The body.
        path: The match of the path of the request.
    """

    path: re.Match[str]

    def __init__(self, proxy: OtcProxy, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self.proxy = proxy
        self.method = method
        self.url, _, self.query = target.partition("?")
        self.body = body
        self._headers = headers

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    def send(self, method: str = "", url: str = "", body: Any = None) -> requests.Response:
        """Send the request, or another one with the same headers, to the cloud."""
        target = url or self.url + (f"?{self.query}" if self.query else "")
        content = self.body if not url else b"" if body is None else json.dumps(body).encode()
        with requests.Session() as session:
            session.trust_env = False  # the environment names this proxy
            return session.request(
                method or self.method,
                target,
                data=content,
                headers=self._headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
            )

    def delete_ports(self, ports: list[str]) -> None:
        """Delete the ports."""
        for port in ports:
            self.send("DELETE", f"{self.proxy.network}/v2.0/ports/{port}")

    def play(self, deviation: str) -> None:
        """Count a deviation."""
        self.proxy.played[deviation] += 1


def _log_in(exchange: Exchange) -> Reply:
    """Add the services to the catalog."""
    response = exchange.send()
    body = response.json()
    catalog = body.get("token", {}).get("catalog", [])
    for service in list(catalog):
        if service["type"] == "network":
            exchange.proxy.network = service["endpoints"][0]["url"].rstrip("/")
            catalog += [service | {"type": name, "name": name} for name in ("evs", "vpc")]
    return changed(response, body)


def _describe(exchange: Exchange) -> Reply:
    """Refuse descriptions and tags, and remove them from the objects in responses."""
    if exchange.body:
        (asked,) = exchange.json.values()
        if unknown := [name for name in LABELS if name in asked]:
            exchange.play("label refused")
            message = f"Unrecognized attribute(s) '{', '.join(unknown)}'"
            return Reply(400, {"NeutronError": {"type": "HTTPBadRequest", "message": message, "detail": ""}})
    response = exchange.send()
    body = response.json()
    for found in body.values():
        for each in found if isinstance(found, list) else [found]:
            for label in LABELS if isinstance(each, dict) else ():
                each.pop(label, None)
    return changed(response, body)


def _has_no_route(exchange: Exchange) -> Reply:
    exchange.play("no route")
    return Reply(404, {"message": "API not found", "request_id": "0123456789abcdef"})


def _detach(exchange: Exchange) -> Reply | None:
    """Delete a detached port unless it is reserved; refuse to detach the first NIC."""
    server = exchange.url.partition("/os-interface")[0]
    listed = exchange.send("GET", f"{server}/os-interface").json().get("interfaceAttachments", [])
    addresses = exchange.send("GET", server).json().get("server", {}).get("addresses", {})
    first = next((each["OS-EXT-IPS-MAC:mac_addr"] for network in addresses.values() for each in network), None)
    port = exchange.path["port"]
    if first in [nic["mac_addr"] for nic in listed if nic["port_id"] == port]:
        exchange.play("first NIC refused")
        return Reply(403, {"forbidden": {"code": 403, "message": "The primary NIC cannot be detached."}})
    if exchange.query == "reserve_port=True":
        exchange.play("port reserved")
        exchange.query = ""
        return None
    exchange.play("port deleted at detach")
    response = exchange.send()
    exchange.delete_ports([port])
    return changed(response)


def _delete_server(exchange: Exchange) -> Reply:
    """Delete the ports of a server together with it."""
    listed = exchange.send("GET", f"{exchange.url}/os-interface").json().get("interfaceAttachments", [])
    response = exchange.send()
    if response.ok and listed:
        exchange.play("ports deleted with the server")
        exchange.delete_ports([nic["port_id"] for nic in listed])
    return changed(response)


def _act_on_volume(exchange: Exchange) -> Reply | None:
    """Refuse to change the type by an action."""
    if "os-retype" not in exchange.json:
        return None
    exchange.play("retype refused")
    return Reply(400, {"badRequest": {"code": 400, "message": "There is no such action: os-retype"}})


def _retype(exchange: Exchange) -> Reply:
    exchange.play("retype")
    body = {"os-retype": {**exchange.json["os-retype"], "migration_policy": "never"}}
    url = exchange.url.replace("/v2/", "/v3/").removesuffix("/retype") + "/action"
    response = exchange.send("POST", url, body)
    return Reply(202, {"job_id": "0123456789abcdef"}) if response.ok else changed(response)


DEVIATIONS: tuple[tuple[str, str, Callable[[Exchange], Reply | None]], ...] = (
    ("POST", r"/auth/tokens$", _log_in),
    ("GET", r"/v2\.0/(extensions|quotas/.*|availability_zones)$", _has_no_route),
    ("GET|PUT", rf"/v2\.0/({KINDS})/[^/]+/tags$", _has_no_route),
    ("GET|POST|PUT", rf"/v2\.0/({KINDS})(/[^/]+)?$", _describe),
    ("DELETE", r"/servers/[^/]+/os-interface/(?P<port>[^/]+)$", _detach),
    ("DELETE", r"/servers/[^/]+$", _delete_server),
    ("POST", r"/volumes/[^/]+/action$", _act_on_volume),
    ("POST", r"/volumes/[^/]+/retype$", _retype),
)
"""The method and the path of the requests, and what the proxy does; None if the cloud is to answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OtcProxy

    def log_message(self, *_: Any) -> None:
        """Write no access log."""

    def serve(self) -> None:
        """Answer one request."""
        length = int(self.headers.get("Content-Length", 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        exchange = Exchange(self.server, self.command, self.path, headers, self.rfile.read(length) if length else b"")
        path = urlsplit(exchange.url).path
        for methods, pattern, deviation in DEVIATIONS:
            if self.command in methods.split("|") and (found := re.search(pattern, path)):
                exchange.path = found
                if (reply := deviation(exchange)) is not None:
                    self._reply(reply)
                    return
                break
        self._reply(changed(exchange.send()))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815  (names of http.server)

    def _reply(self, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in ({"Content-Type": "application/json"} | dict(reply.headers)).items():
            self.send_header(name, value)
        if reply.status != requests.codes.no_content:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
