"""Waits with deadlines. They tolerate failed polls, and share one request for all waiting threads."""

# ruff: noqa: A002 - "id" is the API's own word

import http
import math
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    EcsError,
    ProxyNotFound,
    ServerError,
    TooManyRequests,
    WaitTimeout,
    one_line,
)

T = TypeVar("T")
Document = dict[str, Any]

MIN_INTERVAL = 0.2
MAX_INTERVAL = 4.0
_GROWTH = 0.15
_PER_WAIT = 0.06
_MAX_COUNTED_WAITS = 10
_PER_UNPRODUCTIVE_POLL = 0.5
_MAX_UNPRODUCTIVE_POLLS = 4
_RECENT_WAITS = 5
_INITIAL_DELAY_FRACTION = 0.6
_PROGRESS_EVERY = 5.0


class Deadline:
    """The moment at which a wait times out.

    Attributes:
        clock: the clock that measures the time.
        seconds: the length of the timeout.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self._end = clock.now() + seconds

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return self.left() <= 0

    def left(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self._end - self.clock.now())


def poll_interval(age: float) -> float:
    """Seconds between two polls of a wait that has lasted for ``age`` seconds."""
    return min(max(MIN_INTERVAL, age * _GROWTH), MAX_INTERVAL)


def is_transient(error: EcsError) -> bool:
    """Whether the error of a poll is transient, so that the next poll may succeed."""
    if isinstance(error, ConnectionFailed):
        return error.temporary
    return isinstance(error, ServerError | TooManyRequests | ProxyNotFound) or (
        isinstance(error, ApiError) and error.status == http.HTTPStatus.REQUEST_TIMEOUT
    )


def wait_for(
    observe: Callable[[], T],
    *,
    done: Callable[[T], bool],
    deadline: Deadline,
    what: str,
    describe: Callable[[T], str] = str,
    progress: Callable[[str], None] | None = None,
    first_delay: float = 0.0,
) -> T:
    """Poll a value until it meets a condition.

    Args:
        observe: polls the value once.
        done: returns whether the value meets the condition; raises ``OperationFailed`` if it never will.
        deadline: when to time out.
        what: what the wait is for, for the error.
        describe: describes the value in a few words.
        progress: receives the description while the wait lasts.
        first_delay: seconds before the first poll.

    Raises:
        WaitTimeout: the deadline passed.
    """
    clock = deadline.clock
    start = clock.now()
    report = _Report(clock, start, progress)
    last_status, last_error = "unknown", None
    clock.sleep(min(first_delay, deadline.left()))
    while True:
        retry_after: float = 0.0
        try:
            value = observe()
        except EcsError as error:
            if not is_transient(error):
                raise
            last_error = error
            retry_after = getattr(error, "retry_after", None) or 0.0
        else:
            last_status, last_error = describe(value), None
            if done(value):
                return value
            report(last_status)
        if deadline.expired:
            raise WaitTimeout(what, _with_error(last_status, last_error), clock.now() - start)
        clock.sleep(min(max(poll_interval(clock.now() - start), retry_after), deadline.left()))


def retry_while_busy(call: Callable[[], T], deadline: Deadline, *, progress: Callable[[str], None] | None = None) -> T:
    """Call a function, and retry it while Nova rejects it because another task runs on the server.

    Nova answers 409 ``Cannot 'x' instance … while it is in task_state …`` in this case. Any other conflict is raised.
    """
    clock = deadline.clock
    start = clock.now()
    while True:
        try:
            return call()
        except Conflict as error:
            if "in task_state" not in error.message or deadline.expired:
                raise
            if progress:
                progress(f"waiting for another task: {error.message.rpartition('task_state ')[2]}")
            clock.sleep(min(poll_interval(clock.now() - start), deadline.left()))


@dataclass(frozen=True)
class PollResult:
    """The result of one poll.

    Attributes:
        documents: the documents by id; None if the object does not exist. A missing id was not polled.
        request_id: the request id of the poll's last request.
    """

    documents: Mapping[str, Document | None]
    request_id: str | None = None


class PollFunction(Protocol):
    """Polls many objects of a collection at once."""

    def __call__(self, ids: Collection[str], fresh: Collection[str]) -> PollResult:
        """Poll these objects; cached documents of the ids in ``fresh`` must not be used."""


@dataclass(eq=False)
class _Waiter:
    """One thread that waits for one object, and the condition that wakes it."""

    id: str
    since: float
    first_poll_at: float
    deadline: Deadline
    condition: threading.Condition
    has_document: bool = False
    has_news: bool = False
    document: Document | None = None
    error: EcsError | None = None
    last_error: EcsError | None = None
    request_id: str | None = None

    @property
    def is_ended(self) -> bool:
        """Whether there is a document, an error, or no time left."""
        return self.has_news or self.error is not None or self.deadline.expired


@dataclass
class _Report:
    """Reports a status when it changes, and repeats an unchanged one every few seconds."""

    clock: Clock
    start: float
    progress: Callable[[str], None] | None
    _last_report: tuple[str, float] = field(default=("", 0.0))

    def __call__(self, text: str) -> None:
        now = self.clock.now()
        if self.progress and (text != self._last_report[0] or now - self._last_report[1] >= _PROGRESS_EVERY):
            self._last_report = (text, now)
            self.progress(f"{text}, {now - self.start:.0f} s")


class Poller:
    """Polls all awaited objects of a collection, with one poll at a time for all waiting threads.

    One of the waiting threads polls for all of them. When its own wait ends, another thread continues. Every poll
    covers all awaited objects. Each thread has its own condition, so that a poll wakes only the threads that it
    concerns: to wake all of 64 took a tenth of the provider's CPU time. The time of the next poll follows from these
    rules:

    - Each wait has a poll interval that grows with its age; the wait with the earliest time decides.
    - The minimum distance of two polls grows with the number of waits, so that waits that start one after the other
      share polls, and with the number of consecutive polls that completed no wait, to reduce the load on a busy cloud.
    - A wait causes no poll before an initial delay, which is derived from the duration of the most recent waits.
    - After a failed poll there is a backoff.
    """

    def __init__(self, watch: PollFunction, clock: Clock) -> None:
        self._watch = watch
        self._clock = clock
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []
        self._poll_by: _Waiter | None = None
        self._last_poll_at = -math.inf
        self._durations: deque[float] = deque(maxlen=_RECENT_WAITS)
        self._backoff_until = 0.0
        self._failures = 0
        self._unproductive_polls = 0

    def wait(
        self,
        id: str,
        done: Callable[[Document | None], bool],
        *,
        deadline: Deadline,
        what: str,
        describe: Callable[[Document | None], str],
        progress: Callable[[str], None] | None = None,
        first_delay: float = MIN_INTERVAL,
    ) -> Document | None:
        """Wait until an object meets a condition.

        Args:
            id: the id of the object.
            done: receives the newest document, or None if the object does not exist, and returns whether it meets
                the condition; raises ``OperationFailed`` if it never will. It never receives a document that was read
                before this call.
            deadline: when to time out.
            what: what the wait is for, for the error.
            describe: describes the document's state in a few words.
            progress: receives the description while the wait lasts.
            first_delay: seconds before the first poll of this wait, in which the condition cannot be met yet; 0 polls
                immediately.

        Returns:
            The document that satisfied ``done``.

        Raises:
            WaitTimeout: the deadline passed.
            EcsError: a poll failed with a permanent error.
        """
        now = self._clock.now()
        first_poll_at = now + max(first_delay, self._initial_delay())
        waiter = _Waiter(id, now, first_poll_at, deadline, threading.Condition(self._lock))
        report = _Report(self._clock, now, progress)
        with self._lock:
            self._waiters.append(waiter)
            self._wake_next()
        try:
            while True:
                self._wait_for_news(waiter)
                if waiter.error:
                    raise waiter.error
                if waiter.has_news:
                    waiter.has_news = False
                    document = waiter.document
                    if done(document):
                        self._durations.append(self._clock.now() - waiter.since)
                        self._unproductive_polls = 0
                        return document
                    report(describe(document))
                if deadline.expired:
                    status = describe(waiter.document) if waiter.has_document else "unknown"
                    seconds = self._clock.now() - waiter.since
                    raise WaitTimeout(what, _with_error(status, waiter.last_error), seconds, waiter.request_id)
        finally:
            with self._lock:
                self._waiters.remove(waiter)
                self._wake_next()

    def _wait_for_news(self, waiter: _Waiter) -> None:
        """Wait for a document, an error or the deadline of this waiter; poll meanwhile if no other thread does."""
        with self._lock:
            while not waiter.is_ended:
                if self._poll_by not in (None, waiter):
                    # Wait in real time, not with the clock: another thread's request is in progress.
                    waiter.condition.wait(waiter.deadline.left())
                    continue
                self._poll_by = waiter
                try:
                    self._poll_or_sleep(waiter)
                finally:
                    self._poll_by = None
                    for each in self._waiters:
                        if each.is_ended:
                            each.condition.notify()
            if self._poll_by is None:
                self._wake_next()

    def _wake_next(self) -> None:
        """Wake the thread that polls, to compute the time of the next poll again; if none polls, one that can."""
        able = (each for each in self._waiters if not each.is_ended)
        if next_ := self._poll_by or next(able, None):
            next_.condition.notify()

    def _poll_or_sleep(self, waiter: _Waiter) -> None:
        """Poll if the next poll is due, else sleep until then. The lock is held at entry and at return."""
        now = self._clock.now()
        due = self._next_poll_at()
        timeout = min(each.deadline.left() for each in self._waiters)
        if due > now:
            self._clock.wait(waiter.condition, min(due - now, timeout))
            return
        polled = list(self._waiters)
        ids = {each.id for each in polled}
        fresh = {each.id for each in polled if not each.has_document}
        self._unproductive_polls = min(self._unproductive_polls + 1, _MAX_UNPRODUCTIVE_POLLS)
        self._lock.release()
        try:
            result, error = self._poll(ids, fresh)
        finally:
            self._lock.acquire()
        for each in polled:
            if result and each.id in result.documents:
                each.document = result.documents[each.id]
                each.request_id = result.request_id
                each.has_document = each.has_news = True
                each.last_error = None
            elif error and not is_transient(error):
                each.error = error
            elif error:
                each.request_id = getattr(error, "request_id", None) or each.request_id
                each.last_error = error
        self._record_poll(error)

    def _poll(self, ids: Collection[str], fresh: Collection[str]) -> tuple[PollResult | None, EcsError | None]:
        try:
            return self._watch(ids, fresh), None
        except EcsError as error:
            return None, error

    def _record_poll(self, error: EcsError | None) -> None:
        """Record the time of a poll, and start a backoff after a failure, at least as long as the API's Retry-After."""
        self._last_poll_at = self._clock.now()
        self._failures = self._failures + 1 if error else 0
        retry_after = getattr(error, "retry_after", None) or 0.0
        self._backoff_until = (
            self._last_poll_at + max(retry_after, min(MIN_INTERVAL * 2**self._failures, 10.0)) if error else 0.0
        )

    def _initial_delay(self) -> float:
        """Initial delay of a new wait: a fraction of the shortest recent wait; 0 until enough waits are recorded."""
        durations = list(self._durations)
        return min(_INITIAL_DELAY_FRACTION * min(durations), MAX_INTERVAL) if len(durations) == _RECENT_WAITS else 0.0

    def _next_poll_at(self) -> float:
        """The time of the next poll."""
        times = (
            max(waiter.first_poll_at, self._last_poll_at + poll_interval(self._last_poll_at - waiter.since))
            for waiter in self._waiters
        )
        waits = min(len(self._waiters), _MAX_COUNTED_WAITS)
        min_distance = _PER_WAIT * waits * (1 + _PER_UNPRODUCTIVE_POLL * self._unproductive_polls if waits > 1 else 1)
        return max(min(times), self._last_poll_at + min_distance, self._backoff_until)


def _with_error(status: str, last_error: EcsError | None) -> str:
    """The last status, followed by the error of the last poll if it failed."""
    return f"{status}; the last poll failed: {one_line(str(last_error))}" if last_error else status
