"""What the answers of a region have shown about it: the differences between clouds are learned, not configured."""

from __future__ import annotations

import threading


class Learned:
    """Facts about a region, for the rest of the process; thread-safe.

    A fact is a sequence of words, such as `("network", "drops", "description")`. Whoever sends a request that some
    clouds refuse sends it in the way of OpenStack first, recognises the refusal, uses the other way, and notes the
    fact, so that the next request uses the other way at once.
    """

    def __init__(self) -> None:
        self._facts: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()

    def note(self, *fact: str) -> bool:
        """Remember a fact; return whether it is new."""
        with self._lock:
            is_new = fact not in self._facts
            self._facts.add(fact)
            return is_new

    def knows(self, *fact: str) -> bool:
        """Whether the fact has been noted."""
        return fact in self._facts
