"""What a cloud uses for inputs that a program does not set, so that `adopt` omits them. Looked up once per region."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.per_region import PerRegion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.remote import RemoteObject


class CloudDefaults:
    """The defaults of one region, and the names that a program uses instead of ids."""

    def __init__(self, region: Region) -> None:
        self._region = weakref.proxy(region)
        self._names = catalog(region)

    @functools.cached_property
    def volume_type(self) -> str | None:
        """The default volume type; None if there is none."""
        return block_storage.default_type(self._region.block_storage)

    @functools.cached_property
    def one_server_zone(self) -> bool:
        """Whether there is only one zone for servers, so that a program need not choose."""
        return _is_single(compute.list_availability_zones(self._region.compute))

    @functools.cached_property
    def one_volume_zone(self) -> bool:
        """Whether there is only one zone for volumes."""
        return _is_single(block_storage.list_availability_zones(self._region.block_storage))

    @functools.cached_property
    def security_groups(self) -> list[str]:
        """The ids of the security groups that Neutron gives a port: the project's group `default`."""
        project_id = self._region.project_id
        return [
            group["id"]
            for group in self._names.security_groups()
            if group["name"] == "default" and group.get("project_id", group.get("tenant_id")) == project_id
        ]

    def group_names(self, ids: Iterable[str]) -> str:
        """Return the names of security groups for a comment."""
        names = {group["id"]: group["name"] for group in self._names.security_groups()}
        return ", ".join(sorted(names.get(id_, id_) for id_ in ids))

    def image_reference(self, id_: str | None) -> str | None:
        """Return the name of an image if it is unique, else its id; None for None."""
        if not id_:
            return None
        name = self._names.image_name(id_)
        try:
            return name if name and self._names.image(name)["id"] == id_ else id_
        except errors.EcsError:
            return id_


def _is_single(zones: Iterable[RemoteObject]) -> bool:
    return len([zone for zone in zones if zone.get("zoneState", {}).get("available", True)]) <= 1


defaults = PerRegion(CloudDefaults)
"""Returns the defaults of a region."""
