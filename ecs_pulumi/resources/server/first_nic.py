"""The ports of a server's NICs where the cloud deletes all of them with it, and does not detach the first NIC.

OpenStack keeps the ports that a user created. The Open Telekom Cloud deletes the port of every NIC with the server, and
answers 403 to a detach of the first one. So all other ports are detached before the server is deleted, a change of the
first NIC is a replacement, and the preview of a replacement names the port that goes with the server.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.dynamic.fields import is_unknown, objects
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.notices import Notice
from ecs_pulumi.resources.nic import FirstNicStays, detach_strictly, lost_ports
from ecs_pulumi.resources.server import nics

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

_DETACHES = ("ACTIVE", "PAUSED", "SHUTOFF")
"""The statuses in which Nova detaches NICs."""


def is_fixed(context: Context) -> bool:
    """Whether the cloud of a server does not detach the first NIC; False if it is not known."""
    try:
        return context.cloud.region.differences.keeps_first_nic
    except errors.EcsError:
        return False


def leaves(context: Context, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the program takes the first NIC out of a server, which then has to be replaced.

    Args:
        context: The diff of the server.
        prior: The prior outputs.
        new: The desired inputs.
    """
    desired = objects(new.get("networks"))
    if new.get("networks") == "auto":
        return False
    leaving = []
    for nic, port in _recorded(prior):
        same = [each for each in desired if each == nic]
        same += [each for each in desired if nics.matches_port(context, each, port, {port["id"]: nic})]
        if same:
            desired.remove(same[0])
        else:
            leaving.append(port)
    first = _read_first_mac(context, new) if leaving and is_fixed(context) else None
    return any(port["mac_address"] == first for port in leaving)


