"""Network interfaces of a server (`/servers/{id}/os-interface`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.neutron import servers as neutron
from ecs_pulumi.emulator.validation import ADDRESS, TAG, UUID, body, fields

from .instance import (
    begin_action,
    check_lock,
    check_state,
    end_action,
    get_scheduled_server,
    get_server,
    save,
    server_step,
)
from .lifecycle import plug_in
from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

DETACHING = 1.5
CHANGEABLE = ("active", "paused", "stopped")
UNEXPECTED = (
    "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if"
    " possible.\n<class 'oslo_messaging.rpc.client.RemoteError'>"
)


@service.post("/servers/{server_id}/os-interface")
def attach(call: Call, server_id: str) -> dict[str, Any]:
    """`POST …/os-interface`: attach a port, a new port in a network, or a new port in the only network."""
    addresses: dict[str, Any] = {"type": "array", "items": fields({"ip_address": ADDRESS}, "ip_address")}
    if not call.is_otc:  # which uses the first address and ignores the others
        addresses["maxItems"] = 1
    properties: dict[str, Any] = {"net_id": UUID, "port_id": UUID, "fixed_ips": addresses}
    if call.at_least(49) and not call.is_otc:
        properties["tag"] = TAG
    requested = body(call, "interfaceAttachment", fields(properties))
    network_id, port_id = requested.get("net_id"), requested.get("port_id")
    fixed_ip = requested["fixed_ips"][0]["ip_address"] if requested.get("fixed_ips") else None
    if network_id and port_id:
        raise HttpError(400, "Must not input both network_id and port_id")
    if fixed_ip and not network_id:
        raise HttpError(400, "Must input network_id when request IP address")
    doc = get_scheduled_server(call, server_id)
    check_lock(call, doc)
    check_state(doc, "attach_interface", CHANGEABLE)
    if not network_id and not port_id:
        network_id = _only_network(call)
    begin_action(call, doc, "attach_interface")
    try:
        port = plug_in(
            call,
            doc,
            {"port": port_id, "uuid": network_id, "fixed_ip": fixed_ip, "tag": requested.get("tag")},
        )
    except HttpError as error:
        raise _translate_neutron_error(error, port_id, fixed_ip) from None
    neutron.plug_port(call, port["id"])
    end_action(call, doc)
    save(call, doc)
    return {"interfaceAttachment": _render(call, call.get("port", port["id"]) or port, doc)}


def _only_network(call: Call) -> str:
    usable = neutron.usable_networks(call)
    if len(usable) > 1:
        raise HttpError(409, "Multiple possible networks found, use a Network ID to be more specific.")
    if not usable:
        raise HttpError(400, "No suitable network found")
    return str(usable[0]["id"])


def _translate_neutron_error(error: HttpError, port_id: str | None, fixed_ip: str | None) -> HttpError:
    if error.kind == "PortNotFound":
        return HttpError(404, f"Port id {port_id} could not be found.")
    if error.kind == "PortInUse":
        return HttpError(409, f"Port {port_id} is still in use.")
    if error.kind == "IpAddressAlreadyAllocated":
        return HttpError(409, f"Fixed IP {fixed_ip} is already in use.")
    if error.kind == "InvalidIpForNetwork":
        return HttpError(400, f"Fixed IP {fixed_ip} is not a valid ip address for network.")
    if error.kind == "OverQuota":
        return HttpError(403, "Maximum number of ports exceeded")
    # Nova fails with an internal error if the network does not exist.
    return HttpError(500, UNEXPECTED)


@service.get("/servers/{server_id}/os-interface")
def index(call: Call, server_id: str) -> dict[str, Any]:
    """`GET …/os-interface`: the ports that Neutron lists for the server."""
    doc = get_server(call, server_id)
    ports = call.find("port", device_id=server_id)
    return {"interfaceAttachments": [_render(call, port, doc) for port in ports]}


@service.get("/servers/{server_id}/os-interface/{port_id}")
def show(call: Call, server_id: str, port_id: str) -> dict[str, Any]:
    """`GET …/os-interface/{port id}`."""
    doc = get_server(call, server_id)
    port = call.get("port", port_id)
    if port is None:
        raise HttpError(404, f"Port id {port_id} could not be found.")
    if port["device_id"] != server_id:
        raise HttpError(404, f"Instance {server_id} does not have a port with id {port_id}")
    return {"interfaceAttachment": _render(call, port, doc)}


@service.delete("/servers/{server_id}/os-interface/{port_id}")
def detach(call: Call, server_id: str, port_id: str) -> Reply:
    """`DELETE …/os-interface/{port id}`: accepted, except for the first NIC in dialect `otc`.

    If the port is not attached, only the action history shows the failure. In dialect `otc` the port is deleted, unless
    `reserve_port` is true; upstream ignores that parameter.
    """
    doc = get_scheduled_server(call, server_id)
    check_lock(call, doc)
    check_state(doc, "detach_interface", CHANGEABLE)
    delete = None
    if call.is_otc:
        if doc["nics"] and doc["nics"][0]["port_id"] == port_id:
            raise HttpError(403, f"Port {port_id} is the primary NIC of instance {server_id} and cannot be detached.")
        delete = str(call.param("reserve_port")).lower() != "true"
    begin_action(call, doc, "detach_interface")
    if not any(nic["port_id"] == port_id for nic in doc["nics"]):
        end_action(call, doc, error=True)
    else:
        call.schedule(DETACHING, "nova.unplugged", server_id, port_id=port_id, delete=delete)
    save(call, doc)
    return Reply(202)


@server_step("nova.unplugged")
def _unplugged(ctx: Context, doc: Document, port_id: str, delete: bool | None = None) -> None:  # noqa: FBT001
    end_action(ctx, doc)
    save(ctx, doc, nics=[nic for nic in doc["nics"] if nic["port_id"] != port_id])
    neutron.unplug_port(ctx, port_id, delete=delete)


def _render(call: Call, port: Document, doc: Document) -> dict[str, Any]:
    rendered = {
        "net_id": port["network_id"],
        "port_id": port["id"],
        "mac_addr": port["mac_address"],
        "port_state": port["status"],
        "fixed_ips": port["fixed_ips"],
    }
    if call.at_least(70):
        nic = next((nic for nic in doc["nics"] if nic["port_id"] == port["id"]), {"tag": None})
        rendered["tag"] = nic["tag"]
    return rendered
