"""Run a walk in this process, check every step, and minimize a walk that fails."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.support.steps import Failed, Refused
from tests.walks.by_hand import expected
from tests.walks.cloud import key_of
from tests.walks.engine import Protected, Stack
from tests.walks.following import can_follow
from tests.walks.model import Walk, deployed
from tests.walks.options import PROTECTED, guarded, with_options
from tests.walks.programs import changed, dependents, to_source, without

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.walks.cloud import Documents, SharedWorld
    from tests.walks.engine import Record
    from tests.walks.model import ByHand, Stage
    from tests.walks.programs import Program

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|-[0-9a-f]{8}\b|req-\S+")
_NAME = re.compile(r"\b(net|sub|port|key|vol|srv|vat|nic|sg|rule|rtr|rif|rrt|fip|fas|grp)\d+")
_SIGNATURE_LENGTH = 100
MAX_TRIALS = 400
"""The maximum number of shorter walks to try."""


@dataclass(frozen=True)
class Failure:
    """A failed check.

    Attributes:
        at: The index of the program; for the final destroy that of the last program.
        when: The operation.
        what: The problem.
    """

    at: int
    when: str
    what: str

    @property
    def signature(self) -> tuple[str, str]:
        """The operation and the problem without names and ids, to recognize the same failure in another walk."""
        return self.when, _NAME.sub(r"\1", _ID.sub("*", self.what))[:_SIGNATURE_LENGTH]


class Walker:
    """Runs the steps of a walk.

    Attributes:
        made: The steps of the last `up`, by kind and name.
    """

    def __init__(self, world: SharedWorld, seed: int, *, cascades: bool = False) -> None:
        """Restore the cloud, and create a stack.

        Args:
            world: The cloud.
            seed: The seed of what differs between runs.
            cascades: See `Stack`.
        """
        world.restore(world.start)
        self._world = world
        chance = random.Random(seed)  # noqa: S311  (chance, not a secret)
        self._stack = Stack(world.config, chance, world.start_process, cascades=cascades)
        self.made: dict[str, str] = {}
        self._expected: dict[str, str] = {}
        self._before: Program = ()
        """What the stack has."""
        self._retained: Documents = {}

    def steps(self, stage: Stage) -> Iterator[tuple[str, Callable[[], list[str]]]]:
        """Yield the operations for each stage, each with a function that returns its problems."""
        if stage.by_hand:
            change = stage.by_hand
            yield "change by hand", lambda: self._change_by_hand(change)
            yield "preview after change by hand", lambda: self._pending_changes(stage)
            yield "refresh after change by hand", self._refresh
            yield "preview of change by hand", lambda: self._preview_of(stage, change)
        else:
            yield "preview", lambda: self._preview(stage)
        if not stage.refusal:
            yield "up", lambda: self._up(stage)
        yield "cloud after up", self._cloud
        if stage.refusal:
            return
        yield "preview after up", lambda: self._pending_changes(stage)
        state_before = self._stack.copy_state()
        yield "refresh", self._refresh
        yield "preview after refresh", lambda: self._pending_changes(stage)
        if not stage.is_refreshed:
            self._stack.state = state_before

    def last_steps(self) -> Iterator[tuple[str, Callable[[], list[str]]]]:
        """Yield the operations after the last program."""
        if any(each.protect for each in self._before):
            yield "destroy of protected resources", self._refused_destroy
            yield "cloud after refused destroy", self._cloud
            self._stack.unprotect()
        yield "destroy", self._destroy
        yield "cloud after destroy", self._cloud

    def _change_by_hand(self, change: ByHand) -> list[str]:
        self._world.client.apply(change, self._before, self._ids)
        return []

    def _refresh(self) -> list[str]:
        self._stack.refresh()
        return []

    def _preview_of(self, stage: Stage, change: ByHand) -> list[str]:
        self._expected = self._stack.preview(stage.program)
        return unexpected(self._before, change, self._expected)

    def _preview(self, stage: Stage) -> list[str]:
        try:
            self._expected = self._stack.preview(stage.program, stage.targets)
        except Refused as refused:
            if stage.refusal and stage.refusal in str(refused):
                return []
            raise
        return [f"is not refused with {stage.refusal!r}"] if stage.refusal else []

    def _up(self, stage: Stage) -> list[str]:
        before = self._stack.copy_state()
        self.made = steps = self._stack.up(stage.program, stage.targets)
        self._retain(before)
        fresh = {title.partition(" ")[2] for title, step in steps.items() if step in ("create", "replace")}
        self._before = deployed(self._before, stage, fresh)
        harmful = {"replace", "delete"}
        return [
            f"{step} of {name}, but the preview shows {self._expected.get(name)}"
            for name, step in steps.items()
            if step in harmful and self._expected.get(name) != step
        ]

    def _retain(self, before: Sequence[Record]) -> None:
        """Record the objects that the state has no longer because of `retain_on_delete`."""
        kept = {(record.kind, record.id) for record in self._stack.state}
        retained = {
            key_of(record.kind, record.id)
            for record in before
            if record.options.retain and (record.kind, record.id) not in kept
        }
        if retained:
            remote = self._world.documents()
            groups = {id_ for kind, id_ in retained if kind == "security_group"}
            retained |= {key for key, item in remote.items() if item.get("security_group_id") in groups}
            self._retained |= {key: remote.get(key, {}) for key in retained}

    @property
    def _ids(self) -> dict[str, str]:
        return {name: record.id for name, record in self._stack.records_by_name.items()}

    def _cloud(self) -> list[str]:
        return self._world.differences(self._before, self._ids, self._retained)

    def _pending_changes(self, stage: Stage) -> list[str]:
        targets = set(stage.targets) & {each.name for each in stage.program}
        if stage.targets and not targets:
            return []
        steps = self._stack.preview(stage.program, targets)
        return [f"{step} of {name}" for name, step in steps.items() if step != "same"]

    def _refused_destroy(self) -> list[str]:
        try:
            self._stack.destroy(preview=True)
        except Protected:
            return []
        return ["does not refuse to delete protected resources"]

    def _destroy(self) -> list[str]:
        before = self._stack.copy_state()
        self._stack.destroy()
        self._before = ()
        self._retain(before)
        return []


def unexpected(before: Program, change: ByHand, steps: Mapping[str, str]) -> list[str]:
    """Return what a preview shows wrongly after a change by hand and a refresh.

    Args:
        before: What the stack has, which the program declares as well.
        change: The change by hand.
        steps: The steps of the preview, by kind and name.
    """
    must, may = expected(before, change)
    shown = {title.partition(" ")[2]: step for title, step in steps.items() if step != "same"}
    problems = [f"{shown[name]} of {name}" for name in sorted(shown.keys() - must.keys() - may)]
    return problems + [
        f"{shown.get(name)} of {name}, not {' or '.join(allowed)}"
        for name, allowed in must.items()
        if shown.get(name) not in allowed
    ]


def find_failure(walk: Walk, world: SharedWorld, seed: int) -> Failure | None:
    """Run the walk; return the first failure, None if all checks pass."""
    return run(Walker(world, seed, cascades=walk.cascades), walk)


def run(walker: Walker, walk: Walk, between: Callable[[], None] = lambda: None) -> Failure | None:
    """Run the walk, and `between` after each of its stages; return the first failure, None if all checks pass."""
    last = len(walk.stages) - 1
    for at, stage in enumerate(walk.stages):
        if failure := _first_failure(at, walker.steps(stage)):
            return failure
        between()
    return _first_failure(last, walker.last_steps())


def _first_failure(at: int, steps: Iterator[tuple[str, Callable[[], list[str]]]]) -> Failure | None:
    for when, step in steps:
        try:
            problems = step()
        except (Failed, Refused) as error:
            problems = [str(error)]
        if problems:
            return Failure(at, when, "; ".join(problems))
    return None


def minimize(walk: Walk, world: SharedWorld, seed: int, failure: Failure) -> tuple[Walk, Failure]:
    """Return a minimal walk with the same failure, and that failure."""
    trials = 0
    walk = replace(walk, stages=walk.stages[: failure.at + 1])
    before: Walk | None = None
    while before != walk:
        before = walk
        for shorten in _shortenings(walk):
            shorter = shorten(walk)
            if shorter is None or shorter == walk or not is_possible(shorter):
                continue
            trials += 1
            if trials > MAX_TRIALS:
                return walk, failure
            repeated = find_failure(shorter, world, seed)
            if repeated and repeated.signature == failure.signature:
                walk, failure = shorter, repeated
    return walk, failure


def is_possible(walk: Walk) -> bool:
    """Whether a cloud can apply each stage, and the engine refuses those that it has to refuse."""
    before: Program = ()
    program: Program = ()
    for index, stage in enumerate(walk.stages):
        try:
            after = deployed(before, stage)
        except ValueError:
            return False
        if stage.refusal == PROTECTED and not guarded(before, stage.program) - {each.name for each in stage.program}:
            return False
        if stage.by_hand and (without_aliases(program) != without_aliases(stage.program)):
            return False
        if index and not can_follow(before, after):
            return False
        before, program = after, program if stage.refusal else stage.program
    return True


def without_aliases(program: Program) -> Program:
    """Return the program without the option `aliases`."""
    return tuple(replace(each, alias="") for each in program)


def _shortenings(walk: Walk) -> Iterator[Callable[[Walk], Walk | None]]:
    """Yield functions that return a shorter walk; each can be applied to what the prior ones have shortened."""
    for stage in walk.stages[:-1]:
        yield partial(_without_stage, stage=stage)
    names = sorted({each.name for program in walk.programs for each in program})
    for name in reversed(names):
        yield partial(_without_resource, name=name)
    for name in names:
        for option in _NO_OPTIONS:
            yield partial(_without_option, name=name, option=option)
    for name, field in sorted({(each.name, name) for one in walk.programs for each in one for name in each.inputs}):
        if field not in _REQUIRED:
            yield partial(_without_input, name=name, field=field)
    for stage in walk.stages:
        yield lambda walk, stage=stage: replace(  # type: ignore[misc]
            walk, stages=tuple(replace(each, is_refreshed=True) if each == stage else each for each in walk.stages)
        )
    yield lambda walk: replace(walk, cascades=False)


def _without_stage(walk: Walk, stage: Stage) -> Walk:
    return replace(walk, stages=tuple(each for each in walk.stages if each != stage))


def _without_resource(walk: Walk, name: str) -> Walk | None:
    removed = {each for program in walk.programs for each in dependents(program, name)}
    programs = [without(program, name) for program in walk.programs]
    is_changed = any(stage.by_hand and stage.by_hand.name in removed for stage in walk.stages)
    return _with_programs(walk, programs) if all(programs) and not is_changed else None


_NO_OPTIONS: tuple[dict[str, Any], ...] = (
    {"protect": False},
    {"retain": False},
    {"ignored": ()},
    {"deleted_with": ""},
    {"minutes": 0},
)


def _without_option(walk: Walk, name: str, option: Mapping[str, Any]) -> Walk:
    return _with_programs(walk, [with_options(program, {name: option}) for program in walk.programs])


_REQUIRED = {
    *("network_id", "cidr", "allocation_pools", "fixed_ips", "size", "flavor", "image", "networks", "server_id"),
    *("volume_id", "port_id", "direction", "security_group_id", "router_id", "subnet_id", "destination", "nexthop"),
    *("floating_ip_id", "policy"),
}


def _without_input(walk: Walk, name: str, field: str) -> Walk:
    programs = [
        changed(program, name, {field: None}) if any(each.name == name for each in program) else program
        for program in walk.programs
    ]
    return _with_programs(walk, programs)


def _with_programs(walk: Walk, programs: Sequence[Program]) -> Walk:
    stages = zip(walk.stages, programs, strict=True)
    return replace(walk, stages=tuple(replace(stage, program=program) for stage, program in stages))


def format_failure(walk: Walk, failure: Failure, seed: int) -> str:
    """Return the failure and the programs of the walk as text."""
    lines = [f"seed {seed}, program {failure.at}, {failure.when}: {failure.what}", ""]
    for index, stage in enumerate(walk.stages):
        if index:
            lines.append(f"# ---- then: {stage.edit}")
        if stage.by_hand:
            lines.append(f"# {stage.by_hand}")
        else:
            lines += to_source(stage.program).splitlines()[2:]
    return "\n".join(lines)
