"""The page at `/`, and the data it draws: complete, bounded, and without anything secret."""

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
    """An account of an emulator of the test's own."""
    clock = ManualClock()
    with Emulator(clock=clock, speed=4) as cloud:
        yield Account(cloud, clock)


def shown(account: Account) -> dict[str, Any]:
    """The topology."""
    answer = requests.get(f"{account.cloud.url}/_emulator/picture", timeout=10)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def here(account: Account) -> dict[str, Any]:
    """The default region's part of the topology."""
    found: dict[str, Any] = shown(account)["regions"][0]
    return found


def test_a_browser_gets_the_page_and_every_client_what_keystone_says(account: Account) -> None:
    """Only who asks for HTML at `/`, and only by reading, is shown the page; the log knows nothing of it."""
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
        assert versions.json()["versions"]["values"][0]["id"] == "v3.14"
    for method, path in (("POST", "/"), ("GET", "/v3"), ("GET", "/eu-de/compute/")):
        answer = requests.request(method, account.cloud.url + path, headers={"Accept": BROWSER}, timeout=10)
        assert "<title>ECS" not in answer.text, path
    assert len(account.cloud.requests) == 6


def test_the_page_loads_nothing_from_anywhere(account: Account) -> None:
    """Its text names no other file, and its headers let the browser load none."""
    page = requests.get(f"{account.cloud.url}/", headers={"Accept": BROWSER}, timeout=10)
    assert set(re.findall(r"https?://[^\"' ]+", page.text)) == {"http://www.w3.org/2000/svg"}
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none';")


def test_a_server_is_shown_with_all_it_is_joined_to(account: Account) -> None:
    """Its state and task, flavor, image, ports with addresses, disks; as it is at this moment."""
    network = account.network("backend", "10.1.0.0/24")
    server = account.server("web", networks=[{"uuid": network}], key_name=None)
    assert [(each["status"], each["task"]) for each in here(account)["servers"]] == [("BUILD", "scheduling")]
    account.until(server, "ACTIVE")
    seen = here(account)
    (web,) = seen["servers"]
    (port,) = seen["ports"]
    (volume,) = seen["volumes"]
    assert (web["id"], web["name"], web["status"], web["task"]) == (server, "web", "ACTIVE", None)
    assert web["flavor"] == {"name": "s3.large.2", "vcpus": 2, "ram": 4096}
    assert web["disks"] == [{"volume_id": volume["id"], "device": "/dev/sda"}]
    assert (volume["status"], volume["size"]) == ("in-use", 4)
    assert (port["network_id"], port["device_id"], port["status"]) == (network, server, "ACTIVE")
    assert port["addresses"][0].startswith("10.1.0.")
    assert {each["name"]: each["cidrs"] for each in seen["networks"]}["backend"] == ["10.1.0.0/24"]


def test_what_is_joined_to_nothing_is_shown_too(account: Account) -> None:
    """A volume, a port, a key pair, a security group and a snapshot without a server."""
    network = account.network()
    account.neutron("POST", "/ports", {"port": {"network_id": network, "name": "vip"}})
    volume = account.cinder("POST", "/volumes", {"volume": {"size": 2, "name": "spare"}}).body["volume"]["id"]
    account.volume_until(volume, "available")
    account.cinder("POST", "/snapshots", {"snapshot": {"volume_id": volume, "name": "before"}})
    account.nova("POST", "/os-keypairs", {"keypair": {"name": "deploy"}})
    account.neutron("POST", "/security-groups", {"security_group": {"name": "web"}})
    seen = here(account)
    assert [(port["name"], port["status"], port["device_id"]) for port in seen["ports"]] == [("vip", "DOWN", "")]
    assert [(each["name"], each["status"]) for each in seen["volumes"]] == [("spare", "available")]
    assert (seen["key_pairs"], seen["security_groups"], seen["snapshots"]) == (["deploy"], ["web"], ["before"])


def test_a_failure_is_shown_with_its_reason_and_a_resize_with_its_flavor(account: Account) -> None:
    """ERROR comes with what Nova recorded; a server under way to a flavor names it."""
    network = account.network()
    failed = account.server("no-host", networks=[{"uuid": network}])
    server = account.active("web", networks=[{"uuid": network}])
    account.act(server, "os-stop", None)
    account.until(server, "SHUTOFF")
    account.act(server, "resize", {"flavorRef": account.flavor("s3.xlarge.2")})
    seen = {each["id"]: each for each in here(account)["servers"]}
    assert (seen[failed]["status"], seen[failed]["fault"]) == ("ERROR", "No valid host was found. ")
    assert (seen[server]["status"], seen[server]["next_flavor"]) == ("RESIZE", "s3.xlarge.2")


def test_nothing_secret_is_shown(account: Account) -> None:
    """Not the password, user data, files or metadata of a server, no private key, no token, no request's body."""
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
    text = json.dumps(shown(account))
    token = str(account.session.headers["X-Auth-Token"])
    for secret in (private.splitlines()[1], token, "Geheim", "R2VoZW", "demo-secret"):
        assert secret not in text


def test_the_requests_are_the_last_ones_and_newest_first(account: Account) -> None:
    """So many and no more, each with method, path, status and milliseconds; their number is told."""
    account.cloud.requests.clear()
    for number in range(topology.REQUESTS + 5):
        account.nova("GET", f"/servers/{number}")
    log = shown(account)["requests"]
    assert log["total"] == topology.REQUESTS + 5
    assert len(log["latest"]) == topology.REQUESTS
    first = log["latest"][0]
    assert (first["method"], first["status"]) == ("GET", 404)
    assert first["path"].endswith(f"/servers/{topology.REQUESTS + 4}")
    assert first["ms"] > 0


def test_a_large_cloud_stays_a_small_picture(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest servers are shown with everything they use, and how many there are in all is told."""
    monkeypatch.setattr(topology, "SHOWN", 2)
    network = account.network()
    servers = [account.active(f"web-{number}", networks=[{"uuid": network}]) for number in range(4)]
    seen = here(account)
    assert [each["id"] for each in seen["servers"]] == servers[2:]
    assert seen["total"]["server"] == 4
    assert {port["device_id"] for port in seen["ports"]} == set(servers[2:])
    assert {disk["volume_id"] for each in seen["servers"] for disk in each["disks"]} <= {
        volume["id"] for volume in seen["volumes"]
    }
