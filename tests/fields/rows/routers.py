"""The fields of Router, RouterInterface and RouterRoute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fields.rows.neutron import NETWORK
from tests.fields.rows.row import Row, put, tag

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures


def _gateway(**info: Any) -> Any:
    def change(fixtures: CloudFixtures) -> dict[str, Any]:
        public = {"network_id": fixtures.external_subnet.network_id}
        return public | {name: value(fixtures) if callable(value) else value for name, value in info.items()}

    return put(external_gateway_info=change)


def _fixed_ip(number: int) -> Any:
    return lambda g: [{"subnet_id": g.external_subnet.id, "ip_address": g.external_address(number)}]


def _external(fixtures: CloudFixtures) -> str:
    return fixtures.landscape.external_network


_OUTSIDE = {"external_network": _external}

ROUTER = {
    "name": Row("fields-one", "fields-two", out_of_band_change=put(name="fields-by-hand")),
    "description": Row("one", "two", clear="", out_of_band_change=put(description="by hand")),
    "admin_state_up": Row(False, True, out_of_band_change=put(admin_state_up=True)),
    "external_network": Row(
        _external, lambda g: g.other_external_network, clear="", out_of_band_change=put(external_gateway_info={})
    ),
    "external_fixed_ips": Row(
        _fixed_ip(40),
        _fixed_ip(41),
        base=_OUTSIDE,
        admin=True,
        keeps="a gateway has an address",
        out_of_band_change=_gateway(external_fixed_ips=_fixed_ip(42)),
    ),
    "enable_snat": Row(False, True, base=_OUTSIDE, admin=True, out_of_band_change=_gateway(enable_snat=True)),
    "distributed": Row(True, False, admin=True),
    "ha": Row(True, False, admin=True, lacks=lambda g: g.missing_router_agents),
    "flavor_id": Row("", "", lacks=lambda _: "no driver of the clouds offers router flavors"),
    "availability_zone_hints": NETWORK["availability_zone_hints"],
    "tags": Row(["a", "b"], ["c", "b"], out_of_band_change=tag),
    "project_id": NETWORK["project_id"],
    "value_specs": Row({"admin_state_up": False}, {"admin_state_up": True}),
}


def _interface(**inputs: Any) -> Any:
    return lambda g: {"router_id": g.routers[0], "subnet_id": g.subnet, **inputs}


ROUTER_INTERFACE = {
    "router_id": Row(lambda g: g.routers[0], lambda g: g.routers[1], base=_interface(), delete_first=True),
    "subnet_id": Row(
        lambda g: g.subnet,
        lambda g: g.other_subnet,
        base=lambda g: {"router_id": g.routers[0]},
        required=True,
    ),
    "port_id": Row(
        lambda g: g.make("Port", network_id=g.subnet and g.network).id,
        once="the cloud deletes the port with the interface",
        base=lambda g: {"router_id": g.routers[0]},
        required=True,
    ),
}


def _route(**inputs: Any) -> Any:
    return lambda g: {
        "router_id": g.connected_routers[0],
        "destination": "192.168.90.0/24",
        "nexthop": "10.90.3.10",
        **inputs,
    }


ROUTER_ROUTE = {
    "router_id": Row(
        lambda g: g.connected_routers[0],
        lambda g: g.connected_routers[1],
        base=_route(),
        then={"nexthop": "10.90.4.10"},
    ),
    "destination": Row("192.168.90.0/24", "192.168.91.0/24", base=_route()),
    "nexthop": Row("10.90.3.10", "10.90.3.11", base=_route()),
}
