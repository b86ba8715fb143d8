"""Fixtures of the tests that run the handlers against an API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.resources import clients
from tests.support.previews import Run

if TYPE_CHECKING:
    from tests.support.landscape import Landscape


@pytest.fixture
def run(landscape: Landscape, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run with empty caches."""
    for name in [name for name in os.environ if name.startswith("OS_") and name not in landscape.env]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(clients, "_connections", {})
    new_run = Run(landscape)
    monkeypatch.setattr(rpc_bridge, "current_request", lambda: new_run.request)

    def report(_urn: str, text: str, *, severity: str = "info", **_: object) -> None:
        (new_run.warnings if severity == "warning" else new_run.notices).append(text)

    monkeypatch.setattr(rpc_bridge, "log", report)
    return new_run
