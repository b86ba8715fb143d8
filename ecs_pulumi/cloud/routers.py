"""Functions for the requests of routers that are not those of every Neutron object: interfaces and routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.cloud.api import ServiceClient

Document = dict[str, Any]
Route = dict[str, str]
"""`{"destination": …, "nexthop": …}`."""


def add_interface(api: ServiceClient, router_id: str, interface: Mapping[str, str]) -> str:
    """Connect a subnet to a router and return the id of the port (API reference, "Add interface to router").

    The request is not repeated automatically.

    Args:
        api: network.
        router_id: the router.
        interface: `subnet_id` or `port_id`.
    """
    path = f"/routers/{router_id}/add_router_interface"
    return str(api.put(path, json=dict(interface), key="port_id", idempotent=False))


def remove_interface(api: ServiceClient, router_id: str, interface: Mapping[str, str]) -> None:
    """Remove an interface, and delete its port unless it connects other subnets ("Remove interface from router").

    Args:
        api: network.
        router_id: the router.
        interface: `subnet_id`, or `port_id` for all subnets of a port.
    """
    api.put(f"/routers/{router_id}/remove_router_interface", json=dict(interface))


def change_routes(
    api: ServiceClient, router_id: str, verb: Literal["add", "remove"], routes: Sequence[Route]
) -> Document:
    """Add routes to a router or remove them from it, atomically (API reference, "Add extra routes to router")."""
    body = {"router": {"routes": list(routes)}}
    return dict(api.put(f"/routers/{router_id}/{verb}_extraroutes", json=body, key="router"))


def replace_routes(api: ServiceClient, router: Document, routes: Sequence[Route]) -> Document:
    """Replace the routes of a router (API reference, "Update router").

    The API answers 412 if the router has changed since it was read, and the cloud checks that.
    """
    revision = router.get("revision_number")
    headers = {} if revision is None else {"If-Match": f"revision_number={revision}"}
    body = {"router": {"routes": list(routes)}}
    return dict(api.put(f"/routers/{router['id']}", json=body, key="router", headers=headers))
