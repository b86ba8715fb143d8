"""Security groups and their rules. The default group of a project is created on its first use."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply

from . import rule_values
from .collection import (
    check_quota,
    get_owned,
    get_visible,
    listing,
    new_document,
    not_found,
    register_reads,
    render,
    select_fields,
    touch,
)
from .documented import absent
from .refusals import bad_request, conflict
from .resources import ADDRESS_GROUP, SECURITY_GROUP, SECURITY_GROUP_RULE
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

RULE = "security_group_rule"
IN_USE = "Security Group {} in use."


def view(call: Call, doc: Document) -> Document:
    """Return a group as the API shows it, with its rules."""
    rules, hidden = sorted(_rules(call, doc), key=lambda rule: str(rule["id"])), absent(call, RULE)
    return render(call, SECURITY_GROUP, doc) | {
        "shared": False,
        "security_group_rules": [
            _rule_view(call, rule) | {name: value for name, value in _of_group(rule).items() if name not in hidden}
            for rule in rules
        ],
    }


def _of_group(rule: Document) -> Document:
    """Return what a rule has only in its group."""
    return {"tags": [], "standard_attr_id": int(rule["id"][:7], 16)}


def _rule_view(call: Call, doc: Document) -> Document:
    result = render(call, SECURITY_GROUP_RULE, doc)
    result.pop("tags", None)
    return result


def _rules(ctx: Context, group: Document) -> list[Document]:
    return ctx.find(RULE, project_id=group["project_id"], security_group_id=group["id"])


def default_group(ctx: Context, project_id: str) -> Document:
    """Return the project's default group; create it if it does not exist."""
    existing = ctx.find("security_group", project_id=project_id, name="default", limit=1)
    if existing:
        return existing[0]
    values = {
        "name": "default",
        "description": "Default security group",
        "stateful": True,
        "project_id": project_id,
    }
    group = _make_group(ctx, values)
    for ethertype in ("IPv4", "IPv6"):
        _make_rule(ctx, group, direction="ingress", ethertype=ethertype, remote_group_id=group["id"])
    return group


def check_groups(ctx: Context, project_id: str, ids: list[str]) -> None:
    """Reject groups that do not exist or belong to another project, and groups that a port cannot have together."""
    stateful = set()
    for id_ in ids:
        group = ctx.get("security_group", id_)
        if group is None or group["project_id"] != project_id:
            raise not_found(SECURITY_GROUP, id_)
        stateful.add(group["stateful"])
    if len(stateful) > 1:
        reason = "Cannot apply both stateful and stateless security groups on the same port at the same time"
        raise conflict("SecurityGroupConflict", f"Error {reason} while attempting the operation.")


def _make_group(ctx: Context, values: Document) -> Document:
    group = ctx.put("security_group", new_document(ctx, values))
    for ethertype in ("IPv4", "IPv6"):
        _make_rule(ctx, group, direction="egress", ethertype=ethertype)
    return group


def _make_rule(ctx: Context, group: Document, **values: Any) -> Document:
    names = ("protocol", "port_range_min", "port_range_max", *rule_values.REMOTES, "normalized_cidr", "description")
    empty: Document = dict.fromkeys(names)
    owner = {"security_group_id": group["id"], "project_id": group["project_id"]}
    return ctx.put(RULE, new_document(ctx, empty | owner | values, revision=0))


@service.post("/security-groups")
def create_group(call: Call) -> Reply:
    """`POST /security-groups`: the new group allows all egress and no ingress."""
    values = SECURITY_GROUP.read_create(call, extensions(call))
    default_group(call, values["project_id"])
    check_quota(call, "security_group", values["project_id"])
    check_quota(call, RULE, values["project_id"], 2)
    return Reply(201, {"security_group": view(call, _make_group(call, values))})


@service.get("/security-groups")
def list_groups(call: Call) -> Document:
    """`GET /security-groups`."""
    default_group(call, call.project_id)
    return listing(call, SECURITY_GROUP, view=view)


