"""The example of a program with tests that need no cloud, which docs/how-to/testing.md shows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.support.command import printed
from tests.support.pages import blocks, missing
from tools.workspace import CHECKOUT, environment

EXAMPLE = CHECKOUT / "examples" / "testing"
PAGE = CHECKOUT / "docs" / "how-to" / "testing.md"


def test_page_shows_the_files_of_the_example() -> None:
    """The page shows every file of the example, as it is."""
    shown = {block.file: block.text for block in blocks(PAGE) if block.file}
    assert shown == {name: (EXAMPLE / name).read_text() for name in shown}
    assert {Path(name).name for name in shown} == {
        path.name for path in EXAMPLE.rglob("*") if path.is_file() and path.suffix != ".pyc"
    }


def test_commands_of_the_page(engine_path: Path, tmp_path: Path) -> None:
    """The commands of the page run the tests in the folder of the example, and leave no files."""
    example = shutil.copytree(EXAMPLE, tmp_path / "webshop", ignore=shutil.ignore_patterns("__pycache__"))
    before = {path.name for path in example.iterdir()}
    env = environment(engine_path, tmp_path, "unused")
    for name in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"):
        del env[name]
    env |= {"OS_CLOUD": "production", "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "")}
    env["PYTEST_ADDOPTS"] = f"-p no:cacheprovider --basetemp={tmp_path / 'pytest'}"
    commands = [block.text for block in blocks(PAGE) if block.language == "bash"]
    output = printed(("bash", "-euxc", "".join(commands)), folder=example, env=env)
    assert missing([block for block in blocks(PAGE) if not block.file], output) == []
    assert {path.name for path in example.iterdir()} - {"__pycache__"} == before
