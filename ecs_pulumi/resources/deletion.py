"""The deletion of an object that other objects may still use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.cloud import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.resources.clients import Context

_RETRY_SECONDS = 60.0


def delete_when_unused(
    context: Context,
    delete: Callable[[], object],
    users: Callable[[], list[str]],
    *,
    name_users: bool = False,
) -> None:
    """Delete an object. While it is in use, retry for a minute, then raise an error that lists its users.

    Args:
        context: The operation.
        delete: Sends the request.
        users: Describes the objects that use the object.
        name_users: Whether the status line names the users; this reads them before each repetition.
    """
    clock = context.cloud.connection.clock
    timeout = min(_RETRY_SECONDS, context.cloud.deadline.left())
    started, pause = clock.now(), 0.2
    while True:
        try:
            delete()
        except errors.NotFound:
            return
        except errors.Conflict as conflict:
            if clock.now() - started + pause > timeout:
                found = users()
                if not found:
                    raise
                raise errors.OperationFailed(
                    "still in use by " + errors.join_names(found), conflict.message
                ) from conflict
            who = errors.join_names(users()) if name_users else ""
            context.report_status("waiting until it is no longer in use" + (f" by {who}" if who else ""))
            clock.sleep(pause)
            pause = min(pause * 1.5, 5.0)
        else:
            return
