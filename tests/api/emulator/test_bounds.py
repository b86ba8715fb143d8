"""What the emulator does with clients that it should not trust: every request is bounded, and so is what it keeps."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ecs_pulumi.emulator import Emulator, ManualClock, faults, gateway, store
from ecs_pulumi.emulator.faults import Fault
from ecs_pulumi.emulator.gateway import MAX_BODY
from ecs_pulumi.emulator.nova import lifecycle
from ecs_pulumi.emulator.patterns import RULE, compiled, is_found
from tests.api.emulator.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 10.0
"""More than any of this takes, and less than forever."""


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """An account of an emulator in the guide's dialect."""
    clock = ManualClock()
    with Emulator(clock=clock) as cloud:
        yield Account(cloud, clock)


def servers_of(account: Account) -> str:
    """The URL of its servers."""
    return f"{account.cloud.url}/{account.region}/compute/v2.1/{account.project_id}/servers"


def exchange(cloud: Emulator, head: str, *body: bytes) -> bytes:
    """Send a request byte by byte as given, and return the status line."""
    with socket.create_connection(("127.0.0.1", int(cloud.url.rpartition(":")[2])), timeout=SECONDS) as connection:
        connection.sendall(f"{head}\r\nHost: x\r\n".encode())
        for part in body:
            connection.sendall(part)
        return connection.recv(1000).split(b"\r\n")[0]


@pytest.mark.parametrize("path", ["/v3/auth/tokens", "/eu-de/compute/v2.1/servers", "/_emulator/faults", "/nowhere"])
def test_a_body_that_is_too_large_is_not_waited_for(cloud: Emulator, path: str) -> None:
    """413 as soon as the announced length, or the bytes that have come, exceed the limit; on every path."""
    announced = f"Content-Length: {MAX_BODY + 1}\r\n\r\n".encode()
    assert exchange(cloud, f"POST {path} HTTP/1.1", announced).split()[1] == b"413"
    endless = b"Content-Length: " + b"9" * 15 + b"\r\n\r\n"
    assert exchange(cloud, f"POST {path} HTTP/1.1", endless).split()[1] == b"413"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    chunked = (b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk)
    assert exchange(cloud, f"POST {path} HTTP/1.1", *chunked).split()[1] == b"413"
    assert [(each.status, each.body) for each in cloud.requests][-3:] == [(413, None)] * 3


def test_a_body_of_the_greatest_size_is_served(account: Account) -> None:
    """The limit itself is allowed, in one piece or in chunks, and the connection goes on after a larger one."""
    body = json.dumps({"server": {"name": ""}}).encode()
    padded = body + b" " * (MAX_BODY - len(body))
    url = servers_of(account)
    headers = {"Content-Type": "application/json"}
    for data in (padded, iter([padded[:100], padded[100:]])):
        assert account.session.post(url, data=data, headers=headers, timeout=SECONDS).status_code == 400
    assert account.session.post(url, data=padded + b" ", headers=headers, timeout=SECONDS).status_code == 413
    assert account.nova("GET", "/servers").status == 200


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 20_000])
def test_a_deep_body_is_refused(account: Account, text: str) -> None:
    """What is nested beyond measure is no JSON that anybody means."""
    headers = {"Content-Type": "application/json"}
    answer = account.session.post(servers_of(account), data=text, headers=headers, timeout=SECONDS)
    assert answer.status_code == 400


EVIL = [
    "(a+)+$",
    "a*a*a*a*a*b",
    "(a|a)*b",
    "a?a?a?a?a?b",
    "(?=a)a+",
    r"(a)\1+",
    "x" * 256,
    "a{9}{9}{9}",
    "^x|a*a*b",
    "[a]+[a]+$",
]
SIMPLE = [
    "web",
    "^web$",
    "^web-.*-db.*$",
    "web-[0-9]+",
    r"^web\+1\.a$",
    "(web|db)-1",
    "[*+?{]+",
    "[]a]+",
    "[",
    "*web",
    r"\d+",
]


@pytest.mark.parametrize("pattern", EVIL)
def test_no_regular_expression_can_take_long(account: Account, pattern: str) -> None:
    """What could backtrack for minutes is refused, as a filter and as a fault, before it is compared with anything."""
    for field in ("name", "ip", "ip6"):
        answer = account.session.get(servers_of(account), params={field: pattern}, timeout=SECONDS)
        assert answer.status_code == 400
        assert RULE in answer.text
    with pytest.raises(ValueError, match=re.escape(RULE)):
        Fault(path=f"re:{pattern}")
    refused = requests.post(f"{account.cloud.url}/_emulator/faults", json={"path": f"re:{pattern}"}, timeout=SECONDS)
    assert refused.status_code == 422


