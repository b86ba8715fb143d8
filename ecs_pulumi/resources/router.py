"""Router: connects subnets to each other and to an external network (Neutron API reference, "Routers")."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from ecs_pulumi.cloud import errors, network, routers
from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    ChangedBy,
    CheckInputs,
    Computed,
    Exclusive,
    InPlace,
    Nested,
    Outputs,
    Problem,
    References,
    Replace,
    Set,
    fields_of,
    match_items,
)
from ecs_pulumi.dynamic.handler import ImportedResource
from ecs_pulumi.notices import Notice
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.addresses import IpAddress
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.deletion import delete_when_unused
from ecs_pulumi.resources.neutron import NeutronHandler, NeutronInputs
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.remote import RemoteObject
from ecs_pulumi.resources.router_report_rules import GATEWAY
from ecs_pulumi.resources.same_run import retry_while_awaited

INTERFACE_OWNERS = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)
"""The device owners of the ports that connect routers to subnets."""
_GATEWAY_IN_USE = "RouterExternalGatewayInUseByFloatingIp"
_RELEASE_FIRST = (
    "First release them with an update of their own: remove `port_id` of each FloatingIp, or the FloatingIpAssociation"
)


class RouterExternalFixedIp(Nested):
    """An address of the router in the external network: any address of a subnet, or a specific one."""

    subnet_id: str | None = Field(None, description="Subnet of the address. Default: the subnet that contains it.")
    ip_address: Annotated[IpAddress | None, Exclusive()] = Field(
        None, description="The address. Default: any free address of the subnet."
    )


class RouterInputs(NeutronInputs):
    """Connects subnets to each other, and to networks outside the cloud. Its interfaces are `RouterInterface`s.

    Source: Neutron API reference, "Routers".
    """

    admin_state_up: Annotated[bool | None, InPlace(), Computed(), AlwaysSet()] = Field(
        None, description="Whether the router forwards packets."
    )
    external_network: Annotated[str | None, InPlace(), AlwaysSet(), References("Network")] = Field(
        None, description="External network of the gateway, by name or id; an empty string removes the gateway."
    )
    external_fixed_ips: Annotated[
        list[RouterExternalFixedIp] | None, InPlace(), Computed(), Set(), AlwaysSet(), ChangedBy(("external_network",))
    ] = Field(
        None,
        description="Addresses in the external network, a set. The cloud chooses what is not set. Most clouds "
        "restrict it to administrators.",
    )
    enable_snat: Annotated[bool | None, InPlace(), Computed()] = Field(
        None,
        description="Whether servers without a floating IP reach the external network with the router's address. Many "
        "clouds restrict it to administrators.",
    )
    distributed: Annotated[bool | None, Replace(), Computed()] = Field(
        None, description="Whether the hosts of the servers route. For administrators."
    )
    ha: Annotated[bool | None, Replace(), Computed()] = Field(
        None, description="Whether several agents run the router, so that it survives one of them. For administrators."
    )
    flavor_id: Annotated[str | None, Replace()] = Field(None, description="Id of the router flavor.")
    availability_zone_hints: Annotated[list[str] | None, Replace(), Set(), AlwaysSet()] = Field(
        None, description="Zones in which the router should run."
    )


class RouterStaticRoute(Nested):
    """A static route."""

    destination: str = Field(description="Range of addresses.")
    nexthop: str = Field(description="Address to which packets for the range are sent.")


class RouterOutputs(Outputs):
    """Attributes that only the cloud sets."""

    status: str = Field(description="`ACTIVE`, `DOWN`, `BUILD` or `ERROR`.")
    external_network_id: Annotated[str | None, ChangedBy(("external_network",))] = Field(
        None, description="Id of the external network; None without a gateway."
    )
    external_network_name: Annotated[str | None, ChangedBy(("external_network",))] = Field(
        None, description="Its name; its id if several have that name."
    )
    external_ips: Annotated[list[str], ChangedBy(("external_network", "external_fixed_ips"))] = Field(
        description="Addresses in the external network."
    )
    routes: list[RouterStaticRoute] = Field(description="Static routes, also those that no `RouterRoute` declares.")
    created_at: Annotated[str | None, ChangedBy()] = Field(None, description="When it was created, UTC.")
    updated_at: str | None = Field(None, description="When it was last changed, UTC.")


class RouterHandler(NeutronHandler[RouterInputs]):
    """Handler of routers."""

    name = "Router"
    inputs = RouterInputs
    outputs = RouterOutputs
    title = "Routers"
    singular = "router"
    quota_property = "name"
    report_rules = "ecs_pulumi.resources.router_report_rules"
    attribute_map: ClassVar = {"project_id": "tenant_id"}

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Require an external network for what describes the gateway."""
        if checked.has("external_network") and checked.known("external_network") != "":
            return
        for name in ("external_fixed_ips", "enable_snat"):
            if checked.has(name):
                yield Problem(name, "only with `external_network`")

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that the external network exists and is external."""
        yield from super().preflight(context, checked)
        yield from preflight.check_exists(checked, "external_network", partial(find_external_network, context))

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Compare the external network by name or id, and ignore the parts of an address that the cloud chose."""
        if name == "external_network" and isinstance(desired, str):
            return is_external_network(desired, prior)
        if name == "external_fixed_ips" and isinstance(desired, list):
            canonical = fields_of(self.inputs)[name].canonical
            remote = canonical(prior.get(name)) or []
            places = match_items(canonical(desired), remote, _satisfies)
            # Neutron ignores an empty list: a gateway has an address.
            return not desired or (None not in places and len(places) == len(remote))
        return super().is_equal(name, desired, prior)

    def report_plan(self, context: Context, new: Mapping[str, Any], changed: list[str]) -> None:
        """Show that a change of the gateway interrupts the connections through it, and that a stopped router does."""
        interrupting = [name for name in GATEWAY if name in changed and context.prior.get("external_network_id")]
        what = f"the gateway {errors.join_names(context.prior.get('external_ips') or ())}".rstrip()
        if "admin_state_up" in changed and new.get("admin_state_up") is False:
            interrupting, what = [*interrupting, "admin_state_up"], "the router"
        if interrupting:
            context.notify(Notice.INTERRUPTS.with_code(f"the connections through {what} are interrupted", interrupting))

    def preflight_update(self, context: Context, id_: str, new: Mapping[str, Any], changed: list[str]) -> None:  # noqa: ARG002
        """Warn of the floating IPs that need the gateway to the external network which the router leaves."""
        if "external_network" in changed and context.prior.get("external_network_id"):
            listed = catalog(context.cloud.region).floating_ips()
            if users := [each for each in listed if each.get("router_id") == id_]:
                context.warn(
                    f"external_network: {_named(users)} need the gateway; unless they are released first, the update "
                    f"fails. {_RELEASE_FIRST}"
                )

    def create(self, context: Context, desired: RouterInputs) -> RemoteObject:
        """Create the router with its gateway."""
        try:
            return super().create(context, _with_network_id(context, desired))
        except errors.BadRequest as error:
            if desired.enable_snat and context.cloud.region.differences.has_undocumented_refusals:
                error.hint = (
                    "enable_snat: this cloud translates addresses only for a router that has an interface. Create the "
                    "router and its RouterInterface without it, and set it in the next `pulumi up`."
                )
            raise

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Delete the router once its interfaces are gone."""
        delete_when_unused(
            context,
            partial(network.delete, context.cloud.network, "router", id_),
            lambda: [f"the interface {interface_label(port)}" for port in interface_ports(context, id_)],
            name_users=True,
        )

    def delete_orphan(self, context: Context, id_: str) -> None:
        """Delete the router with its routes and interfaces: these have no description for an owner marker."""
        api = context.cloud.network
        with contextlib.suppress(errors.NotFound):
            network.update(api, "router", id_, {"routes": []})
            for port in interface_ports(context, id_):
                routers.remove_interface(api, id_, {"port_id": port["id"]})
        self.delete(context, id_, {})

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return the attributes of the API, with those of the gateway."""
        gateway = remote.get("external_gateway_info") or {}
        network_id, addresses = gateway.get("network_id"), gateway.get("external_fixed_ips") or []
        return {
            **super().to_outputs(context, remote),
            **external_network_outputs(context, network_id),
            "external_fixed_ips": addresses,
            "external_ips": [each["ip_address"] for each in addresses],
            "enable_snat": gateway.get("enable_snat"),
        }

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the id of the external network, and what is turned off."""
        resource = super().import_resource(existing, remote, outputs)
        resource.inputs["external_network"] = outputs.get("external_network_id")
        if outputs.get("admin_state_up") is False:
            resource.inputs["admin_state_up"] = False
        return resource

    def _changes(self, context: Context, desired: RouterInputs, remote: RemoteObject) -> dict[str, Any]:
        changes = super()._changes(context, desired, remote)
        if not any(name in changes for name in GATEWAY):
            return changes
        # The attribute of the API is replaced as a whole.
        resolved = _with_network_id(context, desired)
        fixed_ips = [each.model_dump(exclude_none=True) for each in desired.external_fixed_ips or ()]
        all_of = {
            "external_network": resolved.external_network,
            "external_fixed_ips": fixed_ips or None,
            "enable_snat": desired.enable_snat,
        }
        return changes | {name: value for name, value in all_of.items() if value is not None}

    def _send_update(self, context: Context, remote: RemoteObject, body: RemoteObject) -> RemoteObject:
        gateway = body.get("external_gateway_info") or {}
        send = partial(super()._send_update, context, remote)
        try:
            return _once_unused(context, remote["id"], partial(send, body))
        except errors.Forbidden:
            if "enable_snat" not in gateway or context.inputs.get("enable_snat") is not None:
                raise
        # Another network has to be possible for an account that may not send what an administrator chose.
        del gateway["enable_snat"]
        context.warn("enable_snat: returns to the default of the cloud, because only an administrator can keep it off")
        return _once_unused(context, remote["id"], partial(send, body))

    def _body(self, values: Mapping[str, Any], remote: RemoteObject) -> RemoteObject:
        body = super()._body({name: value for name, value in values.items() if name not in GATEWAY}, remote)
        given = {name: values[name] for name in GATEWAY if name in values}
        if given:
            body["external_gateway_info"] = _gateway(given, remote.get("external_gateway_info") or {})
        return body


def interface_ports(context: Context, router_id: str) -> list[RemoteObject]:
    """Return the ports that connect a router to subnets."""
    ports = network.list_all(context.cloud.network, "port", device_id=router_id)
    return [port for port in ports if port.get("device_owner") in INTERFACE_OWNERS]


def interface_label(port: RemoteObject) -> str:
    """Describe an interface of a router, for a message."""
    addresses = ", ".join(each["ip_address"] for each in port.get("fixed_ips") or ())
    return f"{addresses or port['id']} in the network {port['network_id']}"


def find_external_network(context: Context, name_or_id: str) -> RemoteObject | None:
    """Return an external network, None if the program declares one with this name. Raises as the look-up does."""
    region = context.cloud.region
    if name_or_id in planned(region).external_networks:
        return None
    return catalog(region).external_network(name_or_id)


def external_network_outputs(context: Context, network_id: str | None) -> dict[str, Any]:
    """Return the outputs for the external network with this id; None for a router without a gateway."""
    if not network_id:
        return {"external_network": "", "external_network_id": None, "external_network_name": None}
    name = catalog(context.cloud.region).external_network_name(network_id)
    known = (each for each in (context.inputs, context.prior) if each.get("external_network_id") == network_id)
    return {
        # After the network was renamed, the name in the program still means the same network.
        "external_network": next(filter(None, (each.get("external_network") for each in known)), name),
        "external_network_id": network_id,
        "external_network_name": name,
    }


def is_external_network(desired: str, outputs: Mapping[str, Any]) -> bool:
    """Whether a desired external network is the one in the outputs: by id, by name, or as the program had written it.

    The name is in an output of its own, because a comparison sends no request.
    """
    if not desired:
        return not outputs.get("external_network_id")
    return desired in map(outputs.get, ("external_network", "external_network_id", "external_network_name"))


def _with_network_id(context: Context, desired: RouterInputs) -> RouterInputs:
    """Return the inputs with the id of the external network instead of its name."""
    if not desired.external_network:
        return desired
    id_ = catalog(context.cloud.region).external_network(desired.external_network)["id"]
    return desired.model_copy(update={"external_network": id_})


def _gateway(given: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attribute of the API; without a network it removes the gateway."""
    network_id = given.get("external_network", current.get("network_id"))
    if not network_id:
        return {}
    gateway = {"network_id": network_id, **{name: given[name] for name in GATEWAY[1:] if name in given}}
    if current.get("enable_snat") is False:
        # Without it, an update returns to the default, which is true on most clouds.
        gateway.setdefault("enable_snat", False)
    return gateway


def _once_unused(context: Context, router_id: str, send: Callable[[], RemoteObject]) -> RemoteObject:
    """Send an update of a gateway. While floating IPs need the gateway, which this run may release, wait a minute."""

    def awaited(error: errors.ApiError, _: float) -> str | None:
        if not isinstance(error, errors.Conflict) or error.body_type != _GATEWAY_IN_USE:
            return None
        users = _named(network.list_all(context.cloud.network, "floatingip", router_id=router_id))
        error.hint = f"{users} need the gateway. {_RELEASE_FIRST}"
        return f"waiting until {users} no longer need the gateway"

    return retry_while_awaited(context, send, awaited)


def _named(floating_ips: list[RemoteObject]) -> str:
    addresses = errors.join_names([each["floating_ip_address"] for each in floating_ips])
    return f"the floating IPs {addresses}" if addresses else "floating IPs of another project"


def _satisfies(desired: Any, address: Mapping[str, Any]) -> bool:
    """Whether an address of the gateway satisfies a desired one. No address satisfies an unknown one."""
    return isinstance(desired, Mapping) and all(
        address.get(key) == value for key, value in desired.items() if value is not None
    )


HANDLER = RouterHandler()
