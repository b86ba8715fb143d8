"""Availability zones, limits, quotas, server groups, extensions, and Nova's proxies of networks and security groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from . import schema
from .instance import new_id, render_security_group
from .schema import NAME
from .service import forbid, require_below, service
from .usage import get_usage

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

NETWORK_FIELDS = (
    *("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2"),
    *("cidr_v6", "gateway_v6", "netmask_v6"),
)
NETWORK_QUOTAS = ("fixed_ips", "floating_ips", "security_group_rules", "security_groups")
FILE_QUOTAS = ("injected_file_content_bytes", "injected_file_path_bytes", "injected_files")
QUOTAS = (
    *("cores", "instances", "key_pairs", "metadata_items", "ram"),
    *("server_group_members", "server_groups"),
)
EXTENSIONS = (
    ("OS-DCF", "DiskConfig", "Disk Management Extension."),
    ("OS-EXT-AZ", "ExtendedAvailabilityZone", "Extended Availability Zone support."),
    ("OS-EXT-STS", "ExtendedStatus", "Extended Status support."),
    ("os-attach-interfaces", "AttachInterfaces", "Attach interface support."),
    ("os-availability-zone", "AvailabilityZone", "1. Add availability_zone to the Create Server API."),
    ("os-instance-actions", "InstanceActions", "View a log of actions and events taken on an instance."),
    ("os-keypairs", "Keypairs", "Keypair Support."),
    ("os-networks", "Networks", "Admin-only Network Management Extension."),
    ("os-quota-sets", "Quotas", "Quotas management support."),
    ("os-server-groups", "ServerGroups", "Server group support."),
    ("os-volumes", "Volumes", "Volumes support."),
)


@service.get("/os-availability-zone")
def zones(call: Call) -> dict[str, Any]:
    """`GET /os-availability-zone`."""
    return {
        "availabilityZoneInfo": [
            {"zoneName": zone, "zoneState": {"available": True}, "hosts": None} for zone in sorted(call.zones())
        ]
    }


@service.get("/os-availability-zone/detail")
def zones_detail(call: Call) -> dict[str, Any]:
    """`GET /os-availability-zone/detail`: for administrators."""
    if not call.is_admin:
        raise forbid("os-availability-zone:detail")
    return zones(call)


@service.get("/limits")
def limits(call: Call) -> dict[str, Any]:
    """`GET /limits`."""
    usage = get_usage(call, call.project_id)
    absolute = {
        "maxTotalInstances": call.quota("instances"),
        "maxTotalCores": call.quota("cores"),
        "maxTotalRAMSize": call.quota("ram"),
        "maxServerMeta": call.quota("metadata_items"),
        "maxImageMeta": call.quota("metadata_items"),
        "maxPersonality": call.quota("injected_files"),
        "maxPersonalitySize": call.quota("injected_file_content_bytes"),
        "maxTotalKeypairs": call.quota("key_pairs"),
        "maxServerGroups": call.quota("server_groups"),
        "maxServerGroupMembers": call.quota("server_group_members"),
        "maxTotalFloatingIps": -1,
        "maxSecurityGroups": -1,
        "maxSecurityGroupRules": -1,
        "totalRAMUsed": usage["ram"],
        "totalCoresUsed": usage["cores"],
        "totalInstancesUsed": usage["instances"],
        "totalFloatingIpsUsed": 0,
        "totalSecurityGroupsUsed": 0,
        "totalServerGroupsUsed": call.count("server_group", project_id=call.project_id),
    }
    removed: list[str] = []
    if call.at_least(36):
        removed += ["maxTotalFloatingIps", "maxSecurityGroups", "maxSecurityGroupRules"]
        removed += ["totalFloatingIpsUsed", "totalSecurityGroupsUsed"]
    if call.at_least(39):
        removed.append("maxImageMeta")
    if call.at_least(57):
        removed += ["maxPersonality", "maxPersonalitySize"]
    return {"limits": {"rate": [], "absolute": {k: v for k, v in absolute.items() if k not in removed}}}


@service.get("/os-quota-sets/{project_id}")
def quota_set(call: Call, project_id: str) -> dict[str, Any]:
    """`GET /os-quota-sets/{project}`."""
    return {"quota_set": {"id": project_id} | {name: _limit(call, name) for name in _quota_names(call)}}


@service.get("/os-quota-sets/{project_id}/defaults")
def quota_defaults(call: Call, project_id: str) -> dict[str, Any]:
    """`GET /os-quota-sets/{project}/defaults`."""
    return quota_set(call, project_id)


@service.get("/os-quota-sets/{project_id}/detail")
def quota_detail(call: Call, project_id: str) -> dict[str, Any]:
    """`GET /os-quota-sets/{project}/detail`: limits with usage."""
    usage = get_usage(call, project_id)
    return {
        "quota_set": {"id": project_id}
        | {
            name: {"limit": _limit(call, name), "in_use": usage.get(name, 0), "reserved": 0}
            for name in _quota_names(call)
        }
    }


@service.put("/os-quota-sets/{project_id}")
def set_quota(call: Call, project_id: str) -> dict[str, Any]:
    """`PUT /os-quota-sets/{project}`: for administrators."""
    if not call.is_admin:
        raise forbid("os-quota-sets:update")
    requested = call.json().get("quota_set", {})
    call.cloud.set_quota(**{name: int(value) for name, value in requested.items() if name in QUOTAS})
    return quota_set(call, project_id)


def _quota_names(call: Call) -> list[str]:
    names = list(QUOTAS)
    if not call.at_least(36):
        names += NETWORK_QUOTAS
    if not call.at_least(57):
        names += FILE_QUOTAS
    return sorted(names)


def _limit(call: Call, name: str) -> int:
    return -1 if name in NETWORK_QUOTAS else call.quota(name)


@service.get("/os-networks")
def networks(call: Call) -> dict[str, Any]:
    """`GET /os-networks`: the fields of the ECS guide, a subset of Neutron's."""
    require_below(call, 36)
    return {"networks": [_render_network(each) for each in _visible_networks(call)]}


