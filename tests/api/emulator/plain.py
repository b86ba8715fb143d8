"""A client that hides nothing: plain requests to the emulator or to the cloud of OS_CLOUD, which must answer alike."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import openstack.config
import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

NOWHERE = "11111111-2222-3333-4444-555555555555"
COLLECTIONS = (
    *("ports", "subnets", "subnetpools", "networks", "security-groups"),
    *("snapshots", "volumes"),
)
"""What is cleared away after a test, in this order."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, type and message of a refusal by Neutron; status, name and message of one by Cinder."""
        name, error = next(iter(self.body.items()))
        return self.status, error.get("type", name), error["message"]


class Plain:
    """One account's way to Neutron and Cinder, which remembers what it made.

    Args:
        live: whether the cloud is a real one.
        settings: how openstack.config finds it; nothing for what the environment says.
    """

    def __init__(self, *, live: bool, **settings: Any) -> None:
        self.live = live
        config = openstack.config.OpenStackConfig(load_envvars=live, load_yaml_config=live)
        cloud = config.get_one(**settings)
        session = cloud.get_session()
        self.token = session.get_token()
        self.project_id = session.get_project_id()
        self.network_url = f"{session.get_endpoint(service_type='network', interface='public')}/v2.0"
        self.volume_url = str(session.get_endpoint(service_type="block-storage", interface="public"))
        self.image_url = str(session.get_endpoint(service_type="image", interface="public"))
        self.prefix = f"plain-{uuid.uuid4().hex[:6]}"
        self._http = requests.Session()
        self._made: list[tuple[str, str, str]] = []

    def send(self, method: str, url: str, body: Any = None, **headers: str) -> Answer:
        """Send one request."""
        reply = self._http.request(method, url, json=body, headers={"X-Auth-Token": self.token, **headers}, timeout=60)
        is_json = "json" in reply.headers.get("Content-Type", "") and reply.content
        return Answer(reply.status_code, reply.json() if is_json else reply.text, reply.headers)

    def network(self, method: str, path: str, body: Any = None) -> Answer:
        """Ask Neutron."""
        return self._noted(self.network_url, path, self.send(method, self.network_url + path, body), method)

    def volume(self, method: str, path: str, body: Any = None, *, version: str = "3.0") -> Answer:
        """Ask Cinder, in a microversion."""
        headers = {"OpenStack-API-Version": f"volume {version}"}
        answer = self.send(method, self.volume_url + path, body, **headers)
        return self._noted(self.volume_url, path, answer, method)

    def _noted(self, root: str, path: str, answer: Answer, method: str) -> Answer:
        collection = path.strip("/")
        if method == "POST" and answer.status in (201, 202) and collection in COLLECTIONS:
            inner = next(iter(answer.body.values()))
            self._made.append((collection, root, inner["id"]))
        return answer

    def made(self, path: str, **values: Any) -> dict[str, Any]:
        """Make something and return it: `made("/networks", name=…)`."""
        singular = path.strip("/").removesuffix("s").replace("-", "_")
        cinder = singular in ("volume", "snapshot")
        answer = (self.volume if cinder else self.network)("POST", path, {singular: values})
        assert answer.status in (201, 202), answer.body
        inner: dict[str, Any] = answer.body[singular]
        return inner

    def until(self, path: str, *statuses: str) -> dict[str, Any]:
        """Poll until the status is one of these (`gone` is a 404)."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = self.volume("GET", path)
            found: dict[str, Any] = {} if answer.status == 404 else next(iter(answer.body.values()))
            if found.get("status", "gone") in statuses:
                return found
            time.sleep(0.2 if self.live else 0.002)
        raise AssertionError(f"{path} is {found.get('status')} and not {statuses}")

    def clear(self) -> None:
        """Delete what was made."""
        for collection in COLLECTIONS:
            for made, root, id_ in reversed(self._made):
                if made != collection:
                    continue
                if made in ("volumes", "snapshots"):
                    settled = ("gone", "available", "error", "error_extending")
                    self.until(f"/{made}/{id_}", *settled)
                self.send("DELETE", f"{root}/{made}/{id_}")
                if made == "snapshots":
                    self.until(f"/{made}/{id_}", "gone")
        self._made.clear()
