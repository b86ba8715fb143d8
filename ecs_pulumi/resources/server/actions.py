"""Requests that change a server's status, the waits for them, and the running update (guide, chapters 4 and 5)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.cloud.polling import retry_while_busy
from ecs_pulumi.dynamic.fields import to_plain
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.idempotent_create import send_once
from ecs_pulumi.resources.nic import delete_port, is_for_a_nic, ports_of
from ecs_pulumi.resources.owner_markers import kept_marker, parse_owner_marker
from ecs_pulumi.resources.remote import require_exists
from ecs_pulumi.resources.server import nics
from ecs_pulumi.resources.server.create import encoded_files
from ecs_pulumi.resources.server.schema import destination

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject
    from ecs_pulumi.resources.server.schema import ServerInputs
    from ecs_pulumi.resources.steps import Step

_NO_NOTES: Mapping[str, str] = {}

_POWER = {
    "ACTIVE": "active",
    "SHUTOFF": "shutoff",
    "PAUSED": "paused",
    "SUSPENDED": "suspended",
    "SHELVED": "shelved_offloaded",
    "SHELVED_OFFLOADED": "shelved_offloaded",
}
TO_ACTIVE = {"shutoff": "start", "paused": "unpause", "suspended": "resume", "shelved_offloaded": "unshelve"}
"""The action that makes a server in this power state active."""
FROM_ACTIVE = {"shutoff": "stop", "paused": "pause", "suspended": "suspend", "shelved_offloaded": "shelve"}
"""The action that brings an active server to this power state."""
_API_NAMES = {"start": "os-start", "stop": "os-stop"}
REFUSES_ATTACHMENTS = ("SUSPENDED", "SHELVED", "SHELVED_OFFLOADED")
"""Statuses in which Nova rejects attaching and detaching (volumes of a shelved server: before compute 2.20)."""
_STUCK = "A hard reboot (`openstack server reboot --hard`) or the cloud's operator may recover it."
_IN_HYPERVISOR = {1: "active", 3: "paused", 4: "shutoff", 7: "suspended"}


def power_state(remote: RemoteObject) -> str | None:
    """Return the server's status as a value of the input `power_state`; None if no value corresponds to it."""
    if remote["status"] in ("VERIFY_RESIZE", "RESIZE", "REVERT_RESIZE"):
        return _IN_HYPERVISOR.get(remote.get("OS-EXT-STS:power_state") or 0)
    return _POWER.get(remote["status"])


def path(current: str | None, target: str) -> list[str]:
    """Return the power states through which a server gets from one to another; None is a status without one."""
    if current == target:
        return []
    is_direct = "active" in (current, target) or (current, target) == ("shutoff", "shelved_offloaded")
    return [target] if is_direct else ["active", target]


def power_after(action: str | None) -> str | None:
    """Return the power state to which a pending action leads; None without one."""
    return next((power for power, name in FROM_ACTIVE.items() if name == action), "active" if action else None)


def flavor_id(remote: RemoteObject) -> str:
    """Return the id of the server's flavor."""
    return str((remote.get("flavor") or {}).get("id") or "")


def wait_until_active(context: Context, id_: str) -> RemoteObject:
    """Wait until a new server is active."""
    volumes = sum(destination(disk) == "volume" for disk in context.inputs.get("block_devices") or ())
    notes = {"block_device_mapping": f"waiting for {volumes} volume{'s' * (volumes > 1)}"} if volumes else {}
    return _wait_for_status(context, id_, ("ACTIVE",), "to run", notes=notes)


def wait_until_idle(context: Context, remote: RemoteObject) -> RemoteObject:
    """Wait for a running task.

    Raises:
        OperationFailed: The server is in ERROR and was never active.
    """
    if remote["status"] == "BUILD" or _task(remote):
        remote = _wait(
            context,
            remote["id"],
            lambda server: server["status"] != "BUILD" and not _task(server),
            "to finish its current task",
        )
    if remote["status"] == "ERROR" and not remote.get("OS-SRV-USG:launched_at"):
        raise errors.OperationFailed(f"server {remote['id']} never ran", compute.fault_of(remote))
    return remote


def require_not_in_error(remote: RemoteObject) -> RemoteObject:
    """Return the server if it is not in ERROR, where Nova rejects all actions but a rebuild and a deletion.

    Raises:
        OperationFailed: The server is in ERROR.
    """
    if remote["status"] == "ERROR":
        reason = (compute.fault_of(remote) or "the cloud recorded no reason").rstrip(".")
        raise errors.OperationFailed(f"server {remote['id']} is in ERROR", f"{reason}. {_STUCK}")
    return remote


