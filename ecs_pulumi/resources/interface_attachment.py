"""InterfaceAttachment: a NIC attached to a server (guide, chapter 7; Nova API reference, "Port interfaces")."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic import rpc_bridge, state
from ecs_pulumi.dynamic.existing import Candidate
from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    CheckInputs,
    Computed,
    Exclusive,
    Inputs,
    Nested,
    Outputs,
    Problem,
    References,
    Replace,
    RequiresMicroversion,
    Set,
    WriteOnly,
    exactly_one_of,
    fields_of,
    objects,
)
from ecs_pulumi.dynamic.handler import ImportedResource
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.activation import while_active
from ecs_pulumi.resources.addresses import IpAddress, PortAssignedIp
from ecs_pulumi.resources.attachment import split_id
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.handler import EcsHandler
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.neutron import with_marker
from ecs_pulumi.resources.nic import (
    TAG,
    attach,
    create_and_attach_port,
    delete_port,
    detach,
    detach_strictly,
    if_attached,
    is_for_a_nic,
    is_nic_of,
    nic_marker,
    owner_of_nic,
)
from ecs_pulumi.resources.quota import QuotaNeed
from ecs_pulumi.resources.remote import RemoteObject
from ecs_pulumi.resources.server import importing

_DETACHED = "DETACHED"
_SERVER = "server of the NIC"
"""Key that is added to a port's document: the server in the resource's id, whichever server has the port."""


class InterfaceAttachmentFixedIp(Nested):
    """A requested address."""

    ip_address: IpAddress = Field(description="The address.")


class InterfaceAttachmentInputs(Inputs):
    """A NIC attached to a server. Its id is `<server>/<port>`.

    Source: guide, chapter 7 "Bind the NIC to the ECS"; Nova API reference, "Port interfaces".
    """

    server_id: Annotated[str, Replace(), References("Server")] = Field(description="Id of the server.")
    port_id: Annotated[str | None, Replace(), Computed(), AlwaysSet(), Exclusive(), References("Port")] = Field(
        None, description="Existing port to attach. Set either this or `network_id`."
    )
    network_id: Annotated[str | None, Replace(), Computed(), AlwaysSet(), References("Network")] = Field(
        None, description="Network in which a port is created; the port is deleted with the NIC or its server."
    )
    fixed_ips: Annotated[
        list[InterfaceAttachmentFixedIp] | None, Replace(), Computed(), Set(), AlwaysSet(), Exclusive()
    ] = Field(None, description="Requested addresses; only with `network_id`.")
    tag: Annotated[str | None, Replace(), WriteOnly(), RequiresMicroversion("compute", TAG)] = Field(
        None, max_length=60, description="Tag that identifies the NIC in the server's metadata."
    )


class InterfaceAttachmentOutputs(Outputs):
    """Outputs of an interface attachment that are not inputs."""

    fixed_ips: list[PortAssignedIp] = Field(description="Addresses with their subnets.")
    mac_address: str = Field(description="MAC address.")
    port_state: str = Field(
        description="`ACTIVE` once it is up; `DETACHED` after a detach outside of Pulumi: the next `up` attaches it.",
    )


class InterfaceAttachmentHandler(EcsHandler[InterfaceAttachmentInputs]):
    """Attached NICs, read from their ports: one list of ports serves all of them."""

    name = "InterfaceAttachment"
    id_format, id_example = "`<server id>/<port id>`", "9f4d9281-…/7bf1c36f-…"
    title = "NICs that were attached to servers later"
    dependencies = ("Subnet",)
    inputs = InterfaceAttachmentInputs
    outputs = InterfaceAttachmentOutputs
    encodes_owner_in_name = True  # in the name of the port that is created for the NIC
    # A NIC with an existing port and one that owns its port are different NICs.
    alternatives = ("port_id", "network_id")

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Require either a port or a network, and addresses only together with a network."""
        yield from exactly_one_of(checked, "port_id", "network_id")
        if checked.has("fixed_ips") and checked.has("port_id"):
            yield Problem("fixed_ips", "only with `network_id`: a port has its own addresses")

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that server, port and network exist and that the requested addresses are available."""
        yield from super().preflight(context, checked)
        names = catalog(context.cloud.region)
        yield from preflight.check_exists(checked, "server_id", names.server)
        port_id = checked.known("port_id")
        if port_id and checked.changed("port_id"):
            if not created_in_this_run(port_id):
                yield from preflight.missing_port(context, "port_id", port_id)
            preflight.port_in_use(context, checked, "port_id", port_id)
        yield from preflight.check_exists(checked, "network_id", lambda id_: names.neutron("network", id_))
        if not checked.prior:
            yield from preflight.addresses(context, checked)

    def quota_needs(self, context: Context, checked: CheckInputs) -> Iterator[QuotaNeed]:  # noqa: ARG002
        """Yield the port that is created in a network."""
        if checked.has("network_id") and not checked.prior:
            yield QuotaNeed("network_id", "network", {"ports": 1})

    def list_all(self, context: Context) -> Iterable[RemoteObject]:
        """Return the ports of the project that were created for an `InterfaceAttachment` and are attached."""
        region = context.cloud.region
        ports = network.list_all(region.network, "port", tenant_id=region.project_id)
        return [port for port in ports if is_for_a_nic(context.cloud.region, port) and port.get("device_id")]

    def id_of(self, remote: RemoteObject) -> str:
        """The ids of the server and the port."""
        return f"{remote['device_id']}/{remote['id']}"

    def object_id(self, id_: str) -> str:
        """The id of the port."""
        return id_.rpartition("/")[2]

    def owner_of(self, remote: RemoteObject, project: str, stack: str, backend: str) -> str | None:
        """The resource in the owner marker or the name of the port."""
        return owner_of_nic(super().owner_of(remote, project, stack, backend), remote)

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Ignore addresses that the cloud assigned in addition to the requested ones."""
        if name == "fixed_ips" and isinstance(desired, list):
            canonical = fields_of(self.inputs)[name].canonical
            assigned = [item.get("ip_address") for item in objects(canonical(prior.get(name)))]
            return all(isinstance(item, Mapping) and item.get("ip_address") in assigned for item in canonical(desired))
        return super().is_equal(name, desired, prior)

    def candidates(self, existing: Existing) -> Iterator[Candidate]:
        """Yield the NICs of each server that are younger than the server."""
        for server in existing.candidates_of("Server"):
            for port in importing.later_nics(existing, server.remote):
                named = (
                    existing.of("Network").get(port["network_id"], {}) if importing.is_of_nova(existing, port) else port
                )
                label, remote = f"{server.label}-{named.get('name') or 'nic'}", {**port, _SERVER: server.id}
                yield Candidate(self.name, f"{server.id}/{port['id']}", label, remote, attached_to=server.key)

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the network of a NIC whose port Nova created, the port of any other."""
        resource = super().import_resource(existing, remote, outputs)
        name = "network_id" if importing.is_of_nova(existing, remote) else "port_id"
        resource.inputs[name] = outputs[name]
        resource.depends_on = importing.subnets_of(existing, [remote])
        return resource

    def find_own_orphans(self, context: Context, desired: InterfaceAttachmentInputs) -> list[tuple[str, None]]:
        """Find ports with the NIC's owner marker that are attached to the server or not attached yet.

        A port in the state is no orphan: its server was deleted outside of Pulumi, and the NIC is being replaced.
        """
        if not desired.network_id:
            return []
        if not (marker := nic_marker(context)):
            return []
        ports = with_marker(context, "port", marker, partial(is_nic_of, context))
        found = [port["id"] for port in ports if port.get("device_id") in (None, "", desired.server_id)]
        known = state.read(context.project, context.stack).resources if found else ()
        managed = {self.object_id(str(each.get("id"))) for each in known}
        return [(f"{desired.server_id}/{id_}", None) for id_ in found if id_ not in managed]

    def create(self, context: Context, desired: InterfaceAttachmentInputs) -> RemoteObject:
        """Attach the NIC; a port that is attached to the server already is used as it is."""
        addresses = [item.ip_address for item in desired.fixed_ips or ()]

        def attach_nic() -> RemoteObject:
            if desired.network_id and (marker := nic_marker(context)):
                remote = create_and_attach_port(
                    context, desired.server_id, desired.network_id, addresses, desired.tag, marker=marker
                )
            else:
                place = {"port_id": desired.port_id, "network_id": desired.network_id}
                remote = attach(context, desired.server_id, **place, addresses=addresses, tag=desired.tag)
            context.record_id(f"{desired.server_id}/{remote['id']}")
            return remote

        return while_active(context, desired.server_id, attach_nic)

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the port from the list that all refreshes of ports share."""
        server_id, port_id = split_id(id_, self.name)
        return _nic(context, context.cloud.region.network_objects("port").read(port_id), server_id)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the current port if it is attached to the server, or was created for this NIC."""
        server_id, port_id = split_id(id_, self.name)
        try:
            return _nic(context, network.get(context.cloud.network, "port", port_id), server_id)
        except errors.NotFound:
            return None

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Convert the port to outputs."""
        server_id = remote.get(_SERVER, remote["device_id"])
        return {
            "region": context.cloud.region.name,
            "server_id": server_id,
            "port_id": remote["id"],
            "network_id": remote["network_id"],
            "fixed_ips": remote.get("fixed_ips") or [],
            "mac_address": remote.get("mac_address"),
            "port_state": remote.get("status") if remote.get("device_id") == server_id else _DETACHED,
        }

    def pending_work(self, prior: Mapping[str, Any]) -> str | None:
        """Report a NIC that was detached outside of Pulumi."""
        is_detached = prior.get("port_state") == _DETACHED
        return "the NIC was detached from its server; the next `up` attaches it again" if is_detached else None

    def ownership_updates(self, context: Context, remote: RemoteObject) -> dict[str, Any]:  # noqa: ARG002
        """Update nothing: the owner marker of a port belongs to the `Port` resource that declares it."""
        return {}

    def update(
        self,
        context: Context,
        id_: str,
        desired: InterfaceAttachmentInputs,
        prior: Mapping[str, Any],
    ) -> RemoteObject:
        """Attach the NIC again if it was detached outside of Pulumi; no input can be changed in place."""
        remote = self.read_current(context, id_, desired, prior)
        if if_attached(remote, desired.server_id):
            return remote
        attach_again = partial(attach, context, desired.server_id, port_id=remote["id"], tag=desired.tag)
        return while_active(context, desired.server_id, attach_again)

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Detach the NIC and wait until the port is free; delete a port that was created for the NIC."""
        server_id, port_id = split_id(id_, self.name)
        # A port that was created for the NIC goes with it.
        keep_port = not (rpc_bridge.current_request().old_inputs or {}).get("network_id")
        detach_nic = partial(detach, context, server_id, port_id, keep_port=keep_port)
        port = while_active(context, server_id, detach_nic)
        if port is None and not keep_port and nic_marker(context):
            delete_port(context, port_id)  # a read may not show a port that an earlier run has just created
        if port and is_for_a_nic(context.cloud.region, port) and port.get("device_id") in (None, "", server_id):
            delete_port(context, port_id)

    def remove(self, context: Context, server_id: str, port_id: str) -> None:
        """Detach a NIC from a server that may not end, and delete the port that was created for it."""
        with contextlib.suppress(errors.NotFound):
            while_active(context, server_id, partial(detach_strictly, context, server_id, port_id, keep_port=False))
        delete_port(context, port_id)


def _nic(context: Context, port: RemoteObject | None, server_id: str) -> RemoteObject | None:
    """Return the port of a NIC; a port that was created for the NIC also counts while it is detached."""
    is_for_nic = port and is_for_a_nic(context.cloud.region, port)
    return {**port, _SERVER: server_id} if port and is_for_nic else if_attached(port, server_id)


HANDLER = InterfaceAttachmentHandler()
