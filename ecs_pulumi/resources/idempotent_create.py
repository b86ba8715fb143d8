"""Create requests that do not create twice: after a lost response, search for the object before sending again."""

from __future__ import annotations

import http
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.polling import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

_ATTEMPTS = 3
_SEARCH_DELAYS = (0.0, 0.5, 1.5, 4.0)
"""Together longer than a read may be stale."""
_TIMEOUT_SEARCH_DELAYS = (6.0, 12.0, 24.0, 48.0)
_LONGEST_SHARE_OF_TIME_LEFT = 0.25
_CLOCKS_DIFFER = 60.0
_MAY_STILL_APPEAR = (
    "the object was not found yet, but it may still appear, so this run does not send the request again; "
    "the next `pulumi up` finds it"
)
_MAY_BE = (
    "the request may have created {}, but nothing distinguishes that object from those of others; if it is new, set "
    "`adopt` to its id, or delete it: otherwise the next `pulumi up` creates another one"
)

T = TypeVar("T")

_created: set[str] = set()


def send_once(
    send: Callable[[], T],
    find: Callable[[errors.EcsError], T | None],
    *conflicts: type[errors.EcsError],
    duplicates: bool = False,
) -> T:
    """Send a request that must not take effect twice: after a lost response, search for its effect before repeating it.

    Args:
        send: Sends the request.
        find: Searches for the effect of the request, given the error; None if there is none.
        conflicts: Errors with which the API refuses the request if it has already taken effect.
        duplicates: Whether two such requests would take effect twice. Then a request that timed out is not sent again,
            because the service may work on it for longer than the search takes.

    Raises:
        OperationFailed: The request timed out, and may still take effect.
    """
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            return send()
        except errors.EcsError as error:
            is_lost = errors.may_have_taken_effect(error)
            if not is_lost and not isinstance(error, conflicts):
                raise
            found = find(error)
            if found is not None:
                return found
            if duplicates and errors.timed_out(error):
                raise errors.OperationFailed(str(error).rstrip("."), _MAY_STILL_APPEAR) from error
            if not is_lost or not attempts_left or _is_final(error):
                raise
    raise AssertionError


def create_or_find(
    context: Context,
    api: ServiceClient,
    send: Callable[[], RemoteObject],
    candidates: Callable[[], Iterable[RemoteObject]],
    is_own: Callable[[RemoteObject], bool | None] = lambda _: True,
) -> RemoteObject:
    """Send a create request. After a lost response, search for the object before sending it again.

    Args:
        context: The operation.
        api: The service.
        send: Sends the request.
        candidates: Lists the objects with the name of the object.
        is_own: Whether such an object is the one in the request; None if others may create the same at the same time.

    Raises:
        OperationFailed: Nothing distinguishes the object, and one exists that the request may have created.
    """
    start = api.clock.now()

    def find(error: errors.EcsError) -> RemoteObject | None:
        matches = (
            remote
            for remote in _search(context, api, candidates, error)
            if not created_in_this_run(remote["id"]) and is_younger(api, remote, start, _CLOCKS_DIFFER)
        )
        found = set()
        for remote in matches:
            if (own := is_own(remote)) is None:
                found.add(remote["id"])
            elif own:
                return remote
        if found:
            which = _MAY_BE.format(" or ".join(sorted(found)))
            raise errors.OperationFailed(str(error).rstrip("."), which) from error
        return None

    created = send_once(send, find, duplicates=True)
    _created.add(created["id"])
    return created


def has_description(text: str | None) -> Callable[[RemoteObject], bool]:
    """Return whether an object has the description in a create request, as far as the request and the API have one."""
    return lambda remote: text in (None, "", remote.get("description", text))


def created_in_this_run(id_: str) -> bool:
    """Whether this process created the object, so that its existence needs no check."""
    return id_ in _created


def is_younger(api: ServiceClient, remote: RemoteObject, moment: float, tolerance: float) -> bool:
    """Whether the cloud created an object after a moment, or does not report when it did.

    Args:
        api: The service of the object; its responses carry the time of the cloud.
        remote: The object.
        moment: The moment, by the clock of this process.
        tolerance: Seconds by which the clocks of the cloud's hosts may differ.
    """
    text = remote.get("created_at") or remote.get("created")
    if not text:
        return True
    created = datetime.fromisoformat(text.replace("Z", "+00:00"))
    created = created if created.tzinfo else created.replace(tzinfo=timezone.utc)
    return created.timestamp() >= api.server_time() - (api.clock.now() - moment) - tolerance


def _is_final(error: errors.EcsError) -> bool:
    """Whether a repetition would fail again: a 500 comes from the service itself, a 502 or 504 from a proxy."""
    return isinstance(error, errors.ApiError) and error.status == http.HTTPStatus.INTERNAL_SERVER_ERROR


def _search(
    context: Context, api: ServiceClient, candidates: Callable[[], Iterable[RemoteObject]], error: errors.EcsError
) -> Iterable[RemoteObject]:
    """Yield what may be the object, from several searches, because the API may still work on the request."""
    context.report_status("response lost; searching for the object")
    for delay in _delays(context, error):
        api.clock.sleep(delay)
        try:
            yield from wait_for(
                lambda: list(candidates()),
                done=lambda _: True,
                deadline=context.cloud.deadline,
                what="the list of existing objects",
            )
        except errors.EcsError as failure:
            raise errors.OperationFailed(
                "the object may have been created",
                f"{error} The search for it failed, too: {failure} Run `ecs-pulumi orphans` to find it.",
            ) from error


def _delays(context: Context, error: errors.EcsError) -> Iterable[float]:
    """Yield the seconds to wait before each search."""
    yield from _SEARCH_DELAYS
    if not errors.timed_out(error):
        return
    # After a timeout the service may still execute the request; a second one would create a second object.
    for delay in _TIMEOUT_SEARCH_DELAYS:
        if delay > context.cloud.deadline.left() * _LONGEST_SHARE_OF_TIME_LEFT:
            return
        yield delay
