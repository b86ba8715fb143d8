"""One request for what several threads ask at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


class Together(Generic[T]):
    """Sends a request at once, and one for all keys that are asked for while it is under way.

    An answer never comes from a request that was sent before its key was asked for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[str, Future[T]] = {}
        self._is_busy = False

    def get(self, key: str, ask: Callable[[list[str]], Mapping[str, T]]) -> T:
        """The answer for one key.

        Args:
            key: What is wanted.
            ask: Asks for one or several keys; the answer for each.

        Raises:
            Exception: what `ask` raised.
        """
        with self._lock:
            answer = self._wanted.setdefault(key, Future())
            leads, self._is_busy = not self._is_busy, True
        while leads:
            with self._lock:
                batch, self._wanted = self._wanted, {}
                leads = self._is_busy = bool(batch)
            if batch:
                _answer(batch, ask)
        return answer.result()


def _answer(batch: Mapping[str, Future[T]], ask: Callable[[list[str]], Mapping[str, T]]) -> None:
    try:
        found = ask(list(batch))
        for key, answer in batch.items():
            answer.set_result(found[key])
    except BaseException as error:  # noqa: BLE001  (every waiting thread has to end)
        for answer in batch.values():
            if not answer.done():
                answer.set_exception(error)
