"""Objects that all operations in one region share."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.cloud.connection import Region

T = TypeVar("T")


class PerRegion(Generic[T]):
    """Returns the object of a region. It is created at its first use and lives as long as the region."""

    def __init__(self, create: Callable[[Region], T]) -> None:
        """Create no object yet.

        Args:
            create: Creates the object of a region. It MUST NOT keep a strong reference to the region.
        """
        self._create = create
        self._lock = threading.Lock()
        self._objects: weakref.WeakKeyDictionary[Region, T] = weakref.WeakKeyDictionary()

    def __call__(self, region: Region) -> T:
        """Return the object of this region."""
        with self._lock:
            if region not in self._objects:
                self._objects[region] = self._create(region)
            return self._objects[region]
