"""A cloud as one process sees it: one token, one pool of connections, one set of pollers for each region."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import urllib3

from ecs_pulumi.cloud.api import BLOCK_STORAGE, COMPUTE, IDENTITY, IMAGE, NETWORK, ServiceClient, ServiceSpec
from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.collection import Collection, NetworkObjects, Servers, Volumes
from ecs_pulumi.cloud.credentials import resolve
from ecs_pulumi.cloud.errors import ConfigurationError, join_names
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.cloud.transport import Transport

__all__ = ["Connection", "Region", "Settings"]

P = TypeVar("P")

# Best first. The catalog of one cloud may name a service several times; the newest API is wanted.
_TYPES = {
    "compute": ("compute", "computev21", "compute_legacy"),
    "block-storage": ("block-storage", "volumev3", "block-store", "volume", "volumev2"),
    "network": ("network",),
    "image": ("image", "imagev2"),
    "identity": ("identity", "identityv3"),
}
# description is 2.19, tags 2.26, locked 2.9, delete_on_termination of a volume 2.3. Above 2.46 a server's
# flavor has no id, so reads stay below.
_SERVER_MICROVERSIONS = ("2.26", "2.19", "2.9", "2.3")


class Connection:
    """The way to a cloud. Nothing goes over the wire before the first region is asked for.

    Attributes:
        settings: the stack configuration.
        clock: what retries and waits go by.
        warnings: what the user should be told once per run.
        transport: what sends the requests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.warnings: list[str] = []
        self._credentials = resolve(settings)
        if self._credentials.verify is False:
            self.warnings.append(
                "TLS certificates are not verified (ecs:insecure): anyone in between can read the password.",
            )
            # The line above says it once; urllib3 would say it at each request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.transport = Transport(
            self._credentials,
            clock=self.clock,
            max_retries=settings.max_retries,
            trace=trace,
        )
        self._regions: dict[str | None, Region] = {}
        self._lock = threading.Lock()

    @property
    def requests(self) -> Counter[tuple[str, str]]:
        """How many requests were sent, by method and path template."""
        return self.transport.requests

    def close(self) -> None:
        """Give the sockets back; the next request would open new ones."""
        self.transport.http.close()

    def region(self, name: str | None = None) -> "Region":
        """A region of the cloud; None is the configured one.

        Raises:
            ConfigurationError: the catalog has no such region; the message lists those it has.
        """
        if name not in self._regions:
            # Logged in outside the lock, all who wait for it share a failure instead of repeating it one by one.
            self.transport.access()
        with self._lock:
            if name not in self._regions:
                wanted = self._region_name(name)
                self._regions[name] = self._regions.get(wanted) or Region(self, wanted)
                self._regions[wanted] = self._regions[name]
            return self._regions[name]

    def _region_name(self, name: str | None) -> str:
        wanted = name or self._credentials.region
        known = self._known_regions()
        if wanted is None:
            if len(known) != 1:
                raise ConfigurationError(
                    f"ecs:region (or OS_REGION_NAME) is missing; the catalog has {join_names(known)}"
                )
            return known[0]
        if known and wanted not in known:
            setting = "region" if name else "ecs:region (or OS_REGION_NAME)"
            raise ConfigurationError(f"{setting}: no region {wanted!r}; the catalog has {join_names(known)}")
        return wanted

    def endpoint(self, layout: ServiceSpec, region: str) -> str:
        """The URL of a service: the one that ``ecs:endpoints`` names, else the catalog's."""
        if override := self._credentials.endpoints.get(layout.service):
            return override
        if layout is IDENTITY:
            return self._credentials.auth_url
        interface = self._credentials.interface
        offered: dict[str, str] = {}
        for service in self._catalog():
            for endpoint in service.get("endpoints", []):
                here = endpoint["region_name"] in {region, None, "", "*"}
                if here and endpoint.get("interface") == interface and endpoint.get("url"):
                    offered.setdefault(service["type"], endpoint["url"])
        for service_type in _TYPES[layout.service]:
            if service_type in offered:
                return offered[service_type]
        raise ConfigurationError(
            f"The catalog has no {layout.service} service in region {region} (interface {interface}); it has "
            f"{join_names(sorted(offered)) or 'none at all'}. ecs:endpoints can name one.",
        )

    @property
    def user_id(self) -> str | None:
        """The user that the token is for."""
        return self.transport.access().user_id

    @property
    def project_id(self) -> str:
        """The project that the token is for."""
        project_id = self.transport.access().project_id
        if not project_id:
            raise ConfigurationError("ecs:projectName or ecs:projectId (or OS_PROJECT_NAME, OS_PROJECT_ID) is missing")
        return project_id

    def _catalog(self) -> list[Mapping[str, Any]]:
        return list(self.transport.access().service_catalog.normalize_catalog())

    def _known_regions(self) -> list[str]:
        names = {endpoint["region_name"] for service in self._catalog() for endpoint in service.get("endpoints", [])}
        return sorted(name for name in names if name and name != "*")


class Region:
    """One region: its services, and what watches and reads their objects.

    Attributes:
        name: as the catalog calls it.
        connection: what it belongs to.
        project_id: the project that requests are for.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        self.connection = connection
        self.project_id = connection.project_id
        self._parts: dict[str, Any] = {}
        self._lock = threading.RLock()

    @property
    def compute(self) -> ServiceClient:
        """Nova."""
        return self._api(COMPUTE)

    @property
    def network(self) -> ServiceClient:
        """Neutron."""
        return self._api(NETWORK)

    @property
    def block_storage(self) -> ServiceClient:
        """Cinder."""
        return self._api(BLOCK_STORAGE)

    @property
    def image(self) -> ServiceClient:
        """Glance."""
        return self._api(IMAGE)

    @property
    def identity(self) -> ServiceClient:
        """Keystone."""
        return self._api(IDENTITY)

    @property
    def server_microversion(self) -> str | None:
        """The one to read servers with: the fullest body with the flavor's id still in it."""
        return self.compute.newest_supported(*_SERVER_MICROVERSIONS)

    @property
    def servers(self) -> Servers:
        """The servers."""
        return self._once("servers", lambda: Servers(self.compute, lambda: self.server_microversion))

    @property
    def volumes(self) -> Volumes:
        """The volumes."""
        return self._once("volumes", lambda: Volumes(self.block_storage))

    @property
    def networks(self) -> NetworkObjects:
        """The networks."""
        return self._once("networks", lambda: NetworkObjects(self.network, "networks"))

    @property
    def subnets(self) -> NetworkObjects:
        """The subnets."""
        return self._once("subnets", lambda: NetworkObjects(self.network, "subnets"))

    @property
    def ports(self) -> NetworkObjects:
        """The ports."""
        return self._once("ports", lambda: NetworkObjects(self.network, "ports"))

    def _api(self, layout: ServiceSpec) -> ServiceClient:
        def make() -> ServiceClient:
            return ServiceClient(
                self.connection.transport,
                layout,
                self.connection.endpoint(layout, self.name),
                self.project_id,
                forced=self.connection.settings.api_versions.get(layout.service),
                on_write=self._drop,
            )

        return self._once(layout.service, make)

    def _once(self, name: str, make: Callable[[], P]) -> P:
        """Make a part when it is first asked for, and one only, however many threads ask."""
        with self._lock:
            if name not in self._parts:
                self._parts[name] = make()
            part: P = self._parts[name]
            return part

    def _drop(self) -> None:
        """Forget what was read, everywhere: a server's end is seen in ports and volumes."""
        for part in list(self._parts.values()):
            if isinstance(part, Collection):
                part.invalidate()
