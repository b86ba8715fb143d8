"""Waits end when they should, survive what they should, and cost one request a tick for everybody."""

import threading
from collections.abc import Callable
from collections.abc import Collection as Ids
from itertools import pairwise
from typing import Any

import pytest

from ecs_pulumi.cloud import compute
from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.collection import Collection
from ecs_pulumi.cloud.errors import (
    Conflict,
    ConnectionFailed,
    EcsError,
    Forbidden,
    OperationFailed,
    ServerError,
    WaitTimeout,
)
from ecs_pulumi.cloud.polling import Deadline, Document, Poller, PollResult, poll_interval, retry_while_busy, wait_for
from tests.unit.cloud.fakes import PROJECT, FakeClock, FakeCloud, Reply, Request, region_of

SERVERS = f"/v2.1/{PROJECT}/servers"
DATE = {"Date": "Mon, 23 Nov 2026 22:51:18 GMT"}


def _describe(document: Document | None) -> str:
    return "gone" if document is None else str(document["status"])


def _active(document: Document | None) -> bool:
    if document is not None and document["status"] == "ERROR":
        raise OperationFailed("Server web", "No valid host")
    return document is not None and document["status"] == "ACTIVE"


def _wait(collection: Collection, id_: str, seconds: float = 600, **more: Any) -> Document | None:
    clock = collection._clock
    given = {"done": _active, "what": f"{id_} to be ACTIVE", "describe": _describe, **more}
    return collection.poller.wait(id_, deadline=Deadline(clock, seconds), **given)


class Fleet:
    """Servers that are ACTIVE after some time, as the list and the single GET tell it."""

    def __init__(self, cloud: FakeCloud, clock: FakeClock, count: int, foreign: int = 0) -> None:
        self.clock = clock
        self.ready = {f"id-{number}": clock.time + 5 + number / 10 for number in range(count)}
        self.foreign = foreign
        cloud.on("GET", f"{SERVERS}/detail", self.list)
        cloud.on("GET", f"{SERVERS}/*", self.get_one)
        cloud.on("GET", f"{SERVERS}/detail", self.list)

    def document(self, id_: str) -> Document:
        """One server as it is now."""
        return {"id": id_, "status": "ACTIVE" if self.clock.time >= self.ready[id_] else "BUILD"}

    def get_one(self, request: Request) -> Reply:
        """One server, if there is one."""
        id_ = request.path.rpartition("/")[2]
        if id_ not in self.ready:
            return Reply(404, {"itemNotFound": {"message": "…"}})
        return Reply(200, {"server": self.document(id_)}, DATE)

    def list(self, request: Request) -> Reply:
        """All servers that changed."""
        assert request.query["changes-since"]
        others = [{"id": f"foreign-{number}", "status": "ACTIVE"} for number in range(self.foreign)]
        return Reply(200, {"servers": [*map(self.document, self.ready), *others]}, DATE)


def _together(collection: Collection, count: int, work: Callable[[int], object]) -> list[BaseException]:
    """Wait in threads that all begin before time passes; return what was raised."""
    raised: list[BaseException] = []
    clock = collection._clock
    assert isinstance(clock, FakeClock)
    clock.gate = lambda: len(collection.poller._waiters) == count

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - the test decides
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    return raised


def test_a_hundred_waiters_cost_one_request_a_tick(cloud: FakeCloud, clock: FakeClock) -> None:
    """However many servers are awaited, a tick is one list; requests grow with time, not with servers."""
    region = region_of(cloud, clock)
    assert region.server_microversion
    fleet = Fleet(cloud, clock, 100)
    began = clock.time
    assert _together(region.servers, 100, lambda number: _wait(region.servers, f"id-{number}")) == []
    lists = cloud.seen().count(f"GET {SERVERS}/detail")
    singles = len(cloud.seen()) - lists
    assert clock.time - began < 25
    assert lists < 40
    assert singles < 10
    assert all(fleet.ready[id_] <= clock.time for id_ in fleet.ready)


