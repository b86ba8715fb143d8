"""Limits of the emulator: the size and cost of a request, and the amount of stored data."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import requests

from ecs_pulumi.emulator import Emulator, ManualClock, faults, gateway, store
from ecs_pulumi.emulator.gateway import MAX_BODY
from ecs_pulumi.emulator.nova import lifecycle
from tests.api.emulator.account import Account

TIMEOUT = 10.0
"""Timeout of every request."""


def servers_url(account: Account) -> str:
    """Return the URL of the servers of the account."""
    return f"{account.cloud.url}/{account.region}/compute/v2.1/{account.project_id}/servers"


def exchange(cloud: Emulator, head: str, *body: bytes) -> bytes:
    """Send a raw request and return the status line of the response."""
    with socket.create_connection(("127.0.0.1", int(cloud.url.rpartition(":")[2])), timeout=TIMEOUT) as connection:
        connection.sendall(f"{head}\r\nHost: x\r\n".encode())
        for part in body:
            connection.sendall(part)
        return connection.recv(1000).split(b"\r\n")[0]


@pytest.mark.parametrize("path", ["/v3/auth/tokens", "/eu-de/compute/v2.1/servers", "/nowhere"])
def test_oversized_body_is_rejected_before_it_is_read(cloud: Emulator, path: str) -> None:
    """Every path returns 413 as soon as the announced length or the received bytes exceed the limit."""
    announced = f"Content-Length: {MAX_BODY + 1}\r\n\r\n".encode()
    assert exchange(cloud, f"POST {path} HTTP/1.1", announced).split()[1] == b"413"
    endless = b"Content-Length: " + b"9" * 15 + b"\r\n\r\n"
    assert exchange(cloud, f"POST {path} HTTP/1.1", endless).split()[1] == b"413"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    chunked = (b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk)
    assert exchange(cloud, f"POST {path} HTTP/1.1", *chunked).split()[1] == b"413"
    assert [(each.status, each.body) for each in cloud.requests][-3:] == [(413, None)] * 3


def test_body_at_size_limit_is_accepted(account: Account) -> None:
    """A body of the maximum size is accepted, in one piece or in chunks. A 413 response keeps the connection usable."""
    body = json.dumps({"server": {"name": ""}}).encode()
    largest = body + b" " * (MAX_BODY - len(body))
    url = servers_url(account)
    headers = {"Content-Type": "application/json"}
    for data in (largest, iter([largest[:100], largest[100:]])):
        assert account.session.post(url, data=data, headers=headers, timeout=TIMEOUT).status_code == 400
    assert account.session.post(url, data=largest + b" ", headers=headers, timeout=TIMEOUT).status_code == 413
    assert account.nova("GET", "/servers").status == 200


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 20_000])
def test_deeply_nested_body_is_rejected(account: Account, text: str) -> None:
    """A body that is nested too deeply for the JSON parser is answered with 400."""
    headers = {"Content-Type": "application/json"}
    response = account.session.post(servers_url(account), data=text, headers=headers, timeout=TIMEOUT)
    assert response.status_code == 400


def stored_count(cloud: Emulator) -> int:
    """Return the number of documents and scheduled steps that the emulator stores."""
    with cloud.state() as state:
        database: Any = state.cloud.store._db
        queries = ("SELECT count(*) FROM objects", "SELECT count(*) FROM steps")
        return sum(database.execute(query).fetchone()[0] for query in queries)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower every limit, so that the test reaches it quickly."""
    monkeypatch.setattr(store, "KEPT", dict.fromkeys(store.KEPT, 10))
    monkeypatch.setattr(store, "PRUNED_EVERY", 5)
    monkeypatch.setattr(lifecycle, "DELETED_KEPT", 10)
    monkeypatch.setattr(gateway, "LOGGED", 200)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("dialect", ["otc", "openstack"])
def test_stored_data_is_bounded(dialect: Any) -> None:
    """Stored documents and the request log stop growing while objects are created and deleted."""
    clock = ManualClock()
    with Emulator(clock=clock, dialect=dialect) as cloud:
        counts = []
        for _ in range(4):
            for _ in range(15):
                churn(Account(cloud, clock))
            counts.append(stored_count(cloud))
            assert len(cloud.requests) <= 200
        assert max(counts[1:]) - min(counts[1:]) <= 20, "the counts may differ by the documents that are not pruned yet"


def churn(account: Account) -> None:
    """Create and delete a server and a volume that fails, and send a request that is rejected."""
    network = account.network()
    server = account.server(networks=[{"uuid": network}])
    account.nova("POST", "/servers", {"server": {"name": "x" * 1000}})
    volume = account.cinder("POST", "/volumes", account.empty_volume(name="fail-create")).body["volume"]["id"]
    account.clock.advance(60)
    account.act(server, "os-stop")
    account.clock.advance(60)
    assert account.nova("DELETE", f"/servers/{server}").status == 204
    assert account.cinder("DELETE", f"/volumes/{volume}").status == 202
    account.clock.advance(60)
    assert account.neutron("DELETE", f"/networks/{network}").status == 204


def test_request_log_size_is_bounded(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    """The size of the log includes headers and bodies; the oldest requests are dropped first."""
    account.cloud.requests.clear()
    monkeypatch.setattr(gateway, "LOGGED_BYTES", 300_000)
    for number in range(10):
        account.nova("POST", "/os-keypairs", {"keypair": {"name": f"{number}-{'x' * 200}"}}, **{"X-Fill": "x" * 50_000})
    assert [each.body["keypair"]["name"][0] for each in account.cloud.requests] == ["5", "6", "7", "8", "9"]
    assert sum(each.size for each in account.cloud.requests) <= 300_000


def test_number_of_faults_is_limited(monkeypatch: pytest.MonkeyPatch, cloud: Emulator) -> None:
    """A fault above the limit is rejected until the faults are cleared."""
    monkeypatch.setattr(faults, "MOST", 2)
    url = f"{cloud.url}/_emulator/faults"
    statuses = [requests.post(url, json={"path": "/x"}, timeout=TIMEOUT).status_code for _ in range(3)]
    assert statuses == [201, 201, 409]
    cloud.clear_faults()
    assert requests.post(url, json={"path": "/x"}, timeout=TIMEOUT).status_code == 201
