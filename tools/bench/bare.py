"""The same work as a script would do it: plain requests, one poller, no engine. What it takes is the floor in time."""

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

POLLED_EVERY = 0.25
AT_A_TIME = 10


class BareLoop:
    """Units of the program, made and changed by hand."""

    def __init__(self, place: Place, units: int) -> None:
        """Log in.

        Args:
            place: The cloud.
            units: How many.
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
        """Make all units."""

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
        self._rests(unit, "ACTIVE")
        path = f"/servers/{unit['server']}"
        self.call("POST", "compute", f"{path}/os-interface", {"interfaceAttachment": {"port_id": unit["nic"]}})
        disk = {"volumeAttachment": {"volumeId": unit["volume"]}}
        self.call("POST", "compute", f"{path}/os-volume_attachments", disk)
        self._poller.until("volumes", unit["volume"], lambda volume: volume["status"] == "in-use")

    def resize(self) -> Run:
        """Give all servers another flavor, each stopped before and started again."""
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
            self._rests(unit, status)

    def destroy(self) -> Run:
        """Take everything down."""

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
        """Take down what there is after a failure."""
        with self._poller:
            for unit in self._units:
                if "server" in unit:
                    self._forget("compute", f"/servers/{unit['server']}")
                    self._poller.until("servers", unit["server"], None)
                for name, service in (("volume", "volume"), ("port", "network"), ("nic", "network")):
                    if name in unit:
                        self._forget(service, f"/{'volumes' if name == 'volume' else 'ports'}/{unit[name]}")
        self._forget("network", f"/subnets/{self._subnet}")
        self._forget("network", f"/networks/{self._network}")
        self._forget("compute", "/os-keypairs/bench-bare")

    def _forget(self, service: str, path: str) -> None:
        with contextlib.suppress(RuntimeError):
            self.call("DELETE", service, path)

    def _rests(self, unit: dict[str, str], status: str) -> None:
        def done(server: Document) -> bool:
            if server["status"] == "ERROR":
                raise RuntimeError(server.get("fault"))
            return bool(server["status"] == status and not server["OS-EXT-STS:task_state"])

        self._poller.until("servers", unit["server"], done)

    def _each(self, work: Callable[[dict[str, str]], None]) -> None:
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(work, self._units))

    def _timed(self, work: Callable[[], None]) -> Run:
        self._counted.clear()
        began, cpu = time.monotonic(), time.process_time()
        with self._poller:
            work()
        return Run(self._counted.copy(), time.monotonic() - began, time.process_time() - cpu)

    def call(self, method: str, service: str, path: str, body: Any = None) -> Any:
        """Send a request and return the answer's body."""
        answer = self._http.request(method, self._urls[service] + path, json=body, timeout=300)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        with self._counting:
            self._counted[method, path_template(answer.request.path_url.partition("?")[0])] += 1
        return answer.json() if answer.content else None


class Poller:
    """One thread that lists servers and volumes while somebody waits for one."""

    def __init__(self, loop: BareLoop) -> None:
        self._loop = loop
        self._changed = threading.Condition()
        self._awaited: Counter[str] = Counter()
        self._seen: dict[str, tuple[float, dict[str, Document]]] = {}
        self._over = False

    def __enter__(self) -> None:
        self._over = False
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()

    def until(self, kind: str, id_: str, done: Callable[[Document], bool] | None) -> None:
        """Wait until an object is as wanted, or, where `done` is None, gone."""
        began = time.monotonic()
        with self._changed:
            self._awaited[kind] += 1
            try:
                while True:
                    at, documents = self._seen.get(kind, (0.0, {}))
                    document = documents.get(id_)
                    if at > began and (document is None if done is None else document is not None and done(document)):
                        return
                    self._changed.wait()
            finally:
                self._awaited[kind] -= 1

    def _poll(self) -> None:
        while not self._over:
            for kind, service in (("servers", "compute"), ("volumes", "volume")):
                if self._awaited[kind]:
                    asked = time.monotonic()
                    try:
                        listed = self._loop.call("GET", service, f"/{kind}/detail")[kind]
                    except (RuntimeError, requests.RequestException):
                        continue  # the next one may be answered
                    with self._changed:
                        self._seen[kind] = (asked, {item["id"]: item for item in listed})
                        self._changed.notify_all()
            time.sleep(POLLED_EVERY)
