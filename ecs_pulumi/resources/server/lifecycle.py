"""Life cycle of a server: the create request and the changes of its status (guide, chapters 4 and 5)."""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.cloud.polling import retry_while_busy
from ecs_pulumi.dynamic.fields import CheckInputs, Problem, objects, to_plain
from ecs_pulumi.notices import Notice
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.idempotent_create import send_once
from ecs_pulumi.resources.nic import delete_port, is_for_a_nic, ports_of
from ecs_pulumi.resources.owner_markers import metadata_with_marker, owner_marker, parse_owner_marker
from ecs_pulumi.resources.remote import require_exists
from ecs_pulumi.resources.request_body import create_body
from ecs_pulumi.resources.server.nics import deduplicate_groups
from ecs_pulumi.resources.server.schema import destination

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject
    from ecs_pulumi.resources.server.schema import ServerInputs

_DESCRIPTION, _TAGS, _TAGS_IN_CREATE = "2.19", "2.26", "2.52"
_NETWORK_KEYWORDS, _DEVICE_TAGS, _MULTIATTACH, _VOLUME_TYPE = "2.37", "2.42", "2.60", "2.67"
_LAST_PERSONALITY = "2.56"

_NO_NOTES: Mapping[str, str] = {}

_POWER = {
    "ACTIVE": "active",
    "SHUTOFF": "shutoff",
    "PAUSED": "paused",
    "SUSPENDED": "suspended",
    "SHELVED": "shelved_offloaded",
    "SHELVED_OFFLOADED": "shelved_offloaded",
}
_WAKE = {"SHUTOFF": "os-start", "PAUSED": "unpause", "SUSPENDED": "resume"} | dict.fromkeys(
    ("SHELVED", "SHELVED_OFFLOADED"), "unshelve"
)
_SEND_TO = {"shutoff": "os-stop", "paused": "pause", "suspended": "suspend", "shelved_offloaded": "shelve"}
_SHELVED = ("SHELVED", "SHELVED_OFFLOADED")
REFUSES_ATTACHMENTS = ("SUSPENDED", *_SHELVED)
"""Statuses in which Nova rejects attaching and detaching (volumes of a shelved server: before compute 2.20)."""
_REFUSED_IN = {
    "metadata": _SHELVED,
    "tags": _SHELVED,
    "networks": REFUSES_ATTACHMENTS,
    "flavor": ("PAUSED", "SUSPENDED", *_SHELVED),
    "image": ("PAUSED", "SUSPENDED", *_SHELVED),
    "admin_pass": ("PAUSED", "SUSPENDED", *_SHELVED),
}
"""Statuses in which Nova rejects a change of the given input, so that `wake_for` makes the server active first."""
_STUCK = "A hard reboot (`openstack server reboot --hard`) or the cloud's operator may recover it."
_IN_HYPERVISOR = {1: "active", 3: "paused", 4: "shutoff", 7: "suspended"}


# ---------------------------------------------------------------- create request


