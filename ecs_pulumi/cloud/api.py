"""One service of one region: its URL, its versions, its requests."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from keystoneauth1 import exceptions as keystone
from keystoneauth1.discover import Discover, VersionData, version_to_string

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.transport import Request, Response, Transport, utc_now

Microversion = tuple[int, int]

_VERSION = re.compile(r"v(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class ApiVersions:
    """What a service's API offers.

    Attributes:
        id: the version in the URL, such as ``v2.1``.
        min: the lowest microversion; empty where there are none.
        max: the highest microversion; empty where there are none.
        url: the endpoint of that version.
    """

    id: str
    min: str
    max: str
    url: str

    def __str__(self) -> str:
        """As a sentence names it: ``v2.1 with microversions 2.1 to 2.14``."""
        return (
            f"{self.id} with microversions {self.min} to {self.max}" if self.max else f"{self.id} without microversions"
        )

    def supports(self, microversion: str) -> bool:
        """Whether a request may ask for this microversion."""
        return bool(self.max) and parsed(self.min) <= parsed(microversion) <= parsed(self.max)


@dataclass(frozen=True)
class ServiceSpec:
    """How a service lays out its URLs.

    Attributes:
        service: the name in messages and ``ecs:endpoints``.
        default: the version segment where the endpoint has none and discovery is not worth a request.
        scoped: whether the project's id belongs in the path.
        discovers: whether the version matters enough to ask.
    """

    service: str
    default: str
    scoped: bool = False
    discovers: bool = False


COMPUTE = ServiceSpec("compute", "v2.1", scoped=True, discovers=True)
BLOCK_STORAGE = ServiceSpec("block-storage", "v3", scoped=True, discovers=True)
NETWORK = ServiceSpec("network", "v2.0")
IMAGE = ServiceSpec("image", "v2")
IDENTITY = ServiceSpec("identity", "v3")


class ServiceClient:
    """Requests to one service, as ``api.get("/servers/…", key="server")``.

    A path is relative to the endpoint with its version and, for compute and block storage, the project:
    ``https://…/v2.1/{project_id}/servers/…``. A request carries the microversion that it is given, else none.
    """

    def __init__(
        self,
        transport: Transport,
        layout: ServiceSpec,
        endpoint: str,
        project_id: str,
        *,
        forced: str | None = None,
        on_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._transport = transport
        self._layout = layout
        self._root, self._segment = _split(endpoint)
        self._project_id = project_id
        self._forced = forced.removeprefix("v") if forced else None
        self._written = on_write
        self._lock = threading.Lock()
        self._versions: ApiVersions | None = None
        self._server_date: tuple[float, float] | None = None

    @property
    def service(self) -> str:
        """The service's type, such as ``compute``."""
        return self._layout.service

    @property
    def clock(self) -> Clock:
        """The connection's clock."""
        return self._transport.clock

    @property
    def url(self) -> str:
        """The endpoint that paths are relative to."""
        project = f"/{self._project_id}" if self._layout.scoped else ""
        return f"{self._root}/{self._version()}{project}"

    def _version(self) -> str:
        layout = self._layout
        if not layout.discovers:
            return layout.default
        if self._forced:
            return _forced_segment(layout, self._forced)
        if self._segment == layout.default:
            return layout.default
        return self.versions.id  # an older version, or none, in the catalog: a newer one may be beside it

    @property
    def versions(self) -> ApiVersions:
        """What the service offers; asked once, where the answer is not known without asking."""
        with self._lock:
            if self._versions is None:
                self._versions = self._found()
            return self._versions

    def _found(self) -> ApiVersions:
        layout = self._layout
        if not layout.discovers:
            return self._of(layout.default)
        if self._forced:
            segment = _forced_segment(layout, self._forced)
            plain = parsed(layout.default.removeprefix("v"))
            if segment != layout.default or parsed(self._forced) <= plain:
                return self._of(segment)  # without microversions there is nothing to ask
        offered = {f"v{version_to_string(item['version'])}": item for item in self._discovered()}
        segment = next(
            (name for name in (layout.default, "v2") if _named(name, offered)),
            self._segment or layout.default,
        )
        item = _named(segment, offered)
        if item is None or item["max_microversion"] is None:
            return self._of(segment)
        lowest = item["min_microversion"] or item["version"]
        highest = item["max_microversion"]
        ceiling = min(highest, parsed(self._forced)) if self._forced else highest
        return self._of(segment, version_to_string(lowest), version_to_string(ceiling))

    def _of(self, segment: str, lowest: str = "", highest: str = "") -> ApiVersions:
        return ApiVersions(segment, lowest, highest, f"{self._root}/{segment}")

    def _discovered(self) -> list[VersionData]:
        """The version documents: at the root, or where a gateway hides it at the version itself."""
        places = [f"{self._root}/", f"{self._root}/{self._segment or self._layout.default}/"]
        for place in places:
            try:
                found = self._transport.with_retries(partial(self._discover, place), idempotent=True, url=place)
            except errors.ServerError:
                raise
            except errors.ApiError:
                continue
            if found:
                return found
        return []

    def _discover(self, url: str) -> list[VersionData]:
        self._transport.access()  # so that a failing log-in speaks for itself
        try:
            return Discover(self._transport.keystone, url).version_data()
        except (keystone.DiscoveryFailure, KeyError, TypeError):
            return []
        except keystone.ClientException as error:
            raise self._transport.map_exception(error, "GET", url, self.service) from error

    def list_versions(self) -> list[dict[str, Any]]:
        """The version documents as the service gives them (guide 3.2)."""
        answer = self._transport.send(Request("GET", f"{self._root}/", self.service))
        body = answer.body or {}
        versions = body.get("versions", [body["version"]] if "version" in body else [])
        return list(versions["values"] if isinstance(versions, dict) else versions)

    def supports(self, microversion: str) -> bool:
        """Whether the service offers this microversion."""
        return self.versions.supports(microversion)

    def newest_supported(self, *microversions: str) -> str | None:
        """The first of these that the service offers, best first; None where it offers none of them."""
        return next((version for version in microversions if self.supports(version)), None)

    @staticmethod
    def newest(microversions: Iterable[str]) -> str | None:
        """The newest of several, which a request needs that needs them all; None of none."""
        return max(microversions, key=parsed, default=None)

    def require(self, feature: str, microversion: str) -> str:
        """The microversion, for the request that needs it.

        Raises:
            Unsupported: the service does not offer it.
        """
        if not self.supports(microversion):
            needs = f"{self.service} microversion {microversion}"
            forced = f" (ecs:apiVersions asks for no more than {self._forced})" if self._forced else ""
            raise errors.Unsupported(feature, needs, f"{self.service} {self.versions}{forced}")
        return microversion

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        microversion: str | None = None,
        key: str | None = None,
        idempotent: bool | None = None,
        poll: bool = False,
    ) -> Response:
        """Send a request; see ``Transport.send``.

        With ``poll`` it is neither repeated nor awaited for long: the next poll is near.
        """
        call = Request(method, self.url + path, self.service, json, params, microversion, key)
        try:
            answer = self._transport.send(call, idempotent=idempotent, poll=poll)
        finally:
            if method != "GET":
                self._written()
        if answer.date is not None:
            self._server_date = (answer.date, self._transport.clock.now())
        return answer

    def server_time(self) -> float:
        """The service's clock in seconds since the epoch, as far as its answers told it."""
        if self._server_date is None:
            return utc_now()
        date, then = self._server_date
        return date + self._transport.clock.now() - then

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        microversion: str | None = None,
        key: str | None = None,
    ) -> Any:
        """GET; the parsed body, or its member ``key``."""
        return self.request("GET", path, params=params, microversion=microversion, key=key).body

    def post(
        self,
        path: str,
        *,
        json: Any = None,
        microversion: str | None = None,
        key: str | None = None,
        idempotent: bool | None = None,
    ) -> Any:
        """POST; repeated only where the request cannot have been taken."""
        return self.request("POST", path, json=json, microversion=microversion, key=key, idempotent=idempotent).body

    def put(
        self,
        path: str,
        *,
        json: Any = None,
        microversion: str | None = None,
        key: str | None = None,
        idempotent: bool | None = None,
    ) -> Any:
        """PUT."""
        return self.request("PUT", path, json=json, microversion=microversion, key=key, idempotent=idempotent).body

    def patch(
        self,
        path: str,
        *,
        json: Any = None,
        microversion: str | None = None,
        key: str | None = None,
        idempotent: bool | None = None,
    ) -> Any:
        """PATCH."""
        return self.request("PATCH", path, json=json, microversion=microversion, key=key, idempotent=idempotent).body

    def delete(
        self,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        microversion: str | None = None,
    ) -> None:
        """DELETE."""
        self.request("DELETE", path, json=json, params=params, microversion=microversion)

    def pages(
        self,
        path: str,
        key: str,
        params: Mapping[str, Any] | None = None,
        microversion: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Every item of a paged list, page by page."""
        query: dict[str, Any] | None = dict(params or {})
        while query is not None:
            items, query = self.page(path, key, query, microversion)
            yield from items

    def page(
        self,
        path: str,
        key: str,
        params: Mapping[str, Any],
        microversion: str | None = None,
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """One page of a list, and the query of the next; None at the end."""
        return self.items(self.get(path, params=params, microversion=microversion), key, params)

    def items(
        self, body: Any, key: str, params: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """The items of a page that was asked for with ``params``, and the query of the next page."""
        if not isinstance(body, dict) or not isinstance(body.get(key), list):
            raise errors.ConnectionFailed(f"{self.url} ({self.service}) answered without {key}", sent=True)
        items = body[key]
        link = _next_link(body, key)
        if not link or not items:
            return items, None
        # Only the query: the links of a service behind a gateway lead nowhere.
        follow = {**params, **dict(parse_qsl(urlsplit(link).query))}
        return items, None if follow.get("marker") == params.get("marker") else follow


def parsed(microversion: str) -> Microversion:
    """A microversion for comparison: 2.9 is below 2.14."""
    major, _, minor = microversion.partition(".")
    return int(major), int(minor or 0)


def _next_link(body: Mapping[str, Any], key: str) -> str | None:
    if isinstance(link := body.get("next"), str):  # Glance
        return link
    links = body.get(f"{key}_links") or []
    return next((str(link["href"]) for link in links if link.get("rel") == "next"), None)


def _split(endpoint: str) -> tuple[str, str | None]:
    """The root of an endpoint and its version segment; what follows, such as a project, is dropped."""
    parts = urlsplit(endpoint)
    segments = parts.path.rstrip("/").split("/")
    for index, segment in enumerate(segments):
        if _VERSION.fullmatch(segment):
            root = urlunsplit((parts.scheme, parts.netloc, "/".join(segments[:index]), "", ""))
            return root.rstrip("/"), segment
    return endpoint.rstrip("/"), None


def _named(segment: str, offered: Mapping[str, VersionData]) -> VersionData | None:
    """The document of a segment: v2 is listed as v2.0, v3 as v3.0."""
    return offered.get(segment) or offered.get(f"{segment}.0")


def _forced_segment(layout: ServiceSpec, forced: str) -> str:
    """The segment of a forced version: 2 and 2.0 are v2; 2.1 and every microversion above it v2.1."""
    major, minor = parsed(forced)
    if layout is COMPUTE:
        return "v2" if minor == 0 else "v2.1"
    return f"v{major}"
