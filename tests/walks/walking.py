"""Run a walk in this process, check every step, and minimize a walk that fails."""

from __future__ import annotations

import itertools
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.steps import Failed, Refused
from tests.walks.edits import Walk
from tests.walks.engine import Stack
from tests.walks.following import can_follow
from tests.walks.programs import changed, to_source, without

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.walks.cloud import SharedWorld
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
    """Runs the steps of a walk."""

    def __init__(self, world: SharedWorld, seed: int) -> None:
        world.restore(world.start)
        self._world = world
        self._chance = random.Random(seed)  # noqa: S311  (chance, not a secret)
        self._stack = Stack(world.config, self._chance, world.start_process)
        self._expected: dict[str, str] = {}

    def steps(self, program: Program) -> Iterator[tuple[str, Callable[[], list[str]]]]:
        """Yield the operations for each program, each with a function that returns its problems."""
        yield "preview", lambda: self._preview(program)
        yield "up", lambda: self._up(program)
        yield "cloud after up", lambda: self._cloud(program)
        yield "preview after up", lambda: self._pending_changes(program)
        state_before = self._stack.copy_state()
        yield "refresh", self._stack.refresh
        yield "preview after refresh", lambda: self._pending_changes(program)
        if self._chance.random() < 0.5:
            # Continue with the state of the `up` in half of the cases, to test both.
            self._stack.state = state_before

    def last_steps(self) -> Iterator[tuple[str, Callable[[], list[str]]]]:
        """Yield the operations after the last program."""
        yield "destroy", self._destroy
        yield "cloud after destroy", lambda: self._cloud(())

    def _preview(self, program: Program) -> list[str]:
        self._expected = self._stack.preview(program)
        return []

    def _up(self, program: Program) -> list[str]:
        steps = self._stack.up(program)
        harmful = {"replace", "delete"}
        return [
            f"{step} of {name}, but the preview shows {self._expected.get(name)}"
            for name, step in steps.items()
            if step in harmful and self._expected.get(name) != step
        ]

    def _cloud(self, program: Program) -> list[str]:
        ids = {name: record.id for name, record in self._stack.records_by_name.items()}
        return self._world.differences(program, ids)

    def _pending_changes(self, program: Program) -> list[str]:
        return [f"{step} of {name}" for name, step in self._stack.preview(program).items() if step != "same"]

    def _destroy(self) -> list[str]:
        self._stack.destroy()
        return []


def find_failure(walk: Walk, world: SharedWorld, seed: int) -> Failure | None:
    """Run the walk; return the first failure, None if all checks pass."""
    walker = Walker(world, seed)
    last = len(walk.programs) - 1
    for at, program in enumerate(walk.programs):
        steps = walker.steps(program)
        if failure := _first_failure(at, steps):
            return failure
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
    walk = Walk(walk.programs[: failure.at + 1], walk.edits[: failure.at])
    progress = True
    while progress:
        progress = False
        for shorter in _shorter(walk):
            trials += 1
            if trials > MAX_TRIALS:
                return walk, failure
            if not all(can_follow(*pair) for pair in itertools.pairwise(shorter.programs)):
                continue
            repeated = find_failure(shorter, world, seed)
            if repeated and repeated.signature == failure.signature:
                walk, failure, progress = shorter, repeated, True
                break
    return walk, failure


def _shorter(walk: Walk) -> Iterator[Walk]:
    for index in range(len(walk.programs) - 1):
        edits = [*walk.edits[:index], *walk.edits[index + 1 :]]
        yield Walk((*walk.programs[:index], *walk.programs[index + 1 :]), tuple(edits))
    for name in sorted({each.name for program in walk.programs for each in program}):
        programs = tuple(without(program, name) for program in walk.programs)
        if all(programs):
            yield Walk(programs, walk.edits)
    yield from _with_fewer_inputs(walk)


_REQUIRED = {
    "network_id",
    "cidr",
    "allocation_pools",
    "fixed_ips",
    "size",
    "flavor",
    "image",
    "networks",
    "server_id",
    "volume_id",
    "port_id",
    "direction",
    "security_group_id",
    "router_id",
    "subnet_id",
    "destination",
    "nexthop",
    "floating_ip_id",
    "policy",
}


def _with_fewer_inputs(walk: Walk) -> Iterator[Walk]:
    names = {(each.name, name) for program in walk.programs for each in program for name in each.inputs}
    for name, field in sorted(names):
        if field in _REQUIRED:
            continue
        yield Walk(
            tuple(
                changed(program, name, {field: None}) if any(each.name == name for each in program) else program
                for program in walk.programs
            ),
            walk.edits,
        )


def format_failure(walk: Walk, failure: Failure, seed: int) -> str:
    """Return the failure and the programs of the walk as text."""
    lines = [f"seed {seed}, program {failure.at}, {failure.when}: {failure.what}", ""]
    for index, program in enumerate(walk.programs):
        if index:
            lines.append(f"# ---- then: {walk.edits[index - 1] if index <= len(walk.edits) else ''}")
        lines += to_source(program).splitlines()[2:]
    return "\n".join(lines)
