"""The warnings and notices of a resource: data that a change deletes, and servers that it interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.dynamic import provider, rpc_bridge, run
from tests.support.steps import UNKNOWN, Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]

# The provider derives them from outputs that other tests compare on a real cloud.
pytestmark = pytest.mark.thorough


def resize(fixtures: CloudFixtures) -> str:
    """The notice of a resize from the small to the medium flavor."""
    change = f"resize {fixtures.landscape.small} -> {fixtures.landscape.medium}"
    return f"updating fields-server: stop (interrupts the server), {change}, confirm, start [interrupts: flavor]"


class Reported:
    """Recorder of the warnings and notices of resources."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {"warning": [], "info": []}

    def __call__(self, _urn: str, text: str, *, severity: str = "info", ephemeral: bool = False) -> None:
        """Record a message that is not ephemeral."""
        if severity in self._lines and not ephemeral:
            self._lines[severity].append(text)

    def pop(self) -> tuple[list[str], list[str]]:
        """Return the recorded warnings and notices, and clear them."""
        lines = self._lines["warning"], self._lines["info"]
        self._lines = {"warning": [], "info": []}
        return lines


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Reported:
    """Record the messages from now on, as in a new process."""
    recorder = Reported()
    monkeypatch.setattr(rpc_bridge, "log", recorder)
    monkeypatch.setattr(provider, "_reported_losses", set())
    return recorder


def size_of(fixtures: CloudFixtures, flavor: str) -> int:
    """The size of the root disk of a flavor in GiB."""
    remote: Any = fixtures.cloud.compute.find_flavor(flavor)
    return int(remote.disk)


