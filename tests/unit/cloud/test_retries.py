"""Retries: which requests are retried, how often and with which delay, and that none takes effect twice."""

import contextlib
import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
from urllib3 import exceptions as urllib3
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPSConnectionPool

from ecs_pulumi.cloud import compute, network
from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.connection import Connection
from ecs_pulumi.cloud.errors import (
    ApiError,
    ConfigurationError,
    ConnectionFailed,
    QuotaExceeded,
    ResponseLost,
    ServerError,
    TooManyRequests,
)
from tests.unit.cloud.fakes import PROJECT, FakeClock, FakeCloud, Reply, Request, connect, region_of

PATH = f"/v2.1/{PROJECT}/servers/1"
CREATE = f"/v2.1/{PROJECT}/servers"
SERVER = Reply(200, {"server": {"id": "1"}})
POOL = HTTPSConnectionPool("nova.test")


def _refused() -> requests.ConnectionError:
    reason = urllib3.NewConnectionError(HTTPConnection("nova.test"), "[Errno 111] Connection refused")
    return requests.ConnectionError(urllib3.MaxRetryError(POOL, "/", reason))


def _reset() -> requests.ConnectionError:
    reason = ConnectionResetError(104, "Connection reset by peer")
    return requests.ConnectionError(urllib3.ProtocolError("Connection aborted.", reason))


def _unresolved() -> requests.ConnectionError:
    reason = urllib3.NameResolutionError("nova.test", HTTPConnection("nova.test"), OSError("unknown"))  # type: ignore[arg-type]
    return requests.ConnectionError(urllib3.MaxRetryError(POOL, "/", reason))


def _untrusted() -> requests.exceptions.SSLError:
    text = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
    return requests.exceptions.SSLError(urllib3.MaxRetryError(POOL, "/", urllib3.SSLError(text)))


def _request(cloud: FakeCloud, clock: FakeClock, method: str, failure: Reply | Exception) -> int:
    """Return how often a request is sent if the first attempt fails and a second one would succeed."""
    region = region_of(cloud, clock)
    region.connection.transport._reached.add("nova.test:8774")
    cloud.script(method, PATH, failure, SERVER)
    with contextlib.suppress(ApiError, ConnectionFailed):
        region.compute.request(method, "/servers/1", key="server")
    return sum(request.path == PATH for request in cloud.log)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize("status", [400, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504])
def test_retries_after_error_status(cloud: FakeCloud, clock: FakeClock, method: str, status: int) -> None:
    """429 and 503 are always retried; 408 and other 5xx are retried only for idempotent methods."""
    idempotent = method in {"GET", "PUT", "DELETE"}
    retried = status in {429, 503} or (idempotent and status in {408, 500, 502, 504})
    assert _request(cloud, clock, method, Reply(status, {"x": {"message": "…"}})) == (2 if retried else 1)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize(
    ("failure", "sent"),
    [
        (_refused(), False),
        (_reset(), True),
        (requests.exceptions.ReadTimeout("slow"), True),
        (requests.exceptions.ChunkedEncodingError("half"), True),
        (Reply(200, '{"server": {"id'), True),
        (Reply(200, "<html>ok</html>"), True),
        (Reply(200), True),
    ],
    ids=["refused", "reset", "timeout", "incomplete body", "truncated JSON", "HTML", "empty body"],
)
def test_retries_after_connection_failure(
    cloud: FakeCloud, clock: FakeClock, method: str, failure: Any, *, sent: bool
) -> None:
    """A request that was not sent is always retried; one that was sent only if the method is idempotent."""
    idempotent = method in {"GET", "PUT", "DELETE"}
    assert _request(cloud, clock, method, failure) == (1 if sent and not idempotent else 2)