def test_one_alone_is_asked_singly(cloud: FakeCloud, clock: FakeClock) -> None:
    """A list is not worth it for one."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 1)
    assert _together(region.servers, 1, lambda number: _wait(region.servers, f"id-{number}")) == []
    assert f"GET {SERVERS}/detail" not in cloud.seen()


def test_servers_that_vanish_are_noticed_in_a_list(cloud: FakeCloud, clock: FakeClock) -> None:
    """A deleted server comes as DELETED in the list of changes, or not at all: both mean gone."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 3)
    gone = [{"id": "id-0", "status": "DELETED"}, {"id": "id-1", "status": "DELETED"}]
    cloud.on("GET", f"{SERVERS}/detail", lambda _: Reply(200, {"servers": gone}, DATE))
    cloud.on("GET", f"{SERVERS}/id-2", lambda _: Reply(404))
    cloud.on("GET", f"{SERVERS}/id-1", lambda _: Reply(200, {"server": gone[1]}))
    cloud.on("GET", f"{SERVERS}/id-0", lambda _: Reply(200, {"server": gone[0]}))
    done: dict[str, Any] = {"done": lambda document: document is None}
    assert _together(region.servers, 3, lambda number: _wait(region.servers, f"id-{number}", **done)) == []


def test_an_unchanged_server_is_asked_once_and_then_trusted_for_a_while(cloud: FakeCloud, clock: FakeClock) -> None:
    """A server that the list of changes does not name is asked once, and again when it was silent for long."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 3)
    cloud.on("GET", f"{SERVERS}/detail", lambda _: Reply(200, {"servers": []}, DATE))
    fleet.ready = dict.fromkeys(fleet.ready, clock.time + 30)
    assert _together(region.servers, 3, lambda number: _wait(region.servers, f"id-{number}")) == []
    singles = [line for line in cloud.seen() if line.startswith(f"GET {SERVERS}/id-")]
    assert len(singles) < 20


def test_the_changes_are_asked_by_the_clouds_clock(cloud: FakeCloud, clock: FakeClock) -> None:
    """This machine's clock may be wrong; the Date of the answers is the cloud's."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 3)
    compute.get_server(region.compute, "id-0")
    assert _together(region.servers, 3, lambda number: _wait(region.servers, f"id-{number}")) == []
    since = [r.query["changes-since"][0] for r in cloud.log if r.path == f"{SERVERS}/detail"]
    assert all(moment.startswith("2026-11-23T22:5") for moment in since)


@pytest.mark.parametrize("failure", [Reply(500), Reply(502, "<html>"), Reply(429), Reply(408), OSError])
def test_failed_polls_are_survived(cloud: FakeCloud, clock: FakeClock, failure: Any) -> None:
    """A cloud that stumbles while something is awaited does not fail the wait."""
    region = region_of(cloud, clock)
    broken = ConnectionError if failure is OSError else None
    replies = [Reply(200, "half {") if broken else failure] * 3
    cloud.script("GET", f"{SERVERS}/1", *replies, Reply(200, {"server": {"id": "1", "status": "ACTIVE"}}))
    assert _wait(region.servers, "1") == {"id": "1", "status": "ACTIVE"}


def test_retry_after_slows_the_polls(cloud: FakeCloud, clock: FakeClock) -> None:
    """An API that asks for a pause gets it."""
    region = region_of(cloud, clock)
    busy = Reply(503, None, {"Retry-After": "30"})
    cloud.script("GET", f"{SERVERS}/1", busy, Reply(200, {"server": {"id": "1", "status": "ACTIVE"}}))
    began = clock.time
    _wait(region.servers, "1")
    assert clock.time - began >= 30


def test_a_refusal_ends_the_wait(cloud: FakeCloud, clock: FakeClock) -> None:
    """403 does not pass by waiting."""
    region = region_of(cloud, clock)
    cloud.script("GET", f"{SERVERS}/1", Reply(403, {"forbidden": {"message": "no"}}))
    with pytest.raises(Forbidden):
        _wait(region.servers, "1")


def test_a_deadline_tells_what_was_seen_last(cloud: FakeCloud, clock: FakeClock) -> None:
    """What was awaited, the last status, the time and the last request's id."""
    region = region_of(cloud, clock)
    cloud.script(
        "GET",
        f"{SERVERS}/1",
        Reply(200, {"server": {"id": "1", "status": "BUILD"}}, {"X-Openstack-Request-Id": "req-9"}),
    )
    with pytest.raises(WaitTimeout) as caught:
        _wait(region.servers, "1", 60)
    assert str(caught.value) == (
        "Gave up waiting for 1 to be ACTIVE after 60 s; last seen: BUILD (req-9). "
        "A longer time goes into custom_timeouts."
    )


