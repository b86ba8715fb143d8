"""What ports and routers need to know of the floating IPs that are associated with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .collection import touch
from .refusals import bad_resource

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

FLOATING_IP = "floatingip"
AGENT_SECONDS = 1.0
"""Seconds until the agent of a router has changed its NAT rules."""
STATUS_STEP = "neutron.floating_ip_status"


def release_port(ctx: Context, port_id: str) -> None:
    """Disassociate the floating IPs of a port that is deleted."""
    for doc in ctx.find(FLOATING_IP, port_id=port_id):
        associate(ctx, doc, None, None, None)
        touch(ctx, FLOATING_IP, doc)


def associate(ctx: Context, doc: Document, port_id: str | None, fixed_ip: str | None, router_id: str | None) -> None:
    """Set the port of a floating IP. Its status follows when the agent of the router is done."""
    doc |= {"port_id": port_id, "fixed_ip_address": fixed_ip, "router_id": router_id}
    ctx.cancel(doc["id"])
    ctx.schedule(AGENT_SECONDS, STATUS_STEP, doc["id"])


def check_floating_ips(ctx: Context, port: Document, fixed_ips: list[dict[str, str]]) -> None:
    """Reject with 400 an update that removes an address of a port that has a floating IP."""
    remaining = {fixed.get("ip_address") for fixed in fixed_ips}
    if any(doc["fixed_ip_address"] not in remaining for doc in ctx.find(FLOATING_IP, port_id=port["id"])):
        message = (
            f"Cannot update the fixed_ips of the port {port['id']}, because its original fixed_ip has been"
            " associated to a floating ip"
        )
        raise bad_resource("port", message)
