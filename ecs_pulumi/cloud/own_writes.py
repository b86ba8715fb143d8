"""The writes of this process, because a read that follows one may show the state from before it.

Behind a cache, or with a replica of a database that lags, a cloud may answer a GET with the state of a few seconds ago:
a new object is missing, a changed one has its former values. What a read shows is evidence of an effect at once, but
evidence that there is none only once no read can be older than the write.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecs_pulumi.cloud.clock import Clock

T = TypeVar("T")

STALENESS = 5.0
"""The age in seconds up to which the provider expects a read to be stale."""
_WINDOW = STALENESS + 1.0
"""Seconds after a write in which a read may be stale: until its response arrives, it becomes older."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 1.0
_MAX_RECORDED = 10_000


class OwnWrites:
    """When this process last wrote to each object, by the ids in its requests.

    To all other objects, an earlier process may have written until this one started.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # An earlier process, such as that of the last `pulumi up`, may have written until this one started.
        self._start = clock.now()
        self._written: dict[str, float] = {}
        self._created: dict[str, float] = {}
        self._deleted: set[str] = set()

    def record(self, method: str, url: str, body: Any, result: Any = None) -> None:
        """Record a request that may have taken effect just now.

        Args:
            method: its method.
            url: its URL.
            body: its body.
            result: what the API returned, with the id of what the request created; None if that is not known.
        """
        now = self._clock.now()
        created: tuple[str, ...] = ()
        if method == "POST" or isinstance(result, str):
            created = tuple(_ids_in(body) if result is None else _ids_of(result))
        with self._lock:
            if method == "DELETE":
                deleted = _segments(url)[-1:]
                self._deleted.update(deleted)
                # What still uses an object that is not gone yet refuses its own deletion, which is then repeated.
                for id_ in deleted:
                    self._created.pop(id_, None)
            for recorded, ids in (
                (self._written, (*_segments(url), *_ids_in(body), *created)),
                (self._created, created),
            ):
                for id_ in ids:
                    recorded[id_] = now
                if len(recorded) > _MAX_RECORDED:
                    for id_ in [id_ for id_, moment in recorded.items() if now - moment > _WINDOW]:
                        del recorded[id_]

    def has_deleted(self, id_: str) -> bool:
        """Whether this process requested the deletion of the object, which a list may still contain."""
        return id_ in self._deleted

    def touch(self, id_: str) -> None:
        """Record that a write to another object also changed this one."""
        with self._lock:
            self._written[id_] = self._clock.now()

    def is_settled(self, id_: str) -> bool:
        """Whether a read that has just arrived cannot show the object as it was before the last write to it."""
        return self.settles_in(id_) <= 0

    def settles_in(self, *ids: str) -> float:
        """Return the seconds until no read can show one of these objects as it was before the last write to it."""
        with self._lock:
            latest = max((self._written.get(id_, self._start) for id_ in ids), default=self._start)
        return self._left(latest)

    def appears_in(self, *ids: str) -> float:
        """Return the seconds in which a read may not show one of these objects because it is new."""
        with self._lock:
            return self._left(max((self._created.get(id_, -math.inf) for id_ in ids), default=-math.inf))

    def appears_at(self, url: str) -> float:
        """Return the seconds in which the API may answer 404 to a GET because an object of its path is new."""
        return self.appears_in(*_segments(url))

    def read_until(self, read: Callable[[], T], shows: Callable[[T], bool], *ids: str) -> T:
        """Return what a read shows, once it shows an effect of the writes to these objects or cannot be stale.

        Args:
            read: reads.
            shows: whether the result shows the effect.
            ids: the objects.
        """
        pause = _FIRST_PAUSE
        while True:
            left = self.settles_in(*ids)
            result = read()
            if left <= 0 or shows(result):
                return result
            self._clock.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _left(self, moment: float) -> float:
        return max(0.0, moment + _WINDOW - self._clock.now())


def _segments(url: str) -> list[str]:
    return [unquote(segment) for segment in urlsplit(url).path.split("/") if segment]


def _ids_in(body: Any) -> Iterator[str]:
    """Yield the values in a body that may be ids."""
    if isinstance(body, dict):
        for value in body.values():
            yield from _ids_in(value)
    elif isinstance(body, list):
        for value in body:
            yield from _ids_in(value)
    elif isinstance(body, str):
        yield body


def _ids_of(result: Any) -> Iterator[str]:
    """Yield the ids of the objects in a response; a key pair has a name only, and an interface the id of a port."""
    if isinstance(result, list):
        for each in result:
            yield from _ids_of(each)
    elif isinstance(result, dict):
        found = result.get("port_id") or result.get("id") or result.get("name")
        if isinstance(found, str):
            yield found
    elif isinstance(result, str):
        yield result
