"""Waits: each with a deadline, each surviving failed polls, and one request for all who wait."""

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

SHORTEST = 0.2
LONGEST = 4.0
_GROWTH = 0.15
_PER_WAITER = 0.06
_CROWD = 10
_IN_VAIN = 0.5
_AT_MOST_IN_VAIN = 4
_TYPICAL = 5
_SURELY_NOT_YET = 0.6
_PROGRESS_EVERY = 5.0


class Deadline:
    """The moment when a wait gives up.

    Attributes:
        clock: what it goes by.
        seconds: how long it was when it was set.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self._end = clock.now() + seconds

    @property
    def expired(self) -> bool:
        """Whether the moment has passed."""
        return self.left() <= 0

    def left(self) -> float:
        """Seconds until then; never negative."""
        return max(0.0, self._end - self.clock.now())


def poll_interval(age: float) -> float:
    """Seconds between two looks at something that has been awaited for ``age`` seconds."""
    return min(max(SHORTEST, age * _GROWTH), LONGEST)


def is_transient(error: EcsError) -> bool:
    """Whether a failed poll says nothing about the object, so that the next one may succeed."""
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
    """Look at one thing until it is as wanted.

    Args:
        observe: looks once.
        done: judges what was seen; raises ``Failed`` where it can only get worse.
        deadline: when to give up.
        what: what is waited for, for the error.
        describe: what was seen, in a few words.
        progress: told what was seen.
        first_delay: seconds before the first look.

    Raises:
        WaitTimeout: the deadline passed.
    """
    clock = deadline.clock
    start = clock.now()
    report = _Report(clock, start, progress)
    last, trouble = "nothing yet", None
    clock.sleep(min(first_delay, deadline.left()))
    while True:
        asked: float = 0.0
        try:
            seen = observe()
        except EcsError as error:
            if not is_transient(error):
                raise
            trouble = error
            asked = getattr(error, "retry_after", None) or 0.0
        else:
            last, trouble = describe(seen), None
            if done(seen):
                return seen
            report(last)
        if deadline.expired:
            raise WaitTimeout(what, _last(last, trouble), clock.now() - start)
        clock.sleep(min(max(poll_interval(clock.now() - start), asked), deadline.left()))


def retry_while_busy(call: Callable[[], T], deadline: Deadline, *, progress: Callable[[str], None] | None = None) -> T:
    """Do what a server refuses only because another task runs on it, once that task is over.

    Nova answers 409 ``Cannot 'x' instance … while it is in task_state …`` meanwhile; any other conflict is
    raised.
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
    """What one poll saw.

    Attributes:
        documents: by id; None is gone. An id that is missing was not looked at.
        request_id: of the poll's last request.
    """

    documents: Mapping[str, Document | None]
    request_id: str | None = None


class PollFunction(Protocol):
    """Looks at many objects of a collection at once."""

    def __call__(self, ids: Collection[str], fresh: Collection[str]) -> PollResult:
        """Look at these; of ``fresh`` nothing that was seen before counts."""


@dataclass(eq=False)
class _Waiter:
    """One thread's interest in one object."""

    id: str
    since: float
    first: float
    deadline: Deadline
    seen: bool = False
    news: bool = False
    document: Document | None = None
    failure: EcsError | None = None
    trouble: EcsError | None = None
    request_id: str | None = None


@dataclass
class _Report:
    """Tells a progress line when it changes, and now and then that it has not."""

    clock: Clock
    start: float
    progress: Callable[[str], None] | None
    _last: tuple[str, float] = field(default=("", 0.0))

    def __call__(self, text: str) -> None:
        now = self.clock.now()
        if self.progress and (text != self._last[0] or now - self._last[1] >= _PROGRESS_EVERY):
            self._last = (text, now)
            self.progress(f"{text}, {now - self.start:.0f} s")


