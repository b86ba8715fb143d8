"""The package in a new virtual environment, without downloads: dependencies are those of the tests."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

from tools.workspace import CHECKOUT

OWN = ("ecs_pulumi", "__editable__", "pip")
"""How the names of the packages begin that a new environment must have from its own installation."""

FRESH = "python3 -m venv venv\n. venv/bin/activate\n"
"""Commands that create and activate a virtual environment."""


def clone(folder: Path) -> Path:
    """Copy the files of the repository, and return the new folder.

    Args:
        folder: A folder that does not exist yet.
    """
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    for name in listed:
        if not name.startswith("tests/") and (CHECKOUT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, folder / name)
    return folder


def offline(folder: Path) -> dict[str, str]:
    """Return variables with which pip downloads nothing, and finds the dependencies of the tests installed.

    Args:
        folder: An empty folder, which receives links to the packages.
    """
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith(OWN):
            (folder / package.name).symlink_to(package)
    quiet = {"PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {"PYTHONPATH": str(folder), "PIP_NO_INDEX": "1", **quiet}
