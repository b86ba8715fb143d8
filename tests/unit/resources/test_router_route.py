"""How a route is added and removed, also where the cloud only replaces all routes of a router."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors, network, routers
from ecs_pulumi.cloud.own_writes import OwnWrites
from ecs_pulumi.resources import router_route
from ecs_pulumi.resources.router_route import change_route
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

Route = dict[str, str]
ROUTE = {"destination": "10.1.0.0/24", "nexthop": "10.0.0.9"}
OTHER = {"destination": "10.2.0.0/24", "nexthop": "10.0.0.9"}
CHANGED = errors.ApiError(412, "The router has changed.")
NOT_OFFERED = errors.NotFound(404, "The resource could not be found.")


class Cloud:
    """A cloud with one router.

    Attributes:
        routes: Its routes.
        sent: The requests that change something.
        atomic: The error of requests for single routes; None if the cloud takes them.
        errors: The errors of the next requests for all routes.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.routes: list[Route] = []
        self.sent: list[Any] = []
        self.reads = 0
        self.exists = True
        self.atomic: errors.ApiError | None = None
        self.errors: list[errors.ApiError] = []
        self.lines: list[str] = []
        self.clock = FakeClock()
        writes = OwnWrites(self.clock)
        self.clock.time += 60
        clients = SimpleNamespace(
            network=None, region=None, writes=writes, connection=SimpleNamespace(clock=self.clock)
        )
        self.context = cast("Context", SimpleNamespace(cloud=clients, report_status=self.lines.append))
        known = router_route._Routers(cast("Any", None))
        monkeypatch.setattr(router_route, "_routers", lambda _: known)
        monkeypatch.setattr(routers, "change_routes", self._change)
        monkeypatch.setattr(routers, "replace_routes", self._replace)
        monkeypatch.setattr(network, "get", self._get)

    def change(self, verb: Any) -> None:
        """Add or remove the route."""
        change_route(self.context, {"router_id": "r", **ROUTE}, verb)

    def _get(self, _api: object, kind: str, id_: str) -> dict[str, Any]:
        assert (kind, id_) == ("router", "r")
        self.reads += 1
        if not self.exists:
            raise errors.NotFound(404, "no router r")
        return {"id": "r", "routes": list(self.routes), "revision_number": 1}

    def _change(self, _api: object, id_: str, verb: str, routes: list[Route]) -> None:
        assert id_ == "r"
        self.sent.append((verb, routes))
        if self.atomic:
            raise self.atomic

    def _replace(self, _api: object, router: dict[str, Any], routes: list[Route]) -> dict[str, Any]:
        self.sent.append(routes)
        if self.errors:
            raise self.errors.pop(0)
        self.routes = routes
        return {**router, "routes": routes}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud with a router."""
    return Cloud(monkeypatch)


@pytest.mark.parametrize("verb", ["add", "remove"])
def test_single_request(cloud: Cloud, verb: str) -> None:
    """A cloud that changes single routes needs one request and no read."""
    cloud.change(verb)
    assert (cloud.sent, cloud.reads) == ([(verb, [ROUTE])], 0)


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize(
    ("verb", "present", "left"),
    [("add", [OTHER], [OTHER, ROUTE]), ("remove", [OTHER, ROUTE], [OTHER])],
)
def test_cloud_that_replaces_all_routes(
    cloud: Cloud, verb: str, present: list[Route], left: list[Route], status: int
) -> None:
    """The other routes stay, and the request for a single route is not sent again."""
    cloud.atomic, cloud.routes = errors.ApiError(status, "not offered"), present
    cloud.change(verb)
    assert cloud.routes == left
    assert cloud.sent == [(verb, [ROUTE]), left]
    # It has or lacks the route already: nothing is sent.
    cloud.change(verb)
    assert cloud.sent[2:] == []


def test_other_refusal_of_a_single_route(cloud: Cloud) -> None:
    """It does not show that the cloud lacks the request."""
    cloud.atomic = errors.BadRequest(400, "Invalid nexthop.")
    with pytest.raises(errors.BadRequest):
        cloud.change("add")
    assert len(cloud.sent) == 1


def test_router_that_does_not_exist(cloud: Cloud) -> None:
    """Its 404 does not show that the cloud lacks the request, either."""
    cloud.atomic, cloud.exists = NOT_OFFERED, False
    with pytest.raises(errors.NotFound, match="no router r"):
        cloud.change("add")
    cloud.atomic, cloud.exists = None, True
    cloud.change("add")
    assert cloud.sent == [("add", [ROUTE])] * 2


def test_router_that_another_program_changes(cloud: Cloud) -> None:
    """It is read again, so that the other change is kept; a status line says why."""
    cloud.atomic, cloud.errors = NOT_OFFERED, [CHANGED, CHANGED]
    cloud.change("add")
    assert cloud.sent[1:] == [[ROUTE]] * 3
    assert cloud.lines == ["another program changed the router; reading it again"] * 2


def test_router_that_always_changes(cloud: Cloud) -> None:
    """After twenty changes elsewhere, the refusal is the error."""
    cloud.atomic, cloud.errors = NOT_OFFERED, [CHANGED] * 30
    with pytest.raises(errors.ApiError) as caught:
        cloud.change("add")
    assert caught.value is CHANGED
    assert len(cloud.sent) == 1 + 20


def test_other_refusal_of_all_routes(cloud: Cloud) -> None:
    """Only a router that has changed meanwhile is read again."""
    cloud.atomic, cloud.errors = NOT_OFFERED, [errors.BadRequest(400, "Invalid nexthop.")]
    with pytest.raises(errors.BadRequest):
        cloud.change("add")
    assert (len(cloud.sent), cloud.lines) == (2, [])
