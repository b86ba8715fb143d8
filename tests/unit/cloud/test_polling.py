"""Waits: when they end, which errors they tolerate, and how many requests they send."""

import re
import threading
from collections.abc import Callable
from collections.abc import Collection as Ids
from itertools import pairwise
from typing import Any

import pytest

from ecs_pulumi.cloud import compute
from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.errors import (
    Conflict,
    ConnectionFailed,
    EcsError,
    Forbidden,
    OperationFailed,
    ProxyNotFound,
    ServerError,
    WaitTimeout,
)
from ecs_pulumi.cloud.polling import Deadline, Document, Poller, PollResult, poll_interval, retry_while_busy, wait_for
from ecs_pulumi.cloud.resource_reader import ResourceReader
from tests.unit.cloud.fakes import PROJECT, FakeClock, FakeCloud, Reply, Request, region_of

SERVERS = f"/v2.1/{PROJECT}/servers"
DATE = {"Date": "Mon, 23 Nov 2026 22:51:18 GMT"}


def _describe(document: Document | None) -> str:
    return "gone" if document is None else str(document["status"])


def _active(document: Document | None) -> bool:
    if document is not None and document["status"] == "ERROR":
        raise OperationFailed("Server web", "No valid host")
    return document is not None and document["status"] == "ACTIVE"


def _wait(reader: ResourceReader, id_: str, seconds: float = 600, **options: Any) -> Document | None:
    clock = reader._clock
    arguments = {"done": _active, "what": f"{id_} to be ACTIVE", "describe": _describe, **options}
    return reader.poller.wait(id_, deadline=Deadline(clock, seconds), **arguments)


class Fleet:
    """Servers that become ACTIVE after some time, served by the list and by single GETs."""

    def __init__(self, cloud: FakeCloud, clock: FakeClock, count: int, foreign_count: int = 0) -> None:
        self.clock = clock
        self.ready = {f"id-{number}": clock.time + 5 + number / 10 for number in range(count)}
        self.foreign_count = foreign_count
        cloud.on("GET", f"{SERVERS}/detail", self.list)
        cloud.on("GET", f"{SERVERS}/*", self.get_one)
        cloud.on("GET", f"{SERVERS}/detail", self.list)

    def document(self, id_: str) -> Document:
        """The current document of a server."""
        return {"id": id_, "status": "ACTIVE" if self.clock.time >= self.ready[id_] else "BUILD"}

    def get_one(self, request: Request) -> Reply:
        """Answer a GET of one server."""
        id_ = request.path.rpartition("/")[2]
        if id_ not in self.ready:
            return Reply(404, {"itemNotFound": {"message": "…"}})
        return Reply(200, {"server": self.document(id_)}, DATE)

    def list(self, request: Request) -> Reply:
        """Answer a list request with all servers."""
        assert request.query["changes-since"]
        # Without a limit, some clouds return 25 servers in a page.
        assert request.query["limit"] == ["1000"]
        others = [{"id": f"foreign-{number}", "status": "ACTIVE"} for number in range(self.foreign_count)]
        return Reply(200, {"servers": [*map(self.document, self.ready), *others]}, DATE)


def _run_in_threads(reader: ResourceReader, count: int, work: Callable[[int], object]) -> list[BaseException]:
    """Wait in threads that all start before time passes; return the exceptions."""
    errors: list[BaseException] = []
    clock = reader._clock
    assert isinstance(clock, FakeClock)
    clock.gate = lambda: len(reader.poller._waiters) == count

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - the test decides
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    return errors


def test_hundred_waits_share_polls(cloud: FakeCloud, clock: FakeClock) -> None:
    """Each poll of a hundred servers is one list request; the number of requests depends on time, not on servers."""
    region = region_of(cloud, clock)
    assert region.server_microversion
    fleet = Fleet(cloud, clock, 100)
    start = clock.time
    assert _run_in_threads(region.servers, 100, lambda number: _wait(region.servers, f"id-{number}")) == []
    lists = cloud.sent().count(f"GET {SERVERS}/detail")
    singles = len(cloud.sent()) - lists
    assert clock.time - start < 25
    assert lists < 40
    assert singles < 10
    assert all(fleet.ready[id_] <= clock.time for id_ in fleet.ready)