@pytest.mark.parametrize(("failure", "lost"), [(_reset(), True), (Reply(202, "half a {"), True), (_refused(), False)])
def test_create_raises_response_lost_if_sent(cloud: FakeCloud, failure: Any, *, lost: bool) -> None:
    """``ResponseLost`` is raised only if the server may exist, so that the caller searches for it before a retry."""
    region = region_of(cloud)
    cloud.script("POST", CREATE, failure)
    with pytest.raises(ConnectionFailed) as caught:
        compute.create_server(region.compute, {"name": "web"})
    assert isinstance(caught.value, ResponseLost) is lost


@pytest.mark.parametrize(
    ("reason", "sent"), [("connection termination", 1), ("remote reset", 1), ("remote connection failure", 2)]
)
def test_create_is_not_retried_after_503_for_broken_connection(
    cloud: FakeCloud, clock: FakeClock, reason: str, sent: int
) -> None:
    """Envoy answers 503 if the connection broke, possibly after it sent the request; then a create is not retried."""
    text = f"upstream connect error or disconnect/reset before headers. reset reason: {reason}"
    assert _request(cloud, clock, "POST", Reply(503, text, {"Content-Type": "text/plain"})) == sent
    cloud.log.clear()
    assert _request(cloud, clock, "GET", Reply(503, text, {"Content-Type": "text/plain"})) == 2


def test_retry_delay_doubles_until_max_retries(cloud: FakeCloud, clock: FakeClock) -> None:
    """The delay doubles with each retry; after ``ecs:maxRetries`` retries the error is raised."""
    region = region_of(cloud, clock, max_retries=4)
    cloud.script("GET", PATH, Reply(502, "<html><title>502 Bad Gateway</title></html>"))
    with pytest.raises(ServerError, match="502 Bad Gateway"):
        compute.get_server(region.compute, "1")
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(("status", "header", "slept"), [(503, "7", 7.0), (429, "0", 0.5), (413, "3", 3.0)])
def test_retry_after_is_honoured(cloud: FakeCloud, clock: FakeClock, status: int, header: str, slept: float) -> None:
    """The delay is at least as long as Retry-After."""
    region = region_of(cloud, clock)
    limited = Reply(status, {"overLimit": {"message": "This request was rate-limited."}}, {"Retry-After": header})
    cloud.script("POST", CREATE, limited, SERVER)
    compute.create_server(region.compute, {"name": "web"})
    assert clock.slept == [slept]


