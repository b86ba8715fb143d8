"""The requests for volumes in which clouds differ: as in OpenStack first, in another way after a refusal."""

from __future__ import annotations

import contextlib
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import block_storage, errors
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.idempotent_create import send_once
from ecs_pulumi.resources.planned import planned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.remote import RemoteObject

EXTEND_IN_USE = "3.42"

_ZONE = re.compile(r"availability.?zone", re.IGNORECASE)
_ABOUT_ACTION = re.compile(r"\baction\b|os-retype", re.IGNORECASE)
"""What a refusal names that is about the action, not about the volume or its type."""
_NEVER_ALLOWED = ("EVS.1020", "EVS.2070", "EVS.2071", "EVS.2072", "EVS.2087")
"""Codes of a refusal of the new type itself, which no running change of the type explains."""
_CHANGING = "EVS.1064"
"""The code for a volume that cannot be extended now, detached or not."""
_DETACH_FIRST = "detach it first, in a separate `up`, as Pulumi deletes an attachment only after all updates"
_RARELY_OFFERED = ("source_volume_id", "backup_id", "scheduler_hints")


def create(region: Region, volume: Mapping[str, Any], **options: Any) -> RemoteObject:
    """Create a volume. If the cloud requires a zone and the program sets none, use one that has the type.

    Args:
        region: The region.
        volume: The volume in the body of the request.
        options: The options of `block_storage.create_volume`.

    Raises:
        OperationFailed: The cloud requires a zone, and none could be found.
    """
    body, api = dict(volume), region.block_storage
    if body.get("availability_zone"):
        return block_storage.create_volume(api, body, **options)
    if region.differences.knows(Fact.ZONE_REQUIRED):
        body["availability_zone"] = _suitable_zone(region, body)
        return block_storage.create_volume(api, body, **options)
    try:
        return block_storage.create_volume(api, body, **options)
    except errors.BadRequest as refused:
        # How Open Telekom Cloud words this refusal is not documented. Any other one follows the next request, too.
        is_named = bool(_ZONE.search(_without_labels(refused.message, body)))
        if not (is_named or region.differences.has_undocumented_refusals):
            raise
        try:
            body["availability_zone"] = _suitable_zone(region, body)
        except errors.OperationFailed:
            if is_named:
                raise
            raise refused from None
    created = block_storage.create_volume(api, body, **options)
    region.differences.note(Fact.ZONE_REQUIRED)
    return created


def _without_labels(message: str, volume: Mapping[str, Any]) -> str:
    """Return a message without the name and the description of the volume, which it may repeat."""
    for label in filter(None, (volume.get("name"), volume.get("description"))):
        message = message.replace(label, "")
    return message


def _suitable_zone(region: Region, body: Mapping[str, Any]) -> str:
    """Return the zone of the snapshot's volume, or a zone that has the type: best one in which there are servers."""
    api, names = region.block_storage, catalog(region)
    try:
        if snapshot := body.get("snapshot_id"):
            source = block_storage.get_volume(api, block_storage.get_snapshot(api, snapshot)["volume_id"])
            return str(source["availability_zone"])
        allowed = zones_of_type(names.volume_type(body["volume_type"])) if body.get("volume_type") else None
        found = [zone for zone in names.volume_zones() if allowed is None or zone in allowed]
    except errors.EcsError as error:
        # The create was refused, so the error must not look like that of a create whose response was lost.
        raise errors.OperationFailed(
            "availability_zone", f"this cloud requires it, and the search failed: {error}"
        ) from error
    if not found:
        raise errors.OperationFailed(
            "availability_zone", f"this cloud requires it; it lists no zone with {body.get('volume_type')}"
        )
    return _zone_with_servers(region, found) if len(found) > 1 else found[0]


def _zone_with_servers(region: Region, zones: list[str]) -> str:
    """Return the zone in which the program or the project has servers, because they attach no volume of another one."""
    suits = zones.__contains__
    with contextlib.suppress(errors.EcsError):
        of_program = filter(suits, planned(region).server_zones)
        return next(of_program, None) or next(filter(suits, catalog(region).server_zones()), zones[0])
    return zones[0]


def lacking_type(region: Region, name: str, zone: str) -> str | None:
    """Return that the zone does not have this volume type; None if it has, or if the types do not name their zones."""
    zones = zones_of_type(catalog(region).volume_type(name))
    if zones is None or zone in zones:
        return None
    return f"the zone {zone} does not have {name}; zones that do: {', '.join(zones)}"


def zones_of_type(volume_type: RemoteObject) -> list[str] | None:
    """Return the zones that have a volume type; None if the cloud does not restrict it to zones, or hides them."""
    listed = (volume_type.get("extra_specs") or {}).get("RESKEY:availability_zones")
    return [zone.strip() for zone in listed.split(",")] if listed else None


