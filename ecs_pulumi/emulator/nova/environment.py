"""Availability zones, limits, and Nova's proxy of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.versioned import require_below

from .service import require_admin, service
from .usage import get_usage

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call

NETWORK_FIELDS = (
    *("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2"),
    *("cidr_v6", "gateway_v6", "netmask_v6"),
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
    require_admin(call, "os-availability-zone:detail")
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


QUOTA_SET = (
    *("cores", "fixed_ips", "floating_ips", "injected_file_content_bytes", "injected_file_path_bytes"),
    *("injected_files", "instances", "key_pairs", "metadata_items", "ram", "security_group_rules", "security_groups"),
    *("server_group_members", "server_groups"),
)


@service.get("/os-quota-sets/{project_id}", openstack=False)
def quota_set(call: Call, project_id: str) -> dict[str, Any]:
    """`GET /os-quota-sets/{id}`: the limits, without the use. Those of networks have no meaning, and are unlimited."""
    if project_id != call.project_id:
        require_admin(call, "os-quota-sets:show")
    return {"quota_set": {"id": project_id} | {name: call.quota(name) for name in QUOTA_SET}}


@service.get("/os-quota-sets/{project_id}/defaults", openstack=False)
def default_quota_set(call: Call, project_id: str) -> dict[str, Any]:
    """`GET /os-quota-sets/{id}/defaults`."""
    defaults = call.cloud.dialect.quotas
    return {"quota_set": {"id": project_id} | {name: defaults.get(name, -1) for name in QUOTA_SET}}


@service.get("/os-networks")
def networks(call: Call) -> dict[str, Any]:
    """`GET /os-networks`: the fields of the ECS guide, a subset of Neutron's."""
    require_below(call, 36)
    return {
        "networks": [
            {"id": each["id"], "label": each["name"]} | dict.fromkeys(NETWORK_FIELDS)
            for each in call.find("network")
            if each["project_id"] == call.project_id or each["shared"] or each["router:external"]
        ]
    }
