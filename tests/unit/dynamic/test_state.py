"""What a provider reads from the state: the owners of objects, and creates that were interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi import stack
from ecs_pulumi.dynamic import state
from ecs_pulumi.dynamic.ownership import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.dynamic.state import StackState

TYPE = "pulumi-python:dynamic/ecs:Port"
KEY = ObjectKey("Port", "eu", "p1", account="mine")


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    """A state is read once per process."""
    state._read.cache_clear()
    yield
    state._read.cache_clear()


def entry(id_: str = "p1", *, name: str = "a", cloud: str | None = None, **options: Any) -> dict[str, Any]:
    """Return a resource as the engine exports it."""
    outputs = {"region": "eu", "cloud": cloud}
    return {"urn": f"urn:{name}", "type": TYPE, "id": id_, "inputs": {}, "outputs": outputs, **options}


def read(
    monkeypatch: pytest.MonkeyPatch, *resources: dict[str, Any], begun: tuple[dict[str, Any], ...] = ()
) -> StackState:
    """Read a state with these resources and pending creates."""
    monkeypatch.setattr(stack, "export", lambda *_: (list(resources), list(begun)))
    return state.read("story", "test")


def account(cloud: str | None) -> str:
    """Return the account of an entry of clouds.yaml."""
    return "other" if cloud == "other" else "mine"


def test_owners_are_the_resources_with_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner has the object of the same kind, region, id and account; a resource that only reads it has none."""
    known = read(
        monkeypatch,
        entry(name="a"),
        entry(name="b", cloud="alias"),
        entry(name="c", cloud="other"),
        entry(name="d", external=True),
        entry("p2", name="e"),
        {"urn": "urn:component", "type": "story:Unit"},
        {"urn": "urn:pending", "type": TYPE, "id": ""},
    )
    assert known.owners_of(KEY, account) == ["urn:a", "urn:b"]
    assert known.owners_of(KEY._replace(account="other"), account) == ["urn:c"]
    assert known.owners_of(KEY._replace(region="us"), account) == []
    assert [known.has(f"urn:{name}") for name in "abcde"] == [True, True, True, False, True]
    assert not known.has("urn:component")
    assert not known.has("urn:pending")
    assert [known.only_reads(f"urn:{name}") for name in "ade"] == [False, True, False]


def test_resource_option_retain_on_delete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the resource with the option retains its object."""
    known = read(monkeypatch, entry(name="a", retainOnDelete=True), entry("p2", name="b"))
    assert [known.retains("urn:a"), known.retains("urn:b"), known.only_reads("urn:a")] == [True, False, False]


def test_outputs_of_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs are those of managed resources in the region of the cloud and in its own project."""
    own = entry(name="a")
    known = read(
        monkeypatch,
        own,
        entry("p2", name="b", cloud="other"),
        entry("p3", name="c", external=True),
        entry("p4", name="d", inputs={"project_id": "another"}),
        entry("p5", name="e", outputs={"region": "us"}),
        {"urn": "urn:f", "type": "aws:Port", "id": "p6", "outputs": {"region": "eu"}},
        {"urn": "urn:g", "type": TYPE, "id": "p7"},
    )
    assert known.outputs_in("eu", None) == [own["outputs"]]
    assert [outputs["cloud"] for outputs in known.outputs_in("eu", "other")] == ["other"]


def test_creates_of_an_interrupted_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The creates that the engine recorded as pending are interrupted ones, except for the one in progress."""
    begun = ({"urn": "urn:a", "inputs": {"name": "old"}}, {"urn": "urn:a", "inputs": {"name": "new"}}, {"urn": "urn:b"})
    known = read(monkeypatch, begun=begun)
    assert known.interrupted("urn:a") == [{"name": "old"}, {"name": "new"}]
    assert known.interrupted("urn:a", {"name": "new", "size": 1}) == [{"name": "old"}]
    assert known.interrupted("urn:a", {"name": "third"}) == [{"name": "old"}, {"name": "new"}]
    assert known.interrupted("urn:b") == [{}]
    assert known.interrupted("urn:c") == []


@pytest.mark.parametrize("names", [("", ""), ("story", ""), ("", "test")])
def test_unnamed_stack_is_not_read(monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]) -> None:
    """Without the name of the project or of the stack, the state says why it is empty."""
    read(monkeypatch, entry())
    known = state.read(*names)
    assert (known.resources, known.unreadable) == ((), "the engine does not name the stack")


def test_state_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the export is the reason why the state is empty; the state is read once in a process."""
    calls: list[tuple[str, str]] = []

    def fail(*names: str) -> None:
        calls.append((names[0], names[1]))
        raise stack.StackError("no passphrase")

    monkeypatch.setattr(stack, "export", fail)
    assert state.read("story", "test").unreadable == "no passphrase"
    assert state.read("story", "test").owners == {}
    assert calls == [("story", "test")]
