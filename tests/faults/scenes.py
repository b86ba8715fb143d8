"""Every operation of every kind: the prior program, and the program of the operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.faults.world import EmulatedWorld

Inputs = Mapping[str, Any]
Program = Callable[[EmulatedWorld], Inputs]

NAMED = ("Network-create-named-otc",)
"""Scenes whose objects have only a name of the program, in a cloud without descriptions.

Nothing shows whether another client has created them. After a lost response, the error says which object it may be;
after a kill, the next `up` does, if the state has a pending operation.
"""
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"
PASSWORD, USER_DATA = "Quite-5ecret", "#cloud-config: hush-hush"
SSH = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "remote_ip_prefix": "10.0.0.0/8"}
WEB = {"direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 443}
MEMBERS = {"direction": "ingress", "remote_group_id": "self"}
ALL_OUT = {"direction": "egress", "ethertype": "IPv6"}
OTHER_IMAGE = {"openstack": "debian-peer", "otc": "Standard_Ubuntu_24.04_latest"}


@dataclass(frozen=True)
class Scene:
    """One operation.

    Attributes:
        kind: The kind of the resource.
        name: The name of the operation, for the test id.
        before: The prior inputs; None if the object does not exist yet.
        after: The desired inputs; None for a destroy, `before` itself for a refresh.
        dialect: The dialect of the cloud; `old` is an OpenStack whose Nova API is used without microversions.
        cold: Whether the operation is the first of its process, which has no token yet.
        resource: The name of the resource.
    """

    kind: str
    name: str
    before: Program | None
    after: Program | None
    dialect: Literal["otc", "openstack", "old"] = "openstack"
    cold: bool = False
    resource: str = "it"

    @property
    def id(self) -> str:
        """The test id."""
        return f"{self.kind}-{self.name}" + ("" if self.dialect == "openstack" else f"-{self.dialect}")

    @property
    def refreshes(self) -> bool:
        """Whether the operation is a refresh."""
        return self.after is not None and self.after is self.before


def _life(
    kind: str,
    program: Program,
    *updates: tuple[str, Mapping[str, Any]],
    cold: bool = False,
) -> list[Scene]:
    """Return scenes for create, each update, refresh and destroy."""

    def updated(more: Mapping[str, Any]) -> Program:
        return lambda world: {**program(world), **{key: _resolve(world, value) for key, value in more.items()}}

    return [
        Scene(kind, "create", None, program, cold=cold),
        *(Scene(kind, name, program, updated(more)) for name, more in updates),
        Scene(kind, "refresh", program, program),
        Scene(kind, "destroy", program, None),
    ]


def _resolve(world: EmulatedWorld, value: Any) -> Any:
    return value(world) if callable(value) else value


def _server(world: EmulatedWorld) -> Inputs:
    return {
        **world.server(),
        "networks": [{"port_id": world.base["port"]}],
        "admin_pass": PASSWORD,
        "user_data": USER_DATA,
        "metadata": {"a": "1"},
        "tags": ["one"],
    }


def _plain_server(world: EmulatedWorld) -> Inputs:
    return {**world.server(), "networks": [{"port_id": world.base["port"]}], "metadata": {"a": "1"}}


def _route(world: EmulatedWorld) -> Inputs:
    return {"router_id": world.base["router"], "destination": "192.168.9.0/24", "nexthop": "10.9.0.5"}


def _interface(world: EmulatedWorld) -> Inputs:
    return {"router_id": world.base["router"], "subnet_id": world.base["sub"]}


def _with_power_state(power_state: str) -> Program:
    return lambda world: {**_plain_server(world), "power_state": power_state}


_ROOT = {
    "source_type": "image",
    "destination_type": "volume",
    "boot_index": 0,
    "volume_size": 1,
    "delete_on_termination": True,
}

_DATA = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "delete_on_termination": True}

ON_OPENSTACK = [
    *_life(
        "KeyPair",
        lambda _: {},
        cold=True,
    ),
    Scene("KeyPair", "import", None, lambda _: {"name": "known", "public_key": PUBLIC_KEY}),
    Scene("KeyPair", "replace", lambda _: {"name": "known"}, lambda _: {"name": "known", "public_key": PUBLIC_KEY}),
    *_life("ServerGroup", lambda _: {"policy": "anti-affinity", "max_server_per_host": 2}),
    Scene("ServerGroup", "create-named", None, lambda _: {"name": "chosen", "policy": "affinity"}),
    Scene("ServerGroup", "create", None, lambda _: {"policy": "anti-affinity"}, dialect="old"),
    *_life(
        "Network",
        lambda _: {"tags": ["one"]},
        ("update", {"name": "other", "description": "mine", "tags": ["two"]}),
    ),
    Scene("Network", "create-named-and-described", None, lambda _: {"name": "chosen", "description": "mine"}),
    Scene("Network", "adopt", None, lambda world: {"adopt": world.base["spare"], "name": "other", "tags": ["one"]}),
    *_life(
        "Subnet",
        lambda world: {"network_id": world.base["net"], "cidr": "10.8.0.0/24", "tags": ["one"]},
        ("update", {"name": "other", "dns_nameservers": ["8.8.8.8"], "no_gateway": True, "tags": []}),
    ),
    *_life(
        "Port",
        lambda world: {"network_id": world.base["net"], "tags": ["one"]},
        ("update", {"name": "other", "admin_state_up": False, "security_group_ids": [], "tags": ["two"]}),
    ),
    *_life(
        "SecurityGroup",
        lambda _: {"tags": ["one"], "rules": [SSH, ALL_OUT]},
        ("update", {"name": "other", "description": "mine", "tags": ["two"]}),
        ("rules", {"rules": [{**SSH, "description": "admins"}, MEMBERS, WEB]}),
    ),
    Scene("SecurityGroup", "create-described", None, lambda _: {"description": "mine"}),
    Scene("SecurityGroup", "create-named-and-described", None, lambda _: {"name": "chosen", "description": "mine"}),
    Scene("SecurityGroup", "adopt", None, lambda world: {"adopt": world.base["spare-group"], "rules": [SSH]}),
    *_life("SecurityGroupRule", lambda world: {"security_group_id": world.base["group"], **SSH}),
    Scene(
        "SecurityGroupRule",
        "create-described",
        None,
        lambda world: {"security_group_id": world.base["group"], **SSH, "description": "mine"},
    ),
    Scene(
        "SecurityGroupRule",
        "redescribe",
        lambda world: {"security_group_id": world.base["group"], **SSH, "description": "one"},
        lambda world: {"security_group_id": world.base["group"], **SSH, "description": "two"},
    ),
    *_life(
        "Router",
        lambda world: {"external_network": world.external_network, "tags": ["one"]},
        ("update", {"name": "other", "description": "mine", "tags": ["two"]}),
        ("disconnect", {"external_network": ""}),
    ),
    Scene("Router", "create-described", None, lambda _: {"description": "mine"}),
    Scene("Router", "adopt", None, lambda world: {"adopt": world.base["other-router"], "name": "other"}),
    *_life("RouterInterface", _interface),
    Scene(
        "RouterInterface",
        "create-by-port",
        None,
        lambda world: {"router_id": world.base["router"], "port_id": world.base["nic"]},
    ),
    Scene(
        "RouterInterface",
        "replace",
        lambda world: {"router_id": world.base["router"], "subnet_id": world.base["sub"]},
        lambda world: {"router_id": world.base["other-router"], "subnet_id": world.base["sub"]},
    ),
    *_life("RouterRoute", _route),
    *_life(
        "FloatingIp",
        lambda world: {"external_network": world.external_network, "port_id": world.base["published"], "tags": ["one"]},
        ("update", {"description": "mine", "tags": ["two"]}),
        ("move", {"port_id": lambda world: world.base["other-published"]}),
        ("release", {"port_id": ""}),
    ),
    Scene(
        "FloatingIp",
        "create-described",
        None,
        lambda world: {"external_network": world.external_network, "description": "mine"},
    ),
    *_life(
        "FloatingIpAssociation",
        lambda world: {"floating_ip_id": world.base["address"], "port_id": world.base["published"]},
        ("move", {"port_id": lambda world: world.base["other-published"]}),
    ),
    Scene(
        "FloatingIpAssociation",
        "replace",
        lambda world: {"floating_ip_id": world.base["address"], "port_id": world.base["published"]},
        lambda world: {"floating_ip_id": world.base["other-address"], "port_id": world.base["published"]},
    ),
    *_life(
        "Volume",
        lambda _: {"size": 1},
        ("rename", {"name": "other", "metadata": {"a": "1"}}),
        ("extend", {"size": 2}),
        ("retype", {"volume_type": "SSD"}),
        ("protect", {"read_only": True}),
    ),
    Scene("Volume", "create-read-only", None, lambda _: {"size": 1, "read_only": True, "image": "cirros-peer"}),
    Scene("Network", "create-described", None, lambda _: {"description": "mine"}),
    Scene(
        "Subnet",
        "create-described",
        None,
        lambda world: {"network_id": world.base["net"], "cidr": "10.8.0.0/24", "description": "mine"},
    ),
    Scene("Port", "create-described", None, lambda w: {"network_id": w.base["net"], "description": "mine"}),
    Scene("Volume", "create-described", None, lambda _: {"size": 1, "name": "disk", "description": "mine"}),
    Scene("Volume", "adopt", None, lambda world: {"adopt": world.base["disk"], "size": 2}),
    *_life("VolumeAttachment", lambda world: {"server_id": world.base["server"], "volume_id": world.base["disk"]}),
    Scene(
        "VolumeAttachment",
        "replace",
        lambda world: {"server_id": world.base["server"], "volume_id": world.base["disk"]},
        lambda world: {"server_id": world.base["other"], "volume_id": world.base["disk"]},
    ),
    *_life("InterfaceAttachment", lambda world: {"server_id": world.base["server"], "port_id": world.base["nic"]}),
    Scene(
        "InterfaceAttachment",
        "create-by-network",
        None,
        lambda world: {"server_id": world.base["server"], "network_id": world.base["net"]},
    ),
    Scene(
        "InterfaceAttachment",
        "replace",
        lambda world: {"server_id": world.base["server"], "port_id": world.base["nic"]},
        lambda world: {"server_id": world.base["other"], "port_id": world.base["nic"]},
    ),
    *_life(
        "Server",
        _server,
        ("rename", {"name": "other", "description": "mine", "metadata": {"b": "2"}, "tags": ["two"]}),
        ("resize", {"flavor": "s1.medium"}),
        ("resize-running", {"flavor": "s1.medium", "stop_before_resize": False}),
        ("stop", {"power_state": "shutoff"}),
        ("pause", {"power_state": "paused"}),
        ("suspend", {"power_state": "suspended"}),
        ("shelve", {"power_state": "shelved_offloaded"}),
        ("groups", {"networks": lambda world: [{"network_id": world.base["net"]}], "security_groups": []}),
        ("rewire", {"networks": lambda world: [{"port_id": world.base["nic"]}]}),
        ("password", {"admin_pass": "Another-5ecret"}),
        ("rebuild", {"image": "debian-peer", "image_policy": "rebuild"}),
    ),
    Scene("Server", "start", _with_power_state("shutoff"), _with_power_state("active")),
    Scene("Server", "unshelve", _with_power_state("shelved_offloaded"), _with_power_state("active")),
    Scene(
        "Server",
        "resize-stopped",
        _with_power_state("shutoff"),
        lambda world: {**_with_power_state("shutoff")(world), "flavor": "s1.medium"},
    ),
    Scene(
        "Server",
        "resize-paused",
        _with_power_state("paused"),
        lambda world: {**_with_power_state("paused")(world), "flavor": "s1.medium"},
    ),
    # In these scenes the program does not set `power_state`, so only the update knows to which one to return.
    Scene(
        "Server",
        "resize-suspended",
        _with_power_state("suspended"),
        lambda world: {**_plain_server(world), "flavor": "s1.medium"},
    ),
    Scene(
        "Server",
        "password-stopped",
        _with_power_state("shutoff"),
        lambda world: {**_plain_server(world), "admin_pass": "Another-5ecret"},
    ),
    Scene("Server", "adopt", None, lambda world: {"adopt": world.base["server"], **world.server(), "name": "other"}),
    Scene("Server", "replace", _plain_server, lambda world: {**_plain_server(world), "image": "debian-peer"}),
    Scene("Server", "create-from-volume", None, lambda world: {**_plain_server(world), "block_devices": [_ROOT]}),
    Scene("Server", "create-described", None, lambda w: {**_plain_server(w), "name": "web", "description": "mine"}),
    Scene("Server", "create-stopped", None, lambda world: {**_plain_server(world), "power_state": "shutoff"}),
    Scene("Server", "destroy-stopped", lambda world: {**_server(world), "stop_before_delete": True}, None),
    Scene("Server", "destroy-by-force", lambda world: {**_server(world), "force_delete": True}, None),
    Scene("Server", "create-diskless", None, lambda world: {**_plain_server(world), "flavor": "s1.diskless"}),
    Scene("Server", "create", None, _plain_server, dialect="old", cold=True),
]


def _on_otc(kind: str, name: str, before: Program | None, after: Program | None, **options: Any) -> Scene:
    return Scene(kind, name, before, after, dialect="otc", **options)


def _subnet(cidr: str) -> Program:
    return lambda world: {"network_id": world.base["spare"], "cidr": cidr}


def _of_image(world: EmulatedWorld) -> Inputs:
    # The next run deletes what a killed one has created; an Open Telekom Cloud deletes the port of a server with it.
    server = {name: value for name, value in _plain_server(world).items() if name != "block_devices"}
    return {**server, "networks": [{"network_id": world.base["net"]}]}


def _second_nic_with_port(world: EmulatedWorld) -> Inputs:
    networks = [{"network_id": world.base["net"]}, {"port_id": world.base["nic"]}]
    return {**world.server(), "networks": networks}


def _attached(name: str, value: str) -> Program:
    return lambda world: {"server_id": world.base["server"], name: world.base[value]}


ON_OTC = [
    # Objects without a description, in which an owner marker would be.
    _on_otc("Network", "create", None, lambda _: {}),
    _on_otc("Network", "create-named", None, lambda _: {"name": "chosen"}),
    _on_otc("Subnet", "create", None, _subnet("10.8.0.0/24")),
    _on_otc("Port", "create", None, lambda world: {"network_id": world.base["net"]}),
    _on_otc("Router", "create", None, lambda _: {}),
    _on_otc(
        "FloatingIp",
        "create",
        None,
        lambda world: {"external_network": world.external_network, "port_id": world.base["published"]},
    ),
    _on_otc("InterfaceAttachment", "create-by-network", None, _attached("network_id", "lan")),
    # Requests that differ from those on OpenStack.
    _on_otc("Subnet", "replace", _subnet("10.8.0.0/24"), _subnet("10.18.0.0/24")),
    _on_otc("Subnet", "create-without-range", None, lambda world: {"network_id": world.base["net"], "ip_version": 6}),
    _on_otc("SecurityGroup", "create", None, lambda _: {"rules": [SSH, WEB]}),
    _on_otc("SecurityGroupRule", "create", None, lambda world: {"security_group_id": world.base["group"], **SSH}),
    _on_otc("ServerGroup", "create", None, lambda _: {"policy": "anti-affinity"}),
    _on_otc("RouterInterface", "create", None, _interface),
    _on_otc("RouterInterface", "destroy", _interface, None),
    _on_otc(
        "FloatingIpAssociation",
        "create",
        None,
        lambda world: {"floating_ip_id": world.base["address"], "port_id": world.base["published"]},
    ),
    _on_otc("RouterRoute", "create", None, _route),
    _on_otc("RouterRoute", "destroy", _route, None),
    _on_otc("Volume", "create", None, lambda _: {"size": 10, "metadata": {"a": "1"}}),
    _on_otc(
        "Volume",
        "retype",
        lambda _: {"size": 10, "volume_type": "SAS"},
        lambda _: {"size": 10, "volume_type": "SSD"},
    ),
    _on_otc(
        "Volume",
        "metadata",
        lambda _: {"size": 10, "metadata": {"a": "1", "b": "2"}},
        lambda _: {"size": 10, "metadata": {"b": "3", "c": "4"}},
    ),
    _on_otc("Server", "create-with-data-disk", None, lambda world: {**_of_image(world), "block_devices": [_DATA]}),
    _on_otc("Server", "create-tagged", None, lambda world: {**_of_image(world), "tags": ["one", "two"]}),
    _on_otc("Server", "create-marked-in-metadata", None, _of_image, resource="x" * 80),
    _on_otc("Server", "metadata", _plain_server, lambda world: {**_plain_server(world), "metadata": {"b": "2"}}),
    # The cloud deletes the ports of all NICs with their server, and a port that leaves a server. The deletion of the
    # server that a killed run left would take the port of its first NIC along.
    _on_otc("Server", "create", None, _second_nic_with_port, cold=True),
    _on_otc("Server", "destroy", _plain_server, None),
    _on_otc("Server", "destroy-keeping-port", _second_nic_with_port, None),
    _on_otc(
        "Server",
        "replace-keeping-port",
        _second_nic_with_port,
        lambda world: {**_second_nic_with_port(world), "image": OTHER_IMAGE["otc"]},
    ),
    _on_otc(
        "Server",
        "release-port",
        _second_nic_with_port,
        lambda world: {**world.server(), "networks": [{"network_id": world.base["net"]}]},
    ),
    _on_otc("InterfaceAttachment", "destroy", _attached("port_id", "nic"), None),
]
"""The operations on an Open Telekom Cloud in which the provider sends other requests, or the cloud does more."""

SCENES = [*ON_OPENSTACK, *ON_OTC]
