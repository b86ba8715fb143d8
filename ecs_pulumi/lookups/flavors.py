"""Flavors (guide, chapter 4, step 1; Nova API reference, "Flavors")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.lookups.calls import later, needed, only, region_of, told
from ecs_pulumi.lookups.models import FlavorInfo

if TYPE_CHECKING:
    import pulumi

    from ecs_pulumi.cloud.api import ServiceClient

_EXTRA_SPECS = "2.61"


@told
def get_flavor(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    min_vcpus: int | None = None,
    min_ram: int | None = None,
    min_disk: int | None = None,
    region: str | None = None,
) -> FlavorInfo:
    """The flavor of this name or id, or the smallest that has enough of everything.

    The smallest is the one with the fewest CPUs, then the least memory, then the smallest disk.

    Args:
        name: Its name.
        id: Its id; also finds a flavor that is not listed for the project.
        min_vcpus: Least number of CPUs.
        min_ram: Least memory in MiB.
        min_disk: Least size of the root disk in GiB.
        region: The region. Default: the configured one.

    Raises:
        NoMatch: There is none; the message names those most like it.
    """
    asked = {"name": name, "id": id, "min_vcpus": min_vcpus, "min_ram": min_ram, "min_disk": min_disk}
    needed("flavor", asked)
    api = region_of(region).compute
    listed = [_by_id(api, id)] if id else _listed(api, minRam=min_ram, minDisk=min_disk)
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
    flavor = only(found, "flavor", asked, lambda: _listed(api))
    return flavor if flavor.extra_specs is not None else _with_extra_specs(api, flavor)


def get_flavor_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    min_vcpus: pulumi.Input[int | None] = None,
    min_ram: pulumi.Input[int | None] = None,
    min_disk: pulumi.Input[int | None] = None,
    region: pulumi.Input[str | None] = None,
) -> pulumi.Output[FlavorInfo]:
    """`get_flavor` for the outputs of resources."""
    return later(get_flavor, name=name, id=id, min_vcpus=min_vcpus, min_ram=min_ram, min_disk=min_disk, region=region)


@told
def list_flavors(
    *,
    min_vcpus: int | None = None,
    min_ram: int | None = None,
    min_disk: int | None = None,
    is_public: bool | None = None,
    sort_key: str | None = None,
    sort_dir: Literal["asc", "desc"] | None = None,
    region: str | None = None,
) -> list[FlavorInfo]:
    """Every flavor that has enough of everything.

    Args:
        min_vcpus: Least number of CPUs.
        min_ram: Least memory in MiB.
        min_disk: Least size of the root disk in GiB.
        is_public: Only the public ones, or only the others. For administrators.
        sort_key: What to sort by, as the API calls it: `flavorid`, `name`, `memory_mb`, `vcpus`, `root_gb`, …
        sort_dir: `asc` (the API's default) or `desc`.
        region: The region. Default: the configured one.
    """
    api = region_of(region).compute
    public = None if is_public is None else str(is_public)
    found = _listed(api, minRam=min_ram, minDisk=min_disk, is_public=public, sort_key=sort_key, sort_dir=sort_dir)
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
) -> pulumi.Output[list[FlavorInfo]]:
    """`list_flavors` for the outputs of resources."""
    return later(
        list_flavors,
        min_vcpus=min_vcpus,
        min_ram=min_ram,
        min_disk=min_disk,
        is_public=is_public,
        sort_key=sort_key,
        sort_dir=sort_dir,
        region=region,
    )


def _listed(api: ServiceClient, **query: object) -> list[FlavorInfo]:
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
        # Some clouds keep them to themselves.
        return flavor
    return flavor.model_copy(update={"extra_specs": specs})
