"""Glance v2: images, read-only."""

from __future__ import annotations

import hashlib
import uuid
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .accounts import fixed_id
from .clock import to_second
from .context import Reply
from .errors import HttpError, NoRoute, page
from .routing import UNAUTHORIZED, Service
from .validation import limit_of

if TYPE_CHECKING:
    from .context import Call, Context
    from .store import Document

# name, id (None: derived from the name), minimum disk in GiB, minimum memory in MiB, size in bytes, properties
OTC: tuple[tuple[str, str | None, int, int, int, dict[str, str]], ...] = (
    (
        "DBS-MySQL-Image_2.1.3.3",
        "11e8f727-d439-4ed1-b3b8-33f46c0379c4",
        40,
        0,
        1_073_741_824,
        {"__platform": "EulerOS", "__os_version": "EulerOS 2.2 64bit", "hw_vif_multiqueue_enabled": "true"},
    ),
    *(
        (f"Standard_{name}_{which}", None, min_disk, min_ram, size, {"__platform": platform, "__os_version": version})
        for name, min_disk, min_ram, size, platform, version in (
            ("Debian_12", 4, 512, 1_024_000_000, "Debian", "Debian GNU/Linux 12 64bit"),
            ("Ubuntu_24.04", 8, 1024, 2_048_000_000, "Ubuntu", "Ubuntu 24.04 server 64bit"),
            ("Fedora_42_amd64_bios", 4, 512, 1_024_000_000, "Fedora", "Fedora 42 64bit"),
            ("Fedora_42_amd64_uefi", 4, 512, 1_024_000_000, "Fedora", "Fedora 42 64bit"),
        )
        # The images are rebuilt every month; those of the month before stay under another name.
        for which in ("latest", "prev")
    ),
)
OTC_FIELDS = {
    "__imagetype": "gold",
    "__isregistered": "true",
    "__image_source_type": "uds",
    "__os_bit": "64",
    "__os_type": "Linux",
    "__support_kvm": "true",
    "virtual_env_type": "FusionCompute",
}
"""The fields of every public image of the Open Telekom Cloud."""
MD5_OF_NOTHING = "d41d8cd98f00b204e9800998ecf8427e"
OPENSTACK: tuple[tuple[str, str | None, int, int, int, dict[str, str]], ...] = (
    ("cirros-peer", None, 1, 64, 16384, {"os_distro": "cirros", "architecture": "x86_64"}),
    ("debian-peer", None, 2, 64, 65536, {"os_distro": "debian", "architecture": "x86_64"}),
)

STANDARD_FIELDS = frozenset(
    {
        *("id", "name", "status", "visibility", "protected", "checksum", "owner", "size", "virtual_size"),
        *("container_format", "disk_format", "created_at", "updated_at", "tags", "min_ram", "min_disk"),
        *("os_hidden", "os_hash_algo", "os_hash_value"),
    }
)
"""The standard fields of an image; all other fields are its properties."""
SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
PAGING = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir", "member_status"})
SUPPORTED = ("2.9", "2.7", "2.6", "2.5", "2.4", "2.3", "2.2", "2.1", "2.0")
DEFAULT_LIMIT = 25
MAX_LIMIT = 1000


def seed(ctx: Context) -> None:
    """Create the public images of the dialect."""
    images = OTC if ctx.is_otc else OPENSTACK
    for name, id_, min_disk, min_ram, size, properties in images:
        digest = hashlib.sha512(name.encode()).hexdigest()
        image = {
            **properties,
            "name": name,
            "disk_format": "raw",
            "container_format": "bare",
            "visibility": "public",
            "size": size,
            "virtual_size": size,
            "status": "active",
            "checksum": digest[:32],
            "protected": False,
            "min_ram": min_ram,
            "min_disk": min_disk,
            "owner": fixed_id("project/admin"),
            "id": id_ or str(uuid.uuid5(uuid.NAMESPACE_URL, f"ecs-emulator:image/{ctx.region}/{name}")),
            "created_at": to_second(ctx.now),
            "updated_at": to_second(ctx.now),
            "tags": [],
        }
        if ctx.is_otc:
            firmware = "uefi" if "_uefi_" in name else "bios"
            image |= OTC_FIELDS | {"hw_firmware_type": firmware, "__image_size": str(size)}
            # It does not know the size and the checksum of an image in this format.
            image |= {"disk_format": "zvhd2", "protected": True, "size": 0, "virtual_size": None}
            image |= {"checksum": MD5_OF_NOTHING}
        else:
            image |= {"os_hidden": False, "os_hash_algo": "sha512", "os_hash_value": digest}
        ctx.put("image", image)


