"""The text of the program that imports the selected objects."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ecs_pulumi.adopt.text import Call, Ref, call, comment, declaration, resource_name, stem, variable
from ecs_pulumi.dynamic.fields import map_references, referenced_kinds
from ecs_pulumi.dynamic.handler import get_handler
from ecs_pulumi.resources.registry import module_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_pulumi.dynamic.existing import Candidate, ExistingObjects, Key
    from ecs_pulumi.dynamic.fields import References

_LOOKED_UP_BY_NAME = ("KeyPair",)
"""Kinds whose id is a name, which a program writes as it is."""
_HEAD = '''"""Import of existing objects: the first `pulumi up` changes nothing in the cloud."""

'''


def program(
    existing: ExistingObjects[Any], selected: Sequence[Candidate], *, protect: bool = True, cloud: str | None = None
) -> str:
    """Return the text of a program that imports the selected objects.

    Args:
        existing: All existing objects.
        selected: The result of `select`.
        protect: Whether each resource is protected from deletion.
        cloud: The entry of clouds.yaml with the cloud of the objects. Default: the cloud of the stack.
    """
    place = {"cloud": cloud} if cloud else {}
    references = _References(existing, _variables(existing, selected), place)
    parts: list[str] = []
    for kind, candidates in groupby(selected, lambda each: each.kind):
        handler = get_handler(kind)
        heading = f"{_title(kind)}. {handler.import_hint}".strip()
        parts.append("\n" + "".join(map(comment, heading.splitlines())))
        used: set[str] = set()
        for each in candidates:
            name = resource_name(each.label, kind, used)
            used.add(name)
            resource = existing.imported(each)
            options: dict[str, Any] = {"protect": True} if protect else {}
            if targets := [references.variables[key] for key in resource.depends_on if key in references.variables]:
                options["depends_on"] = [Ref(target, "") for target in targets]
            inputs = map_references(handler.inputs, resource.inputs, references.resolve) | place
            inputs["adopt"] = each.id
            if options:
                inputs["opts"] = Call("pulumi.ResourceOptions", options)
            target = references.variables.get(each.key)
            start = f"{target} = ecs.{kind}" if target else f"ecs.{kind}"
            parts.append(("\n" if resource.comments else "") + declaration(start, name, inputs, resource.comments))
    body = references.lookups() + "".join(parts)
    pulumi = "import pulumi\n" if "=pulumi." in body else ""
    return f"{_HEAD}{pulumi}import ecs_pulumi as ecs\n{body}"


def _title(kind: str) -> str:
    return get_handler(kind).title or kind


class _References:
    """Replaces the ids of other objects by references to them."""

    def __init__(self, existing: ExistingObjects[Any], variables: Mapping[Key, str], place: Mapping[str, str]) -> None:
        self.variables = variables
        self._place = place
        self._existing = existing
        self._looked_up: dict[Key, tuple[str, str]] = {}
        """Variable and function of each object that the program looks up."""

    def resolve(self, reference: References, id_: str) -> Ref | str:
        """Return a reference to the resource or the look-up of an object; its id if the program has neither.

        An object that is a part of another one is an output of the resource of that one.
        """
        key = reference.kind, id_
        if target := self.variables.get(key) or self._look_up(key):
            return Ref(target, reference.output)
        return self._part(key) or id_

    def _part(self, key: Key) -> Ref | None:
        """Return the output of a resource whose value is the id of a part of it, such as a NIC of a server."""
        kind, id_ = whole = self._existing.parts.get(key, ("", ""))
        if whole not in self.variables:
            return None
        output = get_handler(kind).output_of_part(self._existing, self._existing.of(kind)[id_], key)
        return Ref(self.variables[whole], output) if output else None

    def lookups(self) -> str:
        """The statements that look objects up."""
        text = ""
        for kind, keys in groupby(sorted(self._looked_up, key=lambda key: self._existing.kinds.index(key[0])), _kind):
            users = "the program does not manage" if self._existing.declarations else "other projects use as well"
            text += "\n" + comment(f"{_title(kind)} that {users}: looked up.")
            for key in keys:
                target, function = self._looked_up[key]
                text += call(f"{target} = ecs.{function}", {"id": key[1], **self._place})
        return text

    def _look_up(self, key: Key) -> str | None:
        kind, id_ = key
        if key not in self._looked_up:
            remote = self._existing.of(kind).get(id_)
            declarations = self._existing.declarations
            declared = declarations.lookups.get(key, "") if declarations else ""
            function = get_handler(kind).lookup(self._existing, remote) if remote else ""
            if declared and remote and kind not in _LOOKED_UP_BY_NAME:
                function = f"get_{module_of(kind)}"
            if not (remote and function):
                return None
            used = {*self.variables.values(), *(name for name, _ in self._looked_up.values())}
            name = stem(declared or str(remote.get("name") or ""), kind)
            self._looked_up[key] = variable(name, kind, shared=used, used=used), function
        return self._looked_up[key][0]


def _kind(key: Key) -> str:
    return key[0]


def _variables(existing: ExistingObjects[Any], selected: Sequence[Candidate]) -> dict[Key, str]:
    """Return a variable for each resource that others may refer to, named after the object."""
    referenced = set().union(*(referenced_kinds(get_handler(kind).inputs) for kind in existing.kinds))
    stems = [(each, stem(each.label, each.kind)) for each in selected if each.kind in referenced]
    kinds = Counter(name for name, _ in {(name, each.kind) for each, name in stems})
    shared = {name for name, count in kinds.items() if count > 1}
    variables: dict[Key, str] = {}
    for each, name in stems:
        used = set(variables.values())
        variables[each.key] = variable(name, each.kind, shared, used)
    return variables
