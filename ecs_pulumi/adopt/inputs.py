"""What a program has to say for an object to stay as it is, and no more."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecs_pulumi.adopt.landscape import made_by_nova
from ecs_pulumi.adopt.text import Call, Ref, snake, stem, variable
from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.dynamic.fields import Computed, ProviderOnly, Secret, WriteOnly, fields_of, to_plain
from ecs_pulumi.dynamic.kind import get_handler
from ecs_pulumi.resources.common import is_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ecs_pulumi.adopt.landscape import Candidate, CloudInventory
    from ecs_pulumi.resources.common import RemoteObject


@dataclass
class _It:
    """What one resource is written from, and the comments that come with it."""

    id: str
    live: RemoteObject
    seen: RemoteObject
    comments: list[str] = field(default_factory=list)


class InputBuilder:
    """Says for each object what its resource asks for."""

    def __init__(
        self, landscape: CloudInventory, variables: Mapping[tuple[str, str], str], *, protect: bool = True
    ) -> None:
        """Look up what the cloud chooses by itself.

        Args:
            landscape: What is there.
            variables: The variables of the objects that are resources, by kind and id.
            protect: Whether each resource refuses to be deleted.
        """
        region = landscape.cloud.region
        self.lookups: dict[str, str] = {}
        """The networks that the program has to look up, by id, and their variables."""
        self._protect = protect
        self._there = landscape
        self._variables = variables
        self._volume_type = block_storage.default_type(region.block_storage) if landscape.volumes else None
        self._zones = _several(compute.list_availability_zones(region.compute)) if landscape.servers else False
        self._volume_zones = (
            _several(block_storage.list_availability_zones(region.block_storage)) if landscape.volumes else False
        )
        groups = landscape.catalog.security_groups()
        self._groups = {group["id"]: group["name"] for group in groups}
        mine = [group for group in groups if group.get("project_id", group.get("tenant_id")) == region.project_id]
        self._default_groups = [group["id"] for group in mine if group["name"] == "default"]

    def write(self, each: Candidate) -> tuple[dict[str, Any], list[str]]:
        """The inputs of an object's resource in their order, and comments on them."""
        # An attachment is nothing but what it joins.
        seen = {} if each.is_attachment else to_plain(self._there.to_outputs(each.kind, each.live))
        it = _It(each.id, each.live, seen)
        special = getattr(self, f"_{snake(each.kind)}")(it)
        asked = {
            name: value for name, value in {**_managed(each.kind, it.seen), **special}.items() if value is not None
        }
        ordered = {name: asked[name] for name in fields_of(get_handler(each.kind).inputs) if name in asked}
        return {**ordered, "adopt": each.id, **self._options(each)}, it.comments

    def _options(self, each: Candidate) -> dict[str, Any]:
        options: dict[str, Any] = {"protect": True} if self._protect else {}
        if subnets := self._subnets_of_nics(each):
            options["depends_on"] = [Ref(subnet, "") for subnet in subnets]
        return {"opts": Call("pulumi.ResourceOptions", options)} if options else {}

    def _subnets_of_nics(self, each: Candidate) -> list[str]:
        """A NIC that Nova makes names a network only, and yet needs its subnets as long as it is there."""
        ports = self._there.nics(each.live) if each.kind == "Server" else [each.live]
        if each.kind not in ("Server", "InterfaceAttachment"):
            return []
        subnets = [item["subnet_id"] for port in ports if made_by_nova(port) for item in port.get("fixed_ips") or ()]
        return [known for id_ in dict.fromkeys(subnets) if (known := self._variables.get(("Subnet", id_)))]

    def _ref(self, kind: str, id_: str, output: str = "id") -> Ref | str:
        known = self._variables.get((kind, id_))
        if known is None and kind == "Network" and self._there.is_looked_up(id_):
            known = self._looked_up(id_)
        return Ref(known, output) if known else id_

    def _looked_up(self, network_id: str) -> str:
        if network_id not in self.lookups:
            name = stem(str(self._there.networks[network_id].get("name") or ""), "Network")
            used = {*self._variables.values(), *self.lookups.values()}
            self.lookups[network_id] = variable(name, "Network", shared=used, used=used)
        return self.lookups[network_id]

    def _key_pair(self, it: _It) -> RemoteObject:
        kind = it.seen.get("type")
        return {"public_key": (it.seen.get("public_key") or "").strip(), "type": None if kind == "ssh" else kind}

    def _network(self, it: _It) -> RemoteObject:
        off = ("admin_state_up", "port_security_enabled")
        return {
            **{name: False for name in off if it.seen.get(name) is False},
            "dns_domain": it.seen.get("dns_domain") or None,
        }

    def _subnet(self, it: _It) -> RemoteObject:
        range_ = ipaddress.ip_network(it.seen["cidr"])
        gateway = it.seen.get("gateway_ip")
        first = str(range_[1]) if range_.num_addresses > 1 else None
        pools = _pools(it.seen.get("allocation_pools") or ())
        return {
            "network_id": self._ref("Network", it.seen["network_id"]),
            "cidr": None if it.seen.get("subnet_pool_id") else it.seen["cidr"],
            "gateway_ip": None if gateway == first else gateway,
            "allocation_pools": None if pools == _all_of(range_, gateway) else it.seen.get("allocation_pools"),
        }

    def _port(self, it: _It) -> RemoteObject:
        live, used = it.live, bool(it.live.get("device_id"))
        of_network = self._there.networks.get(live["network_id"]) or {}
        secured = it.seen.get("port_security_enabled")
        groups = sorted(it.seen.get("security_group_ids") or ())
        usual = groups == self._default_groups or (not groups and secured is False)
        if groups and not usual:
            it.comments.append(f"Security groups: {self._named(groups)}.")
        pairs = [
            {key: value for key, value in pair.items() if (key, value) != ("mac_address", it.seen.get("mac_address"))}
            for pair in it.seen.get("allowed_address_pairs") or ()
        ]
        options = [
            {key: value for key, value in option.items() if (key, value) != ("ip_version", 4)}
            for option in it.seen.get("extra_dhcp_options") or ()
        ]
        chosen: RemoteObject = {
            "network_id": self._ref("Network", live["network_id"]),
            "admin_state_up": False if it.seen.get("admin_state_up") is False else None,
            "fixed_ips": [
                {"subnet_id": self._ref("Subnet", item["subnet_id"]), "ip_address": item["ip_address"]}
                for item in it.seen.get("fixed_ips") or ()
            ],
            "security_group_ids": None if usual else groups,
            "allowed_address_pairs": pairs or None,
            "extra_dhcp_options": options or None,
            "port_security_enabled": None if secured == of_network.get("port_security_enabled", True) else secured,
        }
        if used:
            # Nova's, for as long as a server has the port.
            chosen |= dict.fromkeys(("dns_name", "binding_host_id", "binding_profile"))
        return chosen

    def _volume(self, it: _It) -> RemoteObject:
        source, snapshot = it.seen.get("source_volume_id"), it.seen.get("snapshot_id")
        # One source is all that can be given; a copy still carries the image of what it was copied from.
        image = None if source or snapshot else self._image(it.seen.get("image_id"))
        return {
            "image": image,
            "snapshot_id": snapshot,
            "source_volume_id": None if snapshot or not source else self._ref("Volume", source),
            "volume_type": self._type(it.seen),
            "availability_zone": it.seen.get("availability_zone") if self._volume_zones else None,
        }

    def _volume_attachment(self, it: _It) -> RemoteObject:
        server_id, volume_id = it.id.split("/")
        return {
            "server_id": self._ref("Server", server_id),
            "volume_id": self._ref("Volume", volume_id),
            "multiattach": True if it.live.get("multiattach") else None,
        }

    def _interface_attachment(self, it: _It) -> RemoteObject:
        server_id, port_id = it.id.split("/")
        place = (
            {"network_id": self._ref("Network", it.live["network_id"])}
            if made_by_nova(it.live)
            else {"port_id": self._ref("Port", port_id)}
        )
        return {"server_id": self._ref("Server", server_id), **place}

    def _server(self, it: _It) -> RemoteObject:
        live = it.live
        nics = [port for port in self._there.nics(live) if not self._there.attached_later(port, live)]
        image, devices = self._disks(live, it.comments)
        key = live.get("key_name")
        return {
            "image": self._image(it.seen.get("image_id")) or image,
            "networks": [self._nic(port) for port in nics],
            "security_groups": self._server_groups(live, it.comments),
            "block_devices": devices or None,
            "key_name": self._ref("KeyPair", key, "name") if key else None,
            "power_state": None if it.seen.get("power_state") == "active" else it.seen.get("power_state"),
            "disk_config": None,
            "availability_zone": it.seen.get("availability_zone") if self._zones else None,
        }

    def _nic(self, port: RemoteObject) -> RemoteObject:
        if made_by_nova(port):
            return {"network_id": self._ref("Network", port["network_id"])}
        return {"port_id": self._ref("Port", port["id"])}

    def _server_groups(self, live: RemoteObject, comments: list[str]) -> list[str] | None:
        ports = self._there.nics(live)
        names = sorted({group["name"] for group in live.get("security_groups") or ()})
        if not ports or names in ([], ["default"]):
            return None
        if all(made_by_nova(port) for port in ports):
            return names
        groups = {id_ for port in ports if made_by_nova(port) for id_ in port.get("security_groups") or ()}
        if groups - set(self._default_groups):
            comments.append(f"The NICs that Nova made have the security groups {self._named(groups)}.")
        return None

    def _disks(self, live: RemoteObject, comments: list[str]) -> tuple[str | None, list[RemoteObject]]:
        """The image of the disk it boots from, and its block devices."""
        root, image, devices = self._there.root(live), None, []
        own = self._there.disks(live)
        for disk in own:
            seen = self._there.to_outputs("Volume", disk)
            source: RemoteObject = {"source_type": "blank"}
            if disk is root and seen.get("image_id"):
                image, source = self._image(seen["image_id"]), {"source_type": "image"}
            elif seen.get("snapshot_id"):
                source = {"source_type": "snapshot", "uuid": seen["snapshot_id"]}
            elif seen.get("image_id"):
                source = {"source_type": "image", "uuid": seen["image_id"]}
            kind = self._type(seen)
            devices.append(
                {
                    **source,
                    "destination_type": "volume",
                    "boot_index": 0 if disk is root else -1,
                    "volume_size": seen["size"],
                    **({"volume_type": kind} if kind else {}),
                    "delete_on_termination": True,
                }
            )
            comments.append(f"Volume {disk['id']} came with the server and goes with it.")
        if root is not None and root not in own:
            uuid = self._ref("Volume", root["id"])
            first = {"source_type": "volume", "uuid": uuid, "destination_type": "volume", "boot_index": 0}
            devices.insert(0, first)
        if devices:
            comments.append("No API tells the block_devices: these are for a replacement, and are not compared.")
        return image, devices

    def _type(self, seen: RemoteObject) -> str | None:
        kind: str | None = seen.get("volume_type")
        return None if kind == self._volume_type else kind

    def _image(self, id_: str | None) -> str | None:
        """The image's name where that names it alone, else its id."""
        if not id_:
            return None
        name = self._there.catalog.image_name(id_)
        try:
            return name if name and self._there.catalog.image(name)["id"] == id_ else id_
        except errors.EcsError:
            return id_

    def _named(self, groups: Iterable[str]) -> str:
        return ", ".join(sorted(self._groups.get(id_, id_) for id_ in groups))


