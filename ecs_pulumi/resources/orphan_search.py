"""Search for the orphans of a resource by their owner marker, before the resource is created again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import errors
from ecs_pulumi.resources.idempotent_create import created_in_this_run
from ecs_pulumi.resources.per_region import PerRegion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.remote import RemoteObject

_DELETED_STATES = frozenset({"DELETED", "SOFT_DELETED", "deleting"})


class MarkedObjects:
    """The objects of one kind in a region, without those that this process created.

    The search for the first resource requests only the objects that may belong to it. The second search requests the
    whole list, which all further searches use.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_searched = False
        self._all: list[RemoteObject] | None = None

    def of(
        self,
        narrow: Callable[[], Iterable[RemoteObject]],
        list_all: Callable[[], Iterable[RemoteObject]],
        is_own: Callable[[RemoteObject], bool],
        *,
        has_deleted: Callable[[str], bool],
        is_short: bool = False,
    ) -> list[RemoteObject]:
        """Return the orphans of one resource, without those that are being deleted.

        Args:
            narrow: Lists the objects that may belong to the resource.
            list_all: Lists all objects of the kind.
            is_own: Whether an object carries the resource's owner marker.
            has_deleted: Whether this process has deleted an object, which a list may still contain.
            is_short: Whether the list of all objects is so short that the first search requests it.
        """
        with self._lock:
            try:
                if self._all is None and (self._has_searched or is_short):
                    self._all = list(list_all())
                found = list(narrow()) if self._all is None else self._all
            except (errors.Forbidden, errors.NotFound, errors.ProxyNotFound):
                # An account that may not list objects may still create them.
                found = self._all = []
            self._has_searched = True
        return [
            each
            for each in found
            if is_own(each)
            and not created_in_this_run(each["id"])
            and not has_deleted(each["id"])
            and not _is_being_deleted(each)
        ]


def _is_being_deleted(remote: RemoteObject) -> bool:
    return remote.get("status") in _DELETED_STATES or remote.get("OS-EXT-STS:task_state") == "deleting"


_by_region: PerRegion[dict[str, MarkedObjects]] = PerRegion(lambda _: {})


def forget(region: Region) -> None:
    """Let the next search request the lists again."""
    _by_region(region).clear()


def marked_objects(region: Region, kind: str) -> MarkedObjects:
    """Return the search for the objects of a kind, for example `port`, in a region."""
    return _by_region(region).setdefault(kind, MarkedObjects())
