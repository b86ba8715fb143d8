"""FloatingIp: an address of an external network, for a port (Neutron API reference, "Floating IPs")."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    ChangedBy,
    CheckInputs,
    ClearedIfUnset,
    Computed,
    Exclusive,
    InPlace,
    Outputs,
    Problem,
    References,
    Replace,
    WriteOnly,
)
from ecs_pulumi.dynamic.handler import ImportedResource, Provenance
from ecs_pulumi.resources import missing_attributes, preflight
from ecs_pulumi.resources.addresses import IpAddress
from ecs_pulumi.resources.association import (
    ASSOCIATION,
    associate,
    check_port,
    hints,
    is_exhausted,
    must_wait,
    report_move,
)
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.floating_ip_report_rules import RULES
from ecs_pulumi.resources.neutron import NeutronHandler, UnnamedInputs
from ecs_pulumi.resources.remote import RemoteObject
from ecs_pulumi.resources.router import external_network_outputs, find_external_network, is_external_network

_OWN = (Provenance.PREDECESSOR, Provenance.INTERRUPTED)
_INPUTS_OF_ASSOCIATION = ("port_id", "fixed_ip")


class FloatingIpInputs(UnnamedInputs):
    """An address of an external network, which a router translates to the address of a port.

    It depends on the `RouterInterface`s that the program declares before it, and waits for one that is declared later.

    Source: Neutron API reference, "Floating IPs".
    """

    external_network: Annotated[str, Replace(), References("Network")] = Field(
        description="External network of the address, by name or id."
    )
    address: Annotated[IpAddress | None, Replace(), Computed(), AlwaysSet(), Exclusive()] = Field(
        None, description="Address to allocate. Most clouds restrict it to administrators."
    )
    subnet_ids: Annotated[list[str] | None, Replace(), WriteOnly()] = Field(
        None, description="Subnets of the external network; the address is from the first one with a free address."
    )
    port_id: Annotated[str | None, InPlace(), ClearedIfUnset(), AlwaysSet(), Exclusive(), References("Port")] = Field(
        None,
        description='Port that the address leads to; `server.nics[0]["port_id"]` is that of the first NIC of a server. '
        "A change moves the address to another port; a program that no longer sets it, or sets an empty string, "
        "releases the port.",
    )
    fixed_ip: Annotated[IpAddress | None, InPlace(), Computed()] = Field(
        None, description="Address of the port, if it has several IPv4 addresses."
    )
    dns_name: Annotated[str | None, Replace(), Computed()] = Field(None, description="Name in the cloud's DNS.")
    dns_domain: Annotated[str | None, Replace(), Computed()] = Field(
        None, description="Domain of `dns_name`, with a final dot."
    )
    qos_policy_id: Annotated[str | None, InPlace()] = Field(
        None, description="Id of the QoS policy; an empty string removes it."
    )


class FloatingIpOutputs(Outputs):
    """Attributes that only the cloud sets."""

    external_network_id: Annotated[str, ChangedBy()] = Field(description="Id of the external network.")
    external_network_name: Annotated[str | None, ChangedBy()] = Field(
        None, description="Its name; its id if several have that name."
    )
    status: str = Field(description="`ACTIVE` once a router translates it, `DOWN` before.")
    router_id: str | None = Field(None, description="Router that translates the address.")


class FloatingIpHandler(NeutronHandler[FloatingIpInputs]):
    """Handler of floating IPs."""

    name = "FloatingIp"
    report_rules = "ecs_pulumi.resources.floating_ip_report_rules"
    inputs = FloatingIpInputs
    outputs = FloatingIpOutputs
    title = "Floating IPs"
    dependencies = ("RouterInterface",)
    singular = "floatingip"
    quota_property = "external_network"
    encodes_owner_in_name = False
    attribute_map: ClassVar = {
        "external_network": "floating_network_id",
        "address": "floating_ip_address",
        "fixed_ip": "fixed_ip_address",
        "project_id": "tenant_id",
    }

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Require a port for its address."""
        if checked.has("fixed_ip") and (not checked.has("port_id") or checked.known("port_id") == ""):
            yield Problem("fixed_ip", "only with `port_id`")

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that external network, subnets and port exist, and that the address is free. Warn about the port."""
        yield from super().preflight(context, checked)
        look_up = partial(find_external_network, context)
        missing = list(preflight.check_exists(checked, "external_network", look_up))
        yield from missing
        name, external = checked.known("external_network"), None
        inputs = ("external_network", "subnet_ids", "address", *_INPUTS_OF_ASSOCIATION)
        if name and not missing and checked.changed(*inputs):
            external = look_up(name)
        if external:
            # The account may not see the subnets themselves.
            subnets = external.get("subnets") or ()
            for index, subnet_id in checked.items("subnet_ids") if subnets else ():
                if subnet_id not in subnets:
                    reason = f"[{index}]: the external network {name} has no subnet {subnet_id}"
                    yield Problem("subnet_ids", f"{reason}; its subnets are {errors.join_names(subnets)}")
            yield from _check_address(context, checked, external["id"])
        yield from check_port(context, checked, external["id"] if external else None)

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Compare the external network by name or id."""
        if name == "external_network" and isinstance(desired, str):
            return is_external_network(desired, prior)
        return super().is_equal(name, desired, prior)

    def also_holds(self, id_: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the association: no `FloatingIpAssociation` of the program releases it or manages it as well."""
        if inputs.get("port_id"):
            yield ASSOCIATION, id_

    def data_loss(self, context: Context, prior: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Report the address, which the cloud may give to another project."""
        return RULES.lost(prior)

    def report_plan(self, context: Context, new: Mapping[str, Any], changed: list[str]) -> None:
        """Show that a port is released."""
        report_move(context, new, changed)

    def label(self, existing: Existing, remote: RemoteObject) -> str:  # noqa: ARG002
        """The address."""
        return f"floating-ip-{remote['floating_ip_address']}"

    def result_evidence(self, inputs: Mapping[str, Any], remote: RemoteObject) -> str:
        """Compare the description, or the port in a cloud without descriptions."""
        if "description" in remote:
            return super().result_evidence(inputs, remote)
        return "port" if inputs.get("port_id") and inputs["port_id"] == remote.get("port_id") else ""

    def attached_to(self, remote: RemoteObject) -> list[str]:
        """Return the server whose port has the floating IP, if the API returns it."""
        server = (remote.get("port_details") or {}).get("device_id")
        return [server] if server else []

    def create(self, context: Context, desired: FloatingIpInputs) -> RemoteObject:
        """Allocate an address and associate it with one request.

        While the port has another floating IP, or no router connects it, allocate the address and wait with the rest.
        """
        external = catalog(context.cloud.region).external_network(desired.external_network)
        desired = desired.model_copy(update={"external_network": external["id"]})
        try:
            return super().create(context, desired)
        except errors.ApiError as error:
            if not must_wait(error):
                raise
        remote = super().create(context, desired.model_copy(update=dict.fromkeys(_INPUTS_OF_ASSOCIATION)))
        given = {name: getattr(desired, name) for name in _INPUTS_OF_ASSOCIATION if getattr(desired, name)}
        # The response to the association contains the tags as they were when the address was allocated.
        tags = {"tags": remote["tags"]} if "tags" in remote else {}
        return {**remote, **associate(context, remote["id"], self._body(given, remote)), **tags}

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return the attributes of the API, with the name of the external network."""
        return {
            **super().to_outputs(context, remote),
            **external_network_outputs(context, remote["floating_network_id"]),
            "port_id": remote.get("port_id") or "",
        }

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the id of the external network."""
        resource = super().import_resource(existing, remote, outputs)
        resource.inputs["external_network"] = outputs["external_network_id"]
        if existing.is_declared("FloatingIpAssociation", remote["id"]):
            resource.inputs |= dict.fromkeys(_INPUTS_OF_ASSOCIATION)
        return resource

    def _with_own_description(self, context: Context, desired: FloatingIpInputs) -> list[RemoteObject]:
        external = catalog(context.cloud.region).external_network(desired.external_network)["id"]
        return [
            each
            for each in self._list(context, external, desired.description)
            if each.get("description") == desired.description
            and each.get("port_id") in (None, desired.port_id)
            and context.provenance(each["id"], None) is Provenance.INTERRUPTED
        ]

    def _list(self, context: Context, network_id: str, description: str | None) -> Iterable[RemoteObject]:
        """List the floating IPs of an external network, and only those with the description if the cloud has any."""
        region = context.cloud.region
        if not region.differences.filters_by_description(self.singular):
            description = None
        find = partial(network.list_all, region.network, self.singular, floating_network_id=network_id)
        try:
            listed: list[RemoteObject] = find(description=description)
        except errors.BadRequest:
            listed = find()  # a cloud without descriptions refuses to filter by them
        return listed

    def _is_own_without_description(self, context: Context, desired: FloatingIpInputs, remote: RemoteObject) -> bool:
        """Whether the port shows it. An address without a port may be that of any other program."""
        is_same = bool(desired.port_id) and desired.port_id == remote.get("port_id")
        return is_same and context.provenance(remote["id"], None) is Provenance.INTERRUPTED

    def _same_objects(self, context: Context, body: RemoteObject) -> list[RemoteObject]:
        listed = self._list(context, body["floating_network_id"], body.get("description"))
        port_id = body.get("port_id")
        ports = [port_id] if body.get("description") else [port_id, None]
        return [each for each in listed if each.get("description") or each.get("port_id") in ports]

    def _is_own(self, context: Context, body: RemoteObject, remote: RemoteObject) -> bool | None:
        """Whether the description shows it, or the port: an address of a port has one floating IP."""
        has_port = bool(body.get("port_id")) and remote.get("port_id") == body["port_id"]
        own = super()._is_own(context, body, remote)
        return has_port or None if own is None else own

    def _send_create(self, context: Context, body: RemoteObject) -> RemoteObject:
        """Send the request for each subnet, until one of them has a free address."""
        common = {name: value for name, value in body.items() if name != "subnet_ids"}
        subnets = list(body.get("subnet_ids") or ())
        with hints(context, body):
            while subnets:
                try:
                    return super()._send_create(context, {**common, "subnet_id": subnets.pop(0)})
                except (errors.Conflict, errors.BadRequest) as error:
                    if "subnet_id" in errors.unknown_attributes(error):
                        raise missing_attributes.not_offered(error, ["subnet_ids"], {}) from error
                    if not (subnets and is_exhausted(error)):
                        raise
            return super()._send_create(context, common)

    def _send_update(self, context: Context, remote: RemoteObject, body: RemoteObject) -> RemoteObject:
        if body.get("port_id"):
            return associate(context, remote["id"], body)
        try:
            return super()._send_update(context, remote, body)
        except errors.BadRequest:
            if "port_id" in body or not remote.get("port_id"):
                raise
        # Neutron derives the address of the port again, and refuses a port with several ones. Only then the request
        # contains the port, because another program may have moved the floating IP since it was read.
        association = {name: remote[name] for name in ("port_id", "fixed_ip_address")}
        return super()._send_update(context, remote, body | association)

    def _changes(self, context: Context, desired: FloatingIpInputs, remote: RemoteObject) -> dict[str, Any]:
        changes = super()._changes(context, desired, remote)
        if any(name in changes for name in _INPUTS_OF_ASSOCIATION):
            # The API takes the address of a port only together with the port.
            changes |= {
                name: getattr(desired, name) for name in _INPUTS_OF_ASSOCIATION if getattr(desired, name) is not None
            }
        return changes

    def _body(self, values: Mapping[str, Any], remote: RemoteObject) -> RemoteObject:
        body = super()._body(values, remote)
        if body.get("port_id") == "":
            body["port_id"] = None
        return body


def _check_address(context: Context, checked: CheckInputs, external_network_id: str) -> Iterator[Problem]:
    """Check that a requested address belongs to the external network, and that nothing in the cloud has it."""
    address = checked.known("address")
    if not address or not checked.changed("address"):
        return
    listed = () if checked.is_replacement else catalog(context.cloud.region).floating_ips()
    holder = next((each["id"] for each in listed if each["floating_ip_address"] == address), None)
    if holder is None:
        place = preflight.Place("address", "", external_network_id)
        yield from preflight.check_address(context, checked, place, address)
    elif holder != checked.known("adopt") and context.provenance(holder, None) not in _OWN:
        reason = f'the floating IP {holder} has the address {address}; set adopt="{holder}" to import it'
        yield Problem("address", reason)


HANDLER = FloatingIpHandler()