def required_microversions(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield property, feature and microversion of each input that the API version of the guide does not support."""
    if inputs.get("description"):
        yield "description", "a server's description", _DESCRIPTION
    if inputs.get("tags"):
        yield "tags", "a server's tags", _TAGS
    networks = inputs.get("networks")
    if networks == "none":
        yield "networks", 'networks="none"', _NETWORK_KEYWORDS
    for name in ("networks", "block_devices"):
        items = inputs.get(name)
        if isinstance(items, list) and any(item.get("tag") for item in items):
            yield name, f"a tag in {name}", _DEVICE_TAGS


def unsupported(context: Context, checked: CheckInputs) -> Iterator[Problem]:
    """Yield a problem for each input that the cloud's API version does not support."""
    known = {
        name: [item for _, item in checked.items(name)] if isinstance(value, list) else checked.known(name)
        for name, value in checked.values.items()
    }
    api = context.cloud.compute
    for name, feature, microversion in required_microversions(known):
        if not checked.changed(name):
            continue
        try:
            api.require(feature, microversion)
        except errors.Unsupported as error:
            yield Problem(name, str(error))
    typed = any(item.get("volume_type") for item in known.get("block_devices") or ())
    if typed and known.get("personality") and api.supports(_VOLUME_TYPE):
        yield Problem(
            "personality",
            f"is supported up to compute {_LAST_PERSONALITY}, but a block device's volume_type needs {_VOLUME_TYPE}; "
            'create the volume as a Volume, or force the old API with ecs:apiVersions {"compute": "2"}',
        )


def require_fit(context: Context, name: str) -> None:
    """Reject a flavor without a disk, and report one with a smaller disk, for a server with a local root disk.

    Raises:
        OperationFailed: The flavor has no disk.
    """
    size = context.prior.get("image_id") and _disk_of(
        context, context.prior.get("flavor_id") or context.prior["flavor"]
    )
    if not size:
        return
    flavor = catalog(context.cloud.region).flavor(name)
    if not flavor["disk"]:
        reason = (
            f"{flavor['name']} has no disk; the server has a root disk of {size} GiB and cannot be resized to a flavor "
            "without a disk"
        )
        raise errors.OperationFailed("flavor", reason)
    if flavor["disk"] < size:
        context.notify(
            f"{flavor['name']} has a disk of {flavor['disk']} GiB, the server has a root disk of {size} GiB: "
            "most clouds reject a resize to a smaller disk"
        )


def _disk_of(context: Context, flavor: str) -> int | None:
    """Return the size of a flavor's disk in GiB; None if the flavor cannot be looked up."""
    try:
        return int(catalog(context.cloud.region).flavor(flavor)["disk"])
    except errors.EcsError:
        return None


def report_interruptions(context: Context, new: Mapping[str, Any], changed: Collection[str]) -> None:
    """Report that an update stops the server, or that it overwrites the root disk."""
    is_off = context.prior.get("power_state") in ("shutoff", "shelved_offloaded")
    if "flavor" in changed and not is_off and new.get("stop_before_resize") is not False:
        context.notify("a changed flavor stops the server while it is resized, and starts it again")
    if new.get("image_policy") == "rebuild" and not {"image", "personality"}.isdisjoint(changed):
        context.warn(Notice.REBUILD.mark("a rebuild overwrites the root disk with the image: its data are lost"))


def data_loss(context: Context, prior: Mapping[str, Any]) -> list[str]:
    """List the disks that Nova deletes with the server: its local disks, and volumes with `delete_on_termination`."""
    lost: list[str] = []
    devices = objects(prior.get("block_devices"))
    if prior.get("status") == "ERROR" and not prior.get("launched_at"):
        return lost  # it never became active
    if prior.get("image_id"):
        # A deletion sends no request for a warning.
        size = (
            None if context.verb == "delete" else _disk_of(context, str(prior.get("flavor_id") or prior.get("flavor")))
        )
        lost.append(f"its root disk ({size} GiB)" if size else "its root disk")
    own = [each for each in devices if destination(each) == "local" and each.get("boot_index") != 0]
    if own:
        lost.append(f"its {len(own)} further local disks" if len(own) > 1 else "its local disk")
    attached = objects(prior.get("volumes_attached"))
    deleted = [str(each["id"]) for each in attached if each.get("delete_on_termination")]
    if deleted:
        lost.append(f"the volume{'s' * (len(deleted) > 1)} {errors.join_names(deleted)}")
    elif any("delete_on_termination" not in each for each in attached):
        # Some APIs do not return `delete_on_termination`; use the value of the create request.
        count = sum(each.get("delete_on_termination") is True and destination(each) == "volume" for each in devices)
        if count:
            lost.append(f"{count} volume{'s' * (count > 1)} with `delete_on_termination`")
    return lost


def create_request(context: Context, desired: ServerInputs) -> tuple[RemoteObject, str | None]:
    """Return the body of the create request and the microversion it needs."""
    api, names = context.cloud.compute, catalog(context.cloud.region)
    required = {
        api.require(feature, microversion) for _, feature, microversion in required_microversions(to_plain(desired))
    }
    body = create_body(desired, "name", "description", "key_name", "availability_zone", "config_drive")
    body |= create_body(desired, admin_pass="adminPass", disk_config="OS-DCF:diskConfig")  # noqa: S106  (a name)
    body["flavorRef"] = names.flavor(desired.flavor)["id"]
    image_id = names.image(desired.image)["id"] if desired.image else None
    context.memo["image_id"] = image_id
    body |= _disks(context, to_plain(desired.block_devices), image_id)
    if desired.user_data is not None:
        body["user_data"] = to_base64(desired.user_data)
    if desired.personality is not None:
        body["personality"] = _files(to_plain(desired.personality))
    if desired.security_groups is not None:
        body["security_groups"] = [{"name": group} for group in deduplicate_groups(context, desired.security_groups)]
    if metadata := metadata_with_marker(context, desired.metadata):
        body["metadata"] = metadata
    if owner_marker(context) and not desired.description and api.supports(_DESCRIPTION):
        body["description"] = owner_marker(context)
        required.add(_DESCRIPTION)
    if desired.tags and api.supports(_TAGS_IN_CREATE):
        body["tags"] = sorted(set(desired.tags))
        required.add(_TAGS_IN_CREATE)
    if any(item.volume_type for item in desired.block_devices or ()) and api.supports(_VOLUME_TYPE):
        required.add(_VOLUME_TYPE)
    if any(_is_shared(context, item) for item in to_plain(desired.block_devices) or ()):
        required.add(api.require("a server with a multiattach volume", _MULTIATTACH))
    microversion = max(required, key=_number, default=None)
    if desired.networks == [] and api.supports(_NETWORK_KEYWORDS):
        microversion = max(filter(None, (microversion, _NETWORK_KEYWORDS)), key=_number)
        body["networks"] = "none"
    elif isinstance(desired.networks, list):
        body["networks"] = [_nic(to_plain(nic)) for nic in desired.networks]
    elif microversion and _number(microversion) >= _number(_NETWORK_KEYWORDS):
        body["networks"] = desired.networks or "auto"
    return body, microversion


def _is_shared(context: Context, device: Mapping[str, Any]) -> bool:
    """Return whether a block device is a multiattach volume."""
    if device.get("source_type") != "volume" or not device.get("uuid"):
        return False
    try:
        return bool(block_storage.get_volume(context.cloud.block_storage, device["uuid"]).get("multiattach"))
    except errors.NotFound:
        return False  # Nova reports the missing volume


def _number(microversion: str) -> tuple[int, ...]:
    return tuple(map(int, microversion.split(".")))


def _nic(nic: Mapping[str, Any]) -> RemoteObject:
    body = {"uuid": nic.get("network_id"), "port": nic.get("port_id"), "fixed_ip": nic.get("fixed_ip")}
    return {key: value for key, value in {**body, "tag": nic.get("tag")}.items() if value is not None}


def _devices(context: Context, devices: list[RemoteObject], image_id: str | None) -> list[RemoteObject]:
    """Return the block devices; the boot device gets the server's image unless it names another source."""
    root = next((device for device in devices if device.get("boot_index") == 0), None)
    if root is None and image_id:
        # With block devices in the request, Nova builds the root disk from the image only if a device says so.
        local = {"source_type": "image", "destination_type": "local", "boot_index": 0, "delete_on_termination": True}
        devices = [{**local, "uuid": image_id}, *devices]
    elif root is not None and root["source_type"] == "image":
        image = root.get("uuid")
        root["uuid"] = catalog(context.cloud.region).image(image)["id"] if image else image_id
    return devices


def _disks(context: Context, devices: list[RemoteObject] | None, image_id: str | None) -> RemoteObject:
    if not devices:
        return {"imageRef": image_id}
    # Without a destination type Nova does not attach the device and leaves its volume reserved forever.
    devices = [{**device, "destination_type": destination(device)} for device in _devices(context, devices, image_id)]
    local = [device for device in devices if device["destination_type"] == "local"]
    # Nova fills a local root disk only if the request also has `imageRef`.
    root_images = [
        device["uuid"] for device in local if device["source_type"] == "image" and device.get("boot_index") == 0
    ]
    return {"block_device_mapping_v2": devices} | ({"imageRef": root_images[0]} if root_images else {})


def _files(files: list[RemoteObject]) -> list[RemoteObject]:
    return [{**item, "contents": to_base64(item["contents"])} for item in files]


def to_base64(text: str) -> str:
    """Encode a text as base64; return it unchanged if it is base64 already."""
    try:
        base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError):
        return base64.b64encode(text.encode()).decode()
    return text


