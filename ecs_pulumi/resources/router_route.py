"""RouterRoute: a static route of a router (Neutron API reference, "Routers")."""

import contextlib
import http
import ipaddress
import threading
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ecs_pulumi.cloud import errors, network, routers
from ecs_pulumi.cloud.connection import Region
from ecs_pulumi.cloud.polling import wait_for
from ecs_pulumi.dynamic.existing import Candidate
from ecs_pulumi.dynamic.fields import CheckInputs, Inputs, Outputs, Problem, References, Replace, format_value
from ecs_pulumi.dynamic.handler import ImportedResource, Provenance
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.addresses import IpAddress, ip_range
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.handler import EcsHandler
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.per_region import PerRegion
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.remote import RemoteObject

_NOT_OFFERED = (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.METHOD_NOT_ALLOWED)
_EXISTING = "such a route"
_CHANGES_ELSEWHERE = 20
"""How often other programs may change a router between the requests that read and change its routes."""


class RouterRouteInputs(Inputs):
    """A static route of a router. Its id is `<router>/<destination>/<nexthop>`.

    Source: Neutron API reference, "Add extra routes to router".
    """

    router_id: Annotated[str, Replace(), References("Router")] = Field(description="Id of the router.")
    destination: Annotated[IpAddress, Replace()] = Field(
        description="Range of addresses, for example `192.168.10.0/24`."
    )
    nexthop: Annotated[IpAddress, Replace()] = Field(
        description="Address to which packets for the range are sent, in a subnet that is connected to the router."
    )


class RouterRouteOutputs(Outputs):
    """A route has no outputs that are not inputs."""


class _Routers:
    """What this process knows about the routers of one region.

    Attributes:
        is_atomic: Whether the cloud adds and removes single routes, as far as is known.
    """

    def __init__(self, _region: Region) -> None:
        self.is_atomic = True
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self.changed: dict[str, RemoteObject] = {}
        """The routers as the last change of their routes left them."""

    def lock(self, router_id: str) -> threading.Lock:
        """Return the lock of a router, for changes that the cloud does not make safely at the same time."""
        with self._lock:
            return self._locks.setdefault(router_id, threading.Lock())


_routers = PerRegion(_Routers)
_PAUSE = 1.0


