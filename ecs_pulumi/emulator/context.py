"""What a handler or a step works with: the state as of one moment, on behalf of one project in one region."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import HttpError
from .store import Document, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cloud import Cloud

GONE = "gone"


@dataclass
class Context:
    """One moment of the cloud, seen by one project in one region; valid inside one transaction.

    Documents are plain dicts: `get` one, change it, `put` it back. Steps get a context too, whose `now` is
    the moment they were due.
    """

    cloud: Cloud
    now: float
    region: str
    project_id: str
    user_id: str

    def get(self, kind: str, id_: str) -> Document | None:
        """The document of this region, whoever owns it; None if there is none."""
        return self.cloud.store.get(kind, self.region, id_)

    def put(self, kind: str, doc: Document) -> Document:
        """Store the document under its `id`."""
        self.cloud.store.put(kind, self.region, doc)
        return doc

    def remove(self, kind: str, id_: str) -> None:
        """Delete the document and whatever was still to happen to it."""
        self.cloud.store.remove(kind, self.region, id_)
        self.cancel(id_)

    def find(
        self,
        kind: str,
        *,
        newest_first: bool = False,
        after: str | None = None,
        limit: int | None = None,
        matching: dict[str, str] | None = None,
        since: dict[str, float] | None = None,
        **equal: Any,
    ) -> list[Document]:
        """Documents of this region whose fields equal `equal`; see `Store.find`."""
        return self.cloud.store.find(
            kind,
            self.region,
            equal,
            newest_first=newest_first,
            after=after,
            limit=limit,
            matching=matching,
            since=since,
        )

    def count(self, kind: str, **equal: Any) -> int:
        """How many documents of this region `find` would return."""
        return self.cloud.store.count(kind, self.region, equal)

    def total(self, kind: str, field_name: str, **equal: Any) -> int:
        """The sum of a numeric field over what `find` would return."""
        return self.cloud.store.total(kind, self.region, field_name, equal)

    def schedule(self, seconds: float, step: str, subject: str, **args: Any) -> None:
        """Let a step happen to the object `subject` after so many seconds of a real cloud's time."""
        at = self.now + seconds / self.cloud.speed
        self.cloud.store.schedule(Step(at, step, self.region, self.project_id, self.user_id, subject, args))

    def cancel(self, subject: str, *steps: str) -> None:
        """Forget what is still to happen to `subject`: the steps named, or all."""
        self.cloud.store.cancel(subject, steps)

    def has_outcome_fault(self, outcome: str, name: str | None) -> bool:
        """Whether this outcome (`fail-spawn`, `fail-create`, …) was asked for an object of this name.

        True if the name contains the word, or a `Fault(outcome=…)` matches; counts against the fault's
        `times`.
        """
        return self.cloud.faults.outcome(outcome, name or "")

    def quota(self, resource: str) -> int:
        """The limit of a resource (`instances`, `gigabytes`, `port`, …); -1 is none."""
        quotas = self.cloud.store.get("quota", "", "quota") or {}
        return int(quotas.get(resource, self.cloud.dialect.quotas.get(resource, -1)))

    def zones(self) -> tuple[str, ...]:
        """The availability zones of this region."""
        return self.cloud.dialect.regions[self.region]


STEPS: dict[str, Callable[..., None]] = {}


def step(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function known as a step: `(ctx, subject, **args)`. The name is stored, so it must not change.

    A step MUST tolerate that its object is gone.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        STEPS[name] = function
        return function

    return register


@dataclass
class Reply:
    """An answer: a body that becomes JSON (text and bytes stay what they are; None is no body)."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Call(Context):
    """The context of one HTTP request, with the request itself."""

    method: str = "GET"
    path: str = "/"
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """Header names in lower case."""
    raw: bytes = b""
    origin: str = ""
    """`http://host:port`, as the client addressed it."""
    root: str = ""
    """The URL of the service in this region, without a version."""
    self_base: str = ""
    """What `self` links begin with: root, version and, if the URL had it, the project."""
    bookmark_base: str = ""
    """What `bookmark` links begin with: the same without the version."""
    request_id: str = ""
    version: str = ""
    """The version in the path: `v2`, `v2.1`, `v3`, `v2.0`."""
    microversion: tuple[int, int] = (0, 0)
    roles: tuple[str, ...] = ()

    def param(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query parameter."""
        values = self.query.get(name)
        return values[-1] if values else default

    def json(self) -> Any:
        """The body as JSON; 400 in Nova's words where it is none."""
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError):
            raise HttpError(400, "cannot understand JSON") from None

    def at_least(self, minor: int) -> bool:
        """Whether the request asked for microversion 2.`minor` (3.`minor` in Cinder) or newer."""
        return self.microversion[1] >= minor

    @property
    def is_admin(self) -> bool:
        """Whether the token carries the admin role."""
        return "admin" in self.roles
