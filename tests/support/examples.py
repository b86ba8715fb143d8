"""How many examples the property-based tests generate, and from which seed.

A run tests the same few examples each time. `EXAMPLES=50`, which `make thorough` sets, tests 50 times as many, with
another seed each time; a failure prints the simplest example.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable

FACTOR = int(os.environ.get("EXAMPLES", "1"))


def examples(count: int) -> Callable[[Any], Any]:
    """Return a decorator of a test that generates so many examples, or a multiple of it."""
    return settings(
        max_examples=count * FACTOR,
        derandomize=FACTOR == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