@service.get("/os-networks/{network_id}")
def network(call: Call, network_id: str) -> dict[str, Any]:
    """`GET /os-networks/{id}`."""
    require_below(call, 36)
    for each in _visible_networks(call):
        if each["id"] == network_id:
            return {"network": _render_network(each)}
    raise HttpError(404, "Network not found")


def _visible_networks(call: Call) -> list[Document]:
    return [
        each
        for each in call.find("network")
        if each["project_id"] == call.project_id or each["shared"] or each["router:external"]
    ]


def _render_network(each: Document) -> dict[str, Any]:
    return {"id": each["id"], "label": each["name"]} | dict.fromkeys(NETWORK_FIELDS)


@service.get("/extensions")
def extensions(call: Call) -> dict[str, Any]:  # noqa: ARG001
    """`GET /extensions`: only the extensions that clients look for."""
    return {
        "extensions": [
            {
                "alias": alias,
                "description": description,
                "links": [],
                "name": name,
                "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
                "updated": "2014-12-03T00:00:00Z",
            }
            for alias, name, description in EXTENSIONS
        ]
    }


@service.get("/os-security-groups")
def security_groups(call: Call) -> dict[str, Any]:
    """`GET /os-security-groups`: the security groups of Neutron."""
    require_below(call, 36)
    groups = call.find("security_group", project_id=call.project_id)
    return {"security_groups": [render_security_group(call, group) for group in groups]}


@service.get("/os-server-groups")
def server_groups(call: Call) -> dict[str, Any]:
    """`GET /os-server-groups`."""
    groups = call.find("server_group", project_id=call.project_id)
    return {"server_groups": [_render_group(call, group) for group in groups]}


@service.post("/os-server-groups")
def create_server_group(call: Call) -> Reply:
    """`POST /os-server-groups`: one policy, in `policies` up to 2.63, in `policy` with `rules` since 2.64."""
    kinds = ["anti-affinity", "affinity"]
    if call.at_least(15):
        kinds += ["soft-anti-affinity", "soft-affinity"]
    policy = {"type": "string", "enum": kinds}
    properties: dict[str, Any] = {"name": NAME}
    if call.at_least(64):
        properties |= {"policy": policy, "rules": {"type": "object"}}
    else:
        properties["policies"] = {"type": "array", "maxItems": 1, "items": policy}
    required = ["name", "policy" if call.at_least(64) else "policies"]
    requested = schema.body(call, "server_group", {"type": "object", "properties": properties, "required": required})
    group = {
        "id": new_id(),
        "name": requested["name"],
        "policy": requested["policy"] if call.at_least(64) else requested["policies"][0],
        "rules": requested.get("rules", {}),
        "members": [],
        "project_id": call.project_id,
        "user_id": call.user_id,
    }
    call.put("server_group", group)
    return Reply(200, {"server_group": _render_group(call, group)})


@service.get("/os-server-groups/{group_id}")
def server_group(call: Call, group_id: str) -> dict[str, Any]:
    """`GET /os-server-groups/{id}`."""
    return {"server_group": _render_group(call, _get_group(call, group_id))}


@service.delete("/os-server-groups/{group_id}")
def delete_server_group(call: Call, group_id: str) -> None:
    """`DELETE /os-server-groups/{id}`."""
    call.remove("server_group", _get_group(call, group_id)["id"])


def _get_group(call: Call, group_id: str) -> Document:
    group = call.get("server_group", group_id)
    if group is None or group["project_id"] != call.project_id:
        raise HttpError(404, f"Instance group {group_id} could not be found.")
    return group


def _render_group(call: Call, group: Document) -> dict[str, Any]:
    members = [id_ for id_ in group["members"] if (call.get("server", id_) or {"deleted": True})["deleted"] is False]
    rendered: dict[str, Any] = {"id": group["id"], "name": group["name"], "members": members}
    if call.at_least(64):
        rendered |= {"policy": group["policy"], "rules": group["rules"]}
    else:
        rendered |= {"policies": [group["policy"]], "metadata": {}}
    if call.at_least(13):
        rendered |= {"project_id": group["project_id"], "user_id": group["user_id"]}
    return rendered


def _register_admin_list(path: str, rule: str) -> None:
    @service.get(path)
    def index(call: Call) -> dict[str, Any]:
        if call.is_admin:
            return {path.strip("/").removeprefix("os-"): []}
        raise forbid(rule)


_register_admin_list("/os-hypervisors", "os-hypervisors:list")
_register_admin_list("/os-services", "os-services:list")
_register_admin_list("/os-aggregates", "os-aggregates:index")


@service.post("/os-aggregates")
def create_aggregate(call: Call) -> dict[str, Any]:  # noqa: ARG001
    """`POST /os-aggregates`: always rejected."""
    raise forbid("os-aggregates:create")
