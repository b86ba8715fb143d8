"""Functions for Glance's API calls."""

# ruff: noqa: A002 - "id" is the API's own word

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecs_pulumi.cloud.api import ServiceClient

Document = dict[str, Any]


def get_image(api: ServiceClient, id: str) -> Document:
    """Return an image (API reference, "Show image")."""
    return dict(api.get(f"/images/{id}"))


def list_images(api: ServiceClient, **filters: Any) -> list[Document]:
    """List images by ``name``, ``visibility``, ``status``, ``sort``, property (API reference, "List images")."""
    params = {name: value for name, value in filters.items() if value is not None}
    return list(api.pages("/images", "images", params))
