"""The clock that retries and waits use. Tests replace it so that they do not have to wait."""

import random
import threading
import time


class Clock:
    """Time source and sleep functions for retries and waits."""

    _random = random.SystemRandom()

    def now(self) -> float:
        """Return monotonic time in seconds since an arbitrary moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep for some seconds."""
        time.sleep(seconds)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait until the condition is notified or the seconds have passed. The caller holds the condition's lock."""
        condition.wait(seconds)

    def jitter(self, seconds: float) -> float:
        """Randomize a delay to between 75 and 125 percent, so that many clients do not retry at the same moment."""
        return seconds * self._random.uniform(0.75, 1.25)