def test_single_wait_polls_with_get(cloud: FakeCloud, clock: FakeClock) -> None:
    """A single wait sends no list requests."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 1)
    assert _run_in_threads(region.servers, 1, lambda number: _wait(region.servers, f"id-{number}")) == []
    assert f"GET {SERVERS}/detail" not in cloud.sent()


def test_deleted_servers_are_detected(cloud: FakeCloud, clock: FakeClock) -> None:
    """A server that the list contains with status DELETED, or whose GET answers 404, counts as missing."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 3)
    gone = [{"id": "id-0", "status": "DELETED"}, {"id": "id-1", "status": "DELETED"}]
    cloud.on("GET", f"{SERVERS}/detail", lambda _: Reply(200, {"servers": gone}, DATE))
    cloud.on("GET", f"{SERVERS}/id-2", lambda _: Reply(404))
    cloud.on("GET", f"{SERVERS}/id-1", lambda _: Reply(200, {"server": gone[1]}))
    cloud.on("GET", f"{SERVERS}/id-0", lambda _: Reply(200, {"server": gone[0]}))
    done: dict[str, Any] = {"done": lambda document: document is None}
    assert _run_in_threads(region.servers, 3, lambda number: _wait(region.servers, f"id-{number}", **done)) == []


def test_unchanged_server_is_read_rarely(cloud: FakeCloud, clock: FakeClock) -> None:
    """A server that is not in the list of changes is read once, and again after ``max_staleness``."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 3)
    cloud.on("GET", f"{SERVERS}/detail", lambda _: Reply(200, {"servers": []}, DATE))
    fleet.ready = dict.fromkeys(fleet.ready, clock.time + 30)
    assert _run_in_threads(region.servers, 3, lambda number: _wait(region.servers, f"id-{number}")) == []
    singles = [line for line in cloud.sent() if line.startswith(f"GET {SERVERS}/id-")]
    assert len(singles) < 20


def test_changes_since_uses_clock_of_cloud(cloud: FakeCloud, clock: FakeClock) -> None:
    """``changes-since`` follows the Date header of the responses, because the local clock may be wrong."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 3)
    compute.get_server(region.compute, "id-0")
    assert _run_in_threads(region.servers, 3, lambda number: _wait(region.servers, f"id-{number}")) == []
    since = [r.query["changes-since"][0] for r in cloud.log if r.path == f"{SERVERS}/detail"]
    assert all(moment.startswith("2026-11-23T22:5") for moment in since)


@pytest.mark.parametrize("failure", [Reply(500), Reply(502, "<html>"), Reply(429), Reply(408), OSError])
def test_wait_tolerates_transient_errors(cloud: FakeCloud, clock: FakeClock, failure: Any) -> None:
    """Transient errors of polls do not end a wait."""
    region = region_of(cloud, clock)
    broken = ConnectionError if failure is OSError else None
    replies = [Reply(200, "half {") if broken else failure] * 3
    cloud.script("GET", f"{SERVERS}/1", *replies, Reply(200, {"server": {"id": "1", "status": "ACTIVE"}}))
    assert _wait(region.servers, "1") == {"id": "1", "status": "ACTIVE"}


def test_wait_honours_retry_after(cloud: FakeCloud, clock: FakeClock) -> None:
    """After a 503 with Retry-After, the next poll is not earlier than requested."""
    region = region_of(cloud, clock)
    busy = Reply(503, None, {"Retry-After": "30"})
    cloud.script("GET", f"{SERVERS}/1", busy, Reply(200, {"server": {"id": "1", "status": "ACTIVE"}}))
    start = clock.time
    _wait(region.servers, "1")
    assert clock.time - start >= 30