def test_server_replacement_warns_of_root_disk_loss(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """A replacement warns that the root disk is deleted; it shows no notice of a resize."""
    server, program = new("Server"), fixtures.server_inputs
    server.up(**program)
    assert reported.pop() == ([], [])
    size = size_of(fixtures, program["flavor"])
    warning = f"replacing {server.name} deletes its root disk ({size} GiB) [data-loss]"
    replaced = program | {"config_drive": True, "flavor": fixtures.landscape.medium}
    assert server.preview(**replaced).op == "replace"
    assert reported.pop() == ([warning], [])
    # The engine repeats the diff in the same run if a dependency of the resource is deleted before its replacement.
    server.preview(**replaced)
    assert reported.pop() == ([], [])


def test_server_replacement_warns_once(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """The delete operation of a replacement does not repeat the warning."""
    server, program = new("Server"), fixtures.server_inputs
    server.up(**program)
    server.up(**program | {"config_drive": True})
    (warning,), _ = reported.pop()
    assert warning.startswith(f"replacing {server.name} deletes its root disk")


def test_resize_shows_interruption_notice(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """A resize of a running server shows a notice; a resize of a stopped server does not."""
    server, program = new("Server"), fixtures.server_inputs
    server.up(**program)
    resized = program | {"flavor": fixtures.landscape.medium}
    server.preview(**resized)
    assert reported.pop() == ([], [resize(fixtures)])
    server.preview(**resized | {"stop_before_resize": False})
    ((), (notice,)) = reported.pop()
    assert "(interrupts the server), confirm" in notice
    server.up(**program | {"power_state": "shutoff"})
    reported.pop()
    server.preview(**resized | {"power_state": "shutoff"})
    assert reported.pop() == ([], [])


def test_steps_are_shown_without_checks(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """The preview shows the steps of an update also if nothing is checked against the cloud."""
    server, program = new("Server", config={"ecs:preflight": "false"}), fixtures.server_inputs
    server.up(**program)
    reported.pop()
    server.preview(**program | {"flavor": fixtures.landscape.medium})
    assert resize(fixtures) in reported.pop()[1]


def test_notice_of_power_state(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """A stop interrupts a server, also if the value is not known yet; to unpause it interrupts nothing."""
    server, program = new("Server"), fixtures.server_inputs
    server.up(**program)
    server.preview(**program | {"power_state": UNKNOWN})
    change = "set power_state to a value that is not known yet (interrupts the server)"
    text = f"updating fields-server: {change} [interrupts: power_state]"
    assert reported.pop() == ([], [text])
    server.up(**program | {"power_state": "paused"})
    assert reported.pop() == ([], ["updating fields-server: pause (interrupts the server) [interrupts: power_state]"])
    server.preview(**program | {"power_state": "active"})
    assert reported.pop() == ([], [])
    server.preview(**program | {"power_state": "paused", "admin_pass": "Hush-Hush-1"})
    (notice,) = reported.pop()[1]
    assert notice == (
        "updating fields-server: unpause (the server runs meanwhile), change the password, pause [wakes: admin_pass]"
    )


def test_retype_shows_notice_of_moved_data(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """A retype that may move the data shows a notice."""
    one, two = fixtures.landscape.volume_types[:2]
    volume = new("Volume")
    volume.up(size=1, volume_type=one)
    volume.preview(size=1, volume_type=two)
    change = f"retype {one} -> {two} (may move its data to other storage)"
    assert reported.pop() == ([], [f"updating fields-volume: {change} [moves-data: volume_type]"])
    volume.preview(size=1, volume_type=two, retype_policy="never")
    assert reported.pop() == ([], [])


@pytest.mark.parametrize("kind", ["FloatingIp", "FloatingIpAssociation"])
def test_moved_floating_ip_shows_notice(new: New, fixtures: CloudFixtures, reported: Reported, kind: str) -> None:
    """A preview shows which port a floating IP no longer leads to; nothing if it led to none."""
    floating_ip, (first, second) = new(kind), fixtures.published_ports
    inputs = {"external_network": "public"} if kind == "FloatingIp" else {"floating_ip_id": fixtures.floating_ips[0]}
    floating_ip.up(**inputs, port_id=first)
    address, tail = floating_ip.outputs["address"], f"; the port {first} is no longer reachable at it"
    floating_ip.preview(**inputs, port_id=second)
    assert reported.pop() == ([], [f"leads {address} to the port {second}{tail} [disconnects: port_id]"])
    floating_ip.preview(**inputs, port_id=UNKNOWN)
    text = f"leads {address} to a port that is not known yet{tail} [disconnects: port_id]"
    assert reported.pop() == ([], [text])
    if kind == "FloatingIpAssociation":
        return
    floating_ip.preview(**inputs)
    assert reported.pop() == ([], [f"releases {address}{tail} [disconnects: port_id]"])
    floating_ip.up(**inputs)
    reported.pop()
    floating_ip.preview(**inputs, port_id=second)
    assert reported.pop() == ([], [])


def test_floating_ip_replacement_warns_of_address_loss(new: New, reported: Reported) -> None:
    """A floating IP that is replaced or deleted loses its address."""
    floating_ip = new("FloatingIp")
    floating_ip.up(external_network="public")
    address = floating_ip.outputs["address"]
    floating_ip.preview(external_network="public", value_specs={"description": "other"})
    assert reported.pop() == ([f"replacing {floating_ip.name} deletes its address {address} [data-loss]"], [])


def test_adopt_of_server_shows_changes(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """A preview of `adopt` lists the inputs that it changes, and the effects of the changes."""
    server, adopted = new("Server"), new("Server")
    server.up(**fixtures.server_inputs)
    program = fixtures.server_inputs | {"adopt": server.id, "name": server.outputs["name"]}
    adopted.preview(**program)
    assert reported.pop() == ([], [])
    adopted.preview(**program | {"flavor": fixtures.landscape.medium})
    assert reported.pop() == ([], [f"importing {server.id} changes it [import-changes: flavor]", resize(fixtures)])


def test_rebuild_warns_of_root_disk_loss(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """A rebuild warns that it overwrites the root disk."""
    server, program = new("Server"), fixtures.server_inputs | {"image_policy": "rebuild"}
    server.up(**program)
    assert server.preview(**program | {"image": fixtures.images[1]}).op == "update"
    change = f"rebuild from {fixtures.images[1]} (destroys the data on its root disk)"
    assert reported.pop() == ([f"updating fields-server: {change} [rebuild: image]"], [])


def test_preview_of_server_in_error_rebuilds_first(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """The preview of a server in ERROR shows the steps in the order of `up`: only a rebuild ends the status."""
    server, program = new("Server"), fixtures.server_inputs | {"image_policy": "rebuild", "power_state": "active"}
    server.up(**program)
    fixtures.admin.compute.reset_server_state(server.id, "error")
    server.refresh()
    reported.pop()
    server.preview(**program | {"image": fixtures.images[1], "flavor": fixtures.landscape.medium})
    (warning,), _ = reported.pop()
    assert warning.startswith(f"updating fields-server: rebuild from {fixtures.images[1]}")


@pytest.mark.parametrize("deleted", [True, False], ids=["delete_on_termination", "kept"])
def test_server_replacement_warns_of_deleted_volumes(
    new: New, fixtures: CloudFixtures, reported: Reported, *, deleted: bool
) -> None:
    """A replacement names each volume that is deleted with the server, and no other volume."""
    server, program = new("Server"), dict(fixtures.server_inputs)
    root = {
        "source_type": "image",
        "destination_type": "volume",
        "boot_index": 0,
        "volume_size": 1,
        "delete_on_termination": deleted,
    }
    server.up(**program | {"block_devices": [root]})
    volume = server.outputs["volumes_attached"][0]["id"]
    reported.pop()
    try:
        server.preview(**program | {"block_devices": [root], "config_drive": True})
        assert reported.pop() == (
            [f"replacing {server.name} deletes the volume {volume} [data-loss]"] if deleted else [],
            [],
        )
    finally:
        server.destroy()
        if not deleted:
            fixtures.cloud.block_storage.delete_volume(volume)


def test_volume_replacement_warns_of_data_loss(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """A replacement of a volume warns of data loss; an extension does not."""
    del fixtures
    volume = new("Volume")
    volume.up(size=2)
    volume.preview(size=3)
    assert reported.pop() == ([], [])
    volume.preview(size=2, scheduler_hints={"a": "b"})
    assert reported.pop() == ([f"replacing {volume.name} deletes its data (2 GiB) [data-loss]"], [])


def test_volume_deletion_warns_of_data_loss(new: New, reported: Reported) -> None:
    """An `up` that deletes a volume warns of data loss; `pulumi destroy` does not."""
    volume = new("Volume")
    volume.up(size=2)
    volume.destroy()
    assert reported.pop() == ([f"deleting {volume.name} deletes its data (2 GiB) [data-loss]"], [])
    volume.up(size=1)
    run._program.clear()
    volume.destroy()
    assert reported.pop() == ([], [])


def test_network_changes_show_no_warning(new: New, reported: Reported) -> None:
    """Neither the replacement nor the deletion of a network shows a warning or a notice."""
    network = new("Network")
    network.up()
    network.preview(value_specs={})
    network.destroy()
    assert reported.pop() == ([], [])


def test_replacement_of_server_that_never_became_active(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """The preview shows the reason of the replacement; neither it nor a delete warns of data loss."""
    server, program = new("Server"), fixtures.server_inputs | {"flavor": fixtures.unschedulable_flavor}
    with pytest.raises(Failed, match="No valid host"):
        server.up(**program)
    reported.pop()
    assert server.preview(**program).op == "replace"
    warnings, (notice,) = reported.pop()
    assert warnings == []
    assert notice.startswith("replace: the server never became active: No valid host")
    assert notice.endswith(" [never-usable]")
    server.destroy()
    assert reported.pop() == ([], [])


def test_replacement_of_volume_that_never_became_available(
    new: New, fixtures: CloudFixtures, reported: Reported
) -> None:
    """The preview shows the reason of the replacement, as far as the cloud recorded it."""
    if fixtures.live:
        pytest.skip("needs a volume whose creation fails")
    volume = new("Volume")
    with pytest.raises(Failed, match="is in status error"):
        volume.up(size=1, name="fail-create")
    reported.pop()
    assert volume.preview(size=1, name="fail-create").op == "replace"
    warnings, (notice,) = reported.pop()
    assert warnings == []
    assert notice.startswith("replace: the volume never became available: ")
    assert notice.endswith(" [never-usable]")
    volume.destroy()
    assert reported.pop() == ([], [])


def test_resize_to_flavor_with_smaller_disk(new: New, fixtures: CloudFixtures, reported: Reported) -> None:
    """A resize to a flavor without a disk fails, one to a smaller disk shows a notice; a replacement does neither."""
    diskless, smaller = (str(fixtures.new_flavor(ram=512, vcpus=1, disk=size).name) for size in (0, 1))
    server, program = new("Server"), fixtures.server_inputs | {"flavor": fixtures.landscape.medium}
    server.up(**program)
    reported.pop()
    with pytest.raises(Failed, match=rf"flavor: {diskless} has no disk; the server has a root disk of \d+ GiB"):
        server.preview(**program | {"flavor": diskless})
    reported.pop()
    assert server.preview(**program | {"flavor": diskless, "config_drive": True}).op == "replace"
    reported.pop()
    server.preview(**program | {"flavor": smaller})
    warnings, (disk_notice, notice) = reported.pop()
    assert warnings == []
    assert disk_notice.startswith(f"{smaller} has a disk of 1 GiB, the server has a root disk of ")
    assert notice.startswith("updating fields-server: stop (interrupts the server), resize ")
