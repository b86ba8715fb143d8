"""How a server lives: what its create request needs, and its way from state to state (guide, chapters 4 and 5)."""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.cloud.waiting import calm
from ecs_pulumi.dynamic.fields import Given, Problem, objects, plain
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.common import found_or_failed, mark, marked_by, metadata_with_marker, sent
from ecs_pulumi.resources.nic import delete_port, is_for_a_nic, ports_of
from ecs_pulumi.resources.once import once
from ecs_pulumi.resources.server_fields import destination
from ecs_pulumi.resources.server_nics import each_group_once

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from ecs_pulumi.resources.common import Live, Op
    from ecs_pulumi.resources.server_fields import ServerInputs

_DESCRIPTION, _TAGS, _TAGS_IN_CREATE = "2.19", "2.26", "2.52"
_NETWORK_WORDS, _DEVICE_TAGS, _MULTIATTACH, _VOLUME_TYPE = "2.37", "2.42", "2.60", "2.67"
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
"""The statuses in which Nova attaches and detaches nothing: volumes of a shelved server only from 2.20 on."""
_REFUSED_IN = {
    "metadata": _SHELVED,
    "tags": _SHELVED,
    "networks": REFUSES_ATTACHMENTS,
    "flavor": ("PAUSED", "SUSPENDED", *_SHELVED),
    "image": ("PAUSED", "SUSPENDED", *_SHELVED),
    "admin_pass": ("PAUSED", "SUSPENDED", *_SHELVED),
}
"""The statuses in which Nova refuses to change something, so that the server is woken for it."""
_STUCK = "A hard reboot (`openstack server reboot --hard`) or the cloud's operator may bring it out of there."
_IN_HYPERVISOR = {1: "active", 3: "paused", 4: "shutoff", 7: "suspended"}


# ---------------------------------------------------------------- what a create request needs


