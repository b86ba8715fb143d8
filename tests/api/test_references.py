"""References to objects: a preview checks those that are new, and neither what this run has created nor the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pulumi.output import UNKNOWN

from ecs_pulumi.emulator import Emulator
from ecs_pulumi.resources import idempotent_create

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.previews import Run

IT = "00000000-0000-4000-8000-00000000dead"
"""An id that no object of the cloud has."""
SERVER = {"flavor": "s1.small", "image": "cirros-peer", "networks": "none"}
RULE = {"direction": "ingress", "protocol": "tcp"}
ROUTE = {"destination": "172.23.0.0/24", "nexthop": "10.0.0.9"}
DISK = {"source_type": "volume", "destination_type": "volume", "uuid": IT, "boot_index": 1}
ADDRESS = [{"ip_address": "10.0.0.9"}]

ROWS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("FloatingIp", "port_id", {"external_network": "public", "port_id": IT}, {"description": "x"}),
    ("FloatingIpAssociation", "floating_ip_id", {"floating_ip_id": IT, "port_id": UNKNOWN}, {"adopt": UNKNOWN}),
    ("FloatingIpAssociation", "port_id", {"floating_ip_id": UNKNOWN, "port_id": IT}, {"adopt": UNKNOWN}),
    ("InterfaceAttachment", "server_id", {"server_id": IT, "port_id": UNKNOWN}, {"tag": "x"}),
    ("InterfaceAttachment", "port_id", {"server_id": UNKNOWN, "port_id": IT}, {"tag": "x"}),
    (
        "InterfaceAttachment",
        "network_id",
        {"server_id": UNKNOWN, "network_id": IT, "fixed_ips": ADDRESS},
        {"tag": "x"},
    ),
    ("Port", "network_id", {"network_id": IT, "fixed_ips": ADDRESS}, {"description": "x"}),
    ("Port", "security_group_ids", {"network_id": UNKNOWN, "security_group_ids": [IT]}, {"description": "x"}),
    (
        "Port",
        "fixed_ips",
        {"network_id": UNKNOWN, "fixed_ips": [{**ADDRESS[0], "subnet_id": IT}]},
        {"description": "x"},
    ),
    ("Router", "external_network", {"external_network": IT}, {"description": "x"}),
    ("RouterInterface", "router_id", {"router_id": IT, "subnet_id": UNKNOWN}, {"adopt": UNKNOWN}),
    ("RouterInterface", "subnet_id", {"router_id": UNKNOWN, "subnet_id": IT}, {"adopt": UNKNOWN}),
    ("RouterInterface", "port_id", {"router_id": UNKNOWN, "port_id": IT}, {"adopt": UNKNOWN}),
    ("RouterRoute", "router_id", {"router_id": IT, **ROUTE}, {"adopt": UNKNOWN}),
    ("SecurityGroupRule", "security_group_id", {"security_group_id": IT, **RULE}, {"description": "x"}),
    (
        "SecurityGroupRule",
        "remote_group_id",
        {"security_group_id": UNKNOWN, **RULE, "remote_group_id": IT},
        {"description": "x"},
    ),
    (
        "SecurityGroupRule",
        "remote_address_group_id",
        {"security_group_id": UNKNOWN, **RULE, "remote_address_group_id": IT},
        {"description": "x"},
    ),
    ("Server", "networks", {**SERVER, "networks": [{"network_id": IT, "fixed_ip": "10.0.0.9"}]}, {"metadata": {}}),
    ("Server", "networks", {**SERVER, "networks": [{"port_id": IT}]}, {"metadata": {}}),
    ("Server", "security_groups", {**SERVER, "security_groups": [IT]}, {"metadata": {}}),
    ("Server", "scheduler_hints", {**SERVER, "scheduler_hints": {"group": IT}}, {"metadata": {}}),
    ("Server", "block_devices", {**SERVER, "block_devices": [DISK]}, {"metadata": {}}),
    ("Server", "block_devices", {**SERVER, "block_devices": [{**DISK, "source_type": "snapshot"}]}, {"metadata": {}}),
    ("Subnet", "network_id", {"network_id": IT, "cidr": "10.0.0.0/24"}, {"description": "x"}),
    ("Volume", "snapshot_id", {"size": 1, "snapshot_id": IT}, {"description": "x"}),
    ("Volume", "source_volume_id", {"size": 1, "source_volume_id": IT}, {"description": "x"}),
    ("VolumeAttachment", "server_id", {"server_id": IT, "volume_id": UNKNOWN}, {"tag": "x"}),
    ("VolumeAttachment", "volume_id", {"server_id": UNKNOWN, "volume_id": IT}, {"tag": "x"}),
]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    """An emulated OpenStack cloud."""
    with Emulator(speed=200, dialect="openstack") as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "name", "inputs", "other"), ROWS, ids=[f"{kind}.{name}{at}" for at, (kind, name, _, _) in enumerate(ROWS)]
)
def test_reference(
    run: Run,
    cloud: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    name: str,
    inputs: dict[str, Any],
    other: dict[str, Any],
) -> None:
    """A new reference to an object that does not exist is refused once, naming the input.

    Neither an unchanged reference nor one to an object that this run has created is requested.
    """
    run.resource = "it"
    for is_created in (False, True):
        cloud.requests.clear()
        if is_created:
            monkeypatch.setattr(idempotent_create, "_created", {IT})
            assert run(kind, **inputs) == []
        else:
            assert run(kind, inputs, **other) == []
        assert [each.path for each in cloud.requests if IT in f"{each.path}?{each.query} {each.body}"] == []
    assert run.warnings == []
    monkeypatch.setattr(idempotent_create, "_created", set())
    (problem,) = run(kind, **inputs)
    assert problem.startswith(name)
    assert f'"{IT}"' in problem
