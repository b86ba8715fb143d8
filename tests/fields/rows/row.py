"""A row of the table of fields: the values of one field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud.network import COLLECTIONS
from ecs_pulumi.dynamic.handler import get_handler

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.cloud_fixtures import CloudFixtures
    from tests.support.steps import Resource

    OutOfBandChange = Callable[[CloudFixtures, Resource], object]

NONE = object()
"""The row has no such value."""


@dataclass(frozen=True)
class Row:
    """One field and its values. A value that depends on the cloud is a function of the fixtures.

    Attributes:
        first: The first value of the field.
        second: The value to change it to.
        base: The other inputs.
        then: Inputs that accompany `second`; they take precedence over `base`.
        clear: The value that clears the field, if that is not an empty list or map.
        keeps: Why an empty list or map changes nothing.
        never_empty: Why the cloud refuses an empty list.
        out_of_band_change: Changes the field in the cloud, outside of Pulumi.
        delete_first: Whether a replacement deletes the prior object before it creates the new one.
        admin: Whether only administrators may set the field.
        extension: The Neutron extension that the field requires.
        denied: A value that other users may not set; `first` if not given.
        refusal: A part of the error message, if the message does not contain the name of the field.
        lacks: Returns what the cloud lacks for the test, or None.
        required: Whether the field, or an alternative to it, is required.
        once: Why the field cannot be changed.
    """

    first: Any
    second: Any = NONE
    base: Any = None
    then: Any = None
    clear: Any = NONE
    keeps: str = ""
    never_empty: str = ""
    out_of_band_change: OutOfBandChange | None = None
    delete_first: bool = False
    admin: bool = False
    extension: str = ""
    denied: Any = NONE
    refusal: str = ""
    lacks: Callable[[CloudFixtures], str | None] = lambda _: None
    required: bool = False
    once: str = ""


def known(fixtures: CloudFixtures, value: Any) -> Any:
    """Return the value in this cloud."""
    return value(fixtures) if callable(value) else value


def put(**attributes: Any) -> OutOfBandChange:
    """Return a change of attributes of an object of Neutron; `__` in a name stands for a colon."""

    def change(fixtures: CloudFixtures, resource: Resource) -> None:
        singular = get_handler(resource.kind).singular  # type: ignore[attr-defined]
        body = {name.replace("__", ":"): known(fixtures, value) for name, value in attributes.items()}
        answer = fixtures.admin.network.put(_path(resource), json={singular: body})
        assert answer.ok, answer.text

    return change


def tag(fixtures: CloudFixtures, resource: Resource) -> None:
    """Add a tag to an object of Neutron."""
    answer = fixtures.cloud.network.put(f"{_path(resource)}/tags/by-hand")
    assert answer.ok, answer.text


def _path(resource: Resource) -> str:
    """Return the path of an object of Neutron."""
    singular: str = get_handler(resource.kind).singular  # type: ignore[attr-defined]
    return f"{COLLECTIONS[singular].path}/{resource.id}"
