"""Port: a place in a network for one NIC (guide, chapter 7; Neutron API reference, "Ports")."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import pulumi
from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from ecs_pulumi.dynamic.fields import (
    CheckInputs,
    Computed,
    InPlace,
    Inputs,
    Nested,
    Outputs,
    Problem,
    Replace,
    Set,
    WriteOnly,
    match_items,
    objects,
)
from ecs_pulumi.dynamic.resource import EcsResource
from ecs_pulumi.resources import preflight, quota
from ecs_pulumi.resources.addresses import FixedIp, IpAddress, MacAddress, canonical_ip, canonical_mac, is_automatic
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.common import Context, RemoteObject
from ecs_pulumi.resources.neutron import NeutronHandler


class PortFixedIpArgs(TypedDict, total=False):
    """An address of a port: one of this subnet, or this very address."""

    subnet_id: pulumi.Input[str]
    """Subnet the address is from; the network's only one if unset."""
    ip_address: pulumi.Input[str]
    """The address; any of the subnet if unset."""


class PortAllowedAddressPairArgs(TypedDict):
    """An address that the port may use besides its own."""

    ip_address: pulumi.Input[str]
    """Address, or a range such as `10.0.10.0/28`."""
    mac_address: NotRequired[pulumi.Input[str]]
    """MAC address. Default: the port's."""


class PortExtraDhcpOptionArgs(TypedDict):
    """A DHCP option for this port."""

    name: pulumi.Input[str]
    """Name, for example `mtu` or `domain-name`."""
    value: pulumi.Input[str]
    """Value."""
    ip_version: NotRequired[pulumi.Input[int]]
    """4 (the default) or 6."""


class DnsAssignment(TypedDict):
    """A name that the cloud's DNS has for an address of the port."""

    hostname: str
    """Name."""
    fqdn: str
    """Name with its domain."""
    ip_address: str
    """The address."""


class _FixedIp(Nested):
    subnet_id: str | None = None
    ip_address: IpAddress | None = None


class _AddressPair(Nested):
    ip_address: IpAddress
    mac_address: MacAddress | None = None


class _DhcpOption(Nested):
    name: str
    value: str
    ip_version: Literal[4, 6] = 4


class PortInputs(Inputs):
    """What a program may ask of a port."""

    network_id: Annotated[str, Replace()] = Field(description="Network it belongs to.")
    name: Annotated[str | None, InPlace()] = Field(None, max_length=255, description="Name.")
    description: Annotated[str | None, InPlace()] = Field(None, max_length=255, description="Description.")
    admin_state_up: Annotated[bool | None, InPlace(), Computed()] = Field(
        None, description="Whether the port forwards packets."
    )
    fixed_ips: Annotated[list[_FixedIp] | None, InPlace(), Computed(), Set()] = Field(
        None, description="Addresses, a set; empty for none. The cloud chooses what is left out."
    )
    security_group_ids: Annotated[list[str] | None, InPlace(), Computed(), Set()] = Field(
        None, description="Security groups, a set of ids; empty for none. Default: the project's `default` group."
    )
    allowed_address_pairs: Annotated[list[_AddressPair] | None, InPlace(), Set()] = Field(
        None, description="Addresses the port may use besides its own, a set. Default mac: the port's."
    )
    extra_dhcp_options: Annotated[list[_DhcpOption] | None, InPlace(), Set()] = Field(
        None, description="DHCP options for this port, a set."
    )
    mac_address: Annotated[MacAddress | None, Replace(), Computed()] = Field(None, description="MAC address.")
    port_security_enabled: Annotated[bool | None, InPlace(), Computed()] = Field(
        None, description="Whether spoofed addresses are dropped and security groups apply."
    )
    device_owner: Annotated[str | None, Replace(), Computed()] = Field(
        None, description="Who uses the port, for example `compute:nova`; the cloud keeps it."
    )
    dns_name: Annotated[str | None, InPlace()] = Field(None, description="Name in the cloud's DNS.")
    binding_host_id: Annotated[str | None, InPlace()] = Field(
        None, description="Host the port is bound on. For administrators."
    )
    binding_profile: Annotated[dict[str, Any] | None, InPlace()] = Field(
        None, description="Facts for the network's driver. For administrators."
    )
    binding_vnic_type: Annotated[str, InPlace()] = Field("normal", description="Kind of NIC: `normal`, `direct`, …")
    qos_policy_id: Annotated[str | None, InPlace()] = Field(None, description="QoS policy; an empty text clears it.")
    tags: Annotated[list[str] | None, InPlace(), Set()] = Field(None, description="Tags, a set.")
    project_id: Annotated[str | None, Replace(), Computed()] = Field(
        None, description="Project that owns it, where an administrator creates it for another."
    )
    value_specs: Annotated[dict[str, Any] | None, Replace(), WriteOnly()] = Field(
        None, description="Further attributes for the create request, under the API's names."
    )


