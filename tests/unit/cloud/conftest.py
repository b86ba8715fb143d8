"""Fixtures: these tests run without a network and without the user's OpenStack configuration."""

import os
from pathlib import Path

import pytest

from tests.unit.cloud.fakes import FakeClock, FakeCloud


@pytest.fixture(autouse=True)
def _no_openstack_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cloud() -> FakeCloud:
    """A cloud that answers token requests and serves the guide's compute versions."""
    return FakeCloud()


@pytest.fixture
def clock() -> FakeClock:
    """A clock whose time advances without delay."""
    return FakeClock()
