"""How long `create_or_find` searches for an object after a lost response, and whether it sends the request again."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.resources import idempotent_create
from ecs_pulumi.resources.idempotent_create import create_or_find, has_description, is_younger, send_once
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

MINUTES = 60.0
STALL = errors.ResponseLost("no answer in time", is_timeout=True)
GATEWAY_TIMEOUT = errors.ServerError(504, "Gateway Timeout")
BROKEN = errors.ResponseLost("the connection broke")
BAD_GATEWAY = errors.ServerError(502, "Bad Gateway")


class SlowCloud:
    """A cloud that fails the first create request, but creates the object nevertheless, after a delay.

    Args:
        delay: Seconds until the object exists.
        failure: The error of the first request.
    """

    def __init__(self, delay: float, failure: errors.EcsError) -> None:
        self.clock = FakeClock()
        self._ready = self.clock.now() + delay
        self._failure = failure
        self.requests = 0
        self.lines: list[str] = []

    def create(self) -> RemoteObject:
        """Handle a create request."""
        self.requests += 1
        if self.requests == 1:
            raise self._failure
        return {"id": f"slow-{self.requests}-{id(self)}"}

    def list(self) -> list[RemoteObject]:
        """List the objects."""
        return [{"id": f"slow-1-{id(self)}"}] if self.clock.now() >= self._ready else []

    def create_or_find(self, timeout: float, **options: Any) -> RemoteObject:
        """Call `create_or_find` in an operation with this timeout."""
        clients = SimpleNamespace(deadline=Deadline(self.clock, timeout))
        context = SimpleNamespace(report_status=self.lines.append, cloud=clients)
        return create_or_find(
            cast("Context", context), cast("ServiceClient", cast("Any", self)), self.create, self.list, **options
        )


@pytest.mark.parametrize("failure", [STALL, GATEWAY_TIMEOUT])
def test_create_finds_object_that_appears_after_timeout(failure: errors.EcsError) -> None:
    """After a timeout the search lasts over a minute, because the service may still create the object."""
    cloud = SlowCloud(80.0, failure)
    assert cloud.create_or_find(timeout=10 * MINUTES)["id"] == f"slow-1-{id(cloud)}"
    assert cloud.requests == 1


@pytest.mark.parametrize("failure", [STALL, GATEWAY_TIMEOUT])
def test_create_is_not_sent_again_after_timeout(failure: errors.EcsError) -> None:
    """If the object was not found, the error says that it may still appear and that the next `up` finds it."""
    cloud = SlowCloud(10 * MINUTES, failure)
    with pytest.raises(errors.OperationFailed) as caught:
        cloud.create_or_find(timeout=10 * MINUTES)
    assert str(caught.value) == (
        f"{failure}: the object was not found yet, but it may still appear, so this run does not send the request "
        "again; the next `pulumi up` finds it"
    )
    assert cloud.requests == 1


@pytest.mark.parametrize("failure", [BROKEN, BAD_GATEWAY])
def test_create_is_sent_again_after_broken_connection(failure: errors.EcsError) -> None:
    """After a broken connection a short search is enough to show that the request did not take effect."""
    cloud = SlowCloud(10 * MINUTES, failure)
    assert cloud.create_or_find(timeout=10 * MINUTES)["id"] == f"slow-2-{id(cloud)}"
    assert cloud.requests == 2


@pytest.mark.parametrize(("failure", "timeout"), [(BROKEN, 10 * MINUTES), (STALL, MINUTES)])
def test_search_uses_at_most_half_of_timeout(failure: errors.EcsError, timeout: float) -> None:
    """After a broken connection the search is short, and no search uses more than half of the operation's timeout."""
    cloud = SlowCloud(10 * MINUTES, failure)
    start = cloud.clock.now()
    try:
        cloud.create_or_find(timeout=timeout)
    except errors.OperationFailed:
        assert failure is STALL
    assert cloud.clock.now() - start <= min(timeout / 2, MINUTES / 2)


