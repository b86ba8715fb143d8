"""Every test here runs without a network and without the environment of whoever runs it."""

import os
from pathlib import Path

import pytest

from tests.unit.cloud.fakes import FakeClock, FakeCloud


@pytest.fixture(autouse=True)
def _no_openstack_of_mine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cloud() -> FakeCloud:
    """A cloud that knows tokens and the guide's compute versions."""
    return FakeCloud()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that passes at once."""
    return FakeClock()
