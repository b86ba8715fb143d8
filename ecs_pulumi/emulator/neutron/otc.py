"""What the Open Telekom Cloud documents about networks, subnets, ports, routers, floating IPs and lists.

In the dialect `openstack`, every function accepts what upstream accepts. `documented` has the attributes.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError

from .addresses import IPV4, Prefix, contains_prefix
from .attributes import UNSET
from .refusals import bad_request, bad_resource, conflict, forbidden, invalid_attribute, invalid_input

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

EXTERNAL_NETWORK = "admin_external_net"
"""The name of the only external network, which users can give to no other network."""
PRIVATE = tuple(ipaddress.ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
SMALLEST = 28
"""The longest prefix of an IPv4 subnet."""
STATEFUL = "dhcpv6-stateful"
RESERVED = 3
"""How many addresses at the end of an IPv4 subnet belong to the cloud, the broadcast address included."""
IPV6_BLOCK = ipaddress.IPv6Network("2001:db8:4000::/36")
"""The block from which the cloud allocates the ranges of IPv6 subnets."""
ROUTER_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
PORT_OWNERS = ("", "neutron:VIP_PORT")
"""The values of `device_owner` that a request may set."""
ANY_ADDRESS = ("0.0.0.0/0", "::/0")
PAGING = ("fields", "limit", "marker", "page_reverse")
"""The parameters of a list that are no filters."""
PAGE = 2000
"""The number of objects on a page of a list, by default and at most."""


def external_network_name(ctx: Context) -> str:
    """Return the name of the external network."""
    return EXTERNAL_NETWORK if ctx.is_otc else "public"


def may_use_networks(call: Call) -> bool:
    """Whether the account has rights in this service. Without them, every list is empty."""
    return call.is_admin or call.rules.network_rights == "all"


def check_rights(call: Call) -> None:
    """Reject with 403 a request that is no list, if the account has no rights in this service."""
    is_list = call.method == "GET" and call.path.strip("/").count("/") == 1
    if not is_list and not may_use_networks(call):
        raise forbidden(call.method.lower())


def check_up(ctx: Context, values: Document, name: str = "admin_state_up") -> None:
    """Reject with 400 what can only be true."""
    if ctx.is_otc and values.get(name) is False:
        raise invalid_attribute(name, "'False' is not in ['True']")


def check_network(call: Call, values: Document) -> None:
    """Reject with 400 a network that is down, or has the name of the external network."""
    check_up(call, values)
    if call.is_otc and not call.is_admin and values.get("name") == EXTERNAL_NETWORK:
        raise invalid_attribute("name", f"'{EXTERNAL_NETWORK}' is reserved")


def check_subnet(ctx: Context, network: Document, values: Document) -> None:
    """Reject with 400 a subnet that the network cannot have; ignore what has no effect."""
    if not ctx.is_otc or network["router:external"]:
        return
    version = int(values["ip_version"])
    versions = [each["ip_version"] for each in ctx.find("subnet", network_id=network["id"])]
    if version in versions:
        raise bad_resource("subnets", f"Network {network['id']} has a subnet already")
    if version != IPV4 and IPV4 not in versions:
        raise bad_resource("subnets", f"Network {network['id']} has no IPv4 subnet")
    check_up(ctx, values, "enable_dhcp")
    values["host_routes"] = []
    if values["gateway_ip"] is None and (rule := ctx.rules.unknown_attributes) != "keep":
        if rule == "refuse":
            raise invalid_attribute("gateway_ip", "'None' is not a valid IP address")
        values["gateway_ip"] = UNSET
    if version != IPV4:
        for mode in ("ipv6_ra_mode", "ipv6_address_mode"):
            if values[mode] not in (UNSET, STATEFUL):
                raise invalid_attribute(mode, f"{values[mode]} is not in ['{STATEFUL}']")
            values[mode] = STATEFUL


def check_prefix(ctx: Context, network: Document, prefix: Prefix) -> None:
    """Reject with 400 a range that users cannot have."""
    if not ctx.is_otc or network["router:external"]:
        return
    if prefix.version != IPV4:
        raise bad_resource("subnets", "cidr must not be supplied for IPv6")
    if not any(contains_prefix(block, prefix) for block in PRIVATE) or prefix.prefixlen > SMALLEST:
        raise invalid_input(f"'{prefix}' is not within 10.0.0.0/8-28, 172.16.0.0/12-28 or 192.168.0.0/16-28")


def ipv6_prefix(ctx: Context, values: Document) -> Prefix | None:
    """Return a free range for an IPv6 subnet without a pool; None if the cloud or the subnet is of another kind."""
    if not ctx.is_otc or int(values["ip_version"]) == IPV4 or values["subnetpool_id"] not in (UNSET, None):
        return None
    used = {subnet["cidr"] for subnet in ctx.find("subnet", ip_version=6)}
    return next(each for each in IPV6_BLOCK.subnets(new_prefix=64) if str(each) not in used)


def usable_pools(ctx: Context, prefix: Prefix, pools: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return default pools without the addresses that belong to the cloud."""
    if not ctx.is_otc or prefix.version != IPV4:
        return pools
    last = ipaddress.IPv4Address(int(prefix.broadcast_address) - RESERVED)
    clipped = [(pool["start"], min(last, ipaddress.IPv4Address(pool["end"]))) for pool in pools]
    return [{"start": start, "end": str(end)} for start, end in clipped if ipaddress.IPv4Address(start) <= end]


