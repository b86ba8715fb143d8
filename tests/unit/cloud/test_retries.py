"""What is repeated, how often, how long apart, and that nothing can act twice."""

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

from ecs_pulumi.cloud import compute
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
    """How often a request is sent whose first answer is a failure and whose second would be good."""
    region = region_of(cloud, clock)
    region.connection.transport._reached.add("nova.test:8774")
    cloud.script(method, PATH, failure, SERVER)
    with contextlib.suppress(ApiError, ConnectionFailed):
        region.compute.request(method, "/servers/1", key="server")
    return sum(request.path == PATH for request in cloud.log)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize("status", [400, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504])
def test_which_answers_are_asked_again(cloud: FakeCloud, clock: FakeClock, method: str, status: int) -> None:
    """429 and 503 were not taken by anyone; 408 and other 5xx only matter where twice is as good as once."""
    idempotent = method in {"GET", "PUT", "DELETE"}
    again = status in {429, 503} or (idempotent and status in {408, 500, 502, 504})
    assert _request(cloud, clock, method, Reply(status, {"x": {"message": "…"}})) == (2 if again else 1)


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
    ids=["refused", "reset", "stalled", "broken body", "truncated", "HTML", "empty"],
)
def test_which_broken_connections_are_tried_again(
    cloud: FakeCloud, clock: FakeClock, method: str, failure: Any, *, sent: bool
) -> None:
    """What cannot have been taken is always repeated; the rest only where twice is as good as once."""
    idempotent = method in {"GET", "PUT", "DELETE"}
    assert _request(cloud, clock, method, failure) == (1 if sent and not idempotent else 2)


@pytest.mark.parametrize(("failure", "lost"), [(_reset(), True), (Reply(202, "half a {"), True), (_refused(), False)])
def test_a_create_whose_answer_is_lost_says_so(cloud: FakeCloud, failure: Any, *, lost: bool) -> None:
    """Only where the server may exist is the answer lost, so that the caller looks for it first."""
    region = region_of(cloud)
    cloud.script("POST", CREATE, failure)
    with pytest.raises(ConnectionFailed) as caught:
        compute.create_server(region.compute, {"name": "web"})
    assert isinstance(caught.value, ResponseLost) is lost


@pytest.mark.parametrize(
    ("reason", "sent"), [("connection termination", 1), ("remote reset", 1), ("remote connection failure", 2)]
)
def test_a_503_for_a_connection_that_broke_is_not_asked_again(
    cloud: FakeCloud, clock: FakeClock, reason: str, sent: int
) -> None:
    """Envoy answers 503 where others answer 502; only where it got no connection was the request not taken."""
    text = f"upstream connect error or disconnect/reset before headers. reset reason: {reason}"
    assert _request(cloud, clock, "POST", Reply(503, text, {"Content-Type": "text/plain"})) == sent
    cloud.log.clear()
    assert _request(cloud, clock, "GET", Reply(503, text, {"Content-Type": "text/plain"})) == 2


def test_delays_double_and_end(cloud: FakeCloud, clock: FakeClock) -> None:
    """``ecs:maxRetries`` attempts follow the first, twice as far apart each, and then the error is told."""
    region = region_of(cloud, clock, max_retries=4)
    cloud.script("GET", PATH, Reply(502, "<html><title>502 Bad Gateway</title></html>"))
    with pytest.raises(ServerError, match="502 Bad Gateway"):
        compute.get_server(region.compute, "1")
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(("status", "header", "slept"), [(503, "7", 7.0), (429, "0", 0.5), (413, "3", 3.0)])
def test_retry_after_is_honoured(cloud: FakeCloud, clock: FakeClock, status: int, header: str, slept: float) -> None:
    """The API's own word on when to come back counts, if it is not sooner than the usual delay."""
    region = region_of(cloud, clock)
    limited = Reply(status, {"overLimit": {"message": "This request was rate-limited."}}, {"Retry-After": header})
    cloud.script("POST", CREATE, limited, SERVER)
    compute.create_server(region.compute, {"name": "web"})
    assert clock.slept == [slept]


