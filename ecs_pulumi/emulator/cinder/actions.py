"""`POST /volumes/{id}/action`: the actions on volumes."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import schema, servers, storage
from .service import require_admin, service
from .volumes import get_visible_volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

    Action = Callable[[Call, Document, dict[str, Any]], Reply]

ACTIONS: dict[str, Action] = {}
POLICIES = ("on-demand", "never")
EXTEND_ATTACHED_SINCE = 42


def action(name: str) -> Callable[[Action], Action]:
    """Register a function as the action of this name."""

    def register(function: Action) -> Action:
        ACTIONS[name] = function
        return function

    return register


@service.post("/volumes/{volume_id}/action")
def act(call: Call, volume_id: str) -> Reply:
    """Run the action that is the only key of the body."""
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
    arguments = body[name] if isinstance(body[name], dict) else {}
    _check(name, arguments)
    return ACTIONS[name](call, get_visible_volume(call, volume_id), arguments)


def _check(name: str, arguments: dict[str, Any]) -> None:
    """Validate the arguments of an action; errors in them take precedence over an unknown volume."""
    if name == "os-extend":
        size = schema.required(name, arguments, "new_size")
        schema.check_type("new_size", size, "integer", "string")
        schema.size("new_size", size)
    elif name == "os-retype":
        schema.check_type("new_type", schema.required(name, arguments, "new_type"), "string")
        policy = arguments.get("migration_policy", POLICIES[0])
        if policy not in POLICIES:
            reason = f"{policy!r} is not one of {list(POLICIES)}"
            raise schema.invalid_field("migration_policy", policy, reason)
    elif name == "os-update_readonly_flag":
        schema.boolean(name, arguments, "readonly")
    elif name == "os-set_bootable":
        schema.boolean(name, arguments, "bootable")


@action("os-extend")
def extend(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Extend the volume; an attached one from microversion 3.42 on."""
    attached = call.at_least(EXTEND_ATTACHED_SINCE)
    storage.extend(call, volume, int(arguments["new_size"]), attached=attached)
    return Reply(202)


