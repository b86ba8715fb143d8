"""Remote objects: objects as the API returns them."""

from __future__ import annotations

from typing import Any, TypeAlias

from ecs_pulumi.cloud import errors

RemoteObject: TypeAlias = dict[str, Any]
"""An object as the API returns it."""


def require_exists(remote: RemoteObject | None, kind: str, id_: str) -> RemoteObject:
    """Return the remote object. Raise `OperationFailed` if it does not exist."""
    if remote is None:
        raise errors.OperationFailed(f"{kind} {id_}", "it no longer exists; `pulumi refresh` removes it from the state")
    return remote
