"""`make wheel`: build the wheel of the package in `dist`, and print how to install it.

Runs with any Python that has pip, so that a user needs no development environment. Uses only syntax that old Python
versions can parse, so that they print which version is needed.
"""

import contextlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST = (3, 10)
SETUPTOOLS = 77
CHECKOUT = Path(__file__).resolve().parent.parent
FILES = ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def copy_sources(folder: Path) -> None:
    """Copy everything that the distributions contain.

    setuptools leaves files beside the sources, and would add modules that were deleted since the last build.

    Args:
        folder: The folder to copy into.
    """
    shutil.copytree(CHECKOUT / "ecs_pulumi", folder / "ecs_pulumi", ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(CHECKOUT / name, folder)


def has_setuptools() -> bool:
    """Return whether this Python has a setuptools that builds the package, so that pip need not download one."""
    import importlib.metadata  # not in versions that must print which one is needed

    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return int(importlib.metadata.version("setuptools").partition(".")[0]) >= SETUPTOOLS
    return False


def build(dist: Path) -> Path:
    """Build the wheel and return its path.

    Args:
        dist: The folder for the wheel.

    Raises:
        SystemExit: The build failed; the reason is its message.
    """
    options = ("--no-build-isolation",) if has_setuptools() else ()
    with tempfile.TemporaryDirectory() as name:
        sources, built = Path(name, "sources"), Path(name, "built")
        sources.mkdir()
        copy_sources(sources)
        command = (sys.executable, "-m", "pip", "wheel", "--no-deps", *options, "--wheel-dir", built, sources)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise SystemExit(done.stdout.decode(errors="replace") + "The wheel was not built.")
        (wheel,) = built.glob("*.whl")
        dist.mkdir(exist_ok=True)
        return Path(shutil.copy(wheel, dist))


def main() -> None:
    """Build the wheel, and print its path and the command that installs it."""
    if sys.version_info < OLDEST:
        sys.exit(f"Python 3.10 or newer is needed; {sys.executable} is {sys.version.split()[0]}.")
    if importlib.util.find_spec("pip") is None:
        sys.exit(f"{sys.executable} has no pip. Create and activate a virtual environment first.")
    wheel = build(CHECKOUT / "dist")
    print(wheel)
    print("Install it into the active virtual environment, with the emulated cloud:")
    print(f"  pip install '{wheel}[emulator]'")


if __name__ == "__main__":
    main()
