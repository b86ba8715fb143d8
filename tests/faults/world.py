"""A cloud in which time stands still until the client sleeps, that can be put back to what it was in a millisecond."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.connection import Connection, Settings
from ecs_pulumi.emulator import Emulator, ManualClock
from ecs_pulumi.resources import catalog, common, idempotent_create
from tests.faults.wire import EmulatorsWire
from tests.support.steps import Resource

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.emulator.dialects import DialectName

SPEED = 20
BACKEND = "0a1b2c3d"
"""The fingerprint of the backend that keeps the state."""
_SHOWN = {
    "network": ("name", "description", "admin_state_up", "tags", "mtu"),
    "subnet": ("name", "description", "cidr", "gateway_ip", "dns_nameservers", "tags", "network_id"),
    "port": ("name", "description", "admin_state_up", "tags", "network_id", "device_id", "device_owner", "status"),
    "volume": ("name", "description", "size", "status", "volume_type", "metadata", "availability_zone"),
    "server": (
        *("name", "description", "metadata", "tags", "vm_state", "task_state", "power_state", "key_name", "image_id"),
        "locked",
    ),
    "keypair": ("name", "type"),
}
_SUFFIX = re.compile(r"-[0-9a-f]{8}$")


class SteppedClock(Clock):
    """The client's time is the cloud's, and passes only while the client sleeps."""

    def __init__(self, cloud: ManualClock) -> None:
        self._cloud = cloud

    def now(self) -> float:
        """The cloud's moment."""
        return self._cloud.now

    def sleep(self, seconds: float) -> None:
        """Let the cloud's time pass."""
        self._cloud.advance(seconds)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Let the cloud's time pass."""
        self._cloud.advance(seconds)

    def jitter(self, seconds: float) -> float:
        """Nothing is left to chance."""
        return seconds


@dataclass(frozen=True)
class Moment:
    """What a cloud was at some time."""

    cloud: sqlite3.Connection
    time: float


