"""Look-up of flavors, images, networks and others by name or id. Each list is requested once per process and region."""

from __future__ import annotations

import ipaddress
import re
import threading
import weakref
from collections import Counter
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import block_storage, compute, errors, image, network
from ecs_pulumi.dynamic.fields import close_matches
from ecs_pulumi.resources.per_region import PerRegion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.addresses import Address
    from ecs_pulumi.resources.remote import RemoteObject

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)

_NEWEST = 50
_FEW, _MANY = 3, 10
"""How many existing names an error lists if none is similar to the requested one."""


def is_uuid(text: str) -> bool:
    """Whether the text has the form of a UUID."""
    return bool(_UUID.fullmatch(text))


def zone_of_server(server: RemoteObject) -> str | None:
    """Return the zone of a server; None or empty if it has no host."""
    return server.get("OS-EXT-AZ:availability_zone")


class NameResolver:
    """Resolves the names and ids of one region."""

    def __init__(self, region: Region) -> None:
        self._region = weakref.proxy(region)
        self._lock = threading.RLock()
        self._cache: dict[object, list[RemoteObject]] = {}

    def flavor(self, name_or_id: str) -> RemoteObject:
        """Return a flavor. A flavor that is not in the project's list is requested by its id.

        Raises:
            NoMatch: It does not exist; the message lists similar names.
        """

        def get() -> list[RemoteObject]:
            try:
                return [compute.get_flavor(self._region.compute, name_or_id)]
            except errors.NotFound:
                return []

        flavors = self.flavors()
        found = _pick(flavors, name_or_id, "flavor") or next(iter(self._cached(("flavor", name_or_id), get)), None)
        if found is None:
            raise _no_match("flavor", name_or_id, (item["name"] for item in flavors))
        return found

    def flavors(self) -> list[RemoteObject]:
        """Return the flavors that the project may use."""
        return self._cached("flavors", lambda: compute.list_flavors(self._region.compute))

    def extra_specs(self, flavor: RemoteObject) -> RemoteObject:
        """Return the extra specs of a flavor."""
        id_ = flavor["id"]
        return self._cached(("extra specs", id_), lambda: [compute.get_flavor_extra_specs(self._region.compute, id_)])[
            0
        ]

    def flavor_name(self, id_: str) -> str:
        """Return the name of a flavor, or its id if it no longer exists."""
        try:
            return str(self.flavor(id_)["name"])
        except errors.EcsError:
            return id_

    def image(self, name_or_id: str) -> RemoteObject:
        """Return a usable image.

        Raises:
            NoMatch: It does not exist; the message lists similar names.
            NotUnique: Several have this name.
        """
        api = self._region.image
        if is_uuid(name_or_id):
            try:
                return self._cached(("image", name_or_id), lambda: [image.get_image(api, name_or_id)])[0]
            except errors.NotFound:
                raise _no_match("image", name_or_id, ()) from None
        found = _pick(
            self._cached(("image", name_or_id), lambda: image.list_images(api, name=name_or_id)), name_or_id, "image"
        )
        if found is None:
            images = self._cached("images", lambda: image.list_images(api, status="active"))
            raise _no_match("image", name_or_id, (item.get("name") or "" for item in images))
        # The API identifies the image of a server by its id.
        self._cached(("image", found["id"]), lambda: [found])
        return found

    def image_name(self, id_: str) -> str | None:
        """Return the name of an image, or None if it no longer exists."""
        try:
            return str(self.image(id_).get("name"))
        except errors.EcsError:
            return None

    def security_groups(self) -> list[RemoteObject]:
        """Return the security groups of the project."""
        return self._cached("security groups", lambda: network.list_all(self._region.network, "security_group"))

    def server_groups(self) -> list[RemoteObject]:
        """Return the server groups of the project, without those that this run has created since the list was read."""
        return self._cached("server groups", lambda: compute.list_server_groups(self._region.compute))

    def server_group(self, id_: str) -> None:
        """Raise `NoMatch` if there is no server group with this id."""
        groups = self.server_groups()
        if any(group["id"] == id_ for group in groups):
            return
        try:
            compute.get_server_group(self._region.compute, id_)
        except errors.NotFound:
            named = [group["id"] for group in groups if group["name"] == id_]
            hint = f"; the one of that name has the id {named[0]}" if len(named) == 1 else ""
            raise errors.NoMatch(named, f'there is no server group with the id "{id_}"{hint}') from None

    def key_pair(self, name: str) -> None:
        """Raise `NoMatch` if there is no key pair with this name."""
        api = self._region.compute
        self._require_name(
            "key pair", name, lambda: compute.list_key_pairs(api), lambda: compute.get_key_pair(api, name)
        )

    def key_pair_names(self) -> list[str]:
        """Return the names of the user's key pairs, without those that this run has created since the list was read."""
        return [item["name"] for item in self._cached("key pair", lambda: compute.list_key_pairs(self._region.compute))]

    def zone(self, name: str) -> None:
        """Raise `NoMatch` if this zone is not available for servers."""
        zones = self._cached("zones", lambda: compute.list_availability_zones(self._region.compute))
        usable = [zone["zoneName"] for zone in zones if zone.get("zoneState", {}).get("available", True)]
        if usable and name not in usable:
            raise _no_match("zone", name, usable, list_more=True)

    def server_zones(self) -> list[str]:
        """Return the zones of the newest servers of the project, the one with most of them first."""
        api = self._region.compute
        newest = self._cached("newest servers", lambda: compute.list_servers(api, limit=_NEWEST))
        return [zone for zone, _ in Counter(filter(None, map(zone_of_server, newest))).most_common()]

    def volume_zone(self, name: str) -> None:
        """Raise `NoMatch` if this zone is not available for volumes."""
        usable = self.volume_zones()
        if usable and name not in usable:
            raise _no_match("zone", name, usable, list_more=True)

    def volume_zones(self) -> list[str]:
        """Return the names of the zones that are available for volumes."""
        api = self._region.block_storage
        zones = self._cached("volume zones", lambda: block_storage.list_availability_zones(api))
        return [zone["zoneName"] for zone in zones if zone.get("zoneState", {}).get("available", True)]

    def volume_type(self, name_or_id: str) -> RemoteObject:
        """Return a volume type. Raises `NoMatch`."""
        types = self._cached("volume types", lambda: block_storage.list_types(self._region.block_storage))
        found = _pick(types, name_or_id, "volume type")
        if found is None:
            raise _no_match("volume type", name_or_id, (item["name"] for item in types), list_more=True)
        return found

    def allows_several(self, volume_type: str) -> bool:
        """Whether volumes of this type allow several attachments, as far as the account may see it."""
        specs = self.volume_type(volume_type).get("extra_specs") or {}
        return bool(specs.get("multiattach") == "<is> True")

    def security_group(self, name_or_id: str) -> RemoteObject:
        """Return a security group. A group of the project takes precedence over one that another project shares.

        Raises:
            NoMatch: It does not exist; the message lists similar names.
            NotUnique: Several have this name.
        """
        groups = self.security_groups()
        if (found := self._security_group(groups, name_or_id)) is not None:
            return found
        # The list lacks groups that another provider has created since it was read.
        current = network.list_all(
            self._region.network, "security_group", **{"id" if is_uuid(name_or_id) else "name": name_or_id}
        )
        groups += current
        if (found := self._security_group(current, name_or_id)) is None:
            raise _no_match("security group", name_or_id, (group["name"] for group in groups))
        return found

    def security_group_id(self, id_: str) -> None:
        """Raise `NoMatch` if this is not the id of a security group."""
        group = self.security_group(id_)
        if group["id"] != id_:
            reason = f'"{id_}" is a name; the security group of that name has the id {group["id"]}'
            raise errors.NoMatch([group["id"]], reason)

    def server(self, id_: str) -> None:
        """Raise `NoMatch` if there is no server with this id."""
        self._require("server", id_, self._region.servers.read(id_) is not None)

    def volume(self, id_: str) -> RemoteObject:
        """Return the volume with this id. Raises `NoMatch`."""
        found = self._region.volumes.read(id_)
        self._require("volume", id_, found is not None)
        return found or {}

    def snapshot(self, id_: str) -> None:
        """Raise `NoMatch` if there is no snapshot with this id."""
        try:
            block_storage.get_snapshot(self._region.block_storage, id_)
        except errors.NotFound:
            self._require("snapshot", id_, False)  # noqa: FBT003

    @staticmethod
    def _require(what: str, id_: str, exists: bool) -> None:  # noqa: FBT001
        if not exists:
            hint = "" if is_uuid(id_) else "; give its id, not its name"
            raise errors.NoMatch([], f'there is no {what} with the id "{id_}"{hint}')

    def usable_networks(self) -> list[RemoteObject]:
        """Return the networks that Nova considers for a server without networks: the project's own and shared ones."""
        listed = self._cached("network", lambda: network.list_all(self._region.network, "network"))
        own = self._region.project_id
        return [each for each in listed if each.get("shared") or each.get("tenant_id", each.get("project_id")) == own]

    def _security_group(self, groups: list[RemoteObject], name_or_id: str) -> RemoteObject | None:
        # Parallel look-ups may have added a group twice.
        groups = list({group["id"]: group for group in groups}.values())
        own = [group for group in groups if group.get("tenant_id") == self._region.project_id]
        return _pick(own, name_or_id, "security group") or _pick(groups, name_or_id, "security group")

    def neutron(self, kind: str, id_: str) -> RemoteObject:
        """Return the `network`, `subnet` or `port` with this id.

        Raises:
            NoMatch: It does not exist.
        """
        api = self._region.network
        listed = [] if kind == "port" else self._cached(kind, lambda: network.list_all(api, kind))
        found = next((item for item in listed if item["id"] == id_), None)
        if found is None:
            try:
                # The request is sent without the lock, so that other look-ups do not wait for it.
                cached = self._cache.get((kind, id_)) or [network.get(api, kind, id_)]
                found = self._cache.setdefault((kind, id_), cached)[0]
            except errors.NotFound:
                named = next((item["id"] for item in listed if item.get("name") == id_), None)
                hint = f"; the one of that name has the id {named}" if named else ""
                raise errors.NoMatch([], f'there is no {kind.replace("_", " ")} with the id "{id_}"{hint}') from None
            listed.append(found)
        return found

    def subnets(self, network_id: str) -> list[RemoteObject]:
        """Return the subnets of a network."""
        listed = self._cached("subnet", lambda: network.list_all(self._region.network, "subnet"))
        return [each for each in listed if each["network_id"] == network_id]

    def external_network(self, name_or_id: str) -> RemoteObject:
        """Return a network that leads to networks outside the cloud.

        Raises:
            NoMatch: It does not exist, or is not external; the message lists similar names.
            NotUnique: Several have this name.
        """

        def list_external(**filters: str) -> list[RemoteObject]:
            return network.list_all(self._region.network, "network", **{"router:external": True}, **filters)

        networks = self._cached("external networks", list_external)
        found = _pick(networks, name_or_id, "external network")
        if found is None:
            # The list lacks networks that another provider has created since it was read.
            listed = list_external(**{"id" if is_uuid(name_or_id) else "name": name_or_id})
            # A cloud may ignore all filters but the one for external networks.
            known = {each["id"] for each in networks}
            current = [each for each in listed if each["id"] not in known]
            networks += current
            found = _pick(current, name_or_id, "external network")
        if found is None:
            raise _no_match(
                "external network", name_or_id, (each.get("name") or each["id"] for each in networks), list_more=True
            )
        return found

    def floating_ips(self) -> list[RemoteObject]:
        """Return the floating IPs that the account can see, without those that this run has created since."""
        return self._cached("floatingip", lambda: network.list_all(self._region.network, "floatingip"))

    def external_network_name(self, id_: str) -> str:
        """Return the name of an external network, or its id if no other name identifies it."""
        try:
            name = str(self.external_network(id_).get("name") or id_)
            return name if self.external_network(name)["id"] == id_ else id_
        except errors.EcsError:
            return id_

    def ports(self, network_id: str) -> list[RemoteObject]:
        """Return the ports of a network that the account can see."""
        return self._cached(
            ("ports", network_id), lambda: network.list_all(self._region.network, "port", network_id=network_id)
        )

    def port_with_address(self, network_id: str, address: Address) -> RemoteObject | None:
        """Return the port of a network that has an address, if the account may see it."""
        for port in self.ports(network_id):
            if any(ipaddress.ip_address(item["ip_address"]) == address for item in port["fixed_ips"]):
                return port
        return None

    def ports_of(self, device_id: str) -> list[RemoteObject]:
        """Return the ports of a server or a router, as far as the account may see them."""
        return self._cached(
            ("ports of", device_id), lambda: network.list_all(self._region.network, "port", device_id=device_id)
        )

    def sample(self, kind: str) -> RemoteObject | None:
        """Return one object of a kind of the network service; None if there was none, or the account lists none."""

        def any_object() -> list[RemoteObject]:
            try:
                found = network.get_any(self._region.network, kind)
            except errors.ApiError:
                return []  # an account that may not list objects may still create them
            return [found] if found else []

        return next(iter(self._cached(("sample", kind), any_object)), None)

    def expect_sample(self, kind: str) -> None:
        """Search for a sample again if there was none: now there is an object of the kind."""
        with self._lock:
            self._cache = {key: found for key, found in self._cache.items() if found or key != ("sample", kind)}

    def _require_name(
        self, what: str, name: str, list_all: Callable[[], Iterable[RemoteObject]], get: Callable[[], RemoteObject]
    ) -> None:
        names = [item["name"] for item in self._cached(what, list_all)]
        if name in names:
            return
        try:
            # The list lacks objects that this run has created since it was read.
            self._cached(what, list_all).append(get())
        except errors.NotFound:
            raise _no_match(what, name, names) from None

    def _cached(self, key: object, list_all: Callable[[], Iterable[RemoteObject]]) -> list[RemoteObject]:
        with self._lock:
            if key not in self._cache:
                self._cache[key] = list(list_all())
            return self._cache[key]


def _pick(items: list[RemoteObject], name_or_id: str, what: str) -> RemoteObject | None:
    by_id = [item for item in items if item["id"] == name_or_id]
    found = by_id or [item for item in items if item.get("name") == name_or_id]
    if len(found) > 1:
        ids = [item["id"] for item in found]
        raise errors.NotUnique(
            ids, f'{len(ids)} {what}s are named "{name_or_id}": {errors.join_names(ids)}. Give the id'
        )
    return found[0] if found else None


def _no_match(what: str, name: str, names: Iterable[str], *, list_more: bool = False) -> errors.NoMatch:
    names = list(names)
    similar = close_matches(name, names)
    hint = f"; did you mean {' or '.join(similar)}?" if similar else ""
    if not names:
        # Some clouds answer with an empty list instead of a 403.
        hint = "; there is none, or the account has no right to list them"
    elif not similar:
        hint = f"; available: {errors.join_names(sorted(set(names)), _MANY if list_more else _FEW)}"
    return errors.NoMatch(similar, f'there is no {what} "{name}"{hint}')


catalog = PerRegion(NameResolver)
"""Returns the name resolver of a region."""
