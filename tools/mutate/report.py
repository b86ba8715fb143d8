"""The results by module, in Markdown."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tools.mutate.mutants import Module, Mutant
    from tools.mutate.trials import Trial

_HEADER = """\
| Module | Mutants | Tried | Killed | Timeout | Survived | Explained | Score |
| --- | --- | --- | --- | --- | --- | --- | --- |"""
_KILLED = ("killed", "timeout")


def table(
    modules: Sequence[Module], selected: Sequence[Mutant], trials: Mapping[str, Trial], explained: Collection[str]
) -> str:
    """Return the table, with the important mutants and all mutants in the last rows.

    The score is the share of the killed mutants among those tried and not explained. In the last row it is an estimate
    for all mutants, with the 95 % confidence interval of the share.
    """
    lines = [_HEADER]
    for module in modules:
        own = [mutant for mutant in selected if mutant.module == module.name]
        if own:
            lines.append(_row(f"`{module.name}`", len(module.mutants), own, trials, explained))
    every = [mutant for module in modules for mutant in module.mutants]
    important = [mutant for mutant in selected if mutant.important]
    size = sum(mutant.important for mutant in every)
    lines.append(_row("**Creates, deletes, retries, replaces**", size, important, trials, explained))
    score, margin = _estimate(modules, selected, trials, explained)
    estimate = f"**{score:.1f} % ± {margin:.1f}**"
    lines.append(_row("**All**", len(every), selected, trials, explained, estimate))
    return "\n".join(lines)


def survivors(selected: Iterable[Mutant], trials: Mapping[str, Trial], explained: Collection[str]) -> str:
    """Return the mutants that no test kills, one in a line; those of important functions are marked."""
    return "\n".join(
        f"{'! ' if each.important else '  '}{trials[each.name].outcome}: line {each.line}, {each.name}"
        for each in selected
        if each.name in trials and each.name not in explained and trials[each.name].outcome not in _KILLED
    )


def _row(
    title: str,
    size: int,
    mutants: Iterable[Mutant],
    trials: Mapping[str, Trial],
    explained: Collection[str],
    score: str = "",
) -> str:
    counts = _counts(mutants, trials, explained)
    killed, tried = counts["killed"] + counts["timeout"], counts.total() - counts["explained"]
    survived = counts["survived"] + counts["uncovered"]
    score = score or (f"{100 * killed / tried:.0f} %" if tried else "")
    numbers = (size, counts.total(), counts["killed"], counts["timeout"], survived, counts["explained"])
    return f"| {title} | {' | '.join(map(str, numbers))} | {score} |"


def _counts(mutants: Iterable[Mutant], trials: Mapping[str, Trial], explained: Collection[str]) -> Counter[str]:
    return Counter(
        "explained" if each.name in explained else trials[each.name].outcome
        for each in mutants
        if each.name in explained or each.name in trials
    )


def _estimate(
    modules: Sequence[Module], selected: Sequence[Mutant], trials: Mapping[str, Trial], explained: Collection[str]
) -> tuple[float, float]:
    """Estimate the score of all mutants in percent, and half of its confidence interval.

    The strata are the important mutants, which are all tried, and the others of each module.
    """
    total = killed = variance = 0.0
    for module in modules:
        for important in (True, False):
            size = sum(mutant.important is important for mutant in module.mutants)
            own = [each for each in selected if each.module == module.name and each.important is important]
            counts = _counts(own, trials, explained)
            tried = counts.total() - counts["explained"]
            if not tried:
                continue
            size -= counts["explained"]
            hits = counts["killed"] + counts["timeout"]
            total += size
            killed += size * hits / tried
            # A stratum in which all were killed still is uncertain; one that was tried as a whole is not.
            share = (hits + 1) / (tried + 2)
            variance += size**2 * share * (1 - share) / tried * (1 - tried / size)
    return (100 * killed / total, 196 * math.sqrt(variance) / total) if total else (0.0, 0.0)