class Glance(Service):
    """The image service; its error bodies are HTML pages."""

    def version_list(self, call: Call) -> Reply:
        """`GET /`: status 300, as in the real service."""
        return Reply(300, {"versions": _versions(call)})

    def version_document(self, call: Call) -> Reply:  # noqa: ARG002
        """`GET /v2/`: not a route of Glance."""
        raise NoRoute

    def error_reply(self, call: Call, error: HttpError) -> Reply:
        """Respond with an HTML page, or with the same content as JSON."""
        body = page(error.status, error.message, call.headers.get("accept", ""))
        reply = Reply(error.status, body, dict(error.headers))
        if error.message == UNAUTHORIZED:
            reply.headers["WWW-Authenticate"] = f'Keystone uri="{call.origin}/v3"'
        return reply


service = Glance("image", ("v2",))


def _versions(call: Call) -> list[dict[str, Any]]:
    links = [{"rel": "self", "href": f"{call.root}/v2/"}]
    current = {"id": "v2.15", "status": "CURRENT", "links": links}
    return [current, *({"id": f"v{each}", "status": "SUPPORTED", "links": links} for each in SUPPORTED)]


@service.get("/images")
def index(call: Call) -> dict[str, Any]:
    """`GET /v2/images`, with filters for any attribute or property, sorting and paging."""
    images = [image for image in call.find("image") if _visible(call, image) and _matches_filters(call, image)]
    for key, direction in reversed(_order(call)):
        images.sort(key=itemgetter(key), reverse=direction == "desc")
    marker = call.param("marker")
    if marker is not None:
        ids = [image["id"] for image in images]
        if marker not in ids:
            raise HttpError(400, f"Marker {marker} could not be found.")
        images = images[ids.index(marker) + 1 :]
    limit = _limit(call)
    query = [(name, value) for name, values in call.query.items() for value in values if name != "marker"]
    result: dict[str, Any] = {
        "images": [_render(image) for image in images[:limit]],
        "first": "/v2/images" + ("?" + urlencode(query) if query else ""),
        "schema": "/v2/schemas/images",
    }
    if len(images) >= limit > 0:
        result["next"] = "/v2/images?" + urlencode([*query, ("marker", images[limit - 1]["id"])])
    return result


def _visible(call: Call, image: Document) -> bool:
    return bool(image["visibility"] == "public" or image["owner"] == call.project_id)


def _matches_filters(call: Call, image: Document) -> bool:
    return all(_matches(image, name, values) for name, values in call.query.items() if name not in PAGING)


def _matches(image: Document, name: str, values: list[str]) -> bool:
    """Return whether an image matches one filter; the filter `tag` may have several values."""
    value = values[-1]
    if name == "tag":
        return set(values).issubset(image["tags"])
    if name == "visibility" and value == "all":
        return True
    actual = image.get(name)
    return str(actual) == (value.capitalize() if isinstance(actual, bool) else value)


def _order(call: Call) -> list[tuple[str, str]]:
    """Return the sort keys with their directions, from `sort=name:asc,id`, or from `sort_key=name&sort_dir=asc`."""
    if call.is_otc or call.param("sort_key"):
        order = [(call.param("sort_key") or "created_at", call.param("sort_dir") or "desc"), ("id", "desc")]
    else:
        pairs = [part.partition(":") for part in (call.param("sort") or "created_at,id").split(",")]
        order = [(key, direction or "desc") for key, _, direction in pairs]
    for key, direction in order:
        if key not in SORT_KEYS:
            known = ", ".join(SORT_KEYS)
            raise HttpError(400, f"Invalid sort key: {key}. It must be one of the following: {known}.")
        if direction not in ("asc", "desc"):
            raise HttpError(400, f"Invalid sort direction: {direction}")
    return order


def _limit(call: Call) -> int:
    text = call.param("limit")
    if text is None:
        return DEFAULT_LIMIT
    return min(limit_of(text), MAX_LIMIT)


@service.get("/images/{image_id}")
def show(call: Call, image_id: str) -> dict[str, Any]:
    """`GET /v2/images/{id}`."""
    image = call.get("image", image_id)
    if image is None or not _visible(call, image):
        raise HttpError(404, f"No image found with ID {image_id}")
    return _render(image)


def _render(image: Document) -> dict[str, Any]:
    address = f"/v2/images/{image['id']}"
    return image | {"self": address, "file": f"{address}/file", "schema": "/v2/schemas/image"}
