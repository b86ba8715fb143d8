"""Quota checks of a preview: whether the quotas of the project allow what the program adds.

The quotas are read once per process, before it changes anything. The needs of all resources are added up from there.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import block_storage, compute, errors, network
from ecs_pulumi.dynamic.fields import CheckInputs, Problem, objects
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.per_region import PerRegion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.clients import Context

_NOVA = {
    "cores": ("maxTotalCores", "totalCoresUsed"),
    "ram": ("maxTotalRAMSize", "totalRAMUsed"),
    "instances": ("maxTotalInstances", "totalInstancesUsed"),
}
_CINDER = {
    "volumes": ("maxTotalVolumes", "totalVolumesUsed"),
    "gigabytes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
}
_NEUTRON = ("network", "subnet", "port")


class QuotaTracker:
    """The quotas of one region, and what this run needs in addition to the current use."""

    def __init__(self, region: Region) -> None:
        self._region = weakref.proxy(region)
        self._lock = threading.Lock()
        self._quotas: dict[str, dict[str, tuple[int, int]]] = {}
        self._needed: dict[str, int] = {}
        self._entered: set[str] = set()

    def reserve(self, resource: str, service: str, needs: Mapping[str, int]) -> Iterator[str]:
        """Add what a resource needs, once. Yield an error message for each quota that is exceeded."""
        with self._lock:
            if resource in self._entered or not any(needs.values()):
                return
            self._entered.add(resource)
            for name, amount in needs.items():
                limit, used = self._quotas_of(service).get(name, (-1, 0))
                earlier = self._needed.get(name, 0)
                self._needed[name] = needed = earlier + amount
                if limit >= 0 and amount > 0 and used + needed > limit:
                    # Resources that the program declares later are not counted yet.
                    who = "this program" if earlier else "this resource"
                    yield f"quota exceeded for {name}: limit {limit}, in use {used}, {who} needs {needed}"

    def _quotas_of(self, service: str) -> dict[str, tuple[int, int]]:
        if service not in self._quotas:
            read: dict[str, Callable[[], dict[str, tuple[int, int]]]] = {
                "compute": lambda: _absolute(compute.get_limits(self._region.compute), _NOVA),
                "block storage": lambda: _absolute(block_storage.get_limits(self._region.block_storage), _CINDER),
                "network": lambda: _details(network.get_quotas(self._region.network, self._region.project_id)),
            }
            try:
                self._quotas[service] = read[service]()
            except errors.EcsError:
                # Some clouds do not report quotas. Then the create request fails if one is exceeded.
                self._quotas[service] = {}
        return self._quotas[service]


def _absolute(limits: Mapping[str, Any], names: Mapping[str, tuple[str, str]]) -> dict[str, tuple[int, int]]:
    return {name: (limits[most], limits[used]) for name, (most, used) in names.items() if most in limits}


def _details(quotas: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    return {
        f"{name}s": (quotas[name]["limit"], quotas[name]["used"] + int(quotas[name].get("reserved") or 0))
        for name in _NEUTRON
        if isinstance(quotas.get(name), dict)
    }


_tracker = PerRegion(QuotaTracker)


def server(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check the quotas for a server: cores, memory, instances, and its new volumes and ports."""
    if checked.has("adopt") and not checked.prior:
        return
    needs = _of_flavor(context, checked.known("flavor"))
    for name, amount in _of_flavor(context, checked.prior.get("flavor")).items():
        needs[name] = needs.get(name, 0) - amount
    if not checked.prior:
        needs["instances"] = 1
    yield from _check(context, checked, "flavor", "compute", needs)
    if not checked.prior:
        disks = [
            device
            for _, device in checked.items("block_devices")
            if device.get("source_type") in ("blank", "image", "snapshot")
            and device.get("destination_type") == "volume"
        ]
        sizes = [device.get("volume_size") for device in disks]
        storage = {"volumes": len(disks), "gigabytes": sum(size for size in sizes if isinstance(size, int))}
        yield from _check(context, checked, "block_devices", "block storage", storage)
        created = [nic for nic in objects(checked.values.get("networks")) if nic.get("port_id") is None]
        yield from _check(context, checked, "networks", "network", {"ports": len(created)})


def volume(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Check the quotas for a new volume, or for the growth of an existing one."""
    if checked.has("adopt") and not checked.prior:
        return
    grown = (checked.known("size") or 0) - (checked.prior.get("size") or 0)
    needs = {"gigabytes": max(0, grown), "volumes": 0 if checked.prior else 1}
    yield from _check(context, checked, "size", "block storage", needs)


def of_network(context: Context, checked: CheckInputs, name: str, property_: str) -> Iterator[Problem]:
    """Check the quota for one more network, subnet or port."""
    if not checked.prior and not checked.has("adopt"):
        yield from _check(context, checked, property_, "network", {name: 1})


def _of_flavor(context: Context, name: str | None) -> dict[str, int]:
    if not name:
        return {}
    try:
        flavor = catalog(context.cloud.region).flavor(name)
    except errors.EcsError:
        return {}
    return {"cores": flavor["vcpus"], "ram": flavor["ram"]}


def _check(
    context: Context, checked: CheckInputs, property_: str, service: str, needs: Mapping[str, int]
) -> Iterator[Problem]:
    # A replacement releases what the replaced object used.
    if not context.resource or checked.is_replacement:
        return
    tracker = _tracker(context.cloud.region)
    entry = f"{context.kind} {context.resource} {service}"
    for message in tracker.reserve(entry, service, needs):
        yield Problem(property_, message)
