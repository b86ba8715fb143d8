"""Injected faults affect only the matching requests, and only as often as configured."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ecs_pulumi.emulator import Emulator, Fault, ManualClock, gateway
from tests.api.emulator.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def account(account: Account) -> Iterator[Account]:
    """The shared account; its faults are cleared after the test."""
    yield account
    account.cloud.clear_faults()


def test_status_fault_applies_n_times(account: Account) -> None:
    """`times=2` fails two requests with the configured status, headers and body; the third request succeeds."""
    account.cloud.fault(path="*/os-keypairs", status=503, times=2, headers={"Retry-After": "1"}, body={"no": 1})
    responses = [account.nova("GET", "/os-keypairs") for _ in range(3)]
    assert [response.status for response in responses] == [503, 503, 200]
    assert responses[0].headers["Retry-After"] == "1"
    assert responses[0].body == {"no": 1}
    assert responses[0].headers["X-Openstack-Request-Id"].startswith("req-")


@pytest.mark.parametrize("status", [404, 429])
def test_gateway_fault(account: Account, status: Any) -> None:
    """The gateway responds without Retry-After and without the service's request id, and the request has no effect."""
    account.cloud.fault(path="*/os-keypairs", gateway=status, times=1)
    response = account.nova("POST", "/os-keypairs", {"keypair": {"name": "not-created"}})
    assert response.status == status
    assert "request_id" in response.body
    assert not [name for name in response.headers if "request-id" in name.lower() or name.lower() == "retry-after"]
    assert account.nova("GET", "/os-keypairs/not-created").status == 404


def test_fault_matches_method_path_and_name(account: Account) -> None:
    """A fault applies if method, path (glob or regular expression) and name in the body match."""
    account.cloud.fault(method="POST", path="re:/os-keypairs$", name="bad-*", status=500)
    assert account.nova("GET", "/os-keypairs").status == 200
    assert account.nova("POST", "/os-keypairs", {"keypair": {"name": "good"}}).status == 200
    assert account.nova("POST", "/os-keypairs", {"keypair": {"name": "bad-1"}}).status == 500


@pytest.mark.parametrize(("drop", "takes_effect"), [("before", False), ("after", True), ("during", True)])
def test_dropped_connection(account: Account, drop: Any, takes_effect: bool) -> None:  # noqa: FBT001
    """The connection closes without a response, before or after the request takes effect."""
    account.cloud.requests.clear()
    account.cloud.fault(path="*/os-keypairs", method="POST", drop=drop, times=1)
    with pytest.raises(requests.RequestException):
        account.nova("POST", "/os-keypairs", {"keypair": {"name": drop}})
    assert (account.nova("GET", f"/os-keypairs/{drop}").status == 200) is takes_effect
    assert [request.status for request in account.cloud.requests] == [0, 200 if takes_effect else 404]


def test_fault_body_is_sent_unchanged(account: Account) -> None:
    """The body of a fault can be HTML, empty or truncated JSON."""
    for body in ("<html>Bad gateway</html>", "", '{"keypairs": ['):
        account.cloud.fault(path="*/os-keypairs", status=200, body=body, times=1)
        url = f"{account.cloud.url}/eu-de/compute/v2.1/os-keypairs"
        assert account.session.get(url, timeout=10).text == body


def test_latency_delays_only_the_matching_request(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delayed response does not delay other requests."""
    account.cloud.fault(path="*/os-keypairs", latency=0.4, times=1)
    url = f"{account.cloud.url}/eu-de/compute/v2.1/os-keypairs"
    headers = dict(account.session.headers)
    delays: list[float] = []
    released = threading.Event()

    async def sleep(seconds: float) -> None:
        delays.append(seconds)
        await asyncio.to_thread(released.wait)

    monkeypatch.setattr(gateway, "asyncio", SimpleNamespace(sleep=sleep))
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(requests.get, url, headers=headers, timeout=60)
        while not delays:
            time.sleep(0.005)
        assert account.nova("GET", "/flavors").status == 200
        assert not slow.done()
        released.set()
        assert slow.result().status_code == 200
    assert delays == [0.4]


def test_fault_skips_requests(account: Account) -> None:
    """`skip=2, times=1` fails only the third request."""
    account.cloud.fault(path="*/flavors", status=500, skip=2, times=1)
    assert [account.nova("GET", "/flavors").status for _ in range(4)] == [200, 200, 500, 200]


def test_latency_combines_with_other_faults(account: Account) -> None:
    """Delays of several faults add up, and a delay does not prevent other faults."""
    account.cloud.fault(latency=0.02)
    account.cloud.fault(path="*/flavors", latency=0.02, status=500, times=1)
    start = time.monotonic()
    assert [account.nova("GET", "/flavors").status for _ in range(2)] == [500, 200]
    assert time.monotonic() - start >= 0.06


def test_faults_over_http(account: Account) -> None:
    """`/_emulator/faults` adds, lists and clears faults, and rejects invalid ones."""
    url = f"{account.cloud.url}/_emulator/faults"
    assert requests.post(url, json={"path": "*/flavors", "status": 500, "times": 3}, timeout=10).status_code == 201
    assert account.nova("GET", "/flavors").status == 500
    assert [fault["times"] for fault in requests.get(url, timeout=10).json()] == [2]
    assert requests.post(url, json={"pathh": "*"}, timeout=10).status_code == 422
    assert requests.delete(url, timeout=10).status_code == 204
    assert account.nova("GET", "/flavors").status == 200


def test_request_log_and_tokens_over_http(account: Account) -> None:
    """`/_emulator/requests` returns and clears the log; `/_emulator/tokens` expires every token."""
    url = f"{account.cloud.url}/_emulator"
    requests.delete(f"{url}/requests", timeout=10)
    second = Account(account.cloud, account.clock)
    log = requests.get(f"{url}/requests", timeout=10).json()
    assert [(each["method"], each["path"], each["status"]) for each in log] == [("POST", "/v3/auth/tokens", 201)]
    requests.delete(f"{url}/tokens", timeout=10)
    assert second.nova("GET", "/flavors").status == 401
    account.session.headers["X-Auth-Token"] = Account(account.cloud, account.clock).session.headers["X-Auth-Token"]


def test_faults_of_the_constructor() -> None:
    """The constructor accepts faults; an outcome fault matches names by a glob and applies `times` times."""
    clock = ManualClock()
    faults = [Fault(outcome="fail-spawn", name="web-*", times=1)]
    with Emulator(clock=clock, faults=faults) as cloud:
        account = Account(cloud, clock)
        networks = [{"uuid": account.network()}]
        first, second = (account.server(name, networks=networks) for name in ("web-1", "web-2"))
        account.wait_for(first, "ERROR")
        account.wait_for(second, "ACTIVE")
