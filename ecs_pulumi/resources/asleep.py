"""A server that sleeps is woken for what its attachments do to it, and brought back when the last of them is done."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ecs_pulumi.cloud import errors
from ecs_pulumi.resources import server_life as life

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.resources.common import Op

T = TypeVar("T")


@dataclass
class _Turn:
    """The attachments that are at work on one server at the same time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    power_state: str | None = None
    """What the server did before it was woken; None where it was not."""

    def wake(self, op: Op, server_id: str) -> bool:
        """Let the server run; False where it was not asleep."""
        with self.lock:
            server = op.cloud.region.servers.get(server_id)
            if server and server["status"] in life.REFUSES_ATTACHMENTS:
                op.tell(f"the server {server_id} is {server['status']}: it is woken for this, and brought back")
                self.power_state = self.power_state or life.power_state(server)
                life.bring_to(op, server, "active")
            return self.power_state is not None

    def leave(self, op: Op, server_id: str) -> None:
        """Bring the server back to where it was, unless others are at work; where that fails, a refresh shows it."""
        with self.lock:
            self.users -= 1
            if self.users or self.power_state is None:
                return
            before, self.power_state = self.power_state, None
            try:
                if server := op.cloud.region.servers.get(server_id):
                    life.bring_to(op, server, before)
            except errors.EcsError as error:
                op.warn(f"the server {server_id} was woken for this and could not be brought back to {before}: {error}")


_turns: dict[str, _Turn] = {}
_making = threading.Lock()


def while_awake(op: Op, server_id: str, do: Callable[[], T]) -> T:
    """Do something to a server's attachments, once more on a woken server where a sleeping one refuses it.

    The server itself does the same for changes of its own (`server_life.wake_for`).
    """
    with _making:
        turn = _turns.setdefault(server_id, _Turn())
    with turn.lock:
        turn.users += 1
    try:
        return do()
    except errors.Conflict:
        if not turn.wake(op, server_id):
            raise
        return do()
    finally:
        turn.leave(op, server_id)
