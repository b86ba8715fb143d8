"""FloatingIpAssociation: associates a floating IP with a port (Neutron API reference, "Floating IPs")."""

import contextlib
import operator
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic.existing import Candidate
from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    ChangedBy,
    CheckInputs,
    Computed,
    Exclusive,
    InPlace,
    Inputs,
    Outputs,
    Problem,
    References,
    Replace,
)
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.addresses import IpAddress
from ecs_pulumi.resources.association import associate, check_port, notify_of_move, report_move
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.handler import EcsHandler
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.remote import RemoteObject
from ecs_pulumi.resources.request_body import create_body, diff_remote


class FloatingIpAssociationInputs(Inputs):
    """Associates a floating IP that outlives the stack, or that is managed elsewhere, with a port.

    Its id is that of the floating IP. For a `FloatingIp` of the same program, set its `port_id` instead.

    Source: Neutron API reference, "Update floating IP".
    """

    floating_ip_id: Annotated[str, Replace(), References("FloatingIp")] = Field(description="Id of the floating IP.")
    port_id: Annotated[str, InPlace(), Exclusive(), References("Port")] = Field(
        description="Port that the address leads to. A change moves the address to another port."
    )
    fixed_ip: Annotated[IpAddress | None, InPlace(), Computed(), AlwaysSet()] = Field(
        None, description="Address of the port, if it has several IPv4 addresses."
    )


class FloatingIpAssociationOutputs(Outputs):
    """Outputs of an association that are not inputs."""

    address: Annotated[str, ChangedBy()] = Field(description="Address of the floating IP in the external network.")


class FloatingIpAssociationHandler(EcsHandler[FloatingIpAssociationInputs]):
    """Associations of floating IPs with ports, read from the floating IPs."""

    name = "FloatingIpAssociation"
    report_rules = "ecs_pulumi.resources.floating_ip_association_report_rules"
    id_format, id_example = "the id of the floating IP", "c4a3019d-1ac0-…"
    title = "Associations of floating IPs"
    dependencies = ("RouterInterface",)
    inputs = FloatingIpAssociationInputs
    outputs = FloatingIpAssociationOutputs

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that floating IP and port exist. Warn if no router connects them. Show which port the first leaves."""
        yield from super().preflight(context, checked)
        resolver, id_ = catalog(context.cloud.region), checked.known("floating_ip_id")
        missing = list(
            preflight.check_exists(checked, "floating_ip_id", lambda id_: resolver.neutron("floatingip", id_))
        )
        yield from missing
        network_id = None
        if (
            id_
            and not missing
            and not created_in_this_run(id_)
            and checked.changed("port_id", "fixed_ip", "floating_ip_id")
        ):
            with contextlib.suppress(errors.ApiError):
                remote = resolver.neutron("floatingip", id_)
                network_id = remote["floating_network_id"]
                if checked.changed("floating_ip_id") and not (checked.is_replacement or checked.has("adopt")):
                    # A diff shows what an update takes from a port.
                    port_id = checked.values.get("port_id")
                    notify_of_move(context, remote["floating_ip_address"], remote.get("port_id"), port_id)
        yield from check_port(context, checked, network_id)

    def report_plan(self, context: Context, new: Mapping[str, Any], changed: list[str]) -> None:
        """Show that a port is released."""
        report_move(context, new, changed)

    def candidates(self, existing: Existing) -> Iterator[Candidate]:
        """Yield the associations that another tool manages as such: usually a `FloatingIp` declares its port."""
        for address in existing.candidates_of("FloatingIp"):
            if address.remote.get("port_id") and existing.is_declared(self.name, address.id):
                yield replace(address, kind=self.name)

    def create(self, context: Context, desired: FloatingIpAssociationInputs) -> RemoteObject:
        """Associate the floating IP; wait for a router that connects the port."""
        context.record_id(desired.floating_ip_id)
        try:
            return associate(context, context.id, _body(desired))
        except errors.EcsError:
            with contextlib.suppress(errors.EcsError):
                found = self.read(context, context.id)
                if found is None or found["port_id"] != desired.port_id:
                    context.clear_id()
            raise

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the floating IP from the list that all refreshes share, if it has a port."""
        return _if_associated(context.cloud.region.network_objects("floatingip").read(id_))

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the current floating IP if it has a port."""
        return _if_associated(_find(context, id_))

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Convert the floating IP to outputs."""
        return {
            "region": context.cloud.region.name,
            "floating_ip_id": remote["id"],
            "port_id": remote.get("port_id"),
            "fixed_ip": remote.get("fixed_ip_address"),
            "address": remote["floating_ip_address"],
        }

    def ownership_updates(self, context: Context, remote: RemoteObject) -> dict[str, Any]:  # noqa: ARG002
        """Update nothing: the owner marker belongs to the `FloatingIp` resource that declares the floating IP."""
        return {}

    def update(
        self,
        context: Context,
        id_: str,
        desired: FloatingIpAssociationInputs,
        prior: Mapping[str, Any],
    ) -> RemoteObject:
        """Move the floating IP to another port or another address of the port."""
        remote = self.read_current(context, id_, desired, prior, read=lambda: _find(context, id_))
        if diff_remote(self, context, desired, remote):
            return associate(context, id_, _body(desired))
        return remote

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:
        """Release the port, unless the floating IP has another port by now."""

        def is_associated() -> bool:
            remote = self.read(context, id_)
            return remote is not None and remote["port_id"] == prior.get("port_id", remote["port_id"])

        if not context.cloud.writes.read_until(is_associated, bool, id_):
            return
        try:
            network.update(context.cloud.network, "floatingip", id_, {"port_id": None})
        except errors.NotFound as error:
            # Only the floating IP shows whether the association is gone.
            if context.cloud.writes.read_until(is_associated, operator.not_, id_):
                raise errors.OperationFailed("the floating IP still has the port", str(error)) from error


def _body(desired: FloatingIpAssociationInputs) -> dict[str, Any]:
    return create_body(desired, "port_id", fixed_ip="fixed_ip_address")


def _find(context: Context, id_: str) -> RemoteObject | None:
    try:
        return network.get(context.cloud.network, "floatingip", id_)
    except errors.NotFound:
        return None


def _if_associated(remote: RemoteObject | None) -> RemoteObject | None:
    return remote if remote and remote.get("port_id") else None


HANDLER = FloatingIpAssociationHandler()