def check_address(ctx: Context, subnet: Document, address: str) -> None:
    """Reject with 400 an address that belongs to the cloud, unless it is the gateway's or in a requested pool."""
    prefix, number = ipaddress.ip_network(subnet["cidr"]), int(ipaddress.ip_address(address))
    if not ctx.is_otc or prefix.version != IPV4 or address == subnet["gateway_ip"]:
        return
    in_pool = any(
        int(ipaddress.ip_address(pool["start"])) <= number <= int(ipaddress.ip_address(pool["end"]))
        for pool in subnet["allocation_pools"]
    )
    if number > int(prefix.broadcast_address) - RESERVED and not in_pool:
        message = f"IP address {address} is not a valid IP for the specified subnet."
        raise HttpError(400, message, kind="InvalidIpForSubnet")


def check_port(call: Call, values: Document) -> None:
    """Reject with 400 what the cloud documents for no port, in a create and in an update.

    Args:
        call: The request.
        values: The attributes of the request; those that it does not contain may be UNSET.
    """
    if not _is_user_of_otc(call):
        return
    if len(_given(values, "fixed_ips")) > 1:
        raise bad_request("One port can only set one ipaddress.")
    is_secured = values.get("port_security_enabled") is not False
    if is_secured and "security_groups" in values and values["security_groups"] == []:
        raise bad_request("Port cannot be updated without securitygroup.")
    for pair in _given(values, "allowed_address_pairs"):
        if pair["ip_address"] in ANY_ADDRESS:
            raise invalid_attribute("allowed_address_pairs", f"'{pair['ip_address']}' is not allowed")
    if values.get("device_owner", "") not in (*PORT_OWNERS, UNSET):
        raise invalid_attribute("device_owner", f"'{values['device_owner']}' is not in {list(PORT_OWNERS)}")


def check_port_unused(call: Call, port: Document) -> None:
    """Reject with 409 the deletion of a port that a device uses."""
    if _is_user_of_otc(call) and port["device_id"]:
        message = f"Port {port['id']} cannot be deleted directly via the port API: has device id {port['device_id']}."
        raise conflict("PortInUse", message)


def _is_user_of_otc(call: Call) -> bool:
    return call.is_otc and not call.is_admin


def _given(values: Document, name: str) -> list[Document]:
    value = values.get(name)
    return value if isinstance(value, list) else []