def warn_of_replacement(context: Context, prior: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Warn if a replacement deletes the port of the first NIC, although the program still declares or needs it.

    Args:
        context: The diff of the server.
        prior: The prior outputs.
        new: The desired inputs.
    """
    given: dict[str | None, str] = {
        port["mac_address"]: port["id"] for nic, port in _recorded(prior) if nic.get("port_id")
    }
    port_id = given.get(_read_first_mac(context, new)) if given and is_fixed(context) else None
    if not port_id:
        return
    desired_ports = [each.get("port_id") for each in objects(new.get("networks"))]
    declared = OWNERSHIP.other_owner(ObjectKey("Port", context.cloud.region.name, port_id))
    what = (
        f"replacing {context.resource} also deletes the port {port_id}, because the cloud does not detach the first NIC"
    )
    if port_id in desired_ports:
        advice = f"add `--replace '{declared}'`" if declared else "give the first NIC another port"
        text = f"{what}; the new server needs that port: {advice}, or the update ends without a server"
    elif declared and not any(map(is_unknown, desired_ports)):
        text = f"{what}; `pulumi up --refresh` creates it anew afterwards"
    else:
        return
    context.warn(Notice.PORT_LOSS.with_code(text))


def _recorded(prior: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], RemoteObject]]:
    """Return the NICs in `networks`, each with its port; none if they are not known."""
    known = zip(nics.recorded_nics(prior) or (), prior.get("nics") or (), strict=False)
    return [(nic, {"id": port_id, **port}) for (nic, port_id), port in known if nic]


def _read_first_mac(context: Context, new: Mapping[str, Any]) -> str | None:
    """Return the MAC address of the first NIC of the server that a diff or an import is about."""
    try:
        return _first_mac(context.cloud.region.servers.get(context.id or str(new.get("adopt"))))
    except errors.EcsError:
        return None


def _first_mac(remote: RemoteObject | None) -> str | None:
    """Return the MAC address of a server's first NIC: Nova lists the addresses in the order of the NICs."""
    return next((item["mac"] for items in nics.addresses(remote or {}).values() for item in items), None)


def wait_for_build(context: Context, server_id: str) -> RemoteObject | None:
    """Return a server that will be deleted, after the end of its build if it may have NICs with ports of the program.

    Nova detaches no NIC during a build, and may not have bound all ports yet. A build that hangs takes at most half of
    the time: then the server is deleted together with its ports.
    """
    given = context.prior.get("networks")
    if isinstance(given, list) and not any(nic.get("port_id") for nic in objects(given)):
        return context.cloud.region.servers.get(server_id)
    deadline = context.cloud.deadline
    with contextlib.suppress(errors.WaitTimeout):
        return context.cloud.region.servers.poller.wait(
            server_id,
            lambda server: server is None or server["status"] != "BUILD" or is_being_deleted(server),
            deadline=Deadline(deadline.clock, deadline.left() / 2),
            progress=context.report_status,
            describe=lambda server: str(server and server["status"]),
            what=f"the build of server {server_id}",
            first_delay=0,
        )
    return context.cloud.region.servers.get(server_id)


def is_being_deleted(remote: RemoteObject) -> bool:
    """Whether the cloud is deleting the server."""
    return bool(remote.get("OS-EXT-STS:task_state") == "deleting")


def detach_others(
    context: Context, remote: RemoteObject | None, ports: Sequence[RemoteObject], own: Collection[str]
) -> list[RemoteObject]:
    """Detach the ports that outlive a server, because its deletion would delete them.

    Args:
        context: The deletion of the server.
        remote: The server; None if it is gone.
        ports: The ports of the server.
        own: The ids of those that its deletion deletes on every cloud.

    Returns:
        The ports that the server keeps: that of its first NIC, or all of them if its status does not allow a detach.

    Raises:
        FirstNicStays: The refused NICs are not just the first one. Their ports would be lost.
    """
    recorded = {port_id: nic for nic, port_id in nics.recorded_nics(context.prior) or ()}
    outliving = [port for port in ports if port["id"] not in own and nics.outlives_nic(port, recorded.get(port["id"]))]
    differences = context.cloud.region.differences
    if remote is None or is_being_deleted(remote):
        return outliving
    kept: list[RemoteObject] = []
    refused: list[tuple[RemoteObject, FirstNicStays]] = []
    # Each NIC but one leaves. The first one is tried as well, until a refusal: not every cloud that resembles this one
    # refuses it. Once all others have left, the last one is the first NIC, even if the addresses have another order.
    first = _first_mac(remote)
    outliving.sort(key=lambda port: port["mac_address"] == first)
    spares_last = differences.knows(Fact.FIRST_NIC_STAYS) and len(outliving) == len(ports)
    for port in outliving:
        if spares_last and port is outliving[-1] and not refused:
            kept.append(port)
            continue
        try:
            detach_strictly(context, remote["id"], port["id"], keep_port=True)
        except errors.Conflict:
            if remote["status"] in _DETACHES:
                raise
            kept.append(port)
        except FirstNicStays as error:
            refused.append((port, error))
    stays = [port for port, _ in refused]
    is_first = len(stays) == 1 and (stays[0]["mac_address"] == first or len(outliving) > 1)
    if stays and not is_first:
        # The account may have no right to detach NICs, and then the deletion would lose all these ports.
        raise refused[0][1]
    if stays:
        differences.note(Fact.FIRST_NIC_STAYS)
    return kept + stays


def report_lost(context: Context, server_id: str, ports: Sequence[RemoteObject]) -> None:
    """Warn of the ports that the cloud deleted with a server, unless this run deletes them as well.

    Args:
        context: The deletion of the server, which is gone.
        server_id: The server.
        ports: The ports that it kept.
    """
    urn = rpc_bridge.current_request().urn
    for port in ports:
        # An error in this look-up must not hide that the server is deleted.
        with contextlib.suppress(errors.EcsError):
            if _exists(context, port["id"]):
                continue
            lost_ports(context.cloud.region)[port["id"]] = server_id
            resource = (urn, "Port", port["id"])
            if not (run.replaces(*resource) or run.also_deletes(*resource)):
                which = f"{port['name']} ({port['id']})" if port.get("name") else port["id"]
                text = f"the cloud deleted the port {which} together with the server, which did not detach it"
                advice = "if the program declares it, `pulumi up --refresh` creates it anew"
                context.warn(Notice.PORT_LOSS.with_code(f"{text}; {advice}"))


def _exists(context: Context, port_id: str) -> bool:
    try:
        network.get(context.cloud.network, "port", port_id)
    except errors.NotFound:
        return False
    return True
