"""What a cloud offers as a whole: availability zones and API versions (guide, chapter 1 and 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ecs_pulumi.cloud import block_storage, compute, network
from ecs_pulumi.lookups.calls import later, region_of, told
from ecs_pulumi.lookups.models import ApiVersion, AvailabilityZone

if TYPE_CHECKING:
    import pulumi

Service = Literal["compute", "network", "volume"]


@told
def get_availability_zones(service: Service = "compute", *, region: str | None = None) -> list[AvailabilityZone]:
    """The availability zones, sorted by name, those included that cannot be used now.

    Args:
        service: Whose zones: `compute`, `network` or `volume`.
        region: The region. Default: the configured one.
    """
    here = region_of(region)
    if service == "network":
        zones = [
            AvailabilityZone(name=zone["name"], available=zone["state"] == "available", resource=zone["resource"])
            for zone in network.list_availability_zones(here.network)
        ]
    else:
        found = (
            compute.list_availability_zones(here.compute)
            if service == "compute"
            else block_storage.list_availability_zones(here.block_storage)
        )
        zones = [AvailabilityZone(name=zone["zoneName"], available=zone["zoneState"]["available"]) for zone in found]
    return sorted(zones, key=lambda zone: (zone.name, zone.resource or ""))


def get_availability_zones_output(
    service: pulumi.Input[Service] = "compute", *, region: pulumi.Input[str | None] = None
) -> pulumi.Output[list[AvailabilityZone]]:
    """`get_availability_zones` for the outputs of resources."""
    return later(get_availability_zones, service=service, region=region)


@told
def get_api_versions(*, region: str | None = None) -> list[ApiVersion]:
    """The versions of the compute API, and the range of microversions that each accepts.

    Args:
        region: The region. Default: the configured one.
    """
    return [ApiVersion.model_validate(item) for item in compute.list_versions(region_of(region).compute)]


def get_api_versions_output(*, region: pulumi.Input[str | None] = None) -> pulumi.Output[list[ApiVersion]]:
    """`get_api_versions` for the outputs of resources."""
    return later(get_api_versions, region=region)
