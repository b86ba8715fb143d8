"""Quotas, extensions and availability zones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.errors import HttpError

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


def _limit(call: Call, resource: str) -> int:
    limit = call.quota(resource)
    return LIMITED[resource] if limit < 0 else limit


@service.get("/quotas/{project_id}/details", otc=False)
def show_usage(call: Call, project_id: str) -> Document:
    """`GET /quotas/{id}/details`: the limits of a project and its usage."""
    if project_id != call.project_id and not call.is_admin:
        message = "User does not have admin privileges: Only admin is authorized to access quotas for another project."
        raise HttpError(403, message, kind="AdminRequired")
    usage = {
        resource: {
            "limit": _limit(call, resource),
            "used": call.count(resource, project_id=project_id),
            "reserved": 0,
        }
        for resource in LIMITED
    }
    return {"quota": usage}


@service.get("/extensions", otc=False)
def list_extensions(call: Call) -> Document:
    """`GET /extensions`."""
    return {"extensions": [_extension(alias, name) for alias, name in available_extensions(call).items()]}


@service.get("/extensions/{alias}", otc=False)
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


@service.get("/availability_zones", otc=False)
def list_zones(_call: Call) -> Document:
    """`GET /availability_zones`: the zones of the network agents; this cloud has no agents, and so no zones."""
    return {"availability_zones": []}
