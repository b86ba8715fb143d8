"""Volume attachments of a server (`/servers/{id}/os-volume_attachments`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.cinder import servers as cinder
from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import BOOLEAN, TAG, UUID, body, fields, is_true

from . import otc
from .instance import (
    begin_action,
    check_lock,
    check_state,
    end_action,
    get_scheduled_server,
    get_server,
    save,
    server_step,
)
from .lifecycle import device_prefix, next_device, volume_entry
from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

RESERVED = 0.3
ATTACHING = 1.7
DETACHING = 1.5
FORGETTING = 0.4

_CHANGEABLE = ("active", "paused", "stopped", "resized", "soft-delete")
_SHELVED, _SHELVED_SINCE = ("shelved", "shelved_offloaded"), 20


def _changeable(call: Call) -> tuple[str, ...]:
    """Return the `vm_state` values in which volumes can be attached and detached."""
    states = (*_CHANGEABLE, *_SHELVED) if call.at_least(_SHELVED_SINCE) else _CHANGEABLE
    return tuple(state for state in states if state != "paused" or not call.is_otc)


@service.post("/servers/{server_id}/os-volume_attachments")
def attach(call: Call, server_id: str) -> Reply:
    """`POST …/os-volume_attachments`: accepted immediately, complete when the volume is `in-use`."""
    properties: dict[str, Any] = {
        "volumeId": UUID,
        "device": {"type": ["string", "null"], "pattern": r"(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$"},
    }
    if call.at_least(49) and not call.is_otc:
        properties["tag"] = TAG
    if call.at_least(79):
        properties["delete_on_termination"] = BOOLEAN
    requested = body(call, "volumeAttachment", fields(properties, "volumeId"))
    doc = get_scheduled_server(call, server_id)
    check_lock(call, doc)
    volume_id = requested["volumeId"]
    volume = call.get("volume", volume_id)
    if volume is None or volume["project_id"] != call.project_id:
        raise HttpError(404, f"Volume {volume_id} could not be found.")
    check_state(doc, "attach_volume", _changeable(call))
    if volume["multiattach"] and not call.at_least(60):
        raise HttpError(400, "Multiattach volumes are only supported starting with compute API version 2.60.")
    _check_unattached(doc, volume)
    if call.is_otc:
        _check_documented_limits(call, doc, volume, requested.get("device"))
    reserve_volume(call, volume_id)
    # Neither cloud uses a requested name that is not the next one. The hypervisor of OpenStack ignores all of them.
    device = next_device(call, doc)
    entry = volume_entry(
        device,
        volume_id=volume_id,
        tag=requested.get("tag"),
        delete_on_termination=is_true(requested.get("delete_on_termination", False)),
    )
    doc["volumes"].append(entry)
    begin_action(call, doc, "attach_volume")
    save(call, doc)
    call.schedule(RESERVED, "nova.attaching", server_id, volume_id=volume_id)
    return Reply(200, {"volumeAttachment": _render(call, doc, entry)})


def _check_documented_limits(call: Call, doc: Document, volume: Document, device: str | None) -> None:
    """Check the zone of the volume, the number of disks, and the device name."""
    if volume["availability_zone"] != doc["zone"]:
        raise HttpError(
            400,
            f"Invalid volume: Instance {doc['id']} and volume {volume['id']} are not in the same availability_zone."
            f" Instance is in {doc['zone']}. Volume is in {volume['availability_zone']}",
        )
    disks = [call.get("volume", entry["volume_id"]) or {} for entry in doc["volumes"]] + [volume]
    vbd = [disk for disk in disks if str(disk.get("metadata", {}).get("hw:passthrough")).lower() != "true"]
    for counted, most in ((disks, otc.MOST_DISKS), (vbd, otc.MOST_VBD_DISKS)):
        if len(counted) > most:
            message = f"The maximum allowed number of disk devices ({most}) to attach to a single instance has been"
            raise HttpError(403, f"{message} exceeded.")
    if volume["bootable"] == "true" and not device:
        raise HttpError(400, "Invalid input received: the device of a bootable volume must be specified.")
    letter = (device or "").rpartition("/")[2].removeprefix("xvd")[-1:]
    if device and f"{device_prefix(call)}{letter}" in [entry["device"] for entry in doc["volumes"]]:
        raise HttpError(409, f"The supplied device path ({device}) is in use.")


def _check_unattached(doc: Document, volume: Document) -> None:
    server_ids = [each["server_id"] for each in volume["attachments"]]
    is_attached_here = any(each["volume_id"] == volume["id"] for each in doc["volumes"])
    if (server_ids and not volume["multiattach"]) or doc["id"] in server_ids:
        raise HttpError(
            400,
            f"Invalid volume: volume {volume['id']} is already attached to instances: {', '.join(server_ids)}",
        )
    if is_attached_here:
        raise HttpError(
            400,
            f"Invalid volume: volume {volume['id']} is already attached to instances: {doc['id']}",
        )


@server_step("nova.attaching")
def _attaching(ctx: Context, doc: Document, volume_id: str) -> None:
    cinder.set_status(ctx, volume_id, "attaching")
    ctx.schedule(ATTACHING, "nova.attached", doc["id"], volume_id=volume_id)


@server_step("nova.attached")
def _attached(ctx: Context, doc: Document, volume_id: str) -> None:
    volume = ctx.get("volume", volume_id)
    entry = _find_entry(doc, volume_id)
    names = [doc["name"], *([volume["name"] or ""] if volume else [])]
    if volume is None or entry is None or any(ctx.has_outcome_fault("fail-attach", name) for name in names):
        # Nova reports the failure only in the action history; the volume becomes available again.
        cinder.set_status(ctx, volume_id, "available")
        end_action(ctx, doc, error=True)
        save(ctx, doc, volumes=[each for each in doc["volumes"] if each["volume_id"] != volume_id])
        return
    cinder.attach(
        ctx,
        volume_id,
        server_id=doc["id"],
        device=entry["device"],
        attachment_id=entry["attachment_id"],
    )
    end_action(ctx, doc)
    save(ctx, doc)


@service.get("/servers/{server_id}/os-volume_attachments")
def index(call: Call, server_id: str) -> dict[str, Any]:
    """`GET …/os-volume_attachments`."""
    doc = get_server(call, server_id)
    return {"volumeAttachments": [_render(call, doc, entry) for entry in doc["volumes"] if entry["volume_id"]]}


@service.get("/servers/{server_id}/os-volume_attachments/{volume_id}")
def show(call: Call, server_id: str, volume_id: str) -> dict[str, Any]:
    """`GET …/os-volume_attachments/{volume id}`."""
    doc = get_server(call, server_id)
    return {"volumeAttachment": _render(call, doc, _get_entry(doc, volume_id))}


@service.delete("/servers/{server_id}/os-volume_attachments/{volume_id}")
def detach(call: Call, server_id: str, volume_id: str) -> Reply:
    """`DELETE …/os-volume_attachments/{volume id}`: complete when the volume is `available`."""
    doc = get_scheduled_server(call, server_id)
    check_lock(call, doc)
    volume = call.get("volume", volume_id)
    if volume is None:
        raise HttpError(404, f"Volume {volume_id} could not be found.")
    entry = _get_entry(doc, volume_id)
    if entry["root"]:
        raise HttpError(400, "Cannot detach a root device volume")
    check_state(doc, "detach_volume", _changeable(call))
    try:
        cinder.check_not_retyping(volume)
    except HttpError as error:
        raise _translate_cinder_error(call, error) from None
    if volume["status"] != "in-use" and doc["vm_state"] != "shelved_offloaded":
        raise _translate_cinder_error(
            call,
            HttpError(
                400,
                "Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status"
                " must be 'attached' to detach.",
            ),
        )
    begin_action(call, doc, "detach_volume")
    save(call, doc)
    cinder.set_status(call, volume_id, "detaching")
    call.schedule(DETACHING, "nova.detached", server_id, volume_id=volume_id)
    return Reply(202)


@server_step("nova.detached")
def _detached(ctx: Context, doc: Document, volume_id: str) -> None:
    cinder.detach(ctx, volume_id, doc["id"])
    ctx.schedule(FORGETTING, "nova.forgotten", doc["id"], volume_id=volume_id)


@server_step("nova.forgotten")
def _remove_entry(ctx: Context, doc: Document, volume_id: str) -> None:
    """Remove the attachment from Nova's list, a moment after Cinder reports the volume as available."""
    end_action(ctx, doc)
    save(ctx, doc, volumes=[each for each in doc["volumes"] if each["volume_id"] != volume_id])


