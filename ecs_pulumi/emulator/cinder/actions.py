"""`POST /volumes/{id}/action`: everything that is done to a volume."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import schema, servers, storage
from .service import administrator, service
from .volumes import shown_volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

    Action = Callable[[Call, Document, dict[str, Any]], Reply]

ACTIONS: dict[str, Action] = {}
POLICIES = ("on-demand", "never")
ATTACHED_SINCE = 42


def action(name: str) -> Callable[[Action], Action]:
    """Make a function the action of this name."""

    def register(function: Action) -> Action:
        ACTIONS[name] = function
        return function

    return register


@service.post("/volumes/{volume_id}/action")
def act(call: Call, volume_id: str) -> Reply:
    """Do what the body's only key says."""
    try:
        body = json.loads(call.raw) if call.raw else None
    except ValueError:
        body = None
    if not isinstance(body, dict) or not body:
        raise HttpError(400, "Malformed request body")
    name = next(iter(body))
    if name not in ACTIONS:
        message = f"There is no such action: {name}. Verify the request body and Content-Type header and try again."
        raise HttpError(400, message)
    said = body[name] if isinstance(body[name], dict) else {}
    _check(name, said)
    return ACTIONS[name](call, shown_volume(call, volume_id), said)


def _check(name: str, said: dict[str, Any]) -> None:
    """What is wrong with the body is said before the volume is looked for."""
    if name == "os-extend":
        size = schema.required(name, said, "new_size")
        schema.of("new_size", size, "integer", "string")
        schema.size("new_size", size)
    elif name == "os-retype":
        schema.of("new_type", schema.required(name, said, "new_type"), "string")
        policy = said.get("migration_policy", POLICIES[0])
        if policy not in POLICIES:
            reason = f"{policy!r} is not one of {list(POLICIES)}"
            raise schema.refused("migration_policy", policy, reason)
    elif name == "os-update_readonly_flag":
        schema.boolean(name, said, "readonly")
    elif name == "os-set_bootable":
        schema.boolean(name, said, "bootable")


@action("os-extend")
def extend(call: Call, volume: Document, said: dict[str, Any]) -> Reply:
    """Let it grow; while it is attached from 3.42 on."""
    attached = call.at_least(ATTACHED_SINCE)
    storage.extend(call, volume, int(said["new_size"]), attached=attached)
    return Reply(202)


@action("os-retype")
def retype(call: Call, volume: Document, said: dict[str, Any]) -> Reply:
    """Give it another type."""
    storage.retype(call, volume, said["new_type"])
    return Reply(202)


@action("os-update_readonly_flag")
def update_readonly_flag(call: Call, volume: Document, said: dict[str, Any]) -> Reply:
    """Make it read-only, or no more."""
    if volume["status"] != "available":
        message = (
            f"Invalid volume: Volume {volume['id']} status must be available to update readonly flag, but"
            f" current status is: {volume['status']}."
        )
        raise HttpError(400, message)
    flag = str(schema.boolean("os-update_readonly_flag", said, "readonly"))
    storage.save(call, volume, metadata=volume["metadata"] | {"readonly": flag})
    return Reply(202)


@action("os-set_bootable")
def set_bootable(call: Call, volume: Document, said: dict[str, Any]) -> Reply:
    """Say whether a server can boot from it."""
    bootable = schema.boolean("os-set_bootable", said, "bootable")
    storage.save(call, volume, bootable=str(bootable).lower())
    return Reply(200)


@action("os-reserve")
def reserve(call: Call, volume: Document, _said: dict[str, Any]) -> Reply:
    """Keep it for a server."""
    if volume["status"] != "available":
        message = f"Invalid volume: Volume status must be available to reserve, but the status is {volume['status']}."
        raise HttpError(400, message)
    storage.save(call, volume, status="attaching")
    return Reply(202)


@action("os-unreserve")
def unreserve(call: Call, volume: Document, _said: dict[str, Any]) -> Reply:
    """Let it go again."""
    if volume["status"] == "attaching":
        storage.save(call, volume, status="in-use" if volume["attachments"] else "available")
    return Reply(202)


