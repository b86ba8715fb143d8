"""`make mutate`: change the provider in small ways, and check that a test fails for each change."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import zlib
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import yaml

from tools.bench.page import rewrite
from tools.mutate import report
from tools.mutate.mutants import Module, Mutant, modules
from tools.mutate.trials import Trial, Trials, run
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PACKAGE = CHECKOUT / "ecs_pulumi"
FOLDER = CHECKOUT / ".mutate"
PAGE = CHECKOUT / "docs" / "design" / "mutation.md"
EXPLAINED = CHECKOUT / "tools" / "mutate" / "explained.yaml"
_CONTROL_EVERY = 100


def main() -> int:
    """Run the selected mutants."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate", description=__doc__)
    parser.add_argument("modules", nargs="*", help="parts of module names, such as cloud/polling (default: all)")
    help_ = "share of the mutants in code that creates, deletes, retries or replaces; default: 1"
    parser.add_argument("--important", type=float, default=1.0, metavar="SHARE", help=help_)
    parser.add_argument("--share", type=float, default=0.1, help="share of the other mutants; default: 0.1")
    parser.add_argument("--seed", type=int, default=15, help="seed of the shares; default: 15")
    parser.add_argument("--limit", type=float, default=8.0, help="seconds of the tests of a folder; default: 8")
    parser.add_argument("--record", action="store_true", help="record again which tests reach which lines")
    parser.add_argument("--again", action="store_true", help="repeat also what an earlier run has found")
    parser.add_argument("--page", action="store_true", help="write the table to the page of the documentation")
    parser.add_argument("--report", action="store_true", help="only print what earlier runs have found")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    chosen = [module for module in modules(PACKAGE) if _is_named(module, options.modules)]
    selected = [
        mutant for module in chosen for mutant in select(module, options.important, options.share, options.seed)
    ]
    results = Results(FOLDER / "results.jsonl", chosen)
    if not options.report:
        pending = [each for each in selected if options.again or not results.is_final(each)]
        known = explained()
        pending = [each for each in pending if each.name not in known]
        status = run(lambda trials: _attempt_all(trials, pending, results, options), FOLDER, PACKAGE)
        if status:
            return status
    table = report.table(chosen, selected, results.trials, explained())
    print(report.survivors(selected, results.trials, explained()), table, sep="\n\n")
    if options.page:
        repeated = " ".join(each for each in sys.argv[1:] if each not in {"--report", "--page", "--again", "--record"})
        rewrite(PAGE, "mutants", f'{table}\n\nTo repeat it: `make mutate MUTATE="{repeated}"`.')
    return 0


def _is_named(module: Module, names: Sequence[str]) -> bool:
    return not names or any(name in module.name for name in names)


def select(module: Module, important: float, others: float, seed: int) -> list[Mutant]:
    """Return shares of the important and of the other mutants of a module.

    The sample of a larger share contains that of a smaller one, and hardly depends on changes of the code.
    """
    chosen = []
    for is_important, share in ((True, important), (False, others)):
        mutants = [mutant for mutant in module.mutants if mutant.important is is_important]
        mutants.sort(key=lambda mutant: zlib.crc32(f"{seed} {mutant.name}".encode()))
        chosen += mutants[: math.ceil(share * len(mutants))]
    return sorted(chosen, key=lambda mutant: mutant.number)


def explained() -> dict[str, str]:
    """Return the mutants that no test can kill, with the reasons.

    Raises:
        SystemExit: There is no such mutant any more.
    """
    entries = yaml.safe_load(EXPLAINED.read_text()) or {}
    return {f"{where}: {change}": why for where, changes in entries.items() for change, why in changes.items()}


class Results:
    """The outcomes of all runs, in a file that each run continues.

    A mutant that was killed stays so while its function is unchanged; one that survived is tried again.

    Args:
        path: The file.
        modules: The modules whose results are used.
    """

    def __init__(self, path: Path, modules: Iterable[Module]) -> None:
        self._path = path
        self._versions = {module.name: module.functions for module in modules}
        self.trials: dict[str, Trial] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            entry = json.loads(line)
            if entry["version"] == self._versions.get(entry["module"], {}).get(entry["function"], ("", "", ""))[2]:
                self.trials[entry["name"]] = Trial(**entry["trial"])

    def is_final(self, mutant: Mutant) -> bool:
        """Whether the mutant was killed."""
        trial = self.trials.get(mutant.name)
        return trial is not None and trial.outcome in {"killed", "timeout"}

    def add(self, mutant: Mutant, trial: Trial) -> None:
        """Add an outcome."""
        self.trials[mutant.name] = trial
        version = self._versions[mutant.module][mutant.function][2]
        entry = {"name": mutant.name, "module": mutant.module, "function": mutant.function, "version": version}
        with self._path.open("a") as file:
            file.write(json.dumps({**entry, "trial": asdict(trial)}) + "\n")


def _attempt_all(trials: Trials, mutants: Sequence[Mutant], results: Results, options: argparse.Namespace) -> None:
    trials.record(everything=options.record)
    counts: Counter[str] = Counter()
    start = time.monotonic()
    for number, mutant in enumerate(mutants):
        tests = trials.tests_of(mutant, options.limit)
        trial = trials.attempt(mutant, tests)
        results.add(mutant, trial)
        counts[trial.outcome] += 1
        if trial.outcome not in {"killed", "timeout"}:
            print(f"{trial.outcome} ({trial.tests} tests): line {mutant.line}, {mutant.name}", flush=True)
        if number % _CONTROL_EVERY == _CONTROL_EVERY - 1:
            control = trials.attempt(None, tests)
            counts[f"control {control.outcome}"] += 1
            seconds = time.monotonic() - start
            print(f"{number + 1} of {len(mutants)}, {seconds:.0f} s: {dict(counts)} {control.test}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