class PortOutputs(Outputs):
    """What the cloud tells beyond the inputs."""

    status: str | None = Field(None, description="`ACTIVE` once a server uses it, `DOWN` before.")
    all_fixed_ips: list[dict[str, str]] | None = Field(None, description="Every address with its subnet.")
    ip_address: str | None = Field(None, description="The first address.")
    device_id: str | None = Field(None, description="Server that uses it; empty if none does.")
    dns_assignment: list[dict[str, str]] | None = Field(None, description="Names in the cloud's DNS.")


class PortHandler(NeutronHandler[PortInputs]):
    """Ports."""

    name = "Port"
    inputs = PortInputs
    outputs = PortOutputs
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
        """Network and security groups exist, and requested addresses lie in their subnets."""
        yield from super().preflight(context, checked)
        names = catalog(context.cloud.region)
        yield from preflight.check_exists(checked, "network_id", lambda id_: names.neutron("network", id_))
        yield from preflight.check_all_exist(checked, "security_group_ids", names.security_group_id)
        yield from preflight.addresses(context, checked)
        yield from quota.of_network(context, checked, "ports", "network_id")

    def is_exclusive(self, inputs: Mapping[str, Any]) -> bool:
        """An address exists once in its network."""
        fixed = any(item.get("ip_address") is not None for item in objects(inputs.get("fixed_ips")))
        return fixed or inputs.get("mac_address") is not None

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Addresses are equal however they are written: clouds tell some of them as they were said.

        Those that the network adds by itself are no difference.
        """
        has = prior.get(name)
        if name == "fixed_ips" and isinstance(desired, list) and isinstance(has, list):
            places = match_items(desired, has, _is_address)
            mac = str(prior.get("mac_address"))
            others = (item for place, item in enumerate(has) if place not in places)
            return None not in places and all(is_automatic(str(item.get("ip_address")), mac) for item in others)
        if name == "mac_address" and isinstance(desired, str) and isinstance(has, str):
            return canonical_mac(desired) == canonical_mac(has)
        if name == "allowed_address_pairs" and isinstance(has, list):
            prior = {**prior, name: [_canonical(pair) for pair in objects(has)]}
        return super().is_equal(name, desired, prior)

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """As the API tells it, with DHCP options under our names."""
        seen = super().to_outputs(context, remote)
        addresses = remote.get("fixed_ips") or []
        seen["extra_dhcp_options"] = [
            {"name": item["opt_name"], "value": item["opt_value"], "ip_version": item.get("ip_version", 4)}
            for item in remote.get("extra_dhcp_opts") or ()
        ]
        seen["all_fixed_ips"] = addresses
        seen["ip_address"] = addresses[0]["ip_address"] if addresses else None
        return seen

    def _body(self, values: Mapping[str, Any], remote: RemoteObject) -> RemoteObject:
        body = super()._body(values, remote)
        if not remote and body.get("binding:vnic_type") == "normal":
            # The API's own default; sending it needs rights on some clouds.
            del body["binding:vnic_type"]
        if "fixed_ips" in body and remote:
            body["fixed_ips"] = _keeping(body["fixed_ips"], remote.get("fixed_ips") or [])
        if "extra_dhcp_opts" in body:
            body["extra_dhcp_opts"] = _options(body["extra_dhcp_opts"], remote.get("extra_dhcp_opts") or [])
        return body


def _canonical(pair: Mapping[str, Any]) -> RemoteObject:
    """An address pair as Neutron would tell it if it told all in one way."""
    spell = {"ip_address": canonical_ip, "mac_address": canonical_mac}
    return {key: spell[key](value) if key in spell and value else value for key, value in pair.items()}


def _is_address(wish: Any, item: Mapping[str, Any]) -> bool:
    """Whether a port's address is what is asked for; what is not known yet is none."""
    return isinstance(wish, Mapping) and all(item.get(key) == value for key, value in wish.items())


