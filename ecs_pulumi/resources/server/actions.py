"""Requests that change a server's status, and the waits for them (guide, chapters 4 and 5)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.cloud.polling import retry_while_busy
from ecs_pulumi.resources.idempotent_create import send_once
from ecs_pulumi.resources.nic import delete_port, is_for_a_nic, ports_of
from ecs_pulumi.resources.owner_markers import owner_in
from ecs_pulumi.resources.remote import require_exists
from ecs_pulumi.resources.server import first_nic
from ecs_pulumi.resources.server.report_rules import destination

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

_NO_NOTES: Mapping[str, str] = {}

POWER_BY_STATUS = {
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
_ALTERNATIVES = {
    "changePassword": "set `admin_pass` when the server is created, or change the password in the server",
    **dict.fromkeys(("pause", "suspend", "shelve"), 'use "active" or "shutoff"'),
    **dict.fromkeys(("unpause", "resume", "unshelve"), "ask the operator of the cloud to make the server active"),
}
"""The actions that some clouds do not offer, and what to do instead."""
REFUSES_ATTACHMENTS = ("SUSPENDED", "SHELVED", "SHELVED_OFFLOADED")
"""Statuses in which Nova rejects attaching and detaching (volumes of a shelved server: before compute 2.20)."""
_STUCK = "A hard reboot (`openstack server reboot --hard`) or the cloud's operator may recover it."
_IN_HYPERVISOR = {1: "active", 3: "paused", 4: "shutoff", 7: "suspended"}


def power_state(remote: RemoteObject) -> str | None:
    """Return the server's status as a value of the input `power_state`; None if no value corresponds to it."""
    if remote["status"] in ("VERIFY_RESIZE", "RESIZE", "REVERT_RESIZE"):
        return _IN_HYPERVISOR.get(remote.get("OS-EXT-STS:power_state") or 0)
    return POWER_BY_STATUS.get(remote["status"])


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
    if remote["status"] == "BUILD" or task_of(remote):
        remote = _wait(
            context,
            remote["id"],
            lambda server: server["status"] != "BUILD" and not task_of(server),
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


def stop(context: Context, id_: str) -> RemoteObject:
    """Stop the server."""
    return _act(context, id_, "os-stop", None, ("SHUTOFF",), "to stop")


def resize(context: Context, id_: str, flavor: RemoteObject) -> RemoteObject:
    """Resize to a flavor, until the resize has to be confirmed or the cloud confirmed it by itself."""
    body, ends = {"flavorRef": flavor["id"]}, ("VERIFY_RESIZE", "ACTIVE", "SHUTOFF")
    _request_action(context, id_, "resize", body, lambda server: server["status"].endswith("RESIZE"))

    def shows(server: RemoteObject) -> bool:
        return bool(server["status"] == "VERIFY_RESIZE" or flavor_id(server) == flavor["id"])

    return _wait_for_status(context, id_, ends, f"to become {flavor['name']}", shows=shows)


def rebuild(context: Context, remote: RemoteObject, image_id: str, files: Any) -> RemoteObject:
    """Rebuild the server from an image, with these files if any; a stopped one is stopped again afterwards."""
    id_, body = remote["id"], {"imageRef": image_id} | ({"personality": files} if files else {})

    def has_image(server: RemoteObject) -> bool:
        return bool((server.get("image") or {}).get("id") == image_id)

    _request_action(context, id_, "rebuild", body, has_image)
    is_other = not has_image(remote)

    def shows(server: RemoteObject) -> bool:
        return is_other and has_image(server)

    rebuilt = _wait_for_status(context, id_, ("ACTIVE", "SHUTOFF"), "to be rebuilt", "rebuild", shows=shows)
    if remote["status"] != "SHUTOFF":
        return rebuilt
    # Nova starts a stopped server and stops it again; in between it is ACTIVE without a task.
    return _wait_for_status(context, id_, ("SHUTOFF",), "to be stopped again", shows=shows)


def leave_verify_resize(context: Context, remote: RemoteObject, action: str, doing: str) -> RemoteObject:
    """Confirm or revert a resize, unless the cloud confirmed it by itself."""
    id_, ends = remote["id"], ("ACTIVE", "SHUTOFF")
    # Ignore a rejection if the cloud confirmed by itself, or if a request whose response was lost took effect.
    _request_action(
        context, id_, action, None, lambda remote: remote["status"] in ends, errors.Conflict, errors.BadRequest
    )

    def shows(server: RemoteObject) -> bool:
        return (flavor_id(server) == flavor_id(remote)) == (action == "confirmResize")

    what, notes = f"to complete {action}", {"VERIFY_RESIZE": doing}
    return _wait_for_status(context, id_, ends, what, notes=notes, shows=shows)


def set_power_state(context: Context, remote: RemoteObject, target: str) -> RemoteObject:
    """Bring the server to this power state.

    Raises:
        OperationFailed: The server is in ERROR, or in another status from which no action leads there.
    """
    require_not_in_error(remote)
    if power_state(remote) == target:
        return remote
    if remote["status"] not in POWER_BY_STATUS:
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
    id_, action = remote["id"], TO_ACTIVE[POWER_BY_STATUS[remote["status"]]] if to == "active" else FROM_ACTIVE[to]
    ends = tuple(status for status, power in POWER_BY_STATUS.items() if power == to)
    what = {"active": "to run", "shelved_offloaded": "to be shelved"}.get(to, f"to be {to}")

    def shows(server: RemoteObject) -> bool:
        return flavor_id(server) == flavor_id(prior)

    prior = remote
    remote = _act(context, id_, _API_NAMES.get(action, action), None, ends, what, shows=shows)
    return _offload(context, id_) if remote["status"] == "SHELVED" else remote


def _offload(context: Context, id_: str) -> RemoteObject:
    try:
        return _act(context, id_, "shelveOffload", None, ("SHELVED_OFFLOADED",), "to leave its host")
    except errors.Forbidden:
        # Ordinary accounts may not offload; the cloud offloads by itself after a while.
        return _wait_for_status(context, id_, ("SHELVED_OFFLOADED",), "to leave its host")


def delete(context: Context, id_: str, *, stop_first: bool, force: bool) -> None:
    """Delete the server, whatever its status, and wait until it is gone."""
    if stop_first:
        remote = context.cloud.region.servers.get(id_)
        if remote and remote["status"] == "ACTIVE":
            stop(context, id_)
    loses_ports = context.cloud.region.differences.deletes_ports_with_nics
    remote = first_nic.wait_for_build(context, id_) if loses_ports else None
    # Nova detaches the port that an `InterfaceAttachment` created, but does not delete it. The attachment itself may
    # not be part of this run, for example because of `deleted_with`.
    listed = ports_of(context, id_)
    own = [port["id"] for port in listed if is_for_a_nic(context.cloud.region, port) and owner_in(context, port)]
    kept: list[RemoteObject] = []
    if loses_ports:
        kept = first_nic.detach_others(context, remote, listed, own)
    with contextlib.suppress(errors.NotFound):
        is_forced = _request_deletion(context, id_, force=force)
        _await_gone(context, id_, is_forced=is_forced)
    for port_id in own:
        delete_port(context, port_id)
    first_nic.report_lost(context, id_, kept)


def is_gone(remote: RemoteObject | None) -> bool:
    """Return whether the server does not exist, or is kept only until a deferred deletion."""
    return remote is None or remote["status"] == "SOFT_DELETED"


def _await_gone(context: Context, id_: str, *, is_forced: bool) -> None:
    api, servers, started = context.cloud.compute, context.cloud.region.servers, False

    def gone(remote: RemoteObject | None) -> bool:
        nonlocal started, is_forced
        started = started or bool(remote and task_of(remote) == "deleting")
        is_sure = _is_settled(context, id_)
        if is_forced and remote and not started and is_sure:
            # Nova shows the task before it responds. So the response came from a proxy that hides a refusal.
            is_forced = _request_deletion(context, id_, force=False)
        if remote and started and is_sure and remote["status"] == "ERROR" and not task_of(remote):
            reason = compute.fault_of(remote) or compute.last_failed_action(api, id_, of="delete")
            raise errors.OperationFailed(f"server {id_} could not be deleted", reason)
        return remote is None if is_forced else is_gone(remote)

    kept = servers.poller.wait(
        id_,
        gone,
        deadline=context.cloud.deadline,
        progress=context.report_status,
        describe=describe,
        what=f"server {id_} to be gone",
    )
    if kept:
        context.notify(
            f"the cloud deferred the deletion of the server {id_} (SOFT_DELETED) and keeps its ports and disks until "
            "then; force_delete=True deletes at once"
        )


def _request_deletion(context: Context, id_: str, *, force: bool) -> bool:
    """Send the delete request; return whether it is a forced one, which the cloud does not defer."""
    return retry_while_busy(
        lambda: _delete(context, id_, force=force), context.cloud.deadline, progress=context.report_status
    )


def _delete(context: Context, id_: str, *, force: bool) -> bool:
    differences = context.cloud.region.differences
    force = force and not differences.knows(Fact.NO_ACTION, "forceDelete")
    try:
        compute.delete_server(context.cloud.compute, id_, force=force)
    except (errors.BadRequest, errors.Forbidden, errors.NotFound, errors.ProxyNotFound) as error:
        if not force:
            raise
        if errors.is_unknown_action(error):
            differences.note(Fact.NO_ACTION, "forceDelete")
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
        def shows(remote: RemoteObject) -> bool:
            is_under_way = isinstance(error, errors.BadRequest) and remote["status"] == "VERIFY_RESIZE"
            return bool(task_of(remote)) or is_under_way or took_effect(remote)

        def read() -> RemoteObject:
            return require_exists(context.cloud.region.servers.get(id_), "Server", id_)

        remote = context.cloud.writes.read_until(read, shows, id_)
        return remote if shows(remote) else None

    def request() -> Any:
        return retry_while_busy(
            lambda: send(context, id_, action, body), context.cloud.deadline, progress=context.report_status
        )

    send_once(request, find_effect, *rejections)


def send(context: Context, id_: str, action: str, body: Any = None) -> None:
    """Send an action.

    Raises:
        OperationFailed: The cloud does not offer the action; it is not sent again in this region.
    """
    if reason := not_offered(context, action):
        raise errors.OperationFailed(_input_of(action), reason)
    try:
        compute.action(context.cloud.compute, id_, action, body)
    except (errors.BadRequest, errors.NotFound, errors.ProxyNotFound) as error:
        if not _is_not_offered(context, id_, action, error):
            raise
        # The 404 of a proxy may be temporary.
        is_certain = not isinstance(error, errors.ProxyNotFound)
        if is_certain:
            context.cloud.region.differences.note(Fact.NO_ACTION, action)
        reason = _refusal(action, "does not" if is_certain else "may not")
        raise errors.OperationFailed(_input_of(action), f"{reason}: {error}") from error


def not_offered(context: Context, name: str | None) -> str | None:
    """Return that the cloud does not offer an action, or the one that leads to a power state, if that is known."""
    action = FROM_ACTIVE.get(name or "", name or "")
    return _refusal(action, "does not") if context.cloud.region.differences.knows(Fact.NO_ACTION, action) else None


def maybe_not_offered(context: Context, name: str | None) -> str | None:
    """Return that the cloud does not document an action, or the one that leads to a power state, if that is so."""
    action = FROM_ACTIVE.get(name or "", name or "")
    is_in_doubt = action in _ALTERNATIVES and context.cloud.region.differences.documents_few_actions
    return _refusal(action, "may not") if is_in_doubt else None


def _refusal(action: str, does_not: str) -> str:
    advice = _ALTERNATIVES.get(action)
    return f"this cloud {does_not} offer the action {action}" + (f"; {advice}" if advice else "")


def _input_of(action: str) -> str:
    return "admin_pass" if action == "changePassword" else "power_state"


def _is_not_offered(context: Context, id_: str, action: str, error: errors.ApiError) -> bool:
    """Whether the error means that the cloud has no such action; Nova answers 400, a gateway may answer 404."""
    if isinstance(error, errors.BadRequest):
        return errors.is_unknown_action(error)
    is_optional = action in _ALTERNATIVES and id_ not in error.message
    return is_optional and context.cloud.region.servers.get(id_) is not None


def _act(
    context: Context,
    id_: str,
    action: str,
    body: Any,
    ends: Collection[str],
    what: str,
    shows: Callable[[RemoteObject], bool] = lambda _: True,
) -> RemoteObject:
    # A conflict may mean that an earlier `up`, which was killed, sent the same action.
    _request_action(context, id_, action, body, lambda remote: remote["status"] in ends, errors.Conflict)
    return _wait_for_status(context, id_, ends, what, action, shows=shows)


def _is_settled(context: Context, id_: str) -> bool:
    return context.cloud.writes.is_settled(id_)


def _wait_for_status(
    context: Context,
    id_: str,
    ends: Collection[str],
    what: str,
    action: str = "",
    *,
    notes: Mapping[str, str] = _NO_NOTES,
    shows: Callable[[RemoteObject], bool] = lambda _: True,
) -> RemoteObject:
    """Wait until the server is in one of these statuses and runs no task.

    Args:
        context: The operation.
        id_: The server.
        ends: The statuses.
        what: What the wait is for.
        action: The action whose failure ends the wait; empty if the statuses show it.
        notes: Additions to the status line, as of `_wait`.
        shows: Whether a server in one of these statuses shows the effect of the last request. If it does not, it may be
            the server from before that request, until no read can be stale.
    """
    started = False

    def done(remote: RemoteObject) -> bool:
        nonlocal started
        started = started or bool(task_of(remote))
        is_sure = _is_settled(context, id_)
        if remote["status"] in ends and not task_of(remote):
            return is_sure or shows(remote)
        if started and is_sure and action and not task_of(remote) and remote["status"] in POWER_BY_STATUS:
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
        if server["status"] == "ERROR" and not task_of(server) and _is_settled(context, id_):
            reason = compute.fault_of(server) or compute.last_failed_action(context.cloud.compute, id_)
            raise errors.OperationFailed(f"server {id_} is in ERROR", reason)
        return bool(done(server))

    remote = context.cloud.region.servers.poller.wait(
        id_,
        is_done,
        deadline=context.cloud.deadline,
        progress=context.report_status,
        describe=lambda server: describe(server, notes),
        what=f"server {id_} {what}",
    )
    return require_exists(remote, "Server", id_)


def task_of(remote: RemoteObject) -> str | None:
    """Return the task that the cloud is running on the server."""
    task: str | None = remote.get("OS-EXT-STS:task_state")
    return task


def describe(remote: RemoteObject | None, notes: Mapping[str, str] = _NO_NOTES) -> str:
    """Describe the status and the task of the server, for a status line."""
    if remote is None:
        return "gone"
    task, status = task_of(remote), str(remote["status"])
    note = notes.get(task or status)
    return (f"{status}: {task}" if task else status) + (f", {note}" if note else "")