def test_permanent_error_ends_wait(cloud: FakeCloud, clock: FakeClock) -> None:
    """A 403 is raised at once."""
    region = region_of(cloud, clock)
    cloud.script("GET", f"{SERVERS}/1", Reply(403, {"forbidden": {"message": "no"}}))
    with pytest.raises(Forbidden):
        _wait(region.servers, "1")


def test_timeout_message_contains_last_status(cloud: FakeCloud, clock: FakeClock) -> None:
    """The message contains the purpose of the wait, its duration, the last status and the last request's id."""
    region = region_of(cloud, clock)
    cloud.script(
        "GET",
        f"{SERVERS}/1",
        Reply(200, {"server": {"id": "1", "status": "BUILD"}}, {"X-Openstack-Request-Id": "req-9"}),
    )
    with pytest.raises(WaitTimeout) as caught:
        _wait(region.servers, "1", 60)
    assert str(caught.value) == (
        "Gave up waiting for 1 to be ACTIVE after 60 s; last status: BUILD (req-9). "
        "Increase the timeout with custom_timeouts."
    )


def test_timeout_message_if_all_polls_failed(cloud: FakeCloud, clock: FakeClock) -> None:
    """If no poll succeeded, the message contains the error of the last poll."""
    region = region_of(cloud, clock)
    cloud.script("GET", f"{SERVERS}/1", Reply(503, "<title>Down</title>", {"X-Openstack-Request-Id": "req-9"}))
    with pytest.raises(WaitTimeout, match=r"last status: unknown; the last poll failed: Down \(HTTP 503, req-9\)"):
        _wait(region.servers, "1", 60)


def test_timeout_message_if_later_polls_failed(cloud: FakeCloud, clock: FakeClock) -> None:
    """If only later polls failed, the message contains the last status and the last error."""
    region = region_of(cloud, clock)
    building = Reply(200, {"server": {"id": "1", "status": "BUILD"}})
    down = Reply(503, "<title>Down</title>", {"X-Openstack-Request-Id": "req-9"})
    cloud.script("GET", f"{SERVERS}/1", building, down)
    with pytest.raises(WaitTimeout, match=r"BUILD; the last poll failed: Down \(HTTP 503, req-9\)\. Increase"):
        _wait(region.servers, "1", 60)


def test_each_wait_has_its_own_deadline(cloud: FakeCloud, clock: FakeClock) -> None:
    """If one wait times out, the others continue and are still polled."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 8)
    fleet.ready["id-3"] = clock.time + 10_000
    errors = _run_in_threads(region.servers, 8, lambda number: _wait(region.servers, f"id-{number}", 40))
    assert [type(error) for error in errors] == [WaitTimeout]


def test_failed_object_ends_only_its_own_wait(cloud: FakeCloud, clock: FakeClock) -> None:
    """A server in ERROR fails the wait for it; other waits continue."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 5)
    original = fleet.document
    fleet.document = lambda id_: {"id": id_, "status": "ERROR"} if id_ == "id-2" else original(id_)  # type: ignore[method-assign]
    errors = _run_in_threads(region.servers, 5, lambda number: _wait(region.servers, f"id-{number}"))
    assert [str(error) for error in errors] == ["Server web: No valid host"]


def test_wait_ignores_documents_read_before_it(cloud: FakeCloud, clock: FakeClock) -> None:
    """A document that was read before the wait may show the state before the change, so it is ignored."""
    region = region_of(cloud, clock)
    cloud.script("GET", f"{SERVERS}/1", Reply(200, {"server": {"id": "1", "status": "ACTIVE"}}))
    assert _wait(region.servers, "1")
    cloud.script(
        "GET",
        f"{SERVERS}/1",
        Reply(200, {"server": {"id": "1", "status": "BUILD"}}),
        Reply(200, {"server": {"id": "1", "status": "ACTIVE", "new": True}}),
    )
    assert _wait(region.servers, "1") == {"id": "1", "status": "ACTIVE", "new": True}


