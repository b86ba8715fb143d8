"""An emulated cloud whose time passes only while the client sleeps, with snapshots that are fast to restore."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from unittest import mock

from typing_extensions import Self

from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.connection import Connection, Settings
from ecs_pulumi.dynamic import provider, run
from ecs_pulumi.dynamic.ownership import OWNERSHIP
from ecs_pulumi.emulator import Emulator, ManualClock
from ecs_pulumi.resources import association, catalog, clients, idempotent_create, planned, router_interface
from tests.faults.wire import EmulatorWire
from tests.support.steps import Resource

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.emulator.dialects import DialectName

SPEED = 20
BACKEND = "0a1b2c3d"
"""The fingerprint of the backend that stores the state."""
_COMPARED_FIELDS = {
    "network": ("name", "description", "admin_state_up", "tags", "mtu"),
    "subnet": ("name", "description", "cidr", "gateway_ip", "dns_nameservers", "tags", "network_id"),
    "port": ("name", "description", "admin_state_up", "tags", "network_id", "device_id", "device_owner", "status"),
    "security_group": ("name", "description", "stateful", "tags"),
    "security_group_rule": (
        *("security_group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max"),
        *("remote_ip_prefix", "remote_group_id", "description"),
    ),
    "router": ("name", "description", "admin_state_up", "tags", "routes"),
    "floatingip": ("description", "tags", "port_id", "fixed_ip_address", "floating_network_id"),
    "volume": ("name", "description", "size", "status", "volume_type", "metadata", "availability_zone"),
    "server": (
        *("name", "description", "metadata", "tags", "vm_state", "task_state", "power_state", "key_name", "image_id"),
        "locked",
    ),
    "keypair": ("name", "type"),
    "server_group": ("name", "policy", "rules"),
}
_PROCESS_STATE: tuple[tuple[Any, str], ...] = (
    (OWNERSHIP, "_owners"),
    *((provider, name) for name in ("_existing", "_reported_losses")),
    *((run, name) for name, value in vars(run).items() if isinstance(value, set)),
    (idempotent_create, "_created"),
    (association, "_moves"),
    (router_interface, "_compared"),
)
"""What the provider remembers until its process ends, besides its connections."""
_SUFFIX = re.compile(r"-[0-9a-f]{8}$")


class SteppedClock(Clock):
    """A clock of the client that shows the time of the cloud and advances it on each sleep."""

    def __init__(self, cloud: ManualClock) -> None:
        self._cloud = cloud

    def now(self) -> float:
        """Return the time of the cloud."""
        return self._cloud.now

    def sleep(self, seconds: float) -> None:
        """Advance the time of the cloud."""
        self._cloud.advance(seconds)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Advance the time of the cloud."""
        self._cloud.advance(seconds)

    def jitter(self, seconds: float) -> float:
        """Return the time without jitter, so that the tests are reproducible."""
        return seconds


@dataclass(frozen=True)
class Snapshot:
    """The contents of a cloud at one time."""

    cloud: sqlite3.Connection
    time: float


