"""Attach and detach the NICs of a server, for `Server.networks` and for `InterfaceAttachment`."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, errors, network
from ecs_pulumi.cloud.batching import RequestBatcher
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.cloud.polling import Deadline, retry_while_busy
from ecs_pulumi.dynamic import rpc_bridge, state
from ecs_pulumi.dynamic.handler import SUFFIX_BYTES, auto_name, owner_from_name
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.resources import missing_attributes
from ecs_pulumi.resources.attachment import left_to_server
from ecs_pulumi.resources.deletion import delete_when_unused
from ecs_pulumi.resources.idempotent_create import create_or_find
from ecs_pulumi.resources.owner_markers import (
    LONGEST_DESCRIPTION,
    OF_A_NIC,
    is_owner_marker,
    markers_of,
    owner_marker,
)
from ecs_pulumi.resources.per_region import PerRegion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

_NAMED_NIC = ".nic"
"""Suffix of the resource in the name of a port that was created for an `InterfaceAttachment`."""
_NIC_NAME = re.compile(rf".*{re.escape(_NAMED_NIC)}-[0-9a-f]{{{2 * SUFFIX_BYTES}}}", re.DOTALL)
_RELEASED_WITHIN = 60.0
TAG = "2.49"
"""Compute microversion that introduced tags of NICs."""


class FirstNicStays(errors.OperationFailed):
    """The cloud refuses to detach a NIC with 403: the Open Telekom Cloud detaches any NIC but the first one."""

    def __init__(self, error: str) -> None:
        super().__init__(
            "the first NIC of a server cannot leave it on this cloud; only a replacement of the server changes it",
            f"{error.partition(f' {errors.Forbidden.hint}')[0]} If this is another NIC, the account's roles in this "
            "project do not allow the request.",
        )


def attach(
    context: Context,
    server_id: str,
    *,
    port_id: str | None = None,
    network_id: str | None = None,
    addresses: Sequence[str] = (),
    tag: str | None = None,
) -> RemoteObject:
    """Attach a port to a server, or let Nova create and attach one; return the port in Neutron's format."""
    require_not_lost(context, [port_id])
    body: RemoteObject = {"port_id": port_id} if port_id else {"net_id": network_id}
    if addresses:
        body["fixed_ips"] = [{"ip_address": address} for address in addresses]
    if tag:
        body["tag"] = tag
    api = context.cloud.compute
    # If the response is lost, the new NIC is recognized because it is not among the server's prior ports.
    prior_ids = set() if port_id or addresses else {port["id"] for port in ports_of(context, server_id)}
    send = partial(compute.attach_interface, api, server_id, body, microversion=TAG if tag else None)

    def send_until_released() -> RemoteObject:
        try:
            return retry_while_busy(send, context.cloud.deadline, progress=context.report_status)
        except errors.Conflict:
            if port_id and _is_released(context, port_id, server_id):
                return retry_while_busy(send, context.cloud.deadline, progress=context.report_status)
            raise

    try:
        interface = send_until_released()
    except (errors.ResponseLost, errors.Conflict, errors.ServerError) as error:
        find = partial(_find_attached, context, server_id, port_id, network_id, addresses, prior_ids)
        attached = context.cloud.writes.read_until(find, bool, server_id)
        if attached is not None:
            return attached
        if isinstance(error, errors.ServerError) and network_id:
            # Nova answers 500 if the network does not exist; Neutron's error is more precise.
            network.get(context.cloud.network, "network", network_id)
        raise
    return {
        "id": interface["port_id"],
        "device_id": server_id,
        "network_id": interface["net_id"],
        "mac_address": interface["mac_addr"],
        "fixed_ips": interface["fixed_ips"],
        "status": interface["port_state"],
    }