def test_progress_is_reported_on_change_and_periodically(cloud: FakeCloud, clock: FakeClock) -> None:
    """The status is reported with its duration when it changes and every few seconds, not for each poll."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 1).ready["id-0"] = clock.time + 30
    lines: list[str] = []
    _wait(region.servers, "id-0", progress=lines.append)
    assert lines[0] == "BUILD, 0 s"
    assert 3 < len(lines) < 9


def test_first_delay_defers_first_poll(cloud: FakeCloud, clock: FakeClock) -> None:
    """No poll is sent before ``first_delay`` has passed."""
    region = region_of(cloud, clock)
    cloud.script("GET", f"{SERVERS}/1", Reply(200, {"server": {"id": "1", "status": "ACTIVE"}}))
    start = clock.time
    _wait(region.servers, "1", first_delay=3.0)
    assert clock.time - start >= 3
    assert cloud.sent("GET /").count(f"GET {SERVERS}/1") <= 1


def test_initial_delay_adapts_to_recent_waits(cloud: FakeCloud, clock: FakeClock) -> None:
    """After five waits of five seconds, a wait starts polling later; after a shorter wait, it polls early again."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 1)

    def polls(seconds: float) -> int:
        before = len(cloud.sent())
        fleet.ready["id-0"] = clock.time + seconds
        _wait(region.servers, "id-0")
        return len(cloud.sent()) - before

    first_five = [polls(5) for _ in range(5)]
    assert polls(5) < min(first_five) / 2
    assert polls(0.5) == 1
    assert polls(5) > min(first_five) / 2


def test_waits_that_start_at_different_times_share_polls(cloud: FakeCloud, clock: FakeClock) -> None:
    """Eight waits that start one after the other do not each add polls."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 8)
    fleet.ready = dict.fromkeys(fleet.ready, clock.time + 5)
    options = {number: {"first_delay": 0.2 + number / 10} for number in range(8)}
    assert (
        _run_in_threads(region.servers, 8, lambda number: _wait(region.servers, f"id-{number}", **options[number]))
        == []
    )
    assert len(cloud.sent("GET /v2.1/x")) <= 10


def test_poll_interval_grows_while_no_wait_completes(cloud: FakeCloud, clock: FakeClock) -> None:
    """The interval grows while polls complete no wait, and shrinks after a wait has completed."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 8)
    start = clock.time
    fleet.ready = {id_: start + (5 if number < 4 else 7) for number, id_ in enumerate(fleet.ready)}
    polls: list[float] = []
    answer = fleet.list

    def poll(request: Request) -> Reply:
        polls.append(clock.time)
        unready = sum(ready > clock.time for ready in fleet.ready.values())
        # Time passes only after all completed waits have ended, even on a busy machine.
        clock.gate = lambda: len(region.servers.poller._waiters) == unready
        return answer(request)

    cloud.on("GET", f"{SERVERS}/detail", poll)
    assert _run_in_threads(region.servers, 8, lambda number: _wait(region.servers, f"id-{number}")) == []
    before = [second - first for first, second in pairwise(polls) if first < start + 5]
    assert before == sorted(before)
    assert before[-1] > 1.5 * before[0]
    after = next(second - first for first, second in pairwise(polls) if first >= start + 5)
    assert after < before[-1]


def test_ports_are_polled_with_id_filter(cloud: FakeCloud, clock: FakeClock) -> None:
    """Polling fifty ports sends two lists with ids; a port that the lists do not contain is read with a GET."""
    region = region_of(cloud, clock)

    def ports(request: Request) -> Reply:
        ids = request.query["id"]
        assert len(ids) <= 40
        return Reply(200, {"ports": [{"id": id_, "status": "ACTIVE"} for id_ in ids if id_ != "gone"]})

    cloud.on("GET", "/v2.0/ports", ports)
    ids = [f"port-{number}" for number in range(49)] + ["gone"]
    done: dict[str, Any] = {"done": lambda document: True, "first_delay": 1.0}
    reader = region.network_objects("port")
    assert _run_in_threads(reader, 50, lambda number: _wait(reader, ids[number], **done)) == []
    assert len(cloud.sent()) <= 6


