"""Servers (guide, 3.2, 3.3 and chapter 4, step 6; Nova API reference, "Servers")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.lookups.calls import call_with_outputs, exactly_one, one_line_errors, region_of, require_criteria
from ecs_pulumi.lookups.models import ServerInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pulumi

    from ecs_pulumi.cloud.connection import Region

_NOT_TAGS = "2.26"


@one_line_errors
def get_server(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    region: str | None = None,
    cloud: str | None = None,
) -> ServerInfo:
    """Find a server by name or id.

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
    require_criteria("server", criteria)
    target = region_of(region, cloud)
    documents = _by_id(target, id) if id else _list(target, name=_name_filter(target, name or ""))
    return exactly_one(
        [item for item in documents if name in (None, item.name)], "server", criteria, lambda: _list(target)
    )


def get_server_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[ServerInfo]:
    """Variant of `get_server` that accepts outputs and returns an output."""
    return call_with_outputs(get_server, name=name, id=id, region=region, cloud=cloud)


@one_line_errors
def list_servers(
    *,
    changes_since: str | None = None,
    image: str | None = None,
    flavor: str | None = None,
    name: str | None = None,
    status: str | None = None,
    limit: int | None = None,
    marker: str | None = None,
    not_tags: str | Sequence[str] | None = None,
    reservation_id: str | None = None,
    all_tenants: bool | None = None,
    region: str | None = None,
    cloud: str | None = None,
) -> list[ServerInfo]:
    """List the servers that meet all criteria (guide, 3.3, step 2).

    Args:
        changes_since: Servers changed since this time, such as `2018-11-08T00:00:00Z`, including deleted servers.
        image: Id of the image that the server was created from.
        flavor: Id of the flavor.
        name: A regular expression that matches a part of the name.
        status: The status, such as `ACTIVE`.
        limit: Maximum number of servers. Default: all servers.
        marker: Id of a server; list only the servers after it.
        not_tags: Exclude servers that have all of these tags. Needs compute 2.26, or the old `v2`.
        reservation_id: Reservation id of a request that created several servers.
        all_tenants: List the servers of all projects. For administrators.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.
    """
    target = region_of(region, cloud)
    if not_tags and target.compute.versions.id != "v2":
        target.compute.require("not_tags", _NOT_TAGS)
    list_servers_of = _list_and_filter if target.differences.filters_servers_loosely else _list
    return list_servers_of(
        target,
        changes_since=changes_since,
        image=image,
        flavor=flavor,
        name=name,
        status=status,
        limit=limit,
        marker=marker,
        not_tags=not_tags,
        reservation_id=reservation_id,
        all_tenants=all_tenants,
    )


def list_servers_output(
    *,
    changes_since: pulumi.Input[str | None] = None,
    image: pulumi.Input[str | None] = None,
    flavor: pulumi.Input[str | None] = None,
    name: pulumi.Input[str | None] = None,
    status: pulumi.Input[str | None] = None,
    limit: pulumi.Input[int | None] = None,
    marker: pulumi.Input[str | None] = None,
    not_tags: pulumi.Input[str | Sequence[pulumi.Input[str]] | None] = None,
    reservation_id: pulumi.Input[str | None] = None,
    all_tenants: pulumi.Input[bool | None] = None,
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[list[ServerInfo]]:
    """Variant of `list_servers` that accepts outputs and returns an output."""
    return call_with_outputs(
        list_servers,
        changes_since=changes_since,
        image=image,
        flavor=flavor,
        name=name,
        status=status,
        limit=limit,
        marker=marker,
        not_tags=not_tags,
        reservation_id=reservation_id,
        all_tenants=all_tenants,
        region=region,
        cloud=cloud,
    )


def _list(region: Region, **filters: Any) -> list[ServerInfo]:
    documents = compute.list_servers(region.compute, **filters, microversion=region.server_microversion)
    return [ServerInfo.model_validate(item) for item in documents]


def _list_and_filter(
    region: Region, *, image: str | None, flavor: str | None, name: str | None, limit: int | None, **filters: Any
) -> list[ServerInfo]:
    """List the servers of an Open Telekom Cloud, and compare here what that cloud compares in another way.

    It matches parts of names and flavors, not regular expressions. A filter by image switches all other filters off,
    and does not find the servers that were created from that image without a block device.
    """
    try:
        pattern = re.compile(name or "")
    except re.error as error:
        raise errors.ConfigurationError(f"name: invalid regular expression: {error}") from None
    part = name if name == _name_filter(region, name or "") and "." not in (name or "") else None
    found = [
        item
        for item in _list(region, name=part, flavor=flavor, **filters)
        if pattern.search(item.name) and flavor in (None, item.flavor_id) and image in (None, item.image_id)
    ]
    return found[:limit]


def _name_filter(region: Region, name: str) -> str | None:
    return compute.name_filter(name, as_part=region.differences.filters_servers_loosely)


def _by_id(region: Region, id_: str) -> list[ServerInfo]:
    try:
        document = compute.get_server(region.compute, id_, microversion=region.server_microversion)
    except errors.NotFound:
        return []
    return [ServerInfo.model_validate(document)]
