"""`POST /volumes/{id}/action`: the actions on volumes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError, NoRoute
from ecs_pulumi.emulator.validation import BOOLEAN, COUNT, TEXT, Schema, body, fields, is_true
from ecs_pulumi.emulator.versioned import require_admin

from . import storage
from .service import service
from .volumes import get_visible_volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

    Action = Callable[[Call, Document, dict[str, Any]], Reply]

ACTIONS: dict[str, tuple[Action, Schema]] = {}
"""The function and the schema of the arguments of each action."""
EXTEND_ATTACHED_SINCE = 42


def action(name: str, schema: Schema) -> Callable[[Action], Action]:
    """Register a function as the action of this name."""

    def register(function: Action) -> Action:
        ACTIONS[name] = function, schema
        return function

    return register


@service.post("/volumes/{volume_id}/action")
def act(call: Call, volume_id: str) -> Reply:
    """Run the action that is the only key of the body; errors in it take precedence over an unknown volume."""
    document = call.json()
    if not isinstance(document, dict) or not document:
        raise HttpError(400, "Malformed request body")
    name = next(iter(document))
    if name not in ACTIONS or (name == "os-retype" and call.is_otc):
        message = f"There is no such action: {name}. Verify the request body and Content-Type header and try again."
        raise HttpError(400, message)
    run, schema = ACTIONS[name]
    arguments = body(call, name, schema)
    return run(call, get_visible_volume(call, volume_id), arguments)


@action("os-extend", fields({"new_size": COUNT}, "new_size"))
def extend(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Extend the volume; an attached one from microversion 3.42 on, in the Open Telekom Cloud with any version."""
    attached = call.at_least(EXTEND_ATTACHED_SINCE) or call.is_otc
    storage.extend(call, volume, int(arguments["new_size"]), attached=attached)
    return Reply(202)


@service.post("/volumes/{volume_id}/retype", openstack=False)
def retype_in_otc(call: Call, volume_id: str) -> Reply:
    """`POST /volumes/{id}/retype`: only in v2 of the Open Telekom Cloud, which has no such action."""
    if call.version != "v2":
        raise NoRoute
    arguments = body(call, "os-retype", fields({"new_type": TEXT}, "new_type"))
    storage.retype(call, get_visible_volume(call, volume_id), arguments["new_type"])
    return Reply(202, {"job_id": uuid.uuid4().hex})


@action("os-retype", fields({"new_type": TEXT, "migration_policy": {"enum": ["on-demand", "never"]}}, "new_type"))
def retype(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Change the type of the volume."""
    storage.retype(call, volume, arguments["new_type"])
    return Reply(202)


@action("os-update_readonly_flag", fields({"readonly": BOOLEAN}, "readonly"))
def update_readonly_flag(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Set or clear the read-only flag."""
    if volume["status"] != "available":
        message = (
            f"Invalid volume: Volume {volume['id']} status must be available to update readonly flag, but"
            f" current status is: {volume['status']}."
        )
        raise HttpError(400, message)
    flag = str(is_true(arguments["readonly"]))
    storage.save(call, volume, metadata=volume["metadata"] | {"readonly": flag})
    return Reply(202)


@action("os-reset_status", {"type": "object"})
def reset_status(call: Call, volume: Document, arguments: dict[str, Any]) -> Reply:
    """Set the status; for administrators only."""
    require_admin(call, "volume_extension:volume_admin_actions:reset_status")
    changes: dict[str, Any] = {"status": arguments.get("status", volume["status"])}
    if arguments.get("attach_status") == "detached":
        changes["attachments"] = []
    storage.save(call, volume, **changes)
    return Reply(202)
