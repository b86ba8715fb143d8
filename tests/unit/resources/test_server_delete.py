"""The deletion of a server: what happens before and after it, and when it counts as done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.cloud.differences import Fact
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
        self.notices: list[str] = []
        self.polls = list(states)
        self.facts: set[object] = set()
        self.deletes_ports_with_nics = False

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
            servers=SimpleNamespace(poller=poller, get=lambda _: self.polls[0]), differences=differences
        )
        clients = SimpleNamespace(compute=None, region=region, deadline=Deadline(self.clock, 600))
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
