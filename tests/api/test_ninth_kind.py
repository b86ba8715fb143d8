"""A new kind is one module: nothing else in the package has to know it, apart from generated code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi import preview_report
from ecs_pulumi.adopt.__main__ import main as adopt
from ecs_pulumi.orphans import delete, find_orphans
from ecs_pulumi.resources import clients, registry
from ecs_pulumi.stack import Stack
from tests.support.ninth_kind import HANDLER
from tests.support.steps import PROJECT, SAME, STACK, Failed, Refused, Resource, Step, updates
from tools import sdk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ecs_pulumi.emulator import Emulator

KIND = HANDLER.name


@pytest.fixture(autouse=True)
def ninth_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the kind to the registry, and its names to the generated table, until the test ends."""
    monkeypatch.setattr(registry, "_KINDS", [*registry.kinds()])
    monkeypatch.setattr(registry, "_registered", {})
    registry.register(HANDLER)
    generated: dict[str, Any] = {}
    exec(sdk.kinds_file(), generated)  # noqa: S102 - the code that this checkout generates
    monkeypatch.setattr(preview_report, "KINDS", generated["KINDS"])
    monkeypatch.setattr(preview_report, "REPORT_RULES", generated["REPORT_RULES"])


@pytest.fixture
def new(cloud: Emulator) -> Callable[..., Resource]:
    """Declare a resource of a kind."""
    config = {f"ecs:{name}": value for name, value in cloud.settings.items()}
    return lambda kind, name="it": Resource(kind, config, name)


def test_life_of_a_resource(new: Callable[..., Resource]) -> None:
    """It is checked, created, updated in place, replaced, refreshed and deleted, as its field options say."""
    disk, copy = new("Volume", "disk"), new(KIND)
    disk.up(size=10)
    with pytest.raises(Refused, match="no such input; did you mean `name`"):
        copy.preview(volume_id=disk.id, nam="web")
    with pytest.raises(Refused, match="there is no volume"):
        copy.preview(volume_id="none")
    copy.up(volume_id=disk.id, description="before")
    assert copy.preview(volume_id=disk.id, description="before") == SAME
    assert copy.up(volume_id=disk.id, description="after") == updates("description")
    copy.refresh()
    assert (copy.outputs["description"], copy.outputs["status"], copy.outputs["size"]) == ("after", "available", 10)
    other = new("Volume", "other")
    other.up(size=10)
    assert copy.preview(volume_id=other.id, description="after") == Step("replace", frozenset({"volume_id"}))
    id_ = copy.id
    copy.destroy()
    with pytest.raises(Failed, match="there is no"):
        copy.get(id_)


def test_quota_is_checked(new: Callable[..., Resource], cloud: Emulator) -> None:
    """A preview reports a quota that the needs of its handler exceed."""
    disk = new("Volume", "disk")
    disk.up(size=10)
    cloud.set_quota(gigabytes=10)
    with pytest.raises(Refused, match=r"volume_id: quota exceeded for gigabytes: limit 10, in use 10, .* needs 10"):
        new(KIND).preview(volume_id=disk.id)


def test_orphan_is_found_and_deleted(new: Callable[..., Resource], cloud: Emulator) -> None:
    """`orphans` finds it by its owner marker, and deletes it."""
    disk, copy = new("Volume", "disk"), new(KIND, "copy")
    disk.up(size=10)
    copy.up(volume_id=disk.id)
    id_ = copy.id
    stack = Stack(PROJECT, STACK, [], {f"ecs:{name}": value for name, value in cloud.settings.items()})
    (orphan,) = (each for each in find_orphans(stack) if each.kind == KIND)
    assert (orphan.id, orphan.resource) == (id_, "copy")
    assert delete(stack, [orphan]) == {}
    copy.refresh()
    assert copy.state is None


def test_existing_object_is_imported(
    new: Callable[..., Resource],
    cloud: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`adopt` writes it after the volume, which it refers to; a selected snapshot adds the volume."""
    disk, copy = new("Volume", "disk"), new(KIND, "copy")
    disk.up(size=10, name="disk")
    copy.up(volume_id=disk.id, name="copy", description="before the upgrade")
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(clients, "_connections", {})  # one without settings may be that of another test
    monkeypatch.chdir(tmp_path)
    assert adopt(["--id", copy.id, "--kind", "snapshots", "--no-protect"]) == 0
    program, summary = capsys.readouterr()
    assert "\ndisk = ecs.Volume(\n" in program
    assert program.endswith(
        f"""
# Snapshots.
ecs.Snapshot(
    "copy",
    volume_id=disk.id,
    name="copy",
    description="before the upgrade",
    adopt="{copy.id}",
)
"""
    )
    assert summary.startswith("# 2 resources: 1 Volume, 1 Snapshot\n")
    imported = new(KIND, "imported")
    imported.up(volume_id=disk.id, name="copy", description="before the upgrade", adopt=copy.id)
    assert imported.id == copy.id


def test_report_lists_its_data_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`report` says what its deletion loses, and a rule may name the kind."""
    urn = f"urn:pulumi:dev::shop::pulumi-python:dynamic/ecs:{KIND}::copy"
    preview = tmp_path / "preview.json"
    preview.write_text(json.dumps({"steps": [{"op": "delete", "urn": urn, "oldState": {"outputs": {"size": 3}}}]}))
    assert preview_report.main(["--forbid", f"destroy:{KIND}", str(preview)]) == 2
    assert f"- {KIND} `copy`: deleted; lost: its copy of 3 GiB" in capsys.readouterr().out


def test_class_for_programs_is_generated() -> None:
    """`tools.sdk` generates its class, with typed and documented arguments."""
    module: dict[str, Any] = {}
    exec(sdk.kind_file(HANDLER), module)  # noqa: S102 - the code that this checkout generates
    assert "volume_id: Id of the volume. A change replaces the resource." in module[KIND].__init__.__doc__