def test_retry_delay_is_limited(cloud: FakeCloud, clock: FakeClock) -> None:
    """Retry-After is limited to five minutes, and the exponential delay to half a minute."""
    region = region_of(cloud, clock, max_retries=9)
    cloud.script("POST", CREATE, Reply(503, None, {"Retry-After": "86400"}), *[Reply(503)] * 8, SERVER)
    compute.create_server(region.compute, {"name": "web"})
    assert clock.slept == [300.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_no_retry_after_deadline_of_operation(cloud: FakeCloud, clock: FakeClock) -> None:
    """A request is not retried if the delay would end after the deadline of the operation."""
    region = region_of(cloud, clock)
    cloud.script("GET", PATH, Reply(503, "", {"Retry-After": "40"}))
    region.connection.transport.set_deadline(clock.now() + 100)
    with pytest.raises(ServerError):
        compute.get_server(region.compute, "1")
    assert clock.slept == [40, 40]


def test_retry_delay_is_randomized() -> None:
    """The jitter varies a delay by up to 25 percent."""
    delays = {Clock().jitter(8.0) for _ in range(20)}
    assert len(delays) > 1
    assert all(6.0 <= delay <= 10.0 for delay in delays)


def test_exceeded_quota_is_not_retried(cloud: FakeCloud, clock: FakeClock) -> None:
    """Cinder answers 413 with ``Retry-After: 0`` if the quota is exceeded; this is not a rate limit."""
    region = region_of(cloud, clock)
    message = "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota 'volumes'."
    full = Reply(413, {"overLimit": {"code": 413, "message": message}}, {"Retry-After": "0"})
    cloud.script("POST", f"/v3/{PROJECT}/volumes", full)
    with pytest.raises(QuotaExceeded):
        region.block_storage.post("/volumes", json={}, key="volume")
    assert clock.slept == []


def test_idempotent_post_is_retried(cloud: FakeCloud, clock: FakeClock) -> None:
    """A forced delete is a POST, but idempotent, so it is retried."""
    region = region_of(cloud, clock)
    cloud.script("POST", f"{PATH}/action", Reply(500), Reply(202))
    compute.delete_server(region.compute, "1", force=True)
    assert cloud.sent("GET") == [f"POST {PATH}/action"] * 2


def test_polls_are_not_retried(cloud: FakeCloud, clock: FakeClock) -> None:
    """A failed poll raises its error at once, because the next poll follows soon."""
    region = region_of(cloud, clock)
    cloud.script("GET", PATH, Reply(503))
    with pytest.raises(ServerError):
        region.compute.request("GET", "/servers/1", poll=True)
    assert clock.slept == []


def test_unreachable_endpoint_error_names_setting(cloud: FakeCloud, clock: FakeClock) -> None:
    """A login to a host that never responded fails after two retries; the error names the setting of the URL."""
    cloud.script("POST", "/v3/auth/tokens", _refused())
    with pytest.raises(ConnectionFailed) as caught:
        connect(cloud, clock).region()
    assert str(caught.value) == (
        "Cannot reach https://iam.test (identity): connection refused. Check ecs:authUrl (or OS_AUTH_URL, or "
        "auth_url in clouds.yaml), and the network connection."
    )
    assert clock.slept == [0.5, 1.0]


def test_unresolved_host_error_names_host(cloud: FakeCloud) -> None:
    """The error contains the host name that does not resolve."""
    region = region_of(cloud)
    cloud.script("GET", PATH, _unresolved())
    with pytest.raises(ConnectionFailed) as caught:
        compute.get_server(region.compute, "1")
    assert str(caught.value) == (
        "Cannot reach https://nova.test:8774 (compute): no address is known for the name nova.test. Check the compute "
        "URL in the catalog or ecs:endpoints."
    )


def test_unverified_certificate_is_not_retried(cloud: FakeCloud, clock: FakeClock) -> None:
    """The error contains the reason and names the settings for the CA file and for no verification."""
    cloud.script("POST", "/v3/auth/tokens", _untrusted())
    with pytest.raises(ConnectionFailed) as caught:
        connect(cloud, clock).region()
    assert str(caught.value) == (
        "The certificate of https://iam.test (identity) does not verify: self-signed certificate. Name its CA's "
        "file in ecs:cacert (or OS_CACERT); ecs:insecure: true disables the verification."
    )
    assert clock.slept == []


def test_token_request_is_retried(cloud: FakeCloud, clock: FakeClock) -> None:
    """A token request is retried like any idempotent request."""
    answer = cloud._token
    replies = [Reply(503), Reply(500)]
    cloud.on("POST", "/v3/auth/tokens", lambda request: replies.pop() if replies else answer(request))
    assert connect(cloud, clock).region().name == "eu-de"


def test_invalid_token_response_error(cloud: FakeCloud, clock: FakeClock) -> None:
    """An HTML page instead of a token is reported as an invalid response."""
    cloud.script("POST", "/v3/auth/tokens", Reply(200, "<html>Sign in</html>", {"X-Subject-Token": "t"}))
    with pytest.raises(
        ConnectionFailed, match=r"https://iam\.test \(identity\) returned an invalid response to POST /v3"
    ):
        connect(cloud, clock).region()


def test_failed_login_is_not_retried_again_by_request(cloud: FakeCloud, clock: FakeClock) -> None:
    """A login is retried ``ecs:maxRetries`` times; the request that needs the token does not retry it again."""
    region = region_of(cloud, clock, max_retries=3)
    region.connection.transport._plugin.invalidate()
    cloud.script("POST", "/v3/auth/tokens", Reply(503))
    with pytest.raises(ServerError):
        compute.create_server(region.compute, {})
    assert len(clock.slept) == 3


def test_later_request_logs_in_again(cloud: FakeCloud, clock: FakeClock) -> None:
    """A login that failed for a reason that passes is not the end of the process."""
    transport, answer = connect(cloud, clock, max_retries=0).transport, cloud._token
    replies = [Reply(503)]
    cloud.on("POST", "/v3/auth/tokens", lambda request: replies.pop() if replies else answer(request))
    with pytest.raises(ServerError):
        transport.access()
    clock.time += 1
    assert transport.access().auth_token == "token-1"


@pytest.mark.parametrize(
    "use", [lambda connection: connection.transport.access(), lambda connection: connection.region()]
)
def test_threads_share_failed_login(
    cloud: FakeCloud, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, use: Callable[[Connection], object]
) -> None:
    """If a login fails, threads that waited for its token raise the same error without another login."""
    connection = connect(cloud, clock, max_retries=1)
    cloud.script("POST", "/v3/auth/tokens", Reply(503))
    ticks, called = itertools.count(), threading.Semaphore(0)

    def now() -> float:
        called.release()
        return next(ticks)

    monkeypatch.setattr(clock, "now", now)
    threads = [threading.Thread(target=_ignore_server_error, args=(lambda: use(connection),)) for _ in range(30)]
    # Hold the lock until all threads have called `access`.
    with connection.transport._token_lock:
        for thread in threads:
            thread.start()
        for _ in threads:
            assert called.acquire(timeout=60)
    for thread in threads:
        thread.join(10)
    assert len(cloud.log) == 2


def test_login_deadline_of_one_thread_does_not_fail_others(cloud: FakeCloud, clock: FakeClock) -> None:
    """If a login fails because the deadline of its thread passed, waiting threads log in themselves."""
    transport = connect(cloud, clock).transport
    results: list[str] = []

    def log_in(seconds: float) -> None:
        transport.set_deadline(clock.now() + seconds)
        try:
            results.append(str(transport.access().auth_token))
        except ServerError:
            results.append("failed")

    other = threading.Thread(target=log_in, args=(1800,))

    def answer(request: Request) -> Reply:
        if other.ident is None:
            other.start()
            return Reply(503)
        return cloud._token(request)

    cloud.on("POST", "/v3/auth/tokens", answer)
    log_in(0.1)
    other.join(10)
    assert sorted(results) == ["failed", "token-1"]


def _ignore_server_error(call: Callable[[], object]) -> None:
    with contextlib.suppress(ServerError):
        call()


def test_lost_token_response_is_not_response_lost_of_create(cloud: FakeCloud, clock: FakeClock) -> None:
    """If the response to the token request is lost, the create was not sent, so ``ResponseLost`` is not raised."""
    region = region_of(cloud, clock, max_retries=1)
    region.connection.transport._plugin.invalidate()
    cloud.script("POST", "/v3/auth/tokens", _reset())
    with pytest.raises(ConnectionFailed) as caught:
        compute.create_server(region.compute, {})
    assert not isinstance(caught.value, ResponseLost)
    assert f"POST {CREATE}" not in cloud.sent()


def test_rate_limit_error_after_max_retries(cloud: FakeCloud, clock: FakeClock) -> None:
    """If the API always answers 429, the error is raised after ``ecs:maxRetries`` retries."""
    region = region_of(cloud, clock, max_retries=2)
    cloud.script("POST", CREATE, Reply(429))
    with pytest.raises(TooManyRequests):
        compute.create_server(region.compute, {})
    assert len(clock.slept) == 2


def test_too_many_requests_pause_the_host(cloud: FakeCloud, clock: FakeClock) -> None:
    """After a 429 that does not say for how long, no request goes to this host for a while; others get theirs."""
    lines: list[str] = []
    connection = connect(cloud, clock, status=lines.append)
    region = connection.region()
    cloud.script("GET", PATH, Reply(429), SERVER)
    cloud.script("GET", "/v2.0/ports/p", Reply(200, {"port": {"id": "p"}}))
    started = clock.now()
    with pytest.raises(TooManyRequests):
        region.compute.request("GET", "/servers/1", poll=True)
    assert lines == ["https://nova.test:8774 gets too many requests; waiting for 10 s"]
    network.get(region.network, "port", "p")
    assert clock.now() == started
    with pytest.raises(TooManyRequests) as caught:
        region.compute.request("GET", "/servers/1", poll=True)
    assert caught.value.retry_after == 10.0
    assert cloud.sent().count(f"GET {PATH}") == 1
    compute.get_server(region.compute, "1")
    assert clock.now() == started + 10.0
    assert cloud.sent().count(f"GET {PATH}") == 2


def test_pauses_of_a_host_grow_to_a_minute(cloud: FakeCloud, clock: FakeClock) -> None:
    """The pause doubles with every further 429, up to the minute that the cloud asks for, and starts anew later."""
    region = region_of(cloud, clock, max_retries=5)
    cloud.script("POST", CREATE, *[Reply(429)] * 5, SERVER)
    compute.create_server(region.compute, {"name": "web"})
    assert clock.slept == [10.0, 20.0, 40.0, 60.0, 60.0]
    clock.sleep(61.0)
    clock.slept.clear()
    cloud.script("POST", CREATE, Reply(429), SERVER)
    compute.create_server(region.compute, {"name": "web"})
    assert clock.slept == [10.0]


def test_request_is_not_held_back_beyond_its_deadline(cloud: FakeCloud, clock: FakeClock) -> None:
    """A request whose operation ends before the pause does is sent at once, so that an operation can clean up."""
    region = region_of(cloud, clock)
    throttled = {"error_msg": "throttled", "error_code": "APIGW.0308", "request_id": "r"}
    cloud.script("GET", PATH, Reply(429, throttled))
    cloud.script("DELETE", PATH, Reply(204))
    region.connection.transport.set_deadline(clock.now() + 5)
    with pytest.raises(TooManyRequests, match=r"throttled \(HTTP 429, r\)") as caught:
        compute.get_server(region.compute, "1")
    assert caught.value.deadline_exceeded
    compute.delete_server(region.compute, "1")
    assert clock.slept == []


def test_parallel_requests_share_one_pause(cloud: FakeCloud, clock: FakeClock) -> None:
    """Requests that were under way when a pause began do not make it longer."""
    region = region_of(cloud, clock)
    transport = region.connection.transport
    error = TooManyRequests(429, "")
    url = region.compute.url
    assert transport._hold_back(url, error) == 10.0
    clock.sleep(4.0)
    assert transport._hold_back(url, error) == 6.0


def test_login_waits_for_its_host(cloud: FakeCloud, clock: FakeClock) -> None:
    """A 429 of Keystone delays the login as well."""
    answer, replies = cloud._token, [Reply(429)]
    cloud.on("POST", "/v3/auth/tokens", lambda request: replies.pop() if replies else answer(request))
    assert connect(cloud, clock).region().name == "eu-de"
    assert clock.slept == [10.0]


def test_invalid_url_error_names_setting(cloud: FakeCloud) -> None:
    """An invalid port in an endpoint is a configuration error that names the setting."""
    region = region_of(cloud, endpoints={"compute": "https://nova.test:notaport/v2.1"})
    with pytest.raises(ConfigurationError, match="ecs:endpoints"):
        compute.get_server(region.compute, "1")


def test_missing_object_of_an_operation_is_noted(cloud: FakeCloud, clock: FakeClock) -> None:
    """A 404 may mean that these credentials do not show the object; each operation notes its own."""
    cloud.on("GET", f"{CREATE}/gone", lambda _: Reply(404, {"itemNotFound": {"message": "gone", "code": 404}}))
    region = region_of(cloud, clock)
    transport = region.connection.transport
    transport.set_deadline(clock.now() + 60)
    assert not transport.missed_object
    with pytest.raises(ApiError):
        region.compute.get("/servers/gone")
    assert transport.missed_object
    transport.set_deadline(clock.now() + 60)
    assert not transport.missed_object
