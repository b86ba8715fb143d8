"""Type checkers on a program that uses this package."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import ecs_pulumi as ecs
from ecs_pulumi.sdk.base import EcsResource

CHECKOUT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("every_field.py")
MISTAKES = """\
import ecs_pulumi as ecs
ecs.Servr("web")
ecs.Server("web", flavor="s1", imag="debian")
ecs.Server("web", image="debian")
ecs.Server("web", flavor="s1", power_state="stopped")
ecs.Server("web", flavor="s1", networks=[{"network": "net"}])
ecs.Subnet("sub", network_id="n", allocation_pools=[{"start": "10.0.0.2"}])
ecs.get_flavor("s1").cpus
"""


def mypy(*arguments: str, cache: Path) -> list[str]:
    """Run mypy without the settings of this project, and return its errors."""
    command = (sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}")
    done = subprocess.run(
        (*command, "--no-error-summary", "--hide-error-context", *arguments),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not done.stderr
    return [line for line in done.stdout.splitlines() if ": error: " in line]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache that all runs of mypy share."""
    return tmp_path_factory.mktemp("mypy")


def test_program_uses_all_public_names() -> None:
    """The program for the type checkers uses every resource and lookup."""
    tree = ast.parse(PROGRAM.read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    public = {name: getattr(ecs, name) for name in ecs.__all__}
    classes = {name for name, item in public.items() if isinstance(item, type) and not issubclass(item, EcsResource)}
    assert set(public) - classes - used == set()


def test_mypy_strict(cache: Path) -> None:
    """In strict mode mypy reports no error, and no expression has an unknown type."""
    assert mypy(str(PROGRAM), cache=cache) == []


def test_pyright_strict(tmp_path: Path) -> None:
    """In strict mode pyright reports no error, and nothing has an unknown type."""
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    program = shutil.copy(PROGRAM, tmp_path / "program.py")
    settings = {"include": [str(program)], "extraPaths": [str(CHECKOUT)], "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        (sys.executable, "-m", "pyright", "--project", str(tmp_path), "--pythonpath", sys.executable),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "0 errors, 0 warnings, 0 informations", done.stdout


def test_public_names_have_types(tmp_path: Path) -> None:
    """For an installed package, pyright knows the type of every public name."""
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    venv.create(tmp_path, with_pip=False)
    libraries = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path), "platbase": str(tmp_path)}))
    # pyright does not treat an editable installation as a package.
    shutil.copytree(CHECKOUT / "ecs_pulumi", libraries / "ecs_pulumi")
    (libraries / "others.pth").write_text(sysconfig.get_path("purelib"))
    done = subprocess.run(
        (sys.executable, "-m", "pyright", "--verifytypes", "ecs_pulumi", "--ignoreexternal", "--outputjson"),
        cwd=tmp_path,
        env={**os.environ, "PATH": os.pathsep.join((str(tmp_path / "bin"), os.environ["PATH"]))},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    symbols = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    known = {symbol["name"]: symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"] for symbol in symbols}
    assert [name for name in ecs.__all__ if not known.get(f"ecs_pulumi.{name}")] == []


def test_mypy_reports_mistakes(tmp_path: Path, cache: Path) -> None:
    """Each misspelled or missing kind, argument, property or value is an error in its line."""
    program = tmp_path / "mistakes.py"
    program.write_text(MISTAKES)
    lines = {int(error.split(":")[1]) for error in mypy(str(program), cache=cache)}
    assert lines == set(range(2, len(MISTAKES.splitlines()) + 1))
