"""Batching of keys that several threads request at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ecs_pulumi.cloud.batching import RequestBatcher

COUNT = 8


def test_keys_requested_during_a_request_are_batched() -> None:
    """The first key is requested immediately, and keys that arrive meanwhile in one batch; each gets its own result."""
    batcher: RequestBatcher[str] = RequestBatcher()
    started, proceed = threading.Event(), threading.Event()
    requests: list[list[str]] = []

    def fetch(keys: list[str]) -> dict[str, str]:
        requests.append(sorted(keys))
        started.set()
        assert proceed.wait(30)
        return {key: key.upper() for key in keys}

    with ThreadPoolExecutor(COUNT) as pool:
        first = pool.submit(batcher.get, "a", fetch)
        assert started.wait(30)
        others = [pool.submit(batcher.get, key, fetch) for key in "bcdd"]
        while len(batcher._pending) < len("bcd"):
            assert not first.done()
        proceed.set()
        assert [first.result(), *(each.result() for each in others)] == ["A", "B", "C", "D", "D"]
    assert requests[0] == ["a"]
    assert sorted(key for keys in requests[1:] for key in keys) in (list("bcd"), list("bcdd"))


def test_error_is_raised_only_for_its_batch() -> None:
    """A key that is requested after a failed request gets its result."""
    batcher: RequestBatcher[int] = RequestBatcher()

    def fail(_: list[str]) -> dict[str, int]:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        batcher.get("a", fail)
    assert batcher.get("a", lambda keys: dict.fromkeys(keys, 1)) == 1
