"""A kind that the package does not have: snapshots of volumes. It is everything that a new kind needs."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.polling import wait_for
from ecs_pulumi.dynamic.fields import AlwaysSet, InPlace, Inputs, Outputs, References, Replace
from ecs_pulumi.report_rules import ReportRules
from ecs_pulumi.resources import preflight
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.handler import EcsHandler
from ecs_pulumi.resources.idempotent_create import create_or_find, has_description
from ecs_pulumi.resources.owner_markers import owner_marker
from ecs_pulumi.resources.quota import QuotaNeed
from ecs_pulumi.resources.remote import require_exists
from ecs_pulumi.resources.request_body import create_body, diff_remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ecs_pulumi.dynamic.fields import CheckInputs, Problem
    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject


class SnapshotInputs(Inputs):
    """A copy of the data of a volume.

    Source: Cinder API reference, "Volume snapshots".
    """

    volume_id: Annotated[str, Replace(), References("Volume")] = Field(description="Id of the volume.")
    name: Annotated[str | None, InPlace(), AlwaysSet()] = Field(None, max_length=255, description="Name.")
    description: Annotated[str | None, InPlace()] = Field(None, max_length=255, description="Description.")


class SnapshotOutputs(Outputs):
    """Outputs of a snapshot that are not inputs."""

    status: str = Field(description="`creating`, `available`, …")
    size: int = Field(description="Size of the volume in GiB.")


class SnapshotHandler(EcsHandler[SnapshotInputs]):
    """Snapshots."""

    name = "Snapshot"
    inputs = SnapshotInputs
    outputs = SnapshotOutputs
    report_rules = __name__
    title = "Snapshots"

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that the volume exists."""
        yield from super().preflight(context, checked)
        yield from preflight.check_exists(checked, "volume_id", catalog(context.cloud.region).volume)

    def quota_needs(self, context: Context, checked: CheckInputs) -> Iterator[QuotaNeed]:
        """Yield the size of the volume."""
        if not checked.known("volume_id") or checked.prior:
            return
        # `preflight` reports a volume that does not exist.
        with contextlib.suppress(errors.NoMatch):
            size = catalog(context.cloud.region).volume(checked.known("volume_id"))["size"]
            yield QuotaNeed("volume_id", "block storage", {"gigabytes": size})

    def list_all(self, context: Context) -> Iterable[RemoteObject]:
        """Return the snapshots of the project."""
        return context.cloud.block_storage.pages("/snapshots/detail", "snapshots")

    def create(self, context: Context, desired: SnapshotInputs) -> RemoteObject:
        """Create the snapshot and wait until it is available."""
        api, body = context.cloud.block_storage, create_body(desired, "volume_id", "name", "description")
        body.setdefault("description", owner_marker(context))
        send = partial(api.post, "/snapshots", json={"snapshot": body}, key="snapshot")
        is_own = has_description(body["description"])
        created = create_or_find(context, api, send, lambda: self.list_all(context), is_own)
        context.record_id(created["id"])
        return require_exists(self._wait(context, created["id"], "available"), self.name, created["id"])

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the current snapshot."""
        try:
            remote: RemoteObject = context.cloud.block_storage.get(f"/snapshots/{id_}", key="snapshot")
        except errors.NotFound:
            return None
        return remote

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Return the attributes that are inputs or outputs."""
        names = ("volume_id", "name", "description", "status", "size")
        return {"region": context.cloud.region.name, **{name: remote.get(name) for name in names}}

    def update(self, context: Context, id_: str, desired: SnapshotInputs, prior: Mapping[str, Any]) -> RemoteObject:
        """Change name and description."""
        remote = require_exists(self.read(context, id_), self.name, id_)
        if changes := diff_remote(self, context, desired, remote):
            context.cloud.block_storage.put(f"/snapshots/{id_}", json={"snapshot": changes})
        return require_exists(self.read(context, id_), self.name, id_)

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:
        """Delete the snapshot and wait until it no longer exists."""
        if self.read(context, id_) is not None:
            context.cloud.block_storage.delete(f"/snapshots/{id_}")
            self._wait(context, id_, "gone")

    def _wait(self, context: Context, id_: str, status: str) -> RemoteObject | None:
        return wait_for(
            lambda: self.read(context, id_),
            done=lambda remote: (remote["status"] if remote else "gone") == status,
            deadline=context.cloud.deadline,
            what=f"snapshot {id_} to be {status}",
            describe=lambda remote: remote["status"] if remote else "gone",
            progress=context.report_status,
        )


class SnapshotReportRules(ReportRules):
    """A deletion loses the copy."""

    def lost(self, outputs: Mapping[str, Any]) -> list[str]:
        """Describe the copy by its size."""
        return [f"its copy of {outputs['size']} GiB"]


RULES = SnapshotReportRules()
HANDLER = SnapshotHandler()
