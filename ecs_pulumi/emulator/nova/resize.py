"""The actions that change the flavor of a server: resize, confirm and revert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import DISK_CONFIG, FLAVOR, NOTHING, body, fields

from .actions import action, boot_image_id, finish_task_after
from .flavors import fits_no_host, is_sold_out, resource_type
from .instance import (
    RUNNING,
    SHUTDOWN,
    begin_action,
    check_state,
    end_action,
    save,
    server_step,
    to_error,
)
from .usage import claim

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

PHASES = (("resize_prep", 1.0), ("resize_migrating", 2.0), ("resize_migrated", 1.0), ("resize_finish", 2.0))
FALLING_BACK = 0.6
CONFIRMING = 1.5
REVERTING = 3.0
STOPPING_AGAIN = 0.8


@action("resize")
def resize(call: Call, doc: Document) -> Reply:
    """Resize the server to another flavor, up to the status VERIFY_RESIZE."""
    requested = body(call, "resize", fields({"flavorRef": FLAVOR, "OS-DCF:diskConfig": DISK_CONFIG}, "flavorRef"))
    # The cloud stops a running server, and starts it again on its new host.
    check_state(doc, "resize", ("active", "stopped"))
    flavor_id = str(requested["flavorRef"]).rpartition("/")[2]
    flavor = call.get("flavor", flavor_id)
    if flavor is None:
        raise HttpError(400, f"Flavor {flavor_id} could not be found.")
    old = doc["flavor"]
    if flavor_id == old["id"]:
        raise HttpError(400, "When resizing, instances must change flavor!")
    if doc["image_id"] and flavor["disk"] == 0 and old["disk"] != 0:
        raise HttpError(400, "Resize to zero disk flavor is not allowed.")
    if call.is_otc:
        _check_documented_limits(call, doc, flavor)
    # Until the resize is confirmed, the larger of both flavors counts against the quota.
    claim(
        call,
        doc["project_id"],
        cores=max(0, flavor["vcpus"] - old["vcpus"]),
        ram=max(0, flavor["ram"] - old["ram"]),
    )
    begin_action(call, doc, "resize")
    doc["resize"] = {"new": flavor, "old": old, "vm_state": doc["vm_state"]}
    save(call, doc, task_state="resize_prep")
    has_no_host = fits_no_host(flavor) or is_sold_out(flavor, doc["zone"])
    if has_no_host or call.has_outcome_fault("fallback-resize", doc["name"]):
        call.schedule(FALLING_BACK, "nova.resize_fell_back", doc["id"])
    else:
        call.schedule(PHASES[0][1], "nova.resize", doc["id"], phase=1)
    return Reply(202)


def _check_documented_limits(call: Call, doc: Document, flavor: Document) -> None:
    """Reject a larger disk, and for a server that was created from an image, another resource type."""
    old = doc["flavor"]
    if flavor["disk"] > old["disk"]:
        raise HttpError(400, "The system disk of the flavor must not change.")
    types = {resource_type(flavor), resource_type(old)} - {None}
    if boot_image_id(call, doc) and len(types) > 1:
        raise HttpError(400, f"Flavor {flavor['id']} has another resource type than flavor {old['id']}.")


@server_step("nova.resize_fell_back")
def _fall_back(ctx: Context, doc: Document) -> None:
    """End a resize for which no host was found.

    The server is unchanged, and only the action history shows the failure.
    """
    end_action(ctx, doc, error=True)
    _release_quota(ctx, doc, keep=doc["flavor"])
    save(ctx, doc, task_state=None, resize=None)


@server_step("nova.resize")
def _next_phase(ctx: Context, doc: Document, phase: int) -> None:
    if phase < len(PHASES):
        task, seconds = PHASES[phase]
        save(ctx, doc, task_state=task)
        if task == "resize_migrating" and ctx.has_outcome_fault("fail-resize", doc["name"]):
            ctx.schedule(seconds, "nova.resize_failed", doc["id"])
        else:
            ctx.schedule(seconds, "nova.resize", doc["id"], phase=phase + 1)
        return
    end_action(ctx, doc)
    save(ctx, doc, vm_state="resized", task_state=None, flavor=doc["resize"]["new"], launched=ctx.now)
    if ctx.has_outcome_fault("auto-confirm", doc["name"]):
        ctx.schedule(CONFIRMING, "nova.resize_confirmed", doc["id"])


@server_step("nova.resize_failed")
def _fail(ctx: Context, doc: Document) -> None:
    _release_quota(ctx, doc, keep=doc["flavor"])
    to_error(ctx, doc, "Resize error: the hypervisor refused the resize", resize=None)


@action("confirmResize")
def confirm(call: Call, doc: Document) -> Reply:
    """Keep the new flavor. The response is immediate, the state changes a moment later."""
    _check_resized(call, doc, "confirmResize")
    begin_action(call, doc, "confirmResize")
    doc["resize"]["settling"] = True
    save(call, doc)
    call.cancel(doc["id"], "nova.resize_confirmed")
    call.schedule(CONFIRMING, "nova.resize_confirmed", doc["id"])
    return Reply(204)


@server_step("nova.resize_confirmed")
def _finish_confirm(ctx: Context, doc: Document) -> None:
    _release_quota(ctx, doc, keep=doc["flavor"])
    if ctx.has_outcome_fault("fail-confirm", doc["name"]):
        to_error(ctx, doc, "Confirm error: the hypervisor refused to let go of the old disk", resize=None)
    else:
        end_action(ctx, doc)
        save(ctx, doc, vm_state=doc["resize"]["vm_state"], task_state=None, resize=None)


@action("revertResize")
def revert(call: Call, doc: Document) -> Reply:
    """Return to the old flavor."""
    _check_resized(call, doc, "revertResize")
    begin_action(call, doc, "revertResize")
    doc["resize"]["settling"] = True
    call.cancel(doc["id"], "nova.resize_confirmed")
    save(call, doc, task_state="resize_reverting")
    call.schedule(REVERTING, "nova.resize_reverted", doc["id"])
    return Reply(202)


@server_step("nova.resize_reverted")
def _finish_revert(ctx: Context, doc: Document) -> None:
    resize = doc["resize"]
    doc["flavor"] = resize["old"]
    _release_quota(ctx, doc, keep=resize["old"])
    doc["launched"] = ctx.now
    if resize["vm_state"] == "stopped":
        # Nova starts the server during the revert and stops it again. Meanwhile the status is VERIFY_RESIZE once more.
        finish_task_after(
            ctx,
            doc,
            STOPPING_AGAIN,
            task="powering-off",
            vm_state="stopped",
            power_state=SHUTDOWN,
            resize=None,
        )
        return
    end_action(ctx, doc)
    save(ctx, doc, vm_state="active", power_state=RUNNING, task_state=None, resize=None)


def _check_resized(call: Call, doc: Document, verb: str) -> None:
    body(call, verb, NOTHING)
    check_state(doc, verb, ("resized",))
    if doc["resize"].get("settling"):
        raise HttpError(400, "Instance has not been resized.")


def _release_quota(ctx: Context, doc: Document, *, keep: Document) -> None:
    """Release the quota claimed for the resize: count only the flavor that is kept."""
    old, new = doc["resize"]["old"], doc["resize"]["new"]
    claimed = {name: max(old[name], new[name]) for name in ("vcpus", "ram")}
    claim(
        ctx,
        doc["project_id"],
        cores=keep["vcpus"] - claimed["vcpus"],
        ram=keep["ram"] - claimed["ram"],
    )
