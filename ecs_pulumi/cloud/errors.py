"""The exceptions of this package. Every message is written for the user.

::

    EcsError                    str() is one line for a user
    ├── ConfigurationError      a setting is missing or wrong; the message names it, or the ``OS_`` variable
    │   ├── ProjectNotFound     the user of an access key has no such project
    │   └── MissingCredentials  no cloud is configured, or no secret to log in with
    ├── ConnectionFailed        no usable response: endpoint down, DNS, TLS
    │   └── ResponseLost        … and the request may have taken effect
    ├── ApiError                the API answered with an error
    │   ├── BadRequest          400
    │   ├── Unauthorized        401
    │   ├── Forbidden           403
    │   │   └── QuotaExceeded   403 from Nova, 409 from Neutron, 413 from Cinder
    │   ├── NotFound            404
    │   ├── Conflict            409
    │   ├── TooManyRequests     429, and 413 if it reports a rate limit
    │   ├── ProxyNotFound       404 from a proxy; the object may exist
    │   │   └── NotOffered      404 from the cloud's gateway, which does not know the request
    │   └── ServerError         5xx
    ├── WaitTimeout             a deadline passed while waiting
    ├── OperationFailed         an object ended in an error state
    ├── Unsupported             the cloud's API version lacks a feature
    ├── NotUnique               a lookup found several objects
    └── NoMatch                 a lookup found no object

No message contains a token, a signature, a password, user data or a private key: the values of such headers and
fields of the request are replaced with ``***`` if the API repeats them.
"""

# ruff: noqa: N818 - the names describe what happened, like the API's own names

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
from urllib.parse import SplitResult, urlsplit

from ecs_pulumi.streams import in_one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests

