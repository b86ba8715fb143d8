"""Neutron: networks, subnets, ports, routers, floating IPs, security groups, and the functions that Nova calls.

The rules are those observed in the real service: the attributes that a request may contain and the error messages
(`attributes`, `resources`), the allocation of addresses (`addresses` without state, `addressing` with it), and the
objects that prevent a deletion. `servers` contains the functions for Nova.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from . import (  # noqa: F401
    address_groups,
    floating_ips,
    networks,
    otc,
    ports,
    qos,
    quotas,
    router_interfaces,
    router_routes,
    routers,
    security_groups,
    segments,
    subnet_pools,
    subnets,
    tags,
)
from .resources import NETWORK, SUBNET
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context

__all__ = ["seed", "service"]


def seed(ctx: Context) -> None:
    """Create an external network, and the project's default security group and network, each network with a subnet."""
    security_groups.default_group(ctx, ctx.project_id)
    outside = otc.external_network_name(ctx)
    for name, cidr, external in ((outside, "203.0.113.0/24", True), ("demo-net", "10.10.0.0/24", False)):
        owner = "" if external else ctx.project_id
        network = networks.make_network(
            ctx,
            NETWORK.defaults(extensions(ctx))
            | {"name": name, "project_id": owner, "router:external": external}
            | ({"provider:network_type": "flat", "provider:physical_network": "public"} if external else {}),
        )
        subnets.make_subnet(
            ctx,
            network,
            ipaddress.ip_network(cidr),
            SUBNET.defaults(extensions(ctx))
            | {
                "name": "public-subnet" if external else "demo-subnet",
                "project_id": owner,
                "network_id": network["id"],
                "ip_version": 4,
                "enable_dhcp": not external,
            },
        )
