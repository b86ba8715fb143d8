"""NICs of a server, and the security groups of those that Nova creates: outputs and updates."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic import rpc_bridge, state
from ecs_pulumi.dynamic.fields import objects, to_plain
from ecs_pulumi.dynamic.ownership import ObjectKey
from ecs_pulumi.resources.addresses import canonical_ip
from ecs_pulumi.resources.catalog import catalog, is_uuid
from ecs_pulumi.resources.nic import attach, created_ports, detach, is_for_a_nic, ports_of
from ecs_pulumi.resources.owner_markers import is_owner_marker, owner_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject
    from ecs_pulumi.resources.server.schema import ServerInputs


_LONGEST_LAG = 20.0
_PORTS = "_ports"
"""The key under which a server's document holds its ports, once they are listed; Nova returns no such key."""


def addresses(remote: RemoteObject) -> dict[str, list[dict[str, Any]]]:
    """Return the server's addresses by network."""
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


def nic_outputs(context: Context, remote: RemoteObject) -> dict[str, Any]:
    """Return the outputs `networks` (those of the program's NICs that the server has) and `nics` (their ports).

    Sends a request to Neutron only if the ports are not known yet, or if one may be missing.
    """
    # Until an update has recorded the NICs that it changed, the server has the prior ones.
    desired = (context.known if context.verb == "update" else context.inputs).get("networks")
    ports = _own_ports(context, remote, desired)
    if ports is None:
        return {} if desired is None else {"networks": desired}
    nics = [_nic(port) for port in ports if port]
    if isinstance(desired, list) and len(desired) == len(ports):
        desired = [nic for nic, port in zip(desired, ports, strict=True) if port]
    elif desired in ("none", []) and nics:
        desired = [{"network_id": nic["network_id"]} for nic in nics]
    outputs: dict[str, Any] = {} if desired is None else {"networks": desired}
    # Nova may still add NICs during the build.
    return {**outputs, "nics": nics} if remote.get("OS-SRV-USG:launched_at") else outputs


def access_addresses(outputs: Mapping[str, Any]) -> dict[int, str]:
    """Return the first address of each version of the NIC with `access_network`; none if no NIC has it."""
    networks, found = objects(outputs.get("networks")), outputs.get("nics") or []
    chosen = [nic for each, nic in zip(networks, found, strict=False) if each.get("access_network")]
    fixed = [item["ip_address"] for nic in chosen[:1] for item in nic["fixed_ips"]]
    return {6 if ":" in address else 4: address for address in reversed(fixed)}


def _own_ports(context: Context, remote: RemoteObject, desired: Any) -> Sequence[RemoteObject | None] | None:
    """Return the ports of the NICs in `networks`, in that order; None if they are not known.

    A port that was detached outside of the stack is None in the list.
    """
    recorded = recorded_nics(context.known)
    listed = addresses(remote)
    if recorded is not None and _PORTS not in remote and _has_nics(listed, context.known["nics"]):
        return list(context.known["nics"])
    is_unmanaged = context.verb == "read" and context.prior.get("status") is None  # `Server.get`
    if recorded is None and context.verb == "read" and not is_unmanaged:
        # For an imported server, and one that is only read, look the ports up only if a NIC may be missing.
        is_complete = isinstance(desired, list) and len(_macs(listed)) >= len(desired)
        if not isinstance(desired, list) or (
            is_complete and _macs(context.prior.get("addresses") or {}) <= _macs(listed)
        ):
            return None
    created = _created_ports(context, desired)
    if created and _PORTS not in remote and _has_nics(listed, created):
        return created
    ports = _ports(context, remote)
    if recorded is not None:
        by_id = {port["id"]: port for port in ports}
        return [by_id.get(port_id) for _, port_id in recorded]
    if isinstance(desired, list) and desired:
        return [port for _, port in _match_ports(context, desired, ports)]
    # A server that this operation creates has no NICs of other owners yet.
    is_new = context.verb == "create" and not context.inputs.get("adopt")
    return [port for port in ports if is_new or is_unmanaged or not _is_user_created(port)]


