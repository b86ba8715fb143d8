"""`make wheel` explains what prevents it from building the wheel."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from tools import wheel

if TYPE_CHECKING:
    from pathlib import Path


def test_missing_pip_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without pip, such as that of Debian, needs a virtual environment."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=r"has no pip\. Create and activate a virtual environment first"):
        wheel.main()


def test_old_python_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that is too old is named, with the version that is needed."""
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"Python 3\.10 or newer is needed; "):
        wheel.main()


def test_failed_build_shows_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If pip fails, its output is shown, and `dist` stays as it was."""
    monkeypatch.setattr(wheel, "copy_sources", lambda folder: None)
    dist = tmp_path / "dist"
    with pytest.raises(SystemExit, match=r"(?s)pyproject\.toml.*The wheel was not built\."):
        wheel.build(dist)
    assert not dist.exists()
