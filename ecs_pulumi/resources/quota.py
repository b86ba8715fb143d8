"""What a whole preview adds, held against the project's quotas; told where the line is crossed.

The quotas are read once per process, before it changes anything, so what the program asks for adds up from there.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import block_storage, compute, errors, network
from ecs_pulumi.dynamic.fields import CheckInputs, Problem, objects
from ecs_pulumi.resources.catalog import catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.common import Context

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
    """The quotas of one region, and what this run asks for beyond what is used."""

    def __init__(self, region: Region) -> None:
        self._region = weakref.proxy(region)
        self._lock = threading.Lock()
        self._quotas: dict[str, dict[str, tuple[int, int]]] = {}
        self._asked: dict[str, int] = {}
        self._seen: set[str] = set()

    def reserve(self, resource: str, service: str, needs: Mapping[str, int]) -> Iterator[str]:
        """Enter what a resource needs, once; a line for each quota that does not hold it."""
        with self._lock:
            if resource in self._seen or not any(needs.values()):
                return
            self._seen.add(resource)
            for name, amount in needs.items():
                limit, used = self._of(service).get(name, (-1, 0))
                before = self._asked.get(name, 0)
                self._asked[name] = before + amount
                if limit >= 0 and amount > 0 and used + before + amount > limit:
                    # What the program declares after this one is not known yet.
                    asked = f"the program asks for {before + amount} up to here" if before else f"it asks for {amount}"
                    yield f"the quota for {name} does not hold it: limit {limit}, used {used}, {asked}"

    def _of(self, service: str) -> dict[str, tuple[int, int]]:
        if service not in self._quotas:
            read: dict[str, Callable[[], dict[str, tuple[int, int]]]] = {
                "compute": lambda: _absolute(compute.get_limits(self._region.compute), _NOVA),
                "block storage": lambda: _absolute(block_storage.get_limits(self._region.block_storage), _CINDER),
                "network": lambda: _details(network.get_quotas(self._region.network, self._region.project_id)),
            }
            try:
                self._quotas[service] = read[service]()
            except errors.EcsError:
                # Not every cloud tells; then the create request will.
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


_ledgers: weakref.WeakKeyDictionary[Region, QuotaTracker] = weakref.WeakKeyDictionary()
_opening = threading.Lock()


def _ledger(region: Region) -> QuotaTracker:
    with _opening:
        return _ledgers.setdefault(region, QuotaTracker(region))


def server(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Cores, memory, the instance, and the volumes and ports that come with it."""
    if checked.has("adopt") and not checked.prior:
        return
    needs = _of_flavor(context, checked.known("flavor"))
    for name, amount in _of_flavor(context, checked.prior.get("flavor")).items():
        needs[name] = needs.get(name, 0) - amount
    if not checked.prior:
        needs["instances"] = 1
    yield from _held(context, checked, "flavor", "compute", needs)
    if not checked.prior:
        disks = [
            device
            for _, device in checked.items("block_devices")
            if device.get("source_type") in ("blank", "image", "snapshot")
            and device.get("destination_type") == "volume"
        ]
        sizes = [device.get("volume_size") for device in disks]
        room = {"volumes": len(disks), "gigabytes": sum(size for size in sizes if isinstance(size, int))}
        yield from _held(context, checked, "block_devices", "block storage", room)
        made = [nic for nic in objects(checked.values.get("networks")) if nic.get("port_id") is None]
        yield from _held(context, checked, "networks", "network", {"ports": len(made)})


def volume(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """The volume and its size, or what it grows by."""
    if checked.has("adopt") and not checked.prior:
        return
    grown = (checked.known("size") or 0) - (checked.prior.get("size") or 0)
    needs = {"gigabytes": max(0, grown), "volumes": 0 if checked.prior else 1}
    yield from _held(context, checked, "size", "block storage", needs)


def of_network(context: Context, checked: CheckInputs, name: str, property_: str) -> Iterator[Problem]:
    """One more network, subnet or port."""
    if not checked.prior and not checked.has("adopt"):
        yield from _held(context, checked, property_, "network", {name: 1})


def _of_flavor(context: Context, name: str | None) -> dict[str, int]:
    if not name:
        return {}
    try:
        flavor = catalog(context.cloud.region).flavor(name)
    except errors.EcsError:
        return {}
    return {"cores": flavor["vcpus"], "ram": flavor["ram"]}


def _held(
    context: Context, checked: CheckInputs, property_: str, service: str, needs: Mapping[str, int]
) -> Iterator[Problem]:
    # What a replacement replaces gives back what it takes.
    if not context.resource or checked.is_replacement:
        return
    ledger = _ledger(context.cloud.region)
    entry = f"{context.kind} {context.resource} {service}"
    for line in ledger.reserve(entry, service, needs):
        yield Problem(property_, line)
