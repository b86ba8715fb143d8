"""The ports of a server's NICs where the cloud deletes all of them with it, and does not detach the first NIC.

OpenStack keeps the ports that a user created. The Open Telekom Cloud deletes the port of every NIC with the server, and
answers 403 to a detach of the first one. So all other ports are detached before the server is deleted, a change of the
first NIC is a replacement, and the preview of a replacement names the port that goes with the server.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.dynamic.fields import is_unknown, objects
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.notices import Notice
from ecs_pulumi.resources.nic import FirstNicStays, detach_strictly, if_attached, lost_ports
from ecs_pulumi.resources.server import nics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject


def is_fixed(context: Context) -> bool:
    """Whether the cloud of a server resembles one that does not detach the first NIC; False if it is not known."""
    try:
        return context.cloud.region.resembles_otc
    except errors.EcsError:
        return False


def leaves(context: Context, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the program takes the first NIC out of a server, which then has to be replaced.

    Args:
        context: The diff of the server.
        prior: The prior outputs.
        new: The desired inputs.
    """
    first = _first(prior)
    if first is None or not is_fixed(context) or new.get("networks") == "auto":
        return False
    nic, port_id = first
    attached, priors = {"id": port_id, **prior["nics"][0]}, {port_id: nic}
    if any(each == nic or nics.matches_port(context, each, attached, priors) for each in objects(new["networks"])):
        return False
    with contextlib.suppress(errors.EcsError):
        # If it was detached outside of Pulumi, another NIC can take its place.
        port, server_id = context.cloud.region.network_objects("port").read(port_id), context.id or new.get("adopt")
        return if_attached(port, str(server_id)) is not None
    return False


def warn_of_replacement(context: Context, prior: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Warn if a replacement deletes the port of the first NIC, although the program still declares or needs it.

    Args:
        context: The diff of the server.
        prior: The prior outputs.
        new: The desired inputs.
    """
    nic, port_id = _first(prior) or ({}, "")
    if not nic.get("port_id") or not is_fixed(context):
        return
    given = [each.get("port_id") for each in objects(new.get("networks"))]
    declared = OWNERSHIP.other_owner(ObjectKey("Port", context.cloud.region.name, port_id), "")
    what = f"replacing {context.resource} deletes the port {port_id} of its first NIC, which stays with the server"
    if port_id in given:
        advice = f"add `--replace '{declared}'`" if declared else "give the first NIC another port"
        text = f"{what}; the new server needs that port: {advice}, or the update ends without a server"
    elif declared and not any(map(is_unknown, given)):
        text = f"{what}; `pulumi up --refresh` creates it anew afterwards"
    else:
        return
    context.warn(Notice.PORT_LOSS.with_code(text))


def _first(prior: Mapping[str, Any]) -> tuple[Mapping[str, Any], str] | None:
    """Return the first NIC of a server in `networks`, with its port; None if they are not known."""
    recorded = nics.recorded_nics(prior)
    return recorded[0] if recorded and recorded[0][0] else None


def detach_others(context: Context, server_id: str, ports: Sequence[RemoteObject]) -> list[RemoteObject]:
    """Detach the ports that outlive a server, because its deletion would delete them.

    Args:
        context: The deletion of the server.
        server_id: The server.
        ports: The ports of the server, without those that its deletion deletes on every cloud.

    Returns:
        The ports that the server keeps: that of its first NIC, or all of them if its status does not allow a detach.

    Raises:
        FirstNicStays: Several NICs are refused, so that their order is not the reason. The ports would be lost.
    """
    recorded = {port_id: nic for nic, port_id in nics.recorded_nics(context.prior) or ()}
    outliving = [port for port in ports if nics.outlives_nic(port, recorded.get(port["id"]))]
    remote = context.cloud.region.servers.get(server_id) if outliving else None
    if remote is None or remote.get("OS-EXT-STS:task_state") == "deleting":
        return outliving
    kept: list[RemoteObject] = []
    for port in outliving:
        try:
            detach_strictly(context, server_id, port["id"], keep_port=True)
        except errors.Conflict:
            kept.append(port)
        except FirstNicStays:
            if kept:
                raise
            kept.append(port)
    return kept


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
            if not run.also_deletes(urn, "Port", port["id"], is_awaited=False):
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