def reserve_volume(call: Call, volume_id: str) -> None:
    """Reserve the volume in Cinder; 400 with Cinder's message if it rejects that."""
    try:
        cinder.reserve(call, volume_id)
    except HttpError as error:
        raise _translate_cinder_error(call, error) from None


def _translate_cinder_error(call: Call, error: HttpError) -> HttpError:
    """Return an error of Cinder in the form in which Nova reports it."""
    return HttpError(
        400,
        f"Invalid volume: Invalid input received: {error.message} (HTTP {error.status}) (Request-ID:"
        f" {call.request_id})",
    )


def _find_entry(doc: Document, volume_id: str) -> Document | None:
    return next((each for each in doc["volumes"] if each["volume_id"] == volume_id), None)


def _get_entry(doc: Document, volume_id: str) -> Document:
    entry = _find_entry(doc, volume_id)
    if entry is None:
        raise HttpError(404, f"Instance {doc['id']} is not attached to volume {volume_id}")
    return entry


def _render(call: Call, doc: Document, entry: Document) -> dict[str, Any]:
    rendered: dict[str, Any] = {
        "volumeId": entry["volume_id"],
        "serverId": doc["id"],
        "device": entry["device"],
    }
    if not call.at_least(89):
        rendered = {"id": entry["volume_id"], **rendered}
    if call.at_least(70):
        rendered["tag"] = entry["tag"]
    if call.at_least(79):
        rendered["delete_on_termination"] = entry["delete_on_termination"]
    if call.at_least(89):
        rendered |= {"attachment_id": entry["attachment_id"], "bdm_uuid": entry["bdm_uuid"]}
    return rendered
