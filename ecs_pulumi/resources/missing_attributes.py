"""Attributes that some clouds do not have on Neutron's objects: they refuse them, or drop them without an error.

Requests contain them until an answer shows, for a region and a kind, that it is in vain. A label, such as a
description, is then left out, because the object works without it. Every other attribute changes how the object works,
so it is an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.resources.per_region import PerRegion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.clients import Context
    from ecs_pulumi.resources.remote import RemoteObject

LABELS = ("description", "tags")
"""The attributes without which an object works."""
_REFUSED = re.compile(
    r"unrecogni[sz]ed|unknown|unexpected|unsupported|not (allowed|supported|recogni[sz]ed)", re.IGNORECASE
)
_LISTED = re.compile(r"Unrecognized attribute\(s\) '(?P<names>[^']*)'")


def words_for(kind: str) -> str:
    """Return the words for one object of a kind, such as `a floating IP`."""
    return f"a {kind.replace('floatingip', 'floating IP').replace('_', ' ')}"


def is_missing(region: Region, kind: str, attribute: str) -> bool:
    """Whether an answer has shown that the objects of this kind, such as `port`, do not have the attribute."""
    return region.learned.knows("network", kind, "without", attribute)


def learn_from(region: Region, kind: str, remote: Mapping[str, Any]) -> None:
    """Learn which labels an object has that was read or listed."""
    for label in LABELS:
        if label not in remote:
            note(region, kind, label)


def note(region: Region, kind: str, attribute: str) -> None:
    """Note that the objects of this kind do not have the attribute."""
    region.learned.note("network", kind, "without", attribute)


def send(
    context: Context,
    kind: str,
    body: RemoteObject,
    request: Callable[[RemoteObject], RemoteObject],
    properties: Mapping[str, str] | None = None,
) -> RemoteObject:
    """Send the attributes of an object in a request that creates or updates it, without the labels it cannot have.

    Args:
        context: The operation.
        kind: The API's name of one object, such as `port`.
        body: The attributes.
        request: Sends them.
        properties: The inputs with these attributes, by the API's name, if they are named differently.

    Raises:
        OperationFailed: The cloud does not have another attribute; the message names its input.
    """
    region = context.cloud.region
    body = {name: value for name, value in body.items() if name not in LABELS or not is_missing(region, kind, name)}
    try:
        remote = request(body)
    except errors.BadRequest as error:
        refused = _refused(error, body)
        if not refused:
            raise
        if others := [name for name in refused if name not in LABELS]:
            raise not_offered(error, others, properties or {}) from error
        for label in refused:
            note(region, kind, label)
        return send(context, kind, body, request, properties)
    if "description" in body and "description" not in remote:
        note(region, kind, "description")
    return remote


def not_offered(error: errors.EcsError, attributes: list[str], properties: Mapping[str, str]) -> errors.OperationFailed:
    """Return the error for attributes that the cloud does not accept in a request."""
    inputs = errors.join_names([properties.get(each, each) for each in attributes])
    return errors.OperationFailed(f"{inputs}: this cloud does not accept it; remove it from the program", str(error))


def warn_if_missing(context: Context, kind: str, label: str) -> None:
    """Warn, once for each resource, if the cloud does not keep a label that the program sets."""
    region = context.cloud.region
    if is_missing(region, kind, label) and region.learned.note("warned", kind, context.resource, label):
        context.warn(
            f"{label}: not kept, because this cloud stores no {label} of {words_for(kind)}; "
            "the object is complete without it"
        )


def is_known_missing(region: Region, kind: str, attribute: str) -> bool:
    """Whether the objects of this kind do not have the attribute. May read one of them, for a preview."""
    if is_missing(region, kind, attribute):
        return True
    # What an account sees of an attribute with a prefix, such as `binding:profile`, depends on its rights.
    if not region.resembles_otc or ":" in attribute:
        return False
    known = _attributes(region, kind)
    return known is not None and attribute not in known


def _attributes(region: Region, kind: str) -> frozenset[str] | None:
    """Return the attributes of one object of a kind; None if there is no object."""
    known = _samples(region)
    if kind not in known:
        try:
            remote = network.get_any(region.network, kind)
        except errors.ApiError:
            remote = None  # an account that may not list objects may still create them
        known[kind] = None if remote is None else frozenset(remote)
        if remote is not None:
            learn_from(region, kind, remote)
    return known[kind]


_samples: PerRegion[dict[str, frozenset[str] | None]] = PerRegion(lambda _: {})


def refuses(error: errors.EcsError, attribute: str) -> bool:
    """Whether the cloud refuses an attribute because it does not have it."""
    return isinstance(error, errors.BadRequest) and bool(_refused(error, {attribute: None}))


def _refused(error: errors.BadRequest, body: Mapping[str, Any]) -> list[str]:
    """Return the attributes of a request that the cloud refuses because it does not have them."""
    listed = _LISTED.search(error.message)
    names = {name.strip() for name in listed["names"].split(",")} if listed else set()
    if _REFUSED.search(error.message):
        names |= {label for label in LABELS if re.search(rf"\b{label}\b", error.message)}
    return [name for name in body if name in names]
