"""Changes of the attachments of a suspended or shelved server, which is made active while they are changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.resources.server import actions

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.resources.clients import Context

T = TypeVar("T")

_LONGEST = 1800.0
"""Time limit in seconds for suspending or shelving the server again, independent of the attachment's own timeout."""


@dataclass
class _SharedActivation:
    """State that concurrent changes of one server's attachments share."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    power_state: str | None = None
    """Power state before the server was resumed or unshelved; None if it was not."""
    failure: errors.EcsError | None = None
    """Error of the failed resume or unshelve; all waiting changes raise it."""

    def activate(self, context: Context, server_id: str) -> bool:
        """Make the server active; return False if it was not suspended or shelved.

        Raises:
            OperationFailed: The server could not be resumed or unshelved.
        """
        with self.lock:
            server = context.cloud.region.servers.get(server_id)
            if server and server["status"] in actions.REFUSES_ATTACHMENTS:
                if self.failure:
                    raise self.failure
                power_state, status = actions.power_state(server), server["status"]
                context.notify(
                    f"the server {server_id} is {status}: it runs for this change and is {status} again afterwards"
                )
                try:
                    actions.set_power_state(context, server, "active")
                except errors.EcsError as error:
                    what = f"the server {server_id} is {status}, and has to run for this change"
                    self.failure = errors.OperationFailed(what, str(error))
                    raise self.failure from error
                self.power_state = self.power_state or power_state
            return self.power_state is not None

    def release(self, context: Context, server_id: str) -> None:
        """Suspend or shelve the server again after the last change; a failure is a warning, not an error."""
        with self.lock:
            self.users -= 1
            if self.users:
                return
            prior, self.power_state, self.failure = self.power_state, None, None
            server = rpc_bridge.current_request().urn, "Server", server_id
            if prior is None or run.replaces(*server) or run.also_deletes(*server):
                return
            context.cloud = replace(context.cloud, deadline=Deadline(context.cloud.deadline.clock, _LONGEST))
            try:
                if remote := context.cloud.region.servers.get(server_id):
                    actions.set_power_state(context, remote, prior)
            except errors.EcsError as error:
                context.warn(
                    f"the server {server_id} is still active, setting its power_state to {prior} failed: {error}"
                )


_activations: dict[str, _SharedActivation] = {}
_activations_lock = threading.Lock()


def while_active(context: Context, server_id: str, do: Callable[[], T]) -> T:
    """Change a server's attachments; if it is suspended or shelved and rejects that, make it active and try again.

    `server.plan` does the same for changes of the server itself.
    """
    with _activations_lock:
        shared = _activations.setdefault(server_id, _SharedActivation())
    with shared.lock:
        shared.users += 1
    try:
        return do()
    except (errors.Conflict, errors.BadRequest):
        if not shared.activate(context, server_id):
            raise
        return do()
    finally:
        shared.release(context, server_id)
