"""A cloud behind a proxy that lets it behave as an Open Telekom Cloud: see `OtcProxy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fields.assertions import assert_no_changes
from tests.fields.cloud_fixtures import CloudFixtures
from tests.support.otc_proxy import OtcProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.landscape import Landscape
    from tests.support.steps import Resource

    New = Callable[..., Resource]


@pytest.fixture(scope="module")
def proxy() -> Iterator[OtcProxy]:
    """The proxy, which all requests of these tests pass."""
    with OtcProxy() as running, pytest.MonkeyPatch.context() as patch:
        for name in ("NO_PROXY", "no_proxy", "http_proxy"):
            patch.delenv(name, raising=False)
        patch.setenv("HTTP_PROXY", running.url)
        yield running


@pytest.fixture(scope="module")
def fixtures(landscape: Landscape, proxy: OtcProxy) -> Iterator[CloudFixtures]:
    """The shared objects in the cloud behind the proxy."""
    with CloudFixtures(landscape) as created:
        # Another setting, so that the connection is not that of the tests without the proxy.
        created.config["ecs:maxRetries"] = "6"
        yield created


def exists(fixtures: CloudFixtures, port: Resource) -> bool:
    """Return whether the port exists and no server uses it."""
    found = fixtures.cloud.network.find_port(port.id)
    return found is not None and not found.device_id


@pytest.mark.parametrize("kind", ["Network", "Subnet", "Port"])
def test_labels_are_not_kept(
    kind: str, new: New, fixtures: CloudFixtures, proxy: OtcProxy, warnings: list[str]
) -> None:
    """Descriptions and tags that Neutron refuses cost a warning, neither the object nor a change without end."""
    needs: dict[str, dict[str, Any]] = {
        "Network": {},
        "Subnet": {"network_id": fixtures.bare_network, "cidr": "10.91.0.0/24"},
        "Port": {"network_id": fixtures.subnet and fixtures.network},
    }
    program = needs[kind] | {"description": "mine", "tags": ["a"]}
    resource = new(kind)
    resource.up(**program)
    for label in ("description", "tags"):
        assert any(line.startswith(f"{label}: not kept") for line in warnings), warnings
    assert proxy.network  # the requests have passed it
    assert_no_changes(resource, program)


def test_ports_survive_detach_and_deletion(new: New, fixtures: CloudFixtures, proxy: OtcProxy) -> None:
    """The ports of a program survive when they leave a server, and when the server is deleted."""
    proxy.played.clear()
    inputs = fixtures.server_inputs
    leaving, attached, staying = (new("Port") for _ in range(3))
    for port in (leaving, attached, staying):
        port.up(network_id=fixtures.network)
    server, attachment = new("Server"), new("InterfaceAttachment")
    server.up(**inputs | {"networks": [*inputs["networks"], {"port_id": leaving.id}, {"port_id": staying.id}]})
    attachment.up(server_id=server.id, port_id=attached.id)
    server.up(**inputs | {"networks": [*inputs["networks"], {"port_id": staying.id}]})
    attachment.destroy()
    assert exists(fixtures, leaving)
    assert exists(fixtures, attached)
    server.destroy()
    assert exists(fixtures, staying)
    assert (proxy.played["port reserved"], proxy.played["port deleted at detach"]) == (3, 0)
    assert proxy.played["ports deleted with the server"] == 1


def test_first_nic_replaces_server(new: New, fixtures: CloudFixtures, proxy: OtcProxy) -> None:
    """Another first NIC is a replacement in preview, since this NIC cannot be detached."""
    inputs = fixtures.server_inputs
    server = new("Server")
    server.up(**inputs)
    proxy.played.clear()
    assert server.preview(**inputs | {"networks": [{"network_id": fixtures.other_network}]}).op == "replace"
    assert not proxy.played["first NIC refused"]


def test_retype(new: New, fixtures: CloudFixtures, proxy: OtcProxy) -> None:
    """The type of a volume changes by the path of the Open Telekom Cloud after the action was refused."""
    first, *others = fixtures.landscape.volume_types
    if not others:
        pytest.skip("the cloud has one volume type")
    proxy.played.clear()
    volume = new("Volume")
    volume.up(size=1, volume_type=first)
    volume.up(size=1, volume_type=others[0])
    assert volume.outputs["volume_type"] == others[0]
    assert (proxy.played["retype refused"], proxy.played["retype"]) == (1, 1)
    assert_no_changes(volume, {"size": 1, "volume_type": others[0]})
