"""Which refusals of an association are repeated, for how long, and with which status line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.resources import association
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

IN_USE = errors.Conflict(409, "The port has a floating IP.", body_type="FloatingIPPortAlreadyAssociated")
NOT_CONNECTED = errors.NotFound(404, "External network ext is not reachable from subnet sub.", body_type="X")
NAMES = ("sub", "ext")


PORT = "p"


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """The floating IPs that are released from the port, with the revisions that were read."""
    sent: list[tuple[str, object]] = []

    def update(_api: object, kind: str, id_: str, changes: object, *, revision: object) -> None:
        assert (kind, changes) == ("floatingip", {"port_id": None})
        sent.append((id_, revision))
        if id_.isdigit():
            raise errors.ApiError(int(id_), "refused")

    monkeypatch.setattr(network, "update", update)
    monkeypatch.setattr(association, "_associated_by_stack", lambda _, id_: id_ != "foreign")
    declared = ObjectKey("FloatingIpAssociation", "eu", "declared")
    monkeypatch.setattr(
        OWNERSHIP, "other_owner", lambda *found: "urn:other" if found == (declared, "urn:own") else None
    )
    moves = {"moved": "q", "412": "q", "404": "q", "500": "q", "stays": PORT, "released": ""}
    monkeypatch.setattr(association, "_moves", moves)
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: rpc_bridge.RequestContext(urn="urn:own"))
    return sent


@pytest.mark.parametrize(
    ("holder", "with_removed", "is_released", "notices"),
    [
        ("moved", False, True, 0),
        ("released", False, True, 0),
        ("stays", False, False, 0),
        ("stays", True, True, 1),
        ("undeclared", False, False, 0),
        ("undeclared", True, True, 1),
        ("declared", True, False, 0),
        ("foreign", True, False, 0),
    ],
)
def test_port_is_released_from_what_the_run_takes_from_it(
    releases: list[tuple[str, object]], holder: str, notices: int, *, with_removed: bool, is_released: bool
) -> None:
    """A floating IP that the run moves is released at once, one that the program no longer declares after a while."""
    shown: list[str] = []
    region = SimpleNamespace(name="eu")
    context = SimpleNamespace(cloud=SimpleNamespace(region=region, network=None), notify=shown.append)
    found = [{"id": holder, "port_id": PORT, "floating_ip_address": "192.0.2.1", "revision_number": 3}]
    released = association._release_port(cast("Context", context), found, with_removed=with_removed)
    assert (released, releases, len(shown)) == (is_released, [(holder, 3)] if is_released else [], notices)
    assert all("released the port from 192.0.2.1, which this program does not declare" in line for line in shown)


def test_floating_ip_that_has_changed_meanwhile_is_not_released(releases: list[tuple[str, object]]) -> None:
    """Its own resource may have moved it, or deleted it; another refusal is an error."""
    region = SimpleNamespace(name="eu")
    context = cast("Context", SimpleNamespace(cloud=SimpleNamespace(region=region, network=None)))

    def holders(*ids: str) -> list[dict[str, str]]:
        return [{"id": id_, "port_id": PORT} for id_ in ids]

    assert not association._release_port(context, holders("412", "404"), with_removed=False)
    assert association._release_port(context, holders("412", "moved"), with_removed=False)
    assert [id_ for id_, _ in releases] == ["412", "404", "412", "moved"]
    with pytest.raises(errors.ApiError):
        association._release_port(context, holders("500"), with_removed=False)


class Cloud:
    """A cloud that refuses an association for some time.

    Args:
        error: The refusal.
        seconds: For how long.
    """

    def __init__(self, error: errors.ApiError, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        self.lines: list[str] = []
        self.requests = 0
        self.has_holder = False
        self._error = error
        self._ready = self.clock.time + seconds
        monkeypatch.setattr(association, "_update", self._update)
        monkeypatch.setattr(association, "_names", lambda *_: NAMES)
        monkeypatch.setattr(association, "_holders", lambda *_: [])
        monkeypatch.setattr(association, "_hint", lambda *_: "")
        monkeypatch.setattr(association, "_release_port", self._release)

    def associate(self, timeout: float = 600.0) -> Any:
        """Associate a floating IP in an operation with this timeout."""
        clients = SimpleNamespace(
            connection=SimpleNamespace(clock=self.clock), deadline=Deadline(self.clock, timeout), network=None
        )
        context = SimpleNamespace(cloud=clients, report_status=self.lines.append)
        return association.associate(cast("Context", context), "id", {"port_id": "p"})

    def _update(self, *_: object) -> dict[str, str]:
        self.requests += 1
        if self.clock.time < self._ready:
            raise self._error
        return {"id": "id"}

    def _release(self, *_: object, with_removed: bool) -> bool:
        if self.has_holder:
            self._ready = self.clock.time
        return self.has_holder


@pytest.mark.parametrize(
    "error", [errors.Conflict(409, "another reason", body_type="Other"), errors.NotFound(404, "no such port")]
)
def test_other_refusal_is_raised_at_once(error: errors.ApiError, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that no other resource of the run ends is not repeated."""
    cloud = Cloud(error, 10, monkeypatch)
    with pytest.raises(type(error)) as caught:
        cloud.associate()
    assert caught.value is error
    assert (cloud.requests, cloud.lines) == (1, [])
    assert not association.must_wait(error)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (IN_USE, "waiting until the port's other floating IP is released"),
        (NOT_CONNECTED, "waiting for a router between sub and ext"),
    ],
)
def test_refusal_that_another_resource_ends_is_repeated(
    error: errors.ApiError, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port in use and a missing router are waited for, with a status line."""
    cloud = Cloud(error, 10, monkeypatch)
    assert cloud.associate() == {"id": "id"}
    assert set(cloud.lines) == {line}
    assert association.must_wait(error)


def test_association_is_repeated_at_once_after_a_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the port was released from its other floating IP, the request is repeated without a pause."""
    cloud = Cloud(IN_USE, 10, monkeypatch)
    cloud.has_holder, start = True, cloud.clock.time
    cloud.associate()
    assert (cloud.clock.time, cloud.lines) == (start, [])


def test_router_is_awaited_until_the_timeout_of_the_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for a router lasts longer than a minute; then the error says what to do, in whole sentences."""
    assert Cloud(NOT_CONNECTED, 200, monkeypatch).associate() == {"id": "id"}
    with pytest.raises(errors.OperationFailed) as caught:
        Cloud(NOT_CONNECTED, 1000, monkeypatch).associate()
    assert str(caught.value) == (
        "no router connects the subnet sub to the external network ext: External network ext is not reachable from "
        "subnet sub. Connect them with a RouterInterface, or increase the timeout with custom_timeouts."
    )


def test_port_in_use_is_awaited_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards the refusal of the API is the error."""
    cloud = Cloud(IN_USE, 100, monkeypatch)
    start = cloud.clock.time
    with pytest.raises(errors.Conflict):
        cloud.associate()
    assert 50 < cloud.clock.time - start <= 60
