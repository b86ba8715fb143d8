"""Which resource of the program has an object in this run.

The engine creates what is new before it deletes what the program has dropped. Where a resource was renamed without an
alias, its object may be imported under the new name first, and the delete of the old name must then leave it alone.
"""

from __future__ import annotations

import threading
from typing import NamedTuple


class ObjectKey(NamedTuple):
    """What an object is known by: the id of a key pair, its name, exists once in each region."""

    kind: str
    region: str
    id: str


class Ownership:
    """The owners of objects in this run. Safe to use from any thread."""

    def __init__(self) -> None:
        self._owners: dict[ObjectKey, str] = {}
        self._lock = threading.Lock()

    def keep(self, key: ObjectKey, urn: str) -> str | None:
        """Enter that a resource has an object from here on; the URN of another one that has it already.

        Args:
            key: The object.
            urn: URN of the resource; where it is empty nothing is entered.
        """
        if not urn:
            return None
        with self._lock:
            owner = self._owners.setdefault(key, urn)
        return None if owner == urn else owner

    def release(self, key: ObjectKey, urn: str) -> None:
        """Enter that a resource gives its object up, because it is replaced or deleted."""
        with self._lock:
            if self._owners.get(key) == urn:
                del self._owners[key]

    def other_owner(self, key: ObjectKey, urn: str) -> str | None:
        """The URN of the resource that has an object in this run, if it is another one than this."""
        with self._lock:
            owner = self._owners.get(key)
        return None if owner == urn else owner

    def clear(self) -> None:
        """Forget everything, as at the start of a run."""
        with self._lock:
            self._owners.clear()


OWNERSHIP = Ownership()
"""That of this process, which serves one run."""
