"""Volume: a disk (guide, chapter 6; Cinder API reference, "Volumes")."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field
from typing_extensions import TypedDict

from ecs_pulumi.cloud import block_storage, errors
from ecs_pulumi.cloud.waiting import Deadline, until
from ecs_pulumi.dynamic.fields import (
    CloudDefault,
    Given,
    GrowOnly,
    InPlace,
    Inputs,
    Local,
    Outputs,
    Problem,
    Replace,
    Since,
    WriteOnly,
    has_unknown,
    one_of,
)
from ecs_pulumi.dynamic.resource import EcsResource
from ecs_pulumi.resources import preflight, quota
from ecs_pulumi.resources.catalog import catalog, is_uuid
from ecs_pulumi.resources.common import (
    MARKER_KEY,
    EcsKind,
    Live,
    Op,
    differing,
    found_or_failed,
    kept_marker,
    mark,
    markers_of,
    metadata_with_marker,
    sent,
    unless_in_use,
)
from ecs_pulumi.resources.leftovers import marked_objects
from ecs_pulumi.resources.once import create_once

_EXTEND_IN_USE, _FROM_BACKUP = "3.42", "3.47"
_CINDERS_OWN = ("readonly", "attached_mode")
"""Metadata that Cinder writes, whatever a program says."""
_CLOUDS_OWN = re.compile(rf"{'|'.join(_CINDERS_OWN)}|__.*")
"""Metadata that the cloud writes: Cinder's, and Open Telekom Cloud's `__system__…`, which a program may set too."""
_NOT_YET = ("creating", "downloading", "restoring-backup", "error")
"""What a volume is before it has been of use for the first time."""


class VolumeInputs(Inputs):
    """What a program may ask of a volume."""

    size: Annotated[int, GrowOnly()] = Field(
        ge=1, description="Size in GiB. It can only grow; while it is attached from block-storage 3.42 on."
    )
    name: Annotated[str | None, InPlace()] = Field(None, max_length=255, description="Name.")
    description: Annotated[str | None, InPlace()] = Field(None, max_length=255, description="Description.")
    metadata: Annotated[dict[str, str] | None, InPlace()] = Field(None, description="Keys and values of one's own.")
    volume_type: Annotated[str | None, InPlace(), CloudDefault()] = Field(
        None, description="Kind of disk, for example `SATA`, `SAS` or `SSD`."
    )
    retype_policy: Annotated[Literal["never", "on-demand"], Local()] = Field(
        "on-demand", description="Whether a changed `volume_type` may move the data to other storage."
    )
    availability_zone: Annotated[str | None, Replace(), CloudDefault()] = Field(None, description="Zone.")
    image: Annotated[str | None, Replace()] = Field(None, description="Image to fill it with, name or id.")
    snapshot_id: Annotated[str | None, Replace()] = Field(None, description="Snapshot to fill it with.")
    source_volume_id: Annotated[str | None, Replace()] = Field(None, description="Volume to copy.")
    backup_id: Annotated[str | None, Replace(), WriteOnly(), Since("block-storage", _FROM_BACKUP)] = Field(
        None, description="Backup to restore."
    )
    multiattach: Annotated[bool | None, Replace()] = Field(
        None, description="Whether several servers may attach it; newer clouds want a `volume_type` that allows it."
    )
    scheduler_hints: Annotated[dict[str, Any] | None, Replace(), WriteOnly()] = Field(
        None, description="Hints to Cinder's scheduler, such as `different_host`."
    )
    read_only: Annotated[bool | None, InPlace()] = Field(None, description="Whether servers may only read it.")


class VolumeOutputs(Outputs):
    """What the cloud tells beyond the inputs."""

    status: str | None = Field(None, description="`available`, `in-use`, …")
    bootable: bool | None = Field(None, description="Whether a server can boot from it.")
    encrypted: bool | None = Field(None, description="Whether it is encrypted.")
    attachments: list[dict[str, str]] | None = Field(None, description="Servers that have it.")
    created_at: str | None = Field(None, description="When it was created, UTC.")
    image_id: str | None = Field(None, description="Image it was filled with.")
    image_name: str | None = Field(None, description="Name of that image at the time.")
    been_available: bool | None = Field(
        None, description="Whether it has been of use once: then an `error` is no reason to make it anew."
    )


class VolumeKind(EcsKind[VolumeInputs]):
    """Volumes."""

    name = "Volume"
    inputs = VolumeInputs
    outputs = VolumeOutputs

    def rules(self, given: Given) -> Iterator[Problem]:
        """At most one source, and no metadata that Cinder writes itself."""
        yield from one_of(given, "image", "snapshot_id", "source_volume_id", "backup_id", required=False)
        metadata = given.values.get("metadata")
        for key in metadata if isinstance(metadata, Mapping) else ():
            if key in _CINDERS_OWN:
                hint = "; set `read_only`" if key == "readonly" else ""
                yield Problem("metadata", f"`{key}` is written by the cloud itself{hint}")
            if key == MARKER_KEY:
                yield Problem("metadata", f"`{key}` is the key in which ecs_pulumi notes the owner of a volume")

    def preflight(self, op: Op, given: Given) -> Iterator[Problem]:
        """Type, zone and source exist, and an image fits."""
        yield from super().preflight(op, given)
        names = catalog(op.cloud.region)
        yield from preflight.there_is(given, "volume_type", names.volume_type)
        yield from preflight.there_is(given, "availability_zone", names.volume_zone)
        yield from preflight.there_is(given, "snapshot_id", names.snapshot)
        yield from preflight.there_is(given, "source_volume_id", names.volume)
        missing = list(preflight.there_is(given, "image", names.image))
        yield from missing
        if given.known("image") and not missing and given.changed("image"):
            image = names.image(given.known("image"))
            if (least := image.get("min_disk") or 0) > (given.known("size") or least):
                yield Problem("size", f"the image {image['name']} needs at least {least} GiB")
        yield from quota.volume(op, given)

    def same(self, name: str, wanted: Any, old: Mapping[str, Any]) -> bool:
        """An image is the same by name and by id."""
        if name == "image" and wanted is not None:
            return wanted in (old.get("image"), old.get("image_id"), old.get("image_name"))
        return super().same(name, wanted, old)

    def unwell(self, op: Op, id_: str, old: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """A volume whose creation failed holds nothing and is replaced; one that was of use may hold everything."""
        return ["status"] if old.get("status") == "error" and not old.get("been_available") else []

    def failed_build(self, op: Op, id_: str, old: Mapping[str, Any]) -> str:  # noqa: ARG002
        """What Cinder recorded of it, where it shows that."""
        reason = block_storage.last_message(op.cloud.block_storage, id_) or "the cloud recorded no reason"
        return f"the volume never became available: {reason}"

    def data_loss(self, op: Op, old: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Everything on it, if it was ever usable."""
        if old.get("status") == "error" and not old.get("been_available"):
            return []
        return [f"its data ({old['size']} GiB)"] if old.get("size") else ["its data"]

    def preflight_update(self, op: Op, id_: str, new: Mapping[str, Any], changed: list[str]) -> None:
        """Growing a volume in use needs an API that can do that, and that of a shelved server is not extended.

        The cloud is asked, as its use in the state may be out of date.
        """
        if "size" in changed and not has_unknown(new["size"]):
            live = op.cloud.region.volumes.read(id_)
            if live is not None and live["status"] == _RESERVED:
                op.warn(f"size: {_UNSHELVE_FIRST}")
            elif live is not None:
                self._require_extendable(op, live)

    def leftovers(self, op: Op, wanted: VolumeInputs) -> list[tuple[str, str]]:  # noqa: ARG002
        """Those with the marker in their metadata, or in their description."""
        api, marker = op.cloud.block_storage, mark(op)
        if not marker:
            return []
        found = marked_objects(op.cloud.region, "volume").of(
            # Cinder reads this filter as a literal of Python's.
            narrow=lambda: block_storage.list_volumes(api, metadata=repr({MARKER_KEY: marker})),
            list_all=lambda: block_storage.list_volumes(api),
            is_own=lambda live: marker in markers_of(live),
        )
        return [(each["id"], each.get("name") or "") for each in found]

    def create(self, op: Op, wanted: VolumeInputs) -> Live:
        """Create and wait until it is available."""
        api = op.cloud.block_storage
        body = sent(
            wanted,
            *("size", "name", "description", "volume_type", "availability_zone", "snapshot_id"),
            *("backup_id", "multiattach"),
            source_volume_id="source_volid",
        )
        names = catalog(op.cloud.region)
        if wanted.image:
            body["imageRef"] = names.image(wanted.image)["id"]
        if wanted.multiattach and wanted.volume_type and names.allows_several(wanted.volume_type):
            # Where the type says it, newer clouds refuse to hear it from the volume.
            del body["multiattach"]
        if metadata := metadata_with_marker(op, wanted.metadata):
            body["metadata"] = metadata
        if not body.get("description") and mark(op):
            body["description"] = mark(op)
        live = create_once(
            op,
            api,
            send=lambda: block_storage.create_volume(
                api, body, hints=wanted.scheduler_hints, microversion=_FROM_BACKUP if wanted.backup_id else None
            ),
            candidates=lambda: block_storage.list_volumes(api, name=body.get("name")),
            marked=body.get("description"),
        )
        op.created(live["id"])
        live = self._settled(op, live["id"], "available")
        return self._flag(op, live, wanted)

    def read(self, op: Op, id_: str) -> Live | None:
        """From the list that serves every refresh of volumes."""
        return op.cloud.region.volumes.read(id_)

    def fetch(self, op: Op, id_: str) -> Live | None:
        """The volume as it is this moment."""
        try:
            return block_storage.get_volume(op.cloud.block_storage, id_)
        except errors.NotFound:
            return None

    def observe(self, op: Op, live: Live) -> dict[str, Any]:
        """As the API tells it, without what the cloud itself writes into the metadata."""
        image = live.get("volume_image_metadata") or {}
        metadata = live.get("metadata") or {}
        hidden = _hidden(metadata, op.inputs.get("metadata"))
        seen = {
            "region": op.cloud.region.name,
            "metadata": {key: value for key, value in metadata.items() if key not in hidden},
            "read_only": str(metadata.get("readonly", "false")).lower() == "true",
            "source_volume_id": live.get("source_volid"),
            "bootable": str(live.get("bootable", "false")).lower() == "true",
            # Only what is filled with its image tells which one it was.
            **({"image": image["image_id"]} if image.get("image_id") else {}),
            "image_id": image.get("image_id"),
            # Of what is taken over nobody knows.
            "been_available": bool(op.old.get("been_available") or op.inputs.get("adopt"))
            or op.old.get("status", "error") not in _NOT_YET
            or live.get("status") not in _NOT_YET,
            "image_name": image.get("image_name"),
            "attachments": [
                {key: item.get(key) or "" for key in ("server_id", "attachment_id", "device")}
                for item in live.get("attachments") or ()
            ],
        }
        same = ("size", "name", "description", "volume_type", "availability_zone", "snapshot_id", "multiattach")
        seen |= {name: live[name] for name in (*same, "status", "encrypted", "created_at") if name in live}
        said = op.inputs.get("volume_type")
        if said and _is_type(op, said, live.get("volume_type")):
            seen["volume_type"] = said
        return seen

    def update(self, op: Op, id_: str, wanted: VolumeInputs, old: Mapping[str, Any]) -> Live:
        """Rename, extend, retype and mark, each only where it differs."""
        api = op.cloud.block_storage
        live = found_or_failed(self.fetch(op, id_), self.name, id_)
        changes = differing(self, op, wanted, live)
        if live["status"] == _RESERVED and not {"size", "volume_type"}.isdisjoint(changes):
            live = self._released(op, id_)
        elif live["status"] not in (*_SETTLED, _RESERVED):
            live = self._settled(op, id_)
            changes = differing(self, op, wanted, live)
        words: dict[str, Any] = {key: changes[key] for key in ("name", "description") if key in changes}
        if words:
            live = block_storage.update_volume(api, id_, words)
        metadata = live.get("metadata") or {}
        hidden = _hidden(metadata, wanted.metadata) - set(_CINDERS_OWN)
        # Keys that the program has declared under the cloud's names go, those of the cloud stay.
        dropped = hidden & set(old.get("metadata") or {})
        if "metadata" in changes or (dropped and wanted.metadata is not None):
            kept = {key: metadata[key] for key in hidden - dropped}
            desired = changes.get("metadata") if wanted.metadata is None else wanted.metadata
            changes["metadata"] = desired
            block_storage.replace_metadata(api, id_, {**kept, **(desired or {}), **kept_marker(op, live)})
        if "size" in changes:
            self._extend(op, live, changes["size"])
        if "volume_type" in changes:
            block_storage.retype(api, id_, changes["volume_type"], wanted.retype_policy)
            self._settled(op, id_)
        if changes:
            live = found_or_failed(self.fetch(op, id_), self.name, id_)
            if "volume_type" in changes and not _is_type(op, changes["volume_type"], live.get("volume_type")):
                raise errors.Failed(
                    f"retype to {changes['volume_type']}",
                    f"the cloud left it {live.get('volume_type')}; "
                    f"retype_policy {wanted.retype_policy!r} may not let it move the data",
                )
        return self._flag(op, live, wanted)

    def delete(self, op: Op, id_: str, old: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Delete once no server holds it, and wait until it is gone."""
        region = op.cloud.region

        def delete() -> None:
            try:
                block_storage.delete_volume(op.cloud.block_storage, id_)
            except errors.BadRequest as busy:
                live = self.fetch(op, id_)
                # Cinder answers 400 to what elsewhere is a conflict: attached, or in the middle of something.
                if live is not None and live["status"] == _NOT_DELETED:
                    raise _undeleted(id_) from busy
                if live is not None and live["status"] != "deleting":
                    raise errors.Conflict(400, busy.message, busy.request_id) from busy

        unless_in_use(op, delete, lambda: self._users(op, id_))
        region.volumes.poller.wait(
            id_,
            _gone(id_),
            deadline=op.cloud.deadline,
            progress=op.say,
            describe=_status,
            what=f"volume {id_} to be gone",
        )

    def _users(self, op: Op, id_: str) -> list[str]:
        live = self.fetch(op, id_) or {}
        return [f"server {item['server_id']} as {item['device']}" for item in live.get("attachments") or ()]

    def _extend(self, op: Op, live: Live, size: int) -> None:
        api = op.cloud.block_storage
        if size < live["size"]:
            raise errors.Failed("size", f"can only grow: the volume has {live['size']} GiB, the program says {size}")
        self._require_extendable(op, live)
        attached = live["status"] == "in-use"
        block_storage.extend(api, live["id"], size, microversion=_EXTEND_IN_USE if attached else None)
        grown = self._settled(op, live["id"])
        if grown["size"] < size:
            raise errors.Failed("extend", f"the volume still has {grown['size']} GiB")

    def _require_extendable(self, op: Op, live: Live) -> None:
        """Raise what keeps the volume from growing."""
        if live["status"] != "in-use":
            return
        try:
            op.cloud.block_storage.require("extending a volume in use", _EXTEND_IN_USE)
        except errors.Unsupported as unsupported:
            users = errors.listing([f"server {item['server_id']}" for item in live.get("attachments") or ()])
            raise errors.Failed("size", f"{unsupported}. It is attached to {users}: {_DETACH_FIRST}") from unsupported

    def _flag(self, op: Op, live: Live, wanted: VolumeInputs) -> Live:
        if wanted.read_only is None or wanted.read_only == self.observe(op, live)["read_only"]:
            return live
        block_storage.set_read_only(op.cloud.block_storage, live["id"], read_only=wanted.read_only)
        return found_or_failed(self.fetch(op, live["id"]), self.name, live["id"])

    def _released(self, op: Op, id_: str) -> Live:
        """Wait until a volume that is being attached is in use.

        Raises:
            Failed: it stays reserved, as that of a shelved server does.
        """
        deadline = Deadline(op.cloud.deadline.clock, min(_RESERVED_FOR, op.cloud.deadline.left()))
        try:
            live = until(
                lambda: found_or_failed(self.fetch(op, id_), self.name, id_),
                done=lambda volume: volume["status"] in _SETTLED,
                deadline=deadline,
                what=f"volume {id_} to be attached",
                describe=_status,
                progress=op.say,
            )
        except errors.WaitTimeout as late:
            raise errors.Failed(f"volume {id_}", _UNSHELVE_FIRST) from late
        return live

    def _settled(self, op: Op, id_: str, *wanted: str) -> Live:
        """Wait until nothing is going on with the volume."""

        def done(live: Live | None) -> bool:
            status = found_or_failed(live, self.name, id_)["status"]
            if status.startswith("error"):
                reason = block_storage.last_message(op.cloud.block_storage, id_) or "the cloud recorded no reason"
                hint = _STUCK if status == "error_extending" else ""
                raise errors.Failed(f"volume {id_} is in status {status}", f"{reason.rstrip('.')}. {hint}".rstrip())
            return status in (wanted or _SETTLED)

        live = op.cloud.region.volumes.poller.wait(
            id_,
            done,
            deadline=op.cloud.deadline,
            progress=op.say,
            describe=_status,
            what=f"volume {id_} to be {' or '.join(wanted) or 'settled'}",
        )
        return found_or_failed(live, self.name, id_)


_SETTLED = ("available", "in-use")
_RESERVED, _RESERVED_FOR = "reserved", 60.0
"""Where a volume is for a moment while it is attached, and as long as its server is shelved."""
_UNSHELVE_FIRST = "the volume is reserved, as that of a shelved server is, and cannot change: unshelve the server first"
_DETACH_FIRST = "detach it first, in an `up` of its own, as Pulumi deletes an attachment only after every update"
_NOT_DELETED = "error_deleting"
_STUCK = "Only the cloud's operator can reset its state."


def _hidden(metadata: Mapping[str, str], declared: Mapping[str, str] | None) -> set[str]:
    """The keys under the cloud's names that the program does not declare."""
    known = set(declared or ()) - {*_CINDERS_OWN, MARKER_KEY}
    return {key for key in metadata if key == MARKER_KEY or _CLOUDS_OWN.fullmatch(key)} - known


def _is_type(op: Op, name_or_id: str, name: str | None) -> bool:
    """Whether what a program says, which may be an id, is the type that Cinder tells by its name."""
    if name_or_id == name or not is_uuid(name_or_id):
        return name_or_id == name
    try:
        return bool(catalog(op.cloud.region).volume_type(name_or_id)["name"] == name)
    except (errors.NoMatch, errors.Forbidden, errors.NotFound, errors.Unrouted):
        # An id that has stood for it is hidden from this account since, which is no difference.
        return op.verb == "create" or op.old.get("volume_type") == name_or_id


def _undeleted(id_: str) -> errors.Failed:
    return errors.Failed(f"volume {id_}", f"the cloud could not delete it ({_NOT_DELETED}). {_STUCK}")


def _status(live: Live | None) -> str:
    return live["status"] if live else "gone"


def _gone(id_: str) -> Any:
    def gone(live: Live | None) -> bool:
        if live and live["status"] == _NOT_DELETED:
            raise _undeleted(id_)
        return live is None

    return gone


KIND = VolumeKind()


class VolumeServer(TypedDict):
    """A server that has a volume."""

    server_id: str
    """The server."""
    attachment_id: str
    """Id of the attachment in Cinder."""
    device: str
    """Name in the server."""


class Volume(EcsResource, kind=KIND):
    """A disk that servers attach.

    Source: guide, chapter 6 "Create an EVS disk"; Cinder API reference, "Volumes".
    """

    size: pulumi.Output[int]
    name: pulumi.Output[str]
    description: pulumi.Output[str | None]
    metadata: pulumi.Output[dict[str, str]]
    volume_type: pulumi.Output[str]
    retype_policy: pulumi.Output[str]
    availability_zone: pulumi.Output[str]
    image: pulumi.Output[str | None]
    snapshot_id: pulumi.Output[str | None]
    source_volume_id: pulumi.Output[str | None]
    backup_id: pulumi.Output[str | None]
    multiattach: pulumi.Output[bool]
    scheduler_hints: pulumi.Output[dict[str, object] | None]
    read_only: pulumi.Output[bool]
    status: pulumi.Output[str]
    bootable: pulumi.Output[bool]
    encrypted: pulumi.Output[bool]
    attachments: pulumi.Output[list[VolumeServer]]
    created_at: pulumi.Output[str]
    image_id: pulumi.Output[str | None]
    image_name: pulumi.Output[str | None]
    been_available: pulumi.Output[bool]

    def __init__(
        self,
        resource_name: str,
        *,
        size: pulumi.Input[int],
        name: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        metadata: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        volume_type: pulumi.Input[str] | None = None,
        retype_policy: pulumi.Input[Literal["never", "on-demand"]] = "on-demand",
        availability_zone: pulumi.Input[str] | None = None,
        image: pulumi.Input[str] | None = None,
        snapshot_id: pulumi.Input[str] | None = None,
        source_volume_id: pulumi.Input[str] | None = None,
        backup_id: pulumi.Input[str] | None = None,
        multiattach: pulumi.Input[bool] | None = None,
        scheduler_hints: pulumi.Input[Mapping[str, object]] | None = None,
        read_only: pulumi.Input[bool] | None = None,
        region: pulumi.Input[str] | None = None,
        adopt: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a volume. Every argument is described in the reference of the kind."""