def test_search_ignores_objects_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that this run created for another resource, or that is older than the request, is not the result."""
    cloud = SlowCloud(10 * MINUTES, BROKEN)
    monkeypatch.setattr(idempotent_create, "_created", {"of-another-resource"})
    listed = [
        {"id": "of-another-resource"},
        {"id": "older", "created_at": "1970-01-01T00:00:30Z"},
        {"id": "own", "created_at": "1970-01-01T00:16:30"},
    ]
    # The clock of the operation shows 1000 seconds; the clocks may differ by a minute.
    monkeypatch.setattr(cloud, "server_time", cloud.clock.now, raising=False)
    monkeypatch.setattr(cloud, "list", lambda: listed[:2])
    assert cloud.create_or_find(timeout=10 * MINUTES)["id"] == f"slow-2-{id(cloud)}"
    cloud.requests = 0
    monkeypatch.setattr(cloud, "list", lambda: listed)
    assert cloud.create_or_find(timeout=10 * MINUTES)["id"] == "own"


@pytest.mark.parametrize("own", [True, False, None])
def test_search_asks_whether_the_object_is_own(*, own: bool | None) -> None:
    """An object of another resource is not the result, and one that may be of another is named by the error."""
    cloud = SlowCloud(0.0, errors.ResponseLost("the connection broke."))
    if own is None:
        with pytest.raises(errors.OperationFailed) as caught:
            cloud.create_or_find(timeout=10 * MINUTES, is_own=lambda _: own)
        assert str(caught.value).startswith(f"the connection broke: the request may have created slow-1-{id(cloud)}, ")
    else:
        created = cloud.create_or_find(timeout=10 * MINUTES, is_own=lambda _: own)
        assert created["id"] == f"slow-{1 if own else 2}-{id(cloud)}"


@pytest.mark.parametrize(
    ("text", "remote", "expected"),
    [
        ("a", {"description": "a"}, True),
        ("a", {"description": "b"}, False),
        ("a", {"description": ""}, False),
        ("a", {}, True),
        ("", {"description": "b"}, True),
        (None, {"description": "b"}, True),
    ],
)
def test_objects_are_distinguished_by_their_description(text: str, remote: dict[str, str], *, expected: bool) -> None:
    """An object has the description of a request, as far as the request has one and the API returns one."""
    assert has_description(text)(remote) is expected


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process runs in another time zone than the cloud."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_east")
@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ({"created_at": "1970-01-01T00:15:30Z"}, True),
        ({"created_at": "1970-01-01T00:15:29Z"}, False),
        ({"created": "1970-01-01T00:15:29Z"}, False),
        ({"created_at": "1970-01-01T00:15:30"}, True),
        ({"created_at": "1970-01-01T00:15:29"}, False),
        ({"created_at": "1970-01-01T01:15:30+01:00"}, True),
        ({"created_at": "1970-01-01T01:15:29+01:00"}, False),
        ({"created_at": None}, True),
        ({}, True),
    ],
)
def test_age_of_an_object_is_by_the_clock_of_the_cloud(remote: dict[str, str], *, expected: bool) -> None:
    """The cloud's clock shows 1000 seconds, ten seconds after the moment; the clocks may differ by a minute."""
    api = cast("ServiceClient", SimpleNamespace(server_time=lambda: 1000.0, clock=SimpleNamespace(now=lambda: 70.0)))
    assert is_younger(api, remote, 60.0, 60.0) is expected


def test_failed_search_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the object cannot be searched for, the request is not sent again; the error says how to find it."""
    cloud = SlowCloud(0.0, BROKEN)

    def fail() -> None:
        raise errors.Forbidden(403, "not allowed")

    monkeypatch.setattr(cloud, "list", fail)
    with pytest.raises(errors.OperationFailed) as caught:
        cloud.create_or_find(timeout=10 * MINUTES)
    assert str(caught.value).startswith("the object may have been created: the connection broke The search for it fail")
    assert str(caught.value).endswith("Run `ecs-pulumi orphans` to find it.")
    assert (cloud.requests, cloud.lines) == (1, ["response lost; searching for the object"])


def failing(*failures: errors.EcsError) -> tuple[Callable[[], str], list[str]]:
    """Return a request that fails with these errors before it succeeds, and the list of its attempts."""
    remaining, attempts = list(failures), list[str]()

    def send() -> str:
        attempts.append("sent")
        if remaining:
            raise remaining.pop(0)
        return "done"

    return send, attempts


INTERNAL = errors.ServerError(500, "Internal Server Error")
REFUSED = errors.Conflict(409, "it exists")


@pytest.mark.parametrize("failure", [BROKEN, BAD_GATEWAY, STALL, GATEWAY_TIMEOUT])
def test_request_without_duplicates_is_sent_again(failure: errors.EcsError) -> None:
    """A request that can take effect only once is repeated also after a timeout."""
    send, attempts = failing(failure)
    assert send_once(send, lambda _: None) == "done"
    assert len(attempts) == 2


@pytest.mark.parametrize(
    ("failure", "sent"), [(INTERNAL, 1), (REFUSED, 1), (errors.BadRequest(400, "invalid"), 1), (BROKEN, 3)]
)
def test_failure_is_raised_after_the_last_attempt(failure: errors.EcsError, sent: int) -> None:
    """A lost response is repeated twice; an error of the service itself and a refusal are raised at once."""
    send, attempts = failing(*[failure] * 5)
    with pytest.raises(type(failure)) as caught:
        send_once(send, lambda _: None, errors.Conflict)
    assert caught.value is failure
    assert len(attempts) == sent


@pytest.mark.parametrize("failure", [INTERNAL, REFUSED, BROKEN, STALL])
def test_effect_of_the_request_is_its_result(failure: errors.EcsError) -> None:
    """If the search finds the effect of the request, it is not sent again."""
    send, attempts = failing(failure)
    assert send_once(send, lambda _: "found", errors.Conflict) == "found"
    assert len(attempts) == 1


def test_error_after_a_timeout_is_one_sentence() -> None:
    """The period of the API's message is not followed by more of the sentence."""
    send, _ = failing(errors.ResponseLost("no answer in time.", is_timeout=True))
    with pytest.raises(errors.OperationFailed, match=r"^no answer in time: the object was not found yet"):
        send_once(send, lambda _: None, duplicates=True)