@service.get("/security-groups/{group_id}")
def show_group(call: Call, group_id: str) -> Document:
    """`GET /security-groups/{id}`."""
    default_group(call, call.project_id)
    return {"security_group": select_fields(call, view(call, get_visible(call, SECURITY_GROUP, group_id)))}


@service.put("/security-groups/{group_id}")
def update_group(call: Call, group_id: str) -> Document:
    """`PUT /security-groups/{id}`: the default group cannot be renamed."""
    values = SECURITY_GROUP.read_update(call, extensions(call))
    doc = get_owned(call, SECURITY_GROUP, group_id, "update")
    if values.get("stateful", doc["stateful"]) != doc["stateful"] and _is_used(call, doc):
        raise conflict("SecurityGroupInUse", IN_USE.format(group_id))
    if doc["name"] == "default" and "name" in values:
        message = "Updating default security group not allowed."
        raise conflict("SecurityGroupCannotUpdateDefault", message)
    if doc | values != doc:
        doc = touch(call, "security_group", doc | values)
    return {"security_group": view(call, doc)}


@service.delete("/security-groups/{group_id}")
def delete_group(call: Call, group_id: str) -> None:
    """`DELETE /security-groups/{id}`: deletes the rules that refer to it as well; 409 if a port uses the group."""
    doc = get_owned(call, SECURITY_GROUP, group_id, "delete")
    if _is_used(call, doc):
        raise conflict("SecurityGroupInUse", IN_USE.format(group_id))
    if doc["name"] == "default" and not call.is_admin:
        message = "Insufficient rights for removing default security group."
        raise conflict("SecurityGroupCannotRemoveDefault", message)
    for rule in _rules(call, doc) + call.find(RULE, remote_group_id=group_id):
        call.remove(RULE, rule["id"])
    call.remove("security_group", group_id)


def _is_used(ctx: Context, group: Document) -> bool:
    return any(group["id"] in port["security_groups"] for port in ctx.find("port", project_id=group["project_id"]))


@service.post("/security-group-rules")
def create_rules(call: Call) -> Reply:
    """`POST /security-group-rules`: one rule, or a list of rules, all of which are created or none."""
    listed = SECURITY_GROUP_RULE.read_create_bulk(call, extensions(call))
    if listed is not None and not call.cloud.dialect.bulk_rules:
        raise bad_request("Bulk operation not supported")
    values = listed if listed is not None else [SECURITY_GROUP_RULE.read_create(call, extensions(call))]
    default_group(call, call.project_id)
    check_quota(call, RULE, values[0]["project_id"], len(values))
    for each in values:
        get_visible(call, SECURITY_GROUP, str(each["security_group_id"]))
    created = [_rule_view(call, _create_rule(call, each)) for each in values]
    return Reply(201, {RULE: created[0]} if listed is None else {SECURITY_GROUP_RULE.collection: created})


def _create_rule(call: Call, values: Document) -> Document:
    rule_values.normalize(values)
    rule_values.check(values)
    if values["remote_group_id"]:
        get_visible(call, SECURITY_GROUP, str(values["remote_group_id"]))
    if values["remote_address_group_id"]:
        get_visible(call, ADDRESS_GROUP, str(values["remote_address_group_id"]))
    group = get_visible(call, SECURITY_GROUP, str(values["security_group_id"]))
    for rule in _rules(call, group):
        if rule_values.key_of(rule) == rule_values.key_of(values):
            message = f"Security group rule already exists. Rule id is {rule['id']}."
            raise conflict("SecurityGroupRuleExists", message)
    if values["remote_ip_prefix"]:
        values["normalized_cidr"] = str(ipaddress.ip_network(values["remote_ip_prefix"], strict=False))
    doc = _make_rule(call, group, **values)
    touch(call, "security_group", group)
    return doc


register_reads(SECURITY_GROUP_RULE, _rule_view)


@service.delete("/security-group-rules/{rule_id}")
def delete_rule(call: Call, rule_id: str) -> None:
    """`DELETE /security-group-rules/{id}`."""
    rule = get_owned(call, SECURITY_GROUP_RULE, rule_id, "delete")
    call.remove(RULE, rule_id)
    group = call.get("security_group", rule["security_group_id"])
    if group:
        touch(call, "security_group", group)
