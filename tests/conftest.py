"""Fixtures shared by all test tiers: a cloud, and Pulumi projects on it.

A test that requests `project` or `landscape` runs twice: on the emulator, and, with the marker `live`, on the cloud
that the OS_* variables name. A test that also requests `cloud`, the emulator itself, runs on the emulator only.
"""

from __future__ import annotations

import os
import signal
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

# Some modules are imported inside the fixtures, because they load slowly and most tests do not need them.
SPEED = 200
DELETE_TIMEOUT = 20


class MakeProject(Protocol):
    """Create a project from the text of a program or from the folder of an example."""

    def __call__(self, program: str | Path, *, name: str = "story", config: Mapping[str, str] | None = None) -> Project:
        """Create the project; see `Project`. `config` holds additional settings of its stack."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize `landscape` with the emulator and, unless the test needs the emulator itself, the live cloud."""
    if "landscape" in metafunc.fixturenames:
        live = () if "cloud" in metafunc.fixturenames else (pytest.param("live", marks=pytest.mark.live),)
        metafunc.parametrize("landscape", ["emulator", *live], indirect=True)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the tests that CI skips on a real cloud to save time, and let children end at SIGINT."""
    config.addinivalue_line("markers", "thorough: exercises code that another test exercises already")
    # What a script starts in the background ignores SIGINT, and so do its children. The engine interrupts a plug-in
    # at the start of each command, and would wait 5 s for it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Select the scheduler that distributes the tests over several processes."""
    from tests.support.sharing import StepsTogether

    return StepsTogether(config, log)


OBJECTS_BEFORE = pytest.StashKey[dict[str, str]]()
"""The objects of the account before the first live test, names by id."""
LEFTOVERS = pytest.StashKey[list[str]]()
"""The names of the objects that the live tests did not delete."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Record the objects of the account that the live tests use."""
    config = session.config
    # With several processes, only the controller records them and compares them at the end.
    if config.getoption("markexpr").startswith("live") and not hasattr(config, "workerinput"):
        from tests.support.landscape import of_environment

        if is_cloud_named():
            config.stash[OBJECTS_BEFORE] = of_environment().named_objects()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session if the live tests left objects in the account."""
    before = session.config.stash.get(OBJECTS_BEFORE, None)
    if before is not None:
        left = _leftovers(before)
        # The cloud may still be deleting objects that a test deleted a moment ago.
        end = time.monotonic() + DELETE_TIMEOUT
        while left and time.monotonic() < end:
            time.sleep(1)
            left = _leftovers(before)
        if left:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            session.config.stash[LEFTOVERS] = left


def _leftovers(before: Mapping[str, str]) -> list[str]:
    from tests.support.landscape import of_environment

    return sorted(name for id_, name in of_environment().named_objects().items() if id_ not in before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List the objects that the live tests left in the account."""
    if left := config.stash.get(LEFTOVERS, None):
        terminalreporter.section("left in the account", red=True)
        for name in left:
            terminalreporter.line(name)


def is_cloud_named() -> bool:
    """Whether the environment names a cloud."""
    return any(name in os.environ for name in ("OS_CLOUD", "OS_AUTH_URL"))


@pytest.fixture(scope="session")
def engine_path() -> Path:
    """The folder of the Pulumi engine."""
    return engine()


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    """An emulated cloud for this test only."""
    from ecs_pulumi.emulator import Emulator

    with Emulator(speed=SPEED) as running:
        yield running


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """The warnings of the provider since the start of the test."""
    from tests.support.messages import recorded

    with recorded("warning") as messages:
        yield messages


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """The messages of the provider since the start of the test."""
    from tests.support.messages import recorded

    with recorded() as shown:
        yield shown


@pytest.fixture(scope="session")
def chrome() -> Iterator[Chrome]:
    """A browser; skip the test if none is installed."""
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
        pytest.fail("no cloud for the live tests: set OS_CLOUD, or OS_AUTH_URL and the other OS_* variables")
    return of_environment()


@pytest.fixture
def landscape(request: pytest.FixtureRequest) -> Landscape:
    """The cloud that the test runs on, and what it offers."""
    if request.param == "live":
        live: Landscape = request.getfixturevalue("live_landscape")
        return live
    from tests.support.landscape import emulated

    return emulated(request.getfixturevalue("cloud"))


PIP = """
import sys

assert sys.argv[1:] == ["list", "-v", "--format", "json"], sys.argv
print({answer!r})
"""


@pytest.fixture(scope="session")
def known_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `pip` module that prints a prepared list of packages.

    Before each run Pulumi calls `pip list`, which takes a third of the time of the run.
    """
    listed = subprocess.run(
        (sys.executable, "-m", "pip", "list", "-v", "--format", "json"), capture_output=True, text=True, check=True
    )
    folder = tmp_path_factory.mktemp("packages")
    (folder / "pip").mkdir()
    (folder / "pip" / "__init__.py").touch()
    (folder / "pip" / "__main__.py").write_text(PIP.format(answer=listed.stdout))
    return folder


@pytest.fixture(scope="session")
def pip_offline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which pip installs the package into a new environment without a download."""
    from tests.support.installation import offline

    return offline(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the package."""
    from tools.wheel import build

    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def project(landscape: Landscape, engine_path: Path, known_packages: Path, tmp_path: Path) -> Iterator[MakeProject]:
    """Create Pulumi projects on the cloud of the test, and destroy their resources on a real cloud at the end."""
    created: list[Project] = []

    def make(program: str | Path, *, name: str = "story", config: Mapping[str, str] | None = None) -> Project:
        folder = tmp_path / f"project{len(created)}"
        folder.mkdir()
        env = {**environment(engine_path, folder, "test"), **landscape.env, "PYTHONPATH": str(known_packages)}
        new = Project(folder, program, env, name)
        new.settings({**landscape.settings, **(config or {})}, landscape.secrets)
        created.append(new)
        return new

    yield make
    if landscape.live:
        for each in created:
            if state := each.state():
                if any(resource.get("protect") for resource in state.values()):
                    each.run("state", "unprotect", "--all", "--yes")
                each.destroy()
