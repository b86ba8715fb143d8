"""How long an object is looked for whose create request brought no answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.waiting import Deadline
from ecs_pulumi.resources.once import create_once
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from ecs_pulumi.cloud.api import Api
    from ecs_pulumi.resources.common import Live, Op

MINUTES = 60.0


class SlowCloud:
    """Takes a create request, answers too late, and has made the object some seconds after that.

    Args:
        takes: Those seconds.
        late: Whether the client gave up waiting; otherwise the connection broke.
    """

    def __init__(self, takes: float, *, late: bool) -> None:
        self.clock = FakeClock()
        self._ready = self.clock.now() + takes
        self._late = late
        self.asked = 0

    def create(self) -> Live:
        """Be asked for the object."""
        self.asked += 1
        if self.asked == 1:
            raise errors.AnswerLost("no answer in time", late=self._late)
        return {"id": f"slow-{self.asked}"}

    def list(self) -> list[Live]:
        """Tell what there is."""
        return [{"id": f"slow-1-{id(self)}"}] if self.clock.now() >= self._ready else []

    def created(self, within: float) -> Live:
        """Create the object in an operation that may take that long."""
        op = SimpleNamespace(say=lambda _: None, cloud=SimpleNamespace(deadline=Deadline(self.clock, within)))
        return create_once(cast("Op", op), cast("Api", cast("Any", self)), self.create, self.list)


def test_what_a_slow_service_still_makes_is_waited_for() -> None:
    """A service that did not answer in time may be at work for another minute: it is not asked twice meanwhile."""
    cloud = SlowCloud(takes=80.0, late=True)
    cloud.created(within=10 * MINUTES)
    assert cloud.asked == 1


@pytest.mark.parametrize(("late", "within"), [(False, 10 * MINUTES), (True, MINUTES)])
def test_the_search_leaves_time_for_the_rest(late: bool, within: float) -> None:  # noqa: FBT001
    """A connection that broke is a short search, and no search uses up more than half of the operation's time."""
    cloud = SlowCloud(takes=10 * MINUTES, late=late)
    began = cloud.clock.now()
    cloud.created(within=within)
    assert cloud.asked == 2
    assert cloud.clock.now() - began <= min(within / 2, MINUTES / 2)