def test_nobody_is_kept_waiting_for_ever(cloud: FakeCloud, clock: FakeClock) -> None:
    """A Retry-After of hours is cut at five minutes, and delays of one's own at half a minute."""
    region = region_of(cloud, clock, max_retries=9)
    cloud.script("POST", CREATE, Reply(503, None, {"Retry-After": "86400"}), *[Reply(503)] * 8, SERVER)
    compute.create_server(region.compute, {"name": "web"})
    assert clock.slept == [300.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_nobody_is_kept_beyond_his_time(cloud: FakeCloud, clock: FakeClock) -> None:
    """What an operation's time does not last for is not waited for."""
    region = region_of(cloud, clock)
    cloud.script("GET", PATH, Reply(503, "", {"Retry-After": "40"}))
    region.connection.transport.set_deadline(clock.now() + 100)
    with pytest.raises(ServerError):
        compute.get_server(region.compute, "1")
    assert clock.slept == [40, 40]


def test_delays_are_spread() -> None:
    """Clients that were refused together do not return together."""
    delays = {Clock().jitter(8.0) for _ in range(20)}
    assert len(delays) > 1
    assert all(6.0 <= delay <= 10.0 for delay in delays)


def test_an_exhausted_quota_is_not_waited_out(cloud: FakeCloud, clock: FakeClock) -> None:
    """Cinder says 413 with ``Retry-After: 0`` where the quota is full; no retry helps."""
    region = region_of(cloud, clock)
    message = "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota 'volumes'."
    full = Reply(413, {"overLimit": {"code": 413, "message": message}}, {"Retry-After": "0"})
    cloud.script("POST", f"/v3/{PROJECT}/volumes", full)
    with pytest.raises(QuotaExceeded):
        region.block_storage.post("/volumes", json={}, key="volume")
    assert clock.slept == []


def test_a_request_that_may_run_twice_can_say_so(cloud: FakeCloud, clock: FakeClock) -> None:
    """Setting metadata is a POST, but the same twice is the same."""
    region = region_of(cloud, clock)
    cloud.script("POST", f"{PATH}/metadata", Reply(500), Reply(200, {"metadata": {"a": "b"}}))
    assert compute.set_metadata(region.compute, "1", {"a": "b"}) == {"a": "b"}


def test_polls_are_not_repeated(cloud: FakeCloud, clock: FakeClock) -> None:
    """The next poll is near; a retry would only delay it."""
    region = region_of(cloud, clock)
    cloud.script("GET", PATH, Reply(503))
    with pytest.raises(ServerError):
        region.compute.request("GET", "/servers/1", poll=True)
    assert clock.slept == []


def test_an_endpoint_that_is_down_is_named_with_its_setting(cloud: FakeCloud, clock: FakeClock) -> None:
    """A refused log-in is told after two quick retries: nothing ever answered there."""
    cloud.script("POST", "/v3/auth/tokens", _refused())
    with pytest.raises(ConnectionFailed) as caught:
        connect(cloud, clock).region()
    assert str(caught.value) == (
        "Cannot reach https://iam.test (identity): connection refused. Check ecs:authUrl (or OS_AUTH_URL, or "
        "auth_url in clouds.yaml), and the network between."
    )
    assert clock.slept == [0.5, 1.0]


def test_a_name_without_an_address_is_named(cloud: FakeCloud) -> None:
    """A misspelled host is recognised from the message."""
    region = region_of(cloud)
    cloud.script("GET", PATH, _unresolved())
    with pytest.raises(ConnectionFailed) as caught:
        compute.get_server(region.compute, "1")
    assert str(caught.value) == (
        "Cannot reach https://nova.test:8774 (compute): no address is known for the name nova.test. Check the compute "
        "URL in the catalog or ecs:endpoints."
    )


def test_a_certificate_that_does_not_verify_is_not_tried_again(cloud: FakeCloud, clock: FakeClock) -> None:
    """The message names the reason and the settings that help; trying again does not."""
    cloud.script("POST", "/v3/auth/tokens", _untrusted())
    with pytest.raises(ConnectionFailed) as caught:
        connect(cloud, clock).region()
    assert str(caught.value) == (
        "The certificate of https://iam.test (identity) does not verify: self-signed certificate. Name its CA's "
        "file in ecs:cacert (or OS_CACERT); ecs:insecure: true does without verification."
    )
    assert clock.slept == []


def test_a_keystone_hiccup_at_log_in_is_survived(cloud: FakeCloud, clock: FakeClock) -> None:
    """The token request is repeated like any other that is safe to repeat."""
    good = cloud._token
    replies = [Reply(503), Reply(500)]
    cloud.on("POST", "/v3/auth/tokens", lambda request: replies.pop() if replies else good(request))
    assert connect(cloud, clock).region().name == "eu-de"


def test_a_token_that_nobody_can_read_is_called_so(cloud: FakeCloud, clock: FakeClock) -> None:
    """A portal's page in place of a token is no broken connection."""
    cloud.script("POST", "/v3/auth/tokens", Reply(200, "<html>Sign in</html>", {"X-Subject-Token": "t"}))
    with pytest.raises(ConnectionFailed, match=r"https://iam\.test \(identity\) answered POST /v3 unreadably"):
        connect(cloud, clock).region()


def test_a_log_in_that_fails_is_not_repeated_by_each_request(cloud: FakeCloud, clock: FakeClock) -> None:
    """Keystone is asked as often as ``ecs:maxRetries`` says, once for all, not again by every request above it."""
    region = region_of(cloud, clock, max_retries=3)
    region.connection.transport._plugin.invalidate()
    cloud.script("POST", "/v3/auth/tokens", Reply(503))
    with pytest.raises(ServerError):
        compute.create_server(region.compute, {})
    assert len(clock.slept) == 3


@pytest.mark.parametrize("want", [lambda opened: opened.transport.access(), lambda opened: opened.region()])
def test_threads_share_a_failed_log_in(
    cloud: FakeCloud, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, want: Callable[[Connection], object]
) -> None:
    """Those who waited for a token that could not be had do not each try again."""
    connection = connect(cloud, clock, max_retries=1)
    cloud.script("POST", "/v3/auth/tokens", Reply(503))
    ticks, asked = itertools.count(), threading.Semaphore(0)

    def now() -> float:
        asked.release()
        return next(ticks)

    monkeypatch.setattr(clock, "now", now)
    threads = [threading.Thread(target=_ignore, args=(lambda: want(connection),)) for _ in range(30)]
    # The first holds the lock until all the others have asked.
    with connection.transport._token_lock:
        for thread in threads:
            thread.start()
        for _ in threads:
            assert asked.acquire(timeout=60)
    for thread in threads:
        thread.join(10)
    assert len(cloud.log) == 2


def test_who_has_no_time_left_for_a_log_in_fails_alone(cloud: FakeCloud, clock: FakeClock) -> None:
    """Those who waited for the same token, and have time, ask for themselves."""
    transport = connect(cloud, clock).transport
    told: list[str] = []

    def log_in(seconds: float) -> None:
        transport.set_deadline(clock.now() + seconds)
        try:
            told.append(str(transport.access().auth_token))
        except ServerError:
            told.append("failed")

    patient = threading.Thread(target=log_in, args=(1800,))

    def answer(request: Request) -> Reply:
        if patient.ident is None:
            patient.start()
            return Reply(503)
        return cloud._token(request)

    cloud.on("POST", "/v3/auth/tokens", answer)
    log_in(0.1)
    patient.join(10)
    assert sorted(told) == ["failed", "token-1"]


def _ignore(call: Callable[[], object]) -> None:
    with contextlib.suppress(ServerError):
        call()


def test_a_lost_token_is_not_a_lost_create(cloud: FakeCloud, clock: FakeClock) -> None:
    """Where the token's answer got lost the create was never sent, and nobody need look for it."""
    region = region_of(cloud, clock, max_retries=1)
    region.connection.transport._plugin.invalidate()
    cloud.script("POST", "/v3/auth/tokens", _reset())
    with pytest.raises(ConnectionFailed) as caught:
        compute.create_server(region.compute, {})
    assert not isinstance(caught.value, ResponseLost)
    assert f"POST {CREATE}" not in cloud.seen()


def test_rate_limits_end_too(cloud: FakeCloud, clock: FakeClock) -> None:
    """An API that always says 429 is given up on."""
    region = region_of(cloud, clock, max_retries=2)
    cloud.script("POST", CREATE, Reply(429))
    with pytest.raises(TooManyRequests):
        compute.create_server(region.compute, {})
    assert len(clock.slept) == 2


def test_a_url_that_is_none_names_the_setting(cloud: FakeCloud) -> None:
    """A broken port in an endpoint is a matter of configuration."""
    region = region_of(cloud, endpoints={"compute": "https://nova.test:notaport/v2.1"})
    with pytest.raises(ConfigurationError, match="ecs:endpoints"):
        compute.get_server(region.compute, "1")
