"""Routers (Neutron API reference, "Routers")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.cloud import network
from ecs_pulumi.lookups.calls import call_with_outputs, exactly_one, one_line_errors, region_of, require_criteria
from ecs_pulumi.lookups.models import RouterInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pulumi


@one_line_errors
def get_router(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    tags: Sequence[str] | None = None,
    region: str | None = None,
    cloud: str | None = None,
) -> RouterInfo:
    """Find the router that meets all criteria.

    Args:
        name: The name.
        id: The id.
        tags: Tags, all of which the object must have.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the most similar names.
        NotUnique: Several objects match; the message lists them.
    """
    criteria = {"name": name, "id": id, "tags": tags}
    require_criteria("router", criteria)
    api = region_of(region, cloud).network
    found = network.list_all(api, "router", name=name, id=id, tags=",".join(tags) if tags else None)
    return exactly_one(
        [RouterInfo.model_validate(item) for item in found],
        "router",
        criteria,
        lambda: [RouterInfo.model_validate(item) for item in network.list_all(api, "router")],
    )


def get_router_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    tags: pulumi.Input[Sequence[pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[RouterInfo]:
    """Variant of `get_router` that accepts outputs and returns an output."""
    return call_with_outputs(get_router, name=name, id=id, tags=tags, region=region, cloud=cloud)
