"""Server groups (Nova API reference, "Server groups")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.lookups.calls import call_with_outputs, exactly_one, one_line_errors, region_of, require_criteria
from ecs_pulumi.lookups.models import ServerGroupInfo

if TYPE_CHECKING:
    import pulumi

    from ecs_pulumi.cloud.api import ServiceClient


@one_line_errors
def get_server_group(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    region: str | None = None,
    cloud: str | None = None,
) -> ServerGroupInfo:
    """Find a server group of the project by name or id.

    Args:
        name: The name.
        id: The id.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the most similar names.
        NotUnique: Several objects match; the message lists them.
    """
    criteria = {"name": name, "id": id}
    require_criteria("server group", criteria)
    api = region_of(region, cloud).compute
    found = _by_id(api, id) if id else _list(api)
    return exactly_one(
        [item for item in found if name in (None, item.name)], "server group", criteria, lambda: _list(api)
    )


def get_server_group_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[ServerGroupInfo]:
    """Variant of `get_server_group` that accepts outputs and returns an output."""
    return call_with_outputs(get_server_group, name=name, id=id, region=region, cloud=cloud)


def _list(api: ServiceClient) -> list[ServerGroupInfo]:
    return [ServerGroupInfo.model_validate(item) for item in compute.list_server_groups(api)]


def _by_id(api: ServiceClient, id_: str) -> list[ServerGroupInfo]:
    try:
        return [ServerGroupInfo.model_validate(compute.get_server_group(api, id_))]
    except errors.NotFound:
        return []
