"""The warnings and notices beside a resource: what data a change deletes, and what it interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.dynamic import provider, rpc_bridge, run
from tests.support.steps import Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.ground import CloudFixtures
    from tests.support.steps import Resource

    New = Callable[..., Resource]

RESIZE = "a changed flavor stops the server while it is resized, and starts it again"


class Reported:
    """The lines that were shown beside resources since they were last looked at."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {"warning": [], "info": []}

    def __call__(self, _urn: str, text: str, *, severity: str = "info", ephemeral: bool = False) -> None:
        """Keep a line that stays on the screen."""
        if severity in self._lines and not ephemeral:
            self._lines[severity].append(text)

    def take(self) -> tuple[list[str], list[str]]:
        """The warnings and the notices."""
        found = self._lines["warning"], self._lines["info"]
        self._lines = {"warning": [], "info": []}
        return found


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Reported:
    """What is shown from here on, in a process that has shown nothing."""
    made = Reported()
    monkeypatch.setattr(rpc_bridge, "log", made)
    monkeypatch.setattr(provider, "_reported_losses", set())
    return made


def size_of(ground: CloudFixtures, flavor: str) -> int:
    """The size of a flavor's disk in GiB."""
    found: Any = ground.cloud.compute.find_flavor(flavor)
    return int(found.disk)


def test_a_replaced_server(new: New, ground: CloudFixtures, reported: Reported) -> None:
    """Its disk is lost with it, which is a warning; there is no notice of a resize that does not happen."""
    server, program = new("Server"), ground.server_inputs
    server.up(**program)
    assert reported.take() == ([], [])
    size = size_of(ground, program["flavor"])
    warning = f"replacing {server.name} deletes its root disk ({size} GiB) [data-loss]"
    replaced = program | {"config_drive": True, "flavor": ground.landscape.medium}
    assert server.preview(**replaced).op == "replace"
    assert reported.take() == ([warning], [])
    # Compared again in the same run, as the engine does with what depends on something that is deleted first.
    server.preview(**replaced)
    assert reported.take() == ([], [])


def test_a_replaced_server_is_one_warning(new: New, ground: CloudFixtures, reported: Reported) -> None:
    """The deletion that a replacement consists of adds no second warning."""
    server, program = new("Server"), ground.server_inputs
    server.up(**program)
    server.up(**program | {"config_drive": True})
    (warning,), _ = reported.take()
    assert warning.startswith(f"replacing {server.name} deletes its root disk")


def test_a_resized_server(new: New, ground: CloudFixtures, reported: Reported) -> None:
    """What runs is interrupted, which is a notice; there is none for a server that does not run."""
    server, program = new("Server"), ground.server_inputs
    server.up(**program)
    resized = program | {"flavor": ground.landscape.medium}
    server.preview(**resized)
    assert reported.take() == ([], [RESIZE])
    server.preview(**resized | {"stop_before_resize": False})
    assert reported.take() == ([], [])
    server.up(**program | {"power_state": "shutoff"})
    reported.take()
    server.preview(**resized | {"power_state": "shutoff"})
    assert reported.take() == ([], [])


def test_an_imported_server(new: New, ground: CloudFixtures, reported: Reported) -> None:
    """What its import changes is reported with what that does to it."""
    server, taken = new("Server"), new("Server")
    server.up(**ground.server_inputs)
    program = ground.server_inputs | {"adopt": server.id, "name": server.outputs["name"]}
    taken.preview(**program)
    assert reported.take() == ([], [])
    taken.preview(**program | {"flavor": ground.landscape.medium})
    assert reported.take() == ([], [f"importing {server.id} changes it [import-changes: flavor]", RESIZE])


def test_a_rebuilt_server(new: New, ground: CloudFixtures, reported: Reported) -> None:
    """What is on its root disk is lost, although the server stays: a warning."""
    server, program = new("Server"), ground.server_inputs | {"image_policy": "rebuild"}
    server.up(**program)
    assert server.preview(**program | {"image": ground.images[1]}).op == "update"
    assert reported.take() == (
        ["a rebuild overwrites the root disk with the image: its data are lost [rebuild]"],
        [],
    )