@action("os-begin_detaching")
def begin_detaching(call: Call, volume: Document, _said: dict[str, Any]) -> Reply:
    """Say that it is about to be detached."""
    if volume["status"] != "in-use" or not volume["attachments"]:
        message = (
            "Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be"
            " 'attached' to detach."
        )
        raise HttpError(400, message)
    storage.save(call, volume, status="detaching")
    return Reply(202)


@action("os-roll_detaching")
def roll_detaching(call: Call, volume: Document, _said: dict[str, Any]) -> Reply:
    """Take that back."""
    if volume["status"] == "detaching":
        storage.save(call, volume, status="in-use")
    return Reply(202)


@action("os-attach")
def attach(call: Call, volume: Document, said: dict[str, Any]) -> Reply:
    """Note that a server has it; Nova's part is played elsewhere."""
    attachment_id = str(uuid.uuid4())
    servers.attach(
        call,
        volume["id"],
        server_id=said.get("instance_uuid"),
        device=said.get("mountpoint", ""),
        attachment_id=attachment_id,
        host=said.get("host_name") or "",
    )
    attached = shown_volume(call, volume["id"])
    noted = {"readonly": "False", **attached["metadata"], "attached_mode": said.get("mode", "rw")}
    storage.save(call, attached, metadata=noted)
    return Reply(202)


@action("os-detach")
def detach(call: Call, volume: Document, said: dict[str, Any]) -> Reply:
    """Note that a server has it no more; 409 where Nova attached it."""
    attachment_id = said.get("attachment_id")
    chosen = [each for each in volume["attachments"] if attachment_id in (None, each["attachment_id"])]
    if any(call.get("server", each["server_id"] or "") for each in chosen):
        message = "ConflictNovaUsingAttachment: Detach volume from instance  using the Compute API"
        raise HttpError(409, message)
    servers.detach(call, volume["id"], chosen[0]["server_id"] if chosen else None)
    return Reply(202)


@action("os-force_detach")
def force_detach(call: Call, volume: Document, _said: dict[str, Any]) -> Reply:
    """Take it from every server: for administrators."""
    administrator(call, "volume_extension:volume_admin_actions:force_detach")
    servers.detach(call, volume["id"], None)
    return Reply(202)


@action("os-reset_status")
def reset_status(call: Call, volume: Document, said: dict[str, Any]) -> Reply:
    """Say what its status is: for administrators."""
    administrator(call, "volume_extension:volume_admin_actions:reset_status")
    changes: dict[str, Any] = {"status": said.get("status", volume["status"])}
    if said.get("attach_status") == "detached":
        changes["attachments"] = []
    storage.save(call, volume, **changes)
    return Reply(202)


@action("os-force_delete")
def force_delete(call: Call, volume: Document, _said: dict[str, Any]) -> Reply:
    """Delete it whatever its status: for administrators."""
    administrator(call, "volume_extension:volume_admin_actions:force_delete")
    storage.delete(call, volume, force=True)
    return Reply(202)


@action("os-migrate_volume")
def migrate(call: Call, _volume: Document, _said: dict[str, Any]) -> Reply:
    """For administrators; there is nowhere to go."""
    administrator(call, "volume_extension:volume_admin_actions:migrate_volume")
    raise HttpError(400, "Invalid host: Destination host must be different from the current host.")


@action("os-set_image_metadata")
def set_image_metadata(call: Call, volume: Document, said: dict[str, Any]) -> Reply:
    """Remember more of the image."""
    more = schema.metadata("metadata", schema.required("os-set_image_metadata", said, "metadata"))
    merged = volume["volume_image_metadata"] | more
    storage.save(call, volume, volume_image_metadata=merged)
    return Reply(200, {"metadata": merged})


@action("os-show_image_metadata")
def show_image_metadata(_call: Call, volume: Document, _said: dict[str, Any]) -> Reply:
    """What it remembers of the image."""
    return Reply(200, {"metadata": volume["volume_image_metadata"]})


@action("os-unset_image_metadata")
def unset_image_metadata(call: Call, volume: Document, said: dict[str, Any]) -> Reply:
    """Forget one thing of the image."""
    key = schema.required("os-unset_image_metadata", said, "key")
    if key not in volume["volume_image_metadata"]:
        raise HttpError(404, "Metadata item was not found")
    kept = {name: value for name, value in volume["volume_image_metadata"].items() if name != key}
    storage.save(call, volume, volume_image_metadata=kept)
    return Reply(200)
