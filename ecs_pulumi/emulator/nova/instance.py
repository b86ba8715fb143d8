"""Server documents: look-up, status, action history and rendering."""

from __future__ import annotations

import hashlib
import secrets
import string
import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.clock import to_microsecond, to_second
from ecs_pulumi.emulator.context import step
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.versioned import links

from . import otc
from .flavors import embedded

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

RESIZING: dict[str | None, str] = {f"resize_{phase}": "RESIZE" for phase in ("prep", "migrating", "migrated", "finish")}
REBUILDING: dict[str | None, str] = dict.fromkeys(
    ("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"), "REBUILD"
)

# Status by vm_state and task_state. The key None stands for every other task_state.
STATUSES: dict[str, dict[str | None, str]] = {
    "active": {
        None: "ACTIVE",
        "rebooting": "REBOOT",
        "reboot_started": "REBOOT",
        "rebooting_hard": "HARD_REBOOT",
        "reboot_started_hard": "HARD_REBOOT",
        "updating_password": "PASSWORD",
        **REBUILDING,
        **RESIZING,
    },
    "building": {None: "BUILD"},
    "stopped": {None: "SHUTOFF", **RESIZING, **REBUILDING},
    "resized": {None: "VERIFY_RESIZE", "resize_reverting": "REVERT_RESIZE"},
    "paused": {None: "PAUSED"},
    "suspended": {None: "SUSPENDED"},
    "rescued": {None: "RESCUE"},
    "error": {None: "ERROR", **REBUILDING},
    "deleted": {None: "DELETED"},
    "soft-delete": {None: "SOFT_DELETED"},
    "shelved": {None: "SHELVED"},
    "shelved_offloaded": {None: "SHELVED_OFFLOADED"},
}
VM_STATES = {statuses[None]: vm_state for vm_state, statuses in STATUSES.items()} | dict.fromkeys(
    ("REBOOT", "HARD_REBOOT", "PASSWORD", "REBUILD", "RESIZE", "MIGRATING"), "active"
)
VM_STATES["REVERT_RESIZE"] = "resized"

PROGRESSING = ("ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE", "MIGRATING")

NOSTATE, RUNNING, PAUSED, SHUTDOWN, SUSPENDED = 0, 1, 3, 4, 7


def status_of(doc: Document) -> str:
    """Return the status that follows from `vm_state` and `task_state`."""
    statuses = STATUSES[doc["vm_state"]]
    return statuses.get(doc["task_state"], statuses[None])


def save(ctx: Context, doc: Document, **changes: Any) -> Document:
    """Apply changes to the document, set its update time and store it."""
    doc.update(changes)
    doc["updated"] = ctx.now
    return ctx.put("server", doc)


def find_server(ctx: Context, server_id: str) -> Document | None:
    """Return the server, or None if it does not exist or is deleted."""
    doc = ctx.get("server", server_id)
    return None if doc is None or doc["deleted"] else doc


