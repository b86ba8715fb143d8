"""What the tests of all tiers share: a cloud, and Pulumi projects on it.

A case that asks for `project` or `landscape` runs twice: on the emulator, and, under the marker `live`, on the
cloud that the OS_* variables name. One that asks for `cloud`, the emulator itself, runs there alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.support.project import Project
from tools.workspace import engine, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from selenium.webdriver import Chrome

    from ecs_pulumi.emulator import Emulator
    from tests.support.landscape import Landscape

# What is imported inside the fixtures takes long, and most tests need none of it.
SPEED = 200
PATIENCE = 20


class MakeProject(Protocol):
    """Makes a project from the text of a program or from the folder of an example."""

    def __call__(self, program: str | Path, *, name: str = "story", config: Mapping[str, str] | None = None) -> Project:
        """Make it; see `Project`, and `config` are further settings of its stack."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let every case that can run on any cloud do so."""
    if "landscape" in metafunc.fixturenames:
        live = () if "cloud" in metafunc.fixturenames else (pytest.param("live", marks=pytest.mark.live),)
        metafunc.parametrize("landscape", ["emulator", *live], indirect=True)


def pytest_configure(config: pytest.Config) -> None:
    """Know the mark of what CI leaves out where time is short, on a real cloud."""
    config.addinivalue_line("markers", "thorough: another case is as good as it")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Say how several processes share the cases."""
    from tests.support.sharing import StepsTogether

    return StepsTogether(config, log)


BEFORE = pytest.StashKey[dict[str, str]]()
"""What the account had before the first live case."""
LEFT = pytest.StashKey[list[str]]()
"""What the live cases left in it."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember what the account of the live cases has."""
    config = session.config
    # Of several processes the one that started them looks, once they have ended.
    if config.getoption("markexpr").startswith("live") and not hasattr(config, "workerinput"):
        from tests.support.landscape import of_environment

        if is_cloud_named():
            config.stash[BEFORE] = of_environment().named_objects()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a live case left something in the account."""
    before = session.config.stash.get(BEFORE, None)
    if before is not None:
        left = _left(before)
        # What was deleted by hand a moment ago may still be going.
        end = time.monotonic() + PATIENCE
        while left and time.monotonic() < end:
            time.sleep(1)
            left = _left(before)
        if left:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            session.config.stash[LEFT] = left


def _left(before: Mapping[str, str]) -> list[str]:
    from tests.support.landscape import of_environment

    return sorted(name for id_, name in of_environment().named_objects().items() if id_ not in before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left."""
    if left := config.stash.get(LEFT, None):
        terminalreporter.section("left in the account", red=True)
        for name in left:
            terminalreporter.line(name)


def is_cloud_named() -> bool:
    """Whether the environment leads to a cloud."""
    return any(name in os.environ for name in ("OS_CLOUD", "OS_AUTH_URL"))


@pytest.fixture(scope="session")
def engine_path() -> Path:
    """The folder of the Pulumi engine."""
    return engine()


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud of the test's own."""
    from ecs_pulumi.emulator import Emulator

    with Emulator(speed=SPEED) as running:
        yield running


@pytest.fixture(scope="session")
def chrome() -> Iterator[Chrome]:
    """A browser; the case is skipped where none is installed."""
    from tools.browser import NoBrowserError, browser

    try:
        with browser() as running:
            yield running
    except NoBrowserError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def live_landscape() -> Landscape:
    """The cloud that the OS_* variables name."""
    from tests.support.landscape import of_environment

    if not is_cloud_named():
        pytest.fail("set OS_CLOUD (or OS_AUTH_URL and the rest) to say on which cloud the live cases run")
    return of_environment()


@pytest.fixture
def landscape(request: pytest.FixtureRequest) -> Landscape:
    """The cloud that the case runs on, and what it offers."""
    if request.param == "live":
        found: Landscape = request.getfixturevalue("live_landscape")
        return found
    from tests.support.landscape import emulated

    return emulated(request.getfixturevalue("cloud"))


PIP = """
import sys

assert sys.argv[1:] == ["list", "-v", "--format", "json"], sys.argv
print({answer!r})
"""


@pytest.fixture(scope="session")
def known_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `pip` that has its answer ready.

    Before each run Pulumi has pip list the packages of the environment, which takes a third of the run.
    """
    listed = subprocess.run(
        (sys.executable, "-m", "pip", "list", "-v", "--format", "json"), capture_output=True, text=True, check=True
    )
    folder = tmp_path_factory.mktemp("packages")
    (folder / "pip").mkdir()
    (folder / "pip" / "__init__.py").touch()
    (folder / "pip" / "__main__.py").write_text(PIP.format(answer=listed.stdout))
    return folder


@pytest.fixture
def project(landscape: Landscape, engine_path: Path, known_packages: Path, tmp_path: Path) -> Iterator[MakeProject]:
    """Make Pulumi projects on the case's cloud; what they leave on a real one is destroyed."""
    made: list[Project] = []

    def make(program: str | Path, *, name: str = "story", config: Mapping[str, str] | None = None) -> Project:
        folder = tmp_path / f"project{len(made)}"
        folder.mkdir()
        env = {**environment(engine_path, folder, "test"), **landscape.env, "PYTHONPATH": str(known_packages)}
        new = Project(folder, program, env, name)
        new.settings({**landscape.settings, **(config or {})}, landscape.secrets)
        made.append(new)
        return new

    yield make
    if landscape.live:
        for each in made:
            if each.state():
                each.destroy()
