"""`ignore_changes`: the values at ignored paths are taken from the prior outputs or the remote object."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_pulumi.dynamic.ignored import restore

DESIRED = {"name": "web", "tags": ["a"], "metadata": {"owner": "me"}, "networks": [{"tag": "one"}, {"tag": "two"}]}
REMOTE = {
    "name": "manual",
    "tags": [],
    "metadata": {"owner": "you", "a.b": "x"},
    "networks": [{"tag": "three"}],
}


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("name", {"name": "manual"}),
        ("tags", {"tags": []}),
        ("tags[*]", {"tags": []}),
        ("metadata", {"metadata": {"owner": "you", "a.b": "x"}}),
        ("metadata.owner", {"metadata": {"owner": "you"}}),
        ('metadata["a.b"]', {"metadata": {"owner": "me", "a.b": "x"}}),
        ("networks[0].tag", {"networks": [{"tag": "three"}, {"tag": "two"}]}),
        ("networks[1].tag", {}),
        ("networks[*].tag", {"networks": [{"tag": "three"}, {"tag": "two"}]}),
        ("description", {}),
        ("*", REMOTE),
    ],
)
def test_restore(path: str, changed: dict[str, Any]) -> None:
    """Paths have Pulumi's syntax: properties, keys in quotes, indexes, and `*` for all items."""
    assert restore(DESIRED, REMOTE, [path]) == {**DESIRED, **changed}


def test_restore_omits_ignored_input_without_remote_value() -> None:
    """An ignored input without a value in the remote object is neither compared nor sent."""
    assert restore(DESIRED, {**REMOTE, "tags": None}, ["tags"]) == {k: v for k, v in DESIRED.items() if k != "tags"}
