"""Sends HTTP requests, with tokens, retries and error mapping. No other module of this package uses HTTP."""

import copy
import http
import math
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import requests
from keystoneauth1 import exceptions as keystone
from keystoneauth1.access import AccessInfoV3
from keystoneauth1.session import Session as KeystoneSession
from urllib3 import exceptions as urllib3

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.access_key import SigningSession
from ecs_pulumi.cloud.bounded_http import BoundedAdapter
from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.credentials import Credentials
from ecs_pulumi.cloud.own_writes import OwnWrites
from ecs_pulumi.cloud.routes import path_template

T = TypeVar("T")

POOL_SIZE = 64
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 90.0
POLL_READ_TIMEOUT = 30.0
_FIRST_DELAY = 0.5
_MAX_DELAY = 30.0
_FIRST_HOLD = 10.0
_MAX_HOLD = 60.0
"""Seconds for which a host gets no requests after it has refused one as one of too many, without saying for how long.

Open Telekom Cloud asks for a pause of up to a minute.
"""
_FIRST_CONTACT_RETRIES = 2
_APPEARANCE_INTERVAL = 0.5
_RETRIED_FOR_ANY_METHOD = frozenset({429, 503})  # the service did not accept the request
_BROKEN_TLS = re.compile(r"EOF occurred|UNEXPECTED_EOF|TLS/SSL connection has been closed|BAD_RECORD_MAC")
"""OpenSSL's messages for a connection that broke, as opposed to a TLS handshake that cannot succeed."""
_PROXY = "the proxy of HTTP_PROXY or HTTPS_PROXY"
_NO_TUNNEL = "Tunnel connection failed: "
"""Start of http.client's message if a proxy rejects CONNECT."""
_RETRIED_IF_IDEMPOTENT = frozenset({408, 500, 502, 504})
_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        method: the HTTP method.
        url: the full URL.
        service: the service's type, for messages and microversion headers.
        json: the body.
        params: the query.
        microversion: the microversion that the request needs; None sends no microversion header.
        key: the member of the response body to return; a response without it is invalid.
        headers: additional headers.
    """

    method: str
    url: str
    service: str
    json: Any = None
    params: Mapping[str, Any] | None = None
    microversion: str | None = None
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """A response of the API.

    Attributes:
        body: the parsed JSON; None if there is no body.
        request_id: the id of the request in the cloud's logs.
        date: the time of the response by the cloud's clock, in seconds since the epoch.
    """

    body: Any
    request_id: str | None = None
    date: float | None = None


@dataclass
class _Hold:
    """A pause of the requests to a host that gets too many.

    Attributes:
        until: when it ends.
        seconds: its length, which doubles from one to the next.
        error: the error that caused it.
    """

    until: float
    seconds: float
    error: errors.TooManyRequests


class _Session(requests.Session):
    """A session that reads the proxies and the CA file in the environment once for each host, and no `.netrc`."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # it includes `.netrc`, whose passwords are not for these APIs
        self._from_environment: dict[Any, Any] = {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the settings of a request."""
        key = urlsplit(url)[:2], stream, verify, cert
        if key not in self._from_environment:
            with requests.Session() as session:
                found = session.merge_environment_settings(url, proxies, stream, verify, cert)
            self._from_environment[key] = found
        return self._from_environment[key].copy()


class Transport:
    """Sends the requests of all services and threads of a connection.

    Attributes:
        requests: number of requests sent, by method and path template.
        http: the HTTP session of all requests.
        read_timeout: seconds without received data after which the response counts as lost.
        writes: what this process has written, which a read may not show yet.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        clock: Clock,
        max_retries: int,
        trace: Callable[[str], None] | None = None,
        status: Callable[[str], None] | None = None,
    ) -> None:
        self.clock = clock
        self.requests: Counter[tuple[str, str]] = Counter()
        self.http = _Session()
        self.read_timeout = READ_TIMEOUT
        self.writes = OwnWrites(clock)
        adapter = BoundedAdapter(pool_connections=8, pool_maxsize=POOL_SIZE, max_retries=0)
        self.http.mount("http://", adapter)
        self.http.mount("https://", adapter)
        self.http.hooks["response"].append(self._on_response)
        self._max_retries = max_retries
        self._trace = trace
        self._status = status
        self._holds: dict[str, _Hold] = {}
        self._lock = threading.Lock()
        self._reached: set[str] = set()
        self._thread = threading.local()
        self.use(credentials)

    def use(self, credentials: Credentials) -> None:
        """Obtain tokens with these credentials from now on, or sign the requests if they are an access key."""
        signing = SigningSession(self.http, credentials.signer) if credentials.signer else None
        self.keystone = KeystoneSession(
            auth=credentials.plugin,
            session=cast("requests.Session", signing) if signing else self.http,
            verify=credentials.verify,
            cert=credentials.cert,
            timeout=READ_TIMEOUT,
            user_agent=_user_agent(),
        )
        self._plugin = credentials.plugin
        self._auth_url = credentials.auth_url
        self._hint = credentials.hint
        self._token_lock = threading.Lock()
        self._failure: errors.EcsError | None = None
        self._failed_at = -math.inf

    def for_another_token(self, credentials: Credentials) -> "Transport":
        """Return a transport with a token of its own; the HTTP session, the counters and the deadlines are shared."""
        other = copy.copy(self)
        other.use(credentials)
        return other

    def set_deadline(self, moment: float) -> None:
        """Set the time until which requests of the calling thread are retried. This begins an operation."""
        self._thread.deadline = moment
        self._thread.missed = False

    @property
    def missed_object(self) -> bool:
        """Whether a request of the operation in the calling thread, except for polls, got a 404."""
        return bool(getattr(self._thread, "missed", False))

    def access(self) -> AccessInfoV3:
        """Return the token with its project and catalog. It is requested once, and renewed when it expires."""
        called_at = self.clock.now()
        with self._token_lock:
            if self._failure and called_at <= self._failed_at:
                raise self._failure
            try:
                return self.with_retries(self._access, idempotent=True, url=self._auth_url)
            except errors.EcsError as error:
                if error.deadline_exceeded:
                    raise  # only the deadline of this thread passed, so waiting threads try themselves
                self._failure = error
                # Waiting threads share the failure instead of repeating the login. Rejected credentials are never
                # retried, because a login for each resource could lock the account.
                is_final = isinstance(error, errors.Unauthorized | errors.ConfigurationError)
                self._failed_at = math.inf if is_final else self.clock.now()
                raise

    def _access(self) -> AccessInfoV3:
        try:
            access = self._plugin.get_access(self.keystone)
        except keystone.ClientException as error:
            # A lost token response has no side effects, so the caller treats the request as not sent.
            failure = self.map_exception(error, "POST", self._auth_url, "identity", harmless=True)
            if isinstance(failure, errors.NotFound):
                failure.hint = self._hint  # a login through an agency that does not exist is a 404
            raise failure from error
        if not isinstance(access, AccessInfoV3):
            raise errors.ConfigurationError(
                "ecs:authUrl (or OS_AUTH_URL): only version 3 of the identity API is supported"
            )
        return access

    def send(self, request: Request, *, idempotent: bool | None = None, poll: bool = False) -> Response:
        """Send a request, and retry it after transient errors.

        A GET of an object that this process created a moment ago is repeated while the API does not find it.

        Args:
            request: the request.
            idempotent: whether sending the request twice has the same effect as sending it once. Default: as defined
                for the HTTP method.
            poll: whether the request is part of a poll that is repeated soon, so that it is not retried and has a short
                timeout.

        Raises:
            ApiError: the API answered with an error.
            ResponseLost: the request may have taken effect, but its response did not arrive.
            ConnectionFailed: the request cannot have taken effect.
        """
        if poll:
            self._raise_if_held(request.url)
            return self._send_once(request, POLL_READ_TIMEOUT)
        safe = request.method in _IDEMPOTENT_METHODS if idempotent is None else idempotent
        response: Response | None = None
        while True:
            may_appear = request.method == "GET" and self.writes.appears_at(request.url)
            try:
                response = self.with_retries(
                    lambda: self._send_once(request, self.read_timeout), idempotent=safe, url=request.url
                )
            except errors.NotFound:
                if may_appear:
                    self.clock.sleep(min(_APPEARANCE_INTERVAL, may_appear))
                    continue
                self._thread.missed = True
                raise
            finally:
                if request.method != "GET":
                    self.writes.record(request.method, request.url, request.json, response and response.body)
            return response

    def with_retries(
        self,
        attempt: Callable[[], T],
        *,
        idempotent: bool,
        url: str,
    ) -> T:
        """Call a function, and retry it after transient errors if the request cannot take effect twice."""
        failures = 0
        while True:
            try:
                self._wait_if_held(url)
                return attempt()
            except errors.EcsError as error:
                failures += 1
                if failures > self._max_retries or not self._is_retryable(error, url, failures, idempotent=idempotent):
                    error.retries_exhausted = True
                    raise
                delay = self._delay(error, failures)
                if self.clock.now() + delay > getattr(self._thread, "deadline", math.inf):
                    error.retries_exhausted = error.deadline_exceeded = True
                    raise
                self._write_trace(f"retrying in {delay:.1f} s: {errors.one_line(str(error))}")
                self.clock.sleep(delay)

    def _hold_back(self, url: str, error: errors.TooManyRequests) -> float:
        """Pause all requests to a host, unless they are paused already. Return the seconds until the next attempt."""
        host, now = urlsplit(url).netloc, self.clock.now()
        with self._lock:
            hold = self._holds.get(host)
            if hold is None or now >= hold.until:
                is_repeated = hold is not None and now - hold.until <= _MAX_HOLD
                seconds = min(2 * hold.seconds, _MAX_HOLD) if hold and is_repeated else _FIRST_HOLD
                hold = self._holds[host] = _Hold(now + self.clock.jitter(seconds), seconds, copy.copy(error))
        self._show_hold(url, hold.until - now)
        return self.clock.jitter(hold.until - now)

    def _show_hold(self, url: str, seconds: float) -> None:
        if self._status:
            self._status(f"{_host(url)} gets too many requests; waiting for {seconds:.0f} s")

    def _held(self, url: str) -> _Hold | None:
        """Return the pause of a host; None if it gets requests, or if the operation of this thread ends before."""
        hold = self._holds.get(urlsplit(url).netloc)
        if hold is None or hold.until <= self.clock.now() or hold.until > getattr(self._thread, "deadline", math.inf):
            return None
        self._show_hold(url, hold.until - self.clock.now())
        return hold

    def _wait_if_held(self, url: str) -> None:
        """Wait until the host gets requests again. Many threads wait, and do not continue at the same moment."""
        while hold := self._held(url):
            self.clock.sleep(self.clock.jitter(hold.until - self.clock.now()))

    def _raise_if_held(self, url: str) -> None:
        """Raise the error of the host instead of sending a poll, which its caller repeats after that time."""
        if hold := self._held(url):
            error = copy.copy(hold.error)
            error.retry_after = self.clock.jitter(hold.until - self.clock.now())
            raise error

    def _is_retryable(self, error: errors.EcsError, url: str, failures: int, *, idempotent: bool) -> bool:
        if error.retries_exhausted:
            return False
        if isinstance(error, errors.ConnectionFailed):
            if not error.temporary or (error.sent and not idempotent):
                return False
            # Retry less for a host that never responded in this process: its name is probably wrong.
            return urlsplit(url).netloc in self._reached or failures <= _FIRST_CONTACT_RETRIES
        if isinstance(error, errors.TooManyRequests):
            return True
        if isinstance(error, errors.ApiError):
            retried = _RETRIED_FOR_ANY_METHOD | _RETRIED_IF_IDEMPOTENT if idempotent else _RETRIED_FOR_ANY_METHOD
            return error.status in retried and (idempotent or not errors.may_have_taken_effect(error))
        return False

    def _delay(self, error: errors.EcsError, failures: int) -> float:
        retry_after = error.retry_after if isinstance(error, errors.ApiError) else None
        backoff = self.clock.jitter(min(_FIRST_DELAY * 2 ** (failures - 1), _MAX_DELAY))
        return max(retry_after or 0.0, backoff)

    def _send_once(self, request: Request, read_timeout: float) -> Response:
        """Send the request once, or twice if the token has expired at the first attempt."""
        token = self.access().auth_token or ""
        response = self._exchange(request, token, read_timeout)
        if response.status_code == http.HTTPStatus.UNAUTHORIZED:
            self._renew(token)
            response = self._exchange(request, self.access().auth_token or "", read_timeout)
        if response.status_code >= http.HTTPStatus.MULTIPLE_CHOICES:
            raise self._api_error(response)
        return Response(
            body=_parsed(response, request),
            request_id=errors.request_id_of(response),
            date=errors.http_date(response.headers.get("Date")),
        )

    def _exchange(self, request: Request, token: str, read_timeout: float) -> requests.Response:
        extra: dict[str, Any] = {} if request.microversion is None else {"microversion": request.microversion}
        try:
            return self.keystone.request(
                request.url,
                request.method,
                json=request.json,
                params=request.params,
                headers={"Accept": "application/json", **({"X-Auth-Token": token} if token else {}), **request.headers},
                authenticated=False,
                raise_exc=False,
                log=False,  # keystoneauth's log would contain secrets
                timeout=(CONNECT_TIMEOUT, read_timeout),
                microversion_service_type=request.service,
                **extra,
            )
        except keystone.ClientException as error:
            raise self.map_exception(error, request.method, request.url, request.service) from error

    def _renew(self, token: str) -> None:
        """Invalidate a rejected token, unless another thread has renewed it already."""
        with self._token_lock:
            reference = self._plugin.auth_ref
            if reference is not None and reference.auth_token == token:
                self._plugin.invalidate()

    def map_exception(
        self, error: keystone.ClientException, method: str, url: str, service: str, *, harmless: bool = False
    ) -> errors.EcsError:
        """Convert an exception of keystoneauth to an error of this package.

        Args:
            error: the exception.
            method: the request's method.
            url: the request's URL.
            service: the name of the service, for the message.
            harmless: whether the request has no side effects although it is not a GET.
        """
        if isinstance(error, keystone.HttpError) and error.response is not None:
            return self._api_error(error.response)
        # keystoneauth hides the details of the exception of requests, which show whether the request was sent.
        cause = error.__context__ if isinstance(error.__context__, requests.RequestException) else None
        self._write_trace(f"{method} {urlsplit(url).path} failed: {type(cause or error).__name__}")
        failure = _connection_error(cause, error, method, url, service)
        return (
            errors.ConnectionFailed(str(failure)) if harmless and isinstance(failure, errors.ResponseLost) else failure
        )

    def _api_error(self, response: requests.Response) -> errors.ApiError:
        error = errors.from_response(response)
        if isinstance(error, errors.Unauthorized):
            error.hint = self._hint
        if isinstance(error, errors.TooManyRequests) and error.retry_after is None:
            error.retry_after = self._hold_back(response.request.url or "", error)
        return error

    def _on_response(self, response: requests.Response, *_args: Any, **_kwargs: Any) -> None:
        """Count and trace a request for which a response arrived."""
        request = response.request
        target = urlsplit(request.url or "")
        with self._lock:
            self.requests[request.method or "", path_template(target.path)] += 1
            self._reached.add(target.netloc)
        if self._trace:
            query = f"?{target.query}" if target.query else ""
            milliseconds = response.elapsed.total_seconds() * 1000
            self._write_trace(
                f"{request.method} {target.path}{query} {response.status_code} {milliseconds:.0f} ms "
                f"{errors.request_id_of(response) or '-'}",
            )

    def _write_trace(self, line: str) -> None:
        if self._trace:
            self._trace(line)


