"""Nova's image proxy (`/images`), which microversion 2.36 removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.glance import STANDARD_FIELDS
from ecs_pulumi.emulator.versioned import links, next_link, require_below

from .service import page, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document


@service.get("/images/detail")
def detail(call: Call) -> dict[str, Any]:
    """`GET /images/detail`."""
    require_below(call, 36)
    marker, limit = page(call)
    if marker is not None and call.get("image", marker) is None:
        raise HttpError(400, f"marker [{marker}] not found")
    images = call.find("image", newest_first=True, after=marker, limit=limit)
    response: dict[str, Any] = {"images": [_render(call, image) for image in images]}
    # Unlike other lists, this one contains a link to the next page only if the request has a limit.
    if call.param("limit") and len(images) == limit:
        response["images_links"] = next_link(call, f"{call.self_base}/images/detail", images[-1]["id"])
    return response


def _links(call: Call, image: Document) -> list[dict[str, str]]:
    path = f"images/{image['id']}"
    glance = call.root.rpartition("/")[0] + "/image"
    alternate = {"rel": "alternate", "type": "application/vnd.openstack.image", "href": f"{glance}/{path}"}
    return [*links(call, path), alternate]


def _render(call: Call, image: Document) -> dict[str, Any]:
    return {
        "id": image["id"],
        "name": image["name"],
        "minRam": image["min_ram"],
        "minDisk": image["min_disk"],
        "metadata": {name: value for name, value in image.items() if name not in STANDARD_FIELDS},
        "created": image["created_at"],
        "updated": image["updated_at"],
        "status": image["status"].upper(),
        "progress": 100,
        "OS-EXT-IMG-SIZE:size": image["size"],
        "links": _links(call, image),
    }
