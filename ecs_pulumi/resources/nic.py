"""How a NIC comes into a server and out of it again, for the server's own list and for an attachment alike."""

from __future__ import annotations

import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, errors, network
from ecs_pulumi.cloud.polling import retry_while_busy
from ecs_pulumi.cloud.together import Together
from ecs_pulumi.dynamic.kind import auto_name
from ecs_pulumi.resources.common import (
    LONGEST_DESCRIPTION,
    OF_A_NIC,
    delete_when_unused,
    is_mark,
    left_to_server,
    owner_marker,
)
from ecs_pulumi.resources.idempotent_create import create_or_find

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.common import Context, RemoteObject

TAG = "2.49"
"""The microversion of the compute API that came with tags of NICs."""


def attach(
    context: Context,
    server_id: str,
    *,
    port_id: str | None = None,
    network_id: str | None = None,
    addresses: Sequence[str] = (),
    tag: str | None = None,
) -> RemoteObject:
    """Bind a port to a server, or have Nova make one; the port, as Neutron tells it."""
    body: RemoteObject = {"port_id": port_id} if port_id else {"net_id": network_id}
    if addresses:
        body["fixed_ips"] = [{"ip_address": address} for address in addresses]
    if tag:
        body["tag"] = tag
    api = context.cloud.compute
    # Told apart from what the server has already, the NIC of a lost answer can be found again.
    before = set() if port_id or addresses else {port["id"] for port in ports_of(context, server_id)}
    try:
        ask = partial(compute.attach_interface, api, server_id, body, microversion=TAG if tag else None)
        made = retry_while_busy(ask, context.cloud.deadline, progress=context.report_status)
    except (errors.ResponseLost, errors.Conflict, errors.ServerError) as error:
        there = _already(context, server_id, port_id, network_id, addresses, before)
        if there is not None:
            return there
        if isinstance(error, errors.ServerError) and network_id:
            # Nova answers 500 where the network does not exist.
            network.get(context.cloud.network, "network", network_id)
        raise
    return {
        "id": made["port_id"],
        "device_id": server_id,
        "network_id": made["net_id"],
        "mac_address": made["mac_addr"],
        "fixed_ips": made["fixed_ips"],
        "status": made["port_state"],
    }


def is_for_a_nic(port: Mapping[str, Any]) -> bool:
    """Whether a port was made for the NIC of an `InterfaceAttachment`, of this stack or another."""
    description = port.get("description") or ""
    return is_mark(description) and description.endswith(OF_A_NIC)


def detach(context: Context, server_id: str, port_id: str) -> RemoteObject | None:
    """Take a NIC from a server and wait until its port is free, or gone with it; the port, where it is still there."""
    try:
        ask = partial(compute.detach_interface, context.cloud.compute, server_id, port_id)
        retry_while_busy(ask, context.cloud.deadline, progress=context.report_status)
    except errors.NotFound:
        pass
    except errors.Conflict:
        if left_to_server(context, server_id):
            return context.cloud.region.ports.read(port_id)
        raise
    return context.cloud.region.ports.poller.wait(
        port_id,
        lambda port: if_attached(port, server_id) is None,
        deadline=context.cloud.deadline,
        progress=context.report_status,
        describe=lambda port: "detaching" if if_attached(port, server_id) else "free",
        what=f"port {port_id} to leave server {server_id}",
    )


def mark_of(context: Context) -> str:
    """What tells that a port was made for this NIC; empty where the mark is switched off, or too long to be whole."""
    whole = owner_marker(context)
    return f"{whole}{OF_A_NIC}" if whole and len(whole) + len(OF_A_NIC) < LONGEST_DESCRIPTION else ""


def create_and_attach_port(
    context: Context, server_id: str, network_id: str, addresses: Sequence[str], tag: str | None, *, marked: str
) -> RemoteObject:
    """Make a port and bind it: one that Nova makes tells nobody whose it is, if the answer is lost with the process."""
    api = context.cloud.network
    body: RemoteObject = {"network_id": network_id, "name": auto_name(context.resource, b""), "description": marked}
    if addresses:
        body["fixed_ips"] = [{"ip_address": address} for address in addresses]
    port = create_or_find(
        context,
        api,
        send=lambda: network.create(api, "port", body),
        candidates=lambda: network.list_all(api, "port", name=body["name"]),
        marked=marked,
    )
    try:
        return attach(context, server_id, port_id=port["id"], tag=tag)
    except errors.EcsError as error:
        try:
            delete_port(context, port["id"])
        except errors.EcsError as again:
            raise errors.OperationFailed(
                str(error),
                f"The port {port['id']} that was made for it could not be deleted again: {again} "
                "`python -m ecs_pulumi.orphans` finds it.",
            ) from error
        raise


def delete_port(context: Context, port_id: str) -> None:
    """Delete the port of a NIC that is no more."""
    delete_when_unused(context, lambda: network.delete(context.cloud.network, "port", port_id), list)


def ports_of(context: Context, server_id: str) -> list[RemoteObject]:
    """The ports of a server; for servers that are asked for at the same time there is one request."""
    api = context.cloud.network

    def ask(ids: list[str]) -> dict[str, list[RemoteObject] | None]:
        listed = list(network.list_all(api, "port", device_id=ids if len(ids) > 1 else ids[0]))
        # Not every cloud filters by several values: where there are none, it is asked for this server alone.
        nothing: list[RemoteObject] | None = None if len(ids) > 1 else []
        return {id_: [port for port in listed if port["device_id"] == id_] or nothing for id_ in ids}

    found = _listing(context.cloud.region).get(server_id, ask)
    return list(network.list_all(api, "port", device_id=server_id)) if found is None else found


_listings: weakref.WeakKeyDictionary[Region, Together[list[RemoteObject] | None]] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def _listing(region: Region) -> Together[list[RemoteObject] | None]:
    with _making:
        return _listings.setdefault(region, Together())


def if_attached(port: RemoteObject | None, server_id: str) -> RemoteObject | None:
    """The port, if the server has it."""
    return port if port and port.get("device_id") == server_id else None


def _already(
    context: Context,
    server_id: str,
    port_id: str | None,
    network_id: str | None,
    addresses: Sequence[str],
    before: set[str],
) -> RemoteObject | None:
    """The port of a NIC that this server has already as it was asked for."""
    for port in ports_of(context, server_id):
        has = {item["ip_address"] for item in port.get("fixed_ips") or ()}
        if port["id"] == port_id:
            return port
        as_asked = port["network_id"] == network_id and has >= set(addresses)
        if not port_id and as_asked and port["id"] not in before:
            return port
    return None
