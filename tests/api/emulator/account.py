"""An account on the emulator, for tests that send individual requests."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.plain import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator.dialects import DialectName

STEP = 0.2
TIMEOUT = 200.0


def sign_in(
    cloud: Emulator,
    name: str = "demo",
    identity: dict[str, Any] | None = None,
    scope: dict[str, Any] | None = None,
) -> requests.Response:
    """Request a token with the password of the user, or with other credentials, for its project or another scope."""
    body = sign_in_body(cloud, name, identity, scope)
    return requests.post(f"{cloud.auth_url}/auth/tokens", json=body, timeout=10)


def sign_in_body(
    cloud: Emulator,
    name: str = "demo",
    identity: dict[str, Any] | None = None,
    scope: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the body of a request for a token; an empty scope is omitted."""
    settings = cloud.settings_of(name)
    user = {"name": name, "domain": {"name": settings["userDomainName"]}, "password": settings["password"]}
    credentials = identity or {"methods": ["password"], "password": {"user": user}}
    if scope is None:
        scope = {"project": {"name": settings["projectName"], "domain": {"name": settings["projectDomainName"]}}}
    return {"auth": {"identity": credentials, **({"scope": scope} if scope else {})}}


class Account:
    """The project of a user (`demo` or `admin`) on an emulator with a manual clock."""

    def __init__(self, cloud: Emulator, clock: ManualClock, name: str = "demo", region: str | None = None) -> None:
        self.cloud = cloud
        self.clock = clock
        response = sign_in(cloud, name, scope={"project": {"name": region}} if region else None)
        token = response.json()["token"]
        self.project_id = token["project"]["id"]
        self.region = region or cloud.settings["region"]
        self.session = requests.Session()
        self.session.headers["X-Auth-Token"] = response.headers["X-Subject-Token"]

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """Send a request to a path below the region, such as `/compute/v2.1/…`."""
        url = f"{self.cloud.url}/{self.region}{path}"
        return Response.of(self.session.request(method, url, json=body, headers=headers, timeout=30))

    def nova(
        self, method: str, path: str, body: Any = None, *, version: str = "v2.1", microversion: str = "", **headers: str
    ) -> Response:
        """Send a request to Nova."""
        if microversion:
            headers["OpenStack-API-Version"] = f"compute {microversion}"
        return self.send(method, f"/compute/{version}/{self.project_id}{path}", body, **headers)

    def neutron(self, method: str, path: str, body: Any = None) -> Response:
        """Send a request to Neutron."""
        return self.send(method, f"/network/v2.0{path}", body)

    def cinder(self, method: str, path: str, body: Any = None) -> Response:
        """Send a request to Cinder."""
        return self.send(method, f"/volume/v3/{self.project_id}{path}", body)

    def network(self, name: str = "net", cidr: str = "10.1.0.0/24") -> str:
        """Create a network with a subnet and return its id."""
        network: str = self.neutron("POST", "/networks", {"network": {"name": name}}).body["network"]["id"]
        subnet = {"network_id": network, "cidr": cidr, "ip_version": 4}
        assert self.neutron("POST", "/subnets", {"subnet": subnet}).status == 201
        return network

    def router(self, network: str, name: str = "router") -> str:
        """Connect a network to the external network with a new router, and return the id of the router."""
        external = self.external_network()
        gateway = {"name": name, "external_gateway_info": {"network_id": external}}
        router: str = self.neutron("POST", "/routers", {"router": gateway}).body["router"]["id"]
        (subnet,) = self.neutron("GET", f"/subnets?network_id={network}").body["subnets"]
        added = self.neutron("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet["id"]})
        assert added.status == 200, added.body
        return router

    def floating_ip(self, server: str | None = None) -> dict[str, Any]:
        """Create a floating IP, which leads to the first port of the server if one is given, and return it."""
        ports = self.neutron("GET", f"/ports?device_id={server}").body["ports"] if server else [{"id": None}]
        body = {"floating_network_id": self.external_network(), "port_id": ports[0]["id"]}
        created = self.neutron("POST", "/floatingips", {"floatingip": body})
        assert created.status == 201, created.body
        floating_ip: dict[str, Any] = created.body["floatingip"]
        return floating_ip

    def external_network(self) -> str:
        """Return the id of the external network."""
        found = self.neutron("GET", "/networks?router:external=true").body["networks"]
        return str(found[0]["id"])

    def empty_volume(self, **fields: Any) -> dict[str, Any]:
        """Return a create request for an empty volume of the size and in the zone that each dialect allows."""
        zone = self.cloud.cloud.dialect.regions[self.region][0]
        return {"volume": {"size": 10, "availability_zone": zone, **fields}}

    def image(self, text: str = "ebian") -> str:
        """Return the id of the image whose name contains the text."""
        found = self.nova("GET", "/images/detail").body["images"]
        return next(str(image["id"]) for image in found if text in image["name"])

    def flavor(self, name: str) -> str:
        """Return the id of the flavor with this name."""
        found = self.nova("GET", "/flavors").body["flavors"]
        return next(str(flavor["id"]) for flavor in found if flavor["name"] == name)

    def body(self, name: str = "web", **fields: Any) -> dict[str, Any]:
        """Return a create request for a server that boots from a new volume.

        The fields replace or extend the defaults; a field that is None is omitted.
        """
        disk = {
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": 4,
            "uuid": self.image(),
            "boot_index": 0,
            "delete_on_termination": True,
        }
        flavor_name = "s3.large.2" if self.cloud.cloud.dialect.name == "otc" else "s1.small"
        server = {"name": name, "flavorRef": self.flavor(flavor_name), "block_device_mapping_v2": [disk]} | fields
        return {"server": {field: value for field, value in server.items() if value is not None}}

    def server(self, name: str = "web", **fields: Any) -> str:
        """Create a server and return its id, without waiting for the build."""
        response = self.nova("POST", "/servers", self.body(name, **fields))
        assert response.status == 202, response.body
        return str(response.body["server"]["id"])

    def active(self, name: str = "web", **fields: Any) -> str:
        """Create a server, wait until it is ACTIVE and return its id."""
        server = self.server(name, **fields)
        self.wait_for(server, "ACTIVE")
        return server

    def show(self, server: str, microversion: str = "") -> dict[str, Any]:
        """Return the server; `{"status": "gone"}` if it does not exist."""
        response = self.nova("GET", f"/servers/{server}", microversion=microversion)
        server_body: dict[str, Any] = response.body["server"] if response.status == 200 else {"status": "gone"}
        return server_body

    def act(self, server: str, name: str, arguments: Any = None) -> Response:
        """Send a server action."""
        return self.nova("POST", f"/servers/{server}/action", {name: arguments})

    def poll(self, server: str) -> Iterator[dict[str, Any]]:
        """Yield the server repeatedly and advance the clock between the requests."""
        for _ in range(int(TIMEOUT / STEP)):
            yield self.show(server)
            self.clock.advance(STEP)

    def wait_for(self, server: str, status: str) -> list[tuple[str, str | None]]:
        """Wait until the server has the status and no task; return the pairs of status and task on the way."""
        history: list[tuple[str, str | None]] = []
        for server_body in self.poll(server):
            current = (server_body["status"], server_body.get("OS-EXT-STS:task_state"))
            if not history or history[-1] != current:
                history.append(current)
            if current == (status, None):
                return history
        raise AssertionError(f"{server} did not reach {status}: {history}")

    def wait_for_volume(self, volume: str, status: str) -> list[str]:
        """Wait until the volume has the status (`gone` if deleted); return the statuses on the way."""
        history: list[str] = []
        for _ in range(int(TIMEOUT / STEP)):
            response = self.cinder("GET", f"/volumes/{volume}")
            current = response.body["volume"]["status"] if response.status == 200 else "gone"
            if not history or history[-1] != current:
                history.append(current)
            if current == status:
                return history
            self.clock.advance(STEP)
        raise AssertionError(f"{volume} did not reach {status}: {history}")


@contextmanager
def signed_in(dialect: DialectName = "otc", **rules: str) -> Iterator[Account]:
    """Return an account of a new emulator with a manual clock.

    Args:
        dialect: The dialect of the emulator.
        rules: Changes of the dialect's rules.
    """
    clock = ManualClock()
    with Emulator(dialect=dialect, clock=clock, rules=rules) as cloud:
        yield Account(cloud, clock)
