"""Requests stay fast in a project with five thousand servers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.account import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANY = 5_000


@pytest.fixture(scope="module")
def crowded() -> Iterator[tuple[Account, str]]:
    """A project with many servers, one of them created through the API."""
    clock = ManualClock()
    with Emulator(clock=clock) as cloud:
        account = Account(cloud, clock)
        server = account.active("mine", networks=[{"uuid": account.network()}])
        with cloud.state() as state:
            template = state.get("server", server)
            assert template is not None
            for number in range(MANY):
                state.put(
                    "server", template | {"id": f"{number:08x}-0000-4000-8000-000000000000", "name": f"other-{number}"}
                )
        clock.advance(60)
        yield account, server


def cpu_seconds(function: Callable[[], object]) -> float:
    """Return the CPU time of client and emulator together, which does not depend on the load of the machine."""
    times = []
    for _ in range(5):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def test_queries_for_few_servers_are_fast(crowded: tuple[Account, str]) -> None:
    """GET, a name filter, `changes-since` and a small limit take milliseconds of CPU time."""
    account, server = crowded
    since = "2023-11-14T22:14:00Z"
    assert cpu_seconds(lambda: account.show(server)) < 0.02
    assert cpu_seconds(lambda: account.nova("GET", "/servers/detail?name=^mine$")) < 0.1
    assert cpu_seconds(lambda: account.nova("GET", f"/servers/detail?changes-since={since}")) < 0.02
    assert cpu_seconds(lambda: account.nova("GET", "/servers?limit=10")) < 0.02


def test_list_pages_have_a_thousand_servers(crowded: tuple[Account, str]) -> None:
    """Six pages list every server once."""
    account, _ = crowded
    path, ids, pages = "/servers/detail", [], 0
    while path:
        body = account.nova("GET", path).body
        ids += [each["id"] for each in body["servers"]]
        pages += 1
        links = body.get("servers_links", [])
        path = links[0]["href"].rpartition(account.project_id)[2] if links else ""
    assert (pages, len(ids), len(set(ids))) == (6, MANY + 1, MANY + 1)
