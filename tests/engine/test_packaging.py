"""The published package: it builds, is complete, and works without the checkout."""

from __future__ import annotations

import os
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from ecs_pulumi.emulator import Emulator
from tests.support.command import printed
from tests.support.installation import clone
from tests.support.project import Project
from tools.wheel import FILES, copy_sources
from tools.workspace import CHECKOUT, environment

PACKAGE = CHECKOUT / "ecs_pulumi"


def run(*command: str | Path, folder: Path) -> str:
    """Run a command, check that it succeeds, and return its output."""
    return printed(command, folder=folder, timeout=600)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist and the wheel built from it, by suffix."""
    folder = tmp_path_factory.mktemp("dist")
    # setuptools writes into the source folder, which other tests compare at the same time.
    sources = tmp_path_factory.mktemp("sources")
    copy_sources(sources)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, sources, folder=folder)
    return {path.suffix: path for path in folder.iterdir()}


def test_distributions_are_complete(built: dict[str, Path]) -> None:
    """They contain every module, `py.typed` and the licence, the sdist also the root's pages, and no tests or tools."""
    with zipfile.ZipFile(built[".whl"]) as wheel:
        names = set(wheel.namelist())
    sources = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {str(path.relative_to(CHECKOUT)) for path in sources} <= names
    assert "ecs_pulumi/py.typed" in names
    rest = {name for name in names if not name.startswith("ecs_pulumi/")}
    assert {name.split("/")[0].rsplit(".", 1)[-1] for name in rest} == {"dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in rest)
    with tarfile.open(built[".gz"]) as sdist:
        packed = {name.partition("/")[2] for name in sdist.getnames()}
    assert {*FILES, "ecs_pulumi/py.typed"} <= packed


def test_make_wheel_prints_the_path_and_the_command(pip_offline: dict[str, str], tmp_path: Path) -> None:
    """`make wheel` in a clone builds the wheel without modules that no longer exist, and prints how to install it."""
    folder = clone(tmp_path / "a clone")
    (folder / "build" / "lib" / "ecs_pulumi").mkdir(parents=True)
    (folder / "build" / "lib" / "ecs_pulumi" / "deleted.py").touch()
    env = {**os.environ, **pip_offline, "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}
    wheel = folder / "dist" / "ecs_pulumi-0.1.0-py3-none-any.whl"
    output = printed(("make", "-s", "wheel"), folder=folder, env=env)
    assert output.splitlines()[0] == str(wheel)
    assert output.splitlines()[-1] == f"  pip install '{wheel}[emulator]'"
    with zipfile.ZipFile(wheel) as built:
        assert "ecs_pulumi/deleted.py" not in built.namelist()
    assert not list(folder.glob("*.egg-info"))


def test_metadata_is_valid(built: dict[str, Path]) -> None:
    """The metadata is complete and the README renders without a warning."""
    run(sys.executable, "-m", "twine", "check", "--strict", *built.values(), folder=CHECKOUT)


def test_wheel_works_without_the_checkout(built: dict[str, Path], engine_path: Path, tmp_path: Path) -> None:
    """In an empty environment, the wheel with the extra `emulator` runs the quickstart and its commands."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    wheel = f"ecs-pulumi[emulator] @ {built['.whl'].as_uri()}"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, folder=tmp_path)
    location = run(python, "-c", "import ecs_pulumi; print(ecs_pulumi.__file__)", folder=tmp_path)
    assert location.startswith(str(home))
    for module in ("emulator", "adopt", "orphans", "preview_report"):
        assert "usage:" in run(python, "-m", f"ecs_pulumi.{module}", "--help", folder=tmp_path)

    folder = tmp_path / "quickstart"
    folder.mkdir()
    env = environment(engine_path, folder, "test")
    env |= {"VIRTUAL_ENV": str(home), "PATH": os.pathsep.join((str(home / "bin"), env["PATH"]))}
    program = (CHECKOUT / "examples" / "quickstart" / "__main__.py").read_text()
    with Emulator(speed=200) as cloud:
        quickstart = Project(folder, program, env, "ecs-quickstart")
        quickstart.settings({f"ecs:{name}": value for name, value in cloud.settings.items()})
        assert set(quickstart.up().changes.values()) == {"create"}
        assert quickstart.outputs["status"] == "ACTIVE"
        assert quickstart.preview().changes == {}
        quickstart.destroy()
