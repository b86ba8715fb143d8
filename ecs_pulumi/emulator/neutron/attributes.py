"""The attributes of resources, and the validation of request bodies against them.

A resource is a table of attributes. `read_create` and `read_update` validate a request body in the order of the real
service: the structure of the body, the project, unknown attributes, missing attributes, each value, and finally the
policy, because only administrators may set some attributes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ecs_pulumi.emulator.errors import HttpError
from ecs_pulumi.emulator.validation import is_uuid

from .documented import is_for_users, settable
from .refusals import bad_request, forbidden, invalid_attribute, invalid_input

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Call

    Reader = Callable[[str, Any], Any]
    """Takes an attribute's name and value, returns the value to store, and rejects an invalid one."""

Verb = Literal["create", "update"]

UNSET: Any = object()
"""The value of an attribute that the request does not contain and for which the cloud selects a value."""

MAX_LENGTH = 255
TRUE, FALSE = ("true", "1", "yes", "on", "t", "y"), ("false", "0", "no", "off", "f", "n")


def anything(_name: str, value: Any) -> Any:
    """Accept any value."""
    return value


def text(name: str, value: Any) -> str:
    """Accept a string of at most 255 characters."""
    if not isinstance(value, str):
        raise invalid_attribute(name, f"'{value}' is not a valid string")
    if len(value) > MAX_LENGTH:
        raise invalid_attribute(name, f"'{value}' exceeds maximum length of {MAX_LENGTH}")
    return value


def boolean(_name: str, value: Any) -> bool:
    """Accept a boolean, or a word for one."""
    word = str(value).lower()
    if word not in TRUE + FALSE:
        raise invalid_input(f"'{value}' cannot be converted to boolean")
    return word in TRUE


def integer(_name: str, value: Any) -> int:
    """Accept an integer, or its decimal digits as a string."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise invalid_input(f"'{value}' is not an integer") from None


def identifier(name: str, value: Any) -> str:
    """Accept a UUID."""
    if not is_uuid(value):
        raise invalid_attribute(name, f"'{value}' is not a valid UUID")
    return str(value)


def one_of(*allowed: Any) -> Reader:
    """Return a reader that accepts the listed values only."""

    def read(name: str, value: Any) -> Any:
        if value not in allowed:
            raise invalid_attribute(name, f"{value} is not in valid_values")
        return value

    return read


def optional(reader: Reader) -> Reader:
    """Return a reader that accepts None and the values that `reader` accepts."""
    return lambda name, value: None if value is None else reader(name, value)


def items(_name: str, value: Any) -> list[Any]:
    """Accept a list; None means an empty list."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid_input(f"'{value}' is not a list")
    return value


