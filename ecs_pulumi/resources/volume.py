"""Volume: a disk (guide, chapter 6; Cinder API reference, "Volumes")."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field
from typing_extensions import TypedDict

from ecs_pulumi.cloud import block_storage, errors
from ecs_pulumi.cloud.polling import Deadline, wait_for
from ecs_pulumi.dynamic.fields import (
    CheckInputs,
    Computed,
    GrowOnly,
    InPlace,
    Inputs,
    Outputs,
    Problem,
    ProviderOnly,
    Replace,
    RequiresMicroversion,
    WriteOnly,
    exactly_one_of,
    has_unknown,
)
from ecs_pulumi.dynamic.resource import EcsResource
from ecs_pulumi.resources import preflight, quota
from ecs_pulumi.resources.catalog import catalog, is_uuid
from ecs_pulumi.resources.common import (
    MARKER_KEY,
    Context,
    EcsHandler,
    RemoteObject,
    create_body,
    delete_when_unused,
    diff_remote,
    kept_marker,
    markers_of,
    metadata_with_marker,
    owner_marker,
    require_exists,
)
from ecs_pulumi.resources.idempotent_create import create_or_find
from ecs_pulumi.resources.orphan_search import marked_objects

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
    volume_type: Annotated[str | None, InPlace(), Computed()] = Field(
        None, description="Kind of disk, for example `SATA`, `SAS` or `SSD`."
    )
    retype_policy: Annotated[Literal["never", "on-demand"], ProviderOnly()] = Field(
        "on-demand", description="Whether a changed `volume_type` may move the data to other storage."
    )
    availability_zone: Annotated[str | None, Replace(), Computed()] = Field(None, description="Zone.")
    image: Annotated[str | None, Replace()] = Field(None, description="Image to fill it with, name or id.")
    snapshot_id: Annotated[str | None, Replace()] = Field(None, description="Snapshot to fill it with.")
    source_volume_id: Annotated[str | None, Replace()] = Field(None, description="Volume to copy.")
    backup_id: Annotated[str | None, Replace(), WriteOnly(), RequiresMicroversion("block-storage", _FROM_BACKUP)] = (
        Field(None, description="Backup to restore.")
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
    was_available: bool | None = Field(
        None, description="Whether it has been of use once: then an `error` is no reason to make it anew."
    )


class VolumeHandler(EcsHandler[VolumeInputs]):
    """Volumes."""

    name = "Volume"
    inputs = VolumeInputs
    outputs = VolumeOutputs

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """At most one source, and no metadata that Cinder writes itself."""
        yield from exactly_one_of(checked, "image", "snapshot_id", "source_volume_id", "backup_id", required=False)
        metadata = checked.values.get("metadata")
        for key in metadata if isinstance(metadata, Mapping) else ():
            if key in _CINDERS_OWN:
                hint = "; set `read_only`" if key == "readonly" else ""
                yield Problem("metadata", f"`{key}` is written by the cloud itself{hint}")
            if key == MARKER_KEY:
                yield Problem("metadata", f"`{key}` is the key in which ecs_pulumi notes the owner of a volume")

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Type, zone and source exist, and an image fits."""
        yield from super().preflight(context, checked)
        names = catalog(context.cloud.region)
        yield from preflight.check_exists(checked, "volume_type", names.volume_type)
        yield from preflight.check_exists(checked, "availability_zone", names.volume_zone)
        yield from preflight.check_exists(checked, "snapshot_id", names.snapshot)
        yield from preflight.check_exists(checked, "source_volume_id", names.volume)
        missing = list(preflight.check_exists(checked, "image", names.image))
        yield from missing
        if checked.known("image") and not missing and checked.changed("image"):
            image = names.image(checked.known("image"))
            if (least := image.get("min_disk") or 0) > (checked.known("size") or least):
                yield Problem("size", f"the image {image['name']} needs at least {least} GiB")
        yield from quota.volume(context, checked)

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """An image is the same by name and by id."""
        if name == "image" and desired is not None:
            return desired in (prior.get("image"), prior.get("image_id"), prior.get("image_name"))
        return super().is_equal(name, desired, prior)

    def tainted(self, context: Context, id_: str, prior: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """A volume whose creation failed holds nothing and is replaced; one that was of use may hold everything."""
        return ["status"] if prior.get("status") == "error" and not prior.get("was_available") else []

    def failure_reason(self, context: Context, id_: str, prior: Mapping[str, Any]) -> str:  # noqa: ARG002
        """What Cinder recorded of it, where it shows that."""
        reason = block_storage.last_message(context.cloud.block_storage, id_) or "the cloud recorded no reason"
        return f"the volume never became available: {reason}"

    def data_loss(self, context: Context, prior: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Everything on it, if it was ever usable."""
        if prior.get("status") == "error" and not prior.get("was_available"):
            return []
        return [f"its data ({prior['size']} GiB)"] if prior.get("size") else ["its data"]

    def preflight_update(self, context: Context, id_: str, new: Mapping[str, Any], changed: list[str]) -> None:
        """Growing a volume in use needs an API that can do that, and that of a shelved server is not extended.

        The cloud is asked, as its use in the state may be out of date.
        """
        if "size" in changed and not has_unknown(new["size"]):
            remote = context.cloud.region.volumes.read(id_)
            if remote is not None and remote["status"] == _RESERVED:
                context.warn(f"size: {_UNSHELVE_FIRST}")
            elif remote is not None:
                self._require_extendable(context, remote)

    def find_own_orphans(self, context: Context, desired: VolumeInputs) -> list[tuple[str, str]]:  # noqa: ARG002
        """Those with the marker in their metadata, or in their description."""
        api, marker = context.cloud.block_storage, owner_marker(context)
        if not marker:
            return []
        found = marked_objects(context.cloud.region, "volume").of(
            # Cinder reads this filter as a literal of Python's.
            narrow=lambda: block_storage.list_volumes(api, metadata=repr({MARKER_KEY: marker})),
            list_all=lambda: block_storage.list_volumes(api),
            is_own=lambda remote: marker in markers_of(remote),
        )
        return [(each["id"], each.get("name") or "") for each in found]

    def create(self, context: Context, desired: VolumeInputs) -> RemoteObject:
        """Create and wait until it is available."""
        api = context.cloud.block_storage
        body = create_body(
            desired,
            *("size", "name", "description", "volume_type", "availability_zone", "snapshot_id"),
            *("backup_id", "multiattach"),
            source_volume_id="source_volid",
        )
        names = catalog(context.cloud.region)
        if desired.image:
            body["imageRef"] = names.image(desired.image)["id"]
        if desired.multiattach and desired.volume_type and names.allows_several(desired.volume_type):
            # Where the type says it, newer clouds refuse to hear it from the volume.
            del body["multiattach"]
        if metadata := metadata_with_marker(context, desired.metadata):
            body["metadata"] = metadata
        if not body.get("description") and owner_marker(context):
            body["description"] = owner_marker(context)
        remote = create_or_find(
            context,
            api,
            send=lambda: block_storage.create_volume(
                api, body, hints=desired.scheduler_hints, microversion=_FROM_BACKUP if desired.backup_id else None
            ),
            candidates=lambda: block_storage.list_volumes(api, name=body.get("name")),
            marked=body.get("description"),
        )
        context.record_id(remote["id"])
        remote = self._settled(context, remote["id"], "available")
        return self._flag(context, remote, desired)

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """From the list that serves every refresh of volumes."""
        return context.cloud.region.volumes.read(id_)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """The volume as it is this moment."""
        try:
            return block_storage.get_volume(context.cloud.block_storage, id_)
        except errors.NotFound:
            return None

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """As the API tells it, without what the cloud itself writes into the metadata."""
        image = remote.get("volume_image_metadata") or {}
        metadata = remote.get("metadata") or {}
        hidden = _hidden(metadata, context.inputs.get("metadata"))
        seen = {
            "region": context.cloud.region.name,
            "metadata": {key: value for key, value in metadata.items() if key not in hidden},
            "read_only": str(metadata.get("readonly", "false")).lower() == "true",
            "source_volume_id": remote.get("source_volid"),
            "bootable": str(remote.get("bootable", "false")).lower() == "true",
            # Only what is filled with its image tells which one it was.
            **({"image": image["image_id"]} if image.get("image_id") else {}),
            "image_id": image.get("image_id"),
            # Of what is taken over nobody knows.
            "was_available": bool(context.prior.get("was_available") or context.inputs.get("adopt"))
            or context.prior.get("status", "error") not in _NOT_YET
            or remote.get("status") not in _NOT_YET,
            "image_name": image.get("image_name"),
            "attachments": [
                {key: item.get(key) or "" for key in ("server_id", "attachment_id", "device")}
                for item in remote.get("attachments") or ()
            ],
        }
        same = ("size", "name", "description", "volume_type", "availability_zone", "snapshot_id", "multiattach")
        seen |= {name: remote[name] for name in (*same, "status", "encrypted", "created_at") if name in remote}
        said = context.inputs.get("volume_type")
        if said and _is_type(context, said, remote.get("volume_type")):
            seen["volume_type"] = said
        return seen

    def update(self, context: Context, id_: str, desired: VolumeInputs, prior: Mapping[str, Any]) -> RemoteObject:
        """Rename, extend, retype and mark, each only where it differs."""
        api = context.cloud.block_storage
        remote = require_exists(self.read(context, id_), self.name, id_)
        changes = diff_remote(self, context, desired, remote)
        if remote["status"] == _RESERVED and not {"size", "volume_type"}.isdisjoint(changes):
            remote = self._released(context, id_)
        elif remote["status"] not in (*_SETTLED, _RESERVED):
            remote = self._settled(context, id_)
            changes = diff_remote(self, context, desired, remote)
        words: dict[str, Any] = {key: changes[key] for key in ("name", "description") if key in changes}
        if words:
            remote = block_storage.update_volume(api, id_, words)
        metadata = remote.get("metadata") or {}
        hidden = _hidden(metadata, desired.metadata) - set(_CINDERS_OWN)
        # Keys that the program has declared under the cloud's names go, those of the cloud stay.
        dropped = hidden & set(prior.get("metadata") or {})
        if "metadata" in changes or (dropped and desired.metadata is not None):
            kept = {key: metadata[key] for key in hidden - dropped}
            own = changes.get("metadata") if desired.metadata is None else desired.metadata
            changes["metadata"] = own
            block_storage.replace_metadata(api, id_, {**kept, **(own or {}), **kept_marker(context, remote)})
        if "size" in changes:
            self._extend(context, remote, changes["size"])
        if "volume_type" in changes:
            block_storage.retype(api, id_, changes["volume_type"], desired.retype_policy)
            self._settled(context, id_)
        if changes:
            remote = require_exists(self.read(context, id_), self.name, id_)
            if "volume_type" in changes and not _is_type(context, changes["volume_type"], remote.get("volume_type")):
                raise errors.OperationFailed(
                    f"retype to {changes['volume_type']}",
                    f"the cloud left it {remote.get('volume_type')}; "
                    f"retype_policy {desired.retype_policy!r} may not let it move the data",
                )
        return self._flag(context, remote, desired)

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Delete once no server holds it, and wait until it is gone."""
        region = context.cloud.region

        def delete() -> None:
            try:
                block_storage.delete_volume(context.cloud.block_storage, id_)
            except errors.BadRequest as busy:
                remote = self.read(context, id_)
                # Cinder answers 400 to what elsewhere is a conflict: attached, or in the middle of something.
                if remote is not None and remote["status"] == _NOT_DELETED:
                    raise _undeleted(id_) from busy
                if remote is not None and remote["status"] != "deleting":
                    raise errors.Conflict(400, busy.message, busy.request_id) from busy

        delete_when_unused(context, delete, lambda: self._users(context, id_))
        region.volumes.poller.wait(
            id_,
            _gone(id_),
            deadline=context.cloud.deadline,
            progress=context.report_status,
            describe=_status,
            what=f"volume {id_} to be gone",
        )

    def _users(self, context: Context, id_: str) -> list[str]:
        remote = self.read(context, id_) or {}
        return [f"server {item['server_id']} as {item['device']}" for item in remote.get("attachments") or ()]

    def _extend(self, context: Context, remote: RemoteObject, size: int) -> None:
        api = context.cloud.block_storage
        if size < remote["size"]:
            raise errors.OperationFailed(
                "size", f"can only grow: the volume has {remote['size']} GiB, the program says {size}"
            )
        self._require_extendable(context, remote)
        attached = remote["status"] == "in-use"
        block_storage.extend(api, remote["id"], size, microversion=_EXTEND_IN_USE if attached else None)
        grown = self._settled(context, remote["id"])
        if grown["size"] < size:
            raise errors.OperationFailed("extend", f"the volume still has {grown['size']} GiB")

    def _require_extendable(self, context: Context, remote: RemoteObject) -> None:
        """Raise what keeps the volume from growing."""
        if remote["status"] != "in-use":
            return
        try:
            context.cloud.block_storage.require("extending a volume in use", _EXTEND_IN_USE)
        except errors.Unsupported as unsupported:
            users = errors.join_names([f"server {item['server_id']}" for item in remote.get("attachments") or ()])
            raise errors.OperationFailed(
                "size", f"{unsupported}. It is attached to {users}: {_DETACH_FIRST}"
            ) from unsupported

    def _flag(self, context: Context, remote: RemoteObject, desired: VolumeInputs) -> RemoteObject:
        if desired.read_only is None or desired.read_only == self.to_outputs(context, remote)["read_only"]:
            return remote
        block_storage.set_read_only(context.cloud.block_storage, remote["id"], read_only=desired.read_only)
        return require_exists(self.read(context, remote["id"]), self.name, remote["id"])

    def _released(self, context: Context, id_: str) -> RemoteObject:
        """Wait until a volume that is being attached is in use.

        Raises:
            OperationFailed: it stays reserved, as that of a shelved server does.
        """
        deadline = Deadline(context.cloud.deadline.clock, min(_RESERVED_FOR, context.cloud.deadline.left()))
        try:
            remote = wait_for(
                lambda: require_exists(self.read(context, id_), self.name, id_),
                done=lambda volume: volume["status"] in _SETTLED,
                deadline=deadline,
                what=f"volume {id_} to be attached",
                describe=_status,
                progress=context.report_status,
            )
        except errors.WaitTimeout as late:
            raise errors.OperationFailed(f"volume {id_}", _UNSHELVE_FIRST) from late
        return remote

    def _settled(self, context: Context, id_: str, *desired: str) -> RemoteObject:
        """Wait until nothing is going on with the volume."""

        def done(remote: RemoteObject | None) -> bool:
            status = require_exists(remote, self.name, id_)["status"]
            if status.startswith("error"):
                reason = block_storage.last_message(context.cloud.block_storage, id_) or "the cloud recorded no reason"
                hint = _STUCK if status == "error_extending" else ""
                raise errors.OperationFailed(
                    f"volume {id_} is in status {status}", f"{reason.rstrip('.')}. {hint}".rstrip()
                )
            return status in (desired or _SETTLED)

        remote = context.cloud.region.volumes.poller.wait(
            id_,
            done,
            deadline=context.cloud.deadline,
            progress=context.report_status,
            describe=_status,
            what=f"volume {id_} to be {' or '.join(desired) or 'settled'}",
        )
        return require_exists(remote, self.name, id_)


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


def _is_type(context: Context, name_or_id: str, name: str | None) -> bool:
    """Whether what a program says, which may be an id, is the type that Cinder tells by its name."""
    if name_or_id == name or not is_uuid(name_or_id):
        return name_or_id == name
    try:
        return bool(catalog(context.cloud.region).volume_type(name_or_id)["name"] == name)
    except (errors.NoMatch, errors.Forbidden, errors.NotFound, errors.ProxyNotFound):
        # An id that has stood for it is hidden from this account since, which is no difference.
        return context.verb == "create" or context.prior.get("volume_type") == name_or_id


def _undeleted(id_: str) -> errors.OperationFailed:
    return errors.OperationFailed(f"volume {id_}", f"the cloud could not delete it ({_NOT_DELETED}). {_STUCK}")


def _status(remote: RemoteObject | None) -> str:
    return remote["status"] if remote else "gone"


def _gone(id_: str) -> Any:
    def gone(remote: RemoteObject | None) -> bool:
        if remote and remote["status"] == _NOT_DELETED:
            raise _undeleted(id_)
        return remote is None

    return gone


HANDLER = VolumeHandler()


class VolumeServer(TypedDict):
    """A server that has a volume."""

    server_id: str
    """The server."""
    attachment_id: str
    """Id of the attachment in Cinder."""
    device: str
    """Name in the server."""


class Volume(EcsResource, kind=HANDLER):
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
    was_available: pulumi.Output[bool]

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
