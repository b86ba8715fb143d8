"""Segments. Every network has one segment, and its subnets may refer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.errors import HttpError

from .collection import listing, new_document, not_found
from .resources import SEGMENT
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document


def make_segment(ctx: Context, network: Document) -> None:
    """Create the segment of a new network, if the cloud has the extension `segment`."""
    if "segment" in extensions(ctx):
        attributes = ("network_type", "physical_network", "segmentation_id")
        values = {name: network[f"provider:{name}"] for name in attributes}
        owner = {"project_id": network["project_id"], "network_id": network["id"]}
        ctx.put("segment", new_document(ctx, {"name": None, "description": "", **values, **owner}))


def delete_segments(ctx: Context, network_id: str) -> None:
    """Delete the segments of a network."""
    for segment in ctx.find("segment", network_id=network_id):
        ctx.remove("segment", segment["id"])


def check_segment(ctx: Context, values: Document) -> None:
    """Reject a subnet on a segment that does not exist or belongs to another network."""
    segment_id = values.get("segment_id")
    if segment_id is None:
        return
    segment = ctx.get("segment", segment_id)
    if segment is None:
        raise not_found(SEGMENT, segment_id)
    if segment["network_id"] != values["network_id"]:
        message = "The network_id provided for the subnet does not match the network_id of the segment."
        raise HttpError(400, message, kind="NetworkIdsDontMatch")


def _require_extension(call: Call) -> None:
    if "segment" not in extensions(call):
        raise HttpError(404, "The resource could not be found.", kind="HTTPNotFound")


@service.get("/segments", otc=False)
def list_segments(call: Call) -> Document:
    """`GET /segments`."""
    _require_extension(call)
    return listing(call, SEGMENT)
