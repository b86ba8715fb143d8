"""Servers on an Open Telekom Cloud: its own metadata, the actions that it does not offer, and sold-out flavors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.dynamic import provider
from tests.fields.assertions import assert_no_changes, assert_updates_in_place
from tests.fields.cloud_fixtures import CloudFixtures, run_emulator
from tests.support.landscape import emulated
from tests.support.steps import SAME, Failed, Refused, Step, updates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator import Emulator
    from tests.support.steps import Resource

DISK = {
    "source_type": "image",
    "destination_type": "volume",
    "boot_index": 0,
    "volume_size": 40,
    "delete_on_termination": True,
}
ZONE, OTHER_ZONE = "eu-de-01", "eu-de-02"
SOLD_OUT, SOLD_OUT_IN_ZONE = "s3.4xlarge.2", "s3.4xlarge.4"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    """An emulated Open Telekom Cloud."""
    with run_emulator("otc") as running:
        yield running


@pytest.fixture(scope="module")
def otc(cloud: Emulator) -> Iterator[CloudFixtures]:
    """The objects that the tests share in it."""
    with CloudFixtures(emulated(cloud)) as created:
        yield created


@pytest.fixture(scope="module")
def program(otc: CloudFixtures) -> dict[str, Any]:
    """The inputs of a server."""
    network = otc.make("Network").id
    otc.make("Subnet", network_id=network, cidr="10.90.1.0/24")
    return {
        "flavor": "s3.medium.2",
        "image": otc.landscape.image,
        "networks": [{"network_id": network}],
        "block_devices": [DISK],
    }


@pytest.fixture
def server(otc: CloudFixtures) -> Iterator[Resource]:
    """A server that does not exist yet."""
    resource = otc.resource("Server")
    yield resource
    resource.destroy()


def metadata_of(otc: CloudFixtures, server: Resource) -> dict[str, str]:
    """Return the metadata of the server in the cloud, without the owner marker."""
    found = otc.cloud.compute.get_server(server.id).metadata
    return {key: value for key, value in found.items() if key != "managed-by-pulumi"}


def sent(cloud: Emulator, since: int, part: str) -> list[str]:
    """Return the methods of the requests whose path contains this part."""
    return [request.method for request in list(cloud.requests)[since:] if part in request.path]


def test_metadata_of_cloud_is_no_drift(
    otc: CloudFixtures, cloud: Emulator, server: Resource, program: dict[str, Any]
) -> None:
    """What the cloud writes is in no output, and a change of the program's metadata keeps it and does not send it."""
    server.up(**program, metadata={"a": "1", "b": "2"})
    of_cloud = metadata_of(otc, server).items() - {"a": "1", "b": "2"}.items()
    assert {"metering.resourcetype", "os_bit", "__support_agent_list"} <= {key for key, _ in of_cloud}
    assert server.outputs["metadata"] == {"a": "1", "b": "2"}
    assert_no_changes(server, program | {"metadata": {"a": "1", "b": "2"}})
    start = len(cloud.requests)
    assert_updates_in_place(server, "metadata", program | {"metadata": {"b": "3", "c": "4"}})
    assert sent(cloud, start, "/metadata") == ["POST", "DELETE"]
    assert metadata_of(otc, server) == {**dict(of_cloud), "b": "3", "c": "4"}
    assert_updates_in_place(server, "metadata", program | {"metadata": {}})
    assert metadata_of(otc, server) == dict(of_cloud)


def test_metadata_written_by_hand_is_drift(otc: CloudFixtures, server: Resource, program: dict[str, Any]) -> None:
    """A key that is none of the cloud's is drift on this cloud too, and the next `up` removes it."""
    server.up(**program, metadata={})
    otc.cloud.compute.set_server_metadata(server.id, by="hand")
    server.refresh()
    assert server.preview(**program, metadata={}) == updates("metadata")
    assert_updates_in_place(server, "metadata", program | {"metadata": {}})
    assert "by" not in metadata_of(otc, server)


def test_import_keeps_metadata_of_cloud(otc: CloudFixtures, server: Resource, program: dict[str, Any]) -> None:
    """An import with other metadata removes the keys of the prior owner only."""
    server.up(**program, metadata={"mine": "1"})
    of_cloud = metadata_of(otc, server).items() - {"mine": "1"}.items()
    assert of_cloud
    imported = otc.resource("Server")
    imported.up(**program, adopt=server.id, metadata={"yours": "2"})
    assert_no_changes(imported, program | {"adopt": server.id, "metadata": {"yours": "2"}})
    assert metadata_of(otc, server) == {**dict(of_cloud), "yours": "2"}