@dataclass
class ServerUpdate:
    """A running update of a server. Its methods are the steps of `plan.plan`."""

    context: Context
    desired: ServerInputs
    prior: Mapping[str, Any]
    """The prior outputs."""
    remote: RemoteObject
    """The server as of the last read or wait."""
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
        require_not_in_error(self._read() if self._is_stale else self.remote)
        self.context.record_outputs(pending_action=None)
        return self.remote

    def update_attributes(self) -> None:
        """Change name and description."""
        api = self.context.cloud.compute
        attributes = {name: self.changes[name] for name in ("name", "description") if name in self.changes}
        microversion = api.require("a server's description", "2.19") if "description" in attributes else None
        compute.update_server(api, self.remote["id"], attributes, microversion=microversion)
        self._is_stale = True

    def replace_metadata(self) -> None:
        """Replace the metadata; the owner marker stays."""
        metadata = {**self.changes["metadata"], **kept_marker(self.context, self.remote)}
        compute.replace_metadata(self.context.cloud.compute, self.remote["id"], metadata)
        self._is_stale = True

    def replace_tags(self) -> None:
        """Replace the tags."""
        tags = sorted(set(self.desired.tags or ()))
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
            nics.record_interfaces(self.context, self._read(), self.interfaces)

    def change_security_groups(self) -> None:
        """Set the security groups of the NICs that Nova created."""
        nics.change_security_groups(self.context, self.remote, self.desired.security_groups or ())
        self._is_stale = True

    def wake(self, until: str) -> None:
        """Make the server active for a change that Nova rejects in the power state `until`."""
        self._return_later(FROM_ACTIVE[until])
        self.set_power_state("active")

    def stop_for_resize(self) -> None:
        """Stop the server; the state records that it has to be started again."""
        self._return_later("start")
        self._update(_act(self.context, self.remote["id"], "os-stop", None, ("SHUTOFF",), "to stop"))

    def resize(self) -> None:
        """Resize to the desired flavor, until the resize has to be confirmed."""
        require_not_in_error(self.remote)
        context, id_, ends = self.context, self.remote["id"], ("VERIFY_RESIZE", "ACTIVE", "SHUTOFF")
        flavor = catalog(context.cloud.region).flavor(self.desired.flavor)
        body = {"flavorRef": flavor["id"]}
        _request_action(context, id_, "resize", body, lambda server: server["status"].endswith("RESIZE"))
        what = f"to become {flavor['name']}"
        self._update(_wait(context, id_, lambda server: server["status"] in ends and not _task(server), what))

    def confirm(self) -> None:
        """Confirm the resize, unless the cloud did so by itself.

        Raises:
            OperationFailed: The cloud did not resize the server.
        """
        context, id_ = self.context, self.remote["id"]
        if self.remote["status"] == "VERIFY_RESIZE":
            self._update(_leave_verify_resize(context, id_, "confirmResize", "confirming"))
        flavor = catalog(context.cloud.region).flavor(self.desired.flavor)
        if flavor_id(self.remote) != flavor["id"]:
            # If Nova finds no host for a resize, the server's document does not show the failure.
            reason = compute.last_failed_action(context.cloud.compute, id_, of="resize")
            raise errors.OperationFailed(f"the cloud did not resize to {flavor['name']}", reason)

    def end_earlier_resize(self, action: str, progress: str) -> None:
        """Confirm or revert the resize of an update that was interrupted."""
        if self.prior.get("vm_state") == "active" or self.prior.get("pending_action"):
            self._return_later("start")
        self._update(_leave_verify_resize(self.context, self.remote["id"], action, progress))

    def rebuild(self) -> None:
        """Rebuild the server from the desired image; it keeps its id, addresses and volumes."""
        context, id_, status = self.context, self.remote["id"], self.remote["status"]
        image_id = catalog(context.cloud.region).image(str(self.desired.image))["id"]
        body: RemoteObject = {"imageRef": image_id}
        if self.desired.personality:
            body["personality"] = encoded_files(to_plain(self.desired.personality))
        _request_action(context, id_, "rebuild", body, lambda server: (server.get("image") or {}).get("id") == image_id)
        remote = _wait_for_status(context, id_, ("ACTIVE", "SHUTOFF"), "to be rebuilt", "rebuild")
        if status == "SHUTOFF":
            # Nova starts a stopped server and stops it again; in between it is ACTIVE without a task.
            remote = _wait_for_status(context, id_, ("SHUTOFF",), "to be stopped again")
        self._update(remote)

    def change_password(self) -> None:
        """Set the administrator's password."""
        body = {"adminPass": self.desired.admin_pass}
        compute.action(self.context.cloud.compute, self.remote["id"], "changePassword", body)
        self.context.record_outputs(admin_pass=self.desired.admin_pass)
        # A response to the next action that is lost must not find this task instead of its own.
        self._update(wait_until_idle(self.context, self._read()))

    def set_power_state(self, to: str) -> None:
        """Bring the server to a power state; it no longer has to return to the one before if this is the same."""
        self._update(set_power_state(self.context, self.remote, to))
        if to == power_after(self.context.known.get("pending_action")):
            self.context.record_outputs(pending_action=None)

    def _return_later(self, action: str) -> None:
        """Record the action that returns the server to its power state, unless an earlier step or update did."""
        self.context.record_outputs(pending_action=self.context.known.get("pending_action") or action)

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
            if remote["status"] in _POWER and not _task(remote):
                self.set_power_state(power)
                return
            reason = _describe(remote)
        except errors.EcsError as error:
            reason = str(error)
        self.context.warn(
            f"the server could not be returned to the power state {power} ({reason}); the next `pulumi up` tries again"
        )


