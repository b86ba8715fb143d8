"""The fields of FloatingIp and FloatingIpAssociation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fields.rows.neutron import NETWORK
from tests.fields.rows.row import Row, put, tag

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource


def _external(fixtures: CloudFixtures) -> str:
    return fixtures.landscape.external_network


_OUTSIDE = {"external_network": _external}
_QOS = NETWORK["qos_policy_id"]


def _outside(**inputs: Any) -> dict[str, Any]:
    return {**_OUTSIDE, **inputs}


def _two_addresses(g: CloudFixtures) -> dict[str, Any]:
    return _outside(port_id=g.port_with_two_addresses)


def _other_subnet(g: CloudFixtures) -> list[str]:
    network = g.cloud.network.find_network(g.other_external_network, ignore_missing=False)
    return list(network.subnet_ids)


FLOATING_IP = {
    "external_network": Row(_external, lambda g: g.other_external_network, required=True),
    "address": Row(
        lambda g: g.external_address(50),
        lambda g: g.external_address(51),
        base=_OUTSIDE,
        admin=True,
        delete_first=True,
    ),
    "subnet_ids": Row(
        lambda g: [g.external_subnet.id],
        _other_subnet,
        base=_OUTSIDE,
        then=lambda g: {"external_network": g.other_external_network},
    ),
    "port_id": Row(
        lambda g: g.published_ports[0],
        lambda g: g.published_ports[1],
        base=_OUTSIDE,
        clear="",
        out_of_band_change=put(port_id=None),
    ),
    "fixed_ip": Row(
        "10.90.5.11",
        "10.90.5.12",
        base=_two_addresses,
        out_of_band_change=put(port_id=lambda g: g.port_with_two_addresses, fixed_ip_address="10.90.5.12"),
    ),
    "description": Row("one", "two", base=_OUTSIDE, clear="", out_of_band_change=put(description="by hand")),
    "dns_name": Row("one", "two", base=_outside(dns_domain="example.org."), extension="dns-integration"),
    "dns_domain": Row(
        "one.example.org.", "two.example.org.", base=_outside(dns_name="web"), extension="dns-integration"
    ),
    "qos_policy_id": Row(
        _QOS.first, _QOS.second, base=_OUTSIDE, clear="", extension="qos", out_of_band_change=_QOS.out_of_band_change
    ),
    "tags": Row(["a", "b"], ["c", "b"], base=_OUTSIDE, out_of_band_change=tag),
    "project_id": Row(
        NETWORK["project_id"].first,
        NETWORK["project_id"].second,
        base=_OUTSIDE,
        admin=True,
        denied=NETWORK["project_id"].denied,
        refusal="project",
    ),
    "value_specs": Row({"description": "one"}, {"description": "two"}, base=_OUTSIDE),
}


def _moved(port: Any, **attributes: Any) -> Any:
    def change(fixtures: CloudFixtures, resource: Resource) -> None:
        fixtures.cloud.network.update_ip(resource.id, port_id=port(fixtures), **attributes)

    return change


FLOATING_IP_ASSOCIATION = {
    "floating_ip_id": Row(
        lambda g: g.floating_ips[0],
        lambda g: g.floating_ips[1],
        base=lambda g: {"port_id": g.published_ports[0]},
        required=True,
        delete_first=True,
    ),
    "port_id": Row(
        lambda g: g.published_ports[0],
        lambda g: g.published_ports[1],
        base=lambda g: {"floating_ip_id": g.floating_ips[0]},
        required=True,
        out_of_band_change=_moved(lambda g: g.published_ports[1]),
    ),
    "fixed_ip": Row(
        "10.90.5.11",
        "10.90.5.12",
        base=lambda g: {"floating_ip_id": g.floating_ips[0], "port_id": g.port_with_two_addresses},
        out_of_band_change=_moved(lambda g: g.port_with_two_addresses, fixed_ip_address="10.90.5.12"),
    ),
}