def _keeping(desired: list[RemoteObject], has: list[RemoteObject]) -> list[RemoteObject]:
    """The wanted addresses, where a vague wish keeps an address that the port already has."""
    # A wish for this very address is for nothing else.
    desired = sorted(desired, key=lambda wish: "ip_address" not in wish)
    places = match_items(desired, has, _is_address)
    return [wish if place is None else has[place] for wish, place in zip(desired, places, strict=True)]


def _options(desired: list[RemoteObject], has: list[RemoteObject]) -> list[RemoteObject]:
    """The request for these DHCP options; one that is to go is sent without a value."""
    asked = [{"opt_name": o["name"], "opt_value": o["value"], "ip_version": o["ip_version"]} for o in desired]
    names = {(o["opt_name"], o["ip_version"]) for o in asked}
    unwanted = [o for o in has if (o["opt_name"], o.get("ip_version", 4)) not in names]
    return asked + [{**o, "opt_value": None} for o in unwanted]


HANDLER = PortHandler()


class Port(EcsResource, kind=HANDLER):
    """A place in a network for one NIC, with its addresses and security groups.

    Source: guide, chapter 7 "Create a port"; Neutron API reference, "Ports".
    """

    network_id: pulumi.Output[str]
    name: pulumi.Output[str]
    description: pulumi.Output[str]
    admin_state_up: pulumi.Output[bool]
    fixed_ips: pulumi.Output[list[PortFixedIpArgs]]
    security_group_ids: pulumi.Output[list[str]]
    allowed_address_pairs: pulumi.Output[list[PortAllowedAddressPairArgs]]
    extra_dhcp_options: pulumi.Output[list[PortExtraDhcpOptionArgs]]
    mac_address: pulumi.Output[str]
    port_security_enabled: pulumi.Output[bool | None]
    device_owner: pulumi.Output[str]
    dns_name: pulumi.Output[str | None]
    binding_host_id: pulumi.Output[str | None]
    binding_profile: pulumi.Output[dict[str, object] | None]
    binding_vnic_type: pulumi.Output[str]
    qos_policy_id: pulumi.Output[str | None]
    tags: pulumi.Output[list[str]]
    project_id: pulumi.Output[str]
    value_specs: pulumi.Output[dict[str, object] | None]
    status: pulumi.Output[str]
    all_fixed_ips: pulumi.Output[list[FixedIp]]
    ip_address: pulumi.Output[str | None]
    device_id: pulumi.Output[str]
    dns_assignment: pulumi.Output[list[DnsAssignment] | None]

    def __init__(
        self,
        resource_name: str,
        *,
        network_id: pulumi.Input[str],
        name: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        admin_state_up: pulumi.Input[bool] | None = None,
        fixed_ips: pulumi.Input[Sequence[pulumi.Input[PortFixedIpArgs]]] | None = None,
        security_group_ids: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        allowed_address_pairs: pulumi.Input[Sequence[pulumi.Input[PortAllowedAddressPairArgs]]] | None = None,
        extra_dhcp_options: pulumi.Input[Sequence[pulumi.Input[PortExtraDhcpOptionArgs]]] | None = None,
        mac_address: pulumi.Input[str] | None = None,
        port_security_enabled: pulumi.Input[bool] | None = None,
        device_owner: pulumi.Input[str] | None = None,
        dns_name: pulumi.Input[str] | None = None,
        binding_host_id: pulumi.Input[str] | None = None,
        binding_profile: pulumi.Input[Mapping[str, object]] | None = None,
        binding_vnic_type: pulumi.Input[str] = "normal",
        qos_policy_id: pulumi.Input[str] | None = None,
        tags: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        project_id: pulumi.Input[str] | None = None,
        value_specs: pulumi.Input[Mapping[str, object]] | None = None,
        region: pulumi.Input[str] | None = None,
        adopt: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a port. Every argument is described in the reference of the kind."""
