"""The existing objects in one region, their relations, and the selection of those to import."""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import block_storage, compute, errors, network
from ecs_pulumi.dynamic.fields import close_matches
from ecs_pulumi.dynamic.kind import OperationContext, get_handler
from ecs_pulumi.resources.catalog import catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from ecs_pulumi.resources.clients import Clients
    from ecs_pulumi.resources.remote import RemoteObject

KINDS = (
    "KeyPair",
    "Network",
    "Subnet",
    "Port",
    "Volume",
    "Server",
    "VolumeAttachment",
    "InterfaceAttachment",
)
"""In the order of the program: a resource comes before those that refer to it."""


@dataclass(frozen=True)
class Candidate:
    """An object that can become a resource.

    Attributes:
        kind: Its kind.
        id: Its id, as for the input `adopt`.
        label: Its name; if it has none, a name derived from its network or server.
        remote: The object as the API returns it; for an attachment, the volume or port.
    """

    kind: str
    id: str
    label: str
    remote: RemoteObject = field(compare=False)

    @property
    def is_attachment(self) -> bool:
        """Whether it connects two objects. Its id consists of both ids; the name of a key pair may look the same."""
        return self.kind.endswith("Attachment")


class CloudInventory:
    """All objects in one region that the account can list, with one list request for each kind."""

    def __init__(self, cloud: Clients) -> None:
        region = cloud.region
        self.cloud = cloud
        self.catalog = catalog(region)
        self.servers = _by_id(compute.list_servers(region.compute, microversion=region.server_microversion))
        self.volumes = _by_id(block_storage.list_volumes(region.block_storage))
        self.networks = _by_id(network.list_all(region.network, "network"))
        self.subnets = _by_id(network.list_all(region.network, "subnet"))
        self.ports = _by_id(network.list_all(region.network, "port", tenant_id=region.project_id))
        self.key_pairs = {item["name"]: item for item in compute.list_key_pairs(region.compute)}
        self._ports_of: dict[str, list[RemoteObject]] = defaultdict(list)
        for port in self.ports.values():
            self._ports_of[port.get("device_id") or ""].append(port)
        self._volumes_of: dict[str, list[RemoteObject]] = defaultdict(list)
        for volume in self.volumes.values():
            for item in volume.get("attachments") or ():
                self._volumes_of[item["server_id"]].append(volume)

    # ------------------------------------------------------------ relations

    def to_outputs(self, kind: str, remote: RemoteObject) -> dict[str, Any]:
        """Return an object's inputs and outputs."""
        context: OperationContext[Clients] = OperationContext(
            verb="read", kind=kind, resource="", connect=lambda: self.cloud, timeout=get_handler(kind).timeout
        )
        return get_handler(kind).to_outputs(context, remote)

    def nics(self, server: RemoteObject) -> list[RemoteObject]:
        """Return the server's ports, in the order of its NICs if the API returns it."""
        listed = [
            item.get("OS-EXT-IPS-MAC:mac_addr") for group in (server.get("addresses") or {}).values() for item in group
        ]
        ports = sorted(self._ports_of[server["id"]], key=lambda port: (port.get("created_at") or "", port["id"]))
        return sorted(
            ports, key=lambda port: listed.index(port["mac_address"]) if port["mac_address"] in listed else 99
        )

    def attached_later(self, port: RemoteObject, server: RemoteObject) -> bool:
        """Whether the port was created after the launch of the server, according to their timestamps."""
        created, launched = port.get("created_at"), server.get("OS-SRV-USG:launched_at")
        return bool(created and launched and created.rstrip("Z") > launched.rstrip("Z"))

    def root(self, server: RemoteObject) -> RemoteObject | None:
        """Return the volume that the server boots from; None if it boots from an image."""
        if server.get("image"):
            return None
        disks = self._volumes_of[server["id"]]
        bootable = [disk for disk in disks if str(disk.get("bootable")).lower() == "true"]
        return min(bootable or disks, key=lambda disk: (_device(disk, server["id"]), disk["id"]), default=None)

    def disks(self, server: RemoteObject) -> list[RemoteObject]:
        """Return the volumes that were created with the server and are deleted with it, the root disk first."""
        root = self.root(server)
        on_termination = {
            item["id"]: item.get("delete_on_termination")
            for item in server.get("os-extended-volumes:volumes_attached") or ()
        }
        own: list[RemoteObject] = []
        for disk in sorted(self._volumes_of[server["id"]], key=lambda disk: (_device(disk, server["id"]), disk["id"])):
            is_deleted = on_termination.get(disk["id"])
            if disk is root:
                has_source = disk.get("volume_image_metadata") or disk.get("snapshot_id")
                # The older API does not return delete_on_termination. A volume that Nova created has no name.
                is_deleted = has_source and (not disk.get("name") if is_deleted is None else is_deleted)
            else:
                is_deleted = is_deleted and not disk.get("name")
            if is_deleted:
                own.insert(0 if disk is root else len(own), disk)
        return own

    @functools.cached_property
    def server_owned(self) -> dict[str, str]:
        """The ids of the servers, by the ids of the volumes and ports that belong to the server's own resource."""
        found: dict[str, str] = {}
        for server in self.servers.values():
            found |= {disk["id"]: server["id"] for disk in self.disks(server)}
            found |= {port["id"]: server["id"] for port in self._ports_of[server["id"]] if created_by_nova(port)}
        return found

    def ineligible_reason(self, kind: str, id_: str) -> str | None:
        """Return why an object cannot become a resource; None if it can."""
        remote = self._of(kind).get(id_)
        if remote is None:
            return "it does not exist"
        status = (remote.get("status") or "").lower()
        reasons = (
            (id_ in self.server_owned, f"it is created and deleted with server {self.server_owned.get(id_)}"),
            (
                status.startswith("error") and not remote.get("OS-SRV-USG:launched_at"),
                f"it is in status {remote.get('status')}",
            ),
            *(self._not_manageable(kind, remote) if kind in ("Network", "Subnet", "Port") else ()),
        )
        return next((reason for applies, reason in reasons if applies), None)

    def _not_manageable(self, kind: str, remote: RemoteObject) -> Iterator[tuple[Any, str]]:
        yield _owner(remote) != self.cloud.region.project_id, "another project owns it"
        used = self.networks.get(remote["network_id"], {}) if kind == "Subnet" else remote
        shared = kind != "Port" and (used.get("shared") or used.get("router:external"))
        yield shared, "a network that is shared or external is looked up, not managed"
        owner = remote.get("device_owner") or ""
        yield kind == "Port" and owner and not owner.startswith("compute:"), f"the cloud created it ({owner})"

    def is_looked_up(self, network_id: str) -> bool:
        """Whether the program looks the network up instead of managing it, because other projects use or own it."""
        found = self.networks.get(network_id)
        return found is not None and any(applies for applies, _ in self._not_manageable("Network", found))

    # ------------------------------------------------------------ candidates

    @functools.cached_property
    def all(self) -> dict[tuple[str, str], Candidate]:
        """All objects that can become resources, by kind and id, in the order of the program."""
        found: list[Candidate] = []
        for kind in KINDS[:6]:
            candidates = [
                Candidate(kind, id_, self._label(kind, remote), remote)
                for id_, remote in self._of(kind).items()
                if self.ineligible_reason(kind, id_) is None
            ]
            found += sorted(candidates, key=lambda each: (each.label, each.id))
        servers = [each for each in found if each.kind == "Server"]
        found += [each for server in servers for each in self._volume_attachments(server)]
        found += [each for server in servers for each in self._interface_attachments(server)]
        return {(each.kind, each.id): each for each in found}

    def _volume_attachments(self, server: Candidate) -> Iterator[Candidate]:
        root = self.root(server.remote)
        for volume in sorted(self._volumes_of[server.id], key=lambda volume: _device(volume, server.id)):
            if volume is not root and volume["id"] not in self.server_owned:
                label = f"{server.label}-{self._label('Volume', volume)}"
                yield Candidate("VolumeAttachment", f"{server.id}/{volume['id']}", label, volume)

    def _interface_attachments(self, server: Candidate) -> Iterator[Candidate]:
        for port in self.nics(server.remote):
            if self.attached_later(port, server.remote):
                other = self.networks.get(port["network_id"]) if created_by_nova(port) else port
                label = f"{server.label}-{(other or {}).get('name') or 'nic'}"
                yield Candidate("InterfaceAttachment", f"{server.id}/{port['id']}", label, port)

    def _of(self, kind: str) -> dict[str, RemoteObject]:
        return {
            "KeyPair": self.key_pairs,
            "Network": self.networks,
            "Subnet": self.subnets,
            "Port": self.ports,
            "Volume": self.volumes,
            "Server": self.servers,
        }[kind]

    def _label(self, kind: str, remote: RemoteObject) -> str:
        if remote.get("name"):
            return str(remote["name"])
        network_name = (self.networks.get(remote.get("network_id", "")) or {}).get("name")
        return f"{network_name}-{kind.lower()}" if network_name else kind.lower()

    # ------------------------------------------------------------ selection

    def select(
        self,
        *,
        names: Sequence[str] = (),
        tags: Sequence[str] = (),
        ids: Sequence[str] = (),
        everything: bool = False,
        kinds: Collection[str] = KINDS,
        dependencies: bool = True,
        known: Collection[tuple[str, str]] = (),
    ) -> list[Candidate]:
        """Return the objects that match a name, tag or id, and their dependencies, in the order of the program.

        Args:
            names: Patterns of names such as `web*`.
            tags: Tags.
            ids: Ids.
            everything: Select all objects.
            kinds: Select only objects of these kinds.
            dependencies: Add the objects that a selected object refers to.
            known: Objects that are never selected, by kind and id: the resources of the stack.

        Raises:
            NoMatch: A name, tag or id matches no object.
        """
        eligible = {key: each for key, each in self.all.items() if each.kind in kinds}
        selected = set(eligible) if everything else set()
        criteria: list[tuple[str, str, Callable[[Candidate], bool]]] = [
            *(("named", glob, lambda each, glob=glob: fnmatchcase(_name(each), glob)) for glob in names),
            *(("tagged", tag, lambda each, tag=tag: _tagged(each, tag)) for tag in tags),
            *(("with the id", id_, lambda each, id_=id_: each.id == id_) for id_ in ids),
        ]
        for what, word, matches in criteria:
            found = [key for key, each in eligible.items() if matches(each)]
            if not found:
                raise errors.NoMatch([], f'there is nothing {what} "{word}"{self._hint(word, kinds)}')
            selected |= set(found)
        if dependencies:
            queue = list(selected)
            while queue:
                candidate = self.all[queue.pop()]
                more = [key for key in self._dependencies(candidate) if key in self.all and key not in selected]
                selected |= set(more)
                queue += more
        return _sources_first([each for key, each in self.all.items() if key in selected and key not in known])

    def _hint(self, word: str, kinds: Collection[str]) -> str:
        for kind in KINDS[:6]:
            if word in self._of(kind) and (reason := self.ineligible_reason(kind, word)):
                return f" to import: {reason}"
        similar = close_matches(word, {_name(each) for each in self.all.values() if each.kind in kinds} - {""})
        return f"; did you mean {' or '.join(similar)}?" if similar else ""

    def _dependencies(self, each: Candidate) -> Iterator[tuple[str, str]]:
        remote = each.remote
        if each.kind in ("Subnet", "Port"):
            yield "Network", remote["network_id"]
        if each.kind == "Port":
            yield from (("Subnet", item["subnet_id"]) for item in remote.get("fixed_ips") or ())
        if each.kind == "Volume":
            yield "Volume", remote.get("source_volid") or ""
        if each.kind in ("VolumeAttachment", "InterfaceAttachment"):
            yield "Server", each.id.split("/")[0]
            yield each.kind.removesuffix("Attachment").replace("Interface", "Port"), remote["id"]
        if each.kind == "Server":
            yield "KeyPair", remote.get("key_name") or ""
            for port in self._ports_of[each.id]:
                yield "Port", port["id"]
                yield "Network", port["network_id"]
                yield from (("Subnet", item["subnet_id"]) for item in port.get("fixed_ips") or ())
                yield "InterfaceAttachment", f"{each.id}/{port['id']}"
            for volume in self._volumes_of[each.id]:
                yield "Volume", volume["id"]
                yield "VolumeAttachment", f"{each.id}/{volume['id']}"


