"""Port: the connection of one NIC to a network (guide, chapter 7; Neutron API reference, "Ports")."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic import rpc_bridge
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
    objects,
)
from ecs_pulumi.dynamic.handler import ImportedResource
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.addresses import (
    IpAddress,
    MacAddress,
    PortAssignedIp,
    is_automatic,
)
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.defaults import defaults
from ecs_pulumi.resources.neutron import NeutronHandler, NeutronInputs
from ecs_pulumi.resources.nic import created_ports, is_for_a_nic, owner_of_nic
from ecs_pulumi.resources.remote import RemoteObject


class PortDnsAssignment(Nested):
    """A name in the cloud's DNS for an address of the port."""

    hostname: str = Field(description="Name.")
    fqdn: str = Field(description="Fully qualified name.")
    ip_address: str = Field(description="The address.")


class PortFixedIp(Nested):
    """An address of a port: any address of a subnet, or a specific one."""

    subnet_id: Annotated[str | None, References("Subnet")] = Field(
        None, description="Subnet of the address. Default: the only subnet of the network."
    )
    ip_address: Annotated[IpAddress | None, Exclusive()] = Field(
        None, description="The address. Default: any free address of the subnet."
    )


class PortAllowedAddressPair(Nested):
    """An additional address that the port may use."""

    ip_address: IpAddress = Field(description="Address, or a range such as `10.0.10.0/28`.")
    mac_address: MacAddress | None = Field(None, description="MAC address. Default: the port's.")


class PortExtraDhcpOption(Nested):
    """A DHCP option for this port."""

    name: str = Field(description="Name, for example `mtu` or `domain-name`.")
    value: str = Field(description="Value.")
    ip_version: Literal[4, 6] = Field(4, description="4 (the default) or 6.")


class PortInputs(NeutronInputs):
    """The connection of one NIC to a network, with its addresses and security groups.

    Source: guide, chapter 7 "Create a port"; Neutron API reference, "Ports".
    """

    network_id: Annotated[str, Replace(), References("Network")] = Field(description="Network it belongs to.")
    admin_state_up: Annotated[bool | None, InPlace(), Computed(), AlwaysSet()] = Field(
        None, description="Whether the port forwards packets."
    )
    fixed_ips: Annotated[list[PortFixedIp] | None, InPlace(), Computed(), Set(), AlwaysSet(), ChangedBy()] = Field(
        None, description="Addresses, a set; an empty list means none. The cloud chooses what is not set."
    )
    security_group_ids: Annotated[
        list[str] | None, InPlace(), Computed(), Set(), AlwaysSet(), References("SecurityGroup")
    ] = Field(
        None,
        description="Security groups, a set of ids; an empty list means none. Default: the project's `default` group.",
    )
    allowed_address_pairs: Annotated[list[PortAllowedAddressPair] | None, InPlace(), Set(), AlwaysSet()] = Field(
        None, description="Additional addresses that the port may use, a set. Default MAC address: the port's."
    )
    extra_dhcp_options: Annotated[list[PortExtraDhcpOption] | None, InPlace(), Set(), AlwaysSet()] = Field(
        None, description="DHCP options for this port, a set."
    )
    mac_address: Annotated[MacAddress | None, Replace(), Computed(), AlwaysSet(), Exclusive()] = Field(
        None, description="MAC address."
    )
    port_security_enabled: Annotated[bool | None, InPlace(), Computed()] = Field(
        None, description="Whether spoofed addresses are dropped and security groups apply."
    )
    device_owner: Annotated[str | None, Replace(), Computed(), AlwaysSet(), ChangedBy(None)] = Field(
        None, description="Type of the device that uses the port, for example `compute:nova`; the cloud updates it."
    )
    dns_name: Annotated[str | None, InPlace()] = Field(None, description="Name in the cloud's DNS.")
    binding_host_id: Annotated[str | None, InPlace()] = Field(
        None, description="Host to which the port is bound. For administrators."
    )
    binding_profile: Annotated[dict[str, Any] | None, InPlace()] = Field(
        None, description="Data for the network driver. For administrators."
    )
    binding_vnic_type: Annotated[str, InPlace()] = Field("normal", description="Type of the NIC: `normal`, `direct`, …")
    qos_policy_id: Annotated[str | None, InPlace()] = Field(
        None, description="Id of the QoS policy; an empty string removes it."
    )


class PortOutputs(Outputs):
    """Attributes that only the cloud sets."""

    status: str = Field(description="`ACTIVE` once a server uses it, `DOWN` before.")
    all_fixed_ips: Annotated[list[PortAssignedIp], ChangedBy(("fixed_ips",))] = Field(
        description="All addresses with their subnets."
    )
    ip_address: Annotated[str | None, ChangedBy(("fixed_ips",))] = Field(None, description="The first address.")
    device_id: str = Field(description="Server that uses the port; empty if there is none.")
    dns_assignment: list[PortDnsAssignment] | None = Field(None, description="Names in the cloud's DNS.")


