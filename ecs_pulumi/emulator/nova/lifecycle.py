"""The scheduled steps of building and deleting a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.cinder import servers as cinder
from ecs_pulumi.emulator.cinder import storage
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.neutron import servers as neutron

from .flavors import fits_no_host
from .instance import NOSTATE, RUNNING, SHUTDOWN, end_action, new_id, nic_of, save, server_step, to_error
from .placement import find_host
from .usage import claim

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Context
    from ecs_pulumi.emulator.store import Document

# Duration of each phase of a build on a real cloud, in seconds; about 8 in total.
SCHEDULING = 0.4
CLAIMING = 0.4
NETWORKING = 0.8
VOLUME_POLL = 0.5
ATTACHING = 0.8
SPAWNING = 3.6
SLOW = 10.0

DELETING = 2.4
DELETED_SHOWN = 0.4
DELETED_KEPT = 500
"""Number of deleted servers per region that `changes-since` still returns."""

NO_HOST = "No valid host was found. "


def begin_build(ctx: Context, doc: Document) -> None:
    """Start the build of a new server."""
    ctx.schedule(SCHEDULING, "nova.schedule", doc["id"])


@server_step("nova.schedule")
def _schedule(ctx: Context, doc: Document) -> None:
    if fits_no_host(doc["flavor"]) or ctx.has_outcome_fault("no-host", doc["name"]):
        to_error(ctx, doc, NO_HOST, scheduled=True, zone="")
        return
    host = find_host(ctx, doc)
    if host is None:
        to_error(ctx, doc, f"{NO_HOST}There are not enough hosts available.", scheduled=True, zone="")
        return
    save(ctx, doc, scheduled=True, task_state=None, **host)
    ctx.schedule(CLAIMING, "nova.network", doc["id"])


@server_step("nova.network")
def _start_networking(ctx: Context, doc: Document) -> None:
    save(ctx, doc, task_state="networking")
    ctx.schedule(NETWORKING, "nova.allocate", doc["id"])


@server_step("nova.allocate")
def _allocate(ctx: Context, doc: Document) -> None:
    """Create or claim the ports, and create the volumes."""
    groups = doc["security_group_ids"] or []
    if len(set(groups)) < len(groups):
        # Neutron rejects a port with a duplicate security group. Nova retries on every host, then gives up.
        message = "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for"
        to_error(ctx, doc, f"{message} instance {doc['id']}.", host="", zone="")
        return
    try:
        for requested in doc["requested_networks"]:
            plug_in(ctx, doc, requested, groups=doc["security_group_ids"])
        for volume in doc["volumes"]:
            if volume["volume_id"] is None:
                volume_doc = storage.make_volume(ctx, availability_zone=_volume_zone(ctx, doc), **volume["make"])
                volume["volume_id"] = volume_doc["id"]
    except HttpError as error:
        _abort(ctx, doc, error.message)
        return
    save(ctx, doc, task_state="block_device_mapping")
    ctx.schedule(VOLUME_POLL, "nova.await_volumes", doc["id"])


def _volume_zone(ctx: Context, doc: Document) -> str | None:
    # Cinder selects the zone where its zones differ from Nova's: OpenStack has a single zone for volumes.
    return doc["zone"] if ctx.is_otc else None


def plug_in(ctx: Context, doc: Document, requested: Document, *, groups: list[str] | None = None) -> Document:
    """Attach one network interface to a server and return the document of its port.

    The requested security groups apply to the interfaces that the server is created with. A port that Nova creates
    later gets the default group.
    """
    if requested.get("port"):
        port = neutron.claim_port(ctx, requested["port"], server_id=doc["id"], zone=doc["zone"])
    else:
        port = neutron.make_server_port(
            ctx,
            network_id=requested["uuid"],
            server_id=doc["id"],
            zone=doc["zone"],
            fixed_ip=requested.get("fixed_ip"),
            security_group_ids=groups,
        )
    nic = nic_of(ctx, port["id"], requested.get("tag"))
    if nic:
        doc["nics"].append(nic)
    return port


@server_step("nova.await_volumes")
def _await_volumes(ctx: Context, doc: Document) -> None:
    for volume in doc["volumes"]:
        found = ctx.get("volume", volume["volume_id"])
        status = found["status"] if found else "gone"
        if status in ("creating", "downloading"):
            ctx.schedule(VOLUME_POLL, "nova.await_volumes", doc["id"])
            return
        if status not in ("available", "reserved", "attaching", "in-use"):
            _abort(
                ctx,
                doc,
                f"Volume {volume['volume_id']} did not finish being created even after we waited 2 seconds or"
                f" 3 attempts. And its status is {status}.",
            )
            return
    for volume in doc["volumes"]:
        cinder.attach(
            ctx,
            volume["volume_id"],
            server_id=doc["id"],
            device=volume["device"],
            attachment_id=volume["attachment_id"],
        )
    factor = SLOW if ctx.has_outcome_fault("slow-spawn", doc["name"]) else 1
    save(ctx, doc, task_state="spawning")
    ctx.schedule(SPAWNING * factor, "nova.spawn", doc["id"])


@server_step("nova.spawn")
def _spawn(ctx: Context, doc: Document) -> None:
    if ctx.has_outcome_fault("fail-spawn", doc["name"]):
        release_ports(ctx, doc)
        to_error(
            ctx,
            doc,
            "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for"
            f" instance {doc['id']}.",
            host="",
            zone="",
        )
        return
    for nic in doc["nics"]:
        neutron.plug_port(ctx, nic["port_id"])
    end_action(ctx, doc)
    save(ctx, doc, vm_state="active", task_state=None, power_state=RUNNING, launched=ctx.now)


def _abort(ctx: Context, doc: Document, reason: str) -> None:
    """Fail a build before the server is spawned."""
    release_ports(ctx, doc)
    to_error(ctx, doc, f"Build of instance {doc['id']} aborted: {reason}", host="", zone="")


def release_ports(ctx: Context, doc: Document, *, delete: bool | None = None) -> None:
    """Unplug every interface. With `delete`, all ports are deleted; by default those that Nova created."""
    for nic in doc["nics"]:
        neutron.unplug_port(ctx, nic["port_id"], delete=delete)
    doc["nics"] = []


def begin_delete(ctx: Context, doc: Document, *, force: bool = False) -> None:
    """Start the deletion of a server.

    A second request has no effect, unless the outcome fault `hang-delete` blocks the deletion. A forced deletion is
    never deferred.
    """
    if doc["task_state"] == "deleting" and not doc.get("hangs"):
        return
    ctx.cancel(doc["id"])
    if not doc["host"]:
        _finish_delete(ctx, doc)
        _mark_deleted(ctx, doc)
        return
    if doc["vm_state"] == "resized":
        # Nova confirms the resize first, so that the server is ACTIVE for a moment.
        save(ctx, doc, vm_state="active", task_state=None)
        ctx.schedule(DELETED_SHOWN, "nova.deleting", doc["id"])
        return
    if doc["launched"] and not force and ctx.has_outcome_fault("defer-delete", doc["name"]):
        save(ctx, doc, task_state="soft-deleting")
        ctx.schedule(DELETING, "nova.soft_delete", doc["id"])
        return
    hangs = ctx.has_outcome_fault("hang-delete", doc["name"])
    save(ctx, doc, task_state="deleting", hangs=hangs)
    if hangs:
        return
    is_building = doc["vm_state"] == "building"
    ctx.schedule(DELETING, "nova.built_in_vain" if is_building else "nova.finish_delete", doc["id"])


@server_step("nova.soft_delete")
def _soft_delete(ctx: Context, doc: Document) -> None:
    """Stop the server and keep it with its ports and disks until the cloud reclaims it."""
    save(ctx, doc, vm_state="soft-delete", task_state=None, power_state=SHUTDOWN)


@server_step("nova.deleting")
def _deleting(ctx: Context, doc: Document) -> None:
    begin_delete(ctx, doc)


@server_step("nova.built_in_vain")
def _complete_build_before_delete(ctx: Context, doc: Document) -> None:
    """Set a server that is deleted during its build to ACTIVE: the hypervisor completes the build first."""
    save(ctx, doc, vm_state="active", task_state=None, power_state=RUNNING, launched=ctx.now)
    ctx.schedule(DELETED_SHOWN, "nova.finish_delete", doc["id"])


@server_step("nova.finish_delete")
def _finish_delete(ctx: Context, doc: Document) -> None:
    # The Open Telekom Cloud also deletes the ports that the user created.
    release_ports(ctx, doc, delete=True if ctx.is_otc else None)
    for volume in doc["volumes"]:
        if volume["volume_id"]:
            cinder.detach(ctx, volume["volume_id"], doc["id"])
            if volume["delete_on_termination"]:
                storage.begin_delete(ctx, volume["volume_id"])
    flavor = doc["flavor"]
    claim(ctx, doc["project_id"], instances=-1, cores=-flavor["vcpus"], ram=-flavor["ram"])
    save(
        ctx,
        doc,
        vm_state="deleted",
        task_state=None,
        power_state=NOSTATE,
        volumes=[],
        terminated=ctx.now,
    )
    ctx.schedule(DELETED_SHOWN, "nova.vanish", doc["id"])


@server_step("nova.vanish")
def _mark_deleted(ctx: Context, doc: Document) -> None:
    """Mark the server as deleted: GET returns 404, and only lists with `changes-since` contain the server."""
    ctx.cancel(doc["id"])
    save(ctx, doc, deleted=True)
    ctx.cloud.store.prune("server", ctx.region, DELETED_KEPT, deleted=True)


@server_step("nova.port_changed")
def _port_changed(ctx: Context, doc: Document, port_id: str) -> None:
    """Update the addresses of the server after Neutron changed or deleted one of its ports."""
    nics = []
    for nic in doc["nics"]:
        current: Any = nic_of(ctx, port_id, nic["tag"]) if nic["port_id"] == port_id else nic
        if current:
            nics.append(current)
    save(ctx, doc, nics=nics)


def volume_entry(device: str, **fields: Any) -> Document:
    """Return a new disk of a server; `volume_id` is None until Cinder has created the volume."""
    return {
        "volume_id": None,
        "device": device,
        "delete_on_termination": False,
        "tag": None,
        "attachment_id": new_id(),
        "bdm_uuid": new_id(),
        "root": False,
        **fields,
    }


def next_device(ctx: Context, doc: Document) -> str:
    """Return the first free device name; the first of all is reserved for the root disk."""
    prefix = device_prefix(ctx)
    taken = {volume["device"] for volume in doc["volumes"]}
    if doc["image_id"]:
        taken.add(f"{prefix}a")
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = (f"{prefix}{first}{letter}" for first in ("", *letters) for letter in letters)
    return next(name for name in names if name not in taken)


def device_prefix(ctx: Context) -> str:
    """Return the part of a device name before its letter."""
    return "/dev/vd" if ctx.is_otc else "/dev/sd"
