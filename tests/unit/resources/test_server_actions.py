"""Actions of a server and its deletion: which requests are sent, and when they count as done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.cloud.own_writes import OwnWrites
from ecs_pulumi.cloud.polling import Deadline, Poller, PollResult
from ecs_pulumi.resources.server import actions, first_nic
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecs_pulumi.resources.clients import Context

Document = dict[str, Any]


def server(status: str = "ACTIVE", task: str | None = None) -> Document:
    """Return a server as Nova shows it."""
    return {"id": "s", "status": status, "OS-EXT-STS:task_state": task}


class Cloud:
    """A cloud that shows a server in these states, one poll after the other.

    Args:
        states: The states; None if the server does not exist.
    """

    def __init__(self, states: Sequence[Document | None]) -> None:
        self.clock = FakeClock()
        # Reads show all that this process has written.
        self.writes = OwnWrites(self.clock)
        self.clock.time += 60
        self.notices: list[str] = []
        self.polls = list(states)
        self.facts: set[object] = set()
        self.deletes_ports_with_nics = False
        self.look_up = False
        """Whether looking up the server takes the next state, as a poll does."""

    @property
    def context(self) -> Context:
        """An operation on this cloud."""
        differences = SimpleNamespace(
            deletes_ports_with_nics=self.deletes_ports_with_nics,
            knows=lambda *fact: fact in self.facts,
            note=lambda *fact: self.facts.add(fact),
        )
        poller = Poller(lambda _ids, _fresh: PollResult({"s": self.polls.pop(0)}), self.clock)
        region = SimpleNamespace(
            servers=SimpleNamespace(poller=poller, get=lambda _: self.polls.pop(0) if self.look_up else self.polls[0]),
            differences=differences,
        )
        clients = SimpleNamespace(compute=None, region=region, deadline=Deadline(self.clock, 600), writes=self.writes)
        return cast("Context", SimpleNamespace(cloud=clients, report_status=lambda _: None, notify=self.notices.append))


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each delete request was a forced one."""
    sent: list[bool] = []

    def delete(_api: object, _id: str, *, force: bool = False) -> None:
        sent.append(force)

    monkeypatch.setattr(compute, "delete_server", delete)
    monkeypatch.setattr(compute, "fault_of", lambda _: "")
    monkeypatch.setattr(compute, "last_failed_action", lambda _api, id_, of: f"{of} of {id_} failed")
    return sent


DELETING = server(task="deleting")


@pytest.mark.parametrize(
    ("states", "is_forced", "sent", "deferred"),
    [
        ([DELETING, None], False, [], False),
        ([None], True, [], False),
        ([server("ERROR"), DELETING, None], False, [], False),
        ([server(), DELETING, server("SOFT_DELETED")], False, [], True),
        ([DELETING, server("SOFT_DELETED"), None], True, [], False),
        ([server(), DELETING, None], True, [False], False),
        ([server(), server("SOFT_DELETED")], True, [False], True),
    ],
    ids=["plain", "gone at once", "failed before", "deferred", "forced", "refusal hidden by a proxy", "then deferred"],
)
def test_wait_until_server_is_gone(
    requests: list[bool], states: list[Document | None], sent: list[bool], *, is_forced: bool, deferred: bool
) -> None:
    """A forced deletion that never starts is repeated without force. A deferred deletion is done, with a notice."""
    cloud = Cloud(states)
    actions._await_gone(cloud.context, "s", is_forced=is_forced)
    assert (cloud.polls, requests) == ([], sent)
    assert [notice.startswith("the cloud deferred the deletion of the server s") for notice in cloud.notices] == (
        [True] if deferred else []
    )


