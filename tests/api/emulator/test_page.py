"""The page at `/` and its data: complete, limited in size, and without secrets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ecs_pulumi.emulator import Emulator, ManualClock, topology
from tests.api.emulator.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def account() -> Iterator[Account]:
    """An account of a separate emulator for each test."""
    clock = ManualClock()
    with Emulator(clock=clock, speed=4) as cloud:
        yield Account(cloud, clock)


def get_topology(account: Account) -> dict[str, Any]:
    """Return the topology."""
    response = requests.get(f"{account.cloud.url}/_emulator/topology", timeout=10)
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def get_default_region(account: Account) -> dict[str, Any]:
    """Return the default region of the topology."""
    found: dict[str, Any] = get_topology(account)["regions"][0]
    return found


def test_only_browsers_get_the_page(account: Account) -> None:
    """Only GET and HEAD of `/` that accept HTML return the page, and they are not logged; others return JSON."""
    url = f"{account.cloud.url}/"
    account.cloud.requests.clear()
    for method in ("GET", "HEAD"):
        page = requests.request(method, url, headers={"Accept": BROWSER}, timeout=10)
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert page.headers["Vary"] == "Accept"
        assert ("<title>" in page.text) is (method == "GET")
    assert len(account.cloud.requests) == 0
    for accept in ("application/json", "*/*", ""):
        versions = requests.get(url, headers={"Accept": accept}, timeout=10)
        assert versions.status_code == 300
        assert versions.json()["versions"]["values"][0]["id"] == "v3.6"
    for method, path in (("POST", "/"), ("GET", "/v3"), ("GET", "/eu-de/compute/")):
        response = requests.request(method, account.cloud.url + path, headers={"Accept": BROWSER}, timeout=10)
        assert "<title>ECS" not in response.text, path
    assert len(account.cloud.requests) == 6


def test_page_loads_no_external_resources(account: Account) -> None:
    """The page references no other file, and its headers prevent the browser from loading any."""
    page = requests.get(f"{account.cloud.url}/", headers={"Accept": BROWSER}, timeout=10)
    assert set(re.findall(r"https?://[^\"' ]+", page.text)) == {"http://www.w3.org/2000/svg"}
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none';")


def test_topology_contains_unattached_objects(account: Account) -> None:
    """The topology contains volumes, ports, key pairs, security groups and snapshots that belong to no server."""
    network = account.network()
    account.neutron("POST", "/ports", {"port": {"network_id": network, "name": "vip"}})
    volume = account.cinder("POST", "/volumes", account.empty_volume(name="spare")).body["volume"]["id"]
    account.wait_for_volume(volume, "available")
    account.cinder("POST", "/snapshots", {"snapshot": {"volume_id": volume, "name": "before"}})
    account.nova("POST", "/os-keypairs", {"keypair": {"name": "deploy"}})
    account.neutron("POST", "/security-groups", {"security_group": {"name": "web"}})
    region = get_default_region(account)
    assert [(port["name"], port["status"], port["device_id"]) for port in region["ports"]] == [("vip", "DOWN", "")]
    assert [(each["name"], each["status"]) for each in region["volumes"]] == [("spare", "available")]
    assert (region["key_pairs"], region["security_groups"], region["snapshots"]) == (["deploy"], ["web"], ["before"])


def test_topology_contains_routers_and_floating_ips(account: Account) -> None:
    """The topology contains the ports of routers, the port that a floating IP leads to, and unused floating IPs."""
    network = account.network()
    account.router(network, "edge")
    server = account.active(networks=[{"uuid": network}])
    used, unused = account.floating_ip(server), account.floating_ip()
    account.clock.advance(5)
    region = get_default_region(account)
    (router,) = region["routers"]
    assert (router["name"], router["status"]) == ("edge", "ACTIVE")
    assert {port["network_id"] for port in router["ports"]} == {network, account.external_network()}
    (port,) = region["ports"]
    assert {each["address"]: (each["port_id"], each["status"]) for each in region["floating_ips"]} == {
        used["floating_ip_address"]: (port["id"], "ACTIVE"),
        unused["floating_ip_address"]: (None, "DOWN"),
    }


def test_topology_contains_no_secrets() -> None:
    """The topology contains no password, user data, file, metadata, private key, token or request body."""
    clock = ManualClock()
    with Emulator(clock=clock, dialect="openstack") as cloud:
        check_no_secrets(Account(cloud, clock))


def check_no_secrets(account: Account) -> None:
    """Create objects with secrets and look for them in the topology."""
    private = account.nova("POST", "/os-keypairs", {"keypair": {"name": "key"}}).body["keypair"]["private_key"]
    account.server(
        networks=[{"uuid": account.network()}],
        key_name="key",
        adminPass="Geheim-1",
        user_data="R2VoZWltLTI=",
        personality=[{"path": "/etc/motd", "contents": "R2VoZWltLTM="}],
        metadata={"token": "Geheim-4"},
    )
    requests.get(f"{account.cloud.auth_url}/auth/tokens?token=Geheim-5", timeout=10)
    text = json.dumps(get_topology(account))
    token = str(account.session.headers["X-Auth-Token"])
    for secret in (private.splitlines()[1], token, "Geheim", "R2VoZW", "demo-secret"):
        assert secret not in text


def test_topology_lists_latest_requests(account: Account) -> None:
    """The latest requests are listed, newest first, up to a limit, together with the total number."""
    account.cloud.requests.clear()
    for number in range(topology.REQUESTS + 5):
        account.nova("GET", f"/servers/{number}")
    log = get_topology(account)["requests"]
    assert log["total"] == topology.REQUESTS + 5
    assert len(log["latest"]) == topology.REQUESTS
    first = log["latest"][0]
    assert (first["method"], first["status"]) == ("GET", 404)
    assert first["path"].endswith(f"/servers/{topology.REQUESTS + 4}")
    assert first["ms"] > 0


def test_topology_is_limited_to_newest_servers(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The topology contains the newest servers with the objects they use, and the total number of servers."""
    monkeypatch.setattr(topology, "SHOWN", 2)
    network = account.network()
    servers = [account.active(f"web-{number}", networks=[{"uuid": network}]) for number in range(4)]
    region = get_default_region(account)
    assert [each["id"] for each in region["servers"]] == servers[2:]
    assert region["total"]["server"] == 4
    assert {port["device_id"] for port in region["ports"]} == set(servers[2:])
    assert {disk["volume_id"] for each in region["servers"] for disk in each["disks"]} <= {
        volume["id"] for volume in region["volumes"]
    }