def check_router(ctx: Context, values: Document) -> None:
    """Reject with 400 a name that a router cannot have."""
    if ctx.is_otc and values.get("name") and not ROUTER_NAME.fullmatch(values["name"]):
        raise invalid_attribute("name", f"'{values['name']}' does not match {ROUTER_NAME.pattern}")


def check_gateway(ctx: Context, gateway: Document | None, *, has_interface: bool) -> None:
    """Reject with 400 translation for a router without interfaces; refuse or drop addresses of the gateway."""
    if not ctx.is_otc or not gateway:
        return
    if "external_fixed_ips" in gateway:
        if ctx.rules.unknown_attributes != "drop":
            raise invalid_attribute("external_gateway_info", "Unexpected keys supplied: external_fixed_ips")
        del gateway["external_fixed_ips"]
    if gateway.get("enable_snat") and not has_interface:
        raise bad_resource("router", "enable_snat requires a router interface")


def default_gateway(ctx: Context) -> Document | None:
    """Return the gateway of a router that requests none: every router leads to the external network."""
    if not ctx.is_otc:
        return None
    return {"network_id": ctx.find("network", name=EXTERNAL_NETWORK, **{"router:external": True})[0]["id"]}


def check_interface(ctx: Context, subnets: list[Document]) -> None:
    """Reject a subnet without a gateway, or one that another router is connected to."""
    for subnet in subnets if ctx.is_otc else ():
        if not subnet["gateway_ip"]:
            raise bad_resource("router", "Subnet for router interface must have a gateway IP")
        for port in ctx.find("port", network_id=subnet["network_id"], device_owner="network:router_interface"):
            if any(fixed["subnet_id"] == subnet["id"] for fixed in port["fixed_ips"]):
                message = f"Subnet {subnet['id']} is connected to router {port['device_id']} already."
                raise conflict("RouterInterfaceExists", message)


def check_floating_ip(ctx: Context, doc: Document, port_id: str) -> None:
    """Reject with 409 a second floating IP of a port."""
    others = ctx.find("floatingip", port_id=port_id) if ctx.is_otc else []
    if any(each["id"] != doc["id"] for each in others):
        message = (
            f"Cannot associate floating IP {doc['floating_ip_address']} ({doc['id']}) with port {port_id}, as that"
            " port already has a floating IP."
        )
        raise conflict("FloatingIPPortAlreadyAssociated", message)


def query_of(call: Call, name: str) -> dict[str, list[str]]:
    """Return the filters of a list: the one for external networks excludes all others, and only the last id counts.

    The documents do not describe a repeated `id`.
    """
    is_external = "true" in [each.lower() for each in call.query.get("router:external", ())]
    if name == "network" and is_external and call.is_otc:
        return {key: values for key, values in call.query.items() if key in ("router:external", *PAGING)}
    if call.is_otc and "id" in call.query:
        return call.query | {"id": call.query["id"][-1:]}
    return call.query


def page_size(call: Call, limit: int) -> int:
    """Return how many objects a page has; 0 is no limit. Rejects with 400 a limit that is too large."""
    if not call.is_otc:
        return limit
    if limit > PAGE:
        message = f"Bad limit request: Limit must be an integer from 0 to {PAGE} and not '{limit}'."
        raise HttpError(400, message, kind="BadRequest")
    return limit or PAGE


def links(call: Call, address: str, first_id: str) -> list[dict[str, str]]:
    """Return the links that every page has, the only one included."""
    if not call.is_otc:
        return []
    limit = call.param("limit", str(PAGE))
    return [{"rel": "previous", "href": f"{address}?limit={limit}&marker={first_id}&page_reverse=True"}]


def time(call: Call, text: Any) -> Any:
    """Return a time as the cloud writes it: without the sign of the time zone."""
    return text.removesuffix("Z") if call.is_otc and isinstance(text, str) else text
