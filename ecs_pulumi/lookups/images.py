"""Images (guide, chapter 4, step 2; Glance API reference, "Images").

They are asked of the image service, or of the compute service's proxy where the catalog has no image service.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from ecs_pulumi.cloud import compute, errors, image
from ecs_pulumi.lookups.calls import later, needed, only, region_of, told
from ecs_pulumi.lookups.models import ImageInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.cloud.connection import Region

Visibility = Literal["public", "private", "shared", "community", "all"]

# What Glance tells of every image; whatever else it tells of one is a property of that.
_OWN = frozenset(ImageInfo.model_fields) - {"properties", "progress", "links"}
_SELF = frozenset({"self", "file", "schema", "stores", "direct_url", "locations"})


@told
def get_image(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    name_regex: str | None = None,
    most_recent: bool = False,
    visibility: Visibility | None = None,
    properties: Mapping[str, str] | None = None,
    region: str | None = None,
) -> ImageInfo:
    """The image that fulfils all of this. By id in any status, otherwise only one that is active.

    Args:
        name: Its name.
        id: Its id.
        name_regex: A regular expression that is found somewhere in its name.
        most_recent: Of several take the one created last, which otherwise is an error.
        visibility: Who sees it. Default: whatever the API lists, which is everything but `community`.
        properties: Properties it has, with their values.
        region: The region. Default: the configured one.

    Raises:
        NoMatch: There is none; the message names those most like it.
        NotUnique: There are several; the message lists them.
    """
    asked = {"name": name, "id": id, "name_regex": name_regex, "visibility": visibility, "properties": properties}
    needed("image", asked)
    here = region_of(region)
    listed = _by_id(here, id) if id else _listed(here, name, visibility, properties, status="active")
    found = _matching(listed, name, name_regex, properties)
    if most_recent:
        found = sorted(found, key=lambda item: (item.created_at, item.id))[-1:]
    return only(found, "image", asked, lambda: _listed(here, status="active"))


def get_image_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    name_regex: pulumi.Input[str | None] = None,
    most_recent: pulumi.Input[bool] = False,
    visibility: pulumi.Input[Visibility | None] = None,
    properties: pulumi.Input[Mapping[str, pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
) -> pulumi.Output[ImageInfo]:
    """`get_image` for the outputs of resources."""
    return later(
        get_image,
        name=name,
        id=id,
        name_regex=name_regex,
        most_recent=most_recent,
        visibility=visibility,
        properties=properties,
        region=region,
    )


@told
def list_images(
    *,
    name: str | None = None,
    name_regex: str | None = None,
    visibility: Visibility | None = None,
    properties: Mapping[str, str] | None = None,
    status: str | None = None,
    region: str | None = None,
) -> list[ImageInfo]:
    """Every image that fulfils all of this.

    Args:
        name: Its name.
        name_regex: A regular expression that is found somewhere in its name.
        visibility: Who sees it. Default: whatever the API lists, which is everything but `community`.
        properties: Properties it has, with their values.
        status: Its status, such as `active`.
        region: The region. Default: the configured one.
    """
    found = _listed(region_of(region), name, visibility, properties, status)
    return _matching(found, name, name_regex, properties)


def list_images_output(
    *,
    name: pulumi.Input[str | None] = None,
    name_regex: pulumi.Input[str | None] = None,
    visibility: pulumi.Input[Visibility | None] = None,
    properties: pulumi.Input[Mapping[str, pulumi.Input[str]] | None] = None,
    status: pulumi.Input[str | None] = None,
    region: pulumi.Input[str | None] = None,
) -> pulumi.Output[list[ImageInfo]]:
    """`list_images` for the outputs of resources."""
    return later(
        list_images,
        name=name,
        name_regex=name_regex,
        visibility=visibility,
        properties=properties,
        status=status,
        region=region,
    )


def _listed(
    region: Region,
    name: str | None = None,
    visibility: Visibility | None = None,
    properties: Mapping[str, str] | None = None,
    status: str | None = None,
) -> list[ImageInfo]:
    glance = _service(region)
    if glance is not None:
        filters = {**(properties or {}), "name": name, "visibility": visibility, "status": status}
        return [_read(item) for item in image.list_images(glance, **filters)]
    if visibility is not None:
        raise errors.Unsupported("visibility", "the image service", "images through its compute service only")
    found = [ImageInfo.model_validate(item) for item in compute.list_images(region.compute)]
    return [item for item in found if status in (None, item.status)]


def _by_id(region: Region, id_: str) -> list[ImageInfo]:
    glance = _service(region)
    if glance is None:
        return [item for item in _listed(region) if item.id == id_]
    try:
        return [_read(image.get_image(glance, id_))]
    except errors.NotFound:
        return []


def _service(region: Region) -> ServiceClient | None:
    try:
        return region.image
    except errors.ConfigurationError:
        return None


def _read(document: Mapping[str, Any]) -> ImageInfo:
    own = {key: value for key, value in document.items() if key in _OWN}
    rest = document.keys() - _OWN - _SELF
    properties = {key: str(document[key]) for key in sorted(rest) if document[key] is not None}
    return ImageInfo.model_validate({**own, "properties": properties})


def _matching(
    images: list[ImageInfo], name: str | None, name_regex: str | None, properties: Mapping[str, str] | None
) -> list[ImageInfo]:
    try:
        pattern = re.compile(name_regex or "")
    except re.error as error:
        raise errors.ConfigurationError(f"name_regex: {error}, got {name_regex!r}") from error
    return [
        item
        for item in images
        if name in (None, item.name)
        and pattern.search(item.name)
        and all(item.properties.get(key) == value for key, value in (properties or {}).items())
    ]
