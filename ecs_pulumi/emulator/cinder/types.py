"""Volume types and availability zones."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import NAME, OPTIONAL_TEXT, TEXT, body, fields
from ecs_pulumi.emulator.versioned import require_admin

from . import otc
from .service import service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document

DEFAULT = "__DEFAULT__"
NEW_TYPE = fields(
    {
        "name": NAME,
        "description": OPTIONAL_TEXT,
        "extra_specs": {"type": ["object", "null"]},
        "os-volume-type-access:is_public": {"type": "boolean"},
    },
    "name",
)


def seed(ctx: Context) -> None:
    """Create the volume types of the dialect; the first type is the default."""
    names = ctx.cloud.dialect.volume_types
    additional = (DEFAULT,) if not ctx.is_otc else ()
    for name in (*additional, *names):
        ctx.put(
            "volume_type",
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"ecs-emulator:volume-type/{name}")),
                "name": name,
                "description": "Default Volume Type" if name == DEFAULT else f"{name} volumes",
                "is_public": True,
                "projects": [],
                "extra_specs": otc.extra_specs(ctx, name),
            },
        )


def volume_types(ctx: Context) -> list[Document]:
    """Return all types, newest first."""
    return ctx.find("volume_type", newest_first=True)


def _is_visible(call: Call, kind: Document) -> bool:
    return bool(kind["is_public"] or call.is_admin or call.project_id in kind["projects"])


def find_type(ctx: Context, name_or_id: str | None) -> Document:
    """Return a type by name or id, or the default type; raise 404 if it does not exist."""
    requested = name_or_id or ctx.cloud.dialect.volume_types[0]
    for kind in volume_types(ctx):
        if requested in (kind["id"], kind["name"]):
            return kind
    try:
        uuid.UUID(requested)
    except ValueError:
        raise HttpError(404, f"Volume type with name {requested} could not be found.") from None
    raise HttpError(404, f"Volume type {requested} could not be found.")


def zones(ctx: Context) -> tuple[str, ...]:
    """Return the zones with storage: all zones, or only the first one in a current OpenStack."""
    return ctx.zones()[:1] if not ctx.is_otc else ctx.zones()


def check_zone(ctx: Context, zone: str | None, kind: Document) -> str:
    """Return the zone to use for a volume of this type; raise 400 for a zone without storage, or without the type."""
    if not zone:
        zone = next((each for each in zones(ctx) if otc.has_type(each, kind)), zones(ctx)[0])
    if zone not in zones(ctx):
        code = "EVS.1036" if ctx.is_otc else ""
        raise HttpError(400, f"Availability zone '{zone}' is invalid.", kind=code)
    otc.check_available(ctx, kind, zone)
    return zone


def _view(kind: Document) -> Document:
    view = {name: kind[name] for name in ("id", "name", "is_public", "description", "extra_specs")}
    return view | {"os-volume-type-access:is_public": kind["is_public"]}


def _get_visible(call: Call, type_id: str) -> Document:
    kind = call.get("volume_type", type_id)
    if kind is None or not _is_visible(call, kind):
        raise HttpError(404, f"Volume type {type_id} could not be found.")
    return kind


@service.get("/types")
def list_types(call: Call) -> dict[str, Any]:
    """`GET /types`."""
    return {"volume_types": [_view(kind) for kind in volume_types(call) if _is_visible(call, kind)]}


@service.get("/types/default", otc=False)
def show_default(call: Call) -> dict[str, Any]:
    """`GET /types/default`."""
    return {"volume_type": _view(find_type(call, None))}


@service.get("/types/{type_id}")
def show_type(call: Call, type_id: str) -> dict[str, Any]:
    """`GET /types/{id}`: by id only, not by name."""
    return {"volume_type": _view(_get_visible(call, type_id))}


@service.post("/types")
def create_type(call: Call) -> dict[str, Any]:
    """`POST /types`: for administrators only."""
    require_admin(call, "volume_extension:type_create")
    requested = body(call, "volume_type", NEW_TYPE)
    if any(kind["name"] == requested["name"] for kind in volume_types(call)):
        raise HttpError(409, f"Volume Type {requested['name']} already exists.")
    kind = {
        "id": str(uuid.uuid4()),
        "name": requested["name"],
        "description": requested.get("description"),
        "is_public": requested.get("os-volume-type-access:is_public", True),
        "projects": [],
        "extra_specs": requested.get("extra_specs") or {},
    }
    return {"volume_type": _view(call.put("volume_type", kind))}


@service.post("/types/{type_id}/action")
def grant_access(call: Call, type_id: str) -> Reply:
    """`POST /types/{id}/action`: grant another project access to a private type."""
    require_admin(call, "volume_extension:add_project_access")
    requested = body(call, "addProjectAccess", fields({"project": TEXT}, "project"))
    kind = _get_visible(call, type_id)
    call.put("volume_type", kind | {"projects": [*kind["projects"], requested["project"]]})
    return Reply(202)


@service.delete("/types/{type_id}")
def delete_type(call: Call, type_id: str) -> Reply:
    """`DELETE /types/{id}`: 400 if a volume has the type."""
    require_admin(call, "volume_extension:type_delete")
    kind = _get_visible(call, type_id)
    if call.count("volume", volume_type_id=type_id):
        raise HttpError(400, "Target volume type is still in use.")
    call.remove("volume_type", kind["id"])
    return Reply(202)


@service.get("/os-availability-zone")
def list_zones(call: Call) -> dict[str, Any]:
    """`GET /os-availability-zone`."""
    return {"availabilityZoneInfo": [{"zoneName": zone, "zoneState": {"available": True}} for zone in zones(call)]}
