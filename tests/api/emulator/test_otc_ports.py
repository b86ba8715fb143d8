"""Ports in dialect `otc`: what happens to them with their server, and what a request may set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.emulator.account import Account


@pytest.fixture(scope="module")
def network(account: Account) -> str:
    """A network for the servers of this module."""
    return account.network()


def new_port(account: Account, network: str, **attributes: Any) -> str:
    """Create a port and return its id."""
    created = account.neutron("POST", "/ports", {"port": {"network_id": network, **attributes}})
    assert created.status == 201, created.body
    return str(created.body["port"]["id"])


def exists(account: Account, port: str) -> bool:
    """Whether the port exists."""
    return account.neutron("GET", f"/ports/{port}").status == 200


def test_deletion_of_server_deletes_ports_given_by_id(account: Account, network: str) -> None:
    """The ports of all NICs are deleted with the server, whoever created them."""
    given = [new_port(account, network) for _ in range(2)]
    server = account.active("taking", networks=[{"port": each} for each in given])
    account.nova("DELETE", f"/servers/{server}")
    account.wait_for(server, "gone")
    assert not [each for each in given if exists(account, each)]


@pytest.mark.parametrize(
    ("query", "stays"), [("", False), ("?reserve_port=False", False), ("?reserve_port=True", True)]
)
def test_detach_deletes_port_unless_reserved(account: Account, network: str, query: str, stays: bool) -> None:  # noqa: FBT001
    """A detach deletes the port, unless `reserve_port` is true."""
    port = new_port(account, network)
    server = account.active("losing", networks=[{"uuid": network}, {"port": port}])
    assert account.nova("DELETE", f"/servers/{server}/os-interface/{port}{query}").status == 202
    account.clock.advance(5)
    assert exists(account, port) is stays
    if stays:
        assert account.neutron("GET", f"/ports/{port}").body["port"]["device_id"] == ""


def test_first_nic_cannot_leave(account: Account, network: str) -> None:
    """Detaching the first NIC returns 403, also if it is the only one."""
    port = new_port(account, network)
    server = account.active("keeping", networks=[{"port": port}])
    assert account.nova("DELETE", f"/servers/{server}/os-interface/{port}?reserve_port=True").status == 403
    assert exists(account, port)


def test_used_port_cannot_be_deleted(account: Account, network: str) -> None:
    """Deleting a port that a server uses returns 409."""
    port = new_port(account, network)
    account.active("using", networks=[{"port": port}])
    assert account.neutron("DELETE", f"/ports/{port}").status == 409
    free = new_port(account, network)
    assert account.neutron("DELETE", f"/ports/{free}").status == 204


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"fixed_ips": [{"ip_address": "10.1.0.20"}, {"ip_address": "10.1.0.21"}]}, "only set one ipaddress"),
        ({"security_groups": []}, "without securitygroup"),
        ({"allowed_address_pairs": [{"ip_address": "0.0.0.0/0"}]}, "0.0.0.0/0"),
        ({"device_owner": "compute:eu-de-01"}, "device_owner"),
    ],
    ids=["two addresses", "no group", "any address", "owner"],
)
def test_create_port_rejects_what_is_not_documented(
    account: Account, network: str, attributes: dict[str, Any], words: str
) -> None:
    """A port has one address and a security group; its pairs are no wildcard, and its owner is of the cloud."""
    response = account.neutron("POST", "/ports", {"port": {"network_id": network, **attributes}})
    assert response.status == 400
    assert words in response.message


def test_accepted_ports(account: Account, network: str) -> None:
    """The pair 1.1.1.1/0 turns the check of the source off; a port without port security needs no group."""
    new_port(account, network, allowed_address_pairs=[{"ip_address": "1.1.1.1/0"}], device_owner="neutron:VIP_PORT")
    port = new_port(account, network, port_security_enabled=False, security_groups=[])
    assert account.neutron("PUT", f"/ports/{port}", {"port": {"name": "plain"}}).status == 200


def test_users_set_the_binding_profile(account: Account, network: str) -> None:
    """The documents name `binding:profile` for all users; OpenStack reserves it for administrators."""
    port, profile = new_port(account, network, **{"binding:profile": {"a": "b"}}), {"c": "d"}
    assert account.neutron("GET", f"/ports/{port}").body["port"]["binding:profile"] == {"a": "b"}
    updated = account.neutron("PUT", f"/ports/{port}", {"port": {"binding:profile": profile}})
    assert updated.body["port"]["binding:profile"] == profile


def test_update_keeps_security_groups(account: Account, network: str) -> None:
    """An update cannot remove the last security group."""
    port = new_port(account, network)
    assert account.neutron("PUT", f"/ports/{port}", {"port": {"security_groups": []}}).status == 400