def needs(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Property, feature and microversion of what the guide's API has no way for."""
    if inputs.get("description"):
        yield "description", "a server's description", _DESCRIPTION
    if inputs.get("tags"):
        yield "tags", "a server's tags", _TAGS
    networks = inputs.get("networks")
    if networks == "none":
        yield "networks", 'networks="none"', _NETWORK_WORDS
    for name in ("networks", "block_devices"):
        items = inputs.get(name)
        if isinstance(items, list) and any(item.get("tag") for item in items):
            yield name, f"a tag in {name}", _DEVICE_TAGS


def unsupported(op: Op, given: Given) -> Iterator[Problem]:
    """What the program asks and this cloud's API cannot do."""
    known = {
        name: [item for _, item in given.items(name)] if isinstance(value, list) else given.known(name)
        for name, value in given.values.items()
    }
    api = op.cloud.compute
    for name, feature, microversion in needs(known):
        if not given.changed(name):
            continue
        try:
            api.require(feature, microversion)
        except errors.Unsupported as error:
            yield Problem(name, str(error))
    typed = any(item.get("volume_type") for item in known.get("block_devices") or ())
    if typed and known.get("personality") and api.supports(_VOLUME_TYPE):
        yield Problem(
            "personality",
            f"ends with compute {_LAST_PERSONALITY}, and a block device's volume_type begins with {_VOLUME_TYPE}; "
            'create the volume as a Volume, or force the old API with ecs:apiVersions {"compute": "2"}',
        )


def require_fit(op: Op, name: str) -> None:
    """Refuse a flavor that has no disk, and doubt one with a smaller disk, for a server with a disk of its own."""
    has = op.old.get("image_id") and _disk_of(op, op.old.get("flavor_id") or op.old["flavor"])
    if not has:
        return
    flavor = catalog(op.cloud.region).flavor(name)
    if not flavor["disk"]:
        reason = f"{flavor['name']} has no disk, and the server's own has {has} GiB; no resize takes it"
        raise errors.Failed("flavor", reason)
    if flavor["disk"] < has:
        size = flavor["disk"]
        op.tell(f"{flavor['name']} has a disk of {size} GiB, and the server's own has {has}: most clouds shrink none")


def _disk_of(op: Op, flavor: str) -> int | None:
    """The size of a flavor's disk in GiB; None where the cloud does not know it."""
    try:
        return int(catalog(op.cloud.region).flavor(flavor)["disk"])
    except errors.EcsError:
        return None


def announce(op: Op, new: Mapping[str, Any], changed: Collection[str]) -> None:
    """Report that an update interrupts what runs in the server, or that what is on its root disk is lost."""
    is_off = op.old.get("power_state") in ("shutoff", "shelved_offloaded")
    if "flavor" in changed and not is_off and new.get("stop_before_resize") is not False:
        op.tell("a changed flavor stops the server while it is resized, and starts it again")
    if new.get("image_policy") == "rebuild" and not {"image", "personality"}.isdisjoint(changed):
        op.warn("a rebuild puts the image onto the server's root disk anew: what is on it is lost")


def data_loss(op: Op, old: Mapping[str, Any]) -> list[str]:
    """What goes with a server: its own disks, and the volumes that the program or the cloud lets go with it."""
    lost: list[str] = []
    devices = objects(old.get("block_devices"))
    if old.get("status") == "ERROR" and not old.get("launched_at"):
        return lost  # it never ran
    if old.get("image_id"):
        # A deletion sends no request for the sake of a warning.
        size = None if op.verb == "delete" else _disk_of(op, str(old.get("flavor_id") or old.get("flavor")))
        lost.append(f"its root disk ({size} GiB)" if size else "its root disk")
    own = [each for each in devices if destination(each) == "local" and each.get("boot_index") != 0]
    if own:
        lost.append(f"its {len(own)} further local disks" if len(own) > 1 else "its local disk")
    attached = objects(old.get("volumes_attached"))
    doomed = [str(each["id"]) for each in attached if each.get("delete_on_termination")]
    if doomed:
        lost.append(f"the volume{'s' * (len(doomed) > 1)} {errors.listing(doomed)}")
    elif any("delete_on_termination" not in each for each in attached):
        # Not every API answers whether a volume goes; the program set it when the server was made.
        count = sum(each.get("delete_on_termination") is True and destination(each) == "volume" for each in devices)
        if count:
            lost.append(f"{count} volume{'s' * (count > 1)} with `delete_on_termination`")
    return lost


def create_request(op: Op, wanted: ServerInputs) -> tuple[Live, str | None]:
    """The body of the create request, and the microversion it needs."""
    api, names = op.cloud.compute, catalog(op.cloud.region)
    required = {api.require(feature, microversion) for _, feature, microversion in needs(plain(wanted))}
    body = sent(wanted, "name", "description", "key_name", "availability_zone", "config_drive")
    body |= sent(wanted, admin_pass="adminPass", disk_config="OS-DCF:diskConfig")  # noqa: S106  (a name)
    body["flavorRef"] = names.flavor(wanted.flavor)["id"]
    image_id = names.image(wanted.image)["id"] if wanted.image else None
    op.memo["image_id"] = image_id
    body |= _disks(op, plain(wanted.block_devices), image_id)
    if wanted.user_data is not None:
        body["user_data"] = encoded(wanted.user_data)
    if wanted.personality is not None:
        body["personality"] = _files(plain(wanted.personality))
    if wanted.security_groups is not None:
        body["security_groups"] = [{"name": group} for group in each_group_once(op, wanted.security_groups)]
    if metadata := metadata_with_marker(op, wanted.metadata):
        body["metadata"] = metadata
    if mark(op) and not wanted.description and api.supports(_DESCRIPTION):
        body["description"] = mark(op)
        required.add(_DESCRIPTION)
    if wanted.tags and api.supports(_TAGS_IN_CREATE):
        body["tags"] = sorted(set(wanted.tags))
        required.add(_TAGS_IN_CREATE)
    if any(item.volume_type for item in wanted.block_devices or ()) and api.supports(_VOLUME_TYPE):
        required.add(_VOLUME_TYPE)
    if any(_is_shared(op, item) for item in plain(wanted.block_devices) or ()):
        required.add(api.require("a server with a multiattach volume", _MULTIATTACH))
    microversion = max(required, key=_number, default=None)
    if wanted.networks == [] and api.supports(_NETWORK_WORDS):
        microversion = max(filter(None, (microversion, _NETWORK_WORDS)), key=_number)
        body["networks"] = "none"
    elif isinstance(wanted.networks, list):
        body["networks"] = [_nic(plain(nic)) for nic in wanted.networks]
    elif microversion and _number(microversion) >= _number(_NETWORK_WORDS):
        body["networks"] = wanted.networks or "auto"
    return body, microversion


def _is_shared(op: Op, device: Mapping[str, Any]) -> bool:
    """Whether a block device is a volume that several servers may attach."""
    if device.get("source_type") != "volume" or not device.get("uuid"):
        return False
    try:
        return bool(block_storage.get_volume(op.cloud.block_storage, device["uuid"]).get("multiattach"))
    except errors.NotFound:
        return False  # Nova says so itself


def _number(microversion: str) -> tuple[int, ...]:
    return tuple(map(int, microversion.split(".")))


def _nic(nic: Mapping[str, Any]) -> Live:
    asked = {"uuid": nic.get("network_id"), "port": nic.get("port_id"), "fixed_ip": nic.get("fixed_ip")}
    return {key: value for key, value in {**asked, "tag": nic.get("tag")}.items() if value is not None}


def _devices(op: Op, devices: list[Live], image_id: str | None) -> list[Live]:
    """The block devices, the one to boot from filled with the image where it says no other."""
    root = next((device for device in devices if device.get("boot_index") == 0), None)
    if root is None and image_id:
        # Nova takes the image for the root disk only where a device says so.
        local = {"source_type": "image", "destination_type": "local", "boot_index": 0, "delete_on_termination": True}
        devices = [{**local, "uuid": image_id}, *devices]
    elif root is not None and root["source_type"] == "image":
        image = root.get("uuid")
        root["uuid"] = catalog(op.cloud.region).image(image)["id"] if image else image_id
    return devices


def _disks(op: Op, devices: list[Live] | None, image_id: str | None) -> Live:
    if not devices:
        return {"imageRef": image_id}
    # Nova would leave a device that says nothing of its place out of the server, and its volume reserved for ever.
    devices = [{**device, "destination_type": destination(device)} for device in _devices(op, devices, image_id)]
    local = [device for device in devices if device["destination_type"] == "local"]
    # Nova fills a local root disk only where the image is named outside the devices as well.
    named = [device["uuid"] for device in local if device["source_type"] == "image" and device.get("boot_index") == 0]
    return {"block_device_mapping_v2": devices} | ({"imageRef": named[0]} if named else {})


def _files(files: list[Live]) -> list[Live]:
    return [{**item, "contents": encoded(item["contents"])} for item in files]


def encoded(text: str) -> str:
    """Base64 of a text, or the text itself where it is base64 already."""
    try:
        base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError):
        return base64.b64encode(text.encode()).decode()
    return text