@cache
def _user_agent() -> str:
    return f"ecs-pulumi/{metadata.version('ecs-pulumi')}"


def _parsed(response: requests.Response, request: Request) -> Any:
    if not response.content and request.key is None and request.method != "GET":
        return None
    try:
        body = response.json()
        return body if request.key is None else body[request.key]
    except (ValueError, KeyError, TypeError):
        if request.key is None and request.method != "GET":
            return None  # the body of an action's response is not needed
    raise _invalid_response(request.method, request.url, request.service)


def _invalid_response(method: str, url: str, service: str) -> errors.ConnectionFailed:
    return _response_lost(
        f"{_host(url)} ({service}) returned an invalid response to {method} {urlsplit(url).path}", method
    )


def _response_lost(message: str, method: str, *, is_timeout: bool = False) -> errors.ConnectionFailed:
    """The error for a request that was sent without a usable response. A GET has no side effects to check for."""
    return (
        errors.ConnectionFailed(message, sent=True)
        if method == "GET"
        else errors.ResponseLost(message, is_timeout=is_timeout)
    )


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
        # urllib3 raises ProxyError for any failure of a connection to a proxy, including a lost response. Only the
        # original error shows whether the proxy may have forwarded the request.
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
    return _no_response(cause, error, method, url, service)


