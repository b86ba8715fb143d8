"""A server's NICs and the security groups of those that Nova makes: what it has, and how it comes to have others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.cloud.waiting import Deadline
from ecs_pulumi.dynamic.fields import plain
from ecs_pulumi.resources.catalog import catalog, is_uuid
from ecs_pulumi.resources.common import is_mark, marked_by
from ecs_pulumi.resources.nic import attach, detach, is_for_a_nic, ports_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.resources.common import Live, Op
    from ecs_pulumi.resources.server_fields import ServerInputs


_LONGEST_LAG = 20.0


def addresses(live: Live) -> dict[str, list[dict[str, Any]]]:
    """The server's addresses by network."""
    return {
        name: [
            {
                "addr": item["addr"],
                "version": item.get("version", 4),
                "mac": item.get("OS-EXT-IPS-MAC:mac_addr", ""),
                "type": item.get("OS-EXT-IPS:type", "fixed"),
            }
            for item in items
        ]
        for name, items in (live.get("addresses") or {}).items()
    }


def networks(op: Op, live: Live) -> Any:
    """The program's NICs that the server has; asked of Neutron only where one may be missing."""
    # Until an update has come to its NICs, the server has those that it had.
    said = (op.old if op.verb == "update" and "rewired" not in op.memo else op.inputs).get("networks")
    macs, before = _macs(addresses(live)), _macs(op.old.get("addresses") or {})
    # Nobody has looked yet at those of a server that is taken over, and enough of them may still be the wrong ones:
    # somebody else may have put in one where another is gone.
    is_known = bool(op.old) or not op.inputs.get("adopt")
    if said in ("none", []) and macs and not is_known and "rewired" not in op.memo:
        novas = [port for port in _ports(op, live["id"]) if not _is_somebodys(port)]
        return [{"network_id": port["network_id"]} for port in novas] or said
    if not said or not isinstance(said, list) or (is_known and len(macs) >= len(said) and before <= macs):
        return said
    return [nic for nic, port in _paired(op, said, _ports(op, live["id"])) if port]


def _ports(op: Op, server_id: str) -> list[Live]:
    """The server's ports, asked for once in an operation and again after each change of its NICs."""
    if "ports" not in op.memo:
        op.memo["ports"] = ports_of(op, server_id)
    return list(op.memo["ports"])


def _macs(listed: Mapping[str, list[dict[str, Any]]]) -> set[str]:
    return {item["mac"] for items in listed.values() for item in items}


def rewire(op: Op, live: Live, wanted: ServerInputs, old: Mapping[str, Any]) -> bool:
    """Attach the NICs that are missing and detach those that the program has dropped."""
    asked, before = plain(wanted.networks), old.get("networks")
    if asked in (None, "auto") or asked == before == "none":
        return False
    left = _ports(op, live["id"])
    had = [(nic, port) for nic, port in _paired(op, before if isinstance(before, list) else (), left) if port]
    new = []
    for nic in asked if isinstance(asked, list) else ():
        kept = next((pair for pair in had if pair[0] == nic), None)
        if kept:
            had.remove(kept)
        else:
            new.append(nic)
    former = {port["id"]: nic for nic, port in had}
    left += [port for _, port in had]
    missing = [nic for nic, port in _paired(op, new, left, former) if not port]
    # NICs that others attached, an InterfaceAttachment say, are theirs.
    chosen_by_nova = before == "auto" or (before is None and asked in ("none", []))
    dropped = [port for port in left if port["id"] in former or (chosen_by_nova and not _is_somebodys(port))]
    op.memo.pop("ports", None)
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


def each_group_once(op: Op, wanted: Sequence[str]) -> Sequence[str]:
    """The groups without those that are said by name and by id: the build of a server that has one twice fails."""
    return list(_spelled(op, wanted).values()) if len(wanted) > 1 and any(map(is_uuid, wanted)) else wanted


def regroup(op: Op, server_id: str, wanted: Sequence[str]) -> None:
    """Give the NICs that Nova made just these security groups.

    Nova's own actions would also change the ports that somebody else made, and fail where NICs differ.
    """
    ids = {catalog(op.cloud.region).security_group(item)["id"] for item in wanted}
    for port in _grouped(op, _ports(op, server_id)):
        if set(port.get("security_groups") or ()) != ids:
            network.update(op.cloud.network, "port", port["id"], {"security_groups": sorted(ids)})
    op.memo.pop("ports", None)


