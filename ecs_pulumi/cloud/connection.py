"""The connection of a process to a cloud: one token, one connection pool, and one set of pollers for each region."""

import threading
from collections import Counter
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, TypeVar

import urllib3

from ecs_pulumi.cloud import compute
from ecs_pulumi.cloud.api import BLOCK_STORAGE, COMPUTE, IMAGE, NETWORK, VPC, ServiceClient, ServiceSpec
from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.credentials import resolve
from ecs_pulumi.cloud.differences import Differences
from ecs_pulumi.cloud.errors import ApiError, ConfigurationError, ProjectNotFound, join_names, quoted
from ecs_pulumi.cloud.network import COLLECTIONS
from ecs_pulumi.cloud.resource_reader import SERVER_GROUPS, NetworkObjects, ResourceReader, Servers, Volumes
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.cloud.transport import Transport

__all__ = ["Connection", "Region", "Settings"]

T = TypeVar("T")

# Catalog types that are no aliases in os-service-types. A catalog of the developer guide's cloud may list Nova only as
# `compute_legacy`.
_UNOFFICIAL_TYPES = {"compute": ("computev21", "compute_legacy"), "image": ("imagev2",)}
_NO_PROJECT = frozenset({400, 401, 403, 404})
"""The statuses with which clouds reject the login to a project that does not exist or that the user may not use."""
# Microversions that add fields to a server: 2.9 locked, 2.3 delete_on_termination of volumes.
# From 2.47 on, a server's flavor has no id, so reads use an older microversion.
_SERVER_MICROVERSIONS = (compute.TAGS, compute.DESCRIPTION, "2.9", "2.3")


