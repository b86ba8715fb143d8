"""Images (guide, chapter 4, step 2; Glance API reference, "Images").

The lookups use the image service, or the compute service's image proxy if the catalog has no image service.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from ecs_pulumi.cloud import compute, errors, image
from ecs_pulumi.lookups.calls import call_with_outputs, exactly_one, one_line_errors, region_of, require_criteria
from ecs_pulumi.lookups.models import ImageInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from ecs_pulumi.cloud.api import ServiceClient
    from ecs_pulumi.cloud.connection import Region

Visibility = Literal["public", "private", "shared", "community", "all"]

# Glance's fields of every image; all other fields of an image are its properties.
_COMMON_FIELDS = frozenset(ImageInfo.model_fields) - {"properties", "progress", "links"}
_LINK_FIELDS = frozenset({"self", "file", "schema", "stores", "direct_url", "locations"})


@one_line_errors
def get_image(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    name_regex: str | None = None,
    most_recent: bool = False,
    visibility: Visibility | None = None,
    properties: Mapping[str, str] | None = None,
    region: str | None = None,
    cloud: str | None = None,
) -> ImageInfo:
    """Find the image that meets all criteria. Without `id`, only active images are considered.

    Args:
        name: The name.
        id: The id.
        name_regex: A regular expression that matches a part of the name.
        most_recent: If several images match, return the one created last instead of failing.
        visibility: The visibility. Default: what the API lists, which is everything but `community`.
        properties: Properties that the image must have, with their values.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the most similar names.
        NotUnique: Several objects match; the message lists them.
    """
    criteria = {"name": name, "id": id, "name_regex": name_regex, "visibility": visibility, "properties": properties}
    require_criteria("image", criteria)
    target = region_of(region, cloud)
    listed = _by_id(target, id) if id else _list(target, name, visibility, properties, status="active")
    found = _filter(listed, name, name_regex, properties)
    if most_recent:
        found = sorted(found, key=lambda item: (item.created_at, item.id))[-1:]
    return exactly_one(found, "image", criteria, lambda: _list(target, status="active"))


def get_image_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    name_regex: pulumi.Input[str | None] = None,
    most_recent: pulumi.Input[bool] = False,
    visibility: pulumi.Input[Visibility | None] = None,
    properties: pulumi.Input[Mapping[str, pulumi.Input[str]] | None] = None,
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[ImageInfo]:
    """Variant of `get_image` that accepts outputs and returns an output."""
    return call_with_outputs(
        get_image,
        name=name,
        id=id,
        name_regex=name_regex,
        most_recent=most_recent,
        visibility=visibility,
        properties=properties,
        region=region,
        cloud=cloud,
    )


@one_line_errors
def list_images(
    *,
    name: str | None = None,
    name_regex: str | None = None,
    visibility: Visibility | None = None,
    properties: Mapping[str, str] | None = None,
    status: str | None = None,
    region: str | None = None,
    cloud: str | None = None,
) -> list[ImageInfo]:
    """List the images that meet all criteria.

    Args:
        name: The name.
        name_regex: A regular expression that matches a part of the name.
        visibility: The visibility. Default: what the API lists, which is everything but `community`.
        properties: Properties that the image must have, with their values.
        status: The status, such as `active`.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.
    """
    found = _list(region_of(region, cloud), name, visibility, properties, status)
    return _filter(found, name, name_regex, properties)


def list_images_output(
    *,
    name: pulumi.Input[str | None] = None,
    name_regex: pulumi.Input[str | None] = None,
    visibility: pulumi.Input[Visibility | None] = None,
    properties: pulumi.Input[Mapping[str, pulumi.Input[str]] | None] = None,
    status: pulumi.Input[str | None] = None,
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[list[ImageInfo]]:
    """Variant of `list_images` that accepts outputs and returns an output."""
    return call_with_outputs(
        list_images,
        name=name,
        name_regex=name_regex,
        visibility=visibility,
        properties=properties,
        status=status,
        region=region,
        cloud=cloud,
    )


def _list(
    region: Region,
    name: str | None = None,
    visibility: Visibility | None = None,
    properties: Mapping[str, str] | None = None,
    status: str | None = None,
) -> list[ImageInfo]:
    glance = _image_service(region)
    if glance is not None:
        filters = {**(properties or {}), "name": name, "visibility": visibility, "status": status}
        return [_parse(item) for item in image.list_images(glance, **filters)]
    if visibility is not None:
        raise errors.Unsupported("visibility", "the image service", "images through its compute service only")
    found = [ImageInfo.model_validate(item) for item in compute.list_images(region.compute)]
    return [item for item in found if status in (None, item.status)]


def _by_id(region: Region, id_: str) -> list[ImageInfo]:
    glance = _image_service(region)
    if glance is None:
        return [item for item in _list(region) if item.id == id_]
    try:
        return [_parse(image.get_image(glance, id_))]
    except errors.NotFound:
        return []


def _image_service(region: Region) -> ServiceClient | None:
    try:
        return region.image
    except errors.ConfigurationError:
        return None


def _parse(document: Mapping[str, Any]) -> ImageInfo:
    common = {key: value for key, value in document.items() if key in _COMMON_FIELDS}
    other_fields = document.keys() - _COMMON_FIELDS - _LINK_FIELDS
    properties = {key: str(document[key]) for key in sorted(other_fields) if document[key] is not None}
    return ImageInfo.model_validate({**common, "properties": properties})


def _filter(
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