class RouterRouteHandler(EcsHandler[RouterRouteInputs]):
    """Routes, read from their routers: one list of routers serves all of them."""

    name = "RouterRoute"
    id_format = "`<router id>/<destination>/<nexthop>`"
    id_example = "9f4d…/10.8.0.0/16/10.0.0.5"
    title = "Static routes of routers"
    dependencies = ("RouterInterface",)
    inputs = RouterRouteInputs
    outputs = RouterRouteOutputs

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Check the range, the address, and that both have the same IP version."""
        destination, nexthop = checked.known("destination"), checked.known("nexthop")
        destination_range = address = None
        if destination is not None:
            try:
                destination_range = ipaddress.ip_network(destination, strict=False)
            except ValueError:
                reason = f'not a range of addresses such as "192.168.10.0/24", got {format_value(destination)}'
                yield Problem("destination", reason)
            else:
                if str(destination_range) != destination:
                    what = "has host bits set" if "/" in destination else "has no prefix length"
                    reason = f'{what}, got {format_value(destination)}; did you mean "{destination_range}"?'
                    yield Problem("destination", reason)
        if nexthop is not None:
            try:
                address = ipaddress.ip_address(nexthop)
            except ValueError:
                yield Problem("nexthop", f"not an address, got {format_value(nexthop)}")
        if destination_range and address and destination_range.version != address.version:
            yield Problem("nexthop", f"not of the IP version of the destination, got {format_value(nexthop)}")

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that the router exists and has neither the address nor the route. Warn if it reaches no next hop."""
        yield from super().preflight(context, checked)
        resolver = catalog(context.cloud.region)
        missing = list(preflight.check_exists(checked, "router_id", lambda id_: resolver.neutron("router", id_)))
        yield from missing
        router_id = checked.known("router_id")
        if not router_id or missing or created_in_this_run(router_id):
            return
        with contextlib.suppress(errors.ApiError, errors.NoMatch):
            if checked.changed("router_id", "nexthop"):
                yield from _check_nexthop(context, router_id, checked.known("nexthop"))
            remote = {name: checked.known(name) for name in ("router_id", "destination", "nexthop")}
            if checked.changed(*remote) and _if_present(resolver.neutron("router", router_id), remote):
                yield from check_foreign(context, "destination", self.id_of(remote), _EXISTING)

    def id_of(self, remote: RemoteObject) -> str:
        """The router, the destination and the next hop."""
        return f"{remote['router_id']}/{remote['destination']}/{remote['nexthop']}"

    def list_all(self, context: Context) -> Iterator[RemoteObject]:
        """Yield the routes of the routers of the project."""
        region = context.cloud.region
        for router in network.list_all(region.network, "router", tenant_id=region.project_id):
            for route in router.get("routes") or ():
                yield {"router_id": router["id"], **route}

    def result_evidence(self, inputs: Mapping[str, Any], remote: RemoteObject) -> str:
        """Compare all inputs: a router has only one such route."""
        return "router, destination and next hop" if all(inputs.get(name) == remote[name] for name in remote) else ""

    def candidates(self, existing: Existing) -> Iterator[Candidate]:
        """Yield the routes of each router."""
        for router in existing.candidates_of("Router"):
            for route in router.remote.get("routes") or ():
                remote = {"router_id": router.id, **route}
                label = f"{router.label}-{route['destination']}"
                yield Candidate(self.name, self.id_of(remote), label, remote, attached_to=router.key)

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the interfaces of the router, without which the next hop is not connected."""
        resource = super().import_resource(existing, remote, outputs)
        interfaces = existing.candidates_of("RouterInterface")
        resource.depends_on = [each.key for each in interfaces if each.id.startswith(f"{remote['router_id']}/")]
        return resource

    def create(self, context: Context, desired: RouterRouteInputs) -> RemoteObject:
        """Add the route. Wait until the router has an interface in the network of the next hop.

        A route that exists already is used only if this stack added it. The API adds it again without an error.
        """
        remote = {"router_id": desired.router_id, "destination": desired.destination, "nexthop": desired.nexthop}
        id_ = self.id_of(remote)
        if not created_in_this_run(desired.router_id) and not self.is_gone(context, id_, desired.router_id):
            check_own(context, id_, _EXISTING)

        def is_added() -> bool:
            try:
                change_route(context, remote, "add")
            except errors.BadRequest as error:
                if error.body_type != "InvalidRoutes" or "not connected" not in error.message:
                    raise
                return False
            return True

        what = f"an interface of the router {desired.router_id} in the network of {desired.nexthop}"
        context.record_id(id_)
        try:
            wait_for(
                is_added,
                done=bool,
                deadline=context.cloud.deadline,
                what=what,
                describe=lambda _: f"waiting for {what}",
                progress=context.report_status,
            )
        except errors.EcsError:
            # Without a response, only the router shows whether it has the route.
            with contextlib.suppress(errors.EcsError):
                if context.cloud.writes.read_until(lambda: self.read(context, id_), bool, desired.router_id) is None:
                    context.clear_id()
            raise
        return remote

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the route from the list of routers that all refreshes share."""
        remote = _split_id(id_)
        return _if_present(context.cloud.region.network_objects("router").read(remote["router_id"]), remote)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the route if the router has it."""
        remote = _split_id(id_)
        try:
            return _if_present(network.get(context.cloud.network, "router", remote["router_id"]), remote)
        except errors.NotFound:
            return None

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return the route and the region."""
        return {"region": context.cloud.region.name, **remote}

    def update(
        self,
        context: Context,
        id_: str,
        desired: RouterRouteInputs,
        prior: Mapping[str, Any],  # noqa: ARG002
    ) -> RemoteObject:
        """Add the route if a create that failed did not; no input can be changed in place."""
        found = context.cloud.writes.read_until(lambda: self.read(context, id_), bool, desired.router_id)
        return found or self.create(context, desired)

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the route."""
        remote = _split_id(id_)
        try:
            change_route(context, remote, "remove")
        except errors.NotFound as error:
            # Only the router shows whether the route is gone.
            if not self.is_gone(context, id_, remote["router_id"]):
                raise errors.OperationFailed("the router still has the route", str(error)) from error


def _check_nexthop(context: Context, router_id: str, nexthop: str | None) -> Iterator[Problem]:
    """Check that the next hop is no address of the router. Warn if no subnet of the router contains it."""
    try:
        address = ipaddress.ip_address(nexthop or "")
    except ValueError:
        return
    resolver = catalog(context.cloud.region)
    router = resolver.neutron("router", router_id)
    gateway = router.get("external_gateway_info") or {}
    fixed_ips = [fixed for port in resolver.ports_of(router_id) for fixed in port["fixed_ips"]]
    fixed_ips += gateway.get("external_fixed_ips") or ()
    if address in {ipaddress.ip_address(fixed["ip_address"]) for fixed in fixed_ips}:
        yield Problem("nexthop", f"{nexthop} is an address of the router itself")
        return
    # The program may connect a subnet that does not exist yet.
    subnets = {fixed["subnet_id"] for fixed in fixed_ips} | planned(context.cloud.region).connected_subnets
    ranges = [None if id_ is None else ip_range(resolver.neutron("subnet", id_)["cidr"]) for id_ in subnets]
    if not any(each is None or address in each for each in ranges):
        context.warn(
            f"nexthop: no subnet of the router {router.get('name') or router_id} contains {nexthop}; unless this "
            "program connects one, the update waits for it until its timeout, and fails"
        )


def check_foreign(context: Context, name: str, id_: str, what: str) -> Iterator[Problem]:
    """Reject a new part of a router that exists already, unless a resource of this stack owns it.

    Args:
        context: The operation.
        name: The input that identifies the part.
        id_: The id of its resource.
        what: What the router has.
    """
    owner = OWNERSHIP.other_owner(ObjectKey(context.kind, context.cloud.region.name, id_))
    if owner is None and context.provenance(id_, None) is Provenance.FOREIGN:
        yield Problem(name, f"the router has {what} already: {_WHAT_TO_DO[Provenance.FOREIGN].format(id_)}")


def check_own(context: Context, id_: str, what: str, *, is_sent: bool = False) -> None:
    """Raise an error unless a new part of a router that exists already is this resource's, or moves to it.

    Args:
        context: The operation.
        id_: The id of its resource.
        what: What the router has.
        is_sent: Whether a request of this resource may have added it.
    """
    context.claim(id_)
    provenance = context.provenance(id_, None)
    if provenance in _WHAT_TO_DO and not (is_sent and provenance is Provenance.FOREIGN):
        raise errors.OperationFailed(f"the router has {what} already", _WHAT_TO_DO[provenance].format(id_))


_WHAT_TO_DO: Mapping[Provenance, str] = {
    Provenance.FOREIGN: 'it is not in the state of this stack; import it with adopt="{0}", or remove it first',
    Provenance.PREDECESSOR: (
        "it is the one to be replaced: set delete_before_replace=True in the options of the resource"
    ),
}


def router_lock(context: Context, router_id: str) -> threading.Lock:
    """Return the lock of a router, for changes that the cloud does not make safely at the same time."""
    return _routers(context.cloud.region).lock(router_id)


def change_route(context: Context, remote: RemoteObject, verb: Literal["add", "remove"]) -> None:
    """Add a route or remove it, without losing what others change at the same time."""
    known, api, router_id = _routers(context.cloud.region), context.cloud.network, remote["router_id"]
    route = _route_of(remote)
    if known.is_atomic:
        try:
            routers.change_routes(api, router_id, verb, [route])
        except errors.ApiError as error:
            if error.status not in _NOT_OFFERED:
                raise
            # Raises the error if the router does not exist.
            network.get(api, "router", router_id)
            known.is_atomic = False
        else:
            return
    with router_lock(context, router_id):
        for attempts_left in reversed(range(_CHANGES_ELSEWHERE)):
            router = _current_router(context, remote, verb)
            current = router.get("routes") or []
            if (route in current) == (verb == "add"):
                return
            routes = [*current, route] if verb == "add" else [each for each in current if each != route]
            try:
                known.changed[router_id] = routers.replace_routes(api, router, routes)
            except errors.ApiError as error:
                if error.status != http.HTTPStatus.PRECONDITION_FAILED or not attempts_left:
                    raise
                context.report_status("another program changed the router; reading it again")
                context.cloud.connection.clock.sleep(min(_PAUSE, context.cloud.writes.settles_in(router_id)))
            else:
                return


def _current_router(context: Context, remote: RemoteObject, verb: str) -> RemoteObject:
    """Return the router whose routes are replaced as a whole: a stale one would lose the routes that it lacks.

    A cloud with revision numbers refuses the change of a stale one.
    """
    api, writes, router_id = context.cloud.network, context.cloud.writes, remote["router_id"]
    known = _routers(context.cloud.region)
    while True:
        left = writes.settles_in(router_id)
        if left > 0 and router_id in known.changed:
            return known.changed[router_id]
        router = network.get(api, "router", router_id)
        is_needed = (_route_of(remote) in (router.get("routes") or [])) != (verb == "add")
        if left <= 0 or (is_needed and router.get("revision_number") is not None):
            return router
        context.cloud.connection.clock.sleep(min(_PAUSE, left))


def _route_of(remote: RemoteObject) -> dict[str, str]:
    return {name: remote[name] for name in ("destination", "nexthop")}


def _split_id(id_: str) -> RemoteObject:
    router_id, _, rest = id_.partition("/")
    destination, _, nexthop = rest.rpartition("/")
    if not (router_id and destination and nexthop):
        raise errors.ConfigurationError(f'the id of a RouterRoute is "<router>/<destination>/<nexthop>", got "{id_}"')
    return {"router_id": router_id, "destination": destination, "nexthop": nexthop}


def _if_present(router: RemoteObject | None, remote: RemoteObject) -> RemoteObject | None:
    return remote if router and _route_of(remote) in (router.get("routes") or ()) else None


HANDLER = RouterRouteHandler()
