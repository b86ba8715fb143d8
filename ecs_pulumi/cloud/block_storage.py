"""Functions for Cinder's API calls (guide 6, step 1)."""

# ruff: noqa: A002 - "id" is the API's own word

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ecs_pulumi.cloud.errors import EcsError, NotFound, ProxyNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecs_pulumi.cloud.api import ServiceClient

Document = dict[str, Any]

_MESSAGES = "3.5"


def create_volume(
    api: ServiceClient,
    volume: Document,
    *,
    hints: Document | None = None,
    microversion: str | None = None,
) -> Document:
    """Create a volume (guide 6, step 1).

    Args:
        api: block storage.
        volume: the body's ``volume``.
        hints: the body's ``OS-SCH-HNT:scheduler_hints``.
        microversion: the microversion that the body's fields need, such as 3.47 for ``backup_id``.
    """
    body: Document = {"volume": volume}
    if hints:
        body["OS-SCH-HNT:scheduler_hints"] = hints
    return dict(api.post("/volumes", json=body, microversion=microversion, key="volume"))


def get_volume(api: ServiceClient, id: str) -> Document:
    """Return a volume (API reference, "Show a volume's details")."""
    return dict(api.get(f"/volumes/{id}", key="volume"))


def list_volumes(api: ServiceClient, **filters: Any) -> list[Document]:
    """List volumes, filtered by name, status and so on (API reference, "List accessible volumes with details")."""
    params = {name: value for name, value in filters.items() if value is not None}
    return list(api.pages("/volumes/detail", "volumes", params))


def update_volume(api: ServiceClient, id: str, changes: Document) -> None:
    """Change name, description or metadata (API reference, "Update a volume")."""
    api.put(f"/volumes/{id}", json={"volume": changes}, key="volume")


def delete_volume(api: ServiceClient, id: str, *, cascade: bool = False) -> None:
    """Delete a volume; the API answers 400 while it is in use (API reference, "Delete a volume")."""
    api.delete(f"/volumes/{id}", params={"cascade": "true"} if cascade else None)


def replace_metadata(api: ServiceClient, id: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Set the metadata; keys that are not given are deleted (API reference, "Update a volume's metadata")."""
    return dict(api.put(f"/volumes/{id}/metadata", json={"metadata": dict(metadata)}, key="metadata"))


def merge_metadata(api: ServiceClient, id: str, metadata: Mapping[str, str]) -> None:
    """Add or change entries of the metadata (API reference, "Create metadata for volume")."""
    api.post(f"/volumes/{id}/metadata", json={"metadata": dict(metadata)}, idempotent=True)


def delete_metadata(api: ServiceClient, id: str, key: str) -> None:
    """Delete an entry of the metadata, if there is one (API reference, "Delete a volume's metadata")."""
    with contextlib.suppress(NotFound):
        api.delete(f"/volumes/{id}/metadata/{quote(key, safe=':')}")


def action(api: ServiceClient, id: str, name: str, body: Any = None, microversion: str | None = None) -> Any:
    """Run an action (API reference, "Volume actions")."""
    return api.post(f"/volumes/{id}/action", json={name: body}, microversion=microversion)


def extend(api: ServiceClient, id: str, size: int, microversion: str | None = None) -> None:
    """Extend a volume to ``size`` GiB (API reference, "Extend a volume size").

    In OpenStack, an attached volume needs microversion 3.42.
    """
    action(api, id, "os-extend", {"new_size": size}, microversion)


def retype(api: ServiceClient, id: str, volume_type: str, policy: str = "on-demand") -> None:
    """Change the type of a volume (API reference, "Retype a volume").

    The policy ``on-demand`` allows Cinder to migrate the volume's data.
    """
    action(api, id, "os-retype", {"new_type": volume_type, "migration_policy": policy})


def retype_by_path(api: ServiceClient, id: str, volume_type: str) -> None:
    """Change the type of a volume on an Open Telekom Cloud (EVS API reference, "Changing the EVS Disk Type").

    Args:
        api: block storage, v2.
        id: the volume.
        volume_type: the name of the type.
    """
    api.post(f"/volumes/{id}/retype", json={"os-retype": {"new_type": volume_type}})


def set_read_only(api: ServiceClient, id: str, *, read_only: bool) -> None:
    """Set or clear the read-only flag (API reference, "Update a volume's access mode to read-only")."""
    action(api, id, "os-update_readonly_flag", {"readonly": read_only})


def list_types(api: ServiceClient) -> list[Document]:
    """List the volume types (API reference, "List all volume types")."""
    return list(api.pages("/types", "volume_types"))


def default_type(api: ServiceClient) -> str | None:
    """Return the default volume type, or None if there is none (API reference, "Show default volume type")."""
    try:
        return str(api.get("/types/default", key="volume_type")["name"])
    except (NotFound, ProxyNotFound):
        return None  # Cinder has no default type, or the cloud does not show it


def get_snapshot(api: ServiceClient, id: str) -> Document:
    """Return a snapshot (API reference, "Show a snapshot's details")."""
    return dict(api.get(f"/snapshots/{id}", key="snapshot"))


def list_availability_zones(api: ServiceClient) -> list[Document]:
    """List the availability zones for volumes (API reference, "Availability zones")."""
    return list(api.pages("/os-availability-zone", "availabilityZoneInfo"))


def get_limits(api: ServiceClient) -> Document:
    """Return the project's absolute limits and their usage (API reference, "Show absolute limits for project")."""
    return dict(api.get("/limits", key="limits")["absolute"])


def get_quota_set(api: ServiceClient, project_id: str) -> Document:
    """Return limit, in_use and reserved of each quota (API reference, "Show quota usage for a project")."""
    return dict(api.get(f"/os-quota-sets/{project_id}", params={"usage": "True"}, key="quota_set"))


def last_message(api: ServiceClient, id: str) -> str | None:
    """Return Cinder's message about the newest failure of a volume, or None (API reference, "List messages").

    Needs microversion 3.5; returns None if the API does not offer it.
    """
    try:
        if not api.supports(_MESSAGES):
            return None
        messages = api.get("/messages", params={"resource_uuid": id}, microversion=_MESSAGES, key="messages")
        return str(max(messages, key=lambda message: str(message["created_at"]))["user_message"]) if messages else None
    except EcsError:
        return None  # the message is optional detail; an error here must not hide the original failure
