"""The fields of SecurityGroup and SecurityGroupRule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fields.rows.row import Row, put, tag

if TYPE_CHECKING:
    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource


def _other_project(fixtures: CloudFixtures) -> str:
    return fixtures.other_project_id


def _add_rule(fixtures: CloudFixtures, resource: Resource) -> None:
    fixtures.cloud.network.create_security_group_rule(
        security_group_id=resource.id, direction="ingress", protocol="udp", port_range_min=53, port_range_max=53
    )


_SSH = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "remote_ip_prefix": "10.0.0.0/8"}
_ALL_OUT = {"direction": "egress"}

SECURITY_GROUP = {
    "name": Row("fields-one", "fields-two", out_of_band_change=put(name="fields-by-hand")),
    "description": Row("one", "two", clear="", out_of_band_change=put(description="by hand")),
    "rules": Row(
        [{**_SSH, "ethertype": "IPv4"}, {**_ALL_OUT, "ethertype": "IPv4"}],
        lambda g: [
            {"direction": "ingress", "ethertype": "IPv6", "protocol": "icmp"},
            {**_ALL_OUT, "ethertype": "IPv4"},
            {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": "self", "description": "members"},
            {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": g.groups[0], "protocol": "17"},
        ],
        out_of_band_change=_add_rule,
    ),
    "stateful": Row(False, True, out_of_band_change=put(stateful=True)),
    "tags": Row(["a", "b"], ["c", "b"], out_of_band_change=tag),
    "project_id": Row(
        lambda g: g.project_id, lambda g: g.other_project_id, admin=True, denied=_other_project, refusal="project"
    ),
    "value_specs": Row({"stateful": False}, {"stateful": True}),
}


def _rule(**inputs: Any) -> Any:
    return lambda g: {"security_group_id": g.groups[0], "direction": "ingress", **inputs}


def _tcp(**inputs: Any) -> Any:
    return _rule(protocol="tcp", **inputs)


SECURITY_GROUP_RULE = {
    "security_group_id": Row(lambda g: g.groups[0], lambda g: g.groups[1], base=_tcp()),
    "direction": Row("ingress", "egress", base=_tcp()),
    "ethertype": Row("IPv4", "IPv6", base=_tcp()),
    "protocol": Row("udp", "50", base=_rule()),
    "port_range_min": Row(2200, 2201, base=_tcp(port_range_max=2300), required=True),
    "port_range_max": Row(1, 2, base=_rule(protocol="icmp", port_range_min=3)),
    "remote_ip_prefix": Row("10.1.0.0/16", "10.2.0.0/16", base=_tcp()),
    "remote_group_id": Row(lambda g: g.groups[0], lambda g: g.groups[1], base=_tcp()),
    "remote_address_group_id": Row(
        lambda g: g.address_groups[0], lambda g: g.address_groups[1], base=_tcp(), extension="address-group"
    ),
    "description": Row("one", "two", base=_tcp(), clear="", delete_first=True),
    "project_id": Row(
        lambda g: g.project_id,
        lambda g: g.other_project_id,
        base=_tcp(),
        admin=True,
        delete_first=True,
        denied=_other_project,
        refusal="project",
    ),
}