def test_volumes_are_polled_with_list_of_newest(cloud: FakeCloud, clock: FakeClock) -> None:
    """A page of the newest volumes contains the created ones; an older volume is read with a GET."""
    region = region_of(cloud, clock)
    newest = [{"id": f"id-{number}", "status": "ACTIVE"} for number in range(20)]

    def volumes(request: Request) -> Reply:
        assert request.query["sort"] == ["created_at:desc"]
        return Reply(200, {"volumes": newest})

    cloud.on("GET", f"/v3/{PROJECT}/volumes/detail", volumes)
    cloud.on("GET", f"/v3/{PROJECT}/volumes/old", lambda _: Reply(200, {"volume": {"id": "old", "status": "ACTIVE"}}))
    ids = [f"id-{number}" for number in range(20)] + ["old"]
    assert _run_in_threads(region.volumes, 21, lambda number: _wait(region.volumes, ids[number], first_delay=1.0)) == []
    assert len(cloud.sent()) <= 8


def test_poll_interval_grows_with_age() -> None:
    """The interval starts at 0.2 seconds and grows to 4 seconds."""
    assert [poll_interval(age) for age in (0, 1, 4, 20, 600)] == [0.2, 0.2, 0.6, 3.0, 4.0]


def test_wait_for_sleeps_between_its_polls(clock: FakeClock) -> None:
    """The first poll is after `first_delay`; the next one after the interval, or as late as the API asks for."""
    values: list[Any] = [ServerError(503, "busy", retry_after=30.0), ServerError(503, "busy"), "attaching", "in-use"]

    def observe() -> str:
        value = values.pop(0)
        if isinstance(value, EcsError):
            raise value
        return str(value)

    options: Any = {"done": lambda value: value == "in-use", "deadline": Deadline(clock, 60), "what": "disk"}
    wait_for(observe, **options, first_delay=2.0)
    assert clock.slept == pytest.approx([2.0, 30.0, poll_interval(32), poll_interval(32 + poll_interval(32))])
    clock.slept.clear()
    values = ["attaching", "in-use"]
    wait_for(observe, **options)
    assert clock.slept == [0.0, poll_interval(0)]


def test_wait_for_ends_with_permanent_errors(clock: FakeClock) -> None:
    """An error that is not a response of the API is raised as it is."""
    with pytest.raises(OperationFailed, match="ERROR"):
        wait_for(
            lambda: _raise(OperationFailed("ERROR", "no host")), done=bool, deadline=Deadline(clock, 60), what="disk"
        )
    assert sum(clock.slept) == 0


def test_wait_for_without_successful_poll_has_an_unknown_status(clock: FakeClock) -> None:
    """The 404 of a proxy that is restarted does not end a wait; the timeout says that no poll succeeded."""
    with pytest.raises(WaitTimeout, match="last status: unknown; the last poll failed: no route") as caught:
        wait_for(
            lambda: _raise(ProxyNotFound(404, "no route")), done=bool, deadline=Deadline(clock, 60), what="the disk"
        )
    assert caught.value.seconds == pytest.approx(60)


