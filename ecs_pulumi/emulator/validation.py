"""Validation of request bodies with JSON Schema, as in Nova and Cinder, with the messages of both services."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import uuid
from typing import TYPE_CHECKING, Any

from jsonschema import Draft4Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from .errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .context import Call

Schema = dict[str, Any]

BOOLEAN: Schema = {
    "type": ["boolean", "string"],
    "enum": [
        *(True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t"),
        *(False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f"),
    ],
}
TEXT: Schema = {"type": "string"}
OPTIONAL_TEXT: Schema = {"type": ["string", "null"]}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
UUID: Schema = {"type": "string", "format": "uuid"}
ADDRESS: Schema = {"type": "string", "oneOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
TAG: Schema = {"type": "string", "minLength": 1, "maxLength": 60}
FLAVOR: Schema = {"type": ["string", "integer"], "minLength": 1}
DISK_CONFIG: Schema = {"type": "string", "enum": ["AUTO", "MANUAL"]}
COUNT: Schema = {"type": ["integer", "string"], "pattern": "^[0-9]+$", "minimum": 1}
MOST = 2**31 - 1
"""The largest number in a request body of Nova or Cinder."""
LARGEST = 2**63 - 1
"""The largest integer that a database stores."""
NOTHING: Schema = {"type": "null"}


def fields(properties: Schema, *required: str) -> Schema:
    """Return the schema of an object that has no other properties."""
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def metadata(keys: str) -> Schema:
    """Return the schema of metadata; `keys` is the pattern of the keys."""
    values = {"type": "string", "maxLength": 255}
    return {"type": "object", "patternProperties": {keys: values}, "additionalProperties": False}


def is_uuid(value: Any) -> bool:
    """Return whether the value is the text of a UUID with hyphens."""
    try:
        return str(uuid.UUID(value)) == str(value).lower()
    except (TypeError, ValueError, AttributeError):
        return False


def is_true(value: Any) -> bool:
    """Return the boolean value of a value that `BOOLEAN` accepts."""
    return str(value).lower() in {"true", "1", "on", "yes", "y", "t"}


def number(text: str, largest: int = LARGEST) -> int | None:
    """Return the number that a text of decimal digits stands for; None if it is no such text or too large."""
    if not re.fullmatch(f"[0-9]{{1,{len(str(largest))}}}", text):
        return None
    return found if (found := int(text)) <= largest else None


def limit_of(text: str) -> int:
    """Return the limit of a list of Cinder or Glance; 400 with their message if it is not valid."""
    limit = number(text)
    if limit is None:
        problem = "positive" if re.fullmatch("-[0-9]+", text) else "an integer"
        raise HttpError(400, f"limit param must be {problem}")
    return limit


def body(call: Call, root: str, schema: Schema, *others: str) -> Any:
    """Validate the request body and return the value of its root key.

    On `/v2`, unknown properties are removed instead of rejected.

    Args:
        call: the request.
        root: the key that the body must contain.
        schema: the schema of its value.
        others: the keys that the body may contain as well.

    Raises:
        HttpError: 400 if the body does not match the schema, 415 if it is not JSON.
    """
    content_type = call.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if call.raw and content_type != "application/json":
        raise HttpError(415, "Unsupported Content-Type")
    document = call.json()
    validator = LENIENT if call.version == "v2" else STRICT
    complete = fields({root: schema, **{name: {} for name in others}}, root)
    for error in validator(complete, format_checker=FORMATS).iter_errors(document):
        raise HttpError(400, _message(error))
    return document[root]


def _message(error: ValidationError) -> str:
    if not error.path:
        return error.message
    return f"Invalid input for field/attribute {error.path[-1]}. Value: {error.instance}. {error.message}"


def _minimum(_validator: Any, minimum: int, instance: Any, _schema: Schema) -> Iterator[ValidationError]:
    """Compare a number in a string as well: both services accept it. Their databases store no larger numbers."""
    if not re.fullmatch("-?[0-9]+", str(instance)):
        return
    if number(str(instance).removeprefix("-"), MOST) is None:
        yield ValidationError(f"{str(instance)[:30]} is greater than the maximum of {MOST}")
    elif int(instance) < minimum:
        yield ValidationError(f"{instance} is less than the minimum of {minimum}")


def _min_length(_validator: Any, length: int, instance: Any, _schema: Schema) -> Iterator[ValidationError]:
    """Use the message of the jsonschema releases that the services run with; newer ones have another message."""
    if isinstance(instance, str) and len(instance) < length:
        yield ValidationError(f"{instance!r} is too short")


def _remove_unknown(validator: Any, allowed: Any, instance: Any, schema: Schema) -> Iterator[ValidationError]:
    if allowed is False and isinstance(instance, dict) and "properties" in schema:
        for name in instance.keys() - schema["properties"].keys():
            del instance[name]
    else:
        yield from Draft4Validator.VALIDATORS["additionalProperties"](validator, allowed, instance, schema)


FORMATS = FormatChecker(formats=())
STRICT = extend(Draft4Validator, {"minimum": _minimum, "minLength": _min_length})  # type: ignore[no-untyped-call]
LENIENT = extend(STRICT, {"additionalProperties": _remove_unknown})  # type: ignore[no-untyped-call]


@FORMATS.checks("uuid")
def _matches_uuid(value: object) -> bool:
    return not isinstance(value, str) or is_uuid(value)


@FORMATS.checks("ipv4", ValueError)
def _matches_ipv4(value: object) -> bool:
    return not isinstance(value, str) or ipaddress.IPv4Address(value) is not None


@FORMATS.checks("ipv6", ValueError)
def _matches_ipv6(value: object) -> bool:
    return not isinstance(value, str) or ("%" not in value and ipaddress.IPv6Address(value) is not None)


@FORMATS.checks("base64", binascii.Error)
def _matches_base64(value: object) -> bool:
    return not isinstance(value, str) or base64.b64decode(re.sub(r"\s", "", value), validate=True) is not None
