"""The association of a floating IP with a port. It waits for the router that connects their networks."""

from __future__ import annotations

import contextlib
import http
import ipaddress
import math
import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.dynamic import rpc_bridge, state
from ecs_pulumi.dynamic.fields import CheckInputs, Problem, is_unknown
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.notices import Notice
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.router import INTERFACE_OWNERS
from ecs_pulumi.resources.same_run import retry_while_awaited

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

_NOT_CONNECTED = re.compile(r"External network (?P<network>\S+) is not reachable from subnet (?P<subnet>[^\s.]+)")
_IN_USE = "FloatingIPPortAlreadyAssociated"
_IN_USE_ON = re.compile(r"on external network ([0-9a-f-]+)")
_EXHAUSTED = ("IpAddressGenerationFailure", "ExternalIpAddressExhausted")
"""The beginnings of the API's names for the error that a subnet has no free address."""
_TAKEN = ("IpAddressInUse", "IpAddressAlreadyAllocated")
"""The beginnings of the API's names for the error that a requested address is in use."""
ASSOCIATION = "FloatingIpAssociation"
_PATIENCE = 5.0
"""Seconds in which another resource of the program may release the port by itself."""
_IPV4 = 4
_moves: dict[str, str] = {}
"""The desired ports of the floating IPs whose port this run changes, by their ids; empty for one that it releases."""


def must_wait(error: errors.EcsError) -> bool:
    """Whether an association was refused only because another resource of the run may still have to change something.

    Either no router connects the two networks yet, or the port has another floating IP, which may be about to move.
    """
    return isinstance(error, errors.ApiError) and (_is_not_connected(error) or error.body_type == _IN_USE)


def is_exhausted(error: errors.EcsError) -> bool:
    """Whether Neutron refused an allocation because the subnet has no free address."""
    return isinstance(error, (errors.Conflict, errors.BadRequest)) and str(error.body_type).startswith(_EXHAUSTED)


def associate(context: Context, id_: str, body: Mapping[str, Any]) -> RemoteObject:
    """Update a floating IP; wait until a router connects its network to that of the port.

    While another floating IP is associated with the port, wait for a minute. Until the request succeeds, this floating
    IP keeps the port that it has.

    Args:
        context: The operation.
        id_: The floating IP.
        body: The changes, with `port_id`.
    """

    def in_use(error: errors.ApiError, waited: float) -> str | None:
        if error.body_type != _IN_USE:
            return None
        if _release_port(context, _holders(context, body, error), with_removed=waited > _PATIENCE):
            return ""
        return "waiting until the port's other floating IP is released"

    def not_connected(error: errors.ApiError, _: float) -> str | None:
        if not _is_not_connected(error):
            return None
        subnet, external = _names(context, error)
        return f"waiting for a router between {subnet} and {external}"

    def send() -> RemoteObject:
        return retry_while_awaited(context, lambda: _update(context, id_, body), in_use)

    with hints(context, body):
        try:
            return retry_while_awaited(context, send, not_connected, seconds=math.inf)
        except errors.ApiError as error:
            if not _is_not_connected(error):
                raise
            subnet, external = _names(context, error)
            what = f"no router connects the subnet {subnet} to the external network {external}"
            hint = "Connect them with a RouterInterface, or increase the timeout with custom_timeouts."
            raise errors.OperationFailed(what, f"{error.message.rstrip('.')}. {hint}") from error


def _update(context: Context, id_: str, body: Mapping[str, Any]) -> RemoteObject:
    """Send an update of a floating IP, without the address of the port if the cloud does not accept it.

    Raises:
        OperationFailed: The floating IP leads to another address of the port.
    """
    api, differences = context.cloud.network, context.cloud.region.differences
    fixed_ip = body.get("fixed_ip_address")
    if fixed_ip and differences.knows(Fact.NO_FIXED_IP_IN_UPDATE):
        body = {name: value for name, value in body.items() if name != "fixed_ip_address"}
    try:
        remote = network.update(api, "floatingip", id_, dict(body))
    except errors.BadRequest as error:
        if "fixed_ip_address" not in body or "fixed_ip_address" not in errors.unknown_attributes(error):
            raise
        differences.note(Fact.NO_FIXED_IP_IN_UPDATE)
        return _update(context, id_, body)
    if fixed_ip and fixed_ip != remote.get("fixed_ip_address"):
        raise errors.OperationFailed(
            f"fixed_ip: this cloud ignored it, and chose {remote.get('fixed_ip_address')}",
            "remove it from the program, or set this address",
        )
    return remote


@contextlib.contextmanager
def hints(context: Context, body: Mapping[str, Any]) -> Iterator[None]:
    """Add what to do to the errors of a request that allocates or associates a floating IP.

    Args:
        context: The operation.
        body: The attributes in the request.
    """
    try:
        yield
    except (errors.BadRequest, errors.Conflict) as error:
        with contextlib.suppress(errors.EcsError):
            error.hint = _hint(context, error, body) or error.hint
        raise