def test_wait_for_polls_until_done(clock: FakeClock) -> None:
    """``wait_for`` tolerates transient errors, reports progress, and times out at the deadline."""
    values: list[Any] = [ServerError(503, "busy"), "attaching", ConnectionFailed("…"), "in-use"]

    def observe() -> str:
        value = values.pop(0)
        if isinstance(value, EcsError):
            raise value
        return str(value)

    lines: list[str] = []
    result = wait_for(
        observe,
        done=lambda value: value == "in-use",
        deadline=Deadline(clock, 60),
        what="disk",
        progress=lines.append,
    )
    assert (result, lines) == ("in-use", ["attaching, 0 s"])
    with pytest.raises(WaitTimeout, match="Gave up waiting for disk after 60 s; last status: attaching"):
        wait_for(lambda: "attaching", done=lambda _: False, deadline=Deadline(clock, 60), what="disk")
    values = ["attaching", *[ServerError(503, "busy", "req-9")] * 99]
    with pytest.raises(WaitTimeout) as caught:
        wait_for(observe, done=lambda _: False, deadline=Deadline(clock, 60), what="disk")
    assert "last status: attaching; the last poll failed: busy (HTTP 503, req-9). Increase" in str(caught.value)
    with pytest.raises(Forbidden):
        wait_for(lambda: _raise(Forbidden(403, "no")), done=bool, deadline=Deadline(clock, 60), what="disk")


def _raise(error: Exception) -> Any:
    raise error


def test_retry_while_busy_waits_at_growing_intervals(clock: FakeClock) -> None:
    """The pauses depend on the time since the first request, and end with the deadline."""
    busy = Conflict(409, "Cannot 'reboot' instance while it is in task_state rebooting")
    with pytest.raises(Conflict):
        retry_while_busy(lambda: _raise(busy), Deadline(clock, 20))
    assert sum(clock.slept) == pytest.approx(20)
    elapsed = 0.0
    for pause in clock.slept[:-1]:
        assert pause == pytest.approx(poll_interval(elapsed))
        elapsed += pause


def test_retry_while_busy(clock: FakeClock) -> None:
    """A 409 for a running task is retried until the deadline; any other conflict is raised."""
    busy = "Cannot 'resize' instance 0ce1 while it is in task_state resize_prep"
    answers: list[Any] = [Conflict(409, busy), Conflict(409, busy), "done"]
    lines: list[str] = []

    def call() -> Any:
        answer = answers.pop(0)
        return _raise(answer) if isinstance(answer, Exception) else answer

    assert retry_while_busy(call, Deadline(clock, 60), progress=lines.append) == "done"
    assert lines == ["waiting for another task: resize_prep"] * 2
    for message in ("Cannot 'stop' instance 50c5 while it is in vm_state building", busy):
        with pytest.raises(Conflict):
            retry_while_busy(lambda text=message: _raise(Conflict(409, text)), Deadline(clock, 60))  # type: ignore[misc]


def test_rejected_list_is_replaced_with_gets(cloud: FakeCloud, clock: FakeClock) -> None:
    """If the cloud rejects the list request, it is sent once, and the waits continue with single GETs."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 5)
    cloud.on("GET", f"{SERVERS}/detail", lambda _: Reply(400, {"badRequest": {"message": "changes-since"}}))
    assert _run_in_threads(region.servers, 5, lambda number: _wait(region.servers, f"id-{number}")) == []
    assert cloud.sent().count(f"GET {SERVERS}/detail") == 1


def test_list_is_retried_after_404_of_proxy(cloud: FakeCloud, clock: FakeClock) -> None:
    """A 404 from a proxy may be temporary, so the list request is sent again."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 5)
    outage = [Reply(404, "<html>no such page</html>")]
    cloud.on("GET", f"{SERVERS}/detail", lambda request: outage.pop() if outage else fleet.list(request))
    assert _run_in_threads(region.servers, 5, lambda number: _wait(region.servers, f"id-{number}")) == []
    assert not outage
    assert cloud.sent().count(f"GET {SERVERS}/detail") > 2


