"""What the Open Telekom Cloud documents for new servers, tags and key pairs where it differs from Nova."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call
    from ecs_pulumi.emulator.store import Document
    from ecs_pulumi.emulator.validation import Schema

LONGEST_USER_DATA = 32 * 1024
LONGEST_BATCH_NAME = 59
"""In a batch, the cloud appends a hyphen and a number of four digits to the name."""
NEW_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[a-zA-Z0-9_.-]*$"}
DESCRIPTION: Schema = {"type": ["string", "null"], "maxLength": 85, "pattern": "^[^<>]*$"}
LONGEST_CHANGED_DESCRIPTION = 255
"""The longest description that a server can be given after its creation, in bytes."""
CHANGED: Schema = {"name": NEW_NAME, "description": {"type": ["string", "null"], "pattern": "^[^<>]*$"}}
"""The properties of a server that can be changed."""
TAG = re.compile("[a-zA-Z0-9_-]{1,80}")
TAGS: Schema = {"type": "array", "maxItems": 50, "items": {"type": "string", "pattern": f"^{TAG.pattern}$"}}
PUBLIC_KEY: Schema = {"type": "string", "maxLength": 1024}
MOST_DISKS, MOST_VBD_DISKS = 60, 24
"""The number of disks that a server may have, and of those that are no SCSI disks; a new server has no SCSI disks."""
DEVICE_FIELDS = ("source_type", "uuid", "volume_size", "volume_type", "device_name", "delete_on_termination")
"""The fields of a block device that are as in Nova."""
DEVICE: Schema = {
    "destination_type": {"type": "string", "enum": ["volume"]},
    "boot_index": {"type": ["integer", "string", "null"], "enum": [0, -1, "0", "-1", None]},
}
NOT_OFFERED = ("tags", "personality", "accessIPv4", "accessIPv6", "config_drive", "OS-DCF:diskConfig")
"""The fields of a new server that are not documented, or documented as not supported."""


def restrict(properties: Schema) -> None:
    """Change the properties of Nova for a new server to those of the Open Telekom Cloud."""
    for name in NOT_OFFERED:
        properties.pop(name, None)
    properties["name"] = NEW_NAME
    properties["networks"] |= {"type": "array", "minItems": 1}
    properties["block_device_mapping_v2"]["maxItems"] = MOST_VBD_DISKS
    if "description" in properties:
        properties["description"] = DESCRIPTION


def check(requested: Document, count: int) -> None:
    """Check what the schema does not express; `count` is the number of servers."""
    user_data = re.sub(r"\s", "", requested.get("user_data") or "")
    if len(base64.b64decode(user_data)) > LONGEST_USER_DATA:
        raise HttpError(400, f"User data too large. User data must be no larger than {LONGEST_USER_DATA} bytes.")
    if count > 1:
        if len(requested["name"]) > LONGEST_BATCH_NAME:
            raise HttpError(400, f"Invalid input for field/attribute name. '{requested['name']}' is too long")
        if any(each.get("source_type") == "volume" for each in requested.get("block_device_mapping_v2") or ()):
            raise HttpError(400, "Cannot attach one or more volumes to multiple instances")


def zone_of_volumes(call: Call, zone: str, volume_ids: list[str]) -> str:
    """Return the zone of a new server with these volumes: that of the volumes, if the request names none.

    Raises:
        HttpError: the volumes are in another zone, or in several.
    """
    volumes = [call.get("volume", id_) or {} for id_ in volume_ids]
    zones = sorted({volume["availability_zone"] for volume in volumes} | ({zone} - {""}))
    if len(zones) > 1:
        raise HttpError(
            400,
            "Invalid volume: Server and volumes are not in the same availability zone. Server is in: "
            f"{zone}. Volumes are in: {', '.join(each for each in zones if each != zone)}",
        )
    return zones[0] if zones else ""


def check_description(requested: Document) -> None:
    """Check the length of a description that a server is given after its creation."""
    description = requested.get("description") or ""
    if len(description.encode()) > LONGEST_CHANGED_DESCRIPTION:
        field = "Invalid input for field/attribute description"
        raise HttpError(400, f"{field}. Value: {description}. '{description}' is too long")


def root_volume(image: Document) -> dict[str, Any]:
    """Return the block device that the cloud adds to a server that is created with `imageRef`."""
    size = max(1, image["min_disk"])
    return {"source_type": "image", "destination_type": "volume", "uuid": image["id"], "boot_index": 0} | {
        "volume_size": size,
        "delete_on_termination": True,
    }


def render_tags(call: Call, tags: list[str]) -> list[str]:
    """Return the tags of a server as the cloud shows them, which the rule `server_tags` determines."""
    return [f"{tag}=" for tag in tags] if call.rules.server_tags == "pairs" else tags
