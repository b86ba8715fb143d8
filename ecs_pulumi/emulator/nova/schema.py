"""Validation of request bodies: the part of JSON Schema that Nova uses, with Nova's error messages."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from typing import TYPE_CHECKING, Any

from ecs_pulumi.emulator.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Call

Schema = dict[str, Any]

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}

BOOLEAN: Schema = {
    "type": ["boolean", "string"],
    "enum": [
        *(True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t"),
        *(False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f"),
    ],
}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
UUID: Schema = {"type": "string", "format": "uuid"}
COUNT: Schema = {"type": ["integer", "string"], "pattern": r"^[0-9]+$", "minimum": 1}
METADATA: Schema = {
    "type": "object",
    "keys": r"^[a-zA-Z0-9-_:. ]{1,255}$",
    "values": {"type": "string", "maxLength": 255},
}
NOTHING: Schema = {"type": "null"}


def is_true(value: Any) -> bool:
    """Return the boolean value of a value that `BOOLEAN` accepts."""
    return str(value).lower() in {"true", "1", "on", "yes", "y", "t"}


def body(call: Call, root: str, schema: Schema) -> Any:
    """Validate the request body and return the value of its root key.

    On `/v2` unknown properties are dropped, on `/v2.1` they are rejected.

    Raises:
        HttpError: 400 if the body does not match the schema, 415 if it is not JSON.
    """
    content_type = call.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if call.raw and content_type not in ("application/json", "text/plain"):
        raise HttpError(415, "Unsupported Content-Type")
    document = parse(call)
    if not isinstance(document, dict):
        raise HttpError(400, f"{document!r} is not of type 'object'")
    if root not in document:
        raise HttpError(400, f"'{root}' is a required property")
    unknown = sorted(set(document) - {root, *schema.get("siblings", ())})
    if unknown and call.version != "v2":
        raise HttpError(400, _unexpected(unknown))
    _check(document[root], schema, root, drop=call.version == "v2")
    return document[root]


def parse(call: Call) -> Any:
    """Return the body parsed as JSON, None if it is empty; 400 if it is not JSON."""
    if not call.raw:
        return None
    try:
        return call.json()
    except HttpError:
        raise HttpError(400, "Malformed request body") from None


def _unexpected(names: list[str]) -> str:
    quoted = ", ".join(repr(name) for name in names)
    return f"Additional properties are not allowed ({quoted} {'was' if len(names) == 1 else 'were'} unexpected)"


def _check(value: Any, schema: Schema, field: str, *, drop: bool) -> None:
    """Raise 400 if the value does not match the schema; remove unknown properties if `drop` is true."""

    def reject(message: str) -> None:
        raise HttpError(400, f"Invalid input for field/attribute {field}. Value: {value}. {message}")

    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_has_type(value, type_name) for type_name in types):
        reject(f"{value!r} is not of type {', '.join(repr(type_name) for type_name in types)}")
    if "enum" in schema and value not in schema["enum"]:
        reject(f"{value!r} is not one of {schema['enum']}")
    if "minimum" in schema and int(value) < schema["minimum"]:
        reject(f"{value} is less than the minimum of {schema['minimum']}")
    if isinstance(value, str):
        _check_text(value, schema, reject)
    elif isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            reject(f"{value!r} is too long")
        for index, item in enumerate(value):
            _check(item, schema.get("items", {}), str(index), drop=drop)
    elif isinstance(value, dict):
        _check_object(value, schema, reject, drop=drop)


def _check_text(value: str, schema: Schema, reject: Any) -> None:
    if len(value) < schema.get("minLength", 0):
        reject(f"{value!r} is too short")
    if len(value) > schema.get("maxLength", len(value)):
        reject(f"{value!r} is too long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        reject(f"{value!r} does not match '{schema['pattern']}'")
    if schema.get("format") and not FORMATS[schema["format"]](value):
        reject(f"{value!r} is not a '{schema['format']}'")
    if schema.get("formats") and not any(FORMATS[each](value) for each in schema["formats"]):
        reject(f"{value!r} is not valid under any of the given schemas")


def _check_object(value: dict[str, Any], schema: Schema, reject: Any, *, drop: bool) -> None:
    for name in schema.get("required", ()):
        if name not in value:
            reject(f"'{name}' is a required property")
    properties = schema.get("properties")
    if properties is not None:
        unknown = [name for name in value if name not in properties]
        if unknown and not drop:
            reject(_unexpected(unknown))
        for name in unknown:
            del value[name]
    for name, item in value.items():
        if "keys" in schema and not re.search(schema["keys"], name):
            reject(f"{name!r} does not match any of the regexes: '{schema['keys']}'")
        _check(item, (properties or {}).get(name) or schema.get("values", {}), name, drop=drop)


def _has_type(value: Any, type_name: str) -> bool:
    # In Python a bool is an int, in JSON it is not.
    return isinstance(value, TYPES[type_name]) and not (type_name == "integer" and isinstance(value, bool))


def is_uuid(text: str) -> bool:
    """Return whether the text is a UUID with hyphens."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(re.sub(r"\s", "", text), validate=True)
    except binascii.Error:
        return False
    return True


FORMATS: dict[str, Callable[[str], bool]] = {
    "uuid": is_uuid,
    "base64": _is_base64,
    "empty": lambda text: not text,
    "link": lambda text: "/" in text,
}
