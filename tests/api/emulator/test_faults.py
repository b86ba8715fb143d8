"""Trouble that was asked for comes, as often as asked, and nothing else is hurt."""

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


@pytest.fixture(scope="module")
def shared() -> Iterator[Account]:
    """An account of an emulator in the guide's dialect."""
    clock = ManualClock()
    with Emulator(clock=clock) as cloud:
        yield Account(cloud, clock)


@pytest.fixture
def account(shared: Account) -> Iterator[Account]:
    """The account, without faults afterwards."""
    yield shared
    shared.cloud.clear_faults()


def test_a_status_is_answered_so_often(account: Account) -> None:
    """`times=2` fails two requests, with the headers and the body asked for, and lets the third pass."""
    account.cloud.fault(path="*/os-keypairs", status=503, times=2, headers={"Retry-After": "1"}, body={"no": 1})
    answers = [account.nova("GET", "/os-keypairs") for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "1"
    assert answers[0].body == {"no": 1}
    assert answers[0].headers["X-Openstack-Request-Id"].startswith("req-")


def test_a_fault_meets_only_what_it_names(account: Account) -> None:
    """Method, path (glob or regular expression) and name in the body all have to fit."""
    account.cloud.fault(method="POST", path="re:/os-keypairs$", name="bad-*", status=500)
    assert account.nova("GET", "/os-keypairs").status == 200
    assert account.nova("POST", "/os-keypairs", {"keypair": {"name": "good"}}).status == 200
    assert account.nova("POST", "/os-keypairs", {"keypair": {"name": "bad-1"}}).status == 500


@pytest.mark.parametrize(("drop", "made"), [("before", False), ("after", True), ("during", True)])
def test_a_dropped_connection_brings_no_answer(account: Account, drop: Any, made: bool) -> None:  # noqa: FBT001
    """The client sees the connection close; the request took effect, or not, as asked."""
    account.cloud.requests.clear()
    account.cloud.fault(path="*/os-keypairs", method="POST", drop=drop, times=1)
    with pytest.raises(requests.RequestException):
        account.nova("POST", "/os-keypairs", {"keypair": {"name": drop}})
    assert (account.nova("GET", f"/os-keypairs/{drop}").status == 200) is made
    assert [request.status for request in account.cloud.requests] == [0, 200 if made else 404]


def test_odd_bodies_are_sent_as_they_are(account: Account) -> None:
    """HTML where JSON belongs, nothing at all, and JSON that breaks off."""
    for body in ("<html>Bad gateway</html>", "", '{"keypairs": ['):
        account.cloud.fault(path="*/os-keypairs", status=200, body=body, times=1)
        url = f"{account.cloud.url}/eu-de/compute/v2.1/os-keypairs"
        assert account.session.get(url, timeout=10).text == body


def test_latency_delays_only_the_one_request(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow answer keeps no other one waiting."""
    account.cloud.fault(path="*/os-keypairs", latency=0.4, times=1)
    url = f"{account.cloud.url}/eu-de/compute/v2.1/os-keypairs"
    headers = dict(account.session.headers)
    slept: list[float] = []
    is_over = threading.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.to_thread(is_over.wait)

    monkeypatch.setattr(gateway, "asyncio", SimpleNamespace(sleep=sleep))
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(requests.get, url, headers=headers, timeout=60)
        while not slept:
            time.sleep(0.005)
        assert account.nova("GET", "/flavors").status == 200
        assert not slow.done()
        is_over.set()
        assert slow.result().status_code == 200
    assert slept == [0.4]


def test_a_fault_can_let_some_pass_first(account: Account) -> None:
    """`skip=2, times=1` fails the third request alone."""
    account.cloud.fault(path="*/flavors", status=500, skip=2, times=1)
    assert [account.nova("GET", "/flavors").status for _ in range(4)] == [200, 200, 500, 200]


def test_latency_for_all_goes_with_trouble_for_some(account: Account) -> None:
    """Delays add up and hide no other fault."""
    account.cloud.fault(latency=0.02)
    account.cloud.fault(path="*/flavors", latency=0.02, status=500, times=1)
    began = time.monotonic()
    assert [account.nova("GET", "/flavors").status for _ in range(2)] == [500, 200]
    assert time.monotonic() - began >= 0.06


def test_faults_over_http(account: Account) -> None:
    """`/_emulator/faults` takes, lists and clears them, and refuses what is none."""
    url = f"{account.cloud.url}/_emulator/faults"
    assert requests.post(url, json={"path": "*/flavors", "status": 500, "times": 3}, timeout=10).status_code == 201
    assert account.nova("GET", "/flavors").status == 500
    assert [fault["times"] for fault in requests.get(url, timeout=10).json()] == [2]
    assert requests.post(url, json={"pathh": "*"}, timeout=10).status_code == 422
    assert requests.delete(url, timeout=10).status_code == 204
    assert account.nova("GET", "/flavors").status == 200


def test_the_log_and_the_tokens_over_http(account: Account) -> None:
    """`/_emulator/requests` shows and clears the log; `/_emulator/tokens` ends every token."""
    url = f"{account.cloud.url}/_emulator"
    requests.delete(f"{url}/requests", timeout=10)
    second = Account(account.cloud, account.clock)
    log = requests.get(f"{url}/requests", timeout=10).json()
    assert [(each["method"], each["path"], each["status"]) for each in log] == [("POST", "/v3/auth/tokens", 201)]
    requests.delete(f"{url}/tokens", timeout=10)
    assert second.nova("GET", "/flavors").status == 401
    account.session.headers["X-Auth-Token"] = Account(account.cloud, account.clock).session.headers["X-Auth-Token"]


def test_faults_from_the_start() -> None:
    """The constructor takes them too, and an outcome can be asked for by a glob, so many times."""
    clock = ManualClock()
    faults = [Fault(outcome="fail-spawn", name="web-*", times=1)]
    with Emulator(clock=clock, faults=faults) as cloud:
        account = Account(cloud, clock)
        networks = [{"uuid": account.network()}]
        first, second = (account.server(name, networks=networks) for name in ("web-1", "web-2"))
        account.until(first, "ERROR")
        account.until(second, "ACTIVE")
