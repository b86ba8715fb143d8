"""`ignore_changes`: what stands at a path is taken from the state or the remote object, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_pulumi.dynamic.ignored import restore

DESIRED = {"name": "web", "tags": ["a"], "metadata": {"owner": "me"}, "networks": [{"tag": "one"}, {"tag": "two"}]}
REMOTE = {"name": "hand", "tags": [], "metadata": {"owner": "you", "by.hand": "x"}, "networks": [{"tag": "three"}]}


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("name", {"name": "hand"}),
        ("tags", {"tags": []}),
        ("tags[*]", {"tags": []}),
        ("metadata", {"metadata": {"owner": "you", "by.hand": "x"}}),
        ("metadata.owner", {"metadata": {"owner": "you"}}),
        ('metadata["by.hand"]', {"metadata": {"owner": "me", "by.hand": "x"}}),
        ("networks[0].tag", {"networks": [{"tag": "three"}, {"tag": "two"}]}),
        ("networks[1].tag", {}),
        ("networks[*].tag", {"networks": [{"tag": "three"}, {"tag": "two"}]}),
        ("description", {}),
        ("*", REMOTE),
    ],
)
def test_restore(path: str, changed: dict[str, Any]) -> None:
    """Paths are written as Pulumi writes them: properties, keys in quotes, indexes, and `*` for each."""
    assert restore(DESIRED, REMOTE, [path]) == {**DESIRED, **changed}


def test_what_the_remote_object_lacks_is_not_managed() -> None:
    """An ignored input that is not there is neither compared nor sent."""
    assert restore(DESIRED, {**REMOTE, "tags": None}, ["tags"]) == {k: v for k, v in DESIRED.items() if k != "tags"}
