"""What a run that was killed left of a resource, found by its owner marker before the resource is created again."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import errors
from ecs_pulumi.resources.idempotent_create import created_in_this_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.common import RemoteObject

_LEAVING = frozenset({"DELETED", "SOFT_DELETED", "deleting"})


class MarkedObjects:
    """The objects of one kind in a region, as they were before this process created any.

    The first resource that asks costs one request for what may be its own; a second one is worth the whole list, which
    serves all that follow.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_narrowed = False
        self._all: list[RemoteObject] | None = None

    def of(
        self,
        narrow: Callable[[], Iterable[RemoteObject]],
        list_all: Callable[[], Iterable[RemoteObject]],
        is_own: Callable[[RemoteObject], bool],
    ) -> list[RemoteObject]:
        """The objects of one resource, those that are being deleted left out.

        Args:
            narrow: Lists what may be the resource's own.
            list_all: Lists the whole kind.
            is_own: Whether an object carries the resource's owner marker.
        """
        with self._lock:
            try:
                if self._all is None and self._has_narrowed:
                    self._all = list(list_all())
                found = list(narrow()) if self._all is None else self._all
            except (errors.Forbidden, errors.NotFound, errors.ProxyNotFound):
                # Whoever may not list may still create.
                found = self._all = []
            self._has_narrowed = True
        return [
            each for each in found if is_own(each) and not created_in_this_run(each["id"]) and not _is_leaving(each)
        ]


def _is_leaving(remote: RemoteObject) -> bool:
    return remote.get("status") in _LEAVING or remote.get("OS-EXT-STS:task_state") == "deleting"


_by_region: weakref.WeakKeyDictionary[Region, dict[str, MarkedObjects]] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def marked_objects(region: Region, kind: str) -> MarkedObjects:
    """The objects of a kind, `port` say, in a region."""
    with _making:
        return _by_region.setdefault(region, {}).setdefault(kind, MarkedObjects())
