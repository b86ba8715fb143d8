"""Which tests reach which lines of each function, and how long they take."""

from __future__ import annotations

import functools
import json
import operator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import coverage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tools.mutate.mutants import Module, Mutant

_FILE = "recording.json"


@dataclass
class Recording:
    """The recorded tests. The lines are relative to their function, so that other changes do not move them.

    Attributes:
        files: A fingerprint of each file of tests.
        seconds: The duration of each test.
        tests: All tests, also those that no longer exist.
        reached: By module, function and line, which of `tests` reach the line: a number with a bit for each.
        versions: The fingerprint of each function, by module and name.
    """

    files: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    tests: list[str] = field(default_factory=list)
    reached: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Recording:
        """Read the recording of the folder; return an empty one if there is none."""
        path = folder / _FILE
        return cls(**json.loads(path.read_text())) if path.exists() else cls()

    def save(self, folder: Path) -> None:
        """Write the recording to the folder."""
        (folder / _FILE).write_text(json.dumps(asdict(self)))

    def add(
        self, file: str, version: str, seconds: Mapping[str, float], data: Path, modules: Mapping[str, Module]
    ) -> None:
        """Replace what is recorded of the tests of a file.

        Args:
            file: The file of tests.
            version: Its fingerprint.
            seconds: The duration of each test that passed.
            data: The data of coverage.py, with a context for each test.
            modules: The modules by name.
        """
        self.files[file] = version
        self.seconds = {test: each for test, each in self.seconds.items() if test.partition("::")[0] != file}
        self.seconds |= seconds
        self.tests += sorted(seconds.keys() - set(self.tests))
        bits = {test: 1 << index for index, test in enumerate(self.tests)}
        others = ~sum(bit for test, bit in bits.items() if test.partition("::")[0] == file)
        if not data.exists():
            return
        measured = coverage.CoverageData(basename=str(data))
        measured.read()
        for module in modules.values():
            contexts = measured.contexts_by_lineno(str(module.path))
            for name, (start, end, text) in module.functions.items():
                lines = self.reached.setdefault(module.name, {}).setdefault(name, {})
                if self.versions.setdefault(module.name, {}).get(name) != text:
                    # The tests of other files reached the function as it was: any of its lines may be theirs.
                    reached = functools.reduce(operator.or_, (int(mask, 16) for mask in lines.values()), 0)
                    lines.clear()
                    lines.update({str(line): f"{reached:x}" for line in range(end - start + 1) if reached})
                    self.versions[module.name][name] = text
                for line in range(start, end + 1):
                    mask = int(lines.get(str(line - start), "0"), 16) & others
                    for test in seconds.keys() & set(contexts.get(line, ())):
                        mask |= bits[test]
                    if mask:
                        lines[str(line - start)] = f"{mask:x}"
                    else:
                        lines.pop(str(line - start), None)

    def tests_of(self, module: Module, mutant: Mutant) -> set[str]:
        """Return the tests that reach the mutant; if its function has changed, those that reach the function."""
        lines = self.reached.get(module.name, {}).get(mutant.function, {})
        start, _, text = module.functions[mutant.function]
        # Not each line of a statement is an instruction.
        choices = [mutant.lines, mutant.statement]
        if self.versions.get(module.name, {}).get(mutant.function) != text:
            choices = [range(start, start + 1 + max(map(int, lines), default=0))]
        mask = 0
        for choice in choices:
            for line in choice:
                mask |= int(lines.get(str(line - start), "0"), 16)
            if mask:
                break
        return {test for index, test in enumerate(self.tests) if mask >> index & 1} & self.seconds.keys()