class Connection:
    """A connection to a cloud. It sends no request before the first region is used.

    Args:
        settings: the stack configuration.
        clock: the clock for retries and waits.
        trace: called with a line for each request.
        status: called with a line about a pause of all requests, while it lasts.
        origin: the connection whose HTTP session is used, with another token.

    Attributes:
        settings: the stack configuration.
        clock: the clock for retries and waits.
        warnings: warnings to show to the user once per run.
        transport: sends the requests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        trace: Callable[[str], None] | None = None,
        status: Callable[[str], None] | None = None,
        origin: "Connection | None" = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self._credentials = resolve(settings)
        self.warnings: list[str] = [*self._credentials.warnings]
        if self._credentials.verify is False:
            self.warnings.append(
                "TLS certificates are not verified (ecs:insecure): an attacker on the network can read the password.",
            )
            # The warning above is shown once; urllib3 would warn at each request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.transport: Transport = (
            origin.transport.for_another_token(self._credentials)
            if origin
            else Transport(
                self._credentials, clock=self.clock, max_retries=settings.max_retries, trace=trace, status=status
            )
        )
        self._origin = origin
        self._connections_by_project: dict[str, Connection] = {}
        self._regions: dict[str | None, Region] = {}
        self._lock = threading.Lock()

    @property
    def account(self) -> tuple[str, ...]:
        """The URL of Keystone and the user, in the form in which they are configured."""
        return self._credentials.account

    @property
    def configured_region(self) -> str | None:
        """The region of the settings, None if they have none."""
        return self._credentials.region

    @property
    def identity(self) -> tuple[object, ...] | None:
        """All that its requests depend on; None if the plugin that logs in cannot tell whether two logins are equal."""
        used, settings = self._credentials, self.settings
        login = used.plugin.get_cache_id()
        options = used.region, used.interface, used.verify, used.cert, used.endpoints
        return (login, *options, settings.api_versions, settings.max_retries, settings.marker) if login else None

    @property
    def requests(self) -> Counter[tuple[str, str]]:
        """Number of requests sent, by method and path template."""
        return self.transport.requests

    def close(self) -> None:
        """Close the sockets. The next request opens new ones."""
        self.transport.http.close()

    def region(self, name: str | None = None) -> "Region":
        """Return a region of the cloud; None is the configured region.

        Raises:
            ConfigurationError: the catalog has no such region; the message lists the regions of the catalog.
        """
        if name in self._regions:
            return self._regions[name]
        # Log in outside the lock, so that waiting threads share a failure instead of repeating the login in turn.
        self.transport.access()
        region = self._region_name(name)
        connection = self._connection_for(region, name)
        with self._lock:
            if name not in self._regions:
                self._regions[name] = self._regions.get(region) or Region(connection, region)
                self._regions[region] = self._regions[name]
            return self._regions[name]

    def known_region(self, name: str | None = None) -> "Region | None":
        """Return a region that `region` has returned before, None for any other. This sends no request."""
        return self._regions.get(name)

    def _region_name(self, name: str | None) -> str:
        region = name or self._credentials.region
        if region is None:
            known = self.known_regions
            if len(known) != 1:
                raise ConfigurationError(
                    f"{self._region_setting(name)} is missing; the catalog has {join_names(known)}"
                )
            return known[0]
        return region

    def _region_setting(self, name: str | None) -> str:
        return "region" if name else self.settings.origin("region_name", "ecs:region (or OS_REGION_NAME)")

    def _connection_for(self, region: str, name: str | None) -> "Connection":
        """Return the connection whose token is valid in a region.

        Each project of the Open Telekom Cloud belongs to one region, is named like it, and its token's catalog has no
        other one. There, another region needs a token for the project of that name, which the same user obtains.

        Raises:
            ConfigurationError: the catalog does not have the region, nor has the one of such a project.
        """
        known = self.known_regions
        if not known or region in known:
            return self
        missing = f"{self._region_setting(name)}: no region {quoted(region)}; the catalog has {join_names(known)}"
        project = self.transport.access().project_name or ""
        of_known = (Differences(partial(self.service_types, each)) for each in known)
        if project.partition("_")[0] not in known and not any(each.has_project_per_region for each in of_known):
            raise ConfigurationError(missing)
        other = self._connection_to_project(region)
        try:
            other.transport.access()
        except (ApiError, ProjectNotFound) as error:
            if isinstance(error, ApiError) and error.status not in _NO_PROJECT:
                raise
            raise ConfigurationError(
                f"{missing}, and there is no project {quoted(region)} for another region"
            ) from error
        if region not in other.known_regions:
            raise ConfigurationError(missing)
        return other

    def _connection_to_project(self, project: str) -> "Connection":
        """Return a connection for the project of another region, as the same user; it has sent no request yet."""
        access = self.transport.access()
        settings = self.settings.model_copy(
            update={
                "region": project,
                "project_name": project,
                "project_id": None,
                "project_domain_id": access.project_domain_id,
                "project_domain_name": None,
            }
        )
        with self._lock:
            if project not in self._connections_by_project:
                self._connections_by_project[project] = Connection(settings, clock=self.clock, origin=self)
            return self._connections_by_project[project]

    def endpoint(self, spec: ServiceSpec, region: str) -> str:
        """Return the URL of a service: the one in ``ecs:endpoints`` if it is of this region, else the catalog's."""
        url, is_of_region = self._credentials.endpoints.get(spec.service), self._has_endpoints_of(region)
        if url and is_of_region:
            return url
        interface = self._credentials.interface
        catalog = self.transport.access().service_catalog
        # A catalog without regions is that of a cloud with a single region.
        region_name = region if self.known_regions else None
        for service_type in (spec.service, *_UNOFFICIAL_TYPES.get(spec.service, ())):
            for url in catalog.get_urls(service_type, interface, region_name):
                return str(url)
        setting = self.settings.origin(f"{spec.service.replace('-', '_')}_endpoint_override", "ecs:endpoints")
        offered = catalog.get_endpoints_data(interface=interface, region_name=region_name)
        raise ConfigurationError(
            f"The catalog has no {spec.service} service in region {region} (interface {interface}); it has "
            f"{join_names(sorted(name for name, found in offered.items() if found)) or 'no services'}. "
            + (
                f"Set the service's URL in {setting}."
                if is_of_region
                else "An entry of clouds.yaml (`cloud`) can have the service's URL for that region."
            ),
        )

    def _has_endpoints_of(self, region: str) -> bool:
        """Whether ``ecs:endpoints`` is for a region: the configured one, and those in the catalog of the same token.

        The region of another token has another project, and other URLs.
        """
        configured = (self._origin or self).configured_region
        is_in_catalog = not self.known_regions or configured in (None, *self.known_regions)
        return region == configured or (self._origin is None and is_in_catalog)

    def service_types(self, region: str) -> set[str]:
        """Return the types of the services that the catalog has in a region."""
        catalog = self.transport.access().service_catalog
        offered = catalog.get_endpoints_data(interface=self.interface, region_name=region)
        return {name for name, endpoints in offered.items() if endpoints}

    @property
    def interface(self) -> str:
        """The interface of the endpoints: public, internal or admin."""
        return str(self._credentials.interface)

    @property
    def user_id(self) -> str | None:
        """The id of the token's user."""
        return self.transport.access().user_id

    @property
    def project_id(self) -> str:
        """The id of the token's project."""
        project_id = self.transport.access().project_id
        if not project_id:
            standard = "ecs:projectName or ecs:projectId (or OS_PROJECT_NAME, OS_PROJECT_ID)"
            raise ConfigurationError(f"{self.settings.origin('project_name', standard)} is missing")
        return project_id

    @cached_property
    def known_regions(self) -> list[str]:
        """The regions in the catalog of the token."""
        # keystoneauth copies the whole catalog for each question about it.
        catalog = self.transport.access().service_catalog.normalize_catalog()
        names = {endpoint["region_name"] for service in catalog for endpoint in service.get("endpoints", [])}
        return sorted(name for name in names if name and name != "*")