_MAX_LENGTH = 600
_MAX_QUOTED = 80
_USER_INFO = re.compile(r"//[^/@\s]*@")
_SECONDS = re.compile(r"\s*[0-9]{1,9}\s*")
_SECRETS = frozenset({"adminpass", "password", "user_data", "contents", "private_key", "secret", "passcode"})
_SECRET_HEADERS = ("X-Auth-Token", "X-Security-Token", "Authorization")
_QUOTA = re.compile(r"quota|\bmaximum number of\b", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'")  # an object's name, which may contain "quota"
_NOVA_QUOTA = re.compile(
    r"Quota exceeded for (?P<names>[\w, -]+): Requested (?P<requested>\d+(?:, \d+)*), "
    r"but already used (?P<used>\d+(?:, \d+)*) of (?P<limits>\d+(?:, \d+)*)",
)
_CINDER_QUOTA = re.compile(
    r"allowed (?P<names>\S+) quota\. Requested (?P<requested>\d+)\w?, quota is (?P<limits>\d+)\w? "
    r"and (?P<used>\d+)\w? has been consumed",
)
_NEUTRON_QUOTA = re.compile(r"Quota exceeded for resources: \[(?P<names>[^]]*)\]")
_ECHO = re.compile(
    r"Invalid input for field/attribute (?P<field>\S+)\. "
    r"Value: (?P<value>\{.*?\}|\[.*?\]|.*?)\. (?P<reason>.+)",
    re.DOTALL,
)
_MAX_QUOTED_VALUE = 60
_SHOWN = 100
_LINE_BREAKS = re.compile(r"(?:<br />)+\n")
"""The markup that WebOb writes into a message. Other tags may be a part of a value that the message repeats."""
# Messages that Nova sends with 403 for other reasons than a missing role (its exceptions of code 403 that requests of
# this package can cause), with the hint for each.
_FORBIDDEN_HINTS = (
    (
        re.compile(r"Only volume-backed servers are allowed for flavors with zero disk"),
        "The flavor has no disk: boot from a volume (block_devices), or choose a flavor with a disk.",
    ),
    (
        re.compile(r"not allowed to create an interface on external network"),
        "Connect the server to a network of the project, and use a router and a floating IP for external access.",
    ),
    (
        re.compile(r"maximum allowed number of disk devices"),
        "Detach a volume that the server does not need, or attach this volume to another server.",
    ),
    (
        re.compile(r"metadata can not be operated"),
        "The cloud itself sets this metadata; it can only be chosen when the volume is created.",
    ),
    (re.compile(r"^Personality file"), "Shorten `personality`, or let `user_data` write the files."),
    (re.compile(r"Maximum number of metadata items"), "Shorten `metadata`: the limit holds for each server."),
)
_CODE = re.compile(r"[A-Za-z]+\.\d{4}")
"""The codes of Open Telekom Cloud, such as EVS.1036; OpenStack repeats the HTTP status as the code."""
_SOLD_OUT = "Choose another `volume_type` or `availability_zone`."
_CODE_HINTS = {
    "EVS.1010": "An empty volume has 10 to 32768 GiB, one that is made from an image 1 to 1024 GiB.",
    "EVS.1043": (
        "Remove `__system__encrypted`, `__system__cmkid` and `hw:passthrough` from `metadata`: the volume has those of "
        "its source."
    ),
    "EVS.1064": "Its type may be changing, which takes up to hours: try again later.",
    "EVS.2047": "It can only be set when the volume is created: replace the volume.",
    "EVS.2054": "Set `availability_zone` to that of the snapshot's volume, or leave it out.",
    "EVS.2071": _SOLD_OUT,
    "EVS.2072": _SOLD_OUT,
    "EVS.2087": "A volume can change to another kind of SSD, or to a faster type.",
    "EVS.2094": "A volume that is made from an image cannot set `multiattach`.",
    "EVS.2096": "Set `volume_type` to that of the snapshot's volume, or leave it out.",
}
"""What to do about errors of Open Telekom Cloud's block storage, by code."""
_PROXY_HINT = (
    "The response came from a proxy, not from the service: check HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and what the "
    "proxy allows."
)
_RESET = re.compile(r"reset reason: (connection termination|local reset|remote reset|protocol error)")
"""Envoy's reasons, in a 503 response, for a connection that ended after the service received the request."""
_NOT_PUBLISHED = "API not found"
"""The message of a gateway for a path that no service publishes."""
_QUOTA_CODES = frozenset({"OverQuota", "EVS.1034", "EVS.1042", "EVS.5413"})
"""The names of Neutron and of EVS for an exceeded quota."""
_MAX_RETRY_AFTER = 300.0
_PROXY_STATUSES = frozenset({403, 407})
_NAMED_INVALID = re.compile(r"Invalid input for (?:field/attribute )?(?P<name>[\w:-]+)")
_UNKNOWN_ATTRIBUTES = re.compile(
    r"Unrecognized attribute\(s\) '(?P<unrecognized>[^']*)'"
    r"|Attribute '(?P<not_allowed>[^']*)' not allowed in (?:POST|PUT)\b"
    r"|Cannot update read-only attribute (?P<read_only>[\w:-]+)"
    r"|(?:Invalid input for \S+: )?Additional properties are not allowed \((?P<unexpected>.*) (?:was|were) unexpected\)"
)
"""What Neutron, and the schemas of Nova and Cinder, answer to an attribute that they do not have.

It MUST match the beginning of a message: what follows may repeat a value of the program, which can be any text.
"""
_UNKNOWN_ACTION = re.compile(r"There is no such action: ")
_MAY_HAVE_TAKEN_EFFECT = frozenset({408, 500, 502, 504})


class EcsError(Exception):
    """Base class of all errors of this package; ``str()`` is one line for a user.

    Attributes:
        retries_exhausted: whether the request was retried already, so that callers do not retry it again.
        deadline_exceeded: whether retries ended because the deadline of the operation would pass.
    """

    retries_exhausted = False
    deadline_exceeded = False

    def __init__(self, *parts: object) -> None:
        super().__init__(*(in_one_line(each) if isinstance(each, str) else each for each in parts))


class ConfigurationError(EcsError):
    """A setting is missing or invalid; the message names it."""


class ProjectNotFound(ConfigurationError):
    """The user of an access key has no such project; the message lists the projects."""


class MissingCredentials(ConfigurationError):
    """Settings, environment and clouds.yaml configure no cloud, or no secret to log in with."""


class ConnectionFailed(EcsError):
    """The API returned no usable response.

    Attributes:
        sent: whether the request may have reached the API.
        temporary: whether a retry can succeed; False for a certificate that does not verify, for example.
    """

    def __init__(self, message: str, *, sent: bool = False, temporary: bool = True) -> None:
        super().__init__(message)
        self.sent = sent
        self.temporary = temporary


class ResponseLost(ConnectionFailed):
    """No response arrived to a request that was sent. Before a retry, check whether the request took effect.

    Attributes:
        is_timeout: whether the response timed out, in which case the API may still be processing the request.
    """

    def __init__(self, message: str, *, is_timeout: bool = False) -> None:
        super().__init__(message, sent=True)
        self.is_timeout = is_timeout


class ApiError(EcsError):
    """The API answered with an error.

    Attributes:
        status: the HTTP status.
        message: the API's own message, with secrets replaced.
        request_id: the id of the request in the cloud's logs.
        method: the request's method.
        path: the request's path.
        body_type: the API's name or code for the error, such as ``itemNotFound``, ``IpAddressInUse`` or ``EVS.1036``.
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
        self.message = str(self.args[1])
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
    """400: the API rejects the request as invalid."""


class Unauthorized(ApiError):
    """401: the credentials are rejected. The transport sets the hint."""


class Forbidden(ApiError):
    """403: the account's roles do not allow the request, unless the hint names another reason."""

    hint = "The account's roles in this project do not allow it."


class QuotaExceeded(Forbidden):
    """The request exceeds the project's quota."""

    hint = "Free resources or request a higher quota."


class NotFound(ApiError):
    """404: the object does not exist, or is not visible to the project."""


class Conflict(ApiError):
    """409: the current state of the object does not allow the request."""


class TooManyRequests(ApiError):
    """429, or 413 with Retry-After: the API limits the request rate."""


class ProxyNotFound(ApiError):
    """404 from a proxy that has no route to the service, so the object may still exist."""

    hint = "The response came from a proxy, not from the service: the service's URL is wrong, or the service is down."


class NotOffered(ProxyNotFound):
    """404 from the gateway of a cloud that does not offer the request. It says nothing about the object."""

    hint = "The cloud's gateway does not know this request: the cloud does not offer it, or the service's URL is wrong."


class ServerError(ApiError):
    """5xx: the cloud failed to process the request."""


class WaitTimeout(EcsError):
    """A deadline passed while waiting.

    Attributes:
        what: what the wait was for.
        last_status: the status at the last successful poll.
        seconds: how long the wait took.
        request_id: the request id of the last poll.
    """

    def __init__(self, what: str, last_status: str, seconds: float, request_id: str | None = None) -> None:
        origin = f" ({request_id})" if request_id and request_id not in last_status else ""
        super().__init__(
            f"Gave up waiting for {what} after {seconds:.0f} s; last status: {last_status}{origin}. "
            "Increase the timeout with custom_timeouts.",
        )
        self.what = what
        self.last_status = last_status
        self.seconds = seconds
        self.request_id = request_id


class OperationFailed(EcsError):
    """An object ended in an error state.

    Attributes:
        what: the object.
        reason: the cloud's own message, or None if it recorded none.
    """

    def __init__(self, what: str, reason: str | None) -> None:
        super().__init__(f"{what}: {one_line(reason) if reason else 'the cloud recorded no reason'}")
        self.what = what
        self.reason = reason


class Unsupported(EcsError):
    """The cloud's API is too old for a feature.

    Attributes:
        feature: the feature.
        needs: the API version that added the feature.
        offered: the versions that the cloud offers.
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
    """A lookup found several objects; the message lists them.

    Attributes:
        candidates: the objects found.
    """

    @staticmethod
    def summary(candidates: Sequence[str]) -> str:
        """The default message."""
        return f"{len(candidates)} match, expected one: {join_names(candidates)}"


class NoMatch(_Lookup):
    """A lookup found no object; the message lists the existing ones.

    Attributes:
        candidates: the existing objects.
    """

    @staticmethod
    def summary(candidates: Sequence[str]) -> str:
        """The default message."""
        return f"No match; available: {join_names(candidates)}" if candidates else "No match; none available"


def join_names(names: Sequence[str], most: int = 10) -> str:
    """Join names for a sentence, and abbreviate a long list."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def one_line(text: str) -> str:
    """Remove line breaks and control characters from a text, and truncate it to a length that suits a terminal."""
    flat = in_one_line(text)
    return flat if len(flat) <= _MAX_LENGTH else f"{flat[: _MAX_LENGTH - 1]}…"


def split_url(url: str, origin: str) -> SplitResult:
    """Split a URL from this origin. Raises ConfigurationError for one that cannot be split, such as `http://[`."""
    try:
        return urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"{origin}: {quoted(url)} is not a usable URL: {error}") from error


