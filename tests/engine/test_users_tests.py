"""The example of a program with tests that need no cloud."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from tests.support.command import printed
from tools.workspace import CHECKOUT, environment

if TYPE_CHECKING:
    from pathlib import Path


def test_example_passes_and_leaves_no_files(engine_path: Path, tmp_path: Path) -> None:
    """`pytest` in the folder of the example runs the program through the engine and leaves no files."""
    example = shutil.copytree(CHECKOUT / "examples" / "testing", tmp_path / "webshop")
    before = {path.name for path in example.iterdir()}
    env = environment(engine_path, tmp_path, "unused")
    for name in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"):
        del env[name]
    pytest_ = (sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    env |= {"OS_CLOUD": "production", "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "")}
    assert "2 passed" in printed((*pytest_, f"--basetemp={tmp_path / 'pytest'}"), folder=example, env=env)
    assert {path.name for path in example.iterdir()} - {"__pycache__"} == before
