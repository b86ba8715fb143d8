"""VolumeAttachment: a disk in a server (guide, chapter 6; Nova API reference, "Servers with volume attachments")."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

import pulumi
from pydantic import Field

from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.cloud.waiting import Deadline, calm, until
from ecs_pulumi.dynamic.fields import (
    CloudDefault,
    Given,
    Inputs,
    Outputs,
    Problem,
    Replace,
    Since,
    Wish,
    WriteOnly,
)
from ecs_pulumi.dynamic.resource import EcsResource
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.asleep import while_awake
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.common import (
    EcsKind,
    Live,
    Op,
    found_or_failed,
    left_to_server,
    sent,
    split_id,
)
from ecs_pulumi.resources.once import once

_TAG, _MULTIATTACH, _DELETE_ON_TERMINATION = "2.49", "2.60", "2.79"


class VolumeAttachmentInputs(Inputs):
    """What a program may ask of an attachment."""

    server_id: Annotated[str, Replace()] = Field(description="Server.")
    volume_id: Annotated[str, Replace()] = Field(description="Volume.")
    device: Annotated[str | None, Replace(), CloudDefault(), Wish()] = Field(
        None, description="Device name to ask for, for example `/dev/vdb`. Hypervisors may choose another."
    )
    tag: Annotated[str | None, Replace(), WriteOnly(), Since("compute", _TAG)] = Field(
        None, max_length=60, description="Tag that the server finds the disk by in its metadata."
    )
    delete_on_termination: Annotated[bool | None, Replace(), WriteOnly(), Since("compute", _DELETE_ON_TERMINATION)] = (
        Field(None, description="Whether the volume goes with the server.")
    )
    multiattach: Annotated[bool | None, Replace(), WriteOnly(), Since("compute", _MULTIATTACH)] = Field(
        None, description="Allow a volume that other servers have as well."
    )


class VolumeAttachmentOutputs(Outputs):
    """What the cloud tells beyond the inputs."""

    attachment_id: str | None = Field(None, description="Id of the attachment in Cinder.")


class VolumeAttachmentKind(EcsKind[VolumeAttachmentInputs]):
    """Attachments, seen from the volume: one list of volumes tells all of them."""

    name = "VolumeAttachment"
    inputs = VolumeAttachmentInputs
    outputs = VolumeAttachmentOutputs

    def preflight(self, op: Op, given: Given) -> Iterator[Problem]:
        """Server and volume exist, and no other server has the volume."""
        yield from super().preflight(op, given)
        names = catalog(op.cloud.region)
        yield from preflight.there_is(given, "server_id", names.server)
        missing = list(preflight.there_is(given, "volume_id", names.volume))
        yield from missing
        if given.known("volume_id") and given.changed("volume_id") and not missing:
            preflight.volume_in_use(op, given, given.known("volume_id"))

    def is_exclusive(self, inputs: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """A volume is attached to a server once."""
        return True

    def create(self, op: Op, wanted: VolumeAttachmentInputs) -> Live:
        """Attach; a volume that this server has already is taken over."""
        op.created(f"{wanted.server_id}/{wanted.volume_id}")
        try:
            return while_awake(op, wanted.server_id, partial(self._attach, op, wanted))
        except errors.EcsError:
            # Nova knows of an attachment from the request on, Cinder only once the server has it.
            with contextlib.suppress(errors.EcsError):
                if self._in_nova(op, op.id) is None:
                    op.gone()
            raise

    def read(self, op: Op, id_: str) -> Live | None:
        """From the list that serves every refresh of volumes."""
        server_id, volume_id = split_id(id_, self.name)
        return self._remote(op, op.cloud.region.volumes.read(volume_id), server_id)

    def fetch(self, op: Op, id_: str) -> Live | None:
        """The attachment as the volume tells it this moment."""
        server_id, volume_id = split_id(id_, self.name)
        try:
            return self._remote(op, block_storage.get_volume(op.cloud.block_storage, volume_id), server_id)
        except errors.NotFound:
            return None

    def _remote(self, op: Op, volume: Live | None, server_id: str) -> Live | None:
        """The attachment as Cinder lists it, or as Nova does: of a shelved server without a host Cinder lists none."""
        remote = _attachment(volume, server_id)
        if remote or volume is None or not (volume["status"] == "reserved" or volume.get("multiattach")):
            return remote
        listed = self._in_nova(op, f"{server_id}/{volume['id']}")
        return listed and {
            "server_id": server_id,
            "volume_id": volume["id"],
            "device": listed.get("device"),
            "status": volume["status"],
        }

    def observe(self, op: Op, live: Live) -> dict[str, Any]:
        """As Cinder tells it."""
        return {
            "server_id": live["server_id"],
            "volume_id": live["volume_id"],
            "device": live.get("device"),
            "attachment_id": live.get("attachment_id"),
            "region": op.cloud.region.name,
        }

    def update(self, op: Op, id_: str, wanted: VolumeAttachmentInputs, old: Mapping[str, Any]) -> Live:  # noqa: ARG002
        """Nothing can be changed; what an interrupted `up` left half done is finished."""
        live = self.fetch(op, id_)
        if live and (live["status"] == "in-use" or self._is_shelved(op, wanted.server_id)):
            return live
        return while_awake(op, wanted.server_id, partial(self._attach, op, wanted))

    def delete(self, op: Op, id_: str, old: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Detach and wait until Cinder has the volume back."""
        server_id, volume_id = split_id(id_, self.name)
        while_awake(op, server_id, partial(self._end, op, server_id, volume_id))

    def _end(self, op: Op, server_id: str, volume_id: str) -> None:
        try:
            self._detach(op, server_id, volume_id)
        except errors.NotFound:
            pass
        except errors.Conflict:
            if left_to_server(op, server_id):
                return
            raise
        leaving = False

        def gone(volume: Live | None) -> bool:
            nonlocal leaving
            live = _attachment(volume, server_id)
            if live and leaving and live["status"] == "in-use":
                reason = compute.last_failed_action(op.cloud.compute, server_id, of="detach_volume")
                raise errors.Failed(f"the server {server_id} did not let go of the volume {volume_id}", reason)
            leaving = live is not None and live["status"] == "detaching"
            return live is None

        self._wait(op, volume_id, gone, f"volume {volume_id} to leave server {server_id}")

    def _detach(self, op: Op, server_id: str, volume_id: str) -> None:
        """Ask for it, once an attachment that has only begun has come to its end."""
        detach = partial(compute.detach_volume, op.cloud.compute, server_id, volume_id)
        try:
            self._in_turn(op, volume_id, partial(calm, detach, op.cloud.deadline, progress=op.say))
        except errors.BadRequest:
            # Where Cinder knows of none, there is nothing to detach, whatever Nova still lists.
            if self.fetch(op, f"{server_id}/{volume_id}") is not None:
                raise

    def _in_turn(self, op: Op, volume_id: str, ask: Callable[[], object]) -> Any:
        """Ask for something; a volume takes one request at a time, also from several servers that share it."""
        rested = False
        while True:
            try:
                return ask()
            except errors.BadRequest:
                if self._status(op, volume_id) in _MOVING:
                    self._wait(op, volume_id, _at_rest, f"volume {volume_id} to be at rest")
                elif rested:
                    raise
                else:
                    # It may have come to rest since it refused.
                    rested = True

    def _status(self, op: Op, volume_id: str) -> str | None:
        try:
            return str(block_storage.get_volume(op.cloud.block_storage, volume_id)["status"])
        except errors.NotFound:
            return None

    @staticmethod
    def _is_shelved(op: Op, server_id: str) -> bool:
        server = op.cloud.region.servers.get(server_id)
        return bool(server and server["status"] == "SHELVED_OFFLOADED")

    def _in_nova(self, op: Op, id_: str) -> Live | None:
        """The attachment as Nova has it, as soon as it has begun."""
        try:
            return compute.get_volume_attachment(op.cloud.compute, *split_id(id_, self.name))
        except errors.NotFound:
            return None

    def _attach(self, op: Op, wanted: VolumeAttachmentInputs) -> Live:
        body = {"volumeId": wanted.volume_id, **sent(wanted, "device", "tag", "delete_on_termination")}
        needs = {
            _TAG: wanted.tag,
            _DELETE_ON_TERMINATION: wanted.delete_on_termination,
            _MULTIATTACH: wanted.multiattach,
        }
        api, id_ = op.cloud.compute, f"{wanted.server_id}/{wanted.volume_id}"
        microversion = api.newest(version for version, value in needs.items() if value is not None)

        def attach() -> Any:
            ask = partial(compute.attach_volume, api, wanted.server_id, body, microversion=microversion)
            return calm(ask, op.cloud.deadline, progress=op.say)

        is_begun = False

        def begun(error: errors.EcsError) -> Live | None:
            nonlocal is_begun
            there = self._in_nova(op, id_)
            refused = isinstance(error, (errors.BadRequest, errors.Conflict))
            if there is not None and refused and self._is_left_behind(op, id_, wanted.volume_id):
                return attach()  # type: ignore[no-any-return]
            is_begun = there is not None
            return there

        # What an interrupted `up` began is as good as what this one would begin.
        once(
            (lambda: self._in_turn(op, wanted.volume_id, attach)) if wanted.multiattach else attach,
            begun,
            errors.BadRequest,
            errors.Conflict,
        )

        if is_begun and self._is_shelved(op, wanted.server_id):
            # Cinder shows it as reserved, for as long as the server has no host.
            return found_or_failed(self.fetch(op, id_), self.name, id_)

        def attached(volume: Live | None) -> bool:
            status = found_or_failed(volume, "Volume", wanted.volume_id)["status"]
            if status.startswith("error") or (status == "available" and self._in_nova(op, id_) is None):
                reason = compute.last_failed_action(api, wanted.server_id, of="attach_volume")
                raise errors.Failed(f"the server {wanted.server_id} did not take the volume ({status})", reason)
            return status == "in-use" and _attachment(volume, wanted.server_id) is not None

        what = f"volume {wanted.volume_id} to be in-use by server {wanted.server_id}"
        volume = self._wait(op, wanted.volume_id, attached, what)
        return found_or_failed(_attachment(volume, wanted.server_id), self.name, op.id)

    def _is_left_behind(self, op: Op, id_: str, volume_id: str) -> bool:
        """Whether what Nova lists was being detached: it forgets that a moment after Cinder has the volume back."""

        def look() -> tuple[str | None, Live | None]:
            return self._status(op, volume_id), self._in_nova(op, id_)

        _, listed = until(
            look,
            done=lambda seen: seen[0] != "available" or seen[1] is None,
            deadline=Deadline(op.cloud.deadline.clock, min(_PATIENCE, op.cloud.deadline.left())),
            what=f"Nova to forget that the volume {volume_id} was attached, which Cinder has back",
            describe=lambda _: "still listed",
            progress=op.say,
        )
        return listed is None

    def _wait(self, op: Op, volume_id: str, done: Any, what: str) -> Live | None:
        return op.cloud.region.volumes.poller.wait(
            volume_id,
            done,
            deadline=op.cloud.deadline,
            progress=op.say,
            describe=lambda volume: volume["status"] if volume else "gone",
            what=what,
        )


_PATIENCE = 60.0
_MOVING = ("reserved", "attaching", "detaching")


def _at_rest(volume: Live | None) -> bool:
    return volume is None or volume["status"] not in _MOVING


def _attachment(volume: Live | None, server_id: str) -> Live | None:
    """The volume's attachment to this server, with the volume's status."""
    for item in (volume or {}).get("attachments") or ():
        if item.get("server_id") == server_id and volume is not None:
            return {**item, "volume_id": volume["id"], "status": volume["status"]}
    return None


KIND = VolumeAttachmentKind()


class VolumeAttachment(EcsResource, kind=KIND):
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
