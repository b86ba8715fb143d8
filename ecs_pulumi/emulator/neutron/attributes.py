"""What a request may say: the attributes of a resource, and how each is read.

A resource is a table of attributes. `read_create` and `read_update` take a request's body through the checks
in the order of the real service: the shape of the body, the project, unknown attributes, missing ones, then
each value, and last the policy, since some attributes are for administrators only.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .refusals import bad_request, forbidden, invalid_attribute, invalid_input

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecs_pulumi.emulator.context import Call

    Reader = Callable[[str, Any], Any]
    """`(attribute, value)` to the value as it is kept; refuses what is wrong."""

Verb = Literal["create", "update"]

UNSET: Any = object()
"""The value of an attribute that the request left to the cloud."""

LONGEST = 255
TRUE, FALSE = ("true", "1", "yes", "on", "t", "y"), ("false", "0", "no", "off", "f", "n")


def anything(_name: str, value: Any) -> Any:
    """Take the value as it is."""
    return value


def text(name: str, value: Any) -> str:
    """A string of at most 255 characters."""
    if not isinstance(value, str):
        raise invalid_attribute(name, f"'{value}' is not a valid string")
    if len(value) > LONGEST:
        raise invalid_attribute(name, f"'{value}' exceeds maximum length of {LONGEST}")
    return value


def boolean(_name: str, value: Any) -> bool:
    """A boolean, or a word that means one."""
    word = str(value).lower()
    if word not in TRUE + FALSE:
        raise invalid_input(f"'{value}' cannot be converted to boolean")
    return word in TRUE


def integer(_name: str, value: Any) -> int:
    """An integer, or a string of its digits."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise invalid_input(f"'{value}' is not an integer") from None


def is_uuid(value: Any) -> bool:
    """Whether the value reads as a UUID."""
    try:
        uuid.UUID(value)
    except (TypeError, ValueError, AttributeError):
        return False
    return True


def identifier(name: str, value: Any) -> str:
    """A UUID."""
    if not is_uuid(value):
        raise invalid_attribute(name, f"'{value}' is not a valid UUID")
    return str(value)


def one_of(*allowed: Any) -> Reader:
    """One of a few values."""

    def read(name: str, value: Any) -> Any:
        if value not in allowed:
            raise invalid_attribute(name, f"{value} is not in valid_values")
        return value

    return read


def optional(reader: Reader) -> Reader:
    """None, or what `reader` takes."""
    return lambda name, value: None if value is None else reader(name, value)


def items(_name: str, value: Any) -> list[Any]:
    """A list; None is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid_input(f"'{value}' is not a list")
    return value


def mapping(name: str, value: Any) -> dict[str, Any]:
    """A dictionary; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_attribute(name, f"'{value}' is not a dictionary")
    return value


