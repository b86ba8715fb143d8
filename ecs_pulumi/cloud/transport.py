"""Requests and their answers: tokens, retries, errors. Nothing else here speaks HTTP."""

import http
import math
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from keystoneauth1 import exceptions as keystone
from keystoneauth1.access import AccessInfoV3
from keystoneauth1.session import Session as KeystoneSession
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as urllib3

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.credentials import Credentials
from ecs_pulumi.cloud.routes import path_template

T = TypeVar("T")

POOL = 64
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 90.0
POLL_PATIENCE = 30.0
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
_LONGEST_RETRY_AFTER = 300.0
_FIRST_CONTACT_RETRIES = 2
_ANY_METHOD = frozenset({429, 503})  # the request was not taken
_BROKEN_TLS = re.compile(r"EOF occurred|UNEXPECTED_EOF|TLS/SSL connection has been closed|BAD_RECORD_MAC")
"""What OpenSSL says of a connection that ended early, as any may, and not of one that cannot be."""
_PROXY = "the proxy of HTTP_PROXY or HTTPS_PROXY"
_NO_TUNNEL = "Tunnel connection failed: "
"""How http.client begins what it says of a proxy that refuses CONNECT."""
_IDEMPOTENT_ONLY = frozenset({408, 500, 502, 504})
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        method: the HTTP method.
        url: the full URL.
        service: the service's type, for messages and microversion headers.
        json: the body.
        params: the query.
        microversion: the one this request needs; none by default.
        key: the member of the body to return; an answer without it is unreadable.
    """

    method: str
    url: str
    service: str
    json: Any = None
    params: Mapping[str, Any] | None = None
    microversion: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Response:
    """What the API answered.

    Attributes:
        body: the parsed JSON; None where there is no body.
        request_id: what the cloud's logs know the request by.
        date: the cloud's clock, in seconds since the epoch, when it answered.
    """

    body: Any
    request_id: str | None = None
    date: float | None = None


class Transport:
    """Sends requests for every service and thread of a connection.

    Attributes:
        requests: how many were sent, by method and path template.
        http: the session that carries every request.
        patience: seconds without a byte of an answer before it counts as lost.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        clock: Clock,
        max_retries: int,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.clock = clock
        self.requests: Counter[tuple[str, str]] = Counter()
        self.http = requests.Session()
        self.patience = READ_TIMEOUT
        adapter = HTTPAdapter(pool_connections=8, pool_maxsize=POOL, max_retries=0)
        self.http.mount("http://", adapter)
        self.http.mount("https://", adapter)
        self.http.hooks["response"].append(self._answered)
        self.keystone = KeystoneSession(
            auth=credentials.plugin,
            session=self.http,
            verify=credentials.verify,
            cert=credentials.cert,
            timeout=READ_TIMEOUT,
            user_agent=f"ecs-pulumi/{metadata.version('ecs-pulumi')}",
        )
        self._plugin = credentials.plugin
        self._auth_url = credentials.auth_url
        self._hint = credentials.hint
        self._max_retries = max_retries
        self._trace = trace
        self._lock = threading.Lock()
        self._token_lock = threading.Lock()
        self._failure: errors.EcsError | None = None
        self._failed = -math.inf
        self._reached: set[str] = set()
        self._mine = threading.local()

    def set_deadline(self, moment: float) -> None:
        """Let what the calling thread asks from now on be repeated until that moment of the clock, and no longer."""
        self._mine.end = moment

    def access(self) -> AccessInfoV3:
        """The token with its project and catalog, requested once and renewed when it expires."""
        asked = self.clock.now()
        with self._token_lock:
            if self._failure and asked <= self._failed:
                raise self._failure
            try:
                return self.with_retries(self._access, idempotent=True, url=self._auth_url)
            except errors.EcsError as error:
                if error.deadline_exceeded:
                    raise  # its own time was up, not that of those who wait
                self._failure = error
                # Whoever waited meanwhile shares the failure instead of repeating it. Wrong credentials never get
                # better, and asking again for each resource would lock the account.
                self._failed = math.inf if isinstance(error, errors.Unauthorized) else self.clock.now()
                raise

    def _access(self) -> AccessInfoV3:
        try:
            access = self._plugin.get_access(self.keystone)
        except keystone.ClientException as error:
            # A token that went astray does no harm: to whoever asked it is as if nothing had been sent.
            raise self.map_exception(error, "POST", self._auth_url, "identity", harmless=True) from error
        if not isinstance(access, AccessInfoV3):
            raise errors.ConfigurationError(
                "ecs:authUrl (or OS_AUTH_URL): only version 3 of the identity API is spoken"
            )
        return access

    def send(self, call: Request, *, idempotent: bool | None = None, poll: bool = False) -> Response:
        """Send a request until it is answered for good.

        Args:
            call: the request.
            idempotent: whether twice is as good as once; by default what the method says.
            poll: whether it is asked again soon anyway: then it is neither repeated nor awaited for long.

        Raises:
            ApiError: the API refused.
            ResponseLost: the request may have taken effect, but its answer did not arrive.
            ConnectionFailed: it cannot have taken effect.
        """
        if poll:
            return self._once(call, POLL_PATIENCE)
        safe = call.method in _IDEMPOTENT if idempotent is None else idempotent
        return self.with_retries(lambda: self._once(call, self.patience), idempotent=safe, url=call.url)

    def with_retries(
        self,
        attempt: Callable[[], T],
        *,
        idempotent: bool,
        url: str,
    ) -> T:
        """Repeat an attempt while its failure is transient and nothing can happen twice."""
        failures = 0
        while True:
            try:
                return attempt()
            except errors.EcsError as error:
                failures += 1
                if failures > self._max_retries or not self._transient(error, url, failures, idempotent=idempotent):
                    error.retries_exhausted = True
                    raise
                delay = self._delay(error, failures)
                if self.clock.now() + delay > getattr(self._mine, "end", math.inf):
                    error.retries_exhausted = error.deadline_exceeded = True
                    raise
                self._note(f"trying again in {delay:.1f} s: {errors.one_line(str(error))}")
                self.clock.sleep(delay)

    def _transient(self, error: errors.EcsError, url: str, failures: int, *, idempotent: bool) -> bool:
        if error.retries_exhausted:
            return False
        if isinstance(error, errors.ConnectionFailed):
            if not error.temporary or (error.sent and not idempotent):
                return False
            # A host that never answered in this process is more likely misspelled than restarting.
            return urlsplit(url).netloc in self._reached or failures <= _FIRST_CONTACT_RETRIES
        if isinstance(error, errors.TooManyRequests):
            return True
        if isinstance(error, errors.ApiError):
            again = _ANY_METHOD | _IDEMPOTENT_ONLY if idempotent else _ANY_METHOD
            return error.status in again and (idempotent or not errors.may_have_taken_effect(error))
        return False

    def _delay(self, error: errors.EcsError, failures: int) -> float:
        asked = error.retry_after if isinstance(error, errors.ApiError) else None
        backoff = self.clock.jitter(min(_FIRST_DELAY * 2 ** (failures - 1), _LONGEST_DELAY))
        return max(min(asked or 0.0, _LONGEST_RETRY_AFTER), backoff)

    def _once(self, call: Request, patience: float) -> Response:
        """One attempt, or two where the first finds the token expired."""
        token = self.access().auth_token or ""
        response = self._exchange(call, token, patience)
        if response.status_code == http.HTTPStatus.UNAUTHORIZED:
            self._renew(token)
            response = self._exchange(call, self.access().auth_token or "", patience)
        if response.status_code >= http.HTTPStatus.MULTIPLE_CHOICES:
            raise self._refused(response)
        return Response(
            body=_parsed(response, call),
            request_id=errors.request_id_of(response),
            date=_date(response),
        )

    def _exchange(self, call: Request, token: str, patience: float) -> requests.Response:
        extra: dict[str, Any] = {} if call.microversion is None else {"microversion": call.microversion}
        try:
            return self.keystone.request(
                call.url,
                call.method,
                json=call.json,
                params=call.params,
                headers={"Accept": "application/json", "X-Auth-Token": token},
                authenticated=False,
                raise_exc=False,
                log=False,  # it knows fewer secrets than this package does
                timeout=(CONNECT_TIMEOUT, patience),
                microversion_service_type=call.service,
                **extra,
            )
        except keystone.ClientException as error:
            raise self.map_exception(error, call.method, call.url, call.service) from error

    def _renew(self, token: str) -> None:
        """Forget a token that was refused, unless another thread has renewed it meanwhile."""
        with self._token_lock:
            reference = self._plugin.auth_ref
            if reference is not None and reference.auth_token == token:
                self._plugin.invalidate()

    def map_exception(
        self, error: keystone.ClientException, method: str, url: str, service: str, *, harmless: bool = False
    ) -> errors.EcsError:
        """What a failure inside keystoneauth means.

        Args:
            error: the failure.
            method: of the request.
            url: of the request.
            service: for the message.
            harmless: whether it does not matter if the request was taken, though it was no GET.
        """
        if isinstance(error, keystone.HttpError) and error.response is not None:
            return self._refused(error.response)
        # keystoneauth tells apart less than requests does: whether the request went out decides on retries.
        cause = error.__context__ if isinstance(error.__context__, requests.RequestException) else None
        self._note(f"{method} {urlsplit(url).path} failed: {type(cause or error).__name__}")
        failure = _connection_error(cause, error, method, url, service)
        return (
            errors.ConnectionFailed(str(failure)) if harmless and isinstance(failure, errors.ResponseLost) else failure
        )

    def _refused(self, response: requests.Response) -> errors.ApiError:
        error = errors.from_response(response)
        if isinstance(error, errors.Unauthorized):
            error.hint = self._hint
        return error

    def _answered(self, response: requests.Response, *_args: Any, **_kwargs: Any) -> None:
        """Count and trace an answered request."""
        request = response.request
        target = urlsplit(request.url or "")
        with self._lock:
            self.requests[request.method or "", path_template(target.path)] += 1
            self._reached.add(target.netloc)
        if self._trace:
            query = f"?{target.query}" if target.query else ""
            milliseconds = response.elapsed.total_seconds() * 1000
            self._note(
                f"{request.method} {target.path}{query} {response.status_code} {milliseconds:.0f} ms "
                f"{errors.request_id_of(response) or '-'}",
            )

    def _note(self, line: str) -> None:
        if self._trace:
            self._trace(line)


