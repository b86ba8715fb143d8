"""Functions for Neutron's API calls: networks, subnets, ports and their tags (guide 7, step 1)."""

# ruff: noqa: A002 - "id" is the API's own word

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.cloud.api import ServiceClient

Document = dict[str, Any]


def replace_tags(api: ServiceClient, collection: str, id: str, tags: Sequence[str]) -> None:
    """Replace all tags of an object (API reference, "Replace all tags").

    Args:
        api: network.
        collection: ``networks``, ``subnets`` or ``ports``.
        id: the object.
        tags: the tags; an empty sequence removes all.
    """
    api.put(f"/{collection}/{id}/tags", json={"tags": list(tags)})


def delete(api: ServiceClient, kind: str, id: str) -> None:
    """Delete a ``network``, ``subnet`` or ``port``; the API answers 409 while the object is in use."""
    api.delete(f"/{kind}s/{id}")


def list_security_groups(api: ServiceClient, **filters: Any) -> list[Document]:
    """List security groups by any of their attributes (API reference, "List security groups")."""
    return list(api.pages("/security-groups", "security_groups", _to_query(filters)))


def list_availability_zones(api: ServiceClient) -> list[Document]:
    """List the availability zones of networks and of routers (API reference, "List all availability zones")."""
    return list(api.pages("/availability_zones", "availability_zones"))


def create(api: ServiceClient, kind: str, body: Document) -> Document:
    """Create a ``network``, ``subnet`` or ``port`` (guide 7, steps 1.1, 1.3 and 1.5)."""
    return dict(api.post(f"/{kind}s", json={kind: body}, key=kind))


def get(api: ServiceClient, kind: str, id: str) -> Document:
    """Return a ``network``, ``subnet`` or ``port`` by its id (API reference, "Show … details")."""
    return dict(api.get(f"/{kind}s/{id}", key=kind))


def list_all(api: ServiceClient, kind: str, **filters: Any) -> list[Document]:
    """List all objects of kind ``network``, ``subnet`` or ``port`` with these attributes."""
    return list(api.pages(f"/{kind}s", f"{kind}s", _to_query(filters)))


def update(api: ServiceClient, kind: str, id: str, changes: Document) -> Document:
    """Change a ``network``, ``subnet`` or ``port`` (API reference, "Update …")."""
    return dict(api.put(f"/{kind}s/{id}", json={kind: changes}, key=kind))


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
