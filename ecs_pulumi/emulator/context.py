"""The context of handlers and steps: access to the state at one time, for one project in one region."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import HttpError
from .store import Document, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cloud import Cloud
    from .dialects import Rules


@dataclass
class Context:
    """Access to the state at one time, for one project in one region; valid inside one transaction.

    Documents are plain dicts: `get` one, change it, `put` it back. Steps receive a context as well; its `now` is
    the time at which the step was due.
    """

    cloud: Cloud
    now: float
    region: str
    project_id: str
    user_id: str

    @property
    def is_otc(self) -> bool:
        """Whether the cloud is an Open Telekom Cloud."""
        return self.cloud.dialect.name == "otc"

    @property
    def rules(self) -> Rules:
        """What the cloud does where its documents leave it open."""
        return self.cloud.dialect.rules

    def get(self, kind: str, id_: str) -> Document | None:
        """Return a document of this region, of any project, or None."""
        return self.cloud.store.get(kind, self.region, id_)

    def put(self, kind: str, doc: Document) -> Document:
        """Store the document under its `id` and return it."""
        self.cloud.store.put(kind, self.region, doc)
        return doc

    def remove(self, kind: str, id_: str) -> None:
        """Delete the document and cancel its pending steps."""
        self.cloud.store.remove(kind, self.region, id_)
        self.cancel(id_)

    def find(self, kind: str, **filters: Any) -> list[Document]:
        """Return the documents of this region; `filters` are the options of `Store.find`, and values of fields."""
        return self.cloud.store.find(kind, self.region, **filters)

    def count(self, kind: str, **equal: Any) -> int:
        """Return the number of documents of this region that `find` would return."""
        return self.cloud.store.count(kind, self.region, **equal)

    def total(self, kind: str, field_name: str, **equal: Any) -> int:
        """Return the sum of a numeric field over the documents that `find` would return."""
        return self.cloud.store.total(kind, self.region, field_name, **equal)

    def schedule(self, seconds: float, step: str, subject: str, **args: Any) -> None:
        """Schedule a step for the object `subject`. `seconds` is the duration in a real cloud, before scaling."""
        at = self.now + seconds / self.cloud.speed
        self.cloud.store.schedule(Step(at, step, self.region, self.project_id, self.user_id, subject, args))

    def cancel(self, subject: str, *steps: str) -> None:
        """Cancel the pending steps of `subject`: those named, or all."""
        self.cloud.store.cancel(subject, steps)

    def has_outcome_fault(self, outcome: str, name: str | None) -> bool:
        """Return whether an object of this name must have this outcome (`fail-spawn`, `fail-create`, …).

        True if the name contains the outcome's name, or if a `Fault(outcome=…)` matches. A match counts against the
        fault's `times`.
        """
        return self.cloud.faults.outcome(outcome, name or "")

    def quota(self, resource: str) -> int:
        """Return the quota limit of a resource (`instances`, `gigabytes`, `port`, …); -1 means unlimited."""
        quotas = self.cloud.store.get("quota", "", "quota") or {}
        return int(quotas.get(resource, self.cloud.dialect.quotas.get(resource, -1)))

    def zones(self) -> tuple[str, ...]:
        """Return the availability zones of this region."""
        return self.cloud.dialect.regions[self.region]


STEPS: dict[str, Callable[..., None]] = {}


def step(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function `(ctx, subject, **args)` as a step.

    The name is stored in the state file, so it must not change. A step MUST tolerate that its object does not exist.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        STEPS[name] = function
        return function

    return register


@dataclass
class Reply:
    """A response. The body is encoded as JSON, except that str and bytes are sent unchanged; None is an empty body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Call(Context):
    """The context of one HTTP request, with the request itself."""

    method: str = "GET"
    path: str = "/"
    """The path without region and service, percent-encoded."""
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """Header names in lower case."""
    raw: bytes = b""
    target: str = ""
    """The path and the query of the URL, as they were sent."""
    origin: str = ""
    """`http://host:port`, as used by the client."""
    root: str = ""
    """The URL of the service in this region, without a version."""
    self_base: str = ""
    """The prefix of `self` links: root, version and, if the URL contains it, the project."""
    bookmark_base: str = ""
    """The prefix of `bookmark` links: `self_base` without the version."""
    request_id: str = ""
    version: str = ""
    """The version in the path: `v2`, `v2.1`, `v3`, `v2.0`."""
    microversion: tuple[int, int] = (0, 0)
    roles: tuple[str, ...] = ()

    def param(self, name: str, default: str | None = None) -> str | None:
        """Return the last value of a query parameter."""
        values = self.query.get(name)
        return values[-1] if values else default

    def json(self) -> Any:
        """Parse the body as JSON, None if it is empty; 400 with the message of Nova and Cinder if it is not valid.

        NaN, infinity and lone surrogates are not valid: no document can contain them.
        """
        try:
            document = json.loads(self.raw, parse_float=_finite, parse_constant=_finite) if self.raw else None
            if b"\\ud" in self.raw.lower():
                json.dumps(document, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise HttpError(400, "Malformed request body") from None
        return document

    def at_least(self, minor: int) -> bool:
        """Return whether the request uses microversion 2.`minor` (3.`minor` in Cinder) or newer."""
        return self.microversion[1] >= minor

    @property
    def is_admin(self) -> bool:
        """Whether the token has the admin role."""
        return "admin" in self.roles


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number
