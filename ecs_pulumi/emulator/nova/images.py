"""Nova's own view of the images, which microversion 2.36 took away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError

from .service import links, next_link, page, service, until

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document

GLANCE_FIELDS = frozenset(
    {
        *("id", "name", "status", "visibility", "protected", "checksum", "owner", "size", "virtual_size"),
        *("container_format", "disk_format", "created_at", "updated_at", "tags", "min_ram", "min_disk"),
        *("os_hidden", "os_hash_algo", "os_hash_value", "project_id"),
    }
)
"""What Glance knows of every image; all other fields are properties, Nova's `metadata`."""


@service.get("/images")
def index(call: Call) -> dict[str, Any]:
    """`GET /images`: ids and names."""
    return _listing(call, "images", lambda image: _brief(call, image))


@service.get("/images/detail")
def detail(call: Call) -> dict[str, Any]:
    """`GET /images/detail`."""
    return _listing(call, "images/detail", lambda image: _full(call, image))


@service.get("/images/{image_id}")
def show(call: Call, image_id: str) -> dict[str, Any]:
    """`GET /images/{id}`."""
    until(call, 36)
    image = call.get("image", image_id)
    if image is None:
        raise HttpError(404, "Image not found.")
    return {"image": _full(call, image)}


def _listing(call: Call, path: str, view: Any) -> dict[str, Any]:
    until(call, 36)
    marker, limit = page(call)
    if marker is not None and call.get("image", marker) is None:
        raise HttpError(400, f"marker [{marker}] not found")
    equal: dict[str, Any] = {"name": call.param("name")} if call.param("name") else {}
    if call.param("status"):
        equal["status"] = str(call.param("status")).lower()
    images = call.find("image", newest_first=True, after=marker, limit=limit, **equal)
    answer: dict[str, Any] = {"images": [view(image) for image in images]}
    # Unlike the other lists, this one links on only where a limit was asked for.
    if call.param("limit") and len(images) == limit:
        answer["images_links"] = next_link(call, path, images[-1])
    return answer


def _links(call: Call, image: Document) -> list[dict[str, str]]:
    path = f"images/{image['id']}"
    glance = call.root.rpartition("/")[0] + "/image"
    alternate = {"rel": "alternate", "type": "application/vnd.openstack.image", "href": f"{glance}/{path}"}
    return [*links(call, path), alternate]


def _brief(call: Call, image: Document) -> dict[str, Any]:
    return {"id": image["id"], "name": image["name"], "links": _links(call, image)}


def _full(call: Call, image: Document) -> dict[str, Any]:
    return {
        "id": image["id"],
        "name": image["name"],
        "minRam": image["min_ram"],
        "minDisk": image["min_disk"],
        "metadata": {name: value for name, value in image.items() if name not in GLANCE_FIELDS},
        "created": image["created_at"],
        "updated": image["updated_at"],
        "status": image["status"].upper(),
        "progress": 100,
        "OS-EXT-IMG-SIZE:size": image["size"],
        "links": _links(call, image),
    }