def _leave_verify_resize(context: Context, id_: str, action: str, doing: str) -> RemoteObject:
    ends = ("ACTIVE", "SHUTOFF")
    context.report_status(f"VERIFY_RESIZE, {doing}")
    # Ignore a rejection if the cloud confirmed by itself, or if a request whose response was lost took effect.
    _request_action(
        context, id_, action, None, lambda remote: remote["status"] in ends, errors.Conflict, errors.BadRequest
    )
    done, notes = (lambda server: server["status"] in ends and not _task(server)), {"VERIFY_RESIZE": doing}
    return _wait(context, id_, done, f"to complete {action}", notes)


def set_power_state(context: Context, remote: RemoteObject, target: str) -> RemoteObject:
    """Bring the server to this power state.

    Raises:
        OperationFailed: The server is in ERROR, or in another status from which no action leads there.
    """
    require_not_in_error(remote)
    if power_state(remote) == target:
        return remote
    if remote["status"] not in _POWER:
        fault = compute.fault_of(remote)
        raise errors.OperationFailed(
            f"cannot set power_state {target}: the server is in {remote['status']}",
            fault or "bring the server to ACTIVE or SHUTOFF first",
        )
    for power in path(power_state(remote), target):
        remote = _change_power_state(context, remote, power)
    return remote


def _change_power_state(context: Context, remote: RemoteObject, to: str) -> RemoteObject:
    """Bring the server to a power state that it reaches with one action."""
    id_, action = remote["id"], TO_ACTIVE[_POWER[remote["status"]]] if to == "active" else FROM_ACTIVE[to]
    ends = tuple(status for status, power in _POWER.items() if power == to)
    what = {"active": "to run", "shelved_offloaded": "to be shelved"}.get(to, f"to be {to}")
    remote = _act(context, id_, _API_NAMES.get(action, action), None, ends, what)
    return _offload(context, id_) if remote["status"] == "SHELVED" else remote


def _offload(context: Context, id_: str) -> RemoteObject:
    try:
        return _act(context, id_, "shelveOffload", None, ("SHELVED_OFFLOADED",), "to leave its host")
    except errors.Forbidden:
        # Ordinary accounts may not offload; the cloud offloads by itself after a while.
        return _wait_for_status(context, id_, ("SHELVED_OFFLOADED",), "to leave its host")


def delete(context: Context, id_: str, *, stop: bool, force: bool) -> None:
    """Delete the server, whatever its status, and wait until it is gone."""
    if stop:
        remote = context.cloud.region.servers.get(id_)
        if remote and remote["status"] == "ACTIVE":
            _act(context, id_, "os-stop", None, ("SHUTOFF",), "to stop")
    # Nova detaches the port that an `InterfaceAttachment` created, but does not delete it. The attachment itself may
    # not be part of this run, for example because of `deleted_with`.
    ports = [port["id"] for port in ports_of(context, id_) if is_for_a_nic(port) and _is_of_stack(context, port)]
    with contextlib.suppress(errors.NotFound):
        is_forced = retry_while_busy(
            lambda: _delete(context, id_, force=force), context.cloud.deadline, progress=context.report_status
        )
        _await_gone(context, id_, is_forced=is_forced)
    for port_id in ports:
        delete_port(context, port_id)


def _is_of_stack(context: Context, port: RemoteObject) -> bool:
    return parse_owner_marker(port["description"], context.project, context.stack) is not None


def is_gone(remote: RemoteObject | None) -> bool:
    """Return whether the server does not exist, or is kept only until a deferred deletion."""
    return remote is None or remote["status"] == "SOFT_DELETED"


