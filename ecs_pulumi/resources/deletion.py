"""The deletion of an object that other objects may still use."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic import rpc_bridge, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ecs_pulumi.resources.clients import Context

_RETRY_SECONDS = 60.0
_LISTED = 3
_PATIENCE = 5.0
"""Seconds in which the resources that use an object may be deleted at the same time."""


@dataclass(frozen=True)
class User:
    """What uses an object, and can be separated from it.

    Attributes:
        label: Its description.
        owners: Kind and id of the resources that may declare it.
        release: Ends that it uses the object.
    """

    label: str
    owners: Sequence[tuple[str, str]]
    release: Callable[[], object]

    def __str__(self) -> str:
        """The description."""
        return self.label


def delete_when_unused(
    context: Context,
    delete: Callable[[], object],
    users: Callable[[], Sequence[str | User]],
    *,
    name_users: bool = False,
    seconds: float = _RETRY_SECONDS,
) -> None:
    """Delete an object. While it is in use, retry until the timeout, then raise an error that lists its users.

    The engine may delete a user only after the object. Therefore this releases a `User` that the same run deletes.

    Args:
        context: The operation.
        delete: Sends the request.
        users: Describes the objects that use the object.
        name_users: Whether the status line names the users from the start; this reads them before each repetition.
        seconds: For how long to retry if `custom_timeouts` does not set a timeout.
    """
    clock, request = context.cloud.connection.clock, rpc_bridge.current_request()
    timeout = min(request.timeout or seconds, context.cloud.deadline.left())
    started, pause = clock.now(), 0.2
    while True:
        try:
            delete()
        except errors.NotFound:
            return
        except errors.Conflict as conflict:
            waited = clock.now() - started
            is_last = waited + pause > timeout
            found = users() if name_users or is_last or waited >= _PATIENCE else ()
            labels = [str(user) for user in found]
            if is_last:
                if not found:
                    raise
                raise errors.OperationFailed(
                    "still in use by " + errors.join_names(labels), conflict.message
                ) from conflict
            if waited >= _PATIENCE:
                _release(context, found, request.urn)
            who = errors.join_names(labels, _LISTED)
            context.report_status("waiting until it is no longer in use" + (f" by {who}" if who else ""))
            clock.sleep(pause)
            pause = min(pause * 1.5, 5.0)
        else:
            return


def _release(context: Context, users: Iterable[str | User], urn: str) -> None:
    """Release the object from the users that this run deletes as well."""
    for user in users:
        if not isinstance(user, User) or any(run.is_deleting(*owner) for owner in user.owners):
            continue
        if any(run.also_deletes(urn, *owner) for owner in user.owners):
            context.report_status(f"releasing {user}, which this run deletes as well")
            # A user that is busy, such as a server whose own delete begins now, is read again at the next repetition.
            with contextlib.suppress(errors.Conflict):
                user.release()
