"""What several threads ask at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ecs_pulumi.cloud.together import Together

COUNT = 8


def test_what_is_wanted_during_a_request_is_asked_for_in_the_next_one() -> None:
    """The first goes at once, and all that come meanwhile go together; each gets its own answer."""
    together: Together[str] = Together()
    begun, goes_on = threading.Event(), threading.Event()
    asked: list[list[str]] = []

    def ask(keys: list[str]) -> dict[str, str]:
        asked.append(sorted(keys))
        begun.set()
        assert goes_on.wait(30)
        return {key: key.upper() for key in keys}

    with ThreadPoolExecutor(COUNT) as pool:
        first = pool.submit(together.get, "a", ask)
        assert begun.wait(30)
        others = [pool.submit(together.get, key, ask) for key in "bcdd"]
        while len(together._wanted) < len("bcd"):
            assert not first.done()
        goes_on.set()
        assert [first.result(), *(each.result() for each in others)] == ["A", "B", "C", "D", "D"]
    assert asked[0] == ["a"]
    assert sorted(key for keys in asked[1:] for key in keys) in (list("bcd"), list("bcdd"))


def test_a_failure_is_that_of_all_and_of_nobody_else() -> None:
    """Who asks afterwards is answered."""
    together: Together[int] = Together()

    def refuse(_: list[str]) -> dict[str, int]:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        together.get("a", refuse)
    assert together.get("a", lambda keys: dict.fromkeys(keys, 1)) == 1
