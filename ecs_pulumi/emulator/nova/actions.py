"""`POST /servers/{id}/action`: what a server can be told to do, other than to change its size."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator import cinder, neutron
from ecs_pulumi.emulator.clock import to_microsecond
from ecs_pulumi.emulator.context import Call, Reply, step
from ecs_pulumi.emulator.errors import Refused

from . import schema
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
    live,
    save,
    scheduled,
)
from .lifecycle import begin_delete
from .schema import NAME, NOTHING
from .service import forbid, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

    Action = Callable[[Call, Document], Reply]

# Seconds that each takes on a real cloud.
STOPPING = 3.0
STARTING = 2.0
REBOOTING = (1.0, 2.0)
REBUILDING = (0.5, 1.0, 3.0)
REBUILT = 3.0  # a moment in fact; as long as this, no client can overlook it
SHELVING = (3.0, 1.0)
UNSHELVING = 4.0
RESCUING = 2.0
SHORT = 0.6

ADMIN_ONLY = {
    "os-resetState": "os-admin-actions:reset_state",
    "injectNetworkInfo": "os-admin-actions:inject_network_info",
    "resetNetwork": "os-admin-actions:reset_network",
    "migrate": "os-migrate-server:migrate",
    "os-migrateLive": "os-migrate-server:migrate_live",
    "evacuate": "os-evacuate",
}

ACTIONS: dict[str, Action] = {}
"""The actions by the key of their body; `resize` registers its own."""


def action(name: str) -> Callable[[Action], Action]:
    """Make a function known as an action."""

    def register(function: Action) -> Action:
        ACTIONS[name] = function
        return function

    return register


@service.post("/servers/{server_id}/action")
def act(call: Call, server_id: str) -> Reply:
    """`POST /servers/{id}/action`: the body's one key names the action."""
    document = schema.parse(call)
    if not isinstance(document, dict):
        raise Refused(400, f"{document!r} is not of type 'object'")
    if len(document) != 1:
        raise Refused(400, "There is no such action: " + ", ".join(document))
    name = next(iter(document))
    if name in ADMIN_ONLY and not (call.is_admin and name in ACTIONS):
        raise forbid(ADMIN_ONLY[name])
    if name not in ACTIONS:
        raise Refused(400, f"There is no such action: {name}")
    doc = scheduled(call, server_id, "has no mapping to a cell.")
    if name not in ("lock", "unlock", "os-getConsoleOutput"):
        check_lock(call, doc)
    return ACTIONS[name](call, doc)


@action("os-resetState")
def reset_state(call: Call, doc: Document) -> Reply:
    """Say that it runs, or that it does not, whatever is true."""
    state = {"type": "string", "enum": ["active", "error"]}
    properties = {"state": state}
    wanted = schema.body(call, "os-resetState", {"type": "object", "properties": properties, "required": ["state"]})
    call.cancel(doc["id"])
    save(call, doc, vm_state=wanted["state"], task_state=None)
    return Reply(202)


def settle(
    ctx: Context,
    doc: Document,
    seconds: float,
    *,
    task: str | None,
    vm_state: str,
    power_state: int,
    **changes: Any,
) -> None:
    """Show a task for some seconds, then the state that it leads to."""
    save(ctx, doc, task_state=task)
    ctx.later(seconds, "nova.settle", doc["id"], vm_state=vm_state, power_state=power_state, changes=changes)


@step("nova.settle")
def _settle(ctx: Context, server_id: str, vm_state: str, power_state: int, changes: dict[str, Any]) -> None:
    doc = live(ctx, server_id)
    if doc is not None:
        end_action(ctx, doc)
        _connect_volumes(ctx, doc, vm_state)
        save(ctx, doc, vm_state=vm_state, power_state=power_state, task_state=None, **changes)


def _connect_volumes(ctx: Context, doc: Document, vm_state: str) -> None:
    """A server without a host keeps its volumes reserved, and Cinder shows no attachment of them."""
    for entry in doc["volumes"]:
        if vm_state == "shelved_offloaded":
            cinder.disconnect(ctx, entry["volume_id"], doc["id"])
        elif doc["vm_state"] == "shelved_offloaded":
            where = {"device": entry["device"], "attachment_id": entry["attachment_id"], "host": doc["host"]}
            cinder.attach(ctx, entry["volume_id"], server_id=doc["id"], **where)


@step("nova.task")
def _task(ctx: Context, server_id: str, task: str) -> None:
    doc = live(ctx, server_id)
    if doc is not None:
        save(ctx, doc, task_state=task)


@action("os-stop")
def stop(call: Call, doc: Document) -> Reply:
    """Power off."""
    check_host(doc)
    check_state(doc, "stop", ("active", "error"))
    begin_action(call, doc, "stop")
    settle(call, doc, STOPPING, task="powering-off", vm_state="stopped", power_state=SHUTDOWN)
    return Reply(202)


