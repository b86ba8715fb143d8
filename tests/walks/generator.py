"""Random walks: a program of 2 to 16 resources, and edits that a cloud can apply in one `up` each."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ecs_pulumi
from tests.walks import by_hand, edits, options, routing
from tests.walks.following import can_follow
from tests.walks.model import Stage, Walk, deployed
from tests.walks.programs import VARIABLES, changed, dependents, of_kind, ordered

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.walks.edits import Edited
    from tests.walks.programs import Program

FEWEST, MOST = edits.FEWEST, 16
ROUNDS = 20
TWO_AT_ONCE = 0.25
BY_HAND = 0.15
TARGETED = 0.15
SWAPPED = 0.03
_ADDRESSES = (VARIABLES["FloatingIp"], VARIABLES["FloatingIpAssociation"])
ADDRESS_IN_USE = "already used by the port"
PROTECTED, RETAINED, TIMED = 0.05, 0.15, 0.05

EDITS: dict[str, tuple[Any, int]] = {
    "add": (edits.add, 2),
    "change": (edits.change, 6),
    "change several": (edits.change_several, 3),
    "clear": (edits.clear, 1),
    "reorder NICs": (edits.reorder_nics, 1),
    "replace": (edits.replace_one, 4),
    "remove": (edits.remove, 1),
    "reorder": (edits.reorder, 1),
    "rename": (edits.rename, 3),
    "alias": (edits.rename_with_alias, 2),
    "swap": (edits.swap, 3),
    "move": (edits.move, 3),
    "publish": (edits.publish, 3),
    "option": (options.set_option, 4),
}
"""Every kind of edit with its relative frequency."""


def walk(seed: int, *, only: Collection[str] = tuple(EDITS)) -> Walk:
    """Return the walk of a seed; `only` names the allowed kinds of edits."""
    return random_walk(random.Random(seed), only=only)  # noqa: S311  (chance, not a secret)


def random_walk(chance: random.Random, *, only: Collection[str] = tuple(EDITS)) -> Walk:
    """Return a random program with 6 to 10 edits, some of which combine two, and changes by another client."""
    stages = [Stage(first(chance))]
    before = stages[0].program
    """What the stack has."""
    retained: set[str] = set()
    for _ in range(chance.randint(6, 10)):
        more: list[Stage] = []
        while not more or any(_creates(before, stage, retained) for stage in more):
            more = _next(stages[-1].program, before, chance, only)
        for each in more:
            # Half of the walks of an engine continue with the state that a refresh changed.
            stage = replace(each, is_refreshed=chance.random() < 0.5)
            stages.append(stage)
            retained |= {each.name for each in before if each.retain and each not in stage.program}
            before = deployed(before, stage)
    return Walk(tuple(stages), cascades=chance.random() < 0.5)


def _creates(before: Program, stage: Stage, retained: Collection[str]) -> bool:
    """Whether a stage may create the object of a resource, while the cloud has one that the stack retained.

    The provider refuses that, because the retained object could be an orphan.
    """
    if stage.by_hand:
        return stage.by_hand.action == "delete" and bool(dependents(before, stage.by_hand.name) & {*retained})
    known = {each.name for each in before} | {each.alias for each in stage.program}
    return any(each.name in retained and not (each.retain and each.name in known) for each in stage.program)


def _next(program: Program, before: Program, chance: random.Random, only: Collection[str]) -> list[Stage]:
    """Return the stages of the next edit; none if the cloud cannot apply the chosen one.

    Args:
        program: The program.
        before: What the stack has, which differs from the program in ignored inputs.
        chance: The random generator.
        only: The allowed kinds of edits.
    """
    program = tuple(replace(each, alias="") for each in program)
    if chance.random() < BY_HAND:
        change = by_hand.choose(before, chance)
        return [Stage(program, f"by hand: {change.action} {change.name}", by_hand=change)] if change else []
    if chance.random() < SWAPPED:
        return _swap_addresses(program, before, chance)
    edited = _edited(program, chance, only)
    if chance.random() < TWO_AT_ONCE and edited:
        more = _edited(edited[0], chance, only)
        edited = more and (more[0], f"{edited[1]}, {more[1]}")
    if not edited or edited[0] == program or not FEWEST <= len(edited[0]) <= MOST:
        return []
    after, description = options.allowed(edited[0]), edited[1]
    # A resource with the prior name of another one is that resource for the engine.
    if {each.alias for each in after} & {each.name for each in after} or not can_follow(before, after):
        return []
    stages = []
    if guarded := options.guarded(before, after):
        declared = {each.alias or each.name for each in after}
        if guarded - declared and chance.random() < 0.5:
            stages.append(Stage(after, f"{description}, which is refused", refusal=options.PROTECTED))
        free = {"protect": False}
        program = options.with_options(program, dict.fromkeys(guarded, free))
        stages.append(Stage(program, f"unprotect {', '.join(sorted(guarded))}"))
        after = options.with_options(after, {each.name: free for each in after if (each.alias or each.name) in guarded})
        before = deployed(before, stages[-1])
    if chance.random() < TARGETED and (targets := _targets(program, before, after, chance)):
        stages.append(Stage(after, f"{description}, target {', '.join(targets)}", targets))
        description = "apply the rest"
    return [*stages, Stage(after, description)]


def _swap_addresses(program: Program, before: Program, chance: random.Random) -> list[Stage]:
    """Return the stages that swap the addresses of two ports, after a refused one that swaps them at once."""
    ports = [each for each in of_kind(program, "Port") if "ip_address" in each.inputs["fixed_ips"][0]]
    pairs = [
        (one, other)
        for one, other in itertools.combinations(ports, 2)
        if one.inputs["fixed_ips"][0]["subnet_id"] == other.inputs["fixed_ips"][0]["subnet_id"]
    ]
    if not pairs:
        return []
    one, other = chance.choice(pairs)
    if not all(edits.NEXT["fixed_ips"](program, each, chance) for each in (one, other)):
        return []
    moved = changed(program, one.name, {"fixed_ips": edits.free_addresses(program, one)})
    given = changed(moved, other.name, {"fixed_ips": one.inputs["fixed_ips"]})
    swapped = changed(given, one.name, {"fixed_ips": other.inputs["fixed_ips"]})
    names = f"the addresses of {one.name} and {other.name}"
    stages = [Stage(swapped, f"swap {names}, which is refused", refusal=ADDRESS_IN_USE)]
    stages += [Stage(each, f"swap {names} in steps") for each in (moved, given, swapped)]
    steps = itertools.pairwise((before, moved, given, swapped))
    return stages if all(can_follow(*pair) for pair in steps) else []


def _edited(program: Program, chance: random.Random, only: Collection[str]) -> Edited | None:
    names = [name for name in EDITS if name in only]
    (name,) = chance.choices(names, [EDITS[name][1] for name in names])
    edited: Edited | None = EDITS[name][0](program, chance)
    return edited


def _targets(program: Program, before: Program, after: Program, chance: random.Random) -> tuple[str, ...]:
    """Return the names of a changed resource and its dependents, if the cloud can change these alone."""
    prior, desired = ({each.name: each for each in one} for one in (program, after))
    changes = [name for name in sorted(prior.keys() | desired.keys()) if prior.get(name) != desired.get(name)]
    if not changes or any(each.alias for each in after):
        return ()
    chosen = chance.choice(changes)
    needing = _with_implied(after)
    targets = dependents(_with_implied(program), chosen) | dependents(needing, chosen)
    if any(name.startswith(_ADDRESSES) and name not in targets for name in changes):
        # The delete of an association changes the floating IP, which would not be compared.
        return ()
    known = targets | {each.name for each in before}
    if not all(each.refers_to() <= known for each in needing if each.name in targets):
        return ()
    names = tuple(sorted(targets))
    partial = deployed(before, Stage(after, targets=names))
    return names if can_follow(before, partial) and can_follow(partial, after) else ()


def _with_implied(program: Program) -> Program:
    """Return the program with the dependencies that the package adds: the engine deletes no target that others need."""
    return tuple(
        replace(
            each,
            depends_on=(
                *each.depends_on,
                *(other.name for other in program[:at] if other.kind in getattr(ecs_pulumi, each.kind)._dependencies),
            ),
        )
        for at, each in enumerate(program)
    )


def first(chance: random.Random) -> Program:
    """Return a random initial program."""
    size = chance.randint(FEWEST, MOST)
    program: Program = ()
    # Most kinds require a network and a subnet, and those of the routers require an interface.
    routed = ("Router", "RouterInterface") if chance.random() < 0.6 else ()
    for kind in ("Network", "Subnet", *routed):
        new = edits.new(program, kind, chance)
        assert new is not None
        program = ordered((*program, new))
    for _ in range(ROUNDS * size):
        if len(program) >= size:
            break
        if (edited := edits.add(program, chance)) and routing.is_valid(edited[0]):
            program = edited[0]
    return options.allowed(
        tuple(
            replace(
                each,
                protect=chance.random() < PROTECTED,
                retain=chance.random() < RETAINED,
                minutes=30 if chance.random() < TIMED else 0,
            )
            for each in program
        )
    )
