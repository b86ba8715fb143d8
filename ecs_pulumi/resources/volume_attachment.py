"""VolumeAttachment: a volume in a server (guide, chapter 6; Nova API reference, "Servers with volume attachments")."""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.cloud.polling import Deadline, retry_while_busy, wait_for
from ecs_pulumi.dynamic.existing import Candidate
from ecs_pulumi.dynamic.fields import (
    Advisory,
    AlwaysSet,
    CheckInputs,
    Computed,
    Exclusive,
    Inputs,
    Outputs,
    Problem,
    References,
    Replace,
    RequiresMicroversion,
    WriteOnly,
)
from ecs_pulumi.dynamic.handler import ImportedResource
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.activation import while_active
from ecs_pulumi.resources.attachment import left_to_server, split_id
from ecs_pulumi.resources.catalog import catalog, zone_of_server
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.handler import EcsHandler
from ecs_pulumi.resources.idempotent_create import created_in_this_run, send_once
from ecs_pulumi.resources.remote import RemoteObject, require_exists
from ecs_pulumi.resources.request_body import create_body
from ecs_pulumi.resources.server import importing
from ecs_pulumi.resources.server.refusals import ZONES_DIFFER

_TAG, _MULTIATTACH, _DELETE_ON_TERMINATION = "2.49", "2.60", "2.79"
_ZONES_DIFFER = "set `availability_zone=server.availability_zone` in the Volume, which replaces it"


class VolumeAttachmentInputs(Inputs):
    """A volume attached to a server. Its id is `<server>/<volume>`.

    Source: guide, chapter 6 "Attach the disk to the ECS"; Nova API reference, "Servers with volume attachments".
    """

    server_id: Annotated[str, Replace(), References("Server")] = Field(description="Id of the server.")
    volume_id: Annotated[str, Replace(), Exclusive(), References("Volume")] = Field(description="Id of the volume.")
    device: Annotated[str | None, Replace(), Computed(), Advisory(), AlwaysSet()] = Field(
        None, description="Requested device name, for example `/dev/vdb`. The hypervisor may choose another one."
    )
    tag: Annotated[str | None, Replace(), WriteOnly(), RequiresMicroversion("compute", _TAG)] = Field(
        None, max_length=60, description="Tag that identifies the disk in the server's metadata."
    )
    delete_on_termination: Annotated[
        bool | None, Replace(), WriteOnly(), RequiresMicroversion("compute", _DELETE_ON_TERMINATION)
    ] = Field(None, description="Whether Nova deletes the volume with the server.")
    multiattach: Annotated[bool | None, Replace(), WriteOnly(), RequiresMicroversion("compute", _MULTIATTACH)] = Field(
        None, description="Allow a volume that is attached to other servers as well."
    )


class VolumeAttachmentOutputs(Outputs):
    """Outputs of a volume attachment that are not inputs."""

    attachment_id: str | None = Field(None, description="Id of the attachment in Cinder.")