def test_failed_deletion_is_an_error(requests: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion that began and ends in ERROR has failed. The reason is the fault of the server, or its last action."""
    with pytest.raises(errors.OperationFailed, match="server s could not be deleted: delete of s failed"):
        actions._await_gone(Cloud([DELETING, server("ERROR")]).context, "s", is_forced=False)
    monkeypatch.setattr(compute, "fault_of", lambda _: "disk is busy")
    with pytest.raises(errors.OperationFailed, match="server s could not be deleted: disk is busy"):
        actions._await_gone(Cloud([DELETING, server("ERROR")]).context, "s", is_forced=False)
    # A read may be out of date.
    unsettled = Cloud([DELETING, server("ERROR"), None])
    unsettled.writes.touch("s")
    actions._await_gone(unsettled.context, "s", is_forced=False)
    # The task still runs.
    actions._await_gone(Cloud([DELETING, server("ERROR", "deleting"), None]).context, "s", is_forced=False)
    assert requests == []


@pytest.mark.parametrize(
    ("error", "is_unknown"),
    [
        (errors.Forbidden(403, "not allowed"), False),
        (errors.NotFound(404, "not yet"), False),
        (errors.BadRequest(400, "There is no such action: forceDelete"), True),
    ],
)
def test_refused_forced_deletion_is_repeated_without_force(
    monkeypatch: pytest.MonkeyPatch, error: errors.ApiError, *, is_unknown: bool
) -> None:
    """The result says that the deletion is not forced; a cloud without the action does not get it again."""
    sent: list[bool] = []

    def delete(_api: object, _id: str, *, force: bool = False) -> None:
        sent.append(force)
        if force:
            raise error

    monkeypatch.setattr(compute, "delete_server", delete)
    cloud = Cloud([])
    context = cloud.context
    assert not actions._request_deletion(context, "s", force=True)
    assert sent == [True, False]
    assert cloud.facts == ({(Fact.NO_ACTION, "forceDelete")} if is_unknown else set())
    assert not actions._request_deletion(context, "s", force=True)
    assert sent[2:] == ([False] if is_unknown else [True, False])


def test_refused_deletion_without_force_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no other request to try."""
    sent: list[bool] = []

    def delete(_api: object, _id: str, *, force: bool) -> None:
        sent.append(force)
        raise errors.Forbidden(403, "not allowed")

    monkeypatch.setattr(compute, "delete_server", delete)
    with pytest.raises(errors.Forbidden):
        actions._request_deletion(Cloud([]).context, "s", force=False)
    assert sent == [False]


@pytest.fixture
def deleted_ports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ports that are deleted besides the server, which has one of each sort."""
    ports = [{"id": f"{sort}-{owner}"} for sort in ("nic", "other") for owner in ("own", "foreign")]
    deleted: list[str] = []
    monkeypatch.setattr(actions, "ports_of", lambda *_: ports)
    monkeypatch.setattr(actions, "is_for_a_nic", lambda _, port: port["id"].startswith("nic"))
    monkeypatch.setattr(actions, "owner_in", lambda _, port: port["id"].endswith("own"))
    monkeypatch.setattr(actions, "delete_port", lambda _, port_id: deleted.append(port_id))
    return deleted


@pytest.mark.parametrize("exists", [True, False])
def test_ports_of_interface_attachments_are_deleted(
    requests: list[bool], deleted_ports: list[str], monkeypatch: pytest.MonkeyPatch, *, exists: bool
) -> None:
    """Only ports that this stack created for an `InterfaceAttachment` are deleted, also if the server is gone."""

    def missing(*_: object, **__: object) -> None:
        raise errors.NotFound(404, "no such server")

    if not exists:
        monkeypatch.setattr(compute, "delete_server", missing)
    cloud = Cloud([DELETING, None] if exists else [])
    actions.delete(cloud.context, "s", stop_first=False, force=False)
    assert deleted_ports == ["nic-own"]
    assert (cloud.polls, requests) == ([], [False] if exists else [])


@pytest.mark.usefixtures("requests", "deleted_ports")
@pytest.mark.parametrize(
    ("state", "stop_first", "stopped"),
    [(server(), True, ["s"]), (server(), False, []), (server("SHUTOFF"), True, []), (None, True, [])],
)
def test_server_is_stopped_first_if_it_runs(
    monkeypatch: pytest.MonkeyPatch, state: Document | None, stopped: list[str], *, stop_first: bool
) -> None:
    """`stop_before_delete` has an effect on a running server only."""
    calls: list[str] = []
    monkeypatch.setattr(actions, "stop", lambda _, id_: calls.append(id_))
    actions.delete(Cloud([state, None]).context, "s", stop_first=stop_first, force=False)
    assert calls == stopped


@pytest.mark.usefixtures("requests", "deleted_ports")
@pytest.mark.parametrize("deletes_ports", [True, False])
def test_ports_are_detached_first_if_the_cloud_deletes_them(
    monkeypatch: pytest.MonkeyPatch, *, deletes_ports: bool
) -> None:
    """Elsewhere a port outlives its server, and needs no request of its own."""
    calls: list[object] = []
    kept = [{"id": "kept"}]

    def detach_others(_context: object, remote: object, listed: list[Document], own: list[str]) -> list[Document]:
        calls.extend([remote, [port["id"] for port in listed], own])
        return kept

    monkeypatch.setattr(first_nic, "wait_for_build", lambda *_: "the built server")
    monkeypatch.setattr(first_nic, "detach_others", detach_others)
    lost: list[object] = []
    monkeypatch.setattr(first_nic, "report_lost", lambda _, id_, ports: lost.append((id_, ports)))
    cloud = Cloud([DELETING, None])
    cloud.deletes_ports_with_nics = deletes_ports
    actions.delete(cloud.context, "s", stop_first=False, force=False)
    every = ["nic-own", "nic-foreign", "other-own", "other-foreign"]
    assert calls == (["the built server", every, ["nic-own"]] if deletes_ports else [])
    assert lost == [("s", kept if deletes_ports else [])]


class Actions:
    """The actions that a cloud receives, and the errors with which it refuses the first ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        self.errors: list[errors.EcsError] = []
        monkeypatch.setattr(compute, "action", self._act)
        monkeypatch.setattr(compute, "fault_of", lambda _: "")
        monkeypatch.setattr(compute, "last_failed_action", lambda _api, id_, of="": f"{of} of {id_} failed")

    def _act(self, _api: object, _id: str, action: str, _body: object) -> None:
        self.sent.append(action)
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Actions:
    """The actions that the cloud receives."""
    return Actions(monkeypatch)


LOST = errors.ResponseLost("the connection broke")
BUSY = errors.Conflict(409, "Cannot 'stop' instance s while it is in vm_state stopped")


@pytest.mark.parametrize(
    ("refusals", "states", "sent"),
    [
        ([], [server(), server(task="powering-off"), server("SHUTOFF", "powering-off"), server("SHUTOFF")], 1),
        ([LOST], [server(task="powering-off"), server("SHUTOFF")], 1),
        ([LOST], [server("SHUTOFF"), server("SHUTOFF")], 1),
        ([LOST], [server(), server(), server("SHUTOFF")], 2),
        ([BUSY], [server("SHUTOFF"), server("SHUTOFF")], 1),
    ],
    ids=["accepted", "lost, but it runs", "lost, but done", "lost before it arrived", "sent by an earlier run"],
)
def test_action_is_sent_once(
    received: Actions, refusals: list[errors.EcsError], states: list[Document | None], sent: int
) -> None:
    """After a lost response, or a refusal because of an earlier run, the server shows whether it was accepted."""
    received.errors = list(refusals)
    cloud = Cloud(states)
    cloud.look_up = True
    assert actions.stop(cloud.context, "s")["status"] == "SHUTOFF"
    assert received.sent == ["os-stop"] * sent


def test_action_that_the_server_did_not_complete(received: Actions) -> None:
    """A server that had a task and has another status than the action leads to is an error with its reason."""
    cloud = Cloud([server(task="powering-off"), server()])
    with pytest.raises(errors.OperationFailed, match="the server is ACTIVE after os-stop: stop of s failed"):
        actions.stop(cloud.context, "s")
    cloud = Cloud([server("ERROR", "powering-off"), server("ERROR")])
    with pytest.raises(errors.OperationFailed, match="server s is in ERROR: of s failed"):
        actions.stop(cloud.context, "s")
    assert received.sent == ["os-stop"] * 2


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_confirmation_that_is_under_way(received: Actions, *, is_confirmed: bool) -> None:
    """A rejected confirmation is no error if an earlier request or the cloud itself confirms the resize."""
    received.errors = [errors.BadRequest(400, "Instance has not been resized.")]
    now = server() if is_confirmed else server("VERIFY_RESIZE")
    cloud = Cloud([now, server("VERIFY_RESIZE"), server()])
    cloud.look_up = True
    assert (
        actions.leave_verify_resize(cloud.context, server("VERIFY_RESIZE"), "confirmResize", "confirming") == server()
    )
    assert received.sent == ["confirmResize"]


@pytest.mark.parametrize(
    ("error", "is_known", "text"),
    [
        (errors.BadRequest(400, "There is no such action: suspend"), True, "this cloud does not offer the action sus"),
        (errors.NotFound(404, "Not Found"), True, "this cloud does not offer the action suspend; use"),
        (errors.ProxyNotFound(404, "no route"), False, "this cloud may not offer the action suspend; use"),
    ],
)
def test_action_that_the_cloud_does_not_offer(
    received: Actions, error: errors.ApiError, text: str, *, is_known: bool
) -> None:
    """The error says what to do instead. The action is not sent again, unless a proxy may have answered."""
    cloud = Cloud([server(), server()])
    context = cloud.context
    for attempt in range(2):
        received.errors = [error]
        with pytest.raises(errors.OperationFailed, match=f"^power_state: {text}"):
            actions.send(context, "s", "suspend")
        assert len(received.sent) == (1 if is_known else attempt + 1)
    assert (actions.not_offered(context, "suspended") is not None) is is_known


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (errors.BadRequest(400, "the flavor is too small"), server()),
        (errors.NotFound(404, "Instance s could not be found."), server()),
        (errors.NotFound(404, "Not Found"), None),
    ],
)
def test_other_refusal_of_an_action(received: Actions, error: errors.ApiError, state: Document | None) -> None:
    """An invalid action, and a server that does not exist, say nothing about what the cloud offers."""
    received.errors = [error]
    cloud = Cloud([state])
    with pytest.raises(type(error)) as caught:
        actions.send(cloud.context, "s", "suspend")
    assert (caught.value, cloud.facts) == (error, set())


