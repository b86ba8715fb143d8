"""VolumeAttachment: a disk in a server (guide, chapter 6; Nova API reference, "Servers with volume attachments")."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

import pulumi
from pydantic import Field

from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.cloud.polling import Deadline, retry_while_busy, wait_for
from ecs_pulumi.dynamic.fields import (
    Advisory,
    CheckInputs,
    Computed,
    Inputs,
    Outputs,
    Problem,
    Replace,
    RequiresMicroversion,
    WriteOnly,
)
from ecs_pulumi.dynamic.resource import EcsResource
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.asleep import while_awake
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.common import (
    Context,
    EcsHandler,
    RemoteObject,
    create_body,
    left_to_server,
    require_exists,
    split_id,
)
from ecs_pulumi.resources.idempotent_create import send_once

_TAG, _MULTIATTACH, _DELETE_ON_TERMINATION = "2.49", "2.60", "2.79"


class VolumeAttachmentInputs(Inputs):
    """What a program may ask of an attachment."""

    server_id: Annotated[str, Replace()] = Field(description="Server.")
    volume_id: Annotated[str, Replace()] = Field(description="Volume.")
    device: Annotated[str | None, Replace(), Computed(), Advisory()] = Field(
        None, description="Device name to ask for, for example `/dev/vdb`. Hypervisors may choose another."
    )
    tag: Annotated[str | None, Replace(), WriteOnly(), RequiresMicroversion("compute", _TAG)] = Field(
        None, max_length=60, description="Tag that the server finds the disk by in its metadata."
    )
    delete_on_termination: Annotated[
        bool | None, Replace(), WriteOnly(), RequiresMicroversion("compute", _DELETE_ON_TERMINATION)
    ] = Field(None, description="Whether the volume goes with the server.")
    multiattach: Annotated[bool | None, Replace(), WriteOnly(), RequiresMicroversion("compute", _MULTIATTACH)] = Field(
        None, description="Allow a volume that other servers have as well."
    )


class VolumeAttachmentOutputs(Outputs):
    """What the cloud tells beyond the inputs."""

    attachment_id: str | None = Field(None, description="Id of the attachment in Cinder.")


class VolumeAttachmentHandler(EcsHandler[VolumeAttachmentInputs]):
    """Attachments, seen from the volume: one list of volumes tells all of them."""

    name = "VolumeAttachment"
    inputs = VolumeAttachmentInputs
    outputs = VolumeAttachmentOutputs

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Server and volume exist, and no other server has the volume."""
        yield from super().preflight(context, checked)
        names = catalog(context.cloud.region)
        yield from preflight.check_exists(checked, "server_id", names.server)
        missing = list(preflight.check_exists(checked, "volume_id", names.volume))
        yield from missing
        if checked.known("volume_id") and checked.changed("volume_id") and not missing:
            preflight.volume_in_use(context, checked, checked.known("volume_id"))

    def is_exclusive(self, inputs: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """A volume is attached to a server once."""
        return True

    def create(self, context: Context, desired: VolumeAttachmentInputs) -> RemoteObject:
        """Attach; a volume that this server has already is taken over."""
        context.record_id(f"{desired.server_id}/{desired.volume_id}")
        try:
            return while_awake(context, desired.server_id, partial(self._attach, context, desired))
        except errors.EcsError:
            # Nova knows of an attachment from the request on, Cinder only once the server has it.
            with contextlib.suppress(errors.EcsError):
                if self._in_nova(context, context.id) is None:
                    context.clear_id()
            raise

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """From the list that serves every refresh of volumes."""
        server_id, volume_id = split_id(id_, self.name)
        return self._remote(context, context.cloud.region.volumes.read(volume_id), server_id)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """The attachment as the volume tells it this moment."""
        server_id, volume_id = split_id(id_, self.name)
        try:
            return self._remote(context, block_storage.get_volume(context.cloud.block_storage, volume_id), server_id)
        except errors.NotFound:
            return None

    def _remote(self, context: Context, volume: RemoteObject | None, server_id: str) -> RemoteObject | None:
        """The attachment as Cinder lists it, or as Nova does: of a shelved server without a host Cinder lists none."""
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
        """As Cinder tells it."""
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
        """Nothing can be changed; what an interrupted `up` left half done is finished."""
        remote = self.read(context, id_)
        if remote and (remote["status"] == "in-use" or self._is_shelved(context, desired.server_id)):
            return remote
        return while_awake(context, desired.server_id, partial(self._attach, context, desired))

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Detach and wait until Cinder has the volume back."""
        server_id, volume_id = split_id(id_, self.name)
        while_awake(context, server_id, partial(self._end, context, server_id, volume_id))

    def _end(self, context: Context, server_id: str, volume_id: str) -> None:
        try:
            self._detach(context, server_id, volume_id)
        except errors.NotFound:
            pass
        except errors.Conflict:
            if left_to_server(context, server_id):
                return
            raise
        leaving = False

        def gone(volume: RemoteObject | None) -> bool:
            nonlocal leaving
            remote = _attachment(volume, server_id)
            if remote and leaving and remote["status"] == "in-use":
                reason = compute.last_failed_action(context.cloud.compute, server_id, of="detach_volume")
                raise errors.OperationFailed(f"the server {server_id} did not let go of the volume {volume_id}", reason)
            leaving = remote is not None and remote["status"] == "detaching"
            return remote is None

        self._wait(context, volume_id, gone, f"volume {volume_id} to leave server {server_id}")

    def _detach(self, context: Context, server_id: str, volume_id: str) -> None:
        """Ask for it, once an attachment that has only begun has come to its end."""
        detach = partial(compute.detach_volume, context.cloud.compute, server_id, volume_id)
        try:
            self._in_turn(
                context,
                volume_id,
                partial(retry_while_busy, detach, context.cloud.deadline, progress=context.report_status),
            )
        except errors.BadRequest:
            # Where Cinder knows of none, there is nothing to detach, whatever Nova still lists.
            if self.read(context, f"{server_id}/{volume_id}") is not None:
                raise

    def _in_turn(self, context: Context, volume_id: str, ask: Callable[[], object]) -> Any:
        """Ask for something; a volume takes one request at a time, also from several servers that share it."""
        rested = False
        while True:
            try:
                return ask()
            except errors.BadRequest:
                if self._status(context, volume_id) in _MOVING:
                    self._wait(context, volume_id, _at_rest, f"volume {volume_id} to be at rest")
                elif rested:
                    raise
                else:
                    # It may have come to rest since it refused.
                    rested = True

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
        """The attachment as Nova has it, as soon as it has begun."""
        try:
            return compute.get_volume_attachment(context.cloud.compute, *split_id(id_, self.name))
        except errors.NotFound:
            return None

    def _attach(self, context: Context, desired: VolumeAttachmentInputs) -> RemoteObject:
        body = {"volumeId": desired.volume_id, **create_body(desired, "device", "tag", "delete_on_termination")}
        needs = {
            _TAG: desired.tag,
            _DELETE_ON_TERMINATION: desired.delete_on_termination,
            _MULTIATTACH: desired.multiattach,
        }
        api, id_ = context.cloud.compute, f"{desired.server_id}/{desired.volume_id}"
        microversion = api.newest(version for version, value in needs.items() if value is not None)

        def attach() -> Any:
            ask = partial(compute.attach_volume, api, desired.server_id, body, microversion=microversion)
            return retry_while_busy(ask, context.cloud.deadline, progress=context.report_status)

        is_begun = False

        def begun(error: errors.EcsError) -> RemoteObject | None:
            nonlocal is_begun
            there = self._in_nova(context, id_)
            refused = isinstance(error, (errors.BadRequest, errors.Conflict))
            if there is not None and refused and self._is_left_behind(context, id_, desired.volume_id):
                return attach()  # type: ignore[no-any-return]
            is_begun = there is not None
            return there

        # What an interrupted `up` began is as good as what this one would begin.
        send_once(
            (lambda: self._in_turn(context, desired.volume_id, attach)) if desired.multiattach else attach,
            begun,
            errors.BadRequest,
            errors.Conflict,
        )

        if is_begun and self._is_shelved(context, desired.server_id):
            # Cinder shows it as reserved, for as long as the server has no host.
            return require_exists(self.read(context, id_), self.name, id_)

        def attached(volume: RemoteObject | None) -> bool:
            status = require_exists(volume, "Volume", desired.volume_id)["status"]
            if status.startswith("error") or (status == "available" and self._in_nova(context, id_) is None):
                reason = compute.last_failed_action(api, desired.server_id, of="attach_volume")
                raise errors.OperationFailed(
                    f"the server {desired.server_id} did not take the volume ({status})", reason
                )
            return status == "in-use" and _attachment(volume, desired.server_id) is not None

        what = f"volume {desired.volume_id} to be in-use by server {desired.server_id}"
        volume = self._wait(context, desired.volume_id, attached, what)
        return require_exists(_attachment(volume, desired.server_id), self.name, context.id)

    def _is_left_behind(self, context: Context, id_: str, volume_id: str) -> bool:
        """Whether what Nova lists was being detached: it forgets that a moment after Cinder has the volume back."""

        def look() -> tuple[str | None, RemoteObject | None]:
            return self._status(context, volume_id), self._in_nova(context, id_)

        _, listed = wait_for(
            look,
            done=lambda seen: seen[0] != "available" or seen[1] is None,
            deadline=Deadline(context.cloud.deadline.clock, min(_PATIENCE, context.cloud.deadline.left())),
            what=f"Nova to forget that the volume {volume_id} was attached, which Cinder has back",
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


_PATIENCE = 60.0
_MOVING = ("reserved", "attaching", "detaching")


def _at_rest(volume: RemoteObject | None) -> bool:
    return volume is None or volume["status"] not in _MOVING


def _attachment(volume: RemoteObject | None, server_id: str) -> RemoteObject | None:
    """The volume's attachment to this server, with the volume's status."""
    for item in (volume or {}).get("attachments") or ():
        if item.get("server_id") == server_id and volume is not None:
            return {**item, "volume_id": volume["id"], "status": volume["status"]}
    return None


HANDLER = VolumeAttachmentHandler()


class VolumeAttachment(EcsResource, kind=HANDLER):
    """A disk in a server. Its id is `<server>/<volume>`.

    Source: guide, chapter 6 "Attach the disk to the ECS"; Nova API reference, "Servers with volume attachments".
    """

    server_id: pulumi.Output[str]
    volume_id: pulumi.Output[str]
    device: pulumi.Output[str]
    tag: pulumi.Output[str | None]
    delete_on_termination: pulumi.Output[bool | None]
    multiattach: pulumi.Output[bool | None]
    attachment_id: pulumi.Output[str | None]

    def __init__(
        self,
        resource_name: str,
        *,
        server_id: pulumi.Input[str],
        volume_id: pulumi.Input[str],
        device: pulumi.Input[str] | None = None,
        tag: pulumi.Input[str] | None = None,
        delete_on_termination: pulumi.Input[bool] | None = None,
        multiattach: pulumi.Input[bool] | None = None,
        region: pulumi.Input[str] | None = None,
        adopt: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare an attachment. Every argument is described in the reference of the kind."""