def mapping(name: str, value: Any) -> dict[str, Any]:
    """Accept a dictionary; None means an empty dictionary."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_attribute(name, f"'{value}' is not a dictionary")
    return value


@dataclass(frozen=True)
class Attribute:
    """One attribute of a resource.

    Args:
        read: validates the request's value and converts it to the stored value.
        default: the value if the request does not contain the attribute; with UNSET, the resource selects it.
        required: whether a create request must contain the attribute.
        on: the requests that may contain the attribute.
        admin: the requests in which only administrators may set it to a value other than the default.
        admin_view_only: whether only administrators can see the attribute.
        filters: whether lists can be filtered by the attribute.
    """

    read: Reader = anything
    default: Any = UNSET
    required: bool = False
    on: tuple[Verb, ...] = ("create", "update")
    admin: tuple[Verb, ...] = ()
    admin_view_only: bool = False
    filters: bool = True


READ_ONLY = Attribute(on=())

COMMON = {
    "id": READ_ONLY,
    "tenant_id": Attribute(text, on=("create",)),
    "project_id": Attribute(text, on=("create",)),
    "created_at": READ_ONLY,
    "updated_at": READ_ONLY,
    "revision_number": READ_ONLY,
    "tags": READ_ONLY,
    "description": Attribute(text, ""),
}


@dataclass(frozen=True)
class Resource:
    """A kind of object with its table of attributes.

    Args:
        name: the name in bodies: `security_group`.
        attributes: the attributes in addition to `COMMON`.
        not_found_message: the message of a 404, with `{}` for the id.
        not_found_kind: the exception's name in a 404.
        extensions: additional attributes by the alias of the extension that provides them.
    """

    name: str
    attributes: dict[str, Attribute]
    not_found_message: str
    not_found_kind: str
    extensions: dict[str, dict[str, Attribute]] = field(default_factory=dict)
    _known: dict[frozenset[str], dict[str, Attribute]] = field(default_factory=dict, repr=False)

    @property
    def collection(self) -> str:
        """The name in lists: `security_groups`."""
        return self.name.removesuffix("y") + ("ies" if self.name.endswith("y") else "s")

    @property
    def path(self) -> str:
        """The name in URLs: `security-groups`."""
        return self.collection.replace("_", "-")

    def known(self, extensions: frozenset[str]) -> dict[str, Attribute]:
        """Return the attributes of the resource in a cloud with these extensions."""
        if extensions not in self._known:
            known = COMMON | self.attributes
            for alias, attributes in self.extensions.items():
                if alias in extensions:
                    known |= attributes
            self._known[extensions] = known
        return self._known[extensions]

    def defaults(self, extensions: frozenset[str]) -> dict[str, Any]:
        """Return the values of an empty create request."""
        return {
            name: attribute.default
            for name, attribute in self.known(extensions).items()
            if "create" in attribute.on and name != "tenant_id"
        }

    def read_create(self, call: Call, extensions: frozenset[str]) -> dict[str, Any]:
        """Return the values of a create request, with `project_id` and defaults; the resource replaces UNSET."""
        return self._read_new(call, self._body(call), extensions)

    def read_create_bulk(self, call: Call, extensions: frozenset[str]) -> list[dict[str, Any]] | None:
        """Return the values of each object of a create request with a list; None if the request creates one object."""
        body = _json(call)
        if not isinstance(body, dict) or self.collection not in body:
            return None
        listed = body[self.collection]
        if not listed:
            raise bad_request("Resources required")
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise bad_request("Body contains invalid data")
        return [self._read_new(call, item.get(self.name, item), extensions) for item in listed]

    def _read_new(self, call: Call, fields: dict[str, Any], extensions: frozenset[str]) -> dict[str, Any]:
        known, fields = self.known(extensions), settable(call, self.name, "create", fields)
        project_id = _project(call, fields)
        _check_unknown(fields, known)
        values: dict[str, Any] = {}
        for name, attribute in known.items():
            if "create" in attribute.on:
                if attribute.required and name not in fields:
                    raise bad_request(f"Failed to parse request. Required attribute '{name}' not specified")
            elif name in fields:
                raise bad_request(f"Attribute '{name}' not allowed in POST")
        for name, attribute in known.items():
            if "create" in attribute.on:
                values[name] = attribute.read(name, fields[name]) if name in fields else attribute.default
        restricted = [
            name
            for name, attribute in known.items()
            if "create" in attribute.admin and name in fields and values[name] != attribute.default
            if not is_for_users(call, name)
        ]
        if restricted and not call.is_admin:
            raise forbidden(f"create_{self.name}", *restricted)
        del values["tenant_id"]
        values["project_id"] = project_id
        return values

    def read_update(self, call: Call, extensions: frozenset[str]) -> dict[str, Any]:
        """Return the values of an update request; `check_admin_only` does the remaining checks."""
        fields = settable(call, self.name, "update", self._body(call))
        known = self.known(extensions)
        _project(call, fields)
        _check_unknown(fields, known)
        for name in fields:
            if "update" not in known[name].on:
                reported = "tenant_id" if name == "project_id" else name
                raise bad_request(f"Cannot update read-only attribute {reported}")
        return {name: known[name].read(name, value) for name, value in fields.items()}

    def check_admin_only(self, call: Call, values: dict[str, Any], extensions: frozenset[str]) -> None:
        """Reject with 403 an update of attributes that only administrators may set; call this after the 404 check."""
        known = self.known(extensions)
        restricted = [name for name in values if "update" in known[name].admin and not is_for_users(call, name)]
        if restricted and not call.is_admin:
            raise forbidden(f"update_{self.name}", *restricted)

    def _body(self, call: Call) -> dict[str, Any]:
        body = _json(call)
        if not isinstance(body, dict):
            raise bad_request("Body contains invalid data")
        if body.get(self.name) is None:
            raise bad_request(f"Unable to find '{self.name}' in request body")
        fields = body[self.name]
        if not isinstance(fields, dict):
            raise bad_request(f"Object '{self.name}' contains invalid data")
        return fields


def _json(call: Call) -> Any:
    """Return the body of a request; None if it is not JSON."""
    try:
        return call.json() if call.raw else {}
    except HttpError:
        return None


def _project(call: Call, fields: dict[str, Any]) -> str:
    project_id = fields.get("project_id", fields.get("tenant_id", call.project_id))
    if project_id != call.project_id and not call.is_admin:
        raise bad_request(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project"
            " in request requires admin or advsvc privileges"
        )
    return str(project_id)


def _check_unknown(fields: dict[str, Any], known: dict[str, Attribute]) -> None:
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise bad_request(f"Unrecognized attribute(s) '{', '.join(unknown)}'")
