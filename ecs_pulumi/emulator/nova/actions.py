"""Server actions (`POST /servers/{id}/action`) except resize, and the history of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.cinder import servers as cinder
from ecs_pulumi.emulator.clock import to_microsecond
from ecs_pulumi.emulator.context import Call, Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.neutron import servers as neutron
from ecs_pulumi.emulator.validation import (
    BOOLEAN,
    DISK_CONFIG,
    NAME,
    NOTHING,
    OPTIONAL_TEXT,
    TEXT,
    Schema,
    body,
    fields,
)

from .instance import (
    PAUSED,
    RUNNING,
    SHUTDOWN,
    SUSPENDED,
    begin_action,
    check_host,
    check_lock,
    check_state,
    core,
    detailed,
    end_action,
    get_scheduled_server,
    new_password,
    save,
    server_step,
)
from .labels import METADATA
from .lifecycle import begin_delete
from .placement import find_host
from .service import require_admin, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

    Action = Callable[[Call, Document], Reply]

# Duration of each action on a real cloud, in seconds.
STOPPING = 3.0
STARTING = 2.0
REBOOTING = (1.0, 2.0)
REBUILDING = (0.5, 1.0, 3.0)
REBUILT = 3.0  # milliseconds on a real cloud; long enough here for every client to see it
SHELVING = (3.0, 1.0)
UNSHELVING = 4.0
RESCUING = 2.0
SHORT = 0.6

ACTIONS: dict[str, Action] = {}
"""The handlers by action name, the key of the request body. The module `resize` registers its own."""
UNDOCUMENTED = frozenset(
    {
        *("changePassword", "forceDelete", "os-resetState", "rescue", "unrescue"),
        *("pause", "unpause", "suspend", "resume", "shelve", "shelveOffload", "unshelve"),
    }
)
"""The actions that the Open Telekom Cloud does not document."""
OTC_REBUILD = ("name", "metadata", "imageRef", "key_name", "user_data", "adminPass")
"""The fields that the Open Telekom Cloud documents for a rebuild."""

RESCUE: Schema = fields({"adminPass": TEXT, "rescue_image_ref": TEXT}) | {"type": ["object", "null"]}
LOCK: Schema = fields({"locked_reason": NAME}) | {"type": ["object", "null"]}


def action(name: str) -> Callable[[Action], Action]:
    """Register a function as the handler of an action."""

    def register(function: Action) -> Action:
        ACTIONS[name] = function
        return function

    return register


@service.post("/servers/{server_id}/action")
def act(call: Call, server_id: str) -> Reply:
    """`POST /servers/{id}/action`: the single key of the body names the action."""
    document = call.json()
    if not isinstance(document, dict):
        raise HttpError(400, f"{document!r} is not of type 'object'")
    if len(document) != 1:
        raise HttpError(400, "There is no such action: " + ", ".join(document))
    name = next(iter(document))
    refuses = call.rules.undocumented_actions == "refuse"
    if name not in ACTIONS or (refuses and name in UNDOCUMENTED):
        raise HttpError(400, f"There is no such action: {name}")
    if name == "os-resetState":
        require_admin(call, "os-admin-actions:reset_state")
    doc = get_scheduled_server(call, server_id, "has no mapping to a cell.")
    if name not in ("lock", "unlock", "changePassword"):
        check_lock(call, doc)
    return ACTIONS[name](call, doc)


@action("os-resetState")
def reset_state(call: Call, doc: Document) -> Reply:
    """Set `vm_state` to `active` or `error`, whatever the state of the server is."""
    requested = body(call, "os-resetState", fields({"state": {"type": "string", "enum": ["active", "error"]}}, "state"))
    call.cancel(doc["id"])
    save(call, doc, vm_state=requested["state"], task_state=None)
    return Reply(202)


def finish_task_after(
    ctx: Context,
    doc: Document,
    seconds: float,
    *,
    task: str | None,
    vm_state: str,
    power_state: int,
    **changes: Any,
) -> None:
    """Set a task state now, and the resulting states after some seconds."""
    save(ctx, doc, task_state=task)
    ctx.schedule(seconds, "nova.finish_task", doc["id"], vm_state=vm_state, power_state=power_state, changes=changes)


@server_step("nova.finish_task")
def _finish_task(ctx: Context, doc: Document, vm_state: str, power_state: int, changes: dict[str, Any]) -> None:
    end_action(ctx, doc)
    _update_volume_connections(ctx, doc, vm_state)
    save(ctx, doc, vm_state=vm_state, power_state=power_state, task_state=None, **changes)


def _update_volume_connections(ctx: Context, doc: Document, vm_state: str) -> None:
    """Disconnect the volumes when a server is offloaded, connect them when it is unshelved.

    The volumes of a server without a host stay reserved, and Cinder lists no attachment of them.
    """
    for entry in doc["volumes"]:
        if vm_state == "shelved_offloaded":
            cinder.disconnect(ctx, entry["volume_id"], doc["id"])
        elif doc["vm_state"] == "shelved_offloaded":
            attachment = {"device": entry["device"], "attachment_id": entry["attachment_id"]}
            cinder.attach(ctx, entry["volume_id"], server_id=doc["id"], **attachment)


@server_step("nova.task")
def _set_task(ctx: Context, doc: Document, task: str) -> None:
    save(ctx, doc, task_state=task)


@action("os-stop")
def stop(call: Call, doc: Document) -> Reply:
    """Power off."""
    check_host(doc)
    check_state(doc, "stop", ("active", "error"))
    begin_action(call, doc, "stop")
    finish_task_after(call, doc, STOPPING, task="powering-off", vm_state="stopped", power_state=SHUTDOWN)
    return Reply(202)


@action("os-start")
def start(call: Call, doc: Document) -> Reply:
    """Power on."""
    check_host(doc)
    check_state(doc, "start", ("stopped",))
    begin_action(call, doc, "start")
    finish_task_after(call, doc, STARTING, task="powering-on", vm_state="active", power_state=RUNNING)
    return Reply(202)


@action("reboot")
def reboot(call: Call, doc: Document) -> Reply:
    """Restart, softly or hard."""
    kinds = {"type": "string", "enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]}
    hard = body(call, "reboot", fields({"type": kinds}, "type"))["type"].upper() == "HARD"
    allowed = ("active", "stopped", "paused", "suspended", "error") if hard else ("active",)
    check_state(doc, "reboot", allowed)
    begin_action(call, doc, "reboot")
    suffix = "_hard" if hard else ""
    call.schedule(REBOOTING[0], "nova.task", doc["id"], task=f"reboot_started{suffix}")
    finish_task_after(call, doc, sum(REBOOTING), task=f"rebooting{suffix}", vm_state="active", power_state=RUNNING)
    return Reply(202)


def _register_simple_action(name: str, verb: str, allowed: tuple[str, ...], task: str, target: tuple[str, int]) -> None:
    """Register an action without arguments that moves a server from one of the allowed states to another state."""

    @action(name)
    def run(call: Call, doc: Document) -> Reply:
        body(call, name, NOTHING)
        check_host(doc)
        check_state(doc, verb, allowed)
        begin_action(call, doc, verb)
        finish_task_after(call, doc, SHORT, task=task, vm_state=target[0], power_state=target[1])
        return Reply(202)


_register_simple_action("pause", "pause", ("active",), "pausing", ("paused", PAUSED))
_register_simple_action("unpause", "unpause", ("paused",), "unpausing", ("active", RUNNING))
_register_simple_action("suspend", "suspend", ("active",), "suspending", ("suspended", SUSPENDED))
_register_simple_action("resume", "resume", ("suspended",), "resuming", ("active", RUNNING))


@action("shelve")
def shelve(call: Call, doc: Document) -> Reply:
    """Shelve the server and offload it immediately, which is the default configuration of Nova."""
    check_state(doc, "shelve", ("active", "stopped", "paused", "suspended"))
    begin_action(call, doc, "shelve")
    call.schedule(SHELVING[0], "nova.shelved", doc["id"])
    finish_task_after(
        call,
        doc,
        sum(SHELVING),
        task="shelving" if _booted_from_volume(doc) else "shelving_image_pending_upload",
        vm_state="shelved_offloaded",
        power_state=SHUTDOWN,
        host="",
        hypervisor=None,
    )
    return Reply(202)


@server_step("nova.shelved")
def _offload(ctx: Context, doc: Document) -> None:
    save(ctx, doc, vm_state="shelved", power_state=SHUTDOWN, task_state="shelving_offloading")


@action("shelveOffload")
def shelve_offload(call: Call, doc: Document) -> Reply:
    """Remove a shelved server from its host. Only an administrator may."""
    require_admin(call, "os-shelve:shelve_offload")
    check_state(doc, "shelveOffload", ("shelved",))
    finish_task_after(call, doc, SHORT, task="shelving_offloading", vm_state="shelved_offloaded", power_state=SHUTDOWN)
    return Reply(202)


@action("unshelve")
def unshelve(call: Call, doc: Document) -> Reply:
    """Start a shelved server on a host. The server is active afterwards, even if it was stopped when shelved."""
    check_state(doc, "unshelve", ("shelved", "shelved_offloaded"))
    begin_action(call, doc, "unshelve")
    finish_task_after(
        call,
        doc,
        UNSHELVING,
        task="unshelving",
        vm_state="active",
        power_state=RUNNING,
        launched=call.now,
        **(find_host(call, doc) or {}),
    )
    return Reply(202)


def boot_image_id(call: Call, doc: Document) -> str | None:
    """Return the id of the image that the server was created from, also by its root volume."""
    if doc["image_id"]:
        return str(doc["image_id"])
    root = next((volume["volume_id"] for volume in doc["volumes"] if volume["root"]), "")
    volume = call.get("volume", root) or {}
    image_id: str | None = volume.get("volume_image_metadata", {}).get("image_id")
    return image_id


def _booted_from_volume(doc: Document) -> bool:
    return not doc["image_id"]


@action("rebuild")
def rebuild(call: Call, doc: Document) -> Reply:
    """Reinstall the root disk from an image; id, addresses and all other disks are kept."""
    requested = body(call, "rebuild", fields(_rebuild_properties(call), "imageRef"))
    image_id = requested["imageRef"].rpartition("/")[2]
    image = call.get("image", image_id)
    if image is None:
        raise HttpError(400, "Cannot find image for rebuild")
    from_error = () if call.is_otc else ("error",)
    check_state(doc, "rebuild", ("active", "stopped", *from_error))
    if _booted_from_volume(doc) and image_id != boot_image_id(call, doc) and not call.at_least(93):
        raise HttpError(
            400,
            f"Image {image_id} is unacceptable: Unable to rebuild with a different image for a volume-backed server.",
        )
    begin_action(call, doc, "rebuild")
    doc |= {name: requested[name] for name in ("name", "metadata", "description", "key_name") if name in requested}
    if doc["image_id"]:
        doc["image_id"] = image_id
    call.schedule(REBUILDING[0], "nova.task", doc["id"], task="rebuild_block_device_mapping")
    call.schedule(sum(REBUILDING[:2]), "nova.task", doc["id"], task="rebuild_spawning")
    if doc["vm_state"] == "stopped":
        call.schedule(sum(REBUILDING) + REBUILT, "nova.stop_again", doc["id"])
    on: dict[str, Any] = {"vm_state": "active", "power_state": RUNNING}
    finish_task_after(call, doc, sum(REBUILDING), task="rebuilding", launched=call.now, fault=None, **on)
    rendered = detailed(call, doc) if call.at_least(75) else core(call, doc, full=False)
    rendered["adminPass"] = requested.get("adminPass") or new_password()
    if call.at_least(54):
        rendered["key_name"] = doc["key_name"]
    if call.at_least(57):
        rendered["user_data"] = requested.get("user_data", doc["user_data"])
    return Reply(202, {"server": rendered}, {"Location": f"{call.self_base}/servers/{doc['id']}"})


def _rebuild_properties(call: Call) -> Schema:
    """Return the schemas of the fields of a rebuild."""
    properties: Schema = {
        "imageRef": TEXT,
        "adminPass": TEXT,
        "name": NAME,
        "metadata": METADATA,
        "preserve_ephemeral": BOOLEAN,
        "OS-DCF:diskConfig": DISK_CONFIG,
        "accessIPv4": {"type": "string", "format": "ipv4"},
        "accessIPv6": {"type": "string", "format": "ipv6"},
    }
    if not call.at_least(57):
        properties["personality"] = {"type": "array"}
    if call.at_least(19):
        properties["description"] = OPTIONAL_TEXT
    if call.at_least(54):
        properties["key_name"] = OPTIONAL_TEXT
    if call.at_least(57):
        properties["user_data"] = {"type": ["string", "null"], "format": "base64"}
    if call.at_least(90):
        properties["hostname"] = TEXT
    if call.is_otc:
        return {name: schema for name, schema in properties.items() if name in OTC_REBUILD}
    return properties


@server_step("nova.stop_again")
def _stop_again(ctx: Context, doc: Document) -> None:
    """Nova starts a stopped server for a rebuild, shows it ACTIVE without a task for a moment, and stops it again."""
    if (doc["vm_state"], doc["task_state"]) == ("active", None):
        finish_task_after(ctx, doc, STOPPING, task="powering-off", vm_state="stopped", power_state=SHUTDOWN)


@action("rescue")
def rescue(call: Call, doc: Document) -> Reply:
    """Boot the server into a rescue image."""
    options = body(call, "rescue", RESCUE) or {}
    check_state(doc, "rescue", ("active", "stopped", "error"))
    if _booted_from_volume(doc) and not call.at_least(87):
        raise HttpError(400, f"Instance {doc['id']} cannot be rescued: Cannot rescue a volume-backed instance")
    begin_action(call, doc, "rescue")
    finish_task_after(call, doc, RESCUING, task="rescuing", vm_state="rescued", power_state=RUNNING)
    return Reply(200, {"adminPass": options.get("adminPass") or new_password()})


@action("unrescue")
def unrescue(call: Call, doc: Document) -> Reply:
    """Boot the server from its own root disk again."""
    check_state(doc, "unrescue", ("rescued",))
    begin_action(call, doc, "unrescue")
    finish_task_after(call, doc, RESCUING, task="unrescuing", vm_state="active", power_state=RUNNING)
    return Reply(202)


@action("lock")
def lock(call: Call, doc: Document) -> Reply:
    """Lock the server: all actions are rejected until it is unlocked."""
    options = body(call, "lock", LOCK if call.at_least(73) else {}) or {}
    save(call, doc, locked=True, locked_reason=options["locked_reason"] if call.at_least(73) and options else None)
    return Reply(202)


@action("unlock")
def unlock(call: Call, doc: Document) -> Reply:
    """Unlock the server."""
    save(call, doc, locked=False, locked_reason=None)
    return Reply(202)


@action("changePassword")
def change_password(call: Call, doc: Document) -> Reply:
    """Set the administrator password inside a running server."""
    body(call, "changePassword", fields({"adminPass": TEXT}, "adminPass"))
    if doc["locked"] and not call.is_admin:
        # Unlike for every other action, Nova does not say that the server is locked.
        raise HttpError(409, f"Instance {doc['id']} is in an invalid state for 'changePassword'")
    check_host(doc)
    check_state(doc, "changePassword", ("active",))
    begin_action(call, doc, "changePassword")
    finish_task_after(call, doc, SHORT, task="updating_password", vm_state="active", power_state=RUNNING)
    return Reply(202)


@action("addSecurityGroup")
def add_security_group(call: Call, doc: Document) -> Reply:
    """Add a security group to every port of the server.

    Nova stops at the first port that has the group already. The ports changed before it stay changed.
    """
    name: str = body(call, "addSecurityGroup", fields({"name": NAME}, "name"))["name"]
    try:
        (group_id,) = neutron.security_group_ids(call, [name])
    except HttpError as error:
        if error.status == 409:  # noqa: PLR2004
            raise
        raise HttpError(404, f"Security group {name} is not found for project {call.project_id}") from None
    for nic in doc["nics"]:
        port = call.get("port", nic["port_id"])
        if port and group_id in port["security_groups"]:
            message = f"Invalid input for security_groups. Reason: Duplicate items in the list: '{group_id}'."
            raise HttpError(400, message)
        if port:
            call.put("port", port | {"security_groups": [*port["security_groups"], group_id]})
    save(call, doc)
    return Reply(202)


@action("forceDelete")
def force_delete(call: Call, doc: Document) -> Reply:
    """Delete the server from any state."""
    body(call, "forceDelete", NOTHING)
    begin_action(call, doc, "delete")
    begin_delete(call, doc, force=True)
    return Reply(202)


@service.get("/servers/{server_id}/os-instance-actions")
def history(call: Call, server_id: str) -> dict[str, Any]:
    """`GET /servers/{id}/os-instance-actions`: newest first."""
    entries = call.find("action", newest_first=True, server_id=server_id)
    if not entries:
        get_scheduled_server(call, server_id)
    return {"instanceActions": [_render_action(call, entry) for entry in entries]}


@service.get("/servers/{server_id}/os-instance-actions/{request_id}")
def history_entry(call: Call, server_id: str, request_id: str) -> dict[str, Any]:
    """`GET /servers/{id}/os-instance-actions/{request id}`, with events from 2.51 on."""
    entry = call.get("action", f"{server_id}/{request_id}")
    if entry is None:
        raise HttpError(404, f"Action for request_id {request_id} on instance {server_id} not found")
    rendered = _render_action(call, entry)
    if call.at_least(51):
        result = {None: "Success", "Error": "Error"}[entry["message"]]
        event = {
            "event": f"compute_{entry['action']}_instance",
            "start_time": _timestamp(entry["start"]),
            "finish_time": _timestamp(entry["finish"]),
            "result": result if entry["finish"] else None,
        }
        rendered["events"] = [event | ({"details": None} if call.at_least(84) else {})]
    return {"instanceAction": rendered}


def _render_action(call: Call, entry: Document) -> dict[str, Any]:
    rendered = {
        "action": entry["action"],
        "instance_uuid": entry["server_id"],
        "request_id": entry["request_id"],
        "user_id": entry["user_id"],
        "project_id": entry["project_id"],
        "start_time": _timestamp(entry["start"]),
        "message": entry["message"],
    }
    if call.at_least(58):
        rendered["updated_at"] = _timestamp(entry["updated"])
    return rendered


def _timestamp(at: float | None) -> str | None:
    return None if at is None else to_microsecond(int(at))
