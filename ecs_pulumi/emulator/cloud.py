"""The emulated cloud without HTTP: its dialect, state, clock and faults."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .context import STEPS, Context
from .errors import HttpError
from .faults import Fault, Faults
from .routing import UNAUTHORIZED
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .context import Call
    from .dialects import Dialect

DOMAIN = {"id": "default", "name": "Default"}


def fixed_id(name: str) -> str:
    """Return the id of a built-in object. It is the same in every emulated cloud, so that logs can be compared."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"ecs-emulator:{name}").hex


PROJECTS = {name: fixed_id(f"project/{name}") for name in ("demo", "admin")}
USERS = {name: fixed_id(f"user/{name}") for name in ("demo", "admin")}


class Cloud:
    """One emulated cloud.

    Args:
        dialect: the kind of cloud to emulate.
        state: path of the SQLite file that stores the state, or `:memory:`.
        speed: speed relative to a real cloud; 2 halves every duration.
        clock: returns the current time in seconds since the epoch.
        faults: active from the start.
        token_lifetime: seconds until a token expires.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        state: str = ":memory:",
        speed: float = 1.0,
        clock: Callable[[], float] = time.time,
        faults: tuple[Fault, ...] = (),
        token_lifetime: float = 4 * 3600,
    ) -> None:
        self.dialect = dialect
        self.speed = speed
        self.clock = clock
        self.token_lifetime = token_lifetime
        self.faults = Faults(faults)
        self.store = Store(state)

    @contextmanager
    def transaction(self, region: str = "", project: str = "demo") -> Iterator[Context]:
        """Run all steps that are due and open a transaction in which the state can be read and changed."""
        self.catch_up()
        with self.store.transaction():
            yield Context(self, self.clock(), region, PROJECTS[project], USERS[project])

    def catch_up(self) -> None:
        """Run every step that is due, each with the time at which it was due as `now`."""
        # A separate transaction: rolling back a rejected request must not undo the steps.
        with self.store.transaction():
            now = self.clock()
            while (due := self.store.next_due(now)) is not None:
                ctx = Context(self, due.at, due.region, due.project_id, due.user_id)
                STEPS[due.name](ctx, due.subject, **due.args)

    def authenticate(self, call: Call) -> None:
        """Set the project, user and roles of a request from its token; 401 without a valid one."""
        token = self.store.get("token", "", call.headers.get("x-auth-token", ""))
        if token is None or token["expires"] <= call.now or not token["project_id"]:
            raise HttpError(401, UNAUTHORIZED)
        call.project_id = token["project_id"]
        call.user_id = token["user_id"]
        call.roles = tuple(token["roles"])

    def expire_tokens(self) -> None:
        """Invalidate all tokens."""
        with self.store.transaction():
            for token in self.store.find("token", ""):
                self.store.remove("token", "", token["id"])

    def set_quota(self, **limits: int) -> None:
        """Change quota limits (`instances`, `cores`, `gigabytes`, `port`, …); -1 means unlimited."""
        with self.store.transaction():
            current = self.store.get("quota", "", "quota") or {"id": "quota"}
            self.store.put("quota", "", current | limits)