def test_waits_complete_if_proxy_always_answers_404_to_list(cloud: FakeCloud, clock: FakeClock) -> None:
    """If a proxy answers 404 to every list request, the objects are read with a GET each."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 5)
    cloud.on("GET", f"{SERVERS}/detail", lambda _: Reply(404, "<html>no such page</html>"))
    assert _run_in_threads(region.servers, 5, lambda number: _wait(region.servers, f"id-{number}")) == []


def test_wait_times_out_while_poll_of_other_thread_hangs() -> None:
    """A wait ends at its own deadline even if another thread's poll is still in progress."""
    started, answer = threading.Event(), threading.Event()

    def poll(ids: Ids[str], fresh: Ids[str]) -> PollResult:
        started.set()
        answer.wait(20)
        return PollResult(dict.fromkeys(ids))

    clock = Clock()
    poller = Poller(poll, clock)
    other = threading.Thread(
        target=poller.wait,
        args=("a", lambda _: True),
        kwargs={"deadline": Deadline(clock, 60), "what": "a", "describe": _describe, "first_delay": 0},
    )
    other.start()
    started.wait(20)
    with pytest.raises(WaitTimeout):
        poller.wait("b", lambda _: True, deadline=Deadline(clock, 0.05), what="b", describe=_describe)
    assert not answer.is_set()
    answer.set()
    other.join(20)


def test_timeout_names_the_last_request(clock: FakeClock) -> None:
    """It is the one of the last poll with a request id; a poll that failed earlier is not mentioned."""
    busy, cut = ServerError(503, "busy", "req-2"), ConnectionFailed("no answer")
    done = PollResult({"a": {"id": "a", "status": "BUILD"}}, "req-1")

    def time_out(*outcomes: PollResult | EcsError) -> WaitTimeout:
        """Wait with these polls; the last one is repeated."""
        remaining = list(outcomes)

        def poll(ids: Ids[str], fresh: Ids[str]) -> PollResult:
            outcome = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            return _raise(outcome) if isinstance(outcome, EcsError) else outcome

        with pytest.raises(WaitTimeout) as caught:
            Poller(poll, clock).wait("a", lambda _: False, deadline=Deadline(clock, 20), what="a", describe=_describe)
        return caught.value

    assert (time_out(busy, done).request_id, time_out(busy, done).last_status) == ("req-1", "BUILD")
    assert (time_out(done, busy).request_id, time_out(busy, cut).request_id) == ("req-2", "req-2")
    assert time_out(done, cut).last_status == "BUILD; the last poll failed: no answer"


def test_object_that_a_poll_did_not_read_is_polled_again(clock: FakeClock) -> None:
    """A poll that says nothing about an object neither ends its wait nor is an error."""
    results = [PollResult({}), PollResult({"other": None}), PollResult({"a": {"id": "a"}})]
    poller = Poller(lambda _ids, _fresh: results.pop(0), clock)
    found = poller.wait("a", lambda _: True, deadline=Deadline(clock, 60), what="a", describe=_describe)
    assert (found, results) == ({"id": "a"}, [])


def test_incomplete_list_does_not_mean_missing(cloud: FakeCloud, clock: FakeClock) -> None:
    """If the cloud ignores all but the last id of the filter, the other objects do not count as missing."""
    region = region_of(cloud, clock)
    cloud.on(
        "GET",
        "/v2.0/ports",
        lambda request: Reply(200, {"ports": [{"id": request.query["id"][-1], "status": "ACTIVE"}]}),
    )
    cloud.on(
        "GET",
        "/v2.0/ports/*",
        lambda request: Reply(200, {"port": {"id": request.path.rpartition("/")[2], "status": "ACTIVE"}}),
    )
    documents: list[Document | None] = []

    def done(document: Document | None) -> bool:
        documents.append(document)
        return True

    options: dict[str, Any] = {"done": done, "first_delay": 1.0}
    ports = region.network_objects("port")
    assert _run_in_threads(ports, 4, lambda number: _wait(ports, f"port-{number}", **options)) == []
    assert None not in documents