@pytest.mark.parametrize(
    ("status", "hypervisor", "power_state"),
    [
        ("ACTIVE", 1, "active"),
        ("SHUTOFF", 4, "shutoff"),
        ("VERIFY_RESIZE", 1, "active"),
        ("VERIFY_RESIZE", 4, "shutoff"),
        ("RESIZE", 4, "shutoff"),
        ("REVERT_RESIZE", 4, "shutoff"),
        ("RESIZE", None, None),
        ("BUILD", 0, None),
    ],
)
def test_power_state_of_a_status(status: str, hypervisor: int | None, power_state: str | None) -> None:
    """During a resize, only the hypervisor knows whether the server runs."""
    assert actions.power_state({"status": status, "OS-EXT-STS:power_state": hypervisor}) == power_state


@pytest.mark.parametrize(
    ("current", "target", "states"),
    [
        ("active", "active", []),
        ("active", "paused", ["paused"]),
        ("paused", "active", ["active"]),
        ("paused", "suspended", ["active", "suspended"]),
        ("shutoff", "shelved_offloaded", ["shelved_offloaded"]),
        ("shelved_offloaded", "shutoff", ["active", "shutoff"]),
        (None, "shutoff", ["active", "shutoff"]),
    ],
)
def test_power_states_on_the_way(current: str | None, target: str, states: list[str]) -> None:
    """Most power states are reached from `active` only."""
    assert actions.path(current, target) == states


def test_description_of_a_server() -> None:
    """The status line has the status, the task, and a note about the task, or without one about the status."""
    notes = {"spawning": "waiting for 2 volumes", "VERIFY_RESIZE": "confirming"}
    assert actions.describe(None) == "gone"
    assert actions.describe(server("BUILD", "spawning"), notes) == "BUILD: spawning, waiting for 2 volumes"
    assert actions.describe(server("VERIFY_RESIZE"), notes) == "VERIFY_RESIZE, confirming"
    assert actions.describe(server("VERIFY_RESIZE", "resize_confirming"), notes) == "VERIFY_RESIZE: resize_confirming"
