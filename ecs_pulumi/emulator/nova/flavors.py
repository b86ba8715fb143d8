"""Flavors (`/flavors`)."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import BOOLEAN, NAME, body, fields, number
from ecs_pulumi.emulator.versioned import links, next_link

from .service import page, require_admin, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

# id, name, vcpus, MiB of memory, GiB of disk
OTC = (
    ("s3.small.1", 1, 1024, 0),
    ("s3.medium.1", 1, 1024, 0),
    ("s3.medium.2", 1, 2048, 0),
    ("s3.medium.4", 1, 4096, 0),
    ("s3.large.1", 2, 2048, 0),
    ("s3.large.2", 2, 4096, 0),
    ("s3.large.4", 2, 8192, 0),
    ("s3.xlarge.1", 4, 4096, 0),
    ("s3.xlarge.2", 4, 8192, 0),
    ("s3.2xlarge.2", 8, 16384, 0),
    ("s3.4xlarge.2", 16, 32768, 0),
    ("s3.4xlarge.4", 16, 65536, 0),
    ("c3.large.2", 2, 4096, 0),
    ("c3.xlarge.2", 4, 8192, 0),
    ("c1.medium", 1, 1024, 0),
    ("c1.large", 2, 2048, 0),
    ("c1.xlarge", 4, 4096, 0),
    ("c1.2xlarge", 8, 8192, 0),
    ("x1.nohost", 1, 1024, 0),
    ("x1.huge", 65536, 524_288_000, 0),
)
SOLD_OUT = ("sellout", "obt_sellout", "abandon")
"""The values of `cond:operation:status` of flavors with which no server can be created."""
OPENSTACK = (
    ("101", "s1.small", 1, 1024, 10, 0),
    ("102", "s1.medium", 2, 2048, 20, 0),
    ("103", "s1.large", 4, 4096, 40, 0),
    ("104", "m1.large", 4, 16384, 40, 0),
    ("198", "x1.nohost", 1, 1024, 10, 90000),
    ("199", "x1.huge", 64, 524288, 40, 0),
)

LARGEST_DISK = 10_000
"""Local disk of a host in GiB."""
SIZE = {"type": ["integer", "string"], "pattern": "^[0-9]*$"}
FLAVOR = fields(
    {
        "id": {"type": ["string", "number", "null"]},
        "name": NAME,
        "ram": SIZE,
        "vcpus": SIZE,
        "disk": SIZE,
        "OS-FLV-EXT-DATA:ephemeral": SIZE,
        "swap": SIZE,
        "rxtx_factor": {"type": ["number", "string"]},
        "os-flavor-access:is_public": BOOLEAN,
    },
    *("name", "ram", "vcpus", "disk"),
)

FIELDS = {"ephemeral_gb": "ephemeral", "flavorid": "id", "memory_mb": "ram", "root_gb": "disk"}
"""The fields of sort keys that have other names; keys that all flavors agree in keep the order of creation."""
SORT_KEYS = (
    *("created_at", "disabled", "ephemeral_gb", "flavorid", "id", "is_public", "memory_mb", "name", "root_gb"),
    *("rxtx_factor", "swap", "updated_at", "vcpu_weight", "vcpus"),
)


def seed(ctx: Context) -> None:
    """Create the flavors of the dialect: `x1.nohost` fits no host, `x1.huge` exceeds every quota.

    In dialect `otc`, `s3.4xlarge.2` is sold out, and `s3.4xlarge.4` is sold out in the first zone.
    """
    of_otc = [(name, name, vcpus, ram, disk, 0) for name, vcpus, ram, disk in OTC]
    rows = of_otc if ctx.is_otc else OPENSTACK
    for order, (id_, name, vcpus, ram, disk, ephemeral) in enumerate(rows):
        flavor = {
            "id": id_,
            "name": name,
            "vcpus": vcpus,
            "ram": ram,
            "disk": disk,
            "ephemeral": ephemeral,
            "extra_specs": _extra_specs(ctx, name) if ctx.is_otc else {},
            "_order": order,
        }
        ctx.put("flavor", flavor)


def _extra_specs(ctx: Context, name: str) -> dict[str, str]:
    """Return the extra specs of a flavor of dialect `otc`; the `c1` flavors of the ECS guide have none."""
    family, generation = name[0], name[1]
    if name[:2] not in ("s3", "c3"):
        return {}
    specs = {
        "ecs:performancetype": "normal" if family == "s" else "computingv3",
        "ecs:generation": generation,
        "ecs:virtualization_env_types": "CloudCompute",
        "resource_type": f"IOoptimized{family.upper()}{generation}_2",
        "instance_vnic:type": "enhanced",
        "instance_vnic:instance_bandwidth": "1500",
        "instance_vnic:max_count": "4",
        "quota:max_rate": "1500",
        "quota:min_rate": "200",
        "quota:max_pps": "200000",
        "cond:compute": "autorecovery",
    }
    first, second, *_ = ctx.zones()
    conditions = {
        "s3.2xlarge.2": {"cond:operation:status": "promotion"},
        "s3.4xlarge.2": {"cond:operation:status": "sellout"},
        "s3.4xlarge.4": {"cond:operation:az": f"{first}(sellout), {second}(normal)"},
    }
    return specs | conditions.get(name, {})


def resource_type(flavor: Document) -> str | None:
    """Return the type of the hosts of a flavor."""
    found: str | None = flavor["extra_specs"].get("resource_type")
    return found


def is_sold_out(flavor: Document, zone: str) -> bool:
    """Return whether no host of the zone has room for a server of the flavor."""
    specs = flavor["extra_specs"]
    of_zones = dict(re.findall(r"([^\s,()]+)\((\w+)\)", specs.get("cond:operation:az", "")))
    return of_zones.get(zone, specs.get("cond:operation:status", "normal")) in SOLD_OUT


def find_flavor(ctx: Context, reference: Any) -> Document:
    """Return the flavor of a `flavorRef`, which is an id or a link; 400 if it does not exist."""
    id_ = str(reference).rpartition("/")[2]
    flavor = ctx.get("flavor", id_)
    if flavor is None:
        raise HttpError(400, f"Flavor {id_} could not be found.")
    return flavor


def fits_no_host(flavor: Document) -> bool:
    """Return whether the flavor is too large for every host."""
    return str(flavor["name"]) == "x1.nohost" or int(flavor["disk"]) > LARGEST_DISK


@service.get("/flavors")
def index(call: Call) -> dict[str, Any]:
    """`GET /flavors`: ids and names."""
    return _listing(call, "flavors", lambda flavor: _render_brief(call, flavor))


@service.get("/flavors/detail")
def detail(call: Call) -> dict[str, Any]:
    """`GET /flavors/detail`."""
    return _listing(call, "flavors/detail", lambda flavor: _render_full(call, flavor))


@service.get("/flavors/{flavor_id}")
def show(call: Call, flavor_id: str) -> dict[str, Any]:
    """`GET /flavors/{id}`."""
    return {"flavor": _render_full(call, _get_flavor(call, flavor_id))}


@service.get("/flavors/{flavor_id}/os-extra_specs")
def extra_specs(call: Call, flavor_id: str) -> dict[str, Any]:
    """`GET /flavors/{id}/os-extra_specs`."""
    return {"extra_specs": _get_flavor(call, flavor_id)["extra_specs"]}


@service.post("/flavors")
def create(call: Call) -> dict[str, Any]:
    """`POST /flavors`: for administrators."""
    require_admin(call, "os-flavor-manage:create")
    requested = body(call, "flavor", FLAVOR)
    id_ = str(requested.get("id") or uuid.uuid4())
    known = call.find("flavor")
    for field, value in (("name", requested["name"]), ("id", id_)):
        if any(flavor[field] == value for flavor in known):
            raise HttpError(409, f"Flavor with {'ID' if field == 'id' else 'name'} {value} already exists.")
    flavor = {
        "id": id_,
        "name": requested["name"],
        **{size: int(requested[size]) for size in ("vcpus", "ram", "disk")},
        "ephemeral": int(requested.get("OS-FLV-EXT-DATA:ephemeral") or 0),
        "swap": int(requested.get("swap") or 0),
        "extra_specs": {},
        "_order": len(known),
    }
    call.put("flavor", flavor)
    return {"flavor": _render_full(call, flavor)}


@service.delete("/flavors/{flavor_id}")
def delete(call: Call, flavor_id: str) -> Reply:
    """`DELETE /flavors/{id}`: for administrators. Existing servers keep their copy of the flavor."""
    require_admin(call, "os-flavor-manage:delete")
    call.remove("flavor", _get_flavor(call, flavor_id)["id"])
    return Reply(202)


def _get_flavor(call: Call, flavor_id: str) -> Document:
    flavor = call.get("flavor", flavor_id)
    if flavor is None:
        raise HttpError(404, f"Flavor {flavor_id} could not be found.")
    return flavor


def _listing(call: Call, path: str, render: Any) -> dict[str, Any]:
    marker, limit = page(call)
    flavors = call.find("flavor")
    for parameter, field in (("minDisk", "disk"), ("minRam", "ram")):
        minimum = call.param(parameter)
        if minimum is not None:
            least = number(minimum)
            if least is None:
                raise HttpError(400, f"Invalid {parameter} filter [{minimum}]")
            flavors = [flavor for flavor in flavors if flavor[field] >= least]
    key = call.param("sort_key", "flavorid") or ""
    if key not in SORT_KEYS:
        raise HttpError(
            400,
            f"Invalid input for query parameters sort_key. Value: {key}. '{key}' is not one of {list(SORT_KEYS)}",
        )
    field = FIELDS.get(key, key if key in ("name", "vcpus") else "_order")
    flavors.sort(key=lambda flavor: flavor[field], reverse=call.param("sort_dir") == "desc")
    if marker is not None:
        known = [flavor["id"] for flavor in flavors]
        if marker not in known:
            raise HttpError(400, f"marker [{marker}] not found")
        flavors = flavors[known.index(marker) + 1 :]
    response: dict[str, Any] = {"flavors": [render(flavor) for flavor in flavors[:limit]]}
    if flavors and len(response["flavors"]) == limit:
        response["flavors_links"] = next_link(call, f"{call.self_base}/{path}", flavors[limit - 1]["id"])
    return response


def _render_brief(call: Call, flavor: Document) -> dict[str, Any]:
    brief = {"id": flavor["id"], "name": flavor["name"], "links": links(call, f"flavors/{flavor['id']}")}
    if call.at_least(55):
        brief["description"] = None
    return brief


def _render_full(call: Call, flavor: Document) -> dict[str, Any]:
    full = {
        "id": flavor["id"],
        "name": flavor["name"],
        "ram": flavor["ram"],
        "disk": flavor["disk"],
        "swap": flavor.get("swap") or (0 if call.at_least(75) else ""),
        "OS-FLV-EXT-DATA:ephemeral": flavor["ephemeral"],
        "OS-FLV-DISABLED:disabled": False,
        "vcpus": flavor["vcpus"],
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
        "links": links(call, f"flavors/{flavor['id']}"),
    }
    if call.at_least(55):
        full["description"] = None
    if call.at_least(61):
        full["extra_specs"] = flavor["extra_specs"]
    return full


def embedded(flavor: Document) -> dict[str, Any]:
    """Return the flavor as embedded in a server, since microversion 2.47."""
    return {
        "vcpus": flavor["vcpus"],
        "ram": flavor["ram"],
        "disk": flavor["disk"],
        "ephemeral": flavor["ephemeral"],
        "swap": flavor.get("swap", 0),
        "original_name": flavor["name"],
        "extra_specs": flavor["extra_specs"],
    }
