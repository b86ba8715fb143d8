"""Security groups and their rules. The default group of a project is created on its first use."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

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
from .refusals import conflict
from .resources import SECURITY_GROUP, SECURITY_GROUP_RULE
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

RULE = "security_group_rule"
WITH_PORTS = ("tcp", "udp", "sctp", "dccp", "udplite", "6", "17", "132", "33", "136")
ICMP = ("icmp", "icmpv6", "ipv6-icmp", "1", "58")
PROTOCOLS = (
    *("ah", "dccp", "egp", "esp", "gre", "hopopt", "icmp", "igmp", "ip", "ipip", "ipv6-encap"),
    *("ipv6-frag", "ipv6-icmp", "icmpv6", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "ospf", "pgm"),
    *("rsvp", "sctp", "tcp", "udp", "udplite", "vrrp"),
)
LAST_NUMBER = 255
LAST_PORT = 65535
DISTINCT = (
    *("direction", "ethertype", "protocol", "port_range_min", "port_range_max"),
    *("remote_ip_prefix", "remote_group_id"),
)
"""The attributes in which the rules of a group must differ."""


def view(call: Call, doc: Document) -> Document:
    """Return a group as the API shows it, with its rules."""
    rules = sorted(_rules(call, doc), key=lambda rule: str(rule["id"]))
    return render(call, SECURITY_GROUP, doc) | {
        "shared": False,
        "security_group_rules": [
            _rule_view(call, rule) | {"tags": [], "standard_attr_id": int(rule["id"][:7], 16)} for rule in rules
        ],
    }


def _rule_view(call: Call, doc: Document) -> Document:
    result = render(call, SECURITY_GROUP_RULE, doc)
    del result["tags"]
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
    """Reject with 404 a group that does not exist or belongs to another project."""
    for id_ in ids:
        group = ctx.get("security_group", id_)
        if group is None or group["project_id"] != project_id:
            raise not_found(SECURITY_GROUP, id_)


def _make_group(ctx: Context, values: Document) -> Document:
    group = ctx.put("security_group", new_document(ctx, values))
    for ethertype in ("IPv4", "IPv6"):
        _make_rule(ctx, group, direction="egress", ethertype=ethertype)
    return group


def _make_rule(ctx: Context, group: Document, **values: Any) -> Document:
    empty = dict.fromkeys((*DISTINCT, "remote_address_group_id", "normalized_cidr", "description"))
    owner = {"security_group_id": group["id"], "project_id": group["project_id"]}
    return ctx.put(RULE, new_document(ctx, empty | owner | values, revision=0))


@service.post("/security-groups")
def create_group(call: Call) -> Reply:
    """`POST /security-groups`: the new group allows all egress and no ingress."""
    values = SECURITY_GROUP.read_create(call, extensions(call))
    default_group(call, values["project_id"])
    check_quota(call, "security_group", values["project_id"])
    if values["name"] == "default":
        message = "Default security group already exists."
        raise conflict("SecurityGroupDefaultAlreadyExists", message)
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
    if doc["name"] == "default" and values.get("name", "default") != "default":
        message = "Updating default security group not allowed."
        raise conflict("SecurityGroupCannotUpdateDefault", message)
    if doc | values != doc:
        doc = touch(call, "security_group", doc | values)
    return {"security_group": view(call, doc)}


@service.delete("/security-groups/{group_id}")
def delete_group(call: Call, group_id: str) -> None:
    """`DELETE /security-groups/{id}`: 409 if a port uses the group."""
    doc = get_owned(call, SECURITY_GROUP, group_id, "delete")
    if any(group_id in port["security_groups"] for port in call.find("port", project_id=doc["project_id"])):
        raise conflict("SecurityGroupInUse", f"Security Group {group_id} in use.")
    if doc["name"] == "default" and not call.is_admin:
        message = "Insufficient rights for removing default security group."
        raise conflict("SecurityGroupCannotRemoveDefault", message)
    for rule in _rules(call, doc):
        call.remove(RULE, rule["id"])
    call.remove("security_group", group_id)


@service.post("/security-group-rules")
def create_rule(call: Call) -> Reply:
    """`POST /security-group-rules`."""
    values = SECURITY_GROUP_RULE.read_create(call, extensions(call))
    default_group(call, call.project_id)
    check_quota(call, RULE, values["project_id"])
    group = get_visible(call, SECURITY_GROUP, str(values["security_group_id"]))
    values["ethertype"] = _ethertype(values["ethertype"])
    values["protocol"] = _protocol(values["protocol"])
    _check_port_range(values)
    _check_remote(call, values)
    for rule in _rules(call, group):
        if all(rule[name] == values[name] for name in DISTINCT):
            message = f"Security group rule already exists. Rule id is {rule['id']}."
            raise conflict("SecurityGroupRuleExists", message)
    doc = _make_rule(call, group, **values)
    touch(call, "security_group", group)
    return Reply(201, {RULE: _rule_view(call, doc)})


register_reads(SECURITY_GROUP_RULE, _rule_view)


@service.delete("/security-group-rules/{rule_id}")
def delete_rule(call: Call, rule_id: str) -> None:
    """`DELETE /security-group-rules/{id}`."""
    rule = get_owned(call, SECURITY_GROUP_RULE, rule_id, "delete")
    call.remove(RULE, rule_id)
    group = call.get("security_group", rule["security_group_id"])
    if group:
        touch(call, "security_group", group)


def _ethertype(value: Any) -> str:
    for known in ("IPv4", "IPv6"):
        if str(value).lower() == known.lower():
            return known
    message = f"Security group rule for ethertype '{value}' not supported. Allowed values are ['IPv4', 'IPv6']."
    raise HttpError(400, message, kind="SecurityGroupRuleInvalidEtherType")


def _protocol(value: Any) -> str | None:
    if value is None:
        return None
    word = str(value).lower()
    if word in PROTOCOLS or (word.isdigit() and int(word) <= LAST_NUMBER):
        return word
    message = (
        f"Security group rule protocol {word} not supported. Only protocol values"
        f" {[None, *PROTOCOLS]} and integer representations [0 to 255] are supported."
    )
    raise HttpError(400, message, kind="SecurityGroupRuleInvalidProtocol")


def _check_port_range(values: Document) -> None:
    low, high, protocol = values["port_range_min"], values["port_range_max"], values["protocol"]
    if low is None and high is None:
        return
    if protocol is None:
        message = "Must also specify protocol if port range is given."
        raise HttpError(400, message, kind="SecurityGroupProtocolRequiredWithPorts")
    if protocol in ICMP:
        return
    for port in (low, high):
        if port is not None and not 0 < port <= LAST_PORT:
            raise HttpError(400, f"Invalid value for port {port}", kind="SecurityGroupInvalidPortValue")
    if protocol in WITH_PORTS and (low is None or high is None or low > high):
        message = "For TCP/UDP protocols, port_range_min must be <= port_range_max"
        raise HttpError(400, message, kind="SecurityGroupInvalidPortRange")


def _check_remote(call: Call, values: Document) -> None:
    prefix, group = values["remote_ip_prefix"], values["remote_group_id"]
    values["normalized_cidr"] = None
    if prefix is not None and group is not None:
        message = "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided."
        raise HttpError(400, message, kind="SecurityGroupMultipleRemoteEntites")
    if group is not None:
        get_visible(call, SECURITY_GROUP, str(group))
    if prefix is not None:
        try:
            network = ipaddress.ip_network(prefix, strict=False)
        except ValueError:
            message = f"Invalid CIDR {prefix} given as IP prefix."
            raise HttpError(400, message, kind="InvalidCIDR") from None
        if f"IPv{network.version}" != values["ethertype"]:
            message = f"Conflicting value ethertype {values['ethertype']} for CIDR {prefix}"
            raise HttpError(400, message, kind="SecurityGroupRuleParameterConflict")
        values["normalized_cidr"] = str(network)
