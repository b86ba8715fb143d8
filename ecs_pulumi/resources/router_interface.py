"""RouterInterface: connects a subnet to a router (Neutron API reference, "Routers")."""

import contextlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from ecs_pulumi.cloud import errors, network, routers
from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.dynamic.existing import Candidate
from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    CheckInputs,
    Computed,
    Exclusive,
    Inputs,
    Outputs,
    Problem,
    References,
    Replace,
    exactly_one_of,
)
from ecs_pulumi.dynamic.handler import ImportedResource
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.notices import Notice
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.addresses import ip_range
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.deletion import User, delete_when_unused
from ecs_pulumi.resources.handler import EcsHandler
from ecs_pulumi.resources.idempotent_create import created_in_this_run, send_once
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.remote import RemoteObject
from ecs_pulumi.resources.router import INTERFACE_OWNERS, interface_ports
from ecs_pulumi.resources.router_route import change_route, check_foreign, check_own, router_lock


class RouterInterfaceInputs(Inputs):
    """Connects a subnet to a router.

    Its id is `<router>/<port>`, that of an IPv6 subnet is `<router>/<port>/<subnet>`, because the IPv6 subnets of one
    network share a port of the router. The cloud deletes the port with its last subnet, also a port that the program
    declares.

    Source: Neutron API reference, "Add interface to router".
    """

    router_id: Annotated[str, Replace(), References("Router")] = Field(description="Id of the router.")
    subnet_id: Annotated[str | None, Replace(), Computed(), AlwaysSet(), References("Subnet")] = Field(
        None,
        description="Subnet to connect; the router gets the address of the subnet's gateway. Set either this or "
        "`port_id`.",
    )
    port_id: Annotated[str | None, Replace(), Computed(), AlwaysSet(), Exclusive(), References("Port")] = Field(
        None, description="Existing port that becomes the interface, with its own address."
    )


class RouterInterfaceOutputs(Outputs):
    """Outputs of a router interface that are not inputs."""

    network_id: str = Field(description="Network of the subnet.")
    ip_address: str | None = Field(None, description="Address of the router in the subnet.")


_SUBNET = "subnet of the interface"
"""Key that is added to a port's document: the subnet of the interface, because a port may connect several subnets."""
_compared: dict[str, tuple[str | None, ...]] = {}
"""Router, port and subnet of each interface that this run changes, by URN. The state has another URN after a rename."""
_EXISTING = "an interface in this subnet"


