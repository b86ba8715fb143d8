"""Status lines and their rate limit."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.dynamic import rpc_bridge, run, status
from ecs_pulumi.dynamic.status import RateLimiter, StatusLine

if TYPE_CHECKING:
    from collections.abc import Callable

URN = "urn:pulumi:dev::demo::pulumi-python:dynamic/ecs:Server::web"


class Clock:
    """A clock that the test advances."""

    now = 100.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.now


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that the engine receives."""
    lines: list[str] = []
    monkeypatch.setattr(rpc_bridge, "log", lambda _urn, line, **_kind: lines.append(line))
    return lines


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], Clock]:
    """A function that sets the size of the burst, with one more line every ten seconds, and returns the clock."""

    def allowed(lines: int | None) -> Clock:
        clock = Clock()
        limiter = RateLimiter(lines, 10.0, clock)
        monkeypatch.setattr(status, "_rate_limiter", lambda: limiter)
        return clock

    return allowed


def test_status_lines_are_rate_limited(shown: list[str], allow: Callable[[int | None], Clock]) -> None:
    """All resources share a burst of two lines and then one line every ten seconds. A pause allows only one burst."""
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


def test_status_line_is_cleared_only_if_shown(shown: list[str], allow: Callable[[int | None], Clock]) -> None:
    """An empty text clears a line regardless of the limit. It is not sent for a resource without a line."""
    allow(1)
    first, second = StatusLine(URN), StatusLine(URN)
    first("BUILD")
    second("BUILD")
    first("")
    second("")
    assert shown == ["BUILD", ""]


def test_on_terminal_each_changed_line_is_shown(shown: list[str], allow: Callable[[int | None], Clock]) -> None:
    """On a terminal each changed text is shown, and an unchanged one is not sent again."""
    allow(None)
    line = StatusLine(URN)
    for number in range(50):
        line(f"BUILD, {number // 2} s")
    assert len(shown) == 25


def test_ci_variable_disables_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine process a terminal is assumed; with the variable `CI` it is not."""
    monkeypatch.delenv("CI", raising=False)
    assert status.on_a_terminal()
    monkeypatch.setenv("CI", "true")
    assert not status.on_a_terminal()


@pytest.mark.parametrize("drops", [True, False])
def test_imports_are_shown_without_limit(
    *, drops: bool, shown: list[str], allow: Callable[[int | None], Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each import has a status. A display that removes it at the end gets a message that lists all imports."""
    allow(0)
    monkeypatch.setattr(status, "_drops_statuses", lambda: drops)
    monkeypatch.setattr(status, "_import_listed", threading.Event())
    for number in (1, 2):
        status.report_import(f"{URN}-{number}", "Server", f"web-{number}", f"id-{number}")
    status.report_import(URN, "Server", "web", object())
    statuses = ["imports id-1 as web-1", "imports id-2 as web-2"]
    assert [line for line in shown if line.startswith("imports id")] == statuses
    message = "imports existing objects, shown as create: Server web-1, Server web-2"
    assert "".join(line for line in shown if line not in statuses) == (message if drops else "")


@pytest.mark.parametrize(
    ("engine", "is_terminal", "drops"),
    [
        ((1, ["preview"]), True, True),
        ((1, ["preview", "--diff"]), True, False),
        ((1, ["preview"]), False, False),
        ((None, []), True, False),
    ],
)
def test_terminal_drops_statuses(
    *, engine: tuple[int | None, list[str]], is_terminal: bool, drops: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table of a terminal removes the statuses at the end; a log file and a detailed diff keep them."""
    monkeypatch.setattr(run, "engine", lambda: engine)
    monkeypatch.setattr(status, "on_a_terminal", lambda: is_terminal)
    assert status._drops_statuses.__wrapped__() is drops
