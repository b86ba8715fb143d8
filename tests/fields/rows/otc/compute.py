"""The fields of servers, server groups and interface attachments that are different on an Open Telekom Cloud."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.fields.rows.compute import SERVER
from tests.fields.rows.otc.outcomes import NotChanged, NotOffered, OtcRow
from tests.fields.rows.row import Row

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource


def _root(size: int) -> list[dict[str, Any]]:
    return [{**SERVER["block_devices"].first[0], "volume_size": size}]


def _unplug_second(fixtures: CloudFixtures, resource: Resource) -> None:
    (nic,) = (each for each in fixtures.cloud.compute.server_interfaces(resource.id) if each.net_id != fixtures.network)
    fixtures.cloud.compute.delete_server_interface(nic.port_id, server=resource.id)
    fixtures.wait_for(lambda: len(fixtures.cloud.compute.get_server(resource.id).addresses) == 1)


def _removed(name: str) -> NotOffered:
    return NotOffered(rf"{name}: this cloud does not offer it; remove it from the program")


SERVER_ON_OTC: dict[str, OtcRow] = {
    # The image needs 4 GiB.
    "block_devices": replace(SERVER["block_devices"], first=_root(4), second=_root(5)),
    # The first NIC cannot leave the server.
    "networks": replace(
        SERVER["networks"],
        first=lambda g: [{"network_id": g.network}, {"network_id": g.other_network}],
        second=lambda g: [{"network_id": g.network}],
        clear=lambda g: [{"network_id": g.network}],
        out_of_band_change=_unplug_second,
    ),
    # A port always has a group.
    "security_groups": replace(SERVER["security_groups"], clear=["default"]),
    "admin_pass": NotChanged("admin_pass: this cloud does not offer the action changePassword"),
    "config_drive": _removed("config_drive"),
    "personality": _removed("personality"),
    "disk_config": _removed("disk_config"),
    "hypervisor_hostname": NotOffered("hypervisor_hostname: needs compute microversion 2.74", value="pod01"),
}

SERVER_GROUP_ON_OTC: dict[str, OtcRow] = {
    "policy": Row("anti-affinity", required=True, once="the cloud has no other policy"),
    "max_server_per_host": NotOffered("max_server_per_host: needs compute microversion 2.64"),
}

INTERFACE_ATTACHMENT_ON_OTC: dict[str, OtcRow] = {"tag": NotOffered("tag")}
