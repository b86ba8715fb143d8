"""Why some clouds refuse to create a server that others create, and what the program can do about it."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from ecs_pulumi.cloud import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.resources.server.schema import ServerInputs

ZONES_DIFFER = re.compile(r"not in the same availability.?zone")
"""What a cloud answers if a server is to have a volume of another zone."""
_PROPERTIES = {"OS-DCF:diskConfig": "disk_config"}
"""The inputs that have another name in the API."""
_NAMES_AN_ITEM = re.compile(r"Invalid input for \d+\b")
"""What the API answers to an invalid item of a list: it does not name the list."""
_LONGEST_NAME, _LONGEST_DESCRIPTION, _LONGEST_USER_DATA = 128, 85, 32 * 1024
"""The smallest limits of a known cloud."""


def hint(desired: ServerInputs, error: errors.ApiError) -> str | None:
    """Return what to change in the program after a refused create request; None if the message says enough."""
    if not isinstance(error, errors.BadRequest):
        return None
    message = error.message
    for name in (_PROPERTIES.get(each, each) for each in errors.unknown_attributes(error)):
        place = next((place for place in ("networks", "block_devices") if _sets(getattr(desired, place), name)), None)
        if place:
            return f"{place}: this cloud does not offer `{name}` there; remove it."
        return f"{name}: this cloud does not offer it; remove it from the program."
    if re.search(r"\bnetworks\b", message) and (not isinstance(desired.networks, list) or not desired.networks):
        return "networks: list the networks or ports to connect; this cloud creates no server without them."
    if re.search(r"\bdestination_type\b", message):
        return "block_devices: this cloud has no local disks; set destination_type to `volume`."
    return _limit(desired, error)


@contextlib.contextmanager
def explained(desired: ServerInputs) -> Iterator[None]:
    """Add to the error of a refused update which limit an input exceeds."""
    try:
        yield
    except errors.BadRequest as error:
        error.hint = _limit(desired, error) or error.hint
        raise


def _limit(desired: ServerInputs, error: errors.BadRequest) -> str | None:
    name, description, message = desired.name or "", desired.description or "", error.message

    def is_about(attribute: str, value: str) -> bool:
        # Refusals of other objects contain the word "name" as well.
        is_repeated = bool(value) and value in message and re.search(rf"\b{attribute}\b", message)
        return errors.invalid_attribute(error) == attribute or bool(is_repeated)

    if ZONES_DIFFER.search(message):
        return "availability_zone: set it to that of the volumes in `block_devices`."
    if _NAMES_AN_ITEM.match(message) and any(f"'{tag}'" in message for tag in desired.tags or ()):
        return (
            "tags: a tag has at most 60 characters, no `,` and no `/`; some clouds allow letters, digits, `_` and `-`."
        )
    if is_about("name", name) and not re.fullmatch(rf"[A-Za-z0-9_.-]{{1,{_LONGEST_NAME}}}", name):
        return f"name: some clouds allow at most {_LONGEST_NAME} letters, digits, `_`, `-` and `.`."
    if is_about("description", description) and not re.fullmatch(rf"[^<>]{{0,{_LONGEST_DESCRIPTION}}}", description):
        return f"description: some clouds allow at most {_LONGEST_DESCRIPTION} characters, without `<` and `>`."
    is_long = len(desired.user_data or "") > _LONGEST_USER_DATA
    if is_long and re.search(r"\buser.data\b", message, re.IGNORECASE):
        return f"user_data: some clouds allow at most {_LONGEST_USER_DATA // 1024} KB."
    return None


def _sets(items: object, name: str) -> bool:
    return isinstance(items, list) and any(getattr(item, name, None) is not None for item in items)
