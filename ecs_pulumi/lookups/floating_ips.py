"""Floating IPs (Neutron API reference, "Floating IPs")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.cloud import network
from ecs_pulumi.lookups.calls import call_with_outputs, exactly_one, one_line_errors, region_of, require_criteria
from ecs_pulumi.lookups.models import FloatingIpInfo

if TYPE_CHECKING:
    import pulumi


@one_line_errors
def get_floating_ip(
    address: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    region: str | None = None,
    cloud: str | None = None,
) -> FloatingIpInfo:
    """Find the floating IP that meets all criteria.

    Args:
        address: The address in the external network.
        id: The id.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the existing addresses.
        NotUnique: Several objects match; the message lists them.
    """
    criteria = {"address": address, "id": id}
    require_criteria("floating IP", criteria)
    api = region_of(region, cloud).network
    return exactly_one(
        [
            FloatingIpInfo.model_validate(item)
            for item in network.list_all(api, "floatingip", floating_ip_address=address, id=id)
        ],
        "floating IP",
        criteria,
        lambda: [FloatingIpInfo.model_validate(item) for item in network.list_all(api, "floatingip")],
    )


def get_floating_ip_output(
    address: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[FloatingIpInfo]:
    """Variant of `get_floating_ip` that accepts outputs and returns an output."""
    return call_with_outputs(get_floating_ip, address=address, id=id, region=region, cloud=cloud)
