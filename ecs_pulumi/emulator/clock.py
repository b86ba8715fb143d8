"""Time as the emulated cloud sees it: an injectable clock and the API's ways to write a moment."""

from __future__ import annotations

from datetime import datetime, timezone


class ManualClock:
    """A clock that stands still until it is told to move; for tests that must not sleep."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.now = start

    def __call__(self) -> float:
        """The current moment, in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.now += seconds


def _utc(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, tz=timezone.utc)


def to_second(moment: float) -> str:
    """As Nova, Neutron and Glance write it: `2018-05-25T01:47:11Z`."""
    return _utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_microsecond(moment: float) -> str:
    """As Cinder and Nova's `launched_at` write it: `2018-05-16T11:19:33.992984`."""
    return _utc(moment).strftime("%Y-%m-%dT%H:%M:%S.%f")


def parse(text: str) -> float:
    """Read any ISO 8601 moment; one without an offset is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00").replace(" ", "+"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
