"""The resource that owns each object in the current run.

The engine creates new resources before it deletes those that the program no longer declares. If a resource is renamed
without an alias, the new resource may import the object first; the delete of the old resource must then keep it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection


class ObjectKey(NamedTuple):
    """Identity of an object. The id of a key pair is its name, which is unique in a region and an account.

    Attributes:
        kind: The kind.
        region: The region.
        id: The id.
        account: The account, as `ResourceHandler.account` returns it. All other ids are unique in all clouds, so that
            an object has one identity, also if resources name its cloud by different entries of clouds.yaml.
    """

    kind: str
    region: str
    id: str
    account: str = ""


class Ownership:
    """The owners of objects in this run. Safe to use from any thread."""

    def __init__(self) -> None:
        self._owners: dict[ObjectKey, str] = {}
        self._lock = threading.Lock()

    def keep(self, key: ObjectKey, urn: str, former: Collection[str] = ()) -> str | None:
        """Record a resource as the owner of an object, unless it has another owner.

        Args:
            key: The object.
            urn: URN of the resource; if empty, nothing is recorded.
            former: Other URNs of this resource in this run.

        Returns:
            The URN of the other owner; None if there is none.
        """
        if not urn:
            return None
        with self._lock:
            if self._owners.get(key, urn) in (urn, *former):
                self._owners[key] = urn
            owner = self._owners[key]
        return None if owner == urn else owner

    def release(self, key: ObjectKey, urn: str) -> None:
        """Remove the resource as the owner of an object, because it is replaced or deleted."""
        with self._lock:
            if self._owners.get(key) == urn:
                del self._owners[key]

    def other_owner(self, key: ObjectKey, urn: str = "") -> str | None:
        """Return the URN of the owner of an object in this run; None if it has none, or the resource `urn` owns it."""
        with self._lock:
            owner = self._owners.get(key)
        return None if owner == urn else owner

    def clear(self) -> None:
        """Remove all owners, as at the start of a run."""
        with self._lock:
            self._owners.clear()


OWNERSHIP = Ownership()
"""The owners in this process, which serves one run."""