def _no_response(
    cause: requests.RequestException | None, error: keystone.ClientException, method: str, url: str, service: str
) -> errors.ConnectionFailed:
    if cause is None:
        return errors.ConnectionFailed(errors.one_line(f"{_host(url)} ({service}): {error}"), temporary=False)
    if isinstance(cause, requests.exceptions.JSONDecodeError):
        return _invalid_response(method, url, service)
    timed_out = isinstance(cause, requests.exceptions.Timeout)
    reason = "no response in time" if timed_out else "the connection broke before the response was complete"
    return _response_lost(
        f"{_host(url)} ({service}): {reason} to {method} {urlsplit(url).path}", method, is_timeout=timed_out
    )


def _is_unsent(reason: object) -> bool:
    """Whether no connection was established, so that the request was not sent."""
    is_refused_tunnel = isinstance(reason, OSError) and str(reason).startswith(_NO_TUNNEL)
    return is_refused_tunnel or isinstance(reason, urllib3.ConnectTimeoutError) or _is_proxy_stalled(reason)


def _is_proxy_stalled(reason: object) -> bool:
    """Whether CONNECT timed out, not the request: the proxy is waiting for the service."""
    if not isinstance(reason, urllib3.ReadTimeoutError):
        return False
    proxy = getattr(reason.pool, "proxy", None)
    return proxy is not None and reason.url == proxy.url