class VolumeAttachmentHandler(EcsHandler[VolumeAttachmentInputs]):
    """Volume attachments, read from their volumes: one list of volumes serves all of them."""

    name = "VolumeAttachment"
    id_format, id_example = "`<server id>/<volume id>`", "9f4d9281-…/51f45e08-…"
    title = "Volumes in servers"
    inputs = VolumeAttachmentInputs
    outputs = VolumeAttachmentOutputs

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that server and volume exist and that no other server has the volume."""
        yield from super().preflight(context, checked)
        names = catalog(context.cloud.region)
        yield from preflight.check_exists(checked, "server_id", names.server)
        missing = list(preflight.check_exists(checked, "volume_id", names.volume))
        yield from missing
        if checked.known("volume_id") and checked.changed("volume_id") and not missing:
            preflight.volume_in_use(context, checked, checked.known("volume_id"))
        if checked.changed("server_id", "volume_id") and not missing:
            yield from self._other_zone(context, checked.known("server_id"), checked.known("volume_id"))

    @staticmethod
    def _other_zone(context: Context, server_id: str | None, volume_id: str | None) -> Iterator[Problem]:
        """Check that server and volume are in one zone, as the Open Telekom Cloud demands."""
        region = context.cloud.region
        if not (region.differences.attaches_within_zone_only and server_id and volume_id):
            return
        if created_in_this_run(server_id) or created_in_this_run(volume_id):
            return
        server = zone_of_server(region.servers.read(server_id) or {})
        volume = (region.volumes.read(volume_id) or {}).get("availability_zone")
        if server and volume and server != volume:
            yield Problem("volume_id", f"the volume is in {volume}, the server in {server}: {_ZONES_DIFFER}")

    def candidates(self, existing: Existing) -> Iterator[Candidate]:
        """Yield the volumes in each server that its own resource does not declare."""
        for server in existing.candidates_of("Server"):
            for volume in importing.later_disks(existing, server.remote):
                label = f"{server.label}-{existing.label('Volume', volume)}"
                remote = require_exists(_attachment(volume, server.id), self.name, volume["id"])
                yield Candidate(self.name, f"{server.id}/{volume['id']}", label, remote, attached_to=server.key)

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add `multiattach`, which no API returns for an attachment, if the volume allows it."""
        resource = super().import_resource(existing, remote, outputs)
        is_shared = existing.of("Volume")[remote["volume_id"]].get("multiattach")
        resource.inputs["multiattach"] = True if is_shared else None
        return resource

    def create(self, context: Context, desired: VolumeAttachmentInputs) -> RemoteObject:
        """Attach the volume; one that is attached to the server already is used as it is."""
        context.record_id(f"{desired.server_id}/{desired.volume_id}")
        try:
            return while_active(context, desired.server_id, partial(self._attach, context, desired))
        except errors.EcsError as error:
            # Nova lists an attachment as soon as it is requested, Cinder only once the server has the volume.
            with contextlib.suppress(errors.EcsError):
                listed = partial(self._in_nova, context, context.id)
                if context.cloud.writes.read_until(listed, bool, desired.server_id) is None:
                    context.clear_id()
            if isinstance(error, errors.BadRequest) and ZONES_DIFFER.search(error.message):
                raise errors.OperationFailed("volume_id", f"{str(error).rstrip(chr(46))}: {_ZONES_DIFFER}") from error
            raise

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the attachment from the list that all refreshes of volumes share."""
        server_id, volume_id = split_id(id_, self.name)
        return self._remote(context, context.cloud.region.volumes.read(volume_id), server_id)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the current attachment, read from the volume."""
        server_id, volume_id = split_id(id_, self.name)
        try:
            return self._remote(context, block_storage.get_volume(context.cloud.block_storage, volume_id), server_id)
        except errors.NotFound:
            return None

    def _remote(self, context: Context, volume: RemoteObject | None, server_id: str) -> RemoteObject | None:
        """Return the attachment as Cinder or Nova lists it: Cinder does not list those of an offloaded server."""
        remote = _attachment(volume, server_id)
        if remote or volume is None or not (volume["status"] == "reserved" or volume.get("multiattach")):
            return remote
        listed = self._in_nova(context, f"{server_id}/{volume['id']}")
        return listed and {
            "server_id": server_id,
            "volume_id": volume["id"],
            "device": listed.get("device"),
            "status": volume["status"],
        }

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Convert the attachment to outputs."""
        return {
            "server_id": remote["server_id"],
            "volume_id": remote["volume_id"],
            "device": remote.get("device"),
            "attachment_id": remote.get("attachment_id"),
            "region": context.cloud.region.name,
        }

    def update(
        self,
        context: Context,
        id_: str,
        desired: VolumeAttachmentInputs,
        prior: Mapping[str, Any],  # noqa: ARG002
    ) -> RemoteObject:
        """Finish an attachment that an interrupted `up` started; no input can be changed in place."""
        remote = context.cloud.writes.read_until(lambda: self.read(context, id_), bool, desired.volume_id)
        if remote and (remote["status"] == "in-use" or self._is_shelved(context, desired.server_id)):
            return remote
        return while_active(context, desired.server_id, partial(self._attach, context, desired))

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Detach the volume and wait until Cinder no longer lists the attachment; a server that ends may keep it."""
        server_id, volume_id = split_id(id_, self.name)
        detach = partial(self._detach_and_wait, context, server_id, volume_id)

        def detach_unless_left() -> None:
            try:
                detach()
            except errors.Conflict:
                if not left_to_server(context, server_id):
                    raise

        while_active(context, server_id, detach_unless_left)

    def detach_strictly(self, context: Context, server_id: str, volume_id: str) -> None:
        """Detach the volume like `delete`, but raise `errors.Conflict` if the server keeps it, whatever its end."""
        while_active(context, server_id, partial(self._detach_and_wait, context, server_id, volume_id))

    def _detach_and_wait(self, context: Context, server_id: str, volume_id: str) -> None:
        with contextlib.suppress(errors.NotFound):
            self._request_detach(context, server_id, volume_id)
        detaching = False

        def gone(volume: RemoteObject | None) -> bool:
            nonlocal detaching
            remote = _attachment(volume, server_id)
            is_sure = context.cloud.writes.is_settled(volume_id)
            if remote and detaching and is_sure and remote["status"] == "in-use":
                reason = compute.last_failed_action(context.cloud.compute, server_id, of="detach_volume")
                raise errors.OperationFailed(f"the server {server_id} failed to detach the volume {volume_id}", reason)
            detaching = remote is not None and remote["status"] == "detaching"
            return remote is None

        self._wait(context, volume_id, gone, f"volume {volume_id} to be detached from server {server_id}")

    def _request_detach(self, context: Context, server_id: str, volume_id: str) -> None:
        """Send the detach request; retry it until a running attach has finished."""
        detach = partial(compute.detach_volume, context.cloud.compute, server_id, volume_id)
        try:
            self._when_stable(
                context,
                volume_id,
                partial(retry_while_busy, detach, context.cloud.deadline, progress=context.report_status),
            )
        except errors.BadRequest:
            # If Cinder lists no attachment, there is nothing to detach, even if Nova still lists one.
            if self.read(context, f"{server_id}/{volume_id}") is not None:
                raise

    def _when_stable(self, context: Context, volume_id: str, send: Callable[[], object]) -> Any:
        """Send a request; repeat it once the volume, which several servers may share, has finished another one."""
        stable = False
        while True:
            try:
                return send()
            except errors.BadRequest:
                if self._status(context, volume_id) in _TRANSITIONS:
                    self._wait(context, volume_id, _is_stable, f"volume {volume_id} to finish its current operation")
                elif stable:
                    raise
                else:
                    # The other request may have finished after Nova rejected this one: send it once more.
                    stable = True

    def _status(self, context: Context, volume_id: str) -> str | None:
        try:
            return str(block_storage.get_volume(context.cloud.block_storage, volume_id)["status"])
        except errors.NotFound:
            return None

    @staticmethod
    def _is_shelved(context: Context, server_id: str) -> bool:
        server = context.cloud.region.servers.get(server_id)
        return bool(server and server["status"] == "SHELVED_OFFLOADED")

    def _in_nova(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the attachment as Nova lists it, which it does as soon as it is requested."""
        try:
            return compute.get_volume_attachment(context.cloud.compute, *split_id(id_, self.name))
        except errors.NotFound:
            return None

    def _attach(self, context: Context, desired: VolumeAttachmentInputs) -> RemoteObject:
        body = {"volumeId": desired.volume_id, **create_body(desired, "device", "tag", "delete_on_termination")}
        microversions = {
            _TAG: desired.tag,
            _DELETE_ON_TERMINATION: desired.delete_on_termination,
            _MULTIATTACH: desired.multiattach,
        }
        api, id_ = context.cloud.compute, f"{desired.server_id}/{desired.volume_id}"
        microversion = api.newest(version for version, value in microversions.items() if value is not None)

        def attach() -> Any:
            send = partial(compute.attach_volume, api, desired.server_id, body, microversion=microversion)
            return retry_while_busy(send, context.cloud.deadline, progress=context.report_status)

        is_requested = False

        def find_attachment(error: errors.EcsError) -> RemoteObject | None:
            nonlocal is_requested
            existing = self._in_nova(context, id_)
            rejected = isinstance(error, (errors.BadRequest, errors.Conflict))
            if existing is not None and rejected and self._is_stale(context, id_, desired.volume_id):
                return attach()  # type: ignore[no-any-return]
            is_requested = existing is not None
            return existing

        try:
            # An attachment that an interrupted `up` requested is used as it is.
            send_once(
                (lambda: self._when_stable(context, desired.volume_id, attach)) if desired.multiattach else attach,
                find_attachment,
                errors.BadRequest,
                errors.Conflict,
            )
        except errors.BadRequest as refused:
            if self._needs_device(context, desired, refused):
                reason = f"{str(refused).rstrip('.')}. Set it to the next free name in the server, such as `/dev/vdb`"
                raise errors.OperationFailed("device", reason) from refused
            raise

        if is_requested and self._is_shelved(context, desired.server_id):
            # Cinder keeps the volume `reserved` as long as the server has no host.
            return require_exists(self.read(context, id_), self.name, id_)

        def attached(volume: RemoteObject | None) -> bool:
            status = require_exists(volume, "Volume", desired.volume_id)["status"]
            is_sure = context.cloud.writes.is_settled(desired.volume_id)
            if is_sure and (
                status.startswith("error") or (status == "available" and self._in_nova(context, id_) is None)
            ):
                reason = compute.last_failed_action(api, desired.server_id, of="attach_volume")
                raise errors.OperationFailed(
                    f"the server {desired.server_id} failed to attach the volume ({status})", reason
                )
            return status == "in-use" and _attachment(volume, desired.server_id) is not None

        what = f"volume {desired.volume_id} to be in-use by server {desired.server_id}"
        volume = self._wait(context, desired.volume_id, attached, what)
        return require_exists(_attachment(volume, desired.server_id), self.name, context.id)

    def _needs_device(self, context: Context, desired: VolumeAttachmentInputs, refused: errors.BadRequest) -> bool:
        """Return whether the cloud demands a device name, as the Open Telekom Cloud may do for a bootable volume."""
        if desired.device or desired.tag or not _DEVICE.search(refused.message):
            return False
        return str((context.cloud.region.volumes.read(desired.volume_id) or {}).get("bootable")).lower() == "true"

    def _is_stale(self, context: Context, id_: str, volume_id: str) -> bool:
        """Return whether Nova lists an attachment that was detached: it removes it a moment later than Cinder."""

        def poll() -> tuple[str | None, RemoteObject | None]:
            return self._status(context, volume_id), self._in_nova(context, id_)

        _, listed = wait_for(
            poll,
            done=lambda result: result[0] != "available" or result[1] is None,
            deadline=Deadline(context.cloud.deadline.clock, min(_STALE_TIMEOUT, context.cloud.deadline.left())),
            what=f"Nova to remove the attachment of the volume {volume_id}, which Cinder has detached",
            describe=lambda _: "still listed",
            progress=context.report_status,
        )
        return listed is None

    def _wait(self, context: Context, volume_id: str, done: Any, what: str) -> RemoteObject | None:
        return context.cloud.region.volumes.poller.wait(
            volume_id,
            done,
            deadline=context.cloud.deadline,
            progress=context.report_status,
            describe=lambda volume: volume["status"] if volume else "gone",
            what=what,
        )


_DEVICE = re.compile(r"\bdevice\b", re.IGNORECASE)
_STALE_TIMEOUT = 60.0
_TRANSITIONS = ("reserved", "attaching", "detaching")


def _is_stable(volume: RemoteObject | None) -> bool:
    return volume is None or volume["status"] not in _TRANSITIONS


def _attachment(volume: RemoteObject | None, server_id: str) -> RemoteObject | None:
    """Return the volume's attachment to this server, with the status of the volume."""
    for item in (volume or {}).get("attachments") or ():
        if item.get("server_id") == server_id and volume is not None:
            return {**item, "volume_id": volume["id"], "status": volume["status"]}
    return None


HANDLER = VolumeAttachmentHandler()
