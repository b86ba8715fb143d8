"""A server's NICs and the security groups of those that Nova makes: what it has, and how it comes to have others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic.fields import objects, to_plain
from ecs_pulumi.resources.addresses import canonical_ip
from ecs_pulumi.resources.catalog import catalog, is_uuid
from ecs_pulumi.resources.common import is_mark, parse_owner_marker
from ecs_pulumi.resources.nic import attach, detach, is_for_a_nic, ports_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ecs_pulumi.resources.common import Context, RemoteObject
    from ecs_pulumi.resources.server_fields import ServerInputs


_LONGEST_LAG = 20.0


def addresses(remote: RemoteObject) -> dict[str, list[dict[str, Any]]]:
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
        for name, items in (remote.get("addresses") or {}).items()
    }


def observed(context: Context, remote: RemoteObject) -> dict[str, Any]:
    """`networks`, the program's NICs that the server has, and `nics`, the ports that they are.

    Neutron is asked only where the ports are not known yet, or one may be missing.
    """
    # Until an update has come to its NICs, the server has those that it had.
    desired = (context.prior if context.verb == "update" and "rewired" not in context.memo else context.inputs).get(
        "networks"
    )
    ports = _own(context, remote, desired)
    if ports is None:
        return {} if desired is None else {"networks": desired}
    nics = [_nic(port) for port in ports if port]
    if isinstance(desired, list) and len(desired) == len(ports):
        desired = [nic for nic, port in zip(desired, ports, strict=True) if port]
    elif desired in ("none", []) and nics:
        desired = [{"network_id": nic["network_id"]} for nic in nics]
    seen: dict[str, Any] = {} if desired is None else {"networks": desired}
    # One that is still built gets more of them.
    return {**seen, "nics": nics} if remote.get("OS-SRV-USG:launched_at") else seen


def _own(context: Context, remote: RemoteObject, desired: Any) -> Sequence[RemoteObject | None] | None:
    """The ports that the server has through its `networks`, in that order; None where they are not known.

    One that somebody has taken out is None in its place.
    """
    recorded = _known(context)
    listed = addresses(remote)
    if (
        recorded is not None
        and not {"own_ports", "ports"} & context.memo.keys()
        and _has(listed, context.prior["nics"])
    ):
        return list(context.prior["nics"])
    is_unmanaged = context.verb == "read" and context.prior.get("status") is None  # `Server.get`
    if recorded is None and context.verb == "read" and not is_unmanaged:
        # Whose NICs those of a server are that was imported, or is only read, does not matter unless one is missing.
        is_complete = isinstance(desired, list) and len(_macs(listed)) >= len(desired)
        if not isinstance(desired, list) or (
            is_complete and _macs(context.prior.get("addresses") or {}) <= _macs(listed)
        ):
            return None
    ports = _ports(context, remote["id"])
    if recorded is not None:
        by_id = {port["id"]: port for port in ports}
        return [by_id.get(port_id) for _, port_id in recorded]
    if isinstance(desired, list) and desired:
        return [port for _, port in _paired(context, desired, ports)]
    # Nobody else can have attached one yet to what this operation creates.
    is_new = context.verb == "create" and not context.inputs.get("adopt")
    return [port for port in ports if is_new or is_unmanaged or not _is_somebodys(port)]


def _recorded(prior: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]] | None:
    """The ids of the server's own ports in the prior outputs, each with its NIC in `networks`, as far as that is known.

    None where the outputs do not tell them.
    """
    if prior.get("nics") is None:
        return None
    networks, ids = objects(prior.get("networks")), [nic["port_id"] for nic in prior["nics"]]
    return list(zip(networks if len(networks) == len(ids) else [{}] * len(ids), ids, strict=True))


def _known(context: Context) -> list[tuple[Mapping[str, Any], str]] | None:
    """The same after this operation has changed the NICs, or before."""
    return context.memo["own_ports"] if "own_ports" in context.memo else _recorded(context.prior)


def _has(listed: Mapping[str, list[dict[str, Any]]], nics: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a server's addresses are those of these NICs, and of others."""
    found: dict[str, set[str]] = {}
    for item in (item for items in listed.values() for item in items if item["type"] == "fixed"):
        found.setdefault(item["mac"], set()).add(canonical_ip(item["addr"]))
    return all(
        found.get(nic["mac_address"], set()) == {canonical_ip(item["ip_address"]) for item in nic["fixed_ips"]}
        for nic in nics
    )


def _nic(port: RemoteObject) -> dict[str, Any]:
    """A port as `nics` shows it."""
    if "port_id" in port:
        return port
    shown = {name: port.get(name) for name in ("network_id", "mac_address")}
    return {"port_id": port["id"], **shown, "fixed_ips": port.get("fixed_ips") or []}


