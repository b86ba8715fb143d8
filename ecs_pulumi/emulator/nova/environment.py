"""Availability zones, limits, server groups, and Nova's proxy of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import NAME, Schema, body, fields
from ecs_pulumi.emulator.versioned import require_below

from .instance import new_id
from .service import require_admin, service
from .usage import get_usage

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

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
    properties: Schema = {"name": NAME}
    if call.at_least(64):
        properties |= {"policy": policy, "rules": {"type": "object"}}
    else:
        properties["policies"] = {"type": "array", "maxItems": 1, "items": policy}
    requested = body(call, "server_group", fields(properties, "name", "policy" if call.at_least(64) else "policies"))
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
