"""The fields of Server, InterfaceAttachment and KeyPair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fields.rows.row import Row

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

KEYS = [
    f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{key} someone@example.org"
    for key in ("HpwdvKy7pKsFHtkmHGZm2Sc4fNDzzEtVE0PFCwJyTbn", "K0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9q")
]

KEY_PAIR = {
    "name": Row(lambda g: g.unique_name("one"), lambda g: g.unique_name("two"), base={"public_key": KEYS[0]}),
    "public_key": Row(KEYS[0], KEYS[1]),
    "type": Row("ssh", "x509", base={}),
    "user_id": Row(
        lambda g: g.cloud.current_user_id,
        lambda g: g.admin.current_user_id,
        admin=True,
        denied=lambda g: g.admin.current_user_id,
        base={"public_key": KEYS[0]},
    ),
}


SERVER_GROUP = {
    "name": Row("fields-one", "fields-two", base={"policy": "anti-affinity"}),
    "policy": Row("anti-affinity", "affinity", required=True),
    "max_server_per_host": Row(2, 3, base={"policy": "anti-affinity"}),
}


def _server(**inputs: Any) -> Any:
    return lambda g: {**g.server_inputs, **inputs}


def _resize(fixtures: CloudFixtures, resource: Resource) -> None:
    compute = fixtures.cloud.compute
    compute.resize_server(resource.id, compute.find_flavor(fixtures.landscape.medium, ignore_missing=False).id)
    fixtures.wait_until_stable(resource.id, "VERIFY_RESIZE")
    compute.confirm_server_resize(resource.id)
    fixtures.wait_until_stable(resource.id, "ACTIVE")


def _unplug(fixtures: CloudFixtures, resource: Resource) -> None:
    (nic,) = fixtures.cloud.compute.server_interfaces(resource.id)
    fixtures.cloud.compute.delete_server_interface(nic.port_id, server=resource.id)
    # Nova updates the addresses of the server a moment after Neutron updates the port.
    fixtures.wait_for(lambda: not fixtures.cloud.compute.get_server(resource.id).addresses)


def _regroup(fixtures: CloudFixtures, resource: Resource) -> None:
    fixtures.cloud.compute.post(
        f"/servers/{resource.id}/action", json={"addSecurityGroup": {"name": fixtures.group_names[1]}}
    )


def _tag(fixtures: CloudFixtures, resource: Resource) -> None:
    answer = fixtures.cloud.compute.put(f"/servers/{resource.id}/tags/by-hand", microversion="2.26")
    assert answer.ok, answer.text


def _start(fixtures: CloudFixtures, resource: Resource) -> None:
    fixtures.cloud.compute.start_server(resource.id)
    fixtures.wait_until_stable(resource.id, "ACTIVE")


def _hosts(fixtures: CloudFixtures) -> list[str]:
    if not fixtures.live:
        return ["compute-1", "compute-2"]
    return sorted(each.name for each in fixtures.admin.compute.hypervisors())


def _boot(size: int) -> list[dict[str, Any]]:
    disk = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "delete_on_termination": True}
    return [{**disk, "volume_size": size}]


SERVER = {
    "flavor": Row(
        lambda g: g.landscape.small, lambda g: g.landscape.medium, base=_server(), out_of_band_change=_resize
    ),
    "image": Row(lambda g: g.images[0], lambda g: g.images[1], base=_server(), required=True),
    "name": Row(
        "fields-one",
        "fields-two",
        base=_server(),
        out_of_band_change=lambda g, resource: g.cloud.compute.update_server(resource.id, name="fields-by-hand"),
    ),
    "description": Row(
        "one",
        "two",
        base=_server(),
        clear="",
        out_of_band_change=lambda g, resource: g.cloud.compute.update_server(resource.id, description="by hand"),
    ),
    "metadata": Row(
        {"a": "1", "b": "2"},
        {"b": "3"},
        base=_server(),
        out_of_band_change=lambda g, resource: g.cloud.compute.set_server_metadata(resource.id, by="hand"),
    ),
    "tags": Row(["a", "b"], ["c", "b"], base=_server(), out_of_band_change=_tag),
    "security_groups": Row(
        lambda g: g.group_names[:1], lambda g: [g.groups[1], "default"], base=_server(), out_of_band_change=_regroup
    ),
    "admin_pass": Row("Quite-5ecret", "Even-m0re-secret", base=_server()),
    "power_state": Row("shutoff", "active", base=_server(), out_of_band_change=_start),
    "networks": Row(
        lambda g: [{"network_id": g.network}],
        lambda g: [{"network_id": g.network}, {"network_id": g.other_network}],
        base=_server(),
        out_of_band_change=_unplug,
    ),
    "block_devices": Row(_boot(1), _boot(2), base=_server()),
    "key_name": Row(lambda g: g.key_names[0], lambda g: g.key_names[1], base=_server()),
    "availability_zone": Row(lambda g: g.landscape.zones[0], lambda g: g.landscape.zones[-1], base=_server()),
    "user_data": Row("#!/bin/sh", "IyEvYmluL2Jhc2g=", base=_server()),
    "config_drive": Row(True, False, base=_server()),
    "personality": Row(
        [{"path": "/etc/motd", "contents": "one"}], [{"path": "/etc/motd", "contents": "two"}], base=_server()
    ),
    # The networks of the tests do not belong to the administrator.
    "hypervisor_hostname": Row(
        lambda g: _hosts(g)[0],
        lambda g: _hosts(g)[1],
        base=_server(networks="none"),
        admin=True,
        refusal="requested_destination",
    ),
    "scheduler_hints": Row(
        lambda g: {"group": g.server_groups[0]}, lambda g: {"group": g.server_groups[1]}, base=_server()
    ),
    "disk_config": Row("AUTO", "MANUAL", base=_server()),
    "image_policy": Row("rebuild", "replace", base=_server()),
    "stop_before_resize": Row(False, True, base=_server()),
    "stop_before_delete": Row(True, False, base=_server()),
    "force_delete": Row(True, False, base=_server()),
}


def _nic(**inputs: Any) -> Any:
    return lambda g: {"server_id": g.server, **inputs}


def _nic_in_network(**inputs: Any) -> Any:
    return lambda g: {"server_id": g.server, "network_id": g.subnet and g.network, **inputs}


INTERFACE_ATTACHMENT = {
    "server_id": Row(lambda g: g.server, lambda g: g.other_server, base=_nic_in_network()),
    "port_id": Row(lambda g: g.ports[0], lambda g: g.ports[1], base=_nic(), required=True, delete_first=True),
    "network_id": Row(lambda g: g.subnet and g.network, lambda g: g.other_network, base=_nic(), required=True),
    "fixed_ips": Row(
        [{"ip_address": "10.90.1.70"}],
        [{"ip_address": "10.90.1.71"}],
        base=_nic_in_network(),
        keeps="the addresses are used only when the NIC is created",
        delete_first=True,
    ),
    "tag": Row("one", "two", base=_nic_in_network()),
}
