"""A Pulumi program as data: resources of all kinds that refer to each other, which can be written as `__main__.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

VARIABLES = {
    "Network": "net",
    "Subnet": "sub",
    "Port": "port",
    "KeyPair": "key",
    "Volume": "vol",
    "Server": "srv",
    "VolumeAttachment": "vat",
    "InterfaceAttachment": "nic",
}
"""Every kind, with the first part of the names of its resources, which are the program's variables as well."""


@dataclass(frozen=True)
class Ref:
    """An output of another resource, as the value of an input.

    Attributes:
        name: The resource.
        output: The output.
    """

    name: str
    output: str = "id"


@dataclass(frozen=True)
class Declaration:
    """A resource that a program declares.

    Attributes:
        kind: Its kind.
        name: Its name; no two resources of a program have the same one.
        inputs: Its inputs. Values are plain, but for a `Ref` at any depth.
        needs: The resources of `depends_on`.
        alias: A former name.
    """

    kind: str
    name: str
    inputs: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    alias: str = ""

    def refers_to(self) -> set[str]:
        """The names of the resources that it cannot be without."""
        return {ref.name for ref in refs(self.inputs)} | set(self.needs)


Program = tuple[Declaration, ...]
"""The resources in the order of their declaration, in which each comes after those that it refers to."""


def refs(value: Any) -> Iterator[Ref]:
    """The references in a value."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from refs(item)


def resolved(value: Any, of: Callable[[Ref], Any]) -> Any:
    """The value with what `of` returns in place of each reference."""
    if isinstance(value, Ref):
        return of(value)
    if isinstance(value, dict):
        return {key: resolved(item, of) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, of) for item in value]
    return value


def find(program: Program, name: str) -> Declaration:
    """The resource of this name."""
    return next(each for each in program if each.name == name)


def of_kind(program: Program, *kinds: str) -> list[Declaration]:
    """The resources of these kinds."""
    return [each for each in program if each.kind in kinds]


def dependents(program: Program, *names: str) -> set[str]:
    """These resources and all that cannot be without them."""
    found = set(names)
    for each in program:
        if each.refers_to() & found:
            found.add(each.name)
    return found


def without(program: Program, *names: str) -> Program:
    """The program without these resources and what cannot be without them."""
    gone = dependents(program, *names)
    return tuple(each for each in program if each.name not in gone)


def changed(program: Program, name: str, inputs: Mapping[str, Any]) -> Program:
    """The program with other inputs of one resource; None removes an input."""

    def now(each: Declaration) -> Declaration:
        if each.name != name:
            return each
        merged = {**each.inputs, **inputs}
        return replace(each, inputs={key: value for key, value in merged.items() if value is not None})

    return ordered(now(each) for each in program)


def renamed(program: Program, names: Mapping[str, str]) -> Program:
    """The program in which resources have other names, wherever these stand."""

    def now(each: Declaration) -> Declaration:
        return replace(
            each,
            name=names.get(each.name, each.name),
            inputs=resolved(each.inputs, lambda ref: Ref(names.get(ref.name, ref.name), ref.output)),
            needs=tuple(names.get(name, name) for name in each.needs),
        )

    return tuple(now(each) for each in program)


def ordered(program: Any) -> Program:
    """These resources with each after those that it refers to, and otherwise in the order they had.

    A NIC in a network, of which Neutron makes the port, needs the network's subnets, to which it does not refer.
    """
    left = list(program)
    subnets = [(each.name, each.inputs["network_id"].name) for each in left if each.kind == "Subnet"]
    left = [
        replace(each, needs=tuple(name for name, network in subnets if network in networks_of_nics(each)))
        for each in left
    ]
    done: list[Declaration] = []
    known: set[str] = set()
    while left:
        each = next(each for each in left if each.refers_to() <= known)
        left.remove(each)
        done.append(each)
        known.add(each.name)
    return tuple(done)


def networks_of_nics(of: Declaration) -> list[str]:
    """The networks in which Nova or the provider makes a port for a NIC of this resource."""
    if of.kind == "Server":
        return [nic["network_id"].name for nic in of.inputs["networks"] if "network_id" in nic]
    if of.kind == "InterfaceAttachment" and "network_id" in of.inputs:
        return [of.inputs["network_id"].name]
    return []


def written(program: Program) -> str:
    """The program as a user would write it."""
    lines = ["import pulumi", "import ecs_pulumi as ecs", ""]
    for each in program:
        arguments = [repr(each.name), *(f"{name}={_literal(value)}" for name, value in each.inputs.items())]
        options = []
        if each.needs:
            options.append(f"depends_on=[{', '.join(each.needs)}]")
        if each.alias:
            options.append(f"aliases=[pulumi.Alias(name={each.alias!r})]")
        if options:
            arguments.append(f"opts=pulumi.ResourceOptions({', '.join(options)})")
        lines.append(f"{each.name} = ecs.{each.kind}({', '.join(arguments)})")
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, Ref):
        return f"{value.name}.{value.output}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(value)