def quoted(value: object) -> str:
    """Quote the value of a setting for a message; omit what is too long for one line or may be a secret."""
    text = _USER_INFO.sub("//…@", str(value))
    if "-----BEGIN" in text:
        return "the content of a file"
    return repr(text) if len(text) <= _MAX_QUOTED else f"a text of {len(text)} characters"


def from_response(response: requests.Response) -> ApiError:
    """Convert a response of status 300 and above to an error."""
    request = response.request
    body_type, message = _parse_body(response)
    message = one_line(_shorten_values(_without_secrets(_without_echo(message), request)))
    retry_after = _retry_after(response.headers.get("Retry-After"), response.headers.get("Date"))
    request_id = request_id_of(response)
    by_gateway = _gateway_document(response)
    error_class = _error_class(response.status_code, body_type, message, limited=retry_after is not None)
    if error_class is QuotaExceeded:
        message = _normalize_quota(message)
    if error_class is NotFound and by_gateway:
        error_class = NotOffered
    elif error_class is NotFound and not (request_id or body_type):
        error_class = ProxyNotFound
    error = error_class(
        response.status_code,
        message,
        request_id or by_gateway.get("request_id"),
        str(request.method),
        urlsplit(str(request.url)).path,
        body_type,
        retry_after,
    )
    if isinstance(error, Forbidden):
        error.hint = next((hint for known, hint in _FORBIDDEN_HINTS if known.search(message)), error.hint)
    error.hint = _CODE_HINTS.get(body_type or "", error.hint)
    if response.status_code in _PROXY_STATUSES and not (request_id or body_type) and _is_html(response):
        error.hint = _PROXY_HINT
    return error


