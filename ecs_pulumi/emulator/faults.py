"""Injected faults: error responses, closed connections, and operations that fail."""

from __future__ import annotations

import fnmatch
import json
import re
import threading
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

MOST = 1000
"""The maximum number of active faults."""

MOST_LATENCY = 86_400
"""The maximum delay of a fault in seconds."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: ([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?")

OUTCOMES = (
    "fail-spawn",  # the hypervisor fails to build the server: ERROR, with a fault
    "no-host",  # the scheduler finds no host: ERROR, never placed
    "slow-spawn",  # the build takes ten times as long
    "fail-resize",  # the hypervisor fails to resize the server: ERROR, with a fault
    "fail-confirm",  # the hypervisor fails to confirm the resize: VERIFY_RESIZE, then ERROR, with a fault
    "fallback-resize",  # the scheduler finds no host for the resize: ACTIVE again with the old flavor, without an error
    "auto-confirm",  # the cloud confirms the resize without a request
    "fail-attach",  # the API accepts the attachment, then the volume becomes available again
    "hang-delete",  # the server's delete does not finish until it is requested again
    "defer-delete",  # the server's delete is deferred: SOFT_DELETED, keeping ports and volumes, until a forced delete
    "fail-create",  # the volume ends in error
    "fail-extend",  # the volume ends in error_extending
    "fail-retype",  # the volume keeps its type, without an error
    "fail-delete",  # the volume ends in error_deleting
)
"""The outcomes that a fault can cause; an object whose name contains an outcome has that outcome, too."""


class Fault(BaseModel):
    """A fault of requests (`path`, …) or of the operations that requests start (`outcome`).

    `Fault(method="POST", path="*/servers", status=503, times=2)` fails the next two creates;
    `Fault(path="*/servers", gateway=429)` refuses every request as one of too many;
    `Fault(path="*/servers", drop="after")` executes every request and closes the connection without a response;
    `Fault(outcome="fail-spawn", name="web-*")` puts matching servers into ERROR.
    """

    # Any limit also refuses lone surrogates, which the response to the control API could not contain.
    model_config = ConfigDict(extra="forbid", str_max_length=1_000_000)

    method: str = Field("*", description="HTTP method, or * for any")
    path: str = Field("*", description="glob for the path (with region and service), or `re:` and a regular expression")
    name: str = Field("*", description="glob for the name in the request's body, or for the name of the object")
    status: int | None = Field(
        None, ge=200, le=599, description="respond with this HTTP status instead of executing the request"
    )
    body: Any = Field(None, description="body of that response: an object is sent as JSON, a string unchanged")
    headers: dict[str, str] = Field(default_factory=dict, description="extra headers of that response")
    gateway: Literal[404, 429] | None = Field(
        None,
        description="respond with this status like the gateway of the Open Telekom Cloud, without Retry-After and"
        " without the service's request id: 404 for a request that it does not know, 429 for too many requests",
    )
    latency: float = Field(0.0, ge=0, le=MOST_LATENCY, description="delay in seconds, not scaled by the speed")
    drop: Literal["before", "after", "during"] | None = Field(
        None,
        description="close the connection before executing the request, after it, or in the middle of the response",
    )
    outcome: Literal[OUTCOMES] | None = Field(None, description="how the operation fails")  # type: ignore[valid-type]
    skip: int = Field(0, ge=0, description="number of matches to ignore first")
    times: int | None = Field(None, ge=1, description="number of matches to affect; unset means all until cleared")

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        if path.startswith("re:"):
            try:
                re.compile(path[3:])
            except re.error as error:
                raise ValueError(f"{path} is not a regular expression: {error}") from None
        return path

    @field_validator("body")
    @classmethod
    def _check_body(cls, body: Any) -> Any:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        return body

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(f"{name}: {value}") or name.lower() in ("content-length", "transfer-encoding"):
                raise ValueError(f"{name!r} cannot be sent as a header")
        return headers

    @property
    def only_delays(self) -> bool:
        """Whether the fault only delays the normal response."""
        return self.status is None and self.gateway is None and self.drop is None

    def matches_request(self, method: str, path: str, name: str) -> bool:
        """Return whether the fault applies to a request."""
        if self.outcome is not None or self.method.upper() not in ("*", method):
            return False
        is_regex = self.path.startswith("re:")
        on_path = re.search(self.path[3:], path) is not None if is_regex else fnmatch.fnmatchcase(path, self.path)
        return on_path and fnmatch.fnmatchcase(name, self.name)


class Faults:
    """The active faults in the order in which they were added; thread-safe."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._lock = threading.Lock()
        self._faults = [fault.model_copy() for fault in faults]

    def add(self, fault: Fault) -> None:
        """Add a fault.

        Raises:
            OverflowError: the maximum number of faults is active.
        """
        with self._lock:
            if len(self._faults) >= MOST:
                raise OverflowError(f"{MOST} faults are active, which is the maximum: clear them first")
            self._faults.append(fault.model_copy())

    def clear(self) -> None:
        """Remove all faults. Names that contain an outcome keep their effect."""
        with self._lock:
            self._faults.clear()

    def list(self) -> list[Fault]:
        """Return the active faults with their remaining `times`."""
        with self._lock:
            return [fault.model_copy() for fault in self._faults]

    def for_request(self, method: str, path: str, name: str) -> tuple[float, Fault | None]:
        """Return the total latency of all faults that match a request, and the first that does more than delay it."""
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
        """Return whether an object of this name must have this outcome."""
        with self._lock:
            for fault in list(self._faults):
                if fault.outcome == outcome and fnmatch.fnmatchcase(name, fault.name) and self._use(fault):
                    return True
        return outcome in name

    def _use(self, fault: Fault) -> bool:
        """Count a match of the fault; False while matches are to be ignored (`skip`)."""
        if fault.skip:
            fault.skip -= 1
            return False
        if fault.times is not None:
            fault.times -= 1
            if fault.times == 0:
                self._faults.remove(fault)
        return True
