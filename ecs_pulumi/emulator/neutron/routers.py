"""Routers with their external gateways and static routes."""

from __future__ import annotations

import ipaddress
from itertools import product
from typing import TYPE_CHECKING

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import addressing, otc
from .addressing import ROUTER_INTERFACE
from .attributes import UNSET
from .collection import (
    check_quota,
    check_revision,
    get_owned,
    get_visible,
    new_document,
    register_reads,
    render,
    touch,
)
from .networks import check_zones
from .ports import make_port, remove_port
from .refusals import bad_resource, conflict
from .resources import GATEWAY_KEYS, NETWORK, PORT, ROUTER
from .service import extensions, service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

GATEWAY = "network:router_gateway"
MAX_ROUTES = 30
"""The maximum number of routes of a router."""


def view(call: Call, doc: Document) -> Document:
    """Return a router as the API shows it."""
    return render(call, ROUTER, doc)


def gateway_port(ctx: Context, router: Document) -> Document | None:
    """Return the port of the router on its external network."""
    return next(iter(ctx.find("port", device_id=router["id"], device_owner=GATEWAY)), None)


def interface_ports(ctx: Context, router: Document) -> list[Document]:
    """Return the ports of the router on its internal networks."""
    return ctx.find("port", device_id=router["id"], device_owner=ROUTER_INTERFACE)


@service.post("/routers")
def create_router(call: Call) -> Reply:
    """`POST /routers`."""
    values = ROUTER.read_create(call, extensions(call))
    otc.check_router(call, values)
    otc.check_up(call, values)
    gateway = values.pop("external_gateway_info") or otc.default_gateway(call)
    otc.check_gateway(call, gateway, has_interface=False)
    _check_gateway_policy(call, "create", gateway)
    check_quota(call, "router", values["project_id"])
    check_zones(call, values["availability_zone_hints"])
    if values.get("flavor_id"):
        raise HttpError(404, f"Flavor {values['flavor_id']} could not be found.", kind="FlavorNotFound")
    values |= {name: False for name in ("distributed", "ha") if values.get(name) is UNSET}
    values |= {"status": "ACTIVE", "routes": [], "availability_zones": [], "external_gateway_info": None}
    doc = call.put("router", new_document(call, values))
    if gateway:
        _set_gateway(call, doc, gateway)
        touch(call, "router", doc)
    return Reply(201, {"router": view(call, doc)})


register_reads(ROUTER)


@service.put("/routers/{router_id}")
def update_router(call: Call, router_id: str) -> Document:
    """`PUT /routers/{id}`: also sets the gateway and replaces the routes."""
    values = ROUTER.read_update(call, extensions(call))
    get_visible(call, ROUTER, router_id)
    ROUTER.check_admin_only(call, values, extensions(call))
    prior = get_owned(call, ROUTER, router_id, "update")
    otc.check_router(call, values)
    if "external_gateway_info" in values:
        values["external_gateway_info"] = values["external_gateway_info"] or otc.default_gateway(call)
        has_interface = bool(interface_ports(call, prior))
        otc.check_gateway(call, values["external_gateway_info"], has_interface=has_interface)
    _check_gateway_policy(call, "update", values.get("external_gateway_info"))
    check_revision(call, prior)
    doc = dict(prior)
    if "routes" in values:
        check_routes(call, doc, values["routes"])
    if "external_gateway_info" in values:
        _set_gateway(call, doc, values.pop("external_gateway_info"))
        check_routes(call, doc, values.get("routes", doc["routes"]))
    doc |= values
    if doc != prior:
        touch(call, "router", doc)
    return {"router": view(call, doc)}


@service.delete("/routers/{router_id}")
def delete_router(call: Call, router_id: str) -> None:
    """`DELETE /routers/{id}`: 409 if a subnet is connected to the router."""
    doc = get_owned(call, ROUTER, router_id, "delete")
    check_revision(call, doc)
    attached = [port["id"] for port in interface_ports(call, doc)]
    if attached:
        raise conflict("RouterInUse", f"Router {router_id} has ports still attached: {', '.join(attached)}")
    _remove_gateway(call, doc)
    call.remove("router", router_id)


def check_routes(call: Call, router: Document, values: list[dict[str, str]]) -> None:
    """Reject with 400 routes whose next hop is not in a connected subnet, or is an address of the router."""
    own = [fixed for port in call.find("port", device_id=router["id"]) for fixed in port["fixed_ips"]]
    subnets = [subnet for fixed in own if (subnet := call.get("subnet", fixed["subnet_id"]))]
    for route in values:
        nexthop = ipaddress.ip_address(route["nexthop"])
        if not any(nexthop in ipaddress.ip_network(subnet["cidr"]) for subnet in subnets):
            raise _invalid(values, "the nexthop is not connected with router")
        if route["nexthop"] in {fixed["ip_address"] for fixed in own}:
            raise _invalid(values, "the nexthop is used by router")
    if len(values) > MAX_ROUTES:
        message = (
            f"Unable to complete operation for {router['id']}. The number of routes exceeds the maximum {MAX_ROUTES}."
        )
        raise HttpError(400, message, kind="RoutesExhausted")