@action("os-retype")
def retype(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Change the type of the volume."""
    storage.retype(call, volume, arguments["new_type"])
    return Reply(202)


@action("os-update_readonly_flag")
def update_readonly_flag(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Set or clear the read-only flag."""
    if volume["status"] != "available":
        message = (
            f"Invalid volume: Volume {volume['id']} status must be available to update readonly flag, but"
            f" current status is: {volume['status']}."
        )
        raise HttpError(400, message)
    flag = str(schema.boolean("os-update_readonly_flag", arguments, "readonly"))
    storage.save(call, volume, metadata=volume["metadata"] | {"readonly": flag})
    return Reply(202)


@action("os-set_bootable")
def set_bootable(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Set whether servers can boot from the volume."""
    bootable = schema.boolean("os-set_bootable", arguments, "bootable")
    storage.save(call, volume, bootable=str(bootable).lower())
    return Reply(200)


@action("os-reserve")
def reserve(call: Call, volume: Document, _arguments: dict[str, Any]) -> Reply:
    """Reserve the volume for a server."""
    if volume["status"] != "available":
        message = f"Invalid volume: Volume status must be available to reserve, but the status is {volume['status']}."
        raise HttpError(400, message)
    storage.save(call, volume, status="attaching")
    return Reply(202)


@action("os-unreserve")
def unreserve(call: Call, volume: Document, _arguments: dict[str, Any]) -> Reply:
    """Cancel the reservation."""
    if volume["status"] == "attaching":
        storage.save(call, volume, status="in-use" if volume["attachments"] else "available")
    return Reply(202)


@action("os-begin_detaching")
def begin_detaching(call: Call, volume: Document, _arguments: dict[str, Any]) -> Reply:
    """Start detaching the volume."""
    if volume["status"] != "in-use" or not volume["attachments"]:
        message = (
            "Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be"
            " 'attached' to detach."
        )
        raise HttpError(400, message)
    storage.save(call, volume, status="detaching")
    return Reply(202)


@action("os-roll_detaching")
def roll_detaching(call: Call, volume: Document, _arguments: dict[str, Any]) -> Reply:
    """Cancel the start of detaching."""
    if volume["status"] == "detaching":
        storage.save(call, volume, status="in-use")
    return Reply(202)


@action("os-attach")
def attach(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Record that the volume is attached to a server; this does not change the server."""
    attachment_id = str(uuid.uuid4())
    servers.attach(
        call,
        volume["id"],
        server_id=arguments.get("instance_uuid"),
        device=arguments.get("mountpoint", ""),
        attachment_id=attachment_id,
        host=arguments.get("host_name") or "",
    )
    attached = get_visible_volume(call, volume["id"])
    metadata = {"readonly": "False", **attached["metadata"], "attached_mode": arguments.get("mode", "rw")}
    storage.save(call, attached, metadata=metadata)
    return Reply(202)


@action("os-detach")
def detach(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Record that the volume is detached; 409 if Nova attached it."""
    attachment_id = arguments.get("attachment_id")
    selected = [each for each in volume["attachments"] if attachment_id in (None, each["attachment_id"])]
    if any(call.get("server", each["server_id"] or "") for each in selected):
        message = "ConflictNovaUsingAttachment: Detach volume from instance  using the Compute API"
        raise HttpError(409, message)
    servers.detach(call, volume["id"], selected[0]["server_id"] if selected else None)
    return Reply(202)


@action("os-force_detach")
def force_detach(call: Call, volume: Document, _arguments: dict[str, Any]) -> Reply:
    """Detach the volume from all servers; for administrators only."""
    require_admin(call, "volume_extension:volume_admin_actions:force_detach")
    servers.detach(call, volume["id"], None)
    return Reply(202)


@action("os-reset_status")
def reset_status(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Set the status; for administrators only."""
    require_admin(call, "volume_extension:volume_admin_actions:reset_status")
    changes: dict[str, Any] = {"status": arguments.get("status", volume["status"])}
    if arguments.get("attach_status") == "detached":
        changes["attachments"] = []
    storage.save(call, volume, **changes)
    return Reply(202)


@action("os-force_delete")
def force_delete(call: Call, volume: Document, _arguments: dict[str, Any]) -> Reply:
    """Delete the volume regardless of its status; for administrators only."""
    require_admin(call, "volume_extension:volume_admin_actions:force_delete")
    storage.delete(call, volume, force=True)
    return Reply(202)


@action("os-migrate_volume")
def migrate(call: Call, _volume: Document, _arguments: dict[str, Any]) -> Reply:
    """Reject the migration, because there is only one host; for administrators only."""
    require_admin(call, "volume_extension:volume_admin_actions:migrate_volume")
    raise HttpError(400, "Invalid host: Destination host must be different from the current host.")


@action("os-set_image_metadata")
def set_image_metadata(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Add image metadata."""
    metadata = schema.metadata("metadata", schema.required("os-set_image_metadata", arguments, "metadata"))
    merged = volume["volume_image_metadata"] | metadata
    storage.save(call, volume, volume_image_metadata=merged)
    return Reply(200, {"metadata": merged})


@action("os-show_image_metadata")
def show_image_metadata(_call: Call, volume: Document, _arguments: dict[str, Any]) -> Reply:
    """Return the image metadata."""
    return Reply(200, {"metadata": volume["volume_image_metadata"]})


@action("os-unset_image_metadata")
def unset_image_metadata(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Remove one key of the image metadata."""
    key = schema.required("os-unset_image_metadata", arguments, "key")
    if key not in volume["volume_image_metadata"]:
        raise HttpError(404, "Metadata item was not found")
    remaining = {name: value for name, value in volume["volume_image_metadata"].items() if name != key}
    storage.save(call, volume, volume_image_metadata=remaining)
    return Reply(200)
