"""Server groups: `/os-server-groups`, and the membership of a new server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import COUNT, NAME, Schema, body, fields, number

from .instance import find_server, new_id
from .service import LIST_LIMIT, page, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document


@service.get("/os-server-groups")
def list_groups(call: Call) -> dict[str, Any]:
    """`GET /os-server-groups`: pages by `limit` and `offset`, without links to the next page."""
    everything = call.is_admin and "all_projects" in call.query
    groups = call.find("server_group", **({} if everything else {"project_id": call.project_id}))
    _, limit = page(call)
    offset = number(call.param("offset") or "0")
    if offset is None:
        raise HttpError(400, "offset param must be an integer")
    return {"server_groups": [_render(call, group) for group in groups[offset : offset + (limit or LIST_LIMIT)]]}


@service.post("/os-server-groups")
def create_group(call: Call) -> Reply:
    """`POST /os-server-groups`: one policy, in `policies` up to 2.63, in `policy` with `rules` since 2.64."""
    requested = body(call, "server_group", _schema(call))
    policy = requested["policy"] if call.at_least(64) else requested["policies"][0]
    rules = {name: int(value) for name, value in requested.get("rules", {}).items()}
    if rules and policy != "anti-affinity":
        raise HttpError(400, "Only anti-affinity policy supports rules.")
    if 0 <= call.quota("server_groups") <= call.count("server_group", project_id=call.project_id):
        raise HttpError(403, "Quota exceeded, too many server groups.")
    group = {
        "id": new_id(),
        "name": requested["name"],
        "policy": policy,
        "rules": rules,
        "members": [],
        "project_id": call.project_id,
        "user_id": call.user_id,
    }
    call.put("server_group", group)
    return Reply(200, {"server_group": _render(call, group)})


@service.get("/os-server-groups/{group_id}")
def show_group(call: Call, group_id: str) -> dict[str, Any]:
    """`GET /os-server-groups/{id}`."""
    return {"server_group": _render(call, _get(call, group_id))}


@service.delete("/os-server-groups/{group_id}")
def delete_group(call: Call, group_id: str) -> None:
    """`DELETE /os-server-groups/{id}`; its servers remain, without a group."""
    call.remove("server_group", _get(call, group_id)["id"])


def join(call: Call, group_id: str | None, server_id: str) -> None:
    """Add a new server to the group of its hints; 403 if the group has as many servers as the quota allows."""
    group = call.get("server_group", group_id or "")
    if group is None:
        return
    if 0 <= call.quota("server_group_members") <= len(members(call, group)):
        raise HttpError(403, "Quota exceeded, too many servers in group")
    call.put("server_group", group | {"members": [*group["members"], server_id]})


def members(ctx: Context, group: Document) -> list[str]:
    """Return the ids of the servers in a group, without deleted ones."""
    return [id_ for id_ in group["members"] if find_server(ctx, id_)]


def _schema(call: Call) -> Schema:
    policies = ["anti-affinity"]
    if not call.is_otc:
        policies.append("affinity")
        if call.at_least(15):
            policies += ["soft-anti-affinity", "soft-affinity"]
    policy: Schema = {"type": "string", "enum": policies}
    if call.at_least(64):
        rules = fields({"max_server_per_host": COUNT})
        return fields({"name": NAME, "policy": policy, "rules": rules}, "name", "policy")
    listed = {"type": "array", "items": policy, "minItems": 1, "maxItems": 1}
    return fields({"name": NAME, "policies": listed}, "name", "policies")


def _get(call: Call, group_id: str) -> Document:
    group = call.get("server_group", group_id)
    if group is None or group["project_id"] != call.project_id:
        raise HttpError(404, f"Instance group {group_id} could not be found.")
    return group


def _render(call: Call, group: Document) -> dict[str, Any]:
    rendered: dict[str, Any] = {"id": group["id"], "name": group["name"], "members": members(call, group)}
    if call.at_least(64):
        rendered |= {"policy": group["policy"], "rules": group["rules"]}
    else:
        rendered |= {"policies": [group["policy"]], "metadata": {}}
    if call.at_least(13):
        rendered |= {"project_id": group["project_id"], "user_id": group["user_id"]}
    return rendered
