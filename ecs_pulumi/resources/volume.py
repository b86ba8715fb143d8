"""Volume: a disk (guide, chapter 6; Cinder API reference, "Volumes")."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field

from ecs_pulumi.cloud import block_storage, errors
from ecs_pulumi.cloud.api import ServiceClient
from ecs_pulumi.cloud.polling import Deadline, wait_for
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    ChangedBy,
    CheckInputs,
    ComparedAs,
    Computed,
    GrowOnly,
    InPlace,
    Inputs,
    Nested,
    Outputs,
    Problem,
    ProviderOnly,
    References,
    Replace,
    RequiresMicroversion,
    WriteOnly,
    exactly_one_of,
    has_unknown,
    to_plain,
)
from ecs_pulumi.dynamic.handler import ImportedResource, get_handler
from ecs_pulumi.resources import cloud_metadata, preflight, volume_requests
from ecs_pulumi.resources.catalog import catalog, is_uuid
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.cloud_metadata import CINDER_KEYS, FIXED_KEYS, keys_in_volume
from ecs_pulumi.resources.defaults import defaults
from ecs_pulumi.resources.deletion import delete_when_unused
from ecs_pulumi.resources.handler import EcsHandler, project_of
from ecs_pulumi.resources.idempotent_create import create_or_find, has_description
from ecs_pulumi.resources.orphan_search import marked_objects
from ecs_pulumi.resources.owner_markers import (
    MARKER_KEY,
    markers_of,
    metadata_with_marker,
    owner_marker,
)
from ecs_pulumi.resources.quota import QuotaNeed, is_short, storage_needs
from ecs_pulumi.resources.remote import RemoteObject, require_exists
from ecs_pulumi.resources.request_body import create_body, diff_remote
from ecs_pulumi.resources.steps import Impact, Step, shown
from ecs_pulumi.resources.volume_report_rules import RULES, was_never_available

if TYPE_CHECKING:
    from ecs_pulumi.resources.volume_attachment import VolumeAttachmentHandler

_FROM_BACKUP = "3.47"
_BEFORE_AVAILABLE = ("creating", "downloading", "restoring-backup", "error")
"""Statuses of a volume that may never have been available."""


class VolumeAttachedServer(Nested):
    """A server that a volume is attached to."""

    server_id: str = Field(description="Id of the server.")
    attachment_id: str = Field(description="Id of the attachment in Cinder.")
    device: str = Field(description="Device name in the server.")


class VolumeInputs(Inputs):
    """A disk that servers attach.

    Source: guide, chapter 6 "Create an EVS disk"; Cinder API reference, "Volumes".
    """

    size: Annotated[int, GrowOnly()] = Field(
        ge=1,
        description="Size in GiB. It can only grow; growing an attached volume needs block-storage 3.42, except on "
        "Open Telekom Cloud, where an empty volume has at least 10 GiB.",
    )
    # Cinder removes the spaces around both.
    name: Annotated[str | None, InPlace(), AlwaysSet(), ComparedAs(str.strip)] = Field(
        None, max_length=255, description="Name."
    )
    description: Annotated[str | None, InPlace(), ComparedAs(str.strip)] = Field(
        None, max_length=255, description="Description."
    )
    metadata: Annotated[dict[str, str] | None, InPlace(), AlwaysSet()] = Field(
        None,
        description="User-defined keys and values. On Open Telekom Cloud, keys that the program never declared belong "
        "to the cloud: they are no drift and stay. There, a new volume is encrypted with `__system__encrypted` (`1`) "
        "and `__system__cmkid` (id of the key), and is a SCSI disk with `hw:passthrough` (`true`).",
    )
    volume_type: Annotated[str | None, InPlace(), Computed(), AlwaysSet(), ChangedBy()] = Field(
        None, description="Volume type, for example `SAS`, `SSD` or `GPSSD`."
    )
    retype_policy: Annotated[Literal["never", "on-demand"], ProviderOnly()] = Field(
        "on-demand",
        description="Whether a changed `volume_type` may move the data to other storage. Open Telekom Cloud does not "
        "let a program choose `never`.",
    )
    availability_zone: Annotated[str | None, Replace(), Computed(), AlwaysSet()] = Field(
        None,
        description="Availability zone. If a cloud requires one, it is a zone that has the volume type, if "
        "possible that of other servers.",
    )
    image: Annotated[str | None, Replace()] = Field(
        None, description="Name or id of the image to create the volume from."
    )
    snapshot_id: Annotated[str | None, Replace()] = Field(
        None, description="Id of the snapshot to create the volume from."
    )
    source_volume_id: Annotated[str | None, Replace(), References("Volume")] = Field(
        None, description="Id of the volume to copy."
    )
    backup_id: Annotated[str | None, Replace(), WriteOnly(), RequiresMicroversion("block-storage", _FROM_BACKUP)] = (
        Field(None, description="Id of the backup to restore.")
    )
    multiattach: Annotated[bool | None, Replace(), AlwaysSet()] = Field(
        None, description="Whether several servers may attach it; newer clouds need a `volume_type` that allows it."
    )
    scheduler_hints: Annotated[dict[str, Any] | None, Replace(), WriteOnly()] = Field(
        None, description="Hints to Cinder's scheduler, such as `different_host`."
    )
    read_only: Annotated[bool | None, InPlace(), AlwaysSet()] = Field(
        None, description="Whether servers may only read it."
    )


class VolumeOutputs(Outputs):
    """Outputs of a volume that are not inputs."""

    status: str = Field(description="`available`, `in-use`, …")
    bootable: Annotated[bool, ChangedBy()] = Field(description="Whether a server can boot from it.")
    encrypted: Annotated[bool, ChangedBy(("volume_type",))] = Field(description="Whether it is encrypted.")
    attachments: list[VolumeAttachedServer] = Field(description="Servers that the volume is attached to.")
    project_id: Annotated[str, ChangedBy()] = Field(description="Id of the project that owns the volume.")
    created_at: Annotated[str, ChangedBy()] = Field(description="Time of creation, UTC.")
    image_id: Annotated[str | None, ChangedBy()] = Field(
        None, description="Id of the image that the volume was created from."
    )
    image_name: Annotated[str | None, ChangedBy()] = Field(
        None, description="Name of that image at the time of creation."
    )
    was_available: bool = Field(
        description="Whether the volume was ever available. If so, status `error` does not replace it."
    )


class VolumeHandler(EcsHandler[VolumeInputs]):
    """Volumes."""

    name = "Volume"
    report_rules = "ecs_pulumi.resources.volume_report_rules"
    title = "Volumes"
    inputs = VolumeInputs
    outputs = VolumeOutputs

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Allow at most one source, and no metadata keys that Cinder or ecs_pulumi writes."""
        yield from super().validate(checked)
        yield from exactly_one_of(checked, "image", "snapshot_id", "source_volume_id", "backup_id", required=False)
        metadata = checked.values.get("metadata")
        for key in metadata if isinstance(metadata, Mapping) else ():
            if key in CINDER_KEYS:
                hint = "; set `read_only`" if key == "readonly" else ""
                yield Problem("metadata", f"`{key}` is written by the cloud itself{hint}")

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that type, zone and source exist and that the image fits into the volume."""
        yield from super().preflight(context, checked)
        names = catalog(context.cloud.region)
        unknown = list(preflight.check_exists(checked, "volume_type", names.volume_type))
        yield from unknown or self._missing_in_zone(context, checked)
        yield from preflight.check_exists(checked, "availability_zone", names.volume_zone)
        yield from preflight.check_exists(checked, "snapshot_id", names.snapshot)
        yield from preflight.check_exists(checked, "source_volume_id", names.volume)
        missing = list(preflight.check_exists(checked, "image", names.image))
        yield from missing
        if checked.known("image") and not missing and checked.changed("image"):
            image = names.image(checked.known("image"))
            if needed := preflight.disk_needed(image, checked.known("size")):
                yield Problem("size", f"the image {image['name']} needs at least {needed} GiB")

    def _missing_in_zone(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that the zone has the volume type, if the types name their zones."""
        name, zone = checked.known("volume_type"), checked.known("availability_zone")
        zone = zone or checked.prior.get("availability_zone")
        if not (name and zone and checked.changed("volume_type", "availability_zone")):
            return
        if reason := volume_requests.lacking_type(context.cloud.region, name, zone):
            yield Problem("volume_type", reason)

    def quota_needs(self, context: Context, checked: CheckInputs) -> Iterator[QuotaNeed]:  # noqa: ARG002
        """Yield a new volume, or the growth of an existing one."""
        grown = (checked.known("size") or 0) - (checked.prior.get("size") or 0)
        disk = max(0, grown), checked.known("volume_type")
        yield storage_needs("size", [disk], each=0 if checked.prior else 1)

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Treat the name and the id of an image as equal."""
        if name == "image" and desired is not None:
            return desired in (prior.get("image"), prior.get("image_id"), prior.get("image_name"))
        return super().is_equal(name, desired, prior)

    def tainted(self, context: Context, id_: str, prior: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Replace a volume whose creation failed: it holds no data. Keep one that was available before."""
        return ["status"] if was_never_available(prior) else []

    def failure_reason(self, context: Context, id_: str, prior: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return the last message that Cinder recorded for the volume, if the API offers messages."""
        reason = block_storage.last_message(context.cloud.block_storage, id_) or "the cloud recorded no reason"
        return f"the volume never became available: {reason}"

    def data_loss(self, context: Context, prior: Mapping[str, Any]) -> list[str]:
        """Report the volume's data, unless the volume was never available; OpenStack refuses while it has snapshots.

        Whether the cloud deletes them is known as far as a request of this process has shown what the cloud is.
        """
        lost = RULES.lost(prior)
        with contextlib.suppress(errors.EcsError):  # for example without credentials
            region = context.cloud.known_region
            if lost and region and region.differences.deletes_snapshots_with_volume:
                lost.append("its snapshots, if it has any")
        return lost

    def preflight_update(self, context: Context, id_: str, new: Mapping[str, Any], changed: list[str]) -> None:
        """Check that a volume in use can grow, and that its server is not shelved; the keys of metadata; the new type.

        This reads the volume from the cloud, as its status in the state may be out of date.
        """
        region = context.cloud.region
        if "size" in changed and not has_unknown(new["size"]):
            remote = region.volumes.read(id_)
            if remote is not None and remote["status"] == _RESERVED:
                context.warn(f"size: {_UNSHELVE_FIRST}")
            elif remote is not None and remote["status"] == "in-use":
                self._check_extendable(context, remote)
        new_type = new.get("volume_type")
        if "volume_type" in changed and isinstance(new_type, str):
            self._check_type(context, new_type)
        desired = new.get("metadata")
        if "metadata" in changed and desired and region.differences.writes_metadata and not has_unknown(desired):
            self._check_fixed_keys(region.volumes.read(id_) or {}, desired)

    @staticmethod
    def _check_type(context: Context, volume_type: str) -> None:
        """Raise an error if the zone, which the inputs do not have if the cloud chose it, lacks the new type."""
        zone = context.prior.get("availability_zone")
        if zone and (reason := volume_requests.lacking_type(context.cloud.region, volume_type, zone)):
            raise errors.OperationFailed("volume_type", reason)

    def _check_extendable(self, context: Context, remote: RemoteObject) -> None:
        is_possible = volume_requests.can_extend_in_use(context.cloud.region)
        if is_possible is False:
            raise volume_requests.cannot_extend(remote, "This cloud does not extend attached volumes. ")
        if is_possible is None and not context.cloud.region.differences.extends_attached_volumes:
            offered = context.cloud.block_storage.versions
            context.warn(f"size: the cloud offers block-storage {offered}, which may not extend an attached volume")

    @staticmethod
    def _check_fixed_keys(remote: RemoteObject, desired: Mapping[str, str]) -> None:
        """Raise an error if the program changes metadata that the cloud takes only when a volume is created."""
        present = remote.get("metadata") or {}
        for key, value in sorted(desired.items()):
            if FIXED_KEYS.fullmatch(key) and remote and present.get(key) != value:
                current = repr(present[key]) if key in present else "not set"
                reason = f"`{key}` is {current} and cannot change after the create: replace the volume"
                raise errors.OperationFailed("metadata", reason)

    def planned_steps(self, context: Context, new: Mapping[str, Any], changed: list[str]) -> "list[Step[VolumeUpdate]]":
        """Plan from the prior outputs."""
        return plan(changed, new, context.prior)

    def list_all(self, context: Context) -> Iterable[RemoteObject]:
        """Return the volumes of the project."""
        return block_storage.list_volumes(context.cloud.block_storage)

    def attached_to(self, remote: RemoteObject) -> list[str]:
        """Return the servers to which the volume is attached."""
        return [item["server_id"] for item in remote.get("attachments") or ()]

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the source, and what differs from the defaults of the cloud."""
        resource, known = super().import_resource(existing, remote, outputs), defaults(existing.cloud.region)
        source, snapshot = outputs.get("source_volume_id"), outputs.get("snapshot_id")
        volume_type = outputs.get("volume_type")
        resource.inputs |= {
            # A program can set only one source. A copied volume also has the image of its source volume.
            "image": None if source or snapshot else known.image_reference(outputs.get("image_id")),
            "source_volume_id": None if snapshot else source,
            "volume_type": None if volume_type == known.volume_type else volume_type,
            "availability_zone": None if known.one_volume_zone else outputs.get("availability_zone"),
        }
        if existing.cloud.region.differences.writes_metadata and (metadata := resource.inputs.pop("metadata", None)):
            keys = ", ".join(f"`{key}`" for key in sorted(metadata))
            resource.comments.append(f"metadata is left to the cloud, which may have written some of it: {keys}")
        return resource

    def find_own_orphans(self, context: Context, desired: VolumeInputs) -> list[tuple[str, str]]:  # noqa: ARG002
        """Find the volumes whose metadata or description contains the owner marker."""
        api, marker = context.cloud.block_storage, owner_marker(context)
        if not marker:
            return []
        found = marked_objects(context.cloud.region, "volume").of(
            # Cinder parses this filter as a Python literal.
            narrow=lambda: block_storage.list_volumes(api, metadata=repr({MARKER_KEY: marker})),
            list_all=lambda: self.list_all(context),
            is_own=lambda remote: marker in markers_of(remote),
            has_deleted=context.cloud.writes.has_deleted,
            is_short=is_short(context.cloud.region, "block storage", "volumes"),
        )
        return [(each["id"], each.get("name") or "") for each in found]

    def create(self, context: Context, desired: VolumeInputs) -> RemoteObject:
        """Create the volume and wait until it is available."""
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
            # Newer clouds reject the attribute if the volume type already allows multiattach.
            del body["multiattach"]
        region = context.cloud.region
        if metadata := metadata_with_marker(context, desired.metadata):
            body["metadata"] = metadata
        marker = owner_marker(context)
        if desired.description is None and marker:
            body["description"] = marker
        microversion = _FROM_BACKUP if desired.backup_id else None
        try:
            remote = create_or_find(
                context,
                api,
                send=lambda: volume_requests.create(
                    region, body, hints=desired.scheduler_hints, microversion=microversion
                ),
                candidates=lambda: block_storage.list_volumes(api, name=body.get("name")),
                is_own=(lambda volume: marker in markers_of(volume))
                if marker
                else has_description(desired.description),
            )
        except errors.BadRequest as refused:
            raise volume_requests.explained(region, refused, to_plain(desired)) from refused
        context.record_id(remote["id"])
        remote = self.wait_until_stable(context, remote["id"], "available")
        if desired.read_only:
            block_storage.set_read_only(api, remote["id"], read_only=True)
            remote = self.read_until(
                context, remote["id"], lambda volume: self.to_outputs(context, volume)["read_only"]
            )
        return remote

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the volume from the list that all refreshes of volumes share."""
        return context.cloud.region.volumes.read(id_)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the current volume."""
        try:
            return block_storage.get_volume(context.cloud.block_storage, id_)
        except errors.NotFound:
            return None

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Convert the remote object to outputs, without the metadata that the cloud writes itself."""
        image = remote.get("volume_image_metadata") or {}
        metadata = remote.get("metadata") or {}
        hidden = keys_in_volume(context, metadata, context.inputs.get("metadata"))
        outputs = {
            "region": context.cloud.region.name,
            "project_id": project_of(context, remote.get("os-vol-tenant-attr:tenant_id")),
            "metadata": {key: value for key, value in metadata.items() if key not in hidden},
            "read_only": str(metadata.get("readonly", "false")).lower() == "true",
            "source_volume_id": remote.get("source_volid"),
            "bootable": str(remote.get("bootable", "false")).lower() == "true",
            # Only a volume that was created from an image has image metadata.
            **({"image": image["image_id"]} if image.get("image_id") else {}),
            "image_id": image.get("image_id"),
            # The history of an imported volume is unknown, so assume that it was available.
            "was_available": bool(context.prior.get("was_available") or context.inputs.get("adopt"))
            or context.prior.get("status", "error") not in _BEFORE_AVAILABLE
            or remote.get("status") not in _BEFORE_AVAILABLE,
            "image_name": image.get("image_name"),
            "attachments": [
                {key: item.get(key) or "" for key in ("server_id", "attachment_id", "device")}
                for item in remote.get("attachments") or ()
            ],
        }
        if metadata.get("__system__encrypted") == "1":
            # Open Telekom Cloud reports all volumes as not encrypted.
            remote = {**remote, "encrypted": True}
        unchanged = ("size", "name", "description", "volume_type", "availability_zone", "snapshot_id", "multiattach")
        outputs |= {name: remote[name] for name in (*unchanged, "status", "encrypted", "created_at") if name in remote}
        desired_type = context.inputs.get("volume_type")
        if desired_type and _is_type(context, desired_type, remote.get("volume_type")):
            outputs["volume_type"] = desired_type
        return outputs

    def update(self, context: Context, id_: str, desired: VolumeInputs, prior: Mapping[str, Any]) -> RemoteObject:
        """Run the plan of the differences."""
        remote = self.read_current(context, id_, desired, prior)
        changes = diff_remote(self, context, desired, remote)
        if remote["status"] == _RESERVED and not {"size", "volume_type"}.isdisjoint(changes):
            remote = self._wait_until_attached(context, id_)
        elif remote["status"] not in (*_STABLE, _RESERVED):
            remote = self.wait_until_stable(context, id_)
            changes = diff_remote(self, context, desired, remote)
        # Remove reserved keys that the program no longer declares; keep those that the cloud wrote.
        hidden = keys_in_volume(context, remote.get("metadata") or {}, desired.metadata) - CINDER_KEYS
        if desired.metadata is not None and hidden & set(prior.get("metadata") or {}):
            changes["metadata"] = desired.metadata
        update = VolumeUpdate(self, context, desired, remote, changes)
        for step in plan(changes, to_plain(desired), self.to_outputs(context, remote)):
            step.run(update)
        return update.result()

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Delete the volume once no server has it, and wait until it is gone."""
        region = context.cloud.region

        def delete() -> None:
            try:
                block_storage.delete_volume(context.cloud.block_storage, id_)
            except errors.BadRequest as busy:
                remote = context.cloud.writes.read_until(lambda: self.read(context, id_), bool, id_)
                # Cinder answers 400 instead of 409 if the volume is attached or busy.
                if remote is not None and remote["status"] == _NOT_DELETED:
                    raise _delete_failed(id_) from busy
                if remote is not None and remote["status"] != "deleting":
                    if not self._detached_with_servers(context, remote):
                        raise errors.Conflict(400, busy.message, busy.request_id) from busy
                    delete()

        delete_when_unused(context, delete, lambda: self._users(context, id_))
        region.volumes.poller.wait(
            id_,
            _gone(id_),
            deadline=context.cloud.deadline,
            progress=context.report_status,
            describe=_status,
            what=f"volume {id_} to be gone",
        )

    def _detached_with_servers(self, context: Context, remote: RemoteObject) -> bool:
        """Wait until the volume is detached, if this run also deletes every server that has it.

        The engine deletes them at the same time as the volume if their attachments have the option `deleted_with`.
        """
        urn, servers = rpc_bridge.current_request().urn, [item["server_id"] for item in remote.get("attachments") or ()]
        attachments = cast("VolumeAttachmentHandler", get_handler("VolumeAttachment"))
        if remote["status"] == _RESERVED:
            # Cinder does not list the attachment of a shelved server, and the state may have lost it a moment ago.
            servers += [
                id_
                for id_ in run.ids_in_state(urn, "Server")
                if run.also_deletes(urn, "Server", id_)
                and _has_volume(context.cloud.region.servers.read(id_), remote["id"])
            ]
        if not servers or not all(run.also_deletes(urn, "Server", each) for each in servers):
            return False
        if not all(run.is_deleting("Server", each) for each in servers):
            # A deletion that the engine requests at the same time begins within this time.
            context.cloud.deadline.clock.sleep(_SIMULTANEOUS)
        for each in servers:
            if not run.is_deleting("Server", each):
                # The server may be deleted only after the volume.
                attachments.detach_strictly(context, each, remote["id"])
        awaited = [each for each in servers if run.is_deleting("Server", each)]

        def done(volume: RemoteObject | None) -> bool:
            is_detached = volume is None or volume["status"] not in _IN_SERVER
            return is_detached or not all(run.is_deleting("Server", each) for each in awaited)  # one has failed

        context.cloud.region.volumes.poller.wait(
            remote["id"],
            done,
            deadline=context.cloud.deadline,
            progress=context.report_status,
            describe=_status,
            what=f"volume {remote['id']} to be detached from a server that this run deletes as well",
        )
        return True

    def _users(self, context: Context, id_: str) -> list[str]:
        remote = self.read(context, id_) or {}
        return [f"server {item['server_id']} as {item['device']}" for item in remote.get("attachments") or ()]

    def _wait_until_attached(self, context: Context, id_: str) -> RemoteObject:
        """Wait until a reserved volume is attached or available.

        Raises:
            OperationFailed: The volume stays reserved, as the volumes of a shelved server do.
        """
        deadline = Deadline(context.cloud.deadline.clock, min(_RESERVED_FOR, context.cloud.deadline.left()))
        try:
            remote = wait_for(
                lambda: require_exists(self.read(context, id_), self.name, id_),
                done=lambda volume: volume["status"] in _STABLE,
                deadline=deadline,
                what=f"volume {id_} to be attached",
                describe=_status,
                progress=context.report_status,
            )
        except errors.WaitTimeout as timeout:
            raise errors.OperationFailed(f"volume {id_}", _UNSHELVE_FIRST) from timeout
        return remote

    def wait_until_stable(
        self,
        context: Context,
        id_: str,
        *desired: str,
        shows: Callable[[RemoteObject], bool] = lambda _: True,
    ) -> RemoteObject:
        """Wait until the volume has one of these statuses.

        Args:
            context: The operation.
            id_: The volume.
            desired: The statuses; the default is `available` or `in-use`.
            shows: Whether a volume in such a status shows the effect of the last request. If it does not, it may be the
                volume from before that request, until no read can be stale.
        """

        def done(remote: RemoteObject | None) -> bool:
            volume = require_exists(remote, self.name, id_)
            status = volume["status"]
            if status.startswith("error"):
                reason = block_storage.last_message(context.cloud.block_storage, id_) or "the cloud recorded no reason"
                hint = _STUCK if status == "error_extending" else ""
                raise errors.OperationFailed(
                    f"volume {id_} is in status {status}", f"{reason.rstrip('.')}. {hint}".rstrip()
                )
            is_end = status in (desired or _STABLE)
            return is_end and (context.cloud.writes.is_settled(id_) or shows(volume))

        remote = context.cloud.region.volumes.poller.wait(
            id_,
            done,
            deadline=context.cloud.deadline,
            progress=context.report_status,
            describe=_status,
            what=f"volume {id_} to be {' or '.join(desired or _STABLE)}",
        )
        return require_exists(remote, self.name, id_)


@dataclass
class VolumeUpdate:
    """A running update of a volume. Its methods are the steps of `plan`."""

    handler: VolumeHandler
    context: Context
    desired: VolumeInputs
    remote: RemoteObject
    """The volume as of the last read or wait."""
    changes: Mapping[str, Any]
    """The inputs that differ from the remote object, with their desired values."""
    _is_stale: bool = field(default=False, init=False)

    @property
    def _api(self) -> ServiceClient:
        return self.context.cloud.block_storage

    def result(self) -> RemoteObject:
        """Return the volume after the update.

        Raises:
            OperationFailed: The cloud did not change the type.
        """
        if self._is_stale:

            def shows(remote: RemoteObject) -> bool:
                return diff_remote(self.handler, self.context, self.desired, remote).keys().isdisjoint(self.changes)

            self.remote = self.handler.read_until(self.context, self.remote["id"], shows)
        desired, current = self.changes.get("volume_type"), self.remote.get("volume_type")
        if desired and not _is_type(self.context, desired, current):
            raise errors.OperationFailed(
                f"retype to {desired}",
                f"the volume type is still {current}; retype_policy {self.desired.retype_policy!r} may not allow the "
                "cloud to move the data",
            )
        return self.remote

    def update_attributes(self) -> None:
        """Change name and description."""
        attributes = {name: self.changes[name] for name in ("name", "description") if name in self.changes}
        # The response lacks the image metadata.
        block_storage.update_volume(self._api, self.remote["id"], attributes)
        self._is_stale = True

    def replace_metadata(self) -> None:
        """Replace the program's metadata; the cloud's own entries and the owner marker stay."""
        kept = keys_in_volume(self.context, self.remote.get("metadata") or {}, self.desired.metadata)
        cloud_metadata.write(block_storage, self._api, self.context, self.remote, self.changes["metadata"], kept)
        self._is_stale = True

    def extend(self) -> None:
        """Grow the volume."""
        size, id_, context = self.changes["size"], self.remote["id"], self.context
        if size < self.remote["size"]:
            raise errors.OperationFailed(
                "size", f"can only grow: the volume has {self.remote['size']} GiB, the program asks for {size}"
            )
        volume_requests.extend(context.cloud.region, self.remote, size)
        grown = self.handler.wait_until_stable(context, id_, shows=lambda volume: volume["size"] >= size)
        if grown["size"] < size:
            raise errors.OperationFailed("extend", f"the volume still has {grown['size']} GiB")
        self._is_stale = True

    def retype(self) -> None:
        """Change the volume type."""
        id_, context, region = self.remote["id"], self.context, self.context.cloud.region
        new_type, policy, self._is_stale = self.changes["volume_type"], self.desired.retype_policy, True
        refused_action = None
        if not volume_requests.retypes_by_path(region):
            refused_action = volume_requests.retype_as_action(region, id_, new_type, policy)
            if refused_action is None:
                has_type = partial(self._has_type, new_type)
                changed = self.handler.wait_until_stable(context, id_, shows=has_type)
                may_be_ignored = region.differences.may_retype_by_path
                if not may_be_ignored or has_type(changed):
                    return
        refused = volume_requests.retype_by_path(region, id_, new_type, policy, refused_action)
        deadline = context.cloud.deadline
        if refused is None:
            self._wait_for_type(new_type, deadline)
            return
        try:
            self._wait_for_type(new_type, Deadline(deadline.clock, min(_REFUSED_FOR, deadline.left())))
        except errors.WaitTimeout as timeout:
            reason = f"{str(refused).rstrip('.')}. If its type is already being changed, run `pulumi up` again later"
            raise errors.OperationFailed(f"retype to {new_type}", reason) from timeout

    def _has_type(self, volume_type: str, volume: RemoteObject) -> bool:
        return _is_type(self.context, volume_type, volume.get("volume_type"))

    def _wait_for_type(self, new_type: str, deadline: Deadline) -> None:
        """Wait until the volume has the type: its status may not show that it is being changed."""
        context, id_, was_shown = self.context, self.remote["id"], False

        def done(remote: RemoteObject | None) -> bool:
            nonlocal was_shown
            volume = require_exists(remote, "Volume", id_)
            if volume["status"] in _STABLE and self._has_type(new_type, volume):
                return True
            if volume["status"].startswith("error") or (was_shown and volume["status"] in _STABLE):
                reason = f"the volume type is still {volume.get('volume_type')}, in status {volume['status']}"
                raise errors.OperationFailed(f"retype to {new_type}", reason)
            was_shown = was_shown or volume["status"] == _RETYPING
            return False

        context.cloud.region.volumes.poller.wait(
            id_,
            done,
            deadline=deadline,
            progress=context.report_status,
            describe=lambda volume: f"{_status(volume)}, type {(volume or {}).get('volume_type')}",
            what=f"volume {id_} to have the type {new_type}",
        )

    def set_read_only(self) -> None:
        """Set whether servers may only read the volume."""
        block_storage.set_read_only(self._api, self.remote["id"], read_only=bool(self.desired.read_only))
        self._is_stale = True


def plan(changed: Iterable[str], desired: Mapping[str, Any], current: Mapping[str, Any]) -> list[Step[VolumeUpdate]]:
    """Return the steps that bring a volume to its desired inputs, in the order in which `up` runs them.

    Args:
        changed: The inputs that differ.
        desired: The desired inputs; they may be unknown in a preview.
        current: The outputs of the volume: those of the remote object, or the prior ones in a preview.
    """
    names, steps = set(changed), list[Step[VolumeUpdate]]()
    if attributes := [name for name in ("name", "description") if name in names]:
        steps.append(Step(f"update {' and '.join(attributes)}", VolumeUpdate.update_attributes))
    if "metadata" in names:
        steps.append(Step("replace metadata", VolumeUpdate.replace_metadata))
    if "size" in names:
        steps.append(Step(f"extend {current.get('size')} -> {shown(desired.get('size'))} GiB", VolumeUpdate.extend))
    if "volume_type" in names:
        text = f"retype {current.get('volume_type')} -> {shown(desired.get('volume_type'))}"
        impact = None if desired.get("retype_policy") == "never" else Impact.MOVES
        steps.append(Step(text, VolumeUpdate.retype, impact))
    if "read_only" in names:
        steps.append(Step("set the read-only flag", VolumeUpdate.set_read_only))
    return steps


def _has_volume(server: RemoteObject | None, id_: str) -> bool:
    """Whether Nova lists the volume as attached to the server, also while the server has no host."""
    return any(each["id"] == id_ for each in (server or {}).get("os-extended-volumes:volumes_attached") or ())


_STABLE = ("available", "in-use")
_SIMULTANEOUS = 1.0
"""Seconds within which operations that the engine requests at the same time begin."""
_RESERVED, _RESERVED_FOR = "reserved", 60.0
"""Status of a volume shortly before it is attached, and as long as its server is shelved."""
_UNSHELVE_FIRST = (
    "the volume is reserved, probably by a shelved server, and cannot be changed: unshelve the server first"
)
_RETYPING, _REFUSED_FOR = "retyping", 60.0
"""Status of a volume whose type is being changed, and how long a refused change may have been requested before."""
_NOT_DELETED = "error_deleting"
_IN_SERVER = ("in-use", "detaching", _RESERVED)
_STUCK = "Only the cloud's operator can reset its state."


def _is_type(context: Context, name_or_id: str, name: str | None) -> bool:
    """Return whether a name or id in the program refers to the volume type with this name."""
    if name_or_id == name or not is_uuid(name_or_id):
        return name_or_id == name
    try:
        return bool(catalog(context.cloud.region).volume_type(name_or_id)["name"] == name)
    except (errors.NoMatch, errors.Forbidden, errors.NotFound, errors.ProxyNotFound):
        # The account can no longer look the id up: assume that it still refers to the same type.
        return context.verb == "create" or context.prior.get("volume_type") == name_or_id


def _delete_failed(id_: str) -> errors.OperationFailed:
    return errors.OperationFailed(f"volume {id_}", f"the cloud could not delete it ({_NOT_DELETED}). {_STUCK}")


def _status(remote: RemoteObject | None) -> str:
    return remote["status"] if remote else "gone"


def _gone(id_: str) -> Any:
    def gone(remote: RemoteObject | None) -> bool:
        if remote and remote["status"] == _NOT_DELETED:
            raise _delete_failed(id_)
        return remote is None

    return gone


HANDLER = VolumeHandler()
