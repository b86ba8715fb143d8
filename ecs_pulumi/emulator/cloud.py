"""The cloud itself, without HTTP: its memory, its time, its kind and its troubles."""

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


def fixed_id(what: str) -> str:
    """The id of something that every emulated cloud has; the same in each, so that logs can be compared."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"ecs-emulator:{what}").hex


PROJECTS = {name: fixed_id(f"project/{name}") for name in ("demo", "admin")}
USERS = {name: fixed_id(f"user/{name}") for name in ("demo", "admin")}


class Cloud:
    """One emulated cloud.

    Args:
        dialect: its kind.
        state: a SQLite file that outlives the process, or `:memory:`.
        speed: how much faster than a real cloud; 2 halves every duration.
        clock: gives the current moment in seconds since the epoch.
        faults: in force from the start.
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
        """The state as of now, to look at or to change, as one transaction."""
        self.catch_up()
        with self.store.transaction():
            yield Context(self, self.clock(), region, PROJECTS[project], USERS[project])

    def catch_up(self) -> None:
        """Carry out every step that has come due, each as of its own moment."""
        # In a transaction of its own: a request that is refused afterwards must not undo what time has done.
        with self.store.transaction():
            now = self.clock()
            while (due := self.store.next_due(now)) is not None:
                ctx = Context(self, due.at, due.region, due.project_id, due.user_id)
                STEPS[due.name](ctx, due.subject, **due.args)

    def authenticate(self, call: Call) -> None:
        """Find out on whose behalf a request is made; 401 without a token that holds."""
        token = self.store.get("token", "", call.headers.get("x-auth-token", ""))
        if token is None or token["expires"] <= call.now or not token["project_id"]:
            raise HttpError(401, UNAUTHORIZED)
        call.project_id = token["project_id"]
        call.user_id = token["user_id"]
        call.roles = tuple(token["roles"])

    def expire_tokens(self) -> None:
        """Let every token given out so far be no good any more."""
        with self.store.transaction():
            for token in self.store.find("token", "", {}):
                self.store.remove("token", "", token["id"])

    def set_quota(self, **limits: int) -> None:
        """Change limits (`instances`, `cores`, `gigabytes`, `port`, …); -1 is none."""
        with self.store.transaction():
            known = self.store.get("quota", "", "quota") or {"id": "quota"}
            self.store.put("quota", "", known | limits)