def server_step(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a step `(ctx, server, **args)`; it is skipped if the server does not exist or is deleted."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @step(name)
        def run(ctx: Context, server_id: str, **args: Any) -> None:
            doc = find_server(ctx, server_id)
            if doc is not None:
                function(ctx, doc, **args)

        return function

    return register


def get_server(call: Call, server_id: str, error_text: str = "could not be found.") -> Document:
    """Return the server if the project may access it; 404 otherwise."""
    doc = find_server(call, server_id)
    if doc is None or (doc["project_id"] != call.project_id and not call.is_admin):
        raise HttpError(404, f"Instance {server_id} {error_text}")
    return doc


def get_scheduled_server(call: Call, server_id: str, error_text: str = "could not be found.") -> Document:
    """Return the server if it has been scheduled.

    Before that, Nova answers every action on the server with 404.
    """
    doc = get_server(call, server_id, error_text)
    if not doc["scheduled"]:
        raise HttpError(404, f"Instance {server_id} could not be found.")
    return doc


def check_lock(call: Call, doc: Document) -> None:
    """Raise 409 if the server is locked and the caller is no administrator."""
    if doc["locked"] and not call.is_admin:
        raise HttpError(409, f"Instance {doc['id']} is locked")


def check_state(
    doc: Document, action: str, vm_states: tuple[str, ...], tasks: tuple[str | None, ...] = (None,)
) -> None:
    """Raise 409 unless the server is in one of the states and tasks. An empty `tasks` allows every task."""
    for attribute, allowed in (("vm_state", vm_states), ("task_state", tasks)):
        if allowed and doc[attribute] not in allowed:
            raise HttpError(
                409,
                f"Cannot '{action}' instance {doc['id']} while it is in {attribute} {doc[attribute]}",
            )


def check_host(doc: Document) -> None:
    """Raise 409 if the server has no host."""
    if not doc["host"]:
        raise HttpError(409, f"Instance {doc['id']} is not ready")


def begin_action(call: Call, doc: Document, action: str) -> None:
    """Record the start of an action in the history of the server."""
    call.put(
        "action",
        {
            "id": f"{doc['id']}/{call.request_id}",
            "request_id": call.request_id,
            "server_id": doc["id"],
            "action": action,
            "user_id": call.user_id,
            "project_id": call.project_id,
            "start": call.now,
            "finish": None,
            "updated": call.now,
            "message": None,
        },
    )
    doc["last_action"] = f"{doc['id']}/{call.request_id}"


def end_action(ctx: Context, doc: Document, *, error: bool = False) -> None:
    """Record the result of the latest action in the history of the server."""
    action = ctx.get("action", doc.get("last_action") or "")
    if action:
        ctx.put("action", action | {"finish": ctx.now, "updated": ctx.now, "message": "Error" if error else None})


def to_error(ctx: Context, doc: Document, message: str, **changes: Any) -> None:
    """Set the server to ERROR, with a fault."""
    end_action(ctx, doc, error=True)
    fault = {"code": 500, "created": ctx.now, "message": message}
    save(ctx, doc, vm_state="error", task_state=None, fault=fault, **changes)


def nic_of(ctx: Context, port_id: str, tag: str | None = None) -> Document | None:
    """Return the data of a port that the server document holds; None if the port or its network is deleted."""
    port = ctx.get("port", port_id)
    network = port and ctx.get("network", port["network_id"])
    if port is None or network is None:
        return None
    return {
        "port_id": port_id,
        "network": network["name"],
        "mac": port["mac_address"],
        "addresses": [fixed["ip_address"] for fixed in port["fixed_ips"]],
        "floating": [each["floating_ip_address"] for each in ctx.find("floatingip", port_id=port_id)],
        "tag": tag,
    }


def groups_of(ctx: Context, port_id: str) -> list[str]:
    """Return the names of the security groups of a port. Nova queries Neutron for them at every request."""
    port = ctx.get("port", port_id)
    groups = [ctx.get("security_group", group_id) for group_id in port["security_groups"]] if port else []
    return [group["name"] for group in groups if group]


def host_id(doc: Document) -> str:
    """Return the `hostId`: the hash of project id and host name that Nova computes."""
    if not doc["host"]:
        return ""
    return hashlib.sha224(f"{doc['project_id']}{doc['host']}".encode()).hexdigest()


def new_id() -> str:
    """Return a new id."""
    return str(uuid.uuid4())


def new_password() -> str:
    """Return a new administrator password."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(12))


def addresses(doc: Document, *, full: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the addresses of the server by network name, the floating IPs of a network after its own addresses."""
    found: dict[str, list[dict[str, Any]]] = {}
    for type_, key in (("fixed", "addresses"), ("floating", "floating")):
        for nic in doc["nics"]:
            for address in nic[key]:
                entry: dict[str, Any] = {"version": 6 if ":" in address else 4, "addr": address}
                if full:
                    entry |= {"OS-EXT-IPS:type": type_, "OS-EXT-IPS-MAC:mac_addr": nic["mac"]}
                found.setdefault(nic["network"], []).append(entry)
    return found


def brief(call: Call, doc: Document) -> dict[str, Any]:
    """Render a server for a list without details."""
    return {"id": doc["id"], "name": doc["name"], "links": links(call, f"servers/{doc['id']}")}


def core(call: Call, doc: Document, *, full: bool) -> dict[str, Any]:
    """Render the fields of a server that every response contains, including those to PUT and rebuild."""
    rendered: dict[str, Any] = {
        "id": doc["id"],
        "name": doc["name"],
        "status": status_of(doc),
        "tenant_id": doc["project_id"],
        "user_id": doc["user_id"],
        "metadata": doc["metadata"],
        "hostId": host_id(doc),
        "image": _render_image(call, doc),
        "flavor": _render_flavor(call, doc),
        "created": to_second(doc["created"]),
        "updated": to_second(doc["updated"]),
        "addresses": addresses(doc, full=full),
        "accessIPv4": doc["access_v4"],
        "accessIPv6": doc["access_v6"],
        "links": links(call, f"servers/{doc['id']}"),
        "OS-DCF:diskConfig": doc["disk_config"],
    }
    if status_of(doc) in ("ERROR", "DELETED") and doc["fault"]:
        rendered["fault"] = doc["fault"] | {"created": to_second(doc["fault"]["created"])}
    if status_of(doc) in PROGRESSING:
        rendered["progress"] = 0
    if call.at_least(9):
        rendered["locked"] = doc["locked"]
    if call.at_least(73):
        rendered["locked_reason"] = doc["locked_reason"]
    if call.at_least(19):
        rendered["description"] = doc["description"]
    if call.at_least(26):
        rendered["tags"] = otc.render_tags(call, doc["tags"])
    if call.at_least(63):
        rendered["trusted_image_certificates"] = None
    return rendered


def detailed(call: Call, doc: Document) -> dict[str, Any]:
    """Render all fields of a server, for GET and the detailed list."""
    rendered = core(call, doc, full=True) | {
        "OS-EXT-AZ:availability_zone": doc["zone"],
        "config_drive": "True" if doc["config_drive"] else "",
        "key_name": doc["key_name"],
        "OS-SRV-USG:launched_at": _timestamp(doc["launched"]),
        "OS-SRV-USG:terminated_at": _timestamp(doc["terminated"]),
        "OS-EXT-STS:task_state": doc["task_state"],
        "OS-EXT-STS:vm_state": doc["vm_state"],
        "OS-EXT-STS:power_state": doc["power_state"],
        "os-extended-volumes:volumes_attached": [
            {"id": volume["volume_id"]}
            | ({"delete_on_termination": volume["delete_on_termination"]} if call.at_least(3) else {})
            for volume in doc["volumes"]
            if volume["volume_id"]
        ],
    }
    groups = [{"name": name} for nic in doc["nics"] for name in groups_of(call, nic["port_id"])]
    if groups:
        rendered["security_groups"] = groups
    if call.is_otc or call.is_admin:
        rendered |= _attributes(call, doc)
    if call.at_least(71):
        groups = call.find("server_group", project_id=doc["project_id"])
        rendered["server_groups"] = [group["id"] for group in groups if doc["id"] in group["members"]]
    if call.at_least(90):
        rendered["OS-EXT-SRV-ATTR:hostname"] = doc["hostname"]
    return rendered


def _attributes(call: Call, doc: Document) -> dict[str, Any]:
    """Return the attributes that dialect `otc` returns to every user, and `openstack` only to administrators."""
    rendered = {
        "host": doc["host"] or None,
        "hypervisor_hostname": doc["hypervisor"],
        "instance_name": doc["instance_name"],
    }
    if call.at_least(3):
        rendered |= {
            "reservation_id": doc["reservation_id"],
            "launch_index": 0,
            "hostname": doc["hostname"],
            "kernel_id": "",
            "ramdisk_id": "",
            "root_device_name": "/dev/vda" if call.is_otc else "/dev/sda",
            "user_data": doc["user_data"],
        }
    attributes = {f"OS-EXT-SRV-ATTR:{name}": value for name, value in rendered.items()}
    return attributes | ({"host_status": "UP" if doc["host"] else ""} if call.at_least(16) else {})


def _timestamp(at: float | None) -> str | None:
    return None if at is None else to_microsecond(int(at))


def _render_image(call: Call, doc: Document) -> Any:
    if not doc["image_id"]:
        return ""
    bookmark = {"rel": "bookmark", "href": f"{call.bookmark_base}/images/{doc['image_id']}"}
    return {"id": doc["image_id"], "links": [bookmark]}


def _render_flavor(call: Call, doc: Document) -> dict[str, Any]:
    if call.at_least(47):
        return embedded(doc["flavor"])
    bookmark = {"rel": "bookmark", "href": f"{call.bookmark_base}/flavors/{doc['flavor']['id']}"}
    return {"id": doc["flavor"]["id"], "links": [bookmark]}