@pytest.mark.parametrize("goes", [True, False])
def test_volumes_that_go_with_their_server(new: New, ground: CloudFixtures, reported: Reported, *, goes: bool) -> None:
    """Each is named; one that stays is no loss."""
    server, program = new("Server"), dict(ground.server_inputs)
    root = {
        "source_type": "image",
        "destination_type": "volume",
        "boot_index": 0,
        "volume_size": 1,
        "delete_on_termination": goes,
    }
    server.up(**program | {"block_devices": [root]})
    volume = server.outputs["volumes_attached"][0]["id"]
    reported.take()
    try:
        server.preview(**program | {"block_devices": [root], "config_drive": True})
        assert reported.take() == ([f"replacing {server.name} deletes the volume {volume}"] if goes else [], [])
    finally:
        server.destroy()
        if not goes:
            ground.cloud.block_storage.delete_volume(volume)


def test_a_volume(new: New, ground: CloudFixtures, reported: Reported) -> None:
    """Its data are lost in a replacement, and where the program no longer has it; growing loses nothing."""
    del ground
    volume = new("Volume")
    volume.up(size=2)
    volume.preview(size=3)
    assert reported.take() == ([], [])
    volume.preview(size=2, scheduler_hints={"a": "b"})
    assert reported.take() == ([f"replacing {volume.name} deletes its data (2 GiB) [data-loss]"], [])


def test_a_deleted_volume(new: New, reported: Reported) -> None:
    """An update whose program no longer has it warns; `pulumi destroy`, which runs no program, does not."""
    volume = new("Volume")
    volume.up(size=2)
    volume.destroy()
    assert reported.take() == ([f"deleting {volume.name} deletes its data (2 GiB) [data-loss]"], [])
    volume.up(size=1)
    run._program.clear()
    volume.destroy()
    assert reported.take() == ([], [])


def test_what_holds_no_data(new: New, reported: Reported) -> None:
    """No warning and no notice."""
    network = new("Network")
    network.up()
    network.preview(value_specs={})
    network.destroy()
    assert reported.take() == ([], [])


def test_a_server_that_never_became_active(new: New, ground: CloudFixtures, reported: Reported) -> None:
    """The preview shows why it is replaced, and warns of no data, as it never had any; nor does its deletion."""
    server, program = new("Server"), ground.server_inputs | {"flavor": ground.homeless_flavor}
    with pytest.raises(Failed, match="No valid host"):
        server.up(**program)
    reported.take()
    assert server.preview(**program).op == "replace"
    warnings, (notice,) = reported.take()
    assert warnings == []
    assert notice.startswith("replace: the server never became active: No valid host")
    server.destroy()
    assert reported.take() == ([], [])


def test_a_volume_that_never_became_available(new: New, ground: CloudFixtures, reported: Reported) -> None:
    """The preview shows why it is replaced, as far as the cloud recorded it."""
    if ground.live:
        pytest.skip("needs a volume that fails")
    volume = new("Volume")
    with pytest.raises(Failed, match="is in status error"):
        volume.up(size=1, name="fail-create")
    reported.take()
    assert volume.preview(size=1, name="fail-create").op == "replace"
    warnings, (notice,) = reported.take()
    assert warnings == []
    assert notice.startswith("replace: the volume never became available: ")
    volume.destroy()
    assert reported.take() == ([], [])


def test_a_flavor_whose_disk_is_too_small(new: New, ground: CloudFixtures, reported: Reported) -> None:
    """A resize to it is refused, or a notice where it may fail; a replacement is no resize."""
    diskless, smaller = (str(ground.new_flavor(ram=512, vcpus=1, disk=size).name) for size in (0, 1))
    server, program = new("Server"), ground.server_inputs | {"flavor": ground.landscape.medium}
    server.up(**program)
    reported.take()
    with pytest.raises(Failed, match=rf"flavor: {diskless} has no disk, and the server's own has \d+ GiB"):
        server.preview(**program | {"flavor": diskless})
    reported.take()
    assert server.preview(**program | {"flavor": diskless, "config_drive": True}).op == "replace"
    reported.take()
    server.preview(**program | {"flavor": smaller})
    warnings, (doubt, notice) = reported.take()
    assert warnings == []
    assert doubt.startswith(f"{smaller} has a disk of 1 GiB, and the server's own has ")
    assert notice == RESIZE