def _hint(context: Context, error: errors.ApiError, body: Mapping[str, Any]) -> str:
    if error.body_type == _IN_USE:
        found = [f"{each['floating_ip_address']} ({each['id']})" for each in _holders(context, body, error)]
        has = f"The port has the floating IP {errors.join_names(found)}. " if found else ""
        return f"{has}Release that floating IP, or move it to another port, with the resource that manages it."
    if is_exhausted(error):
        return "Delete floating IPs that are no longer needed, or choose another external network."
    if str(error.body_type).startswith(_TAKEN) and (address := body.get("floating_ip_address")):
        listed = network.list_all(context.cloud.network, "floatingip", floating_ip_address=address)
        own = next((f'To import the floating IP that has it, set adopt="{each["id"]}".' for each in listed), "")
        return own or "Request another address, or none."
    if body.get("port_id") and isinstance(error, errors.BadRequest):
        addresses = ipv4_addresses(network.get(context.cloud.network, "port", body["port_id"]))
        if not addresses:
            return (
                "A port that is created before its network has a subnet gets no address: let its `fixed_ips` refer to "
                "the subnet."
            )
        if len(addresses) > 1 or body.get("fixed_ip_address"):
            return f"Set `fixed_ip` to an address of the port: {errors.join_names(addresses)}."
    return ""


def ipv4_addresses(port: Mapping[str, Any]) -> list[str]:
    """Return the IPv4 addresses of a port."""
    found = (each["ip_address"] for each in port.get("fixed_ips") or ())
    return [address for address in found if ipaddress.ip_address(address).version == _IPV4]


def _is_not_connected(error: errors.ApiError) -> bool:
    """Whether Neutron refused an association because no router connects the two networks."""
    is_refused = error.status in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.BAD_REQUEST)
    return is_refused and bool(_NOT_CONNECTED.search(error.message))


def _holders(context: Context, body: Mapping[str, Any], error: errors.ApiError) -> list[RemoteObject]:
    """Return the floating IPs because of which Neutron refused a request for a port."""
    fixed, network_id = body.get("fixed_ip_address"), _IN_USE_ON.search(error.message)
    listed = network.list_all(context.cloud.network, "floatingip", port_id=body["port_id"])
    return [
        each
        for each in listed
        if fixed in (None, each.get("fixed_ip_address"))
        and (network_id is None or network_id[1] == each["floating_network_id"])
        and each["id"] != context.id
    ]


def _release_port(context: Context, holders: list[RemoteObject], *, with_removed: bool) -> bool:
    """Release a port from the floating IPs that this run takes from it as well. Return whether one was released.

    A floating IP that the run moves to another port may wait for that one in turn: floating IPs that exchange their
    ports would wait for each other. One that the program no longer declares is deleted only at the end of the run.

    Args:
        context: The operation.
        holders: The floating IPs that the port has.
        with_removed: Whether the program had the time to declare its floating IPs: the others of the state are removed.
    """
    region, urn, is_released = context.cloud.region.name, rpc_bridge.current_request().urn, False
    for holder in holders:
        is_moved = _moves.get(holder["id"], holder["port_id"]) != holder["port_id"]
        is_declared = OWNERSHIP.other_owner(ObjectKey(ASSOCIATION, region, holder["id"]), urn)
        is_removed = with_removed and not is_declared and _associated_by_stack(context, holder["id"])
        if not (is_moved or is_removed):
            continue
        try:
            release = {"port_id": None}
            revision = holder.get("revision_number")
            network.update(context.cloud.network, "floatingip", holder["id"], release, revision=revision)
        except errors.ApiError as error:
            # It has changed since it was read: its own resource may have moved it.
            if error.status not in (http.HTTPStatus.PRECONDITION_FAILED, http.HTTPStatus.NOT_FOUND):
                raise
            continue
        is_released = True
        if not is_moved:
            context.notify(
                f"released the port from {holder['floating_ip_address']}, which this program does not declare"
            )
    return is_released


def _associated_by_stack(context: Context, id_: str) -> bool:
    """Whether the state contains a resource that associates this floating IP with a port."""
    for resource in state.read(context.project, context.stack).resources:
        kind, inputs = str(resource["type"]).rpartition(":")[2], resource.get("inputs") or {}
        if resource.get("id") == id_ and (kind == ASSOCIATION or (kind == "FloatingIp" and inputs.get("port_id"))):
            return not resource.get("protect")
    return False


def _names(context: Context, error: errors.ApiError) -> tuple[str, str]:
    """Return the names of the subnet and the external network in an error."""
    found = _NOT_CONNECTED.search(error.message)
    assert found is not None  # noqa: S101  (_is_not_connected)
    resolver = catalog(context.cloud.region)
    try:
        subnet = str(resolver.neutron("subnet", found["subnet"]).get("name") or found["subnet"])
    except errors.EcsError:
        subnet = found["subnet"]
    return subnet, resolver.external_network_name(found["network"])