def created_by_nova(port: RemoteObject) -> bool:
    """Whether Nova created the port for a NIC: it has none of the properties that a user would have set."""
    user_properties = ("name", "description", "tags", "allowed_address_pairs", "extra_dhcp_opts")
    return (port.get("device_owner") or "").startswith("compute:") and not any(port.get(key) for key in user_properties)


def _by_id(items: Iterable[RemoteObject]) -> dict[str, RemoteObject]:
    return {item["id"]: item for item in items}


def _owner(remote: RemoteObject) -> Any:
    return remote.get("project_id", remote.get("tenant_id"))


def _device(volume: RemoteObject, server_id: str) -> tuple[int, str]:
    device = next((item.get("device") or "" for item in volume["attachments"] if item["server_id"] == server_id), "")
    return len(device), device


def _name(each: Candidate) -> str:
    return "" if each.is_attachment else str(each.remote.get("name") or "")


def _tagged(each: Candidate, tag: str) -> bool:
    return not each.is_attachment and tag in (each.remote.get("tags") or ())


def _sources_first(selected: list[Candidate]) -> list[Candidate]:
    """Return the candidates in the same order, except that a volume follows the volume from which it was copied."""
    by_id = {each.id: each for each in selected if each.kind == "Volume"}
    ordered: dict[tuple[str, str], Candidate] = {}

    def add(each: Candidate) -> None:
        if (each.kind, each.id) in ordered:
            return
        source = by_id.get(each.remote.get("source_volid") or "") if each.kind == "Volume" else None
        if source is not None:
            add(source)
        ordered[each.kind, each.id] = each

    for each in selected:
        add(each)
    return list(ordered.values())
