"""Names that nobody chose, and kinds found by their names."""

from __future__ import annotations

import pytest

from ecs_pulumi.dynamic.kind import Operation, automatic_name, find, is_automatic, signed_for
from tests.support.generated import KINDS


def test_an_automatic_name_follows_from_the_seed() -> None:
    """The engine's seed makes the preview and the `up` speak of the same name."""
    assert automatic_name("web", b"\x01\x02\x03\x04\x05") == "web-01020304"
    assert automatic_name("web", b"\x01\x02\x03\x04\x05") == automatic_name("web", b"\x01\x02\x03\x04\xff")


def test_without_a_seed_every_name_is_another() -> None:
    """Hosts that tell no seed get a name by chance."""
    assert automatic_name("web", b"") != automatic_name("web", b"")
    assert is_automatic(automatic_name("web", b""), "web")


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
    assert is_automatic(name, resource) is automatic


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_found_by_the_name_in_the_state(name: str) -> None:
    """Every kind's name leads to it: the state knows nothing else."""
    assert find(name) is KINDS[name]


def test_the_cloud_is_opened_when_it_is_first_used_and_once() -> None:
    """An operation that needs no cloud needs no credentials."""
    opened: list[int] = []
    op: Operation[int] = Operation("create", "Cake", "web", connect=lambda: opened.append(1) or 7, timeout=1)  # type: ignore[func-returns-value]
    assert not opened
    assert (op.cloud, op.cloud, opened) == (7, 7, [1])


def test_an_id_is_kept_until_the_object_is_gone() -> None:
    """What was created is lost sight of only when it is said to be gone."""
    op: Operation[None] = Operation("create", "Cake", "web", connect=lambda: None, timeout=1)
    op.created("1")
    assert op.id == "1"
    op.gone()
    assert op.id == ""


def test_a_signed_name_tells_whose_it_is() -> None:
    """Half of the suffix follows from project, stack and resource; another stack's or a chosen name does not fit."""
    name = automatic_name("my-key", b"\x01\x02\x03\x04", "shop/dev")
    assert name.startswith("my-key-0102")
    assert name == automatic_name("my-key", b"\x01\x02\xff\xff", "shop/dev")
    assert is_automatic(name, "my-key")
    assert signed_for(name, "shop/dev") == "my-key"
    others = (name, "shop/prod"), (name.replace("my-", "your-"), "shop/dev"), ("my-key", "shop/dev"), ("", "shop/dev")
    assert [signed_for(*other) for other in (*others, ("my-key-01020304", "shop/dev"))] == [None] * 5
