"""The minimal inputs of a resource that imports an existing object without changing it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecs_pulumi.adopt.landscape import created_by_nova
from ecs_pulumi.adopt.text import Call, Ref, snake, stem, variable
from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.dynamic.fields import Computed, ProviderOnly, Secret, WriteOnly, fields_of, to_plain
from ecs_pulumi.dynamic.kind import get_handler
from ecs_pulumi.resources.owner_markers import is_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ecs_pulumi.adopt.landscape import Candidate, CloudInventory
    from ecs_pulumi.resources.remote import RemoteObject


@dataclass
class _Existing:
    """An existing object, and the comments on its resource in the program."""

    id: str
    remote: RemoteObject
    outputs: RemoteObject
    comments: list[str] = field(default_factory=list)


class InputBuilder:
    """Builds the inputs of the resource of each selected object."""

    def __init__(
        self, inventory: CloudInventory, variables: Mapping[tuple[str, str], str], *, protect: bool = True
    ) -> None:
        """Look up the defaults of the cloud, such as the volume type and the default security groups.

        Args:
            inventory: The existing objects.
            variables: The variables of the objects that become resources, by kind and id.
            protect: Whether each resource is protected from deletion.
        """
        region = inventory.cloud.region
        self.lookups: dict[str, str] = {}
        """The variables of the networks that the program looks up, by the id of the network."""
        self._protect = protect
        self._inventory = inventory
        self._variables = variables
        self._volume_type = block_storage.default_type(region.block_storage) if inventory.volumes else None
        self._zones = _has_several(compute.list_availability_zones(region.compute)) if inventory.servers else False
        self._volume_zones = (
            _has_several(block_storage.list_availability_zones(region.block_storage)) if inventory.volumes else False
        )
        groups = inventory.catalog.security_groups()
        self._groups = {group["id"]: group["name"] for group in groups}
        owned = [group for group in groups if group.get("project_id", group.get("tenant_id")) == region.project_id]
        self._default_groups = [group["id"] for group in owned if group["name"] == "default"]

    def build(self, each: Candidate) -> tuple[dict[str, Any], list[str]]:
        """Return the inputs of an object's resource in their order, and comments on them."""
        # The inputs of an attachment are the ids of the two objects that it connects.
        outputs = {} if each.is_attachment else to_plain(self._inventory.to_outputs(each.kind, each.remote))
        existing = _Existing(each.id, each.remote, outputs)
        special = getattr(self, f"_{snake(each.kind)}")(existing)
        combined = {**_managed(each.kind, existing.outputs), **special}
        inputs = {name: value for name, value in combined.items() if value is not None}
        ordered = {name: inputs[name] for name in fields_of(get_handler(each.kind).inputs) if name in inputs}
        return {**ordered, "adopt": each.id, **self._options(each)}, existing.comments

    def _options(self, each: Candidate) -> dict[str, Any]:
        options: dict[str, Any] = {"protect": True} if self._protect else {}
        if subnets := self._subnets_of_nics(each):
            options["depends_on"] = [Ref(subnet, "") for subnet in subnets]
        return {"opts": Call("pulumi.ResourceOptions", options)} if options else {}

    def _subnets_of_nics(self, each: Candidate) -> list[str]:
        """Return the variables of the subnets of a NIC whose port Nova created.

        Such a NIC refers only to the network, but its subnets cannot be deleted before it.
        """
        ports = self._inventory.nics(each.remote) if each.kind == "Server" else [each.remote]
        if each.kind not in ("Server", "InterfaceAttachment"):
            return []
        subnets = [item["subnet_id"] for port in ports if created_by_nova(port) for item in port.get("fixed_ips") or ()]
        return [found for id_ in dict.fromkeys(subnets) if (found := self._variables.get(("Subnet", id_)))]

    def _ref(self, kind: str, id_: str, output: str = "id") -> Ref | str:
        target = self._variables.get((kind, id_))
        if target is None and kind == "Network" and self._inventory.is_looked_up(id_):
            target = self._lookup_variable(id_)
        return Ref(target, output) if target else id_

    def _lookup_variable(self, network_id: str) -> str:
        if network_id not in self.lookups:
            name = stem(str(self._inventory.networks[network_id].get("name") or ""), "Network")
            used = {*self._variables.values(), *self.lookups.values()}
            self.lookups[network_id] = variable(name, "Network", shared=used, used=used)
        return self.lookups[network_id]

    def _key_pair(self, existing: _Existing) -> RemoteObject:
        kind = existing.outputs.get("type")
        return {
            "public_key": (existing.outputs.get("public_key") or "").strip(),
            "type": None if kind == "ssh" else kind,
        }

    def _network(self, existing: _Existing) -> RemoteObject:
        switches = ("admin_state_up", "port_security_enabled")
        return {
            **{name: False for name in switches if existing.outputs.get(name) is False},
            "dns_domain": existing.outputs.get("dns_domain") or None,
        }

    def _subnet(self, existing: _Existing) -> RemoteObject:
        range_ = ipaddress.ip_network(existing.outputs["cidr"])
        gateway = existing.outputs.get("gateway_ip")
        first = str(range_[1]) if range_.num_addresses > 1 else None
        pools = _pools(existing.outputs.get("allocation_pools") or ())
        return {
            "network_id": self._ref("Network", existing.outputs["network_id"]),
            "cidr": None if existing.outputs.get("subnet_pool_id") else existing.outputs["cidr"],
            "gateway_ip": None if gateway == first else gateway,
            "allocation_pools": None
            if pools == _default_pools(range_, gateway)
            else existing.outputs.get("allocation_pools"),
        }

    def _port(self, existing: _Existing) -> RemoteObject:
        remote, is_attached = existing.remote, bool(existing.remote.get("device_id"))
        port_network = self._inventory.networks.get(remote["network_id"]) or {}
        secured = existing.outputs.get("port_security_enabled")
        groups = sorted(existing.outputs.get("security_group_ids") or ())
        is_default = groups == self._default_groups or (not groups and secured is False)
        if groups and not is_default:
            existing.comments.append(f"Security groups: {self._group_names(groups)}.")
        pairs = [
            {
                key: value
                for key, value in pair.items()
                if (key, value) != ("mac_address", existing.outputs.get("mac_address"))
            }
            for pair in existing.outputs.get("allowed_address_pairs") or ()
        ]
        options = [
            {key: value for key, value in option.items() if (key, value) != ("ip_version", 4)}
            for option in existing.outputs.get("extra_dhcp_options") or ()
        ]
        inputs: RemoteObject = {
            "network_id": self._ref("Network", remote["network_id"]),
            "admin_state_up": False if existing.outputs.get("admin_state_up") is False else None,
            "fixed_ips": [
                {"subnet_id": self._ref("Subnet", item["subnet_id"]), "ip_address": item["ip_address"]}
                for item in existing.outputs.get("fixed_ips") or ()
            ],
            "security_group_ids": None if is_default else groups,
            "allowed_address_pairs": pairs or None,
            "extra_dhcp_options": options or None,
            "port_security_enabled": None if secured == port_network.get("port_security_enabled", True) else secured,
        }
        if is_attached:
            # Nova sets these while the port is attached to a server.
            inputs |= dict.fromkeys(("dns_name", "binding_host_id", "binding_profile"))
        return inputs

    def _volume(self, existing: _Existing) -> RemoteObject:
        source, snapshot = existing.outputs.get("source_volume_id"), existing.outputs.get("snapshot_id")
        # A program can set only one source. A copied volume also has the image of its source volume.
        image = None if source or snapshot else self._image(existing.outputs.get("image_id"))
        return {
            "image": image,
            "snapshot_id": snapshot,
            "source_volume_id": None if snapshot or not source else self._ref("Volume", source),
            "volume_type": self._type(existing.outputs),
            "availability_zone": existing.outputs.get("availability_zone") if self._volume_zones else None,
        }

    def _volume_attachment(self, existing: _Existing) -> RemoteObject:
        server_id, volume_id = existing.id.split("/")
        return {
            "server_id": self._ref("Server", server_id),
            "volume_id": self._ref("Volume", volume_id),
            "multiattach": True if existing.remote.get("multiattach") else None,
        }

    def _interface_attachment(self, existing: _Existing) -> RemoteObject:
        server_id, port_id = existing.id.split("/")
        target = (
            {"network_id": self._ref("Network", existing.remote["network_id"])}
            if created_by_nova(existing.remote)
            else {"port_id": self._ref("Port", port_id)}
        )
        return {"server_id": self._ref("Server", server_id), **target}

    def _server(self, existing: _Existing) -> RemoteObject:
        remote = existing.remote
        nics = [port for port in self._inventory.nics(remote) if not self._inventory.attached_later(port, remote)]
        image, devices = self._disks(remote, existing.comments)
        key = remote.get("key_name")
        return {
            "image": self._image(existing.outputs.get("image_id")) or image,
            "networks": [self._nic(port) for port in nics],
            "security_groups": self._server_groups(remote, existing.comments),
            "block_devices": devices or None,
            "key_name": self._ref("KeyPair", key, "name") if key else None,
            "power_state": None
            if existing.outputs.get("power_state") == "active"
            else existing.outputs.get("power_state"),
            "disk_config": None,
            "availability_zone": existing.outputs.get("availability_zone") if self._zones else None,
        }

    def _nic(self, port: RemoteObject) -> RemoteObject:
        if created_by_nova(port):
            return {"network_id": self._ref("Network", port["network_id"])}
        return {"port_id": self._ref("Port", port["id"])}

    def _server_groups(self, remote: RemoteObject, comments: list[str]) -> list[str] | None:
        ports = self._inventory.nics(remote)
        names = sorted({group["name"] for group in remote.get("security_groups") or ()})
        if not ports or names in ([], ["default"]):
            return None
        if all(created_by_nova(port) for port in ports):
            return names
        groups = {id_ for port in ports if created_by_nova(port) for id_ in port.get("security_groups") or ()}
        if groups - set(self._default_groups):
            comments.append(f"The NICs that Nova created have the security groups {self._group_names(groups)}.")
        return None

    def _disks(self, remote: RemoteObject, comments: list[str]) -> tuple[str | None, list[RemoteObject]]:
        """Return the image of the root disk, and the block devices."""
        root, image, devices = self._inventory.root(remote), None, []
        own = self._inventory.disks(remote)
        for disk in own:
            outputs = self._inventory.to_outputs("Volume", disk)
            source: RemoteObject = {"source_type": "blank"}
            if disk is root and outputs.get("image_id"):
                image, source = self._image(outputs["image_id"]), {"source_type": "image"}
            elif outputs.get("snapshot_id"):
                source = {"source_type": "snapshot", "uuid": outputs["snapshot_id"]}
            elif outputs.get("image_id"):
                source = {"source_type": "image", "uuid": outputs["image_id"]}
            kind = self._type(outputs)
            devices.append(
                {
                    **source,
                    "destination_type": "volume",
                    "boot_index": 0 if disk is root else -1,
                    "volume_size": outputs["size"],
                    **({"volume_type": kind} if kind else {}),
                    "delete_on_termination": True,
                }
            )
            comments.append(f"Volume {disk['id']} was created with the server and is deleted with it.")
        if root is not None and root not in own:
            uuid = self._ref("Volume", root["id"])
            first = {"source_type": "volume", "uuid": uuid, "destination_type": "volume", "boot_index": 0}
            devices.insert(0, first)
        if devices:
            comments.append("No API returns block_devices: a replacement uses these, and a preview ignores them.")
        return image, devices

    def _type(self, outputs: RemoteObject) -> str | None:
        kind: str | None = outputs.get("volume_type")
        return None if kind == self._volume_type else kind

    def _image(self, id_: str | None) -> str | None:
        """Return the image's name if it is unique, else its id."""
        if not id_:
            return None
        name = self._inventory.catalog.image_name(id_)
        try:
            return name if name and self._inventory.catalog.image(name)["id"] == id_ else id_
        except errors.EcsError:
            return id_

    def _group_names(self, groups: Iterable[str]) -> str:
        return ", ".join(sorted(self._groups.get(id_, id_) for id_ in groups))