def test_a_deadline_tells_that_polls_failed(cloud: FakeCloud, clock: FakeClock) -> None:
    """A cloud that never answered is told from an object that never changed."""
    region = region_of(cloud, clock)
    cloud.script("GET", f"{SERVERS}/1", Reply(503, "<title>Down</title>", {"X-Openstack-Request-Id": "req-9"}))
    with pytest.raises(WaitTimeout, match=r"nothing yet; the last poll failed: Down \(HTTP 503, req-9\)"):
        _wait(region.servers, "1", 60)


def test_a_deadline_tells_both_what_was_seen_and_what_failed_since(cloud: FakeCloud, clock: FakeClock) -> None:
    """A cloud that went away while it built is not taken for one that never began."""
    region = region_of(cloud, clock)
    seen = Reply(200, {"server": {"id": "1", "status": "BUILD"}})
    down = Reply(503, "<title>Down</title>", {"X-Openstack-Request-Id": "req-9"})
    cloud.script("GET", f"{SERVERS}/1", seen, down)
    with pytest.raises(WaitTimeout, match=r"BUILD; the last poll failed: Down \(HTTP 503, req-9\)\. A"):
        _wait(region.servers, "1", 60)


def test_each_waiter_has_its_own_deadline(cloud: FakeCloud, clock: FakeClock) -> None:
    """One that gives up neither ends the others nor leaves them without a poller."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 8)
    fleet.ready["id-3"] = clock.time + 10_000
    raised = _together(region.servers, 8, lambda number: _wait(region.servers, f"id-{number}", 40))
    assert [type(error) for error in raised] == [WaitTimeout]


def test_one_failure_is_its_waiters_own(cloud: FakeCloud, clock: FakeClock) -> None:
    """A server in ERROR fails the one who waits for it; the others go on."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 5)
    original = fleet.document
    fleet.document = lambda id_: {"id": id_, "status": "ERROR"} if id_ == "id-2" else original(id_)  # type: ignore[method-assign]
    raised = _together(region.servers, 5, lambda number: _wait(region.servers, f"id-{number}"))
    assert [str(error) for error in raised] == ["Server web: No valid host"]


def test_nobody_sees_what_was_before_he_waited(cloud: FakeCloud, clock: FakeClock) -> None:
    """A document fetched before the wait began could still show the state before the change."""
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


def test_progress_is_told_when_it_changes_and_now_and_then(cloud: FakeCloud, clock: FakeClock) -> None:
    """A line beside the resource: the state and how long it lasts, not one for each poll."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 1).ready["id-0"] = clock.time + 30
    lines: list[str] = []
    _wait(region.servers, "id-0", progress=lines.append)
    assert lines[0] == "BUILD, 0 s"
    assert 3 < len(lines) < 9


def test_the_first_look_can_wait(cloud: FakeCloud, clock: FakeClock) -> None:
    """What cannot have happened yet is not asked for."""
    region = region_of(cloud, clock)
    cloud.script("GET", f"{SERVERS}/1", Reply(200, {"server": {"id": "1", "status": "ACTIVE"}}))
    began = clock.time
    _wait(region.servers, "1", first_delay=3.0)
    assert clock.time - began >= 3
    assert cloud.seen("GET /").count(f"GET {SERVERS}/1") <= 1


def test_waits_learn_from_those_before(cloud: FakeCloud, clock: FakeClock) -> None:
    """After five waits of five seconds nobody looks in the first two; after a shorter one they look sooner again."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 1)

    def looks(seconds: float) -> int:
        before = len(cloud.seen())
        fleet.ready["id-0"] = clock.time + seconds
        _wait(region.servers, "id-0")
        return len(cloud.seen()) - before

    novice = [looks(5) for _ in range(5)]
    assert looks(5) < min(novice) / 2
    assert looks(0.5) == 1
    assert looks(5) > min(novice) / 2


