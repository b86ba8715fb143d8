"""Flavors (guide, chapter 4, step 1; Nova API reference, "Flavors")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.lookups.calls import call_with_outputs, exactly_one, one_line_errors, region_of, require_criteria
from ecs_pulumi.lookups.models import FlavorInfo

if TYPE_CHECKING:
    import pulumi

    from ecs_pulumi.cloud.api import ServiceClient

_EXTRA_SPECS = "2.61"


@one_line_errors
def get_flavor(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    min_vcpus: int | None = None,
    min_ram: int | None = None,
    min_disk: int | None = None,
    region: str | None = None,
    cloud: str | None = None,
) -> FlavorInfo:
    """Find a flavor by name or id, or the smallest flavor with the given minimum sizes.

    The smallest is the one with the fewest CPUs, then the least memory, then the smallest disk.

    Args:
        name: The name.
        id: The id; also finds a flavor that is not listed for the project.
        min_vcpus: Minimum number of CPUs.
        min_ram: Minimum memory in MiB.
        min_disk: Minimum size of the root disk in GiB.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the most similar names.
    """
    criteria = {"name": name, "id": id, "min_vcpus": min_vcpus, "min_ram": min_ram, "min_disk": min_disk}
    require_criteria("flavor", criteria)
    api = region_of(region, cloud).compute
    listed = [_by_id(api, id)] if id else _list(api, minRam=min_ram, minDisk=min_disk)
    found = [
        flavor
        for flavor in listed
        if flavor is not None
        and name in (None, flavor.name)
        and flavor.vcpus >= (min_vcpus or 0)
        and flavor.ram >= (min_ram or 0)
        and flavor.disk >= (min_disk or 0)
        and (name or id or not flavor.disabled)
    ]
    if not name:
        found = sorted(found, key=lambda flavor: (flavor.vcpus, flavor.ram, flavor.disk, flavor.name))[:1]
    flavor = exactly_one(found, "flavor", criteria, lambda: _list(api))
    return flavor if flavor.extra_specs is not None else _with_extra_specs(api, flavor)


def get_flavor_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    min_vcpus: pulumi.Input[int | None] = None,
    min_ram: pulumi.Input[int | None] = None,
    min_disk: pulumi.Input[int | None] = None,
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[FlavorInfo]:
    """Variant of `get_flavor` that accepts outputs and returns an output."""
    return call_with_outputs(
        get_flavor,
        name=name,
        id=id,
        min_vcpus=min_vcpus,
        min_ram=min_ram,
        min_disk=min_disk,
        region=region,
        cloud=cloud,
    )


@one_line_errors
def list_flavors(
    *,
    min_vcpus: int | None = None,
    min_ram: int | None = None,
    min_disk: int | None = None,
    is_public: bool | None = None,
    sort_key: str | None = None,
    sort_dir: Literal["asc", "desc"] | None = None,
    region: str | None = None,
    cloud: str | None = None,
) -> list[FlavorInfo]:
    """List the flavors with the given minimum sizes.

    Args:
        min_vcpus: Minimum number of CPUs.
        min_ram: Minimum memory in MiB.
        min_disk: Minimum size of the root disk in GiB.
        is_public: List only public or only private flavors. For administrators.
        sort_key: The API's name of the field to sort by: `flavorid`, `name`, `memory_mb`, `vcpus`, `root_gb`, …
        sort_dir: `asc` (the API's default) or `desc`.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.
    """
    api = region_of(region, cloud).compute
    visibility = None if is_public is None else str(is_public)
    found = _list(api, minRam=min_ram, minDisk=min_disk, is_public=visibility, sort_key=sort_key, sort_dir=sort_dir)
    return [flavor for flavor in found if flavor.vcpus >= (min_vcpus or 0)]


def list_flavors_output(
    *,
    min_vcpus: pulumi.Input[int | None] = None,
    min_ram: pulumi.Input[int | None] = None,
    min_disk: pulumi.Input[int | None] = None,
    is_public: pulumi.Input[bool | None] = None,
    sort_key: pulumi.Input[str | None] = None,
    sort_dir: pulumi.Input[Literal["asc", "desc"] | None] = None,
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[list[FlavorInfo]]:
    """Variant of `list_flavors` that accepts outputs and returns an output."""
    return call_with_outputs(
        list_flavors,
        min_vcpus=min_vcpus,
        min_ram=min_ram,
        min_disk=min_disk,
        is_public=is_public,
        sort_key=sort_key,
        sort_dir=sort_dir,
        region=region,
        cloud=cloud,
    )


def _list(api: ServiceClient, **query: object) -> list[FlavorInfo]:
    params = {key: value for key, value in query.items() if value is not None}
    found = compute.list_flavors(api, query=params, microversion=api.newest_supported(_EXTRA_SPECS))
    return [FlavorInfo.model_validate(flavor) for flavor in found]


def _by_id(api: ServiceClient, id_: str) -> FlavorInfo | None:
    try:
        return FlavorInfo.model_validate(compute.get_flavor(api, id_, microversion=api.newest_supported(_EXTRA_SPECS)))
    except errors.NotFound:
        return None


def _with_extra_specs(api: ServiceClient, flavor: FlavorInfo) -> FlavorInfo:
    try:
        specs = compute.get_flavor_extra_specs(api, flavor.id)
    except (errors.Forbidden, errors.NotFound, errors.ProxyNotFound):
        # Some clouds do not allow users to read extra specs.
        return flavor
    return flavor.model_copy(update={"extra_specs": specs})
