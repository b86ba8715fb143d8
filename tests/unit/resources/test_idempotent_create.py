"""How long `create_or_find` searches for an object after a lost response, and whether it sends the request again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.resources.idempotent_create import create_or_find
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
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

    def create(self) -> RemoteObject:
        """Handle a create request."""
        self.requests += 1
        if self.requests == 1:
            raise self._failure
        return {"id": f"slow-{self.requests}-{id(self)}"}

    def list(self) -> list[RemoteObject]:
        """List the objects."""
        return [{"id": f"slow-1-{id(self)}"}] if self.clock.now() >= self._ready else []

    def create_or_find(self, timeout: float) -> RemoteObject:
        """Call `create_or_find` in an operation with this timeout."""
        clients = SimpleNamespace(deadline=Deadline(self.clock, timeout))
        context = SimpleNamespace(report_status=lambda _: None, cloud=clients)
        return create_or_find(
            cast("Context", context), cast("ServiceClient", cast("Any", self)), self.create, self.list
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