def _is_released(context: Context, port_id: str, server_id: str) -> bool:
    """Wait until another server of the stack releases a port, which the program may be moving in the same run."""
    region, request = context.cloud.region, rpc_bridge.current_request()
    try:
        holder = network.get(region.network, "port", port_id).get("device_id")
        if holder in (None, "", server_id):
            return holder != server_id
        owners = state.read(request.project, request.stack).owners
        still_has = OWNERSHIP.other_owner(ObjectKey("InterfaceAttachment", region.name, f"{holder}/{port_id}"))
        if ObjectKey("Server", region.name, holder) not in owners or still_has:
            return False
        region.network_objects("port").poller.wait(
            port_id,
            lambda port: port is None or port.get("device_id") != holder,
            deadline=Deadline(context.cloud.deadline.clock, min(_RELEASED_WITHIN, context.cloud.deadline.left())),
            progress=context.report_status,
            describe=lambda _: "attached",
            what=f"server {holder} to release the port {port_id}",
        )
    except errors.EcsError:
        return False
    return True


def is_for_a_nic(region: Region, port: Mapping[str, Any]) -> bool:
    """Return whether a port was created for the NIC of an `InterfaceAttachment`, of this stack or another one.

    The owner marker shows it, or the name if the cloud keeps no descriptions.
    """
    if missing_attributes.keeps_no_description(region, "port", port):
        return bool(_NIC_NAME.fullmatch(port.get("name") or ""))
    description = port.get("description") or ""
    return is_owner_marker(description) and description.endswith(OF_A_NIC)


def owner_of_nic(owner: str | None, port: Mapping[str, Any]) -> str | None:
    """Return the resource in the owner marker or the name of a port, without the suffix for a NIC."""
    return owner and owner.removesuffix(OF_A_NIC if markers_of(port) else _NAMED_NIC)


def is_nic_of(context: Context, port: Mapping[str, Any]) -> bool:
    """Return whether the name of a port shows that it was created for this NIC."""
    return owner_from_name(port.get("name") or "", context.signer) == f"{context.resource}{_NAMED_NIC}"


def detach(context: Context, server_id: str, port_id: str, *, keep_port: bool) -> RemoteObject | None:
    """Detach a NIC from a server and wait until its port is free or deleted; return the port if it still exists.

    A server that ends anyway keeps a NIC that it does not detach.

    Args:
        context: The operation.
        server_id: The server.
        port_id: The port of the NIC.
        keep_port: Whether the port outlives the NIC. Some clouds delete it unless the request reserves it.

    Raises:
        FirstNicStays: The NIC is the first one of the server, which this cloud does not detach.
    """
    try:
        return detach_strictly(context, server_id, port_id, keep_port=keep_port)
    except (errors.Conflict, FirstNicStays):
        is_deleted = context.cloud.region.differences.deletes_ports_with_nics
        if left_to_server(context, server_id, *(["its deletion deletes the port"] if is_deleted else [])):
            return context.cloud.region.network_objects("port").read(port_id)
        raise


def detach_strictly(context: Context, server_id: str, port_id: str, *, keep_port: bool) -> RemoteObject | None:
    """Detach a NIC like `detach`, but raise `errors.Conflict` if the server does not detach it, whatever its end."""
    try:
        send = partial(_send_detach, context, server_id, port_id, keep_port=keep_port)
        retry_while_busy(send, context.cloud.deadline, progress=context.report_status)
    except errors.NotFound:
        pass
    except errors.Forbidden as error:
        if context.cloud.region.differences.keeps_first_nic:
            raise FirstNicStays(str(error)) from error
        raise
    return context.cloud.region.network_objects("port").poller.wait(
        port_id,
        lambda port: if_attached(port, server_id) is None,
        deadline=context.cloud.deadline,
        progress=context.report_status,
        describe=lambda _: "detaching",
        what=f"port {port_id} to be detached from server {server_id}",
    )


def _send_detach(context: Context, server_id: str, port_id: str, *, keep_port: bool) -> None:
    region, differences = context.cloud.region, context.cloud.region.differences
    reserve_port = keep_port and not differences.knows(Fact.NO_RESERVED_PORT)
    try:
        compute.detach_interface(region.compute, server_id, port_id, reserve_port=reserve_port)
    except errors.BadRequest:
        # A cloud that may delete the port must not get the request without the parameter.
        if not reserve_port or differences.deletes_ports_with_nics:
            raise
        compute.detach_interface(region.compute, server_id, port_id)
        differences.note(Fact.NO_RESERVED_PORT)


