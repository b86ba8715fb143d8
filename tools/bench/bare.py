"""The bare loop: the work of the units program as plain requests with one poller, as a baseline for the time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import requests

from ecs_pulumi.cloud.routes import path_template
from tools.bench.stack import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.bench.place import Place

Document = dict[str, Any]

POLL_INTERVAL = 0.25
WORKERS = 10


class BareLoop:
    """Creates, resizes and destroys units with plain requests."""

    def __init__(self, place: Place, units: int) -> None:
        """Log in.

        Args:
            place: The cloud.
            units: Number of units.
        """
        self._http = requests.Session()
        self._http.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))
        self._http.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=64))
        self._counted: Counter[tuple[str, str]] = Counter()
        self._counting = threading.Lock()
        connection = place.connect()
        region = connection.region()
        self._http.headers["X-Auth-Token"] = connection.transport.access().auth_token or ""
        self._urls = {"compute": region.compute.url, "network": region.network.url, "volume": region.block_storage.url}
        connection.close()
        self._poller = Poller(self)
        self._flavors = [place.small["id"], place.large["id"]]
        self._image = place.image["id"]
        self._units: list[dict[str, str]] = [{} for _ in range(units)]
        self._network = self._subnet = ""

    def create(self) -> Run:
        """Create all units."""

        def work() -> None:
            self.call("POST", "compute", "/os-keypairs", {"keypair": {"name": "bench-bare"}})
            network = {"network": {"name": "bench-bare"}}
            self._network = self.call("POST", "network", "/networks", network)["network"]["id"]
            subnet = {"subnet": {"network_id": self._network, "cidr": "10.88.0.0/20", "ip_version": 4}}
            self._subnet = self.call("POST", "network", "/subnets", subnet)["subnet"]["id"]
            self._each(self._create)

        return self._timed(work)

    def _create(self, unit: dict[str, str]) -> None:
        for name in ("port", "nic"):
            port = {"port": {"network_id": self._network}}
            unit[name] = self.call("POST", "network", "/ports", port)["port"]["id"]
        unit["volume"] = self.call("POST", "volume", "/volumes", {"volume": {"size": 1}})["volume"]["id"]
        server = {
            "name": "bench-bare",
            "flavorRef": self._flavors[0],
            "imageRef": self._image,
            "key_name": "bench-bare",
            "networks": [{"port": unit["port"]}],
        }
        unit["server"] = self.call("POST", "compute", "/servers", {"server": server})["server"]["id"]
        self._poller.until("volumes", unit["volume"], lambda volume: volume["status"] == "available")
        self._wait_until_stable(unit, "ACTIVE")
        path = f"/servers/{unit['server']}"
        self.call("POST", "compute", f"{path}/os-interface", {"interfaceAttachment": {"port_id": unit["nic"]}})
        disk = {"volumeAttachment": {"volumeId": unit["volume"]}}
        self.call("POST", "compute", f"{path}/os-volume_attachments", disk)
        self._poller.until("volumes", unit["volume"], lambda volume: volume["status"] == "in-use")

    def resize(self) -> Run:
        """Resize all servers; each is stopped before and started again."""
        return self._timed(lambda: self._each(self._resize))

    def _resize(self, unit: dict[str, str]) -> None:
        steps: tuple[tuple[str, Any, str], ...] = (
            ("os-stop", None, "SHUTOFF"),
            ("resize", {"flavorRef": self._flavors[1]}, "VERIFY_RESIZE"),
            ("confirmResize", None, "SHUTOFF"),
            ("os-start", None, "ACTIVE"),
        )
        for action, body, status in steps:
            self.call("POST", "compute", f"/servers/{unit['server']}/action", {action: body})
            self._wait_until_stable(unit, status)

    def destroy(self) -> Run:
        """Delete everything."""

        def work() -> None:
            self._each(self._destroy)
            self.call("DELETE", "network", f"/subnets/{self._subnet}")
            self.call("DELETE", "network", f"/networks/{self._network}")
            self.call("DELETE", "compute", "/os-keypairs/bench-bare")

        return self._timed(work)

    def _destroy(self, unit: dict[str, str]) -> None:
        path = f"/servers/{unit['server']}"
        self.call("DELETE", "compute", f"{path}/os-volume_attachments/{unit['volume']}")
        self.call("DELETE", "compute", f"{path}/os-interface/{unit['nic']}")
        self._poller.until("volumes", unit["volume"], lambda volume: volume["status"] == "available")
        self.call("DELETE", "compute", path)
        self.call("DELETE", "volume", f"/volumes/{unit['volume']}")
        self._poller.until("servers", unit["server"], None)
        for name in ("port", "nic"):
            self.call("DELETE", "network", f"/ports/{unit[name]}")
        self._poller.until("volumes", unit["volume"], None)

    def leave_nothing(self) -> None:
        """Delete what exists after a failure."""
        with self._poller:
            for unit in self._units:
                if "server" in unit:
                    self._try_delete("compute", f"/servers/{unit['server']}")
                    self._poller.until("servers", unit["server"], None)
                for name, service in (("volume", "volume"), ("port", "network"), ("nic", "network")):
                    if name in unit:
                        self._try_delete(service, f"/{'volumes' if name == 'volume' else 'ports'}/{unit[name]}")
        self._try_delete("network", f"/subnets/{self._subnet}")
        self._try_delete("network", f"/networks/{self._network}")
        self._try_delete("compute", "/os-keypairs/bench-bare")

    def _try_delete(self, service: str, path: str) -> None:
        with contextlib.suppress(RuntimeError):
            self.call("DELETE", service, path)

    def _wait_until_stable(self, unit: dict[str, str], status: str) -> None:
        def done(server: Document) -> bool:
            if server["status"] == "ERROR":
                raise RuntimeError(server.get("fault"))
            return bool(server["status"] == status and not server["OS-EXT-STS:task_state"])

        self._poller.until("servers", unit["server"], done)

    def _each(self, work: Callable[[dict[str, str]], None]) -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, self._units))

    def _timed(self, work: Callable[[], None]) -> Run:
        self._counted.clear()
        started, cpu = time.monotonic(), time.process_time()
        with self._poller:
            work()
        return Run(self._counted.copy(), time.monotonic() - started, time.process_time() - cpu)

    def call(self, method: str, service: str, path: str, body: Any = None) -> Any:
        """Send a request and return the body of the response."""
        response = self._http.request(method, self._urls[service] + path, json=body, timeout=300)
        if not response.ok:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text}")
        with self._counting:
            self._counted[method, path_template(response.request.path_url.partition("?")[0])] += 1
        return response.json() if response.content else None


class Poller:
    """A thread that lists servers and volumes while there are waits for them."""

    def __init__(self, loop: BareLoop) -> None:
        self._loop = loop
        self._changed = threading.Condition()
        self._waiting: Counter[str] = Counter()
        self._listed: dict[str, tuple[float, dict[str, Document]]] = {}
        self._stopped = False

    def __enter__(self) -> None:
        self._stopped = False
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._thread.join()

    def until(self, kind: str, id_: str, done: Callable[[Document], bool] | None) -> None:
        """Wait until `done` accepts the object, or, if `done` is None, until it does not exist."""
        started = time.monotonic()
        with self._changed:
            self._waiting[kind] += 1
            try:
                while True:
                    at, documents = self._listed.get(kind, (0.0, {}))
                    document = documents.get(id_)
                    if at > started and (document is None if done is None else document is not None and done(document)):
                        return
                    self._changed.wait()
            finally:
                self._waiting[kind] -= 1

    def _poll(self) -> None:
        while not self._stopped:
            for kind, service in (("servers", "compute"), ("volumes", "volume")):
                if self._waiting[kind]:
                    sent = time.monotonic()
                    try:
                        listed = self._loop.call("GET", service, f"/{kind}/detail")[kind]
                    except (RuntimeError, requests.RequestException):
                        continue  # the next poll may succeed
                    with self._changed:
                        self._listed[kind] = (sent, {item["id"]: item for item in listed})
                        self._changed.notify_all()
            time.sleep(POLL_INTERVAL)
