"""Run tests against mutants, in forks of a process that has imported and collected everything.

A first pass records which tests reach which lines, and how long they take. A mutant then runs in a fork, in which the
code of its function is exchanged, with the tests that reach its line, until one fails.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import json
import os
import pkgutil
import re
import resource
import select
import shutil
import signal
import sys
import time
import warnings
import zlib
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

import coverage
import pytest
from _pytest.runner import runtestprotocol
from keystoneauth1 import loading

from tools.mutate.mutants import PARTS, Mutant, key_of, modules
from tools.mutate.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

FOLDERS = ("tests/unit", "tests/host", "tests/fields", "tests/faults", "tests/api", "tests/walks")
"""The folders of the tests; their fixtures of the session do not go together, so that each has a fork of its own."""
_IGNORED = ("tests/api/emulator", "tests/unit/tools", "tests/faults/test_stalls.py")
"""Tests of other code, and tests that take long for what they add."""
_OTHER_PROCESSES = {"engine_path", "project", "chrome", "plugin", "renamed", "live_landscape"}
"""Fixtures of tests that run the code in other processes, where no mutant is active."""
_SAMPLED = {"tests/faults/test_matrix.py": 12, "tests/faults/test_death.py": 6, "tests/fields/test_table.py": 1}
"""Of these tests, one of so many."""
_MIN_CPU_SECONDS = 3
_STALL_SECONDS = 10.0


@dataclass(frozen=True)
class Trial:
    """The outcome of a mutant.

    Attributes:
        outcome: `killed`, `timeout`, `survived`, or `uncovered` if no test reaches the mutant.
        test: The test that failed.
        tests: The number of tests that ran.
        seconds: The CPU time.
    """

    outcome: str
    test: str = ""
    tests: int = 0
    seconds: float = 0.0


class Session:
    """A plugin of pytest that collects the tests and calls a function instead of running them.

    Args:
        job: Receives the collected tests.
    """

    def __init__(self, job: Callable[[Trials], None], folder: Path, package: Path) -> None:
        self._job = job
        self._folder = folder
        self._package = package

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Select the tests that run in this process."""
        items[:] = [item for item in items if _is_selected(item)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Call the function instead of running all tests."""
        if session.testsfailed:
            pytest.exit("the tests cannot be collected", returncode=2)
        # Modules that are loaded when they are needed, too: a mutant exchanges the code of loaded functions.
        for module in pkgutil.walk_packages([str(self._package)], f"{self._package.name}."):
            if module.name.partition(".")[2].partition(".")[0] in PARTS:
                importlib.import_module(module.name)
        self._job(Trials(session.items, self._folder, self._package))
        return True


def _is_selected(item: pytest.Item) -> bool:
    if _OTHER_PROCESSES & set(getattr(item, "fixturenames", ())):
        return False
    every = _SAMPLED.get(item.nodeid.partition("::")[0], 1)
    return zlib.crc32(item.nodeid.encode()) % every == 0


def run(job: Callable[[Trials], None], folder: Path, package: Path) -> int:
    """Collect the tests in this process, and call the function with them."""
    ignored = [f"--ignore={path}" for path in _IGNORED]
    options = [
        "-q",
        "--no-header",
        "--tb=native",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        f"--basetemp={folder / 'tmp'}",
    ]
    return int(pytest.main([*FOLDERS, *ignored, *options], plugins=[Session(job, folder, package)]))


class Trials:
    """Runs tests in forks.

    Args:
        items: The collected tests.
        folder: The folder of the recording.
        package: The folder of the mutated package.
    """

    def __init__(self, items: Sequence[pytest.Item], folder: Path, package: Path) -> None:
        self._items = {item.nodeid: item for item in items}
        self._folder = folder
        self._package = package
        self._modules = {module.name: module for module in modules(package)}
        self._recording = Recording.load(folder)
        self._functions = _functions(package)
        self._warm_up()
        # Forks that do not touch the collected objects share their memory.
        gc.collect()
        gc.freeze()

    def _warm_up(self) -> None:
        """Load what a test with an emulator loads, so that not each fork does it again.

        The test runs in a fork, because it starts threads and fills the caches of the package.
        """
        test = next(
            (test for test, item in self._items.items() if "landscape" in getattr(item, "fixturenames", ())), ""
        )
        if not test:
            return

        def load(report: Callable[[dict[str, Any]], None]) -> None:
            self._passes(test, None)
            for name in sorted(sys.modules):
                report({"name": name})

        _, lines = self._fork(load, 60.0)
        for line in lines:
            with contextlib.suppress(ImportError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(line["name"])
        from ecs_pulumi.emulator import Emulator

        Emulator()  # loads more when the first one is created
        loading.get_plugin_loader("password")  # searches all distributions for its plugins once

    def record(self, *, everything: bool) -> None:
        """Run tests once, those of each file in a fork of its own, and record the lines that they reach.

        Tests that fail without a mutant are left out.

        Args:
            everything: Whether to run also the files that have not changed since the last recording.
        """
        files: dict[str, list[str]] = defaultdict(list)
        for test in self._items:
            files[test.partition("::")[0]].append(test)
        recording = Recording() if everything else self._recording
        for file, tests in files.items():
            version = hashlib.sha256((self._package.parent / file).read_bytes()).hexdigest()[:16]
            if recording.files.get(file) == version:
                continue
            data = self._folder / "recording.coverage"
            data.unlink(missing_ok=True)
            status, lines = self._fork(partial(self._record, tests, data), 3600.0)
            passed = {line["test"]: line["seconds"] for line in lines if line["passed"]}
            failed = [line["test"] for line in lines if not line["passed"]]
            _print(f"{file}: {len(passed)} tests, {sum(passed.values()):.0f} s", *failed, sep="\n  failed: ")
            if status:
                _print(f"  ended with {status} after {len(lines)} of {len(tests)} tests")
            recording.add(file, version, passed, data, self._modules)
            # An interrupted recording goes on where it was.
            recording.save(self._folder)
        self._recording = recording

    def _record(self, tests: Sequence[str], data: Path, report: Callable[[dict[str, Any]], None]) -> None:
        measured = coverage.Coverage(data_file=str(data), include=[f"{self._package}/*"], config_file=False)
        measured.start()
        try:
            for index, test in enumerate(tests):
                measured.switch_context(test)
                start = time.monotonic()
                passed = self._passes(test, tests[index + 1] if index + 1 < len(tests) else None)
                report({"test": test, "passed": passed, "seconds": time.monotonic() - start})
        finally:
            measured.stop()
            measured.save()

    def tests_of(self, mutant: Mutant, limit: float) -> list[list[str]]:
        """Return the tests that reach the mutant, by folder.

        In each folder, the fastest test of each test function comes first, then the second fastest, and so on; before
        them, those whose names have words of the mutated function in common.

        Args:
            mutant: The mutant.
            limit: The seconds that the tests of a folder may take together. If all tests are slower, the fastest is
                better than none.
        """
        durations = self._recording.seconds
        words = set(re.findall(r"[a-z]{4,}", f"{mutant.module.partition('/')[2]} {mutant.function}".lower()))
        tests = self._recording.tests_of(self._modules[mutant.module], mutant) & self._items.keys()
        chosen = []
        for folder in FOLDERS:
            groups: dict[str, list[tuple[float, str]]] = defaultdict(list)
            own = (test for test in tests if test.startswith(f"{folder}/"))
            for seconds, test in sorted((durations[test], test) for test in own):
                groups[test.partition("[")[0]].append((seconds, test))
            ranked = sorted(
                (rank, -sum(word in name for word in words), seconds, test)
                for name, group in groups.items()
                for rank, (seconds, test) in enumerate(group)
            )
            picked, left = [], limit
            for _, _, seconds, test in ranked:
                if seconds <= left:
                    picked.append(test)
                    left -= seconds
            # The tests of a file share the fixtures of their module.
            files = list(dict.fromkeys(test.partition("::")[0] for test in picked))
            chosen.append(sorted(picked, key=lambda test: files.index(test.partition("::")[0])))
        if tests and not any(chosen):
            return [[min(tests, key=lambda test: (durations[test], test))]]
        return list(filter(None, chosen))

    def attempt(self, mutant: Mutant | None, tests: Sequence[Sequence[str]]) -> Trial:
        """Run the tests with the mutant, or, if there is none, without a change; those of each folder in a fork."""
        codes = self._modules[mutant.module].codes(mutant) if mutant else {}
        trial = Trial("survived" if tests else "uncovered")
        for group in tests:
            new = self._attempt_group(codes, group)
            trial = replace(new, tests=trial.tests + new.tests, seconds=round(trial.seconds + new.seconds, 3))
            if trial.outcome != "survived":
                break
        return trial

    def _attempt_group(self, codes: dict[Any, Any], tests: Sequence[str]) -> Trial:
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        stall = _STALL_SECONDS + 10 * max(self._recording.seconds[test] for test in tests)
        status, lines = self._fork(lambda report: self._attempt(codes, tests, report), stall)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
        failed = next((line["test"] for line in lines if not line["passed"]), "")
        if failed:
            return Trial("killed", failed, len(lines), seconds)
        if status:
            stopped = "timeout" if status in {-signal.SIGXCPU, -signal.SIGKILL} else "killed"
            return Trial(stopped, tests[min(len(lines), len(tests) - 1)], len(lines), seconds)
        return Trial("survived", "", len(lines), seconds)

    def _attempt(self, codes: dict[Any, Any], tests: Sequence[str], report: Callable[[dict[str, Any]], None]) -> None:
        for key, (original, changed) in codes.items():
            for function in self._functions.get((original.co_filename, *key), ()):
                function.__code__ = changed
        for index, test in enumerate(tests):
            used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
            limit = int(used + _MIN_CPU_SECONDS + 5 * self._recording.seconds[test])
            resource.setrlimit(resource.RLIMIT_CPU, (limit, -1))
            passed = self._passes(test, tests[index + 1] if index + 1 < len(tests) else None)
            report({"test": test, "passed": passed})
            if not passed:
                return

    def _passes(self, test: str, following: str | None) -> bool:
        item = self._items[test]
        reports = runtestprotocol(item, log=False, nextitem=self._items[following] if following else None)
        return not any(each.failed for each in reports)

    def _fork(
        self, run: Callable[[Callable[[dict[str, Any]], None]], None], stall: float
    ) -> tuple[int, list[dict[str, Any]]]:
        """Call the function in a fork.

        Args:
            run: The function; its argument sends a line to this process.
            stall: The limit of the seconds without a line.

        Returns:
            The exit status, negative for a signal, and the lines.
        """
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            status = 70
            try:
                os.setsid()
                with _silence():
                    run(partial(_send, writer))
                status = 0
            finally:
                # Neither other threads nor the handlers of the exit of this process may run.
                os._exit(status)
        os.close(writer)
        try:
            text = _read(reader, stall)
        finally:
            os.close(reader)
            # Tests may have started processes, which are in the group of the fork.
            _kill_group(child)
            _, status = os.waitpid(child, 0)
            shutil.rmtree(self._folder / "tmp", ignore_errors=True)
        return os.waitstatus_to_exitcode(status), [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def _send(writer: int, line: dict[str, Any]) -> None:
    os.write(writer, json.dumps(line).encode() + b"\n")


def _read(reader: int, stall: float) -> str:
    """Read until the other side is closed, or until nothing has come for so many seconds."""
    parts = []
    while select.select([reader], [], [], stall)[0]:
        part = os.read(reader, 65536)
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode(errors="replace")


def _kill_group(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with open(os.devnull, "r+b") as nothing:  # noqa: PTH123  (a device, not a file)
        for number in (0, 1, 2):
            os.dup2(nothing.fileno(), number)
        yield


def _functions(package: Path) -> dict[tuple[str, str, int], list[FunctionType]]:
    """Return all functions of the package, by file, name and first line."""
    found: dict[tuple[str, str, int], list[FunctionType]] = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(str(package)):
            name, line = key_of(each.__code__)
            found[each.__code__.co_filename, name, line].append(each)
    return found


def _print(*parts: str, sep: str = " ") -> None:
    print(*parts, sep=sep, flush=True)