# ---------------------------------------------------------------- from state to state


def power_state(live: Live) -> str | None:
    """What the server is doing, in the words of `power_state`; None where it is doing none of them."""
    if live["status"] in ("VERIFY_RESIZE", "RESIZE", "REVERT_RESIZE"):
        return _IN_HYPERVISOR.get(live.get("OS-EXT-STS:power_state") or 0)
    return _POWER.get(live["status"])


def flavor_id(live: Live) -> str:
    """The id of the server's flavor."""
    return str((live.get("flavor") or {}).get("id") or "")


def running(op: Op, id_: str) -> Live:
    """Wait until a new server runs."""
    volumes = sum(destination(disk) == "volume" for disk in op.inputs.get("block_devices") or ())
    notes = {"block_device_mapping": f"waiting for {volumes} volume{'s' * (volumes > 1)}"} if volumes else {}
    return _until(op, id_, ("ACTIVE",), "to run", notes=notes)


def settled(op: Op, live: Live, wanted_flavor: str, old: Mapping[str, Any]) -> Live:
    """Wait for what is going on, and finish a resize that waits for a word: confirm or revert."""
    if live["status"] == "BUILD" or _task(live):
        live = _wait(op, live["id"], lambda seen: seen["status"] != "BUILD" and not _task(seen), "to be at rest")
    if live["status"] == "ERROR" and not live.get("OS-SRV-USG:launched_at"):
        raise errors.Failed(f"server {live['id']} never ran", compute.fault_of(live))
    if live["status"] == "VERIFY_RESIZE":
        if old.get("vm_state") == "active" or old.get("unfinished"):
            op.memo["unfinished"] = "start"
        live = _confirm(op, live["id"]) if flavor_id(live) == wanted_flavor else _revert(op, live["id"])
    elif live["status"] == "SHUTOFF" and old.get("vm_state") == "active" and old.get("flavor_id") != flavor_id(live):
        # An `up` that was killed between the end of a resize and the start left it so.
        op.memo["unfinished"] = "start"
    return live


