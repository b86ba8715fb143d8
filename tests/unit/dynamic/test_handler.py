"""Automatic names, the operation context, and finding the handler of a kind."""

from __future__ import annotations

import pytest

from ecs_pulumi.dynamic.handler import OperationContext, auto_name, get_handler, is_auto_name, owner_from_name
from tests.support.generated import KINDS


def test_auto_name_is_derived_from_seed() -> None:
    """The same seed gives the same name, so that preview and `up` use the same name."""
    assert auto_name("web", b"\x01\x02\x03\x04\x05") == "web-01020304"
    assert auto_name("web", b"\x01\x02\x03\x04\x05") == auto_name("web", b"\x01\x02\x03\x04\xff")


def test_auto_name_without_seed_is_random() -> None:
    """Without a seed each automatic name has a random suffix."""
    assert auto_name("web", b"") != auto_name("web", b"")
    assert is_auto_name(auto_name("web", b""), "web")


@pytest.mark.parametrize(
    ("name", "resource", "automatic"),
    [
        ("web-01020304", "web", True),
        ("web-0102030g", "web", False),
        ("web-010203", "web", False),
        ("web-2-01020304", "web", False),
        ("web", "web", False),
        ("w+b-01020304", "w+b", True),
        ("wwb-01020304", "w+b", False),
        ("web-01020304\n", "web", False),
    ],
)
def test_is_auto_name(name: str, resource: str, automatic: bool) -> None:  # noqa: FBT001
    """Automatic names are distinguished from names that the program sets."""
    assert is_auto_name(name, resource) is automatic


@pytest.mark.parametrize("name", KINDS)
def test_get_handler_by_name_of_kind(name: str) -> None:
    """The handler of each kind is found by the kind's name, which is all that the state stores."""
    assert get_handler(name) is KINDS[name]


def test_context_connects_once_on_first_use() -> None:
    """The context connects when `cloud` is first used, so that an operation without requests needs no credentials."""
    calls: list[int] = []

    def connect() -> int:
        calls.append(1)
        return 7

    context: OperationContext[int] = OperationContext("create", "Cake", "web", connect=connect, timeout=1)
    assert not calls
    assert (context.cloud, context.cloud, calls) == (7, 7, [1])


def test_context_keeps_id_until_cleared() -> None:
    """A recorded id is kept until the handler reports that the object no longer exists."""
    context: OperationContext[None] = OperationContext("create", "Cake", "web", connect=lambda: None, timeout=1)
    context.record_id("1")
    assert context.id == "1"
    context.clear_id()
    assert context.id == ""


def test_owner_from_name() -> None:
    """Half of the suffix encodes the owner. Names of another stack, and names that a program sets, have no owner."""
    name = auto_name("my-key", b"\x01\x02\x03\x04", "shop/dev")
    assert name.startswith("my-key-0102")
    assert name == auto_name("my-key", b"\x01\x02\xff\xff", "shop/dev")
    assert is_auto_name(name, "my-key")
    assert owner_from_name(name, "shop/dev") == "my-key"
    others = (name, "shop/prod"), (name.replace("my-", "your-"), "shop/dev"), ("my-key", "shop/dev"), ("", "shop/dev")
    assert [owner_from_name(*other) for other in (*others, ("my-key-01020304", "shop/dev"))] == [None] * 5
