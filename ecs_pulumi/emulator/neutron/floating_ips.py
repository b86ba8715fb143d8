"""Floating IPs: addresses of an external network that a router translates to the address of a port."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ecs_pulumi.emulator.context import Reply, step
from ecs_pulumi.emulator.errors import HttpError

from . import otc
from .addressing import ROUTER_INTERFACE
from .associations import STATUS_STEP, associate
from .collection import check_quota, check_revision, get_owned, get_visible, new_document, register_reads, render, touch
from .ports import make_port, notify_nova, remove_port
from .qos import check_policy
from .refusals import bad_resource, conflict, forbidden
from .resources import FLOATING_IP, NETWORK, PORT
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

GATEWAY, FLOATING = "network:router_gateway", "network:floatingip"
DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
IPV4 = 4


def view(call: Call, doc: Document) -> Document:
    """Return a floating IP as the API shows it, with the details of its port."""
    port = call.get("port", doc["port_id"]) if doc["port_id"] else None
    result = render(call, FLOATING_IP, doc) | {
        "port_details": {name: port[name] for name in DETAILS} if port else None,
    }
    result.pop("subnet_id", None)
    return result


@service.post("/floatingips")
def create_floating_ip(call: Call) -> Reply:
    """`POST /floatingips`: selects a free address of the external network."""
    values = FLOATING_IP.read_create(call, extensions(call))
    # Open Telekom Cloud documents the attribute for users; upstream reserves it for administrators.
    if values["floating_ip_address"] and not call.is_admin and not call.is_otc:
        raise forbidden("create_floatingip", "floating_ip_address")
    check_quota(call, "floatingip", values["project_id"])
    check_policy(call, values)
    network = get_visible(call, NETWORK, values["floating_network_id"])
    if not network["router:external"]:
        raise bad_resource("floatingip", f"Network {network['id']} is not a valid external network")
    if not any(subnet["ip_version"] == IPV4 for subnet in call.find("subnet", network_id=network["id"])):
        raise bad_resource("floatingip", f"Network {network['id']} does not contain any IPv4 subnet")
    values |= {"_port_id": None, "router_id": None, "status": "DOWN"}
    doc = new_document(call, values)
    port = _make_external_port(call, network, doc)
    address = next(
        each["ip_address"] for each in port["fixed_ips"] if ipaddress.ip_address(each["ip_address"]).version == IPV4
    )
    doc |= {"floating_ip_address": address, "_port_id": port["id"]}
    _update_association(call, doc | {"port_id": None}, values, doc)
    return Reply(201, {"floatingip": view(call, call.put("floatingip", doc))})


def _make_external_port(call: Call, network: Document, doc: Document) -> Document:
    """Create the port that has the address; it belongs to no project."""
    values = PORT.defaults(extensions(call)) | {
        "project_id": "",
        "network_id": network["id"],
        "device_id": doc["id"],
        "device_owner": FLOATING,
    }
    requested = {"subnet_id": doc["subnet_id"], "ip_address": doc["floating_ip_address"]}
    fixed = {name: value for name, value in requested.items() if value}
    if fixed:
        values["fixed_ips"] = [fixed]
    port = make_port(call, network, values) | {"status": "N/A"}
    return call.put("port", port)


register_reads(FLOATING_IP, view)


@service.put("/floatingips/{floating_ip_id}")
def update_floating_ip(call: Call, floating_ip_id: str) -> Document:
    """`PUT /floatingips/{id}`: changes the port with which the floating IP is associated."""
    values = FLOATING_IP.read_update(call, extensions(call))
    prior = get_owned(call, FLOATING_IP, floating_ip_id, "update")
    check_policy(call, values)
    check_revision(call, prior)
    doc = prior | {name: value for name, value in values.items() if name not in ("port_id", "fixed_ip_address")}
    _update_association(call, prior, values, doc)
    if doc != prior:
        touch(call, "floatingip", doc)
    return {"floatingip": view(call, doc)}


@service.delete("/floatingips/{floating_ip_id}")
def delete_floating_ip(call: Call, floating_ip_id: str) -> None:
    """`DELETE /floatingips/{id}`: releases the address."""
    doc = get_owned(call, FLOATING_IP, floating_ip_id, "delete")
    check_revision(call, doc)
    _remove(call, doc)


def delete_unused(ctx: Context, network_id: str) -> None:
    """Delete the floating IPs of an external network that are not associated with a port."""
    for doc in ctx.find("floatingip", floating_network_id=network_id, port_id=None):
        _remove(ctx, doc)


def _remove(ctx: Context, doc: Document) -> None:
    port = ctx.get("port", doc["_port_id"])
    if port:
        remove_port(ctx, port)
    ctx.remove("floatingip", doc["id"])
    _notify_nova(ctx, doc["port_id"])


@step(STATUS_STEP)
def set_status(ctx: Context, floating_ip_id: str) -> None:
    """Set the status of a floating IP: ACTIVE if a router translates it."""
    doc = ctx.get("floatingip", floating_ip_id)
    if doc:
        ctx.put("floatingip", doc | {"status": "ACTIVE" if doc["router_id"] else "DOWN"})


def _update_association(call: Call, prior: Document, values: Document, doc: Document) -> None:
    """Associate a floating IP with the port of a request, and find the router that translates it."""
    port_id, fixed_ip = values.get("port_id", prior["port_id"]), values.get("fixed_ip_address")
    if fixed_ip and not values.get("port_id"):
        raise bad_resource("floatingip", "fixed_ip_address cannot be specified without a port_id")
    if not port_id:
        if prior["port_id"]:
            associate(call, doc, None, None, None)
            _notify_nova(call, prior["port_id"])
        return
    fixed = _internal_address(call, doc, get_visible(call, PORT, port_id), fixed_ip)
    router_id = _router(call, doc, port_id, fixed)
    if port_id != prior["port_id"]:
        otc.check_floating_ip(call, doc, port_id)
        _check_not_associated(call, doc, port_id, fixed["ip_address"])
    current = (prior["port_id"], prior["fixed_ip_address"], prior["router_id"])
    if current != (port_id, fixed["ip_address"], router_id):
        associate(call, doc, port_id, fixed["ip_address"], router_id)
        for changed in {prior["port_id"], port_id}:
            _notify_nova(call, changed)


def _notify_nova(ctx: Context, port_id: str | None) -> None:
    """Notify Nova of the server of a port: its addresses include its floating IPs."""
    port = ctx.get("port", port_id) if port_id else None
    if port:
        notify_nova(ctx, port)


def _internal_address(call: Call, doc: Document, port: Document, fixed_ip: str | None) -> dict[str, str]:
    """Return the address of the port to which the floating IP is translated."""
    id_ = port["id"]
    if port["project_id"] != doc["project_id"] and not call.is_admin:
        message = (
            f"Cannot process floating IP association with Port {id_}, since that port is owned by a different tenant"
        )
        raise bad_resource("floatingip", message)
    if fixed_ip and ipaddress.ip_address(fixed_ip).version != IPV4:
        message = f"Cannot process floating IP association with {fixed_ip}, since that is not an IPv4 address"
        raise bad_resource("floatingip", message)
    if fixed_ip:
        found: list[dict[str, str]] = [each for each in port["fixed_ips"] if each["ip_address"] == fixed_ip]
        if not found:
            raise bad_resource("floatingip", f"Port {id_} does not have fixed ip {fixed_ip}")
        return found[0]
    found = [each for each in port["fixed_ips"] if ipaddress.ip_address(each["ip_address"]).version == IPV4]
    if not found:
        raise bad_resource("floatingip", f"Cannot add floating IP to port {id_} that has no fixed IPv4 addresses")
    if len(found) > 1:
        message = (
            f"Port {id_} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a"
            " floating IP"
        )
        raise bad_resource("floatingip", message)
    return found[0]


def _router(call: Call, doc: Document, port_id: str, fixed: dict[str, str]) -> str:
    """Return the router between the subnet and the external network; preferably the gateway of the subnet."""
    subnet = call.get("subnet", fixed["subnet_id"]) or {}
    external = doc["floating_network_id"]
    gateways = {port["device_id"] for port in call.find("port", network_id=external, device_owner=GATEWAY)}
    routers = {
        each["ip_address"]: port["device_id"]
        for port in call.find("port", network_id=subnet["network_id"], device_owner=ROUTER_INTERFACE)
        for each in port["fixed_ips"]
        if each["subnet_id"] == subnet["id"] and port["device_id"] in gateways
    }
    if not routers:
        message = (
            f"External network {external} is not reachable from subnet {subnet['id']}.  Therefore, cannot"
            f" associate Port {port_id} with a Floating IP."
        )
        raise HttpError(404, message, kind="ExternalGatewayForFloatingIPNotFound")
    return str(routers.get(subnet["gateway_ip"]) or next(iter(routers.values())))


def _check_not_associated(call: Call, doc: Document, port_id: str, fixed_ip: str) -> None:
    network = doc["floating_network_id"]
    for other in call.find("floatingip", port_id=port_id, floating_network_id=network, fixed_ip_address=fixed_ip):
        if other["id"] != doc["id"]:
            message = (
                f"Cannot associate floating IP {doc['floating_ip_address']} ({doc['id']}) with port {port_id} using"
                f" fixed IP {fixed_ip}, as that fixed IP already has a floating IP on external network {network}."
            )
            raise conflict("FloatingIPPortAlreadyAssociated", message)