def healthy(live: Live) -> Live:
    """The server, or the failure that it is in ERROR: it takes no order there but to be rebuilt, or deleted."""
    if live["status"] == "ERROR":
        reason = (compute.fault_of(live) or "the cloud recorded no reason").rstrip(".")
        raise errors.Failed(f"server {live['id']} is in ERROR", f"{reason}. {_STUCK}")
    return live


def resize(op: Op, live: Live, flavor: Live, *, stop: bool, was_active: bool) -> Live:
    """Wake or stop, resize, confirm, and start again what was running; on failure leave it as it was."""
    if flavor_id(live) == flavor["id"]:
        return live
    healthy(live)
    id_ = live["id"]
    live = wake_for(op, live, "flavor")
    if live["status"] == "ACTIVE" and stop:
        op.memo["unfinished"] = "start"
        live = _act(op, id_, "os-stop", None, ("SHUTOFF",), "to stop")
    elif live["status"] == "SHUTOFF" and was_active:
        # An `up` that was killed after its stop left it so.
        op.memo["unfinished"] = "start"
    try:
        live = _resize(op, live, flavor)
    except errors.EcsError:
        _restart_if_it_can(op, id_)
        raise
    return bring_to(op, live, None)


def _resize(op: Op, live: Live, flavor: Live) -> Live:
    id_ = live["id"]
    ends = ("VERIFY_RESIZE", "ACTIVE", "SHUTOFF")
    _ask(op, id_, "resize", {"flavorRef": flavor["id"]}, lambda live: live["status"].endswith("RESIZE"))
    live = _wait(op, id_, lambda seen: seen["status"] in ends and not _task(seen), f"to become {flavor['name']}")
    if live["status"] == "VERIFY_RESIZE":
        live = _confirm(op, id_)
    if flavor_id(live) != flavor["id"]:
        # Nova gives up a resize that finds no host without a word in the server itself.
        reason = compute.last_failed_action(op.cloud.compute, id_, of="resize")
        raise errors.Failed(f"the cloud did not resize to {flavor['name']}", reason)
    return live


def _restart_if_it_can(op: Op, id_: str) -> None:
    try:
        live = found_or_failed(op.cloud.region.servers.get(id_), "Server", id_)
        if live["status"] in ("ACTIVE", "SHUTOFF") and not _task(live):
            bring_to(op, live, op.memo.get("asleep"))
    except errors.EcsError as error:
        op.say(f"it could not be started again: {error}")


def _confirm(op: Op, id_: str) -> Live:
    return _leave_verify_resize(op, id_, "confirmResize", "confirming")


def _revert(op: Op, id_: str) -> Live:
    return _leave_verify_resize(op, id_, "revertResize", "reverting")


def _leave_verify_resize(op: Op, id_: str, action: str, doing: str) -> Live:
    ends = ("ACTIVE", "SHUTOFF")
    op.say(f"VERIFY_RESIZE, {doing}")
    # A cloud that confirms by itself was quicker, or a request whose answer was lost is at work: both end alike.
    _ask(op, id_, action, None, lambda live: live["status"] in ends, errors.Conflict, errors.BadRequest)
    rests, notes = (lambda seen: seen["status"] in ends and not _task(seen)), {"VERIFY_RESIZE": doing}
    return _wait(op, id_, rests, f"to end {action}", notes)


