"""The interfaces of routers: ports that connect them to subnets."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import is_uuid

from . import addressing, otc
from .addressing import ROUTER_INTERFACE
from .collection import get_owned, get_visible, touch
from .ports import make_port, remove_port
from .refusals import bad_resource, conflict
from .resources import PORT, ROUTER, SUBNET
from .routers import check_overlap, interface_ports
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

IPV4, IPV6 = 4, 6


@service.put("/routers/{router_id}/add_router_interface")
def add_interface(call: Call, router_id: str) -> Document:
    """`PUT /routers/{id}/add_router_interface`: connect a subnet, or use an existing port."""
    router = get_owned(call, ROUTER, router_id, "add_router_interface")
    requested = _read(call)
    if len(requested) > 1:
        raise bad_resource("router", "Cannot specify both subnet-id and port-id")
    if "port_id" in requested:
        port, subnets = _add_port(call, router, get_visible(call, PORT, requested["port_id"]))
    else:
        subnet = get_visible(call, SUBNET, requested["subnet_id"])
        port, subnets = _add_subnet(call, router, subnet), [subnet]
    touch(call, "router", router)
    return _interface(router, port, subnets[-1], subnets)


@service.put("/routers/{router_id}/remove_router_interface")
def remove_interface(call: Call, router_id: str) -> Document:
    """`PUT /routers/{id}/remove_router_interface`: disconnect a subnet; also deletes a port that was given by id."""
    router = get_owned(call, ROUTER, router_id, "remove_router_interface")
    requested = _read(call)
    ports = interface_ports(call, router)
    if "port_id" in requested:
        id_ = requested["port_id"]
        port = next((each for each in ports if each["id"] == id_), None)
        if port is None:
            message = f"Router {router_id} does not have an interface with id {id_}"
            raise HttpError(404, message, kind="RouterInterfaceNotFound")
        if requested.get("subnet_id") not in (None, *_subnet_ids(port)):
            message = f"Subnet on port {id_} does not match the requested subnet {requested['subnet_id']}."
            raise HttpError(400, message, kind="SubnetMismatchForPort")
        subnets = [get_visible(call, SUBNET, subnet) for subnet in _subnet_ids(port)]
    else:
        subnets = [get_visible(call, SUBNET, requested["subnet_id"])]
        port = next((each for each in ports if requested["subnet_id"] in _subnet_ids(each)), None)
        if port is None:
            message = f"Router {router_id} has no interface on subnet {requested['subnet_id']}"
            raise HttpError(404, message, kind="RouterInterfaceNotFoundForSubnet")
    for subnet in subnets:
        _check_unused(call, router, subnet)
    _disconnect(call, port, subnets)
    touch(call, "router", router)
    return _interface(router, port, subnets[0], subnets)


def _read(call: Call) -> dict[str, str]:
    """Return the subnet and the port of a request."""
    body: Any = call.json()
    requested = {name: body[name] for name in ("port_id", "subnet_id") if isinstance(body, dict) and name in body}
    if not requested:
        raise bad_resource("router", "Either subnet_id or port_id must be specified")
    for value in requested.values():
        if not is_uuid(value):
            raise bad_resource("router", f"'{value}' is not a valid UUID")
    return requested


def _interface(router: Document, port: Document, subnet: Document, subnets: list[Document]) -> Document:
    return {
        "id": router["id"],
        "tenant_id": port["project_id"],
        "port_id": port["id"],
        "network_id": port["network_id"],
        "subnet_id": subnet["id"],
        "subnet_ids": [each["id"] for each in subnets],
    }


def _subnet_ids(port: Document) -> list[str]:
    return [fixed["subnet_id"] for fixed in port["fixed_ips"]]


def _add_port(call: Call, router: Document, port: Document) -> tuple[Document, list[Document]]:
    if port["device_id"]:
        message = (
            f"Unable to complete operation on port {port['id']} for network {port['network_id']}. Port already has an"
            f" attached device {port['device_id']}."
        )
        raise conflict("PortInUse", message)
    if not port["fixed_ips"]:
        raise bad_resource("router", "Router port must have at least one fixed IP")
    subnets = [get_visible(call, SUBNET, subnet) for subnet in _subnet_ids(port)]
    for subnet in subnets:
        _check_advertised(subnet)
    check_overlap(call, router, subnets)
    otc.check_interface(call, subnets)
    if sum(subnet["ip_version"] == IPV4 for subnet in subnets) > 1:
        raise bad_resource("router", "Cannot have multiple IPv4 subnets on router port")
    changes = {"device_id": router["id"], "device_owner": ROUTER_INTERFACE, "status": "ACTIVE"}
    return touch(call, "port", port | changes), subnets


def _add_subnet(call: Call, router: Document, subnet: Document) -> Document:
    if not subnet["gateway_ip"]:
        raise bad_resource("router", "Subnet for router interface must have a gateway IP")
    if subnet["project_id"] != call.project_id and not call.is_admin:
        message = (
            f"Cannot add interface to router because subnet {subnet['id']} is not owned by project making the request"
        )
        raise bad_resource("router", message)
    _check_advertised(subnet)
    check_overlap(call, router, [subnet])
    otc.check_interface(call, [subnet])
    fixed = {"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}
    if subnet["ip_version"] == IPV6:
        for port in interface_ports(call, router):
            if port["network_id"] == subnet["network_id"] and _has_ipv6(port):
                return _set_addresses(call, port, [*port["fixed_ips"], fixed])
    network = call.get("network", subnet["network_id"]) or {}
    values = PORT.defaults(extensions(call)) | {
        "project_id": router["project_id"],
        "network_id": network["id"],
        "device_id": router["id"],
        "device_owner": ROUTER_INTERFACE,
        "fixed_ips": [fixed],
    }
    return call.put("port", make_port(call, network, values) | {"status": "ACTIVE"})


def _has_ipv6(port: Document) -> bool:
    return any(ipaddress.ip_address(fixed["ip_address"]).version == IPV6 for fixed in port["fixed_ips"])


def _check_advertised(subnet: Document) -> None:
    if subnet["ip_version"] == IPV6 and subnet["ipv6_ra_mode"] is None and subnet["ipv6_address_mode"] is not None:
        message = (
            f"IPv6 subnet {subnet['id']} configured to receive RAs from an external router cannot be added to"
            " Neutron Router"
        )
        raise bad_resource("router", message)


def _check_unused(call: Call, router: Document, subnet: Document) -> None:
    """Reject with 409 the removal of an interface that a floating IP or a route needs."""
    prefix = ipaddress.ip_network(subnet["cidr"])
    for route in router["routes"]:
        if ipaddress.ip_address(route["nexthop"]) in prefix:
            raise _in_use("RouterInterfaceInUseByRoute", router, subnet, "routes")
    for floating_ip in call.find("floatingip", router_id=router["id"]):
        port = call.get("port", floating_ip["port_id"])
        if (
            port
            and subnet["id"] in _subnet_ids(port)
            and ipaddress.ip_address(floating_ip["fixed_ip_address"]) in prefix
        ):
            raise _in_use("RouterInterfaceInUseByFloatingIP", router, subnet, "floating IPs")


def _in_use(kind: str, router: Document, subnet: Document, users: str) -> HttpError:
    message = (
        f"Router interface for subnet {subnet['id']} on router {router['id']} cannot be deleted, as it is required by"
        f" one or more {users}."
    )
    return conflict(kind, message)


def _disconnect(call: Call, port: Document, subnets: list[Document]) -> None:
    """Remove the addresses of the subnets from a port, and the port if it has no other ones."""
    removed = {subnet["id"] for subnet in subnets}
    remaining = [fixed for fixed in port["fixed_ips"] if fixed["subnet_id"] not in removed]
    if remaining:
        _set_addresses(call, port, remaining)
    else:
        remove_port(call, port)


def _set_addresses(call: Call, port: Document, fixed_ips: list[dict[str, str]]) -> Document:
    addresses = addressing.allocate(call, port, fixed_ips, port["fixed_ips"])
    return touch(call, "port", port | {"fixed_ips": addresses})
