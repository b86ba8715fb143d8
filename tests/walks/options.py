"""Edits of the resource options of a program."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.walks.edits import DELETED_WITH, IN_PLACE, OTHER_IN_PLACE, pick
from tests.walks.programs import Ref, dependents, of_kind, renamed

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from tests.walks.edits import Edited
    from tests.walks.programs import Declaration, Program

RETAINABLE = ("Network", "KeyPair", "Volume", "SecurityGroup", "ServerGroup", "Router", "FloatingIp")
"""The kinds whose objects can stay while what uses them is deleted."""
PROTECTED = "protect"
"""What the engine says to refuse the delete or the replacement of a protected resource, in part."""
NOT_IGNORED = ("power_state", "volume_type")
"""Inputs on which the steps of other inputs depend."""


def set_option(program: Program, chance: random.Random) -> Edited | None:
    """Set or remove a resource option."""
    declaration = pick(program, chance)
    options: dict[str, Any] = {"protect": not declaration.protect, "minutes": chance.choice((0, 20, 45))}
    if is_retainable(program, declaration):
        options["retain"] = not declaration.retain
    ignorable = [name for name in IN_PLACE.get(declaration.kind, {}) if name not in NOT_IGNORED]
    if ignorable:
        some = chance.sample(ignorable, min(len(ignorable), chance.choice((1, 1, 2))))
        options["ignored"] = () if declaration.ignored and chance.random() < 0.5 else tuple(sorted(some))
    if declaration.kind in DELETED_WITH:
        options["deleted_with"] = "" if declaration.deleted_with else DELETED_WITH[declaration.kind]
    name = chance.choice(list(options))
    return with_options(program, {declaration.name: {name: options[name]}}), f"set {name} of {declaration.kind}"


def with_options(program: Program, options: Mapping[str, Mapping[str, Any]]) -> Program:
    """Return the program with these options of resources, by the names of the resources."""
    return allowed(tuple(replace(each, **options.get(each.name, {})) for each in program))


def allowed(program: Program) -> Program:
    """Return the program without `retain_on_delete` of resources whose object cannot stay unchanged."""
    return tuple(replace(each, retain=each.retain and is_retainable(program, each)) for each in program)


def is_retainable(program: Program, declaration: Declaration) -> bool:
    """Whether the object of a resource stays unchanged when all resources of the program are removed."""
    if declaration.kind not in RETAINABLE or "port_id" in declaration.inputs:
        return False
    if declaration.kind == "KeyPair" and "name" in declaration.inputs:
        return False  # no other key pair could have the name
    rules = [rule for rule in of_kind(program, "SecurityGroupRule") if Ref(declaration.name) in rule.inputs.values()]
    is_shared = any(each.deleted_with and declaration.name in each.refers_to() for each in program)
    # The cloud deletes a rule together with the group that it refers to.
    return not is_shared and not declaration.refers_to() and not any("remote_group_id" in each.inputs for each in rules)


def guarded(before: Program, after: Program) -> set[str]:
    """Return the prior names of the protected resources that an `up` may delete or replace."""
    names = {each.alias: each.name for each in after if each.alias}
    former_names = {name: former for former, name in names.items()}
    before, desired = renamed(before, names), {each.name: each for each in after}
    touched = [each.name for each in before if each.name not in desired or _fixed(each) != _fixed(desired[each.name])]
    affected = dependents(before, *touched)
    return {former_names.get(each.name, each.name) for each in before if each.protect and each.name in affected}


def _fixed(declaration: Declaration) -> dict[str, Any]:
    """Return the inputs that require a replacement."""
    in_place = {*IN_PLACE.get(declaration.kind, {}), *OTHER_IN_PLACE.get(declaration.kind, ())}
    return {name: value for name, value in declaration.inputs.items() if name not in in_place}