def _invalid(values: list[dict[str, str]], reason: str) -> HttpError:
    return HttpError(400, f"Invalid format for routes: {values}, {reason}", kind="InvalidRoutes")


def check_overlap(call: Call, router: Document, subnets: Iterable[Document]) -> None:
    """Reject with 400 subnets that are connected to the router already, or overlap with one that is."""
    subnets = list(subnets)
    connected: list[str] = []
    for port in call.find("port", device_id=router["id"]):
        own = [fixed["subnet_id"] for fixed in port["fixed_ips"]]
        for subnet in subnets:
            if subnet["id"] in own:
                raise bad_resource("router", f"Router already has a port on subnet {subnet['id']}")
        external = call.find("subnet", network_id=port["network_id"]) if port["device_owner"] == GATEWAY else []
        connected += [each["id"] for each in external] or own
    for id_, subnet in product(dict.fromkeys(connected), subnets):
        other = call.get("subnet", id_) or {}
        if ipaddress.ip_network(other["cidr"]).overlaps(ipaddress.ip_network(subnet["cidr"])):
            message = (
                f"Cidr {subnet['cidr']} of subnet {subnet['id']} overlaps with cidr {other['cidr']} of subnet {id_}"
            )
            raise bad_resource("router", message)


def _default_snat(ctx: Context) -> bool:
    # Open Telekom Cloud translates addresses only if the program asks for it.
    return not ctx.is_otc


def _check_gateway_policy(call: Call, verb: str, gateway: Document | None) -> None:
    """Reject with 403 the properties of a gateway that only administrators may set."""
    restricted = {"external_fixed_ips"} | (set() if call.is_otc else {"enable_snat"})
    if call.is_admin or not gateway or not restricted & gateway.keys():
        return
    action = f"rule:{verb}_router"
    keys = " and ".join(f"{action}:external_gateway_info:{key}" for key in GATEWAY_KEYS if key in gateway)
    message = f"({action} and ({action}:external_gateway_info and ({keys}))) is disallowed by policy"
    raise HttpError(403, message, kind="PolicyNotAuthorized")


def _set_gateway(call: Call, doc: Document, gateway: Document | None) -> None:
    """Set or remove the gateway of a router, whose port exists as long as the external network is the same."""
    if gateway is None:
        _remove_gateway(call, doc)
        return
    network = get_visible(call, NETWORK, gateway["network_id"])
    requested = gateway.get("external_fixed_ips") or []
    _check_external(call, network, requested)
    port = gateway_port(call, doc)
    if port and port["network_id"] == network["id"]:
        if requested and requested != port["fixed_ips"]:
            port["fixed_ips"] = addressing.allocate(call, port, requested, port["fixed_ips"])
    else:
        _remove_gateway(call, doc)
        check_overlap(call, doc, call.find("subnet", network_id=network["id"]))
        port = _make_gateway_port(call, doc, network, requested)
    call.put("port", port)
    doc["external_gateway_info"] = {
        "network_id": network["id"],
        "external_fixed_ips": port["fixed_ips"],
        "enable_snat": gateway.get("enable_snat", _default_snat(call)),
    }


def _make_gateway_port(call: Call, doc: Document, network: Document, requested: list[dict[str, str]]) -> Document:
    """Create the port of a router on an external network; it belongs to no project."""
    values = PORT.defaults(extensions(call)) | {
        "project_id": "",
        "network_id": network["id"],
        "device_id": doc["id"],
        "device_owner": GATEWAY,
    }
    if requested:
        values["fixed_ips"] = requested
    return make_port(call, network, values) | {"status": "ACTIVE"}


def _check_external(call: Call, network: Document, requested: list[Document]) -> None:
    if not network["router:external"]:
        raise bad_resource("router", f"Network {network['id']} is not an external network")
    gateways = {subnet["gateway_ip"] for subnet in call.find("subnet", network_id=network["id"])}
    for fixed in requested:
        if fixed.get("ip_address") in gateways - {None}:
            raise bad_resource("router", f"External IP {fixed['ip_address']} is the same as the gateway IP")


def _remove_gateway(call: Call, doc: Document) -> None:
    """Delete the port on the external network; 409 if a floating IP needs it."""
    port = gateway_port(call, doc)
    if port is None:
        return
    doc["external_gateway_info"] = None
    if call.count("floatingip", router_id=doc["id"]):
        message = (
            f"Gateway cannot be updated for router {doc['id']}, since a gateway to external network"
            f" {port['network_id']} is required by one or more floating IPs."
        )
        raise conflict("RouterExternalGatewayInUseByFloatingIp", message)
    remove_port(call, port)
