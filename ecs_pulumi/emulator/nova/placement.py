"""The scheduler: the hosts of a cloud, and the one on which a server is built."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .flavors import is_sold_out
from .instance import find_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

Host = dict[str, str]
"""Host, hypervisor and zone, by their names in the document of a server."""

HOSTS_PER_ZONE = {"otc": 4, "openstack": 1}


def hosts(ctx: Context) -> Iterator[Host]:
    """Yield the hosts of the region, those of the default zone first."""
    for index, zone in enumerate(ctx.zones(), 1):
        for number in range(1, HOSTS_PER_ZONE[ctx.cloud.dialect.name] + 1):
            name = f"pod{number:02}.{zone}" if ctx.is_otc else f"compute-{index}"
            yield {"host": name, "hypervisor": f"nova{number:03}@1" if ctx.is_otc else name, "zone": zone}


def find_host(ctx: Context, doc: Document) -> Host | None:
    """Return the host that suits the zone, the hints and the group of a server; None if there is none."""
    found = [host for host in hosts(ctx) if doc["zone"] in ("", host["zone"])]
    found = [host for host in found if not is_sold_out(doc["flavor"], host["zone"])]
    wanted = doc.get("destination") or {}
    found = [host for host in found if wanted.items() <= host.items()]
    hints = doc.get("hints") or {}
    if apart := _hosts_of(ctx, hints.get("different_host")):
        found = [host for host in found if host["host"] not in apart]
    if hints.get("same_host"):
        together = _hosts_of(ctx, hints["same_host"])
        found = [host for host in found if host["host"] in together]
    group = next((each for each in ctx.find("server_group") if doc["id"] in each["members"]), None)
    if group is not None:
        others = _hosts_of(ctx, [member for member in group["members"] if member != doc["id"]])
        found = _suitable(found, group, others)
    return found[0] if found else None


def _suitable(found: list[Host], group: Document, others: Counter[str]) -> list[Host]:
    """Return the hosts that the policy of a group allows, the best one first."""
    policy = group["policy"]
    if policy == "affinity":
        return [host for host in found if not others or host["host"] in others]
    if policy == "anti-affinity":
        most = int(group["rules"].get("max_server_per_host", 1))
        return [host for host in found if others[host["host"]] < most]
    sign = 1 if policy == "soft-anti-affinity" else -1
    return sorted(found, key=lambda host: sign * others[host["host"]])


def _hosts_of(ctx: Context, server_ids: str | Iterable[str] | None) -> Counter[str]:
    """Count the given servers on each host. Servers without a host are ignored."""
    ids = [server_ids] if isinstance(server_ids, str) else server_ids or ()
    servers = filter(None, (find_server(ctx, each) for each in ids))
    return Counter(server["host"] for server in servers if server["host"])
