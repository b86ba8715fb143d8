"""A running update of a server: the steps that a plan consists of, and the return to the power state from before."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic.fields import to_plain
from ecs_pulumi.resources import cloud_metadata
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.remote import require_exists
from ecs_pulumi.resources.server import actions, nics, refusals
from ecs_pulumi.resources.server.actions import FROM_ACTIVE, POWER_BY_STATUS, power_after
from ecs_pulumi.resources.server.create import encoded_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject
    from ecs_pulumi.resources.server.schema import ServerInputs
    from ecs_pulumi.resources.steps import Step


_ATTRIBUTES = frozenset({"name", "description", "metadata", "tags", "security_groups"})
"""The inputs whose change is not waited for."""


@dataclass
class ServerUpdate:
    """A running update of a server. Its methods are the steps of `plan.plan`."""

    context: Context
    desired: ServerInputs
    prior: Mapping[str, Any]
    """The prior outputs."""
    remote: RemoteObject
    """The server as of the last read or wait."""
    differing: Callable[[RemoteObject], Mapping[str, Any]]
    """Returns the inputs that differ from a remote object, with their desired values."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """The inputs that differ from the remote object, with their desired values."""
    interfaces: nics.InterfaceChanges | None = None
    """The NICs of the program with their ports; None if they are unchanged or not managed."""
    pending_action: str | None = None
    """What an earlier update did not do any more, see `plan.interrupted_action`."""
    _is_stale: bool = field(default=False, init=False)

    def run(self, steps: Iterable[Step[ServerUpdate]]) -> None:
        """Run the steps; after a failure, return the server to the power state that it had."""
        for step in steps:
            try:
                step.run(self)
            except errors.EcsError:
                self._restore_power_state()
                raise

    def result(self) -> RemoteObject:
        """Return the server after the update.

        Raises:
            OperationFailed: The server is in ERROR.
        """
        actions.require_not_in_error(self._read_changed() if self._is_stale else self.remote)
        self.context.record_outputs(pending_action=None)
        return self.remote

    def update_attributes(self) -> None:
        """Change name and description."""
        attributes = {name: self.changes[name] for name in ("name", "description") if name in self.changes}
        with refusals.explained(self.desired):
            compute.update_server(self.context.cloud.compute, self.remote["id"], attributes)
        self._is_stale = True

    def replace_metadata(self) -> None:
        """Replace the metadata; the owner marker and what the cloud has written stay."""
        context, desired = self.context, self.changes["metadata"]
        kept = cloud_metadata.keys_in_server(context, self.remote.get("metadata") or {})
        self._is_stale = True
        cloud_metadata.write(compute, context.cloud.compute, context, self.remote, desired, kept)

    def replace_tags(self) -> None:
        """Replace the tags."""
        tags = sorted(set(self.desired.tags or ()))
        with refusals.explained(self.desired):
            compute.replace_tags(self.context.cloud.compute, self.remote["id"], tags)
        self._is_stale = True

    def record_unchanged(self) -> None:
        """Record what holds before the first step: the pending action, and the NICs if no step changes them."""
        if self.pending_action:
            self.context.record_outputs(pending_action=self.pending_action)
        if self.interfaces is None:
            self.context.record_outputs(networks=self.context.inputs.get("networks"))
        elif not self.interfaces.has_changes:
            nics.record_interfaces(self.context, self.remote, self.interfaces)

    def change_interfaces(self) -> None:
        """Attach and detach NICs, and record the ports of those that the program lists."""
        if self.interfaces:
            nics.change_interfaces(self.context, self.remote["id"], self.interfaces)
            shows = partial(nics.shows_interfaces, self.context, interfaces=self.interfaces)
            remote = self.context.cloud.writes.read_until(self._read, shows, self.remote["id"])
            nics.record_interfaces(self.context, remote, self.interfaces)

    def change_security_groups(self) -> None:
        """Set the security groups of the NICs that Nova created."""
        nics.change_security_groups(self.context, self.remote, self.desired.security_groups or ())
        self.context.cloud.writes.touch(self.remote["id"])
        self._is_stale = True

    def wake(self, until: str) -> None:
        """Make the server active for a change that Nova rejects in the power state `until`."""
        self._return_later(FROM_ACTIVE[until])
        self.set_power_state("active")

    def stop_for_resize(self) -> None:
        """Stop the server; the state records that it has to be started again."""
        self._return_later("start")
        self._update(actions.stop(self.context, self.remote["id"]))

    def resize(self) -> None:
        """Resize to the desired flavor, until the resize has to be confirmed."""
        actions.require_not_in_error(self.remote)
        flavor = catalog(self.context.cloud.region).flavor(self.desired.flavor)
        self._update(actions.resize(self.context, self.remote["id"], flavor))

    def confirm(self) -> None:
        """Confirm the resize, unless the cloud did so by itself.

        Raises:
            OperationFailed: The cloud did not resize the server.
        """
        context = self.context
        if self.remote["status"] == "VERIFY_RESIZE":
            self._update(actions.leave_verify_resize(context, self.remote, "confirmResize", "confirming"))
        flavor = catalog(context.cloud.region).flavor(self.desired.flavor)
        if actions.flavor_id(self.remote) != flavor["id"]:
            # If Nova finds no host for a resize, the server's document does not show the failure.
            reason = compute.last_failed_action(context.cloud.compute, self.remote["id"], of="resize")
            raise errors.OperationFailed(f"the cloud did not resize to {flavor['name']}", reason)

    def end_earlier_resize(self, action: str, progress: str) -> None:
        """Confirm or revert the resize of an update that was interrupted."""
        if self.prior.get("vm_state") == "active" or self.prior.get("pending_action"):
            self._return_later("start")
        self._update(actions.leave_verify_resize(self.context, self.remote, action, progress))

    def rebuild(self) -> None:
        """Rebuild the server from the desired image; it keeps its id, addresses and volumes."""
        image_id = catalog(self.context.cloud.region).image(str(self.desired.image))["id"]
        files = to_plain(self.desired.personality)
        self._update(actions.rebuild(self.context, self.remote, image_id, encoded_files(files) if files else None))

    def change_password(self) -> None:
        """Set the administrator's password."""
        body = {"adminPass": self.desired.admin_pass}
        actions.send(self.context, self.remote["id"], "changePassword", body)
        self.context.record_outputs(admin_pass=self.desired.admin_pass)
        # A response to the next action that is lost must not find this task instead of its own.
        self._update(actions.wait_until_idle(self.context, self._read()))

    def set_power_state(self, to: str) -> None:
        """Bring the server to a power state; it no longer has to return to the one before if this is the same."""
        self._update(actions.set_power_state(self.context, self.remote, to))
        if to == power_after(self.context.known.get("pending_action")):
            self.context.record_outputs(pending_action=None)

    def _return_later(self, action: str) -> None:
        """Record the action that returns the server to its power state, unless an earlier step or update did."""
        self.context.record_outputs(pending_action=self.context.known.get("pending_action") or action)

    def _read_changed(self) -> RemoteObject:
        """Read the server once the API shows the changed attributes."""

        def shows(remote: RemoteObject) -> bool:
            return _ATTRIBUTES.isdisjoint(self.differing(remote))

        writes = self.context.cloud.writes
        return writes.read_until(self._read, shows, self.remote["id"])

    def _read(self) -> RemoteObject:
        id_ = self.remote["id"]
        self._update(require_exists(self.context.cloud.region.servers.get(id_), "Server", id_))
        return self.remote

    def _update(self, remote: RemoteObject) -> None:
        self.remote, self._is_stale = remote, False

    def _restore_power_state(self) -> None:
        power = power_after(self.context.known.get("pending_action"))
        if power is None:
            return
        try:
            remote = self._read()
            # From another status, such as VERIFY_RESIZE or a running task, the next update goes on.
            if remote["status"] in POWER_BY_STATUS and not actions.task_of(remote):
                self.set_power_state(power)
                return
            reason = actions.describe(remote)
        except errors.EcsError as error:
            reason = str(error)
        self.context.warn(
            f"the server could not be returned to the power state {power} ({reason}); the next `pulumi up` tries again"
        )
