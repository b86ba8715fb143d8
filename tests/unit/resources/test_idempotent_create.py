"""How long an object is looked for whose create request brought no answer, and whether it is asked for again."""

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
    from ecs_pulumi.resources.common import Context, RemoteObject

MINUTES = 60.0
STALL = errors.ResponseLost("no answer in time", is_timeout=True)
GATEWAY_TIMEOUT = errors.ServerError(504, "Gateway Timeout")
BROKEN = errors.ResponseLost("the connection broke")
BAD_GATEWAY = errors.ServerError(502, "Bad Gateway")


class SlowCloud:
    """Takes a create request, loses the response, and has made the object some seconds after that.

    Args:
        takes: Those seconds.
        failure: What the client gets for the first request.
    """

    def __init__(self, takes: float, failure: errors.EcsError) -> None:
        self.clock = FakeClock()
        self._ready = self.clock.now() + takes
        self._failure = failure
        self.asked = 0

    def create(self) -> RemoteObject:
        """Be asked for the object."""
        self.asked += 1
        if self.asked == 1:
            raise self._failure
        return {"id": f"slow-{self.asked}-{id(self)}"}

    def list(self) -> list[RemoteObject]:
        """Tell what there is."""
        return [{"id": f"slow-1-{id(self)}"}] if self.clock.now() >= self._ready else []

    def created(self, within: float) -> RemoteObject:
        """Create the object in an operation that may take that long."""
        op = SimpleNamespace(report_status=lambda _: None, cloud=SimpleNamespace(deadline=Deadline(self.clock, within)))
        return create_or_find(cast("Context", op), cast("ServiceClient", cast("Any", self)), self.create, self.list)


@pytest.mark.parametrize("failure", [STALL, GATEWAY_TIMEOUT])
def test_what_a_slow_service_still_makes_is_waited_for(failure: errors.EcsError) -> None:
    """A service that did not answer in time may be at work for another minute: it is not asked twice meanwhile."""
    cloud = SlowCloud(80.0, failure)
    assert cloud.created(within=10 * MINUTES)["id"] == f"slow-1-{id(cloud)}"
    assert cloud.asked == 1


@pytest.mark.parametrize("failure", [STALL, GATEWAY_TIMEOUT])
def test_create_is_not_sent_again_after_a_timeout(failure: errors.EcsError) -> None:
    """Where nothing was found, the object may still appear: the failure says so, and what finds it then."""
    cloud = SlowCloud(10 * MINUTES, failure)
    with pytest.raises(errors.OperationFailed) as caught:
        cloud.created(within=10 * MINUTES)
    assert str(caught.value) == (
        f"{failure}: nothing was found yet, but it may still appear, so this run does not ask for it again; "
        "the next `pulumi up` finds it"
    )
    assert cloud.asked == 1


@pytest.mark.parametrize("failure", [BROKEN, BAD_GATEWAY])
def test_create_is_sent_again_after_a_broken_connection(failure: errors.EcsError) -> None:
    """It broke a moment after the request went out, so that a short search shows what came of it."""
    cloud = SlowCloud(10 * MINUTES, failure)
    assert cloud.created(within=10 * MINUTES)["id"] == f"slow-2-{id(cloud)}"
    assert cloud.asked == 2


@pytest.mark.parametrize(("failure", "within"), [(BROKEN, 10 * MINUTES), (STALL, MINUTES)])
def test_the_search_leaves_time_for_the_rest(failure: errors.EcsError, within: float) -> None:
    """A connection that broke is a short search, and no search uses up more than half of the operation's time."""
    cloud = SlowCloud(10 * MINUTES, failure)
    began = cloud.clock.now()
    try:
        cloud.created(within=within)
    except errors.OperationFailed:
        assert failure is STALL
    assert cloud.clock.now() - began <= min(within / 2, MINUTES / 2)
