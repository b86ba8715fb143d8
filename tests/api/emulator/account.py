"""An account on the emulator, for tests that say each request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator import Emulator, ManualClock

DOMAIN = {"name": "Default"}
STEP = 0.2
PATIENCE = 200.0


def sign_in(cloud: Emulator, name: str = "demo", identity: dict[str, Any] | None = None) -> requests.Response:
    """The guide's token request, or one with other credentials."""
    user = {"name": name, "domain": DOMAIN, "password": f"{name}-secret"}
    who = identity or {"methods": ["password"], "password": {"user": user}}
    scope = {"project": {"name": name, "domain": DOMAIN}}
    return requests.post(f"{cloud.auth_url}/auth/tokens", json={"auth": {"identity": who, "scope": scope}}, timeout=10)


@dataclass
class Answer:
    """A status and a body."""

    status: int
    body: Any
    headers: Any

    @property
    def message(self) -> str:
        """The sentence of an error."""
        error = next(iter(self.body.values()))
        return str(error["message"])


class Account:
    """The project of a user (demo or admin) on an emulator whose clock the test moves."""

    def __init__(self, cloud: Emulator, clock: ManualClock, name: str = "demo") -> None:
        self.cloud = cloud
        self.clock = clock
        answer = sign_in(cloud, name)
        token = answer.json()["token"]
        self.project_id = token["project"]["id"]
        self.region = cloud.settings["region"]
        self.session = requests.Session()
        self.session.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A request to a path below the region: `/compute/v2.1/…`."""
        url = f"{self.cloud.url}/{self.region}{path}"
        reply = self.session.request(method, url, json=body, headers=headers, timeout=30)
        is_json = "json" in reply.headers.get("Content-Type", "") and reply.content
        return Answer(reply.status_code, reply.json() if is_json else reply.text, reply.headers)

    def nova(
        self, method: str, path: str, body: Any = None, *, version: str = "v2.1", micro: str = "", **headers: str
    ) -> Answer:
        """A request to Nova."""
        if micro:
            headers["OpenStack-API-Version"] = f"compute {micro}"
        return self.send(method, f"/compute/{version}/{self.project_id}{path}", body, **headers)

    def neutron(self, method: str, path: str, body: Any = None) -> Answer:
        """A request to Neutron."""
        return self.send(method, f"/network/v2.0{path}", body)

    def cinder(self, method: str, path: str, body: Any = None) -> Answer:
        """A request to Cinder."""
        return self.send(method, f"/volume/v3/{self.project_id}{path}", body)

    def network(self, name: str = "net", cidr: str = "10.1.0.0/24") -> str:
        """A network with a subnet."""
        network: str = self.neutron("POST", "/networks", {"network": {"name": name}}).body["network"]["id"]
        subnet = {"network_id": network, "cidr": cidr, "ip_version": 4}
        assert self.neutron("POST", "/subnets", {"subnet": subnet}).status == 201
        return network

    def image(self, like: str = "ebian") -> str:
        """The id of an image by a part of its name."""
        found = self.nova("GET", "/images").body["images"]
        return next(str(image["id"]) for image in found if like in image["name"])

    def flavor(self, name: str) -> str:
        """The id of a flavor."""
        found = self.nova("GET", "/flavors").body["flavors"]
        return next(str(flavor["id"]) for flavor in found if flavor["name"] == name)

    def body(self, name: str = "web", **fields: Any) -> dict[str, Any]:
        """The guide's create, with other fields where given; a field that is None is left out."""
        disk = {
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": 4,
            "uuid": self.image(),
            "boot_index": 0,
            "delete_on_termination": True,
        }
        small = "s3.large.2" if self.cloud.cloud.dialect.name == "otc" else "s1.small"
        server = {"name": name, "flavorRef": self.flavor(small), "block_device_mapping_v2": [disk]} | fields
        return {"server": {field: value for field, value in server.items() if value is not None}}

    def server(self, name: str = "web", **fields: Any) -> str:
        """A server that was just asked for."""
        answer = self.nova("POST", "/servers", self.body(name, **fields))
        assert answer.status == 202, answer.body
        return str(answer.body["server"]["id"])

    def active(self, name: str = "web", **fields: Any) -> str:
        """A server that runs."""
        server = self.server(name, **fields)
        self.until(server, "ACTIVE")
        return server

    def show(self, server: str, micro: str = "") -> dict[str, Any]:
        """The server's body; only its status, `gone`, where there is none."""
        answer = self.nova("GET", f"/servers/{server}", micro=micro)
        shown: dict[str, Any] = answer.body["server"] if answer.status == 200 else {"status": "gone"}
        return shown

    def act(self, server: str, name: str, arguments: Any = None) -> Answer:
        """An action."""
        return self.nova("POST", f"/servers/{server}/action", {name: arguments})

    def course(self, server: str) -> Iterator[dict[str, Any]]:
        """The server again and again, while time passes."""
        for _ in range(int(PATIENCE / STEP)):
            yield self.show(server)
            self.clock.advance(STEP)

    def until(self, server: str, status: str) -> list[tuple[str, str | None]]:
        """What status and task went through until the status, without a task, was reached."""
        seen: list[tuple[str, str | None]] = []
        for shown in self.course(server):
            now = (shown["status"], shown.get("OS-EXT-STS:task_state"))
            if not seen or seen[-1] != now:
                seen.append(now)
            if now == (status, None):
                return seen
        raise AssertionError(f"{server} never was {status}: {seen}")

    def volume_until(self, volume: str, status: str) -> list[str]:
        """What a volume's status went through."""
        seen: list[str] = []
        for _ in range(int(PATIENCE / STEP)):
            answer = self.cinder("GET", f"/volumes/{volume}")
            now = answer.body["volume"]["status"] if answer.status == 200 else "gone"
            if not seen or seen[-1] != now:
                seen.append(now)
            if now == status:
                return seen
            self.clock.advance(STEP)
        raise AssertionError(f"{volume} never was {status}: {seen}")
