"""Whether the cloud has hosts left for a flavor, as far as its extra specs tell.

The Open Telekom Cloud writes into `cond:operation:status` whether a flavor is sold out in the region, and into
`cond:operation:az` where that is different in a zone, for example `eu-de-01(normal), eu-de-02(sellout)`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import errors
from ecs_pulumi.resources.catalog import catalog

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

_SOLD_OUT = {"sellout": "sold out", "obt_sellout": "sold out", "abandon": "no longer offered"}
_OF_ZONE = re.compile(r"([^\s,()]+)\s*\((\w+)\)")
_MOST_ALTERNATIVES, _MOST_LOOK_UPS = 3, 12
"""How many flavors an error names, and of how many it requests the extra specs."""


def shortage(context: Context, flavor: RemoteObject, zone: str | None) -> str | None:
    """Return why no server of the flavor can be created in the zone, and which flavors are in stock there.

    This sends a request for the extra specs of the flavor, but none to a cloud that has no such conditions.

    Args:
        context: The operation.
        flavor: The flavor.
        zone: The availability zone. If it is None, the flavor is in stock if any zone has it.
    """
    reason = _reason(context, flavor, zone)
    if reason is None:
        return None
    place = f"in {zone}" if zone else "in every zone of this region"
    found = _alternatives(context, flavor, zone)
    advice = f"in stock: {', '.join(found)}" if found else "choose another flavor"
    return f"{flavor['name']} is {reason} {place}; {advice}"


def zones_without(context: Context, flavor: RemoteObject) -> list[str]:
    """Return the zones in which the flavor is sold out although it is in stock in others."""
    specs = _extra_specs(context, flavor)
    return sorted(zone for zone, status in _of_zones(specs).items() if status in _SOLD_OUT)


def resource_types(context: Context, *names: str) -> list[str]:
    """Return the types of the hosts of these flavors, without those that the cloud does not tell."""
    resolver = catalog(context.cloud.region)
    try:
        flavors = [resolver.flavor(name) for name in names]
    except errors.EcsError:
        return []
    return [found for flavor in flavors if (found := _extra_specs(context, flavor).get("resource_type"))]


def _reason(context: Context, flavor: RemoteObject, zone: str | None) -> str | None:
    specs = _extra_specs(context, flavor)
    of_zones, of_region = _of_zones(specs), str(specs.get("cond:operation:status") or "normal")
    if zone is None and any(status not in _SOLD_OUT for status in of_zones.values()):
        return None
    if zone and of_zones and _series_of_zones(zone) not in map(_series_of_zones, of_zones):
        return None  # the zones have other names here, so that nothing is known about this one
    return _SOLD_OUT.get(of_zones.get(zone or "") or of_region)


def _series_of_zones(zone: str) -> str:
    return zone.rstrip("0123456789")


def _of_zones(specs: RemoteObject) -> dict[str, str]:
    return dict(_OF_ZONE.findall(specs.get("cond:operation:az") or ""))


def _extra_specs(context: Context, flavor: RemoteObject) -> RemoteObject:
    region = context.cloud.region
    try:
        return catalog(region).extra_specs(flavor) if region.differences.has_sold_out_flavors else {}
    except errors.ApiError:
        return {}  # the create request reports what is wrong


def _alternatives(context: Context, flavor: RemoteObject, zone: str | None) -> list[str]:
    """Return the names of flavors in stock that are at least as large, those of the same series and size first."""

    def distance(other: RemoteObject) -> tuple[bool, int, int]:
        return _series(other) != _series(flavor), other["ram"], other["vcpus"]

    fitting = [
        other
        for other in catalog(context.cloud.region).flavors()
        if other["id"] != flavor["id"]
        and all(other[size] >= flavor[size] for size in ("vcpus", "ram"))
        and bool(other["disk"]) == bool(flavor["disk"])
    ]
    in_stock = (
        other["name"]
        for other in sorted(fitting, key=distance)[:_MOST_LOOK_UPS]
        if _reason(context, other, zone) is None
    )
    return [name for _, name in zip(range(_MOST_ALTERNATIVES), in_stock, strict=False)]


def _series(flavor: RemoteObject) -> str:
    return str(flavor["name"]).partition(".")[0]
