"""Functions for Neutron's API calls: networks, subnets, ports, their tags, and security groups (guide 7, step 1).

A `kind` is a key of `COLLECTIONS`.
"""

# ruff: noqa: A002 - "id" is the API's own word

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud.collection import Collection
from ecs_pulumi.cloud.errors import NotFound, NotOffered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.cloud.api import ServiceClient

Document = dict[str, Any]

COLLECTIONS = {
    each.key: each
    for each in (
        Collection("/networks", "network", "networks"),
        Collection("/subnets", "subnet", "subnets"),
        Collection("/ports", "port", "ports"),
        Collection("/routers", "router", "routers"),
        Collection("/floatingips", "floatingip", "floatingips"),
        Collection("/security-groups", "security_group", "security_groups"),
        Collection("/security-group-rules", "security_group_rule", "security_group_rules"),
        Collection("/address-groups", "address_group", "address_groups"),
    )
}
"""The collections of the API, by the key of one object in a body."""


def replace_tags(api: ServiceClient, kind: str, id: str, tags: Sequence[str]) -> None:
    """Replace all tags of an object (API reference, "Replace all tags").

    Args:
        api: network.
        kind: ``network``, ``subnet`` or ``port``.
        id: the object.
        tags: the tags; an empty sequence removes all.
    """
    api.put(f"{COLLECTIONS[kind].path}/{id}/tags", json={"tags": list(tags)})


def delete(api: ServiceClient, kind: str, id: str) -> None:
    """Delete an object; the API answers 409 while the object is in use."""
    api.delete(f"{COLLECTIONS[kind].path}/{id}")


def list_availability_zones(api: ServiceClient) -> list[Document]:
    """List the availability zones of networks and of routers (API reference, "List all availability zones").

    The list is empty if the cloud has no such zones.
    """
    try:
        return list(api.pages("/availability_zones", "availability_zones"))
    except (NotFound, NotOffered):
        return []


def create(api: ServiceClient, kind: str, body: Document) -> Document:
    """Create an object (guide 7, steps 1.1, 1.3 and 1.5)."""
    return dict(api.post(COLLECTIONS[kind].path, json={kind: body}, key=kind))


def create_several(api: ServiceClient, kind: str, bodies: Sequence[Document]) -> list[Document]:
    """Create several objects with one request: all of them, or none (API reference, "Bulk create")."""
    collection = COLLECTIONS[kind]
    return list(api.post(collection.path, json={collection.list_key: list(bodies)}, key=collection.list_key))


def get(api: ServiceClient, kind: str, id: str) -> Document:
    """Return an object by its id (API reference, "Show … details")."""
    return dict(api.get(f"{COLLECTIONS[kind].path}/{id}", key=kind))


def list_all(api: ServiceClient, kind: str, **filters: Any) -> list[Document]:
    """List all objects of a kind with these attributes (API reference, "List …")."""
    collection = COLLECTIONS[kind]
    return list(api.pages(collection.path, collection.list_key, _to_query(filters)))


def get_any(api: ServiceClient, kind: str) -> Document | None:
    """Return one object of a kind, None if there is none."""
    collection = COLLECTIONS[kind]
    page, _ = api.page(collection.path, collection.list_key, {"limit": 1})
    return page[0] if page else None


def update(api: ServiceClient, kind: str, id: str, changes: Document, *, revision: int | None = None) -> Document:
    """Change an object (API reference, "Update …").

    Args:
        api: network.
        kind: a key of `COLLECTIONS`.
        id: the object.
        changes: the attributes.
        revision: its revision number when it was read; the API answers 412 if it has changed since, and the cloud
            checks that.
    """
    headers = {} if revision is None else {"If-Match": f"revision_number={revision}"}
    return dict(api.put(f"{COLLECTIONS[kind].path}/{id}", json={kind: changes}, key=kind, headers=headers))


def get_quotas(api: ServiceClient, project_id: str) -> Document:
    """Return limit, used and reserved for each kind of object (API reference, "Show quota details for a tenant")."""
    return dict(api.get(f"/quotas/{project_id}/details", key="quota"))


def _to_query(filters: Mapping[str, Any]) -> Document:
    """Convert filters to Neutron's query: `not_tags` and `tags_any` get a dash, booleans are written in lower case."""
    return {
        name.replace("not_tags", "not-tags").replace("tags_any", "tags-any"): str(value).lower()
        if isinstance(value, bool)
        else value
        for name, value in filters.items()
        if value is not None
    }
