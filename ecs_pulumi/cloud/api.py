"""Client for one service of one region: its URL, its API versions and its requests."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlunsplit

from keystoneauth1 import exceptions as keystone
from keystoneauth1.discover import Discover, VersionData, version_to_string

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.own_writes import OwnWrites
from ecs_pulumi.cloud.transport import Request, Response, Transport, utc_now

Microversion = tuple[int, int]

_VERSION = re.compile(r"v(\d+)(?:\.(\d+))?")
_PATH = re.compile(r"(?:/(?!\.\.?(?:/|$))[^/?#\\\x00-\x20\x7f]+)+")


@dataclass(frozen=True)
class ApiVersions:
    """The API version of a service and its range of microversions.

    Attributes:
        id: the version in the URL, such as ``v2.1``.
        min: the lowest microversion; empty if the service has none.
        max: the highest microversion; empty if the service has none.
        url: the endpoint of that version.
    """

    id: str
    min: str
    max: str
    url: str

    def __str__(self) -> str:
        """The form used in messages: ``v2.1 with microversions 2.1 to 2.14``."""
        return (
            f"{self.id} with microversions {self.min} to {self.max}" if self.max else f"{self.id} without microversions"
        )

    def supports(self, microversion: str) -> bool:
        """Whether the service accepts requests with this microversion."""
        return bool(self.max) and version_key(self.min) <= version_key(microversion) <= version_key(self.max)


@dataclass(frozen=True)
class ServiceSpec:
    """How the URLs of a service are built.

    Attributes:
        service: the name in messages and in ``ecs:endpoints``.
        default: the version segment to use if the endpoint has none and no discovery request is sent.
        scoped: whether the path contains the project's id.
        discovers: whether the service's versions are discovered with a request.
    """

    service: str
    default: str
    scoped: bool = False
    discovers: bool = False


COMPUTE = ServiceSpec("compute", "v2.1", scoped=True, discovers=True)
BLOCK_STORAGE = ServiceSpec("block-storage", "v3", scoped=True, discovers=True)
NETWORK = ServiceSpec("network", "v2.0")
IMAGE = ServiceSpec("image", "v2")
VPC = ServiceSpec("vpc", "v1", scoped=True)  # the own API of Open Telekom Cloud and Huawei Cloud for networks


class ServiceClient:
    """Sends requests to one service, for example ``api.get("/servers/…", key="server")``.

    A path is relative to the endpoint, which includes the version and, for compute and block storage, the project:
    ``https://…/v2.1/{project_id}/servers/…``. A request without the ``microversion`` argument sends no microversion
    header.
    """

    def __init__(
        self,
        transport: Transport,
        spec: ServiceSpec,
        endpoint: str,
        project_id: str,
        *,
        forced: str | None = None,
        on_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._transport = transport
        self._spec = spec
        self._root, self._segment = _split(endpoint)
        self._project_id = project_id
        self._forced = forced.removeprefix("v") if forced else None
        self._on_write = on_write
        self._lock = threading.Lock()
        self._versions: ApiVersions | None = None
        self._server_date: tuple[float, float] | None = None

    @property
    def service(self) -> str:
        """The service's type, such as ``compute``."""
        return self._spec.service

    @property
    def clock(self) -> Clock:
        """The connection's clock."""
        return self._transport.clock

    @property
    def writes(self) -> OwnWrites:
        """What this process has written, which a read may not show yet."""
        return self._transport.writes

    @property
    def url(self) -> str:
        """The base URL of all request paths."""
        project = f"/{self._project_id}" if self._spec.scoped else ""
        return f"{self._root}/{self._version()}{project}"

    def of_version(self, segment: str) -> "ServiceClient":
        """Return a client of the same service that uses another version in the URL, such as ``v2``."""
        return ServiceClient(
            self._transport, self._spec, self._root, self._project_id, forced=segment, on_write=self._on_write
        )

    def _version(self) -> str:
        spec = self._spec
        if not spec.discovers:
            return spec.default
        if self._forced:
            return _forced_segment(spec, self._forced)
        if self._segment == spec.default:
            return spec.default
        return self.versions.id  # the catalog names an older version or none, so a newer one may exist

    @property
    def versions(self) -> ApiVersions:
        """The versions that the service offers, discovered at most once."""
        with self._lock:
            if self._versions is None:
                self._versions = self._discover_versions()
            return self._versions

    def _discover_versions(self) -> ApiVersions:
        spec = self._spec
        if not spec.discovers:
            return self._api_versions(spec.default)
        if self._forced:
            segment = _forced_segment(spec, self._forced)
            plain = version_key(spec.default.removeprefix("v"))
            if segment != spec.default or version_key(self._forced) <= plain:
                return self._api_versions(segment)  # no microversions, so no discovery is needed
        offered = {f"v{version_to_string(item['version'])}": item for item in self._version_documents()}
        segment = next(
            (name for name in (spec.default, "v2") if _version_document(name, offered)),
            self._segment or spec.default,
        )
        item = _version_document(segment, offered)
        if item is None or item["max_microversion"] is None:
            return self._api_versions(segment)
        lowest = item["min_microversion"] or item["version"]
        highest = item["max_microversion"]
        ceiling = min(highest, version_key(self._forced)) if self._forced else highest
        return self._api_versions(segment, version_to_string(lowest), version_to_string(ceiling))

    def _api_versions(self, segment: str, lowest: str = "", highest: str = "") -> ApiVersions:
        return ApiVersions(segment, lowest, highest, f"{self._root}/{segment}")

    def _version_documents(self) -> list[VersionData]:
        """Read the version documents at the root URL, or at the version's URL if a gateway hides the root."""
        urls = [f"{self._root}/", f"{self._root}/{self._segment or self._spec.default}/"]
        for url in urls:
            try:
                documents = self._transport.with_retries(partial(self._discover, url), idempotent=True, url=url)
            except errors.ServerError:
                raise
            except errors.ApiError:
                continue
            if documents:
                return documents
        return []

    def _discover(self, url: str) -> list[VersionData]:
        self._transport.access()  # raises login errors, which discovery would hide
        try:
            return Discover(self._transport.keystone, url).version_data()
        except (keystone.DiscoveryFailure, KeyError, TypeError):
            return []
        except keystone.ClientException as error:
            raise self._transport.map_exception(error, "GET", url, self.service) from error

    def list_versions(self) -> list[dict[str, Any]]:
        """The version documents, unchanged (guide 3.2)."""
        response = self._transport.send(Request("GET", f"{self._root}/", self.service))
        body = response.body or {}
        versions = body.get("versions", [body["version"]] if "version" in body else [])
        return list(versions["values"] if isinstance(versions, dict) else versions)

    def supports(self, microversion: str) -> bool:
        """Whether the service offers this microversion."""
        return self.versions.supports(microversion)

    def newest_supported(self, *microversions: str) -> str | None:
        """The first of these microversions that the service offers, or None. Pass the preferred one first."""
        return next((version for version in microversions if self.supports(version)), None)

    @staticmethod
    def newest(microversions: Iterable[str]) -> str | None:
        """The newest of several microversions, for a request that needs all of them; None if there are none."""
        return max(microversions, key=version_key, default=None)

    def require(self, feature: str, microversion: str) -> str:
        """Return the microversion, or fail if the service does not offer it.

        Raises:
            Unsupported: the service does not offer the microversion.
        """
        if not self.supports(microversion):
            needs = f"{self.service} microversion {microversion}"
            forced = f" (limited to {self._forced} by ecs:apiVersions)" if self._forced else ""
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
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request; see ``Transport.send``.

        With ``poll`` the request is not retried and has a short timeout, because the next poll follows soon.
        """
        if not _PATH.fullmatch(path):
            # Otherwise the request would be one for another object, or for a list.
            raise errors.NotFound(404, "no object has such an id", method=method, path=path)
        request = Request(method, self.url + path, self.service, json, params, microversion, key, headers or {})
        try:
            response = self._transport.send(request, idempotent=idempotent, poll=poll)
        finally:
            if method != "GET":
                self._on_write()
        if response.date is not None:
            self._server_date = (response.date, self._transport.clock.now())
        return response

    def server_time(self) -> float:
        """The service's clock in seconds since the epoch, estimated from the Date header of its latest response."""
        if self._server_date is None:
            return utc_now()
        date, received_at = self._server_date
        return date + self._transport.clock.now() - received_at

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        microversion: str | None = None,
        key: str | None = None,
    ) -> Any:
        """Send a GET; return the parsed body, or its member ``key``."""
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
        """Send a POST; retried only if the request cannot have taken effect, or if it is ``idempotent``."""
        return self.request("POST", path, json=json, microversion=microversion, key=key, idempotent=idempotent).body

    def put(
        self,
        path: str,
        *,
        json: Any = None,
        microversion: str | None = None,
        key: str | None = None,
        idempotent: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a PUT; return the parsed body, or its member ``key``."""
        return self.request(
            "PUT", path, json=json, microversion=microversion, key=key, idempotent=idempotent, headers=headers
        ).body

    def delete(self, path: str, *, params: Mapping[str, Any] | None = None, microversion: str | None = None) -> None:
        """Send a DELETE."""
        self.request("DELETE", path, params=params, microversion=microversion)

    def pages(
        self,
        path: str,
        key: str,
        params: Mapping[str, Any] | None = None,
        microversion: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield every item of a paged list, reading page by page."""
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
        """Read one page of a list; return its items and the next page's query, which is None on the last page."""
        return self.items(self.get(path, params=params, microversion=microversion), key, params)

    def items(
        self, body: Any, key: str, params: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """Return the items of a page that was requested with ``params``, and the next page's query or None."""
        if not isinstance(body, dict) or not isinstance(body.get(key), list):
            raise errors.ConnectionFailed(
                f"{self.url} ({self.service}) returned an invalid response: it has no {key}", sent=True
            )
        items = body[key]
        href = _next_link(body, key)
        if not href or not items:
            return items, None
        # Use only the query: the host of such a URL is often wrong if the service is behind a gateway.
        next_query = {**params, **dict(parse_qsl(errors.split_url(href, "the next page of a list").query))}
        return items, None if next_query.get("marker") == params.get("marker") else next_query


def version_key(microversion: str) -> Microversion:
    """Convert a microversion to a tuple that compares numerically: 2.9 is below 2.14."""
    major, _, minor = microversion.partition(".")
    return int(major), int(minor or 0)


def _next_link(body: Mapping[str, Any], key: str) -> str | None:
    if isinstance(href := body.get("next"), str):  # Glance
        return href
    links = body.get(f"{key}_links") or []
    return next((str(link["href"]) for link in links if link.get("rel") == "next"), None)


def _split(endpoint: str) -> tuple[str, str | None]:
    """Split an endpoint into its root and its version segment; drop the rest, such as a project."""
    parts = errors.split_url(endpoint, "ecs:endpoints or the catalog")
    segments = parts.path.rstrip("/").split("/")
    for index, segment in enumerate(segments):
        if _VERSION.fullmatch(segment):
            root = urlunsplit((parts.scheme, parts.netloc, "/".join(segments[:index]), "", ""))
            return root.rstrip("/"), segment
    return endpoint.rstrip("/"), None


def _version_document(segment: str, offered: Mapping[str, VersionData]) -> VersionData | None:
    """The version document of a URL segment. Services list v2 as v2.0 and v3 as v3.0."""
    return offered.get(segment) or offered.get(f"{segment}.0")


def _forced_segment(spec: ServiceSpec, forced: str) -> str:
    """The URL segment of a forced version. For compute: v2 for 2 and 2.0, v2.1 for 2.1 and later microversions."""
    major, minor = version_key(forced)
    if spec is COMPUTE:
        return "v2" if minor == 0 else "v2.1"
    return f"v{major}"
