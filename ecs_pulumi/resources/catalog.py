"""What a cloud offers by name: flavors, images, security groups. Each is asked for once per process and region."""

from __future__ import annotations

import ipaddress
import re
import threading
import weakref
from typing import TYPE_CHECKING, TypeAlias

from ecs_pulumi.cloud import block_storage, compute, errors, image, network
from ecs_pulumi.dynamic.fields import close_matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.common import RemoteObject

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Range: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)

_POINT_TO_POINT = 2
"""Addresses of a range that has neither an address of its own nor a broadcast."""
_BROADCASTS = 4
"""The IP version that has broadcasts."""
_FEW, _MANY = 3, 10
"""Names that are told where none is like the one asked for."""


def is_uuid(text: str) -> bool:
    """Whether this is an id by its looks."""
    return bool(_UUID.fullmatch(text))


def ip_range(cidr: str) -> Range:
    """The range that a subnet's cidr stands for."""
    return ipaddress.ip_network(cidr, strict=False)


def port_address_range(network: Range) -> tuple[Address, Address]:
    """The first and the last address that Neutron gives to a port: neither the network's own nor a broadcast."""
    few = network.num_addresses <= _POINT_TO_POINT
    return network[0 if few else 1], network[-1 if few or network.version != _BROADCASTS else -2]


