"""Trouble on request: answers that fail, connections that drop, and builds that go wrong."""

from __future__ import annotations

import fnmatch
import threading
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .patterns import compiled, is_found

MOST = 1000
"""How many faults can be in force."""

OUTCOMES = (
    "fail-spawn",  # the hypervisor refuses to build the server: ERROR, with a fault
    "no-host",  # the scheduler finds no host: ERROR, never placed
    "slow-spawn",  # the build takes ten times as long
    "fail-resize",  # the hypervisor refuses the resize: ERROR, with a fault
    "fail-confirm",  # the hypervisor refuses to confirm the resize: VERIFY_RESIZE, then ERROR, with a fault
    "fallback-resize",  # the resize finds no host: silently ACTIVE again in the old flavor
    "auto-confirm",  # the cloud confirms the resize by itself
    "fail-attach",  # the volume is accepted, then available again
    "hang-delete",  # the server's delete does not end, until it is asked for again
    "defer-delete",  # the server's delete is deferred: SOFT_DELETED, with all that it has, until a delete is forced
    "fail-create",  # the volume ends in error
    "fail-extend",  # the volume ends in error_extending
    "fail-delete",  # the volume ends in error_deleting
)
"""What can be asked of a build; a name that contains the word asks for it too."""


class Fault(BaseModel):
    """Something that goes wrong, for requests (`path`, …) or for what a request starts (`outcome`).

    `Fault(method="POST", path="*/servers", status=503, times=2)` fails the next two creates;
    `Fault(path="*/servers", drop="after")` lets every one take effect and closes the connection without an
    answer; `Fault(outcome="fail-spawn", name="web-*")` lets such servers end in ERROR.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = Field("*", description="HTTP method, or * for any")
    path: str = Field(
        "*", description="glob over the path (with region and service), or `re:` and a simple regular expression"
    )
    name: str = Field("*", description="glob over the name in the request's body, or of the object built")
    status: int | None = Field(None, description="answer with this HTTP status instead of doing what was asked")
    body: Any = Field(None, description="body of that answer: an object is sent as JSON, a text as it is")
    headers: dict[str, str] = Field(default_factory=dict, description="extra headers of that answer")
    latency: float = Field(0.0, ge=0, description="seconds to wait first, in real time")
    drop: Literal["before", "after", "during"] | None = Field(
        None,
        description="close the connection before acting, after it, or in the middle of the answer",
    )
    outcome: Literal[OUTCOMES] | None = Field(None, description="how a build goes wrong")  # type: ignore[valid-type]
    skip: int = Field(0, ge=0, description="let so many pass first")
    times: int | None = Field(None, ge=1, description="how often; unset means until it is cleared")

    @field_validator("path")
    @classmethod
    def _is_quick(cls, path: str) -> str:
        if path.startswith("re:"):
            compiled(path[3:])
        return path

    @property
    def only_delays(self) -> bool:
        """Whether the request is answered as it would be, just later."""
        return self.status is None and self.drop is None

    def matches_request(self, method: str, path: str, name: str) -> bool:
        """Whether this fault is meant for such a request."""
        if self.outcome is not None or self.method.upper() not in ("*", method):
            return False
        is_regular = self.path.startswith("re:")
        on_path = is_found(self.path[3:], path) if is_regular else fnmatch.fnmatchcase(path, self.path)
        return on_path and fnmatch.fnmatchcase(name, self.name)


class Faults:
    """The faults in force, in the order they were asked for; safe to change from any thread."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._lock = threading.Lock()
        self._faults = [fault.model_copy() for fault in faults]

    def add(self, fault: Fault) -> None:
        """Put a fault in force.

        Raises:
            OverflowError: there are too many.
        """
        with self._lock:
            if len(self._faults) >= MOST:
                raise OverflowError(f"{MOST} faults are in force already: clear them first")
            self._faults.append(fault.model_copy())

    def clear(self) -> None:
        """Back to a cloud without faults (names that ask for an outcome still do)."""
        with self._lock:
            self._faults.clear()

    def list(self) -> list[Fault]:
        """Those still in force, with the times left."""
        with self._lock:
            return [fault.model_copy() for fault in self._faults]

    def for_request(self, method: str, path: str, name: str) -> tuple[float, Fault | None]:
        """How long a request has to wait, by all faults meant for it, and what the first of them does to it."""
        latency, acting = 0.0, None
        with self._lock:
            for fault in list(self._faults):
                if not fault.matches_request(method, path, name):
                    continue
                if (acting is None or fault.only_delays) and self._use(fault):
                    latency += fault.latency
                    if not fault.only_delays:
                        acting = fault
        return latency, acting

    def outcome(self, outcome: str, name: str) -> bool:
        """Whether an object of this name is to end so."""
        with self._lock:
            for fault in list(self._faults):
                if fault.outcome == outcome and fnmatch.fnmatchcase(name, fault.name) and self._use(fault):
                    return True
        return outcome in name

    def _use(self, fault: Fault) -> bool:
        """Count the fault once; False while it lets pass."""
        if fault.skip:
            fault.skip -= 1
            return False
        if fault.times is not None:
            fault.times -= 1
            if fault.times == 0:
                self._faults.remove(fault)
        return True
