"""A server's NICs and the security groups of those that Nova makes: what it has, and how it comes to have others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute
from ecs_pulumi.dynamic.fields import plain
from ecs_pulumi.resources.catalog import catalog, is_uuid
from ecs_pulumi.resources.nic import attach, detach, ports_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.resources.common import Live, Op
    from ecs_pulumi.resources.server_fields import ServerInputs


def addresses(live: Live) -> dict[str, list[dict[str, Any]]]:
    """The server's addresses by network."""
    return {
        network: [
            {
                "addr": item["addr"],
                "version": item.get("version", 4),
                "mac": item.get("OS-EXT-IPS-MAC:mac_addr", ""),
                "type": item.get("OS-EXT-IPS:type", "fixed"),
            }
            for item in items
        ]
        for network, items in (live.get("addresses") or {}).items()
    }


def networks(op: Op, live: Live) -> Any:
    """The program's NICs that the server has; asked of Neutron only where one may be missing."""
    # Until an update has come to its NICs, the server has those that it had.
    said = (op.old if op.verb == "update" and "rewired" not in op.memo else op.inputs).get("networks")
    if not isinstance(said, list):
        return said
    macs, before = _macs(addresses(live)), _macs(op.old.get("addresses") or {})
    # Enough of them may still be the wrong ones: somebody else may have put in one where another is gone.
    if not said or (len(macs) >= len(said) and before <= macs):
        return said
    left = ports_of(op, live["id"])
    return [nic for nic in said if _taken(nic, left)]


def _macs(listed: Mapping[str, list[dict[str, Any]]]) -> set[str]:
    return {item["mac"] for items in listed.values() for item in items}


def rewire(op: Op, live: Live, wanted: ServerInputs, old: Mapping[str, Any]) -> bool:
    """Attach the NICs that are missing and detach those that the program has dropped."""
    asked, before = plain(wanted.networks), old.get("networks")
    if asked in (None, "auto") or (asked == "none" and before in (None, "none")):
        return False
    left = ports_of(op, live["id"])
    missing = [nic for nic in (asked if isinstance(asked, list) else ()) if not _taken(nic, left)]
    # NICs that others attached, an InterfaceAttachment say, are theirs.
    dropped = left if before == "auto" else []
    for nic in before if isinstance(before, list) else ():
        port = _taken(nic, left)
        if port:
            dropped.append(port)
    for port in dropped:
        detach(op, live["id"], port["id"])
    for nic in missing:
        attach(
            op,
            live["id"],
            port_id=nic.get("port_id"),
            network_id=nic.get("network_id"),
            addresses=[nic["fixed_ip"]] if nic.get("fixed_ip") else (),
            tag=nic.get("tag"),
        )
    return bool(missing or dropped)


def regroup(op: Op, live: Live, wanted: Sequence[str]) -> None:
    """Add the server's NICs to the groups that are missing and take them out of those that are too many."""
    names = _named_groups(op, wanted)
    has = {group["name"] for group in live.get("security_groups") or ()}
    for name in sorted(names - has):
        compute.action(op.cloud.compute, live["id"], "addSecurityGroup", {"name": name})
    for name in sorted(has - names):
        compute.action(op.cloud.compute, live["id"], "removeSecurityGroup", {"name": name})


def groups(op: Op, names: set[str]) -> list[str]:
    """The groups, each by id where the program gave its id."""
    said = op.inputs.get("security_groups") or ()
    spelled = {name: item for item in said for name in _named_groups(op, [item])}
    return sorted(spelled.get(name, name) for name in names)


def _named_groups(op: Op, wanted: Sequence[str]) -> set[str]:
    if not any(map(is_uuid, wanted)):
        return set(wanted)
    names = {group["id"]: group["name"] for group in catalog(op.cloud.region).security_groups()}
    return {names.get(item, item) for item in wanted}


def _taken(nic: Mapping[str, Any], ports: list[Live]) -> Live | None:
    """The port that this NIC of the program is, taken out of `ports`."""
    for port in ports:
        held = [item["ip_address"] for item in port.get("fixed_ips") or ()]
        if (
            nic.get("port_id") in (None, port["id"])
            and nic.get("network_id") in (None, port["network_id"])
            and (nic.get("fixed_ip") is None or nic["fixed_ip"] in held)
        ):
            ports.remove(port)
            return port
    return None
