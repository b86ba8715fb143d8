"""Availability zones and API versions (guide, chapter 1 and 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ecs_pulumi.cloud import block_storage, compute, network
from ecs_pulumi.lookups.calls import call_with_outputs, one_line_errors, region_of
from ecs_pulumi.lookups.models import ApiVersion, AvailabilityZone

if TYPE_CHECKING:
    import pulumi

Service = Literal["compute", "network", "volume"]


@one_line_errors
def get_availability_zones(
    service: Service = "compute", *, region: str | None = None, cloud: str | None = None
) -> list[AvailabilityZone]:
    """List the availability zones, sorted by name, including those that are unavailable.

    Args:
        service: The service whose zones are listed: `compute`, `network` or `volume`. For `network` the list is empty
            if the cloud has no zones of networks, as on Open Telekom Cloud.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.
    """
    target = region_of(region, cloud)
    if service == "network":
        zones = [
            AvailabilityZone(name=zone["name"], available=zone["state"] == "available", resource=zone["resource"])
            for zone in network.list_availability_zones(target.network)
        ]
    else:
        documents = (
            compute.list_availability_zones(target.compute)
            if service == "compute"
            else block_storage.list_availability_zones(target.block_storage)
        )
        zones = [
            AvailabilityZone(name=zone["zoneName"], available=zone["zoneState"]["available"]) for zone in documents
        ]
    return sorted(zones, key=lambda zone: (zone.name, zone.resource or ""))


def get_availability_zones_output(
    service: pulumi.Input[Service] = "compute",
    *,
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[list[AvailabilityZone]]:
    """Variant of `get_availability_zones` that accepts outputs and returns an output."""
    return call_with_outputs(get_availability_zones, service=service, region=region, cloud=cloud)


@one_line_errors
def get_api_versions(*, region: str | None = None, cloud: str | None = None) -> list[ApiVersion]:
    """List the versions of the compute API, with the range of microversions of each.

    Args:
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.
    """
    return [ApiVersion.model_validate(item) for item in compute.list_versions(region_of(region, cloud).compute)]


def get_api_versions_output(
    *, region: pulumi.Input[str | None] = None, cloud: pulumi.Input[str | None] = None
) -> pulumi.Output[list[ApiVersion]]:
    """Variant of `get_api_versions` that accepts outputs and returns an output."""
    return call_with_outputs(get_api_versions, region=region, cloud=cloud)