@dataclass(frozen=True)
class Attribute:
    """One attribute of a resource.

    Args:
        read: turns the request's value into the one that is kept.
        default: where the request does not say; UNSET leaves it to the resource.
        required: a create must name it.
        on: the requests that may name it.
        admin: the requests in which it is kept to administrators, unless it is left at its default.
        admin_sees: whether it is kept out of what others are shown.
        filters: whether a list may be filtered by it.
    """

    read: Reader = anything
    default: Any = UNSET
    required: bool = False
    on: tuple[Verb, ...] = ("create", "update")
    admin: tuple[Verb, ...] = ()
    admin_sees: bool = False
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
        name: as in a body: `security_group`.
        attributes: without those that every resource has.
        absent: what a 404 says, with `{}` for the id.
        absent_kind: the exception's name in a 404.
        extensions: attributes that only exist where the named extension does.
    """

    name: str
    attributes: dict[str, Attribute]
    absent: str
    absent_kind: str
    extensions: dict[str, dict[str, Attribute]] = field(default_factory=dict)
    _known: dict[frozenset[str], dict[str, Attribute]] = field(default_factory=dict, repr=False)

    @property
    def collection(self) -> str:
        """As in a list: `security_groups`."""
        return self.name.removesuffix("y") + ("ies" if self.name.endswith("y") else "s")

    @property
    def path(self) -> str:
        """As in a URL: `security-groups`."""
        return self.collection.replace("_", "-")

    def known(self, extensions: frozenset[str]) -> dict[str, Attribute]:
        """The attributes of a cloud with these extensions."""
        if extensions not in self._known:
            known = COMMON | self.attributes
            for alias, attributes in self.extensions.items():
                if alias in extensions:
                    known |= attributes
            self._known[extensions] = known
        return self._known[extensions]

    def defaults(self, extensions: frozenset[str]) -> dict[str, Any]:
        """The values of a create request that says nothing."""
        return {
            name: attribute.default
            for name, attribute in self.known(extensions).items()
            if "create" in attribute.on and name != "tenant_id"
        }

    def read_create(self, call: Call, extensions: frozenset[str]) -> dict[str, Any]:
        """The values of a create request, with `project_id` and defaults; UNSET is up to the resource."""
        said = self._body(call)
        known = self.known(extensions)
        project_id = _project(call, said)
        _refuse_unknown(said, known)
        values: dict[str, Any] = {}
        for name, attribute in known.items():
            if "create" in attribute.on:
                if attribute.required and name not in said:
                    raise bad_request(f"Failed to parse request. Required attribute '{name}' not specified")
            elif name in said:
                raise bad_request(f"Attribute '{name}' not allowed in POST")
        for name, attribute in known.items():
            if "create" in attribute.on:
                values[name] = attribute.read(name, said[name]) if name in said else attribute.default
        kept = [
            name
            for name, attribute in known.items()
            if "create" in attribute.admin and name in said and values[name] != attribute.default
        ]
        if kept and not call.is_admin:
            raise forbidden(f"create_{self.name}", *kept)
        del values["tenant_id"]
        values["project_id"] = project_id
        return values

    def read_update(self, call: Call, extensions: frozenset[str]) -> dict[str, Any]:
        """The values that an update request names; `refuse_kept` is the second half of its checks."""
        said = self._body(call)
        known = self.known(extensions)
        _project(call, said)
        _refuse_unknown(said, known)
        for name in said:
            if "update" not in known[name].on:
                shown = "tenant_id" if name == "project_id" else name
                raise bad_request(f"Cannot update read-only attribute {shown}")
        return {name: known[name].read(name, value) for name, value in said.items()}

    def refuse_kept(self, call: Call, values: dict[str, Any], extensions: frozenset[str]) -> None:
        """403 where an update names what is kept to administrators; it comes after the 404."""
        known = self.known(extensions)
        kept = [name for name in values if "update" in known[name].admin]
        if kept and not call.is_admin:
            raise forbidden(f"update_{self.name}", *kept)

    def _body(self, call: Call) -> dict[str, Any]:
        try:
            body = json.loads(call.raw) if call.raw else {}
        except ValueError:
            raise bad_request("Body contains invalid data") from None
        if not isinstance(body, dict):
            raise bad_request("Body contains invalid data")
        if body.get(self.name) is None:
            raise bad_request(f"Unable to find '{self.name}' in request body")
        said = body[self.name]
        if not isinstance(said, dict):
            raise bad_request(f"Object '{self.name}' contains invalid data")
        return said


def _project(call: Call, said: dict[str, Any]) -> str:
    project_id = said.get("project_id", said.get("tenant_id", call.project_id))
    if project_id != call.project_id and not call.is_admin:
        raise bad_request(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project"
            " in request requires admin or advsvc privileges"
        )
    return str(project_id)


def _refuse_unknown(said: dict[str, Any], known: dict[str, Attribute]) -> None:
    unknown = [name for name in said if name not in known]
    if unknown:
        raise bad_request(f"Unrecognized attribute(s) '{', '.join(unknown)}'")
