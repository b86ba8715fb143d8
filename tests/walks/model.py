"""What a stack has after each stage of a walk, according to the resource options and the targets of an `up`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.walks.programs import ordered

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.walks.programs import Declaration, Program


@dataclass(frozen=True)
class ByHand:
    """A change of the cloud by another client.

    Attributes:
        action: A key of `by_hand.ACTIONS`.
        name: The name of the resource whose object it changes.
        values: The attributes and their new values, for the action `change`.
    """

    action: str
    name: str
    values: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Stage:
    """One `up` of a walk.

    Attributes:
        program: The program.
        edit: The description of the edit since the prior stage.
        targets: The names of the resources of `--target`; empty for all.
        refusal: What the preview says to refuse it, in part; nothing is changed then. Empty if it is not refused.
        by_hand: A change of the cloud before the `up`, which then refreshes the state.
        is_refreshed: Whether the next stage starts with the state that a refresh after the `up` returns.
    """

    program: Program
    edit: str = ""
    targets: tuple[str, ...] = ()
    refusal: str = ""
    by_hand: ByHand | None = None
    is_refreshed: bool = True


@dataclass(frozen=True)
class Walk:
    """A sequence of programs with the ways in which they are applied.

    Attributes:
        stages: The programs.
        cascades: Whether the engine in this process replaces a resource together with the one that it is deleted with,
            as real engines from 3.260 on do.
    """

    stages: tuple[Stage, ...]
    cascades: bool = False

    @property
    def programs(self) -> list[Program]:
        """The programs."""
        return [stage.program for stage in self.stages]

    @property
    def edits(self) -> list[str]:
        """The descriptions of the edits."""
        return [stage.edit for stage in self.stages[1:]]


def deployed(before: Program, stage: Stage, fresh: Collection[str] = ()) -> Program:
    """Return what the stack has after a stage.

    Args:
        before: What it had before.
        stage: The stage.
        fresh: The names of the resources whose object the stage creates; `ignore_changes` does not apply to them.
    """
    if stage.refusal:
        return before
    prior = {each.name: each for each in before}
    desired = {each.name: each for each in stage.program}
    if stage.targets:
        desired = {**prior, **{name: each for name, each in desired.items() if name in stage.targets}}
        removed = set(stage.targets) - {each.name for each in stage.program}
        desired = {name: each for name, each in desired.items() if name not in removed}
    hand = stage.by_hand
    found = []
    for each in desired.values():
        former = prior.get(each.name) or prior.get(each.alias)
        if former is None or former.kind != each.kind or each.name in fresh:
            found.append(each)
            continue
        known = dict(former.inputs)
        if hand and hand.action == "change" and hand.name == each.name:
            known |= dict(hand.values)
        found.append(replace(each, inputs=_with_ignored(each, known)))
    return ordered(found)


def _with_ignored(each: Declaration, prior: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs with the prior values of the ignored ones."""
    inputs = {name: value for name, value in each.inputs.items() if name not in each.ignored}
    return inputs | {name: prior[name] for name in each.ignored if name in prior}