class PortHandler(NeutronHandler[PortInputs]):
    """Handler of ports."""

    name = "Port"
    inputs = PortInputs
    outputs = PortOutputs
    title = "Ports"
    dependencies = ("Subnet",)
    singular = "port"
    attribute_map: ClassVar = {
        "security_group_ids": "security_groups",
        "extra_dhcp_options": "extra_dhcp_opts",
        "binding_host_id": "binding:host_id",
        "binding_profile": "binding:profile",
        "binding_vnic_type": "binding:vnic_type",
        "project_id": "tenant_id",
    }

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that the network and security groups exist and that the desired addresses are available."""
        yield from super().preflight(context, checked)
        resolver = catalog(context.cloud.region)
        yield from preflight.check_exists(checked, "network_id", lambda id_: resolver.neutron("network", id_))
        yield from preflight.check_all_exist(checked, "security_group_ids", resolver.security_group_id)
        yield from preflight.addresses(context, checked)
        yield from preflight.mac_address(context, checked)
        unusual = {name: reason for name, reason in _undocumented(checked.values).items() if checked.changed(name)}
        if unusual and context.cloud.region.differences.restricts_ports:
            context.warn(f"{_listed(unusual)}; this cloud will probably refuse it")

    def preflight_update(self, context: Context, id_: str, new: Mapping[str, Any], changed: list[str]) -> None:  # noqa: ARG002
        """Warn of a change that an Open Telekom Cloud makes to no existing port."""
        fixed = [name for name in _FIXED if name in changed]
        if fixed and context.cloud.region.differences.restricts_ports:
            context.warn(f"{errors.join_names(fixed)}: {_replace_advice()}; this cloud will probably refuse the change")

    def list_all(self, context: Context) -> Iterable[RemoteObject]:
        """Return the ports of the project, without those of an `InterfaceAttachment`."""
        region, ports = context.cloud.region, super().list_all(context)
        return [port for port in ports if not (is_for_a_nic(region, port) and port.get("device_id"))]

    def list_visible(self, context: Context) -> Iterable[RemoteObject]:
        """Return all ports of the project."""
        region = context.cloud.region
        return network.list_all(region.network, "port", tenant_id=region.project_id)

    def owner_of(self, remote: RemoteObject, project: str, stack: str, backend: str) -> str | None:
        """The resource in the owner marker; of a port for a NIC that is not attached yet, the resource of the NIC."""
        return owner_of_nic(super().owner_of(remote, project, stack, backend), remote)

    def attached_to(self, remote: RemoteObject) -> list[str]:
        """Return the server that uses the port."""
        return [remote["device_id"]] if remote.get("device_id") else []

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Ignore addresses that Neutron adds automatically."""
        canonical = fields_of(self.inputs)[name].canonical
        value = canonical(prior.get(name))
        if name == "fixed_ips" and isinstance(desired, list) and isinstance(value, list):
            places = match_items(canonical(desired), value, _satisfies)
            mac = str(prior.get("mac_address"))
            additional = (item for place, item in enumerate(value) if place not in places)
            return None not in places and all(is_automatic(str(item.get("ip_address")), mac) for item in additional)
        return super().is_equal(name, desired, prior)

    def create(self, context: Context, desired: PortInputs) -> RemoteObject:
        """Create the port, and remember it for the server that uses it."""
        remote = super().create(context, desired)
        created_ports(context.cloud.region)[remote["id"]] = remote
        return remote

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return the attributes of the API, with DHCP options and addresses in the form of the fields."""
        outputs = super().to_outputs(context, remote)
        addresses = remote.get("fixed_ips") or []
        outputs["extra_dhcp_options"] = [
            {"name": item["opt_name"], "value": item["opt_value"], "ip_version": item.get("ip_version", 4)}
            for item in remote.get("extra_dhcp_opts") or ()
        ]
        outputs["all_fixed_ips"] = addresses
        outputs["ip_address"] = addresses[0]["ip_address"] if addresses else None
        return outputs

    def unmanaged_reason(self, existing: Existing, remote: RemoteObject) -> str | None:
        """Return that another project owns the port, or that the cloud created it for a router or for DHCP."""
        reason, owner = super().unmanaged_reason(existing, remote), remote.get("device_owner") or ""
        is_of_cloud = owner and not owner.startswith("compute:") and not existing.is_declared(self.name, remote["id"])
        return reason or (f"the cloud created it ({owner})" if is_of_cloud else None)

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the addresses, and what differs from the defaults of the network and of the project."""
        resource, known = super().import_resource(existing, remote, outputs), defaults(existing.cloud.region)
        its_network = existing.of("Network").get(remote["network_id"], {})
        secured, groups = outputs.get("port_security_enabled"), sorted(outputs.get("security_group_ids") or ())
        has_default_groups = groups == known.security_groups or (not groups and secured is False)
        resource.inputs |= {
            "admin_state_up": False if outputs.get("admin_state_up") is False else None,
            "fixed_ips": [
                {"subnet_id": item["subnet_id"], "ip_address": item["ip_address"]}
                for item in outputs.get("fixed_ips") or ()
            ],
            "security_group_ids": None if has_default_groups else groups,
            "allowed_address_pairs": [
                _without(pair, "mac_address", outputs.get("mac_address"))
                for pair in outputs.get("allowed_address_pairs") or ()
            ]
            or None,
            "extra_dhcp_options": [
                _without(option, "ip_version", 4) for option in outputs.get("extra_dhcp_options") or ()
            ]
            or None,
            "port_security_enabled": None if secured == its_network.get("port_security_enabled", True) else secured,
        }
        if remote.get("device_id"):
            # Nova sets these while the port is attached to a server.
            resource.inputs |= dict.fromkeys(("dns_name", "binding_host_id", "binding_profile"))
        return resource

    def _send_create(self, context: Context, body: RemoteObject) -> RemoteObject:
        try:
            return super()._send_create(context, body)
        except errors.BadRequest as error:
            raise self._explained(context, error, body, {}) from error

    def _send_update(self, context: Context, remote: RemoteObject, body: RemoteObject) -> RemoteObject:
        try:
            return super()._send_update(context, remote, body)
        except errors.BadRequest as error:
            fixed = {name: _replace_advice() for name in _FIXED if name in body}
            raise self._explained(context, error, body, fixed) from error

    def _replacement_advice(self, name: str) -> str | None:
        return _replace_advice() if name in _FIXED else None

    def _explained(
        self, context: Context, error: errors.BadRequest, body: RemoteObject, fixed: Mapping[str, str]
    ) -> errors.EcsError:
        """Return the error with the names of the properties that an Open Telekom Cloud documents differently."""
        reasons = {**_undocumented({**body, "security_group_ids": body.get("security_groups")}), **fixed}
        # A cloud that does not know the description of a port refuses that before anything else.
        is_about_other = "description" in errors.unknown_attributes(error)
        if not reasons or is_about_other or not context.cloud.region.differences.has_undocumented_refusals:
            return error
        return errors.OperationFailed(_listed(reasons), str(error))

    def _dependents(self, context: Context, id_: str) -> list[str]:
        remote = self.read(context, id_)
        return [f"server {remote['device_id']}"] if remote and remote.get("device_id") else []

    def _body(self, values: Mapping[str, Any], remote: RemoteObject) -> RemoteObject:
        body = super()._body(values, remote)
        if not remote and body.get("binding:vnic_type") == "normal":
            # This is the API's default. On some clouds only administrators may send it.
            del body["binding:vnic_type"]
        if "fixed_ips" in body and remote:
            body["fixed_ips"] = _keep_addresses(body["fixed_ips"], remote.get("fixed_ips") or [])
        if "extra_dhcp_opts" in body:
            body["extra_dhcp_opts"] = _dhcp_options(body["extra_dhcp_opts"], remote.get("extra_dhcp_opts") or [])
        return body