def _created_ports(context: Context, desired: Any) -> list[RemoteObject]:
    """Return the ports of a new server's NICs, if this process created all of them; else an empty list."""
    ids = [str(nic.get("port_id")) for nic in objects(desired)] if context.verb == "create" else []
    known = created_ports(context.cloud.region)
    return [known[id_] for id_ in ids] if all(id_ in known for id_ in ids) else []


def recorded_nics(prior: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]] | None:
    """Return the ids of the server's own ports in the prior outputs, each with its NIC in `networks` if known.

    Returns None if the outputs do not contain them.
    """
    if prior.get("nics") is None:
        return None
    networks, ids = objects(prior.get("networks")), [nic["port_id"] for nic in prior["nics"]]
    return list(zip(networks if len(networks) == len(ids) else [{}] * len(ids), ids, strict=True))


def _has_nics(listed: Mapping[str, list[dict[str, Any]]], nics: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a server's addresses include exactly the fixed addresses of each of these NICs."""
    found: dict[str, set[str]] = {}
    for item in (item for items in listed.values() for item in items if item["type"] == "fixed"):
        found.setdefault(item["mac"], set()).add(canonical_ip(item["addr"]))
    return all(
        found.get(nic["mac_address"], set()) == {canonical_ip(item["ip_address"]) for item in nic["fixed_ips"]}
        for nic in nics
    )


def _nic(port: RemoteObject) -> dict[str, Any]:
    """Convert a port to an item of the output `nics`."""
    if "port_id" in port:
        return port
    attributes = {name: port.get(name) for name in ("network_id", "mac_address")}
    return {"port_id": port["id"], **attributes, "fixed_ips": port.get("fixed_ips") or []}


def _ports(context: Context, remote: RemoteObject) -> list[RemoteObject]:
    """Return the server's ports. They are listed once for each time that the server was read.

    Neutron lists them in any order, Nova the addresses of a network in the order of the NICs.
    """
    if _PORTS not in remote:
        order = [item["mac"] for items in addresses(remote).values() for item in items]
        place = {mac: index for index, mac in reversed(list(enumerate(order)))}
        found = context.cloud.writes.read_until(
            lambda: ports_of(context, remote["id"]),
            lambda ports: set(place) <= {port["mac_address"] for port in ports},
            remote["id"],
        )
        remote[_PORTS] = sorted(found, key=lambda port: place.get(port["mac_address"], len(order)))
    return list(remote[_PORTS])


def _macs(listed: Mapping[str, list[dict[str, Any]]]) -> set[str]:
    return {item["mac"] for items in listed.values() for item in items}


@dataclass
class InterfaceChanges:
    """The NICs to attach and detach, so that the server has those of the program."""

    nics: list[Mapping[str, Any]]
    """The NICs of the program."""
    ports: dict[int, RemoteObject]
    """The ports that the server has already, by their index in `nics`."""
    detached: list[RemoteObject]
    """The ports of NICs that the program no longer lists."""
    outliving: set[str]
    """The ids of those of them that outlive the NIC."""

    @property
    def has_changes(self) -> bool:
        """Whether a NIC has to be attached or detached."""
        return bool(self.detached) or len(self.ports) < len(self.nics)


def compare_interfaces(
    context: Context, remote: RemoteObject, desired: ServerInputs, prior: Mapping[str, Any]
) -> InterfaceChanges | None:
    """Compare the server's ports with the NICs of the program; None if the program does not manage them.

    Args:
        context: The operation.
        remote: The server.
        desired: The inputs.
        prior: The prior outputs.
    """
    nics, prior_networks = to_plain(desired.networks), prior.get("networks")
    if nics in (None, "auto") or nics == prior_networks == "none":
        return None
    nics = nics if isinstance(nics, list) else []
    unmatched = _ports(context, remote)
    prior_ports = _take_prior_ports(context, prior, unmatched)
    ports: dict[int, RemoteObject] = {}
    for index, nic in enumerate(nics):
        same = next((pair for pair in prior_ports if pair[0] == nic), None)
        if same:
            prior_ports.remove(same)
            ports[index] = same[1]
    new = [index for index in range(len(nics)) if index not in ports]
    prior_nics = {port["id"]: nic for nic, port in prior_ports}
    unmatched += [port for _, port in prior_ports]
    found = _match_ports(context, [nics[index] for index in new], unmatched, prior_nics)
    ports |= {index: port for index, (_, port) in zip(new, found, strict=True) if port}
    # Do not detach NICs of other owners, such as an `InterfaceAttachment`. If the program did not manage the networks
    # before, the existing NICs stay beside those that it lists now.
    detached = [
        port
        for port in unmatched
        if port["id"] in prior_nics
        and (prior_networks is not None or not nics)
        and not _has_attachment(context, remote["id"], port["id"])
    ]
    outliving = {port["id"] for port in detached if outlives_nic(port, prior_nics[port["id"]])}
    return InterfaceChanges(nics, ports, detached, outliving)


def _has_attachment(context: Context, server_id: str, port_id: str) -> bool:
    """Return whether an `InterfaceAttachment` of this stack has a NIC, which an earlier `up` created in addition."""
    request = rpc_bridge.current_request()
    key = ObjectKey("InterfaceAttachment", context.cloud.region.name, f"{server_id}/{port_id}")
    owners = state.read(request.project, request.stack).owners.get(key, ())
    return any(owner.urn != request.urn for owner in owners)


def change_interfaces(context: Context, server_id: str, changes: InterfaceChanges) -> None:
    """Detach and attach NICs; afterwards `changes.ports` has a port for each NIC."""
    for port in changes.detached:
        detach(context, server_id, port["id"], keep_port=port["id"] in changes.outliving)
    if changes.detached:
        _wait_for_detached_addresses(context, server_id, {port["mac_address"] for port in changes.detached})
    ports = changes.ports
    for index, nic in enumerate(changes.nics):
        if index not in ports:
            ports[index] = attach(
                context,
                server_id,
                port_id=nic.get("port_id"),
                network_id=nic.get("network_id"),
                addresses=[nic["fixed_ip"]] if nic.get("fixed_ip") else (),
                tag=nic.get("tag"),
            )


def shows_interfaces(context: Context, remote: RemoteObject, interfaces: InterfaceChanges) -> bool:
    """Return whether Nova and Neutron show all NICs of the program in a server."""
    ports = list(interfaces.ports.values())
    is_listed = {port["id"] for port in ports} <= {port["id"] for port in _ports(context, remote)}
    return is_listed and {port["mac_address"] for port in ports} <= _macs(addresses(remote))


def record_interfaces(context: Context, remote: RemoteObject, interfaces: InterfaceChanges) -> None:
    """Record the ports of the program's NICs in the state.

    Args:
        context: The operation.
        remote: The server, read after the change.
        interfaces: The NICs, each with its port.
    """
    ids = [interfaces.ports[index]["id"] for index in range(len(interfaces.nics))]
    by_id, networks = {port["id"]: port for port in _ports(context, remote)}, context.inputs.get("networks")
    if isinstance(networks, list):
        networks = [nic for nic, id_ in zip(networks, ids, strict=True) if id_ in by_id]
    context.record_outputs(networks=networks, nics=[_nic(by_id[id_]) for id_ in ids if id_ in by_id])


def outlives_nic(port: RemoteObject, nic: Mapping[str, Any] | None) -> bool:
    """Return whether a port stays when its NIC or its server goes, as OpenStack treats ports that a user created.

    Args:
        port: The port.
        nic: Its NIC in `networks`; empty or None if it is not known.
    """
    return bool(nic.get("port_id")) if nic else _is_user_created(port)


def _take_prior_ports(
    context: Context, prior: Mapping[str, Any], ports: list[RemoteObject]
) -> list[tuple[Mapping[str, Any], RemoteObject]]:
    """Remove the server's own ports before the change from `ports`; return each with its NIC in `networks`."""
    recorded, prior_networks = recorded_nics(prior), prior.get("networks")
    found: list[tuple[Mapping[str, Any], RemoteObject]]
    if recorded is not None:
        found = [(nic, port) for nic, port_id in recorded for port in ports if port["id"] == port_id]
    elif isinstance(prior_networks, list):
        found = [(nic, port) for nic, port in _match_ports(context, prior_networks, list(ports)) if port]
    else:
        found = [({}, port) for port in ports if prior_networks != "none" and not _is_user_created(port)]
    for _, port in found:
        ports.remove(port)
    return found


def _wait_for_detached_addresses(context: Context, id_: str, macs: set[str]) -> None:
    """Wait until Nova no longer lists the addresses of detached NICs, which it does a moment longer than Neutron."""
    deadline = Deadline(context.cloud.deadline.clock, min(_LONGEST_LAG, context.cloud.deadline.left()))
    # A timeout is harmless: only the outputs are out of date until the next refresh.
    with contextlib.suppress(errors.WaitTimeout):
        context.cloud.region.servers.poller.wait(
            id_,
            lambda server: server is None or not macs & _macs(addresses(server)),
            deadline=deadline,
            what=f"server {id_} to release the addresses of detached NICs",
            describe=lambda _: "detaching",
            first_delay=0,
        )


def deduplicate_groups(context: Context, desired: Sequence[str]) -> Sequence[str]:
    """Return each group once, even if the program lists it by name and by id: a duplicate fails the build."""
    return (
        list(_references_by_id(context, desired).values())
        if len(desired) > 1 and any(map(is_uuid, desired))
        else desired
    )


def change_security_groups(context: Context, remote: RemoteObject, desired: Sequence[str]) -> None:
    """Set the security groups of the NICs that Nova created.

    Nova's own actions would also change ports that Nova did not create, and fail if the groups of the NICs differ.
    """
    ids = {catalog(context.cloud.region).security_group(item)["id"] for item in desired}
    for port in _ports_with_groups(context, _ports(context, remote)):
        if set(port.get("security_groups") or ()) != ids:
            network.update(context.cloud.network, "port", port["id"], {"security_groups": sorted(ids)})


def groups(context: Context, remote: RemoteObject) -> list[str]:
    """Return the security groups of the NICs that Nova created, by the program's names or ids where it lists them.

    Nova returns the groups of all NICs together. A refresh sends a request to Neutron only if these are not the
    desired ones.
    """
    all_names = {group["name"] for group in remote.get("security_groups") or ()}
    desired = context.inputs.get("security_groups")
    if desired is None:
        return sorted(all_names)
    # Nova gives the groups in the create request to the ports that it creates.
    is_new = bool(desired) and context.verb == "create" and not context.inputs.get("adopt")
    # Equal names for all NICs together do not mean that each NIC has all groups, so an update looks at each port.
    if is_new or (context.verb == "read" and all_names == _named_groups(context, desired)):
        return list(desired)
    ports = _ports_with_groups(context, _ports(context, remote))
    ids_by_port = [set(port.get("security_groups") or ()) for port in ports]
    references = _references_by_id(context, desired)
    if all(ids == references.keys() for ids in ids_by_port):
        return list(desired)
    union, common = set().union(*ids_by_port), ids_by_port[0].intersection(*ids_by_port)
    names = _names_of_groups(context)
    shown = common if union == references.keys() else union
    return sorted(references.get(id_) or names.get(id_, id_) for id_ in shown)


def _ports_with_groups(context: Context, ports: Sequence[RemoteObject]) -> list[RemoteObject]:
    """Return the ports that `security_groups` applies to.

    These are the ports that Nova created. If there are none, they are the ports without an owner marker.
    """
    if context.inputs.get("networks") in ("none", []):
        return []  # all NICs have other owners
    recorded = recorded_nics(context.known)
    if recorded is None:
        selected = [port for port in ports if not _is_user_created(port)]
    else:
        ids = {port_id for nic, port_id in recorded if not nic.get("port_id")}
        selected = [port for port in ports if port["id"] in ids]
    selected = selected or [port for port in ports if not _is_declared(context, port)]
    return [port for port in selected if port.get("port_security_enabled") is not False]


def _is_declared(context: Context, port: RemoteObject) -> bool:
    """Return whether a resource created the port: its owner marker is that of any stack, its name that of this one."""
    return is_owner_marker(port.get("description") or "") or bool(owner_in(context, port))


def _references_by_id(context: Context, desired: Sequence[str]) -> dict[str, str]:
    """Return the program's names or ids of groups by their ids; a group that does not exist is its own key."""
    names, references = catalog(context.cloud.region), {}
    for item in desired:
        try:
            references[names.security_group(item)["id"]] = item
        except errors.EcsError:
            references[item] = item
    return references


def _named_groups(context: Context, desired: Sequence[str]) -> set[str]:
    if not any(map(is_uuid, desired)):
        return set(desired)
    names = _names_of_groups(context)
    return {names.get(item, item) for item in desired}


def _names_of_groups(context: Context) -> dict[str, str]:
    """Return the names of the project's security groups by their ids."""
    return {group["id"]: group["name"] for group in catalog(context.cloud.region).security_groups()}


def _is_user_created(port: RemoteObject) -> bool:
    """Return whether a user created the port: ports that Nova creates have neither a name nor a description."""
    return bool(port.get("name") or port.get("description"))


def _match_ports(
    context: Context,
    nics: Sequence[Mapping[str, Any]],
    ports: list[RemoteObject],
    prior_nics: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[tuple[Mapping[str, Any], RemoteObject | None]]:
    """Match each NIC of the program with a port of the server; remove the matched ports from `ports`.

    Args:
        context: The operation.
        nics: The NICs, in the program's order.
        ports: The server's ports.
        prior_nics: The prior NICs of some of the ports, by port id.

    Returns:
        Each NIC with its port, None if no port matches, in the order of `nics`.
    """
    pairs: dict[int, RemoteObject | None] = {}
    # If several ports match, prefer one that Nova created to one that a user attached.
    candidates = sorted(ports, key=_is_user_created)
    # Match the NICs with a port or an address first, so that a NIC with a network only does not take their port.
    for index in sorted(range(len(nics)), key=lambda at: (not nics[at].get("port_id"), not nics[at].get("fixed_ip"))):
        matching = (port for port in candidates if matches_port(context, nics[index], port, prior_nics))
        found = pairs[index] = next(matching, None)
        if found:
            candidates.remove(found)
            ports.remove(found)
    return [(nic, pairs[index]) for index, nic in enumerate(nics)]


def matches_port(
    context: Context, nic: Mapping[str, Any], port: RemoteObject, prior_nics: Mapping[str, Mapping[str, Any]] | None
) -> bool:
    """Return whether a port of the server may be that of a NIC of the program."""
    prior_nic = (prior_nics or {}).get(port["id"])
    if prior_nic and nic.get("tag") not in (None, prior_nic.get("tag")):
        return False  # Nova sets a tag only when it attaches the NIC
    if nic.get("port_id"):
        return bool(nic["port_id"] == port["id"])
    port_addresses = [item["ip_address"] for item in port.get("fixed_ips") or ()]
    if nic["network_id"] != port["network_id"] or nic.get("fixed_ip") not in (None, *port_addresses):
        return False
    return bool(nic.get("fixed_ip")) or _matches_by_network(context, port, prior_nic)


def _matches_by_network(context: Context, port: RemoteObject, prior_nic: Mapping[str, Any] | None) -> bool:
    """Return whether the port may belong to a NIC for which the program sets the network only."""
    if prior_nic is not None:
        return not prior_nic.get("port_id")  # the resource that owns the port may delete it
    # If the server's own ports are known, another one is its own only if Nova created it for an `up` that was killed.
    if recorded_nics(context.prior) is not None:
        return not _is_user_created(port)
    return not (is_for_a_nic(context.cloud.region, port) or owner_in(context, port))
