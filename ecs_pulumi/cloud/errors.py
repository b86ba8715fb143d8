"""What can go wrong, each with a message for the person who reads it.

::

    EcsError                    str() is one line for a user
    ├── ConfigurationError      a setting is missing or wrong; names it, or the ``OS_`` variable
    │   └── NoCloud             nothing says which cloud, or as whom
    ├── ConnectionFailed        no usable answer: endpoint down, DNS, TLS
    │   └── AnswerLost          … and the request may have taken effect
    ├── ApiError                the API answered with an error
    │   ├── BadRequest          400
    │   ├── Unauthorized        401
    │   ├── Forbidden           403
    │   │   └── QuotaExceeded   403 from Nova, 409 from Neutron, 413 from Cinder
    │   ├── NotFound            404
    │   ├── Conflict            409
    │   ├── TooManyRequests     429, and 413 where it means a rate limit
    │   ├── Unrouted            404 from a proxy, which says nothing of the object
    │   └── ServerFault         5xx
    ├── WaitTimeout             a deadline passed while waiting
    ├── Failed                  an object ended in an error state
    ├── Unsupported             the cloud's API version lacks a feature
    ├── NotUnique               a lookup found several
    └── NoMatch                 a lookup found none

No message contains a token, a password, user data or a private key: what a request carried under such a name
is struck out wherever the API repeats it.
"""

# ruff: noqa: N818 - the names say what happened, as the API's own words do

from __future__ import annotations

import contextlib
import html
import http
import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests

