"""What `ecs-pulumi report` says is lost with an object, without a preview."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from ecs_pulumi.notices import Notice
from ecs_pulumi.report_rules import UNKNOWN
from ecs_pulumi.resources import volume_report_rules
from ecs_pulumi.resources.server import report_rules
from tests.support.generated import KINDS

LOCAL = {"destination_type": "local", "source_type": "blank"}
VOLUME = {"destination_type": "volume", "source_type": "blank"}
ROOT = {"destination_type": "local", "source_type": "image", "boot_index": 0}
DELETED, KEPT = {"id": "v", "delete_on_termination": True}, {"id": "k", "delete_on_termination": False}


@pytest.mark.parametrize(
    ("outputs", "size", "lost"),
    [
        ({"image_id": "i"}, None, ["its root disk"]),
        ({"image_id": "i"}, 20, ["its root disk (20 GiB)"]),
        ({"image": "debian"}, None, ["its root disk"]),
        ({"image": "debian", "block_devices": [VOLUME]}, None, []),
        ({}, None, []),
        # A flavor without a disk: the root disk is a volume.
        ({"image_id": "i", "volumes_attached": [DELETED]}, 0, ["its root disk (the volume v)"]),
        ({"image_id": "i", "volumes_attached": [KEPT]}, 0, ["its root disk"]),
        ({"image_id": "i", "volumes_attached": [DELETED, {**DELETED, "id": "w"}]}, 0, ["the volumes v, w"]),
        ({"image_id": "i", "volumes_attached": [DELETED]}, 20, ["its root disk (20 GiB)", "the volume v"]),
        ({"image_id": "i", "volumes_attached": [DELETED]}, None, ["its root disk", "the volume v"]),
        ({"block_devices": [ROOT]}, None, []),
        ({"block_devices": [ROOT, LOCAL]}, None, ["its local disk"]),
        ({"block_devices": [{**LOCAL, "boot_index": 1}, LOCAL, VOLUME]}, None, ["its 2 further local disks"]),
        ({"volumes_attached": [KEPT]}, None, []),
        ({"volumes_attached": [KEPT, DELETED]}, None, ["the volume v"]),
        # Some APIs do not return what is deleted.
        ({"volumes_attached": [{"id": "v"}], "block_devices": [VOLUME]}, None, []),
        (
            {"volumes_attached": [{"id": "v"}], "block_devices": [{**VOLUME, "delete_on_termination": True}]},
            None,
            ["1 volume with `delete_on_termination`"],
        ),
        (
            {"volumes_attached": [{"id": "v"}], "block_devices": [{**VOLUME, "delete_on_termination": True}] * 2},
            None,
            ["2 volumes with `delete_on_termination`"],
        ),
        (
            {"volumes_attached": [{"id": "v"}], "block_devices": [{**LOCAL, "delete_on_termination": True}]},
            None,
            ["its local disk"],
        ),
        ({"volumes_attached": [KEPT], "block_devices": [{**VOLUME, "delete_on_termination": True}]}, None, []),
        ({"status": "ERROR", "image_id": "i"}, 20, []),
        ({"volumes_attached": "secret", "block_devices": "secret", "image_id": "i"}, None, ["its root disk"]),
    ],
)
def test_data_of_a_server(outputs: dict[str, Any], size: int | None, lost: list[str]) -> None:
    """Local disks are lost, and the volumes that Nova deletes, or that the program lets it delete."""
    assert report_rules.RULES.lost(outputs, size) == lost


@pytest.mark.parametrize(
    ("outputs", "lost"),
    [
        ({"status": "available", "size": 3}, ["its data (3 GiB)"]),
        ({"status": "available", "size": 3.0}, ["its data (3 GiB)"]),
        ({"status": "available", "size": "secret"}, ["its data"]),
        ({}, ["its data"]),
        ({"status": "error", "size": 3}, []),
        ({"status": "error", "was_available": True, "size": 3}, ["its data (3 GiB)"]),
    ],
)
def test_data_of_a_volume(outputs: dict[str, Any], lost: list[str]) -> None:
    """A volume that was never available has none; the size may be secret."""
    assert volume_report_rules.RULES.lost(outputs) == lost


KNOWN_RULES = {
    kind: importlib.import_module(handler.report_rules).RULES
    for kind, handler in KINDS.items()
    if getattr(handler, "report_rules", None)
}


@pytest.mark.parametrize(
    ("kind", "inputs", "assumed"),
    [
        ("FloatingIp", {}, {"port_id": Notice.DISCONNECTS}),
        ("FloatingIpAssociation", {}, {"port_id": Notice.DISCONNECTS}),
        ("Server", {}, {"flavor": Notice.INTERRUPTS, "power_state": Notice.INTERRUPTS}),
        ("Server", {"power_state": "active"}, {"flavor": Notice.INTERRUPTS}),
        (
            "Server",
            {"power_state": "active", "image_policy": "rebuild"},
            {"flavor": Notice.INTERRUPTS, "image": Notice.REBUILD},
        ),
        ("Server", {"power_state": "active", "image_policy": "replace"}, {"flavor": Notice.INTERRUPTS}),
        (
            "Server",
            {"power_state": "active", "image_policy": next(iter(UNKNOWN))},
            {"flavor": Notice.INTERRUPTS, "image": Notice.REBUILD},
        ),
        ("Volume", {}, {}),
    ],
)
def test_changes_by_an_import_that_was_not_compared(
    kind: str, inputs: dict[str, Any], assumed: dict[str, Notice]
) -> None:
    """The report assumes the worst of the inputs that affect a workload."""
    assert KNOWN_RULES[kind].assumed(inputs) == assumed


@pytest.mark.parametrize(
    ("kind", "outputs", "lost", "unreachable", "kept"),
    [
        (
            "FloatingIp",
            {"address": "203.0.113.7", "port_id": "p"},
            ["its address 203.0.113.7"],
            "the port p is no longer reachable at its floating IP",
            "",
        ),
        ("FloatingIp", {}, [], "", ""),
        ("FloatingIpAssociation", {"port_id": "p"}, [], "the port p is no longer reachable at its floating IP", ""),
        ("FloatingIpAssociation", {}, [], "", ""),
        ("Server", {"status": "ACTIVE"}, [], "", "its disks stay"),
        ("Server", {"status": "ERROR"}, [], "", ""),
        ("Server", {"status": "ERROR", "launched_at": "then"}, [], "", "its disks stay"),
    ],
)
def test_effects_of_a_deletion(
    kind: str, outputs: dict[str, Any], lost: list[str], unreachable: str, kept: str
) -> None:
    """The report says what is lost, what becomes unreachable, and what stays."""
    rules = KNOWN_RULES[kind]
    assert (rules.lost(outputs), rules.unreachable(outputs), rules.kept(outputs)) == (lost, unreachable, kept)
