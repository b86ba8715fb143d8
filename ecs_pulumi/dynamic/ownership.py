"""Which resource of the program has an object in this run.

The engine creates what is new before it deletes what the program has dropped. Where a resource was renamed without an
alias, its object may be imported under the new name first, and the delete of the old name must then leave it alone.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class ObjectKey(NamedTuple):
    """What an object is known by: the id of a key pair, its name, exists once in each region."""

    kind: str
    region: str
    id: str


class Ownership:
    """The owners of objects in this run. Safe to use from any thread."""

    def __init__(self) -> None:
        self._owners: dict[ObjectKey, str] = {}
        self._declared: dict[ObjectKey, Mapping[str, Any]] = {}
        self._lock = threading.Lock()

    def keep(self, key: ObjectKey, urn: str, inputs: Mapping[str, Any] | None = None) -> str | None:
        """Enter that a resource has an object from here on; the URN of another one that has it already.

        Args:
            key: The object.
            urn: URN of the resource; where it is empty nothing is entered.
            inputs: What the program declares for the object, if it is the resource's own.
        """
        if not urn:
            return None
        with self._lock:
            owner = self._owners.setdefault(key, urn)
            if owner != urn:
                return owner
            if inputs is not None:
                self._declared[key] = inputs
            return None

    def declared(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """The inputs that the program declares for an object in this run; None where no resource has it so far."""
        with self._lock:
            return self._declared.get(key)

    def release(self, key: ObjectKey, urn: str) -> None:
        """Enter that a resource gives its object up, because it is replaced or deleted."""
        with self._lock:
            if self._owners.get(key) == urn:
                del self._owners[key]
                self._declared.pop(key, None)

    def other_owner(self, key: ObjectKey, urn: str) -> str | None:
        """The URN of the resource that has an object in this run, if it is another one than this."""
        with self._lock:
            owner = self._owners.get(key)
        return None if owner == urn else owner

    def clear(self) -> None:
        """Forget everything, as at the start of a run."""
        with self._lock:
            self._owners.clear()
            self._declared.clear()


OWNERSHIP = Ownership()
"""That of this process, which serves one run."""
