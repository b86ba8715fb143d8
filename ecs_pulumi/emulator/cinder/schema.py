"""What a body must look like: the part of JSON Schema that Cinder uses, in Cinder's words."""

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


def refused(name: str, value: Any, reason: str) -> HttpError:
    """400: one field is not as it should be."""
    return HttpError(400, f"Invalid input for field/attribute {name}. Value: {value}. {reason}")


def document(call: Call, root: str, *beside: str) -> dict[str, Any]:
    """The whole body, in which `root` is an object, with nothing but `beside` beside it."""
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
    unknown = [name for name in body if name not in (root, *beside)]
    if unknown:
        raise HttpError(400, _unexpected(unknown))
    of(root, body[root], "object")
    return body


def _unexpected(names: list[str]) -> str:
    listed = ", ".join(repr(name) for name in names)
    return f"Additional properties are not allowed ({listed} {'was' if len(names) == 1 else 'were'} unexpected)"


def only(root: str, value: dict[str, Any], *names: str) -> None:
    """Refuse properties other than these."""
    unknown = [name for name in value if name not in names]
    if unknown:
        raise refused(root, value, _unexpected(unknown))


def required(root: str, value: dict[str, Any], name: str) -> Any:
    """A property that must be there."""
    if name not in value:
        raise refused(root, value, f"'{name}' is a required property")
    return value[name]


def of(name: str, value: Any, *kinds: str) -> None:
    """Refuse a value that is of none of the kinds."""
    # In Python a bool is an int; in JSON it is not.
    if not any(
        isinstance(value, KINDS[kind]) and not (kind == "integer" and isinstance(value, bool)) for kind in kinds
    ):
        raise refused(name, value, f"{value!r} is not of type {', '.join(repr(kind) for kind in kinds)}")


def size(name: str, value: Any) -> int:
    """A size in GiB, as a number or its digits."""
    if isinstance(value, str) and not re.fullmatch("[0-9]+", value):
        raise refused(name, value, f"{value!r} does not match '^[0-9]+$'")
    if int(value) < 1:
        raise refused(name, value, f"{value} is less than the minimum of 1")
    return int(value)


def boolean(root: str, value: dict[str, Any], name: str) -> bool:
    """A property that must be there and mean yes or no."""
    found = required(root, value, name)
    if found not in BOOLEANS:
        raise refused(name, found, f"{found!r} is not one of {list(BOOLEANS)}")
    return str(found).lower() in ("true", "1", "on", "yes", "y", "t")


def identifier(name: str, value: Any) -> None:
    """Refuse what is no id."""
    try:
        uuid.UUID(value)
    except (TypeError, ValueError, AttributeError):
        raise refused(name, value, f"{value!r} is not valid under any of the given schemas") from None


def metadata(name: str, value: Any) -> dict[str, str]:
    """Keys and values as texts of at most 255 characters; null is none."""
    of(name, value, "object", "null")
    for key, each in (value or {}).items():
        if not re.search(KEY, key):
            raise refused(name, value, f"{key!r} does not match any of the regexes: '{KEY}'")
        of(key, each, "string")
        if len(each) > NAME_LENGTH:
            raise refused(key, each, f"{each!r} is too long")
    return dict(value or {})


def names(said: dict[str, Any]) -> dict[str, str | None]:
    """The name and description that the body says, under their new or old names."""
    read = {}
    for name in ("name", "description"):
        for key in (f"display_{name}", name):
            if key in said:
                of(key, said[key], "string", "null")
                read[name] = said[key].strip() if said[key] is not None else None
    for name, value in read.items():
        if value is not None and len(value) > NAME_LENGTH:
            message = f"Invalid input received: {name} has {len(value)} characters, more than {NAME_LENGTH}."
            raise HttpError(400, message)
    return read