_FIXED = ("fixed_ips", "admin_state_up")
"""The inputs that an Open Telekom Cloud documents for new ports only."""


def _replace_advice() -> str:
    return f"it cannot change on this cloud, only with the port: `--replace '{rpc_bridge.current_request().urn}'`"


def _undocumented(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what an Open Telekom Cloud documents differently, by input."""
    reasons = {}
    if len(objects(values.get("fixed_ips"))) > 1:
        reasons["fixed_ips"] = "a port has one address on this cloud"
    if values.get("security_group_ids") == [] and values.get("port_security_enabled") is not False:
        reasons["security_group_ids"] = "a port needs a security group on this cloud"
    if any(pair.get("ip_address") in ("0.0.0.0/0", "::/0") for pair in objects(values.get("allowed_address_pairs"))):
        reasons["allowed_address_pairs"] = "on this cloud, 1.1.1.1/0 turns the check of the source off"
    return reasons


def _listed(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())


def _without(item: Mapping[str, Any], name: str, default: Any) -> RemoteObject:
    """Return an object without a property that has its default value."""
    return {key: value for key, value in item.items() if (key, value) != (name, default)}


def _satisfies(desired: Any, address: Mapping[str, Any]) -> bool:
    """Whether an address of a port satisfies a desired one. No address satisfies an unknown one."""
    return isinstance(desired, Mapping) and all(address.get(key) == value for key, value in desired.items())


def _keep_addresses(desired: list[RemoteObject], remote: list[RemoteObject]) -> list[RemoteObject]:
    """Return the desired addresses, with an unspecific one resolved to an address that the port already has."""
    # Specific addresses are matched first, because each of them fits one address only.
    desired = sorted(desired, key=lambda item: "ip_address" not in item)
    places = match_items(desired, remote, _satisfies)
    return [item if place is None else remote[place] for item, place in zip(desired, places, strict=True)]


def _dhcp_options(desired: list[RemoteObject], remote: list[RemoteObject]) -> list[RemoteObject]:
    """Return the request for these DHCP options, in which a null value removes an option."""
    options = [{"opt_name": o["name"], "opt_value": o["value"], "ip_version": o["ip_version"]} for o in desired]
    names = {(o["opt_name"], o["ip_version"]) for o in options}
    removed = [o for o in remote if (o["opt_name"], o.get("ip_version", 4)) not in names]
    return options + [{**o, "opt_value": None} for o in removed]


HANDLER = PortHandler()
