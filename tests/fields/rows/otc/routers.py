"""The fields of routers and floating IPs that are different on an Open Telekom Cloud."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.fields.rows.floating_ips import FLOATING_IP
from tests.fields.rows.otc.outcomes import ANY_ID, DESCRIPTION, TAGS, NotOffered, OtcRow
from tests.fields.rows.routers import ROUTER
from tests.fields.rows.row import NONE, Row, put

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource


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


ROUTER_ON_OTC: dict[str, OtcRow] = {
    "description": DESCRIPTION,
    "tags": TAGS,
    "admin_state_up": NotOffered("admin_state_up"),
    # A router always has a gateway.
    "external_network": replace(ROUTER["external_network"], clear=NONE, out_of_band_change=_other_gateway),
    "external_fixed_ips": NotOffered("external_fixed_ips"),
    "enable_snat": NotOffered("enable_snat", value=True),
    "availability_zone_hints": NotOffered("availability_zone_hints", ["eu-de-01"]),
    "value_specs": Row({"admin_state_up": True}, _own_project),
}

FLOATING_IP_ON_OTC: dict[str, OtcRow] = {
    "description": DESCRIPTION,
    "tags": TAGS,
    "subnet_ids": NotOffered("subnet_ids", only="refuse"),
    "fixed_ip": None,
    "dns_name": NotOffered("dns_name", base=_beside_another),
    "dns_domain": NotOffered("dns_domain", base=_beside_another),
    "qos_policy_id": NotOffered("qos_policy_id", ANY_ID, base=_beside_another),
    "value_specs": replace(FLOATING_IP["value_specs"], first=_own_project, second=_own_project_twice),
}

FLOATING_IP_ASSOCIATION_ON_OTC: dict[str, OtcRow] = {"fixed_ip": None}
