"""The connections of a process: one for each cloud, whichever way resources name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.cloud.errors import TooManyRequests
from ecs_pulumi.dynamic import rpc_bridge, status
from ecs_pulumi.dynamic.status import RateLimiter
from ecs_pulumi.resources import clients
from ecs_pulumi.resources.clients import connection
from ecs_pulumi.resources.key_pair import HANDLER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLOUDS = """
clouds:
  shop: &shop
    auth: &auth
      {auth_url: https://shop.test, username: me, password: secret, project_name: shop}
    region_name: one
  alias: *shop
  south:
    auth: *auth
    region_name: two
  books:
    auth: {auth_url: https://shop.test, username: me, password: secret, project_name: books}
  other:
    auth: {auth_url: https://other.test, username: me, password: secret, project_name: shop}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str | None]:
    """The settings of a stack on the cloud `shop`."""
    monkeypatch.setattr(clients, "_connections", {})
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    return {"ecs:cloud": "shop"}.get


def test_cloud_of_stack_has_one_connection(config: Callable[[str], str | None]) -> None:
    """A resource that names the stack's own cloud, or another entry with the same values, shares token and lists."""
    assert connection(config) is connection(config, "shop") is connection(config, "alias")
    assert connection(config, "") is connection(config)


def test_other_entry_has_its_own_connection(config: Callable[[str], str | None]) -> None:
    """Entries that differ in URL, project or region share nothing, and each has one connection."""
    opened = {name: connection(config, name) for name in ("shop", "south", "books", "other")}
    assert len(set(map(id, opened.values()))) == len(opened)
    assert opened == {name: connection(config, name) for name in opened}


def test_stack_with_other_options_does_not_share_the_connection(config: Callable[[str], str | None]) -> None:
    """A connection is shared only if it sends the same requests."""
    settings = {"ecs:cloud": "shop", "ecs:apiVersions": '{"compute": "2"}'}
    assert connection(settings.get) is not connection(settings.get, "shop")


def test_account_of_key_pairs(config: Callable[[str], str | None]) -> None:
    """Entries of the same user have the same key pairs, whatever the project; those of another cloud have others."""
    accounts = {name: HANDLER.account(config, name) for name in ("shop", "alias", "south", "books", "other", "gone")}
    assert {name for name, account in accounts.items() if not account} == {"shop", "alias", "south", "books"}
    assert accounts["other"] != accounts["gone"] == "gone"


def test_pause_of_a_host_is_a_status_of_the_resource(
    config: Callable[[str], str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resource shows that its requests wait because the host gets too many."""
    shown: list[tuple[str, str, bool]] = []
    request = rpc_bridge.RequestContext(urn="urn:pulumi:dev::shop::Server::web")
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
    monkeypatch.setattr(rpc_bridge, "log", lambda urn, line, *, ephemeral: shown.append((urn, line, ephemeral)))
    # In a pipeline, other tests may have used up the status lines of this process.
    monkeypatch.setattr(status, "_rate_limiter", lambda: RateLimiter(None, 0.0))
    transport = connection(config).transport
    transport._hold_back("https://nova.test/v2.1/servers", TooManyRequests(429, ""))
    ((urn, line, is_status),) = shown
    assert (urn, is_status) == (request.urn, True)
    assert line.startswith("https://nova.test gets too many requests; waiting for ")


@pytest.mark.usefixtures("config")
def test_warnings_and_trace_of_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first resource that uses a connection shows its warnings; each request is a line for the debug log."""
    shown: list[str] = []
    debug: list[tuple[str, str]] = []
    request = rpc_bridge.RequestContext(urn="urn:pulumi:dev::shop::Server::web")
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
    monkeypatch.setattr(rpc_bridge, "warn_once", shown.append)
    monkeypatch.setattr(rpc_bridge, "log", lambda urn, line, *, severity: debug.append((urn, f"{severity} {line}")))
    insecure = {"ecs:cloud": "shop", "ecs:insecure": "true"}.get
    opened = connection(insecure)
    assert connection(insecure) is opened
    assert [line.partition(":")[0] for line in shown] == ["TLS certificates are not verified (ecs"]
    assert opened.transport._trace is not None
    opened.transport._trace("GET /servers")
    assert debug == [(request.urn, "debug GET /servers")]