def _ports(context: Context, server_id: str) -> list[RemoteObject]:
    """The server's ports, asked for once in an operation and again after each change of its NICs."""
    if "ports" not in context.memo:
        context.memo["ports"] = ports_of(context, server_id)
    return list(context.memo["ports"])


def _macs(listed: Mapping[str, list[dict[str, Any]]]) -> set[str]:
    return {item["mac"] for items in listed.values() for item in items}


def reconcile_interfaces(
    context: Context, remote: RemoteObject, desired: ServerInputs, prior: Mapping[str, Any], wake: Callable[[], object]
) -> bool:
    """Attach the NICs that are missing and detach those that the program has dropped, after a call of `wake`."""
    asked, before = to_plain(desired.networks), prior.get("networks")
    if asked in (None, "auto") or asked == before == "none":
        return False
    asked = asked if isinstance(asked, list) else []
    left = _ports(context, remote["id"])
    had = _had(context, prior, left)
    ports: dict[int, RemoteObject] = {}
    for index, nic in enumerate(asked):
        same = next((pair for pair in had if pair[0] == nic), None)
        if same:
            had.remove(same)
            ports[index] = same[1]
    new = [index for index in range(len(asked)) if index not in ports]
    former = {port["id"]: nic for nic, port in had}
    left += [port for _, port in had]
    found = _paired(context, [asked[index] for index in new], left, former)
    ports |= {index: port for index, (_, port) in zip(new, found, strict=True) if port}
    # NICs that others attached, an InterfaceAttachment say, are theirs. Those of a server whose networks the program
    # did not manage stay beside those that it lists.
    dropped = [port for port in left if port["id"] in former and (before is not None or not asked)]
    missing = [index for index in new if index not in ports]
    if dropped or missing:
        context.memo.pop("ports", None)
        wake()
    for port in dropped:
        detach(context, remote["id"], port["id"])
    if dropped:
        _await_forgotten(context, remote["id"], {port["mac_address"] for port in dropped})
    for index in missing:
        nic = asked[index]
        ports[index] = attach(
            context,
            remote["id"],
            port_id=nic.get("port_id"),
            network_id=nic.get("network_id"),
            addresses=[nic["fixed_ip"]] if nic.get("fixed_ip") else (),
            tag=nic.get("tag"),
        )
    context.memo["own_ports"] = [(nic, ports[index]["id"]) for index, nic in enumerate(asked)]
    return bool(missing or dropped)


def _had(
    context: Context, prior: Mapping[str, Any], ports: list[RemoteObject]
) -> list[tuple[Mapping[str, Any], RemoteObject]]:
    """The server's own ports before a change, each with its NIC in `networks`; they are taken out of `ports`."""
    recorded, before = _recorded(prior), prior.get("networks")
    found: list[tuple[Mapping[str, Any], RemoteObject]]
    if recorded is not None:
        found = [(nic, port) for nic, port_id in recorded for port in ports if port["id"] == port_id]
    elif isinstance(before, list):
        found = [(nic, port) for nic, port in _paired(context, before, list(ports)) if port]
    else:
        found = [({}, port) for port in ports if before != "none" and not _is_somebodys(port)]
    for _, port in found:
        ports.remove(port)
    return found


def _await_forgotten(context: Context, id_: str, macs: set[str]) -> None:
    """Wait until Nova tells the addresses of these NICs no more, which it does a moment longer than Neutron."""
    deadline = Deadline(context.cloud.deadline.clock, min(_LONGEST_LAG, context.cloud.deadline.left()))
    # What it tells does no harm but in the outputs, which the next refresh would mend.
    with contextlib.suppress(errors.WaitTimeout):
        context.cloud.region.servers.poller.wait(
            id_,
            lambda server: server is None or not macs & _macs(addresses(server)),
            deadline=deadline,
            what=f"server {id_} to have fewer addresses",
            describe=lambda _: "detaching",
            first_delay=0,
        )


def each_group_once(context: Context, desired: Sequence[str]) -> Sequence[str]:
    """The groups without those that are said by name and by id: the build of a server that has one twice fails."""
    return list(_spelled(context, desired).values()) if len(desired) > 1 and any(map(is_uuid, desired)) else desired


def reconcile_security_groups(context: Context, server_id: str, desired: Sequence[str]) -> None:
    """Give the NICs that Nova made just these security groups.

    Nova's own actions would also change the ports that somebody else made, and fail where NICs differ.
    """
    ids = {catalog(context.cloud.region).security_group(item)["id"] for item in desired}
    for port in _grouped(context, _ports(context, server_id)):
        if set(port.get("security_groups") or ()) != ids:
            network.update(context.cloud.network, "port", port["id"], {"security_groups": sorted(ids)})
    context.memo.pop("ports", None)


