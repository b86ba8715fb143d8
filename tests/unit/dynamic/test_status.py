"""How much of what is waited for is shown where lines stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.dynamic import rpc_bridge, status
from ecs_pulumi.dynamic.status import RateLimiter, StatusLine

if TYPE_CHECKING:
    from collections.abc import Callable

URN = "urn:pulumi:dev::demo::pulumi-python:dynamic/ecs:Server::web"


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        """What it says."""
        return self.now


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the engine."""
    lines: list[str] = []
    monkeypatch.setattr(rpc_bridge, "log", lambda _urn, line, **_kind: lines.append(line))
    return lines


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], Clock]:
    """Allow so many lines, and one more every ten seconds of the clock that comes back."""

    def allowed(lines: int | None) -> Clock:
        clock = Clock()
        allowance = RateLimiter(lines, 10.0, clock)
        monkeypatch.setattr(status, "_allowance", lambda: allowance)
        return clock

    return allowed


def test_where_lines_stay_a_few_are_shown_and_then_one_now_and_then(
    shown: list[str], allow: Callable[[int | None], Clock]
) -> None:
    """However many resources wait: two at once here, then one every ten seconds, and no more after a long silence."""
    clock = allow(2)
    for server in range(5):
        StatusLine(f"{URN}-{server}")("BUILD")
    assert len(shown) == 2
    clock.now += 9
    StatusLine(URN)("BUILD: spawning, 9 s")
    assert len(shown) == 2
    clock.now += 1
    StatusLine(URN)("BUILD: spawning, 10 s")
    assert shown[2:] == ["BUILD: spawning, 10 s"]
    clock.now += 1000
    for server in range(5):
        StatusLine(f"{URN}-{server}")("BUILD")
    assert len(shown) == 5


def test_what_was_shown_is_taken_away_and_nothing_else(shown: list[str], allow: Callable[[int | None], Clock]) -> None:
    """A resource that is done clears its line, whatever is allowed; one that never had a line sends nothing."""
    allow(1)
    first, second = StatusLine(URN), StatusLine(URN)
    first("BUILD")
    second("BUILD")
    first("")
    second("")
    assert shown == ["BUILD", ""]


def test_on_a_terminal_everything_is_shown_once(shown: list[str], allow: Callable[[int | None], Clock]) -> None:
    """Each change, and nothing twice in a row."""
    allow(None)
    line = StatusLine(URN)
    for number in range(50):
        line(f"BUILD, {number // 2} s")
    assert len(shown) == 25


def test_in_a_pipeline_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine is not found it counts as one; the variable CI says that nobody watches."""
    monkeypatch.delenv("CI", raising=False)
    assert status.on_a_terminal()
    monkeypatch.setenv("CI", "true")
    assert not status.on_a_terminal()