class EmulatedWorld:
    """An emulator, a client's connection to it through a `Wire`, and what the tests' resources stand on.

    Attributes:
        cloud: The emulator.
        base: Ids of what every scene may use: `net`, `sub`, `port`, `nic`, `spare`, `disk`, `server`, `other`.
        wire: What the connection's requests go through.
    """

    def __init__(self, dialect: DialectName) -> None:
        self._time = ManualClock(float(int(time.time())))
        self._clock = SteppedClock(self._time)
        self.cloud = Emulator(dialect=dialect, clock=self._time, speed=SPEED, token_lifetime=1e9)
        self.base: dict[str, str] = {}
        self.wire = EmulatorsWire(self.cloud, self._time)

    def __enter__(self) -> Self:
        self.cloud.start()
        self.config = {f"ecs:{name}": value for name, value in self.cloud.settings.items()}
        self.connect(warm=False)
        self._access = common._connections[self._settings].transport.access()
        region = self.region
        self._versions = (region.compute.versions, region.block_storage.versions)
        self._lay_out()
        return self

    def __exit__(self, *_: object) -> None:
        common._connections.pop(self._settings, None)
        self.wire.close()
        self.cloud.stop()

    @property
    def region(self) -> Region:
        """What the connection knows of the cloud, to do things by hand."""
        return common._connections[self._settings].region()

    @property
    def _settings(self) -> Settings:
        return Settings.from_config(self.config.get)

    def resource(self, kind: str, name: str = "it") -> Resource:
        """A resource on this cloud."""
        made = Resource(kind, self.config, name)
        made.backend = BACKEND
        return made

    def connect(self, *, warm: bool = True) -> None:
        """Begin anew as a new process would; `warm` with token and versions known already."""
        idempotent_create._created.clear()
        catalog._catalogs.clear()
        connection = Connection(self._settings, clock=self._clock)
        connection.transport.http.mount("http://", self.wire)
        # There is no proxy between; looking for one takes as long as the request.
        connection.transport.http.trust_env = False
        common._connections[self._settings] = connection
        self.wire.expect()
        if warm:
            connection._credentials.plugin.auth_ref = self._access
            region = connection.region()
            for api, versions in ((region.compute, self._versions[0]), (region.block_storage, self._versions[1])):
                api._versions = versions

    def keep(self) -> Moment:
        """What the cloud is now."""
        kept = sqlite3.connect(":memory:", check_same_thread=False)
        with self.cloud.cloud.store._lock:
            self.cloud.cloud.store._db.backup(kept)
        return Moment(kept, self._time.now)

    def restore(self, moment: Moment) -> None:
        """Make the cloud what it was, as if no time had passed."""
        self.cloud.clear_faults()
        self.wire.overdue.clear()
        with self.cloud.cloud.store._lock:
            moment.cloud.backup(self.cloud.cloud.store._db)
        self._time.now = moment.time

    def ids(self) -> set[str]:
        """The ids of all objects of the project."""
        with self._looking() as documents:
            return {item["name"] if kind == "keypair" else item["id"] for kind, item in documents}

    def owned(self, server_id: str) -> set[str]:
        """What the cloud made for a server: ports and disks."""
        with self._looking() as documents:
            return {
                item["id"]
                for kind, item in documents
                if (kind == "port" and item["device_id"] == server_id)
                or (kind == "volume" and any(one["server_id"] == server_id for one in item["attachments"]))
            }

    def truth(self) -> list[str]:
        """What there is, in an order of its own and without what differs from one time to the next."""
        with self._looking() as documents:
            names = {item["id"]: _SUFFIX.sub("-*", item["name"] or "?") for _, item in documents}
            return sorted(json.dumps([kind, _shown(kind, item, names)], sort_keys=True) for kind, item in documents)

    @contextmanager
    def _looking(self) -> Iterator[list[tuple[str, dict[str, Any]]]]:
        with self.cloud.state() as state:
            yield [
                (kind, item)
                for kind in _SHOWN
                for item in state.find(kind)
                if item.get("project_id", state.project_id) == state.project_id and not item.get("deleted")
            ]

    def _lay_out(self) -> None:
        def made(kind: str, name: str, **inputs: Any) -> str:
            resource = self.resource(kind, name)
            resource.up(**inputs)
            self.base[name] = resource.id
            return resource.id

        net = made("Network", "net")
        sub = made("Subnet", "sub", network_id=net, cidr="10.7.0.0/24")
        made("Port", "port", network_id=net, fixed_ips=[{"subnet_id": sub}])
        made("Port", "nic", network_id=net, fixed_ips=[{"subnet_id": sub}])
        made("Network", "spare")
        made("Volume", "disk", size=1)
        for name in ("server", "other"):
            made("Server", name, **self.server(), networks=[{"network_id": net}])
        self.start = self.keep()

    def server(self) -> dict[str, Any]:
        """The least that a server needs here."""
        if self.cloud.cloud.dialect.name == "openstack":
            return {"flavor": "s1.small", "image": "cirros-peer"}
        root = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 40}
        return {
            "flavor": "s3.medium.2",
            "image": "Standard_Debian_12_latest",
            "block_devices": [{**root, "delete_on_termination": True}],
        }


def _shown(kind: str, item: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    shown = {field: names.get(item[field], item[field]) for field in _SHOWN[kind] if _hashable(item[field])}
    shown |= {field: item[field] for field in _SHOWN[kind] if not _hashable(item[field])}
    # A server without a description of its own has its name there on the older API.
    shown |= {field: _SUFFIX.sub("-*", item[field] or "") for field in ("name", "description") if field in shown}
    if kind == "server":
        shown["flavor"] = item["flavor"]["name"]
        shown["nics"] = [names.get(nic["port_id"], "?") for nic in item["nics"]]
        shown["volumes"] = [names.get(disk["volume_id"], "?") for disk in item["volumes"]]
    if kind == "volume":
        shown["attachments"] = [names.get(one["server_id"], "?") for one in item["attachments"]]
    if kind == "port":
        shown["addresses"] = len(item["fixed_ips"])
    return shown


def _hashable(value: Any) -> bool:
    return not isinstance(value, (list, dict))