def groups(context: Context, remote: RemoteObject) -> list[str]:
    """The security groups of the NICs that Nova made, each as the program says it.

    Nova tells those of all NICs together. A refresh asks Neutron only where these are others than the program's.
    """
    told = {group["name"] for group in remote.get("security_groups") or ()}
    said = context.inputs.get("security_groups")
    if said is None:
        return sorted(told)
    # What the create request names, Nova gives to the ports that it makes.
    as_asked = bool(said) and context.verb == "create" and not context.inputs.get("adopt")
    # The same names for all NICs together do not mean that each has them: who changes something looks at each.
    if as_asked or (context.verb == "read" and told == _named_groups(context, said)):
        return list(said)
    has = [set(port.get("security_groups") or ()) for port in _grouped(context, _ports(context, remote["id"]))]
    spelled = _spelled(context, said)
    if all(each == spelled.keys() for each in has):
        return list(said)
    every, common = set().union(*has), has[0].intersection(*has)
    names = _names_of_groups(context)
    shown = common if every == spelled.keys() else every
    return sorted(spelled.get(id_) or names.get(id_, id_) for id_ in shown)


def _grouped(context: Context, ports: Sequence[RemoteObject]) -> list[RemoteObject]:
    """The ports that a server's security groups are for: those that Nova made, or where it made none, nobody's own."""
    if context.inputs.get("networks") in ("none", []):
        return []  # what it has was put in by others
    recorded = _known(context)
    if recorded is None:
        made = [port for port in ports if not _is_somebodys(port)]
    else:
        ids = {port_id for nic, port_id in recorded if not nic.get("port_id")}
        made = [port for port in ports if port["id"] in ids]
    made = made or [port for port in ports if not is_mark(port.get("description") or "")]
    return [port for port in made if port.get("port_security_enabled") is not False]


def _spelled(context: Context, said: Sequence[str]) -> dict[str, str]:
    """The program's words for groups by their ids; a group that is not there is its own."""
    names, spelled = catalog(context.cloud.region), {}
    for item in said:
        try:
            spelled[names.security_group(item)["id"]] = item
        except errors.EcsError:
            spelled[item] = item
    return spelled


def _named_groups(context: Context, desired: Sequence[str]) -> set[str]:
    if not any(map(is_uuid, desired)):
        return set(desired)
    names = _names_of_groups(context)
    return {names.get(item, item) for item in desired}


def _names_of_groups(context: Context) -> dict[str, str]:
    """The names of the project's groups by their ids."""
    return {group["id"]: group["name"] for group in catalog(context.cloud.region).security_groups()}


def _is_somebodys(port: RemoteObject) -> bool:
    """Whether somebody made a port: Nova gives those that it makes neither a name nor a description."""
    return bool(port.get("name") or port.get("description"))


def _paired(
    context: Context,
    said: Sequence[Mapping[str, Any]],
    ports: list[RemoteObject],
    former: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[tuple[Mapping[str, Any], RemoteObject | None]]:
    """Each NIC of the program's with the port that it is, which is taken out of `ports`.

    Args:
        context: The operation.
        said: The NICs, in the program's order, which is that of the answer.
        ports: The server's.
        former: What the program said before of some of the ports, by their ids.
    """
    pairs: dict[int, RemoteObject | None] = {}
    # Where several fit, one that Nova made is the server's before one that somebody else put in.
    candidates = sorted(ports, key=_is_somebodys)
    # One that names its port or its address goes first, so that one that takes any cannot take what it needs.
    for index in sorted(range(len(said)), key=lambda at: (not said[at].get("port_id"), not said[at].get("fixed_ip"))):
        fits = (port for port in candidates if _is(context, said[index], port, former))
        found = pairs[index] = next(fits, None)
        if found:
            candidates.remove(found)
            ports.remove(found)
    return [(nic, pairs[index]) for index, nic in enumerate(said)]


def _is(
    context: Context, nic: Mapping[str, Any], port: RemoteObject, former_nics: Mapping[str, Mapping[str, Any]] | None
) -> bool:
    former = (former_nics or {}).get(port["id"])
    if former and nic.get("tag") not in (None, former.get("tag")):
        return False  # a tag is given when the NIC is attached, and never again
    if nic.get("port_id"):
        return bool(nic["port_id"] == port["id"])
    held = [item["ip_address"] for item in port.get("fixed_ips") or ()]
    if nic["network_id"] != port["network_id"] or nic.get("fixed_ip") not in (None, *held):
        return False
    return bool(nic.get("fixed_ip")) or _goes_by_network(context, port, former)


def _goes_by_network(context: Context, port: RemoteObject, former: Mapping[str, Any] | None) -> bool:
    """Whether the port may be a NIC that the program asks for by its network alone."""
    if former is not None:
        return not former.get("port_id")  # a port that has an owner of its own may go with that
    # Where the server's own ports are known, one more is its own only if Nova made it for an `up` that was killed.
    if _recorded(context.prior) is not None:
        return not _is_somebodys(port)
    is_declared = parse_owner_marker(port.get("description") or "", context.project, context.stack)
    return not (is_for_a_nic(port) or is_declared)