def test_a_crowd_that_gathers_shares_its_looks(cloud: FakeCloud, clock: FakeClock) -> None:
    """Eight who begin one after the other do not look each when it suits them."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 8)
    fleet.ready = dict.fromkeys(fleet.ready, clock.time + 5)
    more = {number: {"first_delay": 0.2 + number / 10} for number in range(8)}
    assert _together(region.servers, 8, lambda number: _wait(region.servers, f"id-{number}", **more[number])) == []
    assert len(cloud.seen("GET /v2.1/x")) <= 10


def test_looks_in_vain_make_a_crowd_patient(cloud: FakeCloud, clock: FakeClock) -> None:
    """While nothing ends nobody hurries; an end brings the next look sooner, as others may be near theirs."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 8)
    began = clock.time
    fleet.ready = {id_: began + (5 if number < 4 else 7) for number, id_ in enumerate(fleet.ready)}
    looks: list[float] = []
    listed = fleet.list

    def look(request: Request) -> Reply:
        looks.append(clock.time)
        unready = sum(ready > clock.time for ready in fleet.ready.values())
        # Those whose wait is over have gone before time passes, however busy the machine is.
        clock.gate = lambda: len(region.servers.poller._waiters) == unready
        return listed(request)

    cloud.on("GET", f"{SERVERS}/detail", look)
    assert _together(region.servers, 8, lambda number: _wait(region.servers, f"id-{number}")) == []
    in_vain = [later - sooner for sooner, later in pairwise(looks) if sooner < began + 5]
    assert in_vain == sorted(in_vain)
    assert in_vain[-1] > 1.5 * in_vain[0]
    after = next(later - sooner for sooner, later in pairwise(looks) if sooner >= began + 5)
    assert after < in_vain[-1]


def test_ports_are_watched_by_id_filter(cloud: FakeCloud, clock: FakeClock) -> None:
    """Fifty ports cost two requests a tick; one that the list lacks is gone."""
    region = region_of(cloud, clock)

    def ports(request: Request) -> Reply:
        asked = request.query["id"]
        assert len(asked) <= 40
        return Reply(200, {"ports": [{"id": id_, "status": "ACTIVE"} for id_ in asked if id_ != "gone"]})

    cloud.on("GET", "/v2.0/ports", ports)
    ids = [f"port-{number}" for number in range(49)] + ["gone"]
    done: dict[str, Any] = {"done": lambda document: True, "first_delay": 1.0}
    assert _together(region.ports, 50, lambda number: _wait(region.ports, ids[number], **done)) == []
    seen = cloud.seen()
    assert len(seen) <= 6


def test_many_volumes_are_watched_by_the_newest(cloud: FakeCloud, clock: FakeClock) -> None:
    """A page of the newest finds those just created; an older one among them is asked singly."""
    region = region_of(cloud, clock)
    newest = [{"id": f"id-{number}", "status": "ACTIVE"} for number in range(20)]

    def volumes(request: Request) -> Reply:
        assert request.query["sort"] == ["created_at:desc"]
        return Reply(200, {"volumes": newest})

    cloud.on("GET", f"/v3/{PROJECT}/volumes/detail", volumes)
    cloud.on("GET", f"/v3/{PROJECT}/volumes/old", lambda _: Reply(200, {"volume": {"id": "old", "status": "ACTIVE"}}))
    ids = [f"id-{number}" for number in range(20)] + ["old"]
    assert _together(region.volumes, 21, lambda number: _wait(region.volumes, ids[number], first_delay=1.0)) == []
    assert len(cloud.seen()) <= 8


def test_ticks_start_fast_and_slow_down() -> None:
    """A fifth of a second at first, four seconds for what takes minutes."""
    assert [poll_interval(age) for age in (0, 1, 4, 20, 600)] == [0.2, 0.2, 0.6, 3.0, 4.0]


