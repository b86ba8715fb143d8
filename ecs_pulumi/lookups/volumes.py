"""Volumes (guide, chapter 6; Cinder API reference, "Volumes")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.cloud import block_storage, errors
from ecs_pulumi.lookups.calls import later, needed, only, region_of, told
from ecs_pulumi.lookups.models import VolumeInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from ecs_pulumi.cloud.api import ServiceClient


@told
def get_volume(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    metadata: Mapping[str, str] | None = None,
    region: str | None = None,
) -> VolumeInfo:
    """The volume that fulfils all of this.

    Args:
        name: Its name.
        id: Its id.
        metadata: Keys that its metadata has, with their values.
        region: The region. Default: the configured one.

    Raises:
        NoMatch: There is none; the message names those most like it.
        NotUnique: There are several; the message lists them.
    """
    asked = {"name": name, "id": id, "metadata": metadata}
    needed("volume", asked)
    api = region_of(region).block_storage
    found = [
        item
        for item in (_by_id(api, id) if id else _listed(api, name))
        if name in (None, item.name) and (metadata or {}).items() <= item.metadata.items()
    ]
    return only(found, "volume", asked, lambda: _listed(api))


def get_volume_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    metadata: pulumi.Input[Mapping[str, pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
) -> pulumi.Output[VolumeInfo]:
    """`get_volume` for the outputs of resources."""
    return later(get_volume, name=name, id=id, metadata=metadata, region=region)


def _listed(api: ServiceClient, name: str | None = None) -> list[VolumeInfo]:
    return [VolumeInfo.model_validate(item) for item in block_storage.list_volumes(api, name=name)]


def _by_id(api: ServiceClient, id_: str) -> list[VolumeInfo]:
    try:
        return [VolumeInfo.model_validate(block_storage.get_volume(api, id_))]
    except errors.NotFound:
        return []
