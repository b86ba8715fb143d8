"""Changes of the attachments of a suspended or shelved server, which runs for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic import run
from ecs_pulumi.resources import activation
from ecs_pulumi.resources.activation import while_active
from ecs_pulumi.resources.server import actions
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

REFUSED = errors.Conflict(409, "Cannot 'attach_volume' instance s while it is in vm_state suspended")


@dataclass(frozen=True)
class Clients:
    """The clients of an operation."""

    region: Any
    deadline: Deadline


@dataclass
class Cloud:
    """A cloud with one server, which refuses attachments unless it is active.

    Attributes:
        server: The server; None if it does not exist.
        power: The requested power states, with the seconds that their operations have left.
        messages: The notices and warnings.
    """

    server: dict[str, Any] | None
    power: list[tuple[str, float]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    failure: errors.EcsError | None = None

    def context(self) -> Context:
        """Return an operation with little time."""
        region = SimpleNamespace(servers=SimpleNamespace(get=lambda _: self.server))
        clients = Clients(region, Deadline(self.clock, 10))
        messages = self.messages.append
        return cast("Context", SimpleNamespace(cloud=clients, notify=messages, warn=messages))

    def set_power_state(self, context: Context, remote: dict[str, Any], target: str) -> None:
        """Change the status of the server."""
        assert remote is self.server
        self.power.append((target, context.cloud.deadline.left()))
        if self.failure:
            raise self.failure
        remote["status"] = {"active": "ACTIVE", "suspended": "SUSPENDED"}[target]

    def attach(self) -> str:
        """Attach a volume."""
        if self.server and self.server["status"] != "ACTIVE":
            raise REFUSED
        return "attached"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud with a suspended server."""
    created = Cloud({"id": "s", "status": "SUSPENDED"})
    monkeypatch.setattr(actions, "set_power_state", created.set_power_state)
    monkeypatch.setattr(activation, "_activations", {})
    monkeypatch.setattr(run, "replaces", lambda *_: False)
    return created


NOTICE = "the server s is SUSPENDED: it runs for this change and is SUSPENDED again afterwards"


@pytest.mark.parametrize("refusal", [REFUSED, errors.BadRequest(400, "the server is shelved")])
def test_server_runs_for_a_change_that_it_refuses(cloud: Cloud, refusal: errors.ApiError) -> None:
    """Afterwards it is suspended again, for which there is time, whatever the timeout of the attachment is."""
    refusals = [refusal]

    def attach() -> str:
        if refusals:
            raise refusals.pop()
        cloud.clock.time += 20
        return cloud.attach()

    assert while_active(cloud.context(), "s", attach) == "attached"
    assert cloud.power == [("active", 10.0), ("suspended", 1800.0)]
    assert cloud.messages == [NOTICE]


@pytest.mark.parametrize(
    ("server", "error"),
    [
        ({"id": "s", "status": "ACTIVE"}, REFUSED),
        (None, REFUSED),
        ({"id": "s", "status": "SUSPENDED"}, errors.NotFound(404, "no such volume")),
    ],
)
def test_other_refusals_are_errors(cloud: Cloud, server: dict[str, Any] | None, error: errors.ApiError) -> None:
    """A server that runs, or does not exist, refuses the change for another reason."""
    cloud.server = server

    def attach() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        while_active(cloud.context(), "s", attach)
    assert caught.value is error
    assert cloud.power == []


def test_server_runs_until_the_last_change_has_ended(cloud: Cloud) -> None:
    """Concurrent changes of one server share its activation; those of another server do not."""

    def attach_another() -> str:
        if not cloud.power:
            raise REFUSED
        assert while_active(cloud.context(), "s", cloud.attach) == "attached"
        assert while_active(cloud.context(), "other", lambda: "other") == "other"
        assert [target for target, _ in cloud.power] == ["active"]
        return "both"

    assert while_active(cloud.context(), "s", attach_another) == "both"
    assert [target for target, _ in cloud.power] == ["active", "suspended"]
    # The next change starts anew.
    assert while_active(cloud.context(), "s", cloud.attach) == "attached"
    assert [target for target, _ in cloud.power] == ["active", "suspended"] * 2


def test_server_that_cannot_run_is_an_error_of_all_waiting_changes(cloud: Cloud) -> None:
    """The server is not started once for each of them, and the next run of changes tries again."""
    cloud.failure = errors.OperationFailed("no valid host", "ask for more")

    def attach() -> str:
        if len(cloud.power) == 0:
            with pytest.raises(errors.OperationFailed):
                while_active(cloud.context(), "s", cloud.attach)
        return cloud.attach()

    what = "the server s is SUSPENDED, and has to run for this change: no valid host"
    with pytest.raises(errors.OperationFailed, match=what):
        while_active(cloud.context(), "s", attach)
    assert [target for target, _ in cloud.power] == ["active"]
    cloud.failure = None
    assert while_active(cloud.context(), "s", cloud.attach) == "attached"


def test_server_that_cannot_be_suspended_again_is_a_warning(cloud: Cloud) -> None:
    """The change itself succeeded."""

    def attach() -> str:
        result = cloud.attach()
        cloud.failure = errors.OperationFailed("the host is busy", "wait")
        return result

    assert while_active(cloud.context(), "s", attach) == "attached"
    assert cloud.messages[1:] == [
        "the server s is still active, setting its power_state to suspended failed: the host is busy: wait"
    ]


@pytest.mark.parametrize("is_replaced", [True, False])
def test_server_that_ends_is_not_suspended_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *, is_replaced: bool
) -> None:
    """A server that the run replaces, or that does not exist any more, stays as it is."""
    monkeypatch.setattr(run, "replaces", lambda _urn, kind, id_: is_replaced and (kind, id_) == ("Server", "s"))

    def detach() -> str:
        cloud.attach()
        cloud.server = cloud.server if is_replaced else None
        return "detached"

    assert while_active(cloud.context(), "s", detach) == "detached"
    assert [target for target, _ in cloud.power] == ["active"]