def _managed(kind: str, seen: RemoteObject) -> RemoteObject:
    """What the facts on the fields say is worth saying."""
    asked: RemoteObject = {}
    for name, fact in fields_of(get_handler(kind).inputs).items():
        value: Any = seen.get(name)
        if any(map(fact.has, (ProviderOnly, WriteOnly, Computed, Secret))) or value == to_plain(fact.default):
            continue
        if value in (None, "", [], {}, False) and fact.default is None:
            continue
        if not (name == "description" and is_mark(str(value))):
            asked[name] = value
    return asked


def _several(zones: list[RemoteObject]) -> bool:
    usable = [zone for zone in zones if zone.get("zoneState", {}).get("available", True)]
    return len(usable) > 1


def _pools(pools: Iterable[RemoteObject]) -> set[tuple[int, int]]:
    return {(int(ipaddress.ip_address(pool["start"])), int(ipaddress.ip_address(pool["end"]))) for pool in pools}


def _all_of(range_: Any, gateway: str | None) -> set[tuple[int, int]]:
    """The pools of a subnet whose creator named none: every address but the gateway's."""
    last = 2 if range_.version == 4 else 1  # noqa: PLR2004
    low, high = int(range_[0]) + 1, int(range_[0]) + range_.num_addresses - last
    if not gateway:
        return {(low, high)}
    router = int(ipaddress.ip_address(gateway))
    return {(a, b) for a, b in ((low, min(high, router - 1)), (max(low, router + 1), high)) if a <= b}