def groups(op: Op, live: Live) -> list[str]:
    """The security groups of the NICs that Nova made, each as the program says it.

    Nova tells those of all NICs together. A refresh asks Neutron only where these are others than the program's.
    """
    told = {group["name"] for group in live.get("security_groups") or ()}
    said = op.inputs.get("security_groups")
    if said is None:
        return sorted(told)
    # What the create request names, Nova gives to the ports that it makes.
    as_asked = bool(said) and op.verb == "create" and not op.inputs.get("adopt")
    # The same names for all NICs together do not mean that each has them: who changes something looks at each.
    if as_asked or (op.verb == "read" and told == _named_groups(op, said)):
        return list(said)
    has = [set(port.get("security_groups") or ()) for port in _grouped(op, _ports(op, live["id"]))]
    spelled = _spelled(op, said)
    if all(each == spelled.keys() for each in has):
        return list(said)
    every, common = set().union(*has), has[0].intersection(*has)
    names = _names_of_groups(op)
    shown = common if every == spelled.keys() else every
    return sorted(spelled.get(id_) or names.get(id_, id_) for id_ in shown)


def _grouped(op: Op, ports: Sequence[Live]) -> list[Live]:
    """The ports that a server's security groups are for: those that Nova made, or where it made none, nobody's own."""
    if op.inputs.get("networks") in ("none", []):
        return []  # what it has was put in by others
    made = [port for port in ports if not _is_somebodys(port)]
    made = made or [port for port in ports if not is_mark(port.get("description") or "")]
    return [port for port in made if port.get("port_security_enabled") is not False]


def _spelled(op: Op, said: Sequence[str]) -> dict[str, str]:
    """The program's words for groups by their ids; a group that is not there is its own."""
    names, spelled = catalog(op.cloud.region), {}
    for item in said:
        try:
            spelled[names.security_group(item)["id"]] = item
        except errors.EcsError:
            spelled[item] = item
    return spelled


def _named_groups(op: Op, wanted: Sequence[str]) -> set[str]:
    if not any(map(is_uuid, wanted)):
        return set(wanted)
    names = _names_of_groups(op)
    return {names.get(item, item) for item in wanted}


def _names_of_groups(op: Op) -> dict[str, str]:
    """The names of the project's groups by their ids."""
    return {group["id"]: group["name"] for group in catalog(op.cloud.region).security_groups()}


def _is_somebodys(port: Live) -> bool:
    """Whether somebody made a port: Nova gives those that it makes neither a name nor a description."""
    return bool(port.get("name") or port.get("description"))


def _paired(
    op: Op, said: Sequence[Mapping[str, Any]], ports: list[Live], former: Mapping[str, Mapping[str, Any]] | None = None
) -> list[tuple[Mapping[str, Any], Live | None]]:
    """Each NIC of the program's with the port that it is, which is taken out of `ports`.

    Args:
        op: The operation.
        said: The NICs, in the program's order, which is that of the answer.
        ports: The server's.
        former: What the program said before of some of the ports, by their ids.
    """
    pairs: dict[int, Live | None] = {}
    # Where several fit, one that Nova made is the server's before one that somebody else put in.
    candidates = sorted(ports, key=_is_somebodys)
    # One that names its port or its address goes first, so that one that takes any cannot take what it needs.
    for index in sorted(range(len(said)), key=lambda at: (not said[at].get("port_id"), not said[at].get("fixed_ip"))):
        fits = (port for port in candidates if _is(op, said[index], port, (former or {}).get(port["id"])))
        found = pairs[index] = next(fits, None)
        if found:
            candidates.remove(found)
            ports.remove(found)
    return [(nic, pairs[index]) for index, nic in enumerate(said)]


def _is(op: Op, nic: Mapping[str, Any], port: Live, former: Mapping[str, Any] | None) -> bool:
    if former and nic.get("tag") not in (None, former.get("tag")):
        return False  # a tag is given when the NIC is attached, and never again
    if nic.get("port_id"):
        return bool(nic["port_id"] == port["id"])
    held = [item["ip_address"] for item in port.get("fixed_ips") or ()]
    if nic["network_id"] != port["network_id"] or nic.get("fixed_ip") not in (None, *held):
        return False
    # A port that has an owner of its own, the program's Port say, may go with that.
    is_declared = marked_by(port.get("description") or "", op.project, op.stack)
    is_anothers = is_for_a_nic(port) or is_declared or bool(former and former.get("port_id"))
    return bool(nic.get("fixed_ip")) or not is_anothers