def nic_marker(context: Context) -> str:
    """Return the owner marker of a port that is created for this NIC; empty if markers are off or it is too long."""
    marker = owner_marker(context)
    return f"{marker}{OF_A_NIC}" if marker and len(marker) + len(OF_A_NIC) < LONGEST_DESCRIPTION else ""


def create_and_attach_port(
    context: Context, server_id: str, network_id: str, addresses: Sequence[str], tag: str | None, *, marker: str
) -> RemoteObject:
    """Create a port with an owner marker and attach it.

    A port that Nova creates has no marker, so it could not be found if the process is killed before the response.
    """
    api = context.cloud.network
    name = auto_name(f"{context.resource}{_NAMED_NIC}", b"", context.signer if context.stack else "")
    body: RemoteObject = {"network_id": network_id, "name": name, "description": marker}
    if addresses:
        body["fixed_ips"] = [{"ip_address": address} for address in addresses]
    port = create_or_find(
        context,
        api,
        send=lambda: missing_attributes.send(context, "port", body, partial(network.create, api, "port")),
        candidates=lambda: network.list_all(api, "port", name=name),  # no other port has this name
    )
    try:
        return attach(context, server_id, port_id=port["id"], tag=tag)
    except errors.EcsError as error:
        try:
            delete_port(context, port["id"])
        except errors.EcsError as again:
            raise errors.OperationFailed(
                str(error),
                f"The port {port['id']}, created for this NIC, could not be deleted: {again} "
                "Find it with `ecs-pulumi orphans`.",
            ) from error
        raise


def delete_port(context: Context, port_id: str) -> None:
    """Delete the port of a detached NIC."""
    delete_when_unused(context, lambda: network.delete(context.cloud.network, "port", port_id), list)


def ports_of(context: Context, server_id: str) -> list[RemoteObject]:
    """Return the ports of a server; concurrent calls for several servers share one request."""
    api = context.cloud.network

    def list_ports(ids: list[str]) -> dict[str, list[RemoteObject] | None]:
        listed = list(network.list_all(api, "port", device_id=ids if len(ids) > 1 else ids[0]))
        # Some clouds do not filter by several values: None makes the caller list the ports of its server alone.
        empty: list[RemoteObject] | None = None if len(ids) > 1 else []
        return {id_: [port for port in listed if port["device_id"] == id_] or empty for id_ in ids}

    found = _port_lists(context.cloud.region).get(server_id, list_ports)
    return list(network.list_all(api, "port", device_id=server_id)) if found is None else found


created_ports: PerRegion[dict[str, RemoteObject]] = PerRegion(lambda _: {})
"""The ports that this process created in a region, by id. Their network, MAC and fixed addresses need no request."""

lost_ports: PerRegion[dict[str, str]] = PerRegion(lambda _: {})
"""The ports that the cloud deleted in this run together with a server, with the id of the server."""


def require_not_lost(context: Context, port_ids: Iterable[object]) -> None:
    """Raise an error if the cloud deleted one of these ports in this run together with a server.

    Raises:
        OperationFailed: It did.
    """
    lost = lost_ports(context.cloud.region)
    for port_id in port_ids:
        if port_id in lost:
            raise errors.OperationFailed(
                f"the port {port_id} does not exist any more",
                f"the cloud deleted it together with the server {lost[str(port_id)]}, which did not detach it; "
                "`pulumi up --refresh` creates the port anew, and then what needs it",
            )


_port_lists: PerRegion[RequestBatcher[list[RemoteObject] | None]] = PerRegion(lambda _: RequestBatcher())


def if_attached(port: RemoteObject | None, server_id: str) -> RemoteObject | None:
    """Return the port if it is attached to the server, else None."""
    return port if port and port.get("device_id") == server_id else None


def _find_attached(
    context: Context,
    server_id: str,
    port_id: str | None,
    network_id: str | None,
    addresses: Sequence[str],
    prior_ids: set[str],
) -> RemoteObject | None:
    """Return the port of a NIC that matches the request and is attached to the server already."""
    for port in ports_of(context, server_id):
        port_addresses = {item["ip_address"] for item in port.get("fixed_ips") or ()}
        if port["id"] == port_id:
            return port
        matches = port["network_id"] == network_id and port_addresses >= set(addresses)
        if not port_id and matches and port["id"] not in prior_ids:
            return port
    return None
