"""Batches the keys that several threads request at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


class RequestBatcher(Generic[T]):
    """Sends the first request immediately, and collects the keys that arrive meanwhile for the next request.

    A result never comes from a request that was sent before its key was requested.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[str, Future[T]] = {}
        self._is_busy = False

    def get(self, key: str, fetch: Callable[[list[str]], Mapping[str, T]]) -> T:
        """Return the result for one key.

        Args:
            key: The key.
            fetch: Sends a request for one or several keys; returns the result for each.

        Raises:
            Exception: the exception that `fetch` raised.
        """
        with self._lock:
            future = self._pending.setdefault(key, Future())
            is_leader, self._is_busy = not self._is_busy, True
        while is_leader:
            with self._lock:
                batch, self._pending = self._pending, {}
                is_leader = self._is_busy = bool(batch)
            if batch:
                _complete(batch, fetch)
        return future.result()


def _complete(batch: Mapping[str, Future[T]], fetch: Callable[[list[str]], Mapping[str, T]]) -> None:
    try:
        results = fetch(list(batch))
        for key, future in batch.items():
            future.set_result(results[key])
    except BaseException as error:  # noqa: BLE001  (every waiting thread must be released)
        for future in batch.values():
            if not future.done():
                future.set_exception(error)
