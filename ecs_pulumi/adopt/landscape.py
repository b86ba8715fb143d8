"""What is there in one region, who belongs to whom, and what of it a person picks."""

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

    from ecs_pulumi.resources.common import Clients, RemoteObject

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
"""In the order of a program: what others refer to comes first."""


@dataclass(frozen=True)
class Candidate:
    """One object that is to become a resource.

    Attributes:
        kind: Its kind.
        id: Its id, as `adopt` takes it.
        label: What a person calls it; made up from what it belongs to where it has no name.
        remote: The object as the API answers it: of an attachment the volume or port.
    """

    kind: str
    id: str
    label: str
    live: RemoteObject = field(compare=False)

    @property
    def is_attachment(self) -> bool:
        """Whether it joins two objects; its id is those of both. A key pair's name may look like that as well."""
        return self.kind.endswith("Attachment")


class CloudInventory:
    """Everything in one region that an account sees, from one list for each kind."""

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

    # ------------------------------------------------------------ who belongs to whom

    def to_outputs(self, kind: str, live: RemoteObject) -> dict[str, Any]:
        """An object's inputs and outputs as the kind itself observes them."""
        context: OperationContext[Clients] = OperationContext(
            verb="read", kind=kind, resource="", connect=lambda: self.cloud, timeout=get_handler(kind).timeout
        )
        return get_handler(kind).to_outputs(context, live)

    def nics(self, server: RemoteObject) -> list[RemoteObject]:
        """The server's ports, in the order of its NICs as far as it can be told."""
        listed = [
            item.get("OS-EXT-IPS-MAC:mac_addr") for group in (server.get("addresses") or {}).values() for item in group
        ]
        ports = sorted(self._ports_of[server["id"]], key=lambda port: (port.get("created_at") or "", port["id"]))
        return sorted(
            ports, key=lambda port: listed.index(port["mac_address"]) if port["mac_address"] in listed else 99
        )

    def attached_later(self, port: RemoteObject, server: RemoteObject) -> bool:
        """Whether the NIC was attached to a server that ran already, as far as times can tell."""
        made, launched = port.get("created_at"), server.get("OS-SRV-USG:launched_at")
        return bool(made and launched and made.rstrip("Z") > launched.rstrip("Z"))

    def root(self, server: RemoteObject) -> RemoteObject | None:
        """The volume that the server boots from."""
        if server.get("image"):
            return None
        disks = self._volumes_of[server["id"]]
        bootable = [disk for disk in disks if str(disk.get("bootable")).lower() == "true"]
        return min(bootable or disks, key=lambda disk: (_device(disk, server["id"]), disk["id"]), default=None)

    def disks(self, server: RemoteObject) -> list[RemoteObject]:
        """The volumes that came with the server and go with it, the one that it boots from first."""
        root = self.root(server)
        told = {
            item["id"]: item.get("delete_on_termination")
            for item in server.get("os-extended-volumes:volumes_attached") or ()
        }
        own: list[RemoteObject] = []
        for disk in sorted(self._volumes_of[server["id"]], key=lambda disk: (_device(disk, server["id"]), disk["id"])):
            ends = told.get(disk["id"])
            if disk is root:
                filled = disk.get("volume_image_metadata") or disk.get("snapshot_id")
                # The guide's API does not tell; what Nova made itself has no name.
                ends = filled and (not disk.get("name") if ends is None else ends)
            else:
                ends = ends and not disk.get("name")
            if ends:
                own.insert(0 if disk is root else len(own), disk)
        return own

    @functools.cached_property
    def server_owned(self) -> dict[str, str]:
        """The ids of volumes and ports that are no resources of their own, with their servers."""
        found: dict[str, str] = {}
        for server in self.servers.values():
            found |= {disk["id"]: server["id"] for disk in self.disks(server)}
            found |= {port["id"]: server["id"] for port in self._ports_of[server["id"]] if made_by_nova(port)}
        return found

    def ineligible_reason(self, kind: str, id_: str) -> str | None:
        """Why an object can be no resource; None where it can."""
        live = self._of(kind).get(id_)
        if live is None:
            return "there is none"
        status = (live.get("status") or "").lower()
        reasons = (
            (id_ in self.server_owned, f"it comes and goes with server {self.server_owned.get(id_)}"),
            (
                status.startswith("error") and not live.get("OS-SRV-USG:launched_at"),
                f"it is in status {live.get('status')}",
            ),
            *(self._not_ours(kind, live) if kind in ("Network", "Subnet", "Port") else ()),
        )
        return next((reason for holds, reason in reasons if holds), None)

    def _not_ours(self, kind: str, live: RemoteObject) -> Iterator[tuple[Any, str]]:
        yield _owner(live) != self.cloud.region.project_id, "another project owns it"
        of = self.networks.get(live["network_id"], {}) if kind == "Subnet" else live
        shared = kind != "Port" and (of.get("shared") or of.get("router:external"))
        yield shared, "a network that is shared or external is looked up, not managed"
        user = live.get("device_owner") or ""
        yield kind == "Port" and user and not user.startswith("compute:"), f"the cloud made it ({user})"

    def is_looked_up(self, network_id: str) -> bool:
        """Whether resources only use a network: others than this project depend on it."""
        of = self.networks.get(network_id)
        return of is not None and any(holds for holds, _ in self._not_ours("Network", of))

    # ------------------------------------------------------------ all that can be picked

    @functools.cached_property
    def all(self) -> dict[tuple[str, str], Candidate]:
        """Everything that can become a resource, by kind and id, in the order of a program."""
        found: list[Candidate] = []
        for kind in KINDS[:6]:
            those = [
                Candidate(kind, id_, self._label(kind, live), live)
                for id_, live in self._of(kind).items()
                if self.ineligible_reason(kind, id_) is None
            ]
            found += sorted(those, key=lambda each: (each.label, each.id))
        servers = [each for each in found if each.kind == "Server"]
        found += [each for server in servers for each in self._volume_attachments(server)]
        found += [each for server in servers for each in self._interface_attachments(server)]
        return {(each.kind, each.id): each for each in found}

    def _volume_attachments(self, server: Candidate) -> Iterator[Candidate]:
        root = self.root(server.live)
        for volume in sorted(self._volumes_of[server.id], key=lambda volume: _device(volume, server.id)):
            if volume is not root and volume["id"] not in self.server_owned:
                label = f"{server.label}-{self._label('Volume', volume)}"
                yield Candidate("VolumeAttachment", f"{server.id}/{volume['id']}", label, volume)

    def _interface_attachments(self, server: Candidate) -> Iterator[Candidate]:
        for port in self.nics(server.live):
            if self.attached_later(port, server.live):
                other = self.networks.get(port["network_id"]) if made_by_nova(port) else port
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

    def _label(self, kind: str, live: RemoteObject) -> str:
        if live.get("name"):
            return str(live["name"])
        of = (self.networks.get(live.get("network_id", "")) or {}).get("name")
        return f"{of}-{kind.lower()}" if of else kind.lower()

    # ------------------------------------------------------------ picking

    def pick(
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
        """What any of the names, tags and ids picks, and what that needs, in the order of a program.

        Args:
            names: Patterns of names such as `web*`.
            tags: Tags.
            ids: Ids.
            everything: Pick all.
            kinds: Pick of these kinds only.
            dependencies: Add what the picked objects need.
            known: What is never picked, by kind and id: the resources of the stack.

        Raises:
            NoMatch: one of the names, tags or ids picks nothing.
        """
        able = {key: each for key, each in self.all.items() if each.kind in kinds}
        picked = set(able) if everything else set()
        criteria: list[tuple[str, str, Callable[[Candidate], bool]]] = [
            *(("named", glob, lambda each, glob=glob: fnmatchcase(_name(each), glob)) for glob in names),
            *(("tagged", tag, lambda each, tag=tag: _tagged(each, tag)) for tag in tags),
            *(("with the id", id_, lambda each, id_=id_: each.id == id_) for id_ in ids),
        ]
        for what, word, fits in criteria:
            those = [key for key, each in able.items() if fits(each)]
            if not those:
                raise errors.NoMatch([], f'there is nothing {what} "{word}"{self._hint(word, kinds)}')
            picked |= set(those)
        if dependencies:
            waiting = list(picked)
            while waiting:
                more = [key for key in self._needs(self.all[waiting.pop()]) if key in self.all and key not in picked]
                picked |= set(more)
                waiting += more
        chosen = [each for key, each in self.all.items() if key in picked and key not in known]
        return _sources_first(chosen)

    def _hint(self, word: str, kinds: Collection[str]) -> str:
        for kind in KINDS[:6]:
            if word in self._of(kind) and (reason := self.ineligible_reason(kind, word)):
                return f" to take over: {reason}"
        near = close_matches(word, {_name(each) for each in self.all.values() if each.kind in kinds} - {""})
        return f"; did you mean {' or '.join(near)}?" if near else ""

    def _needs(self, each: Candidate) -> Iterator[tuple[str, str]]:
        live = each.live
        if each.kind in ("Subnet", "Port"):
            yield "Network", live["network_id"]
        if each.kind == "Port":
            yield from (("Subnet", item["subnet_id"]) for item in live.get("fixed_ips") or ())
        if each.kind == "Volume":
            yield "Volume", live.get("source_volid") or ""
        if each.kind in ("VolumeAttachment", "InterfaceAttachment"):
            yield "Server", each.id.split("/")[0]
            yield each.kind.removesuffix("Attachment").replace("Interface", "Port"), live["id"]
        if each.kind == "Server":
            yield "KeyPair", live.get("key_name") or ""
            for port in self._ports_of[each.id]:
                yield "Port", port["id"]
                yield "Network", port["network_id"]
                yield from (("Subnet", item["subnet_id"]) for item in port.get("fixed_ips") or ())
                yield "InterfaceAttachment", f"{each.id}/{port['id']}"
            for volume in self._volumes_of[each.id]:
                yield "Volume", volume["id"]
                yield "VolumeAttachment", f"{each.id}/{volume['id']}"


def made_by_nova(port: RemoteObject) -> bool:
    """Whether Nova made the port for a NIC: it has no name, and nothing on it that a person would have put there."""
    persons = ("name", "description", "tags", "allowed_address_pairs", "extra_dhcp_opts")
    return (port.get("device_owner") or "").startswith("compute:") and not any(port.get(key) for key in persons)


def _by_id(items: Iterable[RemoteObject]) -> dict[str, RemoteObject]:
    return {item["id"]: item for item in items}


def _owner(live: RemoteObject) -> Any:
    return live.get("project_id", live.get("tenant_id"))


def _device(volume: RemoteObject, server_id: str) -> tuple[int, str]:
    device = next((item.get("device") or "" for item in volume["attachments"] if item["server_id"] == server_id), "")
    return len(device), device


def _name(each: Candidate) -> str:
    return "" if each.is_attachment else str(each.live.get("name") or "")


def _tagged(each: Candidate, tag: str) -> bool:
    return not each.is_attachment and tag in (each.live.get("tags") or ())


def _sources_first(chosen: list[Candidate]) -> list[Candidate]:
    """The same order, but a volume behind the one that it was copied from."""
    by_id = {each.id: each for each in chosen if each.kind == "Volume"}
    done: dict[tuple[str, str], Candidate] = {}

    def put(each: Candidate) -> None:
        if (each.kind, each.id) in done:
            return
        source = by_id.get(each.live.get("source_volid") or "") if each.kind == "Volume" else None
        if source is not None:
            put(source)
        done[each.kind, each.id] = each

    for each in chosen:
        put(each)
    return list(done.values())