def rebuild(op: Op, live: Live, image_id: str, files: list[Live] | None) -> Live:
    """Put another image into the server, with the same id, addresses and volumes."""
    body: Live = {"imageRef": image_id}
    if files:
        body["personality"] = _files(files)
    op.memo["image_id"], id_, was = image_id, live["id"], live["status"]
    _ask(op, id_, "rebuild", body, lambda seen: (seen.get("image") or {}).get("id") == image_id)
    live = _until(op, id_, ("ACTIVE", "SHUTOFF"), "to be rebuilt", "rebuild")
    # Nova starts what was stopped and stops it again by itself; in between it shows it ACTIVE and without a task.
    return _until(op, id_, ("SHUTOFF",), "to be stopped again") if was == "SHUTOFF" else live


def wake_for(op: Op, live: Live, change: str) -> Live:
    """Let the server run where Nova refuses the change in its status; `asleep` in the memo is what it did before."""
    if live["status"] not in _REFUSED_IN[change]:
        return live
    op.memo["asleep"] = power_state(live)
    return bring_to(op, live, "active")


def bring_to(op: Op, live: Live, wanted: str | None) -> Live:
    """Bring the server to this power state; None only gives back what an interrupted resize took."""
    healthy(live)
    target = wanted or ("active" if op.memo.get("unfinished") == "start" else None)
    if target is None or power_state(live) == target:
        op.memo["unfinished"] = None
        return live
    if live["status"] not in _POWER:
        fault = compute.fault_of(live)
        raise errors.Failed(
            f"power_state {target}: the server is in {live['status']}", fault or "bring it out of there"
        )
    id_ = live["id"]
    if live["status"] in _WAKE and not (live["status"] == "SHUTOFF" and target == "shelved_offloaded"):
        live = _act(op, id_, _WAKE[live["status"]], None, ("ACTIVE",), "to run")
    if target == "shelved_offloaded":
        live = _act(op, id_, "shelve", None, ("SHELVED", "SHELVED_OFFLOADED"), "to be shelved")
        if live["status"] == "SHELVED":
            live = _offload(op, id_)
    elif target != "active":
        ends = tuple(status for status, power in _POWER.items() if power == target)
        live = _act(op, id_, _SEND_TO[target], None, ends, f"to be {target}")
    op.memo["unfinished"] = None
    return live


def _offload(op: Op, id_: str) -> Live:
    try:
        return _act(op, id_, "shelveOffload", None, ("SHELVED_OFFLOADED",), "to leave its host")
    except errors.Forbidden:
        # The cloud offloads by itself after a while; ordinary accounts may not ask for it.
        return _until(op, id_, ("SHELVED_OFFLOADED",), "to leave its host")


def end(op: Op, id_: str, *, stop: bool, force: bool) -> None:
    """Delete, from whatever state, and wait until it is gone."""
    if stop:
        live = op.cloud.region.servers.get(id_)
        if live and live["status"] == "ACTIVE":
            _act(op, id_, "os-stop", None, ("SHUTOFF",), "to stop")
    # Nova frees the port that was made for the NIC of an attachment, and the attachment may have been left out of this
    # run, with `deleted_with` say, to go with the server.
    ports = [port["id"] for port in ports_of(op, id_) if is_for_a_nic(port) and _is_of_stack(op, port)]
    with contextlib.suppress(errors.NotFound):
        is_forced = calm(lambda: _delete(op, id_, force=force), op.cloud.deadline, progress=op.say)
        _await_gone(op, id_, is_forced=is_forced)
    for port_id in ports:
        delete_port(op, port_id)


def _is_of_stack(op: Op, port: Live) -> bool:
    return marked_by(port["description"], op.project, op.stack) is not None


def is_gone(live: Live | None) -> bool:
    """Whether there is no such server, or only until the cloud deletes it for good, in a day say (deferred delete)."""
    return live is None or live["status"] == "SOFT_DELETED"