def test_declared_key_is_of_the_program(otc: CloudFixtures, server: Resource, program: dict[str, Any]) -> None:
    """A reserved key that the program declares is changed and removed as all others."""
    server.up(**program, metadata={"__hint": "1"})
    assert server.outputs["metadata"] == {"__hint": "1"}
    server.refresh()
    for metadata in ({"__hint": "2"}, {}):
        assert_updates_in_place(server, "metadata", program | {"metadata": metadata})
        assert metadata_of(otc, server).get("__hint") == metadata.get("__hint")


@pytest.mark.parametrize("power_state", ["paused", "suspended", "shelved_offloaded"])
def test_power_state_is_not_offered(
    server: Resource, program: dict[str, Any], power_state: str, warnings: list[str]
) -> None:
    """The preview warns. The error names the action and what is possible; the next preview in the process knows."""
    server.up(**program)
    server.preview(**program, power_state=power_state)
    assert any(
        warning.startswith("power_state: this cloud may not offer the action") and '; use "active"' in warning
        for warning in warnings
    )
    with pytest.raises(
        Failed, match=r"power_state: this cloud does not offer the action .*; use .* no such action"
    ) as e:
        server.up(**program, power_state=power_state)
    assert "\n" not in str(e.value)
    with pytest.raises(Refused, match="power_state: this cloud does not offer the action"):
        server._plan(program | {"power_state": power_state})
    server.up(**program, power_state="active")
    assert server.outputs["status"] == "ACTIVE"
    assert_no_changes(server, program | {"power_state": "active"})


def test_password_cannot_change(server: Resource, program: dict[str, Any]) -> None:
    """A password is set by the create request, and not changed later."""
    server.up(**program, admin_pass="Quite-5ecret")
    changed = program | {"admin_pass": "Another-5ecret"}
    with pytest.raises(Failed, match="admin_pass: this cloud does not offer the action changePassword; set"):
        server.up(**changed)
    with pytest.raises(Refused, match="admin_pass: this cloud does not offer the action changePassword"):
        server._plan(changed)


def test_stopped_server_is_stopped_after_refused_password(server: Resource, program: dict[str, Any]) -> None:
    """A server that was started for the change is stopped again."""
    server.up(**program, power_state="shutoff")
    with pytest.raises(Failed, match="does not offer the action changePassword"):
        server.up(**program, power_state="shutoff", admin_pass="Another-5ecret")
    server.refresh()
    assert server.outputs["status"] == "SHUTOFF"


def test_forced_deletion_is_an_ordinary_one(cloud: Emulator, server: Resource, program: dict[str, Any]) -> None:
    """`force_delete` deletes the server although the cloud does not offer the action."""
    server.up(**program, force_delete=True)
    id_, start = server.id, len(cloud.requests)
    server.destroy()
    assert sent(cloud, start, f"/servers/{id_}/action") == ["POST"]
    assert "DELETE" in sent(cloud, start, f"/servers/{id_}")


def test_page_of_a_proxy_is_no_forced_deletion(cloud: Emulator, server: Resource, program: dict[str, Any]) -> None:
    """If a proxy responds with a page of its own to the forced deletion, an ordinary one deletes the server."""
    server.up(**program, force_delete=True)
    path = f"*/servers/{server.id}/action"
    cloud.fault(method="POST", path=path, status=200, times=1, body="<html><h1>Sign in</h1></html>")
    start = len(cloud.requests)
    server.destroy()
    assert sent(cloud, start, "/servers/").count("DELETE") == 1


@pytest.mark.parametrize("stop_before_resize", [True, False])
def test_running_server_is_resized(
    server: Resource,
    program: dict[str, Any],
    stop_before_resize: bool,  # noqa: FBT001
) -> None:
    """A running server runs again after the resize, whether the provider or the cloud has stopped it."""
    inputs = program | {"stop_before_resize": stop_before_resize}
    server.up(**inputs)
    assert_updates_in_place(server, "flavor", inputs | {"flavor": "s3.large.2"})
    assert server.outputs["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("flavor", "zone", "reason"),
    [
        (SOLD_OUT, None, f"{SOLD_OUT} is sold out in every zone of this region; in stock: {SOLD_OUT_IN_ZONE}"),
        (SOLD_OUT, OTHER_ZONE, f"{SOLD_OUT} is sold out in {OTHER_ZONE}; in stock: {SOLD_OUT_IN_ZONE}"),
        (SOLD_OUT_IN_ZONE, ZONE, f"{SOLD_OUT_IN_ZONE} is sold out in {ZONE}; "),
    ],
)
def test_sold_out_flavor_is_refused_in_preview(
    server: Resource, program: dict[str, Any], flavor: str, zone: str | None, reason: str
) -> None:
    """The preview names the flavor, the zone and the flavors in stock there."""
    more = {"availability_zone": zone} if zone else {}
    with pytest.raises(Refused) as refused:
        server.preview(**program | {"flavor": flavor}, **more)
    assert refused.value.reasons["flavor"].startswith(reason)