class Poller:
    """Watches every awaited object of a collection, with one request at a time for all who wait.

    One of the waiting threads polls for the others; when its own wait is over another one takes the turn. Each look
    is for everybody, and comes when the youngest wait needs it; the more wait, the longer they stay together until
    the next, so that those who begin one after the other do not each bring looks of their own, and longer still after
    looks that were the end of no wait: a cloud with much to do has no use for being asked. Nor does a wait bring looks
    before the time in which none of the last few was over.
    """

    def __init__(self, watch: PollFunction, clock: Clock) -> None:
        self._watch = watch
        self._clock = clock
        self._changed = threading.Condition()
        self._waiters: list[_Waiter] = []
        self._polling = False
        self._last = -math.inf
        self._lasted: deque[float] = deque(maxlen=_TYPICAL)
        self._held_until = 0.0
        self._failures = 0
        self._in_vain = 0

    def wait(
        self,
        id: str,
        done: Callable[[Document | None], bool],
        *,
        deadline: Deadline,
        what: str,
        describe: Callable[[Document | None], str],
        progress: Callable[[str], None] | None = None,
        first_delay: float = SHORTEST,
    ) -> Document | None:
        """Wait until an object is as wanted.

        Args:
            id: the object.
            done: judges the newest document, None where the object is gone; raises ``Failed`` where it can
                only get worse. It never sees a document from before this call.
            deadline: when to give up.
            what: what is waited for, for the error.
            describe: the document's state in a few words.
            progress: told the state while it lasts.
            first_delay: seconds in which nothing can have happened yet, and for which no look is made; 0 looks at
                once.

        Returns:
            The document that satisfied ``done``.

        Raises:
            WaitTimeout: the deadline passed.
            EcsError: polling is refused for good.
        """
        now = self._clock.now()
        waiter = _Waiter(id, now, now + max(first_delay, self._too_early()), deadline)
        report = _Report(self._clock, now, progress)
        with self._changed:
            self._waiters.append(waiter)
            self._changed.notify_all()
        try:
            while True:
                self._await_news(waiter)
                if waiter.failure:
                    raise waiter.failure
                if waiter.news:
                    waiter.news = False
                    document = waiter.document
                    if done(document):
                        self._lasted.append(self._clock.now() - waiter.since)
                        self._in_vain = 0
                        return document
                    report(describe(document))
                if deadline.expired:
                    last = describe(waiter.document) if waiter.seen else "nothing yet"
                    seconds = self._clock.now() - waiter.since
                    raise WaitTimeout(what, _last(last, waiter.trouble), seconds, waiter.request_id)
        finally:
            with self._changed:
                self._waiters.remove(waiter)
                self._changed.notify_all()

    def _await_news(self, waiter: _Waiter) -> None:
        """Return at news, failure or deadline of this waiter; poll meanwhile if no one else does."""
        with self._changed:
            while not (waiter.news or waiter.failure or waiter.deadline.expired):
                if self._polling:
                    # In real time: it passes in the other thread's request, whatever the clock says.
                    self._changed.wait(waiter.deadline.left())
                    continue
                self._polling = True
                try:
                    self._turn()
                finally:
                    self._polling = False
                    self._changed.notify_all()

    def _turn(self) -> None:
        """Sleep until the next poll is due, or poll. Called, and left, with the lock held."""
        now = self._clock.now()
        due = self._due()
        alarm = min(waiter.deadline.left() for waiter in self._waiters)
        if due > now:
            self._clock.wait(self._changed, min(due - now, alarm))
            return
        asked = list(self._waiters)
        ids = {waiter.id for waiter in asked}
        fresh = {waiter.id for waiter in asked if not waiter.seen}
        self._in_vain = min(self._in_vain + 1, _AT_MOST_IN_VAIN)
        self._changed.release()
        try:
            sighting, failure = self._look(ids, fresh)
        finally:
            self._changed.acquire()
        for waiter in asked:
            if sighting and waiter.id in sighting.documents:
                waiter.document = sighting.documents[waiter.id]
                waiter.request_id = sighting.request_id
                waiter.seen = waiter.news = True
                waiter.trouble = None
            elif failure and not is_transient(failure):
                waiter.failure = failure
            elif failure:
                waiter.request_id = getattr(failure, "request_id", None) or waiter.request_id
                waiter.trouble = failure
        self._looked(failure)

    def _look(self, ids: Collection[str], fresh: Collection[str]) -> tuple[PollResult | None, EcsError | None]:
        try:
            return self._watch(ids, fresh), None
        except EcsError as error:
            return None, error

    def _looked(self, failure: EcsError | None) -> None:
        """Remember when, and after a failure stay away for a while, as long as the API asks to."""
        self._last = self._clock.now()
        self._failures = self._failures + 1 if failure else 0
        asked = getattr(failure, "retry_after", None) or 0.0
        self._held_until = self._last + max(asked, min(SHORTEST * 2**self._failures, 10.0)) if failure else 0.0

    def _too_early(self) -> float:
        """Seconds in which a wait is not over, as far as the last few tell; nothing before there were a few."""
        lasted = list(self._lasted)
        return min(_SURELY_NOT_YET * min(lasted), LONGEST) if len(lasted) == _TYPICAL else 0.0

    def _due(self) -> float:
        """When to look again."""
        looks = (max(waiter.first, self._last + poll_interval(self._last - waiter.since)) for waiter in self._waiters)
        many = min(len(self._waiters), _CROWD)
        together = _PER_WAITER * many * (1 + _IN_VAIN * self._in_vain if many > 1 else 1)
        return max(min(looks), self._last + together, self._held_until)


def _last(seen: str, trouble: EcsError | None) -> str:
    """What was seen last, and what kept it from being seen again."""
    return f"{seen}; the last poll failed: {one_line(str(trouble))}" if trouble else seen
