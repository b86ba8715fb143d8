"""Attachments of a suspended or shelved server: it runs while they are changed, and is suspended or shelved again."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.resources import server_life as life

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.resources.common import Context

T = TypeVar("T")

_LONGEST = 1800.0
"""Seconds that a server may take to be suspended or shelved again, whatever is left of the attachment's own time."""


@dataclass
class _Turn:
    """The attachments that are changed on one server at the same time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    power_state: str | None = None
    """The power state before the server was resumed or unshelved; None where it was not."""
    failure: errors.EcsError | None = None
    """Why it could not be, which is the same for all that are waiting."""

    def wake(self, context: Context, server_id: str) -> bool:
        """Let the server run; False where it was not suspended or shelved.

        Raises:
            OperationFailed: it could not be resumed or unshelved.
        """
        with self.lock:
            server = context.cloud.region.servers.get(server_id)
            if server and server["status"] in life.REFUSES_ATTACHMENTS:
                if self.failure:
                    raise self.failure
                power_state, status = life.power_state(server), server["status"]
                context.notify(
                    f"the server {server_id} is {status}: it runs for this change and is {status} again afterwards"
                )
                try:
                    life.set_power_state(context, server, "active")
                except errors.EcsError as error:
                    what = f"the server {server_id} is {status}, and has to run for this change"
                    self.failure = errors.OperationFailed(what, str(error))
                    raise self.failure from error
                self.power_state = self.power_state or power_state
            return self.power_state is not None

    def leave(self, context: Context, server_id: str) -> None:
        """Suspend or shelve the server again unless others are at work; where that fails, a refresh shows it."""
        with self.lock:
            self.users -= 1
            if self.users:
                return
            prior, self.power_state, self.failure = self.power_state, None, None
            if prior is None or run.replaces(rpc_bridge.current_request().urn, "Server", server_id):
                return
            context.cloud = replace(context.cloud, deadline=Deadline(context.cloud.deadline.clock, _LONGEST))
            try:
                if server := context.cloud.region.servers.get(server_id):
                    life.set_power_state(context, server, prior)
            except errors.EcsError as error:
                context.warn(f"the server {server_id} runs, and could not be {prior} again: {error}")


_turns: dict[str, _Turn] = {}
_making = threading.Lock()


def while_awake(context: Context, server_id: str, do: Callable[[], T]) -> T:
    """Change a server's attachments; where it is suspended or shelved and refuses, let it run and do it once more.

    The kind Server does the same for changes of its own (`server_life.wake_for`).
    """
    with _making:
        turn = _turns.setdefault(server_id, _Turn())
    with turn.lock:
        turn.users += 1
    try:
        return do()
    except (errors.Conflict, errors.BadRequest):
        if not turn.wake(context, server_id):
            raise
        return do()
    finally:
        turn.leave(context, server_id)
