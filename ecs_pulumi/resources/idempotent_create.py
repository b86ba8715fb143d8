"""Creating once: where the answer to a request is lost, the object is looked for before it is asked for again."""

from __future__ import annotations

import http
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.polling import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.resources.common import Context, RemoteObject

_ATTEMPTS = 3
_LOOKS = (0.0, 0.5, 1.5, 3.0)
_LATE_LOOKS = (6.0, 12.0, 24.0, 48.0)
_SHARE_OF_THE_TIME_LEFT = 0.25
_CLOCKS_DIFFER = 60.0
_MAY_STILL_APPEAR = (
    "nothing was found yet, but it may still appear, so this run does not ask for it again; "
    "the next `pulumi up` finds it"
)

T = TypeVar("T")

_created: set[str] = set()


def send_once(
    send: Callable[[], T],
    there: Callable[[errors.EcsError], T | None],
    *refusals: type[errors.EcsError],
    doubles: bool = False,
) -> T:
    """Send a request that must not act twice: where its answer is lost, look what it did before repeating it.

    Args:
        send: Sends the request.
        there: Looks for what it was to bring about, given what went wrong; None where that is not there.
        refusals: What the API says where it is there already.
        doubles: Whether the API would act on both of two such requests. Then one that timed out is not sent again,
            as the service may be at work on it for longer than anybody looks.

    Raises:
        OperationFailed: It timed out, and what it was to bring about may still appear.
    """
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            return send()
        except errors.EcsError as error:
            lost = errors.may_have_taken_effect(error)
            if not lost and not isinstance(error, refusals):
                raise
            found = there(error)
            if found is not None:
                return found
            if doubles and errors.timed_out(error):
                raise errors.OperationFailed(str(error).rstrip("."), _MAY_STILL_APPEAR) from error
            if not lost or not attempts_left or _is_final(error):
                raise
    raise AssertionError


def create_or_find(
    context: Context,
    api: ServiceClient,
    send: Callable[[], RemoteObject],
    candidates: Callable[[], Iterable[RemoteObject]],
    marked: str | None = None,
) -> RemoteObject:
    """Send a create request, and where its answer is lost look for the object before asking again.

    Args:
        context: The operation.
        api: Where the request goes.
        send: Sends the request.
        candidates: Lists what has the object's name.
        marked: The description it was asked to have, which tells it from others of the same name.
    """
    began = api.clock.now()

    def there(lost: errors.EcsError) -> RemoteObject | None:
        for remote in _looked_for(context, api, candidates, lost):
            as_asked = marked in (None, "", remote.get("description"))
            if as_asked and not created_in_this_run(remote["id"]) and is_younger(api, remote, began, _CLOCKS_DIFFER):
                return remote
        return None

    made = send_once(send, there, doubles=True)
    _created.add(made["id"])
    return made


def created_in_this_run(id_: str) -> bool:
    """Whether this process made the object, so that nobody has to look whether there is one."""
    return id_ in _created


def is_younger(api: ServiceClient, remote: RemoteObject, moment: float, tolerance: float) -> bool:
    """Whether the cloud made an object after a moment of this process's clock, or does not tell when it did.

    Args:
        api: Where it lives; its answers tell the cloud's time.
        remote: The object.
        moment: The moment.
        tolerance: Seconds by which the clocks of the cloud's hosts may differ.
    """
    told = remote.get("created_at") or remote.get("created")
    if not told:
        return True
    born = datetime.fromisoformat(told.replace("Z", "+00:00"))
    born = born if born.tzinfo else born.replace(tzinfo=timezone.utc)
    return born.timestamp() >= api.server_time() - (api.clock.now() - moment) - tolerance


def _is_final(error: errors.EcsError) -> bool:
    """Whether asking again would only be answered so again: 502 and 504 are a proxy's, 500 is the service's own."""
    return isinstance(error, errors.ApiError) and error.status == http.HTTPStatus.INTERNAL_SERVER_ERROR


def _looked_for(
    context: Context, api: ServiceClient, candidates: Callable[[], Iterable[RemoteObject]], lost: errors.EcsError
) -> Iterable[RemoteObject]:
    """What may be the object, in several looks, as the API may still be at work on a request that it lost."""
    context.report_status("the answer was lost; looking for what was created")
    for pause in _pauses(context, lost):
        api.clock.sleep(pause)
        try:
            yield from wait_for(
                lambda: list(candidates()),
                done=lambda _: True,
                deadline=context.cloud.deadline,
                what="a list to look in",
            )
        except errors.EcsError as error:
            raise errors.OperationFailed(
                "it may have been created all the same",
                f"{lost} Looking for it failed, too: {error} `python -m ecs_pulumi.orphans` finds it if it is there.",
            ) from lost


def _pauses(context: Context, lost: errors.EcsError) -> Iterable[float]:
    """Seconds before each look."""
    yield from _LOOKS
    if not errors.timed_out(lost):
        return
    # A service that is slow to answer is slow to do it, and asked again it does it twice.
    for pause in _LATE_LOOKS:
        if pause > context.cloud.deadline.left() * _SHARE_OF_THE_TIME_LEFT:
            return
        yield pause