@action("os-start")
def start(call: Call, doc: Document) -> Reply:
    """Power on."""
    check_host(doc)
    check_state(doc, "start", ("stopped",))
    begin_action(call, doc, "start")
    settle(call, doc, STARTING, task="powering-on", vm_state="active", power_state=RUNNING)
    return Reply(202)


@action("reboot")
def reboot(call: Call, doc: Document) -> Reply:
    """Restart, softly or hard."""
    kinds = {"type": "string", "enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]}
    schema_ = {"type": "object", "properties": {"type": kinds}, "required": ["type"]}
    hard = schema.body(call, "reboot", schema_)["type"].upper() == "HARD"
    allowed = ("active", "stopped", "paused", "suspended", "error") if hard else ("active",)
    check_state(doc, "reboot", allowed)
    begin_action(call, doc, "reboot")
    suffix = "_hard" if hard else ""
    call.later(REBOOTING[0], "nova.task", doc["id"], task=f"reboot_started{suffix}")
    settle(call, doc, sum(REBOOTING), task=f"rebooting{suffix}", vm_state="active", power_state=RUNNING)
    return Reply(202)


def _simple(name: str, verb: str, allowed: tuple[str, ...], task: str, to: tuple[str, int]) -> None:
    """An action without arguments that leads from some states to another one."""

    @action(name)
    def run(call: Call, doc: Document) -> Reply:
        schema.body(call, name, NOTHING)
        check_host(doc)
        check_state(doc, verb, allowed)
        begin_action(call, doc, verb)
        settle(call, doc, SHORT, task=task, vm_state=to[0], power_state=to[1])
        return Reply(202)


_simple("pause", "pause", ("active",), "pausing", ("paused", PAUSED))
_simple("unpause", "unpause", ("paused",), "unpausing", ("active", RUNNING))
_simple("suspend", "suspend", ("active",), "suspending", ("suspended", SUSPENDED))
_simple("resume", "resume", ("suspended",), "resuming", ("active", RUNNING))


@action("shelve")
def shelve(call: Call, doc: Document) -> Reply:
    """Store the server away; the host is given up at once, as clouds have it set by default."""
    check_state(doc, "shelve", ("active", "stopped", "paused", "suspended"))
    begin_action(call, doc, "shelve")
    call.later(SHELVING[0], "nova.shelved", doc["id"])
    settle(
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


@step("nova.shelved")
def _shelved(ctx: Context, server_id: str) -> None:
    doc = live(ctx, server_id)
    if doc is not None:
        save(ctx, doc, vm_state="shelved", power_state=SHUTDOWN, task_state="shelving_offloading")


@action("shelveOffload")
def shelve_offload(call: Call, doc: Document) -> Reply:
    """Give the host of a shelved server up; the administrator's affair."""
    if not call.is_admin:
        raise forbid("os-shelve:shelve_offload")
    check_state(doc, "shelveOffload", ("shelved",))
    settle(call, doc, SHORT, task="shelving_offloading", vm_state="shelved_offloaded", power_state=SHUTDOWN)
    return Reply(202)


@action("unshelve")
def unshelve(call: Call, doc: Document) -> Reply:
    """Bring a shelved server back to a host; it runs afterwards, even if it did not before."""
    check_state(doc, "unshelve", ("shelved", "shelved_offloaded"))
    begin_action(call, doc, "unshelve")
    zone = doc["zone"] or call.zones()[0]
    otc = call.cloud.dialect.name == "otc"
    host = f"pod01.{zone}" if otc else f"compute-{call.zones().index(zone) + 1}"
    settle(
        call,
        doc,
        UNSHELVING,
        task="unshelving",
        vm_state="active",
        power_state=RUNNING,
        host=host,
        hypervisor="nova001@1" if otc else host,
        launched=call.now,
    )
    return Reply(202)


def _boot_image(call: Call, doc: Document) -> str | None:
    """The image that a root volume was filled from."""
    root = next((volume["volume_id"] for volume in doc["volumes"] if volume["root"]), "")
    volume = call.get("volume", root) or {}
    image_id: str | None = volume.get("volume_image_metadata", {}).get("image_id")
    return image_id


def _booted_from_volume(doc: Document) -> bool:
    return not doc["image_id"]


@action("rebuild")
def rebuild(call: Call, doc: Document) -> Reply:
    """Reinstall from an image, keeping id, disks beside the root disk, and addresses."""
    properties: dict[str, Any] = {
        "imageRef": {"type": "string"},
        "adminPass": {"type": "string"},
        "name": NAME,
        "metadata": schema.METADATA,
        "preserve_ephemeral": schema.BOOLEAN,
        "OS-DCF:diskConfig": {"type": "string", "enum": ["AUTO", "MANUAL"]},
        "accessIPv4": {"type": "string"},
        "accessIPv6": {"type": "string"},
    }
    if not call.at_least(57):
        properties["personality"] = {"type": "array"}
    if call.at_least(19):
        properties["description"] = {"type": ["string", "null"]}
    if call.at_least(54):
        properties["key_name"] = {"type": ["string", "null"]}
    if call.at_least(57):
        properties["user_data"] = {"type": ["string", "null"], "format": "base64"}
    if call.at_least(90):
        properties["hostname"] = {"type": "string"}
    wanted = schema.body(call, "rebuild", {"type": "object", "properties": properties, "required": ["imageRef"]})
    image_id = wanted["imageRef"].rpartition("/")[2]
    image = call.get("image", image_id)
    if image is None:
        raise Refused(400, "Cannot find image for rebuild")
    check_state(doc, "rebuild", ("active", "stopped", "error"))
    if _booted_from_volume(doc) and image_id != _boot_image(call, doc) and not call.at_least(93):
        raise Refused(
            400,
            f"Image {image_id} is unacceptable: Unable to rebuild with a different image for a volume-backed server.",
        )
    begin_action(call, doc, "rebuild")
    fields = {"name": "name", "metadata": "metadata", "description": "description", "key_name": "key_name"}
    doc |= {field: wanted[name] for name, field in fields.items() if name in wanted}
    if doc["image_id"]:
        doc["image_id"] = image_id
    call.later(REBUILDING[0], "nova.task", doc["id"], task="rebuild_block_device_mapping")
    call.later(sum(REBUILDING[:2]), "nova.task", doc["id"], task="rebuild_spawning")
    if doc["vm_state"] == "stopped":
        call.later(sum(REBUILDING) + REBUILT, "nova.stop_again", doc["id"])
    on: dict[str, Any] = {"vm_state": "active", "power_state": RUNNING}
    settle(call, doc, sum(REBUILDING), task="rebuilding", launched=call.now, fault=None, **on)
    shown = detailed(call, doc) if call.at_least(75) else core(call, doc, full=False)
    alphabet = string.ascii_letters + string.digits
    shown["adminPass"] = wanted.get("adminPass") or "".join(secrets.choice(alphabet) for _ in range(12))
    if call.at_least(54):
        shown["key_name"] = doc["key_name"]
    if call.at_least(57):
        shown["user_data"] = wanted.get("user_data", doc["user_data"])
    return Reply(202, {"server": shown}, {"Location": f"{call.self_base}/servers/{doc['id']}"})


@step("nova.stop_again")
def _stop_again(ctx: Context, server_id: str) -> None:
    """Nova starts a stopped server for a rebuild, shows it ACTIVE without a task for a moment, and stops it again."""
    doc = live(ctx, server_id)
    if doc is not None and (doc["vm_state"], doc["task_state"]) == ("active", None):
        settle(ctx, doc, STOPPING, task="powering-off", vm_state="stopped", power_state=SHUTDOWN)


@action("rescue")
def rescue(call: Call, doc: Document) -> Reply:
    """Boot into a rescue system."""
    check_state(doc, "rescue", ("active", "stopped", "error"))
    if _booted_from_volume(doc) and not call.at_least(87):
        raise Refused(400, f"Instance {doc['id']} cannot be rescued: Cannot rescue a volume-backed instance")
    begin_action(call, doc, "rescue")
    settle(call, doc, RESCUING, task="rescuing", vm_state="rescued", power_state=RUNNING)
    given = (call.json() or {}).get("rescue") or {}
    return Reply(200, {"adminPass": given.get("adminPass", secrets.token_urlsafe(9))})


@action("unrescue")
def unrescue(call: Call, doc: Document) -> Reply:
    """Boot the server's own system again."""
    check_state(doc, "unrescue", ("rescued",))
    begin_action(call, doc, "unrescue")
    settle(call, doc, RESCUING, task="unrescuing", vm_state="active", power_state=RUNNING)
    return Reply(202)


@action("lock")
def lock(call: Call, doc: Document) -> Reply:
    """Refuse every action until unlocked."""
    given = call.json()["lock"] or {}
    reason = given.get("locked_reason") if call.at_least(73) else None
    save(call, doc, locked=True, locked_reason=reason)
    return Reply(202)


@action("unlock")
def unlock(call: Call, doc: Document) -> Reply:
    """Allow actions again."""
    save(call, doc, locked=False, locked_reason=None)
    return Reply(202)


@action("changePassword")
def change_password(call: Call, doc: Document) -> Reply:
    """Set the administrator's password inside a running server."""
    properties = {"adminPass": {"type": "string"}}
    schema_ = {"type": "object", "properties": properties, "required": ["adminPass"]}
    schema.body(call, "changePassword", schema_)
    check_host(doc)
    check_state(doc, "changePassword", ("active",))
    begin_action(call, doc, "changePassword")
    settle(call, doc, SHORT, task="updating_password", vm_state="active", power_state=RUNNING)
    return Reply(202)


@action("addSecurityGroup")
def add_security_group(call: Call, doc: Document) -> Reply:
    """Put every interface into one more group; Nova gives up at one that is in it, those before it stay changed."""
    _, group_id = _group(call, "addSecurityGroup")

    def more(groups: list[str]) -> list[str]:
        if group_id in groups:
            said = f"Invalid input for security_groups. Reason: Duplicate items in the list: '{group_id}'."
            raise Refused(400, said)
        return [*groups, group_id]

    return _regroup(call, doc, more)


@action("removeSecurityGroup")
def remove_security_group(call: Call, doc: Document) -> Reply:
    """Take every interface out of a group."""
    name, group_id = _group(call, "removeSecurityGroup")
    ports = [call.get("port", nic["port_id"]) for nic in doc["nics"]]
    if not any(port and group_id in port["security_groups"] for port in ports):
        raise Refused(404, f"Security group {name} not associated with the instance {doc['id']}")
    return _regroup(call, doc, lambda groups: [each for each in groups if each != group_id])


def _group(call: Call, root: str) -> tuple[str, str]:
    """The group as it was named, and its id."""
    properties = {"name": NAME}
    name: str = schema.body(call, root, {"type": "object", "properties": properties, "required": ["name"]})["name"]
    try:
        return name, neutron.security_group_ids(call, [name])[0]
    except Refused as refused:
        if refused.status == 409:  # noqa: PLR2004
            raise
        raise Refused(404, f"Security group {name} is not found for project {call.project_id}") from None


def _regroup(call: Call, doc: Document, change: Callable[[list[str]], list[str]]) -> Reply:
    for nic in doc["nics"]:
        port = call.get("port", nic["port_id"])
        if port:
            call.put("port", port | {"security_groups": change(port["security_groups"])})
    save(call, doc)
    return Reply(202)


@action("forceDelete")
def force_delete(call: Call, doc: Document) -> Reply:
    """Delete from any state."""
    schema.body(call, "forceDelete", NOTHING)
    begin_action(call, doc, "delete")
    begin_delete(call, doc, force=True)
    return Reply(202)


@action("os-getConsoleOutput")
def console_output(call: Call, doc: Document) -> Reply:
    """The console's last lines: there are none."""
    check_host(doc)
    schema.body(
        call,
        "os-getConsoleOutput",
        {"type": "object", "properties": {"length": {"type": ["integer", "string", "null"]}}},
    )
    return Reply(200, {"output": ""})


@service.get("/servers/{server_id}/os-instance-actions")
def history(call: Call, server_id: str) -> dict[str, Any]:
    """`GET /servers/{id}/os-instance-actions`: newest first."""
    found = call.find("action", newest_first=True, server_id=server_id)
    if not found:
        scheduled(call, server_id)
    return {"instanceActions": [_action_body(call, entry) for entry in found]}


@service.get("/servers/{server_id}/os-instance-actions/{request_id}")
def history_entry(call: Call, server_id: str, request_id: str) -> dict[str, Any]:
    """`GET /servers/{id}/os-instance-actions/{request id}`, with events from 2.51 on."""
    entry = call.get("action", f"{server_id}/{request_id}")
    if entry is None:
        raise Refused(404, f"Action for request_id {request_id} on instance {server_id} not found")
    shown = _action_body(call, entry)
    if call.at_least(51):
        result = {None: "Success", "Error": "Error"}[entry["message"]]
        event = {
            "event": f"compute_{entry['action']}_instance",
            "start_time": _time(entry["start"]),
            "finish_time": _time(entry["finish"]),
            "result": result if entry["finish"] else None,
        }
        shown["events"] = [event | ({"details": None} if call.at_least(84) else {})]
    return {"instanceAction": shown}


def _action_body(call: Call, entry: Document) -> dict[str, Any]:
    shown = {
        "action": entry["action"],
        "instance_uuid": entry["server_id"],
        "request_id": entry["request_id"],
        "user_id": entry["user_id"],
        "project_id": entry["project_id"],
        "start_time": _time(entry["start"]),
        "message": entry["message"],
    }
    if call.at_least(58):
        shown["updated_at"] = _time(entry["updated"])
    return shown


def _time(at: float | None) -> str | None:
    return None if at is None else to_microsecond(int(at))