def _parsed(response: requests.Response, call: Request) -> Any:
    if not response.content and call.key is None and call.method != "GET":
        return None
    try:
        body = response.json()
        return body if call.key is None else body[call.key]
    except (ValueError, KeyError, TypeError):
        if call.key is None and call.method != "GET":
            return None  # an action's answer says nothing that is needed
    raise _unreadable(call.method, call.url, call.service)


def _unreadable(method: str, url: str, service: str) -> errors.ConnectionFailed:
    return _unanswered(f"{_host(url)} ({service}) answered {method} {urlsplit(url).path} unreadably", method)


def _unanswered(message: str, method: str, *, is_timeout: bool = False) -> errors.ConnectionFailed:
    """The request went out and no usable answer came back; only for a GET does that not matter."""
    return (
        errors.ConnectionFailed(message, sent=True)
        if method == "GET"
        else errors.ResponseLost(message, is_timeout=is_timeout)
    )


def _date(response: requests.Response) -> float | None:
    try:
        return parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _connection_error(
    cause: requests.RequestException | None,
    error: keystone.ClientException,
    method: str,
    url: str,
    service: str,
) -> errors.EcsError:
    host = _host(url)
    where = f"{host} ({service})"
    check = (
        "Check ecs:authUrl (or OS_AUTH_URL, or auth_url in clouds.yaml)"
        if service == "identity"
        else f"Check the {service} URL in the catalog or ecs:endpoints"
    )
    reason = _reason(cause)
    proxied = isinstance(reason, urllib3.ProxyError) or _is_proxy_stalled(reason)
    if isinstance(reason, urllib3.ProxyError):
        # urllib3 reports so whatever ended a connection to a proxy that it has closed since, a lost response included:
        # only the error within tells whether the request can have been forwarded.
        reason = reason.original_error
    if isinstance(cause, requests.exceptions.SSLError) or isinstance(reason, urllib3.SSLError):
        if not _BROKEN_TLS.search(str(cause)):
            return _certificate_error(str(reason or cause), _PROXY if proxied else where)
    elif _is_unsent(reason):
        return errors.ConnectionFailed(f"Cannot reach {where}{_unreachable(reason, url, check, proxied=proxied)}")
    if isinstance(cause, requests.exceptions.InvalidProxyURL):
        return errors.ConfigurationError(f"The URL of {_PROXY} cannot be used: {errors.one_line(str(cause))}")
    if isinstance(cause, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return errors.ConfigurationError(f"{url} is not a usable URL. {check}.")
    return _no_answer(cause, error, method, url, service)


def _no_answer(
    cause: requests.RequestException | None, error: keystone.ClientException, method: str, url: str, service: str
) -> errors.ConnectionFailed:
    if cause is None:
        return errors.ConnectionFailed(errors.one_line(f"{_host(url)} ({service}): {error}"), temporary=False)
    if isinstance(cause, requests.exceptions.JSONDecodeError):
        return _unreadable(method, url, service)
    timed_out = isinstance(cause, requests.exceptions.Timeout)
    said = "no answer in time" if timed_out else "the connection broke before the answer was complete"
    return _unanswered(
        f"{_host(url)} ({service}): {said} to {method} {urlsplit(url).path}", method, is_timeout=timed_out
    )


def _is_unsent(reason: object) -> bool:
    """Whether there never was a connection that could have carried the request."""
    is_refused_tunnel = isinstance(reason, OSError) and str(reason).startswith(_NO_TUNNEL)
    return is_refused_tunnel or isinstance(reason, urllib3.ConnectTimeoutError) or _is_proxy_stalled(reason)


def _is_proxy_stalled(reason: object) -> bool:
    """Whether it was CONNECT, and not the request, that got no answer in time: a proxy that waits for the service."""
    if not isinstance(reason, urllib3.ReadTimeoutError):
        return False
    proxy = getattr(reason.pool, "proxy", None)
    return proxy is not None and reason.url == proxy.url


def _unreachable(reason: object, url: str, check: str, *, proxied: bool) -> str:
    """The end of a message: why there was no connection, and what to do."""
    is_unknown = isinstance(reason, urllib3.NameResolutionError)
    if is_unknown and not proxied:
        return f": no address is known for the name {urlsplit(url).hostname}. {check}."
    if is_unknown:
        why = "no address is known for its name"
    elif isinstance(reason, urllib3.NewConnectionError):  # "…: [Errno 111] Connection refused"
        why = str(reason).rpartition("] ")[2].lower()
    else:
        why = str(reason).removeprefix(_NO_TUNNEL) if isinstance(reason, OSError) else "no answer"
    if not proxied:
        return f": {why}. {check}, and the network between."
    return f" through {_PROXY}: {why}. Check these variables and NO_PROXY, and whether the proxy allows this host."


def _certificate_error(text: str, where: str) -> errors.ConnectionFailed:
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        reason = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or "it names another host"
        return errors.ConnectionFailed(
            f"The certificate of {where} does not verify: {reason}. Name its CA's file in ecs:cacert "
            "(or OS_CACERT); ecs:insecure: true does without verification.",
            temporary=False,
        )
    said = re.sub(r" \(_ssl\.c:\d+\)", "", errors.one_line(text))
    return errors.ConnectionFailed(
        f"No TLS connection to {where}: {said}. "
        "Check the URL's scheme, and ecs:cert and ecs:key if the cloud wants a client certificate.",
        temporary=False,
    )


def _reason(cause: requests.RequestException | None) -> object:
    """urllib3's own word for what went wrong under requests."""
    inner = cause.args[0] if cause and cause.args else None
    return inner.reason if isinstance(inner, urllib3.MaxRetryError) else inner


def utc_now() -> float:
    """The local clock, in seconds since the epoch, where the cloud does not tell its own."""
    return time.time()
