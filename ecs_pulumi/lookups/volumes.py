"""Volumes (guide, chapter 6; Cinder API reference, "Volumes")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.cloud import block_storage, errors
from ecs_pulumi.lookups.calls import call_with_outputs, exactly_one, one_line_errors, region_of, require_criteria
from ecs_pulumi.lookups.models import VolumeInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from ecs_pulumi.cloud.api import ServiceClient


@one_line_errors
def get_volume(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    metadata: Mapping[str, str] | None = None,
    region: str | None = None,
    cloud: str | None = None,
) -> VolumeInfo:
    """Find the volume that meets all criteria.

    Args:
        name: The name.
        id: The id.
        metadata: Metadata keys that the volume must have, with their values.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the most similar names.
        NotUnique: Several objects match; the message lists them.
    """
    criteria = {"name": name, "id": id, "metadata": metadata}
    require_criteria("volume", criteria)
    api = region_of(region, cloud).block_storage
    found = [
        item
        for item in (_by_id(api, id) if id else _list(api, name))
        if name in (None, item.name) and (metadata or {}).items() <= item.metadata.items()
    ]
    return exactly_one(found, "volume", criteria, lambda: _list(api))


def get_volume_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    metadata: pulumi.Input[Mapping[str, pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[VolumeInfo]:
    """Variant of `get_volume` that accepts outputs and returns an output."""
    return call_with_outputs(get_volume, name=name, id=id, metadata=metadata, region=region, cloud=cloud)


def _list(api: ServiceClient, name: str | None = None) -> list[VolumeInfo]:
    return [VolumeInfo.model_validate(item) for item in block_storage.list_volumes(api, name=name)]


def _by_id(api: ServiceClient, id_: str) -> list[VolumeInfo]:
    try:
        return [VolumeInfo.model_validate(block_storage.get_volume(api, id_))]
    except errors.NotFound:
        return []