def may_have_taken_effect(error: EcsError) -> bool:
    """Whether a failed request may have taken effect, so that the caller must check before a retry."""
    if isinstance(error, ApiError):
        is_reset = error.status == http.HTTPStatus.SERVICE_UNAVAILABLE and _RESET.search(error.message)
        return error.status in _MAY_HAVE_TAKEN_EFFECT or bool(is_reset)
    return isinstance(error, ResponseLost)


def timed_out(error: EcsError) -> bool:
    """Whether the response timed out at this client or at a proxy, so that the API may still process the request."""
    if isinstance(error, ApiError):
        return error.status == http.HTTPStatus.GATEWAY_TIMEOUT
    return isinstance(error, ResponseLost) and error.is_timeout


def unknown_attributes(error: EcsError) -> list[str]:
    """Return the attributes that a request must not have, because the API does not know them or never changes them.

    A complaint about the value of an attribute names none.
    """
    found = _UNKNOWN_ATTRIBUTES.match(error.message) if isinstance(error, BadRequest) else None
    if not found:
        return []
    if found["unexpected"]:
        return re.findall(r"'([^']*)'", found["unexpected"])
    names = found["unrecognized"] or found["not_allowed"] or found["read_only"] or ""
    return [name.strip() for name in names.split(",")]


def invalid_attribute(error: EcsError) -> str | None:
    """Return the attribute whose value the API rejects; None if the error is about something else."""
    found = _NAMED_INVALID.match(error.message) if isinstance(error, BadRequest) else None
    return found["name"] if found else None


def is_unknown_action(error: EcsError) -> bool:
    """Whether the API has no such action of a server or a volume."""
    return isinstance(error, BadRequest) and bool(_UNKNOWN_ACTION.match(error.message))


def request_id_of(response: requests.Response) -> str | None:
    """The id of the request in the cloud's logs."""
    headers = response.headers
    return headers.get("X-Openstack-Request-Id") or headers.get("X-Compute-Request-Id")


def _error_class(status: int, body_type: str | None, message: str, *, limited: bool) -> type[ApiError]:
    if body_type in _QUOTA_CODES or (status in {403, 409, 413} and _QUOTA.search(_QUOTED.sub("", message))):
        return QuotaExceeded
    if status == http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE and limited:
        return TooManyRequests
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError
    classes: dict[int, type[ApiError]] = {
        400: BadRequest,
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        409: Conflict,
        429: TooManyRequests,
    }
    return classes.get(status, ApiError)


def _parse_body(response: requests.Response) -> tuple[str | None, str]:  # noqa: PLR0911 - one return for each format
    """Return the API's name for the error and its message, from any of the formats in use."""
    phrase = _reason_phrase(response)
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError):
        return None, _text(response) or phrase
    if not isinstance(document, dict):
        return None, phrase
    if isinstance(neutron := document.get("NeutronError"), dict):
        message = " ".join(str(neutron.get(part) or "") for part in ("message", "detail")).strip()
        return str(neutron.get("type") or "") or None, message or phrase
    if isinstance(neutron, str):
        return None, neutron or phrase
    if isinstance(document.get("message"), str):  # {"message", "code", "title"}, as sent for unknown routes
        return None, document["message"] or phrase
    for name, fault in document.items():  # {"itemNotFound": {…}} and {"error": {…}}
        if isinstance(fault, dict) and "message" in fault:
            # {"error": {"code": 404, "title": "Not Found", …}} in Keystone, {"error": {"code": "EVS.5404", …}} in EVS
            named = fault.get("title") if name == "error" else name
            if _CODE.fullmatch(str(fault.get("code"))):
                named = fault["code"]
            return named, str(fault["message"] or phrase)
        if isinstance(fault, str) and name in {"error", "error_msg", "faultstring"}:
            return None, fault or phrase
    return None, phrase


