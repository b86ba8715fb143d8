"""Fixtures for all unit tests."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _ignore_clouds_yaml_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the search path of openstack.config, which contains the working directory of an earlier test."""
    if loader := sys.modules.get("openstack.config.loader"):
        for kind in ("CONFIG", "SECURE"):
            monkeypatch.setattr(loader, f"{kind}_FILES", [])


@pytest.fixture(autouse=True)
def _ignore_connections_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the connections of earlier tests, whose `OS_*` variables were different."""
    if clients := sys.modules.get("ecs_pulumi.resources.clients"):
        monkeypatch.setattr(clients, "_connections", {})
