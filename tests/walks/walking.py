"""A walk in this process: what has to hold after every `up`, and the shortest walk in which it does not."""

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
from tests.walks.programs import changed, without, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.walks.cloud import OthersWorld
    from tests.walks.programs import Program

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|-[0-9a-f]{8}\b|req-\S+")
_NAME = re.compile(r"\b(net|sub|port|key|vol|srv|vat|nic)\d+")
_LONGEST = 100
TRIALS = 400
"""Shorter walks that are tried."""


@dataclass(frozen=True)
class Broken:
    """What did not hold.

    Attributes:
        at: The number of the program; for the destroy at the end that of the last.
        when: In which operation.
        what: What it is.
    """

    at: int
    when: str
    what: str

    @property
    def like(self) -> tuple[str, str]:
        """What it has in common with the same in another walk."""
        return self.when, _NAME.sub(r"\1", _ID.sub("*", self.what))[:_LONGEST]


class Walker:
    """Goes a walk, step by step."""

    def __init__(self, world: OthersWorld, seed: int) -> None:
        world.restore(world.start)
        self._world = world
        self._chance = random.Random(seed)  # noqa: S311  (chance, not a secret)
        self._stack = Stack(world.config, self._chance, world.begin)
        self._expected: dict[str, str] = {}

    def steps(self, program: Program) -> Iterator[tuple[str, Callable[[], list[str]]]]:
        """What is done with each program, each with what is wrong then."""
        yield "preview", lambda: self._preview(program)
        yield "up", lambda: self._up(program)
        yield "cloud after up", lambda: self._cloud(program)
        yield "preview after up", lambda: self._is_empty(program)
        before = self._stack.kept()
        yield "refresh", self._stack.refresh
        yield "preview after refresh", lambda: self._is_empty(program)
        if self._chance.random() < 0.5:
            # What an `up` leaves has to do as well.
            self._stack.state = before

    def last_steps(self) -> Iterator[tuple[str, Callable[[], list[str]]]]:
        """What is done at the end."""
        yield "destroy", self._destroy
        yield "cloud after destroy", lambda: self._cloud(())

    def _preview(self, program: Program) -> list[str]:
        self._expected = self._stack.preview(program)
        return []

    def _up(self, program: Program) -> list[str]:
        made = self._stack.up(program)
        harmful = {"replace", "delete"}
        return [
            f"{step} of {name}, of which the preview says {self._expected.get(name)}"
            for name, step in made.items()
            if step in harmful and self._expected.get(name) != step
        ]

    def _cloud(self, program: Program) -> list[str]:
        ids = {name: record.id for name, record in self._stack.known.items()}
        return self._world.differences(program, ids)

    def _is_empty(self, program: Program) -> list[str]:
        return [f"{step} of {name}" for name, step in self._stack.preview(program).items() if step != "same"]

    def _destroy(self) -> list[str]:
        self._stack.destroy()
        return []


def broken(walk: Walk, world: OthersWorld, seed: int) -> Broken | None:
    """Go the walk; what does not hold first, None where all does."""
    walker = Walker(world, seed)
    last = len(walk.programs) - 1
    for at, program in enumerate(walk.programs):
        steps = walker.steps(program)
        if found := _first_wrong(at, steps):
            return found
    return _first_wrong(last, walker.last_steps())


def _first_wrong(at: int, steps: Iterator[tuple[str, Callable[[], list[str]]]]) -> Broken | None:
    for when, step in steps:
        try:
            wrong = step()
        except (Failed, Refused) as error:
            wrong = [str(error)]
        if wrong:
            return Broken(at, when, "; ".join(wrong))
    return None


def shortened(walk: Walk, world: OthersWorld, seed: int, found: Broken) -> tuple[Walk, Broken]:
    """A walk with as little in it as will do for the same not to hold."""
    trials = 0
    walk = Walk(walk.programs[: found.at + 1], walk.edits[: found.at])
    progress = True
    while progress:
        progress = False
        for shorter in _shorter(walk):
            trials += 1
            if trials > TRIALS:
                return walk, found
            if not all(can_follow(*pair) for pair in itertools.pairwise(shorter.programs)):
                continue
            again = broken(shorter, world, seed)
            if again and again.like == found.like:
                walk, found, progress = shorter, again, True
                break
    return walk, found


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


def told(walk: Walk, found: Broken, seed: int) -> str:
    """The walk for a person."""
    lines = [f"seed {seed}, program {found.at}, {found.when}: {found.what}", ""]
    for index, program in enumerate(walk.programs):
        if index:
            lines.append(f"# ---- then: {walk.edits[index - 1] if index <= len(walk.edits) else ''}")
        lines += written(program).splitlines()[2:]
    return "\n".join(lines)
