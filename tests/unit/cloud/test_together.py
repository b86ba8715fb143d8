"""Batching of keys that several threads request at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ecs_pulumi.cloud.together import Together

COUNT = 8


def test_keys_requested_during_a_request_are_batched() -> None:
    """The first key is requested immediately, and keys that arrive meanwhile in one batch; each gets its own result."""
    together: Together[str] = Together()
    started, proceed = threading.Event(), threading.Event()
    requests: list[list[str]] = []

    def fetch(keys: list[str]) -> dict[str, str]:
        requests.append(sorted(keys))
        started.set()
        assert proceed.wait(30)
        return {key: key.upper() for key in keys}

    with ThreadPoolExecutor(COUNT) as pool:
        first = pool.submit(together.get, "a", fetch)
        assert started.wait(30)
        others = [pool.submit(together.get, key, fetch) for key in "bcdd"]
        while len(together._pending) < len("bcd"):
            assert not first.done()
        proceed.set()
        assert [first.result(), *(each.result() for each in others)] == ["A", "B", "C", "D", "D"]
    assert requests[0] == ["a"]
    assert sorted(key for keys in requests[1:] for key in keys) in (list("bcd"), list("bcdd"))


def test_error_is_raised_only_for_its_batch() -> None:
    """A key that is requested after a failed request gets its result."""
    together: Together[int] = Together()

    def fail(_: list[str]) -> dict[str, int]:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        together.get("a", fail)
    assert together.get("a", lambda keys: dict.fromkeys(keys, 1)) == 1
