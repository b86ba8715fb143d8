"""What a port cannot have on an Open Telekom Cloud, besides the fields of the table: previews warn, errors explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.steps import Failed

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures

ADDRESSES = [{"ip_address": "10.90.1.53"}, {"ip_address": "10.90.1.54"}]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"fixed_ips": ADDRESSES}, "fixed_ips: a port has one address on this cloud"),
        ({"security_group_ids": []}, "security_group_ids: a port needs a security group on this cloud"),
        (
            {"allowed_address_pairs": [{"ip_address": "0.0.0.0/0"}]},
            "allowed_address_pairs: on this cloud, 1.1.1.1/0 turns the check of the source off",
        ),
    ],
    ids=["two addresses", "no group", "any address"],
)
def test_port_that_the_cloud_refuses(
    otc_fixtures: CloudFixtures, warnings: list[str], inputs: dict[str, Any], words: str
) -> None:
    """A preview warns of what this cloud documents for no port; the error of `up` names the property and the reason."""
    port = otc_fixtures.resource("Port")
    program = {"network_id": otc_fixtures.subnet and otc_fixtures.network, **inputs}
    port.preview(**program)
    assert f"{words}; this cloud will probably refuse it" in warnings
    with pytest.raises(Failed, match="HTTP 400") as failure:
        port.up(**program)
    assert words in str(failure.value)
    assert port.state is None


def test_preview_of_change_that_needs_another_port(otc_fixtures: CloudFixtures, warnings: list[str]) -> None:
    """The address of an existing port cannot change: preview and error give the option that replaces the port."""
    port = otc_fixtures.resource("Port")
    program = {"network_id": otc_fixtures.subnet and otc_fixtures.network}
    port.up(**program)
    advice = f"fixed_ips: it cannot change on this cloud, only with the port: `--replace '{port.urn}'`"
    changed = program | {"fixed_ips": [{"ip_address": "10.90.1.55"}]}
    port.preview(**changed)
    assert f"{advice}; this cloud will probably refuse the change" in warnings
    with pytest.raises(Failed) as failure:
        port.up(**changed)
    assert advice in str(failure.value)
    port.destroy()


def test_other_errors_of_a_port_are_as_the_api_gives_them(otc_fixtures: CloudFixtures) -> None:
    """An error that has nothing to do with what the cloud documents differently gets no such reason."""
    port = otc_fixtures.resource("Port")
    with pytest.raises(Failed) as failure:
        port.up(network_id=otc_fixtures.subnet and otc_fixtures.network, value_specs={"binding:vnic_type": "none"})
    assert "on this cloud" not in str(failure.value)


def test_port_in_use_names_the_server(otc_fixtures: CloudFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deletion of a port that a server uses is refused, and names the server."""
    port, server = otc_fixtures.resource("Port"), otc_fixtures.resource("Server")
    port.up(network_id=otc_fixtures.subnet and otc_fixtures.network)
    inputs = otc_fixtures.server_inputs
    server.up(**inputs | {"networks": [*inputs["networks"], {"port_id": port.id}]})
    with monkeypatch.context() as patch:
        patch.setattr("tests.support.steps.TIMEOUT", 1.0)
        with pytest.raises(Failed, match=f"still in use by server {server.id}"):
            port.destroy()
    server.destroy()
    port.destroy()