def _unreachable(reason: object, url: str, check: str, *, proxied: bool) -> str:
    """The end of a message: why the connection failed, and what to do."""
    is_unknown = isinstance(reason, urllib3.NameResolutionError)
    if is_unknown and not proxied:
        return f": no address is known for the name {urlsplit(url).hostname}. {check}."
    if is_unknown:
        why = "no address is known for its name"
    elif isinstance(reason, urllib3.NewConnectionError):  # "…: [Errno 111] Connection refused"
        why = str(reason).rpartition("] ")[2].lower()
    else:
        why = str(reason).removeprefix(_NO_TUNNEL) if isinstance(reason, OSError) else "no response"
    if not proxied:
        return f": {why}. {check}, and the network connection."
    return f" through {_PROXY}: {why}. Check these variables and NO_PROXY, and whether the proxy allows this host."


def _certificate_error(text: str, where: str) -> errors.ConnectionFailed:
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        reason = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or "it names another host"
        return errors.ConnectionFailed(
            f"The certificate of {where} does not verify: {reason}. Name its CA's file in ecs:cacert "
            "(or OS_CACERT); ecs:insecure: true disables the verification.",
            temporary=False,
        )
    reason = re.sub(r" \(_ssl\.c:\d+\)", "", errors.one_line(text))
    return errors.ConnectionFailed(
        f"No TLS connection to {where}: {reason}. "
        "Check the URL's scheme, and ecs:cert and ecs:key if the cloud requires a client certificate.",
        temporary=False,
    )


def _reason(cause: requests.RequestException | None) -> object:
    """The urllib3 exception inside an exception of requests."""
    inner = cause.args[0] if cause and cause.args else None
    return inner.reason if isinstance(inner, urllib3.MaxRetryError) else inner


def utc_now() -> float:
    """The local clock in seconds since the epoch, used if the cloud sends no Date header."""
    return time.time()
