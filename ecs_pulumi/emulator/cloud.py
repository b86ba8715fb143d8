"""The emulated cloud without HTTP: its dialect, state, clock and faults."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from .context import STEPS, Context
from .errors import HttpError
from .faults import Fault, Faults
from .routing import UNAUTHORIZED
from .signing import ALGORITHM, signer
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .context import Call
    from .dialects import Dialect


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
        self._step_at: float | None = None
        self._age: Callable[[], float] | None = None

    def set_stale(self, age: float | Callable[[], float]) -> None:
        """Show the state of some time ago to each GET of Nova, Neutron and Cinder, from now on.

        What was created since then is missing, and what was changed or deleted is shown as it was.

        Args:
            age: the age of the state in seconds, not scaled by the speed, or a function that returns it for a request;
                0 is the current state.
        """
        self._age = age if callable(age) else (lambda: age) if age else None
        moment = lambda: self.clock() if self._step_at is None else self._step_at  # noqa: E731
        self.store.record_history(moment if self._age else None)

    @contextmanager
    def view(self, call: Call) -> Iterator[None]:
        """Serve the request from the state that it may see: a GET of a region's service from a stale one."""
        age = self._age() if self._age and call.region and call.method == "GET" else 0.0
        with self.store.view_of(call.now - age) if age else nullcontext():
            yield

    @contextmanager
    def transaction(self, region: str = "", project: str | None = None) -> Iterator[Context]:
        """Run all steps that are due and open a transaction in which the state can be read and changed.

        Args:
            region: the region of the objects.
            project: name of the project. Default: the first one of the region.
        """
        self.catch_up()
        accounts = self.dialect.accounts
        within = accounts.project(project) if project else accounts.default_project(region)
        with self.store.transaction():
            yield Context(self, self.clock(), region, within.id, accounts.user(within.users[0]).id)

    def catch_up(self) -> None:
        """Run every step that is due, each with the time at which it was due as `now`."""
        # A separate transaction: rolling back a rejected request must not undo the steps.
        with self.store.transaction():
            now = self.clock()
            while (due := self.store.next_due(now)) is not None:
                ctx = Context(self, due.at, due.region, due.project_id, due.user_id)
                self._step_at = due.at
                try:
                    STEPS[due.name](ctx, due.subject, **due.args)
                finally:
                    self._step_at = None

    def authenticate(self, call: Call) -> None:
        """Set the project, user and roles of a request from its token or its signature; 401 without a valid one.

        Only Keystone, which belongs to no region, is used without a project, and a project of one region is of no use
        in another one.
        """
        if call.headers.get("authorization", "").startswith(ALGORITHM):
            key, project = signer(call)
            user = self.dialect.accounts.user(key.user)
            call.user_id, call.roles = user.id, user.roles
            call.project_id = project.id if project else ""
        else:
            token = self.store.get("token", "", call.headers.get("x-auth-token", ""))
            if token is None or token["expires"] <= call.now:
                raise HttpError(401, UNAUTHORIZED)
            call.project_id, call.user_id, call.roles = token["project_id"], token["user_id"], tuple(token["roles"])
            project = self.dialect.accounts.project_by_id(call.project_id)
        if call.region and (project is None or project.region not in (None, call.region)):
            raise HttpError(401, UNAUTHORIZED)

    def expire_tokens(self) -> None:
        """Invalidate all tokens."""
        with self.store.transaction():
            for token in self.store.find("token", ""):
                self.store.remove("token", "", token["id"])

    def set_quota(self, /, **limits: int) -> None:
        """Change quota limits (`instances`, `cores`, `gigabytes`, `port`, …); -1 means unlimited."""
        with self.store.transaction():
            current = self.store.get("quota", "", "quota") or {"id": "quota"}
            self.store.put("quota", "", current | limits)