def _managed(kind: str, outputs: RemoteObject) -> RemoteObject:
    """Return the inputs that the program must set, according to the field options."""
    inputs: RemoteObject = {}
    for name, option in fields_of(get_handler(kind).inputs).items():
        value: Any = outputs.get(name)
        if any(map(option.has, (ProviderOnly, WriteOnly, Computed, Secret))) or value == to_plain(option.default):
            continue
        if value in (None, "", [], {}, False) and option.default is None:
            continue
        if not (name == "description" and is_mark(str(value))):
            inputs[name] = value
    return inputs


def _has_several(zones: list[RemoteObject]) -> bool:
    usable = [zone for zone in zones if zone.get("zoneState", {}).get("available", True)]
    return len(usable) > 1


def _pools(pools: Iterable[RemoteObject]) -> set[tuple[int, int]]:
    return {(int(ipaddress.ip_address(pool["start"])), int(ipaddress.ip_address(pool["end"]))) for pool in pools}


def _default_pools(range_: Any, gateway: str | None) -> set[tuple[int, int]]:
    """Return the allocation pools that Neutron uses by default: all addresses except the gateway's."""
    last = 2 if range_.version == 4 else 1  # noqa: PLR2004
    low, high = int(range_[0]) + 1, int(range_[0]) + range_.num_addresses - last
    if not gateway:
        return {(low, high)}
    router = int(ipaddress.ip_address(gateway))
    return {(a, b) for a, b in ((low, min(high, router - 1)), (max(low, router + 1), high)) if a <= b}
