"""Changes of the cloud by another client, and what the next preview has to show after a refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.walks import routing
from tests.walks.model import ByHand
from tests.walks.programs import dependents, find, of_kind

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping

    from openstack.connection import Connection

    from tests.walks.programs import Declaration, Program

MAX_POLLS = 60
INACTIVE = ("paused", "suspended", "shelved_offloaded", "shutoff")
COLLECTIONS = {
    "Network": ("network", "networks", "network"),
    "Subnet": ("network", "subnets", "subnet"),
    "Port": ("network", "ports", "port"),
    "SecurityGroup": ("network", "security-groups", "security_group"),
    "SecurityGroupRule": ("network", "security-group-rules", "security_group_rule"),
    "Router": ("network", "routers", "router"),
    "FloatingIp": ("network", "floatingips", "floatingip"),
    "Server": ("compute", "servers", "server"),
    "ServerGroup": ("compute", "os-server-groups", "server_group"),
    "KeyPair": ("compute", "os-keypairs", "keypair"),
    "Volume": ("block_storage", "volumes", "volume"),
}
"""The service, the path and the key in the body of each kind that is an object of its own."""
OTHER: dict[str, Any] = {
    "name": "by hand",
    "description": "by hand",
    "tags": ["by-hand"],
    "dns_nameservers": ["9.9.9.9"],
    "allowed_address_pairs": [{"ip_address": "10.99.0.99"}],
}
"""The values that another client sets."""
FLAGS = ("admin_state_up", "enable_dhcp")
WITHOUT_USERS = ("Network", "Subnet", "Router", "SecurityGroup", "Volume")
"""The kinds whose objects cannot be deleted while others use them."""


class Client:
    """Another client of the cloud.

    Args:
        connection: A connection of the OpenStack SDK.
        settle: Lets the time pass that services need for what they do in the background.
    """

    def __init__(self, connection: Connection, settle: Callable[[], None]) -> None:
        self._connection = connection
        self._settle = settle

    def apply(self, change: ByHand, program: Program, ids: Mapping[str, str]) -> None:
        """Change the cloud.

        Args:
            change: The change.
            program: What the stack has.
            ids: The ids of its objects, by the names of its resources.
        """
        declared = find(program, change.name)
        if change.action == "delete":
            self._delete(program, declared, ids)
        elif change.action == "stop":
            path = f"/servers/{ids[change.name]}"
            # A server whose program no longer sets `power_state` may be inactive, and Nova stops only an active one.
            if self._get("compute", path)["server"]["status"] == "ACTIVE":
                self._send("compute", "POST", f"{path}/action", {"os-stop": None})
                self._until(lambda: self._get("compute", path)["server"]["status"] == "SHUTOFF")
        elif change.action == "add rule":
            rule = {"security_group_id": ids[change.name], "direction": "ingress", "protocol": "sctp"}
            rule |= dict(change.values)
            self._send("network", "POST", "/security-group-rules", {"security_group_rule": rule})
        else:
            service, path, key = COLLECTIONS[declared.kind]
            for name, value in change.values:
                if name == "tags":
                    self._send(service, "PUT", f"/{path}/{ids[change.name]}/tags", {"tags": value})
                else:
                    self._send(service, "PUT", f"/{path}/{ids[change.name]}", {key: {name: value}})
        self._settle()

    def read(self, kind: str, id_: str) -> dict[str, Any] | None:
        """Return the object of a resource, as its API shows it; None if it does not exist."""
        service, path, key = COLLECTIONS[kind]
        found: dict[str, Any] | None = self._get(service, f"/{path}/{id_}")
        return found and found[key]

    def detach(self, server_id: str, port_id: str) -> None:
        """Detach a port from a server."""
        self._send("compute", "DELETE", f"/servers/{server_id}/os-interface/{port_id}")
        self._until(lambda: not (self._get("network", f"/ports/{port_id}") or {}).get("port", {}).get("device_id"))

    def _delete(self, program: Program, declared: Declaration, ids: Mapping[str, str]) -> None:
        id_ = ids[declared.name]
        first, _, second = id_.partition("/")
        if declared.kind == "VolumeAttachment":
            self._send("compute", "DELETE", f"/servers/{first}/os-volume_attachments/{second}")
            self._until(lambda: not self._get("block_storage", f"/volumes/{second}")["volume"]["attachments"])
        elif declared.kind == "InterfaceAttachment":
            self.detach(first, second)
        elif declared.kind == "FloatingIpAssociation":
            self._send("network", "PUT", f"/floatingips/{id_}", {"floatingip": {"port_id": None}})
        elif declared.kind == "RouterInterface":
            port = {"port_id": second}
            self._send("network", "PUT", f"/routers/{first}/remove_router_interface", port)
        elif declared.kind == "RouterRoute":
            router = ids[declared.inputs["router_id"].name]
            routes = self._get("network", f"/routers/{router}")["router"]["routes"]
            kept = [each for each in routes if each["destination"] != declared.inputs["destination"]]
            self._send("network", "PUT", f"/routers/{router}", {"router": {"routes": kept}})
        else:
            service, path, _ = COLLECTIONS[declared.kind]
            self._send(service, "DELETE", f"/{path}/{id_}")
            self._until(lambda: self._get(service, f"/{path}/{id_}") is None)

    def _until(self, done: Callable[[], bool]) -> None:
        for _ in range(MAX_POLLS):
            if done():
                return
            self._settle()
        raise AssertionError("the cloud does not finish the change by hand")

    def _get(self, service: str, path: str) -> Any:
        """Return an object; None if it does not exist."""
        response = getattr(self._connection, service).get(path, microversion=_microversion(service))
        if response.status_code == 404:
            return None
        assert response.ok, response.text
        return response.json()

    def _send(self, service: str, method: str, path: str, body: Any = None) -> None:
        client = getattr(self._connection, service)
        response = client.request(path, method, json=body, microversion=_microversion(service))
        assert response.ok, response.text


def _microversion(service: str) -> str | None:
    """Return a microversion that serves the description of a server and the policy of a group."""
    return "2.79" if service == "compute" else None


# ---------------------------------------------------------------- choose a change


def choose(program: Program, chance: random.Random) -> ByHand | None:
    """Return a random change that the cloud allows for what the stack has; None if the choice is not possible."""
    kinds = sorted({each.kind for each in program})
    declared = chance.choice(of_kind(program, chance.choice(kinds)))
    found = list(_possible(program, declared, chance))
    return chance.choice(found) if found else None


def _possible(program: Program, declared: Declaration, chance: random.Random) -> Iterator[ByHand]:
    if _is_deletable(program, declared):
        yield ByHand("delete", declared.name)
    if declared.kind == "Server" and declared.inputs.get("power_state") not in INACTIVE:
        yield ByHand("stop", declared.name)
    if declared.kind == "SecurityGroup":
        port = chance.randrange(9000, 9999)  # the cloud refuses an equal rule
        yield ByHand("add rule", declared.name, (("port_range_min", port), ("port_range_max", port)))
    if declared.kind not in COLLECTIONS:
        return
    values = {name: value for name, value in OTHER.items() if declared.inputs.get(name)}
    values |= {name: not declared.inputs[name] for name in FLAGS if name in declared.inputs}
    if declared.kind in ("KeyPair", "ServerGroup", "SecurityGroupRule"):
        values = {}
    if declared.kind == "Server":
        values.pop("tags", None)  # its API has another path
    if values:
        names = sorted(values)
        chosen = chance.sample(names, chance.randint(1, len(names)))
        yield ByHand("change", declared.name, tuple((name, values[name]) for name in sorted(chosen)))


def _is_deletable(program: Program, declared: Declaration) -> bool:
    users = dependents(program, declared.name) - {declared.name}
    if declared.kind in WITHOUT_USERS and users:
        return False
    # What the next `up` replaces must not be protected.
    if any(find(program, name).protect for name in users):
        return False
    servers = [find(program, ref) for ref in declared.refers_to() | users if find(program, ref).kind == "Server"]
    if declared.kind == "Port":
        servers += [each for each in of_kind(program, "Server") if declared.name in each.refers_to()]
        if any(declared.name in each.refers_to() for each in of_kind(program, "RouterInterface")):
            return False
    is_part = declared.kind in ("VolumeAttachment", "InterfaceAttachment", "Port")
    if is_part and any(each.inputs.get("power_state") in INACTIVE for each in servers):
        return False
    if declared.kind == "RouterInterface":
        needed = [routing.needed(program, each) for each in routing.users(program)]
        return routing.connection(program, declared) not in needed
    return True


def expected(program: Program, change: ByHand) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """Return what the preview after a refresh has to show.

    Args:
        program: What the stack has, which is also what the program declares.
        change: The change.

    Returns:
        The allowed steps of each resource that must change, and the names of those that may change.
    """
    declared = find(program, change.name)
    if change.action == "delete":
        # A NIC that owns its port is attached again.
        is_kept = declared.kind == "InterfaceAttachment" and "network_id" in declared.inputs
        may = dependents(program, change.name) | declared.refers_to()
        return {change.name: ("update", "replace") if is_kept else ("create",)}, may
    if change.action == "stop":
        is_declared = declared.inputs.get("power_state") == "active"
    elif change.action == "add rule":
        is_declared = "rules" in declared.inputs
    else:
        is_declared = any(name not in declared.ignored for name, _ in change.values)
    # The engine does not know the outputs of a resource that it will update.
    may = dependents(program, change.name) if is_declared else set()
    return ({change.name: ("update",)} if is_declared else {}), may
