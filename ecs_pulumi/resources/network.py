"""Network: a private layer 2 network (guide, chapter 7; Neutron API reference, "Networks")."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    ChangedBy,
    CheckInputs,
    Computed,
    InPlace,
    Outputs,
    Problem,
    Replace,
    Set,
)
from ecs_pulumi.dynamic.handler import ImportedResource
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.deletion import User
from ecs_pulumi.resources.neutron import NeutronHandler, NeutronInputs, dependent_ports, shared_reason
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.remote import RemoteObject


class NetworkInputs(NeutronInputs):
    """A private layer 2 network. Servers connect to it through its ports.

    Source: guide, chapter 7 "Create a network"; Neutron API reference, "Networks".
    """

    admin_state_up: Annotated[bool | None, InPlace(), Computed(), AlwaysSet()] = Field(
        None, description="Whether the network forwards packets."
    )
    shared: Annotated[bool | None, InPlace(), Computed(), AlwaysSet()] = Field(
        None, description="Whether every project may use it. Most clouds restrict it to administrators."
    )
    external: Annotated[bool | None, InPlace(), Computed(), AlwaysSet()] = Field(
        None, description="Whether it leads to networks outside the cloud. Most clouds restrict it to administrators."
    )
    port_security_enabled: Annotated[bool | None, InPlace(), Computed()] = Field(
        None, description="Default of `port_security_enabled` for the ports of this network."
    )
    mtu: Annotated[int | None, InPlace(), Computed(), ChangedBy()] = Field(
        None, ge=68, description="Maximum transmission unit, in bytes, announced to the ports."
    )
    dns_domain: Annotated[str | None, InPlace(), Computed()] = Field(
        None, description="DNS domain of the network, with its final dot."
    )
    transparent_vlan: Annotated[bool | None, Replace()] = Field(
        None, description="Whether VLAN tags of the servers' packets pass through the network."
    )
    qos_policy_id: Annotated[str | None, InPlace()] = Field(
        None, description="Id of the QoS policy; an empty string removes it."
    )
    availability_zone_hints: Annotated[list[str] | None, Replace(), Set(), AlwaysSet()] = Field(
        None, description="Zones in which the network's services should run."
    )
    provider_network_type: Annotated[str | None, Replace(), Computed()] = Field(
        None, description="Type of the physical network (`vxlan`, `vlan`, `flat`, …). For administrators."
    )
    provider_physical_network: Annotated[str | None, Replace(), Computed()] = Field(
        None, description="Physical network that carries the network. For administrators."
    )
    provider_segmentation_id: Annotated[int | None, Replace(), Computed()] = Field(
        None, description="VLAN id or tunnel id. For administrators."
    )


class NetworkOutputs(Outputs):
    """Attributes that only the cloud sets."""

    status: str = Field(description="`ACTIVE`, `DOWN`, `BUILD` or `ERROR`.")
    subnet_ids: list[str] = Field(description="Subnets of the network.")
    created_at: Annotated[str | None, ChangedBy()] = Field(None, description="When it was created, UTC.")
    updated_at: str | None = Field(None, description="When it was last changed, UTC.")


class NetworkHandler(NeutronHandler[NetworkInputs]):
    """Handler of networks."""

    name = "Network"
    inputs = NetworkInputs
    outputs = NetworkOutputs
    title = "Networks"
    singular = "network"
    quota_property = "name"
    attribute_map: ClassVar = {
        "external": "router:external",
        "transparent_vlan": "vlan_transparent",
        "provider_network_type": "provider:network_type",
        "provider_physical_network": "provider:physical_network",
        "provider_segmentation_id": "provider:segmentation_id",
        "project_id": "tenant_id",
        "subnet_ids": "subnets",
    }

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Record the name of an external network, by which the program may refer to it."""
        yield from super().preflight(context, checked)
        if checked.known("external") and (name := checked.known("name")):
            planned(context.cloud.region).external_networks.add(name)

    def delete_before_replace(self, context: Context, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Delete first if both use one segment or one flat physical network, which only one network can use."""
        segment, physical = new.get("provider_segmentation_id"), new.get("provider_physical_network")
        if new.get("provider_network_type") == "flat":
            return physical is not None and physical == prior.get("provider_physical_network")
        return segment is not None and segment == prior.get("provider_segmentation_id")

    def unmanaged_reason(self, existing: Existing, remote: RemoteObject) -> str | None:
        """Return that another project owns the network, or that it is shared or external."""
        is_declared = existing.is_declared(self.name, remote["id"])
        return super().unmanaged_reason(existing, remote) or (None if is_declared else shared_reason(remote))

    def lookup(self, existing: Existing, remote: RemoteObject) -> str:
        """Look up a network that other projects own or use."""
        return "get_network" if self.unmanaged_reason(existing, remote) else ""

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add what the cloud would compute otherwise: a DNS domain, and what is turned off."""
        resource = super().import_resource(existing, remote, outputs)
        switches = ("admin_state_up", "port_security_enabled")
        resource.inputs |= {name: False for name in switches if outputs.get(name) is False}
        resource.inputs["dns_domain"] = outputs.get("dns_domain") or None
        return resource

    def _dependents(self, context: Context, id_: str) -> list[User]:
        return dependent_ports(context, network_id=id_)


HANDLER = NetworkHandler()
