"""The line beside a resource that says what it waits for, and how many such lines a reader can bear.

On a terminal the engine overwrites them. Everywhere else (a log file, a pipeline) each stays as a line of its own,
and a hundred servers would push out of sight what matters: so there only the first ones are shown, and then one now
and then. The engine does not tell a provider which it is, but it is a process above this one.
"""

import contextlib
import functools
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ecs_pulumi.dynamic import rpc_bridge, run

_AT_FIRST = 20
_EVERY = 10.0


class StatusLine:
    """What is shown beside one resource. An empty text takes it away, and is not sent where nothing was shown."""

    def __init__(self, urn: str) -> None:
        self._urn = urn
        self._shown = ""

    def __call__(self, text: str) -> None:
        """Show this instead."""
        if text != self._shown and (not text or _allowance().try_acquire()):
            self._shown = text
            rpc_bridge.log(self._urn, text, ephemeral=True)


class RateLimiter:
    """How many lines may be shown: so many at first, then one every few seconds. Safe to use from any thread.

    Args:
        at_first: how many at once; None is no limit.
        every: seconds until there may be one more.
        now: the clock.
    """

    def __init__(self, at_first: int | None, every: float, now: Callable[[], float] = time.monotonic) -> None:
        self._most = at_first
        self._left = float(at_first or 0)
        self._every = every
        self._now = now
        self._last = now()
        self._lock = threading.Lock()

    def try_acquire(self) -> bool:
        """Whether one more may be shown, which then counts as shown."""
        if self._most is None:
            return True
        with self._lock:
            now = self._now()
            self._left = min(self._left + (now - self._last) / self._every, self._most)
            self._last = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


@functools.cache
def _allowance() -> RateLimiter:
    return RateLimiter(None if on_a_terminal() else _AT_FIRST, _EVERY)


def on_a_terminal() -> bool:
    """Whether the engine draws on a terminal; also true where that cannot be found out."""
    if os.environ.get("CI"):
        return False  # the engine draws nothing there, even where there is a terminal
    process, _ = run.engine()
    with contextlib.suppress(OSError):
        return process is None or stat.S_ISCHR(Path(f"/proc/{process}/fd/1").stat().st_mode)
    return True