class Region:
    """One region: the clients of its services, and the readers that poll and read their objects.

    Attributes:
        name: the region's name in the catalog.
        connection: the connection that the region belongs to.
        project_id: the project of all requests.
        differences: in what it differs from OpenStack.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        self.connection = connection
        self.project_id = connection.project_id
        self.differences = Differences(partial(connection.service_types, name))
        self._parts: dict[str, Any] = {}
        self._lock = threading.RLock()

    @property
    def compute(self) -> ServiceClient:
        """Nova."""
        return self._client(COMPUTE)

    @property
    def network(self) -> ServiceClient:
        """Neutron."""
        return self._client(NETWORK)

    @property
    def block_storage(self) -> ServiceClient:
        """Cinder."""
        return self._client(BLOCK_STORAGE)

    @property
    def image(self) -> ServiceClient:
        """Glance."""
        return self._client(IMAGE)

    @property
    def vpc(self) -> ServiceClient:
        """The own API of a Huawei-based cloud for networks."""
        return self._client(VPC)

    @property
    def server_microversion(self) -> str | None:
        """The microversion for reading servers: the newest one whose response contains the flavor's id."""
        return self.compute.newest_supported(*_SERVER_MICROVERSIONS)

    @property
    def servers(self) -> Servers:
        """The servers."""
        return self._get_or_create("servers", lambda: Servers(self.compute, lambda: self.server_microversion))

    @property
    def volumes(self) -> Volumes:
        """The volumes."""
        return self._get_or_create("volumes", lambda: Volumes(self.block_storage))

    @property
    def server_groups(self) -> ResourceReader:
        """The server groups."""
        return self._get_or_create(
            "server groups",
            lambda: ResourceReader(
                self.compute,
                SERVER_GROUPS,
                microversion=lambda: compute.server_group_microversion(self.compute),
            ),
        )

    def network_objects(self, kind: str) -> NetworkObjects:
        """The objects of Neutron of this kind, such as ``port``."""
        collection = COLLECTIONS[kind]
        return self._get_or_create(collection.path, lambda: NetworkObjects(self.network, collection))

    def _client(self, spec: ServiceSpec) -> ServiceClient:
        def make() -> ServiceClient:
            return ServiceClient(
                self.connection.transport,
                spec,
                self.connection.endpoint(spec, self.name),
                self.project_id,
                forced=self.connection.settings.api_versions.get(spec.service),
                on_write=self._drop,
            )

        return self._get_or_create(spec.service, make)

    def _get_or_create(self, name: str, make: Callable[[], T]) -> T:
        """Create a part at its first use, and only once even if several threads use it."""
        with self._lock:
            if name not in self._parts:
                self._parts[name] = make()
            part: T = self._parts[name]
            return part

    def _drop(self) -> None:
        """Drop the cached reads of all readers, because deleting a server also changes ports and volumes."""
        for part in list(self._parts.values()):
            if isinstance(part, ResourceReader):
                part.invalidate()
