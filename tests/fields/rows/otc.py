"""What is different in the table of fields on an Open Telekom Cloud, by kind and field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.fields.rows.compute import SERVER
from tests.fields.rows.floating_ips import FLOATING_IP
from tests.fields.rows.neutron import PORT, SUBNET
from tests.fields.rows.routers import ROUTER
from tests.fields.rows.row import NONE, Row, put
from tests.fields.rows.storage import VOLUME

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource


@dataclass(frozen=True)
class NotOffered:
    """A field that the cloud refuses: preview or `up` fails with one line, and no object is left.

    Attributes:
        reason: A pattern of the error message.
        value: The value that is refused; the first value of the row if not given.
        base: The other inputs, if they are different from those of the row.
        only: The rule for unknown attributes under which it is refused, if the other one makes no difference.
        is_ignored: Whether the cloud always ignores the field, instead of refusing it; then the object is left.
    """

    reason: str
    value: Any = NONE
    base: Any = None
    is_ignored: bool = False
    only: str = ""


@dataclass(frozen=True)
class NotKept:
    """A field without which the object is useful: a warning names it, and no preview shows a change of it.

    Attributes:
        warning: A pattern of the warning.
        value: The value that is not kept; the first value of the row if not given.
        base: The other inputs, if they are different from those of the row.
    """

    warning: str
    value: Any = NONE
    base: Any = None


@dataclass(frozen=True)
class NotChanged:
    """A field that only a create can set: an update fails with one line, and the object keeps the first value.

    Attributes:
        reason: A pattern of the error message.
        value: The value that a create sets; the first value of the row if not given.
        second: The value to which it cannot be changed; the second value of the row if not given.
    """

    reason: str
    value: Any = NONE
    second: Any = NONE


OtcRow = Row | NotOffered | NotKept | NotChanged

_ID = "0b3ed1e7-2b1d-4a6e-8f7e-3a2d6d0c8b0e"


def _six(fixtures: CloudFixtures) -> dict[str, Any]:
    return {"network_id": fixtures.network_with_subnet, "ip_version": 6}


def _other_gateway(fixtures: CloudFixtures, resource: Resource) -> None:
    network = fixtures.admin.network.find_network(fixtures.other_external_network, ignore_missing=False)
    put(external_gateway_info={"network_id": network.id})(fixtures, resource)


def _own_project_twice(fixtures: CloudFixtures) -> dict[str, str]:
    return {"tenant_id": fixtures.project_id, "project_id": fixtures.project_id}


def _beside_another(fixtures: CloudFixtures) -> dict[str, Any]:
    # A preview learns from another floating IP which attributes they have.
    assert fixtures.floating_ips
    return {"external_network": fixtures.landscape.external_network}


def _own_project(fixtures: CloudFixtures) -> dict[str, str]:
    return {"tenant_id": fixtures.project_id}


_ONE_ADDRESS = Row("", "", lacks=lambda _: "a port has one address")

TEN_GIB = {"size": 10}
IN_SECOND_ZONE = {"size": 10, "availability_zone": "eu-de-02"}


def _extend(fixtures: CloudFixtures, resource: Resource) -> None:
    storage = fixtures.cloud.block_storage
    storage.extend_volume(resource.id, 12)
    fixtures.wait_for(lambda: storage.get_volume(resource.id).size == 12)


def _retype(fixtures: CloudFixtures, resource: Resource) -> None:
    storage = fixtures.cloud.block_storage
    url = str(storage.get_endpoint()).replace("/v3/", "/v2/")
    answer = storage.post(f"{url}/volumes/{resource.id}/retype", json={"os-retype": {"new_type": "ESSD"}})
    assert answer.status_code == 202, answer.text
    fixtures.wait_for(lambda: storage.get_volume(resource.id).volume_type == "ESSD")


def _remove_metadata(fixtures: CloudFixtures, resource: Resource) -> None:
    fixtures.cloud.block_storage.delete_volume_metadata(resource.id, ["a"])


OTC_VOLUME: dict[str, OtcRow] = {
    "size": Row(10, 11, out_of_band_change=_extend),
    "metadata": Row({"a": "1", "b": "2"}, {"b": "3"}, base=TEN_GIB, out_of_band_change=_remove_metadata),
    # Every change is to another kind of SSD: the cloud allows no way back from one of them to SAS.
    "volume_type": Row("SSD", "GPSSD", base=IN_SECOND_ZONE, out_of_band_change=_retype),
    "retype_policy": replace(VOLUME["retype_policy"], base=TEN_GIB),
    "availability_zone": Row("eu-de-01", "eu-de-02", base=TEN_GIB),
    "image": replace(VOLUME["image"], base={"size": 8}),
    "snapshot_id": replace(VOLUME["snapshot_id"], base=TEN_GIB),
    "source_volume_id": NotOffered("source_volume_id: .*not supported", base=TEN_GIB),
    "backup_id": NotOffered("backup_id: .*invalid backup id", value=_ID, base=TEN_GIB),
    "multiattach": Row(True, False, base=TEN_GIB),
    "scheduler_hints": NotOffered("scheduler_hints: .*remove it", base=TEN_GIB),
    "read_only": replace(VOLUME["read_only"], base=TEN_GIB),
}


def _port(**inputs: Any) -> Any:
    return lambda g: {"network_id": g.subnet and g.network, **inputs}


def _root(size: int) -> list[dict[str, Any]]:
    return [{**SERVER["block_devices"].first[0], "volume_size": size}]


def _unplug_second(fixtures: CloudFixtures, resource: Resource) -> None:
    (nic,) = (each for each in fixtures.cloud.compute.server_interfaces(resource.id) if each.net_id != fixtures.network)
    fixtures.cloud.compute.delete_server_interface(nic.port_id, server=resource.id)
    fixtures.wait_for(lambda: len(fixtures.cloud.compute.get_server(resource.id).addresses) == 1)


def _removed(name: str) -> NotOffered:
    return NotOffered(rf"{name}: this cloud does not offer it; remove it from the program")


OTC_SERVER: dict[str, OtcRow] = {
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


OTC: dict[str, dict[str, OtcRow]] = {
    "KeyPair": {},
    "Network": {
        "description": NotKept("description: not kept"),
        "tags": NotKept("tags: not kept"),
        "admin_state_up": NotOffered("admin_state_up"),
        "mtu": NotOffered("mtu"),
        "dns_domain": NotOffered("dns_domain"),
        "qos_policy_id": NotOffered("qos_policy_id", _ID),
        "transparent_vlan": NotOffered("transparent_vlan"),
        "availability_zone_hints": NotOffered("availability_zone_hints", ["eu-de-01"]),
        "value_specs": Row({"port_security_enabled": True}, {"port_security_enabled": False}),
    },
    "SecurityGroup": {
        "tags": NotKept("tags: not kept"),
        "stateful": NotOffered("stateful"),
        "value_specs": Row({"description": "one"}, {"description": "two"}),
    },
    "Port": {
        "description": NotKept("description: not kept"),
        "tags": NotKept("tags: not kept"),
        "admin_state_up": NotChanged("admin_state_up"),
        "fixed_ips": NotChanged("fixed_ips", second=[{"ip_address": "10.90.1.51"}]),
        "security_group_ids": replace(PORT["security_group_ids"], never_empty="a port needs a security group"),
        "mac_address": NotOffered("mac_address"),
        "device_owner": Row("neutron:VIP_PORT", once="the cloud allows no other value", base=_port()),
        # Another port shows in preview which attributes no port has.
        "dns_name": NotOffered("dns_name", base=lambda g: {"network_id": g.ports and g.network}),
        "qos_policy_id": NotOffered("qos_policy_id", _ID, base=lambda g: {"network_id": g.ports and g.network}),
        "value_specs": Row({"port_security_enabled": True}, {"port_security_enabled": False}, base=_port()),
    },
    "InterfaceAttachment": {"tag": NotOffered("tag")},
    "SecurityGroupRule": {},
    "Server": OTC_SERVER,
    "ServerGroup": {
        "policy": Row("anti-affinity", required=True, once="the cloud has no other policy"),
        "max_server_per_host": NotOffered("max_server_per_host: needs compute microversion 2.64"),
    },
    "Volume": OTC_VOLUME,
    "VolumeAttachment": {
        "tag": NotOffered("'tag' was unexpected"),
        "delete_on_termination": NotOffered("delete_on_termination: needs compute microversion 2.79"),
    },
    "Subnet": {
        "cidr": replace(SUBNET["cidr"], delete_first=True),
        # The cloud chooses the range of an IPv6 subnet.
        "ip_version": replace(SUBNET["ip_version"], then={"cidr": None}),
        "ipv6_address_mode": Row("dhcpv6-stateful", base=_six, once="the cloud has only one mode"),
        "ipv6_ra_mode": Row("dhcpv6-stateful", base=_six, once="the cloud has only one mode"),
        "prefix_length": NotOffered("prefix_length"),
        "gateway_ip": NotChanged("gateway_ip: this cloud does not change it"),
        "no_gateway": NotOffered("no_gateway"),
        "enable_dhcp": NotOffered("enable_dhcp"),
        "host_routes": NotOffered("host_routes", is_ignored=True),
        "service_types": NotOffered("service_types"),
        "dns_publish_fixed_ip": NotOffered("dns_publish_fixed_ip"),
        "segment_id": NotOffered("segment_id", _ID),
        "description": NotKept("description: not kept"),
        "tags": NotKept("tags: not kept"),
    },
    "Router": {
        "description": NotKept("description: not kept"),
        "tags": NotKept("tags: not kept"),
        "admin_state_up": NotOffered("admin_state_up"),
        # A router always has a gateway.
        "external_network": replace(ROUTER["external_network"], clear=NONE, out_of_band_change=_other_gateway),
        "external_fixed_ips": NotOffered("external_fixed_ips"),
        "enable_snat": NotOffered("enable_snat", value=True),
        "availability_zone_hints": NotOffered("availability_zone_hints", ["eu-de-01"]),
        "value_specs": Row({"admin_state_up": True}, _own_project),
    },
    "RouterInterface": {},
    "RouterRoute": {},
    "FloatingIp": {
        "description": NotKept("description: not kept"),
        "tags": NotKept("tags: not kept"),
        "subnet_ids": NotOffered("subnet_ids", only="refuse"),
        "fixed_ip": _ONE_ADDRESS,
        "dns_name": NotOffered("dns_name", base=_beside_another),
        "dns_domain": NotOffered("dns_domain", base=_beside_another),
        "qos_policy_id": NotOffered("qos_policy_id", _ID, base=_beside_another),
        "value_specs": replace(FLOATING_IP["value_specs"], first=_own_project, second=_own_project_twice),
    },
    "FloatingIpAssociation": {"fixed_ip": _ONE_ADDRESS},
}
"""The kinds whose fields are tested on an Open Telekom Cloud, and the rows of the fields that differ there."""