# ---------------------------------------------------------------- changes of status


def power_state(remote: RemoteObject) -> str | None:
    """Return the server's status as a value of the input `power_state`; None if no value corresponds to it."""
    if remote["status"] in ("VERIFY_RESIZE", "RESIZE", "REVERT_RESIZE"):
        return _IN_HYPERVISOR.get(remote.get("OS-EXT-STS:power_state") or 0)
    return _POWER.get(remote["status"])


def flavor_id(remote: RemoteObject) -> str:
    """Return the id of the server's flavor."""
    return str((remote.get("flavor") or {}).get("id") or "")


def wait_until_active(context: Context, id_: str) -> RemoteObject:
    """Wait until a new server is active."""
    volumes = sum(destination(disk) == "volume" for disk in context.inputs.get("block_devices") or ())
    notes = {"block_device_mapping": f"waiting for {volumes} volume{'s' * (volumes > 1)}"} if volumes else {}
    return _wait_for_status(context, id_, ("ACTIVE",), "to run", notes=notes)


def wait_until_stable(
    context: Context, remote: RemoteObject, desired_flavor_id: str, prior: Mapping[str, Any]
) -> RemoteObject:
    """Wait for a running task, and finish an unconfirmed resize.

    A resize to the desired flavor is confirmed, any other one is reverted.

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
    if remote["status"] == "VERIFY_RESIZE":
        if prior.get("vm_state") == "active" or prior.get("pending_action"):
            context.memo["pending_action"] = "start"
        remote = (
            _confirm(context, remote["id"])
            if flavor_id(remote) == desired_flavor_id
            else _revert(context, remote["id"])
        )
    elif (
        remote["status"] == "SHUTOFF"
        and prior.get("vm_state") == "active"
        and prior.get("flavor_id") != flavor_id(remote)
    ):
        # An earlier `up` was killed after the resize, before it started the server.
        context.memo["pending_action"] = "start"
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


def resize(
    context: Context, remote: RemoteObject, flavor: RemoteObject, *, stop: bool, was_active: bool
) -> RemoteObject:
    """Wake or stop the server, resize it, confirm, and start it if it was running.

    After a failed resize the server returns to the power state it had.
    """
    if flavor_id(remote) == flavor["id"]:
        return remote
    require_not_in_error(remote)
    id_ = remote["id"]
    remote = wake_for(context, remote, "flavor")
    if remote["status"] == "ACTIVE" and stop:
        context.memo["pending_action"] = "start"
        remote = _act(context, id_, "os-stop", None, ("SHUTOFF",), "to stop")
    elif remote["status"] == "SHUTOFF" and was_active:
        # An earlier `up` was killed after it stopped the server.
        context.memo["pending_action"] = "start"
    try:
        remote = _resize(context, remote, flavor)
    except errors.EcsError:
        _try_restart(context, id_)
        raise
    return set_power_state(context, remote, None)


def _resize(context: Context, remote: RemoteObject, flavor: RemoteObject) -> RemoteObject:
    id_ = remote["id"]
    ends = ("VERIFY_RESIZE", "ACTIVE", "SHUTOFF")
    _request_action(
        context, id_, "resize", {"flavorRef": flavor["id"]}, lambda remote: remote["status"].endswith("RESIZE")
    )
    remote = _wait(
        context, id_, lambda server: server["status"] in ends and not _task(server), f"to become {flavor['name']}"
    )
    if remote["status"] == "VERIFY_RESIZE":
        remote = _confirm(context, id_)
    if flavor_id(remote) != flavor["id"]:
        # If Nova finds no host for a resize, the server's document does not show the failure.
        reason = compute.last_failed_action(context.cloud.compute, id_, of="resize")
        raise errors.OperationFailed(f"the cloud did not resize to {flavor['name']}", reason)
    return remote


def _try_restart(context: Context, id_: str) -> None:
    try:
        remote = require_exists(context.cloud.region.servers.get(id_), "Server", id_)
        if remote["status"] in ("ACTIVE", "SHUTOFF") and not _task(remote):
            set_power_state(context, remote, context.memo.get("power_state_before_wake"))
    except errors.EcsError as error:
        context.report_status(f"the server could not be started again: {error}")


def _confirm(context: Context, id_: str) -> RemoteObject:
    return _leave_verify_resize(context, id_, "confirmResize", "confirming")


def _revert(context: Context, id_: str) -> RemoteObject:
    return _leave_verify_resize(context, id_, "revertResize", "reverting")


def _leave_verify_resize(context: Context, id_: str, action: str, doing: str) -> RemoteObject:
    ends = ("ACTIVE", "SHUTOFF")
    context.report_status(f"VERIFY_RESIZE, {doing}")
    # Ignore a rejection if the cloud confirmed by itself, or if a request whose response was lost took effect.
    _request_action(
        context, id_, action, None, lambda remote: remote["status"] in ends, errors.Conflict, errors.BadRequest
    )
    done, notes = (lambda server: server["status"] in ends and not _task(server)), {"VERIFY_RESIZE": doing}
    return _wait(context, id_, done, f"to complete {action}", notes)


def rebuild(context: Context, remote: RemoteObject, image_id: str, files: list[RemoteObject] | None) -> RemoteObject:
    """Rebuild the server from an image; it keeps its id, addresses and volumes."""
    body: RemoteObject = {"imageRef": image_id}
    if files:
        body["personality"] = _files(files)
    context.memo["image_id"], id_, status = image_id, remote["id"], remote["status"]
    _request_action(context, id_, "rebuild", body, lambda server: (server.get("image") or {}).get("id") == image_id)
    remote = _wait_for_status(context, id_, ("ACTIVE", "SHUTOFF"), "to be rebuilt", "rebuild")
    # Nova starts a stopped server and stops it again; in between it is ACTIVE without a task.
    return _wait_for_status(context, id_, ("SHUTOFF",), "to be stopped again") if status == "SHUTOFF" else remote


def wake_for(context: Context, remote: RemoteObject, change: str) -> RemoteObject:
    """Make the server active if Nova rejects the change in its current status.

    `power_state_before_wake` in the memo holds the power state to return to.
    """
    if remote["status"] not in _REFUSED_IN[change]:
        return remote
    context.memo["power_state_before_wake"] = power_state(remote)
    return set_power_state(context, remote, "active")


def set_power_state(context: Context, remote: RemoteObject, desired: str | None) -> RemoteObject:
    """Bring the server to this power state; None only starts a server that was stopped for a resize."""
    require_not_in_error(remote)
    target = desired or ("active" if context.memo.get("pending_action") == "start" else None)
    if target is None or power_state(remote) == target:
        context.memo["pending_action"] = None
        return remote
    if remote["status"] not in _POWER:
        fault = compute.fault_of(remote)
        raise errors.OperationFailed(
            f"cannot set power_state {target}: the server is in {remote['status']}",
            fault or "bring the server to ACTIVE or SHUTOFF first",
        )
    id_ = remote["id"]
    if remote["status"] in _WAKE and not (remote["status"] == "SHUTOFF" and target == "shelved_offloaded"):
        remote = _act(context, id_, _WAKE[remote["status"]], None, ("ACTIVE",), "to run")
    if target == "shelved_offloaded":
        remote = _act(context, id_, "shelve", None, ("SHELVED", "SHELVED_OFFLOADED"), "to be shelved")
        if remote["status"] == "SHELVED":
            remote = _offload(context, id_)
    elif target != "active":
        ends = tuple(status for status, power in _POWER.items() if power == target)
        remote = _act(context, id_, _SEND_TO[target], None, ends, f"to be {target}")
    context.memo["pending_action"] = None
    return remote


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