class NameResolver:
    """The names and ids of one region."""

    def __init__(self, region: Region) -> None:
        self._region = weakref.proxy(region)
        self._lock = threading.RLock()
        self._known: dict[object, list[RemoteObject]] = {}
        self._expected: set[str] = set()
        self._promised: dict[str, list[RemoteObject]] = {}
        self._claims: dict[tuple[str, Address], str] = {}

    def flavor(self, name_or_id: str) -> RemoteObject:
        """A flavor; one that is not listed for this project is asked for by its id.

        Raises:
            NoMatch: there is none; the message names those most like it.
        """
        flavors = self._once("flavors", lambda: compute.list_flavors(self._region.compute))
        found = _pick(flavors, name_or_id, "flavor")
        if found is None:
            try:
                found = compute.get_flavor(self._region.compute, name_or_id)
            except errors.NotFound:
                raise _unknown("flavor", name_or_id, (item["name"] for item in flavors)) from None
        return found

    def flavor_name(self, id_: str) -> str:
        """A flavor's name; its id where the flavor exists no more."""
        try:
            return str(self.flavor(id_)["name"])
        except errors.EcsError:
            return id_

    def image(self, name_or_id: str) -> RemoteObject:
        """An image that can be used now.

        Raises:
            NoMatch: there is none; the message names those most like it.
            NotUnique: several have this name.
        """
        api = self._region.image
        if is_uuid(name_or_id):
            try:
                return self._once(("image", name_or_id), lambda: [image.get_image(api, name_or_id)])[0]
            except errors.NotFound:
                raise _unknown("image", name_or_id, ()) from None
        found = _pick(
            self._once(("image", name_or_id), lambda: image.list_images(api, name=name_or_id)), name_or_id, "image"
        )
        if found is None:
            images = self._once("images", lambda: image.list_images(api, status="active"))
            raise _unknown("image", name_or_id, (item.get("name") or "" for item in images))
        # A server tells its image by id.
        self._once(("image", found["id"]), lambda: [found])
        return found

    def image_name(self, id_: str) -> str | None:
        """An image's name; None where the image exists no more."""
        try:
            return str(self.image(id_).get("name"))
        except errors.EcsError:
            return None

    def security_groups(self) -> list[RemoteObject]:
        """The security groups of the project."""
        return self._once("security groups", lambda: network.list_security_groups(self._region.network))

    def key_pair(self, name: str) -> None:
        """Raise `NoMatch` unless there is a key pair of this name."""
        api = self._region.compute
        if name not in self._expected:
            self._named("key pair", name, lambda: compute.list_key_pairs(api), lambda: compute.get_key_pair(api, name))

    def key_pair_names(self) -> list[str]:
        """The names of the user's key pairs, those apart that this run has created since."""
        return [item["name"] for item in self._once("key pair", lambda: compute.list_key_pairs(self._region.compute))]

    def register_planned_key_pair(self, name: str) -> None:
        """Take it that there will be a key pair of this name: the program declares it.

        In a preview the name of a resource that is yet to be created is known to those that refer to it.
        """
        self._expected.add(name)

    def zone(self, name: str) -> None:
        """Raise `NoMatch` unless servers can be put into this zone."""
        zones = self._once("zones", lambda: compute.list_availability_zones(self._region.compute))
        usable = [zone["zoneName"] for zone in zones if zone.get("zoneState", {}).get("available", True)]
        if usable and name not in usable:
            raise _unknown("zone", name, usable, all_of_them=True)

    def volume_zone(self, name: str) -> None:
        """Raise `NoMatch` unless volumes can be put into this zone."""
        api = self._region.block_storage
        zones = self._once("volume zones", lambda: block_storage.list_availability_zones(api))
        usable = [zone["zoneName"] for zone in zones if zone.get("zoneState", {}).get("available", True)]
        if usable and name not in usable:
            raise _unknown("zone", name, usable, all_of_them=True)

    def volume_type(self, name_or_id: str) -> RemoteObject:
        """The volume type. Raises `NoMatch`."""
        types = self._once("volume types", lambda: block_storage.list_types(self._region.block_storage))
        found = _pick(types, name_or_id, "volume type")
        if found is None:
            raise _unknown("volume type", name_or_id, (item["name"] for item in types), all_of_them=True)
        return found

    def allows_several(self, volume_type: str) -> bool:
        """Whether several servers may attach a volume of this type, as far as the account is told."""
        told = self.volume_type(volume_type).get("extra_specs") or {}
        return bool(told.get("multiattach") == "<is> True")

    def security_group(self, name_or_id: str) -> RemoteObject:
        """A security group, the project's own before one that another shares with it.

        Raises:
            NoMatch: there is none; the message names those most like it.
            NotUnique: several have this name.
        """
        groups = self.security_groups()
        if (found := self._security_group(groups, name_or_id)) is not None:
            return found
        # What this run has made since, with another provider, is not in the list.
        made = network.list_security_groups(
            self._region.network, **{"id" if is_uuid(name_or_id) else "name": name_or_id}
        )
        groups += made
        if (found := self._security_group(made, name_or_id)) is None:
            raise _unknown("security group", name_or_id, (group["name"] for group in groups))
        return found

    def security_group_id(self, id_: str) -> None:
        """Raise `NoMatch` unless this is the id of a security group."""
        group = self.security_group(id_)
        if group["id"] != id_:
            reason = f'"{id_}" is a name; the security group of that name has the id {group["id"]}'
            raise errors.NoMatch([group["id"]], reason)

    def server(self, id_: str) -> None:
        """Raise `NoMatch` unless there is a server with this id."""
        self._exists("server", id_, self._region.servers.read(id_) is not None)

    def volume(self, id_: str) -> RemoteObject:
        """The volume of this id. Raises `NoMatch`."""
        found = self._region.volumes.read(id_)
        self._exists("volume", id_, found is not None)
        return found or {}

    def snapshot(self, id_: str) -> None:
        """Raise `NoMatch` unless there is a snapshot with this id."""
        try:
            block_storage.get_snapshot(self._region.block_storage, id_)
        except errors.NotFound:
            self._exists("snapshot", id_, False)  # noqa: FBT003

    @staticmethod
    def _exists(what: str, id_: str, there: bool) -> None:  # noqa: FBT001
        if not there:
            hint = "" if is_uuid(id_) else "; give its id, not its name"
            raise errors.NoMatch([], f'there is no {what} with the id "{id_}"{hint}')

    def usable_networks(self) -> list[RemoteObject]:
        """The networks that Nova chooses from for a server without any: the project's own and shared ones."""
        listed = self._once("network", lambda: network.list_all(self._region.network, "network"))
        mine = self._region.project_id
        return [each for each in listed if each.get("shared") or each.get("tenant_id", each.get("project_id")) == mine]

    def _security_group(self, groups: list[RemoteObject], name_or_id: str) -> RemoteObject | None:
        groups = list({group["id"]: group for group in groups}.values())  # two may have asked for one at the same time
        own = [group for group in groups if group.get("tenant_id") == self._region.project_id]
        return _pick(own, name_or_id, "security group") or _pick(groups, name_or_id, "security group")

    def neutron(self, kind: str, id_: str) -> RemoteObject:
        """The `network`, `subnet` or `port` of this id, for a look at what it allows.

        Raises:
            NoMatch: there is none.
        """
        api = self._region.network
        listed = [] if kind == "port" else self._once(kind, lambda: network.list_all(api, kind))
        found = next((item for item in listed if item["id"] == id_), None)
        if found is None:
            try:
                # Not under the lock, which many wait for.
                known = self._known.get((kind, id_)) or [network.get(api, kind, id_)]
                found = self._known.setdefault((kind, id_), known)[0]
            except errors.NotFound:
                named = next((item["id"] for item in listed if item.get("name") == id_), None)
                hint = f"; the one of that name has the id {named}" if named else ""
                raise errors.NoMatch([], f'there is no {kind} with the id "{id_}"{hint}') from None
            listed.append(found)
        return found

    def subnets(self, network_id: str) -> list[RemoteObject]:
        """The subnets of a network, those included that the program declares; a range not known yet is None."""
        listed = self._once("subnet", lambda: network.list_all(self._region.network, "subnet"))
        return [each for each in listed if each["network_id"] == network_id] + self._promised.get(network_id, [])

    def register_planned_subnet(self, network_id: str, cidr: str | None) -> None:
        """Take it that there will be a subnet with this range in a network that exists: the program declares it."""
        promised: RemoteObject = {"cidr": cidr, "allocation_pools": [], "gateway_ip": None}
        self._promised.setdefault(network_id, []).append(promised)

    def port_with_address(self, network_id: str, address: Address) -> RemoteObject | None:
        """The port of a network that has an address, as far as one's rights show it."""
        ports = self._once(
            ("ports", network_id), lambda: network.list_all(self._region.network, "port", network_id=network_id)
        )
        for port in ports:
            if any(ipaddress.ip_address(item["ip_address"]) == address for item in port["fixed_ips"]):
                return port
        return None

    def reserve_address(self, network_id: str, address: Address, resource: str) -> str | None:
        """Enter that a resource of the program wants an address; the other one that wants it as well."""
        first = self._claims.setdefault((network_id, address), resource)
        return None if first == resource else first

    def _named(
        self, what: str, name: str, ask: Callable[[], Iterable[RemoteObject]], one: Callable[[], RemoteObject]
    ) -> None:
        names = [item["name"] for item in self._once(what, ask)]
        if name in names:
            return
        try:
            # What this run has made since is not in the list.
            self._once(what, ask).append(one())
        except errors.NotFound:
            raise _unknown(what, name, names) from None

    def _once(self, what: object, ask: Callable[[], Iterable[RemoteObject]]) -> list[RemoteObject]:
        with self._lock:
            if what not in self._known:
                self._known[what] = list(ask())
            return self._known[what]


def _pick(items: list[RemoteObject], name_or_id: str, what: str) -> RemoteObject | None:
    by_id = [item for item in items if item["id"] == name_or_id]
    found = by_id or [item for item in items if item.get("name") == name_or_id]
    if len(found) > 1:
        ids = [item["id"] for item in found]
        raise errors.NotUnique(
            ids, f'{len(ids)} {what}s are named "{name_or_id}": {errors.join_names(ids)}. Give the id'
        )
    return found[0] if found else None


def _unknown(what: str, name: str, names: Iterable[str], *, all_of_them: bool = False) -> errors.NoMatch:
    names = list(names)
    near = close_matches(name, names)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    if names and not near:
        hint = f"; there is {errors.join_names(sorted(set(names)), _MANY if all_of_them else _FEW)}"
    return errors.NoMatch(near, f'there is no {what} "{name}"{hint}')


_catalogs: weakref.WeakKeyDictionary[Region, NameResolver] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def catalog(region: Region) -> NameResolver:
    """The catalog of this region."""
    with _making:
        if region not in _catalogs:
            _catalogs[region] = NameResolver(region)
        return _catalogs[region]
