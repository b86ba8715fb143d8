"""`replace_on_changes` can name a value inside a property."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.output import UNKNOWN

from ecs_pulumi.dynamic.changed_paths import changed_paths


@pytest.mark.parametrize(
    ("prior", "desired", "paths"),
    [
        ("s1", "s2", []),
        (None, {"a": "1"}, []),
        ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, [".b"]),
        ({"a": "1"}, {}, [".a"]),
        ({}, {"a.b": "1", 'a"\\b': "1"}, ['["a.b"]', r'["a\"\\b"]']),
        ({"a": "1"}, {"a": UNKNOWN}, [".a"]),
        (["a", "b"], ["a", "c"], ["[1]"]),
        (["a", "b"], ["a"], ["[1]"]),
        ([{"port": 22, "prefix": "::/0"}], [{"port": 23, "prefix": "::/0"}], ["[0]", "[0].port"]),
        (["a"], UNKNOWN, []),
    ],
)
def test_paths_of_changed_values(prior: Any, desired: Any, paths: list[str]) -> None:
    """The property comes first, then what changed in it, in Pulumi's syntax of paths."""
    found = changed_paths(["p"], {"p": prior, "q": 1}, {"p": desired, "q": 2})
    assert found == ["p", *(f"p{path}" for path in paths)]