def report_move(context: Context, new: Mapping[str, Any], changed: list[str]) -> None:
    """Record an update of the port. Show a notice if it takes the floating IP from a port.

    Args:
        context: The operation.
        new: The desired inputs.
        changed: The inputs that differ from the prior outputs.
    """
    if "port_id" in changed:
        _moves[context.id] = "" if is_unknown(new["port_id"]) else new["port_id"]
        notify_of_move(context, context.prior.get("address"), context.prior.get("port_id"), new["port_id"])


def notify_of_move(context: Context, address: str | None, port_id: str | None, desired: Any) -> None:
    """Show a notice if a floating IP has a port, which it leaves.

    Args:
        context: The operation.
        address: The address of the floating IP.
        port_id: The port that it has.
        desired: The port that it will have; empty for none.
    """
    if port_id and port_id != desired:
        target = "a port that is not known yet" if is_unknown(desired) else f"the port {desired}"
        what = f"leads {address} to {target}" if desired else f"releases {address}"
        text = f"{what}; the port {port_id} is no longer reachable at it"
        context.notify(Notice.DISCONNECTS.with_code(text, ["port_id"]))


def check_port(context: Context, checked: CheckInputs, external_network_id: str | None) -> Iterator[Problem]:
    """Check that the port exists. Warn of what the program must still change before the association.

    The port needs an IPv4 address, and no other floating IP; a router has to connect it to the external network.
    """
    port_id = checked.known("port_id")
    resolver = catalog(context.cloud.region)
    yield from preflight.check_exists(checked, "port_id", lambda id_: resolver.neutron("port", id_))
    if not port_id or not external_network_id or created_in_this_run(port_id):
        return
    # The port may not exist, and an account that may not list objects may still use them.
    with contextlib.suppress(errors.ApiError, errors.NoMatch):
        port = resolver.neutron("port", port_id)
        fixed = _translated(checked, port)
        if isinstance(fixed, str):
            context.warn(f"{fixed}; unless this program changes the port first, the update fails")
        elif fixed:
            _check_router(context, fixed["subnet_id"], external_network_id)
            _check_unused(context, checked, port, fixed["ip_address"], external_network_id)


def _translated(checked: CheckInputs, port: RemoteObject) -> dict[str, str] | str | None:
    """Return the address of the port to which the floating IP will lead, what is wrong with it, None if not known."""
    desired = checked.values.get("fixed_ip")
    if is_unknown(desired):
        return None
    addresses = ipv4_addresses(port)
    name = port.get("name") or port["id"]
    if not addresses:
        return f"port_id: the port {name} has no IPv4 address"
    if desired and desired not in addresses:
        return f"fixed_ip: the port {name} has no address {desired}, but {errors.join_names(addresses)}"
    if not desired and len(addresses) > 1:
        return f"fixed_ip: the port {name} has several addresses: {errors.join_names(addresses)}; set one of them"
    found: dict[str, str] = next(each for each in port["fixed_ips"] if each["ip_address"] == (desired or addresses[0]))
    return found


def _check_router(context: Context, subnet_id: str, external_network_id: str) -> None:
    """Warn if no router connects the subnet to the external network."""
    resolver = catalog(context.cloud.region)
    subnet = resolver.neutron("subnet", subnet_id)
    if _is_connected(context, subnet_id, external_network_id):
        return
    external = resolver.external_network_name(external_network_id)
    context.warn(
        f"port_id: no router connects the subnet {subnet.get('name') or subnet_id} to the external network {external} "
        "yet; unless this program connects them, the update waits for a router until its timeout, and fails"
    )


def _check_unused(
    context: Context, checked: CheckInputs, port: RemoteObject, fixed_ip: str, external_network_id: str
) -> None:
    """Warn if the address of the port has a floating IP that is not of this stack."""
    own = {checked.known(name) for name in ("adopt", "floating_ip_id", "address")}
    for other in catalog(context.cloud.region).floating_ips():
        target = (other.get("port_id"), other.get("fixed_ip_address"), other["floating_network_id"])
        if target != (port["id"], fixed_ip, external_network_id):
            continue
        if {other["id"], other["floating_ip_address"]} & own:
            continue
        if not _associated_by_stack(context, other["id"]):
            context.warn(
                f"port_id: the port {port.get('name') or port['id']} has the floating IP "
                f"{other['floating_ip_address']} ({other['id']}); unless it is released first, the update fails"
            )


def _is_connected(context: Context, subnet_id: str, external_network_id: str) -> bool:
    """Whether a router of the cloud connects the subnet to the external network, or the program plans an interface."""
    if {None, subnet_id} & planned(context.cloud.region).connected_subnets:
        return True
    resolver = catalog(context.cloud.region)
    routers = {
        port["device_id"]
        for port in resolver.ports(resolver.neutron("subnet", subnet_id)["network_id"])
        if port.get("device_owner") in INTERFACE_OWNERS
        and any(each["subnet_id"] == subnet_id for each in port["fixed_ips"])
    }
    gateways = (resolver.neutron("router", id_).get("external_gateway_info") or {} for id_ in routers)
    return any(gateway.get("network_id") == external_network_id for gateway in gateways)
