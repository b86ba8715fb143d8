"""Status lines beside a resource, and a rate limit for them.

On a terminal the engine overwrites a status line with the next one. In a log file or pipeline each one is a separate
line, and those of a hundred servers would hide more important output. There, only the first lines are shown, and then
one every few seconds. The engine does not tell a provider whether it writes to a terminal; this module inspects the
engine's process, which is a parent of this one.
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

_BURST = 20
_INTERVAL_SECONDS = 10.0
_IMPORTS = 1
"""Number of the message that lists the imports of a run."""
_imports_lock = threading.Lock()
_import_listed = threading.Event()
"""Set once that message has begun."""


class StatusLine:
    """The status line of one resource. An empty text clears it; nothing is sent if no line was shown."""

    def __init__(self, urn: str) -> None:
        self._urn = urn
        self._shown = ""

    def __call__(self, text: str) -> None:
        """Show this text instead of the current one."""
        if text != self._shown and (not text or _rate_limiter().try_acquire()):
            self._shown = text
            rpc_bridge.log(self._urn, text, ephemeral=True)


def report_import(urn: str, kind: str, resource: str, id_: object) -> None:
    """Show that a resource imports an existing object. To the engine it is a create like any other.

    A log file keeps the status beside each resource. A terminal removes all of them at the end, so there one message
    lists the resources. The engine joins its parts, except in a detailed diff, which keeps the status.

    Args:
        urn: URN of the resource.
        kind: Its kind.
        resource: Its name.
        id_: Id of the object; nothing is shown if it is unknown.
    """
    if not isinstance(id_, str):
        return
    rpc_bridge.log(urn, f"imports {id_} as {resource}", ephemeral=True)
    if _drops_statuses():
        with _imports_lock:
            start = ", " if _import_listed.is_set() else "imports existing objects, shown as create: "
            _import_listed.set()
            rpc_bridge.log("", f"{start}{kind} {resource}", stream=_IMPORTS)


class RateLimiter:
    """Limits the number of lines: an initial burst, then one every few seconds. Safe to use from any thread.

    Args:
        burst: Size of the burst; None for no limit.
        interval: Seconds per further line.
        now: Clock.
    """

    def __init__(self, burst: int | None, interval: float, now: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._available = float(burst or 0)
        self._interval = interval
        self._now = now
        self._last = now()
        self._lock = threading.Lock()

    def try_acquire(self) -> bool:
        """Whether one more line may be shown; if so, it is counted."""
        if self._burst is None:
            return True
        with self._lock:
            now = self._now()
            self._available = min(self._available + (now - self._last) / self._interval, self._burst)
            self._last = now
            if self._available < 1:
                return False
            self._available -= 1
            return True


@functools.cache
def _drops_statuses() -> bool:
    """Whether the display of the engine removes the statuses at the end."""
    process, arguments = run.engine()
    return process is not None and on_a_terminal() and "--diff" not in arguments


@functools.cache
def _rate_limiter() -> RateLimiter:
    return RateLimiter(None if on_a_terminal() else _BURST, _INTERVAL_SECONDS)


def on_a_terminal() -> bool:
    """Whether the engine writes to a terminal; also true if that cannot be determined."""
    if os.environ.get("CI"):
        return False  # the engine then uses no terminal features, even on a terminal
    process, _ = run.engine()
    with contextlib.suppress(OSError):
        return process is None or stat.S_ISCHR(Path(f"/proc/{process}/fd/1").stat().st_mode)
    return True
