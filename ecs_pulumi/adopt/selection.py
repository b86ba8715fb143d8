"""The selection of the objects to import, with their dependencies."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import errors
from ecs_pulumi.dynamic.fields import close_matches, map_references
from ecs_pulumi.dynamic.handler import get_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ecs_pulumi.dynamic.existing import Candidate, ExistingObjects, Key
    from ecs_pulumi.dynamic.fields import References


def select(
    existing: ExistingObjects[Any],
    *,
    names: Sequence[str] = (),
    tags: Sequence[str] = (),
    ids: Sequence[str] = (),
    everything: bool = False,
    kinds: Collection[str] = (),
    dependencies: bool = True,
    known: Collection[Key] = (),
) -> list[Candidate]:
    """Return the objects that match a name, tag or id, and their dependencies, in the order of the program.

    Args:
        existing: All existing objects.
        names: Patterns of names such as `web*`.
        tags: Tags.
        ids: Ids.
        everything: Select all objects.
        kinds: Select only objects of these kinds; all kinds if it is empty.
        dependencies: Add the objects that a selected object refers to, and those that are attached to it.
        known: Objects that are never selected, by kind and id: the resources of the stack.

    Raises:
        NoMatch: A name, tag or id matches no object.
    """
    eligible = [each for each in existing.candidates.values() if not kinds or each.kind in kinds]
    selected = {each.key for each in eligible} if everything else set()
    criteria: list[tuple[str, str, Callable[[Candidate], bool]]] = [
        *(("named", glob, lambda each, glob=glob: fnmatchcase(_name(each), glob)) for glob in names),
        *(("tagged", tag, lambda each, tag=tag: tag in (each.get("tags") or ())) for tag in tags),
        *(("with the id", id_, lambda each, id_=id_: each.id == id_) for id_ in ids),
    ]
    for what, word, matches in criteria:
        found = {each.key for each in eligible if matches(each)}
        if not found:
            raise errors.NoMatch([], f'there is nothing {what} "{word}"{_hint(existing, word, eligible)}')
        selected |= found
    if dependencies:
        queue = list(selected)
        while queue:
            key = queue.pop()
            added = {*_dependencies(existing, existing.candidates[key]), *_attached_to(existing, key)} - selected
            selected |= added
            queue += added
    chosen = [each for key, each in existing.candidates.items() if key in selected and key not in known]
    return _dependencies_first(existing, chosen)


def _name(each: Candidate) -> str:
    return str(each.get("name") or "")


def _hint(existing: ExistingObjects[Any], word: str, eligible: Sequence[Candidate]) -> str:
    for kind in existing.kinds:
        if word in existing.of(kind) and (reason := existing.ineligible_reason(kind, word)):
            return f" to import: {reason}"
    similar = close_matches(word, {_name(each) for each in eligible} - {""})
    return f"; did you mean {' or '.join(similar)}?" if similar else ""


def _dependencies(existing: ExistingObjects[Any], each: Candidate) -> list[Key]:
    """Return the objects that can become resources and that must exist before this one."""
    resource = existing.imported(each)
    found = [*resource.depends_on]

    def add(reference: References, id_: str) -> str:
        key = reference.kind, id_
        found.append(existing.parts.get(key, key))
        return id_

    map_references(get_handler(each.kind).inputs, resource.inputs, add)
    return [key for key in found if key in existing.candidates]


def _attached_to(existing: ExistingObjects[Any], key: Key) -> list[Key]:
    return [each.key for each in existing.candidates.values() if each.attached_to == key]


def _dependencies_first(existing: ExistingObjects[Any], selected: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates in the same order, except that one follows those of its kind that it depends on."""
    by_key = {each.key: each for each in selected}
    ordered: dict[Key, Candidate] = {}

    def add(each: Candidate) -> None:
        if each.key in ordered:
            return
        for key in _dependencies(existing, each):
            if key in by_key and key[0] == each.kind:
                add(by_key[key])
        ordered[each.key] = each

    for each in selected:
        add(each)
    return list(ordered.values())
