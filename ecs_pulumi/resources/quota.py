"""Quota checks of a preview: whether the quotas of the project allow what the program adds.

The quotas are read once per process, before it changes anything. The needs of all resources are added up from there.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import block_storage, compute, errors, network
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.dynamic.fields import CheckInputs, Problem
from ecs_pulumi.resources.per_region import PerRegion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.clients import Context

_NOT_OFFERED = (errors.NotFound, errors.ProxyNotFound)
_BESIDE = "beside the one that it replaces; the update fails unless its options have delete_before_replace=True"
_PAGE = 100
"""Objects that every cloud returns in one page."""
_NOVA = {
    "cores": ("maxTotalCores", "totalCoresUsed"),
    "ram": ("maxTotalRAMSize", "totalRAMUsed"),
    "instances": ("maxTotalInstances", "totalInstancesUsed"),
    "server_groups": ("maxServerGroups", "totalServerGroupsUsed"),
}
_CINDER = {
    "volumes": ("maxTotalVolumes", "totalVolumesUsed"),
    "gigabytes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
}
_VPC = {
    "vpc": "routers",
    "subnet": "subnets",
    "securityGroup": "security_groups",
    "securityGroupRule": "security_group_rules",
    "publicIp": "floatingips",
}
"""The quotas by their names in the VPC API of Open Telekom Cloud, which has none for networks and ports."""


@dataclass(frozen=True)
class QuotaNeed:
    """What a resource needs of the quotas of one service.

    Attributes:
        property: The input to which an exceeded quota is reported.
        service: `compute`, `block storage` or `network`.
        amounts: The amounts by the names of the quotas, such as `cores`; negative for what an update releases.
    """

    property: str
    service: str
    amounts: Mapping[str, int]


class QuotaTracker:
    """The quotas of one region, and what this run needs in addition to the current use."""

    def __init__(self, region: Region) -> None:
        self._region = weakref.proxy(region)
        self._lock = threading.Lock()
        self._quotas: dict[str, dict[str, tuple[int, int]]] = {}
        self._needed: dict[str, int] = {}
        self._entered: set[str] = set()

    def reserve(
        self, resource: str, service: str, needs: Mapping[str, int], *, is_replacement: bool = False
    ) -> Iterator[str]:
        """Add what a resource needs, once. Yield an error message for each quota that is exceeded.

        What a replacement needs is not added: it releases as much, before or after it is created.
        """
        with self._lock:
            if resource in self._entered or not any(needs.values()):
                return
            if not is_replacement:
                self._entered.add(resource)
            for name, amount in needs.items():
                limit, used = self._quotas_of(service).get(name, (-1, 0))
                earlier = self._needed.get(name, 0)
                needed = earlier + amount
                if not is_replacement:
                    self._needed[name] = needed
                if limit >= 0 and amount > 0 and used + needed > limit:
                    # Resources that the program declares later are not counted yet.
                    who = "this program" if earlier else "this resource"
                    yield f"quota exceeded for {name}: limit {limit}, in use {used}, {who} needs {needed}"

    def known_use(self, service: str, name: str) -> int | None:
        """Return how much of a quota was in use when the quotas of the service were read; None if it is not known."""
        with self._lock:
            known = self._quotas.get(service, {}).get(name)
        return None if known is None else known[1]

    def _quotas_of(self, service: str) -> dict[str, tuple[int, int]]:
        if service not in self._quotas:
            read: dict[str, Callable[[], dict[str, tuple[int, int]]]] = {
                "compute": lambda: _absolute(compute.get_limits(self._region.compute), _NOVA),
                "block storage": lambda: _of_storage(self._region),
                "network": lambda: _of_network(self._region),
            }
            try:
                self._quotas[service] = read[service]()
            except errors.EcsError:
                # Some clouds do not report quotas. Then the create request fails if one is exceeded.
                self._quotas[service] = {}
        return self._quotas[service]


def _absolute(limits: Mapping[str, Any], names: Mapping[str, tuple[str, str]]) -> dict[str, tuple[int, int]]:
    return {name: (limits[most], limits[used]) for name, (most, used) in names.items() if {most, used} <= limits.keys()}


def _of_storage(region: Region) -> dict[str, tuple[int, int]]:
    """Return the quotas of Cinder. Where it has no `/limits`, its quota set also shows those of each volume type."""
    try:
        return _absolute(block_storage.get_limits(region.block_storage), _CINDER)
    except _NOT_OFFERED:
        quotas = block_storage.get_quota_set(region.block_storage, region.project_id)
    return {
        name: (quota["limit"], quota["in_use"] + int(quota.get("reserved") or 0))
        for name, quota in quotas.items()
        if isinstance(quota, dict)
    }


def _of_network(region: Region) -> dict[str, tuple[int, int]]:
    """Return the quotas of Neutron, or those of the cloud's own API where Neutron shows none."""
    try:
        return _details(network.get_quotas(region.network, region.project_id))
    except _NOT_OFFERED:
        listed = region.vpc.get("/quotas", key="quotas")["resources"]
    return {_VPC[each["type"]]: (each["quota"], each["used"]) for each in listed if each["type"] in _VPC}


def storage_needs(name: str, disks: Iterable[tuple[object, object]], *, each: int = 1) -> QuotaNeed:
    """Return the needs of disks, which count for the quotas of all volumes and for those of their type.

    Args:
        name: The input to which an exceeded quota is reported.
        disks: Size in GiB and type of each disk; a size or a type that is not known does not count.
        each: How many volumes each disk adds: none if an existing one grows.
    """
    amounts: Counter[str] = Counter()
    for size, volume_type in disks:
        for suffix in ("", f"_{volume_type}") if isinstance(volume_type, str) else ("",):
            amounts[f"volumes{suffix}"] += each
            amounts[f"gigabytes{suffix}"] += size if isinstance(size, int) else 0
    return QuotaNeed(name, "block storage", amounts)


def _details(quotas: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    return {
        f"{name}s": (quota["limit"], quota["used"] + int(quota.get("reserved") or 0))
        for name, quota in quotas.items()
        if isinstance(quota, dict)
    }


_tracker = PerRegion(QuotaTracker)


def is_short(region: Region, service: str, name: str) -> bool:
    """Whether one page holds all objects that a quota counts, as far as is known without a request."""
    used = _tracker(region).known_use(service, name)
    return used is not None and used <= _PAGE


def check(context: Context, checked: CheckInputs, needs: Iterable[QuotaNeed]) -> Iterator[Problem]:
    """Check the quotas for what a resource adds. Warn if a replacement does not fit beside the object that it replaces.

    Args:
        context: The operation.
        checked: The desired inputs.
        needs: What the handler declares for them.
    """
    # An import adds nothing, and a replacement nothing if the replaced object is deleted first.
    is_replacement, urn = checked.is_replacement, rpc_bridge.current_request().urn
    is_import = checked.has("adopt") and not checked.prior
    if not context.resource or is_import or (is_replacement and run.deletes_first(urn)):
        return
    tracker = _tracker(context.cloud.region)
    for need in needs:
        entry = f"{context.kind} {context.resource} {need.service} {need.property}"
        for message in tracker.reserve(entry, need.service, need.amounts, is_replacement=is_replacement):
            if is_replacement:
                context.warn(f"{need.property}: {message} {_BESIDE}")
            else:
                yield Problem(need.property, message)
