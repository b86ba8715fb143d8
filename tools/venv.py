"""Create `.venv` and install this package and its tools. `make` runs this when pyproject.toml has changed.

Uses only syntax that old Python versions can parse, so that they print which version is needed.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 10)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11", "python3.10")
CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"


def log(text: str) -> None:
    """Print one progress line."""
    print("Python: " + text, file=sys.stderr, flush=True)


def run(*command: object) -> None:
    """Run a command; print its output only if it fails.

    Args:
        command: The program and its arguments.
    """
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=str(CHECKOUT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        sys.exit(done.stdout.decode(errors="replace") + "failed: " + " ".join(map(str, command)))


def main() -> None:
    """Create the environment if it is missing, and install the package."""
    if sys.version_info < OLDEST:
        found = next(filter(None, map(shutil.which, NEWER)), None)
        if not found:
            sys.exit(f"Python 3.10 or newer is needed; {sys.executable} is {sys.version.split()[0]}.")
        os.execv(found, [found, __file__])  # noqa: S606 - replaces this very process

    started = time.monotonic()
    if not (VENV / "bin" / "python").exists():
        log(f"creating .venv with Python {sys.version.split()[0]}")
        run(sys.executable, "-m", "venv", VENV)
    log("installing the package and its tools into .venv (1 to 2 minutes the first time)")
    run(VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--editable", ".[dev]")
    # Without its dependencies: it works with the newest protobuf, but would install an older one for all tests.
    run(VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "pulumi-policy>=1.21")
    (VENV / ".ready").touch()
    log(f"ready, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
