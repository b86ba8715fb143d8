"""Time, so that tests need not wait for it."""

import random
import threading
import time


class Clock:
    """The passing of time as retries and waits see it."""

    _random = random.SystemRandom()

    def now(self) -> float:
        """Seconds since an arbitrary moment; never runs backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Let time pass until the condition, whose lock the caller holds, is notified."""
        condition.wait(seconds)

    def jitter(self, seconds: float) -> float:
        """Spread a delay over 75 to 125 percent, so that clients refused together do not return together."""
        return seconds * self._random.uniform(0.75, 1.25)