class EmulatedWorld:
    """An emulator, a connection to it through a `Wire`, and base objects for the resources of the tests.

    Attributes:
        name: The name of the cloud in the scenes.
        cloud: The emulator.
        base: The ids of the base objects: `net`, `sub`, `port`, `nic`, `spare`, `group`, `spare-group`, `router`,
            `other-router`, `published`, `other-published` (ports), `address`, `other-address`, `disk`, `server`,
            `other`. `router` is connected to 10.9.0.0/24; it, or another router, connects that to the external network.
        wire: The HTTP adapter of the connection.

    Args:
        dialect: The dialect of the emulator.
        name: The name. Default: the dialect.
        settings: Further settings of the connection.
        ahead: Seconds by which the clock of the cloud is ahead of that of this computer. If it is not, tokens do not
            expire.
    """

    def __init__(
        self,
        dialect: DialectName,
        *,
        name: str = "",
        settings: Mapping[str, str] | None = None,
        ahead: float = 0.0,
    ) -> None:
        self.name = name or dialect
        self._more_settings = settings or {}
        self._time = ManualClock(float(int(time.time() + ahead)))
        self._clock = SteppedClock(self._time)
        lifetime = 3600.0 if ahead else 1e9
        self.cloud = Emulator(dialect=dialect, clock=self._time, speed=SPEED, token_lifetime=lifetime)
        self.base: dict[str, str] = {}
        self.wire = EmulatorWire(self.cloud, self._time)

    def __enter__(self) -> Self:
        self.cloud.start()
        self.config = {f"ecs:{name}": value for name, value in {**self.cloud.settings, **self._more_settings}.items()}
        self.connect(warm=False)
        self._access = clients._connections[self._settings].transport.access()
        # keystoneauth copies the catalog for each client of each new connection.
        catalog = self._access.service_catalog
        vars(catalog)["normalize_catalog"] = cache(catalog.normalize_catalog)
        region = self.region
        self._versions = (region.compute.versions, region.block_storage.versions)
        self._create_base()
        return self

    def __exit__(self, *_: object) -> None:
        clients._connections.pop(self._settings, None)
        self.wire.close()
        self.cloud.stop()

    @property
    def region(self) -> Region:
        """The clients of the connection, for requests outside of Pulumi."""
        return clients._connections[self._settings].region()

    @cached_property
    def _settings(self) -> Settings:
        return Settings.from_config(self.config.get)

    def resource(self, kind: str, name: str = "it") -> Resource:
        """Return a new resource on this cloud."""
        resource = Resource(kind, self.config, name)
        resource.backend = BACKEND
        return resource

    def connect(self, *, warm: bool = True) -> None:
        """Reconnect as in a new process; with `warm`, keep the token and the discovered versions."""
        idempotent_create._created.clear()
        run._failed.clear()
        catalog.catalog._objects.clear()
        planned.planned._objects.clear()
        connection = Connection(self._settings, clock=self._clock)
        connection.transport.http.mount("http://", self.wire)
        # There is no proxy, and looking for one takes as long as the request.
        connection.transport.http.trust_env = False
        clients._connections[self._settings] = connection
        self.wire.inject()
        if warm:
            connection._credentials.plugin.auth_ref = self._access
            region = connection.region()
            for api, versions in ((region.compute, self._versions[0]), (region.block_storage, self._versions[1])):
                api._versions = versions

    @contextmanager
    def other_process(self) -> Iterator[None]:
        """Serve the block as another process does, also during an operation of this one."""
        connection, wire_requests = clients._connections[self._settings], list(self.wire.requests)
        plan = self.wire.suspend()
        with ExitStack() as swapped:
            for owner, name in _PROCESS_STATE:
                swapped.enter_context(mock.patch.object(owner, name, type(getattr(owner, name))()))
            self.connect()
            try:
                yield
            finally:
                clients._connections[self._settings] = connection
                self.wire.resume(plan, wire_requests)

    def snapshot(self) -> Snapshot:
        """Return a snapshot of the cloud."""
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        with self.cloud.cloud.store._lock:
            self.cloud.cloud.store._db.backup(copy)
        return Snapshot(copy, self._time.now)

    def restore(self, snapshot: Snapshot) -> None:
        """Restore contents and time of the cloud."""
        self.cloud.clear_faults()
        self.cloud.set_stale(0.0)
        self.wire.stalled.clear()
        with self.cloud.cloud.store._lock:
            snapshot.cloud.backup(self.cloud.cloud.store._db)
        self._time.now = snapshot.time

    def pass_time(self, seconds: float) -> None:
        """Advance the time of the cloud."""
        self._time.advance(seconds)

    def ids(self) -> set[str]:
        """Return the ids of all objects of the project, without the rules of the groups of a scene."""
        with self._documents() as documents:
            return {
                item["name"] if kind == "keypair" else item["id"]
                for kind, item in documents
                if not self._is_deleted_with_group(item)
            }

    def owned_by_server(self, server_id: str) -> set[str]:
        """Return the ids of the ports and volumes of a server."""
        with self._documents() as documents:
            return {
                item["id"]
                for kind, item in documents
                if (kind == "port" and item["device_id"] == server_id)
                or (kind == "volume" and any(one["server_id"] == server_id for one in item["attachments"]))
            }

    def contents(self) -> list[str]:
        """Return the objects of the project in a sorted form, without values that differ between runs."""
        with self._documents() as documents:
            names = {item["id"]: _SUFFIX.sub("-*", item.get("name") or "?") for _, item in documents}
            return sorted(
                json.dumps([kind, _comparable(kind, item, names)], sort_keys=True) for kind, item in documents
            )

    @contextmanager
    def _documents(self) -> Iterator[list[tuple[str, dict[str, Any]]]]:
        with self.cloud.state() as state:
            yield [
                (kind, item)
                for kind in _COMPARED_FIELDS
                for item in state.find(kind)
                if item.get("project_id", state.project_id) == state.project_id and not item.get("deleted")
            ]

    def _is_deleted_with_group(self, rule: dict[str, Any]) -> bool:
        return "security_group_id" in rule and rule["security_group_id"] != self.base["group"]

    @property
    def external_network(self) -> str:
        """The name of the external network."""
        return "admin_external_net" if self.cloud.cloud.dialect.name == "otc" else "public"

    def _create_base(self) -> None:
        def create(kind: str, name: str, **inputs: Any) -> str:
            resource = self.resource(kind, name)
            resource.up(**inputs)
            self.base[name] = resource.id
            return resource.id

        net = create("Network", "net")
        sub = create("Subnet", "sub", network_id=net, cidr="10.7.0.0/24")
        create("Port", "port", network_id=net, fixed_ips=[{"subnet_id": sub}])
        create("Port", "nic", network_id=net, fixed_ips=[{"subnet_id": sub}])
        create("Network", "spare")
        for name in ("group", "spare-group"):
            create("SecurityGroup", name)
        lan = create("Network", "lan")
        lan_sub = create("Subnet", "lan-sub", network_id=lan, cidr="10.9.0.0/24")
        # An Open Telekom Cloud connects a subnet to one router.
        is_otc = self.cloud.cloud.dialect.name == "otc"
        create("Router", "router", **({"external_network": self.external_network} if is_otc else {}))
        create("Router", "other-router")
        create("RouterInterface", "lan-interface", router_id=self.base["router"], subnet_id=lan_sub)
        if not is_otc:
            outside = create("Router", "outside", external_network=self.external_network)
            gateway = create("Port", "gateway", network_id=lan)
            create("RouterInterface", "outside-interface", router_id=outside, port_id=gateway)
        for name in ("published", "other-published"):
            create("Port", name, network_id=lan)
        for name in ("address", "other-address"):
            create("FloatingIp", name, external_network=self.external_network)
        create("Volume", "disk", size=10 if is_otc else 1)
        for name in ("server", "other"):
            create("Server", name, **self.server(), networks=[{"network_id": net}])
        with self.cloud.state() as state:
            state.put("flavor", {**state.find("flavor")[0], "id": "100", "name": "s1.diskless", "disk": 0})
        self.start = self.snapshot()

    def server(self) -> dict[str, Any]:
        """Return the minimal inputs of a server in this cloud."""
        if self.cloud.cloud.dialect.name == "openstack":
            return {"flavor": "s1.small", "image": "cirros-peer"}
        root = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 40}
        return {
            "flavor": "s3.medium.2",
            "image": "Standard_Debian_12_latest",
            "block_devices": [{**root, "delete_on_termination": True}],
        }


def _comparable(kind: str, item: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    values = {field: names.get(item[field], item[field]) for field in _COMPARED_FIELDS[kind] if _hashable(item[field])}
    values |= {field: item[field] for field in _COMPARED_FIELDS[kind] if not _hashable(item[field])}
    # On the old API the description of a server defaults to its name.
    values |= {field: _SUFFIX.sub("-*", item[field] or "") for field in ("name", "description") if field in values}
    if kind == "server":
        values["flavor"] = item["flavor"]["name"]
        values["nics"] = [names.get(nic["port_id"], "?") for nic in item["nics"]]
        values["volumes"] = [names.get(disk["volume_id"], "?") for disk in item["volumes"]]
    if kind == "volume":
        # The Open Telekom Cloud repeats the first name, whose suffix is random, in the metadata.
        values["metadata"] = {key: value for key, value in item["metadata"].items() if key != "__system__volume_name"}
        values["attachments"] = [names.get(one["server_id"], "?") for one in item["attachments"]]
    if kind == "port":
        values["addresses"] = len(item["fixed_ips"])
    return values


def _hashable(value: Any) -> bool:
    return not isinstance(value, (list, dict))