_LONGEST = 600
_SECRETS = frozenset({"adminpass", "password", "user_data", "contents", "private_key", "secret", "passcode"})
_QUOTA = re.compile(r"quota|\bmaximum number of\b", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'")  # a name, which may be any word
_NOVA_QUOTA = re.compile(
    r"Quota exceeded for (?P<names>[\w, -]+): Requested (?P<asked>\d+(?:, \d+)*), "
    r"but already used (?P<used>\d+(?:, \d+)*) of (?P<limits>\d+(?:, \d+)*)",
)
_CINDER_QUOTA = re.compile(
    r"allowed (?P<names>\S+) quota\. Requested (?P<asked>\d+)\w?, quota is (?P<limits>\d+)\w? "
    r"and (?P<used>\d+)\w? has been consumed",
)
_NEUTRON_QUOTA = re.compile(r"Quota exceeded for resources: \[(?P<names>[^]]*)\]")
_ECHO = re.compile(
    r"Invalid input for field/attribute (?P<field>\S+)\. "
    r"Value: (?P<value>\{.*?\}|\[.*?\]|.*?)\. (?P<reason>.+)",
    re.DOTALL,
)
_SHORT_ECHO = 60
# What Nova answers with 403 though no role is missing (its exceptions of code 403 that a request of ours can meet).
_FORBIDDEN = (
    (
        re.compile(r"Only volume-backed servers are allowed for flavors with zero disk"),
        "The flavor has no disk: boot from a volume (block_devices), or choose a flavor with a disk.",
    ),
    (
        re.compile(r"not allowed to create an interface on external network"),
        "Connect the server to a network of the project; a router and a floating IP lead outside.",
    ),
    (
        re.compile(r"maximum allowed number of disk devices"),
        "Detach a volume that the server does not need, or attach this one to another server.",
    ),
    (re.compile(r"^Personality file"), "Shorten `personality`, or let `user_data` write the files."),
    (re.compile(r"Maximum number of metadata items"), "Shorten `metadata`: the limit holds for each server."),
)
_FROM_A_PROXY = (
    "The response came from a proxy, not from the service: check HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and what the "
    "proxy allows."
)
_RESET = re.compile(r"reset reason: (connection termination|local reset|remote reset|protocol error)")
"""What Envoy says, with a 503, of a connection that ended when the service had the request."""
_PROXYS_OWN = frozenset({403, 407})
_MAY_HAVE_ACTED = frozenset({408, 500, 502, 504})


class EcsError(Exception):
    """Anything this package reports; ``str()`` is one line for a user.

    Attributes:
        retries_exhausted: whether it was repeated as often as is worth it, so that nobody above repeats it again.
        deadline_exceeded: whether it would have been repeated, had the operation more time.
    """

    retries_exhausted = False
    deadline_exceeded = False


class ConfigurationError(EcsError):
    """A setting is missing or wrong; the message names it."""


class MissingCredentials(ConfigurationError):
    """Settings, environment and clouds.yaml together do not say which cloud it is, or have no secret to log in with."""


class ConnectionFailed(EcsError):
    """The API gave no usable answer.

    Attributes:
        sent: whether the request may have reached the API.
        temporary: whether trying again can help; a certificate that does not verify stays so.
    """

    def __init__(self, message: str, *, sent: bool = False, temporary: bool = True) -> None:
        super().__init__(message)
        self.sent = sent
        self.temporary = temporary


class ResponseLost(ConnectionFailed):
    """The connection broke after the request went out: look whether it took effect before repeating it.

    Attributes:
        is_timeout: whether nothing came in time, so that the API may still be at work on it.
    """

    def __init__(self, message: str, *, is_timeout: bool = False) -> None:
        super().__init__(message, sent=True)
        self.is_timeout = is_timeout


class ApiError(EcsError):
    """The API answered with an error.

    Attributes:
        status: the HTTP status.
        message: the API's own words, secrets struck out.
        request_id: what the cloud's operator finds the request by.
        method: the request's method.
        path: the request's path.
        body_type: the API's name for the error, such as ``itemNotFound`` or ``IpAddressInUse``.
        retry_after: seconds the API asks to wait before the next attempt.
    """

    hint = ""

    def __init__(
        self,
        status: int,
        message: str,
        request_id: str | None = None,
        method: str = "",
        path: str = "",
        body_type: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.request_id = request_id
        self.method = method
        self.path = path
        self.body_type = body_type
        self.retry_after = retry_after

    def __str__(self) -> str:
        """``message (HTTP status, request id). Hint.``."""
        origin = ", ".join(filter(None, [f"HTTP {self.status}", self.request_id]))
        text = f"{self.message.rstrip('.')} ({origin})"
        return f"{text}. {self.hint}" if self.hint else text


class BadRequest(ApiError):
    """400: the API does not accept what was asked."""


class Unauthorized(ApiError):
    """401: the credentials are not accepted. Who knows which they are sets the hint."""


class Forbidden(ApiError):
    """403: the account's roles do not allow it, unless the hint says otherwise."""

    hint = "The account's roles in this project do not allow it."


class QuotaExceeded(Forbidden):
    """The project's quota does not hold what was asked."""

    hint = "Free some or ask for more."


class NotFound(ApiError):
    """404: there is no such object (for this project)."""


class Conflict(ApiError):
    """409: the object's present state does not allow it."""


class TooManyRequests(ApiError):
    """429, or 413 with Retry-After: the API limits the rate."""


class ProxyNotFound(ApiError):
    """404 from a proxy that knows no way to the service, and so nothing of the service's objects."""

    hint = "This is no answer of the service itself: its URL is wrong, or it is not there at present."


class ServerError(ApiError):
    """5xx: the cloud failed, not the request."""


class WaitTimeout(EcsError):
    """A deadline passed while waiting.

    Attributes:
        what: what was waited for.
        last_status: what was seen last.
        seconds: how long the wait took.
        request_id: of the last poll.
    """

    def __init__(self, what: str, last_status: str, seconds: float, request_id: str | None = None) -> None:
        origin = f" ({request_id})" if request_id and request_id not in last_status else ""
        super().__init__(
            f"Gave up waiting for {what} after {seconds:.0f} s; last seen: {last_status}{origin}. "
            "A longer time goes into custom_timeouts.",
        )
        self.what = what
        self.last_status = last_status
        self.seconds = seconds
        self.request_id = request_id


class OperationFailed(EcsError):
    """An object ended in an error state.

    Attributes:
        what: the object.
        reason: the cloud's own words, where it recorded any.
    """

    def __init__(self, what: str, reason: str | None) -> None:
        super().__init__(f"{what}: {one_line(reason) if reason else 'the cloud recorded no reason'}")
        self.what = what
        self.reason = reason


class Unsupported(EcsError):
    """The cloud's API is too old for a feature.

    Attributes:
        feature: what was asked.
        needs: the API version it came with.
        offered: the versions found.
    """

    def __init__(self, feature: str, needs: str, offered: str) -> None:
        super().__init__(f"{feature} needs {needs}; this cloud offers {offered}")
        self.feature = feature
        self.needs = needs
        self.offered = offered


class _Lookup(EcsError):
    def __init__(self, candidates: Sequence[str], message: str | None = None) -> None:
        super().__init__(message or self.summary(candidates))
        self.candidates = list(candidates)

    @staticmethod
    def summary(candidates: Sequence[str]) -> str:
        raise NotImplementedError


class NotUnique(_Lookup):
    """A lookup found several; the message lists them.

    Attributes:
        candidates: what was found.
    """

    @staticmethod
    def summary(candidates: Sequence[str]) -> str:
        """The default message."""
        return f"{len(candidates)} match, one is wanted: {join_names(candidates)}"


class NoMatch(_Lookup):
    """A lookup found none; the message lists what there is.

    Attributes:
        candidates: what there is instead.
    """

    @staticmethod
    def summary(candidates: Sequence[str]) -> str:
        """The default message."""
        return f"None matches; there is: {join_names(candidates)}" if candidates else "None matches; there is none"


def join_names(names: Sequence[str], most: int = 10) -> str:
    """Names in a sentence, cut where they get too many."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def one_line(text: str) -> str:
    """Text without line breaks and of a length that a terminal bears."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"


def from_response(response: requests.Response) -> ApiError:
    """The error that an answer of status 300 and above stands for."""
    request = response.request
    body_type, message = _body(response)
    message = one_line(_without_secrets(_without_echo(message), request))
    retry_after = _retry_after(response.headers.get("Retry-After"))
    request_id = request_id_of(response)
    kind = _kind(response.status_code, body_type, message, limited=retry_after is not None)
    if kind is QuotaExceeded:
        message = _quota(message)
    if kind is NotFound and not (request_id or body_type):
        kind = ProxyNotFound
    error = kind(
        response.status_code,
        message,
        request_id,
        request.method or "",
        urlsplit(request.url or "").path,
        body_type,
        retry_after,
    )
    if isinstance(error, Forbidden):
        error.hint = next((hint for known, hint in _FORBIDDEN if known.search(message)), error.hint)
    if response.status_code in _PROXYS_OWN and not (request_id or body_type) and _is_html(response):
        error.hint = _FROM_A_PROXY
    return error


def may_have_taken_effect(error: EcsError) -> bool:
    """Whether a request may have taken effect though it failed, so that it is looked for before it is repeated."""
    if isinstance(error, ApiError):
        is_reset = error.status == http.HTTPStatus.SERVICE_UNAVAILABLE and _RESET.search(error.message)
        return error.status in _MAY_HAVE_ACTED or bool(is_reset)
    return isinstance(error, ResponseLost)


def timed_out(error: EcsError) -> bool:
    """Whether nothing came back in time, to this client or to a proxy, so that the API may still be at work on it."""
    if isinstance(error, ApiError):
        return error.status == http.HTTPStatus.GATEWAY_TIMEOUT
    return isinstance(error, ResponseLost) and error.is_timeout


def request_id_of(response: requests.Response) -> str | None:
    """The id under which the cloud's logs know the request."""
    headers = response.headers
    return headers.get("X-Openstack-Request-Id") or headers.get("X-Compute-Request-Id")


def _kind(status: int, body_type: str | None, message: str, *, limited: bool) -> type[ApiError]:
    if status in {403, 409, 413} and (body_type == "OverQuota" or _QUOTA.search(_QUOTED.sub("", message))):
        return QuotaExceeded
    if status == http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE and limited:
        return TooManyRequests
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError
    kinds: dict[int, type[ApiError]] = {
        400: BadRequest,
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        409: Conflict,
        429: TooManyRequests,
    }
    return kinds.get(status, ApiError)


def _body(response: requests.Response) -> tuple[str | None, str]:  # noqa: PLR0911 - one for each shape
    """The API's name for the error and its message, from any of the shapes in use."""
    phrase = _phrase(response)
    try:
        document = json.loads(response.content)
    except ValueError:
        return None, _text(response) or phrase
    if not isinstance(document, dict):
        return None, phrase
    if isinstance(neutron := document.get("NeutronError"), dict):
        message = " ".join(str(neutron.get(part) or "") for part in ("message", "detail")).strip()
        return str(neutron.get("type") or "") or None, message or phrase
    if isinstance(neutron, str):
        return None, neutron or phrase
    if isinstance(document.get("message"), str):  # {"message", "code", "title"}, as unknown routes answer
        return None, document["message"] or phrase
    for name, fault in document.items():  # {"itemNotFound": {…}} and {"error": {…}}
        if isinstance(fault, dict) and "message" in fault:
            named = fault.get("title") if name == "error" else name
            return named, str(fault["message"] or phrase)
        if isinstance(fault, str) and name in {"error", "error_msg", "faultstring"}:
            return None, fault or phrase
    return None, phrase


def _phrase(response: requests.Response) -> str:
    with contextlib.suppress(ValueError):
        return http.HTTPStatus(response.status_code).phrase
    return response.reason or "Unknown status"


def _text(response: requests.Response) -> str:
    """What a body that is not JSON says, if it speaks to people at all."""
    if _is_html(response):
        title = re.search(r"<(title|h1)[^>]*>(.*?)</\1>", response.text, re.IGNORECASE | re.DOTALL)
        return html.unescape(title[2]) if title else ""
    return "" if response.content.lstrip()[:1] in {b"{", b"["} else response.text


def _is_html(response: requests.Response) -> bool:
    return "html" in response.headers.get("Content-Type", "") or response.content.lstrip()[:1] == b"<"


def _without_echo(message: str) -> str:
    """Schema errors without the documents they repeat."""
    message = re.sub(r"<[a-z]+ */?>", " ", message.split("\n\nFailed validating", maxsplit=1)[0])
    echo = _ECHO.fullmatch(message)
    if not echo:
        return message
    value = echo["value"]
    said = "" if value[:1] in {"{", "["} or len(value) > _SHORT_ECHO else f" '{value}'"
    return f"Invalid input for {echo['field']}{said}: {echo['reason']}"


def _without_secrets(message: str, request: requests.PreparedRequest) -> str:
    for secret in sorted(_secrets(request), key=len, reverse=True):
        # A short secret is struck out only where it is quoted: as letters of other words it tells nothing.
        needle = secret if len(secret) > 3 else f"'{secret}'"  # noqa: PLR2004
        message = message.replace(needle, "***")
    return message


def _secrets(request: requests.PreparedRequest) -> Iterator[str]:
    if token := request.headers.get("X-Auth-Token"):
        yield token if isinstance(token, str) else token.decode()
    with contextlib.suppress(ValueError, TypeError):
        yield from _secret_values(json.loads(request.body or "null"))


def _secret_values(document: Any) -> Iterator[str]:
    if isinstance(document, Mapping):
        for name, value in document.items():
            if isinstance(value, str) and name.lower() in _SECRETS and value:
                yield value
            elif name == "token" and isinstance(value, Mapping) and isinstance(value.get("id"), str):
                yield value["id"]
            else:
                yield from _secret_values(value)
    elif isinstance(document, list):
        for item in document:
            yield from _secret_values(item)


def _retry_after(header: str | None) -> float | None:
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    with contextlib.suppress(ValueError, TypeError):
        moment = parsedate_to_datetime(header)
        return max(0.0, moment.timestamp() - time.time())
    return None


def _quota(message: str) -> str:
    """The three services' words for an exhausted quota in one form."""
    if neutron := _NEUTRON_QUOTA.search(message):
        return f"Quota exceeded for {neutron['names'].replace(chr(39), '')}"
    match = _NOVA_QUOTA.search(message) or _CINDER_QUOTA.search(message)
    if not match:
        return re.sub(r"^\w+: (?=[A-Z])", "", message)
    columns = [match[part].split(", ") for part in ("names", "asked", "used", "limits")]
    if len({len(column) for column in columns}) > 1:
        return message
    return "Quota exceeded for " + "; ".join(
        f"{name}: requested {asked}, used {used} of {limit}" for name, asked, used, limit in zip(*columns, strict=True)
    )
