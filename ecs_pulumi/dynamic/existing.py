"""The existing objects of a region that a program can import. The handlers list them and describe them."""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from ecs_pulumi.dynamic.fields import fields_of, to_plain
from ecs_pulumi.dynamic.handler import OperationContext, get_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ecs_pulumi.dynamic.handler import ImportedResource

C = TypeVar("C")

Key: TypeAlias = tuple[str, str]
"""Kind and id of an object."""


@dataclass(frozen=True)
class Candidate:
    """An object that can become a resource.

    Attributes:
        kind: Its kind.
        id: Its id, as for the input `adopt`.
        label: Its name; if it has none, a name derived from other objects.
        remote: The remote object.
        attached_to: The object that it is attached to: a program that imports that one imports this one as well.
    """

    kind: str
    id: str
    label: str
    remote: Any = field(compare=False)
    attached_to: Key | None = None

    @property
    def key(self) -> Key:
        """Kind and id."""
        return self.kind, self.id

    def get(self, name: str) -> Any:
        """Return a property of the remote object; None if it is no input of the kind, and so describes another one."""
        return self.remote.get(name) if name in fields_of(get_handler(self.kind).inputs) else None


@dataclass(frozen=True)
class Declarations:
    """What another tool manages, such as Terraform: a program that imports it has a resource for each of its own.

    Attributes:
        labels: The objects that it manages, in the order of the program, each with the name of its resource.
        lookups: The objects that it looks up, each with a name.
        complete: Adds what the other tool knows and no API returns to a resource.
    """

    labels: Mapping[Key, str]
    lookups: Mapping[Key, str]
    complete: Callable[[Candidate, ImportedResource], None]


class ExistingObjects(Generic[C]):
    """All objects in one region that the account can list. Each kind is listed once, when it is needed."""

    def __init__(
        self,
        cloud: C,
        kinds: Sequence[str],
        listed: Mapping[str, dict[str, Any]] | None = None,
        declarations: Declarations | None = None,
    ) -> None:
        """Send no request before the objects are needed.

        Args:
            cloud: The clients of the region, as a handler connects.
            kinds: The kinds; a kind refers only to those before it.
            listed: The remote objects of kinds that are listed already, by kind and id.
            declarations: What another tool manages: only that can become a resource. Default: the handlers decide.
        """
        self.cloud = cloud
        self.kinds = kinds
        self.declarations = declarations
        self._listed = dict(listed or {})
        self._indexes: dict[tuple[str, object], dict[str, list[Any]]] = {}
        self._candidates: dict[str, list[Candidate]] = {}
        self._imported: dict[Key, ImportedResource] = {}

    def is_declared(self, kind: str, id_: str) -> bool | None:
        """Whether the other tool manages an object as a resource of its own; None if no other tool is asked."""
        return None if self.declarations is None else (kind, id_) in self.declarations.labels

    def of(self, kind: str) -> dict[str, Any]:
        """Return all remote objects of a kind by id, also those that cannot be imported."""
        if kind not in self._listed:
            handler = get_handler(kind)
            self._listed[kind] = {handler.id_of(remote): remote for remote in handler.list_visible(self.context(kind))}
        return self._listed[kind]

    def related(self, kind: str, ids_of: Callable[[Any], Iterable[str]], id_: str) -> list[Any]:
        """Return the remote objects of a kind that belong to another object.

        Args:
            kind: The kind.
            ids_of: Returns the ids of the objects that a remote object of this kind belongs to. A function of a module:
                its results are kept.
            id_: The id of the other object.
        """
        if (kind, ids_of) not in self._indexes:
            index = self._indexes[kind, ids_of] = defaultdict(list)
            for remote in self.of(kind).values():
                for other in ids_of(remote):
                    index[other].append(remote)
        return list(self._indexes[kind, ids_of].get(id_, ()))

    def context(self, kind: str) -> OperationContext[C]:
        """Return the context in which a handler reads objects."""
        timeout = get_handler(kind).timeout
        return OperationContext(verb="read", kind=kind, resource="", connect=lambda: self.cloud, timeout=timeout)

    def outputs(self, kind: str, remote: Any) -> dict[str, Any]:
        """Return the inputs and outputs of a remote object in their plain form."""
        plain: dict[str, Any] = to_plain(get_handler(kind).to_outputs(self.context(kind), remote))
        return plain

    def label(self, kind: str, remote: Any) -> str:
        """Return the name of a remote object, or one derived from other objects."""
        return get_handler(kind).label(self, remote)

    @functools.cached_property
    def parts(self) -> Mapping[Key, Key]:
        """The objects that are created and deleted with another one, each with that one."""
        return {part: whole for kind in self.kinds for part, whole in get_handler(kind).parts(self)}

    def ineligible_reason(self, kind: str, id_: str) -> str | None:
        """Return why an object cannot become a resource; None if it can."""
        remote = self.of(kind).get(id_)
        if remote is None:
            return "it does not exist"
        if whole := self.parts.get((kind, id_)):
            return f"it is created and deleted with {whole[0].lower()} {whole[1]}"
        return get_handler(kind).ineligible_reason(self, remote)

    @functools.cached_property
    def candidates(self) -> Mapping[Key, Candidate]:
        """All objects that can become resources, in the order of the kinds."""
        if self.declarations is None:
            return {each.key: each for kind in self.kinds for each in self.candidates_of(kind)}
        labels = self.declarations.labels
        kinds = [kind for kind in self.kinds if any(kind == key[0] for key in labels)]
        found = {each.key: each for kind in kinds for each in self.candidates_of(kind)}
        ordered = sorted(labels, key=lambda key: self.kinds.index(key[0]))
        return {key: replace(found[key], label=labels[key]) for key in ordered if key in found}

    def candidates_of(self, kind: str) -> list[Candidate]:
        """Return the objects of a kind that can become resources, in the order of a program."""
        if kind not in self._candidates:
            self._candidates[kind] = list(get_handler(kind).candidates(self))
        return self._candidates[kind]

    def imported(self, each: Candidate) -> ImportedResource:
        """Return the resource that imports an object, with its inputs in the order of their declaration."""
        if each.key not in self._imported:
            handler = get_handler(each.kind)
            resource = handler.import_resource(self, each.remote, self.outputs(each.kind, each.remote))
            if self.declarations:
                self.declarations.complete(each, resource)
            inputs = resource.inputs
            resource.inputs = {name: inputs[name] for name in fields_of(handler.inputs) if inputs.get(name) is not None}
            self._imported[each.key] = resource
        return self._imported[each.key]
