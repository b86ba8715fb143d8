"""The association of a floating IP with a port. It waits for the router that connects their networks."""

from __future__ import annotations

import http
import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic.fields import CheckInputs, Problem, is_unknown
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.router import INTERFACE_OWNERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

_NOT_CONNECTED = re.compile(r"External network (?P<network>\S+) is not reachable from subnet (?P<subnet>[^\s.]+)")
_IN_USE = "FloatingIPPortAlreadyAssociated"
_RELEASE_SECONDS = 60.0
_IPV4 = 4


def is_not_connected(error: errors.EcsError) -> bool:
    """Whether Neutron refused an association because no router connects the two networks."""
    return (
        isinstance(error, errors.ApiError)
        and error.status in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.BAD_REQUEST)
        and bool(_NOT_CONNECTED.search(error.message))
    )


def associate(context: Context, id_: str, body: Mapping[str, Any], current_port: str | None = None) -> RemoteObject:
    """Update a floating IP; wait until a router connects its network to that of the port.

    While another floating IP is associated with the port, which this run may be about to move, wait for a minute.

    Args:
        context: The operation.
        id_: The floating IP.
        body: The changes, with `port_id`.
        current_port: The port with which the floating IP is associated.
    """
    api, clock, deadline = context.cloud.network, context.cloud.connection.clock, context.cloud.deadline
    started, pause = clock.now(), 0.2
    while True:
        try:
            return network.update(api, "floatingip", id_, dict(body))
        except errors.NotFound as error:
            if not is_not_connected(error):
                raise
            subnet, external = _names(context, error)
            if deadline.left() <= pause:
                what = f"no router connects the subnet {subnet} to the external network {external}"
                raise errors.OperationFailed(what, error.message) from error
            context.report_status(f"waiting for a router between {subnet} and {external}")
        except errors.Conflict as error:
            if error.body_type != _IN_USE or clock.now() - started > min(_RELEASE_SECONDS, deadline.left()):
                raise
            if current_port and current_port != body["port_id"]:
                # Floating IPs that exchange their ports would wait for each other.
                network.update(api, "floatingip", id_, {"port_id": None})
                current_port = None
            context.report_status("waiting until the port's other floating IP is released")
        clock.sleep(pause)
        pause = min(pause * 1.5, 5.0)


def _names(context: Context, error: errors.ApiError) -> tuple[str, str]:
    """Return the names of the subnet and the external network in an error."""
    found = _NOT_CONNECTED.search(error.message)
    assert found is not None  # noqa: S101  (is_not_connected)
    resolver = catalog(context.cloud.region)
    try:
        subnet = str(resolver.neutron("subnet", found["subnet"]).get("name") or found["subnet"])
    except errors.EcsError:
        subnet = found["subnet"]
    return subnet, resolver.external_network_name(found["network"])


def check_port(context: Context, checked: CheckInputs, external_network_id: str | None) -> Iterator[Problem]:
    """Check that the port exists. Warn if no router connects it to the external network."""
    port_id = checked.known("port_id")
    resolver = catalog(context.cloud.region)
    missing = list(preflight.check_exists(checked, "port_id", lambda id_: resolver.neutron("port", id_)))
    yield from missing
    if not port_id or not external_network_id or missing or not checked.changed("port_id"):
        return
    if created_in_this_run(port_id):
        return
    try:
        port = resolver.neutron("port", port_id)
        subnet = _subnet_of(context, checked, port)
        if subnet is None or _is_connected(context, subnet["id"], external_network_id):
            return
    except (errors.ApiError, errors.NoMatch):
        # An account that may not list objects may still use them.
        return
    name = subnet.get("name") or subnet["id"]
    external = resolver.external_network_name(external_network_id)
    context.warn(
        f"port_id: no router connects the subnet {name} to the external network {external} yet; unless this program "
        "connects them, the update waits for a router until its timeout, and fails"
    )


def _subnet_of(context: Context, checked: CheckInputs, port: RemoteObject) -> RemoteObject | None:
    """Return the subnet of the port's address that a floating IP is translated to, if it is known."""
    wanted = checked.values.get("fixed_ip")
    if is_unknown(wanted):
        return None
    for fixed in port.get("fixed_ips") or ():
        subnet = catalog(context.cloud.region).neutron("subnet", fixed["subnet_id"])
        if subnet["ip_version"] == _IPV4 and wanted in (None, fixed["ip_address"]):
            return subnet
    return None


def _is_connected(context: Context, subnet_id: str, external_network_id: str) -> bool:
    """Whether a router of the cloud connects the subnet to the external network, or the program plans an interface."""
    if {None, subnet_id} & planned(context.cloud.region).connected_subnets:
        return True
    api = context.cloud.network
    subnet = catalog(context.cloud.region).neutron("subnet", subnet_id)
    routers = {
        port["device_id"]
        for port in network.list_all(api, "port", network_id=subnet["network_id"])
        if port.get("device_owner") in INTERFACE_OWNERS
        and any(each["subnet_id"] == subnet_id for each in port["fixed_ips"])
    }
    gateways = (network.get(api, "router", id_).get("external_gateway_info") or {} for id_ in routers)
    return any(gateway.get("network_id") == external_network_id for gateway in gateways)
