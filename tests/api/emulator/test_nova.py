"""Nova of the emulator: the states that a server passes over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.emulator.account import Account, signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def network(account: Account) -> str:
    """A network for the servers of this module."""
    return account.network()


def test_revert_of_stopped_server_passes_verify_resize(account: Account, network: str) -> None:
    """A revert is complete only when the final status has no task."""
    server = account.active("reverted", networks=[{"uuid": network}])
    account.act(server, "os-stop")
    account.wait_for(server, "SHUTOFF")
    account.act(server, "resize", {"flavorRef": "s3.xlarge.2"})
    account.wait_for(server, "VERIFY_RESIZE")
    assert account.act(server, "revertResize").status == 202
    assert account.wait_for(server, "SHUTOFF") == [
        ("REVERT_RESIZE", "resize_reverting"),
        ("VERIFY_RESIZE", "powering-off"),
        ("SHUTOFF", None),
    ]
    assert account.show(server)["flavor"]["id"] == "s3.large.2"


def test_build_task_states(account: Account, network: str) -> None:
    """A build passes the same task states as on a real OpenStack."""
    assert account.wait_for(account.server("phases", networks=[{"uuid": network}]), "ACTIVE") == [
        ("BUILD", "scheduling"),
        ("BUILD", None),
        ("BUILD", "networking"),
        ("BUILD", "block_device_mapping"),
        ("BUILD", "spawning"),
        ("ACTIVE", None),
    ]


def test_action_before_scheduling_returns_404(account: Account, network: str) -> None:
    """A server can be read before it is scheduled, but an action returns 404, and then 409 during the build."""
    server = account.server("early", networks=[{"uuid": network}])
    assert account.show(server)["addresses"] == {}
    assert account.act(server, "os-stop").status == 404
    account.clock.advance(1)
    assert account.act(server, "os-stop").status == 409


def poll_until_gone(account: Account, server: str) -> Iterator[dict[str, str]]:
    """Yield the server at every poll, up to the first poll that returns 404."""
    for server_body in account.poll(server):
        yield server_body
        if server_body["status"] == "gone":
            return


def test_delete_during_build_shows_active(account: Account, network: str) -> None:
    """A server that is deleted during its build is ACTIVE for a moment, because the hypervisor completes the build."""
    server = account.server("in-vain", networks=[{"uuid": network}])
    account.clock.advance(5)
    account.nova("DELETE", f"/servers/{server}")
    statuses = [server_body["status"] for server_body in poll_until_gone(account, server)]
    assert sorted(set(statuses), key=statuses.index) == ["BUILD", "ACTIVE", "DELETED", "gone"]


def test_deleted_port_disappears_from_server() -> None:
    """Upstream, the interface list is updated immediately, the addresses of the server a moment later."""
    with signed_in("openstack") as account:
        network = account.network()
        port = account.neutron("POST", "/ports", {"port": {"network_id": network}}).body["port"]["id"]
        server = account.active("losing", networks=[{"port": port}])
        assert account.neutron("DELETE", f"/ports/{port}").status == 204
        assert account.nova("GET", f"/servers/{server}/os-interface").body == {"interfaceAttachments": []}
        assert account.show(server)["addresses"] != {}
        account.clock.advance(3)
        assert account.show(server)["addresses"] == {}


def test_oversized_or_non_json_body_is_rejected(account: Account) -> None:
    """The web server answers an oversized body with 413, Nova another content type with 415."""
    large = account.nova("POST", "/servers", {"server": {"name": "x" * 120_000}}, Accept="application/json")
    assert (large.status, large.body["code"]) == (413, "413 Request Entity Too Large")
    url = f"{account.cloud.url}/eu-de/compute/v2.1/servers"
    form = account.session.post(url, data={"a": "b"}, timeout=10)
    assert (form.status_code, form.json()["badMediaType"]["message"]) == (415, "Unsupported Content-Type")


def test_addresses_contain_floating_ips(account: Account) -> None:
    """The addresses of a server contain the floating IPs of its ports, as long as they are associated."""
    network = account.network("reachable", "10.9.0.0/24")
    account.router(network)
    server = account.active("reachable", networks=[{"uuid": network}])
    floating_ip = account.floating_ip(server)
    account.clock.advance(5)
    fixed, floating = account.show(server)["addresses"]["reachable"]
    assert (fixed["OS-EXT-IPS:type"], floating["OS-EXT-IPS:type"]) == ("fixed", "floating")
    assert floating["addr"] == floating_ip["floating_ip_address"]
    account.neutron("PUT", f"/floatingips/{floating_ip['id']}", {"floatingip": {"port_id": None}})
    account.clock.advance(5)
    assert account.show(server)["addresses"]["reachable"] == [fixed]


@pytest.mark.parametrize("microversion", ["2.1", "2.2", "2.92"])
def test_name_of_key_pair_has_no_outer_spaces(microversion: str) -> None:
    """Nova refuses them with every microversion, and accepts spaces inside."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn"
    with signed_in("openstack") as account:

        def create(name: str) -> Any:
            body = {"keypair": {"name": name, "public_key": key}}
            return account.nova("POST", "/os-keypairs", body, microversion=microversion)

        for name in (" a b", "a b ", " "):
            refused = create(name)
            assert refused.status == 400
            assert refused.body["badRequest"]["message"].endswith("Can not start or end with whitespace.")
        assert create("a b").body["keypair"]["name"] == "a b"
