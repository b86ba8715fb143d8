"""Requests that fail only because another resource of the same run does not exist yet, or still has what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.polling import poll_interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.resources.clients import Context

T = TypeVar("T")

_SECONDS = 60.0
"""How long a request is repeated by default."""


def retry_while_awaited(
    context: Context,
    send: Callable[[], T],
    awaited: Callable[[errors.ApiError, float], str | None],
    *,
    seconds: float | None = None,
) -> T:
    """Send a request. While it is refused only because of another resource of the run, repeat it.

    Args:
        context: The operation.
        send: Sends the request.
        awaited: Given a refusal and the seconds since the first request, returns a status line that names what the
            request waits for; an empty one to repeat it at once, None if it waits for nothing.
        seconds: When to raise the refusal, if not earlier at the end of the operation. Default: a minute.
    """
    clock = context.cloud.connection.clock
    start = clock.now()
    limit = min(_SECONDS if seconds is None else seconds, context.cloud.deadline.left())
    while True:
        try:
            return send()
        except errors.ApiError as error:
            age = clock.now() - start
            status = awaited(error, age)
            pause = poll_interval(age) if status else 0.0
            if status is None or age + pause > limit:
                raise
        if status:
            context.report_status(status)
            clock.sleep(pause)
