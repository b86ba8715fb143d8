"""A client without abstractions, for tests that run on the emulator and on the cloud of OS_CLOUD alike."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import openstack.config
import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

MISSING_ID = "11111111-2222-3333-4444-555555555555"
COLLECTIONS = (
    *("floatingips", "routers", "ports", "subnets", "subnetpools", "networks", "security-groups"),
    "address-groups",
    *("snapshots", "volumes"),
)
"""The collections that are cleaned up after a test, in order of deletion."""


@dataclass(frozen=True)
class Response:
    """A response: status, parsed body and headers."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @classmethod
    def of(cls, reply: requests.Response) -> Response:
        """Parse a response."""
        is_json = "json" in reply.headers.get("Content-Type", "") and reply.content
        return cls(reply.status_code, reply.json() if is_json else reply.text, reply.headers)

    @property
    def message(self) -> str:
        """The message of an error."""
        return str(next(iter(self.body.values()))["message"])

    @property
    def error(self) -> str:
        """Status, type and message of an error: `404 NetworkNotFound: Network … could not be found.`."""
        name, error = next(iter(self.body.items()))
        return f"{self.status} {error.get('type', name)}: {error['message']}"


class PlainClient:
    """A client of one account for Neutron and Cinder, which records the objects it creates.

    Args:
        live: whether the cloud is a real one.
        settings: the arguments of `OpenStackConfig.get_one`; without any, the environment selects the cloud.
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
        self._created: list[tuple[str, str, str]] = []

    def send(self, method: str, url: str, body: Any = None, **headers: str) -> Response:
        """Send one request."""
        sent = {"X-Auth-Token": self.token, **headers}
        return Response.of(self._http.request(method, url, json=body, headers=sent, timeout=60))

    def network(self, method: str, path: str, body: Any = None) -> Response:
        """Send a request to Neutron."""
        return self._track(self.network_url, path, self.send(method, self.network_url + path, body), method)

    def volume(self, method: str, path: str, body: Any = None, *, version: str = "3.0") -> Response:
        """Send a request to Cinder with a microversion."""
        headers = {"OpenStack-API-Version": f"volume {version}"}
        response = self.send(method, self.volume_url + path, body, **headers)
        return self._track(self.volume_url, path, response, method)

    def _track(self, root: str, path: str, response: Response, method: str) -> Response:
        collection = path.strip("/")
        if method == "POST" and response.status in (201, 202) and collection in COLLECTIONS:
            body = next(iter(response.body.values()))
            self._created.append((collection, root, body["id"]))
        return response

    def create(self, path: str, **values: Any) -> dict[str, Any]:
        """Create an object and return it: `create("/networks", name=…)`."""
        singular = path.strip("/").removesuffix("s").replace("-", "_")
        cinder = singular in ("volume", "snapshot")
        response = (self.volume if cinder else self.network)("POST", path, {singular: values})
        assert response.status in (201, 202), response.body
        body: dict[str, Any] = response.body[singular]
        return body

    def wait_for(self, path: str, *statuses: str) -> dict[str, Any]:
        """Poll until the status is one of these (`gone` stands for 404)."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            response = self.volume("GET", path)
            found: dict[str, Any] = {} if response.status == 404 else next(iter(response.body.values()))
            if found.get("status", "gone") in statuses:
                return found
            time.sleep(0.2 if self.live else 0.002)
        raise AssertionError(f"{path} is {found.get('status')} and not {statuses}")

    def _disconnect(self, router: str) -> None:
        """Remove the routes and interfaces of a router."""
        self.network("PUT", f"/routers/{router}", {"router": {"routes": []}})
        query = f"device_id={router}&device_owner=network:router_interface"
        for port in self.network("GET", f"/ports?{query}").body["ports"]:
            self.network("PUT", f"/routers/{router}/remove_router_interface", {"port_id": port["id"]})

    def clear(self) -> None:
        """Delete the objects that this client created."""
        for collection in COLLECTIONS:
            for created, root, id_ in reversed(self._created):
                if created != collection:
                    continue
                if created in ("volumes", "snapshots"):
                    final_statuses = ("gone", "available", "error", "error_extending")
                    self.wait_for(f"/{created}/{id_}", *final_statuses)
                if created == "routers":
                    self._disconnect(id_)
                self.send("DELETE", f"{root}/{created}/{id_}")
                if created == "snapshots":
                    self.wait_for(f"/{created}/{id_}", "gone")
        self._created.clear()
