"""Networks."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import otc
from .attributes import UNSET
from .collection import (
    check_quota,
    get_owned,
    get_visible,
    new_document,
    register_reads,
    render,
    touch,
)
from .floating_ips import delete_unused
from .qos import check_policy
from .refusals import conflict, invalid_attribute, invalid_input
from .resources import NETWORK
from .segments import delete_segments, make_segment
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

MTU = {"vxlan": 1450}
MAX_MTU = 1500
TYPE, PHYSICAL, SEGMENT = (
    "provider:network_type",
    "provider:physical_network",
    "provider:segmentation_id",
)
MAX_SEGMENT = 1_000_000


def view(call: Call, doc: Document) -> Document:
    """Return a network as the API shows it; only external networks have `is_default`."""
    result = render(call, NETWORK, doc) | {"subnets": sorted(doc["subnets"])}
    if not doc["router:external"]:
        result.pop("is_default", None)
    return result


@service.post("/networks")
def create_network(call: Call) -> Reply:
    """`POST /networks`."""
    values = NETWORK.read_create(call, extensions(call))
    otc.check_network(call, values)
    check_quota(call, "network", values["project_id"])
    doc = make_network(call, values)
    return Reply(201, {"network": render(call, NETWORK, doc)})


def make_network(ctx: Context, values: Document) -> Document:
    """Create a network from the values, and select those that are UNSET."""
    check_zones(ctx, values["availability_zone_hints"])
    check_policy(ctx, values)
    values |= _provider_attributes(ctx, values)
    values["mtu"] = _mtu(values[TYPE], values["mtu"])
    values |= {
        "status": "ACTIVE",
        "subnets": [],
        "availability_zones": [],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
    }
    network = ctx.put("network", new_document(ctx, values))
    make_segment(ctx, network)
    return network


register_reads(NETWORK, view)


@service.put("/networks/{network_id}")
def update_network(call: Call, network_id: str) -> Document:
    """`PUT /networks/{id}`."""
    values = NETWORK.read_update(call, extensions(call))
    otc.check_network(call, values)
    get_visible(call, NETWORK, network_id)
    NETWORK.check_admin_only(call, values, extensions(call))
    doc = get_owned(call, NETWORK, network_id, "update")
    if any(name in values for name in (TYPE, PHYSICAL, SEGMENT)):
        raise invalid_input("Plugin does not support updating provider attributes")
    check_policy(call, values)
    gateways: dict[str, str] = {"network_id": network_id, "device_owner": "network:router_gateway"}
    if values.get("router:external") is False and call.count("port", **gateways):
        message = (
            f"External network {network_id} cannot be updated to be made non-external,"
            " since it has existing gateway ports."
        )
        raise conflict("ExternalNetworkInUse", message)
    if "mtu" in values:
        values["mtu"] = _mtu(doc[TYPE], values["mtu"])
    if any(doc[name] != value for name, value in values.items()):
        doc = touch(call, "network", doc | values)
        for subnet in call.find("subnet", network_id=network_id):
            call.put("subnet", subnet | {"_shared": doc["shared"]})
    return {"network": view(call, doc)}


@service.delete("/networks/{network_id}")
def delete_network(call: Call, network_id: str) -> None:
    """`DELETE /networks/{id}`: deletes its subnets and unused floating IPs as well; 409 if it has ports."""
    get_owned(call, NETWORK, network_id, "delete")
    delete_unused(call, network_id)
    ports = sorted(port["id"] for port in call.find("port", network_id=network_id))
    if ports:
        message = (
            f"Unable to complete operation on network {network_id}. There are one or more ports"
            f" still in use on the network, id for these ports is: {','.join(ports)}."
        )
        raise conflict("NetworkInUse", message)
    for subnet in call.find("subnet", network_id=network_id):
        call.remove("subnet", subnet["id"])
    delete_segments(call, network_id)
    call.remove("network", network_id)


def check_zones(ctx: Context, hints: list[Any]) -> None:
    """Reject with 404 a zone that does not exist."""
    # In the real service, the zones are those of the network agents; a cloud without agents has none.
    known = ctx.zones() if ctx.is_otc else ()
    for zone in hints:
        if zone not in known:
            message = f"AvailabilityZone {zone} could not be found."
            raise HttpError(404, message, kind="AvailabilityZoneNotFound")


def _mtu(network_type: str, requested: int) -> int:
    maximum = MTU.get(network_type, MAX_MTU)
    if requested < 0:
        raise invalid_attribute("mtu", f"'{requested}' should be non-negative")
    if requested > maximum:
        raise invalid_input(f"Requested MTU is too big, maximum is {maximum}")
    return requested or maximum


def _provider_attributes(ctx: Context, values: Document) -> Document:
    """Return the provider attributes: the requested ones if they are consistent, by default an unused tunnel."""
    kind, physical, segment = (None if values[name] is UNSET else values[name] for name in (TYPE, PHYSICAL, SEGMENT))
    if kind is None:
        if physical is not None or segment is not None:
            raise invalid_input("network_type required")
        kind = "vxlan"
    if kind not in ("vxlan", "flat", "local", "vlan"):
        raise invalid_input(f"network_type value '{kind}' not supported")
    if kind == "vlan":
        raise invalid_input(f"physical_network '{physical}' unknown for VLAN provider network")
    if kind == "flat":
        _check_flat(ctx, physical)
    elif physical is not None:
        raise invalid_input(f"provider:physical_network specified for {kind} network")
    if kind == "vxlan":
        segment = _tunnel_id(ctx, segment)
    elif segment is not None:
        raise invalid_input(f"provider:segmentation_id specified for {kind} network")
    return {TYPE: kind, PHYSICAL: physical, SEGMENT: segment}


def _check_flat(ctx: Context, physical: str | None) -> None:
    if physical is None:
        raise invalid_input("physical_network required for flat provider network")
    if ctx.count("network", **{TYPE: "flat", PHYSICAL: physical}):
        message = f"Unable to create the flat network. Physical network {physical} is in use."
        raise conflict("FlatNetworkInUse", message)


def _tunnel_id(ctx: Context, requested: int | None) -> int:
    def used(segment: int) -> bool:
        return ctx.count("network", **{TYPE: "vxlan", SEGMENT: segment}) > 0

    if requested is not None:
        if used(requested):
            message = f"Unable to create the network. The tunnel ID {requested} is in use."
            raise conflict("TunnelIdInUse", message)
        return requested
    segment = random.randint(1, MAX_SEGMENT)  # noqa: S311  # a tunnel id is not a secret
    while used(segment):
        segment = random.randint(1, MAX_SEGMENT)  # noqa: S311
    return segment
