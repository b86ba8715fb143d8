"""What one row of the table says about one field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fields.ground import CloudFixtures
    from tests.support.steps import Resource

    Hand = Callable[[CloudFixtures, Resource], object]

NONE = object()
"""There is no such value."""


@dataclass(frozen=True)
class Row:
    """One field and its values. A value that depends on the cloud is a function of the ground.

    Attributes:
        first: What it is set to.
        second: What it is changed to.
        base: The other inputs.
        then: Those that go with `second` instead.
        clear: What clears it, where that is not an empty list or map.
        keeps: Why an empty list or map asks for nothing.
        hand: Changes it in the cloud behind Pulumi's back.
        delete_first: Whether a replacement cannot stand beside the old object.
        admin: Whether it is for administrators.
        extension: The extension of Neutron that it needs.
        denied: What others may not set it to; `first` where it is not said.
        refusal: What a refusal says, where it does not name the field as the program does.
        lacks: Says what a cloud lacks for it, if it does.
        required: Whether it, or another instead of it, has to be there.
        once: Why it cannot be changed.
    """

    first: Any
    second: Any = NONE
    base: Any = None
    then: Any = None
    clear: Any = NONE
    keeps: str = ""
    hand: Hand | None = None
    delete_first: bool = False
    admin: bool = False
    extension: str = ""
    denied: Any = NONE
    refusal: str = ""
    lacks: Callable[[CloudFixtures], str | None] = lambda _: None
    required: bool = False
    once: str = ""


def known(ground: CloudFixtures, value: Any) -> Any:
    """The value in this cloud."""
    return value(ground) if callable(value) else value


def put(**attributes: Any) -> Hand:
    """Change attributes of a network, subnet or port by hand; a dot is `__` in a name."""

    def change(ground: CloudFixtures, it: Resource) -> None:
        kind = it.kind.lower()
        body = {name.replace("__", ":"): known(ground, value) for name, value in attributes.items()}
        answer = ground.admin.network.put(f"/{kind}s/{it.id}", json={kind: body})
        assert answer.ok, answer.text

    return change


def tag(ground: CloudFixtures, it: Resource) -> None:
    """Give a network, subnet or port another tag by hand."""
    answer = ground.cloud.network.put(f"/{it.kind.lower()}s/{it.id}/tags/by-hand")
    assert answer.ok, answer.text
