"""The messages that the provider shows beside its resources."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.dynamic import rpc_bridge

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def recorded(*severities: str) -> Iterator[list[str]]:
    """Record the messages of these severities, of all without one, instead of sending them to the engine."""
    messages: list[str] = []

    def log(_urn: str, message: str, *, severity: str = "info", **_: object) -> None:
        if not severities or severity in severities:
            messages.append(message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rpc_bridge, "log", log)
        yield messages
