"""Servers (guide, 3.2, 3.3 and chapter 4, step 6; Nova API reference, "Servers")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.lookups.calls import later, needed, only, region_of, told
from ecs_pulumi.lookups.models import ServerInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pulumi

    from ecs_pulumi.cloud.connection import Region

_NOT_TAGS = "2.26"


@told
def get_server(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    region: str | None = None,
) -> ServerInfo:
    """The server of this name or id.

    Args:
        name: Its name.
        id: Its id.
        region: The region. Default: the configured one.

    Raises:
        NoMatch: There is none; the message names those most like it.
        NotUnique: There are several; the message lists them.
    """
    asked = {"name": name, "id": id}
    needed("server", asked)
    here = region_of(region)
    # Nova takes a name as a regular expression.
    found = _by_id(here, id) if id else _listed(here, name=f"^{re.escape(name or '')}$")
    return only([item for item in found if name in (None, item.name)], "server", asked, lambda: _listed(here))


def get_server_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    region: pulumi.Input[str | None] = None,
) -> pulumi.Output[ServerInfo]:
    """`get_server` for the outputs of resources."""
    return later(get_server, name=name, id=id, region=region)


@told
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
) -> list[ServerInfo]:
    """Every server that fulfils all of this (guide, 3.3, step 2).

    Args:
        changes_since: Changed since this time, such as `2018-11-08T00:00:00Z`. Deleted servers are listed too.
        image: Made of this image, by id.
        flavor: Of this flavor, by id.
        name: A regular expression that is found somewhere in its name.
        status: Its status, such as `ACTIVE`.
        limit: How many at most. Default: all there are.
        marker: Only those after the server of this id in the list.
        not_tags: Without these tags, all of them. Needs compute 2.26, or the old `v2`.
        reservation_id: Made by this request for several servers.
        all_tenants: Of all projects. For administrators.
        region: The region. Default: the configured one.
    """
    here = region_of(region)
    if not_tags and here.compute.versions.id != "v2":
        here.compute.require("not_tags", _NOT_TAGS)
    return _listed(
        here,
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
) -> pulumi.Output[list[ServerInfo]]:
    """`list_servers` for the outputs of resources."""
    return later(
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
    )


def _listed(region: Region, **filters: Any) -> list[ServerInfo]:
    found = compute.list_servers(region.compute, **filters, microversion=region.server_microversion)
    return [ServerInfo.model_validate(item) for item in found]


def _by_id(region: Region, id_: str) -> list[ServerInfo]:
    try:
        document = compute.get_server(region.compute, id_, microversion=region.server_microversion)
    except errors.NotFound:
        return []
    return [ServerInfo.model_validate(document)]
