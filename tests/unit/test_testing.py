"""The pytest plugin for tests of Pulumi programs."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import requests

from ecs_pulumi import testing
from ecs_pulumi.emulator import Emulator
from ecs_pulumi.emulator.faults import OUTCOMES
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = """
    import os
    import pytest

    def test_default(ecs_emulator):
        assert ecs_emulator.cloud.dialect.name == "otc"
        assert os.environ["OS_AUTH_URL"] == ecs_emulator.auth_url
        assert "OS_CLOUD" not in os.environ

    @pytest.mark.ecs_emulator(dialect="openstack", speed=3)
    def test_marked(ecs_emulator):
        assert (ecs_emulator.cloud.dialect.name, ecs_emulator.cloud.speed) == ("openstack", 3)
"""


def pytest_run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, as the author of a program does."""
    return subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments),
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_fixture_starts_emulator(ecs_emulator: Emulator) -> None:
    """The fixture is available without an import and starts an emulator that responds."""
    assert requests.get(ecs_emulator.auth_url, timeout=10).ok
    assert set(ecs_emulator.settings) == {
        "authUrl",
        "username",
        "password",
        "projectName",
        "userDomainName",
        "projectDomainName",
        "region",
    }


def test_fixture_removes_other_cloud_settings(tmp_path: Path) -> None:
    """The fixture removes the `OS_*` variables of the shell, and the marker sets the emulator's arguments."""
    (tmp_path / "test_it.py").write_text("\n".join(line[4:] for line in CHECKS.splitlines()))
    done = pytest_run(tmp_path, "--strict-markers", OS_CLOUD="production")
    assert "2 passed" in done.stdout, done.stdout


def test_plugin_imports_emulator_on_first_use(tmp_path: Path) -> None:
    """The plugin itself imports neither the emulator nor Pulumi. A missing extra is reported in one line."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_unused():\n"
        "    assert 'ecs_pulumi.testing' in sys.modules\n"
        "    assert not {'fastapi', 'pulumi', 'ecs_pulumi.emulator'} & {*sys.modules}\n"
        "def test_used(request):\n"
        "    sys.modules['uvicorn'] = None\n"
        "    request.getfixturevalue('ecs_emulator')\n"
    )
    done = pytest_run(tmp_path)
    assert "1 passed, 1 error" in done.stdout or "1 failed, 1 passed" in done.stdout, done.stdout
    assert "pip install 'ecs-pulumi[emulator]'" in done.stdout
    assert "Traceback" not in done.stdout


def test_all_options_are_documented() -> None:
    """The page and the docstrings name every option of the marker, every outcome and what the fixture yields."""
    page = (CHECKOUT / "docs" / "how-to" / "testing.md").read_text()
    options = list(inspect.signature(Emulator).parameters)
    used = [name for name in vars(Emulator) if not name.startswith("_")]
    internal = {"url", "start", "stop", "wait"}
    assert [name for name in (*options, *OUTCOMES) if f"`{name}`" not in page] == []
    assert [name for name in {*used} - internal if not re.search(rf"\b{name}\b", page)] == ["auth_url"]
    assert [name for name in options if f"`{name}`" not in str(testing.__doc__)] == []
    fixture = str(testing.ecs_emulator.__doc__)
    assert [name for name in {*used} - internal if f"`{name}" not in fixture] == []
