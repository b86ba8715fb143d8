"""The emulated cloud's time: an injectable clock, and the timestamp formats of the APIs."""

from __future__ import annotations

from datetime import datetime, timezone


class ManualClock:
    """A clock that only moves when `advance` is called, for tests that must not sleep."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.now = start

    def __call__(self) -> float:
        """Return the current time in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`."""
        self.now += seconds


def _utc(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, tz=timezone.utc)


def to_second(timestamp: float) -> str:
    """Format a timestamp as Nova, Neutron and Glance do: `2018-05-25T01:47:11Z`."""
    return _utc(timestamp).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_microsecond(timestamp: float) -> str:
    """Format a timestamp as Cinder and Nova's `launched_at` do: `2018-05-16T11:19:33.992984`."""
    return _utc(timestamp).strftime("%Y-%m-%dT%H:%M:%S.%f")


def parse(text: str) -> float:
    """Parse an ISO 8601 timestamp, in UTC unless it has an offset. Raises ValueError."""
    parsed = datetime.fromisoformat(text.strip().replace("Z", "+00:00").replace(" ", "+"))
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp()
