"""Neutron's calls, as plain functions: networks, subnets, ports and their tags (guide 7, step 1)."""

# ruff: noqa: A002 - "id" is the API's own word

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.cloud.api import ServiceClient

Document = dict[str, Any]


def replace_tags(api: ServiceClient, collection: str, id: str, tags: Sequence[str]) -> None:
    """Set all tags of an object (API reference, "Replace all tags").

    Args:
        api: network.
        collection: ``networks``, ``subnets`` or ``ports``.
        id: the object.
        tags: the tags; none clears them.
    """
    api.put(f"/{collection}/{id}/tags", json={"tags": list(tags)})


def delete(api: ServiceClient, kind: str, id: str) -> None:
    """Delete a ``network``, ``subnet`` or ``port``; 409 while something is on it."""
    api.delete(f"/{kind}s/{id}")


def list_security_groups(api: ServiceClient, **filters: Any) -> list[Document]:
    """Security groups by any of their attributes (API reference, "List security groups")."""
    return list(api.pages("/security-groups", "security_groups", _given(filters)))


def list_availability_zones(api: ServiceClient) -> list[Document]:
    """Zones of networks and of routers (API reference, "List all availability zones")."""
    return list(api.pages("/availability_zones", "availability_zones"))


def create(api: ServiceClient, kind: str, body: Document) -> Document:
    """Create a ``network``, ``subnet`` or ``port`` (guide 7, steps 1.1, 1.3 and 1.5)."""
    return dict(api.post(f"/{kind}s", json={kind: body}, key=kind))


def get(api: ServiceClient, kind: str, id: str) -> Document:
    """A ``network``, ``subnet`` or ``port`` by its id (API reference, "Show … details")."""
    return dict(api.get(f"/{kind}s/{id}", key=kind))


def list_all(api: ServiceClient, kind: str, **filters: Any) -> list[Document]:
    """Every ``network``, ``subnet`` or ``port`` with these attributes."""
    return list(api.pages(f"/{kind}s", f"{kind}s", _given(filters)))


def update(api: ServiceClient, kind: str, id: str, changes: Document) -> Document:
    """Change a ``network``, ``subnet`` or ``port`` (API reference, "Update …")."""
    return dict(api.put(f"/{kind}s/{id}", json={kind: changes}, key=kind))


def get_quotas(api: ServiceClient, project_id: str) -> Document:
    """Limit, used and reserved of each kind (API reference, "Show quota details for a tenant")."""
    return dict(api.get(f"/quotas/{project_id}/details", key="quota"))


def _given(filters: Mapping[str, Any]) -> Document:
    """Filters as Neutron reads them: a dash is an underscore in Python, true is lower case."""
    return {
        name.replace("not_tags", "not-tags").replace("tags_any", "tags-any"): str(value).lower()
        if isinstance(value, bool)
        else value
        for name, value in filters.items()
        if value is not None
    }