def explained(region: Region, error: errors.BadRequest, inputs: Mapping[str, Any]) -> errors.EcsError:
    """Return the error of a refused create; it names the inputs that the Open Telekom Cloud does not document."""
    suspects = [name for name in _RARELY_OFFERED if inputs.get(name)]
    if not suspects or not (_has_code(error) or region.differences.has_undocumented_refusals):
        return error
    return errors.OperationFailed(" and ".join(suspects), f"{error}. This cloud does not document it: remove it")


def can_extend_in_use(region: Region) -> bool | None:
    """Whether the cloud extends a volume that is attached; None if only a request shows it."""
    if region.block_storage.supports(EXTEND_IN_USE):
        return True
    return False if region.differences.knows(Fact.NO_EXTEND_IN_USE) else None


def extend(region: Region, remote: RemoteObject, size: int) -> None:
    """Extend a volume. An attached one is extended with the microversion that allows it, if the cloud offers it.

    Raises:
        OperationFailed: The cloud does not extend the volume while it is attached.
    """
    is_attached, api = remote["status"] == "in-use", region.block_storage
    microversion = EXTEND_IN_USE if is_attached and api.supports(EXTEND_IN_USE) else None
    try:
        block_storage.extend(api, remote["id"], size, microversion=microversion)
    except errors.BadRequest as refused:
        is_about_status = is_attached and "status" in refused.message and refused.body_type != _CHANGING
        if not is_about_status or (microversion and not _has_code(refused)):
            raise
        if not _has_code(refused):
            region.differences.note(Fact.NO_EXTEND_IN_USE)
        raise cannot_extend(remote, f"{str(refused).rstrip('.')}. ") from refused


def cannot_extend(remote: RemoteObject, reason: str = "") -> errors.OperationFailed:
    """Return the error for an attached volume that the cloud does not extend.

    Args:
        remote: The volume.
        reason: The sentence of the cloud.
    """
    users = errors.join_names([f"server {item['server_id']}" for item in remote.get("attachments") or ()])
    return errors.OperationFailed("size", f"{reason}It is attached to {users}: {_DETACH_FIRST}")


def retypes_by_path(region: Region) -> bool:
    """Whether the cloud is known to change types by the path of the Open Telekom Cloud only."""
    return region.differences.knows(Fact.RETYPES_BY_PATH)


def retype_as_action(region: Region, id_: str, volume_type: str, policy: str) -> errors.BadRequest | None:
    """Request another type as in OpenStack.

    Returns:
        The error if the cloud refuses the request, possibly because it knows no such action.
    """
    try:
        block_storage.retype(region.block_storage, id_, volume_type, policy)
    except errors.BadRequest as refused:
        if not _may_be_unknown_action(region, refused):
            raise
        return refused
    return None


def retype_by_path(
    region: Region, id_: str, volume_type: str, policy: str, refused_action: errors.BadRequest | None
) -> errors.BadRequest | None:
    """Request another type by the path of the Open Telekom Cloud. The status may not show that it is being changed.

    Args:
        region: The region.
        id_: The volume.
        volume_type: Name or id of the type.
        policy: The policy of the program.
        refused_action: The refusal of the action, if it was sent.

    Returns:
        The error if the cloud refuses the request, possibly because an earlier run has requested the change already.

    Raises:
        OperationFailed: The cloud does not let the program choose whether the data may move, or has no such path.
    """
    if policy == "never":
        reason = "this cloud decides itself whether the data move: set it to `on-demand` to change `volume_type`"
        raise errors.OperationFailed("retype_policy", f"{_first(refused_action)}{reason}")
    api, is_lost = region.block_storage.of_version("v2"), False
    name = str(catalog(region).volume_type(volume_type)["name"])

    def find(_: errors.EcsError) -> Any:
        nonlocal is_lost
        is_lost = True
        return block_storage.get_volume(api, id_).get("volume_type") == name or None

    try:
        # A repeated request has the same effect, or is refused because the first one has taken effect.
        send_once(partial(block_storage.retype_by_path, api, id_, name), find)
    except errors.BadRequest as refused:
        if refused.body_type in _NEVER_ALLOWED:
            raise
        if _has_code(refused):
            region.differences.note(Fact.RETYPES_BY_PATH)
        return None if is_lost else refused
    except (errors.NotFound, errors.ProxyNotFound) as missing:
        reason = f"{_first(refused_action)}this cloud has no path of its own for it either: {missing}"
        raise errors.OperationFailed(f"retype to {volume_type}", reason) from missing
    region.differences.note(Fact.RETYPES_BY_PATH)
    return None


def _first(refused_action: errors.BadRequest | None) -> str:
    return f"{str(refused_action).rstrip('.')}. " if refused_action else ""


def _may_be_unknown_action(region: Region, refused: errors.BadRequest) -> bool:
    """Whether a cloud may have refused the action itself; how Open Telekom Cloud words this is not documented."""
    if _has_code(refused):
        return refused.body_type not in _NEVER_ALLOWED
    is_about_action = region.differences.may_retype_by_path and _ABOUT_ACTION.search(refused.message)
    return errors.is_unknown_action(refused) or bool(is_about_action)


def _has_code(error: errors.ApiError) -> bool:
    return (error.body_type or "").startswith("EVS.")
