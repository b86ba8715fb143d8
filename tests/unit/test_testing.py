"""The pytest plugin for programs' own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from pathlib import Path

    from ecs_pulumi.emulator import Emulator

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
    """Run pytest as the author of a program does."""
    return subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments),
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_fixture_is_a_cloud(ecs_emulator: Emulator) -> None:
    """It is there without being imported, and answers."""
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


def test_no_other_cloud_is_within_reach(tmp_path: Path) -> None:
    """What the shell says of a cloud does not reach the test; the marker gives the emulator's arguments."""
    (tmp_path / "test_it.py").write_text("\n".join(line[4:] for line in CHECKS.splitlines()))
    done = pytest_run(tmp_path, "--strict-markers", OS_CLOUD="production")
    assert "2 passed" in done.stdout, done.stdout


def test_it_costs_nothing_until_it_is_asked_for(tmp_path: Path) -> None:
    """Neither the emulator nor Pulumi is loaded, and a missing extra is one line."""
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