def _await_gone(context: Context, id_: str, *, is_forced: bool) -> None:
    api, servers, started = context.cloud.compute, context.cloud.region.servers, False

    def gone(remote: RemoteObject | None) -> bool:
        nonlocal started
        started = started or bool(remote and _task(remote) == "deleting")
        if remote and started and remote["status"] == "ERROR" and not _task(remote):
            reason = compute.fault_of(remote) or compute.last_failed_action(api, id_, of="delete")
            raise errors.OperationFailed(f"server {id_} could not be deleted", reason)
        return remote is None if is_forced else is_gone(remote)

    kept = servers.poller.wait(
        id_,
        gone,
        deadline=context.cloud.deadline,
        progress=context.report_status,
        describe=_describe,
        what=f"server {id_} to be gone",
    )
    if kept:
        context.notify(
            f"the cloud deferred the deletion of the server {id_} (SOFT_DELETED) and keeps its ports and disks until "
            "then; force_delete=True deletes at once"
        )


def _delete(context: Context, id_: str, *, force: bool) -> bool:
    """Send the delete request; return whether it is a forced one, which the cloud does not defer."""
    try:
        compute.delete_server(context.cloud.compute, id_, force=force)
    except (errors.BadRequest, errors.Forbidden, errors.NotFound):
        if not force:
            raise
        # The force-delete action may return 404 for a server that was just created.
        compute.delete_server(context.cloud.compute, id_)
        return False
    return force


def _request_action(
    context: Context,
    id_: str,
    action: str,
    body: Any,
    took_effect: Callable[[RemoteObject], bool],
    *rejections: type[errors.EcsError],
) -> None:
    """Send an action; after a lost response, a running task or `took_effect` shows that Nova accepted it.

    Args:
        context: The operation.
        id_: The server.
        action: Name of the action.
        body: Arguments of the action.
        took_effect: Returns whether the server shows the effect of the action.
        rejections: Errors after which to check for the effect as well.
    """

    def find_effect(error: errors.EcsError) -> RemoteObject | None:
        remote = require_exists(context.cloud.region.servers.get(id_), "Server", id_)
        is_under_way = isinstance(error, errors.BadRequest) and remote["status"] == "VERIFY_RESIZE"
        return remote if _task(remote) or is_under_way or took_effect(remote) else None

    def send() -> Any:
        return retry_while_busy(
            lambda: compute.action(context.cloud.compute, id_, action, body),
            context.cloud.deadline,
            progress=context.report_status,
        )

    send_once(send, find_effect, *rejections)


def _act(context: Context, id_: str, action: str, body: Any, ends: Collection[str], what: str) -> RemoteObject:
    # A conflict may mean that an earlier `up`, which was killed, sent the same action.
    _request_action(context, id_, action, body, lambda remote: remote["status"] in ends, errors.Conflict)
    return _wait_for_status(context, id_, ends, what, action)


def _wait_for_status(
    context: Context, id_: str, ends: Collection[str], what: str, action: str = "", notes: Mapping[str, str] = _NO_NOTES
) -> RemoteObject:
    """Wait until the server is in one of these statuses and runs no task."""
    started = False

    def done(remote: RemoteObject) -> bool:
        nonlocal started
        started = started or bool(_task(remote))
        if remote["status"] in ends and not _task(remote):
            return True
        if started and action and not _task(remote) and remote["status"] in _POWER:
            reason = compute.last_failed_action(context.cloud.compute, id_, of=action.removeprefix("os-"))
            raise errors.OperationFailed(f"the server is {remote['status']} after {action}", reason)
        return False

    return _wait(context, id_, done, what, notes)


def _wait(context: Context, id_: str, done: Any, what: str, notes: Mapping[str, str] = _NO_NOTES) -> RemoteObject:
    """Wait until `done` returns true; `notes` are additions to the status line by task, or by status without a task.

    Raises:
        OperationFailed: The server is in ERROR.
    """

    def is_done(remote: RemoteObject | None) -> bool:
        server = require_exists(remote, "Server", id_)
        if server["status"] == "ERROR" and not _task(server):
            reason = compute.fault_of(server) or compute.last_failed_action(context.cloud.compute, id_)
            raise errors.OperationFailed(f"server {id_} is in ERROR", reason)
        return bool(done(server))

    remote = context.cloud.region.servers.poller.wait(
        id_,
        is_done,
        deadline=context.cloud.deadline,
        progress=context.report_status,
        describe=lambda server: _describe(server, notes),
        what=f"server {id_} {what}",
    )
    return require_exists(remote, "Server", id_)


def _task(remote: RemoteObject) -> str | None:
    task: str | None = remote.get("OS-EXT-STS:task_state")
    return task


def _describe(remote: RemoteObject | None, notes: Mapping[str, str] = _NO_NOTES) -> str:
    if remote is None:
        return "gone"
    task, status = _task(remote), str(remote["status"])
    note = notes.get(task or status)
    return (f"{status}: {task}" if task else status) + (f", {note}" if note else "")
