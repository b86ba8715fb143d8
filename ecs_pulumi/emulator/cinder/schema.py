"""Validation of request bodies: the part of JSON Schema that Cinder uses, with Cinder's messages."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call

KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
BOOLEANS = (
    *(True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t"),
    *(False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f"),
)
NAME_LENGTH = 255
KEY = "^[a-zA-Z0-9-_:. /]{1,255}$"


def invalid_field(name: str, value: Any, reason: str) -> HttpError:
    """Return a 400 error for an invalid field."""
    return HttpError(400, f"Invalid input for field/attribute {name}. Value: {value}. {reason}")


def document(call: Call, root: str, *optional: str) -> dict[str, Any]:
    """Return the body; `root` must be an object in it, and only the properties in `optional` may accompany it."""
    content_type = call.headers.get("content-type", "").partition(";")[0]
    if call.raw and content_type != "application/json":
        raise HttpError(415, "Unsupported Content-Type")
    try:
        body = json.loads(call.raw) if call.raw else None
    except ValueError:
        raise HttpError(400, "Malformed request body") from None
    if not isinstance(body, dict):
        raise HttpError(400, f"{body!r} is not of type 'object'")
    if root not in body:
        raise HttpError(400, f"'{root}' is a required property")
    unknown = [name for name in body if name not in (root, *optional)]
    if unknown:
        raise HttpError(400, _unexpected(unknown))
    check_type(root, body[root], "object")
    return body


def _unexpected(names: list[str]) -> str:
    listed = ", ".join(repr(name) for name in names)
    return f"Additional properties are not allowed ({listed} {'was' if len(names) == 1 else 'were'} unexpected)"


def check_properties(root: str, value: dict[str, Any], *names: str) -> None:
    """Reject properties other than these."""
    unknown = [name for name in value if name not in names]
    if unknown:
        raise invalid_field(root, value, _unexpected(unknown))


def required(root: str, value: dict[str, Any], name: str) -> Any:
    """Return a required property."""
    if name not in value:
        raise invalid_field(root, value, f"'{name}' is a required property")
    return value[name]


def check_type(name: str, value: Any, *kinds: str) -> None:
    """Reject a value that has none of the JSON types `kinds`."""
    # In Python, bool is a subclass of int; in JSON, a boolean is not an integer.
    if not any(
        isinstance(value, KINDS[kind]) and not (kind == "integer" and isinstance(value, bool)) for kind in kinds
    ):
        raise invalid_field(name, value, f"{value!r} is not of type {', '.join(repr(kind) for kind in kinds)}")


def size(name: str, value: Any) -> int:
    """Accept a size in GiB, as an integer or its decimal digits."""
    if isinstance(value, str) and not re.fullmatch("[0-9]+", value):
        raise invalid_field(name, value, f"{value!r} does not match '^[0-9]+$'")
    if int(value) < 1:
        raise invalid_field(name, value, f"{value} is less than the minimum of 1")
    return int(value)


def boolean(root: str, value: dict[str, Any], name: str) -> bool:
    """Return a required boolean property, which may also be a word for a boolean."""
    flag = required(root, value, name)
    if flag not in BOOLEANS:
        raise invalid_field(name, flag, f"{flag!r} is not one of {list(BOOLEANS)}")
    return str(flag).lower() in ("true", "1", "on", "yes", "y", "t")


def identifier(name: str, value: Any) -> None:
    """Reject a value that is not a UUID."""
    try:
        uuid.UUID(value)
    except (TypeError, ValueError, AttributeError):
        raise invalid_field(name, value, f"{value!r} is not valid under any of the given schemas") from None


def metadata(name: str, value: Any) -> dict[str, str]:
    """Accept metadata with keys and values of at most 255 characters; null means empty."""
    check_type(name, value, "object", "null")
    for key, each in (value or {}).items():
        if not re.search(KEY, key):
            raise invalid_field(name, value, f"{key!r} does not match any of the regexes: '{KEY}'")
        check_type(key, each, "string")
        if len(each) > NAME_LENGTH:
            raise invalid_field(key, each, f"{each!r} is too long")
    return dict(value or {})


def names(fields: dict[str, Any]) -> dict[str, str | None]:
    """Return the name and the description of a request, under their current or old keys."""
    result = {}
    for name in ("name", "description"):
        for key in (f"display_{name}", name):
            if key in fields:
                check_type(key, fields[key], "string", "null")
                result[name] = fields[key].strip() if fields[key] is not None else None
    for name, value in result.items():
        if value is not None and len(value) > NAME_LENGTH:
            message = f"Invalid input received: {name} has {len(value)} characters, more than {NAME_LENGTH}."
            raise HttpError(400, message)
    return result
