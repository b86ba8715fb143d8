"""Requests that wait for another resource of the same run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud.errors import BadRequest, Conflict
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.resources.same_run import retry_while_awaited
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable


class Waiting:
    """A request that is refused until a time, and the status lines of its operation."""

    def __init__(self, ready_after: float, timeout: float = 600.0) -> None:
        self.clock = FakeClock()
        self.lines: list[str] = []
        self.sent = 0
        self.ready_at = self.clock.time + ready_after
        self._cloud = SimpleNamespace(
            connection=SimpleNamespace(clock=self.clock), deadline=Deadline(self.clock, timeout)
        )

    def send(self) -> str:
        """Send the request."""
        self.sent += 1
        if self.clock.time < self.ready_at:
            raise Conflict(409, "in use")
        return "done"

    def run(self, awaited: Callable[..., str | None], **options: Any) -> str:
        """Send the request until it succeeds."""
        context: Any = SimpleNamespace(cloud=self._cloud, report_status=self.lines.append)
        return retry_while_awaited(context, self.send, awaited, **options)


def test_request_is_repeated_with_a_status_line() -> None:
    """A refused request is repeated at growing intervals until it succeeds."""
    waiting = Waiting(ready_after=20)
    assert waiting.run(lambda *_: "waiting for it") == "done"
    assert waiting.lines == ["waiting for it"] * (waiting.sent - 1)
    assert 3 < waiting.sent < 40


@pytest.mark.parametrize(
    ("timeout", "options", "seconds"), [(600, {}, 60), (10, {}, 10), (100, {"seconds": float("inf")}, 100)]
)
def test_refusal_is_raised_at_the_limit(timeout: float, options: dict[str, float], seconds: float) -> None:
    """After a minute, or at the end of the operation, the refusal is the error."""
    waiting = Waiting(ready_after=10_000, timeout=timeout)
    start = waiting.clock.time
    with pytest.raises(Conflict):
        waiting.run(lambda *_: "waiting", **options)
    assert seconds * 0.7 < waiting.clock.time - start <= seconds


def test_other_refusal_is_raised_at_once() -> None:
    """A refusal that no other resource ends is raised without a second request."""
    waiting = Waiting(ready_after=20)
    with pytest.raises(Conflict):
        waiting.run(lambda error, _: "waiting" if isinstance(error, BadRequest) else None)
    assert (waiting.sent, waiting.lines) == (1, [])


def test_request_is_repeated_at_once() -> None:
    """After the caller has ended the reason, the request is repeated without a pause."""
    waiting = Waiting(ready_after=20)
    start = waiting.clock.time

    def end(*_: object) -> str:
        waiting.ready_at = start
        return ""

    assert waiting.run(end) == "done"
    assert (waiting.sent, waiting.lines, waiting.clock.time) == (2, [], start)


def test_request_is_repeated_at_once_until_the_limit() -> None:
    """A reason that the caller ends takes no pause, so that even just before the limit the request is repeated."""
    waiting = Waiting(ready_after=20, timeout=100)
    start = waiting.clock.time

    def end(_: object, age: float) -> str:
        if age < 1:
            waiting.clock.time = start + 59.99
            waiting.ready_at = start + 100
        else:
            waiting.ready_at = start
        return ""

    assert waiting.run(end) == "done"
    assert waiting.sent == 3