class RouterInterfaceHandler(EcsHandler[RouterInterfaceInputs]):
    """Interfaces of routers, read from their ports: one list of ports serves all of them."""

    name = "RouterInterface"
    id_format = "`<router id>/<port id>`; for an IPv6 subnet `<router id>/<port id>/<subnet id>`"
    id_example = "9f4d9281-…/7bf1c36f-…"
    title = "Interfaces of routers"
    report_rules = "ecs_pulumi.resources.router_interface_report_rules"
    inputs = RouterInterfaceInputs
    outputs = RouterInterfaceOutputs
    alternatives = ("subnet_id", "port_id")

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Require either a subnet or a port, and a new port for another router."""
        yield from exactly_one_of(checked, "subnet_id", "port_id")
        if checked.known("router_id") and (reason := _loses_port(checked)):
            yield Problem("port_id", reason)

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that router, subnet and port exist. Warn if the subnet has no gateway."""
        yield from super().preflight(context, checked)
        resolver = catalog(context.cloud.region)
        yield from preflight.check_exists(checked, "router_id", lambda id_: resolver.neutron("router", id_))
        yield from preflight.check_exists(checked, "port_id", lambda id_: resolver.neutron("port", id_))
        missing = list(preflight.check_exists(checked, "subnet_id", lambda id_: resolver.neutron("subnet", id_)))
        yield from missing
        subnet_id = checked.known("subnet_id")
        planned(context.cloud.region).connected_subnets.add(subnet_id)
        yield from self._existing(context, checked)
        if checked.prior and checked.changed("router_id", "subnet_id", "port_id"):
            self._warn_of_users(context, checked)
            if reason := _loses_port(checked):
                context.warn(f"port_id: {reason} if `router_id` changes")
        if subnet_id and checked.changed("subnet_id") and not missing and not created_in_this_run(subnet_id):
            subnet = resolver.neutron("subnet", subnet_id)
            if not subnet.get("gateway_ip"):
                # The same update may have added the gateway since the subnets were listed.
                with contextlib.suppress(errors.NotFound):
                    subnet = network.get(context.cloud.network, "subnet", subnet_id)
            if not subnet.get("gateway_ip"):
                context.warn(
                    f"subnet_id: the subnet {subnet.get('name') or subnet_id} has no gateway; the update fails unless "
                    "the subnet gets one first. With `port_id`, an interface needs none"
                )
            elif checked.known("router_id"):
                yield from _conflicts(context, checked, checked.known("router_id"), subnet)

    def _existing(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Reject an interface that the router has already and that is not of this stack."""
        router_id, place = checked.known("router_id"), "port_id" if checked.has("port_id") else "subnet_id"
        desired = checked.known(place)
        if not (router_id and desired) or created_in_this_run(router_id):
            return
        if checked.changed("router_id", place):
            with contextlib.suppress(errors.ApiError, errors.NoMatch):
                ports = [port for port in catalog(context.cloud.region).ports_of(router_id) if router_of(port)]
                for found in _find(ports, **{place: desired}):
                    yield from check_foreign(context, place, self.id_of(found), _EXISTING)

    def delete_before_replace(self, context: Context, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Delete first if the subnet stays the same: its gateway's address belongs to one router."""
        _compared[rpc_bridge.current_request().urn] = tuple(map(prior.get, ("router_id", "port_id", "subnet_id")))
        return self._is_same(prior, new)

    def _is_same(self, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether two interfaces with these inputs cannot exist at the same time."""
        return self.is_exclusive(new) or new.get("subnet_id") == prior.get("subnet_id")

    def _warn_of_users(self, context: Context, checked: CheckInputs) -> None:
        """Warn of what keeps the interface from being deleted before its replacement is created."""
        prior = checked.prior
        if not self._is_same(prior, checked.values):
            return
        with contextlib.suppress(errors.ApiError, errors.NoMatch):
            port_id = prior.get("port_id")
            port = catalog(context.cloud.region).neutron("port", port_id) if port_id else {}
            users = _users(context, prior["router_id"], _subnet_ids(port) if port else [prior["subnet_id"]])
            if labels := [user.label for user in users]:
                context.warn(
                    f"the interface is deleted before its replacement is created, but is in use by "
                    f"{errors.join_names(labels)}; the update fails unless that is released first"
                )

    def id_of(self, remote: RemoteObject) -> str:
        """The ids of the router and the port, and of an IPv6 subnet."""
        id_, subnet_id = f"{remote['device_id']}/{remote['id']}", remote.get(_SUBNET)
        is_ipv6 = any(subnet_id == each["subnet_id"] and ":" in each["ip_address"] for each in remote["fixed_ips"])
        return f"{id_}/{subnet_id}" if is_ipv6 else id_

    def object_id(self, id_: str) -> str:
        """The id of the port."""
        return _split_id(id_)[1]

    def list_all(self, context: Context) -> Iterator[RemoteObject]:
        """Yield the interfaces of the project."""
        region = context.cloud.region
        for port in network.list_all(region.network, "port", tenant_id=region.project_id):
            if router_of(port):
                yield from _interfaces_of(port)

    def owner_of(self, remote: RemoteObject, project: str, stack: str, backend: str) -> str | None:  # noqa: ARG002
        """None: the owner marker of a port belongs to the `Port` resource that declares it."""
        return None

    def result_evidence(self, inputs: Mapping[str, Any], remote: RemoteObject) -> str:
        """Compare the router with the subnet or the port."""
        is_result = inputs.get("router_id") == remote["device_id"] and (
            inputs.get("port_id") == remote["id"] or inputs.get("subnet_id") in _subnet_ids(remote)
        )
        return "router and subnet" if is_result else ""

    def candidates(self, existing: Existing) -> Iterator[Candidate]:
        """Yield the interfaces of each router."""
        for router in existing.candidates_of("Router"):
            for port in existing.related("Port", router_of, router.id):
                for remote in _interfaces_of(port):
                    subnet = existing.of("Subnet").get(_subnet_id(remote) or "", {})
                    label = f"{router.label}-{subnet.get('name') or 'interface'}"
                    yield Candidate(self.name, self.id_of(remote), label, remote, attached_to=router.key)

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the subnet if the interface has the address of its gateway, the port of any other."""
        resource = super().import_resource(existing, remote, outputs)
        subnet = existing.of("Subnet").get(outputs["subnet_id"] or "", {})
        is_alone = remote.get(_SUBNET) or len(remote["fixed_ips"]) == 1
        is_gateway = is_alone and outputs["ip_address"] == subnet.get("gateway_ip")
        name = "port_id" if not is_gateway or existing.is_declared("Port", str(outputs["port_id"])) else "subnet_id"
        resource.inputs[name] = outputs[name]
        return resource

    def create(self, context: Context, desired: RouterInterfaceInputs) -> RemoteObject:
        """Add the interface. One that exists already is used only if this stack added it."""
        body = {"subnet_id": desired.subnet_id} if desired.subnet_id else {"port_id": str(desired.port_id)}
        api = context.cloud.network

        is_sent = False

        def find(error: errors.EcsError) -> RemoteObject | None:
            if isinstance(error, errors.BadRequest) and self._remove_overlapping(context, desired.router_id, error):
                return add()

            def read() -> RemoteObject | None:
                ports = interface_ports(context, desired.router_id)
                return next(_find(ports, desired.subnet_id, desired.port_id), None)

            may_exist = is_sent or "already" in str(error)
            found = context.cloud.writes.read_until(read, bool, desired.router_id) if may_exist else read()
            if found is not None:
                check_own(context, self.id_of(found), _EXISTING, is_sent=is_sent)
            return found

        def send() -> RemoteObject:
            nonlocal is_sent
            try:
                port_id = routers.add_interface(api, desired.router_id, body)
            except errors.EcsError as error:
                is_sent = is_sent or errors.may_have_taken_effect(error)
                raise
            is_sent = True
            # Until the port is read, its IP version is unknown. An id with the subnet is valid for both versions.
            context.record_id("/".join(filter(None, (desired.router_id, port_id, desired.subnet_id))))
            return context.cloud.writes.read_until(lambda: network.get(api, "port", port_id), shows, port_id)

        def shows(port: RemoteObject) -> bool:
            return port["device_id"] == desired.router_id and desired.subnet_id in (None, *_subnet_ids(port))

        def add() -> RemoteObject:
            return send_once(send, find, errors.BadRequest, errors.Conflict)

        remote = {**add(), _SUBNET: desired.subnet_id}
        context.record_id(self.id_of(remote))
        return remote

    def _remove_overlapping(self, context: Context, router_id: str, error: errors.BadRequest) -> bool:
        """Remove the interface that is being replaced if the API names its subnet because the ranges overlap.

        The engine, which does not know the ranges, deletes it only after the create.
        """
        if "overlaps" not in error.message:
            return False
        replaced = _compared.get(rpc_bridge.current_request().urn)
        ports = interface_ports(context, router_id)
        for remote in (remote for port in ports for remote in _interfaces_of(port)):
            subnet_id = str(_subnet_id(remote))
            if subnet_id in error.message and replaced == (remote["device_id"], remote["id"], subnet_id):
                self.delete(context, self.id_of(remote), {})
                return True
        return False

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the port from the list that all refreshes of ports share."""
        return _if_connected(context, context.cloud.region.network_objects("port").read(self.object_id(id_)), id_)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the current port if it is an interface of the router."""
        try:
            return _if_connected(context, network.get(context.cloud.network, "port", self.object_id(id_)), id_)
        except errors.NotFound:
            return None

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Convert the port to outputs."""
        subnet_id = _subnet_id(remote)
        addresses = [each["ip_address"] for each in remote.get("fixed_ips") or () if each["subnet_id"] == subnet_id]
        return {
            "region": context.cloud.region.name,
            "router_id": remote["device_id"],
            "subnet_id": subnet_id,
            "port_id": remote["id"],
            "network_id": remote["network_id"],
            "ip_address": addresses[0] if addresses else None,
        }

    def ownership_updates(self, context: Context, remote: RemoteObject) -> dict[str, Any]:  # noqa: ARG002
        """Update nothing: the owner marker of a port belongs to the `Port` resource that declares it."""
        return {}

    def update(
        self,
        context: Context,
        id_: str,
        desired: RouterInterfaceInputs,
        prior: Mapping[str, Any],
    ) -> RemoteObject:
        """Return the interface: no input can be changed in place."""
        return self.read_current(context, id_, desired, prior)

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the interface once no floating IP and no route needs it.

        The engine does not ask the provider before it deletes, so that no preview can warn of the port.
        """
        router_id, port_id, subnet_id = _split_id(id_)
        interface = {"subnet_id": subnet_id} if subnet_id else {"port_id": port_id}

        def remove() -> None:
            try:
                # Neutron keeps a port without addresses if its IPv6 subnets are removed at the same time.
                with router_lock(context, router_id) if subnet_id else contextlib.nullcontext():
                    routers.remove_interface(context.cloud.network, router_id, interface)
            except errors.NotFound as error:
                # Only the port shows whether the interface is gone.
                if not self.is_gone(context, id_, router_id, port_id):
                    raise errors.OperationFailed("the router still has the interface", str(error)) from error

        def users() -> list[User]:
            with contextlib.suppress(errors.NotFound):
                port = network.get(context.cloud.network, "port", port_id)
                return list(_users(context, router_id, [subnet_id] if subnet_id else _subnet_ids(port)))
            return []

        delete_when_unused(context, remove, users, name_users=True)
        if not subnet_id and OWNERSHIP.other_owner(ObjectKey("Port", context.cloud.region.name, port_id)):
            text = f"the cloud has deleted the port {port_id} of the program with its interface"
            context.warn(Notice.PORT_LOSS.with_code(f"{text}; `pulumi up --refresh` creates it anew"))


def _loses_port(checked: CheckInputs) -> str | None:
    """Return why a replacement, or one with a router that is not known yet, cannot keep its port; None if it can."""
    port_id = checked.known("port_id")
    if not port_id or port_id != checked.prior.get("port_id") or not checked.changed("router_id"):
        return None
    return f"the cloud deletes the port {port_id} with the interface that is replaced; replace the Port as well"


def _conflicts(context: Context, checked: CheckInputs, router_id: str, subnet: RemoteObject) -> Iterator[Problem]:
    """Report what keeps the router from getting the address of the subnet's gateway.

    An interface in the cloud is only a warning, because the same update may remove it first.
    """
    resolver, me = catalog(context.cloud.region), f"{context.kind} {context.resource}"
    subnet_range, name = ip_range(subnet["cidr"]), subnet.get("name") or subnet["id"]

    def overlapping(subnet_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
        for id_ in subnet_ids:
            with contextlib.suppress(errors.ApiError, errors.NoMatch):
                other = resolver.neutron("subnet", id_)
                if id_ != subnet["id"] and ip_range(other["cidr"]).overlaps(subnet_range):
                    text = f"the range {subnet['cidr']} of {name} overlaps with {other['cidr']} of"
                    yield id_, f"{text} {other.get('name') or id_}"

    interfaces = planned(context.cloud.region).interfaces.setdefault(router_id, {})
    for id_, reason in overlapping(list(interfaces)):
        if interfaces[id_] != me:
            yield Problem("subnet_id", f"{reason}, which {interfaces[id_]} connects to the same router")
    interfaces[subnet["id"]] = me
    if checked.is_replacement or checked.has("adopt") or created_in_this_run(router_id):
        return
    ports = [port for port in resolver.ports_of(router_id) if router_id in router_of(port)]
    reasons = [reason for _, reason in overlapping(id_ for port in ports for id_ in _subnet_ids(port))]
    user = resolver.port_with_address(subnet["network_id"], ipaddress.ip_address(subnet["gateway_ip"]))
    if user and user.get("device_id") != router_id:
        who = f"{user.get('device_owner') or 'a port'} {user.get('device_id') or user['id']}"
        reasons.append(f"the gateway's address {subnet['gateway_ip']} of {name} is in use by {who}")
    for reason in reasons:
        context.warn(f"subnet_id: {reason}; the update fails unless that is removed first")


def router_of(port: RemoteObject) -> list[str]:
    """Return the id of the router that the port connects to a subnet, if it does."""
    return [port["device_id"]] if port.get("device_owner") in INTERFACE_OWNERS else []


def _users(context: Context, router_id: str, subnet_ids: Iterable[str]) -> Iterator[User]:
    """Yield the floating IPs and the routes of a router that need its interfaces in these subnets.

    Raises:
        NotFound: The router or a subnet does not exist.
    """
    api = context.cloud.network
    router = network.get(api, "router", router_id)
    ranges = [ip_range(network.get(api, "subnet", each)["cidr"]) for each in subnet_ids]

    def is_inside(address: str | None) -> bool:
        return any(address and ipaddress.ip_address(address) in each for each in ranges)

    for item in network.list_all(api, "floatingip", router_id=router_id):
        if is_inside(item.get("fixed_ip_address")):
            owners = [(kind, item["id"]) for kind in ("FloatingIp", "FloatingIpAssociation")]
            release = partial(network.update, api, "floatingip", item["id"], {"port_id": None})
            yield User(f"the floating IP {item['floating_ip_address']}", owners, release)
    for route in router.get("routes") or ():
        if is_inside(route["nexthop"]):
            id_ = f"{router_id}/{route['destination']}/{route['nexthop']}"
            remove = partial(change_route, context, {"router_id": router_id, **route}, "remove")
            yield User(f"the route to {route['destination']}", [("RouterRoute", id_)], remove)


def _interfaces_of(port: RemoteObject) -> list[RemoteObject]:
    """Return the interfaces that a port is: one for each IPv6 subnet, because those of a network share a port."""
    addresses = port.get("fixed_ips") or []
    if any(":" not in each["ip_address"] for each in addresses):
        return [port]
    return [{**port, _SUBNET: each["subnet_id"]} for each in addresses]


def _split_id(id_: str) -> tuple[str, str, str | None]:
    """Return the router, the port, and the subnet if the id contains one."""
    router_id, port_id, subnet_id = (*id_.split("/", 2), "", "")[:3]
    if not (router_id and port_id):
        raise errors.ConfigurationError(
            f'the id of a RouterInterface is "<router>/<port>" or "<router>/<port>/<subnet>", got "{id_}"'
        )
    return router_id, port_id, subnet_id or None


def _find(
    ports: Iterable[RemoteObject], subnet_id: str | None = None, port_id: str | None = None
) -> Iterator[RemoteObject]:
    """Yield the interface of a router for this subnet or with this port, if it is one of its ports."""
    for port in ports:
        if port["id"] == port_id or subnet_id in _subnet_ids(port):
            yield {**port, _SUBNET: subnet_id}


def _subnet_ids(port: RemoteObject) -> list[str]:
    return [each["subnet_id"] for each in port.get("fixed_ips") or ()]


def _subnet_id(remote: RemoteObject) -> str | None:
    return remote.get(_SUBNET) or next(iter(_subnet_ids(remote)), None)


def _if_connected(context: Context, port: RemoteObject | None, id_: str) -> RemoteObject | None:
    """Return the port if it connects the router to the subnet in the id, if the id contains one."""
    router_id, _, subnet_id = _split_id(id_)
    if port is None or router_id not in router_of(port) or subnet_id not in (None, *_subnet_ids(port)):
        return None
    # The order of a port's addresses is arbitrary.
    known = context.inputs.get("subnet_id")
    return {**port, _SUBNET: subnet_id or (known if known in _subnet_ids(port) else None)}


HANDLER = RouterInterfaceHandler()
