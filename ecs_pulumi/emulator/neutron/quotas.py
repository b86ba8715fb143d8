"""Quotas, extensions and availability zones, and the collections that are always empty."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from .refusals import bad_request, forbidden
from .service import available_extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

LIMITED = {
    "network": -1,
    "subnet": -1,
    "subnetpool": -1,
    "port": -1,
    "router": 10,
    "floatingip": 50,
    "rbac_policy": 10,
    "security_group": -1,
    "security_group_rule": -1,
}
"""The resources with a quota, and the limits that apply if the cloud's own quotas are unlimited."""

EMPTY = ("routers", "floatingips", "agents", "address-scopes", "network-ip-availabilities", "rbac-policies")
"""The collections that are always empty, because the emulator does not support creating their objects."""


def _limit(call: Call, resource: str) -> int:
    limit = call.quota(resource)
    return LIMITED[resource] if limit < 0 else limit


def _limits(call: Call) -> Document:
    return {resource: _limit(call, resource) for resource in LIMITED}


def _check_access(call: Call, project_id: str, action: str) -> None:
    if project_id != call.project_id and not call.is_admin:
        raise forbidden(action)


@service.get("/quotas")
def list_quotas(call: Call) -> Document:
    """`GET /quotas`: the projects with quotas of their own, for administrators only."""
    if not call.is_admin:
        raise forbidden("get_quota")
    return {"quotas": []}


@service.get("/quotas/tenant")
def show_tenant(call: Call) -> Document:
    """`GET /quotas/tenant`: the project of the request."""
    return {"tenant": {"tenant_id": call.project_id}}


@service.get("/quotas/{project_id}")
@service.get("/quotas/{project_id}/default")
def show_quota(call: Call, project_id: str) -> Document:
    """`GET /quotas/{id}`: the limits of a project."""
    _check_access(call, project_id, "get_quota")
    return {"quota": _limits(call)}


@service.get("/quotas/{project_id}/details")
def show_usage(call: Call, project_id: str) -> Document:
    """`GET /quotas/{id}/details`: the limits of a project and its usage."""
    _check_access(call, project_id, "get_quota")
    usage = {
        resource: {
            "limit": _limit(call, resource),
            "used": call.count(resource, project_id=project_id),
            "reserved": 0,
        }
        for resource in LIMITED
    }
    return {"quota": usage}


@service.put("/quotas/{project_id}")
def update_quota(call: Call, project_id: str) -> Document:  # noqa: ARG001  # all projects share the limits
    """`PUT /quotas/{id}`: change the limits of all projects, for administrators only."""
    if not call.is_admin:
        raise forbidden("update_quota")
    limits: Any = json.loads(call.raw or b"{}").get("quota")
    if not isinstance(limits, dict):
        raise bad_request("Unable to find 'quota' in request body")
    call.cloud.set_quota(**{name: int(limit) for name, limit in limits.items() if name in LIMITED})
    return {"quota": _limits(call)}


@service.get("/extensions")
def list_extensions(call: Call) -> Document:
    """`GET /extensions`."""
    return {"extensions": [_extension(alias, name) for alias, name in available_extensions(call).items()]}


@service.get("/extensions/{alias}")
def show_extension(call: Call, alias: str) -> Document:
    """`GET /extensions/{alias}`."""
    known = available_extensions(call)
    if alias not in known:
        raise HttpError(404, f"Extension with alias {alias} does not exist", kind="HTTPNotFound")
    return {"extension": _extension(alias, known[alias])}


def _extension(alias: str, name: str) -> Document:
    return {
        "name": name,
        "alias": alias,
        "description": name,
        "updated": "2016-10-10T10:00:00-00:00",
        "links": [],
    }


@service.get("/availability_zones")
def list_zones(call: Call) -> Document:
    """`GET /availability_zones`: the zones of the network agents; a cloud without agents has none."""
    known = call.zones() if call.cloud.dialect.name == "otc" else ()
    zones = [{"name": zone, "resource": "network", "state": "available"} for zone in known]
    return {"availability_zones": zones}


def _register_empty_list(path: str) -> None:
    @service.get(f"/{path}")
    def list_empty(_call: Call) -> Reply:
        return Reply(200, {path.replace("-", "_"): []})


for _path in EMPTY:
    _register_empty_list(_path)