def _await_gone(op: Op, id_: str, *, is_forced: bool) -> None:
    api, servers, begun = op.cloud.compute, op.cloud.region.servers, False

    def gone(live: Live | None) -> bool:
        nonlocal begun
        begun = begun or bool(live and _task(live) == "deleting")
        if live and begun and live["status"] == "ERROR" and not _task(live):
            reason = compute.fault_of(live) or compute.last_failed_action(api, id_, of="delete")
            raise errors.Failed(f"server {id_} could not be deleted", reason)
        return live is None if is_forced else is_gone(live)

    left = servers.poller.wait(
        id_,
        gone,
        deadline=op.cloud.deadline,
        progress=op.say,
        describe=_describe,
        what=f"server {id_} to be gone",
    )
    if left:
        op.tell(
            f"the cloud defers the delete of the server {id_} (SOFT_DELETED), which keeps its ports and disks until "
            "then; force_delete=True deletes at once"
        )


def _delete(op: Op, id_: str, *, force: bool) -> bool:
    """Ask for the delete; whether it is one that the cloud does not defer."""
    try:
        compute.delete_server(op.cloud.compute, id_, force=force)
    except (errors.BadRequest, errors.Forbidden, errors.NotFound):
        if not force:
            raise
        # To an action a server can be unknown that has only just been created.
        compute.delete_server(op.cloud.compute, id_)
        return False
    return force


def _ask(
    op: Op, id_: str, action: str, body: Any, shows: Callable[[Live], bool], *refusals: type[errors.EcsError]
) -> None:
    """Ask for an action; where the answer is lost, a task or what it `shows` tells that it was taken."""

    def taken(error: errors.EcsError) -> Live | None:
        live = found_or_failed(op.cloud.region.servers.get(id_), "Server", id_)
        is_under_way = isinstance(error, errors.BadRequest) and live["status"] == "VERIFY_RESIZE"
        return live if _task(live) or is_under_way or shows(live) else None

    def send() -> Any:
        return calm(lambda: compute.action(op.cloud.compute, id_, action, body), op.cloud.deadline, progress=op.say)

    once(send, taken, *refusals)


def _act(op: Op, id_: str, action: str, body: Any, ends: Collection[str], what: str) -> Live:
    # A conflict may mean that it is so already: an `up` that was killed had asked for it.
    _ask(op, id_, action, body, lambda live: live["status"] in ends, errors.Conflict)
    return _until(op, id_, ends, what, action)


def _until(
    op: Op, id_: str, ends: Collection[str], what: str, action: str = "", notes: Mapping[str, str] = _NO_NOTES
) -> Live:
    """Wait until the server rests in one of these statuses."""
    begun = False

    def done(live: Live) -> bool:
        nonlocal begun
        begun = begun or bool(_task(live))
        if live["status"] in ends and not _task(live):
            return True
        if begun and action and not _task(live) and live["status"] in _POWER:
            reason = compute.last_failed_action(op.cloud.compute, id_, of=action.removeprefix("os-"))
            raise errors.Failed(f"{action} left the server {live['status']}", reason)
        return False

    return _wait(op, id_, done, what, notes)


def _wait(op: Op, id_: str, done: Any, what: str, notes: Mapping[str, str] = _NO_NOTES) -> Live:
    """Wait for what `done` says; `notes` are words for the status line, by the task or, without one, the status."""

    def judged(live: Live | None) -> bool:
        seen = found_or_failed(live, "Server", id_)
        if seen["status"] == "ERROR" and not _task(seen):
            reason = compute.fault_of(seen) or compute.last_failed_action(op.cloud.compute, id_)
            raise errors.Failed(f"server {id_} is in ERROR", reason)
        return bool(done(seen))

    live = op.cloud.region.servers.poller.wait(
        id_,
        judged,
        deadline=op.cloud.deadline,
        progress=op.say,
        describe=lambda seen: _describe(seen, notes),
        what=f"server {id_} {what}",
    )
    return found_or_failed(live, "Server", id_)


def _task(live: Live) -> str | None:
    task: str | None = live.get("OS-EXT-STS:task_state")
    return task


def _describe(live: Live | None, notes: Mapping[str, str] = _NO_NOTES) -> str:
    if live is None:
        return "gone"
    task, status = _task(live), str(live["status"])
    note = notes.get(task or status)
    return (f"{status}: {task}" if task else status) + (f", {note}" if note else "")
