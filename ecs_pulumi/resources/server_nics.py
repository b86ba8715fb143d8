"""A server's NICs and the security groups of those that Nova makes: what it has, and how it comes to have others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.cloud.waiting import Deadline
from ecs_pulumi.dynamic.fields import plain
from ecs_pulumi.resources.catalog import catalog, is_uuid
from ecs_pulumi.resources.common import is_mark
from ecs_pulumi.resources.nic import attach, detach, is_for_a_nic, ports_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.resources.common import Live, Op
    from ecs_pulumi.resources.server_fields import ServerInputs


_LONGEST_LAG = 20.0


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
    # Nobody has looked yet at those of a server that is taken over, and enough of them may still be the wrong ones:
    # somebody else may have put in one where another is gone.
    is_known = bool(op.old) or not op.inputs.get("adopt")
    if not said or (is_known and len(macs) >= len(said) and before <= macs):
        return said
    return [nic for nic, port in _paired(said, ports_of(op, live["id"])) if port]


def _macs(listed: Mapping[str, list[dict[str, Any]]]) -> set[str]:
    return {item["mac"] for items in listed.values() for item in items}


def rewire(op: Op, live: Live, wanted: ServerInputs, old: Mapping[str, Any]) -> bool:
    """Attach the NICs that are missing and detach those that the program has dropped."""
    asked, before = plain(wanted.networks), old.get("networks")
    if asked in (None, "auto") or asked == before == "none":
        return False
    left = ports_of(op, live["id"])
    had = [(nic, port) for nic, port in _paired(before if isinstance(before, list) else (), left) if port]
    new = []
    for nic in asked if isinstance(asked, list) else ():
        kept = next((pair for pair in had if pair[0] == nic), None)
        if kept:
            had.remove(kept)
        else:
            new.append(nic)
    former = {port["id"]: nic for nic, port in had}
    left += [port for _, port in had]
    missing = [nic for nic, port in _paired(new, left, former) if not port]
    # NICs that others attached, an InterfaceAttachment say, are theirs; those that Nova chose carry nobody's mark.
    chosen_by_nova = before == "auto" or (before is None and asked in ("none", []))
    dropped = [
        port for port in left if port["id"] in former or (chosen_by_nova and not is_mark(port.get("description") or ""))
    ]
    for port in dropped:
        detach(op, live["id"], port["id"])
    if dropped:
        _await_forgotten(op, live["id"], {port["mac_address"] for port in dropped})
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


def _await_forgotten(op: Op, id_: str, macs: set[str]) -> None:
    """Wait until Nova tells the addresses of these NICs no more, which it does a moment longer than Neutron."""
    deadline = Deadline(op.cloud.deadline.clock, min(_LONGEST_LAG, op.cloud.deadline.left()))
    # What it tells does no harm but in the outputs, which the next refresh would mend.
    with contextlib.suppress(errors.WaitTimeout):
        op.cloud.region.servers.poller.wait(
            id_,
            lambda server: server is None or not macs & _macs(addresses(server)),
            deadline=deadline,
            what=f"server {id_} to have fewer addresses",
            describe=lambda _: "detaching",
            first_delay=0,
        )


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


def _paired(
    said: Sequence[Mapping[str, Any]], ports: list[Live], former: Mapping[str, Mapping[str, Any]] | None = None
) -> list[tuple[Mapping[str, Any], Live | None]]:
    """Each NIC of the program's with the port that it is, which is taken out of `ports`.

    Args:
        said: The NICs, in the program's order, which is that of the answer.
        ports: The server's.
        former: What the program said before of some of the ports, by their ids.
    """
    pairs: dict[int, Live | None] = {}
    # One that names its port or its address goes first, so that one that takes any cannot take what it needs.
    for index in sorted(range(len(said)), key=lambda at: (not said[at].get("port_id"), not said[at].get("fixed_ip"))):
        fits = (port for port in ports if _is(said[index], port, (former or {}).get(port["id"])))
        found = pairs[index] = next(fits, None)
        if found:
            ports.remove(found)
    return [(nic, pairs[index]) for index, nic in enumerate(said)]


def _is(nic: Mapping[str, Any], port: Live, former: Mapping[str, Any] | None) -> bool:
    if former and nic.get("tag") not in (None, former.get("tag")):
        return False  # a tag is given when the NIC is attached, and never again
    if nic.get("port_id"):
        return bool(nic["port_id"] == port["id"])
    held = [item["ip_address"] for item in port.get("fixed_ips") or ()]
    if nic["network_id"] != port["network_id"] or nic.get("fixed_ip") not in (None, *held):
        return False
    # A port that has an owner of its own may go with that.
    is_anothers = is_for_a_nic(port) or bool(former and former.get("port_id"))
    return bool(nic.get("fixed_ip")) or not is_anothers