@pytest.mark.parametrize("pattern", SIMPLE)
def test_a_simple_regular_expression_is_evaluated(pattern: str) -> None:
    """It finds what Python's finds; one that is none is plain text."""
    for text in ("web", "web-1-db2", "my web", "web+1.a", "db-1", "a*b", "]", "[", "*web", "12", ""):
        try:
            wanted = re.search(pattern, text) is not None
        except re.error:
            wanted = pattern in text
        assert is_found(pattern, text) is wanted


@pytest.mark.parametrize("pattern", ["^a*a*b", "a+b", "a+[^a]$", "^aa+c*d"])
def test_the_slowest_pattern_is_quick(pattern: str) -> None:
    """What is accepted is compared with the longest text within a second or so."""
    compiled(pattern)
    assert not is_found(pattern, "a" * 100_000)


def documents(cloud: Emulator) -> int:
    """How many documents and steps the emulator keeps."""
    with cloud.state() as state:
        database: Any = state.cloud.store._db
        queries = ("SELECT count(*) FROM objects", "SELECT count(*) FROM steps")
        return sum(database.execute(query).fetchone()[0] for query in queries)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every bound be reached soon."""
    monkeypatch.setattr(store, "KEPT", dict.fromkeys(store.KEPT, 10))
    monkeypatch.setattr(store, "PRUNED_EVERY", 5)
    monkeypatch.setattr(lifecycle, "DELETED_KEPT", 10)
    monkeypatch.setattr(gateway, "LOGGED", 200)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("dialect", ["otc", "openstack"])
def test_what_is_kept_has_a_bound(dialect: Any) -> None:
    """However many objects come and go, and whatever is asked: neither documents nor the log go on growing."""
    clock = ManualClock()
    with Emulator(clock=clock, dialect=dialect) as cloud:
        kept = []
        for _ in range(4):
            for _ in range(15):
                churn(Account(cloud, clock))
            kept.append(documents(cloud))
            assert len(cloud.requests) <= 200
        assert max(kept[1:]) - min(kept[1:]) <= 20, "the documents of a few objects that were pruned or not yet"


def churn(account: Account) -> None:
    """Let a server and a volume come and go, one of which fails, and a request be refused."""
    network = account.network()
    server = account.server(networks=[{"uuid": network}])
    account.nova("POST", "/servers", {"server": {"name": "x" * 1000}})
    disk = {"volume": {"size": 1, "name": "fail-create"}}
    volume = account.cinder("POST", "/volumes", disk).body["volume"]["id"]
    account.clock.advance(60)
    account.act(server, "os-stop")
    account.clock.advance(60)
    assert account.nova("DELETE", f"/servers/{server}").status == 204
    assert account.cinder("DELETE", f"/volumes/{volume}").status == 202
    account.clock.advance(60)
    assert account.neutron("DELETE", f"/networks/{network}").status == 204


def test_the_log_has_a_size(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    """What was sent counts, headers and bodies included; the oldest requests go first."""
    account.cloud.requests.clear()
    monkeypatch.setattr(gateway, "LOGGED_BYTES", 300_000)
    for number in range(10):
        account.nova("POST", "/os-keypairs", {"keypair": {"name": f"{number}-{'x' * 200}"}}, **{"X-Fill": "x" * 50_000})
    assert [each.body["keypair"]["name"][0] for each in account.cloud.requests] == ["5", "6", "7", "8", "9"]
    assert sum(each.size for each in account.cloud.requests) <= 300_000


def test_there_are_so_many_faults(monkeypatch: pytest.MonkeyPatch, cloud: Emulator) -> None:
    """Another one is refused until they are cleared."""
    monkeypatch.setattr(faults, "MOST", 2)
    url = f"{cloud.url}/_emulator/faults"
    statuses = [requests.post(url, json={"path": "/x"}, timeout=SECONDS).status_code for _ in range(3)]
    assert statuses == [201, 201, 409]
    cloud.clear_faults()
    assert requests.post(url, json={"path": "/x"}, timeout=SECONDS).status_code == 201