def test_until_looks_until_it_is_done(clock: FakeClock) -> None:
    """One thing on its own, with the same rules: failures survived, progress told, a deadline."""
    seen: list[Any] = [ServerError(503, "busy"), "attaching", ConnectionFailed("…"), "in-use"]

    def observe() -> str:
        value = seen.pop(0)
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
    with pytest.raises(WaitTimeout, match="Gave up waiting for disk after 60 s; last seen: attaching"):
        wait_for(lambda: "attaching", done=lambda _: False, deadline=Deadline(clock, 60), what="disk")
    seen = ["attaching", *[ServerError(503, "busy", "req-9")] * 99]
    with pytest.raises(WaitTimeout) as caught:
        wait_for(observe, done=lambda _: False, deadline=Deadline(clock, 60), what="disk")
    assert "last seen: attaching; the last poll failed: busy (HTTP 503, req-9). A longer" in str(caught.value)
    with pytest.raises(Forbidden):
        wait_for(lambda: _raise(Forbidden(403, "no")), done=bool, deadline=Deadline(clock, 60), what="disk")


def _raise(error: Exception) -> Any:
    raise error


def test_a_busy_server_is_waited_out(clock: FakeClock) -> None:
    """Nova's 409 for a running task passes; any other conflict is raised, and so is one that never passes."""
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
            retry_while_busy(lambda said=message: _raise(Conflict(409, said)), Deadline(clock, 60))  # type: ignore[misc]


def test_a_cloud_without_such_lists_is_asked_singly(cloud: FakeCloud, clock: FakeClock) -> None:
    """Where the list refuses the query it is asked once; the waits go on by single GETs."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 5)
    cloud.on("GET", f"{SERVERS}/detail", lambda _: Reply(400, {"badRequest": {"message": "changes-since"}}))
    assert _together(region.servers, 5, lambda number: _wait(region.servers, f"id-{number}")) == []
    assert cloud.seen().count(f"GET {SERVERS}/detail") == 1


def test_a_list_that_a_proxy_did_not_find_is_asked_again(cloud: FakeCloud, clock: FakeClock) -> None:
    """A proxy's 404 is of the moment, and says nothing about what the lists of this cloud can do."""
    region = region_of(cloud, clock)
    fleet = Fleet(cloud, clock, 5)
    outage = [Reply(404, "<html>no such page</html>")]
    cloud.on("GET", f"{SERVERS}/detail", lambda request: outage.pop() if outage else fleet.list(request))
    assert _together(region.servers, 5, lambda number: _wait(region.servers, f"id-{number}")) == []
    assert not outage
    assert cloud.seen().count(f"GET {SERVERS}/detail") > 2


def test_lists_that_a_proxy_never_finds_keep_nobody(cloud: FakeCloud, clock: FakeClock) -> None:
    """Where only the lists are not to be had there, each is looked at by a GET of its own."""
    region = region_of(cloud, clock)
    Fleet(cloud, clock, 5)
    cloud.on("GET", f"{SERVERS}/detail", lambda _: Reply(404, "<html>no such page</html>"))
    assert _together(region.servers, 5, lambda number: _wait(region.servers, f"id-{number}")) == []


def test_a_poll_that_hangs_keeps_nobody_beyond_his_deadline() -> None:
    """Whoever waits while another one's poll is under way gives up when his own time is over."""
    asked, answer = threading.Event(), threading.Event()

    def look(ids: Ids[str], fresh: Ids[str]) -> PollResult:
        asked.set()
        answer.wait(20)
        return PollResult(dict.fromkeys(ids))

    clock = Clock()
    poller = Poller(look, clock)
    patient = threading.Thread(
        target=poller.wait,
        args=("a", lambda _: True),
        kwargs={"deadline": Deadline(clock, 60), "what": "a", "describe": _describe, "first_delay": 0},
    )
    patient.start()
    asked.wait(20)
    with pytest.raises(WaitTimeout):
        poller.wait("b", lambda _: True, deadline=Deadline(clock, 0.05), what="b", describe=_describe)
    assert not answer.is_set()
    answer.set()
    patient.join(20)


def test_an_id_filter_that_is_not_honoured_makes_nothing_gone(cloud: FakeCloud, clock: FakeClock) -> None:
    """A cloud that reads only the last of several ids is not taken at its word: only 404 is gone."""
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
    seen: list[Document | None] = []

    def done(document: Document | None) -> bool:
        seen.append(document)
        return True

    more: dict[str, Any] = {"done": done, "first_delay": 1.0}
    assert _together(region.ports, 4, lambda number: _wait(region.ports, f"port-{number}", **more)) == []
    assert None not in seen
