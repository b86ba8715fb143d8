"""How long the deletion of an object that is in use is repeated, and which users it releases."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.resources.deletion import User, delete_when_unused
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.resources.clients import Context

MINUTES = 60.0


@pytest.fixture
def clock() -> FakeClock:
    """The clock of the operation."""
    return FakeClock()


@pytest.fixture
def delete(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Delete an object until its users are gone; return the status lines."""

    def run_delete(users: list[User], custom_timeout: float | None, **options: Any) -> list[str]:
        lines: list[str] = []
        request = rpc_bridge.RequestContext(timeout=custom_timeout)
        monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
        deadline = Deadline(clock, custom_timeout or 10 * MINUTES)
        clients = SimpleNamespace(connection=SimpleNamespace(clock=clock), deadline=deadline)
        context = SimpleNamespace(cloud=clients, report_status=lines.append)

        def send() -> None:
            if users:
                raise errors.Conflict(409, "in use")

        def list_users() -> list[User]:
            lines.append("users read")
            return [] if options.get("are_hidden") else list(users)

        seconds = {name: value for name, value in options.items() if name == "seconds"}
        delete_when_unused(
            cast("Context", context), send, list_users, name_users=bool(options.get("name_users", True)), **seconds
        )
        return [line for line in lines if line != "users read" or options.get("shows_reads")]

    return run_delete


@pytest.mark.parametrize(
    ("custom_timeout", "options", "seconds"),
    [(None, {}, 60), (2 * MINUTES, {}, 120), (20, {}, 20), (None, {"seconds": 90}, 90)],
)
def test_delete_of_a_used_object_is_repeated_until_the_timeout(
    clock: FakeClock,
    delete: Callable[..., list[str]],
    custom_timeout: float | None,
    options: dict[str, float],
    seconds: float,
) -> None:
    """A delete waits for a minute, or for as long as `custom_timeouts` allow; then its error names the users."""
    start = clock.now()
    with pytest.raises(errors.OperationFailed, match="still in use by the port p: in use"):
        delete([User("the port p", [], list)], custom_timeout, **options)
    assert seconds - 6 < clock.now() - start <= seconds


def test_users_that_the_run_deletes_as_well_are_released(
    clock: FakeClock, delete: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few seconds, in which they may be deleted by themselves, an object is released from its users."""
    monkeypatch.setattr(run, "also_deletes", lambda _, kind, id_, **__: (kind, id_) == ("Port", "p"))
    users: list[User] = []
    users.append(User("the port p", [("Server", "s"), ("Port", "p")], users.clear))
    start = clock.now()
    assert "releasing the port p, which this run deletes as well" in delete(users, None)
    assert 5 < clock.now() - start < 12


def test_users_are_read_late(clock: FakeClock, delete: Callable[..., list[str]]) -> None:
    """In the first seconds each repetition is one request, unless the status line names the users from the start."""
    user = User("the port p", [], list)
    users = [user]
    ends = clock.now() + 4

    class Clearing(list[User]):
        """Users that disappear after a while."""

        def __bool__(self) -> bool:
            return clock.now() < ends

    lines = delete(Clearing(users), None, name_users=False, shows_reads=True)
    assert set(lines) == {"waiting until it is no longer in use"}
    for later, names_users in ((10, False), (4, True)):
        ends = clock.now() + later
        lines = delete(Clearing(users), None, name_users=names_users, shows_reads=True)
        assert lines[-2:] == ["users read", "waiting until it is no longer in use by the port p"]


def test_user_that_refuses_its_release_is_asked_again(
    delete: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose own delete begins at this moment refuses to detach, and no longer uses the object soon after."""
    monkeypatch.setattr(run, "also_deletes", lambda *_: True)
    users: list[User] = []
    refusals = [errors.Conflict(409, "task_state deleting")] * 2

    def release() -> None:
        if refusals:
            raise refusals.pop()
        users.clear()

    users.append(User("the port p", [("Server", "s")], release))
    assert delete(users, None).count("releasing the port p, which this run deletes as well") == 3
    assert users == []


def test_user_that_is_being_deleted_is_not_released(
    delete: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends by itself."""
    monkeypatch.setattr(run, "also_deletes", lambda *_: True)
    monkeypatch.setattr(run, "is_deleting", lambda kind, id_: (kind, id_) == ("Server", "s"))
    users: list[User] = []
    users.append(User("the port p", [("Server", "s"), ("Port", "p")], users.clear))
    with pytest.raises(errors.OperationFailed):
        delete(users, None)


def test_repetitions_begin_soon_and_slow_down(clock: FakeClock, delete: Callable[..., list[str]]) -> None:
    """The first repetition is within half a second; later there is one every five seconds."""
    with pytest.raises(errors.OperationFailed):
        delete([User("the port p", [], list)], 100)
    assert clock.slept == sorted(clock.slept)
    assert (clock.slept[0] < 0.5, clock.slept[-1]) == (True, 5.0)


def test_conflict_without_known_users_is_raised(delete: Callable[..., list[str]]) -> None:
    """If nothing is found that uses the object, the refusal of the API is the error."""
    with pytest.raises(errors.Conflict, match="in use"):
        delete([User("the port p", [], list)], 10, are_hidden=True)
