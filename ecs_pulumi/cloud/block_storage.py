"""Cinder's calls, as plain functions (guide 6, step 1)."""

# ruff: noqa: A002 - "id" is the API's own word

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ecs_pulumi.cloud.errors import EcsError, NotFound

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
        microversion: the one that the body's fields need, such as 3.47 for ``backup_id``.
    """
    body: Document = {"volume": volume}
    if hints:
        body["OS-SCH-HNT:scheduler_hints"] = hints
    return dict(api.post("/volumes", json=body, microversion=microversion, key="volume"))


def get_volume(api: ServiceClient, id: str) -> Document:
    """A volume (API reference, "Show a volume's details")."""
    return dict(api.get(f"/volumes/{id}", key="volume"))


def list_volumes(api: ServiceClient, **filters: Any) -> list[Document]:
    """Volumes by name, status and so on (API reference, "List accessible volumes with details")."""
    params = {name: value for name, value in filters.items() if value is not None}
    return list(api.pages("/volumes/detail", "volumes", params))


def update_volume(api: ServiceClient, id: str, changes: Document) -> Document:
    """Change name, description or metadata (API reference, "Update a volume")."""
    return dict(api.put(f"/volumes/{id}", json={"volume": changes}, key="volume"))


def delete_volume(api: ServiceClient, id: str, *, cascade: bool = False) -> None:
    """Delete a volume; 400 while it is in use (API reference, "Delete a volume")."""
    api.delete(f"/volumes/{id}", params={"cascade": "true"} if cascade else None)


def replace_metadata(api: ServiceClient, id: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Set all keys; those not named are deleted (API reference, "Update a volume's metadata")."""
    return dict(api.put(f"/volumes/{id}/metadata", json={"metadata": dict(metadata)}, key="metadata"))


def set_metadata(api: ServiceClient, id: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Set some keys and keep the others (API reference, "Create metadata for volume")."""
    # A POST by name, but the same twice is the same.
    body = {"metadata": dict(metadata)}
    return dict(api.post(f"/volumes/{id}/metadata", json=body, key="metadata", idempotent=True))


def delete_metadata_key(api: ServiceClient, id: str, key: str) -> None:
    """Delete one key (API reference, "Delete a volume's metadata")."""
    api.delete(f"/volumes/{id}/metadata/{quote(key, safe='')}")


def action(api: ServiceClient, id: str, name: str, body: Any = None, microversion: str | None = None) -> Any:
    """Run an action (API reference, "Volume actions")."""
    return api.post(f"/volumes/{id}/action", json={name: body}, microversion=microversion)


def extend(api: ServiceClient, id: str, size: int, microversion: str | None = None) -> None:
    """Grow to ``size`` GiB; while attached it needs 3.42 (API reference, "Extend a volume size")."""
    action(api, id, "os-extend", {"new_size": size}, microversion)


def retype(api: ServiceClient, id: str, volume_type: str, policy: str = "on-demand") -> None:
    """Change the type, moving data where ``on-demand`` allows it (API reference, "Retype a volume")."""
    action(api, id, "os-retype", {"new_type": volume_type, "migration_policy": policy})


def set_read_only(api: ServiceClient, id: str, *, read_only: bool) -> None:
    """Forbid or allow writing (API reference, "Update a volume's access mode to read-only")."""
    action(api, id, "os-update_readonly_flag", {"readonly": read_only})


def list_types(api: ServiceClient) -> list[Document]:
    """Volume types (API reference, "List all volume types")."""
    return list(api.pages("/types", "volume_types"))


def default_type(api: ServiceClient) -> str | None:
    """The type of a volume that asks for none, where there is one (API reference, "Show default volume type")."""
    try:
        return str(api.get("/types/default", key="volume_type")["name"])
    except NotFound:
        return None


def get_snapshot(api: ServiceClient, id: str) -> Document:
    """A snapshot (API reference, "Show a snapshot's details")."""
    return dict(api.get(f"/snapshots/{id}", key="snapshot"))


def list_availability_zones(api: ServiceClient) -> list[Document]:
    """Zones for volumes (API reference, "Availability zones")."""
    return list(api.pages("/os-availability-zone", "availabilityZoneInfo"))


def get_limits(api: ServiceClient) -> Document:
    """The project's absolute limits and what is used of them (API reference, "Show absolute limits for project")."""
    return dict(api.get("/limits", key="limits")["absolute"])


def last_message(api: ServiceClient, id: str) -> str | None:
    """What Cinder recorded about a volume's newest failure, or None (API reference, "List messages"; needs 3.5)."""
    try:
        if not api.supports(_MESSAGES):
            return None
        found = api.get("/messages", params={"resource_uuid": id}, microversion=_MESSAGES, key="messages")
        return str(max(found, key=lambda message: str(message["created_at"]))["user_message"]) if found else None
    except EcsError:
        return None  # the reason is a courtesy; its absence must not hide the failure it explains
