"""The clock that waits in real time."""

from __future__ import annotations

import threading

from ecs_pulumi.cloud.clock import Clock


def test_wait_ends_with_a_notification() -> None:
    """A waiting thread is woken at once, and a wait without a notification releases the lock."""
    clock, condition, order = Clock(), threading.Condition(), list[str]()

    def notify() -> None:
        with condition:
            order.append("notified")
            condition.notify_all()

    with condition:
        thread = threading.Thread(target=notify)
        thread.start()
        clock.wait(condition, 30)
        order.append("woken")
    thread.join()
    assert order == ["notified", "woken"]


def test_delays_are_spread() -> None:
    """Many clients do not retry at the same moment."""
    clock = Clock()
    delays = [clock.jitter(100) for _ in range(200)]
    assert 75 <= min(delays) < 90
    assert 110 < max(delays) <= 125
