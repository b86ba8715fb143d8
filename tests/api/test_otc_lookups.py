"""Look-ups of servers on an Open Telekom Cloud, which matches parts of names and lists 25 servers in a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pulumi.runtime import set_all_config

import ecs_pulumi as ecs
from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.account import Account
from tests.support.clouds import hide_variables

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("web", "web-1", "web.1", "webs", "my.web", "my-web_2")


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """An account with 60 servers."""
    clock = ManualClock()
    with pytest.MonkeyPatch.context() as patch, Emulator(dialect="otc", clock=clock) as cloud:
        hide_variables(patch)
        account = Account(cloud, clock)
        network = account.network()
        for name in (*NAMES, *(f"other-{number}" for number in range(54))):
            account.server(name, networks=[{"uuid": network}])
        yield account


@pytest.fixture(autouse=True)
def configured(account: Account) -> None:
    """Configure look-ups for this cloud."""
    settings = {f"ecs:{name}": value for name, value in account.cloud.settings.items()}
    set_all_config(settings, ["ecs:password"])


def names(servers: list[ecs.ServerInfo]) -> set[str]:
    """Return the names of these servers."""
    return {server.name for server in servers}


@pytest.mark.parametrize("name", NAMES)
def test_get_server_finds_exact_name(name: str) -> None:
    """A name is found, and no server whose name only contains it."""
    assert ecs.get_server(name).name == name


def test_list_servers_matches_regular_expression() -> None:
    """`name` is a regular expression, as on other clouds."""
    assert names(ecs.list_servers(name="^web.1$")) == {"web-1", "web.1"}
    assert names(ecs.list_servers(name="eb")) == set(NAMES)
    assert len(ecs.list_servers(name="^other-")) == 54
    with pytest.raises(ecs.LookupFailed, match="name: invalid regular expression"):
        ecs.list_servers(name="(")


def test_list_servers_applies_all_filters(account: Account) -> None:
    """An image does not switch the other filters off."""
    image = account.image()
    assert names(ecs.list_servers(flavor="s3.large.2", name="^web$")) == {"web"}
    assert ecs.list_servers(flavor="s3.large", name="^web$") == []
    for server in ecs.list_servers(image=image, name="^web"):
        assert (server.image_id, server.name[:3]) == (image, "web")
    assert len(ecs.list_servers(name="^other-", limit=30)) == 30
    first = ecs.list_servers(limit=1)[0]
    assert first.id not in {server.id for server in ecs.list_servers(marker=first.id, limit=2)}


def test_whole_list_needs_one_request(account: Account) -> None:
    """All 60 servers are in one page."""
    start = len(account.cloud.requests)
    assert len(ecs.list_servers()) == 60
    paths = [request.path for request in list(account.cloud.requests)[start:]]
    assert len([path for path in paths if path.endswith("/servers/detail")]) == 1
