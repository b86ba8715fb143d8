"""Every operation of every kind: what there is before, and what the program says then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.faults.world import EmulatedWorld

Inputs = Mapping[str, Any]
Says = Callable[[EmulatedWorld], Inputs]

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn someone@example.org"
PASSWORD, USER_DATA = "Quite-5ecret", "#cloud-config: hush-hush"
LARGER = {"openstack": "s1.medium", "otc": "s3.large.2"}
OTHER_IMAGE = {"openstack": "debian-peer", "otc": "Standard_Ubuntu_24.04_latest"}


@dataclass(frozen=True)
class Scene:
    """One operation.

    Attributes:
        kind: Of the resource.
        name: What is done, for the test's id.
        before: What the program said when all was well; None where there is nothing yet.
        after: What it says now; None to destroy what there is, `before` itself to refresh it.
        dialect: Of the cloud.
        cold: Whether the operation is the first of its process, which has no token yet.
    """

    kind: str
    name: str
    before: Says | None
    after: Says | None
    dialect: Literal["otc", "openstack"] = "openstack"
    cold: bool = False

    @property
    def id(self) -> str:
        """For the test's id."""
        return f"{self.kind}-{self.name}" + ("-otc" if self.dialect == "otc" else "")

    @property
    def refreshes(self) -> bool:
        """Whether it reads and does nothing else."""
        return self.after is not None and self.after is self.before


def _life(kind: str, says: Says, *updates: tuple[str, Mapping[str, Any]], cold: bool = False) -> list[Scene]:
    """Create, each update, refresh and destroy."""

    def also(more: Mapping[str, Any]) -> Says:
        return lambda world: {**says(world), **{key: _of(world, value) for key, value in more.items()}}

    return [
        Scene(kind, "create", None, says, cold=cold),
        *(Scene(kind, name, says, also(more)) for name, more in updates),
        Scene(kind, "refresh", says, says),
        Scene(kind, "destroy", says, None),
    ]


def _of(world: EmulatedWorld, value: Any) -> Any:
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


def _at(power_state: str) -> Says:
    return lambda world: {**_plain_server(world), "power_state": power_state}


_ROOT = {
    "source_type": "image",
    "destination_type": "volume",
    "boot_index": 0,
    "volume_size": 1,
    "delete_on_termination": True,
}

SCENES = [
    *_life(
        "KeyPair",
        lambda _: {},
        cold=True,
    ),
    Scene("KeyPair", "import", None, lambda _: {"name": "known", "public_key": PUBLIC_KEY}),
    Scene("KeyPair", "replace", lambda _: {"name": "known"}, lambda _: {"name": "known", "public_key": PUBLIC_KEY}),
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
        ("resize", {"flavor": lambda world: LARGER[world.cloud.cloud.dialect.name]}),
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
    Scene("Server", "start", _at("shutoff"), _at("active")),
    Scene("Server", "unshelve", _at("shelved_offloaded"), _at("active")),
    Scene("Server", "resize-stopped", _at("shutoff"), lambda world: {**_at("shutoff")(world), "flavor": "s1.medium"}),
    Scene("Server", "resize-paused", _at("paused"), lambda world: {**_at("paused")(world), "flavor": "s1.medium"}),
    Scene("Server", "adopt", None, lambda world: {"adopt": world.base["server"], **world.server(), "name": "other"}),
    Scene("Server", "replace", _plain_server, lambda world: {**_plain_server(world), "image": "debian-peer"}),
    Scene("Server", "create-from-volume", None, lambda world: {**_plain_server(world), "block_devices": [_ROOT]}),
    Scene("Server", "create-described", None, lambda w: {**_plain_server(w), "name": "web", "description": "mine"}),
    Scene("Server", "create-stopped", None, lambda world: {**_plain_server(world), "power_state": "shutoff"}),
    Scene("Server", "destroy-stopped", lambda world: {**_server(world), "stop_before_delete": True}, None),
    Scene("Server", "destroy-by-force", lambda world: {**_server(world), "force_delete": True}, None),
    Scene("Server", "create", None, _plain_server, dialect="otc", cold=True),
    Scene("Server", "resize", _plain_server, lambda world: {**_plain_server(world), "flavor": LARGER["otc"]}, "otc"),
    Scene("Server", "destroy", _plain_server, None, dialect="otc"),
]
