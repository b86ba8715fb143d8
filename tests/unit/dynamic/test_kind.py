"""Names that nobody chose, and kinds found by their names."""

from __future__ import annotations

import pytest

from ecs_pulumi.dynamic.kind import OperationContext, auto_name, get_handler, is_auto_name, owner_from_name
from tests.support.generated import KINDS


def test_an_automatic_name_follows_from_the_seed() -> None:
    """The engine's seed makes the preview and the `up` speak of the same name."""
    assert auto_name("web", b"\x01\x02\x03\x04\x05") == "web-01020304"
    assert auto_name("web", b"\x01\x02\x03\x04\x05") == auto_name("web", b"\x01\x02\x03\x04\xff")


def test_without_a_seed_every_name_is_another() -> None:
    """Hosts that tell no seed get a name by chance."""
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
def test_an_automatic_name_is_told_from_a_chosen_one(name: str, resource: str, automatic: bool) -> None:  # noqa: FBT001
    """Whether a replacement gets a new name by itself depends on it."""
    assert is_auto_name(name, resource) is automatic


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_found_by_the_name_in_the_state(name: str) -> None:
    """Every kind's name leads to it: the state knows nothing else."""
    assert get_handler(name) is KINDS[name]


def test_the_cloud_is_opened_when_it_is_first_used_and_once() -> None:
    """An operation that needs no cloud needs no credentials."""
    opened: list[int] = []

    def connect() -> int:
        opened.append(1)
        return 7

    context: OperationContext[int] = OperationContext("create", "Cake", "web", connect=connect, timeout=1)
    assert not opened
    assert (context.cloud, context.cloud, opened) == (7, 7, [1])


def test_an_id_is_kept_until_the_object_is_gone() -> None:
    """What was created is lost sight of only when it is said to be gone."""
    context: OperationContext[None] = OperationContext("create", "Cake", "web", connect=lambda: None, timeout=1)
    context.record_id("1")
    assert context.id == "1"
    context.clear_id()
    assert context.id == ""


def test_a_signed_name_tells_whose_it_is() -> None:
    """Half of the suffix follows from project, stack and resource; another stack's or a chosen name does not fit."""
    name = auto_name("my-key", b"\x01\x02\x03\x04", "shop/dev")
    assert name.startswith("my-key-0102")
    assert name == auto_name("my-key", b"\x01\x02\xff\xff", "shop/dev")
    assert is_auto_name(name, "my-key")
    assert owner_from_name(name, "shop/dev") == "my-key"
    others = (name, "shop/prod"), (name.replace("my-", "your-"), "shop/dev"), ("my-key", "shop/dev"), ("", "shop/dev")
    assert [owner_from_name(*other) for other in (*others, ("my-key-01020304", "shop/dev"))] == [None] * 5