def _gateway_document(response: requests.Response) -> dict[str, Any]:
    """Return the body of a response of the gateway of Open Telekom Cloud or Huawei Cloud, else an empty document."""
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(response.content)
        if isinstance(document, dict) and (
            document.get("message") == _NOT_PUBLISHED or str(document.get("error_code")).startswith("APIGW.")
        ):
            return document
    return {}


def _reason_phrase(response: requests.Response) -> str:
    with contextlib.suppress(ValueError):
        return http.HTTPStatus(response.status_code).phrase
    return response.reason or "Unknown status"


def _text(response: requests.Response) -> str:
    """Return the readable text of a body that is not JSON, or an empty string."""
    if _is_html(response):
        title = re.search(r"<(title|h1)[^>]*>(.*?)</\1>", response.text, re.IGNORECASE | re.DOTALL)
        return html.unescape(re.sub(r"<[^>]*>", " ", title[2])) if title else ""
    return "" if response.content.lstrip()[:1] in {b"{", b"["} else response.text


def _is_html(response: requests.Response) -> bool:
    return "html" in response.headers.get("Content-Type", "") or response.content.lstrip()[:1] == b"<"


def _without_echo(message: str) -> str:
    """Remove the documents that schema errors repeat, and the line breaks of WebOb's errors."""
    message = _LINE_BREAKS.sub(" ", message.split("\n\nFailed validating", maxsplit=1)[0])
    echo = _ECHO.fullmatch(message)
    if not echo:
        return message
    value = echo["value"]
    quoted_value = "" if value[:1] in {"{", "["} or len(value) > _MAX_QUOTED_VALUE else f" '{value}'"
    return f"Invalid input for {echo['field']}{quoted_value}: {echo['reason']}"


def _shorten_values(message: str) -> str:
    """Shorten what has no spaces and no message needs in full, such as a public key that is refused."""
    return re.sub(rf"(\S{{{_SHOWN}}})\S{{{_MAX_QUOTED_VALUE},}}", r"\1…", message)


def _without_secrets(message: str, request: requests.PreparedRequest) -> str:
    for secret in sorted(_secrets(request), key=len, reverse=True):
        # A short secret is replaced only if it is quoted, because it also occurs as part of other words.
        needle = secret if len(secret) > 3 else f"'{secret}'"  # noqa: PLR2004
        message = message.replace(needle, "***")
    return message


def _secrets(request: requests.PreparedRequest) -> Iterator[str]:
    for name in _SECRET_HEADERS:
        if value := request.headers.get(name):
            text = value if isinstance(value, str) else value.decode()
            # The rest of a header with a signature is not secret: the id of the key, and the names of headers.
            yield text.rpartition("Signature=")[2]
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


def _retry_after(header: str | None, date: str | None) -> float | None:
    """Return the seconds of a Retry-After header, at most five minutes; a time is relative to the cloud's clock."""
    seconds = float(header) if header and _SECONDS.fullmatch(header) else None
    if header and seconds is None and (moment := http_date(header)) is not None:
        now = http_date(date)
        seconds = max(0.0, moment - (time.time() if now is None else now))
    return None if seconds is None else min(seconds, _MAX_RETRY_AFTER)


def http_date(header: str | None) -> float | None:
    """Return the time in a header in seconds since the epoch; None if it contains none."""
    with contextlib.suppress(ValueError, TypeError, LookupError, OverflowError):
        return parsedate_to_datetime(header or "").timestamp()
    return None


def _normalize_quota(message: str) -> str:
    """Convert the quota messages of the three services to one format."""
    if neutron := _NEUTRON_QUOTA.search(message):
        return f"Quota exceeded for {neutron['names'].replace(chr(39), '')}"
    match = _NOVA_QUOTA.search(message) or _CINDER_QUOTA.search(message)
    if not match:
        return re.sub(r"^\w+: (?=[A-Z])", "", message)
    columns = [match[part].split(", ") for part in ("names", "requested", "used", "limits")]
    if len({len(column) for column in columns}) > 1:
        return message
    return "Quota exceeded for " + "; ".join(
        f"{name}: requested {requested}, used {used} of {limit}"
        for name, requested, used, limit in zip(*columns, strict=True)
    )