def test_flavor_in_stock_in_another_zone(server: Resource, program: dict[str, Any], messages: list[str]) -> None:
    """A flavor is accepted in the zones that have it; without a zone, a notice names those that do not."""
    desired = program | {"flavor": SOLD_OUT_IN_ZONE}
    assert server.preview(**desired, availability_zone=OTHER_ZONE) == Step("create")
    assert not [line for line in messages if "sold out" in line]
    assert server.preview(**desired) == Step("create")
    assert [line for line in messages if f"{SOLD_OUT_IN_ZONE} is sold out in {ZONE}; set availability_zone" in line]


def test_resize_to_sold_out_flavor_is_refused_in_preview(server: Resource, program: dict[str, Any]) -> None:
    """The zone is that of the server."""
    server.up(**program, availability_zone=ZONE)
    with pytest.raises(Failed, match=f"flavor: {SOLD_OUT_IN_ZONE} is sold out in {ZONE}"):
        server.preview(**program | {"flavor": SOLD_OUT_IN_ZONE}, availability_zone=ZONE)
    assert server.preview(**program, availability_zone=ZONE) == SAME


def test_resize_to_another_resource_type(server: Resource, program: dict[str, Any], messages: list[str]) -> None:
    """The preview warns, the cloud refuses, and the server runs with its flavor again."""
    server.up(**program)
    assert server.preview(**program | {"flavor": "c3.large.2"}) == updates("flavor")
    assert [line for line in messages if "c3.large.2 has the resource type IOoptimizedC3_2" in line]
    with pytest.raises(Failed, match="another resource type"):
        server.up(**program | {"flavor": "c3.large.2"})
    server.refresh()
    assert (server.outputs["flavor"], server.outputs["status"]) == ("s3.medium.2", "ACTIVE")


def test_many_servers_need_few_requests_for_extra_specs(
    otc: CloudFixtures, cloud: Emulator, program: dict[str, Any]
) -> None:
    """One request for the extra specs of each flavor of a run."""
    one, two = otc.resource("Server"), otc.resource("Server")
    one._start_command()
    start = len(cloud.requests)
    for resource in (one, two):
        resource._plan(program)
    assert len(sent(cloud, start, "os-extra_specs")) == 1


@pytest.mark.parametrize("disks", [1, 2])
def test_root_volume_is_lost_once(
    otc: CloudFixtures,
    server: Resource,
    program: dict[str, Any],
    warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
    disks: int,
) -> None:
    """The warning of a replacement counts the volume that the cloud made of `image` as the root disk."""
    monkeypatch.setattr(provider, "_reported_losses", set())
    data = {"source_type": "blank", "destination_type": "volume", "volume_size": 10, "delete_on_termination": True}
    program = program | {"block_devices": [data] * (disks - 1)}
    server.up(**program)
    ids = [each["id"] for each in server.outputs["volumes_attached"]]
    server.preview(**program | {"key_name": otc.make("KeyPair").id})
    (line,) = [each for each in warnings if "data-loss" in each]
    assert len(ids) == disks
    lost = f"its root disk (the volume {ids[0]})" if disks == 1 else f"the volumes {', '.join(ids)}"
    assert line == f"replacing {server.name} deletes {lost} [data-loss]"


@pytest.mark.parametrize("inputs", [{}, {"networks": "auto"}], ids=["unset", "auto"])
def test_choice_of_network_is_left_to_the_program(
    otc: CloudFixtures, server: Resource, program: dict[str, Any], inputs: dict[str, Any]
) -> None:
    """The preview lists some of the networks, and does not advise a server without NICs, which this cloud refuses."""
    for _ in range(6):
        otc.make("Network")
    without = {name: value for name, value in program.items() if name != "networks"}
    with pytest.raises(Refused) as refusal:
        server.preview(**without, **inputs)
    text = str(refusal.value)
    assert re.search(r"networks of this project \(([^,]+, ){4}[^,]+ and \d+ more\); list those to connect$", text)