@pytest.mark.parametrize("count", [4, 40])
def test_filter_by_several_ids_is_not_used_again(cloud: FakeCloud, clock: FakeClock, count: int) -> None:
    """If the cloud uses one of several ids, later polls read few objects one by one, and many from the whole list."""
    region = region_of(cloud, clock)
    ready_at = clock.time + 20

    def port(id_: str) -> Document:
        return {"id": id_, "status": "ACTIVE" if clock.time > ready_at else "BUILD"}

    def list_ports(request: Request) -> Reply:
        ids = request.query["id"][-1:] if "id" in request.query else [f"port-{number}" for number in range(100)]
        return Reply(200, {"ports": [port(id_) for id_ in ids]})

    cloud.on("GET", "/v2.0/ports", list_ports)
    cloud.on("GET", "/v2.0/ports/*", lambda request: Reply(200, {"port": port(request.path.rpartition("/")[2])}))
    ports = region.network_objects("port")
    assert _run_in_threads(ports, count, lambda number: _wait(ports, f"port-{number}")) == []
    lists = [request.query for request in cloud.log if request.path == "/v2.0/ports"]
    assert len(lists) > 1 or count == 4
    assert ["id" in query for query in lists] == [True, *[False] * (len(lists) - 1)]
    assert ports.get_many([f"port-{number}" for number in range(count)]) == {}


@pytest.mark.parametrize("count", [2, 4, 40])
def test_outdated_list_does_not_end_the_filter(cloud: FakeCloud, clock: FakeClock, count: int) -> None:
    """A list that lacks one of the objects that exist is outdated; later polls still filter by ids."""
    region = region_of(cloud, clock)
    ready_at = clock.time + 20
    lists: list[list[str]] = []

    def port(id_: str) -> Document:
        return {"id": id_, "status": "ACTIVE" if clock.time > ready_at else "BUILD"}

    def list_ports(request: Request) -> Reply:
        lists.append(request.query.get("id", []))
        return Reply(200, {"ports": [port(id_) for id_ in lists[-1][len(lists) == 1 :]]})

    cloud.on("GET", "/v2.0/ports", list_ports)
    cloud.on("GET", "/v2.0/ports/*", lambda request: Reply(200, {"port": port(request.path.rpartition("/")[2])}))
    ports = region.network_objects("port")
    assert _run_in_threads(ports, count, lambda number: _wait(ports, f"port-{number}")) == []
    assert len(lists) > 1
    assert all(len(ids) == count for ids in lists)


@pytest.mark.parametrize(
    ("name", "part"),
    [("web-1.a_b", "web-1.a_b"), ("my web", "my web"), ("a+long[name]", "long"), ("(b)", "b"), ("+*?", None)],
)
def test_name_filter_is_right_as_regular_expression_and_as_part(name: str, part: str | None) -> None:
    """The filter finds the name whether the cloud reads it as a regular expression or as a part of the name."""
    assert compute.name_filter(name, as_part=True) == part
    assert part is None or (part in name and re.search(part, name))


def test_name_filter_as_regular_expression_selects_one_name() -> None:
    """OpenStack lists the servers with this name, and no others."""
    names = ["db", "db-2", "my-db", "a+b", "aab"]

    def listed(name: str, **options: bool) -> list[str]:
        pattern = compute.name_filter(name, as_part=False, **options)
        return [each for each in names if re.search(str(pattern), each)]

    assert [listed("db"), listed("a+b"), listed("db", is_prefix=True)] == [["db"], ["a+b"], ["db", "db-2"]]


def test_list_of_servers_has_the_requested_length(cloud: FakeCloud, clock: FakeClock) -> None:
    """A limit larger than a page needs several requests, and no more than these."""
    region = region_of(cloud, clock)

    def page(request: Request) -> Reply:
        start = int(request.query.get("marker", ["-1"])[0]) + 1
        found = [{"id": str(number)} for number in range(start, start + min(25, int(request.query["limit"][0])))]
        link = {"rel": "next", "href": f"http://nova/servers/detail?marker={found[-1]['id']}"}
        return Reply(200, {"servers": found, "servers_links": [link]})

    cloud.on("GET", f"{SERVERS}/detail", page)
    found = compute.list_servers(region.compute, limit=50)
    assert [each["id"] for each in found] == [str(number) for number in range(50)]
    assert len(cloud.sent()) == 2
