"""Stale reads: each GET shows the state of some time ago, and all other requests see the current one."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def account() -> Iterator[Account]:
    """An account of a cloud whose GETs show the state of 5 seconds ago."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock, stale=5.0) as cloud:
        clock.advance(60.0)
        yield Account(cloud, clock)


def test_initial_objects_exist_from_the_start() -> None:
    """What each cloud has is not missing in the first seconds."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock, stale=5.0) as cloud:
        assert Account(cloud, clock).nova("GET", "/flavors").body["flavors"]


def test_new_object_is_missing(account: Account) -> None:
    """An object appears in lists and by its id after that time, and can be changed before."""
    path = f"/networks/{account.neutron('POST', '/networks', {'network': {'name': 'a'}}).body['network']['id']}"
    assert account.neutron("GET", path).status == 404
    assert account.neutron("GET", "/networks?name=a").body["networks"] == []
    account.clock.advance(3.0)
    assert account.neutron("PUT", path, {"network": {"name": "b"}}).body["network"]["name"] == "b"
    account.clock.advance(2.0)
    assert account.neutron("GET", path).body["network"]["name"] == "a"
    account.clock.advance(3.0)
    assert account.neutron("GET", path).body["network"]["name"] == "b"
    assert len(account.neutron("GET", "/networks?name=b").body["networks"]) == 1


def test_deleted_object_is_still_shown(account: Account) -> None:
    """A deleted object disappears after that time, although a second delete finds it gone at once."""
    volume = account.cinder("POST", "/volumes", account.empty_volume(name="data")).body["volume"]["id"]
    account.clock.advance(60.0)
    assert account.cinder("DELETE", f"/volumes/{volume}").status == 202
    account.clock.advance(4.9)
    assert account.cinder("GET", f"/volumes/{volume}").body["volume"]["status"] == "available"
    account.clock.advance(60.0)
    assert account.cinder("GET", f"/volumes/{volume}").status == 404


def test_list_keeps_its_order(account: Account) -> None:
    """A deleted object is shown at its prior position in the list."""
    servers = [account.active(name) for name in "abc"]
    assert account.nova("DELETE", f"/servers/{servers[1]}").status == 204
    account.clock.advance(4.0)
    assert [each["id"] for each in account.nova("GET", "/servers").body["servers"]] == servers[::-1]


def test_transitions_are_stale(account: Account) -> None:
    """A change that the cloud makes by itself shows as late as one by a request."""
    server = account.active()
    account.act(server, "os-stop")
    steps = account.wait_for(server, "SHUTOFF")
    account.cloud.set_stale(0.0)
    account.act(server, "os-start")
    assert steps == [("ACTIVE", None), ("ACTIVE", "powering-off"), ("SHUTOFF", None)]
    assert account.show(server)["OS-EXT-STS:task_state"] == "powering-on"


def test_age_of_each_request() -> None:
    """A function chooses the age for each request, so that a later one can show an older state."""
    clock = ManualClock()
    with Emulator(dialect="openstack", clock=clock) as cloud:
        account = Account(cloud, clock)
        cloud.set_stale(partial(next, itertools.cycle((0.0, 5.0))))
        path = f"/networks/{account.neutron('POST', '/networks', {'network': {'name': 'a'}}).body['network']['id']}"
        assert [account.neutron("GET", path).status for _ in range(4)] == [200, 404, 200, 404]
        cloud.set_stale(0.0)
        assert account.neutron("GET", path).status == 200


def test_tokens_are_never_stale(account: Account) -> None:
    """A token works as soon as it is issued, and no longer after it is revoked."""
    assert Account(account.cloud, account.clock).nova("GET", "/servers").status == 200
    account.cloud.expire_tokens()
    assert account.nova("GET", "/servers").status == 401
